//! Files: opened without ever leaving a folder, read with or without waiting.

mod jail;
#[cfg(feature = "files")]
mod read;

pub use jail::{Entries, Entry, Jail, Kind, Links, OpenError, Opened};
#[cfg(feature = "files")]
pub(crate) use read::{read, read_resident};
