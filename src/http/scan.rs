//! Finding the first byte outside a class, eight bytes at a time.
//!
//! A head is mostly bytes that need no decision. Eight of them fit in one
//! machine word, and a handful of ordinary integer operations tell whether any
//! of them needs one: each byte's lane gets its top bit set if the byte is a
//! *stop*. No table, no special instructions, no `unsafe`.
//!
//! ```text
//!   "text/html\r\nHo"   word   t  e  x  t  /  h  t  m | l  \r \n H  o
//!                       stops  00 00 00 00 00 00 00 00 | 00 80 80 00 00
//!                                                           ^ lowest = first
//! ```
//!
//! Subtraction borrows from the next lane, so lanes *above* the first stop may
//! be wrong; the first stop never is, and nothing else is asked. Bytes that are
//! rare but allowed may be stops too: the caller looks at the byte it is given
//! and goes on behind it.
//!
//! Fewer than eight bytes before the end: the last eight bytes of the slice
//! are taken and the lanes that were done already shifted out.

/// The same byte in each lane.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The top bit of each lane.
const TOP: u64 = each(0x80);
/// Bytes looked at together where long runs are usual.
const RUN: usize = 32;

/// The first position from `at` on whose byte can't stand in a field value, or
/// is a tab (which can); else the length. (RFC 9110 section 5.5)
#[inline(always)]
pub(crate) fn value(bytes: &[u8], mut at: usize) -> usize {
    // Whether there is any in 32 bytes needs no position, so that compilers
    // turn this into vector code where there is some.
    while let Some(run) = bytes.get(at..).and_then(|rest| rest.first_chunk::<RUN>()) {
        if run.iter().fold(false, |any, &b| any | (b < b' ') | (b == 0x7f)) {
            break;
        }
        at += RUN;
    }
    scan(bytes, at, |word| {
        let control = word.wrapping_sub(each(b' '));
        let delete = (word ^ each(0x7f)).wrapping_sub(each(1));
        (control | delete) & !word & TOP
    })
}

/// The first position from `at` on whose byte can't stand in a request target,
/// or is `?` or `%` (which can); else the length. (RFC 9112 section 3.2)
#[inline(always)]
pub(crate) fn target(bytes: &[u8], at: usize) -> usize {
    scan(bytes, at, |word| {
        let blank = word.wrapping_sub(each(b'!'));
        let delete = (word ^ each(0x7f)).wrapping_sub(each(1));
        let hash = (word ^ each(b'#')).wrapping_sub(each(1));
        let query = (word ^ each(b'?')).wrapping_sub(each(1));
        let percent = (word ^ each(b'%')).wrapping_sub(each(1));
        // A byte of 0x80 and up has its top bit set and is a stop by itself.
        (blank | delete | hash | query | percent | word) & TOP
    })
}

/// The first position from `at` on whose byte is no letter, digit, `-` or `.`;
/// else the length. Names of fields and of hosts are made of these, nearly all.
#[inline(always)]
pub(crate) fn name(bytes: &[u8], at: usize) -> usize {
    scan(bytes, at, |word| {
        // Seven bits per lane: additions below carry into the top bit only.
        let low = word & !TOP;
        let folded = low | each(0x20);
        let letter = (folded + each(0x80 - b'a')) ^ (folded + each(0x80 - b'{'));
        let mark = (low + each(0x80 - b'-')) ^ (low + each(0x80 - b':')); // - . / 0..9
        let slash = (low ^ each(b'/')) + each(0x7f); // top bit clear for `/`
        (!(letter | (mark & slash)) | word) & TOP
    })
}

#[inline(always)]
fn scan(bytes: &[u8], mut at: usize, stops: impl Fn(u64) -> u64) -> usize {
    while let Some(lanes) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = stops(u64::from_le_bytes(*lanes));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let len = bytes.len();
    let left = len.saturating_sub(at);
    if left == 0 {
        return len;
    }
    let word = match bytes.last_chunk::<8>() {
        Some(lanes) => u64::from_le_bytes(*lanes) >> (8 * (8 - left)),
        None => short(bytes, at),
    };
    // Lanes beyond the end are zero, and zero is a stop in every class.
    len.min(at + (stops(word).trailing_zeros() / 8) as usize)
}

/// The bytes from `at` on of a slice shorter than a word.
#[cold]
fn short(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or(&[]);
    rest.iter().rev().fold(0, |word, &b| (word << 8) | u64::from(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::chars::{TARGET, VALUE, is};

    /// Every byte at every place of slices of every length around the word and
    /// the run, from every start: against the plain definition.
    fn compare(scan: impl Fn(&[u8], usize) -> usize, filler: u8, stop: impl Fn(u8) -> bool) {
        for len in [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 40, 41, 47] {
            for place in 0..len {
                for byte in 0..=255u8 {
                    let mut bytes = vec![filler; len];
                    bytes[place] = byte;
                    if let Some(next) = bytes.get_mut(place + 1) {
                        *next = byte.wrapping_add(1); // lanes above must not matter
                    }
                    for start in [0, place.saturating_sub(9), place, place + 1, len] {
                        let rest = bytes[start..].iter().position(|&b| stop(b));
                        let wanted = rest.map_or(len, |n| start + n);
                        assert_eq!(scan(&bytes, start), wanted, "{byte} at {place} of {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn value_stops_at_what_no_value_holds_and_tabs() {
        compare(value, b'x', |b| !is(b, VALUE) || b == b'\t');
        compare(value, 0xff, |b| !is(b, VALUE) || b == b'\t');
    }

    #[test]
    fn target_stops_at_what_no_target_holds_and_marks() {
        compare(target, b'/', |b| !is(b, TARGET) || b == b'?' || b == b'%');
    }

    #[test]
    fn name_stops_at_all_but_letters_digits_dash_dot() {
        let stop = |b: u8| !(b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        compare(name, b'n', stop);
        compare(name, b'-', stop);
    }
}
