//! The two things that most of these tests say: refused, and understood.

use crate::support::{Client, Fixture, Reply};

/// A request that is fine, to see whether the connection is in step.
pub(crate) const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

/// The method a request begins with, as far as its reply's framing goes.
fn method(request: &[u8]) -> &'static str {
    if request.starts_with(b"HEAD ") { "HEAD" } else { "GET" }
}

/// Sends a request that breaks the rules, and a good one behind it: there is one
/// complete answer with one of these statuses, which announces the end; then the
/// end, in order. Whole, and byte by byte.
#[track_caller]
pub(crate) fn refused(fixture: &Fixture, request: impl AsRef<[u8]>, statuses: &[u16]) -> Reply {
    let request = request.as_ref();
    let mut bytes = request.to_vec();
    bytes.extend_from_slice(HELLO.as_bytes());
    let whole = refused_in(fixture, &bytes, bytes.len(), statuses);
    if bytes.len() < 600 {
        let pieces = refused_in(fixture, &bytes, 1, statuses);
        assert_eq!(whole.status, pieces.status, "whole and in pieces");
    }
    whole
}

#[track_caller]
fn refused_in(fixture: &Fixture, bytes: &[u8], size: usize, statuses: &[u16]) -> Reply {
    let shown = bytes[..bytes.len().min(300)].escape_ascii().to_string();
    let mut client = fixture.client();
    for piece in bytes.chunks(size) {
        // The server may have said its last word already.
        if client.try_send(piece).is_err() {
            break;
        }
    }
    let reply = match client.try_reply_to(method(bytes)) {
        Ok(reply) => reply,
        Err((ending, part)) => {
            panic!("{ending:?} instead of a reply, after {part:?}, to {shown}");
        }
    };
    assert!(
        statuses.contains(&reply.status),
        "{} instead of {statuses:?} to {shown}",
        reply.status
    );
    assert!(reply.closes(), "no `Connection: close` in the {} to {shown}", reply.status);
    assert!(reply.body.len() < 1024, "{} bytes of content to {shown}", reply.body.len());
    let (rest, ending) = client.rest();
    assert!(rest.is_empty(), "{} after the answer to {shown}", rest.escape_ascii());
    assert_eq!(ending, crate::support::Ending::Eof, "to {shown}");
    reply
}

/// Sends a request with a good one behind it: both are answered, so its end was
/// found where it is. Whole, and byte by byte.
#[track_caller]
pub(crate) fn understood(fixture: &Fixture, request: impl AsRef<[u8]>, status: u16) -> Reply {
    let request = request.as_ref();
    let mut bytes = request.to_vec();
    bytes.extend_from_slice(HELLO.as_bytes());
    if bytes.len() < 600 {
        understood_in(fixture, &bytes, 1, status);
    }
    understood_in(fixture, &bytes, bytes.len(), status)
}

#[track_caller]
fn understood_in(fixture: &Fixture, bytes: &[u8], size: usize, status: u16) -> Reply {
    let shown = bytes[..bytes.len().min(300)].escape_ascii().to_string();
    let mut client = fixture.client();
    for piece in bytes.chunks(size) {
        if client.try_send(piece).is_err() {
            break;
        }
    }
    let reply = match client.try_reply_to(method(bytes)) {
        Ok(reply) => reply,
        Err((ending, part)) => {
            panic!("{ending:?} instead of a reply, after {part:?}, to {shown}");
        }
    };
    let body = reply.body.escape_ascii().to_string();
    assert_eq!(reply.status, status, "to {shown}: {body}");
    assert!(!reply.closes(), "`Connection: close` to {shown}");
    match client.try_reply_to("GET") {
        Ok(next) => assert_eq!(next.text(), "Hello, World!", "behind {shown}"),
        Err((ending, _)) => panic!("{ending:?} instead of the second reply, behind {shown}"),
    }
    reply
}

/// One request on a connection of its own, which stays open for more.
#[track_caller]
pub(crate) fn ask(fixture: &Fixture, request: impl AsRef<[u8]>) -> (Reply, Client) {
    let request = request.as_ref();
    let mut client = fixture.client();
    client.send(request);
    let reply = client.reply_to(method(request));
    (reply, client)
}

/// A chunked POST.
pub(crate) fn chunked(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

/// A request with these lines after its `Host`.
pub(crate) fn with(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}
