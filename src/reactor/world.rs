//! All that lies outside the loop: clock, poll, sockets, helper threads.
//!
//! The reactor is generic over its world. The server gives it the real one;
//! the simulator gives it one made of scripts and a fake clock. Everything that
//! makes two runs differ passes through here.

use super::errand::Errand;
use crate::http::{FileSpan, Peer};
use crate::net::Socket;
use std::io;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant, SystemTime};

/// The outside, as the loop needs it.
///
/// All calls come from the loop's thread, and none but [`poll`](World::poll) may
/// wait. The simulator's twin is `sim::ScriptedWorld`.
pub trait World {
    /// A client's byte stream.
    type Socket: Socket;

    /// The time, for durations and deadlines. Read once a turn, after the poll.
    fn now(&mut self) -> Instant;

    /// The time, for dates. Read some times a second at most.
    fn wall(&mut self) -> SystemTime;

    /// Waits for readiness until the time is over (`None`: for ever), and
    /// tells what became ready.
    ///
    /// # Errors
    /// The poll itself failed; an interruption is no failure.
    fn poll(&mut self, wait: Option<Duration>, ready: impl FnMut(Ready)) -> io::Result<()>;

    /// Whether the moment at which a poll's wait is over is to be noted, for those who
    /// watch the loop.
    fn note_return(&mut self, noted: bool) {
        let _ = noted;
    }

    /// When the last poll's wait was over, if that was noted.
    fn returned(&self) -> Option<Instant> {
        None
    }

    /// How many listeners there are, closed ones included; they are numbered
    /// from 0, and the numbers stay.
    fn listeners(&self) -> usize;

    /// Takes the next client off a listener's queue.
    ///
    /// # Errors
    /// `WouldBlock` when nobody is waiting; else as the system says.
    fn accept(&mut self, listener: usize) -> io::Result<(Self::Socket, Peer)>;

    /// Stops listening: closes that listener.
    fn close_listener(&mut self, listener: usize);

    /// Watches a socket for both directions, edge-triggered, under this slot's
    /// number: [`Source::Slot`] will name it. Once for the socket's life; closing
    /// the socket ends the watch.
    ///
    /// # Errors
    /// As the system says.
    fn register(&mut self, socket: &mut Self::Socket, slot: u32) -> io::Result<()>;

    /// Whether that part of a file can be sent without waiting for a disk, as
    /// far as can be known.
    fn is_resident(&mut self, span: &FileSpan) -> bool;

    /// Stops watching a socket that leaves the loop alive.
    fn deregister(&mut self, socket: &mut Self::Socket);

    /// Gives work to a helper thread, in the errand's lane. It comes home by
    /// itself, through the inbox.
    ///
    /// # Errors
    /// The errand, if the lane's queue is full.
    fn submit(&mut self, errand: Errand) -> Result<(), Errand>;

    /// Starts a thread that frees the memory it is sent and ends with its sender.
    /// `None`, which is the default: it would be of no use with this allocator, or
    /// there is no thread to be had.
    fn sweeper(&mut self) -> Option<SyncSender<Vec<Vec<u8>>>> {
        None
    }
}

/// Something became ready: what [`World::poll`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What it is.
    pub source: Source,
    /// In which ways.
    pub bits: Bits,
}

/// What can become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The connection in this slot.
    Slot(u32),
    /// A listener: somebody is waiting.
    Listener(u32),
    /// The inbox: something came home.
    Inbox,
}

/// The ways in which a connection is ready, as a set. Bits stay set until a
/// call says `WouldBlock` (the poll is edge-triggered and won't repeat itself).
///
/// ```
/// use onepoll::reactor::Bits;
/// let mut bits = Bits::READABLE.and(Bits::WRITABLE);
/// bits.clear(Bits::READABLE);
/// assert!(bits.has(Bits::WRITABLE) && !bits.has(Bits::READABLE));
/// assert!(bits.any(Bits::READABLE.and(Bits::WRITABLE)));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Bits(u16);

impl Bits {
    /// There may be bytes to read, or the end of them.
    pub const READABLE: Bits = Bits(1);
    /// There may be room to write.
    pub const WRITABLE: Bits = Bits(2);
    /// The peer has half-closed: after the bytes that are there comes the end.
    pub const HALF_CLOSED: Bits = Bits(4);
    /// Both directions are over, or the connection is broken.
    pub const GONE: Bits = Bits(8);
    /// The end was read.
    pub(crate) const EOF: Bits = Bits(16);
    /// The connection stands in the run queue.
    pub(crate) const QUEUED: Bits = Bits(32);
    /// All input that was buffered has been looked at: only more can help.
    pub(crate) const STARVED: Bits = Bits(64);
    /// The connection stands in the idle list.
    pub(crate) const LISTED: Bits = Bits(128);
    /// It has had a request since it was put into the idle list.
    pub(crate) const TOUCHED: Bits = Bits(256);
    /// The connection waits for memory.
    pub(crate) const WAITING: Bits = Bits(512);
    /// A PROXY header must come before anything else.
    pub(crate) const PREAMBLE: Bits = Bits(1024);
    /// The connection counts among those of its peer's address.
    pub(crate) const COUNTED: Bits = Bits(2048);
    /// The connection is only there to be told that it may not come.
    pub(crate) const REBUFFED: Bits = Bits(4096);

    /// None of them.
    pub const NONE: Bits = Bits(0);

    /// Whether all of these are set.
    #[inline]
    pub fn has(self, bits: Bits) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// Whether any of these is set.
    #[inline]
    pub fn any(self, bits: Bits) -> bool {
        self.0 & bits.0 != 0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, bits: Bits) -> Bits {
        Bits(self.0 | bits.0)
    }

    /// Sets these as well.
    #[inline]
    pub fn set(&mut self, bits: Bits) {
        self.0 |= bits.0;
    }

    /// Clears these.
    #[inline]
    pub fn clear(&mut self, bits: Bits) {
        self.0 &= !bits.0;
    }

    /// The union, if the condition holds.
    #[must_use]
    pub fn with(self, bits: Bits, condition: bool) -> Bits {
        if condition { Bits(self.0 | bits.0) } else { self }
    }
}

impl std::fmt::Debug for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [
            "readable",
            "writable",
            "half-closed",
            "gone",
            "eof",
            "queued",
            "starved",
            "listed",
            "touched",
            "waiting",
        ];
        let set = names.iter().enumerate().filter(|(i, _)| self.0 & (1 << i) != 0);
        f.debug_set().entries(set.map(|(_, name)| name)).finish()
    }
}
