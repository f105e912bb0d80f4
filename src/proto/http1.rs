//! One connection's protocol: requests in, responses out.

use super::{Fault, Preamble, Read, Write};
use crate::config::Limits;
use crate::http::{Request, Response, Status};
use std::ops::Range;

/// The protocol state of one connection.
#[derive(Debug)]
pub struct Http1 {}

/// What the bytes meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet: call again with more bytes behind the unconsumed ones.
    NeedMore,
    /// The request's head is in; its content, if any, follows as `Data`.
    Head,
    /// Content: this range of the input given to the call.
    Data(Range<usize>),
    /// The content is complete. Only after a head with content.
    End,
    /// The request is complete: nothing is read until the next cycle.
    Paused,
    /// Nothing is read any more on this connection: see
    /// [`next_cycle`](Http1::next_cycle).
    Closed,
}

/// How the content of a response goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// There is none to send, whatever the response holds: the reply is
    /// complete, neither `frame` nor `finish` is called.
    Nothing,
    /// So many bytes, at least one, as they are.
    Length(u64),
    /// In chunks: `frame` before each piece.
    Chunked,
    /// As it is, and the end of the connection is its end.
    UntilClose,
    /// There is none, and HTTP ends here: the socket goes to the response's
    /// `Body::Switch`. The state is `Closed` on both sides.
    Switched,
}

/// What comes after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// Request or response are not complete yet.
    Wait,
    /// Ready for the next request: recycle the exchange and read on.
    Next,
    /// The reply is complete but the request is not: go on calling `receive`
    /// and throw the `Data` away, until `End` (then ask again) or `Closed`.
    Discard,
    /// Send what there is, half-close, and read into the void for a while.
    Linger,
    /// Close at once: the peer is gone or the message is cut.
    Close,
}

impl Http1 {
    /// A new connection: waits for its first head.
    pub fn new() -> Http1 {
        todo!()
    }

    /// Reads one event off the input: all bytes that are not consumed yet, in
    /// order. The number of bytes consumed comes back; drop those. Call again,
    /// even with no bytes left, until `NeedMore`, `Paused` or `Closed`.
    ///
    /// # Errors
    /// [`Fault`]; nothing is read after it. Answer by [`refuse`](Http1::refuse).
    pub fn receive(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<(usize, Event), Fault> {
        let _ = (limits, input, request);
        todo!()
    }

    /// The peer sends nothing more and `receive` consumed what it could;
    /// `pending` bytes are left. `Paused`: the request is complete, its reply
    /// still goes out (if bytes are pending they are requests: call this again
    /// when they are consumed). `Closed`: that was all.
    ///
    /// # Errors
    /// A truncated message: nobody is left to reply to.
    pub fn receive_eof(&mut self, pending: usize) -> Result<Event, Fault> {
        let _ = pending;
        todo!()
    }

    /// Whether the peer holds its content back until it is told to go on
    /// (RFC 9110 section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        todo!()
    }

    /// Writes an interim response (100 or 103). Nothing to HTTP/1.0 peers.
    pub fn interim(&mut self, status: Status, out: &mut Vec<u8>) {
        let _ = (status, out);
        todo!()
    }

    /// Writes the head of the response and says how its content is framed.
    pub fn respond(
        &mut self,
        response: &Response,
        preamble: &Preamble,
        out: &mut Vec<u8>,
    ) -> Framed {
        let _ = (response, preamble, out);
        todo!()
    }

    /// Writes a complete small reply to a fault (theirs, or a deadline or
    /// overload of ours). `false` if none can be sent any more: a response has
    /// begun, or nobody is left. [`next_cycle`](Http1::next_cycle) says how to end.
    pub fn refuse(&mut self, fault: &Fault, preamble: &Preamble, out: &mut Vec<u8>) -> bool {
        let _ = (fault, preamble, out);
        todo!()
    }

    /// Announces the next `len` bytes of content; nothing for 0. `false` if
    /// that is more than was declared: don't send them, the connection is cut.
    pub fn frame(&mut self, len: usize, out: &mut Vec<u8>) -> bool {
        let _ = (len, out);
        todo!()
    }

    /// The content is complete. `false` if it is shorter than was declared:
    /// the connection is cut.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let _ = out;
        todo!()
    }

    /// Ends it all at once: both sides are closed.
    pub fn cut(&mut self) {
        todo!()
    }

    /// What comes next, now that something was completed.
    pub fn next_cycle(&mut self) -> Cycle {
        todo!()
    }

    /// Closes an idle connection (no byte of a head is here) at once, and any
    /// other after its current reply.
    pub fn drain(&mut self) {
        todo!()
    }

    /// Closes the connection after the current reply, or if there is none
    /// after the next: it will say `Connection: close`.
    pub fn close_after(&mut self) {
        todo!()
    }

    /// How far the request is read.
    pub fn read_state(&self) -> Read {
        todo!()
    }

    /// How far the response is written.
    pub fn write_state(&self) -> Write {
        todo!()
    }

    /// Whether the connection lives on after the current reply.
    pub fn keeps(&self) -> bool {
        todo!()
    }

    /// Whether bytes of a head are here but not all of it.
    pub fn head_begun(&self) -> bool {
        todo!()
    }
}
