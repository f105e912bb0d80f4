use super::*;
use std::collections::BTreeMap;
use std::time::Duration;

impl std::ops::Sub<Duration> for Tick {
    type Output = Tick;
    fn sub(self, time: Duration) -> Tick {
        Tick::from_micros(self.micros().saturating_sub(time.as_micros() as u64))
    }
}

impl std::ops::AddAssign<Duration> for Tick {
    fn add_assign(&mut self, time: Duration) {
        *self = *self + time;
    }
}

const MS: Duration = Duration::from_millis(1);

/// A wheel, its owner and a clock that moves only when told.
struct Bench {
    start: Tick,
    now: Tick,
    wheel: Wheel,
    /// The owner's true deadlines.
    model: BTreeMap<u32, (Tick, bool)>,
    /// How often an entry fell due before its time.
    early: u32,
}

impl Bench {
    fn new() -> Bench {
        let start = Tick::ZERO;
        Bench { start, now: start, wheel: Wheel::new(), model: BTreeMap::new(), early: 0 }
    }

    fn arm(&mut self, key: u32, after: Duration, precise: bool) {
        self.model.insert(key, (self.now + after, precise));
        self.wheel.arm(key, self.now + after, precise);
    }

    /// Waits as `poll` would, expires, and answers the questions as the reactor
    /// would. Returns the keys whose time is over, or `None` if nothing is armed.
    fn turn(&mut self) -> Option<Vec<u32>> {
        let wake = self.wheel.next_deadline()?;
        assert!(wake > self.now || self.wheel.len() > Wheel::EXPIRE_MAX, "it would busy-loop");
        self.now = self.now.max(wake);
        Some(self.expire())
    }

    fn expire(&mut self) -> Vec<u32> {
        let mut due = Vec::new();
        self.wheel.expire(self.now, &mut due);
        let mut over = Vec::new();
        for key in due {
            assert_eq!(self.wheel.filed_at(key), None);
            let (at, precise) = self.model[&key];
            if at <= self.now {
                self.model.remove(&key);
                over.push(key);
            } else {
                self.early += 1;
                self.wheel.arm(key, at, precise);
            }
        }
        over
    }
}

fn tick(precise: bool) -> Duration {
    if precise { MS } else { 100 * MS }
}

fn random(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) % below
}

#[test]
fn a_node_takes_sixteen_bytes() {
    assert_eq!(size_of::<Node>(), 16);
}

#[test]
fn an_entry_falls_due_at_its_tick_and_not_before() {
    // (after in microseconds, precise, falls due in milliseconds)
    let cases = [
        (0, true, 0),
        (1, true, 1),
        (999, true, 1),
        (1000, true, 1),
        (1001, true, 2),
        (511_000, true, 511),
        (0, false, 0),
        (1, false, 100),
        (100_000, false, 100),
        (100_001, false, 200),
        (51_100_000, false, 51_100),
    ];
    for (micros, precise, millis) in cases {
        let mut bench = Bench::new();
        bench.arm(3, Duration::from_micros(micros), precise);
        let at = bench.start + millis * MS;
        assert_eq!(bench.wheel.next_deadline(), Some(at), "{micros} us");
        assert_eq!(bench.wheel.filed_at(3), Some(at), "{micros} us");
        if millis > 0 {
            bench.now = at - Duration::from_micros(1);
            assert!(bench.expire().is_empty(), "{micros} us: early");
        }
        bench.now = at;
        assert_eq!(bench.expire(), [3], "{micros} us");
        assert_eq!((bench.early, bench.wheel.len()), (0, 0));
        assert_eq!(bench.wheel.next_deadline(), None);
    }
}

