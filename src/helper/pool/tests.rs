use super::*;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, Receiver, Sender};

/// Long enough for a busy machine; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn pool(min: usize, max: usize) -> Pool {
    Pool::new(Settings { min, max, ..Settings::default() }).unwrap()
}

impl Pool {
    fn run(&self, lane: Lane, task: impl FnOnce() + Send + 'static) {
        self.submit(lane, Box::new(task)).unwrap();
    }

    /// Waits until that many threads are alive. Only for when some must end.
    fn wait_for_threads(&self, count: usize) {
        let state = self.shared.lock();
        let waited =
            self.shared.left.wait_timeout_while(state, PATIENCE, |state| state.threads != count);
        assert!(!waited.unwrap().1.timed_out(), "there are not {count} threads");
    }

    fn threads(&self) -> usize {
        self.stats().threads.load(Relaxed)
    }
}

/// A job that tells when it runs, and then waits to be let go.
struct Gate {
    entered: Receiver<()>,
    leave: Sender<()>,
}

impl Gate {
    fn close(pool: &Pool, lane: Lane) -> Gate {
        let (enter, entered) = mpsc::channel();
        let (leave, left) = mpsc::channel();
        pool.run(lane, move || {
            enter.send(()).unwrap();
            let _ = left.recv_timeout(PATIENCE);
        });
        Gate { entered, leave }
    }

    fn wait(self) -> Gate {
        self.entered.recv_timeout(PATIENCE).expect("the job runs");
        self
    }

    fn open(self) {
        self.leave.send(()).unwrap();
    }
}

/// Waits for a job of that lane to run.
fn passes(pool: &Pool, lane: Lane) {
    let (home, inbox) = mpsc::channel();
    pool.run(lane, move || home.send(()).unwrap());
    inbox.recv_timeout(PATIENCE).expect("the job runs");
}

/// The payload of a panic that panics again when the pool has caught it: this
/// kills the thread, as no job of good faith can.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload of a panic of this test panics");
    }
}

#[test]
fn jobs_run_on_named_threads() {
    let pool = pool(1, 1);
    let (home, inbox) = mpsc::channel();
    pool.run(Lane::Application, move || {
        home.send(thread::current().name().map(str::to_owned)).unwrap();
    });
    assert_eq!(inbox.recv_timeout(PATIENCE).unwrap().unwrap(), "onepoll-helper-1");
}

#[test]
fn threads_come_with_the_load_up_to_the_maximum() {
    let pool = pool(2, 4);
    assert_eq!(pool.threads(), 2);
    let mut gates = Vec::new();
    for threads in [2, 2, 3] {
        gates.push(Gate::close(&pool, Lane::Application).wait());
        assert_eq!(pool.threads(), threads);
    }
    // The fourth thread is the engine's: this one waits.
    let waits = Gate::close(&pool, Lane::Application);
    assert_eq!((pool.threads(), pool.stats().queued.load(Relaxed)), (3, 1));
    gates.push(Gate::close(&pool, Lane::Engine).wait());
    assert_eq!((pool.threads(), pool.stats().running.load(Relaxed)), (4, 4));
    gates.swap_remove(0).open();
    waits.wait().open();
    gates.into_iter().for_each(Gate::open);
    assert_eq!(pool.shutdown(PATIENCE), 0);
    assert_eq!(pool.stats().started.load(Relaxed), 5);
}

#[test]
fn threads_that_are_free_are_used_before_new_ones() {
    let pool = pool(1, 4);
    for _ in 0..50 {
        Gate::close(&pool, Lane::Application).wait().open();
        while pool.stats().running.load(Relaxed) > 0 {
            thread::yield_now();
        }
    }
    assert_eq!(pool.threads(), 1);
}

#[test]
fn a_stuck_lane_does_not_hold_up_the_others() {
    for max in [1, 2, 4] {
        for stuck in Lane::ALL {
            let pool = pool(1, max);
            // More than the lane may run, so that its queue is never empty.
            let gates: Vec<Gate> = (0..=max).map(|_| Gate::close(&pool, stuck)).collect();
            for lane in Lane::ALL.into_iter().filter(|lane| *lane != stuck) {
                passes(&pool, lane);
            }
            gates.into_iter().for_each(Gate::open);
        }
    }
}

