//! The threads: they grow with the load, survive panics, and are joined in the end.
//!
//! One mutex guards the queues and the counts; it is held for some pushes and
//! pops, and while a thread is started, which is rare. A job runs without it.
//!
//! ```text
//!                 .--------- next job ---------.
//!                 v                            |
//!   spawn --> [ looks ] --> [ runs a job ] ----'
//!     ^         |   ^             |
//!     |   none  v   | notified    | unwound (a panic's payload that panics)
//!     |      [ waits ]            v
//!     |         | idle        [ dead ] --> is replaced --.
//!     |         v                                        |
//!     |       [ gone ]                                   |
//!     '--------------------------------------------------'
//! ```
//!
//! A thread is started when more jobs may run than there are threads without
//! one. Whoever ends a job looks for the next itself, so what becomes possible by
//! that end needs no one else to be woken.

use super::job::{Lane, Reason, Refused, Task};
use super::lanes::{Entry, Lanes};
pub use crate::stats::Helpers as Stats;
use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A pool of helper threads.
///
/// Dropping it runs what is queued and waits for the threads, five seconds at
/// most; [`shutdown`](Pool::shutdown) does the same and tells how it went.
///
/// ```
/// use onepoll::helper::{Lane, Pool, Settings};
/// use std::sync::mpsc;
/// let pool = Pool::new(Settings::default())?;
/// let (home, inbox) = mpsc::channel();
/// let task = Box::new(move || home.send(6 * 7).unwrap());
/// assert!(pool.submit(Lane::Application, task).is_ok());
/// assert_eq!(inbox.recv(), Ok(42));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Pool {
    shared: Arc<Shared>,
}

/// How many threads, and how long the queues may grow.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that are always there: 0. The others come with the work.
    pub min: usize,
    /// Threads at most: 4. Yet no lane waits for another, so that there may be
    /// one thread for each lane in use, whatever this says.
    pub max: usize,
    /// Jobs that wait in the lane of the application, and in the serial one: 1,024.
    pub queue: usize,
    /// How long a thread above `min` waits for work before it ends: 10 s.
    pub idle: Duration,
    /// Threads are called that, a hyphen and a number: `onepoll-helper`.
    pub name: String,
}

struct Shared {
    state: Mutex<State>,
    /// There is something to look for.
    work: Condvar,
    /// A thread has ended, or died.
    left: Condvar,
    stats: Arc<Stats>,
    settings: Settings,
    /// Starts a thread; a seam for tests.
    spawner: Spawner,
}

type Spawner = Box<dyn Fn(String, Arc<Shared>) -> io::Result<JoinHandle<()>> + Send + Sync>;

struct State {
    lanes: Lanes,
    phase: Phase,
    /// Threads that live, those included that are just being started.
    threads: usize,
    /// Threads that wait for work.
    waiting: usize,
    /// Of threads that may still live.
    handles: Vec<JoinHandle<()>>,
    /// Threads that were ever started: the number in the next one's name.
    named: u64,
    /// Attempts to start a thread that failed since the last success.
    failures: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Runs what is queued, takes no more.
    Ending,
    /// Whoever still runs a job is left to itself.
    Ended,
}

/// One thread, as it sees itself.
struct Helper {
    shared: Arc<Shared>,
    /// Of the job that runs.
    lane: Option<Lane>,
}

impl Pool {
    /// Starts `settings.min` threads.
    ///
    /// # Errors
    /// What the system says if it gives no thread.
    pub fn new(settings: Settings) -> io::Result<Pool> {
        Pool::with_spawner(settings, Box::new(start))
    }

