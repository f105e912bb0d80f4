//! Connections with chunked content: any cutting gives the same, content is
//! what a plain reading of the grammar says, and what we encode we decode.

#![no_main]

use libfuzzer_sys::fuzz_target;
use onepoll::Limits;
use onepoll::http::{Body, ContentType, Pull, Request, Response, Source};
use onepoll::proto::{Event, Framed, Http1, Preamble};
use onepoll_fuzz::{Record, Reply, cuttings, feed};
use std::io;

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

fuzz_target!(|data: &[u8]| {
    let [flags, seed, body @ ..] = data else { return };
    let limits = match flags & 1 {
        0 => Limits::default(),
        _ => Limits {
            chunk_ext_max: 20,
            trailers_max: 40,
            headers_max: 3,
            discard_max: 30,
            ..Limits::default()
        },
    };
    let reply = if flags & 2 == 0 { Reply::Late } else { Reply::Early };
    let input = [HEAD, body].concat();
    let whole = feed(&limits, &input, reply, &[]);
    for cuts in cuttings(input.len(), *seed) {
        assert_eq!(feed(&limits, &input, reply, &cuts), whole, "{cuts:?}");
    }
    if reply == Reply::Late {
        compare(body, &whole);
    }
    round_trip(body, usize::from(*seed) + 1);
});

/// Complete content is just what the chunks hold.
fn compare(body: &[u8], record: &Record) {
    let first = record.requests.first().expect("the head is good");
    if first.complete {
        assert_eq!(plain(body).as_ref(), Some(&first.content));
    }
}

/// RFC 9112 section 7.1, without limits, hurry or suspicion.
fn plain(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&line[..digits]).ok()?.trim_start_matches('0');
        let size = match size {
            "" if digits > 0 => return Some(content),
            size => usize::from_str_radix(size, 16).ok()?,
        };
        content.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

struct Nothing;

impl Source for Nothing {
    fn pull(&mut self, _: &mut Vec<u8>, _: usize) -> io::Result<Pull> {
        Ok(Pull::End)
    }
}

/// Content that goes out in pieces of that size comes back whole.
fn round_trip(content: &[u8], piece: usize) {
    let (mut http, mut request) = (Http1::new(), Request::default());
    let limits = Limits::default();
    let get = http.receive(&limits, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", &mut request);
    assert!(matches!(get, Ok((_, Event::Head))));
    let body = Body::Inline(Box::new(Nothing), None);
    let response = Response::default().content(ContentType::BYTES, body);
    let mut out = Vec::new();
    assert_eq!(http.respond(&response, &Preamble::new(None), &mut out), Framed::Chunked);
    let start = out.len();
    for piece in content.chunks(piece) {
        assert!(http.frame(piece.len(), &mut out));
        out.extend_from_slice(piece);
    }
    assert!(http.finish(&mut out));
    let back = feed(&limits, &[HEAD, &out[start..]].concat(), Reply::Late, &[]);
    let first = back.requests.first().expect("the head is good");
    assert!(first.complete && first.content == content, "{back:?}");
}
