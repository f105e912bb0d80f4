//! A thread that looks whether the loop goes on, and who holds it if not.
//!
//! The loop says where it is by storing a number; nobody on it reads a clock for
//! that. What stays unchanged from one look to the next has lasted as long:
//!
//! ```text
//!   looks   |    |    |    |    |    |    |
//!   loop    ~~turn~~[ handler of /slow  ]~~turn~~
//!                   ^since    ^ blamed   ^ told in the log, with its time
//! ```
//!
//! A handler is told from the next by the number of requests, so that many short
//! ones are nobody's fault. Handlers that are resumed one after the other in one turn,
//! for the same route, look like one.

use crate::stats::{Place, Stats};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A loop that is held for so long is stuck, and that is told at once.
const STUCK: Duration = Duration::from_secs(5);
/// Looks in the time that a handler may hold the loop.
const LOOKS: u32 = 4;
/// The rarest looks, for times that are long.
const LOOK_MAX: Duration = Duration::from_millis(250);

/// The thread; it ends with this value.
#[derive(Debug)]
pub(super) struct Watchdog {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches over the loop with these counters.
    ///
    /// # Errors
    /// If the system has no thread.
    pub(super) fn start(stats: Arc<Stats>, limit: Duration) -> io::Result<Watchdog> {
        let over = Arc::<(Mutex<bool>, Condvar)>::default();
        let shared = Arc::clone(&over);
        let watch = move || {
            let (over, bell) = &*shared;
            let mut judge = Judge::new(limit);
            let mut is_over = over.lock().unwrap_or_else(PoisonError::into_inner);
            while !*is_over {
                let waited = bell.wait_timeout(is_over, (limit / LOOKS).min(LOOK_MAX));
                is_over = waited.unwrap_or_else(PoisonError::into_inner).0;
                let place = stats.watch.place();
                let seen =
                    Seen { turns: stats.turns.value(), requests: stats.requests.value(), place };
                if let Some(hold) = judge.look(seen, Instant::now()) {
                    tell(&stats, hold);
                }
            }
        };
        let thread = std::thread::Builder::new().name("onepoll-watchdog".to_owned());
        Ok(Watchdog { over, thread: Some(thread.spawn(watch)?) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let (over, bell) = &*self.over;
        *over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where the loop was at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    turns: u64,
    requests: u64,
    place: Place,
}

/// Something about a hold that lasted too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    place: Place,
    time: Duration,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// It is too long from here on.
    Begins,
    /// It goes on.
    Lasts,
    /// It goes on, and is worth an alarm.
    Stuck,
    /// It is over.
    Ends,
}

/// What is remembered from look to look.
struct Judge {
    limit: Duration,
    last: Option<(Seen, Instant)>,
    blamed: bool,
    stuck: bool,
}

impl Judge {
    fn new(limit: Duration) -> Judge {
        Judge { limit, last: None, blamed: false, stuck: false }
    }

    fn look(&mut self, seen: Seen, now: Instant) -> Option<Hold> {
        let held = self.last.map(|(last, since)| (last, now.saturating_duration_since(since)));
        match held {
            Some((last, time)) if last == seen => {
                let place = seen.place;
                if place == Place::ASLEEP || time < self.limit {
                    return None;
                }
                let what = match (self.blamed, self.stuck) {
                    (false, _) => What::Begins,
                    (true, false) if time >= STUCK => What::Stuck,
                    (true, _) => What::Lasts,
                };
                self.blamed = true;
                self.stuck |= what == What::Stuck;
                Some(Hold { place, time, what })
            }
            before => {
                self.last = Some((seen, now));
                self.stuck = false;
                let was_blamed = std::mem::take(&mut self.blamed);
                let (last, time) = before.filter(|_| was_blamed)?;
                Some(Hold { place: last.place, time, what: What::Ends })
            }
        }
    }
}

fn tell(stats: &Stats, hold: Hold) {
    let Hold { place, time, what } = hold;
    stats.watch.blame(place, time, what == What::Begins, what != What::Ends);
    let name = stats.watch.name(place);
    match what {
        What::Begins | What::Lasts => {}
        What::Stuck => log::error!("the loop is stuck: {name} has held it for {time:.1?}"),
        What::Ends => log::warn!("blame: {name} held the loop for about {time:.0?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_the_same_for_too_long_is_blamed_once() {
        let start = Instant::now();
        let mut judge = Judge::new(Duration::from_millis(100));
        let stats = Stats::default();
        stats.watch.enter(Some(7));
        let place = stats.watch.place();
        let slow = Seen { turns: 1, requests: 1, place };
        let after = Seen { requests: 2, ..slow };
        let asleep = Seen { turns: 2, requests: 2, place: Place::ASLEEP };
        let table = [
            (0, slow, None),
            (50, slow, None),
            (100, slow, Some((What::Begins, 100))),
            (150, slow, Some((What::Lasts, 150))),
            (5_000, slow, Some((What::Stuck, 5_000))),
            (6_000, slow, Some((What::Lasts, 6_000))),
            (6_100, after, Some((What::Ends, 6_100))),
            // The next request is another one, and short.
            (6_150, after, None),
            (6_199, Seen { requests: 3, ..slow }, None),
            (6_298, Seen { requests: 4, ..slow }, None),
            // Who sleeps holds nothing.
            (7_000, asleep, None),
            (70_000, asleep, None),
            (70_001, slow, None),
            (70_101, slow, Some((What::Begins, 100))),
        ];
        for (ms, seen, expected) in table {
            let hold = judge.look(seen, start + Duration::from_millis(ms));
            let is = hold.map(|hold| (hold.what, hold.time.as_millis()));
            assert_eq!(is, expected, "at {ms} ms");
        }
    }
}
