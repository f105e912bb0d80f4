//! When the requests of an open loop are meant to start.
//!
//! Each time follows from the number of the request, not from the time at which
//! the one before was sent: a generator that is late doesn't shift what comes
//! after, and the lateness is part of what is measured.

use super::plan::Arrivals;
use super::rng::Rng;

/// The intended start times of one thread's share, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Pace {
    from: u64,
    next: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Request `index` of all threads at `index * 1e12 / rate_milli`; this thread has
    /// every `step`-th.
    Uniform { index: u64, step: u64, rate_milli: u64 },
    /// The sum of exponential gaps. Shares of a Poisson process are ones
    /// themselves, so each thread has its own.
    Poisson { sum: f64, mean: f64, rng: Rng },
}

impl Pace {
    /// The share of thread `index` of `threads`, from the time `from` on.
    pub(crate) fn new(
        rate: f64,
        arrivals: Arrivals,
        (index, threads): (usize, usize),
        from: u64,
        seed: u64,
    ) -> Pace {
        let kind = match arrivals {
            Arrivals::Uniform => {
                let rate_milli = ((rate * 1e3) as u64).max(1);
                Kind::Uniform { index: index as u64, step: threads as u64, rate_milli }
            }
            Arrivals::Poisson => Kind::Poisson {
                sum: 0.0,
                mean: 1e9 * threads as f64 / rate,
                rng: Rng::new(seed.wrapping_add(index as u64)),
            },
        };
        let mut pace = Pace { from, next: from, kind };
        if let Kind::Poisson { .. } = pace.kind {
            pace.advance(); // the first gap is before the first request
        } else {
            pace.next = pace.time();
        }
        pace
    }

    /// When the next request is meant to start.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// That one has been started.
    pub(crate) fn advance(&mut self) {
        match &mut self.kind {
            Kind::Uniform { index, step, .. } => *index += *step,
            Kind::Poisson { sum, mean, rng } => *sum -= (1.0 - rng.unit()).ln() * *mean,
        }
        self.next = self.time();
    }

    /// Leaves out those that were meant to start before that time.
    pub(crate) fn skip_to(&mut self, time: u64) {
        if self.next >= time {
            return;
        }
        let passed = time.saturating_sub(self.from);
        match &mut self.kind {
            Kind::Uniform { index, step, rate_milli } => {
                let due = u128::from(passed) * u128::from(*rate_milli);
                let due = u64::try_from(due.div_ceil(1_000_000_000_000)).unwrap_or(u64::MAX);
                let steps = due.saturating_sub(*index).div_ceil(*step);
                *index = index.saturating_add(steps.saturating_mul(*step));
                self.next = self.time();
            }
            // It has no memory: from any moment on it is as from the first.
            Kind::Poisson { sum, .. } => {
                *sum = passed as f64;
                self.advance();
            }
        }
    }

    /// How many of those that are to come are meant to start in that time; if it
    /// has no end, none. (Of Poisson's: as many as there are on average.)
    pub(crate) fn count_between(&self, from: u64, until: u64) -> u64 {
        let from = from.max(self.next);
        if until == u64::MAX || from >= until {
            return 0;
        }
        let span = (until - from) as f64;
        match &self.kind {
            Kind::Uniform { step, rate_milli, .. } => {
                (span * *rate_milli as f64 / 1e12 / *step as f64).ceil() as u64
            }
            Kind::Poisson { mean, .. } => (span / *mean) as u64,
        }
    }

    fn time(&self) -> u64 {
        let offset = match &self.kind {
            Kind::Uniform { index, rate_milli, .. } => {
                let offset = u128::from(*index) * 1_000_000_000_000 / u128::from(*rate_milli);
                u64::try_from(offset).unwrap_or(u64::MAX)
            }
            Kind::Poisson { sum, .. } => *sum as u64,
        };
        self.from.saturating_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_times_follow_from_the_number() {
        let mut pace = Pace::new(3.0, Arrivals::Uniform, (0, 1), 1000, 0);
        let mut times = Vec::new();
        for _ in 0..4 {
            times.push(pace.next());
            pace.advance();
        }
        assert_eq!(times, [1000, 333_334_333, 666_667_666, 1_000_001_000]);
    }

    /// Two threads have what one would have.
    #[test]
    fn shares_make_the_whole() {
        let take = |share, count| {
            let mut pace = Pace::new(7000.0, Arrivals::Uniform, share, 0, 0);
            let mut times = Vec::new();
            for _ in 0..count {
                times.push(pace.next());
                pace.advance();
            }
            times
        };
        let mut both = take((0, 2), 50);
        both.extend(take((1, 2), 50));
        both.sort_unstable();
        assert_eq!(both, take((0, 1), 100));
    }

    /// What is left out shifts nothing.
    #[test]
    fn times_that_are_skipped_are_only_left_out() {
        for share in [(0, 1), (0, 3), (2, 3)] {
            let mut slow = Pace::new(7.0, Arrivals::Uniform, share, 1000, 0);
            for time in [0, 1000, 1001, 500_000_000, 3_333_333_333, 60_000_001_000] {
                let mut quick = Pace::new(7.0, Arrivals::Uniform, share, 1000, 0);
                quick.skip_to(time);
                while slow.next() < time {
                    slow.advance();
                }
                assert_eq!(quick.next(), slow.next(), "{share:?} {time}");
            }
        }
        let mut pace = Pace::new(7.0, Arrivals::Poisson, (0, 1), 0, 1);
        pace.skip_to(1_000_000_000);
        assert!(pace.next() > 1_000_000_000);
    }

    /// The gaps' mean and spread are those of an exponential distribution.
    #[test]
    fn poisson_gaps_are_exponential() {
        let mut pace = Pace::new(1000.0, Arrivals::Poisson, (0, 1), 0, 7);
        let (mut last, mut sum, mut squares) = (0, 0.0, 0.0);
        const COUNT: usize = 100_000;
        for _ in 0..COUNT {
            let gap = (pace.next() - last) as f64 / 1e6;
            last = pace.next();
            (sum, squares) = (sum + gap, squares + gap * gap);
            pace.advance();
        }
        let mean = sum / COUNT as f64;
        let variance = squares / COUNT as f64 - mean * mean;
        assert!((0.98..1.02).contains(&mean), "{mean} ms");
        assert!((0.95..1.05).contains(&variance), "{variance}");
    }
}
