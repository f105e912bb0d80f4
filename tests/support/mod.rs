//! What the black-box tests share: a raw client, a fixture server, patience.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test crate uses its own part of it"
)]

pub mod app;
pub mod browser;
pub mod child;
pub mod client;
pub mod example;
pub mod exposition;
pub mod folder;
pub mod json;
pub mod reply;
pub mod streams;
#[cfg(feature = "tls-self-signed")]
pub mod tls;

pub use app::{Fixture, Gate};
pub use client::{Client, Ending};
pub use reply::{Framing, Reply};

use std::time::{Duration, Instant};

/// How long a test waits for what must happen: long enough for a machine that is
/// busy with everything else, since only failures wait that long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until it is so.
///
/// # Panics
/// If it isn't within [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the long versions of the tests are asked for.
pub fn is_slow() -> bool {
    std::env::var_os("ONEPOLL_SLOW").is_some_and(|value| value != "0")
}

/// Byte `at` of the pattern that all long contents are made of. Its period is
/// odd, so that a piece that is lost or doubled shows.
pub fn pattern_byte(at: u64) -> u8 {
    (at % 251) as u8
}

/// That many bytes of the pattern.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(pattern_byte).collect()
}

/// Fails unless these are the pattern's bytes, without printing them all.
#[track_caller]
pub fn expect_pattern(bytes: &[u8], len: usize) {
    assert_eq!(bytes.len(), len, "the content's length");
    let wrong = bytes.iter().zip(0..).find(|&(&byte, at)| byte != pattern_byte(at));
    assert!(wrong.is_none(), "byte and place of the first difference: {wrong:?}");
}

/// Listens on a free port.
pub fn bind() -> Result<onepoll::Server, onepoll::Error> {
    #[cfg(feature = "tls-self-signed")]
    if tls::is_everywhere() {
        return onepoll::Server::bind_tls("127.0.0.1:0", tls::shared());
    }
    onepoll::Server::bind("127.0.0.1:0")
}
