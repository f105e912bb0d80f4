//! Whole exchanges by hand, each way a connection can go, and random streams.

use super::*;
use crate::http::{Body, Source};

mod endings;
mod random;
mod whole;

/// A connection with everything that its owner has.
struct Peer {
    http: Http1,
    limits: Limits,
    preamble: Preamble,
    request: Request,
    input: Vec<u8>,
    out: Vec<u8>,
}

impl Peer {
    fn new() -> Peer {
        Peer {
            http: Http1::new(),
            limits: Limits { discard_max: 10, ..Limits::default() },
            preamble: Preamble::new(None),
            request: Request::default(),
            input: Vec::new(),
            out: Vec::new(),
        }
    }

    /// After this head, with content outstanding or not.
    fn sent(input: &str) -> Peer {
        let mut peer = Peer::new();
        peer.send(input);
        assert_eq!(peer.event(), Event::Head);
        peer
    }

    fn send(&mut self, input: &str) {
        self.input.extend_from_slice(input.as_bytes());
    }

    fn next(&mut self) -> Result<Event, Fault> {
        let (used, event) = self.http.receive(&self.limits, &self.input, &mut self.request)?;
        if let Event::Data(range) = &event {
            assert!(self.input.get(range.clone()).is_some() && range.end <= used);
        }
        self.input.drain(..used);
        Ok(event)
    }

    fn event(&mut self) -> Event {
        self.next().expect("no fault")
    }

    fn respond(&mut self, response: &Response) -> Framed {
        self.http.respond(response, &self.preamble, &mut self.out)
    }

    /// What was written since the last time.
    fn out(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out)).unwrap()
    }

    fn state(&self) -> String {
        self.http.state.to_string()
    }
}

/// Content of unknown length; nobody pulls it here.
struct Endless;

impl Source for Endless {
    fn pull(&mut self, _: &mut Vec<u8>, _: usize) -> std::io::Result<crate::http::Pull> {
        Ok(crate::http::Pull::Pending)
    }
}

fn stream(len: Option<u64>) -> Response {
    Response::default().body(Body::Inline(Box::new(Endless), len))
}

