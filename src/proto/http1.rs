//! One connection's protocol: bytes in, events out; a response in, bytes out.
//!
//! Joins the state table ([`super::state`]), the head parser, the decoder and
//! the encoder. Each call looks where the state is, lets one of those work, and
//! takes the one step of the table that names what happened.

use super::asked::Asked;
use super::decode::{Decoded, Decoder};
use super::encode::{self, Content, Encoder, Persistence};
use super::state::{State, Step};
use super::{Cycle, Event, Fault, Framed, Framing, Head, Length, Misuse};
use super::{Preamble, Read, Write};
use crate::config::Limits;
use crate::http::{Request, Response, Status, Version};

/// The protocol of one connection, without its socket.
///
/// It is a few dozen bytes and owns no buffer: an idle connection costs little.
///
/// ```
/// use onepoll::http::{Request, Response};
/// use onepoll::proto::{Cycle, Event, Framed, Http1, Preamble};
/// use onepoll::Limits;
///
/// let (limits, preamble) = (Limits::default(), Preamble::new(None));
/// let (mut http, mut request, mut out) = (Http1::new(), Request::default(), Vec::new());
/// let input = b"GET /hello HTTP/1.1\r\nHost: example.org\r\n\r\n";
///
/// let (used, event) = http.receive(&limits, input, &mut request)?;
/// assert_eq!((used, event), (input.len(), Event::Head));
///
/// let response = Response::default().text("Hello");
/// assert_eq!(http.respond(&response, &preamble, &mut out), Framed::Length(5));
/// http.frame(5, &mut out);
/// out.extend_from_slice(b"Hello");
/// assert!(http.finish(&mut out));
/// assert!(out.ends_with(b"Content-Length: 5\r\n\r\nHello"));
/// assert_eq!(http.next_cycle(), Cycle::Next);
/// # Ok::<(), onepoll::proto::Fault>(())
/// ```
#[derive(Debug)]
pub struct Http1 {
    decoder: Decoder,
    encoder: Encoder,
    head: Head,
    /// Bytes of this request that may still be thrown away.
    discard_left: u32,
    state: State,
    asked: Asked,
    /// Whether the peer waits for `100 Continue`.
    waits: bool,
    ending: Ending,
}

/// How the connection is to end, once it is closed on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The peer may still be sending.
    Linger,
    /// The peer's end of file was read.
    Close,
    /// A message remains incomplete.
    Cut,
}

impl Http1 {
    /// A new connection: waits for its first head.
    pub fn new() -> Http1 {
        Http1 {
            decoder: Decoder::Length(0),
            encoder: Encoder::Length(0),
            head: Head::default(),
            discard_left: 0,
            state: State::NEW,
            asked: Asked::default(),
            waits: false,
            ending: Ending::Linger,
        }
    }

