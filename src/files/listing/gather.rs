//! Entries that are held to be sorted: not more than a number of each folder,
//! and not more than a number of bytes of all folders together.

use super::order::Order;
use crate::disk::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Entries of one folder, to be sorted.
///
/// Names lie one behind the other in one text: a name of its own memory for
/// each would cost as much as the rest.
#[derive(Debug)]
pub(super) struct Gathered {
    names: String,
    rows: Vec<Kept>,
    /// Bytes that were taken of the budget, and are given back in the end.
    charge: usize,
    budget: &'static Budget,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    start: u32,
    len: u16,
    entry: Entry,
}

/// An entry and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) entry: Entry,
}

/// Bytes that may be held.
#[derive(Debug)]
pub(super) struct Budget(AtomicUsize);

/// Entries that are sorted at most. More than so many nobody reads through, and
/// they take a moment to sort: some 10 ms.
pub(super) const SORTED_MAX: usize = 10_000;

/// For all listings of the process. A client that asks for a large folder and
/// reads nothing makes us hold its rows; so many bytes are enough for some
/// fifty of those, and the next ones get theirs unsorted, which holds nothing.
pub(super) static SHARED: Budget = Budget::new(32 * 1024 * 1024);

/// The first memory for names and for rows: enough for usual folders.
const NAMES_FIRST: usize = 1024;
const ROWS_FIRST: usize = 32;

impl Gathered {
    pub(super) fn new(budget: &'static Budget) -> Gathered {
        Gathered { names: String::new(), rows: Vec::new(), charge: 0, budget }
    }

    /// Takes one more; `false` if it can't, and is as it was.
    pub(super) fn add(&mut self, name: &str, entry: Entry) -> bool {
        if self.rows.len() >= SORTED_MAX || !self.make_room(name.len()) {
            return false;
        }
        // Ten thousand names of at most 4 KiB.
        let (start, len) = (self.names.len() as u32, name.len() as u16);
        self.names.push_str(name);
        self.rows.push(Kept { start, len, entry });
        true
    }

    fn make_room(&mut self, len: usize) -> bool {
        // A name is not longer than a batch of the folder.
        if len > usize::from(u16::MAX) {
            return false;
        }
        if self.names.capacity() - self.names.len() < len {
            let more = self.names.capacity().max(NAMES_FIRST).max(len);
            if !self.charge(more) {
                return false;
            }
            self.names.reserve_exact(self.names.capacity() - self.names.len() + more);
        }
        if self.rows.capacity() == self.rows.len() {
            let more = self.rows.capacity().max(ROWS_FIRST);
            if !self.charge(more * size_of::<Kept>()) {
                return false;
            }
            self.rows.reserve_exact(more);
        }
        true
    }

    fn charge(&mut self, bytes: usize) -> bool {
        let taken = self.budget.take(bytes);
        if taken {
            self.charge += bytes;
        }
        taken
    }

    pub(super) fn sort(&mut self, order: Order) {
        let Gathered { names, rows, .. } = self;
        // The order is total, so there is nothing that must keep its place.
        rows.sort_unstable_by(|a, b| order.compare(&row(names, a), &row(names, b)));
    }

    /// Lets go of all.
    pub(super) fn clear(&mut self) {
        (self.names, self.rows) = (String::new(), Vec::new());
        self.budget.give(std::mem::take(&mut self.charge));
    }

    pub(super) fn get(&self, at: usize) -> Option<Row<'_>> {
        self.rows.get(at).map(|kept| row(&self.names, kept))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.names.capacity() + self.rows.capacity() * size_of::<Kept>()
    }
}

fn row<'a>(names: &'a str, kept: &Kept) -> Row<'a> {
    let start = kept.start as usize;
    Row { name: names.get(start..start + usize::from(kept.len)).unwrap_or(""), entry: kept.entry }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Budget {
    pub(super) const fn new(bytes: usize) -> Budget {
        Budget(AtomicUsize::new(bytes))
    }

    fn take(&self, bytes: usize) -> bool {
        // Nothing else is ordered by this number.
        let less = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
