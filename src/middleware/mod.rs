//! What stands between the engine and the handlers.

mod access_log;

pub use access_log::{AccessLog, Format, LogHandle};
