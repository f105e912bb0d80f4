//! How many visitors there are now, told to all of them: server-sent events.
//!
//! A visitor is an open home page: its script listens to `/events`. Each who comes or
//! goes is an event for everybody else.

use crate::site::Site;
use onepoll::app::{Done, Middleware};
use onepoll::handlers::{Channel, Event};
use onepoll::{Reject, Request, Response, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Who listens.
pub struct Visitors {
    channel: Channel,
    count: AtomicUsize,
}

/// Around the route: notices when a stream is over, however it ended.
pub struct Goodbye(pub Arc<Site>);

/// Pages that listen at once; whoever comes then sees the number of his arrival.
const VISITORS_MAX: usize = 10_000;
/// Only the last number matters, but who is asleep for a moment need not be cut.
const KEPT: usize = 64;
/// How long a browser waits before it comes back to a server that was gone.
const RETRY: Duration = Duration::from_secs(2);

impl Default for Visitors {
    fn default() -> Visitors {
        let channel = Channel::new().streams_max(VISITORS_MAX).keep(KEPT);
        Visitors { channel, count: AtomicUsize::new(0) }
    }
}

impl Visitors {
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn tell(&self) {
        let event = Event::new(self.count().to_string()).name("visitors").retry(RETRY);
        self.channel.send(event);
    }
}

/// `GET /events`: a reply that goes on.
pub fn events(site: &Arc<Site>, request: &mut Request) -> Result<Response, Reject> {
    let stream = site.visitors.channel.events(request)?;
    site.visitors.count.fetch_add(1, Ordering::Relaxed);
    // It is among the listeners by now, so it hears of itself first.
    site.visitors.tell();
    Ok(stream)
}

impl Middleware for Goodbye {
    fn done(&self, done: &Done<'_>) {
        if done.response.status() == Status::OK {
            self.0.visitors.count.fetch_sub(1, Ordering::Relaxed);
            self.0.visitors.tell();
        }
    }
}
