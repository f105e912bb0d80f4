//! The file: keys and values in TOML, without tables.

use super::keys::{Keys, Value};
use super::{Setting, Source};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A file of settings has some hundred lines. What is longer is another file.
const BYTES_MAX: u64 = 1 << 20;

/// Reads it.
///
/// # Errors
/// One line: the file, the line and what is wrong there.
pub(super) fn read(keys: &Keys, path: &Path) -> Result<Vec<Setting>, String> {
    let name = path.display().to_string();
    let text = load(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("--config: {name}: no such file"),
        io::ErrorKind::PermissionDenied => format!("--config: {name}: permission denied"),
        io::ErrorKind::InvalidData => format!("--config: {name}: not UTF-8"),
        _ => format!("--config: {name}: {error}"),
    })?;
    settings(keys, &name, &text)
}

fn load(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > BYTES_MAX {
        return Err(io::Error::other("longer than 1 MiB"));
    }
    Ok(text)
}

fn settings(keys: &Keys, name: &str, text: &str) -> Result<Vec<Setting>, String> {
    let line_at = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(1, |span| line_at(span.start));
        // Its lines are for a screen.
        let why: Vec<&str> = error.message().split_whitespace().collect();
        format!("{name}:{at}: {}", why.join(" "))
    })?;
    let name: Arc<str> = name.into();
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut settings = Vec::new();
    for (written, value) in document.get_ref() {
        let line = line_at(written.span().start);
        let wrong = |why: &str| format!("{name}:{line}: {}: {why}", written.get_ref());
        let plain = written.get_ref().replace('_', "-");
        let Some(key) = keys.find(&plain) else {
            let hint = keys.like(&plain, |key| key.name.clone());
            let hint = hint.map_or_else(String::new, |hint| format!("; a similar one: {hint}"));
            return Err(wrong(&format!("there is no such setting{hint}")));
        };
        if let Some(before) = first.insert(plain, line) {
            return Err(wrong(&format!("it is set in line {before} already")));
        }
        let value = convert(value.get_ref()).map_err(|why| wrong(&why))?;
        let source = Source::File(Arc::clone(&name), line);
        settings.push(key.setting(source, value).map_err(|why| wrong(&why))?);
    }
    Ok(settings)
}

fn convert(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::Boolean(on) => Ok(Value::Bool(*on)),
        DeValue::Array(list) => {
            let texts: Result<_, _> = list.iter().map(|item| scalar(item.get_ref())).collect();
            texts.map(Value::List)
        }
        other => scalar(other).map(Value::Text),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<OsString, String> {
    match value {
        DeValue::String(text) if text.contains('\0') => Err("a null byte in it".to_owned()),
        DeValue::String(text) => Ok(OsString::from(text.as_ref())),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().into()),
        DeValue::Integer(_) => Err("expected a decimal number".to_owned()),
        DeValue::Float(_) => Err("expected no fraction".to_owned()),
        DeValue::Datetime(_) => Err("expected a value, not a date".to_owned()),
        DeValue::Table(_) => Err("there are no tables here: all keys are at the top".to_owned()),
        DeValue::Boolean(_) | DeValue::Array(_) => {
            Err("expected texts or numbers in the list".to_owned())
        }
    }
}
