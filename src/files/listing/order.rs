//! In which order entries are shown, and the links that change it.

use super::gather::Row;
use crate::disk::Kind;
use crate::http::form::query_pairs;
use std::cmp::Ordering;

/// What `?sort=` and `&order=` say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) key: Key,
    pub(super) way: Way,
}

/// By what: a column of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Key {
    #[default]
    Name,
    Size,
    Time,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Ascending,
    Descending,
}

impl Order {
    /// Reads a query. What it doesn't say, or says in words that mean nothing,
    /// is the order by name; of a member that comes twice the first counts.
    pub(super) fn of(query: &str) -> Order {
        let value = |name| {
            let mut pairs = query_pairs(query);
            pairs.find(|(n, _)| n == name).map(|(_, value)| value)
        };
        let key = match value("sort").as_deref() {
            Some("size") => Key::Size,
            Some("time") => Key::Time,
            _ => Key::Name,
        };
        let way = match value("order").as_deref() {
            Some("desc") => Way::Descending,
            _ => Way::Ascending,
        };
        Order { key, way }
    }

    /// The query that says it, as it stands in an attribute.
    pub(super) fn query(self) -> &'static str {
        match (self.key, self.way) {
            (Key::Name, Way::Ascending) => "?sort=name&amp;order=asc",
            (Key::Name, Way::Descending) => "?sort=name&amp;order=desc",
            (Key::Size, Way::Ascending) => "?sort=size&amp;order=asc",
            (Key::Size, Way::Descending) => "?sort=size&amp;order=desc",
            (Key::Time, Way::Ascending) => "?sort=time&amp;order=asc",
            (Key::Time, Way::Descending) => "?sort=time&amp;order=desc",
        }
    }

    /// The order that the head of this column asks for: the other way round if
    /// it is this column's already, else what one wants to see first, which are
    /// the largest and the latest.
    pub(super) fn turned(self, key: Key) -> Order {
        let way = match (self.key == key, self.way, key) {
            (true, Way::Ascending, _) => Way::Descending,
            (true, Way::Descending, _) => Way::Ascending,
            (false, _, Key::Name) => Way::Ascending,
            (false, _, Key::Size | Key::Time) => Way::Descending,
        };
        Order { key, way }
    }

    /// Folders come first, whatever the order; what is equal is ordered by name.
    /// Total: two rows are equal only if their names are.
    pub(super) fn compare(self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let names = || natural(a.name, b.name);
        let turned = |ordering: Ordering| match self.way {
            Way::Ascending => ordering,
            Way::Descending => ordering.reverse(),
        };
        let by_key = || match self.key {
            Key::Name => turned(names()),
            // The size of a folder means nothing.
            Key::Size if a.entry.kind == Kind::Folder => Ordering::Equal,
            Key::Size => turned(a.entry.size.cmp(&b.entry.size)),
            Key::Time => turned(a.entry.modified.cmp(&b.entry.modified)),
        };
        a.entry.kind.cmp(&b.entry.kind).then_with(by_key).then_with(names)
    }
}

/// Names as people order them: numbers by their value, letters without regard
/// to their case. Names that are equal so far are ordered by their bytes.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(l), Some(r)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let order = if l.is_ascii_digit() && r.is_ascii_digit() {
            let (x, y) = (number(&mut left), number(&mut right));
            // Without zeros in front the longer one is the larger one.
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            left = left.get(l.len_utf8()..).unwrap_or("");
            right = right.get(r.len_utf8()..).unwrap_or("");
            folded(l).cmp(&folded(r))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits at the beginning off, and gives them without leading zeros.
fn number<'a>(text: &mut &'a str) -> &'a str {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(len).unwrap_or((text, ""));
    *text = rest;
    digits.trim_start_matches('0')
}

fn folded(c: char) -> char {
    // One character for one: "ß" and "SS" are not the same here.
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

#[cfg(test)]
mod tests;
