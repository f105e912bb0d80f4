//! Files of a folder as resources: `GET`, `HEAD`, ranges and conditions.
//!
//! ```text
//!   loop:    check: method, spelling of the path    --> 403, 404, 405
//!              |
//!   helper:  open + stat in the jail --> 403, 404
//!              |
//!            a folder? its index file, or 308 to `name/`
//!              |
//!            plan: conditions (412, 304), range (206, 416), else 200
//!              |
//!            up to 32 KiB: read here; more: a span of the file that the engine sends
//! ```
//!
//! The loop never waits for the disk: whatever touches it runs on a helper, in
//! the engine's own lane, which is never refused.

mod cache;
mod fields;
mod handler;
mod listing;
mod mime;
mod options;
mod pattern;
mod plan;
mod ranges;
mod resource;
mod serve;
mod temperature;
mod upload;
mod variant;
#[cfg(feature = "gzip")]
mod zip;

pub use handler::Files;
pub use upload::Uploads;
