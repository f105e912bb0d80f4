//! What the route's pattern caught: `{id}` in `/users/{id}`.

use std::fmt;
use std::sync::Arc;

/// The captured parts of a path: percent-decoded, in the order of the pattern.
///
/// Filled by the router, read through [`Request::param`](super::Request::param).
/// Values are kept as ranges of one buffer that is recycled with the request.
#[derive(Clone, Default)]
pub struct Params {
    /// The names of all params of all routes of a table. Shared, and kept when
    /// the request is recycled, so that a warm lookup counts no references.
    names: Option<Arc<Vec<Box<str>>>>,
    /// Where this route's names start among them.
    first: u32,
    /// What the values are parts of.
    text: String,
    spans: Vec<(u32, u32)>,
}

impl Params {
    /// No params; allocates nothing.
    pub const fn new() -> Params {
        Params { names: None, first: 0, text: String::new(), spans: Vec::new() }
    }

    /// Empties the list and keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Says what the values to come are called, in order: the names from
    /// `first` on.
    #[inline]
    pub(crate) fn name(&mut self, names: &Arc<Vec<Box<str>>>, first: u32) {
        self.first = first;
        if !self.names.as_ref().is_some_and(|known| Arc::ptr_eq(known, names)) {
            self.names = Some(Arc::clone(names));
        }
    }

    /// Adds values that stand in a text as they are: start and end of each.
    /// Nothing was added before.
    #[inline]
    pub(crate) fn fill(&mut self, text: &str, spans: &[(u32, u32)]) {
        self.text.push_str(text);
        self.spans.extend(spans); // few: a loop is faster than a copy
    }

    /// Adds the next value, already decoded; `write` appends it.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.text.len() as u32; // a target is shorter than 64 KiB
        write(&mut self.text);
        self.spans.push((start, self.text.len() as u32));
    }

    /// The value caught under this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Names and values in the order of the pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        let names = self.names.as_deref().map_or(&[][..], Vec::as_slice);
        let names = names.get(self.first as usize..).unwrap_or(&[]);
        names.iter().zip(&self.spans).filter_map(|(name, &(start, end))| {
            Some((&**name, self.text.get(start as usize..end as usize)?))
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
