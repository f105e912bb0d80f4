//! How a connection ends: last bytes out, leftovers read away, then gone.
//!
//! Closing a socket with unread input makes the kernel send a reset, and a
//! reset makes the client's kernel throw away the reply it has not read yet. So
//! unless the peer's end was read or its input is known to be drained, the
//! connection is half-closed and read into the void for a bounded while
//! (RFC 9112 section 9.6).

use super::connection::{Farewell, Life, Phase};
use super::deadline::{Deadline, Why};
use super::drive::Driver;
use super::world::{Bits, World};
use crate::http::{End, Exchange, Service, Status};
use crate::net::Socket;
use crate::proto::Fault;
use crate::stats::{Close, HandshakeFailure};
use std::io;

/// Bytes that a lingering connection reads before it gives up: more than a client that
/// is refused early has on its way, as a rule, since it stops when it sees the reply.
/// Whoever sends on has `linger_timeout` at most.
const LINGER_MAX: u32 = 1 << 20;

impl<S: Service, W: World> Driver<'_, S, W> {
    /// Nothing more is read or begun. What is queued still goes out.
    pub(crate) fn end(&mut self, farewell: Farewell) {
        if let Phase::Head(exchange) | Phase::Discard(exchange) =
            std::mem::replace(&mut self.active.phase, Phase::Ending(farewell))
        {
            self.shared.buffers.keep(exchange);
        }
    }

    /// Everything is written: if the connection was only waiting for that, it
    /// ends. Whether it did.
    #[inline]
    pub(crate) fn say_farewell(&mut self) -> bool {
        let Phase::Ending(farewell) = self.active.phase else { return false };
        self.leave(farewell);
        true
    }

    pub(super) fn leave(&mut self, farewell: Farewell) {
        if self.connection.life == Life::Dead {
            return; // it was cut: no word of an end in order
        }
        let bits = self.connection.bits;
        let drained = bits.has(Bits::EOF)
            || (farewell == Farewell::Close
                && !bits.has(Bits::READABLE)
                && self.active.input.is_empty());
        let drained = drained || mutant!("linger-skipped");
        if drained || matches!(farewell, Farewell::AtOnce | Farewell::Switch) {
            // A stream that was cut has none: so its reader knows.
            self.connection.socket.farewell();
            self.connection.life = Life::Dead;
        } else if self.connection.socket.shutdown_write().is_ok() {
            self.connection.life = Life::Linger(0);
            self.connection.since = self.shared.tick;
            self.active.input = Vec::new();
            self.linger();
        } else {
            self.connection.life = Life::Dead;
        }
    }

    /// Reads what still comes and throws it away, until the peer's end.
    pub(crate) fn linger(&mut self) {
        while self.connection.bits.has(Bits::READABLE) && self.read_left > 0 {
            let Life::Linger(so_far) = self.connection.life else { return };
            let read = self.connection.socket.read(&mut self.shared.scratch);
            match read {
                Ok(0) => self.connection.life = Life::Dead,
                Ok(count) => {
                    let total = so_far.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                    self.read_left = self.read_left.saturating_sub(count);
                    self.connection.life =
                        if total > LINGER_MAX { Life::Dead } else { Life::Linger(total) };
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.connection.bits.clear(Bits::READABLE);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.connection.life = Life::Dead,
            }
        }
    }

    /// Whether a lingering connection could read on. With both directions over
    /// it has read its last: closed with input unread, the kernel would throw
    /// away what the client has not taken yet.
    pub(crate) fn linger_on(&mut self) -> bool {
        let bits = self.connection.bits;
        if bits.has(Bits::GONE) && !bits.has(Bits::READABLE) {
            self.connection.life = Life::Dead;
        }
        bits.has(Bits::READABLE)
    }

    /// The connection is lost: everything under way ends, cut or abandoned.
    pub(crate) fn die(&mut self) {
        if self.connection.life == Life::Dead {
            return;
        }
        while let Some(reply) = self.active.unsettled.pop_front() {
            if mutant!("unsettled-not-drained") {
                break;
            }
            let written = self.active.output.written.clamp(reply.from, reply.to);
            let bytes = written - reply.from;
            self.finished(reply.exchange, End::Cut, bytes, reply.begun);
            self.shared.stats.cuts.add(1);
        }
        self.abandon();
        self.active.takeover = None;
        self.active.phase = Phase::Ending(Farewell::AtOnce);
        self.connection.http.cut();
        self.connection.life = Life::Dead;
    }

    /// Gives up the exchange at hand, wherever it is.
    pub(crate) fn abandon(&mut self) {
        match std::mem::take(&mut self.active.phase) {
            Phase::Head(exchange) | Phase::Discard(exchange) => self.shared.buffers.keep(exchange),
            Phase::Receive(receiving) => {
                if let Some(exchange) = self.give_up(*receiving) {
                    self.lost(exchange);
                }
            }
            Phase::Sleep(exchange, _) => self.lost(exchange),
            Phase::Reply(replying) => {
                let written = self.active.output.written.saturating_sub(replying.from);
                let begun = self.active.begun;
                self.shared.stats.cuts.add(1);
                self.finished(replying.exchange, End::Cut, written, begun);
            }
            // It comes home one day and finds nobody.
            Phase::Away(gone) => gone.store(true, std::sync::atomic::Ordering::Relaxed),
            Phase::Moving => {}
            ending @ Phase::Ending(_) => self.active.phase = ending,
        }
    }

    /// An exchange without a reply.
    pub(crate) fn lost(&mut self, exchange: Box<Exchange>) {
        let begun = self.active.begun;
        self.finished(exchange, End::Abandoned, 0, begun);
    }

    /// The wheel's entry has fired: if the true deadline has come, acts on it.
    pub(crate) fn expire(mut self) -> super::drive::Verdict {
        let now = self.shared.tick;
        let Driver { connection, active, shared, .. } = &self;
        let deadline = connection.deadline(Some(active), &shared.config, shared.draining);
        if let Deadline::At(at, why) = deadline
            && at <= now
        {
            self.act(why);
        }
        self.drive()
    }

    fn act(&mut self, why: Why) {
        let peer = self.connection.peer;
        let timeout = |reason| Fault::new(Status::REQUEST_TIMEOUT, reason);
        match why {
            Why::Handshake => self.unshaken(HandshakeFailure::Timeout, &"it took too long"),
            Why::First | Why::Idle => {
                let draining = self.shared.draining;
                self.connection.because(if draining { Close::Drain } else { Close::Idle });
                log::debug!("{peer}: closed: idle");
                // A request may be on its way: half-close, so that the client
                // sees an end and not a reset.
                self.connection.http.drain();
                self.end(Farewell::Linger);
            }
            Why::Head => {
                log::info!("{peer}: 408: the head took too long");
                self.connection.because(Close::SlowRequest);
                self.refuse_head(&timeout("the head took too long"));
            }
            Why::Body if self.progressed(self.shared.config.body_rate) => return,
            Why::Body => {
                log::info!("{peer}: 408: the content came too slowly");
                self.connection.because(Close::SlowRequest);
                self.body_too_slow();
            }
            Why::Work => {
                log::info!("{peer}: 503: the work took too long");
                self.connection.because(Close::Work);
                self.refuse(&Fault::new(Status::SERVICE_UNAVAILABLE, "the work took too long"));
            }
            Why::Cold | Why::Stuck => {
                // Its head has gone out, or waits in front of it: no other can.
                let what = if why == Why::Cold { "disk" } else { "stream" };
                log::info!("{peer}: cut: the {what} took too long");
                self.connection.because(Close::Work);
                self.die();
            }
            Why::Sleep => {
                if let Phase::Sleep(exchange, _) = std::mem::take(&mut self.active.phase) {
                    self.resume(exchange);
                }
                return;
            }
            Why::Pull => return, // `drive` pulls
            // The poll says that there is room once there is much of it; a slow
            // reader's progress is seen by trying.
            Why::Write => {
                self.connection.bits.set(Bits::WRITABLE);
                self.flush();
                if self.active.output.is_empty() || self.progressed(self.shared.config.write_rate) {
                    return;
                }
                self.takes_too_little();
            }
            Why::Linger => self.connection.life = Life::Dead,
            Why::Dead => return,
        }
        self.shared.stats.timeouts.add(1);
    }

    fn takes_too_little(&mut self) {
        log::info!("{}: cut: the client takes too little", self.connection.peer);
        self.connection.because(Close::SlowReader);
        self.die();
    }

    fn body_too_slow(&mut self) {
        if let Phase::Receive(receiving) = std::mem::take(&mut self.active.phase)
            && let Some(exchange) = self.give_up(*receiving)
        {
            return self.fail(exchange, Status::REQUEST_TIMEOUT);
        }
        self.end(Farewell::Linger);
    }

    /// Whether enough has moved since the window of progress began; then a new
    /// one begins.
    fn progressed(&mut self, rate: u32) -> bool {
        let now = self.shared.tick;
        let (why, bytes) = self.active.paced();
        let pace = &mut self.active.pace;
        let seconds = now.since(pace.since).as_secs().max(1);
        let enough = bytes.saturating_sub(pace.bytes) >= u64::from(rate).saturating_mul(seconds);
        if enough && pace.why == why {
            *pace = super::connection::Pace { why, since: now, bytes };
            return true;
        }
        false
    }
}
