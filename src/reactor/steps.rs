//! The service's answers, carried out.

use super::connection::{
    CHUNK, Destination, Next, Phase, Pulling, Receiving, Took, stamp, stamp_secure,
};
use super::deadline::Why;
use super::drive::{Driver, Verdict};
use super::errand::{Errand, Work};
use super::world::{Bits, World};
use crate::http::forwarded;
use crate::http::{Exchange, Intake, Job, Pull, Refusal, Service, Sink, Source, Status, Step};
use crate::net::Socket;
use crate::proto::{Fault, Read};
use std::io;
use std::sync::Arc;

/// Steps that a service may take for one call without waiting for anything. An
/// honest one takes two or three.
const STEPS_MAX: usize = 32;

impl<S: Service, W: World> Driver<'_, S, W> {
    /// A head is complete: the service has the word.
    // One caller; with the service's code in it too long to be inlined unasked.
    #[inline(always)]
    pub(crate) fn begin(&mut self) {
        let Phase::Head(mut exchange) = std::mem::take(&mut self.active.phase) else { return };
        self.active.last = !self.connection.http.keeps();
        self.connection.requests += 1;
        self.connection.bits.set(Bits::TOUCHED);
        self.requests_left -= 1;
        self.shared.stats.requests.add(1);
        let enough = self.connection.requests >= self.shared.config.requests_per_connection;
        if enough || self.shared.draining {
            self.connection.http.close_after();
        }
        if self.is_strange(&exchange) {
            self.shared.buffers.furnish(&mut exchange.request);
            stamp(&mut exchange.request, self.connection.peer, self.id);
        }
        let is_secure = self.connection.socket.is_secure();
        if is_secure || self.shared.believing {
            // What a proxy said of the last request doesn't hold for this one.
            stamp(&mut exchange.request, self.connection.peer, self.id);
            if is_secure {
                stamp_secure(&mut exchange.request, &self.connection.socket);
            }
            self.look_behind_proxy(&mut exchange);
        }
        exchange.request.origin.now = Some(self.shared.now);
        if self.shared.laps.runs {
            self.shared.laps.handler_begins(self.world.now());
        }
        let step = self.service.begin(exchange);
        if self.shared.laps.runs {
            self.shared.laps.handler_ends(&self.shared.stats, self.world.now());
        }
        match step {
            Step::Respond(exchange) => self.reply(exchange),
            step => self.step(step),
        }
    }

    /// Whether its request is not the one that was stamped for this connection: an
    /// application may have left another in its place, even of another loop, where
    /// numbers are the same.
    #[inline(always)]
    fn is_strange(&self, exchange: &Exchange) -> bool {
        let origin = &exchange.request.origin;
        let ours = origin.stats.as_ref().is_some_and(|it| Arc::ptr_eq(it, &self.shared.stats));
        !ours || origin.connection != u64::from(self.id)
    }

    /// If the peer is a proxy that is trusted: who is behind it.
    #[cold]
    #[inline(never)]
    fn look_behind_proxy(&self, exchange: &mut Exchange) {
        let config = &self.shared.config;
        forwarded::resolve(&mut exchange.request, &config.trusted, config.forwarded);
    }

    /// What the service asked for is done: it has the word again.
    pub(crate) fn resume(&mut self, mut exchange: Box<Exchange>) {
        exchange.request.origin.now = Some(self.shared.now);
        if self.shared.laps.runs {
            self.shared.laps.handler_begins(self.world.now());
        }
        let step = self.service.resume(exchange);
        if self.shared.laps.runs {
            self.shared.laps.handler_ends(&self.shared.stats, self.world.now());
        }
        self.step(step);
    }

    /// The engine can't do what the service asked for: it is to answer with
    /// this status, and the connection ends with the answer.
    pub(crate) fn fail(&mut self, mut exchange: Box<Exchange>, status: Status) {
        self.connection.http.close_after();
        exchange.failed = Some(status);
        self.resume(exchange);
    }

    pub(super) fn step(&mut self, first: Step) {
        let mut step = first;
        for _ in 0..STEPS_MAX {
            let next = match step {
                Step::Respond(exchange) => return self.reply(exchange),
                Step::Receive(exchange, intake) => self.receive(exchange, intake),
                Step::Offload(exchange, job) => self.offload(exchange, job),
                Step::Sleep(exchange, time) => {
                    // The turn may have begun before this request was sent, and
                    // no sleep is shorter than was asked for.
                    let now = self.shared.epoch.tick(self.world.now());
                    let until = now + time;
                    self.active.work_limit = exchange.request.work_limit();
                    self.active.phase = Phase::Sleep(exchange, until);
                    return;
                }
            };
            match next {
                Some(exchange) => step = self.service.resume(exchange),
                None => return,
            }
        }
        log::error!("{}: the service goes round in circles", self.connection.peer);
        let (Step::Respond(exchange)
        | Step::Receive(exchange, _)
        | Step::Offload(exchange, _)
        | Step::Sleep(exchange, _)) = step;
        self.lost(exchange);
        self.die();
    }

    /// Begins to bring the content; the exchange comes back if there is
    /// nothing to bring.
    fn receive(&mut self, mut exchange: Box<Exchange>, intake: Intake) -> Option<Box<Exchange>> {
        let (into, max) = match intake {
            Intake::Buffer { max } => (Destination::Buffer, max),
            Intake::Inline { sink, max } => (Destination::Inline(sink), max),
            Intake::Blocking { sink, max } => {
                (Destination::Blocking { sink: Some(sink), chunk: Vec::new() }, max)
            }
        };
        if exchange.request.content_length.is_some_and(|length| length > max) {
            self.connection.http.close_after();
            exchange.failed = Some(Status::CONTENT_TOO_LARGE);
            return Some(exchange);
        }
        // There is none, a route has taken it before its handler was called, or it
        // is broken and won't come.
        let here = self.connection.http.read_state() != Read::Body;
        if here && matches!(into, Destination::Buffer) {
            return Some(exchange);
        }
        if self.connection.http.expects_continue() {
            self.connection.http.interim(Status::CONTINUE, &mut self.shared.out);
            if mutant!("continue-twice") {
                self.connection.http.interim(Status::CONTINUE, &mut self.shared.out);
            }
        }
        let taken = if here { exchange.request.take_body() } else { Vec::new() };
        let exchange = Some(exchange);
        let mut receiving = Receiving { exchange, into, taken: 0, max, complete: false };
        let took = if taken.is_empty() { Took::More } else { receiving.take(&taken) };
        self.active.phase = Phase::Receive(Box::new(receiving));
        match took {
            Took::Failed(refusal) => self.intake_failed(refusal),
            Took::More if here => self.content_complete(), // a sink is finished even so
            Took::More => {}
        }
        None
    }

    /// Hands a job and its exchange to a helper; the exchange comes back if
    /// the queue is full.
    fn offload(&mut self, exchange: Box<Exchange>, job: Job) -> Option<Box<Exchange>> {
        let gone = Arc::clone(&exchange.gone);
        self.active.away = exchange.request.footprint();
        self.active.work_limit = exchange.request.work_limit();
        match self.errand(Work::Job(exchange, job)) {
            Ok(()) => {
                self.active.phase = Phase::Away(gone);
                None
            }
            Err(Work::Job(mut exchange, _)) if exchange.failed.is_none() => {
                self.shared.stats.jobs_refused.add(1);
                log::info!("{}: refused: the helpers' queue is full", self.connection.peer);
                exchange.failed = Some(Status::SERVICE_UNAVAILABLE);
                Some(exchange)
            }
            Err(work) => {
                self.unserved(work);
                None
            }
        }
    }

    /// A helper can't be had. As long as no head has gone out, the answer is a 503,
    /// and the service's while it can still give one.
    fn unserved(&mut self, work: Work) {
        log::warn!("{}: 503: there is no helper for it", self.connection.peer);
        match work {
            Work::Write(..) => {
                self.intake_failed(Refusal::new(Status::SERVICE_UNAVAILABLE, ""));
            }
            Work::Finish(_, exchange) => self.fail(exchange, Status::SERVICE_UNAVAILABLE),
            Work::Job(exchange, _) => {
                self.lost(exchange);
                self.refuse(&Fault::new(Status::SERVICE_UNAVAILABLE, "there is no helper"));
            }
            Work::Pull(..) | Work::Warm(_) => self.die(),
            Work::Discard(sink) => drop(sink), // nobody else is there to do it
        }
    }

    /// Sends a helper on an errand.
    ///
    /// # Errors
    /// The work, if the queue is full.
    pub(crate) fn errand(&mut self, work: Work) -> Result<(), Work> {
        let inbox = Arc::clone(&self.shared.inbox);
        let errand = Errand { from: self.id, inbox, work };
        self.world.submit(errand).map_err(|errand| errand.work)
    }

    /// Gives the filled chunk to the sink's helper, if the sink is here and the
    /// chunk is full or the last; then, the end.
    pub(crate) fn pass_chunk(&mut self) {
        let Phase::Receive(receiving) = &mut self.active.phase else { return };
        let complete = receiving.complete;
        let Destination::Blocking { sink, chunk } = &mut receiving.into else { return };
        let work = if chunk.len() >= CHUNK || (complete && !chunk.is_empty()) {
            let Some(sink) = sink.take() else { return };
            Work::Write(sink, std::mem::take(chunk))
        } else if complete {
            let Some(sink) = sink.take() else { return };
            let Some(exchange) = receiving.exchange.take() else { return };
            self.active.away = exchange.request.footprint();
            self.active.work_limit = exchange.request.work_limit();
            self.active.phase = Phase::Away(Arc::clone(&exchange.gone));
            Work::Finish(sink, exchange)
        } else {
            return;
        };
        if let Err(work) = self.errand(work) {
            self.unserved(work);
        }
    }
}