#[test]
fn a_parked_entry_is_asked_about_rarely() {
    let hour = Duration::from_secs(3600);
    // (after, precise, early questions at most)
    let cases = [
        (75_000 * MS, false, 1),
        (hour, false, 3600 / 51 + 1),
        (512 * MS, true, 1),
        (5_050 * MS, true, 1),
        (75_000 * MS, true, 2),
        (hour, true, 3600 / 51 + 2),
    ];
    for (after, precise, most) in cases {
        let mut bench = Bench::new();
        bench.arm(0, after, precise);
        let over = loop {
            let over = bench.turn().expect("it is armed");
            if !over.is_empty() {
                break over;
            }
        };
        assert_eq!(over, [0]);
        let late = bench.now.since(bench.start + after);
        assert!(late <= tick(precise), "{after:?}: {late:?} late");
        assert!((1..=most).contains(&bench.early), "{after:?}: {} questions", bench.early);
    }
}

#[test]
fn what_is_over_when_it_is_armed_falls_due_at_the_next_tick() {
    for precise in [true, false] {
        let mut bench = Bench::new();
        bench.now += Duration::from_micros(12_345_678);
        bench.expire();
        let past = bench.now - 5000 * MS;
        bench.wheel.arm(1, past, precise);
        let wake = bench.wheel.next_deadline().unwrap();
        assert!(wake <= bench.now + tick(precise), "{precise}");
        let mut due = Vec::new();
        bench.wheel.expire(wake, &mut due);
        assert_eq!(due, [1]);
    }
}

#[test]
fn what_is_over_is_due_at_once() {
    let now = Tick::from_micros(5_000_000);
    let mut wheel = Wheel::new();
    wheel.arm(0, now, true);
    let mut due = Vec::new();
    wheel.expire(now, &mut due);
    assert_eq!(due, [0]);
}

#[test]
fn moving_later_leaves_the_entry_and_moving_earlier_refiles_it() {
    let mut bench = Bench::new();
    let at = |seconds: u64| bench.start + Duration::from_secs(seconds);
    bench.wheel.ensure(5, at(10), false);
    assert_eq!(bench.wheel.filed_at(5), Some(at(10)));
    bench.wheel.ensure(5, at(20), false);
    assert_eq!(bench.wheel.filed_at(5), Some(at(10)));
    bench.wheel.ensure(5, at(3), false);
    assert_eq!(bench.wheel.filed_at(5), Some(at(3)));
    bench.wheel.ensure(5, at(3) - 7 * MS, false);
    assert_eq!(bench.wheel.filed_at(5), Some(at(3)), "the same coarse tick");
    bench.wheel.ensure(5, at(0) + 7 * MS, true);
    assert_eq!(bench.wheel.filed_at(5), Some(at(0) + 7 * MS));
    bench.wheel.arm(5, at(20), false);
    assert_eq!(bench.wheel.filed_at(5), Some(at(20)));
    assert_eq!(bench.wheel.len(), 1);
}

#[test]
fn disarming_forgets_and_is_harmless_twice() {
    let mut bench = Bench::new();
    bench.arm(1, 5 * MS, true);
    bench.arm(2, 9 * MS, true);
    bench.arm(9, 300 * MS, false);
    bench.wheel.disarm(1);
    bench.wheel.disarm(1);
    bench.wheel.disarm(77);
    assert_eq!(bench.wheel.len(), 2);
    assert_eq!(bench.wheel.next_deadline(), Some(bench.start + 9 * MS));
    bench.wheel.disarm(2);
    assert_eq!(bench.wheel.next_deadline(), Some(bench.start + 300 * MS));
    bench.wheel.disarm(9);
    assert_eq!(bench.wheel.next_deadline(), None);
    assert!(bench.wheel.is_empty());
}

#[test]
fn a_mass_of_entries_comes_in_portions_and_in_order() {
    let mut bench = Bench::new();
    let count = 3 * Wheel::EXPIRE_MAX as u32 + 10;
    for key in 0..count {
        bench.arm(key, 1000 * MS, false);
    }
    bench.now += 1000 * MS;
    let mut over = Vec::new();
    let mut turns = 0;
    while bench.wheel.next_deadline().is_some_and(|wake| wake <= bench.now) {
        let before = over.len();
        over.extend(bench.expire());
        assert!(over.len() - before <= Wheel::EXPIRE_MAX);
        turns += 1;
    }
    assert_eq!(turns, 4);
    assert!(over.into_iter().eq(0..count));
}

