//! The shortest way out is the long way, in one call: byte by byte, field by
//! field, wherever a connection can be.

use super::*;
use crate::http::{ContentType, FileSpan, Method};
use std::sync::Arc;

const READS: [Read; 4] = [Read::Head, Read::Body, Read::Done, Read::Closed];
const WRITES: [Write; 5] = [Write::Idle, Write::Owed, Write::Body, Write::Done, Write::Closed];
const MAX: usize = 4096;

/// Where a connection can be, and more: every combination of what is asked of.
#[derive(Clone, Copy, Debug)]
struct Place {
    state: State,
    asked: Asked,
    waits: bool,
    /// The last response's.
    encoder: Encoder,
}

fn places() -> Vec<Place> {
    let mut places = Vec::new();
    let states = READS.into_iter().flat_map(|read| {
        let states = WRITES.into_iter().map(move |write| State { read, write, keep: true });
        states.flat_map(|state| [state, State { keep: false, ..state }])
    });
    for state in states {
        for method in [Method::GET, Method::POST, Method::HEAD, Method::CONNECT] {
            for version in [Version::Http10, Version::Http11] {
                let mut request = Request::new(method.clone(), "/");
                request.version = version;
                for (upgrade, waits) in [(false, false), (true, false), (false, true)] {
                    let asked = Asked::of(&request, upgrade);
                    let encoder = Encoder::Chunked { begun: true };
                    places.push(Place { state, asked, waits, encoder });
                }
            }
        }
    }
    places
}

impl Place {
    fn http(self) -> Http1 {
        let Place { state, asked, waits, encoder } = self;
        Http1 { state, asked, waits, encoder, discard_left: 7, ..Http1::new() }
    }
}

/// All that a connection remembers but the encoder, which is set by each
/// response before it is asked.
fn remembered(http: &Http1) -> String {
    let Http1 { decoder, encoder: _, head, discard_left, state, asked, waits, ending } = http;
    format!("{decoder:?} {head:?} {discard_left} {state} {asked:?} {waits} {ending:?}")
}

fn responses() -> Vec<Response> {
    let codes = [100, 101, 200, 201, 204, 205, 206, 299, 304, 404, 426, 500, 999];
    let mut all: Vec<Response> = codes
        .into_iter()
        .flat_map(|code| {
            let status = Status::new(code).unwrap();
            let full = Response::new(status).body(Body::Static(b"hello"));
            let typed = Response::new(status).text("hello").header("X-A", "1");
            [Response::new(status), full, Response::new(status).html(""), typed]
        })
        .collect();
    for len in [0, 1, 9, 10, 99, 100, 999, 1000, MAX - 1, MAX, MAX + 1] {
        all.push(Response::default().text("x".repeat(len)));
        all.push(Response::default().body(Body::Shared(Arc::from(vec![b'x'; len]))));
    }
    for field in ["Server", "Date", "Upgrade", "Vary"] {
        all.push(text().header(field, "x"));
        all.push(text().content(ContentType::JSON, Body::Static(b"{}")).header(field, "x"));
    }
    let mut closing = text();
    closing.close();
    let file = Arc::new(std::fs::File::open("/dev/null").unwrap().into());
    all.push(Response::default().body(Body::File(FileSpan { file, offset: 0, len: 3 })));
    all.extend([closing, stream(None), stream(Some(5)), switch(Status::OK)]);
    all.push(switch(Status::SWITCHING_PROTOCOLS).header("Upgrade", "x"));
    all
}

/// The long way.
fn by_steps(http: &mut Http1, response: &Response, preamble: &Preamble) -> (Vec<u8>, Cycle) {
    let mut out = Vec::new();
    let content = response.body_ref().bytes().unwrap();
    match http.respond(response, preamble, &mut out) {
        Framed::Nothing => {}
        framed => {
            assert_eq!(framed, Framed::Length(content.len() as u64), "{response:?}");
            assert!(http.frame(content.len(), &mut out));
            out.extend_from_slice(content);
            assert!(http.finish(&mut out));
        }
    }
    (out, http.next_cycle())
}

