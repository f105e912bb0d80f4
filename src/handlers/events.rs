//! Server-sent events: one channel, many listeners (HTML, section 9.2).
//!
//! An event is encoded once, in the thread that sends it, and kept in the channel's
//! ring. Each stream copies it into its connection's output when it is pulled, as
//! fast as its client reads: `hub.rs` says how all of them are woken without
//! holding up everybody else.
//!
//! ```text
//!   any thread: Channel::send --> ring of events --(a wave of wakes)--> streams
//!                                   |                                     |
//!        a client comes back with   |                          nothing for 15 s: a
//!        Last-Event-ID: what it     '-- falls out: who still   comment, so that both
//!        missed, if the ring has it     wanted it is cut       ends know of each other
//! ```
//!
//! A stream ends when its channel is closed or dropped, or the server drains; a
//! browser then connects again, perhaps to the next server.

mod event;
mod hub;

pub use event::Event;

use crate::app::Reject;
use crate::http::{Body, ContentType, Pull, Request, Response, Source, Status, Wake};
use hub::{Hub, Taken};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a stream is silent at most, unless [`Channel::heartbeat`] says
/// otherwise: proxies close what is silent for 30 or 60 s.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that are kept, unless [`Channel::keep`] says otherwise: a client may be
/// so many behind, and catch up on so many.
const KEEP: usize = 256;
/// Streams of a channel, unless [`Channel::streams_max`] says otherwise.
const STREAMS_MAX: usize = 20_000;
/// The line that says nothing.
const COMMENT: &[u8] = b":\n\n";

/// Sends events to all who listen. Cheap to clone; for any thread.
///
/// Dropping the last clone closes it, which ends the streams.
///
/// ```
/// use onepoll::app::{App, TestClient};
/// use onepoll::handlers::{Channel, Event};
/// use onepoll::http::Request;
/// let channel = Channel::new();
/// let mut app = App::new();
/// let news = channel.clone();
/// app.get("/events", move |request: &mut Request| news.events(request));
/// // Here, or in any other thread:
/// channel.send(Event::new("hello").id("1"));
/// channel.send(Event::new("world").id("2"));
/// // Somebody who has seen the first comes back for the rest.
/// let mut client = TestClient::new(app);
/// let stream = client.get("/events").header("Last-Event-ID", "1").send();
/// assert_eq!(stream.header("Content-Type"), Some("text/event-stream"));
/// assert_eq!(stream.text(), "id: 2\ndata: world\n\n");
/// ```
#[derive(Clone)]
pub struct Channel(Arc<Owner>);

/// Its end is the channel's.
struct Owner(Arc<Shared>);

struct Shared {
    hub: Mutex<Hub>,
    /// In nanoseconds.
    heartbeat: AtomicU64,
    /// In front of the ids that the channel gives: another one in each process, so
    /// that what a client remembers of the last one is not mistaken.
    mark: u32,
    /// How many were given.
    given: AtomicU64,
}

/// A stream of its own for one client, and the handle that sends to it: a channel
/// with a single listener. If the client goes, [`Channel::listeners`] is 0.
///
/// ```
/// use onepoll::App;
/// use onepoll::handlers::{Event, events};
/// use onepoll::http::Request;
/// App::new().get("/count", |request: &mut Request| {
///     let (response, channel) = events(request);
///     std::thread::spawn(move || {
///         for n in 0..3 {
///             channel.send(Event::new(n.to_string()));
///         }
///     });
///     response
/// });
/// ```
pub fn events(request: &Request) -> (Response, Channel) {
    let channel = Channel::new();
    // There is room for the first.
    let response = channel.events(request);
    (response.unwrap_or_else(|reject| Response::new(reject.status())), channel)
}

impl Default for Channel {
    fn default() -> Channel {
        Channel::new()
    }
}

impl Channel {
    /// Nobody listens yet.
    pub fn new() -> Channel {
        let nanos = u64::try_from(HEARTBEAT.as_nanos()).unwrap_or(u64::MAX);
        Channel(Arc::new(Owner(Arc::new(Shared {
            hub: Mutex::new(Hub::new(KEEP, STREAMS_MAX)),
            heartbeat: AtomicU64::new(nanos),
            mark: RandomState::new().hash_one(0) as u32,
            given: AtomicU64::new(0),
        }))))
    }

    /// How many events are kept: 256. Who is farther behind is cut.
    #[must_use]
    pub fn keep(self, events: usize) -> Channel {
        self.hub().ring_max(events);
        self
    }

