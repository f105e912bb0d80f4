//! What several loops have counted, on one page.
//!
//! Whoever asks for the page meets one loop, and would see a part of the numbers,
//! each time another. So each loop lays a copy of its book out for the others,
//! once a second while something changes, and whoever writes the page adds up.
//!
//! ```text
//!   loop 0: book --(1 s)--> [copy 0] --.
//!   loop 1: book --(1 s)--> [copy 1] --+--> page, wherever it is asked for
//! ```

use super::book::Book;
use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How old a copy is at most: less than the time between two looks at a page.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Brings the numbers of several loops' [`Metrics`](super::Metrics) together.
///
/// ```
/// use onepoll::handlers::{Metrics, SharedMetrics};
/// use onepoll::{App, Server};
/// let together = SharedMetrics::default();
/// let server = Server::bind("127.0.0.1:0")?.reactors(2, move || {
///     let mut app = App::new();
///     Metrics::new().shared(&together).mount(&mut app, "/metrics");
///     app
/// })?;
/// # server.handle().stop();
/// # server.join()?;
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct SharedMetrics {
    /// Of loops that are over as well: counters never go back.
    copies: Arc<Mutex<Vec<Copied>>>,
}

/// A loop's book, as it was a while ago; none before its first request.
type Copied = Arc<Mutex<Option<Book>>>;

/// One loop's place among them.
pub(super) struct Place {
    all: SharedMetrics,
    copy: Copied,
    /// When the next copy is due, if something has changed.
    due: Cell<Option<Instant>>,
    changed: Cell<bool>,
}

impl SharedMetrics {
    pub(super) fn place(&self) -> Place {
        let copy = Copied::default();
        self.copies.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&copy));
        Place { all: self.clone(), copy, due: Cell::new(None), changed: Cell::new(false) }
    }
}

impl Place {
    /// Something was counted.
    #[inline]
    pub(super) fn note(&self) {
        self.changed.set(true);
    }

    /// Once a turn: lays out a copy, if it is time. Says when it will be.
    pub(super) fn idle(&self, book: &Book, now: Instant) -> Option<Instant> {
        if !self.changed.get() {
            return None;
        }
        let due = self.due.get().unwrap_or(now);
        if now < due {
            return Some(due);
        }
        let mut copy = match self.copy.try_lock() {
            Ok(copy) => copy,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody writes a page just now.
            Err(TryLockError::WouldBlock) => return Some(now + AGE_MAX / 10),
        };
        *copy = Some(book.clone());
        self.changed.set(false);
        self.due.set(Some(now + AGE_MAX));
        None
    }

    /// What is needed to add up, wherever there is time for it.
    pub(super) fn others(&self) -> Others {
        Others { all: self.all.clone(), own: Arc::clone(&self.copy) }
    }
}

/// The books of the other loops.
pub(super) struct Others {
    all: SharedMetrics,
    own: Copied,
}

impl Others {
    /// Adds them to this one. It may wait for who is just copying: not on a loop.
    pub(super) fn add_to(&self, book: &mut Book) {
        let copies = self.all.copies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for copy in copies.iter().filter(|copy| !Arc::ptr_eq(copy, &self.own)) {
            if let Some(other) = &*copy.lock().unwrap_or_else(PoisonError::into_inner) {
                book.add(other);
            }
        }
    }
}

impl fmt::Debug for SharedMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedMetrics")
    }
}
