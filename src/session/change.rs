//! What one request has changed in its session: sets and removals, key by key.
//!
//! Two requests of one session at the same time each have a copy of its data. If each
//! saved its whole copy, what the other had set would be lost. So only what was changed
//! is saved, and is applied to what the store holds then.
//!
//! ```text
//!   loaded by both    {a: 1, b: 1, c: 1}
//!   one changes         a: 2        c: gone
//!   the other           a: 3  b: 2                  d: 1
//!   stored in the end {a: 3, b: 2, d: 1}            of `a`, what is saved last
//! ```

use super::data::{self, Data, Record};
use crate::http::{Refusal, Status};
use std::collections::BTreeMap;
use std::io;

/// Changes to a session that is in a store. Times are seconds since 1970.
///
/// ```
/// use onepoll::session::{Change, Data, Record};
/// let data = Data::from([("a".into(), "1".into()), ("b".into(), "1".into())]);
/// let held = Record { data, created: 10, expires: 100 };
/// let mut change = Change { expires: 200, ..Change::default() };
/// change.keys.insert("a".into(), None);
/// change.keys.insert("c".into(), Some("1".into()));
/// let now = change.apply(&held)?;
/// assert_eq!(now.data.keys().collect::<Vec<_>>(), ["b", "c"]);
/// assert_eq!((now.created, now.expires), (10, 200));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Values that were set, and keys that were taken out.
    pub keys: BTreeMap<String, Option<String>>,
    /// Whether all that is held is forgotten first.
    pub forget: bool,
    /// When the session begins, if it does so anew.
    pub created: Option<u64>,
    /// From when on it is as if it were not there.
    pub expires: u64,
}

impl Change {
    /// What comes of a record.
    ///
    /// # Errors
    /// A [`Refusal`] with 413, if what several requests have set is too much together.
    pub fn apply(&self, held: &Record) -> io::Result<Record> {
        let mut data = if self.forget { Data::new() } else { held.data.clone() };
        for (key, value) in &self.keys {
            match value {
                Some(value) => data.insert(key.clone(), value.clone()),
                None => data.remove(key),
            };
        }
        // What is there already may stay, whatever the limit.
        let size = data::size(&data);
        if size > data::MAX && size > data::size(&held.data) {
            return Err(full().into());
        }
        Ok(Record { data, created: self.created.unwrap_or(held.created), expires: self.expires })
    }
}

pub(super) fn full() -> Refusal {
    Refusal::new(Status::CONTENT_TOO_LARGE, "the session is full")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> impl Strategy<Value = BTreeMap<String, Option<String>>> {
        prop::collection::btree_map("[a-e]", prop::option::of("[x-z]"), 0..5)
    }

    proptest! {
        /// Whatever two requests change, in whichever order they are saved: what only
        /// one of them touched is as that one left it, the rest as the later one did.
        #[test]
        fn no_change_is_lost(
            data in prop::collection::btree_map("[a-e]", "[x-z]", 0..5),
            first in keys(),
            second in keys(),
        ) {
            let held = Record { data, created: 1, expires: 2 };
            let change = |keys: &BTreeMap<_, _>| Change { keys: keys.clone(), ..Change::default() };
            let between = change(&first).apply(&held).unwrap();
            let end = change(&second).apply(&between).unwrap();
            for key in ["a", "b", "c", "d", "e"] {
                let touched = second.get(key).or(first.get(key)).cloned();
                let wanted = touched.unwrap_or_else(|| held.data.get(key).cloned());
                prop_assert_eq!(end.data.get(key), wanted.as_ref());
            }
        }
    }

    #[test]
    fn together_they_may_be_too_much() {
        let value = |len: usize| Some("x".repeat(len));
        let change = |key: &str, len| Change {
            keys: BTreeMap::from([(key.to_owned(), value(len))]),
            ..Change::default()
        };
        let one = change("a", 3000).apply(&Record::default()).unwrap();
        let error = change("b", 3000).apply(&one).unwrap_err();
        assert_eq!(Refusal::of(&error).status, Status::CONTENT_TOO_LARGE);
        assert!(Change { forget: true, ..change("b", 3000) }.apply(&one).is_ok());
        assert!(change("b", 1000).apply(&one).is_ok());
    }
}
