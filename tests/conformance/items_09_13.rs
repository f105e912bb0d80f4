//! What new servers get wrong, 9 to 13: syntax and its limits.

use crate::common::{ask, refused, understood, with};
use crate::support::{Fixture, Framing, expect_pattern};
use onepoll::{Config, Limits};

#[test]
fn item_09_host_is_there_once_and_grammatical() {
    let fixture = Fixture::new();
    let get = |host: &str| format!("GET /hello HTTP/1.1\r\n{host}\r\n");
    for good in [
        "a",
        "a:80",
        "a:",
        "A.example",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:80",
        "a-b_c~d.e",
        "%61%62",
        "a!$&'()*+;=",
        "xn--bcher-kva.example",
        "[2001:db8::7:0:1]",
        "\ta \t",
    ] {
        understood(&fixture, get(&format!("Host: {good}\r\n")), 200);
    }
    for bad in [
        "a b",
        "a, b",
        "a/b",
        "user@a",
        "u:p@a",
        "a:port",
        "a:8o",
        "a:-1",
        "a: 80",
        "a :80",
        "a:80:80",
        "[::1",
        "::1",
        "::1]",
        "[::1]x",
        "[]",
        "[zz]",
        "[::1]:x",
        "a\u{e9}",
        "http://a",
        "a#b",
        "a?b",
        "a%",
        "a%6",
        "a%zz",
        "a\\b",
        "<a>",
        "a\"",
        "a^",
        "a|b",
        "a\tb",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1]]",
    ] {
        refused(&fixture, get(&format!("Host: {bad}\r\n")), &[400]);
    }
    for missing in [
        get(""),
        get("X-Host: a\r\n"),
        get("Host: a\r\nHost: a\r\n"),
        get("Host: a\r\nhost: b\r\n"),
        get("Host: a\r\nX: y\r\nHOST:\r\n"),
        "GET http://a/hello HTTP/1.1\r\n\r\n".to_owned(),
        "GET http://a/hello HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\n\r\n".to_owned(),
        "GET /hello HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        "GET /hello HTTP/1.0\r\nHost: a b\r\n\r\n".to_owned(),
    ] {
        refused(&fixture, missing, &[400]);
    }
    let (reply, _) = ask(&fixture, "GET /hello HTTP/1.0\r\n\r\n");
    reply.expect(200);
}

#[test]
fn item_10_only_space_and_tab_are_white_space_and_lines_end_with_crlf() {
    let fixture = Fixture::new();
    let get = |lines: &str| format!("GET /hello HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    for lines in [
        "X : y\r\n",
        "X\t: y\r\n",
        "X y: z\r\n",
        ": y\r\n",
        "X\r\n",
        "X(y): z\r\n",
        "X\u{e9}: y\r\n",
        "X: a\r\n folded\r\n",
        "X: a\r\n\tfolded\r\n",
        "X: a\rb\r\n",
        "X: a\u{0}b\r\n",
        "X\u{0}: a\r\n",
        "X: a\nY: b\r\n",
        "X: a\u{b}\r\n",
        "X: a\u{c}b\r\n",
        "X: \u{7f}\r\n",
        "X: a\u{8}\r\n",
        "X: a\u{1b}[0m\r\n",
        "X: a\r\r\n",
        "\rX: a\r\n",
        "X:\u{b}a\r\n",
        "{X}: a\r\n",
        "X: a\r\nY\r\n",
    ] {
        refused(&fixture, get(lines), &[400]);
    }
    for whole in [
        "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n",
        "GET /hello HTTP/1.1\nHost: a\n\n",
        "GET /hello HTTP/1.1\r\nHost: a\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\n\n",
        "GET /hello HTTP/1.1\rHost: a\r\n\r\n",
        "GET /hel\u{0}lo HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\u{b}/hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/hello\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hello HTTP/1.1 \r\nHost: a\r\n\r\n",
        " GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "G\u{0}T /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "G@T /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{feff}GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        refused(&fixture, whole, &[400]);
    }
    for lines in ["X:y\r\n", "X: \t y \t\r\n", "X:\r\n", "X: a\tb c\r\n", "X: \u{e9}\u{a0}\r\n"] {
        understood(&fixture, get(lines), 200);
    }
}

