//! The `Range` field: which parts of the content are asked for (RFC 9110 section 14).
//!
//! A list of ranges costs the client a few bytes each, and could cost the
//! server the whole content each. So they are put together as they are read:
//!
//! ```text
//!   "0-9,40-49,5-19,-10"  of 100   each range, cut to the content, meets those before it:
//!
//!     0-9        [0-9]
//!     40-49      [0-9] [40-49]
//!     5-19       [0-19] [40-49]            overlaps the first: one from now on
//!     -10        [0-19] [40-49] [90-99]    the order is that of the first mention
//! ```
//!
//! What is left at the end shares no byte and touches nowhere, so all parts
//! together are never more than the content. More than [`RANGES_MAX`] of them
//! at any point of the list, and the whole is sent, which section 14.2 allows.
//! The work is linear in the field's length, and nothing is allocated.

use super::chars;

/// The most parts in one reply. Who reads a file in parts on purpose (a viewer
/// of documents, an archive's index) asks for a handful; each part has a head
/// of its own, so that many small ones would be more than the whole.
pub const RANGES_MAX: usize = 16;

/// Some bytes of the content: at least one, none beyond the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// The first byte's position.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

/// What a `Range` field means for content of a known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, for one decision")]
pub enum Wanted {
    /// All of it, with 200: there is no field, or none that we follow.
    Whole,
    /// These bytes, with 206.
    One(Bytes),
    /// Two parts or more, with 206 and `multipart/byteranges`.
    Several(Set),
    /// Nothing of it: all ranges begin beyond the end. 416.
    Beyond,
}

/// Parts of the content that share no byte and don't touch, in the order of
/// their first mention; at most [`RANGES_MAX`].
#[derive(Clone, Copy, Default)]
pub struct Set {
    parts: [Bytes; RANGES_MAX],
    count: usize,
}

/// Reads the field's value for content of `length` bytes.
///
/// ```
/// use onepoll::http::range::{Bytes, Wanted, wanted};
/// assert_eq!(wanted(b"bytes=10-19", 100), Wanted::One(Bytes { offset: 10, len: 10 }));
/// assert_eq!(wanted(b"bytes=-30", 100), Wanted::One(Bytes { offset: 70, len: 30 }));
/// assert_eq!(wanted(b"bytes=100-", 100), Wanted::Beyond);
/// assert_eq!(wanted(b"lines=1-2", 100), Wanted::Whole);
/// let Wanted::Several(set) = wanted(b"bytes=0-1,5-6", 100) else { panic!() };
/// assert_eq!(set.as_slice(), [Bytes { offset: 0, len: 2 }, Bytes { offset: 5, len: 2 }]);
/// ```
pub fn wanted(value: &[u8], length: u64) -> Wanted {
    // Range units are compared without regard to case (section 14.1).
    let Some((unit, list)) = value.split_at_checked(6) else { return Wanted::Whole };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return Wanted::Whole;
    }
    let mut set = Set::default();
    let mut is_empty = true;
    // Members may be empty (section 5.6.1.2); one that is malformed spoils all.
    for member in list.split(|&b| b == b',').map(chars::trim).filter(|m| !m.is_empty()) {
        is_empty = false;
        match resolve(member, length) {
            Resolved::Bytes(bytes) if set.put(bytes) => {}
            Resolved::Beyond => {}
            Resolved::Bytes(_) | Resolved::Unusable => return Wanted::Whole,
        }
    }
    match set.as_slice() {
        [] if is_empty => Wanted::Whole,
        [] => Wanted::Beyond,
        [one] => Wanted::One(*one),
        _ => Wanted::Several(set),
    }
}

impl Bytes {
    /// The position behind the last byte.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }

    fn meets(&self, other: &Bytes) -> bool {
        self.offset <= other.end() && other.offset <= self.end()
    }

