//! Which settings there are, as clap describes them.

use super::{Setting, Source};
use clap::{Arg, ArgAction, Command};
use std::ffi::{OsStr, OsString};

/// All settings of `serve`, in the order of the help.
pub(super) struct Keys(Vec<Key>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// The long flag without its hyphens; of the folder, what clap calls it.
    pub(super) name: String,
    /// What clap calls it.
    pub(super) id: String,
    pub(super) takes: Takes,
    /// The part of the help that it stands in.
    pub(super) part: String,
    /// It stands without a flag.
    positional: bool,
    /// What the help says of its default, where clap has none.
    pub(super) default: Option<String>,
}

/// What values a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// None: it is there or not.
    Switch,
    /// None, and it may be repeated, so many times at most.
    Count,
    /// One, which may be left out or not.
    One { optional: bool },
    /// One, and it may be repeated.
    Many,
}

/// A value as a layer has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Text(OsString),
    List(Vec<OsString>),
}

/// Flags about the settings themselves: they are no settings.
const APART: [&str; 4] = ["config", "check", "help", "version"];
/// Times that -v or -q can be said: three is the most that means anything.
const COUNT_MAX: usize = 3;

impl Keys {
    /// Those of a command that is built: that has its global flags.
    pub(super) fn of(command: &Command) -> Keys {
        let serve = command.find_subcommand("serve");
        let args = serve.into_iter().flat_map(Command::get_arguments);
        Keys(args.filter_map(Key::of).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.name == name)
    }

    /// The key that this looks like; `shown` is how keys are written there.
    pub(super) fn like(&self, name: &str, shown: impl Fn(&Key) -> String) -> Option<String> {
        let scored = self.0.iter().map(|key| (strsim::jaro(name, &shown(key)), key));
        let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
        best.filter(|(score, _)| *score > 0.8).map(|(_, key)| shown(key))
    }

    /// Takes `--switch=false` and `--switch=true`, which clap doesn't know, out of
    /// a command line: how else could it turn off what a file turns on? The names
    /// of those that are off come with it.
    pub(super) fn switched_off(
        &self,
        words: Vec<OsString>,
        from: usize,
    ) -> (Vec<OsString>, Vec<String>) {
        let (mut left, mut off) = (Vec::with_capacity(words.len()), Vec::new());
        let mut flags = true;
        for (i, word) in words.into_iter().enumerate() {
            flags &= word != "--";
            let text = word.to_str().and_then(|word| word.strip_prefix("--"));
            let pair = text.filter(|_| flags && i > from).and_then(|text| text.split_once('='));
            let switch = pair.and_then(|(name, value)| {
                let key = self.find(name)?;
                (key.takes == Takes::Switch).then_some((key, value.parse::<bool>().ok()?))
            });
            match switch {
                Some((key, false)) => off.push(key.name.clone()),
                Some((key, true)) => left.push(OsString::from(format!("--{}", key.name))),
                None => left.push(word),
            }
        }
        (left, off)
    }
}

impl Key {
    fn of(arg: &Arg) -> Option<Key> {
        let positional = arg.is_positional();
        let id = arg.get_id().to_string();
        let name = arg.get_long().map_or_else(|| id.clone(), str::to_owned);
        if APART.contains(&name.as_str()) || (arg.get_long().is_none() && !positional) {
            return None;
        }
        let takes = match arg.get_action() {
            ArgAction::SetTrue => Takes::Switch,
            ArgAction::Count => Takes::Count,
            ArgAction::Append => Takes::Many,
            ArgAction::Set => Takes::One {
                optional: arg.get_num_args().is_some_and(|range| range.min_values() == 0),
            },
            _ => return None,
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let default = help.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']'));
        let default = default.map(|(text, _)| text.to_owned());
        let part = arg.get_help_heading().unwrap_or_default().to_owned();
        Some(Key { name, id, takes, part, positional, default })
    }

    pub(super) fn is_positional(&self) -> bool {
        self.positional
    }

    /// The variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("ONEPOLL_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// A value as words of the command line.
    ///
    /// # Errors
    /// What it takes instead.
    pub(super) fn setting(&self, source: Source, value: Value) -> Result<Setting, String> {
        let words = match (self.takes, value) {
            (Takes::Switch, Value::Bool(on)) => self.alone(usize::from(on)),
            (Takes::Switch, _) => return Err("expected true or false".to_owned()),
            (Takes::Count, Value::Text(text)) => {
                let times = text.to_str().and_then(|text| text.parse().ok());
                match times.filter(|times| *times <= COUNT_MAX) {
                    Some(times) => self.alone(times),
                    None => return Err(format!("expected a number from 0 to {COUNT_MAX}")),
                }
            }
            (Takes::Count, _) => return Err(format!("expected a number from 0 to {COUNT_MAX}")),
            (Takes::One { optional: true }, Value::Bool(on)) => self.alone(usize::from(on)),
            (Takes::One { .. } | Takes::Many, Value::Bool(_)) => {
                return Err("expected a value, not true or false".to_owned());
            }
            (Takes::One { .. }, Value::List(_)) => return Err("expected one value".to_owned()),
            (Takes::One { .. } | Takes::Many, Value::Text(text)) => vec![self.with(&text)],
            (Takes::Many, Value::List(texts)) => texts.iter().map(|text| self.with(text)).collect(),
        };
        Ok(Setting { key: self.name.clone(), source, words })
    }

    fn alone(&self, times: usize) -> Vec<OsString> {
        vec![OsString::from(format!("--{}", self.name)); times]
    }

    fn with(&self, value: &OsStr) -> OsString {
        let mut word = match self.positional {
            // A name that begins with a hyphen would be a flag.
            true if value.as_encoded_bytes().starts_with(b"-") => OsString::from("./"),
            true => OsString::new(),
            false => OsString::from(format!("--{}=", self.name)),
        };
        word.push(value);
        word
    }
}
