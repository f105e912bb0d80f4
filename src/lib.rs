//! **onepoll** is an HTTP/1.1 server in one [mio](https://docs.rs/mio) poll loop, for Linux: a
//! library to embed, and a command that serves a folder. One thread owns all clients; each is a
//! small state machine that is driven as far as it can go and then left alone until something
//! happens. There is no async runtime: a handler is a function from a [`Request`] to anything that
//! becomes a [`Reply`]. What would block goes to a few helper threads and comes home through an
//! inbox. The sources are meant to be read, floor by floor.
//!
//! ```no_run
//! use onepoll::{App, Error, Reject, Request, Server, after, offload};
//! use std::time::Duration;
//!
//! fn report(_: &mut Request) -> Result<String, Reject> {
//!     Ok(std::fs::read_to_string("report.txt")?) // may block: it runs on a helper thread
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let mut app = App::new();
//!     app.get("/", |_: &mut Request| "Hello, World!\n");
//!     app.get("/users/{id}", |request: &mut Request| {
//!         request.param("id").map(|id: u64| format!("user {id}\n"))
//!     });
//!     app.get("/later", |_: &mut Request| after(Duration::from_secs(1), || "there you are\n"));
//!     app.get("/report", offload(report));
//!     Server::bind("127.0.0.1:8080")?.run(app)
//! }
//! ```
//!
//! Handlers run on the loop's thread: they must not block, and need no `Send`, so that shared state
//! is an `Rc<RefCell<_>>`. An application is tested in memory, without a port:
//! [`app::TestClient`].
//!
//! # The floors
//!
//! A module imports from lower floors only; `tests/tidy` enforces it, and ARCHITECTURE.md
//! describes the house.
//!
//! | Floor | Modules | What they know |
//! |---|---|---|
//! | 4 | [`server`], `sim`, `bench` (features) | the world around a loop, real, scripted; a load |
//! | 3 | `files`, `session`, `templates` (features) | parts of applications |
//! | 3 | [`forms`], [`middleware`], [`handlers`] | parts of applications |
//! | 2 | [`reactor`], [`app`] | the loop; routes and handlers. Neither knows the other |
//! | 1 | [`proto`], [`route`] | HTTP/1.1 without I/O; which route serves a path |
//! | 1 | [`net`], [`helper`], [`disk`] | sockets; threads; files below a folder |
//! | 1 | `codec`, `kv` (features) | bytes made shorter; a server that several machines share |
//! | 0 | [`http`], [`Config`], [`Error`], [`stats`] | the vocabulary, limits, counters |
//!
//! Loop and application meet in [`http::Service`], on the ground floor.
//!
//! Who runs it for others reads [`guide::production`].
//!
//! # Where to start reading
//!
//! In the order of a request: a turn of the loop ([`reactor`], `reactor/turn.rs`), one client
//! (`reactor/connection.rs`, then `drive.rs` and `input.rs`), the protocol ([`proto`], above all
//! the table in `proto/state.rs`; the two files named `whole.rs` are its short ways), the service's
//! answers (`reactor/steps.rs`), the application ([`app`], `app/run.rs`; [`route`] for how a
//! handler is found), the way back (`reactor/reply.rs`, `output.rs`), the end (`ending.rs`), and
//! what happens when nothing happens (`deadline.rs`, [`reactor::Wheel`]).
//!
//! # Features
//!
//! | Feature | Default | Adds |
//! |---|---|---|
//! | `auth` | yes | `middleware::BasicAuth`: passwords |
//! | `bench` | yes | `bench`: the load generator, as a library |
//! | `cookies` | yes | `Request::cookie`, `Response::add_cookie` |
//! | `files` | yes | `files::Files`: a folder as a handler |
//! | `brotli` | no | `codec::brotli`; `middleware::Compress` with it |
//! | `gzip` | yes | `codec::gzip`, `middleware::Compress`; with `files`, files compressed, too |
//! | `json` | yes | `Request::json`, `Response::json_of`: typed JSON |
//! | `regex` | yes | constraints in patterns, `{id:\d+}`, and [`App::route_regex`] |
//! | `sessions` | yes | `session::Sessions`; includes `cookies` |
//! | `redis` | no | `session::RedisStore`, `middleware::RedisRates`; includes `sessions` |
//! | `sqlite` | yes | `session::SqliteStore`; includes `sessions` |
//! | `templates` | yes | `templates::Templates`: pages from templates |
//! | `tls` | yes | `net::tls`: HTTPS, by `rustls` and `ring`, which needs a C compiler |
//! | `tls-aws-lc` | no | the same by `aws-lc-rs`; includes `tls` |
//! | `tls-self-signed` | yes | `Tls::self_signed`; includes `tls` |
//! | `sim` | yes | `sim`: the loop in a scripted world, for tests of the loop itself |
//! | `zstd` | no | `codec::zstd`; `middleware::Compress` with it; compiles C |
//! | `cli` | yes | the command `onepoll`; includes `auth`, `bench`, `files` and `gzip` |
//!
//! A library says `default-features = false` and names what it needs.
//!
//! # Limits, and what can be relied upon
//!
//! - Every limit and every time is a field of [`Config`] or [`Limits`], or a named constant beside
//!   its reason.
//! - There is no `unsafe` code in this crate (there is in its dependencies).
//! - A state in which a connection waits for its client has a deadline, and a client must keep up
//!   a rate, not just move a byte now and then.
//! - What clients send is held in buffers whose sum is bounded: [`Config::buffers_max`]. That
//!   includes the requests that sleep, are with a helper, or whose replies are still being taken.
//! - A client that vanishes without a word is probed for, also where no deadline runs.
//! - Framing that two parsers could read in two ways is refused (RFC 9112 sections 6 and 11.2).
//! - A field that an application builds can't break out of its line, and a reply whose content
//!   fails is visibly incomplete: the connection is cut.
//! - A panic in a handler, a hook or a job becomes a 500 for that client; the loop goes on. That
//!   needs `panic = "unwind"`.
//!
//! Not promised: a handler that blocks or computes for long holds up all clients; a job that never
//! returns keeps its thread, and its connection unless [`Config::work_timeout`] is set. There is
//! no HTTP/2.
#![forbid(unsafe_code)]

#[macro_use]
#[cfg_attr(onepoll_mutants, doc(hidden))]
pub mod mutants;

pub mod app;
#[cfg(feature = "bench")]
pub mod bench;
#[cfg(any(feature = "brotli", feature = "gzip", feature = "zstd"))]
pub mod codec;
mod config;
pub mod disk;
mod error;
#[cfg(feature = "files")]
pub mod files;
pub mod forms;
pub mod guide;
pub mod handlers;
pub mod helper;
pub mod http;
#[cfg(feature = "redis")]
pub mod kv;
pub mod middleware;
pub mod net;
pub mod proto;
pub mod reactor;
pub mod route;
pub mod server;
#[cfg(feature = "sessions")]
pub mod session;
#[cfg(feature = "sim")]
pub mod sim;
pub mod stats;
#[cfg(feature = "templates")]
pub mod templates;

pub use app::{App, Reject, Reply, after, created, offload, ok, redirect};
pub use config::{Config, Limits, Overload, PerAddress, TurnAway};
pub use error::Error;
pub use http::{Body, Method, Request, Response, Status};
pub use server::{Background, Handle, Running, Server};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
