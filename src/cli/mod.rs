//! The command line: what was asked for, checked, and turned into options.
//!
//! ```text
//!   args -> Args (clap) -> ServeOptions { root, address, Config, .. } -> serve()
//!                                                                          |
//!   exit code  <-  one line on stderr  <-  onepoll::Error  <---------------'
//! ```

mod args;
mod log;
mod serve;
mod signals;
mod values;

use args::{Args, Command};
use clap::Parser;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Something failed at run time.
const FAILED: u8 = 1;
/// The command line makes no sense; clap ends with the same.
const USAGE: u8 = 2;

/// Runs the command that the process's arguments ask for.
pub(crate) fn run() -> ExitCode {
    // Wrong usage, `--help` and `--version` end here.
    let args = Args::parse();
    let rust_log = std::env::var("RUST_LOG").unwrap_or_default();
    let (filter, wrong) = log::Filter::new(args.verbose, args.quiet, &rust_log);
    if let Err(error) = log::init(filter) {
        complain(&format_args!("cannot start the log: {error}"));
        return ExitCode::from(FAILED);
    }
    for part in wrong {
        ::log::warn!("RUST_LOG: {part:?} is neither a level nor target=level: left out");
    }
    let result = match args.command {
        Command::Serve(args) => args.options().and_then(serve::serve),
    };
    // The log first, so that the error is the last line on a terminal.
    ::log::logger().flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(code_of(&error))
        }
    }
}

/// One line on the standard error, if anybody reads it: `eprintln!` would panic.
fn complain(error: &dyn Display) {
    let _ = writeln!(io::stderr(), "onepoll: {error}");
}

fn code_of(error: &onepoll::Error) -> u8 {
    match error {
        onepoll::Error::Config { .. } => USAGE,
        _ => FAILED,
    }
}