    /// Reads one event off the input, which is all bytes not consumed yet, in
    /// order. The count that comes back is consumed: drop those bytes. Call
    /// again, even with no byte left, until `NeedMore`, `Paused` or `Closed`.
    ///
    /// # Errors
    /// [`Fault`]; nothing is read after it. Answer with [`refuse`](Http1::refuse).
    pub fn receive(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<(usize, Event), Fault> {
        match self.receive_whole(limits, input, request) {
            Some(behind) => Ok((input.len() - behind.len(), Event::Head)),
            None => self.receive_part(limits, input, request),
        }
    }

    /// The same, if [`receive_whole`](Http1::receive_whole) had nothing.
    pub(crate) fn receive_part(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<(usize, Event), Fault> {
        match self.state.read {
            Read::Head => self.receive_head(limits, input, request),
            Read::Body => self.receive_body(limits, input, request),
            Read::Done => {
                self.step(Step::Extra);
                Ok((0, Event::Paused))
            }
            Read::Closed => Ok((0, Event::Closed)),
        }
    }

    fn receive_head(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<(usize, Event), Fault> {
        match self.head.resume(limits, input, request) {
            // Empty lines between requests are dropped, so that they hold no buffer.
            Ok(None) => Ok((self.head.drop_blank(), Event::NeedMore)),
            Ok(Some((used, framing))) => {
                self.begin(limits, framing, request);
                Ok((used, Event::Head))
            }
            Err(fault) => {
                self.asked = Asked::of(request, false);
                self.step(Step::BadHead);
                Err(fault)
            }
        }
    }

    fn begin(&mut self, limits: &Limits, framing: Framing, request: &Request) {
        self.asked = Asked::of(request, framing.upgrade);
        if !framing.keep {
            self.step(Step::Unkeep);
        }
        match framing.body {
            Length::None | Length::Exact(0) => {
                if !self.state.take_head() {
                    self.step(Step::Head);
                }
            }
            Length::Exact(len) => self.await_body(Decoder::Length(len), limits, framing, request),
            Length::Chunked => self.await_body(Decoder::chunked(), limits, framing, request),
        }
    }

    fn await_body(
        &mut self,
        decoder: Decoder,
        limits: &Limits,
        framing: Framing,
        request: &Request,
    ) {
        self.decoder = decoder;
        // Beyond 4 GiB nobody wants to keep a connection by reading on.
        self.discard_left = u32::try_from(limits.discard_max).unwrap_or(u32::MAX);
        // An HTTP/1.0 client knows no interim response (RFC 9110 section 10.1.1).
        self.waits = framing.expect && request.version >= Version::Http11;
        self.step(Step::HeadOfBody);
    }

    fn receive_body(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<(usize, Event), Fault> {
        let decoded = self.decoder.decode(limits, input, &mut request.trailers);
        let (used, decoded) = decoded.inspect_err(|_| {
            if self.state.write == Write::Body {
                self.ending = Ending::Cut;
            }
            self.step(Step::BadBody);
        })?;
        if used > 0 {
            self.waits = false;
            if self.state.write == Write::Done && !self.discard(used) {
                return Ok((used, Event::Closed));
            }
        }
        Ok(match decoded {
            Decoded::NeedMore => (used, Event::NeedMore),
            Decoded::Data(range) => {
                self.step(Step::Data);
                (used, Event::Data(range))
            }
            Decoded::End => {
                self.step(Step::End);
                (used, Event::End)
            }
        })
    }

    /// Rule J3: counts what is thrown away after an early reply, framing
    /// included, and gives the connection up when it is too much.
    fn discard(&mut self, used: usize) -> bool {
        match u32::try_from(used).ok().and_then(|used| self.discard_left.checked_sub(used)) {
            Some(left) => self.discard_left = left,
            None => self.step(Step::Unkeep),
        }
        self.state.keep
    }

    /// The peer sends nothing more, and `receive` consumed what it could;
    /// `pending` bytes are left. `Paused`: a reply is on its way and still goes
    /// out; pending bytes are further requests, so say this again when they are
    /// consumed. `Closed`: nothing is to come.
    ///
    /// # Errors
    /// A request that is cut short, so there is nobody to reply to.
    pub fn receive_eof(&mut self, pending: usize) -> Result<Event, Fault> {
        let State { read, write, .. } = self.state;
        if self.ending == Ending::Linger {
            self.ending = Ending::Close;
        }
        match (read, write) {
            (Read::Head, _) if pending == 0 && !self.head.begun() => self.step(Step::EofBetween),
            // The peer has its reply and gave up the rest.
            (Read::Body, Write::Done) => self.step(Step::EofInside),
            (Read::Head | Read::Body, _) => {
                self.ending = Ending::Cut;
                self.step(Step::EofInside);
                return Err(Fault::truncated("end of file within a request"));
            }
            (Read::Done, _) if pending > 0 => {}
            (Read::Done, _) => self.step(Step::EofBehind),
            (Read::Closed, _) => {}
        }
        Ok(if self.state.write == Write::Closed { Event::Closed } else { Event::Paused })
    }

    /// Whether the peer holds its content back until it is told to go on
    /// (RFC 9110 section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.waits
    }

    /// Writes an interim response, 100 or 103. None goes to an HTTP/1.0 peer
    /// (RFC 9110 section 15.2).
    pub fn interim(&mut self, status: Status, out: &mut Vec<u8>) {
        let interim = status.is_informational() && status != Status::SWITCHING_PROTOCOLS;
        debug_assert!(interim, "{status} is not an interim response");
        self.step(Step::Interim);
        if interim && self.state.write == Write::Owed && self.asked.version >= Version::Http11 {
            encode::interim(status, out);
            self.waits = self.waits && status != Status::CONTINUE;
        }
    }

    /// Writes the head of the response and says how its content is framed.
    ///
    /// A response that can't be sent as it is (a 1xx, a switch that was not
    /// asked for) is an application's mistake: it is logged and a 500 goes out.
    #[inline]
    pub fn respond(
        &mut self,
        response: &Response,
        preamble: &Preamble,
        out: &mut Vec<u8>,
    ) -> Framed {
        let status = response.status();
        if self.state.write != Write::Owed {
            self.step(Step::Respond); // logs the misuse and cuts
            return Framed::Nothing;
        }
        if self.asked.is_switch(response) {
            return self.switch(response, preamble, out);
        }
        let (content, framed) = self.asked.framing(status, response.body_ref().len());
        if self.must_close(response, framed) {
            self.step(Step::Unkeep);
        }
        let persistence = match (self.state.keep, self.asked.version) {
            (false, _) => Persistence::Close,
            (true, Version::Http10) => Persistence::KeepAlive,
            (true, Version::Http11) => Persistence::Assumed,
        };
        encode::head(response, preamble, content, persistence, out);
        self.encoder = match framed {
            Framed::Nothing | Framed::Switched => {
                self.step(Step::Respond);
                return framed;
            }
            Framed::Length(len) => Encoder::Length(len),
            Framed::Chunked => Encoder::Chunked { begun: false },
            Framed::UntilClose => Encoder::UntilClose,
        };
        self.step(Step::RespondBody);
        framed
    }

    /// Whether content of this response would be sent.
    pub(crate) fn sends_content(&self, response: &Response) -> bool {
        let (_, framed) = self.asked.framing(response.status(), response.body_ref().len());
        self.state.write == Write::Owed
            && !self.asked.is_switch(response)
            && framed != Framed::Nothing
    }

    /// Whether the connection can't outlive this response.
    #[inline]
    fn must_close(&self, response: &Response, framed: Framed) -> bool {
        response.closes()
            || framed == Framed::UntilClose
            // Told nothing, the peer may send its content or not: what comes
            // next could be either that or a request.
            || self.waits
            // More is to come than would be thrown away (J3): say so now.
            || (self.state.read == Read::Body
                && self.decoder.left() > u64::from(self.discard_left))
    }

    /// Hands the connection over (RFC 9110 sections 7.8 and 9.3.6).
    #[cold]
    fn switch(&mut self, response: &Response, preamble: &Preamble, out: &mut Vec<u8>) -> Framed {
        let status = response.status();
        let complete = self.state.read == Read::Done;
        if let Err(why) = self.asked.check_switch(response, complete) {
            log::error!("response {status} can't be sent: {why}; answering 500 instead");
            let response = Response::new(Status::INTERNAL_SERVER_ERROR);
            return self.respond(&response, preamble, out);
        }
        encode::head(response, preamble, Content::Unsaid, Persistence::Assumed, out);
        self.step(Step::Switch);
        Framed::Switched
    }

    /// Writes a complete small reply to a fault of theirs, or to a deadline or
    /// an overload of ours. `false` if there can be none any more: another has
    /// begun, or nobody is left. Either way ask [`next_cycle`](Http1::next_cycle)
    /// how to end.
    pub fn refuse(&mut self, fault: &Fault, preamble: &Preamble, out: &mut Vec<u8>) -> bool {
        match (fault.status, self.state.write) {
            (Some(status), Write::Idle | Write::Owed) => {
                self.step(Step::Fail);
                encode::refusal(status, fault.text, preamble, self.asked.is_head(), out);
                self.step(Step::Respond);
                true
            }
            // The last reply is complete: it may still arrive.
            (Some(_), Write::Done | Write::Closed) => {
                self.step(Step::Unkeep);
                false
            }
            (None, _) | (_, Write::Body) => {
                self.cut();
                false
            }
        }
    }

    /// Announces the next `len` bytes of content; nothing for 0. `false` if
    /// that is more than was declared: then don't send them, the connection is
    /// cut.
    #[inline]
    pub fn frame(&mut self, len: usize, out: &mut Vec<u8>) -> bool {
        if len == 0 {
            return true; // an empty chunk would end the content
        }
        self.step(Step::Frame);
        if self.state.write != Write::Body {
            return false;
        }
        let fits = self.encoder.frame(len, out);
        if !fits {
            log::error!("content is longer than the length that was declared for it");
            self.cut();
        }
        fits
    }

    /// The piece that was announced is written and the next may be long in
    /// coming: writes what belongs behind it, so that a peer that waits for whole
    /// chunks is not one chunk late. To be called or not, as one likes.
    pub fn end_frame(&mut self, out: &mut Vec<u8>) {
        if self.state.write == Write::Body {
            self.encoder.end_frame(out);
        }
    }

    /// The content is complete. `false` if it is shorter than was declared: the
    /// connection is cut.
    #[inline]
    pub fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let begun = self.state.write == Write::Body;
        self.step(Step::Finish);
        if begun && !self.encoder.finish(out) {
            log::error!("content is shorter than the length that was declared for it");
            self.cut();
            return false;
        }
        begun
    }

    /// Ends it all: what is not complete stays so.
    pub fn cut(&mut self) {
        self.ending = Ending::Cut;
        self.step(Step::Cut);
    }

    /// What comes next, now that something was completed.
    #[inline]
    pub fn next_cycle(&mut self) -> Cycle {
        match (self.state.read, self.state.write) {
            (Read::Done, Write::Done) => {
                self.step(Step::NextCycle);
                self.head = Head::default();
                self.asked = Asked::default();
                Cycle::Next
            }
            (Read::Body, Write::Done) if self.decoder.left() <= u64::from(self.discard_left) => {
                Cycle::Discard
            }
            (Read::Body, Write::Done) => {
                self.step(Step::Unkeep); // J4
                self.end()
            }
            (Read::Closed, Write::Closed) => self.end(),
            _ => Cycle::Wait,
        }
    }

    fn end(&self) -> Cycle {
        match self.ending {
            Ending::Linger => Cycle::Linger,
            Ending::Close => Cycle::Close,
            Ending::Cut => Cycle::Cut,
        }
    }

    /// The server leaves: closes a connection with no byte of a head at once,
    /// any other after its reply. For one that shall still take a request, say
    /// [`close_after`](Http1::close_after) first.
    pub fn drain(&mut self) {
        match (self.state.read, self.state.write) {
            (Read::Head, Write::Idle) if !self.head.begun() => self.step(Step::DrainEmpty),
            _ => self.step(Step::Unkeep),
        }
    }

    /// Closes the connection after the current reply, or if there is none after
    /// the next; it says `Connection: close`.
    pub fn close_after(&mut self) {
        self.step(Step::Unkeep);
    }

    /// How far the request is read.
    pub fn read_state(&self) -> Read {
        self.state.read
    }

    /// How far the response is written.
    pub fn write_state(&self) -> Write {
        self.state.write
    }

    /// Whether the connection lives on after the current reply.
    pub fn keeps(&self) -> bool {
        self.state.keep
    }

    /// Whether a part of a head is here.
    pub fn head_begun(&self) -> bool {
        self.state.read == Read::Head && self.head.begun()
    }

    /// Takes a step of the table. One that is not in it is a bug of the caller:
    /// the connection is cut, as nobody knows what the peer has seen.
    #[inline(always)]
    fn step(&mut self, step: Step) {
        if let Err(misuse) = self.state.take(step) {
            self.misused(&misuse);
        }
    }

    #[cold]
    fn misused(&mut self, misuse: &Misuse) {
        log::error!("{misuse} ({}); the connection is cut", self.state);
        debug_assert!(false, "{misuse} ({})", self.state);
        self.cut();
    }
}

impl Default for Http1 {
    fn default() -> Http1 {
        Http1::new()
    }
}

mod whole;

#[cfg(test)]
mod tests;
