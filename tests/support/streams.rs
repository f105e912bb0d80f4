//! Sources and sinks of the fixture server.

use super::app::{Gate, Seen};
use super::pattern_byte;
use onepoll::http::{Pull, Request, Sink, Source, Wake};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// So many bytes of the pattern.
pub struct Pattern {
    pub at: u64,
    pub len: u64,
    pub seen: Arc<Seen>,
}

impl Source for Pattern {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let end = self.len.min(self.at + room as u64);
        out.extend((self.at..end).map(pattern_byte));
        self.at = end;
        self.seen.pulled.fetch_max(end, Ordering::Relaxed);
        Ok(if end == self.len { Pull::End } else { Pull::More })
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        self.seen.sources_dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// As `Pattern`, but made of whole copies: fast enough in debug builds for GiB.
pub struct Zeros {
    pub left: u64,
}

impl Source for Zeros {
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull> {
        let count = self.left.min(room as u64);
        out.resize(out.len() + count as usize, 0);
        self.left -= count;
        Ok(if self.left == 0 { Pull::End } else { Pull::More })
    }
}

/// A line now and then, for ever.
pub struct Ticks {
    pub pause: Duration,
    pub seen: Arc<Seen>,
}

impl Source for Ticks {
    fn pull(&mut self, out: &mut Vec<u8>, _room: usize) -> io::Result<Pull> {
        out.extend_from_slice(b"tick\n");
        Ok(Pull::After(self.pause))
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        self.seen.sources_dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// One line, then nothing until the gate opens and somebody wakes it.
pub struct Sleeper {
    pub begun: bool,
    pub gate: Gate,
    pub seen: Arc<Seen>,
}

impl Source for Sleeper {
    fn pull(&mut self, out: &mut Vec<u8>, _room: usize) -> io::Result<Pull> {
        if !self.begun {
            self.begun = true;
            out.extend_from_slice(b"first\n");
            return Ok(Pull::Pending);
        }
        if !self.gate.is_open() {
            return Ok(Pull::Pending);
        }
        out.extend_from_slice(b"last\n");
        Ok(Pull::End)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.seen.sources_dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// One line; the next keeps its helper until the gate opens.
pub struct Stuck {
    pub begun: bool,
    pub gate: Gate,
}

impl Source for Stuck {
    fn pull(&mut self, out: &mut Vec<u8>, _room: usize) -> io::Result<Pull> {
        out.extend_from_slice(b"line\n");
        if std::mem::replace(&mut self.begun, true) {
            self.gate.wait();
            return Ok(Pull::End);
        }
        Ok(Pull::More)
    }
}

/// A line, then nothing until the server leaves; it may then leave without a word.
pub struct Guest {
    pub begun: bool,
    pub left: bool,
    pub polite: bool,
}

impl Source for Guest {
    fn pull(&mut self, out: &mut Vec<u8>, _room: usize) -> io::Result<Pull> {
        if self.left {
            out.extend_from_slice(b"goodbye\n");
            return Ok(Pull::End);
        }
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(b"hello\n");
        }
        Ok(Pull::Pending)
    }

    fn leave(&mut self) -> bool {
        assert!(!std::mem::replace(&mut self.left, true), "told twice");
        self.polite
    }
}

/// Wakes a connection when the gate opens, from a thread of its own.
pub fn wake_when_open(gate: Gate, wake: Wake) {
    std::thread::spawn(move || {
        gate.wait();
        wake.wake();
    });
}

/// Gives some bytes, then more of them and fails.
pub struct Failing {
    pub begun: bool,
}

impl Source for Failing {
    fn pull(&mut self, out: &mut Vec<u8>, _room: usize) -> io::Result<Pull> {
        if self.begun {
            out.extend_from_slice(b"never to be seen");
            return Err(io::Error::other("the source fails, as it was told to"));
        }
        self.begun = true;
        out.extend_from_slice(b"so far so good\n");
        Ok(Pull::More)
    }
}

/// Counts what it takes and whether it is the pattern.
pub struct Checker {
    pub count: u64,
    pub whole: bool,
    /// Waits at this gate with each chunk.
    pub gate: Option<Gate>,
    /// Fails with this at the first chunk.
    pub fails: Option<io::ErrorKind>,
    pub seen: Arc<Seen>,
}

/// What a sink leaves for the handler.
pub struct Checked {
    pub count: u64,
    pub whole: bool,
}

impl Checker {
    pub fn new(seen: &Arc<Seen>) -> Checker {
        Checker { count: 0, whole: true, gate: None, fails: None, seen: Arc::clone(seen) }
    }
}

impl Sink for Checker {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        if let Some(gate) = &self.gate {
            gate.wait();
        }
        if let Some(kind) = self.fails {
            return Err(kind.into());
        }
        let expected = (self.count..).map(pattern_byte);
        self.whole &= chunk.iter().zip(expected).all(|(&got, expected)| got == expected);
        self.count += chunk.len() as u64;
        self.seen.sunk.store(self.count, Ordering::Relaxed);
        Ok(())
    }

    fn finish(&mut self, request: &mut Request) -> io::Result<()> {
        request.extend(Checked { count: self.count, whole: self.whole });
        self.seen.sinks_finished.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.seen.sinks_dropped.fetch_add(1, Ordering::Relaxed);
    }
}
