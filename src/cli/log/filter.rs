//! Which lines are wanted: `-v`, `-q` and `RUST_LOG`.

use log::{Level, LevelFilter};
use std::str::FromStr;

/// A level for everything, and levels for single targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    default: LevelFilter,
    /// Longest name first: the first that fits is the one that counts.
    targets: Vec<(String, LevelFilter)>,
}

/// More than this in `RUST_LOG` is a mistake; each is looked at per line.
const TARGETS_MAX: usize = 64;

impl Filter {
    /// The filter of `-v` and `-q` flags (so many of each) and of `RUST_LOG`'s
    /// value, with the parts of the latter that make no sense.
    ///
    /// `RUST_LOG` is a list like `warn,onepoll=debug,other::part=off`. A level
    /// alone is the one for everything, unless a flag says that already; a
    /// target alone is shown whole.
    pub(crate) fn new(more: u8, less: u8, rust_log: &str) -> (Filter, Vec<String>) {
        let level = match i16::from(more) - i16::from(less) {
            ..=-3 => LevelFilter::Off,
            -2 => LevelFilter::Error,
            -1 => LevelFilter::Warn,
            0 => LevelFilter::Info,
            1 => LevelFilter::Debug,
            2.. => LevelFilter::Trace,
        };
        let mut filter = Filter { default: level, targets: Vec::new() };
        let mut wrong = Vec::new();
        for part in rust_log.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let flagged = more > 0 || less > 0;
            if filter.apply(part, flagged).is_none() {
                wrong.push(part.to_owned());
            }
        }
        filter.targets.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        (filter, wrong)
    }

    fn apply(&mut self, part: &str, flagged: bool) -> Option<()> {
        let (name, level) = match part.split_once('=') {
            Some((name, level)) => (name.trim(), LevelFilter::from_str(level.trim()).ok()?),
            None => match LevelFilter::from_str(part) {
                Ok(level) => {
                    if !flagged {
                        self.default = level;
                    }
                    return Some(());
                }
                Err(_) => (part, LevelFilter::Trace),
            },
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
        if name.is_empty() || !name.chars().all(sound) || self.targets.len() >= TARGETS_MAX {
            return None;
        }
        // The last word on a target counts.
        self.targets.retain(|(known, _)| known != name);
        self.targets.push((name.to_owned(), level));
        Some(())
    }

    /// Whether a line of that target and level is wanted.
    pub(crate) fn allows(&self, target: &str, level: Level) -> bool {
        let named = self.targets.iter().find(|(name, _)| is_within(target, name));
        level <= named.map_or(self.default, |(_, level)| *level)
    }

    /// The most that any target is shown: what `log` itself need not stop.
    pub(crate) fn max(&self) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).fold(self.default, Ord::max)
    }
}

/// Whether the target is that module or lies in it: `a::b` lies in `a`, `ab` doesn't.
fn is_within(target: &str, module: &str) -> bool {
    match target.strip_prefix(module) {
        Some(rest) => rest.is_empty() || rest.starts_with("::"),
        None => false,
    }
}

#[cfg(test)]
mod tests;
