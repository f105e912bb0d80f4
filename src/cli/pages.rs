//! What the command says of itself: completions for shells, and manual pages.

use super::args::Args;
use super::{FAILED, USAGE};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};

/// Writes what a shell needs to complete a command line.
pub(super) fn completions(shell: Shell) -> Result<(), (String, u8)> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "onepoll", &mut text);
    write(&text)
}

/// Writes the manual page of the program, or of one of its commands.
pub(super) fn man(name: Option<&str>) -> Result<(), (String, u8)> {
    let mut command = Args::command();
    command.build();
    let page = match name {
        None => Some(&command),
        Some(name) => command.find_subcommand(name),
    };
    let Some(page) = page else {
        let name = name.unwrap_or_default();
        let known: Vec<&str> = command.get_subcommands().map(|one| one.get_name()).collect();
        return Err((format!("no command {name:?}; there are: {}", known.join(", ")), USAGE));
    };
    // As `man onepoll-serve` has it, and with the version of the whole.
    let title = name.map_or_else(|| "onepoll".to_owned(), |name| format!("onepoll-{name}"));
    let page = page.clone().version(env!("CARGO_PKG_VERSION")).display_name(title);
    let mut text = Vec::new();
    let failed = |error: io::Error| (error.to_string(), FAILED);
    Man::new(page).render(&mut text).map_err(failed)?;
    write(&text)
}

/// Writes to the standard output, for who reads it.
pub(super) fn print(text: &str) {
    let _ = write(text.as_bytes());
}

fn write(text: &[u8]) -> Result<(), (String, u8)> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        // A reader that has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err((format!("cannot write to the standard output: {error}"), FAILED))
        }
        _ => Ok(()),
    }
}
