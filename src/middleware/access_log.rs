//! The access log: one line per request, written when its last byte was taken.
//!
//! The loop never writes. Lines gather in a buffer; when it is large or a
//! second old it goes to a thread that does nothing but write, over a short
//! bounded queue. If the disk is stuck or a pipe is full, the queue fills up,
//! then the buffer, and then lines are dropped and counted: a log that can't
//! keep up costs lines, never requests.
//!
//! ```text
//!   done --> line --> buffer --(32 KiB, or 1 s)--> queue of 8 --> thread --> file
//!             |                                      |
//!             '-- dropped and counted, if full <-----'
//! ```

mod line;
mod writer;

use crate::app::{Done, Middleware};
use crate::http::{Now, Refused};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use writer::{Queue, Target, Writer};

/// A buffer of this many bytes goes to the writer at once: some 200 lines in
/// one system call.
const FLUSH: usize = 32 * 1024;
/// A line waits no longer than this for others, so that watching the log is
/// watching the server.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Writes a line for each request. Wrap it first, so that it stands outermost.
///
/// Clones share one file and one thread; each loop gets one of its own.
///
/// ```no_run
/// use onepoll::App;
/// use onepoll::middleware::{AccessLog, Format};
/// let mut app = App::new();
/// app.wrap(AccessLog::file("/var/log/onepoll.log")?.format(Format::Json));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct AccessLog {
    format: Format,
    /// Before `writer`: what is pending goes out while the writer is there.
    pending: RefCell<Pending>,
    writer: Arc<Writer>,
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// As Apache and nginx write it and every log tool reads it:
    /// `peer - - [time] "request line" status bytes "referrer" "user agent"`.
    /// Quotes, backslashes, control and non-ASCII bytes are written as `\xhh`.
    #[default]
    Combined,
    /// One JSON object per line, which besides has the duration in
    /// microseconds, host, content type, route, number of the connection, and
    /// whether the reply was sent whole.
    Json,
}

/// Looks after a log from outside of the loop, from any thread.
#[derive(Clone)]
pub struct LogHandle {
    queue: Arc<Queue>,
}

/// Lines that wait for the writer.
#[derive(Default)]
struct Pending {
    text: String,
    /// When its first line came.
    since: Option<Instant>,
    clock: line::Clock,
    /// Lines dropped that nobody was told of.
    unreported: u64,
}

impl AccessLog {
    /// Appends to a file, which is created if need be. [`LogHandle::reopen`]
    /// is for rotation.
    ///
    /// # Errors
    /// If the file can't be opened or the thread not be started.
    pub fn file(path: impl AsRef<Path>) -> io::Result<AccessLog> {
        AccessLog::with(Target::file(path.as_ref().to_owned())?)
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// If the thread can't be started.
    pub fn stdout() -> io::Result<AccessLog> {
        AccessLog::to(io::stdout())
    }

    /// Writes to anything; it may block.
    ///
    /// # Errors
    /// If the thread can't be started.
    pub fn to(writer: impl Write + Send + 'static) -> io::Result<AccessLog> {
        AccessLog::with(Target::Stream(Box::new(writer)))
    }

    /// With this format.
    #[must_use]
    pub fn format(mut self, format: Format) -> AccessLog {
        self.format = format;
        self
    }

    /// To count drops and to reopen the file.
    pub fn handle(&self) -> LogHandle {
        LogHandle { queue: Arc::clone(&self.writer.queue) }
    }

    fn with(target: Target) -> io::Result<AccessLog> {
        let writer = Arc::new(Writer::start(target)?);
        Ok(AccessLog { format: Format::default(), pending: RefCell::default(), writer })
    }

    /// Adds a line, if there is room.
    fn add(&self, now: Now, write: impl FnOnce(&mut String, &mut line::Clock)) {
        let mut pending = self.pending.borrow_mut();
        if pending.text.len() >= FLUSH && !self.flush(&mut pending) {
            pending.unreported += 1;
            self.writer.queue.count_dropped(1);
            return;
        }
        let Pending { text, clock, since, .. } = &mut *pending;
        since.get_or_insert(now.instant);
        write(text, clock);
    }

    /// Gives the buffer to the writer; `false` if that has no room.
    fn flush(&self, pending: &mut Pending) -> bool {
        if pending.text.is_empty() {
            return true;
        }
        if !self.writer.queue.put(&mut pending.text) {
            return false;
        }
        pending.since = None;
        let lost = std::mem::take(&mut pending.unreported);
        if lost > 0 {
            log::warn!("access log: {lost} lines dropped, since writing took too long");
        }
        true
    }
}

impl Middleware for AccessLog {
    fn done(&self, done: &Done<'_>) {
        self.add(done.outcome.ended, |text, clock| match self.format {
            Format::Combined => line::combined(text, done, clock),
            Format::Json => line::json(text, done),
        });
    }

    fn refused(&self, refused: &Refused) {
        self.add(refused.at, |text, clock| match self.format {
            Format::Combined => line::combined_refusal(text, refused, clock),
            Format::Json => line::json_refusal(text, refused),
        });
    }

    fn idle(&self, now: Now) -> Option<Instant> {
        let mut pending = self.pending.borrow_mut();
        let due = pending.since? + AGE_MAX;
        if now.instant < due && pending.text.len() < FLUSH {
            return Some(due);
        }
        // No room: try again in a while, not in every turn.
        if self.flush(&mut pending) { None } else { Some(now.instant + AGE_MAX) }
    }
}

impl Clone for AccessLog {
    fn clone(&self) -> AccessLog {
        let writer = Arc::clone(&self.writer);
        AccessLog { format: self.format, pending: RefCell::default(), writer }
    }
}

/// Writes what is left; waits for a stuck writer for a second at most.
impl Drop for AccessLog {
    fn drop(&mut self) {
        let pending = self.pending.get_mut();
        if !self.writer.queue.put_waiting(&mut pending.text) {
            let lost = pending.text.lines().count() as u64;
            self.writer.queue.count_dropped(lost);
            pending.unreported += lost;
        }
        if pending.unreported > 0 {
            log::warn!("access log: {} lines dropped at the end", pending.unreported);
        }
    }
}

impl LogHandle {
    /// How many lines were dropped because writing took too long or failed.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Opens the file anew under its path, for who has renamed the old one.
    /// Nothing for a log that is no file.
    pub fn reopen(&self) {
        self.queue.reopen();
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

impl fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHandle").field("dropped", &self.dropped()).finish()
    }
}

#[cfg(test)]
mod tests;
