//! Which job may run next: three queues, and a rule that keeps them apart.
//!
//! Pure bookkeeping, under the pool's lock. The rule is in [`Lanes::may_run`].

use super::job::{Lane, Task};
use std::collections::VecDeque;
use std::time::Instant;

/// The queues, and what runs of each lane.
pub(crate) struct Lanes {
    queues: [VecDeque<Entry>; 3],
    counts: Counts,
    /// Threads that may run jobs.
    threads_max: usize,
    /// Jobs that may wait in the lanes that have a bound.
    queue_max: usize,
    /// The lane whose turn it is.
    turn: usize,
}

/// A job that waits.
pub(crate) struct Entry {
    pub(crate) task: Task,
    pub(crate) since: Instant,
}

/// How many jobs run, by lane.
#[derive(Clone, Copy)]
struct Counts {
    running: [usize; 3],
    /// One for each lane that keeps a thread: Serial does from its first use on.
    kept: [usize; 3],
}

impl Lanes {
    pub(crate) fn new(threads_max: usize, queue_max: usize) -> Lanes {
        let queues = [VecDeque::new(), VecDeque::new(), VecDeque::new()];
        let counts = Counts { running: [0; 3], kept: [1, 1, 0] };
        Lanes { queues, counts, threads_max, queue_max, turn: 0 }
    }

    /// Queues the job, or gives it back if the lane is full.
    pub(crate) fn push(&mut self, lane: Lane, entry: Entry) -> Result<(), Entry> {
        let queue = &mut self.queues[lane as usize];
        if lane != Lane::Engine && queue.len() >= self.queue_max {
            return Err(entry);
        }
        queue.push_back(entry);
        self.counts.kept[lane as usize] = 1;
        Ok(())
    }

    /// Takes back what was pushed last, since nobody will run it.
    pub(crate) fn take_back(&mut self, lane: Lane) -> Option<Entry> {
        self.queues[lane as usize].pop_back()
    }

    /// The next job that may run. It counts as running until [`done`](Lanes::done).
    pub(crate) fn take(&mut self) -> Option<(Lane, Entry)> {
        for step in 0..Lane::ALL.len() {
            let lane = Lane::ALL[(self.turn + step) % Lane::ALL.len()];
            if self.may_run(lane, &self.counts) {
                let entry = self.queues[lane as usize].pop_front()?;
                self.counts.running[lane as usize] += 1;
                self.turn = lane as usize + 1;
                return Some((lane, entry));
            }
        }
        None
    }

    /// A job of that lane has ended.
    pub(crate) fn done(&mut self, lane: Lane) {
        self.counts.running[lane as usize] -= 1;
    }

    /// Whether more than `threads` threads could start a job right now.
    pub(crate) fn keep_busy_more_than(&self, threads: usize) -> bool {
        let mut counts = self.counts;
        let before = self.running();
        for lane in Lane::ALL {
            while self.may_run(lane, &counts) && counts.total() - before <= threads {
                counts.running[lane as usize] += 1;
            }
        }
        counts.total() - before > threads
    }

