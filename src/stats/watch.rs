//! What somebody who watches the loop wants to know, and who holds it.
//!
//! Nobody pays for what nobody asks. Counters are there anyway; the rest is a
//! [`Snapshot`] that the loop takes at the end of a turn when it was asked to, and
//! times of a few turns that it takes only while snapshots are asked for:
//!
//! ```text
//!   a stream of the page --ask()--> flag --> end of a turn --> Snapshot
//!            ^                                                    |
//!            '----------------- taken_after(number) --------------'
//!
//!   the loop writes its Place: asleep | at work | in the handler of a route
//!   the watchdog (another thread) reads it: unchanged for too long is blamed
//! ```

use super::{Counter, Kinds, Times};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

names! {
    /// What a connection is doing.
    State {
        /// It was accepted, and no request has come yet.
        New = "new",
        /// Between two requests.
        Idle = "idle",
        /// A head is coming in.
        Head = "head",
        /// Content is coming in.
        Content = "content",
        /// A helper has its request.
        Helper = "helper",
        /// Its handler sleeps.
        Sleep = "sleep",
        /// A stream is its reply.
        Stream = "stream",
        /// A reply is complete, and the client has not taken it all.
        Writing = "writing",
        /// Content that nobody asked for is thrown away.
        Discard = "discard",
        /// Its last bytes are on their way.
        Ending = "ending",
        /// Our end is closed; theirs is waited for.
        Linger = "linger",
    }
}

names! {
    /// A part of a turn.
    Part {
        /// Waiting for events.
        Poll = "poll",
        /// Noting them.
        Events = "events",
        /// What came home from helpers.
        Inbox = "inbox",
        /// Connections that could go on.
        Run = "run",
        /// Deadlines.
        Timers = "timers",
        /// New clients, and those who have ended.
        Accept = "accept",
    }
}

/// Sectors of each level of the wheel in a [`Spread`].
pub const SECTORS: usize = 64;

/// How many timers are where on the wheel.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Of the level that is 512 ms round: 8 ms each.
    pub fine: [u32; SECTORS],
    /// Of the level that is 51 s round: 0.8 s each.
    pub coarse: [u32; SECTORS],
    /// The sectors that come next.
    pub hands: [usize; 2],
}

impl Default for Spread {
    fn default() -> Spread {
        Spread { fine: [0; SECTORS], coarse: [0; SECTORS], hands: [0; 2] }
    }
}

/// The loop at the end of one turn.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The how manieth it is: 0 was never taken.
    pub number: u64,
    /// Microseconds since the loop began.
    pub at_us: u64,
    /// The first slots, up to [`Snapshot::MAP_MAX`]: `None` is free.
    pub map: Vec<Option<State>>,
    /// How many connections are in each state, in the order of [`State::ALL`]: of
    /// those in the first [`Snapshot::LOOKED_MAX`] slots.
    pub states: [u64; State::ALL.len()],
    /// Timers.
    pub wheel: Spread,
    /// Times of handlers in turns that were timed, the slowest first.
    pub routes: Vec<RouteTime>,
}

impl Snapshot {
    /// Slots in the map.
    pub const MAP_MAX: usize = 4_096;
    /// Slots that are looked at; it takes some 100 microseconds.
    pub const LOOKED_MAX: usize = 16_384;
    /// Routes that are told of.
    pub const ROUTES_MAX: usize = 10;
}

/// How long the handler of a route took, on the loop.
#[derive(Clone, Debug, Default)]
pub struct RouteTime {
    /// Its pattern, or a word in parentheses.
    pub route: String,
    /// Calls that were timed.
    pub count: u64,
    /// All of these together, in nanoseconds.
    pub total_ns: u64,
    /// The longest, in nanoseconds.
    pub max_ns: u64,
}

/// Where the loop is, in a number that is stored whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    /// It waits for events.
    pub(crate) const ASLEEP: Place = Place(0);
    /// It works, and has called no handler in this turn.
    pub(crate) const AT_WORK: Place = Place(1);
    /// Of requests without a route.
    const UNROUTED: u64 = 2;

    /// The number of the route whose handler was called last: 0 is none.
    pub(crate) fn route(self) -> Option<usize> {
        usize::try_from(self.0.checked_sub(Place::UNROUTED)?).ok()
    }
}

/// Handlers of a route that held the loop for too long: see `Config::blame`.
#[derive(Clone, Debug)]
pub struct Blame {
    /// The route's pattern, or a word in parentheses.
    pub route: String,
    /// How often.
    pub count: u64,
    /// The longest time, about.
    pub longest: Duration,
    /// Whether it does now.
    pub holds: bool,
}

/// Routes that are blamed apart; the others are blamed together.
const BLAMED_MAX: usize = 32;

/// What a watcher asks, and the loop answers.
#[derive(Debug, Default)]
pub struct Watch {
    asked: AtomicBool,
    place: Counter,
    names: OnceLock<Vec<String>>,
    snapshot: Mutex<Arc<Snapshot>>,
    /// Time that parts took in turns that were timed, in nanoseconds.
    pub parts: Kinds<Part, { Part::ALL.len() }>,
    /// How long handlers took in turns that were timed.
    pub handler_times: Times,
    /// How often a handler held the loop for longer than `Config::blame`.
    pub blames: Counter,
    blamed: Mutex<Vec<Blame>>,
}

