//! **onepoll** is an HTTP/1.1 server in one mio poll loop.
#![forbid(unsafe_code)]

mod config;
pub mod disk;
mod error;
pub mod helper;
pub mod http;
pub mod reactor;

pub use config::{Config, Limits, Overload};
pub use error::Error;
