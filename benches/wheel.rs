//! The timer wheel against a binary heap, in the same run.
//!
//! Three things that a server does to deadlines, for several numbers of
//! connections, in nanoseconds per operation (the median of nine rounds, wheel
//! and heap taking turns):
//!
//! - *later*: a request moves its connection's deadline to 75 s from now, as
//!   nearly all do. Time goes on so that a connection has ten requests in 75 s,
//!   and what surfaces meanwhile is dealt with, every 16 requests;
//! - *refile*: a deadline comes nearer than the entry that stands for it;
//! - *fire*: everything falls due, is asked, and is armed again.
//!
//! The heap is the usual one: it takes a new entry for every change and skips
//! outdated ones when they surface. So it holds ten entries per connection in
//! the first case, and the wheel one.

use onepoll::reactor::{Tick, Wheel};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let (counts, operations, rounds): (&[u32], u32, usize) =
        if quick { (&[100], 1_000, 1) } else { (&[100, 10_000, 100_000], 1_000_000, 9) };
    println!("ns per operation, median of {rounds} rounds of {operations}");
    println!("{:>8} {:>12} {:>8} {:>8}", "timers", "operation", "wheel", "heap");
    for count in counts {
        for (name, run) in [("later", later as Scenario), ("refile", refile), ("fire", fire)] {
            let (mut wheel, mut heap) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                wheel.push(run(&mut WheelTimers::new(*count), *count, operations));
                heap.push(run(&mut HeapTimers::new(*count), *count, operations));
            }
            println!("{count:>8} {name:>12} {:>8.1} {:>8.1}", median(wheel), median(heap));
        }
    }
}

type Scenario = fn(&mut dyn Timers, u32, u32) -> f64;

/// What both can do.
trait Timers {
    /// The key's deadline is now this.
    fn deadline(&mut self, key: u32, at: Tick);
    /// Takes all that is over off and pushes the keys.
    fn expire(&mut self, now: Tick, due: &mut Vec<u32>);
    fn next(&self) -> Option<Tick>;
}

fn later(timers: &mut dyn Timers, count: u32, operations: u32) -> f64 {
    let mut now = fill(timers, count);
    let pause = IDLE / (10 * count);
    let mut due = Vec::new();
    let mut request = |step| {
        now = now + pause;
        timers.deadline(scatter(step) % count, now + IDLE);
        if step % 16 == 0 && timers.next().is_some_and(|next| next <= now) {
            timers.expire(now, &mut due);
            for key in due.drain(..) {
                timers.deadline(key, now + IDLE);
            }
        }
    };
    // Until the heap has as many entries as it will ever have.
    (0..12 * count).for_each(&mut request);
    measure(operations, request)
}

fn refile(timers: &mut dyn Timers, count: u32, operations: u32) -> f64 {
    let now = fill(timers, count);
    // Nearer with each step, from 40 s on.
    let step_ns = 40_000_000_000 / u64::from(operations);
    measure(operations, |step| {
        let at = now + Duration::from_nanos(40_000_000_000 - step_ns * u64::from(step));
        timers.deadline(scatter(step) % count, at);
        black_box(timers.next());
    })
}

fn fire(timers: &mut dyn Timers, count: u32, operations: u32) -> f64 {
    let mut now = fill(timers, count);
    let mut due = Vec::new();
    let mut fired = 0;
    let start = Instant::now();
    while fired < operations {
        now = now.max(timers.next().unwrap_or(now));
        timers.expire(now, &mut due);
        for key in due.drain(..) {
            fired += 1;
            timers.deadline(key, now + spread(key));
        }
    }
    start.elapsed().as_nanos() as f64 / f64::from(fired)
}

/// Gives each key a deadline between 10 and 50 s from now; returns now.
fn fill(timers: &mut dyn Timers, count: u32) -> Tick {
    let now = Tick::ZERO;
    (0..count).for_each(|key| timers.deadline(key, now + spread(key)));
    now
}

fn spread(key: u32) -> Duration {
    Duration::from_micros(10_000_000 + u64::from(scatter(key) % 40_000_000))
}

fn scatter(number: u32) -> u32 {
    number.wrapping_mul(0x9E37_79B1) >> 4
}

fn measure(operations: u32, mut operation: impl FnMut(u32)) -> f64 {
    let start = Instant::now();
    (0..operations).for_each(&mut operation);
    start.elapsed().as_nanos() as f64 / f64::from(operations)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct WheelTimers {
    wheel: Wheel,
    /// The owner's deadlines: the wheel does not know them.
    deadlines: Vec<Tick>,
    asked: Vec<u32>,
}

impl WheelTimers {
    fn new(count: u32) -> WheelTimers {
        let now = Tick::ZERO;
        let deadlines = vec![now; count as usize];
        WheelTimers { wheel: Wheel::new(), deadlines, asked: Vec::new() }
    }
}

impl Timers for WheelTimers {
    fn deadline(&mut self, key: u32, at: Tick) {
        self.deadlines[key as usize] = at;
        self.wheel.ensure(key, at, false);
    }

    fn expire(&mut self, now: Tick, due: &mut Vec<u32>) {
        self.wheel.expire(now, &mut self.asked);
        for key in self.asked.drain(..) {
            let at = self.deadlines[key as usize];
            if at <= now {
                due.push(key);
            } else {
                self.wheel.arm(key, at, false);
            }
        }
    }

    fn next(&self) -> Option<Tick> {
        self.wheel.next_deadline()
    }
}

struct HeapTimers {
    heap: BinaryHeap<Reverse<(Tick, u32)>>,
    deadlines: Vec<Tick>,
}

impl HeapTimers {
    fn new(count: u32) -> HeapTimers {
        let deadlines = vec![Tick::ZERO; count as usize];
        HeapTimers { heap: BinaryHeap::new(), deadlines }
    }
}

impl Timers for HeapTimers {
    fn deadline(&mut self, key: u32, at: Tick) {
        self.deadlines[key as usize] = at;
        self.heap.push(Reverse((at, key)));
    }

    fn expire(&mut self, now: Tick, due: &mut Vec<u32>) {
        while let Some(Reverse((at, key))) = self.heap.peek().copied().filter(|it| it.0.0 <= now) {
            self.heap.pop();
            if self.deadlines[key as usize] == at {
                due.push(key);
            }
        }
    }

    fn next(&self) -> Option<Tick> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

/// A keep-alive timeout.
const IDLE: Duration = Duration::from_secs(75);
