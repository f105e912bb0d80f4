//! Reads a path's segments, eight bytes at a time.
//!
//! A segment becomes a *key* of two words. If it is shorter than that, the key
//! is as good as the text, and comparing two integers finds a literal; if it is
//! longer, the first word is a hash. The end of the segment is found in
//! the same words: XOR with eight slashes makes every slash a zero byte, and
//! subtracting one from each byte borrows into the top bit of the zeros.
//!
//! ```text
//!   path   /repos/onepoll/issues          segment at 1
//!   word    r e p o s / o n     ^ "////////"  =>  zero byte at 5
//!   key     r e p o s 0 0 0     the five bytes before it
//! ```

/// A path that is being read. Places in it are counted in `u32`: it is shorter
/// than 4 GiB, and the sum of a place and a word doesn't overflow.
#[derive(Debug)]
pub(crate) struct Path<'p> {
    text: &'p str,
    /// The last eight bytes, and eight slashes behind them. If the path is
    /// shorter, zeros stand before it.
    tail: u128,
}

/// What a segment is found by: the same for the same text, and different for
/// different texts of one length up to [`EXACT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The whole words of the text: the word itself if it is one, else a hash.
    head: u64,
    /// The bytes after them.
    tail: u64,
}

/// Up to so many bytes, a key is as good as the text: there is one whole word.
pub(crate) const EXACT: u32 = 2 * WORD - 1;

impl Key {
    /// That of the empty text.
    pub(crate) const EMPTY: Key = Key { head: 0, tail: 0 };

    /// A number whose upper bits depend on the key and on `salt`.
    #[inline]
    pub(crate) fn hash(self, salt: u64) -> u64 {
        let Key { head, tail } = self;
        (tail ^ head.rotate_left(29)).wrapping_mul(SPREAD) ^ salt.wrapping_mul(MIX)
    }
}

/// Eight bytes at once.
const WORD: u32 = 8;
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
const SLASHES: u64 = u64::from_ne_bytes([b'/'; 8]);
const PERCENTS: u64 = u64::from_ne_bytes([b'%'; 8]);
/// Odd, and without a pattern in its bits: the golden ratio's.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
/// Another one of this kind.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

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
        let last = match bytes.last_chunk::<8>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => bytes.iter().fold(0, |last, &b| last >> 8 | u64::from(b) << 56),
        };
        Path { text, tail: u128::from(SLASHES) << 64 | u128::from(last) }
    }

    #[inline]
    pub(crate) fn text(&self) -> &'p str {
        self.text
    }

    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.text.len() as u32
    }

    /// The part between two places; empty if there is none.
    #[inline]
    pub(crate) fn slice(&self, start: u32, end: u32) -> &'p str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    /// The eight bytes from `at` on. After the path come slashes: so its end
    /// is found like that of any segment.
    #[inline]
    fn word(&self, at: u32) -> u64 {
        let start = at as usize;
        let whole = self.text.as_bytes().get(start..start + 8).and_then(<[u8]>::first_chunk);
        match whole {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => self.tail.wrapping_shr(8 * (at + WORD - self.len())) as u64,
        }
    }

    /// Where the segment that starts at `at` ends (at a slash, or where the
    /// path does), and its key.
    #[inline]
    pub(crate) fn key(&self, mut at: u32) -> (u32, Key) {
        let mut head = 0u64;
        loop {
            let word = self.word(at);
            let slashes = zeros(word ^ SLASHES);
            if slashes != 0 {
                // All bits below the top bit of the slash's byte, less its other
                // seven: the bytes before it.
                let before = (slashes ^ (slashes - 1)) >> 8;
                return (at + slashes.trailing_zeros() / 8, Key { head, tail: word & before });
            }
            head = head.wrapping_mul(MIX).rotate_left(29) ^ word;
            at += WORD;
        }
    }

    /// Where the segment that starts at `at` ends, and whether it may hold a
    /// `%`; if not, it holds none.
    #[inline]
    pub(crate) fn end(&self, mut at: u32) -> (u32, bool) {
        let mut escaped = 0;
        loop {
            let word = self.word(at);
            let slashes = zeros(word ^ SLASHES);
            escaped |= zeros(word ^ PERCENTS);
            if slashes != 0 {
                return (at + slashes.trailing_zeros() / 8, escaped != 0);
            }
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
                    let end = naive(&text, start) as u32;
                    assert_eq!(path.key(start as u32).0, end, "{text:?} from {start}");
                    assert_eq!(path.end(start as u32), (end, false), "{text:?} from {start}");
                }
            }
        }
    }

    #[test]
    fn keys_are_those_of_the_segment_alone() {
        let words = ["", "a", "users", "sevenxx", "eightxxx", "ninexxxxx", "public_members"];
        let long = "x".repeat(33);
        for word in words.into_iter().chain([long.as_str()]) {
            let alone = Path::new(word).key(0).1;
            for (before, after) in [("/", ""), ("/", "/"), ("/ab/", "/cd"), ("/abcdefghi/", "/j")] {
                let text = format!("{before}{word}{after}");
                let end = (before.len() + word.len()) as u32;
                assert_eq!(Path::new(&text).key(before.len() as u32), (end, alone), "{text}");
            }
        }
        let keys: std::collections::HashSet<_> =
            words.iter().map(|word| (Path::new(word).key(0).1, word.len())).collect();
        assert_eq!(keys.len(), words.len());
    }

    #[test]
    fn a_percent_sign_is_never_missed() {
        for len in 1..30 {
            for at in 0..len {
                let text: String = (0..len).map(|i| if i == at { '%' } else { 'a' }).collect();
                assert!(Path::new(&text).end(0).1, "{text}");
            }
        }
    }
}
