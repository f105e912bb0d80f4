//! How many visitors there are now, told to all of them: server-sent events.
//!
//! A visitor is an open home page: its script listens to `/events`. Who comes or goes
//! changes the number, and a changed number is an event for everybody:
//!
//! ```text
//!   comes, goes --> count, is it news? --> idle: at once, or TELL_EVERY after the last
//!                                            '--> one event for all who came meanwhile
//! ```
//!
//! With an event for each of them ten thousand who come together would be a hundred
//! million, and everybody too slow for them.

use crate::site::Site;
use onepoll::app::{Done, Middleware};
use onepoll::handlers::{Channel, Event};
use onepoll::http::Now;
use onepoll::{Reject, Request, Response, Status};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Who listens.
pub struct Visitors {
    channel: Channel,
    count: AtomicUsize,
    /// Whether the number has changed since it was told.
    is_news: AtomicBool,
}

/// Around the route: notices when a stream is over, however it ended, and tells what
/// is new.
pub struct Herald {
    site: Arc<Site>,
    told: Cell<Option<Instant>>,
}

/// Pages that listen at once; whoever comes then sees the number of his arrival.
const VISITORS_MAX: usize = 10_000;
/// Only the last number matters, but who is asleep for a moment need not be cut.
const KEPT: usize = 64;
/// Nobody reads numbers faster.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// How long a browser waits before it comes back to a server that was gone.
const RETRY: Duration = Duration::from_secs(2);

impl Default for Visitors {
    fn default() -> Visitors {
        let channel = Channel::new().streams_max(VISITORS_MAX).keep(KEPT);
        Visitors { channel, count: AtomicUsize::new(0), is_news: AtomicBool::new(false) }
    }
}

impl Visitors {
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn came(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.is_news.store(true, Ordering::Relaxed);
    }

    fn went(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.is_news.store(true, Ordering::Relaxed);
    }

    fn tell(&self) {
        let event = Event::new(self.count().to_string()).name("visitors").retry(RETRY);
        self.channel.send(event);
    }
}

/// `GET /events`: a reply that goes on.
pub fn events(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    let stream = site.visitors.channel.events(request)?;
    site.visitors.came();
    Ok(stream)
}

impl Herald {
    pub fn new(site: &Arc<Site>) -> Herald {
        Herald { site: Arc::clone(site), told: Cell::new(None) }
    }
}

impl Middleware for Herald {
    fn done(&self, done: &Done<'_>) {
        if done.response.status() == Status::OK {
            self.site.visitors.went();
        }
    }

    fn idle(&self, now: Now) -> Option<Instant> {
        let visitors = &self.site.visitors;
        if !visitors.is_news.load(Ordering::Relaxed) {
            return None;
        }
        let due = self.told.get().map(|told| told + TELL_EVERY);
        if let Some(due) = due.filter(|due| *due > now.instant) {
            return Some(due);
        }
        self.told.set(Some(now.instant));
        visitors.is_news.store(false, Ordering::Relaxed);
        visitors.tell();
        None
    }
}
