//! The command line: what was asked for, checked, and turned into options.
//!
//! ```text
//!   arguments, variables, file -> settings -> Args { Serve(ServeArgs), .. }
//!                                    |            |
//!                                    |            '-> serve(): App, Server, Config
//!                                    | wrong usage      |
//!                                    |                  | onepoll::Error
//!                                    v                  v
//!            one line on the standard error, and the exit code
//! ```

mod args;
mod bench;
mod health;
mod inherited;
mod life;
mod live;
mod log;
mod notify;
mod pages;
mod secrets;
mod serve;
mod settings;
mod signals;
mod site;
mod takeover;
mod urls;
mod values;

use args::Command;
use clap::error::ErrorKind;
use settings::{Settings, Surroundings, Wrong};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Something failed at run time.
const FAILED: u8 = 1;
/// The command line makes no sense; clap ends with the same.
const USAGE: u8 = 2;

const NO_COMMAND: ErrorKind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

/// Runs the command that the process's arguments ask for.
pub(crate) fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let settings = match settings::read(words.clone(), &Surroundings::real()) {
        Ok(settings) => settings,
        // `--help`, `--version`, and no command at all: a page of its own.
        Err(Wrong::Usage(error)) if !error.use_stderr() || error.kind() == NO_COMMAND => {
            error.exit()
        }
        Err(Wrong::Usage(error)) => {
            complain(&one_line(&error.to_string()));
            return ExitCode::from(USAGE);
        }
        Err(Wrong::Layer(line)) => {
            complain(&line);
            return ExitCode::from(USAGE);
        }
    };
    let result = match &settings.args.command {
        Command::Serve(_) | Command::Bench(_) => return logged(settings, words),
        Command::Health(args) => {
            health::ask(&args.url, args.timeout).map_err(|why| (format!("health: {why}"), FAILED))
        }
        Command::Completions { shell } => pages::completions(*shell),
        Command::Man { command } => pages::man(command.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((line, code)) => {
            complain(&line);
            ExitCode::from(code)
        }
    }
}

/// Serves or looks whether it could, or loads others: what has a log.
fn logged(mut settings: Settings, words: Vec<OsString>) -> ExitCode {
    let args = &settings.args;
    let rust_log = std::env::var("RUST_LOG").unwrap_or_default();
    let (filter, wrong) = log::Filter::new(args.verbose, args.quiet, &rust_log);
    if let Err(error) = log::init(filter) {
        complain(&format_args!("cannot start the log: {error}"));
        return ExitCode::from(FAILED);
    }
    for part in wrong {
        ::log::warn!("RUST_LOG: {part:?} is neither a level nor target=level: left out");
    }
    for warning in std::mem::take(&mut settings.warnings) {
        ::log::warn!("{warning}");
    }
    let result = match &settings.args.command {
        Command::Bench(args) => bench::bench(args),
        Command::Serve(args) if args.life.check => {
            pages::print(&settings::show(&settings));
            serve::check(args).map(|()| true)
        }
        _ => serve::serve(settings, words).map(|()| true),
    };
    // The log first, so that the error is the last line on a terminal.
    ::log::logger().flush();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        // Said where it happened.
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            complain(&error);
            ExitCode::from(code_of(&error))
        }
    }
}

/// What the parser says, without its heading and the advice to ask for help.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.starts_with("Usage:"));
    let mut one = String::new();
    let is_noise =
        |line: &str| line.starts_with("For more information") || line.starts_with("tip: to pass '");
    for line in lines.filter(|line| !is_noise(line)) {
        let line = line.strip_prefix("error: ").unwrap_or(line);
        let line = line.strip_prefix("tip: ").unwrap_or(line);
        let goes_on = one.is_empty() || one.ends_with(':') || line.starts_with('[');
        match (one.is_empty(), goes_on) {
            (true, _) => {}
            (_, true) => one.push(' '),
            (_, false) => one.push_str("; "),
        }
        one.push_str(line);
    }
    one
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

#[cfg(test)]
mod tests {
    use super::*;
    use args::Args;
    use clap::Parser;

    #[test]
    fn wrong_usage_is_one_line() {
        let table = [
            (
                "onepoll serve --prot 1",
                "unexpected argument '--prot' found; a similar argument exists: '--port'",
            ),
            (
                "onepoll serve --overload x",
                "invalid value 'x' for '--overload <WAY>' [possible values: 503, pause]",
            ),
            (
                "onepoll serve --overwrite",
                "the following required arguments were not provided: --upload",
            ),
            ("onepoll serve --nonsense", "unexpected argument '--nonsense' found"),
            (
                "onepoll serve --port x",
                "invalid value 'x' for '--port <PORT>': expected a number from 0 to 65535",
            ),
        ];
        for (line, expected) in table {
            let error = Args::try_parse_from(line.split(' ')).expect_err(line);
            assert_eq!(one_line(&error.to_string()), expected);
        }
    }
}
