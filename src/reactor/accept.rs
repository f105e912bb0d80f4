//! New clients: taken, refused, or left waiting in the kernel's queue.
//!
//! The poll is edge-triggered, so a listener that said "somebody is waiting" is
//! remembered until accept says `WouldBlock`. When the process is out of
//! descriptors no edge will come to say that there are some again: accept is
//! tried anew after a while, without spinning meanwhile.

use super::clock::Tick;
use super::connection::{Connection, Farewell, Life};
use super::drive::Driver;
use super::turn::Reactor;
use super::world::{Bits, World};
use crate::config::Overload;
use crate::http::{Peer, Service, Status};
use crate::net::Socket;
use crate::proto::Fault;
use crate::stats::{AcceptError, Close};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// Clients taken in one turn: enough for a burst, and those already here wait
/// no longer than about a millisecond for it.
const ACCEPTS_PER_TURN: usize = 64;
/// How long accept rests after a failure that only time can mend.
const REST: Duration = Duration::from_millis(100);
/// Slots beyond `connections_max` for telling clients that there is no room.
pub(crate) const REFUSALS_MAX: usize = 64;
/// Idle connections looked at, per turn, to find one that gives up its place.
const SHED_LOOKS: usize = 64;

/// Which listeners have somebody waiting, and whether accept may be called.
#[derive(Debug)]
pub(crate) struct Accepting {
    waiting: Vec<bool>,
    /// Whether any of these is set: asked twice a turn.
    some: bool,
    /// Until when accept is left alone; `NEVER` if it is not.
    resting: Tick,
    /// Whether clients have sent their request by the time they are accepted.
    guess: Guess,
    /// Full, and configured to leave clients in the queue.
    paused: bool,
    /// The last failure was logged; the next of its kind need not be.
    complained: bool,
}

/// Learns whether to read from a socket right after its accept. Near clients
/// mostly have sent something by then, and one call is saved; far ones never
/// have, and the read would be for nothing.
#[derive(Debug, Default)]
struct Guess {
    /// How it went lately: positive if there was mostly something.
    score: i8,
    /// Clients since the last read against the odds.
    since: u8,
}

impl Guess {
    const SCORE_MAX: i8 = 8;
    /// One client in so many is tried although the last ones had nothing.
    const RETRY: u8 = 32;

    fn is_worth_it(&mut self) -> bool {
        self.since = (self.since + 1) % Guess::RETRY;
        self.score >= 0 || self.since == 0
    }

    fn learn(&mut self, right: bool) {
        let step = if right { 1 } else { -1 };
        self.score = (self.score + step).clamp(-Guess::SCORE_MAX, Guess::SCORE_MAX);
    }
}

impl Accepting {
    pub(crate) fn new(listeners: usize) -> Accepting {
        // Clients may have come between `listen` and the first poll.
        Accepting {
            waiting: vec![true; listeners],
            some: listeners > 0,
            resting: Tick::NEVER,
            guess: Guess::default(),
            paused: false,
            complained: false,
        }
    }

    pub(crate) fn note(&mut self, listener: u32) {
        self.set_waiting(listener as usize, true);
    }

    /// Whether accept should be called now, without waiting for an event.
    #[inline]
    pub(crate) fn is_able(&self) -> bool {
        self.is_pending() && self.resting == Tick::NEVER && !self.paused
    }

    /// Whether accept has anything to see to at all.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.some
    }

    /// Puts down whether a listener has somebody waiting.
    fn set_waiting(&mut self, listener: usize, somebody: bool) {
        if let Some(waiting) = self.waiting.get_mut(listener) {
            *waiting = somebody;
        }
        self.some = self.waiting.contains(&true);
    }

    /// When accept is to be tried again, or never.
    #[inline]
    pub(crate) fn retry_at(&self) -> Tick {
        self.resting
    }

    /// A slot has become free: whoever was left in the queue may come.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    pub(crate) fn close(&mut self) {
        self.waiting.clear();
        self.some = false;
        self.resting = Tick::NEVER;
    }
}

impl<S: Service, W: World> Reactor<S, W> {
    pub(crate) fn accept(&mut self) {
        let now = self.shared.tick;
        if self.accepting.resting <= now {
            self.accepting.resting = Tick::NEVER;
        }
        self.accepting.paused = false;
        if self.accepting.is_able() && self.is_full_and_pauses() {
            self.shed();
            self.accepting.paused = self.is_full_and_pauses();
        }
        let mut budget = ACCEPTS_PER_TURN;
        for listener in 0..self.accepting.waiting.len() {
            while budget > 0 && self.accepting.is_able() && self.accepting.waiting[listener] {
                budget -= 1;
                self.accept_one(listener);
            }
        }
    }

