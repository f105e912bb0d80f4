//! **onepoll** is an HTTP/1.1 server in one mio poll loop.
#![forbid(unsafe_code)]

#[macro_use]
#[cfg_attr(onepoll_mutants, doc(hidden))]
pub mod mutants;

pub mod app;
mod config;
pub mod disk;
mod error;
#[cfg(feature = "files")]
pub mod files;
pub mod helper;
pub mod http;
pub mod middleware;
pub mod net;
pub mod proto;
pub mod reactor;
pub mod route;
pub mod server;
pub mod sim;
pub mod stats;

pub use app::App;
pub use config::{Config, Limits, Overload};
pub use error::Error;
pub use server::{Background, Handle, Running, Server};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