impl Watch {
    /// Asks for a snapshot. It is there within 10 ms, or when the loop is free.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// The last snapshot, if it is later than the one of that number. Never waits.
    pub fn taken_after(&self, number: u64) -> Option<Arc<Snapshot>> {
        let last = self.snapshot.try_lock().ok()?;
        (last.number > number).then(|| Arc::clone(&last))
    }

    /// Who was blamed, the longest first. Never waits: `None` if it is being written.
    pub fn blamed(&self) -> Option<Vec<Blame>> {
        let mut blamed = match self.blamed.try_lock() {
            Ok(blamed) => blamed.clone(),
            Err(TryLockError::Poisoned(error)) => error.into_inner().clone(),
            Err(TryLockError::WouldBlock) => return None,
        };
        blamed.sort_by_key(|blame| std::cmp::Reverse(blame.longest));
        Some(blamed)
    }

    /// A handler of this route is called, or what answers requests without one.
    #[inline]
    pub(crate) fn enter(&self, route: Option<u32>) {
        self.place.set(route.map_or(Place::UNROUTED, |route| u64::from(route) + 3));
    }

    #[inline]
    pub(crate) fn set_place(&self, place: Place) {
        self.place.set(place.0);
    }

    pub(crate) fn place(&self) -> Place {
        Place(self.place.value())
    }

    /// The routes, by their number.
    pub(crate) fn name_routes(&self, names: Vec<String>) {
        let _ = self.names.set(names); // a loop has one application
    }

    /// What a place is called.
    pub(crate) fn name(&self, place: Place) -> &str {
        match place.route() {
            None => "(the loop)",
            Some(0) => "(no route)",
            Some(number) => {
                let names = self.names.get();
                names.and_then(|names| names.get(number - 1)).map_or("(a route)", String::as_str)
            }
        }
    }

    /// Whether a snapshot was asked for since the last call.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::Relaxed)
    }

    /// Puts a snapshot there, and numbers it. If somebody is just reading the last
    /// one it is lost: it will be asked for again.
    pub(crate) fn put(&self, mut snapshot: Snapshot) {
        if let Ok(mut last) = self.snapshot.try_lock() {
            snapshot.number = last.number + 1;
            *last = Arc::new(snapshot);
        }
    }

    /// A handler there holds the loop, or has done so; by the watchdog alone.
    pub(crate) fn blame(&self, place: Place, time: Duration, is_first: bool, holds: bool) {
        let mut blamed = self.lock_blamed();
        let full = blamed.len() >= BLAMED_MAX;
        let route = self.name(place);
        let known = blamed.iter().position(|blame| blame.route == route);
        let route = if full && known.is_none() { "(others)" } else { route };
        let at = known.or_else(|| blamed.iter().position(|blame| blame.route == route));
        let at = at.unwrap_or_else(|| {
            let route = route.to_owned();
            blamed.push(Blame { route, count: 0, longest: Duration::ZERO, holds });
            blamed.len() - 1
        });
        if let Some(blame) = blamed.get_mut(at) {
            blame.count += u64::from(is_first);
            blame.longest = blame.longest.max(time);
            blame.holds = holds;
        }
        drop(blamed);
        if is_first {
            self.blames.add(1);
        }
    }

    fn lock_blamed(&self) -> MutexGuard<'_, Vec<Blame>> {
        self.blamed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kinds<Part, { Part::ALL.len() }> {
    /// Time that went into that part, in nanoseconds.
    pub fn of(&self, part: Part) -> u64 {
        self.0.get(part as usize).map_or(0, Counter::value)
    }

    pub(crate) fn add_time(&self, part: Part, time: Duration) {
        if let Some(counter) = self.0.get(part as usize) {
            counter.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_names() {
        let watch = Watch::default();
        watch.name_routes(vec!["/one".to_owned(), "/two".to_owned()]);
        for (place, name) in [(Place::ASLEEP, "(the loop)"), (Place::AT_WORK, "(the loop)")] {
            watch.set_place(place);
            assert_eq!((watch.place(), watch.name(watch.place())), (place, name));
        }
        for (route, name) in
            [(None, "(no route)"), (Some(0), "/one"), (Some(1), "/two"), (Some(2), "(a route)")]
        {
            watch.enter(route);
            assert_eq!(watch.name(watch.place()), name);
        }
    }

    #[test]
    fn blames_are_by_route_and_bounded() {
        let watch = Watch::default();
        let ms = Duration::from_millis;
        watch.name_routes((0..100).map(|route| format!("/{route}")).collect());
        for route in 0..100 {
            watch.enter(Some(route));
            watch.blame(watch.place(), ms(100), true, true);
            watch.blame(watch.place(), ms(200 + u64::from(route)), false, false);
        }
        let blamed = watch.blamed().expect("nobody writes");
        assert_eq!((blamed.len(), watch.blames.value()), (BLAMED_MAX + 1, 100));
        assert_eq!((&*blamed[0].route, blamed[0].count), ("(others)", 68));
        assert_eq!((&*blamed[1].route, blamed[1].count), ("/31", 1));
        assert_eq!((blamed[1].longest, blamed[1].holds), (ms(231), false));
    }

    #[test]
    fn a_snapshot_is_had_once_it_is_taken() {
        let watch = Watch::default();
        assert!(!watch.was_asked() && watch.taken_after(0).is_none());
        watch.ask();
        assert!(watch.was_asked() && !watch.was_asked());
        watch.put(Snapshot::default());
        assert_eq!(watch.taken_after(0).map(|snapshot| snapshot.number), Some(1));
        assert!(watch.taken_after(1).is_none());
    }
}