    fn with_spawner(mut settings: Settings, spawner: Spawner) -> io::Result<Pool> {
        settings.max = settings.max.max(settings.min).max(1);
        let state = State {
            lanes: Lanes::new(settings.max, settings.queue),
            phase: Phase::Open,
            threads: 0,
            waiting: 0,
            handles: Vec::new(),
            named: 0,
            failures: 0,
        };
        let (work, left) = (Condvar::new(), Condvar::new());
        let (state, stats) = (Mutex::new(state), Arc::<Stats>::default());
        stats.queue_max.store(settings.queue, Relaxed);
        let pool =
            Pool { shared: Arc::new(Shared { state, work, left, stats, settings, spawner }) };
        let mut state = pool.shared.lock();
        for _ in 0..pool.shared.settings.min {
            pool.shared.spawn(&mut state)?;
        }
        drop(state);
        Ok(pool)
    }

    /// Queues a job. It never blocks for longer than it takes to start a thread.
    ///
    /// # Errors
    /// [`Refused`] gives the job back: the lane is full, the pool has ended, or
    /// no thread is alive and none can be had. As long as a thread is alive, a
    /// job waits for it even if the system gives no more.
    pub fn submit(&self, lane: Lane, task: Task) -> Result<(), Refused> {
        let shared = &self.shared;
        let mut state = shared.lock();
        let pushed = shared.push(&mut state, lane, task);
        shared.publish(&state);
        let wake = pushed.is_ok() && state.waiting > 0;
        drop(state);
        if wake {
            shared.work.notify_one();
        }
        pushed.inspect_err(|_| {
            shared.stats.refused.fetch_add(1, Relaxed);
        })
    }

    /// The counters; they outlive the pool.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.shared.stats
    }

    /// Takes no more jobs, runs those that are queued, and waits for the threads.
    /// At the limit, jobs that still wait are dropped, and threads that still run
    /// one are left to themselves. Returns how many those are.
    pub fn shutdown(&self, join_limit: Duration) -> usize {
        let shared = &self.shared;
        let mut state = shared.lock();
        if state.phase == Phase::Ended {
            return state.threads;
        }
        state.phase = Phase::Ending;
        shared.work.notify_all();
        let (mut state, _) = shared
            .left
            .wait_timeout_while(state, join_limit, |state| state.threads > 0)
            .unwrap_or_else(PoisonError::into_inner);
        state.phase = Phase::Ended;
        let dropped = state.lanes.clear();
        let stuck = state.threads;
        let handles = std::mem::take(&mut state.handles);
        shared.publish(&state);
        drop(state);
        let count = dropped.iter().map(|queue| queue.len()).sum::<usize>();
        if stuck > 0 || count > 0 {
            log::warn!("helpers: {stuck} threads still run, {count} waiting jobs are dropped");
        }
        for handle in handles {
            // With none left alive they are past their last job: no wait.
            if stuck == 0 || handle.is_finished() {
                let _ = handle.join();
            }
        }
        // Here, where nothing is locked: a job's fields may do anything in `drop`.
        drop(dropped);
        stuck
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Nothing more to be done if it has been shut down before.
        self.shutdown(DROP_LIMIT);
    }
}

