//! All settings with their sources, as a file that would set the same.

use super::keys::{Key, Keys, Takes};
use super::{Settings, Source};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use std::fmt::Write;

/// Keys whose values are nobody's business.
const SECRET: [&str; 1] = ["auth"];

/// Parts of the help in which all settings can be changed while the server runs,
/// and the settings elsewhere that can.
const LIVE_PARTS: [&str; 5] =
    ["Behind a proxy", "What is served", "Caching and compression", "Who may do what", "Uploads"];
const LIVE: [&str; 20] = [
    "root",
    "max-conns",
    "overload",
    "max-conns-per-address",
    "max-conn-rate",
    "turn-away",
    "exempt",
    "max-requests",
    "max-body",
    "max-header-bytes",
    "header-timeout",
    "body-timeout",
    "write-timeout",
    "keep-alive",
    "drain-limit",
    "shutdown-delay",
    "health",
    "metrics",
    "inside",
    "inside-anywhere",
];

/// The settings that differ, and whether they can be changed while the server runs.
pub(in crate::cli) fn changes(old: &Settings, new: &Settings) -> Vec<(String, bool)> {
    let mut command = super::Args::command();
    command.build();
    let (Some((_, old)), Some((_, new))) = (old.matches.subcommand(), new.matches.subcommand())
    else {
        return Vec::new();
    };
    let raw = |matches: &ArgMatches, key: &Key| -> Vec<std::ffi::OsString> {
        matches.get_raw(&key.id).into_iter().flatten().map(ToOwned::to_owned).collect()
    };
    let keys = Keys::of(&command);
    let differ = keys.iter().filter(|key| match key.takes {
        Takes::Switch => old.get_flag(&key.id) != new.get_flag(&key.id),
        Takes::Count => old.get_count(&key.id) != new.get_count(&key.id),
        _ => raw(old, key) != raw(new, key),
    });
    let is_live =
        |key: &Key| LIVE.contains(&key.name.as_str()) || LIVE_PARTS.contains(&key.part.as_str());
    differ.map(|key| (key.name.clone(), is_live(key))).collect()
}

/// One line for each setting of `serve`; nothing for other commands.
pub(in crate::cli) fn show(settings: &Settings) -> String {
    let mut command = super::Args::command();
    command.build();
    let keys = Keys::of(&command);
    let Some(("serve", serve)) = settings.matches.subcommand() else { return String::new() };
    let lines: Vec<(String, String)> =
        keys.iter().map(|key| (line(key, serve), source(key, settings, serve))).collect();
    let usual = lines.iter().map(|(line, _)| line.chars().count());
    let width = usual.filter(|width| *width <= 40).max().unwrap_or(0);
    let mut text = String::new();
    for (line, source) in lines {
        let _ = writeln!(text, "{line:width$}  # {source}");
    }
    text
}

fn line(key: &Key, serve: &ArgMatches) -> String {
    let name = &key.name;
    let value = match key.takes {
        Takes::Switch => Some(serve.get_flag(&key.id).to_string()),
        Takes::Count => Some(serve.get_count(&key.id).to_string()),
        Takes::One { .. } => {
            let raw = serve.get_raw(&key.id).and_then(|mut raw| raw.next());
            raw.map(|raw| quoted(&raw.to_string_lossy()))
        }
        Takes::Many => serve.get_raw(&key.id).map(|raw| {
            let items: Vec<String> = raw.map(|raw| quoted(&raw.to_string_lossy())).collect();
            format!("[{}]", items.join(", "))
        }),
    };
    match (value, &key.default) {
        (Some(_), _) if SECRET.contains(&name.as_str()) => format!("# {name}: not shown"),
        (Some(value), _) => format!("{name} = {value}"),
        (None, Some(default)) => format!("# {name}: {default}"),
        (None, None) => format!("# {name}: not set"),
    }
}

fn source(key: &Key, settings: &Settings, serve: &ArgMatches) -> String {
    if let Some(source) = settings.sources.get(&key.name) {
        return match source {
            Source::Flag(name) => format!("--{name}=false"),
            other => other.to_string(),
        };
    }
    match serve.value_source(&key.id) {
        Some(ValueSource::CommandLine) if key.is_positional() => "command line".to_owned(),
        Some(ValueSource::CommandLine) => format!("--{}", key.name),
        _ => "default".to_owned(),
    }
}

/// As a basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
