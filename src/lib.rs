//! **onepoll** is an HTTP/1.1 server in one mio poll loop.
#![forbid(unsafe_code)]

mod config;
mod error;
pub mod http;
pub mod route;

pub use config::{Config, Limits, Overload};
pub use error::Error;
