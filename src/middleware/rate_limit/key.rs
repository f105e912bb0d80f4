//! Whose requests are counted together: 128 bits, whatever they were made of.
//!
//! An address fits as it is. Anything else is hashed with a seed that is drawn
//! at start, so that nobody can look for two keys that fall together.

use crate::http::{Peer, Request};
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;

/// Whose quota a request is taken from. Made by [`Keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(super) u128);

/// Makes [`Key`]s: see [`RateLimit::key`](super::RateLimit::key).
#[derive(Debug, Default)]
pub struct Keys {
    high: RandomState,
    low: RandomState,
    #[cfg(feature = "redis")]
    seed: Seed,
}

/// Whether hashes have the seeds.
#[cfg(feature = "redis")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seed {
    #[default]
    Random,
    /// No: they are the same in all processes.
    None,
}

/// SHA-256 as a hasher: nobody finds two keys that fall together, though there is no
/// secret.
#[cfg(feature = "redis")]
struct Steady(sha2::Sha256);

#[cfg(feature = "redis")]
impl Steady {
    fn of(value: impl Hash) -> u128 {
        use sha2::Digest;
        let mut hasher = Steady(sha2::Sha256::new());
        value.hash(&mut hasher);
        let digest = hasher.0.finalize();
        let mut half = [0; 16];
        half.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        u128::from_le_bytes(half)
    }
}

#[cfg(feature = "redis")]
impl std::hash::Hasher for Steady {
    fn write(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }

    /// Not asked for.
    fn finish(&self) -> u64 {
        0
    }
}

/// Peers without an address. No address below the bit of [`V4`] is a key.
const UNIX: u128 = 1;
const UNKNOWN: u128 = 2;
/// Set in the key of an IPv4 address; the lower half of an IPv6 network's key
/// is zero, so the two can't meet.
const V4: u128 = 1 << 32;

impl Keys {
    /// Keys that are the same in all processes.
    #[cfg(feature = "redis")]
    pub(super) fn steady() -> Keys {
        Keys { seed: Seed::None, ..Keys::default() }
    }

    /// The key of any value, such as a token or a user's number; of several
    /// values as a tuple. Nothing is allocated.
    pub fn of(&self, value: impl Hash) -> Key {
        #[cfg(feature = "redis")]
        if self.seed == Seed::None {
            return Key(Steady::of(value));
        }
        let (high, low) = (self.high.hash_one(&value), self.low.hash_one(&value));
        Key(u128::from(high) << 64 | u128::from(low))
    }

    /// The key of the client's address: an IPv4 address, or the /64 of an IPv6
    /// one, since that is what a single household has at the least. All clients
    /// of a Unix socket are one.
    pub fn peer(&self, request: &Request) -> Key {
        Key(match request.peer() {
            Peer::Tcp(address) => match address.ip().to_canonical() {
                IpAddr::V4(ip) => V4 | u128::from(ip.to_bits()),
                IpAddr::V6(ip) => ip.to_bits() >> 64 << 64,
            },
            Peer::Unix => UNIX,
            Peer::Unknown => UNKNOWN,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;

    fn of(ip: &str) -> Key {
        let mut request = Request::new(Method::GET, "/");
        request.origin.peer = Peer::Tcp(std::net::SocketAddr::new(ip.parse().unwrap(), 4711));
        Keys::default().peer(&request)
    }

    #[test]
    fn addresses() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:1:2:3", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::1", "0.0.0.1", false),
            ("::", "0.0.0.0", false),
            ("0.0.0.1", "0.0.0.2", false),
        ] {
            assert_eq!(of(one) == of(other), same, "{one} and {other}");
        }
    }

    #[test]
    fn values() {
        let keys = Keys::default();
        assert_eq!(keys.of(("a", 1)), keys.of(("a", 1)));
        assert_ne!(keys.of(("a", 1)), keys.of(("a", 2)));
        assert_ne!(keys.of("a"), Keys::default().of("a"), "the seed is random");
    }
}