#[test]
fn one_call_is_all_the_steps() {
    let responses = responses();
    let mut preamble = Preamble::new(Some("test"));
    preamble.refresh(784_111_777);
    let mut ordinary = Vec::new();
    for place in places() {
        let mut whole = 0;
        for response in &responses {
            let what = format!("{place:?} {response:?}");
            let (mut http, mut out) = (place.http(), Vec::new());
            if !http.respond_whole(response, MAX, &mut preamble, &mut out) {
                assert_eq!(format!("{http:?}"), format!("{:?}", place.http()), "{what}");
                assert!(out.is_empty(), "{what}");
                continue;
            }
            whole += 1;
            let mut other = place.http();
            let (bytes, cycle) = by_steps(&mut other, response, &preamble);
            assert_eq!(out.escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{what}");
            assert_eq!(cycle, Cycle::Next, "{what}");
            assert_eq!(remembered(&http), remembered(&other), "{what}");
        }
        if whole > 0 {
            assert!(whole > responses.len() / 2, "{place:?}: {whole} only");
            ordinary.push(place);
        }
    }
    // GET or POST, each with or without the offer of another protocol.
    assert_eq!(ordinary.len(), 4, "{ordinary:?}");
}

/// What is kept ready from one reply to the next has the date of its second, and
/// the media type of its response.
#[test]
fn no_reply_has_the_head_of_another() {
    let mut preamble = Preamble::new(Some("test"));
    let types = ["", "a/b", "c/d", "text/plain", "text/html; charset=utf-8", "application/json"];
    for (second, text) in [(1, "00:00:01"), (2, "00:00:02"), (86_403, "00:00:03")] {
        preamble.refresh(second);
        for media in types.into_iter().chain(types) {
            for media in [ContentType::new(media), ContentType::new(media.to_owned())] {
                let response = Response::default().content(media.unwrap(), Body::Static(b"x"));
                let (mut http, mut out) = (Peer::sent(GET).http, Vec::new());
                assert!(http.respond_whole(&response, MAX, &mut preamble, &mut out));
                let (bytes, _) = by_steps(&mut Peer::sent(GET).http, &response, &preamble);
                let (out, bytes) = (out.escape_ascii().to_string(), bytes.escape_ascii());
                assert_eq!(out, bytes.to_string());
                assert!(out.contains(text), "{out}");
            }
        }
    }
}

#[test]
fn it_is_taken_where_nearly_every_request_is() {
    for input in [GET, POST_5, POST_CHUNKED, UPGRADE] {
        let mut peer = Peer::sent(input);
        let take = |peer: &mut Peer| {
            peer.http.respond_whole(&text(), MAX, &mut peer.preamble, &mut peer.out)
        };
        if input.starts_with("POST") {
            assert!(!take(&mut peer), "{input:?}: the content is still to come");
            peer.send(if input == POST_5 { "12345" } else { "0\r\n\r\n" });
            while peer.event() != Event::End {}
        }
        assert!(take(&mut peer), "{input:?}");
        assert_eq!(peer.out(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        assert!(!take(&mut peer), "{input:?}: there is no request");
        peer.send(HEAD);
        assert_eq!(peer.event(), Event::Head);
        assert!(!take(&mut peer), "HEAD has no content");
    }
}

/// A whole head in one call is what `receive_part` makes of it; where there is
/// none, nothing has happened, and `receive_part` may follow.
#[test]
fn a_head_in_one_call_is_the_same_head() {
    let limits = Limits::default();
    let closing = "GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET";
    let mut taken = 0;
    for input in
        [GET, HEAD, POST_5, POST_CHUNKED, UPGRADE, POST_EXPECT, closing, GET_10_KEEP, "GET / x\r\n"]
    {
        for len in 0..=input.len() {
            let input = &input.as_bytes()[..len];
            for (last, begun) in [(false, false), (true, false), (false, true)] {
                let mut peer = Peer::new();
                if last {
                    peer.http.close_after();
                }
                if begun && len > 1 {
                    let first = peer.http.receive_part(&limits, &input[..1], &mut peer.request);
                    assert_eq!(first.unwrap(), (0, Event::NeedMore));
                }
                let before = format!("{:?}", peer.http);
                let behind = peer.http.receive_whole(&limits, input, &mut peer.request);
                let used = behind.map(|behind| input.len() - behind.len());
                let what = format!("{} {before} {used:?}", input.escape_ascii());
                let Some(used) = used else {
                    assert_eq!(format!("{:?}", peer.http), before, "{what}");
                    continue;
                };
                taken += 1;
                let mut other = Peer::new();
                if last {
                    other.http.close_after();
                }
                let part = other.http.receive_part(&limits, input, &mut other.request);
                assert_eq!(part.unwrap(), (used, Event::Head), "{what}");
                assert_eq!(format!("{:?}", peer.http), format!("{:?}", other.http), "{what}");
                assert_eq!(format!("{:?}", peer.request), format!("{:?}", other.request), "{what}");
            }
        }
    }
    assert!(taken >= 7, "{taken}");
    let mut peer = Peer::sent(GET);
    let behind = peer.http.receive_whole(&limits, GET.as_bytes(), &mut peer.request);
    assert_eq!((behind, peer.state()), (None, "Done/Owed+keep".to_owned()), "it is not its turn");
}
