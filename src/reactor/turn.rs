//! One turn of the loop, in the order in which it happens.

use super::accept::{Accepting, REFUSALS_MAX};
use super::buffers::{Buffers, untouched};
use super::burst::pieces;
use super::clock::{Epoch, Span, Tick};
use super::connection::{Connection, Life, Phase};
use super::deadline::{Deadline, Why};
use super::drain::Draining;
use super::drive::{Driver, Shared, Verdict};
use super::errand::{Errand, Work, caught};
use super::handshake::HANDSHAKES_PER_TURN;
use super::inbox::{Inbox, Parcel, parcels};
use super::measure::Lag;
use super::slots::Slots;
use super::visitors::Visitors;
use super::watched::Laps;
use super::wheel::Wheel;
use super::world::{Bits, Ready, Source, World};
use crate::config::Config;
use crate::error::Error;
use crate::http::{End, Now, Outcome, Service, Switched};
use crate::net::Socket;
use crate::proto::Preamble;
use crate::stats::{Part, Stats};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Bytes read from one connection before the others have a turn, and the size
/// of the one buffer that all reads go through.
const READ_PER_TURN: usize = 64 * 1024;

/// Events of one poll, about: room for them is made at the start, not in the
/// middle of a burst.
const EVENTS: usize = 1024;

/// The loop: a service, its clients, and the world they live in.
///
/// [`Server::start`](crate::Server::start) makes one with a real world, and
/// `Simulation::run` (feature `sim`) one with a scripted world.
/// It is not `Send` unless the service is, and need not be: it is turned on one
/// thread.
pub struct Reactor<S: Service, W: World> {
    pub(crate) service: S,
    pub(crate) world: W,
    pub(crate) shared: Shared,
    pub(crate) slots: Slots<Connection<W::Socket>>,
    pub(crate) wheel: Wheel,
    /// Connections that could go on, in order of arrival.
    pub(crate) run: Vec<u32>,
    /// Slots to be freed at the end of the turn.
    pub(crate) dead: Vec<u32>,
    pub(crate) accepting: Accepting,
    pub(crate) leaving: Draining,
    /// When the service is to be called again, or never.
    service_due: Tick,
    /// When the wall clock is read again, and the wheel told the time.
    wall_due: Tick,
    advance_due: Tick,
    inbox_rang: bool,
    pub(crate) lag: Lag,
    // Kept between turns for their memory.
    due: Vec<u32>,
    parcels: Vec<Parcel>,
}

impl<S: Service, W: World> Reactor<S, W> {
    /// A loop without clients. `inbox` must ring a bell that ends the world's
    /// poll with [`Source::Inbox`]. `config` is taken as it is: whoever calls
    /// this has [checked](Config::check) it, and fitted `connections_max` to the
    /// descriptors there are.
    pub fn new(
        service: S,
        mut world: W,
        config: Config,
        inbox: Arc<Inbox>,
        stats: Arc<Stats>,
    ) -> Reactor<S, W> {
        let now = Now { instant: world.now(), wall: world.wall() };
        let accepting = Accepting::new(world.listeners());
        inbox.serve(config.connections_max.saturating_add(REFUSALS_MAX));
        stats.watch.name_routes(service.routes());
        let shared = Shared {
            preamble: Preamble::new(config.server_name.as_deref()),
            scratch: untouched(READ_PER_TURN),
            out: Vec::with_capacity(8 * 1024),
            buffers: Buffers::new(config.buffers_max, &inbox, &stats),
            now,
            tick: Tick::ZERO,
            epoch: Epoch::new(now.instant),
            inbox,
            laps: Laps::new(now.instant),
            stats,
            draining: false,
            believing: !config.trusted.is_empty(),
            visitors: Visitors::default(),
            rebuffed: 0,
            idle: Span::of(config.idle_timeout),
            handshakes_left: 0,
            config,
        };
        Reactor {
            service,
            world,
            shared,
            slots: Slots::new(),
            wheel: Wheel::new(),
            run: Vec::with_capacity(EVENTS),
            dead: Vec::new(),
            accepting,
            leaving: Draining::default(),
            service_due: Tick::NEVER,
            wall_due: Tick::ZERO,
            advance_due: Tick::ZERO,
            inbox_rang: false,
            lag: Lag::default(),
            due: Vec::with_capacity(Wheel::EXPIRE_MAX),
            parcels: parcels(),
        }
    }

