//! One watcher: asks for snapshots, sends them.

use super::event;
use crate::app::Reject;
use crate::http::{Body, ContentType, Pull, Request, Response, Source, Status};
use crate::stats::Stats;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// From one event to the next.
const PERIOD: Duration = Duration::from_millis(250);
/// How soon a snapshot that was asked for is looked for: the loop takes it at the end
/// of this turn, or of one within 10 ms.
const SOON: Duration = Duration::from_millis(2);
/// Who may watch at once: each costs an event, and the loop is for others.
const WATCHERS_MAX: usize = 8;

/// The stream's reply.
pub(super) fn answer(request: &Request, watchers: &Arc<AtomicUsize>) -> Result<Response, Reject> {
    let Some(stats) = request.origin.stats.clone() else {
        return Err(Reject::new(Status::SERVICE_UNAVAILABLE, "there is no loop to watch"));
    };
    if watchers.fetch_add(1, Ordering::Relaxed) >= WATCHERS_MAX {
        watchers.fetch_sub(1, Ordering::Relaxed);
        let reject = Reject::new(Status::SERVICE_UNAVAILABLE, "too many watch already");
        return Err(reject.header("Retry-After", "10"));
    }
    let seen = stats.watch.taken_after(0).map_or(0, |snapshot| snapshot.number);
    stats.watch.ask();
    let leaving = stats.draining.value() > 0;
    let due = Instant::now();
    let watcher = Watcher { stats, seen, due, leaving, watchers: Arc::clone(watchers) };
    Ok(Response::default()
        .content(ContentType::EVENTS, Body::Inline(Box::new(watcher), None))
        .header("Cache-Control", "no-store")
        .header("Cross-Origin-Resource-Policy", "same-origin"))
}

struct Watcher {
    stats: Arc<Stats>,
    /// The number of the last snapshot that was sent.
    seen: u64,
    /// When the next one is.
    due: Instant,
    /// The server drains.
    leaving: bool,
    watchers: Arc<AtomicUsize>,
}

impl Source for Watcher {
    fn pull(&mut self, out: &mut Vec<u8>, _room: usize) -> io::Result<Pull> {
        if self.leaving {
            return Ok(Pull::End);
        }
        let now = Instant::now();
        if now < self.due {
            return Ok(Pull::After(self.due - now));
        }
        let Some(snapshot) = self.stats.watch.taken_after(self.seen) else {
            self.stats.watch.ask();
            return Ok(Pull::After(SOON));
        };
        self.seen = snapshot.number;
        self.due = now + PERIOD;
        event::write(out, &self.stats, &snapshot);
        Ok(Pull::After(PERIOD))
    }

    fn leave(&mut self) -> bool {
        self.leaving = true;
        true
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}
