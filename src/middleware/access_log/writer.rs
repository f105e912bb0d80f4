//! The thread that writes, and the short queue that leads to it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Buffers that wait for the thread: a quarter of a megabyte, a few hundred
/// milliseconds of a busy server.
const BUFFERS_MAX: usize = 8;
/// How long the end of a log waits for a thread that is stuck.
const END_WAIT: Duration = Duration::from_secs(1);

/// Where lines go in the end.
pub(super) enum Target {
    File { path: PathBuf, file: File },
    Stream(Box<dyn Write + Send>),
}

/// The thread's owner: when the last log that shares it is gone, it ends.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
}

/// Between the loops and the thread. The lock is never held while writing.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something for the thread to do.
    work: Condvar,
    /// The thread has done something.
    room: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    full: VecDeque<String>,
    /// Written buffers, to be filled again.
    spare: Vec<String>,
    reopen: bool,
    /// The last log is gone.
    ending: bool,
    /// The thread is through.
    ended: bool,
}

impl Queue {
    /// Takes the text and leaves an empty buffer, unless there is no room.
    pub(super) fn put(&self, text: &mut String) -> bool {
        let mut state = self.lock();
        if state.full.len() >= BUFFERS_MAX || state.ended {
            return false;
        }
        let empty = state.spare.pop().unwrap_or_default();
        state.full.push_back(std::mem::replace(text, empty));
        self.work.notify_one();
        true
    }

    /// As [`put`](Queue::put), but waits for room for a while.
    pub(super) fn put_waiting(&self, text: &mut String) -> bool {
        if text.is_empty() || self.put(text) {
            return true;
        }
        let full = |state: &mut State| state.full.len() >= BUFFERS_MAX && !state.ended;
        let _ = self.room.wait_timeout_while(self.lock(), END_WAIT, full);
        self.put(text)
    }

    pub(super) fn count_dropped(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
        self.work.notify_one();
    }

    /// A panic under this lock is not possible in a way that breaks the state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next text, if any, and whether to reopen first; `None` is the end.
    fn next(&self, written: Option<String>) -> Option<(Option<String>, bool)> {
        let mut state = self.lock();
        if let Some(mut buffer) = written {
            buffer.clear();
            state.spare.push(buffer);
            self.room.notify_all();
        }
        loop {
            let reopen = std::mem::take(&mut state.reopen);
            let text = state.full.pop_front();
            if text.is_some() || reopen {
                return Some((text, reopen));
            }
            if state.ending {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Writer {
    pub(super) fn start(target: Target) -> io::Result<Writer> {
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        let name = "onepoll-log".to_owned();
        thread::Builder::new().name(name).spawn(move || {
            let _end = End(Arc::clone(&shared));
            run(&shared, target);
        })?;
        Ok(Writer { queue })
    }
}

/// Lets the thread write what it has, for a while.
impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.ending = true;
        self.queue.work.notify_one();
        let _ = self.queue.room.wait_timeout_while(state, END_WAIT, |state| !state.ended);
    }
}

/// Says that the thread is through, even if a stream of the user panicked.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.room.notify_all();
    }
}

fn run(queue: &Queue, mut target: Target) {
    let mut written = None;
    let mut failing = false;
    while let Some((text, reopen)) = queue.next(written.take()) {
        if reopen {
            target.reopen();
        }
        let Some(text) = text else { continue };
        match target.write(text.as_bytes()) {
            Ok(()) => failing = false,
            Err(error) => {
                queue.count_dropped(text.lines().count() as u64);
                // Once per spell: a full disk should not fill another log.
                if !std::mem::replace(&mut failing, true) {
                    log::error!("access log: {error}; lines are dropped");
                }
            }
        }
        written = Some(text);
    }
}

impl Target {
    pub(super) fn file(path: PathBuf) -> io::Result<Target> {
        let file = open(&path)?;
        Ok(Target::File { path, file })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            // Whole lines at a time, and appending: several processes may share a file.
            Target::File { file, .. } => file.write_all(bytes),
            Target::Stream(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    fn reopen(&mut self) {
        let Target::File { path, file } = self else { return };
        match open(path) {
            Ok(new) => *file = new,
            Err(error) => log::error!("access log: {}: {error}; kept the old", path.display()),
        }
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
