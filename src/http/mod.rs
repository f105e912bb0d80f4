//! The vocabulary: what a request, a response and a body *are*.
//!
//! Ground floor of the house. Everything above speaks in these types, and
//! nothing here opens a socket, starts a thread or reads a clock: a peer
//! address, an instant or a file handle may be *carried* by a type of this
//! module, but is never operated.
//!
//! ```text
//!   Request --\                        /-- Response { status, fields, Body }
//!              >-- Exchange --> Step --<
//!   Bookmark -/   (one box)   (what    \-- Intake, Job, Duration
//!                              next?)
//! ```
//!
//! [`Exchange`] is one request and the response it is going to get, in a box
//! that has exactly one owner at a time: the connection, the [`Service`], or a
//! helper thread. [`Service`] is the seam between the engine below and the
//! application above; [`Step`] is its answer.

mod body;
mod certificate;
mod cidr;
#[cfg(any(feature = "files", feature = "brotli", feature = "gzip", feature = "zstd"))]
pub(crate) mod compressible;
#[cfg(feature = "cookies")]
mod cookies;
mod exchange;
pub(crate) mod forwarded;
mod headers;
#[cfg(feature = "json")]
mod json;
mod method;
mod params;
mod request;
mod response;
pub(crate) mod scan;
mod service;
mod status;

pub mod accept;
pub mod chars;
pub mod conditional;
pub mod date;
pub mod form;
pub mod multipart;
pub mod range;
pub mod target;

#[cfg(feature = "cookies")]
pub use ::cookie;
pub use body::{
    Body, FileSpan, FileState, OpenFile, Part, Pull, Refusal, Sink, Source, Switched, Takeover,
};
pub use certificate::ClientCertificate;
pub use cidr::{BadCidr, Cidr, Networks};
pub use exchange::{Bookmark, Exchange, Home, Now, Peer, Wake};
pub use forwarded::Forwarded;
pub use headers::{Headers, InvalidField};
pub use method::{Method, Version};
pub use params::{BadParam, Params};
pub use request::Request;
pub use response::{ContentType, Response, Template};
pub use service::{End, Intake, Job, Lane, Outcome, Refused, Service, Step};
pub use status::Status;

pub(crate) use headers::Field;
pub(crate) use request::Span;
