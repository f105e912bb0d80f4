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

/// A reader of values, what it makes of some texts, and what it refuses.
type Reads<T, Right> = (fn(&str) -> Result<T, String>, &'static [Right], &'static [&'static str]);
type Text = &'static str;

#[test]
fn names_and_paths() {
    let table: [Reads<String, (Text, Text)>; 4] = [
        (
            host,
            &[
                ("127.0.0.1", "127.0.0.1"),
                ("[::1]", "::1"),
                ("::", "::"),
                ("fe80::1%eth0", "fe80::1%eth0"),
                ("localhost", "localhost"),
                ("a-b.example", "a-b.example"),
            ],
            &["", "[]", "no such host", "127.0.0.1:80", "http://x", "x/y", "a%b"],
        ),
        (index, &[("start.html", "start.html")], &["", "..", ".git", "a/b", "/", "a\0"]),
        (
            inside,
            &[("a", "a"), ("a/b.html", "a/b.html"), ("./a", "a"), (".x", ".x")],
            &["", "/a", "..", "a/../b", "a//b", "a/", "a\0"],
        ),
        (extension, &[("html", "html"), (".HTML", "html")], &["", ".", "tar.gz", "a/b", "a\0"]),
    ];
    for (read, right, wrong) in table {
        for (text, expected) in right {
            assert_eq!(read(text).as_deref(), Ok(*expected));
        }
        for text in wrong {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}

#[test]
fn pairs() {
    let table: [Reads<(String, String), (Text, Text, Text)>; 3] = [
        (
            media_type,
            &[
                (".WASM=application/wasm", "wasm", "application/wasm"),
                ("x=a/b;c=d", "x", "a/b;c=d"),
            ],
            &["", "wasm", "=a/b", "x=", "x=a", "x=a/", "x=/b", "x=a/b\n"],
        ),
        (
            header,
            &[("X-A: b", "X-A", "b"), ("X-A:b: c ", "X-A", "b: c"), ("X-A:", "X-A", "")],
            &["", "X-A", ": b", "X A: b", "X-A: b\r\nX-B: c", "Content-Length: 1"],
        ),
        (
            cache_control,
            &[("*.js=max-age=60, public", "*.js", "max-age=60, public"), ("a = b", "a", "b")],
            &["", "no-store", "=no-store", "*.js=", "a=b\nc"],
        ),
    ];
    for (read, right, wrong) in table {
        for (text, name, value) in right {
            assert_eq!(read(text), Ok(((*name).to_owned(), (*value).to_owned())));
        }
        for text in wrong {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
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