    fn accept_one(&mut self, listener: usize) {
        match self.world.accept(listener) {
            Ok((socket, peer)) => {
                self.accepting.complained = false;
                self.admit(socket, peer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.accepting.set_waiting(listener, false);
            }
            Err(error) if is_of_client(&error) => self.count(AcceptError::Client),
            Err(error) => {
                self.count(match error.raw_os_error().map(Errno::from_raw_os_error) {
                    Some(Errno::MFILE | Errno::NFILE) => AcceptError::Descriptors,
                    Some(Errno::NOMEM | Errno::NOBUFS) => AcceptError::Memory,
                    _ => AcceptError::Other,
                });
                if !self.accepting.complained {
                    log::error!("accept: {error}; trying again every {} ms", REST.as_millis());
                    self.accepting.complained = true;
                }
                self.shed();
                self.accepting.resting = self.shared.tick + REST;
            }
        }
    }

    fn count(&self, error: AcceptError) {
        self.shared.stats.accept_errors.add(1);
        self.shared.stats.accept_errors_by.add(error);
    }

    /// Gives a client a slot, or tells it that there is none.
    fn admit(&mut self, socket: W::Socket, peer: Peer) {
        let Some((socket, bits)) = self.let_in(socket, peer) else { return };
        let max = self.shared.config.connections_max;
        let near = max - max / 10;
        if self.occupied() >= near || self.shared.buffers.is_tight() {
            self.shed();
        }
        let full = self.occupied() >= max;
        if full && self.slots.len() >= max + REFUSALS_MAX {
            self.shared.stats.refused.add(1);
            self.say_goodbye(peer, bits);
            return; // dropped, and so closed
        }
        let secret = socket.is_handshaking();
        let id = self.slots.insert(Connection::arrived(socket, peer, self.shared.tick));
        if id.slot as usize >= max + REFUSALS_MAX {
            // The dead keep their slots to the turn's end.
            self.shared.inbox.serve(id.slot as usize + 1);
        }
        if let Some(connection) = self.slots.get_mut(id.slot) {
            connection.bits.set(bits);
        }
        self.shared.stats.accepted.add(1);
        self.shared.stats.open.set(self.slots.len() as u64);
        self.shared.stats.slots.set(self.slots.capacity() as u64);
        log::trace!("{peer}: connection {}", id.number());
        if full {
            self.shared.stats.refused.add(1);
            log::info!("{peer}: 503: all {max} connections are taken");
            self.with(id.slot, |driver| driver.turn_away());
        } else if secret {
            self.with(id.slot, |driver| driver.drive()); // it begins when the poll says so
        } else if self.accepting.guess.is_worth_it() {
            self.with(id.slot, |driver| driver.welcome());
            let spoke = self.slots.get_mut(id.slot).is_some_and(|fresh| fresh.requests > 0);
            self.accepting.guess.learn(spoke);
        } else {
            self.with(id.slot, |driver| driver.drive());
        }
        self.watch(id.slot);
        self.accepting.paused = self.is_full_and_pauses();
    }

    /// Asks the poll to watch a fresh connection, unless it is over already. If
    /// input came between a first read and this, the poll says so at once.
    pub(super) fn watch(&mut self, slot: u32) {
        let Some(connection) = self.slots.get_mut(slot) else { return };
        if connection.life == Life::Dead {
            return;
        }
        if let Err(error) = self.world.register(&mut connection.socket, slot) {
            log::warn!("{}: can't be watched: {error}", connection.peer);
            self.with(slot, |driver| driver.cut_off());
        }
    }

    fn is_full_and_pauses(&self) -> bool {
        self.shared.config.overload == Overload::Pause
            && self.occupied() >= self.shared.config.connections_max
    }

    /// Connections but for those that are freed at the end of this turn.
    fn occupied(&self) -> usize {
        self.slots.len() - self.dead.len()
    }

    /// Closes the connection that has been idle longest; whether there was one.
    ///
    /// The list is kept lazily: a connection that worked since it was put there
    /// is found [`TOUCHED`](Bits::TOUCHED) and goes to the end. If all that were
    /// looked at had worked, the one whose work is longest ago yields.
    pub(crate) fn shed(&mut self) -> bool {
        let (mut first, mut longest) = (None, None);
        for _ in 0..SHED_LOOKS {
            let Some(slot) = self.slots.longest_idle().filter(|&s| first != Some(s)) else { break };
            let Some(connection) = self.slots.get_mut(slot) else { break };
            first = first.or(Some(slot));
            let touched = connection.bits.has(Bits::TOUCHED);
            connection.bits.clear(Bits::TOUCHED);
            let idle = connection.active.is_none() && connection.life == Life::Open;
            if idle && connection.requests > 0 {
                let since = connection.since;
                if !touched {
                    longest = Some((since, slot));
                    break;
                }
                if longest.is_none_or(|(other, _)| since < other) {
                    longest = Some((since, slot));
                }
            }
            self.slots.idle_push(slot); // to the end of the list
        }
        let Some((_, slot)) = longest else { return false };
        if let Some(connection) = self.slots.get_mut(slot) {
            connection.bits.clear(Bits::LISTED);
        }
        self.slots.idle_remove(slot);
        self.shared.stats.shed.add(1);
        self.with(slot, |driver| driver.make_room());
        true
    }
}

impl<S: Service, W: World> Driver<'_, S, W> {
    /// A fresh connection whose first request may be here already: then a client
    /// that comes for one reply is served before the poll ever hears of it.
    fn welcome(self) -> super::drive::Verdict {
        self.connection.bits.set(Bits::READABLE);
        self.drive()
    }

    /// A client for whom there is no room is told so.
    fn turn_away(mut self) -> super::drive::Verdict {
        self.connection.because(Close::Full);
        self.refuse(&Fault::new(Status::SERVICE_UNAVAILABLE, "all connections are taken"));
        self.drive()
    }

    /// An idle connection gives its place to somebody else.
    fn make_room(mut self) -> super::drive::Verdict {
        log::debug!("{}: closed: idle, and its place is needed", self.connection.peer);
        self.connection.because(Close::Shed);
        self.end(Farewell::Close);
        self.drive()
    }
}

/// Errors that concern the one client that was about to be accepted.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::PermissionDenied
    )
}
