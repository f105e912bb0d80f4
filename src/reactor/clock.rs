//! The loop's own time: microseconds since it began.
//!
//! An [`Instant`] is two numbers, and to add or compare costs some thirty
//! instructions; a request needs a dozen of those. One number does as well.

use std::ops::Add;
use std::time::{Duration, Instant};

/// A moment, in microseconds since the loop began.
///
/// ```
/// use onepoll::reactor::Tick;
/// use std::time::Duration;
/// let soon = Tick::ZERO + Duration::from_nanos(1_500);
/// assert_eq!(soon.micros(), 2, "rounded up");
/// assert_eq!(soon.since(Tick::ZERO), Duration::from_micros(2));
/// assert_eq!(Tick::ZERO.since(soon), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// When the loop began.
    pub const ZERO: Tick = Tick(0);
    /// The end of time: for what is not to happen. It is later than any other.
    pub(crate) const NEVER: Tick = Tick(u64::MAX);

    /// That many microseconds after the loop began.
    pub const fn from_micros(micros: u64) -> Tick {
        Tick(micros)
    }

    /// Microseconds since the loop began.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` is, in microseconds; zero if it is not earlier.
    #[inline]
    pub(crate) const fn micros_since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long ago `earlier` is; zero if it is not earlier.
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Tick;

    /// Rounds up, so that nothing is due too early. The end of time is 584,000
    /// years off and not passed.
    #[inline]
    fn add(self, time: Duration) -> Tick {
        self + Span::of(time)
    }
}

/// A length of time in the loop's measure: for what is added again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(u64);

impl Span {
    /// Rounds up.
    #[inline]
    pub(crate) fn of(time: Duration) -> Span {
        let micros = time.as_secs().saturating_mul(1_000_000);
        Span(micros.saturating_add(u64::from(time.subsec_nanos().div_ceil(1000))))
    }
}

impl Add<Span> for Tick {
    type Output = Tick;

    #[inline]
    fn add(self, time: Span) -> Tick {
        Tick(self.0.saturating_add(time.0))
    }
}

/// Converts between the system's clock and the loop's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

impl Epoch {
    pub(crate) fn new(start: Instant) -> Epoch {
        Epoch(start)
    }

    #[inline]
    pub(crate) fn tick(self, instant: Instant) -> Tick {
        let since = instant.saturating_duration_since(self.0);
        let micros = since.as_secs().wrapping_mul(1_000_000);
        Tick(micros.wrapping_add(u64::from(since.subsec_micros())))
    }

    pub(crate) fn instant(self, tick: Tick) -> Instant {
        self.0 + Duration::from_micros(tick.0)
    }
}
