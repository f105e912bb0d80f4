//! The `Range` field: which part of the content is asked for (RFC 9110 section 14).
//!
//! One range is understood. Several at once would need a multipart reply; a
//! server may ignore the field (section 14.2), and so the whole is sent.

/// What a `Range` field means for content of a known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it, with 200: the field is none that we follow.
    Whole,
    /// These bytes, with 206. Never empty, and within the content.
    Bytes {
        /// The first byte's position.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Nothing of it: the range begins beyond the end. 416.
    Beyond,
}

/// Reads the field's value for content of `length` bytes.
///
/// ```
/// use onepoll::http::range::{Part, part};
/// assert_eq!(part(b"bytes=10-19", 100), Part::Bytes { offset: 10, len: 10 });
/// assert_eq!(part(b"bytes=-30", 100), Part::Bytes { offset: 70, len: 30 });
/// assert_eq!(part(b"bytes=100-", 100), Part::Beyond);
/// assert_eq!(part(b"lines=1-2", 100), Part::Whole);
/// ```
pub fn part(value: &[u8], length: u64) -> Part {
    // Range units are compared without regard to case (section 14.1).
    let Some((unit, set)) = value.split_at_checked(6) else { return Part::Whole };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return Part::Whole;
    }
    let set = super::chars::trim(set);
    let Some(dash) = set.iter().position(|&b| b == b'-') else { return Part::Whole };
    let (first, last) = set.split_at(dash);
    match (position(first), position(last.get(1..).unwrap_or(&[]))) {
        (Position::At(first), Position::At(last)) if first > last => Part::Whole,
        (Position::At(first), Position::At(last)) => from_to(first, last, length),
        (Position::At(first), Position::Absent) => from_to(first, u64::MAX, length),
        (Position::Absent, Position::At(suffix)) => the_last(suffix, length),
        _ => Part::Whole,
    }
}

fn from_to(first: u64, last: u64, length: u64) -> Part {
    if first >= length {
        return Part::Beyond;
    }
    // `last` counts; beyond the end it means the end (section 14.1.2).
    Part::Bytes { offset: first, len: last.min(length - 1) - first + 1 }
}

fn the_last(suffix: u64, length: u64) -> Part {
    match (suffix, length) {
        (0, _) => Part::Beyond,
        // Satisfiable by section 14.1.2, but no `Content-Range` can say so.
        (_, 0) => Part::Whole,
        _ => {
            let len = suffix.min(length);
            Part::Bytes { offset: length - len, len }
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

#[cfg(test)]
mod tests;
