//! Limits of one part of an app: requests at once, and time.
//!
//! What is under way is bounded for the whole server by connections, buffers and
//! the helpers' queue. These two are for a part of it that can take less: a route
//! that renders large pages, or asks a slow neighbour.

use crate::app::{Done, Flow, Middleware, Reject};
use crate::http::{Request, Status};
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// At most so many requests at once; who comes then gets 503 and is told when to
/// try again.
///
/// A request is under way from its head to the last byte of its reply, or until
/// its client is lost. So a stream counts as long as it lasts. An `Rc` around
/// several scopes counts them together.
///
/// ```
/// use onepoll::{App, Request, middleware::InFlight, offload};
/// let mut app = App::new();
/// app.scope("/reports", |reports| {
///     reports.wrap(InFlight::new(8));
///     reports.get("/", offload(|_: &mut Request| "a page that takes a while"));
/// });
/// ```
pub struct InFlight {
    max: usize,
    now: Cell<usize>,
    retry: Duration,
}

/// In the bag of a request that was turned down, until the one who did that has
/// seen it again: it was not counted there.
struct Mark(Cell<bool>);

impl InFlight {
    /// At most so many at once.
    pub fn new(max: usize) -> InFlight {
        InFlight { max, now: Cell::new(0), retry: Duration::from_secs(1) }
    }

    /// When those who are turned down are asked to come back: after 1 s. Whole
    /// seconds, rounded up.
    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> InFlight {
        self.retry = time;
        self
    }

    /// How many are under way.
    pub fn now(&self) -> usize {
        self.now.get()
    }
}

impl Middleware for InFlight {
    fn before(&self, request: &mut Request) -> Flow {
        if self.now.get() < self.max {
            self.now.set(self.now.get() + 1);
            return Flow::Go;
        }
        request.extend(Mark(Cell::new(true)));
        let reject = Reject::new(Status::SERVICE_UNAVAILABLE, "too many requests at once");
        let seconds = self.retry.as_secs() + u64::from(self.retry.subsec_nanos() > 0);
        Flow::Refuse(reject.header("Retry-After", seconds.to_string()))
    }

    fn done(&self, done: &Done<'_>) {
        // Hooks are called from the innermost out, and who turned it down is the
        // innermost that was entered: the first to find the mark.
        let turned_down = done.request.extension::<Mark>().is_some_and(|mark| mark.0.take());
        if !turned_down {
            self.now.set(self.now.get().saturating_sub(1));
        }
    }
}

/// The longest that the jobs and sleeps of a request may take, instead of
/// [`Config::work_timeout`](crate::Config::work_timeout). Then the client gets 503,
/// its connection ends, and what comes of the work is dropped.
///
/// It counts from the request's first byte, or from its content's last. A job that
/// runs is not stopped by it; it can ask
/// [`Exchange::gone`](crate::http::Exchange::gone). The loop can't interrupt a
/// handler that computes.
///
/// ```
/// use onepoll::{App, Request, middleware::TimeLimit, offload};
/// use std::time::Duration;
/// let mut app = App::new();
/// app.scope("/search", |search| {
///     search.wrap(TimeLimit::new(Duration::from_secs(2)));
///     search.get("/", offload(|_: &mut Request| "found"));
/// });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit(Duration);

impl TimeLimit {
    /// So long at most.
    pub fn new(time: Duration) -> TimeLimit {
        TimeLimit(time)
    }
}

impl Middleware for TimeLimit {
    fn before(&self, request: &mut Request) -> Flow {
        request.limit_work(self.0);
        Flow::Go
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InFlight({} of {})", self.now.get(), self.max)
    }
}