fn text() -> Response {
    Response::default().body(Body::Static(b"hello"))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const GET_10: &str = "GET / HTTP/1.0\r\n\r\n";
const GET_10_KEEP: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST_5: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const POST_99: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n";
const POST_CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const POST_EXPECT: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";

#[test]
fn it_sits_in_every_idle_slot_and_is_small() {
    assert!(size_of::<Http1>() <= 64, "{} bytes", size_of::<Http1>());
}

#[test]
fn two_requests_follow_each_other() {
    let mut peer = Peer::sent(GET);
    assert_eq!(peer.event(), Event::Paused);
    assert_eq!(peer.http.next_cycle(), Cycle::Wait);
    peer.send(GET);
    assert_eq!(peer.event(), Event::Paused, "the second waits");
    assert_eq!(peer.respond(&text()), Framed::Length(5));
    assert_eq!(peer.http.next_cycle(), Cycle::Wait);
    assert!(peer.http.frame(3, &mut peer.out) && peer.http.frame(2, &mut peer.out));
    assert!(peer.http.finish(&mut peer.out));
    assert_eq!(peer.out(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(peer.http.next_cycle(), Cycle::Next);
    assert_eq!(peer.http.next_cycle(), Cycle::Wait, "only once");
    assert_eq!(peer.event(), Event::Head);
    assert_eq!(peer.respond(&Response::default()), Framed::Nothing);
    assert_eq!(peer.http.next_cycle(), Cycle::Next);
    assert_eq!(peer.event(), Event::NeedMore);
    assert_eq!(peer.http.receive_eof(0), Ok(Event::Closed));
    assert_eq!(peer.http.next_cycle(), Cycle::Close);
}

#[test]
fn content_comes_as_data_then_end() {
    let mut peer = Peer::sent(POST_5);
    assert_eq!(peer.event(), Event::NeedMore);
    peer.send("hel");
    assert_eq!(peer.event(), Event::Data(0..3));
    assert_eq!(peer.event(), Event::NeedMore);
    peer.send("loGET");
    assert_eq!(peer.event(), Event::Data(0..2));
    assert_eq!(peer.event(), Event::End);
    assert_eq!(peer.event(), Event::Paused);
    assert_eq!(peer.input, b"GET");
}

#[test]
fn chunks_come_as_data_then_end() {
    let mut peer = Peer::sent(POST_CHUNKED);
    peer.send("2\r\nab\r\n3;x\r\ncde\r\n0\r\nX-T: u\r\n\r\n");
    assert_eq!(peer.event(), Event::Data(3..5));
    assert_eq!(peer.event(), Event::Data(7..10));
    assert_eq!(peer.event(), Event::End);
    assert_eq!(peer.request.trailers().get("x-t"), Some(&b"u"[..]));
}

#[test]
fn a_length_of_zero_is_no_content() {
    let mut peer = Peer::sent("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(peer.state(), "Done/Owed+keep");
    assert_eq!(peer.event(), Event::Paused);
}

/// Request, response, its head without the status line, framing, keeps.
#[test]
fn responses_are_framed() {
    type Row<'a> = (&'a str, Response, &'a str, Framed, bool);
    let status = |code| Response::new(Status::new(code).unwrap());
    let full = |code| status(code).body(Body::Static(b"hello"));
    let closing = || {
        let mut response = text();
        response.close();
        response
    };
    let rows: Vec<Row<'_>> = vec![
        (GET, text(), "Content-Length: 5\r\n", Framed::Length(5), true),
        (GET, status(200), "Content-Length: 0\r\n", Framed::Nothing, true),
        (GET, stream(None), "Transfer-Encoding: chunked\r\n", Framed::Chunked, true),
        (GET, stream(Some(7)), "Content-Length: 7\r\n", Framed::Length(7), true),
        (GET, stream(Some(0)), "Content-Length: 0\r\n", Framed::Nothing, true),
        (GET, full(204), "", Framed::Nothing, true),
        (GET, full(304), "", Framed::Nothing, true),
        (GET, full(205), "Content-Length: 0\r\n", Framed::Nothing, true),
        (GET, closing(), "Content-Length: 5\r\nConnection: close\r\n", Framed::Length(5), false),
        (GET_CLOSE, text(), "Content-Length: 5\r\nConnection: close\r\n", Framed::Length(5), false),
        (GET_CLOSE, full(204), "Connection: close\r\n", Framed::Nothing, false),
        (HEAD, text(), "Content-Length: 5\r\n", Framed::Nothing, true),
        (HEAD, status(200), "Content-Length: 0\r\n", Framed::Nothing, true),
        (HEAD, stream(None), "Transfer-Encoding: chunked\r\n", Framed::Nothing, true),
        (HEAD, full(304), "", Framed::Nothing, true),
        (GET_10, text(), "Content-Length: 5\r\nConnection: close\r\n", Framed::Length(5), false),
        (GET_10, stream(None), "Connection: close\r\n", Framed::UntilClose, false),
        (
            GET_10_KEEP,
            text(),
            "Content-Length: 5\r\nConnection: keep-alive\r\n",
            Framed::Length(5),
            true,
        ),
        (GET_10_KEEP, full(304), "Connection: keep-alive\r\n", Framed::Nothing, true),
        (GET_10_KEEP, stream(None), "Connection: close\r\n", Framed::UntilClose, false),
        (CONNECT, full(404), "Content-Length: 5\r\n", Framed::Length(5), true),
    ];
    for (request, response, lines, framed, keeps) in rows {
        let mut peer = Peer::sent(request);
        let what = format!("{request:?} {response:?}");
        assert_eq!(peer.respond(&response), framed, "{what}");
        let status = String::from_utf8(response.status().line().unwrap().to_vec()).unwrap();
        assert_eq!(peer.out(), format!("{status}{lines}\r\n"), "{what}");
        assert_eq!(peer.http.keeps(), keeps, "{what}");
        let after = if framed == Framed::Nothing { Write::Done } else { Write::Body };
        let closed = !keeps && after == Write::Done;
        let after = if closed { Write::Closed } else { after };
        assert_eq!(peer.http.write_state(), after, "{what}");
    }
}

#[test]
fn chunked_content_is_framed_piece_by_piece() {
    let mut peer = Peer::sent(GET);
    peer.respond(&stream(None));
    peer.out();
    assert!(peer.http.frame(26, &mut peer.out));
    assert!(peer.http.frame(0, &mut peer.out), "no end by accident");
    assert!(peer.http.frame(1, &mut peer.out));
    assert!(peer.http.finish(&mut peer.out));
    assert_eq!(peer.out(), "1a\r\n\r\n1\r\n\r\n0\r\n\r\n");
    assert_eq!(peer.http.next_cycle(), Cycle::Next);
}

#[test]
fn content_until_the_close_ends_by_lingering() {
    let mut peer = Peer::sent(GET_10);
    assert_eq!(peer.respond(&stream(None)), Framed::UntilClose);
    peer.out();
    assert!(peer.http.frame(26, &mut peer.out) && peer.http.finish(&mut peer.out));
    assert_eq!(peer.out(), "");
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);
}

#[test]
fn a_wrong_length_cuts() {
    let mut peer = Peer::sent(GET);
    peer.respond(&text());
    assert!(!peer.http.frame(6, &mut peer.out));
    assert_eq!(peer.http.next_cycle(), Cycle::Cut);
    let mut peer = Peer::sent(GET);
    peer.respond(&text());
    assert!(peer.http.frame(4, &mut peer.out));
    assert!(!peer.http.finish(&mut peer.out));
    assert_eq!(peer.http.next_cycle(), Cycle::Cut);
}

#[test]
fn an_early_reply_is_followed_by_the_rest_of_its_request() {
    let mut peer = Peer::sent(POST_5);
    peer.respond(&Response::default());
    assert!(!peer.out().contains("close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Discard);
    peer.send("hel");
    assert_eq!(peer.event(), Event::Data(0..3));
    assert_eq!(peer.http.next_cycle(), Cycle::Discard);
    peer.send("lo");
    peer.send(GET);
    assert_eq!(peer.event(), Event::Data(0..2));
    assert_eq!(peer.event(), Event::End);
    assert_eq!(peer.http.next_cycle(), Cycle::Next);
    assert_eq!(peer.event(), Event::Head);
}

#[test]
fn an_early_reply_says_close_if_too_much_is_to_come() {
    let mut peer = Peer::sent(POST_99);
    peer.respond(&Response::default());
    assert!(peer.out().contains("Connection: close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);
    // What has arrived already doesn't count.
    let mut peer = Peer::sent(POST_99);
    peer.send(&"x".repeat(90));
    peer.event();
    peer.respond(&Response::default());
    assert!(!peer.out().contains("close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Discard);
}

#[test]
fn chunks_are_thrown_away_up_to_the_limit() {
    let mut peer = Peer::sent(POST_CHUNKED);
    peer.respond(&Response::default());
    assert!(!peer.out().contains("close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Discard);
    peer.send("4\r\nabc");
    assert_eq!(peer.event(), Event::Data(3..6)); // 6 of 10 bytes
    assert_eq!(peer.event(), Event::NeedMore);
    peer.send("d\r\n0\r\n\r\n");
    assert_eq!(peer.event(), Event::Data(0..1));
    assert_eq!(peer.event(), Event::Closed);
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);

    let mut peer = Peer::sent(POST_CHUNKED);
    peer.respond(&Response::default());
    peer.send("fff\r\nabc");
    assert_eq!(peer.event(), Event::Data(5..8));
    assert_eq!(peer.http.next_cycle(), Cycle::Linger, "the chunk is too large to wait for");
}

#[test]
fn a_peer_that_waits_is_told_to_go_on() {
    let mut peer = Peer::sent(POST_EXPECT);
    assert!(peer.http.expects_continue());
    peer.http.interim(Status::EARLY_HINTS, &mut peer.out);
    assert!(peer.http.expects_continue());
    peer.http.interim(Status::CONTINUE, &mut peer.out);
    assert!(!peer.http.expects_continue());
    assert_eq!(peer.out(), "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    peer.respond(&Response::default());
    assert!(!peer.out().contains("close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Discard);
}

#[test]
fn a_peer_that_did_not_wait_needs_not_be_told() {
    let mut peer = Peer::sent(POST_EXPECT);
    peer.send("h");
    assert_eq!(peer.event(), Event::Data(0..1));
    assert!(!peer.http.expects_continue());
}

#[test]
fn a_final_reply_to_a_peer_that_waits_closes() {
    let mut peer = Peer::sent(POST_EXPECT);
    peer.respond(&Response::default());
    assert!(peer.out().contains("Connection: close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);
}

#[test]
fn an_http_1_0_peer_gets_no_interim_response() {
    let post = "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let mut peer = Peer::sent(post);
    assert!(!peer.http.expects_continue());
    peer.http.interim(Status::EARLY_HINTS, &mut peer.out);
    assert_eq!(peer.out(), "");
}

fn switch(status: Status) -> Response {
    Response::new(status).body(Body::Switch(Box::new(drop)))
}

#[test]
fn a_connection_is_switched_when_it_was_asked_for() {
    let mut peer = Peer::sent(UPGRADE);
    let response = switch(Status::SWITCHING_PROTOCOLS).header("Upgrade", "x");
    assert_eq!(peer.respond(&response), Framed::Switched);
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    assert_eq!(peer.out(), head);
    assert_eq!(peer.state(), "Closed/Closed");

    let mut peer = Peer::sent(CONNECT);
    assert_eq!(peer.respond(&switch(Status::OK)), Framed::Switched);
    assert_eq!(peer.out(), "HTTP/1.1 200 OK\r\n\r\n");
}

#[test]
fn what_would_confuse_the_client_becomes_500() {
    let upgrade = || switch(Status::SWITCHING_PROTOCOLS).header("Upgrade", "x");
    let upgrade_post =
        format!("{}Content-Length: 5\r\n\r\n", UPGRADE.strip_suffix("\r\n").unwrap());
    let table = [
        (GET, Response::new(Status::CONTINUE)),
        (GET, Response::new(Status::SWITCHING_PROTOCOLS)),
        (GET, upgrade()),
        (GET, switch(Status::OK)),
        (UPGRADE, switch(Status::SWITCHING_PROTOCOLS)),
        (UPGRADE, switch(Status::OK).header("Upgrade", "x")),
        (&upgrade_post, upgrade()),
        (CONNECT, text()),
    ];
    for (request, response) in table {
        let mut peer = Peer::sent(request);
        assert_eq!(peer.respond(&response), Framed::Nothing, "{request:?} {response:?}");
        let head = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(peer.out(), head, "{request:?} {response:?}");
    }
}

#[test]
fn nothing_of_a_request_is_left_for_the_next() {
    let mut peer = Peer::sent(HEAD);
    peer.respond(&Response::default());
    peer.out();
    assert_eq!(peer.http.next_cycle(), Cycle::Next);
    assert!(!peer.http.head_begun());
    // Nobody knows the method of this one, so the refusal has content.
    peer.send("nonsense\r\n\r\n");
    let fault = peer.next().unwrap_err();
    assert!(peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
    assert!(peer.out().ends_with("\r\n\r\nBad Request\n"));
}

#[test]
fn empty_lines_between_requests_hold_no_buffer() {
    let mut peer = Peer::new();
    peer.send("\r\n\r");
    assert_eq!(peer.event(), Event::NeedMore);
    assert_eq!(peer.input, b"\r");
    assert!(!peer.http.head_begun());
    peer.send("\n");
    assert_eq!(peer.event(), Event::NeedMore);
    assert_eq!(peer.input, b"");
    assert_eq!(peer.http.receive_eof(0), Ok(Event::Closed));
}

#[test]
fn a_chunk_can_be_ended_before_the_next() {
    let mut peer = Peer::sent(GET);
    peer.http.end_frame(&mut peer.out); // there is none yet
    assert_eq!(peer.respond(&stream(None)), Framed::Chunked);
    peer.out();
    for _ in 0..2 {
        assert!(peer.http.frame(1, &mut peer.out));
        peer.out.push(b'a');
        peer.http.end_frame(&mut peer.out);
        peer.http.end_frame(&mut peer.out); // once is enough
    }
    assert!(peer.http.frame(1, &mut peer.out));
    peer.out.push(b'b');
    assert!(peer.http.finish(&mut peer.out));
    assert_eq!(peer.out(), "1\r\na\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
}
