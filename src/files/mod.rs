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
//!            up to 64 KiB: read here; more: a span of the file that the engine sends
//! ```
//!
//! The loop never waits for the disk: whatever touches it runs on a helper, in
//! the engine's own lane, which is never refused.

mod handler;
mod mime;
mod plan;
mod serve;

pub use handler::Files;