impl Shared {
    /// The state is whole whenever the lock is released, even by a panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, state: &mut State, lane: Lane, task: Task) -> Result<(), Refused> {
        if state.phase != Phase::Open {
            return Err(Refused { task, reason: Reason::Ended });
        }
        let entry = Entry { task, since: Instant::now() };
        if let Err(Entry { task, .. }) = state.lanes.push(lane, entry) {
            return Err(Refused { task, reason: Reason::Full });
        }
        self.grow(state);
        if state.threads > 0 {
            return Ok(());
        }
        match state.lanes.take_back(lane) {
            Some(Entry { task, .. }) => Err(Refused { task, reason: Reason::NoThread }),
            None => Ok(()),
        }
    }

    /// Starts threads while there is work for one more: one thread for a job,
    /// more only if there were none to be had before.
    fn grow(self: &Arc<Self>, state: &mut State) {
        while state.lanes.keep_busy_more_than(state.threads - state.lanes.running()) {
            let Err(error) = self.spawn(state) else {
                state.failures = 0;
                continue;
            };
            if state.failures == 0 {
                log::error!("helpers: no thread beside the {} there are: {error}", state.threads);
            }
            state.failures = state.failures.saturating_add(1);
            return;
        }
    }

    fn spawn(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let name = format!("{}-{}", self.settings.name, state.named + 1);
        let handle = (self.spawner)(name, Arc::clone(self))?;
        state.named += 1;
        state.threads += 1;
        state.handles.retain(|handle| !handle.is_finished());
        state.handles.push(handle);
        self.publish(state);
        Ok(())
    }

    /// The next job, after one of lane `done`; waits for it. `None` if the thread
    /// is to end; it is no longer counted then.
    fn next(&self, done: Option<Lane>) -> Option<(Lane, Entry)> {
        let mut state = self.lock();
        if let Some(lane) = done {
            state.lanes.done(lane);
        }
        let mut idle = false;
        loop {
            if let Some(job) = state.lanes.take() {
                self.publish(&state);
                return Some(job);
            }
            let surplus = state.threads > self.settings.min;
            if state.phase != Phase::Open || (idle && surplus) {
                // What waits in the queues may not run now. Whoever makes that
                // possible, by ending a job, will see to it.
                state.threads -= 1;
                self.publish(&state);
                self.left.notify_all();
                return None;
            }
            self.publish(&state);
            (state, idle) = self.wait(state, surplus);
        }
    }

    /// Waits for work; the `bool` is whether the time for that is over.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        limit: bool,
    ) -> (MutexGuard<'a, State>, bool) {
        state.waiting += 1;
        let (mut state, idle) = if limit {
            let waited = self.work.wait_timeout(state, self.settings.idle);
            let (state, result) = waited.unwrap_or_else(PoisonError::into_inner);
            (state, result.timed_out())
        } else {
            (self.work.wait(state).unwrap_or_else(PoisonError::into_inner), false)
        };
        state.waiting -= 1;
        (state, idle)
    }

    fn run(&self, Entry { task, since }: Entry) {
        let waited = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.stats.started.fetch_add(1, Relaxed);
        self.stats.wait_total_us.fetch_add(waited, Relaxed);
        self.stats.wait_max_us.fetch_max(waited, Relaxed);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(task)) {
            self.stats.panicked.fetch_add(1, Relaxed);
            log::error!("a helper's job panicked: {}", message(payload.as_ref()));
        }
    }

    /// A thread has died with that job: another takes its place, if it must.
    fn replace(self: &Arc<Self>, lane: Option<Lane>) {
        let mut state = self.lock();
        state.threads -= 1;
        if let Some(lane) = lane {
            state.lanes.done(lane);
        }
        if state.phase == Phase::Open && state.threads < self.settings.min {
            // If that fails, the next job will try again.
            let _ = self.spawn(&mut state);
        }
        // Also when ending: what is queued has to run.
        self.grow(&mut state);
        self.publish(&state);
        drop(state);
        self.left.notify_all();
        log::error!("a helper thread died of a panic that the pool could not catch");
    }

    fn publish(&self, state: &State) {
        self.stats.queued.store(state.lanes.queued(), Relaxed);
        self.stats.queued_application.store(state.lanes.queued_in(Lane::Application), Relaxed);
        self.stats.running.store(state.lanes.running(), Relaxed);
        self.stats.threads.store(state.threads, Relaxed);
    }
}

impl Helper {
    fn live(mut self) {
        while let Some((lane, entry)) = self.shared.next(self.lane.take()) {
            self.lane = Some(lane);
            self.shared.run(entry);
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.replace(self.lane);
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            min: 0,
            max: 4,
            queue: 1024,
            idle: Duration::from_secs(10),
            name: "onepoll-helper".to_owned(),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(self.stats()).finish()
    }
}

fn start(name: String, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name).spawn(move || Helper { shared, lane: None }.live())
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}

/// How long a pool that is dropped waits for its threads: as long as a server
/// does by default (`Config::join_limit`).
const DROP_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
