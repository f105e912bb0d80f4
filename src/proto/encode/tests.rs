//! Heads as tables, and the lines between chunks.

use super::*;
use crate::http::{Body, ContentType};

fn preamble() -> Preamble {
    let mut preamble = Preamble::new(Some("test"));
    preamble.refresh(784_111_777);
    preamble
}

fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap()
}

fn written(response: &Response, content: Content, persistence: Persistence) -> String {
    let mut out = Vec::new();
    head(response, &preamble(), content, persistence, &mut out);
    text(out)
}

const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

#[test]
fn a_head_has_its_lines_in_order() {
    let response = Response::default().header("X-A", "1").text("hello").header("X-B", "2");
    assert_eq!(
        written(&response, Content::Length(5), Persistence::Assumed),
        format!(
            "HTTP/1.1 200 OK\r\nServer: test\r\n{DATE}\
             Content-Type: text/plain; charset=utf-8\r\nX-A: 1\r\nX-B: 2\r\n\
             Content-Length: 5\r\n\r\n"
        )
    );
}

#[test]
fn status_lines() {
    for (code, line) in [
        (200, "HTTP/1.1 200 OK\r\n"),
        (404, "HTTP/1.1 404 Not Found\r\n"),
        (299, "HTTP/1.1 299 \r\n"),
        (999, "HTTP/1.1 999 \r\n"),
    ] {
        let response = Response::new(Status::new(code).unwrap());
        let head = written(&response, Content::Length(0), Persistence::Assumed);
        let rest = format!("Server: test\r\n{DATE}Content-Length: 0\r\n\r\n");
        assert_eq!(head, format!("{line}{rest}"));
    }
}

#[test]
fn framing_lines() {
    use super::{Content as C, Persistence as P};
    let table = [
        (C::Length(0), P::Assumed, "Content-Length: 0\r\n\r\n"),
        (C::Length(10), P::Close, "Content-Length: 10\r\nConnection: close\r\n\r\n"),
        (C::Length(7), P::KeepAlive, "Content-Length: 7\r\nConnection: keep-alive\r\n\r\n"),
        (C::Length(u64::MAX), P::Assumed, "Content-Length: 18446744073709551615\r\n\r\n"),
        (C::Chunked, P::Assumed, "Transfer-Encoding: chunked\r\n\r\n"),
        (C::Chunked, P::Close, "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"),
        (C::Unsaid, P::Assumed, "\r\n"),
        (C::Unsaid, P::Close, "Connection: close\r\n\r\n"),
    ];
    for (content, persistence, lines) in table {
        let head = written(&Response::default(), content, persistence);
        assert_eq!(head, format!("HTTP/1.1 200 OK\r\nServer: test\r\n{DATE}{lines}"));
    }
}

#[test]
fn an_upgrade_field_is_named_in_connection() {
    let response = Response::new(Status::UPGRADE_REQUIRED).header("upgrade", "TLS/1.0");
    for (persistence, line) in [
        (Persistence::Assumed, "\r\nConnection: upgrade\r\n\r\n"),
        (Persistence::KeepAlive, "\r\nConnection: keep-alive, upgrade\r\n\r\n"),
        (Persistence::Close, "\r\nConnection: close, upgrade\r\n\r\n"),
    ] {
        assert!(written(&response, Content::Length(0), persistence).ends_with(line));
    }
}

#[test]
fn the_response_s_own_server_and_date_take_the_place_of_ours() {
    let own = |name: &str| {
        let response = Response::default().header(name, "own");
        written(&response, Content::Unsaid, Persistence::Assumed)
    };
    assert_eq!(own("SERVER"), format!("HTTP/1.1 200 OK\r\n{DATE}SERVER: own\r\n\r\n"));
    assert_eq!(own("date"), "HTTP/1.1 200 OK\r\nServer: test\r\ndate: own\r\n\r\n");
    let both = Response::default().header("Server", "own").header("Date", "own");
    let head = written(&both, Content::Unsaid, Persistence::Assumed);
    assert_eq!(head, "HTTP/1.1 200 OK\r\nServer: own\r\nDate: own\r\n\r\n");
}

#[test]
fn the_preamble_follows_the_second() {
    let head = |preamble: &Preamble| {
        let mut out = Vec::new();
        let response = Response::default();
        super::head(&response, preamble, Content::Unsaid, Persistence::Assumed, &mut out);
        text(out)
    };
    let mut preamble = Preamble::new(None);
    assert_eq!(head(&preamble), "HTTP/1.1 200 OK\r\n\r\n");
    preamble.refresh(0);
    let first = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";
    assert_eq!(head(&preamble), first);
    preamble.refresh(0);
    assert_eq!(head(&preamble), first);
    preamble.refresh(61);
    assert_eq!(head(&preamble), first.replace("00:00:00", "00:01:01"));
    // A clock that is set back is followed as well.
    preamble.refresh(1);
    assert_eq!(head(&preamble), first.replace("00:00:00", "00:00:01"));
    assert_eq!(head(&Preamble::new(Some("a\r\nX: b"))), "HTTP/1.1 200 OK\r\n\r\n");
}

