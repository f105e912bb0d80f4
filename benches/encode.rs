//! How long a request and its response take in the protocol, without sockets,
//! beside the least that others would do: `httparse` and a `write!`.
//!
//! `cargo bench --bench encode`. Each number is the best of many rounds, since
//! whatever else the machine does only ever adds. The other side checks no
//! framing, keeps no state and copies no head; its date is a constant.

use onepoll::Limits;
use onepoll::http::{Body, ContentType, Request, Response};
use onepoll::proto::{Cycle, Event, Framed, Http1, Preamble};
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

const GET: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n";
const CONTENT: &[u8] = b"Hello, World!";
/// Sunday, 6 November 1994: the date of RFC 9110's examples.
const THEN: u64 = 784_111_777;
const PER_ROUND: u32 = 2_000;
const ROUNDS: u32 = 500;

fn main() {
    let plain = Response::default().content(ContentType::TEXT, Body::Static(CONTENT));
    let fields = Response::default()
        .header("Cache-Control", "no-cache")
        .header("ETag", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\"")
        .header("X-Content-Type-Options", "nosniff")
        .content(ContentType::HTML, Body::Static(CONTENT));
    println!("{:<10}{:>12}{:>12}{:>8}", "response", "onepoll", "write!", "ratio");
    for (name, response) in [("plain", &plain), ("3 fields", &fields)] {
        assert_eq!(ours(response, 1).len(), theirs(response, 1).len(), "the same bytes");
        let (mut best, mut peer) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            best = best.min(nanoseconds(|| drop(ours(response, PER_ROUND))));
            peer = peer.min(nanoseconds(|| drop(theirs(response, PER_ROUND))));
        }
        println!("{name:<10}{best:>9.1} ns{peer:>9.1} ns{:>8.2}", best / peer);
    }
}

fn nanoseconds(round: impl FnOnce()) -> f64 {
    let start = Instant::now();
    round();
    start.elapsed().as_nanos() as f64 / f64::from(PER_ROUND)
}

/// The last response's bytes, so that both sides can be compared.
fn ours(response: &Response, times: u32) -> Vec<u8> {
    let (limits, mut preamble) = (Limits::default(), Preamble::new(Some("onepoll")));
    let (mut http, mut request, mut out) = (Http1::new(), Request::default(), Vec::new());
    preamble.refresh(THEN);
    for _ in 0..times {
        out.clear();
        let received = http.receive(&limits, black_box(GET), &mut request);
        assert_eq!(received, Ok((GET.len(), Event::Head)));
        let framed = http.respond(black_box(response), &preamble, &mut out);
        assert_eq!(framed, Framed::Length(CONTENT.len() as u64));
        assert!(http.frame(CONTENT.len(), &mut out));
        out.extend_from_slice(CONTENT);
        assert!(http.finish(&mut out));
        assert_eq!(http.next_cycle(), Cycle::Next);
        black_box(&out);
    }
    out
}

fn theirs(response: &Response, times: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut fields);
        let parsed = request.parse(black_box(GET));
        assert!(matches!(parsed, Ok(httparse::Status::Complete(_))));
        let response = black_box(response);
        let written = write_head(response, &mut out);
        written.expect("a Vec takes all");
        out.extend_from_slice(CONTENT);
        black_box(&out);
    }
    out
}

fn write_head(response: &Response, out: &mut Vec<u8>) -> std::io::Result<()> {
    let content_type = response.content_type().map_or("", |media| media.as_str());
    write!(out, "HTTP/1.1 {}\r\nServer: onepoll\r\n", response.status())?;
    write!(out, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: {content_type}\r\n")?;
    for (name, value) in response.headers().iter() {
        write!(out, "{name}: ")?;
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    write!(out, "Content-Length: {}\r\n\r\n", CONTENT.len())
}
