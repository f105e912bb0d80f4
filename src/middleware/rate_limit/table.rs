//! A bounded map from keys to rows, in the order in which they were last used.
//!
//! Rows are numbers below the bound; whoever has the table keeps what belongs to
//! a row in arrays of its own. With the table full, a new key takes the row of
//! the one that was used longest ago: a client that keeps asking can't be pushed
//! out by itself, only by more strangers than there are rows.
//!
//! ```text
//!   oldest -> row 3 <-> row 0 <-> row 7 <- newest        map: key -> row
//! ```
//!
//! All of it is O(1). Memory comes with the keys and then stays.

use super::key::Key;
use std::collections::HashMap;

/// Which row a key has.
#[derive(Debug)]
pub(super) struct Table {
    rows: HashMap<Key, u32>,
    links: Vec<Link>,
    max: usize,
    /// Ends of the list; `NONE` while it is empty.
    oldest: u32,
    newest: u32,
}

/// A row in the list.
#[derive(Clone, Copy, Debug)]
struct Link {
    key: Key,
    older: u32,
    newer: u32,
}

const NONE: u32 = u32::MAX;

/// Where a key was found or put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has this row already.
    Known(u32),
    /// It is new: the row holds what somebody else left there, or was never used.
    New(u32),
}

impl Table {
    /// An empty table for so many keys, one at least.
    pub(super) fn new(max: usize) -> Table {
        let max = max.clamp(1, NONE as usize);
        Table { rows: HashMap::new(), links: Vec::new(), max, oldest: NONE, newest: NONE }
    }

    /// The key's row, which becomes the newest.
    pub(super) fn place(&mut self, key: Key) -> Place {
        if let Some(&row) = self.rows.get(&key) {
            self.unlink(row);
            self.push(row);
            return Place::Known(row);
        }
        let row = if self.links.len() < self.max {
            self.links.push(Link { key, older: NONE, newer: NONE });
            self.links.len() as u32 - 1 // fits: `max` does
        } else {
            let row = self.oldest;
            self.unlink(row);
            if let Some(link) = self.links.get_mut(row as usize) {
                self.rows.remove(&link.key);
                link.key = key;
            }
            row
        };
        self.rows.insert(key, row);
        self.push(row);
        Place::New(row)
    }

    /// The key's row, without a change.
    pub(super) fn get(&self, key: Key) -> Option<u32> {
        self.rows.get(&key).copied()
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    fn unlink(&mut self, row: u32) {
        let Some(&Link { older, newer, .. }) = self.links.get(row as usize) else { return };
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => self.oldest = newer,
        }
        match self.links.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => self.newest = older,
        }
    }

    fn push(&mut self, row: u32) {
        let older = self.newest;
        if let Some(link) = self.links.get_mut(row as usize) {
            (link.older, link.newer) = (older, NONE);
        }
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = row,
            None => self.oldest = row,
        }
        self.newest = row;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a list of keys, the newest last.
        #[test]
        fn as_a_list_does(max in 1..6_usize, keys in prop::collection::vec(0..10_u128, 0..200)) {
            let mut table = Table::new(max);
            let mut list: Vec<(Key, u32)> = Vec::new();
            for key in keys.into_iter().map(Key) {
                let known = list.iter().position(|(other, _)| *other == key);
                let place = table.place(key);
                let row = match (known, place) {
                    (Some(at), Place::Known(row)) => {
                        prop_assert_eq!(list.remove(at).1, row);
                        row
                    }
                    (None, Place::New(row)) if list.len() < max => {
                        prop_assert!(list.iter().all(|(_, other)| *other != row));
                        row
                    }
                    (None, Place::New(row)) => {
                        let (gone, its) = list.remove(0);
                        prop_assert_eq!((its, table.get(gone)), (row, None));
                        row
                    }
                    wrong => return Err(TestCaseError::fail(format!("{wrong:?}"))),
                };
                list.push((key, row));
                prop_assert_eq!((table.len(), table.get(key)), (list.len(), Some(row)));
            }
        }
    }
}
