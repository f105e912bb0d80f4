//! Reads a path's segments, eight bytes at a time.
//!
//! A segment becomes a *key*: up to eight bytes, no two segments of one length
//! have the same key, so one comparison of two integers finds a literal; beyond
//! that, the key is a hash of its words. The end of the segment is found in
//! the same words: XOR with eight slashes makes every slash a zero byte, and
//! subtracting one from each byte borrows into the top bit of the zeros.
//!
//! ```text
//!   path   /repos/onepoll/issues          segment at 1
//!   word    r e p o s / o n               ^ "////////"  =>  zero byte at 5
//!   key     r e p o s 0 0 0               the five bytes before it
//! ```

/// A path that is being read.
#[derive(Debug)]
pub(crate) struct Path<'p> {
    text: &'p str,
    /// The last eight bytes, the very last in the highest place; zeros below
    /// if the path is shorter.
    tail: u64,
}

/// A segment of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it ends: at a slash, or at the end of the path.
    pub(crate) end: usize,
    /// The same for the same text; two texts of eight bytes or less with the
    /// same key and length are the same.
    pub(crate) key: u64,
    /// Whether it may hold a `%`; if not, it holds none.
    pub(crate) escaped: bool,
}

/// Eight bytes at once.
pub(crate) const WORD: usize = 8;
const ONES: u64 = u64::from_ne_bytes([1; WORD]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; WORD]);
const SLASHES: u64 = u64::from_ne_bytes([b'/'; WORD]);
const PERCENTS: u64 = u64::from_ne_bytes([b'%'; WORD]);
/// Odd, and without a pattern in its bits: the golden ratio's.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Sets the top bit of each byte that is zero. The lowest bit set is right;
/// one above it may be a false alarm (a borrow).
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

impl<'p> Path<'p> {
    #[inline]
    pub(crate) fn new(text: &'p str) -> Path<'p> {
        let bytes = text.as_bytes();
        let tail = match bytes.last_chunk::<WORD>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => bytes.iter().fold(0, |tail, &b| tail >> 8 | u64::from(b) << 56),
        };
        Path { text, tail }
    }

    #[inline]
    pub(crate) fn text(&self) -> &'p str {
        self.text
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The part between two places; empty if there is none.
    #[inline]
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'p str {
        self.text.get(start..end).unwrap_or("")
    }

    /// The eight bytes from `at` on. After the path come slashes: so its end
    /// is found like that of any segment.
    #[inline]
    fn word(&self, at: usize) -> u64 {
        if let Some(chunk) = self.text.as_bytes().get(at..).and_then(<[u8]>::first_chunk::<WORD>) {
            return u64::from_le_bytes(*chunk);
        }
        let left = self.len().saturating_sub(at) % WORD; // less than a word, or we were not here
        (self.tail >> (8 * (7 - left))) >> 8 | SLASHES << (8 * left)
    }

    /// The segment that starts at `start`.
    #[inline]
    pub(crate) fn segment(&self, start: usize) -> Segment {
        let mut at = start;
        let mut key = 0u64;
        let mut escaped = 0;
        loop {
            let word = self.word(at);
            let slashes = zeros(word ^ SLASHES);
            escaped |= zeros(word ^ PERCENTS);
            if slashes != 0 {
                let len = slashes.trailing_zeros() as usize / 8;
                let before = (1u64 << (8 * len)) - 1; // len < WORD
                let end = at + len;
                return Segment { end, key: key ^ word & before, escaped: escaped != 0 };
            }
            key = (key ^ word).wrapping_mul(MIX).rotate_left(29);
            at += WORD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, byte by byte.
    fn naive(path: &str, start: usize) -> usize {
        path.get(start..).and_then(|rest| rest.find('/')).map_or(path.len(), |n| start + n)
    }

    #[test]
    fn ends_are_right_for_every_length_and_place() {
        for len in 0..40 {
            for slash in 0..=len {
                let text: String = (0..len).map(|i| if i == slash { '/' } else { 'a' }).collect();
                let path = Path::new(&text);
                for start in 0..=len {
                    let segment = path.segment(start);
                    assert_eq!(segment.end, naive(&text, start), "{text:?} from {start}");
                    assert!(!segment.escaped);
                }
            }
        }
    }

    #[test]
    fn keys_are_those_of_the_segment_alone() {
        let words = ["", "a", "users", "sevenxx", "eightxxx", "ninexxxxx", "public_members"];
        let long = "x".repeat(33);
        for word in words.into_iter().chain([long.as_str()]) {
            let alone = Path::new(word).segment(0).key;
            for (before, after) in [("/", ""), ("/", "/"), ("/ab/", "/cd"), ("/abcdefghi/", "/j")] {
                let text = format!("{before}{word}{after}");
                let segment = Path::new(&text).segment(before.len());
                assert_eq!((segment.key, segment.end), (alone, before.len() + word.len()));
            }
        }
        let keys: std::collections::HashSet<_> =
            words.iter().map(|word| (Path::new(word).segment(0).key, word.len())).collect();
        assert_eq!(keys.len(), words.len());
    }

    #[test]
    fn a_percent_sign_is_never_missed() {
        for len in 1..30 {
            for at in 0..len {
                let text: String = (0..len).map(|i| if i == at { '%' } else { 'a' }).collect();
                assert!(Path::new(&text).segment(0).escaped, "{text}");
            }
        }
    }
}
