//! What the loop sends to a helper: all that the work needs, and the way home.

use super::inbox::{Inbox, Parcel};
use super::slots::ConnectionId;
use crate::http::{Exchange, FileSpan, Job, Lane, Refusal, Sink, Source, Status};
use std::fmt;
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A piece of work that may block, bound for a helper thread: an application's
/// job, a chunk for a sink or from a source, or a part of a file to be read into
/// memory. [`World::submit`](super::World::submit) takes it; somebody must
/// [`run`](Errand::run) it, or the connection waits until its deadline, if any.
pub struct Errand {
    pub(crate) from: ConnectionId,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) work: Work,
}

/// The kinds of work.
pub(crate) enum Work {
    /// The application's job with its exchange.
    Job(Box<Exchange>, Job),
    /// Content for a sink.
    Write(Box<dyn Sink>, Vec<u8>),
    /// The content is complete.
    Finish(Box<dyn Sink>, Box<Exchange>),
    /// The content won't be complete. What a sink does in its drop may block.
    Discard(Box<dyn Sink>),
    /// Content from a source, about this many bytes.
    Pull(Box<dyn Source>, Vec<u8>, usize),
    /// Bring a part of a file into memory.
    Warm(FileSpan),
}

impl Errand {
    /// The queue it belongs into.
    pub fn lane(&self) -> Lane {
        match &self.work {
            Work::Job(_, job) => job.lane,
            _ => Lane::Engine,
        }
    }

    /// Does the work on the calling thread and reports home. A panic in it is
    /// caught: for a job it becomes a 500, for a stream a cut connection.
    pub fn run(self) {
        let Errand { from, inbox, work } = self;
        inbox.put(match work {
            Work::Job(mut exchange, job) => {
                let done = catch_unwind(AssertUnwindSafe(|| (job.run)(&mut exchange)));
                if done.is_err() {
                    log::error!("a job panicked: {} answered 500", exchange.request.path());
                    exchange.failed = Some(Status::INTERNAL_SERVER_ERROR);
                }
                Parcel::Exchange(from, exchange)
            }
            Work::Write(mut sink, mut chunk) => {
                let result = caught(|| sink.write(&chunk));
                chunk.clear();
                Parcel::Sink(from, sink, chunk, result)
            }
            Work::Finish(mut sink, mut exchange) => {
                if let Err(error) = caught(|| sink.finish(&mut exchange.request)) {
                    exchange.refuse(Refusal::of(&error));
                }
                Parcel::Exchange(from, exchange)
            }
            Work::Discard(sink) => {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(sink)));
                return; // nobody waits for it
            }
            Work::Pull(mut source, mut chunk, room) => {
                let result = caught(|| source.pull(&mut chunk, room));
                Parcel::Source(from, source, chunk, result)
            }
            Work::Warm(span) => {
                warm(&span);
                Parcel::Warm(from)
            }
        });
    }
}

/// A panic as an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(io::Error::other("panicked")))
}

/// Reads a part of a file so that the system has it in memory afterwards. An
/// error is found again, and dealt with, by whoever sends it.
fn warm(span: &FileSpan) {
    let mut scratch = vec![0; 64 * 1024];
    let (mut at, end) = (span.offset, span.offset.saturating_add(span.len));
    while at < end {
        let room = scratch.len().min((end - at) as usize);
        match span.file.file.read_at(scratch.get_mut(..room).unwrap_or(&mut []), at) {
            Ok(0) | Err(_) => return,
            Ok(n) => at += n as u64,
        }
    }
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.work {
            Work::Job(..) => "job",
            Work::Write(..) => "write",
            Work::Finish(..) => "finish",
            Work::Discard(..) => "discard",
            Work::Pull(..) => "pull",
            Work::Warm(..) => "warm",
        };
        write!(f, "{kind} for {:?}", self.from)
    }
}
