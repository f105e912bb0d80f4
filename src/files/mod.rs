//! Files of a folder as resources: `GET`, `HEAD`, ranges and conditions.
//!
//! ```text
//!  a request --> temperature: hot?  the cache has it, fresh -----------------.
//!                   | no                                                     |
//!                serve (on the loop, by calls that fail rather than wait):   |
//!                check, open in the jail, read, forms  --> 308, 403, 404     |
//!                   | it would have to wait                                  |
//!                serve (the same, on a helper) -- what it read --> cache     |
//!                   |                                                        |
//!                resource: the file as it was <------------------------------'
//!                   |
//!                variant: which form?  plan: 412, 304, 206, 416, 200
//!                   |
//!                a reply: 32 KiB from memory, more by `sendfile`
//! ```
//!
//! The loop never waits for the disk: what would is done by a helper, in the
//! engine's own lane, which is never refused.

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
