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

/// What a reader of values makes of some texts, and what it refuses.
#[track_caller]
fn expect<T: PartialEq + std::fmt::Debug>(
    read: fn(&str) -> Result<T, String>,
    right: &[(&str, T)],
    wrong: &[&str],
) {
    for (text, expected) in right {
        assert_eq!(read(text).as_ref(), Ok(expected), "{text:?}");
    }
    for text in wrong {
        assert!(read(text).is_err(), "{text:?}");
    }
}

#[test]
fn names_and_paths() {
    let same = |texts: &[&'static str]| -> Vec<(&str, String)> {
        texts.iter().map(|text| (*text, (*text).to_owned())).collect()
    };
    let hosts = ["127.0.0.1", "::", "fe80::1%eth0", "localhost", "a-b.example"];
    let no_hosts = ["", "[]", "no such host", "127.0.0.1:80", "http://x", "x/y", "a%b"];
    expect(host, &same(&hosts), &no_hosts);
    expect(host, &[("[::1]", "::1".to_owned())], &[]);
    expect(index, &same(&["start.html"]), &["", "..", ".git", "a/b", "/", "a\0"]);
    let outside = ["", "/a", "..", "a/../b", "a//b", "a/", "a\0"];
    expect(inside, &same(&["a", "a/b.html", ".x"]), &outside);
    expect(inside, &[("./a", "a".to_owned())], &[]);
    let html = || "html".to_owned();
    expect(extension, &[("html", html()), (".HTML", html())], &["", ".", "tar.gz", "a/b", "a\0"]);
}

#[test]
fn pairs() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    expect(
        media_type,
        &[
            (".WASM=application/wasm", pair("wasm", "application/wasm")),
            ("x=a/b;c=d", pair("x", "a/b;c=d")),
        ],
        &["", "wasm", "=a/b", "x=", "x=a", "x=a/", "x=/b", "x=a/b\n"],
    );
    expect(
        header,
        &[
            ("X-A: b", pair("X-A", "b")),
            ("X-A:b: c ", pair("X-A", "b: c")),
            ("X-A:", pair("X-A", "")),
        ],
        &["", "X-A", ": b", "X A: b", "X-A: b\r\nX-B: c", "Content-Length: 1"],
    );
    expect(
        cache_control,
        &[
            ("*.js=max-age=60, public", pair("*.js", "max-age=60, public")),
            ("a = b", pair("a", "b")),
        ],
        &["", "no-store", "=no-store", "*.js=", "a=b\nc"],
    );
}

#[test]
fn bounded_values() {
    let table = [("64", Some(64)), ("32k", Some(32_768)), ("63", None), ("64k", None), ("x", None)];
    for (text, bytes) in table {
        assert_eq!(head(text).ok(), bytes, "{text}");
    }
    let table = [("1ms", true), ("168h", true), ("0", false), ("169h", false), ("x", false)];
    for (text, right) in table {
        assert_eq!(timeout(text).is_ok(), right, "{text}");
    }
    assert!(origin("*").is_ok());
    let why = origin("x").unwrap_err();
    assert!(why.starts_with("an origin is"), "{why}");
}