    pub(crate) fn running(&self) -> usize {
        self.counts.total()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    pub(crate) fn queued_in(&self, lane: Lane) -> usize {
        self.queues[lane as usize].len()
    }

    /// Empties the queues; the caller drops the jobs when it holds no lock.
    pub(crate) fn clear(&mut self) -> [VecDeque<Entry>; 3] {
        std::mem::take(&mut self.queues)
    }

    /// A lane may run a job if it runs none; or if, after that, the others still
    /// have one thread each. Serial never runs a second one.
    fn may_run(&self, lane: Lane, counts: &Counts) -> bool {
        let own = lane as usize;
        let running = counts.running[own];
        // What `counts` has started more than `self` has left the queue.
        if self.queues[own].len() <= running - self.counts.running[own] {
            return false;
        }
        if running == 0 {
            return true;
        }
        let others = Lane::ALL.iter().map(|lane| *lane as usize).filter(|other| *other != own);
        let needed: usize = others.map(|i| counts.running[i].max(counts.kept[i])).sum();
        lane != Lane::Serial && running + 1 + needed <= self.threads_max
    }
}

impl Counts {
    fn total(&self) -> usize {
        self.running.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Lane::{Application, Engine, Serial};
    use super::*;

    type Jobs = (Lane, usize);

    fn filled(threads: usize, jobs: &[Jobs]) -> Lanes {
        let mut lanes = Lanes::new(threads, 1000);
        for (lane, count) in jobs {
            for _ in 0..*count {
                assert!(lanes.push(*lane, entry()).is_ok());
            }
        }
        lanes
    }

    fn entry() -> Entry {
        Entry { task: Box::new(|| {}), since: Instant::now() }
    }

    /// Starts all that may run; the counts per lane.
    fn start(lanes: &mut Lanes) -> [usize; 3] {
        while lanes.take().is_some() {}
        lanes.counts.running
    }

    #[test]
    fn each_lane_keeps_a_thread() {
        // (threads, [(lane, jobs)], running [engine, application, serial])
        let cases: &[(usize, &[Jobs], [usize; 3])] = &[
            (1, &[(Engine, 9), (Application, 9), (Serial, 9)], [1, 1, 1]),
            (1, &[(Application, 9)], [0, 1, 0]),
            (2, &[(Application, 9)], [0, 1, 0]),
            (4, &[(Application, 9)], [0, 3, 0]),
            (4, &[(Engine, 9)], [3, 0, 0]),
            (4, &[(Application, 9), (Serial, 9)], [0, 2, 1]),
            (4, &[(Serial, 9)], [0, 0, 1]),
            (4, &[(Engine, 1), (Application, 9), (Serial, 1)], [1, 2, 1]),
            (5, &[(Engine, 9), (Application, 9), (Serial, 1)], [2, 2, 1]),
        ];
        for (threads, jobs, running) in cases {
            let mut lanes = filled(*threads, jobs);
            assert_eq!(start(&mut lanes), *running, "{threads} threads, {jobs:?}");
        }
    }

    #[test]
    fn a_lane_that_comes_late_is_not_held_up() {
        for late in [Engine, Serial] {
            let mut lanes = filled(4, &[(Application, 9)]);
            start(&mut lanes);
            assert!(lanes.push(late, entry()).is_ok());
            assert_eq!(lanes.take().map(|(lane, _)| lane), Some(late));
        }
    }

    #[test]
    fn lanes_take_turns() {
        let mut lanes = filled(1, &[(Engine, 3), (Application, 3), (Serial, 2)]);
        let mut order = Vec::new();
        while let Some((lane, _)) = lanes.take() {
            order.push(lane);
            lanes.done(lane);
        }
        let expected =
            [Engine, Application, Serial, Engine, Application, Serial, Engine, Application];
        assert_eq!(order, expected);
    }

    #[test]
    fn only_the_engine_has_no_bound() {
        let mut lanes = Lanes::new(4, 2);
        for (lane, room) in [(Engine, 50), (Application, 2), (Serial, 2)] {
            let taken = (0..50).filter(|_| lanes.push(lane, entry()).is_ok()).count();
            assert_eq!(taken, room, "{lane:?}");
        }
        assert_eq!(lanes.queued(), 54);
        assert_eq!(lanes.clear().iter().map(VecDeque::len).sum::<usize>(), 54);
        assert_eq!(lanes.queued(), 0);
    }

    #[test]
    fn it_tells_how_many_threads_have_work() {
        // (threads, jobs, threads that could start one)
        let cases: &[(usize, &[Jobs], usize)] = &[
            (4, &[], 0),
            (4, &[(Application, 2)], 2),
            (4, &[(Application, 9)], 3),
            (4, &[(Serial, 9)], 1),
            (4, &[(Engine, 9), (Serial, 9), (Application, 9)], 4),
            (1, &[(Engine, 9), (Application, 9)], 2),
        ];
        for (threads, jobs, work) in cases {
            let lanes = filled(*threads, jobs);
            for free in 0..6 {
                assert_eq!(lanes.keep_busy_more_than(free), free < *work, "{jobs:?}, {free}");
            }
        }
    }
}
