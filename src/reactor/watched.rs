//! What the loop does for those who watch it, and only for them.
//!
//! While snapshots are asked for, one turn in so many is timed part by part:
//!
//! ```text
//!   end of the turn before   poll returned    now                        end
//!          |------ poll -----------|-- events --|- inbox -|-- run --|- timers -|- accept -|
//!                                                 each handler is timed within
//! ```
//!
//! A turn that is not pays a comparison at each of these places.

use super::clock::Tick;
use super::connection::{Connection, Life, Phase};
use super::turn::Reactor;
use super::world::World;
use crate::http::Service;
use crate::stats::{Part, Place, RouteTime, Snapshot, State, Stats};
use std::time::{Duration, Instant};

/// Turns are timed for so long after a snapshot was asked for.
const WATCHED: Duration = Duration::from_secs(1);
/// Of turns whose length is measured (see `measure.rs`), one in so many is timed part
/// by part, or ..
const SHARE: u32 = 8;
/// .. the first so many in so long a time: of a loop that has little to do none is
/// missed, also if its turns come in bursts that are all alike.
const FIRST: u32 = 16;
const SPAN: Duration = Duration::from_millis(10);
/// Routes whose handlers' times are kept.
const ROUTES_MAX: usize = 1024;

/// The stop watch.
#[derive(Debug)]
pub(crate) struct Laps {
    /// Whether this turn is timed.
    pub(crate) runs: bool,
    /// When the part at hand began.
    mark: Instant,
    /// When the handler at hand was called.
    called: Instant,
    /// Until when somebody watches.
    until: Tick,
    skipped: u32,
    /// Turns that are timed whatever was skipped, and from when on there are more.
    left: u32,
    refill: Tick,
    /// By the route's number.
    routes: Vec<RouteTime>,
}

impl Laps {
    pub(crate) fn new(now: Instant) -> Laps {
        Laps {
            runs: false,
            mark: now,
            called: now,
            until: Tick::ZERO,
            skipped: 0,
            left: 0,
            refill: Tick::ZERO,
            routes: Vec::new(),
        }
    }

    /// That part is over.
    fn lap(&mut self, stats: &Stats, part: Part, now: Instant) {
        stats.watch.parts.add_time(part, now.saturating_duration_since(self.mark));
        self.mark = now;
    }

    #[cold]
    pub(crate) fn handler_begins(&mut self, now: Instant) {
        self.called = now;
    }

    /// The handler has returned; the place still says which it was.
    #[cold]
    pub(crate) fn handler_ends(&mut self, stats: &Stats, now: Instant) {
        let took = now.saturating_duration_since(self.called);
        stats.watch.handler_times.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let Some(route) = stats.watch.place().route().filter(|route| *route < ROUTES_MAX) else {
            return;
        };
        if self.routes.len() <= route {
            self.routes.resize(route + 1, RouteTime::default());
        }
        if let Some(time) = self.routes.get_mut(route) {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            time.count += 1;
            time.total_ns = time.total_ns.saturating_add(nanos);
            time.max_ns = time.max_ns.max(nanos);
            if time.route.is_empty() {
                stats.watch.name(stats.watch.place()).clone_into(&mut time.route);
            }
        }
    }

    fn slowest(&self) -> Vec<RouteTime> {
        let mut all: Vec<&RouteTime> = self.routes.iter().filter(|time| time.count > 0).collect();
        all.sort_by_key(|time| std::cmp::Reverse(time.max_ns));
        all.into_iter().take(Snapshot::ROUTES_MAX).cloned().collect()
    }
}

impl<S: Service, W: World> Reactor<S, W> {
    /// The poll has returned, in a turn that is timed.
    #[cold]
    fn lap_poll(&mut self) {
        let now = self.shared.now.instant;
        let (laps, stats) = (&mut self.shared.laps, &self.shared.stats);
        laps.lap(stats, Part::Poll, self.world.returned().unwrap_or(now));
        laps.lap(stats, Part::Events, now);
        self.world.note_return(false);
    }

