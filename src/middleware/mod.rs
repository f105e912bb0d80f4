//! What stands between the engine and the handlers.

mod access_log;
mod cors;
mod vary;

pub use access_log::{AccessLog, Format, LogHandle};
pub use cors::Cors;
