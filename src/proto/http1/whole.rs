//! The shortest way in and out: a usual head, and a small reply.
//!
//! A head that is whole in the input and has nothing unusual takes one call that
//! says how long it was, where [`receive`](Http1::receive) has an event and a
//! fault to tell apart. It reads what `head/whole.rs` reads, and goes on as
//! `receive` does.
//!
//! Nearly every reply takes the same five calls (`respond`, `frame`, the
//! content, `finish`, `next_cycle`), each of which asks again what the one
//! before knew. Where none of the answers can be another, they are one call
//! with one look at each thing. It decides nothing of its own: a test compares
//! it with the five calls, byte by byte and field by field, wherever a
//! connection can be.

use super::{Asked, Framing, Head, Http1, Preamble, State};
use crate::config::Limits;
use crate::http::{Method, Request, Response};
use crate::proto::encode;

impl Http1 {
    /// Reads a head, if it is whole in the input and usual: what lies behind it.
    /// `None`: it may be any other, or it is not a head's turn, and
    /// nothing has happened.
    #[inline(never)] // the registers are its own
    pub(crate) fn receive_whole<'a>(
        &mut self,
        limits: &Limits,
        input: &'a [u8],
        request: &mut Request,
    ) -> Option<&'a [u8]> {
        if self.state != State::NEW {
            return None;
        }
        let (behind, framing) = self.head.whole(limits, input, request)?;
        if framing == Framing::USUAL && request.method == Method::GET && self.state.take_head() {
            self.asked = Asked::default(); // what `begin` comes to
        } else {
            self.begin(limits, framing, request);
        }
        Some(behind)
    }

    /// Writes a whole reply and goes on to the next request, if the content is
    /// in memory, at most `max` bytes, and nothing about the connection, the
    /// request or the response is out of the ordinary. `false`: nothing was
    /// done; go step by step, beginning with [`respond`](Http1::respond).
    ///
    /// ```
    /// use onepoll::http::{Request, Response};
    /// use onepoll::proto::{Http1, Preamble};
    /// use onepoll::Limits;
    ///
    /// let (limits, mut preamble) = (Limits::default(), Preamble::new(None));
    /// let (mut http, mut request, mut out) = (Http1::new(), Request::default(), Vec::new());
    /// http.receive(&limits, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", &mut request)?;
    /// let response = Response::default().text("Hello");
    /// assert!(http.respond_whole(&response, 4096, &mut preamble, &mut out));
    /// assert!(out.ends_with(b"Content-Length: 5\r\n\r\nHello"));
    /// # Ok::<(), onepoll::proto::Fault>(())
    /// ```
    #[inline]
    pub fn respond_whole(
        &mut self,
        response: &Response,
        max: usize,
        preamble: &mut Preamble,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(content) = response.body_ref().bytes() else { return false };
        let ordinary = content.len() <= max
            && self.asked.is_plain(response.status())
            && !response.closes()
            && !self.waits;
        if !ordinary || !self.state.take_whole() {
            return false;
        }
        encode::whole(response, content, preamble, out);
        // The encoder is as it was: the next response sets it before its first use.
        self.head = Head::default();
        self.asked = Asked::default();
        true
    }
}