#[test]
fn a_full_lane_gives_the_job_back_but_the_engine_is_never_refused() {
    let settings = Settings { min: 1, max: 2, queue: 3, ..Settings::default() };
    for lane in [Lane::Application, Lane::Serial] {
        let pool = Pool::new(settings.clone()).unwrap();
        let gate = Gate::close(&pool, lane).wait();
        for _ in 0..3 {
            pool.run(lane, || {});
        }
        let (home, inbox) = mpsc::channel();
        let refused = pool.submit(lane, Box::new(move || home.send(1).unwrap())).unwrap_err();
        assert_eq!(refused.reason, Reason::Full);
        (refused.task)();
        assert_eq!(inbox.try_recv(), Ok(1), "the very job came back");
        assert_eq!(pool.stats().refused.load(Relaxed), 1);
        let engine = Gate::close(&pool, Lane::Engine).wait();
        for _ in 0..100 {
            pool.run(Lane::Engine, || {});
        }
        engine.open();
        gate.open();
        assert_eq!(pool.shutdown(PATIENCE), 0);
        assert_eq!(pool.stats().started.load(Relaxed), 105);
    }
}

#[test]
fn serial_jobs_run_one_at_a_time_and_in_order() {
    let pool = pool(4, 4);
    let (home, inbox) = mpsc::channel();
    let inside = Arc::new(AtomicUsize::new(0));
    for number in 0..200 {
        let (home, inside) = (home.clone(), Arc::clone(&inside));
        pool.run(Lane::Serial, move || {
            let others = inside.fetch_add(1, Relaxed);
            thread::yield_now();
            inside.fetch_sub(1, Relaxed);
            home.send((number, others)).unwrap();
        });
        pool.run(Lane::Application, || {});
    }
    drop(home);
    let seen: Vec<_> = inbox.iter().collect();
    assert!(seen.into_iter().eq((0..200).map(|number| (number, 0))));
}

#[test]
fn a_panic_is_caught_and_the_thread_lives_on() {
    let pool = pool(1, 1);
    pool.run(Lane::Application, || panic!("one of the jobs of this test panics"));
    let (home, inbox) = mpsc::channel();
    pool.run(Lane::Application, move || {
        home.send(thread::current().name().map(str::to_owned)).unwrap();
    });
    assert_eq!(inbox.recv_timeout(PATIENCE).unwrap().unwrap(), "onepoll-helper-1");
    assert_eq!(pool.stats().panicked.load(Relaxed), 1);
}

#[test]
fn a_thread_that_dies_is_replaced() {
    for lane in Lane::ALL {
        let pool = pool(1, 1);
        pool.run(lane, || std::panic::panic_any(Bomb));
        let (home, inbox) = mpsc::channel();
        // Of the same lane: the dead one's job no longer counts as running.
        pool.run(lane, move || {
            home.send(thread::current().name().map(str::to_owned)).unwrap();
        });
        assert_eq!(inbox.recv_timeout(PATIENCE).unwrap().unwrap(), "onepoll-helper-2");
        assert_eq!(pool.threads(), 1);
        assert_eq!(pool.shutdown(PATIENCE), 0);
        assert_eq!(pool.stats().running.load(Relaxed), 0);
    }
}

#[test]
fn surplus_threads_go_when_they_are_idle() {
    let idle = Duration::from_millis(1);
    let pool = Pool::new(Settings { min: 1, max: 4, idle, ..Settings::default() }).unwrap();
    for _ in 0..3 {
        let gates: Vec<Gate> =
            (0..3).map(|_| Gate::close(&pool, Lane::Application).wait()).collect();
        assert_eq!(pool.threads(), 3);
        gates.into_iter().for_each(Gate::open);
        pool.wait_for_threads(1);
    }
    passes(&pool, Lane::Application);
    assert_eq!(pool.shutdown(PATIENCE), 0);
}

#[test]
fn the_end_runs_what_is_queued_and_takes_no_more() {
    let pool = Arc::new(pool(1, 2));
    let gate = Gate::close(&pool, Lane::Application).wait();
    let ran = Arc::new(AtomicUsize::new(0));
    for lane in [Lane::Application, Lane::Serial, Lane::Engine, Lane::Application] {
        let ran = Arc::clone(&ran);
        pool.run(lane, move || {
            ran.fetch_add(1, Relaxed);
        });
    }
    let ending = thread::spawn({
        let pool = Arc::clone(&pool);
        move || pool.shutdown(PATIENCE)
    });
    // The refusal tells that the end has begun.
    while pool.submit(Lane::Engine, Box::new(|| {})).is_ok() {
        thread::yield_now();
    }
    let refused = pool.submit(Lane::Engine, Box::new(|| {})).unwrap_err();
    assert_eq!(refused.reason, Reason::Ended);
    gate.open();
    assert_eq!(ending.join().unwrap(), 0);
    assert_eq!((ran.load(Relaxed), pool.threads()), (4, 0));
}

