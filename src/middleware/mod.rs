//! What stands between the engine and the handlers.

pub mod access_log;

pub use access_log::AccessLog;
