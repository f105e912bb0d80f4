//! The binary's logger: a bounded queue in front of `simple_logger`.
//!
//! `simple_logger` prints a line where it is called: a reader that stops
//! reading would stop the loop, and one that goes away (`2>&1 | head -1`) would
//! make `eprintln!` panic in it. So lines are made where they are logged (time,
//! thread, level, target, text) and printed by a thread of their own:
//!
//! ```text
//!   any thread                                   thread "onepoll-log"
//!   log::info!(..) -> filter -> line -> [queue] -> simple_logger -> stderr
//!                                         |full        |closed
//!                                         v            v
//!                                    counted, told    silence
//!                                    when it drains
//! ```
//!
//! The standard output is left to the access log, which tools read.
//!
//! A line is always one line: what a client sent can end up in it, so control
//! characters are written as escapes, and its length is bounded.

mod filter;
mod line;

use line::Line;
use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use filter::Filter;

/// A `log::Log` that never blocks on its output.
pub(crate) struct Logger {
    filter: Filter,
    queue: Arc<Queue>,
}

/// Lines that wait. A burst of one turn of the loop fits well within.
const LINES_MAX: usize = 4096;
/// Their sum in bytes: what a peer can make us keep, with long targets say.
/// The writer holds as much again while it prints a batch.
const BYTES_MAX: usize = 4 << 20;
/// How long the end of the program waits for a reader of the output.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// Makes the logger the program's, with its thread.
///
/// # Errors
/// If the thread can't be started or there is a logger already.
pub(crate) fn init(filter: Filter) -> std::io::Result<()> {
    let max = filter.max();
    let queue = Arc::new(Queue::default());
    let theirs = Arc::clone(&queue);
    thread::Builder::new().name("onepoll-log".to_owned()).spawn(move || {
        let sink = SimpleLogger::new().with_level(LevelFilter::Trace);
        theirs.write_all(&sink, stderr_closed);
        // Nobody will read it: make every call as cheap as can be.
        log::set_max_level(LevelFilter::Off);
    })?;
    log::set_boxed_logger(Box::new(Logger { filter, queue })).map_err(std::io::Error::other)?;
    log::set_max_level(max);
    Ok(())
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.allows(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // Made before the lock is taken: a `Display` may do anything.
            self.queue.push(Line::new(record));
        }
    }

    /// Waits until all is printed, or for two seconds if nobody reads.
    fn flush(&self) {
        self.queue.drained(FLUSH_LIMIT);
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    /// The sum of the lines' lengths.
    bytes: usize,
    /// Lines lost since the writer last came. They are younger than all
    /// `lines`, so that is where the loss is reported.
    dropped: u64,
    writer: Writer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    /// It waits for lines.
    #[default]
    Idle,
    /// It prints a batch.
    Busy,
    /// The output is closed: lines are thrown away.
    Gone,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: Line) {
        let mut state = self.lock();
        if state.writer == Writer::Gone {
            return;
        }
        if state.lines.len() >= LINES_MAX || state.bytes + line.len() > BYTES_MAX {
            state.dropped += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        self.filled.notify_one();
    }

    /// Waits for lines and takes them all, with the number lost after them.
    fn take(&self, into: &mut VecDeque<Line>) -> u64 {
        let mut state = self.lock();
        while state.lines.is_empty() {
            state.writer = Writer::Idle;
            self.emptied.notify_all();
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer = Writer::Busy;
        state.bytes = 0;
        std::mem::swap(&mut state.lines, into);
        std::mem::take(&mut state.dropped)
    }

    /// Whether all lines were printed within the limit.
    fn drained(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            match state.writer {
                Writer::Gone => return false,
                Writer::Idle if state.lines.is_empty() => return true,
                Writer::Idle | Writer::Busy => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The writer's life: it ends when the output is closed.
    ///
    /// A print can also fail for a while, as on a full disk. Such lines count
    /// as dropped, and the next ones are tried.
    fn write_all(&self, sink: &dyn Log, closed: impl Fn() -> bool) {
        let mut batch = VecDeque::new();
        loop {
            let mut dropped = self.take(&mut batch);
            let mut failed = 0;
            for line in batch.drain(..) {
                if !printed(sink, &line) {
                    failed += 1;
                    if closed() {
                        return self.give_up();
                    }
                }
            }
            dropped += failed;
            if dropped > 0 && !printed(sink, &loss(dropped)) {
                self.lock().dropped += dropped;
            }
        }
    }

    fn give_up(&self) {
        let mut state = self.lock();
        state.writer = Writer::Gone;
        state.lines = VecDeque::new();
        drop(state);
        self.emptied.notify_all();
    }
}

/// Hands one line on; whether that went well. `eprintln!` panics if not, and
/// where it can't print, the panic's message can't be printed either.
fn printed(sink: &dyn Log, line: &Line) -> bool {
    panic::catch_unwind(AssertUnwindSafe(|| line.show(sink))).is_ok()
}

fn loss(lines: u64) -> Line {
    let text = format_args!("{lines} log lines dropped: the output is too slow");
    let record = Record::builder().level(Level::Warn).target("onepoll::log").args(text).build();
    Line::new(&record)
}

/// Whether the reader of the standard error has gone for good.
fn stderr_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    poll(&mut fds, Some(&at_once)).is_ok() && fds.iter().any(|fd| fd.revents().intersects(broken))
}

#[cfg(test)]
mod tests;
