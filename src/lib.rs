//! **onepoll** is an HTTP/1.1 server in one mio poll loop.
#![forbid(unsafe_code)]

mod config;
mod error;
pub mod helper;
pub mod http;
pub mod net;
pub mod proto;
pub mod reactor;
pub mod server;
pub mod stats;

pub use config::{Config, Limits, Overload};
pub use error::Error;
pub use server::{Background, Handle, Running, Server};
