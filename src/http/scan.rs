//! How many bytes from here on belong to a class: the parsers' inner loops.
//!
//! A head is mostly bytes that need no decision, so the work is to find the
//! next one that does, the *stop*. Three ways, in safe and portable code, each
//! where it is the cheapest:
//!
//! ```text
//!   runs    32 bytes   is there any stop?   long values and targets
//!   words    8 bytes   which is the first?  where a run has one
//!   bytes    1 byte    is it in the table?  short names, and what is left
//! ```
//!
//! A run asks one question of all its bytes alike, without an early exit, which
//! compilers turn into vector code. A word puts eight bytes in one integer; a few
//! operations set the top bit of each lane that is a stop. They may carry into
//! the lanes *above* a stop, but the first one is right.

use super::chars::{PLAIN, TOKEN, UNRESERVED, VALUE, is};

/// Bytes asked about together.
const RUN: usize = 32;
/// The top bit of each lane.
const TOP: u64 = each(0x80);

/// How many bytes of a token `rest` begins with (RFC 9110 section 5.6.2).
#[inline(always)]
pub(crate) fn token(rest: &[u8]) -> usize {
    rest.len() - behind_token(rest).len()
}

/// What is behind that token.
#[inline(always)]
pub(crate) fn behind_token(rest: &[u8]) -> &[u8] {
    behind(rest, TOKEN)
}

/// How many unreserved bytes `rest` begins with: nearly all hosts are such.
#[inline(always)]
pub(crate) fn unreserved(rest: &[u8]) -> usize {
    rest.len() - behind_unreserved(rest).len()
}

/// What is behind those.
#[inline(always)]
pub(crate) fn behind_unreserved(rest: &[u8]) -> &[u8] {
    behind(rest, UNRESERVED)
}

/// How many bytes of a request target `rest` begins with (RFC 9112 section 3.2),
/// or less: the stop may be a byte that is allowed, such as `?`, `%` or `&`.
#[inline(always)]
pub(crate) fn target(rest: &[u8]) -> usize {
    // Most are short: a run would be wasted on them.
    match rest.split_first_chunk::<16>() {
        Some((short, tail)) => first_special(short).unwrap_or_else(|| 16 + long_target(tail)),
        None => long_target(rest),
    }
}

#[inline(never)] // the registers are its own
fn long_target(rest: &[u8]) -> usize {
    let mut left = rest;
    while let Some((run, tail)) = left.split_first_chunk::<RUN>() {
        // One more makes 0x7f the least of all signed bytes, and 0x80 to 0xfe
        // stay negative: one comparison finds them and what is up to SP. (0xff
        // becomes 0.)
        let stop = |b: u8| {
            (b.wrapping_add(1) as i8 <= b'!' as i8) | (b == b'#') | (b == b'?') | (b == b'%')
        };
        if run.iter().fold(false, |any, &b| any | stop(b)) {
            break;
        }
        left = tail;
    }
    while let Some((lanes, tail)) = left.split_first_chunk::<8>() {
        if let Some(first) = first_special(lanes) {
            left = left.get(first..).unwrap_or(&[]);
            break;
        }
        left = tail;
    }
    rest.len() - behind(left, PLAIN).len()
}

/// How many bytes of a field value `rest` begins with (RFC 9110 section 5.5), or
/// less: the stop may be a byte that is allowed, but rare (a tab, or `~` behind
/// 0xff).
#[inline(always)]
pub(crate) fn value(rest: &[u8]) -> usize {
    rest.len() - behind_value(rest).len()
}

/// What is behind that value.
#[inline(always)]
pub(crate) fn behind_value(rest: &[u8]) -> &[u8] {
    match rest.split_first_chunk::<16>() {
        Some((short, tail)) => match first_control(short) {
            Some(first) => rest.get(first..).unwrap_or(&[]),
            None => behind_long_value(tail),
        },
        None => behind_long_value(rest),
    }
}