    /// That part of the turn is over.
    #[inline]
    pub(crate) fn ends(&mut self, part: Part) {
        if self.shared.laps.runs {
            self.lap(part);
        }
    }

    /// The same in a turn that is timed.
    #[cold]
    fn lap(&mut self, part: Part) {
        let now = self.world.now();
        self.shared.laps.lap(&self.shared.stats, part, now);
    }

    /// At the end of a turn whose length is measured: is the next one to be timed part
    /// by part? And a snapshot, if one was asked for.
    pub(crate) fn show(&mut self, ended: Instant) {
        let (laps, stats) = (&mut self.shared.laps, &self.shared.stats);
        if laps.runs {
            laps.lap(stats, Part::Accept, ended);
            laps.runs = false;
        }
        let tick = self.shared.epoch.tick(ended);
        if stats.watch.was_asked() {
            laps.until = tick + WATCHED;
            let snapshot = self.snapshot(tick);
            self.shared.stats.watch.put(snapshot);
        }
        let laps = &mut self.shared.laps;
        if tick >= laps.until {
            return;
        }
        if tick >= laps.refill {
            (laps.left, laps.refill) = (FIRST, tick + SPAN);
        }
        laps.skipped += 1;
        if laps.left > 0 || laps.skipped >= SHARE {
            laps.left = laps.left.saturating_sub(1);
            (laps.skipped, laps.mark, laps.runs) = (0, ended, true);
            self.lag.time_next();
            self.world.note_return(true);
        }
    }

    fn snapshot(&self, at: Tick) -> Snapshot {
        let looked = self.slots.capacity().min(Snapshot::LOOKED_MAX) as u32;
        let mut map = Vec::with_capacity(Snapshot::MAP_MAX.min(looked as usize));
        let mut states = [0; State::ALL.len()];
        for slot in 0..looked {
            let state = self.slots.get(slot).map(Connection::state);
            if let Some(count) = state.and_then(|state| states.get_mut(state as usize)) {
                *count += 1;
            }
            if map.len() < Snapshot::MAP_MAX {
                map.push(state);
            }
        }
        let wheel = self.wheel.spread(Snapshot::LOOKED_MAX);
        let routes = self.shared.laps.slowest();
        Snapshot { number: 0, at_us: at.micros(), map, states, wheel, routes }
    }

    /// At the end of a turn: nobody is to blame for how long the poll waits, or the
    /// owner of the loop until the next turn.
    #[inline]
    pub(crate) fn falls_asleep(&self) {
        self.shared.stats.watch.set_place(Place::ASLEEP);
    }

    /// After the poll.
    #[inline]
    pub(crate) fn wakes_up(&mut self) {
        self.shared.stats.watch.set_place(Place::AT_WORK);
        if self.shared.laps.runs {
            self.lap_poll();
        }
    }
}

impl<K> Connection<K> {
    /// What it is doing, for people.
    fn state(&self) -> State {
        match (self.life, self.active.as_deref()) {
            (Life::Linger(_), _) => State::Linger,
            (Life::Dead, _) => State::Ending,
            (Life::Handshake, _) => State::New,
            (Life::Open, None) if self.requests == 0 => State::New,
            (Life::Open, None) => State::Idle,
            (Life::Open, Some(active)) => match &active.phase {
                Phase::Moving | Phase::Head(_) if active.unsettled.is_empty() => {
                    if active.output.is_empty() { State::Head } else { State::Writing }
                }
                Phase::Moving | Phase::Head(_) => State::Writing,
                Phase::Receive(_) => State::Content,
                Phase::Away(_) => State::Helper,
                Phase::Sleep(..) => State::Sleep,
                Phase::Reply(_) => State::Stream,
                Phase::Discard(_) => State::Discard,
                Phase::Ending(_) => State::Ending,
            },
        }
    }
}
