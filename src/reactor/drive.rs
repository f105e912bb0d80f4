//! Driving one client: as far as it can go now, and no farther than its budget.
//!
//! A [`Driver`] brings together one connection and everything it may use for
//! the moment: the service, the world, the reactor's shared buffers. The rooms
//! beside this one hold its other halves: `input` (bytes in), `steps` (the
//! service's answers), `reply` (bytes out), `ending` (how it stops).
//!
//! ```text
//!   .-> take input: buffered bytes first, then one read  --> events --> service
//!   |   pull the reply's source, if there is room
//!   |   flush: one write for all that was gathered
//!   '-- while something moved and the budget lasts
//!   settle: account, return the box if idle, say when to look again
//! ```

use super::buffers::Buffers;
use super::clock::{Epoch, Span, Tick};
use super::connection::{Active, Connection, Life, Pace, Phase, stamp};
use super::deadline::{Deadline, Why};
use super::inbox::Inbox;
use super::output::{Flushed, SLICE};
use super::slots::ConnectionId;
use super::visitors::Visitors;
use super::watched::Laps;
use super::world::{Bits, World};
use crate::config::Config;
use crate::http::{Now, Service};
use crate::proto::Preamble;
use crate::stats::{Close, HandshakeFailure, Stats};
use std::io;
use std::sync::Arc;

/// Requests of one connection answered before the others have a turn.
pub(crate) const REQUESTS_PER_TURN: u32 = 32;
/// Rounds of one drive: each moves something, so this bounds a source that
/// gives a byte at a time.
const ROUNDS_PER_TURN: u32 = 64;

/// What all connections of a reactor use in turn.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) now: Now,
    /// The same in the loop's own time, and what converts between the two.
    pub(crate) tick: Tick,
    pub(crate) epoch: Epoch,
    /// With the date as of the wall clock's last reading.
    pub(crate) preamble: Preamble,
    /// Where reads go: a connection has bytes of its own only if some are left.
    pub(crate) scratch: Vec<u8>,
    /// Where replies are gathered while one connection is driven.
    pub(crate) out: Vec<u8>,
    pub(crate) buffers: Buffers,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) laps: Laps,
    /// The configuration's `idle_timeout`.
    pub(crate) idle: Span,
    pub(crate) draining: bool,
    /// Somebody is trusted to speak for others, or was once: exchanges may carry
    /// what was said.
    pub(crate) believing: bool,
    /// Who is here, by address.
    pub(crate) visitors: Visitors,
    /// Connections that are [`REBUFFED`](Bits::REBUFFED).
    pub(crate) rebuffed: usize,
    /// Handshakes that may go on in this turn.
    pub(crate) handshakes_left: u32,
}

/// One connection and all that it may use while it is driven.
pub(crate) struct Driver<'r, S, W: World> {
    pub(crate) service: &'r mut S,
    pub(crate) world: &'r mut W,
    pub(crate) shared: &'r mut Shared,
    pub(crate) connection: &'r mut Connection<W::Socket>,
    pub(crate) active: Box<Active>,
    pub(crate) id: ConnectionId,
    pub(crate) requests_left: u32,
    pub(crate) read_left: usize,
    pub(crate) write_left: usize,
}

/// What the reactor is to do with a connection that was driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    /// It could go on: put it into the run queue.
    pub(crate) again: bool,
    /// When to look at it at the latest.
    pub(crate) deadline: Deadline,
}

/// How a drive left its connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// Everything read is answered, everything written.
    Rests,
    /// It waits for an event or a time.
    Waits,
    /// It could go on.
    Could,
}

impl After {
    fn of(able: bool) -> After {
        if able { After::Could } else { After::Waits }
    }
}

