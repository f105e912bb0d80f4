//! The `onepoll` command.
//!
//! It ends with 0 if all went well, 1 if something failed at run time, and 2
//! if the command line makes no sense. An error is one line on the standard
//! error.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
