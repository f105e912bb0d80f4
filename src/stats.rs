//! Counters of one reactor: written by its thread alone, read by any.
//!
//! Requests reach them too, so that a handler can show them
//! ([`Request::stats`](crate::Request::stats)). Those of the helpers are written by
//! many threads and lie apart, in [`Helpers`].

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// A number that one thread changes and any thread reads.
///
/// The writer loads and stores, both relaxed: with one writer nothing is lost,
/// and it costs no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value as of about now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.value().wrapping_add(n), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// Numbers counted by what they are about: one [`Counter`] for each.
///
/// ```
/// use onepoll::stats::{Close, Stats};
/// let stats = Stats::default();
/// for why in Close::ALL {
///     println!("{}: {}", why.name(), stats.closes.of(*why));
/// }
/// ```
#[derive(Debug)]
pub struct Kinds<K, const N: usize>([Counter; N], std::marker::PhantomData<fn(K)>);

impl<K, const N: usize> Default for Kinds<K, N> {
    fn default() -> Kinds<K, N> {
        Kinds([const { Counter(AtomicU64::new(0)) }; N], std::marker::PhantomData)
    }
}

/// An enum with texts for labels.
macro_rules! names {
    (
        $(#[$about:meta])* $name:ident {
            $($(#[$doc:meta])* $member:ident = $text:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $member,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$member,)*];

            /// In short, as a metric's label.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$member => $text,)*
                }
            }
        }
    };
}