#[test]
fn a_refusal_is_complete() {
    let mut out = Vec::new();
    refusal(Status::REQUEST_TIMEOUT, "", &preamble(), false, &mut out);
    let head = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n\
                Connection: close\r\n\r\n";
    let timeout = format!("HTTP/1.1 408 Request Timeout\r\nServer: test\r\n{DATE}{head}");
    assert_eq!(text(out), format!("{timeout}Request Timeout\n"));
    let mut out = Vec::new();
    refusal(Status::REQUEST_TIMEOUT, "", &preamble(), true, &mut out);
    assert_eq!(text(out), timeout);
    let mut out = Vec::new();
    refusal(Status::SERVICE_UNAVAILABLE, "", &preamble(), false, &mut out);
    assert!(text(out).contains("\r\nRetry-After: 2\r\n"));
    let mut out = Vec::new();
    refusal(Status::new(499).unwrap(), "", &preamble(), false, &mut out);
    let out = text(out);
    assert!(
        out.starts_with("HTTP/1.1 499 \r\n")
            && out.ends_with("Length: 1\r\nConnection: close\r\n\r\n\n")
    );
}

#[test]
fn interim_responses_are_a_line_and_an_empty_one() {
    let mut out = Vec::new();
    interim(Status::CONTINUE, &mut out);
    interim(Status::new(110).unwrap(), &mut out);
    assert_eq!(text(out), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 110 \r\n\r\n");
}

#[test]
fn chunks_are_framed() {
    let table: &[(&[usize], &str)] = &[
        (&[], "0\r\n\r\n"),
        (&[1], "1\r\n*\r\n0\r\n\r\n"),
        (&[9, 10, 15, 16], "9\r\n*\r\na\r\n*\r\nf\r\n*\r\n10\r\n*\r\n0\r\n\r\n"),
        (&[0x1234_abcd], "1234abcd\r\n*\r\n0\r\n\r\n"),
        (&[usize::MAX], "ffffffffffffffff\r\n*\r\n0\r\n\r\n"),
    ];
    for (pieces, wire) in table {
        let (mut encoder, mut out) = (Encoder::Chunked { begun: false }, Vec::new());
        for &len in *pieces {
            assert!(encoder.frame(len, &mut out));
            out.push(b'*'); // stands for the content
        }
        assert!(encoder.finish(&mut out));
        assert_eq!(text(out), *wire);
    }
}

#[test]
fn a_declared_length_is_kept() {
    let (mut encoder, mut out) = (Encoder::Length(10), Vec::new());
    assert!(encoder.frame(4, &mut out));
    assert!(!encoder.finish(&mut out), "six are missing");
    assert!(!encoder.frame(7, &mut out), "one too many");
    assert!(encoder.frame(6, &mut out));
    assert!(encoder.finish(&mut out));
    assert!(!encoder.frame(1, &mut out));
    assert_eq!(out, b"", "nothing is written around content with a length");
}

#[test]
fn numbers_have_no_leading_zero() {
    let mut n = 1u64;
    for _ in 0..20 {
        for n in [n - 1, n, n.saturating_add(1)] {
            let mut out = Vec::new();
            length(n, false, &mut out);
            length(n, true, &mut out);
            let line = format!("Content-Length: {n}\r\n");
            assert_eq!(text(out), format!("{line}{line}\r\n"));
        }
        n = n.saturating_mul(10);
    }
    for bits in 0..usize::BITS {
        for n in [(1usize << bits) - 1, 1 << bits] {
            let mut out = Vec::new();
            hexadecimal(n, &mut out);
            assert_eq!(text(out), format!("{n:x}\r\n"));
        }
    }
}

#[test]
fn any_media_type_fits() {
    let long = "x".repeat(1024);
    let response =
        Response::default().content(ContentType::new(long.clone()).unwrap(), Body::Static(b"x"));
    let head = written(&response, Content::Length(1), Persistence::Assumed);
    assert!(head.contains(&format!("\r\nContent-Type: {long}\r\nContent-Length: 1\r\n\r\n")));
}

/// All digits of short numbers, and where a short number becomes a long one.
#[test]
fn content_lengths() {
    for n in (0..10_100).chain([99_999, 100_000, u64::from(u32::MAX), u64::MAX]) {
        let mut out = b"before".to_vec();
        length(n, true, &mut out);
        assert_eq!(text(out), format!("beforeContent-Length: {n}\r\n\r\n"));
        let mut out = Vec::new();
        length(n, false, &mut out);
        assert_eq!(text(out), format!("Content-Length: {n}\r\n"));
    }
}
