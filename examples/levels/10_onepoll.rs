//! # Level 10: onepoll
//!
//! **The problem of level 09:** it was enough for this site, and for no other.
//!
//! **The idea:** what the nine levels have found, done with care and once: one loop,
//! helpers for what blocks, a deadline for every wait, a limit and an answer for
//! everything that grows, a jail that the kernel guards, sessions whose ids lie in the
//! store as hashes. What is left to write is the site. It takes 30 lines.
//!
//! ```text
//!   level                      here
//!   04 the loop                src/reactor/turn.rs, drive.rs
//!   05 helpers                 src/helper/, `offload`
//!   06 deadlines               src/reactor/deadline.rs, wheel.rs
//!   07 limits                  src/config.rs, src/reactor/buffers.rs
//!   08 the jail                src/disk/jail.rs
//!   09 sessions                src/session/
//! ```
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 10 --port 8080
//! ```
//! and all that was tried on the way up. A range of a file, a HEAD, a conditional
//! request work as well.
//!
//! ## What it gets wrong
//! You tell us. The ladder should show: throughput as of the bare loop, with the
//! slow reader and the slowloris as without, at ten thousand connections as at ten.

use crate::site::Site;
use onepoll::files::Files;
use onepoll::session::{MemoryStore, Sessions, session};
use onepoll::{App, Config, Error, Reject, Request, Response, Server, offload};
use std::time::Duration;

const HOME: &str = "<!DOCTYPE html><title>The ladder</title><h1>The ladder</h1>\n";

pub(crate) fn run(site: &Site) -> Result<(), Error> {
    let mut app = App::new();
    app.get("/", |_: &mut Request| Response::default().html(HOME));
    app.get("/hello", |_: &mut Request| "Hello, World!\n");
    app.scope("/visits", |app| {
        app.wrap(Sessions::new(MemoryStore::new(100_000)));
        app.get("", visits);
    });
    // The slow disk; all other files need no pretence.
    let slow = site.root.join("slow.txt");
    app.get("/files/slow.txt", offload(move |_: &mut Request| slow_file(&slow)));
    Files::new(&site.root)?.mount(&mut app, "/files/");
    let mut config = Config { connections_max: site.clients_max, ..Config::default() };
    (config.first_timeout, config.head_timeout) = (Duration::from_secs(10), Duration::from_secs(2));
    config.limits.head_max = 8 * 1024;
    config.requests_per_connection = u32::MAX; // as on the other levels
    let server = Server::bind(site.address)?.config(config);
    println!("listening on http://{}", server.local_addr()?);
    server.run(app)
}

fn visits(request: &mut Request) -> Result<String, Reject> {
    let session = session(request);
    let visits = session.parse("visits").unwrap_or(0_u64) + 1;
    session.set("visits", visits.to_string())?;
    Ok(format!("visit {visits}\n"))
}

fn slow_file(path: &std::path::Path) -> Result<String, Reject> {
    crate::site::slow_disk("slow.txt");
    Ok(std::fs::read_to_string(path)?)
}
