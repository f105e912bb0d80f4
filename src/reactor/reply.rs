//! Bytes out: a response is framed, its content gathered, queued or pulled.

use super::clock::Tick;
use super::connection::{Farewell, Next, Phase, Pulling, Replying, Unsettled};
use super::connection::{next_pull, stamp};
use super::drive::Driver;
use super::errand::{Work, caught};
use super::output::{LOW, Output};
use super::world::{Bits, World};
use crate::http::{Body, ContentType, End, Exchange, Outcome, Pull, Service};
use crate::http::{Refused, Source, Status, Step};
use crate::proto::{Cycle, Fault, Framed, Read};
use crate::stats::Close;
use std::io;

/// Content up to this many bytes is copied behind its head, so that both leave
/// in one write; above it a copy costs more than a second entry in a `writev`.
const FLATTEN: usize = 4 * 1024;
/// Content that is asked of a source at once.
const PULL: usize = 64 * 1024;

/// What is known of a source that a helper has.
#[derive(Clone, Copy)]
struct Away {
    endless: bool,
}

/// In the place of a source that a helper has.
struct Elsewhere;

impl Source for Elsewhere {
    fn pull(&mut self, _: &mut Vec<u8>, _: usize) -> io::Result<Pull> {
        Err(io::ErrorKind::Other.into())
    }
}

/// Whether content goes on for as long as somebody listens.
fn is_endless(body: &Body, exchange: &Exchange) -> bool {
    let says_so = match body {
        Body::Inline(source, _) | Body::Blocking(source, _) => source.is_endless(),
        _ => false,
    };
    says_so || exchange.response.content_type() == Some(&ContentType::EVENTS)
}

