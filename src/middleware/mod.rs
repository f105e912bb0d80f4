//! What stands between the engine and the handlers.

mod access_log;
#[cfg(feature = "auth")]
mod basic_auth;
#[cfg(any(feature = "brotli", feature = "gzip", feature = "zstd"))]
mod compress;
mod cors;
mod fields;
mod host_guard;
mod https_redirect;
mod limits;
mod rate_limit;
mod request_id;
mod security_headers;
mod server_timing;
mod user;

pub use access_log::{AccessLog, Format, LogHandle};
#[cfg(feature = "auth")]
pub use basic_auth::BasicAuth;
#[cfg(any(feature = "brotli", feature = "gzip", feature = "zstd"))]
pub use compress::Compress;
pub use cors::Cors;
pub use host_guard::HostGuard;
pub use https_redirect::HttpsRedirect;
pub use limits::{InFlight, TimeLimit};
pub use rate_limit::{Key, Keys, RateLimit};
#[cfg(feature = "redis")]
pub use rate_limit::{Policy, RateStore, RedisRates, Taken};
pub use request_id::{RequestId, RequestIds};
pub use security_headers::{Csp, Frame, Hsts, SecurityHeaders};
pub use server_timing::{ServerTiming, Timings};
pub use user::User;
