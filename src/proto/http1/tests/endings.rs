//! How a connection ends: faults, end of file, deadlines, draining, misuse.

use super::*;
use std::panic::AssertUnwindSafe;

#[test]
fn a_fault_in_the_head_is_refused() {
    let mut peer = Peer::new();
    peer.send("nonsense\r\n\r\n");
    let fault = peer.next().unwrap_err();
    assert_eq!(peer.state(), "Closed/Owed");
    assert_eq!(peer.event(), Event::Closed, "nothing is parsed after it");
    assert!(peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
    let out = peer.out();
    assert!(out.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{out}");
    assert!(out.contains("\r\nConnection: close\r\n") && out.ends_with("\r\n\r\nBad Request\n"));
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);
    assert!(!peer.http.refuse(&fault, &peer.preamble, &mut peer.out), "once");
    assert_eq!(peer.out(), "");
}

#[test]
fn a_fault_in_the_body_is_refused_while_the_response_is_owed() {
    let mut peer = Peer::sent(POST_CHUNKED);
    peer.send("zz");
    let fault = peer.next().unwrap_err();
    assert_eq!(peer.event(), Event::Closed);
    assert!(peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);
    // The application may also answer itself.
    let mut peer = Peer::sent(POST_CHUNKED);
    peer.send("zz");
    peer.next().unwrap_err();
    assert_eq!(peer.respond(&text()), Framed::Length(5));
    assert!(peer.out().contains("Connection: close"));
}

#[test]
fn a_fault_in_the_body_cuts_a_response_that_has_begun() {
    let mut peer = Peer::sent(POST_CHUNKED);
    peer.respond(&text());
    peer.send("zz");
    let fault = peer.next().unwrap_err();
    peer.out();
    assert!(!peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
    assert_eq!(peer.out(), "");
    assert_eq!(peer.http.next_cycle(), Cycle::Cut);
}

#[test]
fn a_fault_behind_a_complete_reply_lets_it_arrive() {
    let mut peer = Peer::sent(POST_CHUNKED);
    peer.respond(&Response::default());
    peer.out();
    assert_eq!(peer.http.next_cycle(), Cycle::Discard);
    peer.send("zz");
    let fault = peer.next().unwrap_err();
    assert!(!peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
    assert_eq!(peer.out(), "");
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);
}

#[test]
fn a_deadline_or_an_overload_of_ours_is_refused() {
    let fault = Fault::new(Status::SERVICE_UNAVAILABLE, "no slot");
    for input in ["", "GET", GET, POST_5, HEAD] {
        let mut peer = Peer::new();
        peer.send(input);
        peer.event();
        assert!(peer.http.refuse(&fault, &peer.preamble, &mut peer.out), "{input:?}");
        let out = peer.out();
        assert!(out.starts_with("HTTP/1.1 503 "), "{input:?} {out}");
        assert_eq!(out.ends_with("\r\n\r\n"), input == HEAD, "{input:?} {out}");
        assert_eq!(peer.http.next_cycle(), Cycle::Linger, "{input:?}");
    }
    let mut peer = Peer::sent(GET);
    peer.respond(&text());
    assert!(!peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
    assert_eq!(peer.http.next_cycle(), Cycle::Cut);
}

#[test]
fn end_of_file_inside_a_request_is_a_fault_without_reply() {
    for input in ["GET / HT", "\r\nG", POST_5, POST_CHUNKED, &format!("{POST_5}hell")] {
        let mut peer = Peer::new();
        peer.send(input);
        while peer.event() != Event::NeedMore {}
        let fault = peer.http.receive_eof(peer.input.len()).unwrap_err();
        assert_eq!(fault.status, None);
        assert!(!peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
        assert_eq!((peer.out().as_str(), peer.http.next_cycle()), ("", Cycle::Cut), "{input:?}");
    }
}

#[test]
fn end_of_file_behind_a_request_lets_the_reply_out() {
    let mut peer = Peer::sent(GET);
    assert_eq!(peer.http.receive_eof(0), Ok(Event::Paused));
    assert_eq!(peer.http.receive_eof(0), Ok(Event::Paused), "again is harmless");
    assert_eq!(peer.event(), Event::Closed);
    assert_eq!(peer.respond(&text()), Framed::Length(5));
    assert!(peer.out().contains("Connection: close"));
    assert!(peer.http.frame(5, &mut peer.out) && peer.http.finish(&mut peer.out));
    assert_eq!(peer.http.next_cycle(), Cycle::Close);
    assert_eq!(peer.http.receive_eof(0), Ok(Event::Closed));
}

#[test]
fn end_of_file_behind_pipelined_requests_waits_for_all_of_them() {
    let mut peer = Peer::sent(GET);
    peer.send(GET);
    assert_eq!(peer.http.receive_eof(peer.input.len()), Ok(Event::Paused));
    peer.respond(&Response::default());
    assert!(!peer.out().contains("close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Next);
    assert_eq!(peer.event(), Event::Head);
    assert_eq!(peer.http.receive_eof(0), Ok(Event::Paused));
    peer.respond(&Response::default());
    assert!(peer.out().contains("close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Close);
}

#[test]
fn end_of_file_in_content_that_nobody_wants_lets_the_reply_arrive() {
    let mut peer = Peer::sent(POST_5);
    peer.respond(&Response::default());
    assert_eq!(peer.http.next_cycle(), Cycle::Discard);
    assert_eq!(peer.http.receive_eof(0), Ok(Event::Closed));
    assert_eq!(peer.http.next_cycle(), Cycle::Close);
}

#[test]
fn draining_closes_what_is_idle_and_announces_the_rest() {
    let mut peer = Peer::new();
    peer.http.drain();
    assert_eq!((peer.event(), peer.http.next_cycle()), (Event::Closed, Cycle::Linger));

    let mut peer = Peer::new();
    peer.send("GET / HT");
    peer.event();
    assert!(peer.http.head_begun());
    peer.http.drain();
    assert_eq!(peer.state(), "Head/Idle");
    peer.send("TP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(peer.event(), Event::Head);
    peer.respond(&Response::default());
    assert!(peer.out().contains("Connection: close"));
    assert_eq!(peer.http.next_cycle(), Cycle::Linger);
}

#[test]
fn close_after_lets_an_idle_connection_have_one_more_request() {
    let mut peer = Peer::new();
    peer.http.close_after();
    assert_eq!(peer.state(), "Head/Idle");
    peer.send(GET);
    assert_eq!(peer.event(), Event::Head);
    peer.respond(&text());
    assert!(peer.out().contains("Connection: close"));
}

/// Runs a misuse: it panics here, and closes both sides in release builds.
fn misused(mut peer: Peer, misuse: impl FnOnce(&mut Peer)) {
    let unwound = std::panic::catch_unwind(AssertUnwindSafe(|| misuse(&mut peer)));
    assert_eq!(unwound.is_err(), cfg!(debug_assertions));
    if unwound.is_ok() {
        assert_eq!(peer.http.next_cycle(), Cycle::Cut);
    }
    assert_eq!(peer.out(), "", "nothing is written");
}

#[test]
fn misuse_is_found() {
    misused(Peer::new(), |peer| _ = peer.respond(&text()));
    misused(Peer::new(), |peer| _ = peer.http.frame(1, &mut peer.out));
    misused(Peer::new(), |peer| _ = peer.http.finish(&mut peer.out));
    misused(Peer::new(), |peer| peer.http.interim(Status::CONTINUE, &mut peer.out));
    let mut answered = Peer::sent(GET);
    answered.respond(&text());
    answered.out();
    misused(answered, |peer| _ = peer.respond(&text()));
}

#[test]
fn cut_ends_it_anywhere() {
    for input in ["", "GET", GET, POST_5] {
        let mut peer = Peer::new();
        peer.send(input);
        peer.event();
        peer.http.cut();
        assert_eq!((peer.event(), peer.http.next_cycle()), (Event::Closed, Cycle::Cut));
        assert_eq!(peer.http.read_state(), Read::Closed);
    }
}

#[test]
fn what_is_no_head_is_not_answered_as_the_last_one_was_asked() {
    let mut peer = Peer::sent(HEAD);
    assert_eq!(peer.respond(&text()), Framed::Nothing);
    assert_eq!(peer.http.next_cycle(), Cycle::Next);
    peer.request.recycle();
    peer.out.clear();
    peer.send("\n");
    let fault = peer.next().unwrap_err();
    assert!(peer.http.refuse(&fault, &peer.preamble, &mut peer.out));
    let out = peer.out();
    assert!(!out.ends_with("\r\n\r\n"), "only a HEAD gets no content: {out}");
}
