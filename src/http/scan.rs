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

/// The first position from `at` on whose byte can't stand in a field value;
/// else the length. (RFC 9110 section 5.5.) Tabs are stops as well, and `~`
/// behind 0xff may be one: allowed bytes that are rare.
#[inline(always)]
pub(crate) fn value(bytes: &[u8], at: usize) -> usize {
    let stops = |word: u64| {
        let control = word.wrapping_sub(each(b' '));
        let delete = word.wrapping_add(each(1)); // 0x7f + 1 has its top bit set
        (control | delete) & !word & TOP
    };
    let mut rest = bytes.get(at..).unwrap_or(&[]);
    while let Some((run, tail)) = rest.split_first_chunk::<RUN>() {
        // Whether there is any stop in a run needs no position, so compilers
        // make vector code of this. It also says yes to 0x80 and up.
        if run.iter().fold(false, |any, b| any | ((b.wrapping_add(1) as i8) <= b' ' as i8)) {
            let before = bytes.len() - rest.len();
            if let Some(found) = within(run, stops) {
                return before + found;
            }
        }
        rest = tail;
    }
    scan(bytes, bytes.len() - rest.len(), stops)
}

/// The first stop within a run.
#[inline(always)]
fn within(run: &[u8; RUN], stops: impl Fn(u64) -> u64) -> Option<usize> {
    for (i, lanes) in run.as_chunks::<8>().0.iter().enumerate() {
        let found = stops(u64::from_le_bytes(*lanes));
        if found != 0 {
            return Some(8 * i + (found.trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// The first position from `at` on whose byte can't stand in a request target,
/// or is `?` or `%` (which can); else the length. (RFC 9112 section 3.2)
#[inline(always)]
pub(crate) fn target(bytes: &[u8], at: usize) -> usize {
    scan(bytes, at, |word| {
        let blank = word.wrapping_sub(each(b'!'));
        let delete = word.wrapping_add(each(1));
        let hash = (word ^ each(b'#')).wrapping_sub(each(1));
        let query = (word ^ each(b'?')).wrapping_sub(each(1));
        let percent = (word ^ each(b'%')).wrapping_sub(each(1));
        // A byte of 0x80 and up has its top bit set and is a stop by itself.
        (blank | delete | hash | query | percent | word) & TOP
    })
}

/// The first position from `at` on whose byte is no letter and no `-`; else the
/// length. Nearly all field names are made of these.
#[inline(always)]
pub(crate) fn name(bytes: &[u8], at: usize) -> usize {
    scan(bytes, at, |word| {
        // Sums stay in their lane below 0x80, and a byte from there on is a stop.
        let other = (word ^ each(b'-')).wrapping_add(each(0x7f)); // top clear for `-`
        (!letters(word) & other | word) & TOP
    })
}

/// The first position from `at` on whose byte is no letter, digit, `-` or `.`;
/// else the length. Nearly all host names are made of these.
#[inline(always)]
pub(crate) fn host(bytes: &[u8], at: usize) -> usize {
    scan(bytes, at, |word| {
        let mark = word.wrapping_add(each(0x80 - b'-')) ^ word.wrapping_add(each(0x80 - b':'));
        let slash = (word ^ each(b'/')).wrapping_add(each(0x7f)); // `-` to `9` has one `/`
        (!(letters(word) | (mark & slash)) | word) & TOP
    })
}

/// The top bit set in lanes that are letters, as long as no lane is 0x80 or up.
#[inline(always)]
fn letters(word: u64) -> u64 {
    let folded = word | each(0x20);
    folded.wrapping_add(each(0x80 - b'a')) ^ folded.wrapping_add(each(0x80 - b'{'))
}

#[inline(always)]
fn scan(bytes: &[u8], at: usize, stops: impl Fn(u64) -> u64) -> usize {
    let len = bytes.len();
    let mut rest = bytes.get(at..).unwrap_or(&[]);
    while let Some((lanes, tail)) = rest.split_first_chunk::<8>() {
        let found = stops(u64::from_le_bytes(*lanes));
        if found != 0 {
            return len - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = tail;
    }
    if rest.is_empty() {
        return len;
    }
    let word = match bytes.last_chunk::<8>() {
        Some(lanes) => u64::from_le_bytes(*lanes) >> (64 - 8 * rest.len()),
        None => short(rest),
    };
    // Lanes beyond the end are zero, and zero is a stop in every class.
    len.min(len - rest.len() + (stops(word).trailing_zeros() / 8) as usize)
}

/// What is left of a slice that is shorter than a word.
#[cold]
fn short(rest: &[u8]) -> u64 {
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
                    if byte == 0xff {
                        continue; // allowed to make the next lane a stop
                    }
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
        compare(value, 0xfe, |b| !is(b, VALUE) || b == b'\t');
    }

    #[test]
    fn target_stops_at_what_no_target_holds_and_marks() {
        compare(target, b'/', |b| !is(b, TARGET) || b == b'?' || b == b'%');
    }

    #[test]
    fn name_and_host_stop_at_all_that_is_unusual() {
        let stop = |b: u8| !(b.is_ascii_alphabetic() || b == b'-');
        compare(name, b'n', stop);
        compare(name, b'-', stop);
        let stop = |b: u8| !(b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        compare(host, b'0', stop);
        compare(host, b'-', stop);
    }
}
