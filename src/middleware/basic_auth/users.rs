//! Users and their hashes.

use super::User;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What a password is held against.
pub(super) enum Secret {
    /// As `htpasswd -B` writes it; it passed [`bcrypt`]'s own reading.
    Bcrypt(Arc<str>),
    Sha256([u8; 32]),
}

/// Everybody who may come in.
#[derive(Default)]
pub(super) struct Users {
    list: Vec<(User, Secret)>,
    /// By name. Its hasher has random keys, and chooses the decoys as well.
    places: HashMap<Vec<u8>, usize>,
    slow: bool,
}

/// A cost above this takes more than ten seconds of a helper for one password:
/// that is a mistake, and a way to block the server.
const COST_MAX: u32 = 17;

impl Users {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are (or were) hashes that take time.
    pub(super) fn has_slow(&self) -> bool {
        self.slow
    }

    /// Reads `name:hash`.
    ///
    /// # Errors
    /// What is wrong, for a person; the line itself may be a secret.
    pub(super) fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let (name, hash) = line.split_once(':').ok_or("expected NAME:HASH")?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err("a user's name must be there, without control characters");
        }
        let entry = (User::new(name), Secret::parse(hash)?);
        self.slow |= matches!(entry.1, Secret::Bcrypt(_));
        match self.places.get(name.as_bytes()).and_then(|&at| self.list.get_mut(at)) {
            Some(old) => *old = entry,
            None => {
                self.places.insert(name.into(), self.list.len());
                self.list.push(entry);
            }
        }
        Ok(())
    }

    /// The user of that name and the hash to work on. For a stranger it is
    /// somebody's, so that its time is that of a user; the name decides whose,
    /// so that asking again tells nothing more. `None` if there are no users.
    pub(super) fn find(&self, name: &[u8]) -> Option<(Option<User>, &Secret)> {
        // Computed for everyone.
        let decoy = self.places.hasher().hash_one(name) as usize % self.list.len().max(1);
        let place = self.places.get(name);
        let (user, secret) = self.list.get(*place.unwrap_or(&decoy))?;
        Some((place.map(|_| user.clone()), secret))
    }
}

impl Secret {
    fn parse(hash: &str) -> Result<Secret, &'static str> {
        if let Some(password) = hash.strip_prefix("plain:") {
            return Ok(Secret::Sha256(Sha256::digest(password).into()));
        }
        if let Some(digits) = hash.strip_prefix("sha256:") {
            let bytes = from_hex(digits).ok_or("sha256: wants 64 hex digits behind it")?;
            return Ok(Secret::Sha256(bytes));
        }
        if ["$2y$", "$2b$", "$2a$"].iter().any(|start| hash.starts_with(start)) {
            let parts: Result<bcrypt::HashParts, _> = hash.parse();
            let cost = parts.map_err(|_| "the bcrypt hash is damaged")?.get_cost();
            return match cost {
                4..=COST_MAX => Ok(Secret::Bcrypt(hash.into())),
                _ => Err("a bcrypt hash must have a cost of 4 to 17"),
            };
        }
        Err("the hash must be bcrypt's (`htpasswd -nB NAME` makes one) or sha256:HEX")
    }
}

/// Slow on purpose.
pub(super) fn is_bcrypt_of(hash: &str, password: &[u8]) -> bool {
    bcrypt::verify(password, hash).unwrap_or_else(|error| {
        log::error!("a hash that was read can't be used: {error}");
        false
    })
}

pub(super) fn is_sha256_of(hash: &[u8; 32], password: &[u8]) -> bool {
    let computed: [u8; 32] = Sha256::digest(password).into();
    hash.ct_eq(&computed).into()
}

fn from_hex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(high)? * 16 + digit(low)?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes that another implementation (libxcrypt) made.
    const HASHES: [(&str, &str); 3] = [
        ("secret", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
        ("pässword", "$2y$04$abcdefghijklmnopqrstuum174eFeoTj0DHmtuueFaS3Wde4P7wHG"),
        ("correct horse", "$2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC"),
    ];

    #[test]
    fn hashes_of_others_are_understood() {
        for (password, hash) in HASHES {
            assert!(is_bcrypt_of(hash, password.as_bytes()), "{password}");
            assert!(!is_bcrypt_of(hash, b"Secret"), "{password}");
        }
    }

    #[test]
    fn lines_are_read_or_refused() {
        let digits = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
        let good = [
            format!("anna:sha256:{digits}"),
            format!("anna:sha256:{}", digits.to_uppercase()),
            format!("anna:{}", HASHES[0].1),
            "anna:plain:token".to_owned(),
            "anna:plain:".to_owned(),
        ];
        for line in good {
            let mut users = Users::default();
            assert_eq!(users.add(&line), Ok(()), "{line}");
        }
        for line in [
            "anna",
            "anna:",
            ":plain:x",
            "an\tna:plain:x",
            "anna:secret",
            "anna:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            "anna:$apr1$oIy8/Oqz$sUQJ0nJjPcCSrVPzn0sOi/",
            "anna:sha256:3c46",
            &format!("anna:sha256:{digits}0"),
            &format!("anna:sha256:g{}", &digits[1..]),
            &format!("anna:sha256:+{}", &digits[1..]),
            "anna:$2y$05$short",
            &format!("anna:{}", HASHES[0].1.replace("$05$", "$31$")),
            &format!("anna:{}", HASHES[0].1.replace("$2y$", "$2x$")),
        ] {
            let mut users = Users::default();
            let why = users.add(line).expect_err(line);
            assert!(!why.contains("anna"), "{why}");
        }
    }

    #[test]
    fn strangers_get_somebodys_hash_always_the_same() {
        let mut users = Users::default();
        assert!(users.find(b"anna").is_none());
        for name in ["anna", "ben", "carl"] {
            users.add(&format!("{name}:plain:{name}")).unwrap();
        }
        users.add("ben:plain:new").unwrap();
        assert_eq!(users.len(), 3);
        let of = |name: &[u8]| match users.find(name) {
            Some((user, Secret::Sha256(hash))) => (user.map(|user| user.name().to_owned()), *hash),
            _ => panic!("there are users"),
        };
        let (user, hash) = of(b"ben");
        assert_eq!(user.as_deref(), Some("ben"));
        assert!(is_sha256_of(&hash, b"new"));
        let mut seen = std::collections::HashSet::new();
        for number in 0..100 {
            let name = format!("stranger {number}");
            let (user, hash) = of(name.as_bytes());
            assert_eq!(user, None);
            assert_eq!(of(name.as_bytes()).1, hash);
            seen.insert(hash);
        }
        assert_eq!(seen.len(), 3, "all hashes serve as decoys");
    }
}
