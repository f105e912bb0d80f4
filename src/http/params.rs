//! What the route's pattern caught: `{id}` in `/users/{id}`.

use std::fmt;
use std::sync::Arc;

/// The captured parts of a path: percent-decoded, in the order of the pattern.
///
/// Filled by the router, read through [`Request::param`](super::Request::param).
/// Values are kept as ranges of one buffer that is recycled with the request.
#[derive(Clone, Default)]
pub struct Params {
    names: Option<Arc<[Box<str>]>>,
    text: String,
    ends: Vec<u32>,
}

impl Params {
    /// No params; allocates nothing.
    pub const fn new() -> Params {
        Params { names: None, text: String::new(), ends: Vec::new() }
    }

    /// Empties the list and keeps its memory.
    pub fn clear(&mut self) {
        self.names = None;
        self.text.clear();
        self.ends.clear();
    }

    /// Says what the values to come are called, in order.
    pub(crate) fn name(&mut self, names: &Arc<[Box<str>]>) {
        self.names = Some(Arc::clone(names));
    }

    /// Adds the next value, already decoded.
    pub(crate) fn push(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len() as u32); // a target is shorter than 64 KiB
    }

    /// The value caught under this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Names and values in the order of the pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        let names = self.names.as_deref().unwrap_or(&[]);
        names.iter().enumerate().filter_map(|(i, name)| {
            let start = if i == 0 { 0 } else { *self.ends.get(i - 1)? as usize };
            let end = *self.ends.get(i)? as usize;
            Some((&**name, self.text.get(start..end)?))
        })
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A parameter that is missing or not of the type asked for. As a reply: 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadParam {
    /// The parameter's name.
    pub name: String,
}

impl fmt::Display for BadParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value of `{}` in the path is not valid", self.name)
    }
}

impl std::error::Error for BadParam {}