impl<S: Service, W: World> Driver<'_, S, W> {
    /// The service has answered.
    #[inline]
    pub(crate) fn reply(&mut self, exchange: Box<Exchange>) {
        let shared = &mut *self.shared;
        if exchange.failed.is_some() || shared.draining {
            self.connection.http.close_after();
        }
        let gathered = shared.out.len();
        let http = &mut self.connection.http;
        if http.respond_whole(&exchange.response, FLATTEN, &mut shared.preamble, &mut shared.out) {
            let spare = self.released(exchange, |output| output.pushed + gathered as u64);
            return self.next(spare);
        }
        let from = self.active.output.pushed + gathered as u64;
        self.reply_by_steps(exchange, from);
    }

    /// A reply that is more than a few bytes on a connection that stays.
    #[inline(never)] // as below
    fn reply_by_steps(&mut self, mut exchange: Box<Exchange>, from: u64) {
        let away = match self.pull_ahead(&mut exchange) {
            Ok(away) => away,
            Err(_) => return self.helpless(exchange),
        };
        let shared = &mut *self.shared;
        let http = &mut self.connection.http;
        self.active.whole = http.read_state() == Read::Done;
        match http.respond(&exchange.response, &shared.preamble, &mut shared.out) {
            Framed::Nothing => self.framed(exchange, from),
            Framed::Switched => {
                if let Body::Switch(takeover) = exchange.response.take_body() {
                    self.active.takeover = Some(takeover);
                }
                self.settle_later(exchange, from);
                self.connection.because(Close::Switched);
                self.end(Farewell::Switch);
            }
            Framed::Length(_) | Framed::Chunked | Framed::UntilClose => {
                if let Some(bytes) = exchange.response.body_ref().bytes()
                    && bytes.len() <= FLATTEN
                {
                    if !http.frame(bytes.len(), &mut shared.out) {
                        return self.cut(exchange, from);
                    }
                    shared.out.extend_from_slice(bytes);
                    return self.finish(exchange, from);
                }
                self.reply_large(exchange, from, away);
            }
        }
    }

    /// Content that is not copied behind the head.
    fn reply_large(&mut self, mut exchange: Box<Exchange>, from: u64, away: Option<Away>) {
        let shared = &mut *self.shared;
        let body = exchange.response.take_body();
        let endless = body.len().is_none() && is_endless(&body, &exchange);
        if !matches!(body, Body::Inline(..) | Body::Blocking(..)) {
            let length = body.len().and_then(|length| usize::try_from(length).ok());
            let http = &mut self.connection.http;
            if !length.is_some_and(|length| http.frame(length, &mut shared.out)) {
                return self.cut(exchange, from);
            }
        }
        let output = &mut self.active.output;
        let source = match body {
            Body::Inline(source, _) => Pulling::Inline(source),
            Body::Blocking(..) if away.is_some() => Pulling::Away,
            Body::Blocking(source, _) => Pulling::Blocking(source),
            at_hand => {
                output.take(&mut shared.out);
                match at_hand {
                    Body::Static(bytes) => output.push_static(bytes),
                    Body::Owned(bytes) => output.push(bytes),
                    Body::Shared(bytes) => output.push_shared(bytes),
                    Body::File(span) => output.push_file(span),
                    Body::Pieces(parts) => {
                        parts.into_iter().for_each(|part| output.push_part(part));
                    }
                    _ => {}
                }
                return self.finish(exchange, from);
            }
        };
        let (pulling, told, pulled) = (source, false, self.shared.tick);
        let endless = away.map_or(endless, |away| endless || away.endless);
        let next = if away.is_some() { Next::Wake } else { Next::Room };
        let replying = Replying { exchange, from, pulling, endless, told, next, pulled };
        self.active.phase = Phase::Reply(Box::new(replying));
    }

    /// Sends a helper for the first piece of a blocking source before the head is
    /// written: without a helper it can still be another head.
    ///
    /// # Errors
    /// There is no helper for it.
    fn pull_ahead(&mut self, exchange: &mut Exchange) -> Result<Option<Away>, Work> {
        let is_blocking = matches!(exchange.response.body_ref(), Body::Blocking(..));
        if !is_blocking || !self.connection.http.sends_content(&exchange.response) {
            return Ok(None);
        }
        let Body::Blocking(source, len) = exchange.response.take_body() else { return Ok(None) };
        let endless = source.is_endless() && len.is_none();
        // The head says what is to come, and so needs a body of that length.
        exchange.response.set_body(Body::Blocking(Box::new(Elsewhere), len));
        self.errand(Work::Pull(source, Vec::new(), PULL))?;
        Ok(Some(Away { endless }))
    }

    /// There is no helper for a reply's content: the service answers something else,
    /// that needs none.
    #[cold]
    fn helpless(&mut self, mut exchange: Box<Exchange>) {
        log::warn!("{}: 503: there is no helper for it", self.connection.peer);
        self.connection.http.close_after();
        exchange.failed = Some(Status::SERVICE_UNAVAILABLE);
        match self.service.resume(exchange) {
            Step::Respond(exchange)
                if matches!(exchange.response.body_ref(), Body::Blocking(..)) =>
            {
                self.lost(exchange);
                self.refuse(&Fault::new(Status::SERVICE_UNAVAILABLE, "there is no helper"));
            }
            step => self.step(step),
        }
    }

    /// All content is there.
    #[inline]
    fn finish(&mut self, exchange: Box<Exchange>, from: u64) {
        if self.connection.http.finish(&mut self.shared.out) {
            self.framed(exchange, from);
        } else {
            log::warn!("{}: the content is shorter than was said", exchange.request.path());
            self.cut(exchange, from);
        }
    }

    /// The reply is framed to its end. Its exchange waits for the last byte to
    /// be taken, if the service wants to know; the connection goes on.
    fn framed(&mut self, exchange: Box<Exchange>, from: u64) {
        let spare = self.released(exchange, |_| from);
        self.cycle(spare);
    }

    /// The exchange of a reply that is framed, empty; or another, if the
    /// service wants to know when the last byte is taken.
    #[inline(always)]
    fn released(
        &mut self,
        mut exchange: Box<Exchange>,
        from: impl FnOnce(&Output) -> u64,
    ) -> Box<Exchange> {
        if self.service.observes(&exchange) {
            let from = from(&self.active.output);
            return self.observed(exchange, from);
        }
        exchange.recycle();
        exchange
    }

    #[inline(never)] // it would have the common way save registers
    fn observed(&mut self, exchange: Box<Exchange>, from: u64) -> Box<Exchange> {
        self.settle_later(exchange, from);
        let mut spare = self.shared.buffers.exchange();
        stamp(&mut spare.request, self.connection.peer, self.id);
        spare
    }

    fn settle_later(&mut self, exchange: Box<Exchange>, from: u64) {
        let to = self.active.output.pushed + self.shared.out.len() as u64;
        let begun = self.active.begun;
        self.active.unsettled.push_back(Unsettled { exchange, from, to, begun });
    }

    /// What comes after a reply.
    #[inline]
    fn cycle(&mut self, spare: Box<Exchange>) {
        match self.connection.http.next_cycle() {
            Cycle::Next => self.next(spare),
            Cycle::Discard | Cycle::Wait => self.active.phase = Phase::Discard(spare),
            Cycle::Linger => {
                self.shared.buffers.keep(spare);
                let over = self.active.last && self.active.whole;
                self.end(if over { Farewell::Close } else { Farewell::Linger });
            }
            Cycle::Close => {
                self.shared.buffers.keep(spare);
                self.end(Farewell::AtOnce);
            }
            Cycle::Cut => {
                self.shared.buffers.keep(spare);
                self.die();
            }
        }
    }

    /// The connection waits for its next request.
    #[inline]
    fn next(&mut self, spare: Box<Exchange>) {
        let now = self.shared.tick;
        if matches!(self.active.phase, Phase::Moving) {
            // As nearly always: there is nothing to drop.
            std::mem::forget(std::mem::replace(&mut self.active.phase, Phase::Head(spare)));
        } else {
            self.active.phase = Phase::Head(spare);
        }
        self.active.begun = now;
        self.connection.since = now;
    }

    /// Some unwanted content was thrown away: is it over?
    pub(crate) fn after_discard(&mut self) {
        if let Phase::Discard(mut spare) = std::mem::take(&mut self.active.phase) {
            // Trailers of what was thrown away are not the next request's.
            spare.request.trailers.clear();
            self.cycle(spare);
        }
    }

    /// The reply can't be completed: what the client has is visibly incomplete.
    fn cut(&mut self, exchange: Box<Exchange>, from: u64) {
        self.shared.stats.cuts.add(1);
        self.connection.because(Close::Cut);
        let bytes = self.active.output.written.saturating_sub(from);
        self.finished(exchange, End::Cut, bytes, self.active.begun);
        self.die();
    }

    /// Answers a head that never becomes a request.
    pub(crate) fn refuse_head(&mut self, fault: &Fault) {
        if let (Phase::Head(_), Some(status)) = (&self.active.phase, fault.status) {
            let (peer, connection) = (self.connection.peer, self.id.number());
            let (reason, at) = (fault.reason, self.shared.now);
            self.service.refused(&Refused { status, reason, peer, connection, at });
        }
        self.refuse(fault);
    }

    /// Answers a fault without the service: there is no request, or it has
    /// nothing to say.
    pub(crate) fn refuse(&mut self, fault: &Fault) {
        let shared = &mut *self.shared;
        self.connection.http.refuse(fault, &shared.preamble, &mut shared.out);
        self.abandon();
        self.end(Farewell::Linger);
    }

    /// Whether the reply's source could be pulled now.
    pub(crate) fn can_pull(&self) -> bool {
        let Phase::Reply(replying) = &self.active.phase else { return false };
        let due = match replying.next {
            Next::Room => true,
            Next::Wake => false,
            Next::At(time) => time <= self.shared.tick,
        };
        due && !matches!(replying.pulling, Pulling::Away)
            && self.active.output.bytes() + self.shared.out.len() < LOW
    }

    /// Whether the peer's end should be looked for: an endless stream to a
    /// client that has gone would never end by itself.
    pub(crate) fn must_watch(&self) -> bool {
        let bits = self.connection.bits;
        let endless = matches!(&self.active.phase, Phase::Reply(replying) if replying.endless);
        let waits = matches!(&self.active.phase, Phase::Reply(replying)
            if replying.next != Next::Room && !matches!(replying.pulling, Pulling::Away));
        let room = self.active.input.len() < self.shared.scratch.len();
        endless
            && waits
            && room
            && (bits.has(Bits::EOF) || (bits.has(Bits::HALF_CLOSED) && bits.has(Bits::READABLE)))
    }

    /// Pulls the reply's source once, if it may be; whether anything moved.
    pub(crate) fn pull(&mut self) -> bool {
        if self.must_watch() && self.watch() {
            return true;
        }
        if self.shared.draining {
            self.tell_to_leave();
        }
        if !self.can_pull() {
            return false;
        }
        let Phase::Reply(replying) = &mut self.active.phase else { return false };
        // Until the source is back; a wake in the meantime says `Room`.
        replying.next = Next::Wake;
        replying.pulled = self.shared.tick;
        match std::mem::replace(&mut replying.pulling, Pulling::Away) {
            Pulling::Inline(mut source) => {
                let mut chunk = Vec::new();
                let result = caught(|| source.pull(&mut chunk, PULL));
                self.pulled(Pulling::Inline(source), chunk, result);
                true
            }
            Pulling::Blocking(source) => {
                if self.errand(Work::Pull(source, Vec::new(), PULL)).is_err() {
                    self.die(); // only when the pool is gone
                }
                false
            }
            Pulling::Away => false,
        }
    }

    /// A source was pulled, here or by a helper.
    pub(crate) fn pulled(
        &mut self,
        pulling: Pulling,
        mut chunk: Vec<u8>,
        result: io::Result<Pull>,
    ) {
        let mut replying = match std::mem::take(&mut self.active.phase) {
            Phase::Reply(replying) => replying,
            other => return self.active.phase = other, // its reply was cut
        };
        let out = &mut self.shared.out;
        let framed = self.connection.http.frame(chunk.len(), out);
        let pull = match result {
            Ok(pull) if framed => pull,
            Ok(_) => {
                log::warn!("{}: more content than was said", replying.exchange.request.path());
                return self.cut(replying.exchange, replying.from);
            }
            Err(error) => {
                log::warn!("{}: the stream failed: {error}", replying.exchange.request.path());
                return self.cut(replying.exchange, replying.from);
            }
        };
        if pull != Pull::End {
            // Who waits for whole chunks, of events for example, waits no longer.
            self.connection.http.end_frame(&mut chunk);
        }
        if chunk.len() <= FLATTEN {
            out.extend_from_slice(&chunk);
        } else {
            self.active.output.take(out);
            self.active.output.push(chunk);
        }
        match next_pull(pull, self.shared.tick) {
            Some(next) => {
                // Woken while it was pulled: it may have looked just before.
                if replying.next != Next::Room {
                    replying.next = next;
                }
                replying.pulling = pulling;
                self.active.phase = Phase::Reply(replying);
            }
            None => {
                let Replying { exchange, from, .. } = *replying;
                self.finish(exchange, from);
            }
        }
    }

    /// Tells the service about replies whose last byte the socket took.
    #[inline]
    pub(crate) fn settle_replies(&mut self) {
        if !self.active.unsettled.is_empty() {
            self.settle_taken();
        }
    }

    fn settle_taken(&mut self) {
        while let Some(first) = self.active.unsettled.front() {
            if first.to > self.active.output.written {
                return;
            }
            if let Some(done) = self.active.unsettled.pop_front() {
                let bytes = done.to - done.from;
                self.finished(done.exchange, End::Sent, bytes, done.begun);
            }
        }
    }

    /// Ends an exchange: the service is told, the box goes back.
    pub(crate) fn finished(
        &mut self,
        mut exchange: Box<Exchange>,
        end: End,
        bytes: u64,
        started: Tick,
    ) {
        if self.service.observes(&exchange) {
            let status = exchange.response.status();
            let ended = self.shared.now;
            let started = self.shared.epoch.instant(started);
            let outcome = Outcome { status, bytes, started, ended, end };
            self.service.finish(&mut exchange, &outcome);
        }
        self.shared.buffers.keep(exchange);
    }
}