impl<'r, S: Service, W: World> Driver<'r, S, W> {
    #[inline]
    pub(crate) fn new(
        service: &'r mut S,
        world: &'r mut W,
        shared: &'r mut Shared,
        connection: &'r mut Connection<W::Socket>,
        id: ConnectionId,
    ) -> Driver<'r, S, W> {
        let now = shared.tick;
        let active = connection.active.take().unwrap_or_else(|| {
            let mut active = shared.buffers.lend(now);
            if let Phase::Head(exchange) = &mut active.phase {
                stamp(&mut exchange.request, connection.peer, id);
            }
            active
        });
        let read_left = shared.scratch.len();
        Driver {
            service,
            world,
            shared,
            connection,
            active,
            id,
            requests_left: REQUESTS_PER_TURN,
            read_left,
            write_left: SLICE,
        }
    }

    /// Goes on as far as possible.
    pub(crate) fn drive(mut self) -> Verdict {
        if self.connection.bits.has(Bits::GONE) {
            match self.connection.life {
                Life::Handshake => self.unshaken(HandshakeFailure::Left, &"the peer is gone"),
                Life::Open => {
                    log::debug!("{}: the peer is gone", self.connection.peer);
                    self.connection.because(Close::Peer);
                    self.die();
                }
                // Both have half-closed. What is still unread must be read, or
                // closing turns into the reset that lingering avoids.
                Life::Linger(_) => self.connection.bits.set(Bits::READABLE),
                Life::Dead => {}
            }
        }
        let after = match self.connection.life {
            Life::Open => self.rounds(),
            Life::Handshake => self.shake(),
            Life::Linger(_) => {
                self.linger();
                After::of(self.linger_on())
            }
            Life::Dead => After::Waits,
        };
        self.settle(after)
    }

    pub(super) fn rounds(&mut self) -> After {
        for _ in 0..ROUNDS_PER_TURN {
            let mut moved = false;
            if self.active.wants_input() {
                moved = self.take_input();
            }
            if let Phase::Reply(_) = self.active.phase {
                moved |= self.pull();
            }
            moved |= self.flush();
            match self.connection.life {
                Life::Open | Life::Handshake => {}
                Life::Linger(_) => return After::of(self.connection.bits.has(Bits::READABLE)),
                Life::Dead => return After::Waits,
            }
            if self.rests() {
                return After::Rests;
            }
            let able = self.is_able();
            if !able || !moved {
                return After::of(able); // done, or the budget is
            }
        }
        After::Could
    }

    /// Writes what was gathered and queued; whether the connection came closer
    /// to its end by it.
    #[inline(always)] // into the one round that nearly every reply has
    pub(crate) fn flush(&mut self) -> bool {
        let Driver { active, connection, shared, .. } = self;
        let direct = connection.bits.has(Bits::WRITABLE) && active.output.is_empty();
        if !direct || shared.out.is_empty() {
            return self.flush_queued();
        }
        // The path of nearly every reply: one write, nothing queued.
        let all = shared.out.len();
        match active.output.write_through(&mut connection.socket, &mut shared.out) {
            Ok(taken) => {
                shared.stats.bytes_out.add(taken as u64);
                if taken == all {
                    self.flushed();
                    return true;
                }
                self.flush_queued() || taken > 0
            }
            Err(error) => self.flush_failed(&error),
        }
    }

    /// Everything was taken.
    #[inline]
    fn flushed(&mut self) {
        if self.connection.requests > 0 {
            // It is idle from its last byte on, not from its framing.
            self.connection.since = self.shared.tick;
        }
        self.settle_replies();
        self.say_farewell();
    }

    #[cold]
    fn flush_failed(&mut self, error: &io::Error) -> bool {
        log::debug!("{}: cut while writing: {error}", self.connection.peer);
        self.connection.because(Close::Peer);
        self.shared.out.clear();
        self.die();
        false
    }

    #[inline(never)]
    fn flush_queued(&mut self) -> bool {
        let Driver { active, connection, shared, world, write_left, .. } = self;
        if !connection.bits.has(Bits::WRITABLE) {
            active.output.take(&mut shared.out);
            return false;
        }
        if shared.out.is_empty() && active.output.is_empty() {
            // A stream may end with nothing after its last bytes were written.
            self.settle_replies();
            return self.say_farewell();
        }
        let before = active.output.written;
        let queued = !active.output.is_empty();
        let flushed =
            active.output.flush(&mut connection.socket, &mut shared.out, write_left, |span| {
                world.is_resident(span)
            });
        let written = active.output.written;
        shared.stats.bytes_out.add(written - before);
        match flushed {
            Ok(Flushed::All) => {
                if queued {
                    self.caught_up();
                }
                self.flushed();
                true
            }
            Ok(Flushed::Full) => {
                if !mutant!("writable-kept") {
                    self.connection.bits.clear(Bits::WRITABLE);
                }
                self.look_ahead();
                self.settle_replies();
                written > before
            }
            Ok(Flushed::Budget) => {
                self.look_ahead();
                self.settle_replies();
                false
            }
            Ok(Flushed::Cold) => {
                self.connection.bits.clear(Bits::WRITABLE);
                self.settle_replies();
                self.warm();
                false
            }
            Err(error) => self.flush_failed(&error),
        }
    }

    fn look_ahead(&mut self) {
        self.active.output.look_ahead(&mut self.connection.socket, self.shared.tick);
    }

    /// The client has taken all that it was slow to take. The time for its next
    /// request begins now: while output was queued it may not have been read from.
    #[cold]
    fn caught_up(&mut self) {
        self.active.output.look_near(&mut self.connection.socket);
        self.connection.since = self.shared.tick;
        if let Phase::Head(_) = self.active.phase {
            self.active.begun = self.shared.tick;
        }
    }

    /// The usual end of a drive: everything read is answered, everything written.
    #[inline]
    fn rests(&self) -> bool {
        let (bits, active) = (self.connection.bits, &self.active);
        matches!(active.phase, Phase::Head(_))
            && !bits.any(Bits::READABLE.and(Bits::EOF))
            && active.input.is_empty()
            && active.output.is_empty()
    }

    /// Whether another round could move something, without a new event.
    fn is_able(&self) -> bool {
        let bits = self.connection.bits;
        let active = &self.active;
        let input = active.wants_input()
            && (self.holds_news()
                || (bits.has(Bits::READABLE) && self.shared.buffers.may_read())
                || bits.has(Bits::EOF));
        let output = bits.has(Bits::WRITABLE)
            && (!active.output.is_empty() || matches!(active.phase, Phase::Ending(_)));
        input || output || self.can_pull() || self.must_watch()
    }

    /// Settles the account, gives the box back if the connection is idle, and
    /// says what is next.
    #[inline]
    fn settle(self, after: After) -> Verdict {
        let head_begun = self.connection.http.head_begun();
        let Driver { mut active, connection, shared, .. } = self;
        // What a dead connection has gathered must not reach the next one.
        debug_assert!(connection.life == Life::Dead || shared.out.is_empty());
        shared.out.clear();
        let now = shared.tick;
        let again = matches!(after, After::Could);
        let rests = matches!(after, After::Rests) && !head_begun && active.unsettled.is_empty();
        debug_assert!(!rests || connection.life == Life::Open && active.is_idle(head_begun));
        let lives = matches!(connection.life, Life::Open | Life::Handshake);
        if rests || (lives && active.is_idle(head_begun)) {
            if active.lent > 0 {
                shared.buffers.settle(&mut active.lent, 0);
            }
            shared.buffers.give_back_idle(active);
            if connection.requests > 0 && !shared.draining {
                // What the function below comes to, in nearly every case.
                let deadline = Deadline::At(connection.since + shared.idle, Why::Idle);
                return Verdict { again, deadline };
            }
        } else if lives {
            let footprint = connection.footprint(&active);
            let footprint = if mutant!("footprint-unsettled") { active.lent } else { footprint };
            shared.buffers.settle(&mut active.lent, footprint);
            active.keep_pace(now);
            connection.active = Some(active);
        } else {
            shared
                .buffers
                .settle(&mut active.lent, if mutant!("buffer-not-returned") { 1 } else { 0 });
            if active.takeover.is_some() {
                connection.active = Some(active);
            } else {
                shared.buffers.give_back(active);
            }
        }
        let deadline =
            connection.deadline(connection.active.as_deref(), &shared.config, shared.draining);
        Verdict { again, deadline }
    }
}

impl Active {
    /// Begins a new window of progress when what is waited for has changed.
    fn keep_pace(&mut self, now: Tick) {
        let (why, bytes) = self.paced();
        if self.pace.why != why && !mutant!("pace-never-renewed") {
            self.pace = Pace { why, since: now, bytes };
        }
    }

    /// What progress is judged by at present, and how far it has come.
    pub(crate) fn paced(&self) -> (Why, u64) {
        if !self.output.is_empty() || matches!(self.phase, Phase::Ending(_)) {
            return (Why::Write, self.output.written);
        }
        match &self.phase {
            Phase::Receive(receiving) if receiving.has_room() => (Why::Body, self.received),
            Phase::Discard(_) => (Why::Body, self.received),
            _ => (Why::Work, 0),
        }
    }
}
