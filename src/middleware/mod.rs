//! What stands between the engine and the handlers.

mod access_log;
#[cfg(feature = "auth")]
mod basic_auth;
mod cors;
mod fields;
mod rate_limit;
mod user;

pub use access_log::{AccessLog, Format, LogHandle};
#[cfg(feature = "auth")]
pub use basic_auth::BasicAuth;
pub use cors::Cors;
pub use rate_limit::{Key, Keys, RateLimit};
pub use user::User;
