//! The ladder: ten servers for the same small site, from the first one that anybody
//! would write to onepoll, each in one file of `examples/levels/`.
//!
//! ```text
//! cargo run --release --example ladder                     climbs it: five minutes
//! cargo run --release --example ladder -- --quick          the same in one minute
//! cargo run --release --example ladder -- 4 --port 8080    one level, to be tried with curl
//! ```
//!
//! Climbing it, each level is loaded in a process of its own with 1, 10, 100, 1,000 and
//! 10,000 connections: alone first, then with a reader of slow files and a slowloris
//! among the clients. It is also asked a few questions that loads don't ask. What comes
//! of it is a table on the standard output, and charts as SVG files and on one page,
//! `target/ladder/index.html`.

#[path = "../levels/site.rs"]
mod site;

#[path = "../levels/01_blocking.rs"]
mod level01;
#[path = "../levels/02_threads.rs"]
mod level02;
#[path = "../levels/03_pool.rs"]
mod level03;
#[path = "../levels/04_loop.rs"]
mod level04;
#[path = "../levels/05_helpers.rs"]
mod level05;
#[path = "../levels/06_deadlines.rs"]
mod level06;
#[path = "../levels/07_limits.rs"]
mod level07;
#[path = "../levels/08_jail.rs"]
mod level08;
#[path = "../levels/09_sessions.rs"]
mod level09;
#[path = "../levels/10_onepoll.rs"]
mod level10;

mod chart;
mod level;
mod options;
mod page;
mod questions;
mod run;
mod server;
mod strangers;
mod table;

use options::{Command, USAGE};
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match options::parse(std::env::args().skip(1)) {
        Ok(Some(command)) => command,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("ladder: {why}; --help tells more");
            return ExitCode::from(2);
        }
    };
    let result: Result<(), Box<dyn Error>> = match command {
        Command::Serve(level, site) => options::prepare(&site).and_then(|()| level.serve(&site)),
        Command::Climb(climb) => run::climb(&climb),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ladder: {error}");
            ExitCode::FAILURE
        }
    }
}