/// An enum whose members are counted.
macro_rules! kinds {
    ($(#[$about:meta])* $name:ident $members:tt) => {
        names! { $(#[$about])* $name $members }

        impl<const N: usize> Kinds<$name, N> {
            /// How many of that kind.
            pub fn of(&self, kind: $name) -> u64 {
                self.0.get(kind as usize).map_or(0, Counter::value)
            }

            pub(crate) fn add(&self, kind: $name) {
                if let Some(counter) = self.0.get(kind as usize) {
                    counter.add(1);
                }
            }
        }
    };
}

kinds! {
    /// Why a connection ended.
    Close {
        /// As the last reply said: the client asked for it, or it was the last that
        /// is allowed.
        Done = "done",
        /// The client left, or its connection broke.
        Peer = "peer",
        /// No request came in time.
        Idle = "idle",
        /// A head, or content, came too slowly.
        SlowRequest = "slow_request",
        /// The client took too little of what it was sent.
        SlowReader = "slow_reader",
        /// The work took longer than `Config::work_timeout`.
        Work = "work",
        /// The client broke the protocol or a limit of it.
        Fault = "fault",
        /// A reply could not be completed: its content failed.
        Cut = "cut",
        /// Idle, and its place was needed.
        Shed = "shed",
        /// It was refused, as all places were taken.
        Full = "full",
        /// It was turned away: a limit of its address.
        Limit = "limit",
        /// The server leaves.
        Drain = "drain",
        /// It left HTTP for another protocol.
        Switched = "switched",
        /// Its TLS handshake failed: see [`HandshakeFailure`].
        Handshake = "handshake",
    }
}

kinds! {
    /// Why a TLS handshake failed.
    HandshakeFailure {
        /// The client spoke HTTP without TLS.
        Plain = "plain_http",
        /// It left before the end, or its connection broke.
        Left = "left",
        /// It took longer than `Config::handshake_timeout`.
        Timeout = "timeout",
        /// No common version, cipher suite or key exchange.
        Incompatible = "incompatible",
        /// It offered protocols, and HTTP/1.1 is none of them (RFC 7301).
        Protocol = "protocol",
        /// Its certificate was missing, or not from those who may issue one.
        Certificate = "certificate",
        /// It refused with an alert: as it doesn't trust our certificate, mostly.
        Refused = "refused",
        /// What it sent was no TLS, or was wrong.
        Fault = "fault",
    }
}

kinds! {
    /// Why a client was turned away: see `Config::per_address`.
    TurnedAway {
        /// Its address had too many connections open.
        Connections = "connections",
        /// Too many new ones had come from its address.
        Rate = "rate",
    }
}

kinds! {
    /// Why an accept failed.
    AcceptError {
        /// The client was gone already.
        Client = "client",
        /// The process, or the system, has no descriptor left.
        Descriptors = "descriptors",
        /// The system has no memory for it.
        Memory = "memory",
        /// Anything else.
        Other = "other",
    }
}

mod watch;

pub(crate) use watch::Place;
pub use watch::{Blame, Part, RouteTime, SECTORS, Snapshot, Spread, State, Watch};

/// Times, counted by how long they were.
#[derive(Debug, Default)]
pub struct Times {
    counts: [Counter; Times::BOUNDS_US.len() + 1],
    total_us: Counter,
}

impl Times {
    /// What times are compared with, in microseconds: a turn of the loop should
    /// stay below the first few, and one beyond the last is a handler that blocks.
    pub const BOUNDS_US: [u64; 12] =
        [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000];

    /// How many times were up to each of the bounds and beyond the one before; the
    /// last is those beyond all.
    pub fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.counts.iter().map(Counter::value)
    }

    /// All times together, in microseconds.
    pub fn total_us(&self) -> u64 {
        self.total_us.value()
    }

    #[inline]
    pub(crate) fn add(&self, micros: u64) {
        let below = Times::BOUNDS_US.iter().take_while(|bound| **bound < micros).count();
        if let Some(counter) = self.counts.get(below) {
            counter.add(1);
        }
        self.total_us.add(micros);
    }
}

/// What the helper threads are doing; read from anywhere, exact only when nothing
/// moves.
#[derive(Debug, Default)]
pub struct Helpers {
    /// Jobs that wait.
    pub queued: AtomicUsize,
    /// Those of them that wait in the application's lane.
    pub queued_application: AtomicUsize,
    /// How many may wait there.
    pub queue_max: AtomicUsize,
    /// Jobs that run.
    pub running: AtomicUsize,
    /// Threads that live.
    pub threads: AtomicUsize,
    /// Jobs that were started so far.
    pub started: AtomicU64,
    /// Jobs that were given back so far.
    pub refused: AtomicU64,
    /// Jobs that panicked so far.
    pub panicked: AtomicU64,
    /// Time that started jobs spent in the queue, together, in microseconds.
    pub wait_total_us: AtomicU64,
    /// The longest time that a job spent in the queue, in microseconds.
    pub wait_max_us: AtomicU64,
}

impl Helpers {
    /// Whether nine tenths of the application's queue are full: jobs that come
    /// now wait long, or are refused.
    pub fn is_saturated(&self) -> bool {
        let queued = self.queued_application.load(Ordering::Relaxed);
        let max = self.queue_max.load(Ordering::Relaxed);
        max > 0 && queued >= max - max / 10
    }
}

/// What a reactor has done since it began, and what it holds now (`open`, `busy`,
/// `timers`, `buffers`: as of its last turn). Values wrap at 2^64.
///
/// ```no_run
/// # fn main() -> Result<(), onepoll::Error> {
/// let server = onepoll::Server::bind("127.0.0.1:0")?.spawn(onepoll::App::new)?;
/// println!("{} requests", server.handle().stats().requests.value());
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Stats {
    /// Turns of the loop.
    pub turns: Counter,
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections open now.
    pub open: Counter,
    /// Those of them that are busy: with a request, a reply, or their end. The
    /// others are idle.
    pub busy: Counter,
    /// Connections for which there is room before memory must grow.
    pub slots: Counter,
    /// Why connections ended.
    pub closes: Kinds<Close, { Close::ALL.len() }>,
    /// Connections refused for want of a slot, whether with a 503 or without.
    pub refused: Counter,
    /// Clients turned away for the limits of their address, whether told or not.
    pub turned_away: Kinds<TurnedAway, { TurnedAway::ALL.len() }>,
    /// Failed accepts, such as for want of descriptors.
    pub accept_errors: Counter,
    /// The same by their kind.
    pub accept_errors_by: Kinds<AcceptError, { AcceptError::ALL.len() }>,
    /// Requests whose head was read and that the service has begun.
    pub requests: Counter,
    /// Requests that broke the protocol or a limit of it, whether or not the
    /// application had begun with them.
    pub faults: Counter,
    /// Bytes read from clients.
    pub bytes_in: Counter,
    /// Bytes that sockets took.
    pub bytes_out: Counter,
    /// Deadlines that ended something: idle connections, late heads, content
    /// and work, clients that don't read, lingering that was not answered.
    pub timeouts: Counter,
    /// Replies that were cut: the client has a part of them or nothing.
    pub cuts: Counter,
    /// Idle connections closed to make room.
    pub shed: Counter,
    /// Jobs that found the helpers' queue full.
    pub jobs_refused: Counter,
    /// Bytes lent to connections as buffers now; see `Config::buffers_max`.
    pub buffers: Counter,
    /// Exchanges that came home after their connection had ended.
    pub strays: Counter,
    /// TLS handshakes that were completed, resumed ones included.
    pub handshakes: Counter,
    /// Those of them that resumed a session.
    pub handshakes_resumed: Counter,
    /// Why TLS handshakes failed.
    pub handshake_failures: Kinds<HandshakeFailure, { HandshakeFailure::ALL.len() }>,
    /// Deadlines that are running.
    pub timers: Counter,
    /// How long turns took, from the end of the wait for events on. Of turns that
    /// follow each other closely one in eight is timed, and one in 10 ms at least.
    pub turn_times: Times,
    /// The longest timed turn of the last 5 to 10 seconds, in microseconds: so long
    /// may something that was ready have waited for its turn.
    pub lag_us: Counter,
    /// 1 once a drain or a stop has begun, else 0.
    pub draining: Counter,
    /// 1 once it was said that the server is to leave soon: see
    /// [`Handle::unready`](crate::Handle::unready).
    pub unready: Counter,
    /// For those who watch the loop, and for blame.
    pub watch: Watch,
    /// The helper threads, which all loops of a server share.
    pub helpers: Arc<Helpers>,
    /// The loops of the same server, this one included, if there are several.
    all: OnceLock<Box<[Weak<Stats>]>>,
}

impl Stats {
    /// Beside the counters of that pool.
    pub(crate) fn new(helpers: Arc<Helpers>) -> Stats {
        Stats { helpers, ..Stats::default() }
    }

    /// Of nobody.
    pub(crate) fn none() -> &'static Stats {
        static NONE: OnceLock<Stats> = OnceLock::new();
        NONE.get_or_init(Stats::default)
    }

    /// Tells it of all loops of its server, itself included. Once.
    pub(crate) fn introduce(&self, all: &[Weak<Stats>]) {
        if all.len() > 1 {
            let _ = self.all.set(all.into());
        }
    }

    /// The counters of all loops of the same server, in order; nothing if there is
    /// but this one.
    pub fn siblings(&self) -> impl Iterator<Item = Arc<Stats>> + '_ {
        self.all.get().into_iter().flatten().filter_map(Weak::upgrade)
    }

    /// All of these together, as they are now: counts are added up, of the longest
    /// turns it is the longest.
    pub(crate) fn total<'a>(all: impl Iterator<Item = &'a Stats>) -> Stats {
        let mut total = Stats::default();
        for one in all {
            total.helpers = Arc::clone(&one.helpers);
            let longest = total.lag_us.value().max(one.lag_us.value());
            for (sum, part) in total.counters().zip(one.counters()) {
                sum.add(part.value());
            }
            total.lag_us.set(longest);
        }
        total
    }

    fn counters(&self) -> impl Iterator<Item = &Counter> {
        let Stats { turns, accepted, open, busy, slots, closes, refused, turned_away, .. } = self;
        let Stats { accept_errors, accept_errors_by, requests, faults, .. } = self;
        let Stats { bytes_in, bytes_out, timeouts, cuts, shed, jobs_refused, .. } = self;
        let Stats { handshakes, handshakes_resumed, handshake_failures, .. } = self;
        let Stats { buffers, strays, timers, turn_times, lag_us, draining, unready, watch, .. } =
            self;
        let single = [
            turns,
            accepted,
            open,
            busy,
            slots,
            refused,
            accept_errors,
            handshakes,
            handshakes_resumed,
            requests,
            faults,
            bytes_in,
            bytes_out,
            timeouts,
            cuts,
            shed,
            jobs_refused,
            buffers,
            strays,
            timers,
            lag_us,
            draining,
            unready,
            &turn_times.total_us,
            &watch.blames,
            &watch.handler_times.total_us,
        ];
        let kinds = closes
            .0
            .iter()
            .chain(&turned_away.0)
            .chain(&accept_errors_by.0)
            .chain(&handshake_failures.0)
            .chain(&watch.parts.0);
        let times = turn_times.counts.iter().chain(&watch.handler_times.counts);
        single.into_iter().chain(kinds).chain(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_their_length() {
        let times = Times::default();
        for micros in [0, 50, 51, 1_000_000, 1_000_001, 5_000_000] {
            times.add(micros);
        }
        let counts: Vec<u64> = times.counts().collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(times.total_us(), 7_000_102);
    }

    #[test]
    fn a_total_is_all_of_all() {
        let one = Stats::default();
        for (i, counter) in one.counters().enumerate() {
            counter.set(i as u64 + 1);
        }
        let total = Stats::total([&one, &one].into_iter());
        for (sum, part) in total.counters().zip(one.counters()) {
            let longest = std::ptr::eq(sum, &raw const total.lag_us);
            assert_eq!(sum.value(), if longest { part.value() } else { 2 * part.value() });
        }
    }

    #[test]
    fn every_kind_has_its_counter() {
        let stats = Stats::default();
        for (i, why) in Close::ALL.iter().enumerate() {
            assert_eq!(*why as usize, i);
            stats.closes.add(*why);
        }
        assert!(Close::ALL.iter().all(|why| stats.closes.of(*why) == 1));
    }

    #[test]
    fn saturated_from_nine_tenths_on() {
        let helpers = Helpers::default();
        assert!(!helpers.is_saturated(), "no pool");
        for (max, queued, is) in
            [(1024, 921, false), (1024, 922, true), (1, 0, false), (1, 1, true), (4, 3, false)]
        {
            helpers.queue_max.store(max, Ordering::Relaxed);
            helpers.queued_application.store(queued, Ordering::Relaxed);
            assert_eq!(helpers.is_saturated(), is, "{queued} of {max}");
        }
    }
}