    /// How many may listen: 20,000. Who comes then gets 503.
    #[must_use]
    pub fn streams_max(self, max: usize) -> Channel {
        self.hub().streams_max(max);
        self
    }

    /// How long a stream may be silent before a comment is sent: 15 s.
    #[must_use]
    pub fn heartbeat(self, time: Duration) -> Channel {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.shared().heartbeat.store(nanos, Ordering::Relaxed);
        self
    }

    /// A response that goes on with each event from here on. A client that brings
    /// `Last-Event-ID` gets what it missed first: what follows that event, or all
    /// that is kept if that is no longer among it.
    ///
    /// # Errors
    /// 503 if nobody else may listen.
    pub fn events(&self, request: &Request) -> Result<Response, Reject> {
        let wake = request.waker();
        let after = request.headers().get("last-event-id").filter(|id| !id.is_empty());
        let Some((number, wants)) = self.hub().join(wake, after) else {
            let reject = Reject::new(Status::SERVICE_UNAVAILABLE, "too many listen already");
            return Err(reject.header("Retry-After", "10"));
        };
        let stream = Stream {
            shared: Arc::clone(self.shared()),
            leaving: request.stats().is_some_and(|stats| stats.draining.value() > 0),
            number,
            wants,
            silent_since: Instant::now(),
        };
        let response = Response::default()
            .content(ContentType::EVENTS, Body::Inline(Box::new(stream), None))
            .header("Cache-Control", "no-store")
            // nginx would gather the stream before it passes it on.
            .header("X-Accel-Buffering", "no");
        Ok(response)
    }

    /// Sends an event to all who listen. Returns at once; nothing happens if the
    /// channel is closed.
    pub fn send(&self, event: impl Into<Event>) {
        let event = event.into();
        let shared = self.shared();
        let id = match event.own_id() {
            Some(id) => id.to_owned(),
            None => {
                let number = shared.given.fetch_add(1, Ordering::Relaxed);
                format!("{:x}-{number:x}", shared.mark)
            }
        };
        let bytes: Arc<[u8]> = event.encode_as(Some(&id)).into_bytes().into();
        let mut hub = self.hub();
        hub.put(id.into(), bytes);
        wake(hub);
    }

    /// Ends all streams once they have what was sent.
    pub fn close(&self) {
        self.shared().close();
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.hub().len()
    }

    /// How many were cut because they read too slowly.
    pub fn cut(&self) -> u64 {
        self.hub().cut()
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.shared().hub()
    }
}

impl From<&str> for Event {
    fn from(data: &str) -> Event {
        Event::new(data)
    }
}

impl From<String> for Event {
    fn from(data: String) -> Event {
        Event::new(data)
    }
}

impl Shared {
    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut hub = self.hub();
        hub.close();
        wake(hub);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Wakes whose turn it is; without the lock, since a wake takes another.
fn wake(mut hub: MutexGuard<'_, Hub>) {
    let wakes = hub.wave();
    drop(hub);
    wakes.iter().for_each(Wake::wake);
}

/// What one client listens to.
struct Stream {
    shared: Arc<Shared>,
    /// Whether the server drains.
    leaving: bool,
    /// Its place in the hub.
    number: usize,
    /// The number of the next event.
    wants: u64,
    silent_since: Instant,
}

impl Source for Stream {
    fn is_endless(&self) -> bool {
        true
    }

    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let heartbeat = Duration::from_nanos(self.shared.heartbeat.load(Ordering::Relaxed));
        let now = Instant::now();
        let mut hub = self.shared.hub();
        let taken = hub.take(self.number, &mut self.wants, out, room, self.leaving);
        let silent = now.saturating_duration_since(self.silent_since);
        let pull = match taken {
            Taken::End => Ok(Pull::End),
            Taken::Lost => Err(io::Error::other("the client is too slow for the events")),
            Taken::Some => {
                self.silent_since = now;
                Ok(Pull::More)
            }
            Taken::Nothing if silent >= heartbeat => {
                out.extend_from_slice(COMMENT);
                self.silent_since = now;
                Ok(Pull::More)
            }
            Taken::Nothing => {
                // Only now, when it adds nothing: whoever is parked has room.
                hub.park(self.number, self.wants);
                Ok(Pull::After(heartbeat - silent))
            }
        };
        wake(hub);
        pull
    }

    /// The end, once it has what was sent.
    fn leave(&mut self) -> bool {
        self.leaving = true;
        true
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut hub = self.shared.hub();
        hub.leave(self.number);
        wake(hub);
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("listeners", &self.listeners()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
