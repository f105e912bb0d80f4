//! **onepoll** is an HTTP/1.1 server in one mio poll loop.
#![forbid(unsafe_code)]

pub mod app;
mod config;
pub mod disk;
mod error;
#[cfg(feature = "files")]
pub mod files;
mod helper;
pub mod http;
pub mod middleware;
mod reactor;
mod route;

pub use app::App;
pub use config::{Config, Limits, Overload};
pub use error::Error;