#[test]
fn item_11_the_four_forms_of_the_target_and_nothing_else() {
    let fixture = Fixture::new();
    for (target, seen) in [
        ("http://b/mirror", "GET /mirror - b \n"),
        ("HTTP://b:81/mirror?x=/y?", "GET /mirror x=/y? b:81 \n"),
        ("http://[::1]:81/mirror?", "GET /mirror  [::1]:81 \n"),
        ("/mirror?a=b&c=%20", "GET /mirror a=b&c=%20 a \n"),
        ("/mirror", "GET /mirror - a \n"),
    ] {
        let reply = understood(&fixture, with(&format!("GET {target}"), ""), 200);
        assert!(reply.text().starts_with(seen), "{target}: {:?}", reply.text());
    }
    for target in [
        "*",
        "hello",
        "hello/x",
        "",
        "/a#b",
        "/#",
        "/\u{1}",
        "/\u{7f}",
        "/\u{e9}",
        "/a\u{b}b",
        "a:80",
        "http:///hello",
        "http://",
        "http:hello",
        "http://u:p@a/hello",
        "http://a b/",
        "http://a:x/",
        "?x",
        "../hello",
        "\\hello",
        "http://a/#f",
    ] {
        refused(&fixture, with(&format!("GET {target}"), ""), &[400]);
    }
    let (reply, _) = ask(&fixture, with("OPTIONS *", ""));
    assert!(matches!(reply.status, 200 | 204), "{}", reply.status);
    for line in ["POST *", "DELETE *", "CONNECT *", "CONNECT /hello", "CONNECT http://a/"] {
        refused(&fixture, with(line, ""), &[400]);
    }
    // No tunnel was opened, so the connection speaks HTTP as before.
    understood(&fixture, with("CONNECT a:80", ""), 501);
}

#[test]
fn item_12_versions_are_case_sensitive_with_single_digits() {
    let fixture = Fixture::new();
    let get = |version: &str| format!("GET /hello {version}\r\nHost: a\r\n\r\n");
    for version in [
        "http/1.1",
        "Http/1.1",
        "HTTP/1.10",
        "HTTP/01.1",
        "HTTP/11",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/1.1x",
        "HTTP/1,1",
        "HTTP/a.b",
        "HTTP 1.1",
        "HTTPS/1.1",
        "HTTP//1.1",
        "HTTP/-1.1",
        "HTTP/+1.1",
        "HTTP/1.1 x",
        "X/1.1",
        "HTTP/",
        "HTTP/1.\u{661}",
        "HTTP/21.1",
    ] {
        refused(&fixture, get(version), &[400]);
    }
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/0.9", "HTTP/0.0", "HTTP/2.1"] {
        refused(&fixture, get(version), &[505]);
    }
    // What an HTTP/2 client with prior knowledge begins with.
    refused(&fixture, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 505]);
    // HTTP/0.9 is gone.
    refused(&fixture, "GET /hello\r\n", &[400]);
    // An unknown minor version acts as 1.1: Host needed, the connection kept.
    for version in ["HTTP/1.1", "HTTP/1.2", "HTTP/1.9"] {
        understood(&fixture, get(version), 200);
        refused(&fixture, format!("GET /hello {version}\r\n\r\n"), &[400]);
        let reply =
            understood(&fixture, format!("GET /stream/9 {version}\r\nHost: a\r\n\r\n"), 200);
        assert_eq!(reply.framing, Framing::Chunked);
    }
}

