//! The environment: `ONEPOLL_LONG_FLAG`, and `PORT`, which hosts of containers set.

use super::keys::{Key, Keys, Takes, Value};
use super::{Setting, Source, Surroundings};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Variables that are read elsewhere: `ONEPOLL_AUTH` adds users to those of the
/// flags, and takes passwords that a command line must not have.
const ELSEWHERE: [&str; 2] = ["ONEPOLL_AUTH", "ONEPOLL_CONFIG"];

/// Reads what is there; of what looks like a misspelt name it warns. It is no
/// error, since others set such names as well: Kubernetes does for a service
/// that is called onepoll.
///
/// # Errors
/// One line: the variable and what is wrong with it.
pub(super) fn read(
    keys: &Keys,
    around: &Surroundings,
    warnings: &mut Vec<String>,
) -> Result<Vec<Setting>, String> {
    let mut settings = Vec::new();
    for key in keys.iter() {
        let own = key.variable();
        let names = [own.as_str(), if key.name == "port" { "PORT" } else { &own }];
        let found = names.iter().find_map(|name| Some((*name, around.variable(name)?)));
        let Some((name, text)) = found.filter(|(name, _)| !ELSEWHERE.contains(name)) else {
            continue;
        };
        let value = value(key, text);
        let setting = key.setting(Source::Variable(name.to_owned()), value);
        settings.push(setting.map_err(|why| format!("{name}: {why}"))?);
    }
    for (name, _) in &around.variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("ONEPOLL_")) else {
            continue;
        };
        let known = ELSEWHERE.contains(&name) || keys.iter().any(|key| key.variable() == name);
        // Without what all of them begin with, which makes all of them alike.
        let rest = |name: &str| name.trim_start_matches("ONEPOLL_").to_owned();
        if let Some(hint) = keys.like(&rest(name), |key| rest(&key.variable()))
            && !known
        {
            warnings.push(format!("{name} sets nothing; a similar one: ONEPOLL_{hint}"));
        }
    }
    Ok(settings)
}

/// What a variable's text means for that key. Several values are in lines.
fn value(key: &Key, text: &OsStr) -> Value {
    let switch = match text.to_str().map(str::to_ascii_lowercase).as_deref() {
        Some("true" | "yes" | "on" | "1") => Some(true),
        Some("false" | "no" | "off" | "0") => Some(false),
        _ => None,
    };
    let is_plain = text == "true" || text == "false";
    match (key.takes, switch) {
        (Takes::Switch, Some(on)) => Value::Bool(on),
        // Here `1` may be the value itself.
        (Takes::One { optional: true }, Some(on)) if is_plain => Value::Bool(on),
        (Takes::Many, _) => {
            let lines = text.as_bytes().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines = lines.filter(|line| !line.is_empty());
            Value::List(lines.map(|line| OsString::from_vec(line.to_vec())).collect())
        }
        _ => Value::Text(text.to_owned()),
    }
}