    fn join(&self, other: &Bytes) -> Bytes {
        let offset = self.offset.min(other.offset);
        Bytes { offset, len: self.end().max(other.end()) - offset }
    }
}

impl Set {
    /// The parts, in order.
    pub fn as_slice(&self) -> &[Bytes] {
        self.parts.get(..self.count).unwrap_or(&[])
    }

    /// The bytes of all parts together: never more than the content has.
    pub fn total(&self) -> u64 {
        self.as_slice().iter().fold(0, |sum, part| sum.saturating_add(part.len))
    }

    /// Adds a part, or joins it with those that it meets, in the place of the
    /// first; whether there was room.
    fn put(&mut self, bytes: Bytes) -> bool {
        let (mut joined, mut first, mut kept) = (bytes, None, 0);
        for at in 0..self.count {
            let part = self.parts.get(at).copied().unwrap_or_default();
            // Parts don't meet each other, so what meets the sum meets the new one.
            if part.meets(&bytes) {
                joined = joined.join(&part);
                if first.is_some() {
                    continue;
                }
                first = Some(kept);
            }
            if let Some(slot) = self.parts.get_mut(kept) {
                *slot = part;
            }
            kept += 1;
        }
        let place = first.unwrap_or(kept);
        self.count = kept + usize::from(first.is_none());
        let Some(slot) = self.parts.get_mut(place) else { return false };
        *slot = joined;
        true
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Set) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Set {}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// What one range of the list means for this content.
enum Resolved {
    Bytes(Bytes),
    Beyond,
    /// It is none, or it can't be answered with a part.
    Unusable,
}

fn resolve(range: &[u8], length: u64) -> Resolved {
    let Some(dash) = range.iter().position(|&b| b == b'-') else { return Resolved::Unusable };
    let (first, last) = range.split_at(dash);
    let last = last.get(1..).unwrap_or(&[]);
    match (position(first), position(last)) {
        (Position::At(_), Position::At(_)) if is_less(last, first) => Resolved::Unusable,
        (Position::At(first), Position::At(last)) => from_to(first, last, length),
        (Position::At(first), Position::Absent) => from_to(first, u64::MAX, length),
        (Position::Absent, Position::At(suffix)) => the_last(suffix, length),
        _ => Resolved::Unusable,
    }
}

fn from_to(first: u64, last: u64, length: u64) -> Resolved {
    if first >= length {
        return Resolved::Beyond;
    }
    // `last` counts; beyond the end it means the end (section 14.1.2).
    Resolved::Bytes(Bytes { offset: first, len: last.min(length - 1) - first + 1 })
}

fn the_last(suffix: u64, length: u64) -> Resolved {
    match (suffix, length) {
        (0, _) => Resolved::Beyond,
        // Satisfiable by section 14.1.2, but no `Content-Range` can say so.
        (_, 0) => Resolved::Unusable,
        _ => {
            let len = suffix.min(length);
            Resolved::Bytes(Bytes { offset: length - len, len })
        }
    }
}

enum Position {
    Absent,
    At(u64),
    Malformed,
}

/// Reads digits; a number beyond 64 bits is beyond any file as well.
fn position(digits: &[u8]) -> Position {
    if digits.is_empty() {
        return Position::Absent;
    }
    let mut number = 0u64;
    for &b in digits {
        if !b.is_ascii_digit() {
            return Position::Malformed;
        }
        number = number.saturating_mul(10).saturating_add(u64::from(b - b'0'));
    }
    Position::At(number)
}

/// Compares numbers of any length by their digits.
fn is_less(a: &[u8], b: &[u8]) -> bool {
    let bare = |digits: &[u8]| digits.iter().take_while(|&&b| b == b'0').count();
    let (a, b) = (a.get(bare(a)..).unwrap_or(&[]), b.get(bare(b)..).unwrap_or(&[]));
    (a.len(), a) < (b.len(), b)
}

#[cfg(test)]
mod tests;
