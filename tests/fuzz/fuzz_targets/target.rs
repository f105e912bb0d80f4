//! Request targets in all their forms, and the codecs of paths and queries.

#![no_main]

use libfuzzer_sys::fuzz_target;
use onepoll::Limits;
use onepoll::http::form::query_pairs;
use onepoll::http::target::{normalise, percent_decode, percent_encode};
use onepoll_fuzz::{Reply, cuttings, feed};

const METHODS: [&str; 4] = ["GET", "OPTIONS", "CONNECT", "X-OTHER"];

fuzz_target!(|data: &[u8]| {
    let [flags, seed, target @ ..] = data else { return };
    encoded(target);
    if let Ok(text) = std::str::from_utf8(target) {
        codecs(text);
    }
    let method = METHODS[usize::from(flags & 3)].as_bytes();
    let input = [method, b" ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    let limits = Limits { target_max: 300, ..Limits::default() };
    let whole = feed(&limits, &input, Reply::Late, &[]);
    for cuts in cuttings(input.len(), *seed) {
        assert_eq!(feed(&limits, &input, Reply::Late, &cuts), whole, "{cuts:?}");
    }
});

/// Whatever bytes were encoded come back, and nothing of them can be mistaken.
fn encoded(bytes: &[u8]) {
    let text = percent_encode(bytes);
    assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"/?#".contains(&b)), "{text}");
    assert_eq!(percent_decode(&text).as_deref(), std::str::from_utf8(bytes).ok());
}

fn codecs(text: &str) {
    if let Some(normal) = normalise(text) {
        assert_ne!(normal, text);
        assert_eq!(normalise(&normal), None, "{normal}");
        // Segments are the same, and mean the same.
        assert_eq!(normal.split('/').count(), text.split('/').count());
        for (one, other) in normal.split('/').zip(text.split('/')) {
            assert_eq!(percent_decode(one), percent_decode(other));
        }
    }
    let pairs = query_pairs(text).count();
    assert!(pairs <= text.split('&').count());
    for (name, value) in query_pairs(text) {
        let encoded = format!("{}={}", encode(&name), encode(&value));
        assert!(query_pairs(&encoded).eq([(name, value)]), "{encoded}");
    }
}

/// Segments may hold these as they are, queries may not.
fn encode(text: &str) -> String {
    let text = percent_encode(text.as_bytes());
    text.replace('&', "%26").replace('=', "%3D").replace('+', "%2B")
}