#[inline(never)] // the registers are its own
fn behind_long_value(rest: &[u8]) -> &[u8] {
    let mut left = rest;
    while let Some((run, tail)) = left.split_first_chunk::<RUN>() {
        // As above. Says yes to 0x80 and up as well, which the words correct.
        if run.iter().fold(false, |any, b| any | (b.wrapping_add(1) as i8 <= b' ' as i8))
            && let Some(first) = first_control(run)
        {
            return left.get(first..).unwrap_or(&[]);
        }
        left = tail;
    }
    while let Some((lanes, tail)) = left.split_first_chunk::<8>() {
        if let Some(first) = first_control(lanes) {
            return left.get(first..).unwrap_or(&[]);
        }
        left = tail;
    }
    behind(left, VALUE)
}

/// The first lane below SP or equal to DEL, of one or more words.
#[inline(always)]
fn first_control<const N: usize>(lanes: &[u8; N]) -> Option<usize> {
    for (i, lanes) in lanes.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*lanes);
        let delete = word.wrapping_add(each(1)); // 0x7f + 1 has its top bit set
        let stops = (word.wrapping_sub(each(b' ')) | delete) & TOP;
        // From 0x80 up they have it anyway, and are rare.
        if stops != 0 && stops & !word != 0 {
            return Some(8 * i + ((stops & !word).trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// The first lane that no target holds, or is one of `! " # $ % & ' ?`: what can
/// be told from the rest of a target by few comparisons.
#[inline(always)]
fn first_special<const N: usize>(lanes: &[u8; N]) -> Option<usize> {
    for (i, lanes) in lanes.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*lanes);
        let question = (word ^ each(b'?')).wrapping_sub(each(1));
        let (low, delete) = (word.wrapping_sub(each(b'(')), word.wrapping_add(each(1)));
        let stops = (low | delete | question | word) & TOP;
        if stops != 0 {
            return Some(8 * i + (stops.trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// What is behind the bytes of a class that `rest` begins with, by table.
#[inline(always)]
fn behind(rest: &[u8], class: u8) -> &[u8] {
    let mut left = rest;
    // Eight at a time only so that the length is compared once for them.
    while let Some((lanes, tail)) = left.split_first_chunk::<8>() {
        if let Some(first) = lanes.iter().position(|&b| !is(b, class)) {
            return left.get(first..).unwrap_or(&[]);
        }
        left = tail;
    }
    let last = left.iter().position(|&b| !is(b, class));
    left.get(last.unwrap_or(left.len())..).unwrap_or(&[])
}

/// The same byte in each lane.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::chars::TARGET;

    /// Every byte at every place of slices of every length around the word and
    /// the run, from several starts: against the plain definition.
    fn compare(scan: impl Fn(&[u8]) -> usize, filler: u8, stop: impl Fn(u8) -> bool) {
        for len in [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 41, 47, 65] {
            for place in 0..len {
                for byte in 0..=255u8 {
                    let mut bytes = vec![filler; len];
                    bytes[place] = byte;
                    if let Some(next) = bytes.get_mut(place + 1).filter(|_| byte != 0xff) {
                        *next = byte.wrapping_add(1); // lanes above must not matter
                    }
                    for start in [0, place.saturating_sub(9), place, place + 1, len] {
                        let wanted = bytes[start..].iter().take_while(|b| !stop(**b)).count();
                        assert_eq!(scan(&bytes[start..]), wanted, "{byte} at {place} of {len}");
                    }
                }
            }
        }
    }

    /// A scan with the stops that are allowed passed, as the parser does.
    fn whole(scan: impl Fn(&[u8]) -> usize, class: u8) -> impl Fn(&[u8]) -> usize {
        move |rest| {
            let mut at = 0;
            loop {
                at += scan(&rest[at..]);
                match rest.get(at) {
                    Some(&b) if is(b, class) => at += 1,
                    _ => return at,
                }
            }
        }
    }

    #[test]
    fn values_end_at_what_no_value_holds() {
        for filler in [b'x', b'~', b'\t', 0x80, 0xfe, 0xff] {
            compare(whole(value, VALUE), filler, |b| !is(b, VALUE));
        }
    }

    #[test]
    fn targets_end_at_what_no_target_holds_and_marks() {
        for filler in [b'/', b'~', b'&'] {
            compare(whole(target, PLAIN), filler, |b| !is(b, TARGET) || b == b'?' || b == b'%');
        }
    }

    #[test]
    fn tokens_and_hosts_end_with_their_class() {
        compare(token, b'n', |b| !is(b, TOKEN));
        compare(unreserved, b'-', |b| !is(b, UNRESERVED));
    }
}