    /// One turn: waits until something happens, `max_wait` at most (`None`: as
    /// long as it takes), and deals with it. `false`: a drain or stop is over,
    /// and there is nothing left to do.
    ///
    /// # Errors
    /// [`Error::Io`] if the poll itself fails.
    pub fn turn(&mut self, max_wait: Option<Duration>) -> Result<bool, Error> {
        let wait = self.wait(max_wait);
        // 1 events
        self.poll(wait).map_err(Error::io("waiting for events"))?;
        // 2 now
        self.set_now();
        self.wakes_up();
        // 3 inbox
        if std::mem::take(&mut self.inbox_rang) {
            self.open_inbox();
            self.ends(Part::Inbox);
        }
        // 4 run
        self.shared.handshakes_left = HANDSHAKES_PER_TURN;
        let queued = self.run.len();
        for at in 0..queued {
            let Some(&slot) = self.run.get(at) else { break };
            self.drive(slot);
        }
        if self.run.len() == queued {
            self.run.clear();
        } else {
            self.run.drain(..queued);
        }
        self.ends(Part::Run);
        // 5 timers
        self.expire();
        self.ends(Part::Timers);
        // 6 accept
        if self.accepting.is_pending() {
            self.accept();
        }
        if self.shared.draining || self.leaving.is_sweeping() {
            self.sweep();
        }
        // 7 reap
        if !self.dead.is_empty() {
            self.reap();
        }
        let due = self.service.idle(self.shared.now);
        self.service_due = due.map_or(Tick::NEVER, |due| self.shared.epoch.tick(due));
        self.measure();
        self.falls_asleep();
        #[cfg(debug_assertions)]
        self.check();
        Ok(!self.is_over())
    }

    /// When the loop wants to be turned next even if nothing happens; `None`:
    /// no deadline is running. For loops of others, together with the poll's
    /// descriptor.
    pub fn next_deadline(&self) -> Option<Instant> {
        let next = self.next_tick();
        (next != Tick::NEVER).then(|| self.shared.epoch.instant(next))
    }

    #[inline]
    fn next_tick(&self) -> Tick {
        let next = self.wheel.next().min(self.service_due);
        next.min(self.accepting.retry_at()).min(self.leaving.deadline())
    }

    /// The application.
    pub fn service(&mut self) -> &mut S {
        &mut self.service
    }

    /// The world outside, to look at.
    pub fn world_ref(&self) -> &W {
        &self.world
    }

    /// The world outside.
    pub fn world(&mut self) -> &mut W {
        &mut self.world
    }

    /// Connections that have a slot: idle, busy, or lingering.
    pub fn connections(&self) -> usize {
        self.slots.len()
    }

    /// Bytes that connections hold as buffers: what counts against
    /// [`Config::buffers_max`].
    pub fn buffers_lent(&self) -> usize {
        self.shared.buffers.lent()
    }

    fn wait(&mut self, max_wait: Option<Duration>) -> Option<Duration> {
        if !self.run.is_empty() || self.accepting.is_able() || self.leaving.is_sweeping() {
            return Some(Duration::ZERO);
        }
        let next = self.next_tick();
        if next == Tick::NEVER {
            return max_wait;
        }
        // The clock was last read when this turn's predecessor began. That is
        // near enough for a deadline that is far off; a close one asks again.
        let mut left = next.micros_since(self.shared.tick);
        if left < CLOSE_US {
            self.set_now();
            left = next.micros_since(self.shared.tick);
        }
        // The poll counts in milliseconds. To round up here saves it the same.
        let left = Duration::from_millis(left.div_ceil(1000));
        Some(max_wait.map_or(left, |max| left.min(max)))
    }

    fn set_now(&mut self) {
        let shared = &mut self.shared;
        shared.now.instant = self.world.now();
        shared.tick = shared.epoch.tick(shared.now.instant);
        if shared.tick >= self.wall_due {
            self.wall_due = shared.tick + WALL_KEPT;
            shared.now.wall = self.world.wall();
            let since = shared.now.wall.duration_since(UNIX_EPOCH);
            shared.preamble.refresh(since.map_or(0, |since| since.as_secs()));
        }
    }