#[test]
fn a_precise_entry_is_not_late_when_the_fine_level_lags() {
    let mut bench = Bench::new();
    for key in 0..Wheel::EXPIRE_MAX as u32 + 1 {
        bench.arm(key, 5 * MS, true);
    }
    // A turn that took a second, with more due than one call may take.
    bench.now += 1000 * MS;
    assert_eq!(bench.expire().len(), Wheel::EXPIRE_MAX);
    bench.arm(9000, 7 * MS, true);
    bench.now += 8 * MS;
    let mut over = bench.expire();
    over.extend(bench.expire());
    assert!(over.contains(&9000), "{over:?}");
}

#[test]
fn after_a_long_wait_a_wheel_that_knows_the_time_files_at_once() {
    for told in [true, false] {
        let mut bench = Bench::new();
        bench.now += Duration::from_secs(1000);
        if told {
            bench.wheel.advance(bench.now);
        }
        bench.arm(0, 40 * MS, true);
        bench.arm(1, 40_000 * MS, false);
        let mut over = bench.expire();
        while let Some(more) = bench.turn() {
            over.extend(more);
        }
        assert_eq!(over, [0, 1]);
        assert_eq!(bench.early, if told { 0 } else { 2 });
    }
}

/// Random work against the model: whatever is armed falls due in its time, if
/// the clock is read often enough, and nothing else does.
#[test]
fn it_agrees_with_a_sorted_map() {
    for round in 1..=60_u64 {
        let mut seed = round.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut bench = Bench::new();
        for _ in 0..2000 {
            step(&mut bench, &mut seed);
            let (wheel, model) = (&bench.wheel, &bench.model);
            assert_eq!(wheel.len(), model.len(), "round {round}");
            let filed = (0..KEYS).filter_map(|key| wheel.filed_at(key)).min();
            assert_eq!(wheel.next_deadline(), filed, "round {round}");
            for (key, (at, precise)) in model {
                let filed = wheel.filed_at(*key).expect("what has a deadline is filed");
                // What was over when it was armed counts from then: at most now.
                let latest = (*at).max(bench.now) + tick(*precise);
                assert!(filed <= latest, "round {round}: {key} is filed too late");
            }
        }
        bench.expire();
        while bench.turn().is_some() {}
        assert!(bench.model.is_empty(), "round {round}: some never fell due");
    }
}

const KEYS: u32 = 40;

fn step(bench: &mut Bench, seed: &mut u64) {
    let key = random(seed, u64::from(KEYS)) as u32;
    let reach = [3_000, 700_000, 60_000_000, 300_000_000][random(seed, 4) as usize];
    let after = Duration::from_micros(random(seed, reach));
    match random(seed, 8) {
        0..=2 => bench.arm(key, after, random(seed, 2) == 0),
        3 => {
            // Moved by the lazy rule.
            let precise = random(seed, 2) == 0;
            bench.model.insert(key, (bench.now + after, precise));
            bench.wheel.ensure(key, bench.now + after, precise);
        }
        4 => {
            bench.model.remove(&key);
            bench.wheel.disarm(key);
        }
        5 => {
            // Other events woke the loop, perhaps much too late.
            bench.now += after;
            bench.wheel.advance(bench.now);
        }
        6 => {
            bench.now += after;
            bench.expire();
            let missed = |(at, precise): &(Tick, bool)| *at + tick(*precise) <= bench.now;
            assert!(!bench.model.values().any(missed), "overdue after expire");
        }
        _ => {
            if let Some(wake) = bench.wheel.next_deadline() {
                let waited = wake > bench.now;
                let before = bench.model.clone();
                bench.now = bench.now.max(wake);
                for key in bench.expire() {
                    let (at, precise) = before[&key];
                    let late = bench.now.since(at);
                    assert!(!waited || late <= tick(precise), "{key} was {late:?} late");
                }
            }
        }
    }
}
