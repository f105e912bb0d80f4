//! A stream that is compressed as it is pulled.
//!
//! ```text
//!   engine --pull--> Zipped --pull--> the source     until it has nothing more at
//!                      |                             hand, or there is enough
//!                      |  More            what is ready, if anything
//!                      |  Pending, After  the same, and a flush: it can all be read
//!                      |  End             the trailer
//!                      '- an error        nothing: the client sees no end
//! ```

use super::nth;
use crate::codec::Encoder;
use crate::http::accept::Coding;
use crate::http::{Body, Pull, Source};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is compressed in a pull on the loop, in bytes.
const INLINE: usize = 16 * 1024;
/// The pause after such a pull, if there is more: the others' turn. So one stream
/// goes at 16 MB/s, and takes about a tenth of the loop's time for that.
const PAUSE: Duration = Duration::from_millis(1);

/// The source's content, compressed.
pub(super) struct Zipped {
    source: Box<dyn Source>,
    stage: Stage,
    /// What is still to come, if a length was promised. The engine can't know,
    /// as what it gets is of another length.
    left: Option<u64>,
    place: Place,
    /// Given back when this is dropped.
    _permit: Permit,
}

enum Stage {
    /// Not before the first pull: the reply to a `HEAD` is never pulled.
    Due {
        coding: Coding,
        level: u32,
    },
    /// Nothing went in since the last flush, which would be a few bytes for nothing.
    Flushed(Box<Encoder>),
    Busy(Box<Encoder>),
    Ended,
}

/// Whose time it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Loop,
    Helper,
}

impl Zipped {
    /// To be pulled by helpers. `len` is what the source promises, in bytes.
    pub(super) fn new(
        source: Box<dyn Source>,
        len: Option<u64>,
        (coding, level): (Coding, u32),
        permit: Permit,
    ) -> Zipped {
        let stage = Stage::Due { coding, level };
        Zipped { source, stage, left: len, place: Place::Helper, _permit: permit }
    }

    /// The same to be pulled on the loop, with less at a time.
    pub(super) fn on_the_loop(self) -> Zipped {
        Zipped { place: Place::Loop, ..self }
    }

    /// Pulls until there is enough or the source wants to be left alone.
    fn gather(&mut self, raw: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        loop {
            let before = raw.len();
            let pull = self.source.pull(raw, room - before)?;
            let more = raw.len() - before;
            if let Some(left) = &mut self.left {
                let rest = left.checked_sub(more as u64);
                *left = rest.ok_or_else(|| broken("is longer than was said"))?;
            }
            // Nothing, but more to come: the source may be lost in thought.
            if pull != Pull::More || raw.len() >= room || more == 0 {
                return Ok(pull);
            }
        }
    }

    fn push(&mut self, raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if raw.is_empty() {
            return Ok(());
        }
        let mut encoder = self.stage.take()?;
        encoder.push(raw, out)?;
        self.stage = Stage::Busy(encoder);
        Ok(())
    }

    /// Everything that went in comes out.
    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Busy(mut encoder) => {
                encoder.flush(out)?;
                Stage::Flushed(encoder)
            }
            idle => idle,
        };
        Ok(())
    }
}

impl Stage {
    /// The encoder itself, made now if it wasn't yet.
    fn take(&mut self) -> io::Result<Box<Encoder>> {
        match std::mem::replace(self, Stage::Ended) {
            Stage::Due { coding, level } => Encoder::new(coding, level).map(Box::new),
            Stage::Flushed(encoder) | Stage::Busy(encoder) => Ok(encoder),
            Stage::Ended => Err(broken("is pulled after its end")),
        }
    }
}

impl Source for Zipped {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let room = match self.place {
            Place::Loop => room.min(INLINE),
            Place::Helper => room,
        };
        let mut raw = Vec::new();
        let pull = self.gather(&mut raw, room)?;
        self.push(&raw, out)?;
        match pull {
            Pull::More if self.place == Place::Loop => return Ok(Pull::After(PAUSE)),
            Pull::More => {}
            Pull::Pending | Pull::After(_) => self.flush(out)?,
            Pull::End if self.left.is_some_and(|left| left > 0) => {
                return Err(broken("is shorter than was said"));
            }
            Pull::End => self.stage.take()?.end(out)?,
        }
        Ok(pull)
    }

    fn leave(&mut self) -> bool {
        self.source.leave()
    }
}

fn broken(how: &str) -> io::Error {
    io::Error::other(format!("the content {how}"))
}

/// Content in memory, a piece at a time.
pub(super) struct InMemory {
    body: Body,
    /// Which of its pieces, and how far into it.
    piece: usize,
    at: usize,
}

impl InMemory {
    pub(super) fn new(body: Body) -> InMemory {
        InMemory { body, piece: 0, at: 0 }
    }
}

impl Source for InMemory {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let Some(piece) = nth(&self.body, self.piece) else { return Ok(Pull::End) };
        let rest = piece.get(self.at..).unwrap_or(&[]);
        let some = rest.get(..room).unwrap_or(rest);
        out.extend_from_slice(some);
        self.at += some.len();
        if some.len() == rest.len() {
            (self.piece, self.at) = (self.piece + 1, 0);
        }
        Ok(Pull::More)
    }
}

/// How many encoders there may be, and are.
#[derive(Debug)]
pub(super) struct Permits {
    max: usize,
    taken: Arc<AtomicUsize>,
}

/// The right to one encoder of that weight, until it is dropped, on whatever thread.
pub(super) struct Permit(Arc<AtomicUsize>, usize);

impl Permits {
    pub(super) fn new(max: usize) -> Permits {
        Permits { max, taken: Arc::default() }
    }

    /// One more, if there is room for it. Only the loop takes, so that between the look and
    /// the taking there can only be fewer.
    pub(super) fn take(&self, weight: usize) -> Option<Permit> {
        if self.taken.load(Ordering::Relaxed).saturating_add(weight) > self.max {
            return None;
        }
        self.taken.fetch_add(weight, Ordering::Relaxed);
        Some(Permit(self.taken.clone(), weight))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}