    /// Waits for events, and notes them as they come.
    fn poll(&mut self, wait: Option<Duration>) -> io::Result<()> {
        let Reactor { world, slots, run, accepting, inbox_rang, .. } = self;
        world.poll(wait, |event: Ready| match event.source {
            Source::Slot(slot) => {
                let Some(connection) = slots.get_mut(slot) else { return };
                if !connection.bits.has(Bits::QUEUED) {
                    run.push(slot);
                }
                connection.bits.set(event.bits.and(Bits::QUEUED));
            }
            Source::Listener(listener) => accepting.note(listener),
            Source::Inbox => *inbox_rang = true,
        })
    }

    /// Puts a connection on the run queue, once.
    #[inline]
    pub(crate) fn enqueue(&mut self, slot: u32) {
        if let Some(connection) = self.slots.get_mut(slot)
            && !connection.bits.has(Bits::QUEUED)
        {
            connection.bits.set(Bits::QUEUED);
            self.run.push(slot);
        }
    }

    #[inline]
    fn drive(&mut self, slot: u32) {
        self.with(slot, |driver| {
            let bits = if mutant!("queued-kept") { Bits::NONE } else { Bits::QUEUED };
            driver.connection.bits.clear(bits);
            driver.drive()
        });
    }

    /// Lets a driver do something with a connection, and does what it says then.
    #[inline]
    pub(crate) fn with(&mut self, slot: u32, what: impl FnOnce(Driver<'_, S, W>) -> Verdict) {
        let Some((id, connection)) = self.slots.entry(slot) else { return };
        if connection.life == Life::Dead {
            return; // it waits to be reaped
        }
        let Reactor { service, world, shared, .. } = self;
        let verdict = what(Driver::new(service, world, shared, connection, id));
        let (life, bits) = (connection.life, &mut connection.bits);
        if life == Life::Dead {
            self.dead.push(slot);
            return;
        }
        if connection.active.is_none() && !bits.has(Bits::LISTED) {
            bits.set(Bits::LISTED);
            self.slots.idle_push(slot);
        }
        match verdict.deadline {
            Deadline::At(..)
                if mutant!("refile-forgotten") && self.wheel.filed_at(slot).is_some() => {}
            Deadline::At(at, why) => {
                self.wheel.ensure(slot, at, matches!(why, Why::Sleep | Why::Pull));
            }
            Deadline::None(_) => {}
        }
        if verdict.again {
            self.enqueue(slot);
        }
    }

    /// Delivers what came home.
    fn open_inbox(&mut self) {
        let mut parcels = std::mem::take(&mut self.parcels);
        self.shared.inbox.swap(&mut parcels);
        for parcel in parcels.drain(..) {
            self.deliver(parcel);
        }
        self.parcels = parcels;
    }

    fn deliver(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Exchange(id, exchange) => match self.slots.by_id(id) {
                Some(connection) if connection.is_away() => {
                    self.with(id.slot, |driver| driver.exchange_home(exchange));
                }
                _ => self.stray(exchange),
            },
            Parcel::Sink(id, sink, chunk, result) if self.slots.by_id(id).is_some() => {
                self.with(id.slot, |driver| driver.sink_home(sink, chunk, result));
            }
            Parcel::Source(id, source, chunk, result) if self.slots.by_id(id).is_some() => {
                self.with(id.slot, |driver| driver.source_home(source, chunk, result));
            }
            Parcel::Wake(id) if self.slots.by_id(id).is_some() => {
                self.with(id.slot, |driver| driver.woken());
            }
            Parcel::Warm(id) if self.slots.by_id(id).is_some() => {
                self.with(id.slot, |driver| driver.warmed());
            }
            Parcel::Sweep => self.clean_up(),
            Parcel::Command(command) => self.obey(command),
            Parcel::Ask(ask) => self.answer(ask),
            Parcel::Config(config) => self.reconfigure(*config),
            // The connection is gone: its source is dropped here, its sink where it
            // may block.
            Parcel::Sink(from, sink, ..) => {
                let inbox = Arc::clone(&self.shared.inbox);
                let work = Work::Discard(sink);
                let _ = self.world.submit(Errand { from, inbox, work });
            }
            Parcel::Source(..) | Parcel::Wake(_) | Parcel::Warm(_) => {}
        }
    }

    /// Gives a burst's memory back, where the allocator has to be helped with that.
    #[cold]
    #[inline(never)] // its code would cost the turn registers
    fn clean_up(&mut self) {
        if let Some(sweeper) = self.world.sweeper() {
            self.shared.buffers.keep_early();
            let _ = sweeper.send(pieces()); // it waits for them
        }
    }

