//! Where everything comes home: what helpers finished, wakes, and commands.
//!
//! ```text
//!   helper threads --.
//!   Wake handles ----+--> Mutex<Vec<Parcel>> --(waker, if it was empty)--> poll
//!   Handle ----------'            |
//!                                 '--swapped out whole under the lock--> the loop
//! ```
//!
//! The lock is held for a push or a swap, never for work. The waker is written
//! to only by whoever finds the queue empty, so a burst costs one wake-up.

use super::slots::ConnectionId;
use crate::http::{Exchange, Home, Pull, Sink, Source};
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Something for the loop, from any thread.
pub(crate) enum Parcel {
    /// An exchange whose job has run.
    Exchange(ConnectionId, Box<Exchange>),
    /// A sink that has taken its chunk; the emptied chunk comes back with it.
    Sink(ConnectionId, Box<dyn Sink>, Vec<u8>, io::Result<()>),
    /// A source that has filled a chunk.
    Source(ConnectionId, Box<dyn Source>, Vec<u8>, io::Result<Pull>),
    /// Drive that connection: its source has something.
    Wake(ConnectionId),
    /// A part of a file was brought into memory for that connection.
    Warm(ConnectionId),
    /// For the loop itself.
    Command(Command),
}

/// What a server's handle can ask of its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take no new clients, finish what is under way within this time, end.
    Drain(Duration),
    /// End now; whatever is under way is cut.
    Stop,
}

/// The queue and its bell.
pub struct Inbox {
    queue: Mutex<Vec<Parcel>>,
    bell: Box<dyn Fn() + Send + Sync>,
}

impl Inbox {
    /// An empty inbox; `bell` wakes the poll and may be called from any thread.
    pub fn new(bell: impl Fn() + Send + Sync + 'static) -> Inbox {
        Inbox { queue: Mutex::new(Vec::new()), bell: Box::new(bell) }
    }

    /// Asks something of the loop.
    pub fn command(&self, command: Command) {
        self.put(Parcel::Command(command));
    }

    pub(crate) fn put(&self, parcel: Parcel) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = queue.is_empty();
        queue.push(parcel);
        drop(queue);
        if was_empty {
            (self.bell)();
        }
    }

    /// Takes all that is there, leaving the (empty) vector given.
    pub(crate) fn swap(&self, parcels: &mut Vec<Parcel>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *queue, parcels);
    }
}

impl Home for Inbox {
    fn wake(&self, connection: u64) {
        self.put(Parcel::Wake(ConnectionId::from(connection)));
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parcel::Exchange(id, _) => write!(f, "Exchange({id:?})"),
            Parcel::Sink(id, ..) => write!(f, "Sink({id:?})"),
            Parcel::Source(id, ..) => write!(f, "Source({id:?})"),
            Parcel::Wake(id) => write!(f, "Wake({id:?})"),
            Parcel::Warm(id) => write!(f, "Warm({id:?})"),
            Parcel::Command(command) => write!(f, "{command:?}"),
        }
    }
}