/// What comes home from the helpers.
impl<S: Service, W: World> Driver<'_, S, W> {
    /// The exchange, its job done.
    pub(crate) fn exchange_home(mut self, exchange: Box<Exchange>) -> Verdict {
        if exchange.failed.is_some() {
            self.connection.http.close_after();
        }
        self.resume(exchange);
        self.drive()
    }

    /// A sink that has written its chunk, and the chunk's memory.
    pub(crate) fn sink_home(
        mut self,
        sink: Box<dyn Sink>,
        spare: Vec<u8>,
        result: io::Result<()>,
    ) -> Verdict {
        if let Phase::Receive(receiving) = &mut self.active.phase
            && let Destination::Blocking { sink: place, chunk } = &mut receiving.into
        {
            *place = Some(sink);
            if chunk.capacity() == 0 {
                *chunk = spare;
            }
            match result {
                Ok(()) => self.pass_chunk(),
                Err(error) => self.intake_failed(Refusal::of(&error)),
            }
        } else {
            let _ = self.errand(Work::Discard(sink));
        }
        self.drive()
    }

    /// A source that has filled its chunk.
    pub(crate) fn source_home(
        mut self,
        source: Box<dyn Source>,
        chunk: Vec<u8>,
        result: io::Result<Pull>,
    ) -> Verdict {
        self.pulled(Pulling::Blocking(source), chunk, result);
        self.drive()
    }

    /// A source has something.
    pub(crate) fn woken(mut self) -> Verdict {
        if let Phase::Reply(replying) = &mut self.active.phase {
            replying.next = if mutant!("wake-ignored") { replying.next } else { Next::Room };
        }
        self.drive()
    }

    /// The next part of a file is in memory.
    pub(crate) fn warmed(mut self) -> Verdict {
        self.active.output.warmed();
        self.active.pace.why = Why::Work; // the time it took is not the client's
        self.connection.bits.set(Bits::WRITABLE);
        self.drive()
    }

    /// Has the next part of a file brought into memory.
    pub(crate) fn warm(&mut self) {
        if let Some(span) = self.active.output.begin_warming()
            && self.errand(Work::Warm(span)).is_err()
        {
            self.die(); // only when the pool is gone
        }
    }
}
