//! Files: opened without ever leaving a folder, read with or without waiting,
//! and written without being seen half.

mod jail;
#[cfg(feature = "files")]
mod read;
mod temp;

pub use jail::{Entries, Entry, Jail, Kind, Links, OpenError, Opened};
#[cfg(feature = "files")]
pub(crate) use read::{read, read_resident};
pub use temp::{Existing, Folder, Placed, TempFile};
