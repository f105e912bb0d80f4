//! The seam between engine and application.

use crate::config::Config;
use crate::error::Error;

use super::{Exchange, Now, Peer, Sink, Status};
use std::fmt;
use std::time::{Duration, Instant};

/// An application, as the engine sees it.
///
/// All calls come on the loop's thread and must not block. Nothing here needs
/// `Send`: only the exchange and what it carries travel.
///
/// Only [`begin`](Service::begin) and [`resume`](Service::resume) must be there.
/// A panic in them is the service's to catch (as [`App`](crate::App) does): here
/// it ends the loop.
///
/// ```
/// use onepoll::http::*;
/// /// Answers everything with 204.
/// struct Silent;
/// impl Service for Silent {
///     fn begin(&mut self, mut exchange: Box<Exchange>) -> Step {
///         exchange.response = Response::new(Status::NO_CONTENT);
///         Step::Respond(exchange)
///     }
///     fn resume(&mut self, exchange: Box<Exchange>) -> Step {
///         Step::Respond(exchange)
///     }
/// }
/// ```
pub trait Service {
    /// Called once before the first request: the place to say that something
    /// about the application is wrong, such as routes that conflict.
    ///
    /// # Errors
    /// What keeps the server from starting.
    fn prepare(&mut self, config: &Config) -> Result<(), Error> {
        let _ = config;
        Ok(())
    }

    /// What its routes are called, by their numbers: for those who watch the loop.
    fn routes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The head of a request has arrived.
    fn begin(&mut self, exchange: Box<Exchange>) -> Step;

    /// What the last step asked for is done: the job has run, the time is over,
    /// or the content is in. If `exchange.failed` is set it is not in and won't
    /// be: answer with that status.
    fn resume(&mut self, exchange: Box<Exchange>) -> Step;

    /// Whether [`finish`](Service::finish) is to be called for this exchange. A
    /// service that has nothing to do at its end saves the engine from keeping
    /// the exchange until the socket has taken the last byte.
    fn observes(&self, exchange: &Exchange) -> bool {
        let _ = exchange;
        true
    }

    /// The end, exactly once for each `begin` that it observes: the last byte
    /// was taken, or the exchange is lost.
    fn finish(&mut self, exchange: &mut Exchange, outcome: &Outcome) {
        let _ = (exchange, outcome);
    }

    /// The engine has answered a client by itself, as what it sent never became a
    /// request: no [`begin`](Service::begin) comes for it, and no `finish`.
    fn refused(&mut self, refused: &Refused) {
        let _ = refused;
    }

    /// Once a turn, after the events: for buffered writers and the like.
    /// The answer is when to call again at the latest.
    fn idle(&mut self, now: Now) -> Option<Instant> {
        let _ = now;
        None
    }
}

/// A head that was none, was too long, or took too long, and its answer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refused {
    /// What the client was answered.
    pub status: Status,
    /// What was wrong, in a few words of ours.
    pub reason: &'static str,
    /// Who sent it.
    pub peer: Peer,
    /// The number of its connection, as [`Request::connection`] tells it.
    ///
    /// [`Request::connection`]: super::Request::connection
    pub connection: u64,
    /// When it was refused.
    pub at: Now,
}

/// What the service wants next. The exchange goes back to the engine with it.
///
/// Every step but `Respond` ends in a [`resume`](Service::resume), or, if the
/// client is lost meanwhile, in [`finish`](Service::finish). A service that takes
/// 32 steps in one call without waiting for anything goes round in circles: its
/// connection is cut.
#[derive(Debug)]
pub enum Step {
    /// Send `exchange.response`.
    Respond(Box<Exchange>),
    /// Bring the request's content, then resume.
    Receive(Box<Exchange>, Intake),
    /// Run the job on a helper thread, then resume.
    Offload(Box<Exchange>, Job),
    /// Resume after this time; no thread waits.
    Sleep(Box<Exchange>, Duration),
}

/// Where a request's content goes.
pub enum Intake {
    /// Into [`Request::body`](super::Request::body), up to `max` bytes, then 413.
    /// Memory grows as bytes arrive, not as `Content-Length` promises.
    Buffer {
        /// The most bytes that are taken.
        max: u64,
    },
    /// Into a sink that is called on the loop and must not block.
    Inline {
        /// Takes the bytes.
        sink: Box<dyn Sink>,
        /// The most bytes that are taken.
        max: u64,
    },
    /// Into a sink that is called on a helper thread. A slow client doesn't
    /// hold the thread: it is used only while there is a chunk to write.
    Blocking {
        /// Takes the bytes.
        sink: Box<dyn Sink>,
        /// The most bytes that are taken.
        max: u64,
    },
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Intake::Buffer { max } => write!(f, "Buffer({max} bytes)"),
            Intake::Inline { max, .. } => write!(f, "Inline({max} bytes)"),
            Intake::Blocking { max, .. } => write!(f, "Blocking({max} bytes)"),
        }
    }
}

/// Work for a helper thread: it may block. A panic in it becomes a 500.
pub struct Job {
    /// Which queue it waits in.
    pub lane: Lane,
    /// The work.
    pub run: Box<dyn FnOnce(&mut Exchange) + Send>,
}

impl Job {
    /// A job of the application's lane.
    pub fn new(run: impl FnOnce(&mut Exchange) + Send + 'static) -> Job {
        Job { lane: Lane::Application, run: Box::new(run) }
    }

    /// The same job in another lane.
    pub fn lane(mut self, lane: Lane) -> Job {
        self.lane = lane;
        self
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({:?})", self.lane)
    }
}

/// The helpers' queues. A lane that is stuck doesn't hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The engine's own file work: at most one job per connection, never
    /// refused, a thread kept for it.
    Engine,
    /// The application's jobs: a bounded queue; full means 503.
    Application,
    /// One job at a time, in order: for what has a single writer.
    Serial,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The status that was (or would have been) sent.
    pub status: Status,
    /// Bytes of the reply that the socket took, head and framing included.
    pub bytes: u64,
    /// When the request's first byte was seen.
    pub started: Instant,
    /// When it ended.
    pub ended: Now,
    /// Whole, cut, or never begun.
    pub end: End,
}

/// Whether the client got its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The socket took every byte.
    Sent,
    /// The connection ended within the reply.
    Cut,
    /// The client was gone before there was a reply.
    Abandoned,
}
