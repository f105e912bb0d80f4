//! Settings of `serve` from four places: flag, variable, file, default.
//!
//! Nothing here knows a single setting. Clap's own description of the command
//! says which flags there are and what values they take; each long flag is a
//! key of the file and a variable as well. What the lower layers say is put
//! into the command line as if it had been typed, in front of what was, and
//! clap judges it:
//!
//! ```text
//!   file ------> long-flag = value ---.
//!   variables -> ONEPOLL_LONG_FLAG ---+--> --long-flag=value --> clap --> Args
//!   flags -----> --long-flag ---------'      (the highest layer only)
//!                                                 |wrong
//!                                                 v
//!                                          the value's source, and why
//! ```
//!
//! Before that each value is tried alone, so that what is wrong with it is said
//! together with the place it came from.

mod file;
mod keys;
mod show;
mod variables;

use super::args::Args;
use super::one_line;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use keys::{Key, Keys};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::Arc;

pub(super) use show::{changes, show};

/// The arguments, and where each of them came from.
pub(super) struct Settings {
    pub(super) args: Args,
    matches: ArgMatches,
    /// By key: what no flag said.
    sources: BTreeMap<String, Source>,
    /// What is odd but no error.
    pub(super) warnings: Vec<String>,
}

/// Where a value came from, if not from a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    File(Arc<str>, usize),
    Variable(String),
    /// A switch that the command line turned off.
    Flag(String),
}

/// One value, or several of a flag that may be repeated.
#[derive(Clone, Debug)]
struct Setting {
    key: String,
    source: Source,
    /// What it would be on the command line; nothing for a switch that is off.
    words: Vec<OsString>,
}

/// Why there are no settings.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The command line; or it asked for help.
    Usage(clap::Error),
    /// A layer below it, in one line.
    Layer(String),
}

/// Where the lower layers are looked for.
pub(super) struct Surroundings {
    pub(super) variables: Vec<(OsString, OsString)>,
}

impl Surroundings {
    /// Of this process.
    pub(super) fn real() -> Surroundings {
        Surroundings { variables: std::env::vars_os().collect() }
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.variables.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }
}

/// Reads all layers.
///
/// # Errors
/// [`Wrong`] names what is wrong, and where.
pub(super) fn read(words: Vec<OsString>, around: &Surroundings) -> Result<Settings, Wrong> {
    let mut command = Args::command();
    command.build();
    let keys = Keys::of(&command);
    let Some(at) = words.iter().position(|word| word == "serve") else {
        return parse(words, BTreeMap::new());
    };
    let (words, off) = keys.switched_off(words, at);
    // Whatever is wrong is found again below: now it is only about what is there.
    let seen = Args::command().ignore_errors(true).try_get_matches_from(&words);
    let seen = seen.map_err(Wrong::Usage)?;
    let Some(("serve", serve)) = seen.subcommand() else {
        return parse(words, BTreeMap::new());
    };
    let is_typed = |key: &Key| {
        off.contains(&key.name) || serve.value_source(&key.id) == Some(ValueSource::CommandLine)
    };
    let mut warnings = Vec::new();
    let mut layers = variables::read(&keys, around, &mut warnings).map_err(Wrong::Layer)?;
    let path = serve.get_one::<std::path::PathBuf>("config").cloned();
    if let Some(path) = path.or_else(|| around.variable("ONEPOLL_CONFIG").map(Into::into)) {
        layers.extend(file::read(&keys, &path).map_err(Wrong::Layer)?);
    }
    let mut chosen: Vec<Setting> = Vec::new();
    for setting in layers {
        // Also what is overruled: else it would be found out on another day.
        try_alone(&setting)?;
        let Some(key) = keys.find(&setting.key) else { continue };
        if !is_typed(key) && chosen.iter().all(|other| other.key != setting.key) {
            chosen.push(setting);
        }
    }
    let sources = chosen.iter().map(|setting| (setting.key.clone(), setting.source.clone()));
    let mut sources: BTreeMap<_, _> = sources.collect();
    let settings = match parse(together(&words, at, &chosen), sources.clone()) {
        Err(Wrong::Usage(error)) => return Err(blamed(error, &words, at, &chosen)),
        settings => settings?,
    };
    sources.extend(off.into_iter().map(|name| (name.clone(), Source::Flag(name))));
    Ok(Settings { sources, warnings, ..settings })
}

fn parse(words: Vec<OsString>, sources: BTreeMap<String, Source>) -> Result<Settings, Wrong> {
    let matches = Args::command().try_get_matches_from(words).map_err(Wrong::Usage)?;
    let args = Args::from_arg_matches(&matches).map_err(Wrong::Usage)?;
    Ok(Settings { args, matches, sources, warnings: Vec::new() })
}

/// The command line with what the lower layers say in front of the flags.
fn together(words: &[OsString], serve: usize, settings: &[Setting]) -> Vec<OsString> {
    let (front, back) = words.split_at_checked(serve + 1).unwrap_or((words, &[]));
    let added = settings.iter().flat_map(|setting| &setting.words);
    front.iter().chain(added).chain(back).cloned().collect()
}

/// Whether clap takes this value. What is missing beside it is no fault of it.
fn try_alone(setting: &Setting) -> Result<(), Wrong> {
    let words = ["onepoll", "serve"].map(OsString::from);
    let words = words.iter().chain(&setting.words);
    match Args::command().try_get_matches_from(words) {
        Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
            Err(Wrong::Layer(format!("{}: {}", setting.source, one_line(&error.to_string()))))
        }
        _ => Ok(()),
    }
}

/// An error that comes of a setting together with others: whose it is shows when it
/// is left out.
fn blamed(error: clap::Error, words: &[OsString], at: usize, settings: &[Setting]) -> Wrong {
    for (i, setting) in settings.iter().enumerate() {
        let mut others = settings.to_vec();
        others.remove(i);
        let others = together(words, at, &others);
        let is_cured = |again: &clap::Error| again.kind() != error.kind();
        if Args::command().try_get_matches_from(others).as_ref().err().is_none_or(is_cured) {
            let why = one_line(&error.to_string());
            return Wrong::Layer(format!("{}: {}: {why}", setting.source, setting.key));
        }
    }
    Wrong::Usage(error)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path, line) => write!(f, "{path}:{line}"),
            Source::Variable(name) => f.write_str(name),
            Source::Flag(name) => write!(f, "--{name}"),
        }
    }
}

#[cfg(test)]
mod tests;