#[test]
fn item_12_http_1_0_closes_unless_asked_to_keep() {
    let fixture = Fixture::new();
    let (reply, mut client) = ask(&fixture, "GET /hello HTTP/1.0\r\n\r\n");
    assert_eq!(reply.text(), "Hello, World!");
    assert!(reply.closes());
    client.expect_closed();
    // RFC 9112 section 9.3: kept if both say so.
    let keep = "GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    let (reply, mut client) = ask(&fixture, keep);
    assert_eq!(reply.get("connection").map(str::to_ascii_lowercase).as_deref(), Some("keep-alive"));
    client.send("GET /hello HTTP/1.0\r\n\r\n");
    assert!(client.last_reply().closes());
    // A stream of unknown length ends with the connection, kept or not.
    let stream = "GET /stream/70000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let (reply, _) = ask(&fixture, stream);
    assert_eq!(reply.framing, Framing::UntilClose);
    expect_pattern(&reply.body, 70_000);
    // A body with a length is one in 1.0, too.
    let (reply, _) = ask(&fixture, "POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(reply.text(), "hello");
}

#[test]
fn item_13_each_limit_has_its_status_and_strikes_before_the_end() {
    let fixture = Fixture::new();
    // RFC 9112 section 3: 8,000 octets of request line at least.
    let path =
        |line: usize| format!("/mirror/{}", "x".repeat(line - "GET /mirror/ HTTP/1.1".len()));
    let line = format!("GET {}", path(8000));
    understood(&fixture, with(&line, ""), 200);
    let limit = Limits::default();
    let unfinished = |bytes: String, status: u16| {
        let mut client = fixture.client();
        client.send(bytes);
        client.last_reply().expect(status);
    };
    unfinished(format!("GET /{}", "x".repeat(limit.target_max + 100)), 414);
    let fields = format!("X-Long: {}", "v".repeat(limit.head_max + 100));
    unfinished(format!("GET /hello HTTP/1.1\r\nHost: a\r\n{fields}"), 431);
    unfinished(format!("GET /hello HTTP/1.1\r\nHost: a\r\n{}", "X: y\r\n".repeat(150)), 431);
    unfinished(format!("GET /hello HTTP/1.1\r\nHost: a\r\n{}", "N".repeat(limit.head_max)), 431);
    ask(&fixture, with("POST /small", "Content-Length: 11\r\n")).0.expect(413);
    unfinished(with("POST /echo", "Content-Length: 18446744073709551615\r\n"), 413);
    unfinished(with("POST /small", "Transfer-Encoding: chunked\r\n") + "b\r\nhello hello", 413);
    // A method longer than any is no reason to read on.
    let mut client = fixture.client();
    client.try_send("M".repeat(limit.head_max + 100)).ok();
    let reply = client.last_reply();
    assert!(matches!(reply.status, 400 | 414 | 431 | 501), "{}", reply.status);
}

#[test]
fn item_13_what_is_just_within_the_limits_works() {
    let limits = Limits { head_max: 4096, target_max: 100, headers_max: 8, ..Limits::default() };
    let fixture = Fixture::with(Config { limits, ..Config::default() });
    let target = |len: usize| format!("GET /mirror/{}", "x".repeat(len - "/mirror/".len()));
    understood(&fixture, with(&target(100), ""), 200);
    refused(&fixture, with(&target(101), ""), &[414]);
    understood(&fixture, with("GET /hello", &"X: y\r\n".repeat(7)), 200);
    refused(&fixture, with("GET /hello", &"X: y\r\n".repeat(8)), &[431]);
    let empty = with("GET /hello", "X: \r\n").len();
    let filled = |len: usize| with("GET /hello", &format!("X: {}\r\n", "v".repeat(len - empty)));
    understood(&fixture, filled(4096), 200);
    refused(&fixture, filled(4097), &[431]);
    understood(&fixture, with("POST /small", "Content-Length: 10\r\n") + "0123456789", 200);
    // The rest is short: it may be read away, and the connection kept.
    ask(&fixture, with("POST /small", "Content-Length: 11\r\n")).0.expect(413);
}
