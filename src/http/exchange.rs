//! One request and its response, in one box with one owner at a time.

use super::{Refusal, Request, Response, Status};
use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

/// A request, the response it gets, and how far the application has come with
/// it. It travels between connection, service and helper threads as a
/// `Box<Exchange>`; when the reply is sent, it is emptied and used again.
#[derive(Debug, Default)]
pub struct Exchange {
    /// What the client asked.
    pub request: Request,
    /// What it is answered.
    pub response: Response,
    /// The service's own note of where it is; the engine never looks at it.
    pub bookmark: Bookmark,
    /// Why the engine could not bring the request's content, if it could not:
    /// the status to answer with. Set before `resume`; the reply closes the
    /// connection whatever the service says.
    pub failed: Option<Status>,
    /// Set by the connection when the client is gone while the exchange is away.
    pub(crate) gone: Arc<AtomicBool>,
    /// For the pool that it comes from: it was not made in a burst.
    pub(crate) early: bool,
}

impl Exchange {
    /// Notes why a sink failed: the status in `failed`, the word for the client in
    /// the request's bag, where the service finds it.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.failed = Some(refusal.status);
        if !refusal.message.is_empty() {
            self.request.extend(refusal);
        }
    }

    /// Whether the client has vanished, so that the work is for nobody. For
    /// long jobs on a helper thread, to stop early.
    pub fn gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Empties it for the next request and keeps its memory (up to a bound).
    #[inline(always)]
    pub(crate) fn recycle(&mut self) {
        self.request.recycle();
        self.response.reset();
        self.bookmark = Bookmark::default();
        self.failed = None;
        if self.gone() {
            // The old flag may still be watched.
            self.gone = Arc::default();
        }
    }
}

/// Where a service is with an exchange. A few small numbers and a box, all the
/// service's own.
#[derive(Default)]
pub struct Bookmark {
    /// Which route it is.
    pub route: Option<u32>,
    /// How many middlewares were entered.
    pub entered: u16,
    /// How many of them have seen the response on its way out.
    pub unwound: u16,
    /// Whether the connection is to close, whatever becomes of the response.
    pub close: bool,
    /// Which phase it is in.
    pub phase: u8,
    /// Which of several applications it belongs to, where they are exchanged while
    /// they run; 0 for a service that doesn't need it.
    pub generation: u16,
    /// What to go on with.
    pub note: Option<Box<dyn Any + Send>>,
}

impl fmt::Debug for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bookmark { route, entered, unwound, phase, note, .. } = self;
        write!(f, "{route:?}, {entered} entered, {unwound} left, phase {phase}, ")?;
        write!(f, "note: {}", note.is_some())
    }
}

/// The time, read once per turn of the loop and handed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For durations and deadlines.
    pub instant: Instant,
    /// For dates.
    pub wall: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Now {
        Now { instant: Instant::now(), wall: SystemTime::now() }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A TCP client. A port that is not known, as proxies often tell none, is 0.
    Tcp(SocketAddr),
    /// A client on a Unix socket.
    Unix,
    /// Nobody: a request made by hand, as in a test, or somebody whom a proxy
    /// doesn't name.
    #[default]
    Unknown,
}

impl Peer {
    /// Its address, if it has one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix | Peer::Unknown => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As a proxy names it, without a port.
            Peer::Tcp(addr) if addr.port() == 0 => addr.ip().fmt(f),
            Peer::Tcp(addr) => addr.fmt(f),
            Peer::Unix => f.write_str("unix"),
            Peer::Unknown => f.write_str("-"),
        }
    }
}

/// Whoever can be told that a connection has something to do.
pub trait Home: Send + Sync {
    /// The connection with this number should be driven; from any thread.
    /// A number that is out of date is ignored.
    fn wake(&self, connection: u64);
}

/// Wakes one connection from any thread, so that its pending
/// [`Source`](super::Source) is pulled again. Harmless after its end.
#[derive(Clone)]
pub struct Wake {
    home: Arc<dyn Home>,
    connection: u64,
}

impl Wake {
    /// A wake for that connection of that loop.
    pub fn new(home: Arc<dyn Home>, connection: u64) -> Wake {
        Wake { home, connection }
    }

    /// Asks the loop to drive the connection soon.
    pub fn wake(&self) {
        self.home.wake(self.connection);
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wake({})", self.connection)
    }
}
