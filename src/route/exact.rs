//! Patterns without captures, found by their whole text.
//!
//! A literal is preferred to everything else at each segment, so a pattern that
//! is literal throughout wins wherever it matches at all: one probe of a hash
//! table answers for it, and the tree need not be walked. If it has no route
//! for the method the tree is asked after all.

/// Texts and what they lead to: open addressing, at most half full.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact {
    /// A power of two of places.
    places: Vec<Option<Place>>,
    count: usize,
}

#[derive(Clone, Debug)]
struct Place {
    text: Box<[u8]>,
    leaf: u32,
    /// The route for GET, or [`NONE`]: nearly always the one that is asked for.
    get: u32,
}

const NONE: u32 = u32::MAX;

impl Exact {
    /// Adds a text, and the route that it has for GET, if any. One that is known
    /// keeps what it leads to.
    pub(super) fn insert(&mut self, text: &[u8], leaf: u32, get: Option<u32>) {
        if self.places.len() <= self.count * 2 {
            let room = (self.places.len() * 2).max(16);
            let old = std::mem::replace(&mut self.places, vec![None; room]);
            old.into_iter().flatten().for_each(|entry| {
                self.place(entry);
            });
        }
        let new = self.place(Place { text: text.into(), leaf, get: get.unwrap_or(NONE) });
        self.count += usize::from(new);
    }

    /// Whether it was new.
    fn place(&mut self, entry: Place) -> bool {
        let mask = self.places.len() - 1;
        let mut at = hash(&entry.text) as usize & mask;
        while let Some(known) = &mut self.places[at] {
            if known.text == entry.text {
                known.get = if entry.get == NONE { known.get } else { entry.get };
                return false;
            }
            at = (at + 1) & mask;
        }
        self.places[at] = Some(entry);
        true
    }

    /// What the text leads to, and its route for GET.
    #[inline(always)]
    pub(super) fn find(&self, text: &[u8]) -> Option<(u32, Option<u32>)> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = hash(text) as usize & mask;
        // Half of the places are free, so this ends.
        while let Some(known) = self.places.get(at)? {
            if same(&known.text, text) {
                return Some((known.leaf, (known.get != NONE).then_some(known.get)));
            }
            at = (at + 1) & mask;
        }
        None
    }
}

/// Whether two texts are the same, as `==` has it. But that is a call, and few
/// texts are long enough to be worth one.
#[inline(always)]
fn same(known: &[u8], text: &[u8]) -> bool {
    if known.len() != text.len() {
        return false;
    }
    match text.len() {
        0..8 => known.iter().zip(text).all(|(a, b)| a == b),
        // Its first and its last eight bytes are all of it.
        8..=16 => {
            known.first_chunk::<8>() == text.first_chunk()
                && known.last_chunk::<8>() == text.last_chunk()
        }
        _ => known == text,
    }
}

/// Multiplies and folds, eight bytes at a time. The texts are the program's
/// own, so nobody can choose them to collide; a path that is asked for meets at
/// most the longest run that they form.
#[inline(always)]
fn hash(text: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = text.len() as u64;
    let mut left = text;
    while let Some((word, tail)) = left.split_first_chunk::<8>()
        && !tail.is_empty()
    {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
        state ^= state >> 32;
        left = tail;
    }
    // What is left is in the last eight bytes, unless the text is shorter.
    let last = match text.last_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    state = (state ^ last).wrapping_mul(ODD);
    state ^ state >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_found_and_no_other() {
        let mut exact = Exact::default();
        assert_eq!(exact.find(b"/"), None);
        let texts: Vec<String> =
            (0..500).map(|i| format!("/a{}/{i}", "x".repeat(i % 19))).collect();
        for (i, text) in texts.iter().enumerate() {
            exact.insert(text.as_bytes(), i as u32, None);
            exact.insert(text.as_bytes(), 9999, (i % 2 == 0).then_some(7));
        }
        for (i, text) in texts.iter().enumerate() {
            let get = (i % 2 == 0).then_some(7);
            assert_eq!(exact.find(text.as_bytes()), Some((i as u32, get)), "{text}");
            assert_eq!(exact.find(format!("{text}/").as_bytes()), None);
            assert_eq!(exact.find(&text.as_bytes()[1..]), None);
        }
        assert_eq!(exact.find(b""), None);
    }
}
