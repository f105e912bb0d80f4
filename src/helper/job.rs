//! What is handed to the pool, and what comes back if it is refused.

use std::fmt;

/// Work for a helper thread. It may block; a panic in it is caught and logged.
pub type Task = Box<dyn FnOnce() + Send>;

/// The queues of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The engine's own work. Never refused for want of room: there is at most
    /// one job per connection.
    Engine,
    /// The application's jobs: a bounded queue.
    Application,
    /// One job at a time, in order: for what has a single writer. Bounded as well.
    Serial,
}

impl Lane {
    pub(crate) const ALL: [Lane; 3] = [Lane::Engine, Lane::Application, Lane::Serial];
}

/// A job that was not taken.
pub struct Refused {
    /// The job, not run.
    pub task: Task,
    /// Why not.
    pub reason: Reason,
}

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The lane's queue is full.
    Full,
    /// The system gives no thread, and none is alive.
    NoThread,
    /// The pool has been shut down.
    Ended,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Full => "the queue is full",
            Reason::NoThread => "no thread can be started",
            Reason::Ended => "the pool has been shut down",
        })
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({})", self.reason)
    }
}
