//! What the threads of a run share: the clock, the common start, the wish to stop.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Not started yet.
const NOT_YET: u64 = 0;
/// No connection could be made: there is nothing to measure.
pub(crate) const ABORTED: u64 = u64::MAX;

/// One per run.
#[derive(Debug)]
pub(crate) struct Shared {
    base: Instant,
    start: AtomicU64,
    /// Threads that still open connections.
    unsettled: AtomicUsize,
    opened: AtomicUsize,
    /// Server and error of the first connection that couldn't be made.
    failure: Mutex<Option<(usize, io::Error)>>,
    stop: Stop,
}

/// Ends a run early: the first time what is under way is waited for, for a
/// moment; the second time not. Clones are one and the same.
///
/// ```
/// let stop = onepoll::bench::Stop::default();
/// let other = stop.clone();
/// std::thread::spawn(move || other.stop());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Asks the run to end.
    pub fn stop(&self) {
        let more = |asked: u8| Some(asked.saturating_add(1));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Whether it was asked.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Shared {
    pub(crate) fn new(threads: usize, stop: Stop) -> Shared {
        Shared {
            base: Instant::now(),
            start: AtomicU64::new(NOT_YET),
            unsettled: AtomicUsize::new(threads),
            opened: AtomicUsize::new(0),
            failure: Mutex::new(None),
            stop,
        }
    }

    /// Nanoseconds since the run was begun; never 0 after the first reading.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        let passed = self.base.elapsed();
        (passed.as_secs() * 1_000_000_000 + u64::from(passed.subsec_nanos())).max(1)
    }

    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::AcqRel);
    }

    /// A thread has made its connections, or tried. The last one starts the load.
    pub(crate) fn settled(&self, now: u64) {
        if self.unsettled.fetch_sub(1, Ordering::AcqRel) == 1 {
            let any = self.opened.load(Ordering::Acquire) > 0;
            self.start.store(if any { now } else { ABORTED }, Ordering::Release);
        }
    }

    /// When the load begins, once that is known.
    pub(crate) fn start(&self) -> Option<u64> {
        Some(self.start.load(Ordering::Acquire)).filter(|start| *start != NOT_YET)
    }

    pub(crate) fn first_failure(&self, origin: usize, error: &io::Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = error.raw_os_error().map_or(error.kind().into(), io::Error::from_raw_os_error);
        failure.get_or_insert((origin, copy));
    }

    pub(crate) fn take_failure(&self) -> Option<(usize, io::Error)> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.0.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.stop.0.load(Ordering::Relaxed) > 1
    }
}
