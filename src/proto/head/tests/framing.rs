//! Body lengths, persistence, expectations: what a head says about what follows.

use super::*;

#[test]
fn lengths() {
    let max = u64::MAX;
    for (value, length) in [
        ("0", 0),
        ("1", 1),
        ("007", 7),
        ("5, 5", 5),
        ("5,5 ,\t5", 5),
        (" 9 ", 9),
        ("18446744073709551615", max),
    ] {
        let head = accept(with(&format!("Content-Length: {value}\r\n")));
        assert_eq!(head.length, Some(length));
        let body = if length == 0 { Length::None } else { Length::Exact(length) };
        assert_eq!(head.framing.body, body, "{value}");
    }
    assert_eq!(accept(with("content-length: 5\r\nCONTENT-LENGTH: 5\r\n")).length, Some(5));
    for bad in [
        "",
        "+5",
        "-5",
        "5 5",
        "5,",
        ",5",
        "5,,5",
        "5, 6",
        "0x5",
        "5.0",
        "5e1",
        "a",
        "1_0",
        "18446744073709551616",
        "99999999999999999999999999",
        "\u{ff15}",
        "5;a",
    ] {
        refuse(400, with(&format!("Content-Length: {bad}\r\n")));
    }
    refuse(400, with("Content-Length: 5\r\nContent-Length: 6\r\n"));
    refuse(400, with("Content-Length: 5\r\nContent-Length:\r\n"));
    refuse(400, with("Content-Length : 5\r\n"));
    assert_eq!(accept(with("")).length, None);
}

#[test]
fn transfer_codings() {
    for value in ["chunked", "Chunked", "CHUNKED ", ", chunked", "chunked,"] {
        let head = accept(with(&format!("Transfer-Encoding: {value}\r\n")));
        assert_eq!((head.framing.body, head.chunked), (Length::Chunked, true), "{value}");
    }
    let table = [
        (400, "Transfer-Encoding:\r\n"),
        (400, "Transfer-Encoding: ,\r\n"),
        (400, "Transfer-Encoding: identity\r\n"),
        (400, "Transfer-Encoding: gzip\r\n"),
        (400, "Transfer-Encoding: chunked, gzip\r\n"),
        (400, "Transfer-Encoding: chunked, chunked\r\n"),
        (400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        (400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        (400, "Transfer-Encoding: xchunked\r\n"),
        (400, "Transfer-Encoding: chunked;a=b\r\n"),
        (400, "Transfer-Encoding: \"chunked\"\r\n"),
        (400, "Transfer-Encoding: chunked chunked\r\n"),
        (400, "Transfer-Encoding : chunked\r\n"),
        (400, "Transfer-Encoding: \x0bchunked\r\n"),
        (501, "Transfer-Encoding: gzip, chunked\r\n"),
        (501, "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
        (501, "Transfer-Encoding: identity, chunked\r\n"),
        (400, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        (400, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        (400, "Content-Length: 0\r\nTransfer-Encoding: gzip, chunked\r\n"),
    ];
    for (status, fields) in table {
        refuse(status, with(fields));
    }
    refuse(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn persistence() {
    let table = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "connection: te,\tCLOSE\r\n", false),
        ("1.1", "Connection: a\r\nConnection: Close\r\n", false),
        ("1.1", "Connection: closed, xclose, close-not\r\n", true),
        ("1.1", "Proxy-Connection: close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "Connection: close, keep-alive\r\n", false),
        ("1.0", "Connection:\r\n", false),
    ];
    for (version, fields, keep) in table {
        let head = accept(format!("GET / HTTP/{version}\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!(head.framing.keep, keep, "{version} {fields}");
    }
}

#[test]
fn expectations_and_upgrades() {
    let length = "Content-Length: 5\r\n";
    let expects = |fields: &str| accept(with(fields)).framing.expect;
    assert!(expects(&format!("Expect: 100-Continue\r\n{length}")));
    assert!(expects(&format!("{length}EXPECT: 100-continue, 100-continue\r\n")));
    assert!(expects("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"));
    assert!(!expects("Expect: 100-continue\r\n"), "there is nothing to wait for");
    assert!(!expects(&format!("Expect:\r\n{length}")));
    refuse(417, with("Expect: 200-ok\r\n"));
    refuse(417, with("Expect: 100-continue, other\r\n"));
    refuse(417, with("Expect: 100-continue;q=1\r\n"));
    for expectation in ["100-continue", "other"] {
        let head = format!("POST / HTTP/1.0\r\nExpect: {expectation}\r\n{length}\r\n");
        assert!(!accept(head).framing.expect, "the field came with HTTP/1.1");
    }
    let upgrades = |fields: &str| accept(with(fields)).framing.upgrade;
    assert!(upgrades("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"));
    assert!(!upgrades("Connection: Upgrade\r\n"));
    assert!(!upgrades("Upgrade: websocket\r\n"));
    let old = "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert!(!accept(old).framing.upgrade);
}
