//! The queue of what a client has not taken yet.
//!
//! Small replies never come here: they are gathered in the reactor's `out`
//! buffer and written once per batch. Here goes what the socket would not take,
//! and what is too large to copy: long bodies, by reference, and parts of files.
//!
//! ```text
//!   replies -> out --(socket has room)------------------> write
//!               \--(no room, or the queue is not empty)-> queue -> writev, sendfile
//! ```

use super::ahead::Ahead;
use super::clock::Tick;
use crate::http::{FileSpan, Part};
use crate::net::{self, Socket};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

/// Below this many queued bytes a stream is asked for more.
pub(crate) const LOW: usize = 64 * 1024;
/// At this many queued bytes no further request is read.
pub(crate) const HIGH: usize = 256 * 1024;
/// The same in pieces: a file's part counts no bytes here.
const PIECES_MAX: usize = 64;
/// The same in files: each ties up a descriptor, of which all clients together
/// have few.
const FILES_MAX: usize = 2;
/// Pieces per `writev`: enough for a batch of replies, small on the stack.
const VECTOR: usize = 16;
/// Bytes given to one connection before the others have a turn: a socket filled
/// to the brim costs its neighbours more than it gains.
pub(crate) const SLICE: usize = 256 * 1024;

/// What one call costs at least, in bytes of the above: many small pieces of
/// files would else have the loop to themselves.
const CALL: usize = 4 * 1024;

/// What waits to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Output {
    queue: VecDeque<Piece>,
    /// Bytes in memory in the queue.
    queued: usize,
    /// Parts of files in the queue, each with an open file.
    files: usize,
    /// Whether the file at the front can be read without waiting.
    front: Front,
    /// Of a long file's client.
    ahead: Ahead,
    /// Bytes ever given to this connection, and bytes that the socket took.
    pub(crate) pushed: u64,
    pub(crate) written: u64,
}

/// What is known of the file at the front of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Front {
    /// Nothing: ask before each slice.
    #[default]
    Unknown,
    /// A helper fetches the next slice.
    Cold,
    /// A helper has fetched so many bytes: not to be asked about again, since
    /// there are file systems that never say yes.
    Warm(u64),
}

/// A part of the output; what is written is taken off its front.
#[derive(Debug)]
enum Piece {
    Owned(Vec<u8>, usize),
    Static(&'static [u8]),
    /// From where to where.
    Shared(Arc<[u8]>, usize, usize),
    File(FileSpan),
}

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Everything was taken.
    All,
    /// The socket is full: wait for it to be writable.
    Full,
    /// This turn's share is used up; there is room for more.
    Budget,
    /// The next part of a file would have to be waited for.
    Cold,
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of memory that the queue holds.
    pub(crate) fn bytes(&self) -> usize {
        self.queued
    }