#[test]
fn a_stuck_thread_is_left_to_itself_and_waiting_jobs_are_dropped() {
    let pool = pool(1, 2);
    let gate = Gate::close(&pool, Lane::Application).wait();
    let ran = Arc::new(AtomicBool::new(false));
    let watched = Arc::downgrade(&ran);
    pool.run(Lane::Application, move || ran.store(true, Relaxed));
    assert_eq!(pool.shutdown(Duration::from_millis(5)), 1);
    assert!(watched.upgrade().is_none(), "the waiting job is dropped");
    assert_eq!(pool.stats().queued.load(Relaxed), 0);
    let before = Instant::now();
    assert_eq!(pool.shutdown(PATIENCE), 1);
    let shared = Arc::clone(&pool.shared);
    drop(pool);
    assert!(before.elapsed() < PATIENCE / 2, "the second end waits for nobody");
    gate.open();
    let left = shared.left.wait_timeout_while(shared.lock(), PATIENCE, |state| state.threads > 0);
    assert!(!left.unwrap().1.timed_out(), "the stuck thread ends when it can");
}

#[test]
fn dropping_the_pool_waits_for_the_jobs() {
    let ran = Arc::new(AtomicUsize::new(0));
    let dropped = pool(1, 4);
    for _ in 0..100 {
        let ran = Arc::clone(&ran);
        dropped.run(Lane::Application, move || {
            ran.fetch_add(1, Relaxed);
        });
    }
    drop(dropped);
    assert_eq!(ran.load(Relaxed), 100);
}

/// A pool whose system gives threads only while the answer is yes.
fn scarce(min: usize) -> (io::Result<Pool>, Arc<AtomicUsize>) {
    let room = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&room);
    let spawner = move |name: String, shared: Arc<Shared>| {
        let free = left.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1));
        free.map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        start(name, shared)
    };
    let settings = Settings { min, max: 4, ..Settings::default() };
    (Pool::with_spawner(settings, Box::new(spawner)), room)
}

#[test]
fn without_more_threads_jobs_wait_for_those_there_are() {
    let (pool, room) = scarce(1);
    let pool = pool.unwrap();
    let gate = Gate::close(&pool, Lane::Application).wait();
    let waits = Gate::close(&pool, Lane::Application);
    assert_eq!((pool.threads(), pool.stats().queued.load(Relaxed)), (1, 1));
    // The next job tries again, and all find threads.
    room.store(2, Relaxed);
    passes(&pool, Lane::Engine);
    waits.wait().open();
    assert_eq!(pool.threads(), 3);
    gate.open();
    assert_eq!(pool.shutdown(PATIENCE), 0);
}

#[test]
fn without_any_thread_the_job_comes_back() {
    assert_eq!(scarce(2).0.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let (pool, room) = scarce(1);
    let pool = pool.unwrap();
    pool.run(Lane::Application, || std::panic::panic_any(Bomb));
    pool.wait_for_threads(0);
    for lane in Lane::ALL {
        let refused = pool.submit(lane, Box::new(|| {})).unwrap_err();
        assert_eq!(refused.reason, Reason::NoThread);
    }
    room.store(1, Relaxed);
    passes(&pool, Lane::Serial);
}

#[test]
fn the_time_in_the_queue_is_measured() {
    let pool = pool(1, 1);
    let gate = Gate::close(&pool, Lane::Application).wait();
    let (home, inbox) = mpsc::channel();
    pool.run(Lane::Application, move || home.send(()).unwrap());
    let queued = Instant::now();
    while queued.elapsed() < Duration::from_millis(3) {
        thread::yield_now();
    }
    let least = queued.elapsed().as_micros() as u64;
    gate.open();
    inbox.recv_timeout(PATIENCE).unwrap();
    let stats = pool.stats();
    assert!(stats.wait_max_us.load(Relaxed) >= least);
    assert!(stats.wait_total_us.load(Relaxed) >= stats.wait_max_us.load(Relaxed));
}
