//! Files: opened without ever leaving a folder.

mod jail;

pub use jail::{Jail, Links, OpenError, Opened};