    /// Whether no further reply should be begun.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        !self.queue.is_empty() && self.is_queue_full()
    }

    fn is_queue_full(&self) -> bool {
        self.queued >= HIGH || self.queue.len() >= PIECES_MAX || self.files >= FILES_MAX
    }

    pub(crate) fn push(&mut self, bytes: Vec<u8>) {
        self.push_from(bytes, 0);
    }

    /// The bytes from there on; what lies before was written already.
    fn push_from(&mut self, bytes: Vec<u8>, from: usize) {
        let len = bytes.len().saturating_sub(from);
        if len > 0 {
            self.queued += len;
            self.pushed += len as u64;
            self.queue.push_back(Piece::Owned(bytes, from));
            self.queue.rotate_right(usize::from(mutant!("replies-swapped")));
        }
    }

    pub(crate) fn push_static(&mut self, bytes: &'static [u8]) {
        if !bytes.is_empty() {
            self.pushed += bytes.len() as u64;
            self.queue.push_back(Piece::Static(bytes));
        }
    }

    pub(crate) fn push_shared(&mut self, bytes: Arc<[u8]>) {
        let all = 0..bytes.len();
        self.push_slice(bytes, all);
    }

    /// Those of the bytes that are there.
    fn push_slice(&mut self, bytes: Arc<[u8]>, range: Range<usize>) {
        let Range { start, end } = range;
        let end = end.min(bytes.len());
        if start < end {
            self.pushed += (end - start) as u64;
            self.queue.push_back(Piece::Shared(bytes, start, end));
        }
    }

    pub(crate) fn push_part(&mut self, part: Part) {
        match part {
            Part::Static(bytes) => self.push_static(bytes),
            Part::Owned(bytes) => self.push(bytes),
            Part::Shared(bytes) => self.push_shared(bytes),
            Part::Slice(bytes, range) => self.push_slice(bytes, range),
            Part::File(span) => self.push_file(span),
        }
    }

    pub(crate) fn push_file(&mut self, span: FileSpan) {
        if span.len > 0 {
            self.pushed += span.len;
            self.files += 1;
            self.queue.push_back(Piece::File(span));
        }
    }

    /// Moves what was gathered behind what is queued, leaving `out` empty.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>) {
        if !out.is_empty() {
            let bytes = out.as_slice().to_vec();
            out.clear();
            self.push(bytes);
        }
    }

    /// Writes `out` while nothing is queued: how many bytes the socket took. The
    /// rest is queued; `out` is empty afterwards.
    ///
    /// # Errors
    /// The connection is broken.
    #[inline(always)]
    pub(crate) fn write_through<K: Socket>(
        &mut self,
        socket: &mut K,
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let taken = retry(|| socket.write(out))?;
        self.pushed += taken as u64;
        self.written += taken as u64;
        if taken < out.len() {
            let rest = out.get(taken..).unwrap_or(&[]).to_vec();
            self.push(rest);
        }
        out.clear();
        Ok(taken)
    }

    /// Writes `out` behind whatever is queued. What the socket doesn't take
    /// stays in the queue; `out` is empty afterwards.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn flush<K: Socket>(
        &mut self,
        socket: &mut K,
        out: &mut Vec<u8>,
        budget: &mut usize,
        mut resident: impl FnMut(&FileSpan) -> bool,
    ) -> io::Result<Flushed> {
        self.take(out);
        while let Some(front) = self.queue.front() {
            if *budget == 0 {
                return Ok(Flushed::Budget);
            }
            let taken = match front {
                Piece::File(span) => {
                    let mut len = span.len.min(*budget as u64);
                    match self.front {
                        Front::Warm(warm) => len = len.min(warm),
                        Front::Unknown if resident(&FileSpan { len, ..span.clone() }) => {}
                        _ => return Ok(Flushed::Cold),
                    }
                    // With these bytes the client would take it for whole.
                    if len == span.len && net::was_rewritten(&span.file) {
                        return Err(io::Error::other("a file was rewritten while it was sent"));
                    }
                    retry(|| match socket.send_file(&span.file.file, span.offset, len as usize) {
                        // Shorter than it was: what was promised can't be kept.
                        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                        other => other,
                    })?
                }
                _ => retry(|| self.write_pieces(socket, *budget))?,
            };
            if taken == 0 {
                return Ok(Flushed::Full);
            }
            *budget = budget.saturating_sub(taken.max(CALL));
            self.drop_front(taken);
        }
        Ok(Flushed::All)
    }

    /// One `writev` of the pieces in memory at the front.
    fn write_pieces<K: Socket>(&self, socket: &mut K, mut budget: usize) -> io::Result<usize> {
        let mut vector = [IoSlice::new(&[]); VECTOR];
        let mut count = 0;
        for (place, piece) in vector.iter_mut().zip(&self.queue) {
            let Some(bytes) = piece.bytes().filter(|_| budget > 0) else { break };
            let bytes = bytes.get(..budget).unwrap_or(bytes);
            *place = IoSlice::new(bytes);
            budget -= bytes.len();
            count += 1;
        }
        match vector.get(..count) {
            Some([one]) if matches!(self.queue.get(1), Some(Piece::File(_))) => {
                socket.write_before_file(one)
            }
            Some([one]) => socket.write(one),
            Some(some) => socket.write_vectored(some),
            None => Ok(0),
        }
    }

    /// Takes written bytes off the front.
    fn drop_front(&mut self, mut taken: usize) {
        self.written += taken as u64;
        while taken > 0 {
            let Some(front) = self.queue.front_mut() else { return };
            let left = front.len();
            let step = left.min(taken as u64);
            match front {
                Piece::Owned(_, at) => {
                    *at += step as usize;
                    self.queued -= step as usize;
                }
                Piece::Shared(_, at, _) => *at += step as usize,
                Piece::Static(bytes) => *bytes = bytes.get(step as usize..).unwrap_or(&[]),
                Piece::File(span) => {
                    span.offset += step;
                    span.len -= step;
                    self.front = match self.front {
                        Front::Warm(warm) if warm > step && step < left => Front::Warm(warm - step),
                        _ => Front::Unknown,
                    };
                    self.files -= usize::from(step == left);
                }
            }
            if step == left {
                self.queue.pop_front();
            }
            taken -= step as usize;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        if self.queue.capacity() > PIECES_MAX {
            self.queue = VecDeque::new();
        }
        self.queued = 0;
        self.files = 0;
        self.front = Front::Unknown;
        self.ahead = Ahead::default();
    }

    /// Counts anew, for another connection.
    #[inline]
    pub(crate) fn restart(&mut self) {
        self.pushed = 0;
        self.written = 0;
    }

    /// After a flush that left something: may the kernel take more at once?
    pub(crate) fn look_ahead<K: Socket>(&mut self, socket: &mut K, now: Tick) {
        if let Some(Piece::File(span)) = self.queue.front() {
            self.ahead.look(socket, self.written, span.len, now);
        }
    }

    /// Nothing is left: as before.
    pub(crate) fn look_near<K: Socket>(&mut self, socket: &mut K) {
        self.ahead.end(socket);
    }

    /// The part of a file that is to be sent next, cut to a slice, for a helper
    /// to fetch; `None` if one does already.
    pub(crate) fn begin_warming(&mut self) -> Option<FileSpan> {
        match self.queue.front()? {
            Piece::File(span) if self.front == Front::Unknown => {
                self.front = Front::Cold;
                Some(FileSpan { len: span.len.min(SLICE as u64), ..span.clone() })
            }
            _ => None,
        }
    }

    /// The helper has done what it could.
    pub(crate) fn warmed(&mut self) {
        if self.is_cold() {
            self.front = Front::Warm(SLICE as u64);
        }
    }

    /// Whether a helper is fetching what is to be sent next.
    pub(crate) fn is_cold(&self) -> bool {
        self.front == Front::Cold
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::File(span) => span.len,
            other => other.bytes().map_or(0, |b| b.len() as u64),
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Piece::Owned(bytes, at) => Some(bytes.get(*at..).unwrap_or(&[])),
            Piece::Static(bytes) => Some(bytes),
            Piece::Shared(bytes, at, end) => Some(bytes.get(*at..*end).unwrap_or(&[])),
            Piece::File(_) => None,
        }
    }
}

/// A full socket takes 0 bytes; an interrupted call is made again.
#[inline]
fn retry(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            other => return other,
        }
    }
}
