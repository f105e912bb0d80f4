use super::*;

#[test]
fn durations() {
    let table = [
        ("10", Some(10_000)),
        ("500ms", Some(500)),
        ("10s", Some(10_000)),
        ("2m", Some(120_000)),
        ("2 min", Some(120_000)),
        ("1h", Some(3_600_000)),
        ("0", Some(0)),
        ("", None),
        ("s", None),
        ("-1", None),
        ("1.5", None),
        ("10d", None),
        ("99999999999999999999", None),
        ("18446744073709551615h", None),
    ];
    for (text, ms) in table {
        assert_eq!(duration(text).ok(), ms.map(Duration::from_millis), "{text}");
    }
}

#[test]
fn sizes() {
    let table = [
        ("0", Some(0)),
        ("1000", Some(1000)),
        ("64k", Some(65_536)),
        ("64KiB", Some(65_536)),
        ("10M", Some(10 << 20)),
        ("1G", Some(1 << 30)),
        ("1 b", Some(1)),
        ("", None),
        ("k", None),
        ("1kb", None),
        ("-1", None),
        ("18446744073709551615k", None),
    ];
    for (text, bytes) in table {
        assert_eq!(size(text).ok(), bytes, "{text}");
    }
}

#[test]
fn helper_ranges() {
    let table = [
        ("1..4", Some((1, 4))),
        ("4", Some((4, 4))),
        ("2..2", Some((2, 2))),
        ("0..4", Some((0, 4))),
        ("0", None),
        ("4..1", None),
        ("1..2000", None),
        ("..", None),
        ("1..", None),
        ("", None),
    ];
    for (text, range) in table {
        assert_eq!(helpers(text).ok(), range, "{text}");
    }
}

#[test]
fn hosts_and_index_names() {
    assert_eq!(host("127.0.0.1"), Ok([127, 0, 0, 1].into()));
    assert_eq!(host("[::1]").unwrap().to_string(), "::1");
    assert_eq!(host("::").unwrap().to_string(), "::");
    assert!(host("").is_err());
    assert!(host("no such host").is_err());
    assert_eq!(index("start.html").as_deref(), Ok("start.html"));
    for bad in ["", "..", ".git", "a/b", "/", "a\0"] {
        assert!(index(bad).is_err(), "{bad:?}");
    }
}
