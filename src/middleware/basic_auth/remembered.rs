//! Credentials that were right a while ago.

use super::User;
use crate::error::Error;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Entries at most, some 100 bytes each. Only what was right gets in, so there
/// are more only with more users than that.
const ENTRIES_MAX: usize = 1024;

/// A bounded list of keyed hashes. It can't be turned back into passwords, nor
/// compared with those of another process.
pub(super) struct Remembered {
    secret: [u8; 32],
    entries: HashMap<[u8; 32], (User, Instant)>,
}

impl Remembered {
    pub(super) fn new() -> Result<Remembered, Error> {
        let mut secret = [0; 32];
        let mut filled = 0;
        while let Some(rest) = secret.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let flags = rustix::rand::GetRandomFlags::empty();
            let count = rustix::rand::getrandom(rest, flags);
            filled += count.map_err(|error| Error::io("asking for random bytes")(error.into()))?;
        }
        Ok(Remembered { secret, entries: HashMap::new() })
    }

    /// Whose they are, if they are still remembered.
    pub(super) fn find(&self, sent: &[u8], now: Instant) -> Option<User> {
        let (user, until) = self.entries.get(&self.key(sent))?;
        (now < *until).then(|| user.clone())
    }

    pub(super) fn add(&mut self, sent: &[u8], user: User, now: Instant, time: Duration) {
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.retain(|_, (_, until)| now < *until);
        }
        if self.entries.len() >= ENTRIES_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.entries.remove(&key);
            }
        }
        if let Some(until) = now.checked_add(time) {
            self.entries.insert(self.key(sent), (user, until));
        }
    }

    /// The secret fills no whole block, but it stays here: nobody sees a hash
    /// that could be continued.
    fn key(&self, sent: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(self.secret).chain_update(sent).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_in_time_and_number() {
        let mut remembered = Remembered::new().unwrap();
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let user = User::new("anna");
        for number in 0..ENTRIES_MAX as u32 + 10 {
            let sent = number.to_be_bytes();
            remembered.add(&sent, user.clone(), start + second * number, second * 9000);
        }
        assert_eq!(remembered.entries.len(), ENTRIES_MAX);
        let now = start + second * 2000;
        assert_eq!(remembered.find(&9u32.to_be_bytes(), now), None, "the oldest had to leave");
        assert_eq!(remembered.find(&10u32.to_be_bytes(), now), Some(user.clone()));
        assert_eq!(remembered.find(&10u32.to_be_bytes(), start + second * 9011), None);
        // Where many are out of date, all of them leave at once.
        remembered.add(b"new", user, start + second * 90_000, second);
        assert_eq!(remembered.entries.len(), 1);
    }

    #[test]
    fn keys_are_of_this_process_only() {
        let (one, other) = (Remembered::new().unwrap(), Remembered::new().unwrap());
        assert_eq!(one.key(b"a"), one.key(b"a"));
        assert_ne!(one.key(b"a"), one.key(b"b"));
        assert_ne!(one.key(b"a"), other.key(b"a"));
        assert_ne!(one.secret, [0; 32]);
    }
}