    /// An exchange whose connection has ended meanwhile.
    fn stray(&mut self, mut exchange: Box<crate::http::Exchange>) {
        self.shared.stats.strays.add(1);
        if self.service.observes(&exchange) {
            let ended = self.shared.now;
            let outcome = Outcome {
                status: exchange.response.status(),
                bytes: 0,
                started: exchange.request.now().instant,
                ended,
                end: End::Abandoned,
            };
            self.service.finish(&mut exchange, &outcome);
        }
        self.shared.buffers.keep(exchange);
    }

    fn expire(&mut self) {
        let now = self.shared.tick;
        if now >= self.advance_due {
            self.wheel.advance(now);
            self.advance_due = now + ADVANCE_EVERY;
        }
        if self.wheel.next() <= now {
            let mut due = std::mem::take(&mut self.due);
            self.wheel.expire(now, &mut due);
            for slot in due.drain(..) {
                self.with(slot, |driver| driver.expire());
            }
            self.due = due;
        }
        while let Some(slot) = self.shared.buffers.next_waiting() {
            if let Some(connection) = self.slots.get_mut(slot) {
                connection.bits.clear(Bits::WAITING);
            }
            self.enqueue(slot);
        }
    }

    fn reap(&mut self) {
        while let Some(slot) = self.dead.pop() {
            self.accepting.resume();
            self.wheel.disarm(slot);
            let Some(mut connection) = self.slots.remove(slot) else { continue };
            self.shared.stats.closes.add(connection.why);
            self.say_goodbye(connection.peer, connection.bits);
            let Some(mut active) = connection.active.take() else { continue };
            let takeover = active.takeover.take();
            let unread = std::mem::take(&mut active.input);
            self.shared.buffers.give_back(active);
            let Some(takeover) = takeover.filter(|_| !mutant!("takeover-forgotten")) else {
                continue;
            };
            self.world.deregister(&mut connection.socket);
            match connection.socket.into_fd() {
                Some(socket) => {
                    let run = || {
                        takeover(Switched { socket, unread });
                        Ok(())
                    };
                    if caught(run).is_err() {
                        log::error!("{}: the new owner of the socket panicked", connection.peer);
                    }
                }
                None => log::warn!("{}: this transport can't be handed over", connection.peer),
            }
        }
        self.shared.stats.open.set(self.slots.len() as u64);
    }

    /// The invariants between turns: the account of buffers is right, and every
    /// occupied slot is on the run queue, has an armed deadline no later than its
    /// true one, or a named reason to have none.
    #[cfg(any(debug_assertions, test))]
    pub(crate) fn check(&self) {
        let mut lent = 0;
        for (slot, connection) in self.slots.iter() {
            assert!(connection.life != Life::Dead, "slot {slot} is dead and not reaped");
            let active = connection.active.as_deref();
            if let Some(active) = active {
                assert_eq!(
                    active.lent,
                    connection.footprint(active),
                    "slot {slot}: the account is wrong"
                );
                lent += active.lent;
            }
            let config = &self.shared.config;
            if let Deadline::At(at, why) = connection.deadline(active, config, self.shared.draining)
            {
                let filed = self.wheel.filed_at(slot);
                // What is over falls due at the next tick of the coarse level.
                let latest = at.max(self.shared.tick) + Duration::from_millis(101);
                assert!(
                    filed.is_some_and(|filed| filed <= latest)
                        || connection.bits.has(Bits::QUEUED)
                        || self.leaving.is_sweeping(),
                    "slot {slot}: {why:?} at {at:?}, filed at {filed:?}"
                );
            }
        }
        assert_eq!(lent, self.shared.buffers.lent(), "the account of buffers");
    }
}

/// A deadline closer than this, in microseconds, is worth another look at the clock.
const CLOSE_US: u64 = 20_000;
/// How old the wall clock's reading may be: it is for dates, which show seconds.
const WALL_KEPT: Duration = Duration::from_millis(10);
/// How far the wheel may lag behind when nothing is due; little beside a lap.
const ADVANCE_EVERY: Duration = Duration::from_millis(20);

impl<K> Connection<K> {
    /// Whether a helper has its exchange.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self.active.as_deref().map(|active| &active.phase), Some(Phase::Away(_)))
    }
}

impl<S: Service, W: World> std::fmt::Debug for Reactor<S, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reactor({} connections)", self.slots.len())
    }
}
