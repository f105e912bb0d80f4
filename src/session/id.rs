//! Ids, which only client and middleware know, and the keys that stores see.

use sha2::{Digest, Sha256};
use std::fmt;
use std::io;

/// A session's id, as hex digits. Whoever has it has the session: it has no `Debug`
/// that shows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Id(String);

/// What a store finds a session by: the SHA-256 of its id, which can't be undone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

/// Random bytes of an id: 160 bits. 128 are what can't be guessed; the rest costs
/// nothing.
const ID_BYTES: usize = 20;

impl Id {
    /// A new one, from the system's generator.
    pub(super) fn fresh() -> io::Result<Id> {
        random_hex().map(Id)
    }

    /// What a client sent, if it looks like one.
    pub(super) fn parse(text: &str) -> Option<Id> {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 2 * ID_BYTES && text.bytes().all(digit)).then(|| Id(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn key(&self) -> Key {
        Key(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl Key {
    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From such a hash: for tests of stores.
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }
}

/// 160 random bits as 40 hex digits.
pub(super) fn random_hex() -> io::Result<String> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect())
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id(..)")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Key({a:02x}{b:02x}{c:02x}{d:02x}..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_random_and_read_back() {
        let ids: HashSet<_> = (0..1000).map(|_| Id::fresh().unwrap().0).collect();
        assert_eq!(ids.len(), 1000);
        for id in &ids {
            assert_eq!(Id::parse(id).unwrap().as_str(), id);
        }
        // Each of the digits' bits is sometimes set.
        for at in 0..2 * ID_BYTES {
            let digits: HashSet<_> = ids.iter().map(|id| id.as_bytes()[at]).collect();
            assert_eq!(digits.len(), 16, "digit {at}");
        }
    }

    #[test]
    fn what_is_no_id_is_none() {
        let good = "0123456789abcdef0123456789abcdef01234567";
        assert!(Id::parse(good).is_some());
        let long = format!("{good}0");
        let upper = good.to_uppercase();
        for bad in ["", &good[1..], &long, &upper, &format!("{}g", &good[1..]), "é"] {
            assert!(Id::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_key_does_not_show_its_id() {
        let id = Id::fresh().unwrap();
        let again = Id::parse(id.as_str()).unwrap();
        assert_eq!(id.key(), again.key());
        assert_ne!(id.key(), Id::fresh().unwrap().key());
        assert_eq!(format!("{id:?}"), "Id(..)");
    }
}
