//! What the loop tells about itself, once a turn.
//!
//! To time a turn, the clock is read once more at its end. A loop that is busy
//! does that in a share of its turns: a short turn with one request in it would
//! pay a tenth more for being watched. Requests cost nothing here.

use super::clock::Tick;
use super::turn::Reactor;
use super::world::World;
use crate::http::Service;
use std::time::Duration;

/// The longest turn is of the last one to two of these.
const SPAN: Duration = Duration::from_secs(5);

/// Of turns that follow each other closely, one in so many is timed ..
const SHARE: u32 = 8;
/// .. and one at least in so long a time.
const RARELY: Duration = Duration::from_millis(10);

/// The longest turns of this span and the one before, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    /// Turns until the next is timed, and when the last one was.
    untimed: u32,
    timed: Tick,
    now: u64,
    before: u64,
    ends: Tick,
}

impl Lag {
    /// Notes a turn; the longest lately comes back.
    fn note(&mut self, micros: u64, at: Tick) -> u64 {
        if at >= self.ends {
            // A span that was slept through had no turn at all.
            let slept = at.since(self.ends) >= SPAN;
            self.before = if slept { 0 } else { self.now };
            self.now = 0;
            self.ends = at + SPAN;
        }
        self.now = self.now.max(micros);
        self.now.max(self.before)
    }
}

impl Lag {
    /// The next turn is measured, whichever it is.
    pub(crate) fn time_next(&mut self) {
        self.untimed = 0;
    }
}

impl<S: Service, W: World> Reactor<S, W> {
    /// At the end of a turn.
    #[inline]
    pub(crate) fn measure(&mut self) {
        let stats = &self.shared.stats;
        stats.turns.add(1);
        stats.buffers.set(self.shared.buffers.lent() as u64);
        stats.busy.set(self.shared.buffers.out() as u64);
        stats.timers.set(self.wheel.len() as u64);
        if self.lag.untimed == 0 || self.shared.tick.since(self.lag.timed) >= RARELY {
            self.time();
        } else {
            self.lag.untimed -= 1;
        }
    }

    #[cold]
    fn time(&mut self) {
        let began = self.shared.tick;
        let end = self.world.now();
        let ended = self.shared.epoch.tick(end);
        let micros = ended.micros().saturating_sub(began.micros());
        (self.lag.untimed, self.lag.timed) = (SHARE - 1, began);
        self.shared.stats.turn_times.add(micros);
        self.shared.stats.lag_us.set(self.lag.note(micros, ended));
        self.show(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_turn_is_remembered_for_a_span_or_two() {
        let mut lag = Lag::default();
        let at = |seconds: u64| Tick::from_micros(seconds * 1_000_000);
        assert_eq!(lag.note(5, at(0)), 5);
        assert_eq!(lag.note(900, at(4)), 900);
        assert_eq!(lag.note(7, at(6)), 900, "of the span before");
        assert_eq!(lag.note(3, at(10)), 900);
        assert_eq!(lag.note(3, at(11)), 7);
        assert_eq!(lag.note(2, at(30)), 2, "nothing happened for long");
    }
}
