//! What one thread counts, and the slices of time that it reports meanwhile.

use hdrhistogram::Histogram;
use std::io;

/// Why a request didn't succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection was refused.
    Refused,
    /// The connection couldn't be made for another reason.
    Connect,
    /// The connection was reset.
    Reset,
    /// The server ended the connection instead of replying.
    Closed,
    /// The server ended the connection within a reply.
    Short,
    /// What came is no HTTP/1 reply, or more than was asked for.
    Malformed,
    /// Another status than was expected.
    Status,
    /// Another content than was expected.
    Body,
    /// No reply, or no connection, in time.
    Timeout,
    /// Something else that the system said.
    Io,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [ErrorKind; 10] = [
        ErrorKind::Refused,
        ErrorKind::Connect,
        ErrorKind::Reset,
        ErrorKind::Closed,
        ErrorKind::Short,
        ErrorKind::Malformed,
        ErrorKind::Status,
        ErrorKind::Body,
        ErrorKind::Timeout,
        ErrorKind::Io,
    ];

    /// One word: `refused`, `timeout`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Refused => "refused",
            ErrorKind::Connect => "connect",
            ErrorKind::Reset => "reset",
            ErrorKind::Closed => "closed",
            ErrorKind::Short => "short",
            ErrorKind::Malformed => "malformed",
            ErrorKind::Status => "status",
            ErrorKind::Body => "body",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Io => "io",
        }
    }

    /// What the system says of a connection that is there.
    pub(crate) fn of(error: &io::Error) -> ErrorKind {
        use io::ErrorKind as Io;
        match error.kind() {
            Io::ConnectionReset | Io::BrokenPipe | Io::ConnectionAborted => ErrorKind::Reset,
            Io::ConnectionRefused => ErrorKind::Refused,
            Io::TimedOut => ErrorKind::Timeout,
            _ => ErrorKind::Io,
        }
    }

    /// What it says of one that was to be made.
    pub(crate) fn of_connect(error: &io::Error) -> ErrorKind {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => ErrorKind::Refused,
            io::ErrorKind::TimedOut => ErrorKind::Timeout,
            _ => ErrorKind::Connect,
        }
    }
}

/// Nanoseconds, to an hour.
const LATENCY_MAX: u64 = 3_600_000_000_000;
/// Statuses have three digits.
const STATUSES: usize = 1000;
/// How often threads report, in nanoseconds.
pub(crate) const SLICE_NS: u64 = 100_000_000;

/// A histogram of nanoseconds with that many significant digits.
pub(crate) fn histogram(digits: u8) -> Histogram<u64> {
    let made = Histogram::new_with_bounds(1, LATENCY_MAX, digits);
    // ok: the bounds are constants that it takes, and digits are 2 or 3.
    made.expect("the bounds make sense")
}

/// All that was counted since the measurement began.
#[derive(Debug)]
pub(crate) struct Tally {
    /// From the intended start to the last byte.
    pub(crate) response: Histogram<u64>,
    /// From the first byte that was sent to the last byte.
    pub(crate) service: Histogram<u64>,
    pub(crate) connect: Histogram<u64>,
    pub(crate) ok: u64,
    pub(crate) errors: [u64; ErrorKind::ALL.len()],
    /// Replies by status, also those that were not expected.
    pub(crate) statuses: Vec<u64>,
    /// Replies that came while it was measured, whenever they were asked for.
    pub(crate) in_window: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    /// Sent and received while it was measured.
    pub(crate) window_bytes: (u64, u64),
    /// Connections that were made again, since the server had ended them.
    pub(crate) reconnects: u64,
    /// Attempts to connect that failed, and that were made for no request.
    pub(crate) connect_failures: u64,
    /// Requests sent again, since the server had announced the end.
    pub(crate) resent: u64,
    /// When the last success was complete.
    pub(crate) last: u64,
    pub(crate) slice: Slice,
}

/// Counts of a short time, with what was not measured.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// The time, in units of [`SLICE_NS`].
    pub(crate) index: u64,
    pub(crate) ok: u64,
    pub(crate) errors: u64,
    pub(crate) received_bytes: u64,
    pub(crate) response: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            response: histogram(3),
            service: histogram(3),
            connect: histogram(3),
            ok: 0,
            errors: [0; ErrorKind::ALL.len()],
            statuses: vec![0; STATUSES],
            in_window: 0,
            sent_bytes: 0,
            received_bytes: 0,
            window_bytes: (0, 0),
            reconnects: 0,
            connect_failures: 0,
            resent: 0,
            last: 0,
            slice: Slice::new(0),
        }
    }

    #[inline]
    pub(crate) fn success(&mut self, intended: u64, sent: u64, now: u64) {
        self.ok += 1;
        self.last = now;
        self.response.saturating_record(now.saturating_sub(intended));
        self.service.saturating_record(now.saturating_sub(sent));
    }

    pub(crate) fn error(&mut self, kind: ErrorKind) {
        if let Some(count) = self.errors.get_mut(kind as usize) {
            *count += 1;
        }
    }

    #[inline]
    pub(crate) fn status(&mut self, status: u16) {
        if let Some(count) = self.statuses.get_mut(usize::from(status)) {
            *count += 1;
        }
    }

    /// Fixes the bytes as those since then. What comes later is not counted.
    pub(crate) fn bytes_since(&mut self, then: Option<(u64, u64)>) {
        let (sent, received) = then.unwrap_or((self.sent_bytes, self.received_bytes));
        self.window_bytes = (self.sent_bytes - sent, self.received_bytes - received);
    }

    /// Adds what another thread has counted.
    pub(crate) fn add(&mut self, other: &Tally) {
        // All have the same bounds, so there is nothing that can't be added.
        let _ = self.response.add(&other.response);
        let _ = self.service.add(&other.service);
        let _ = self.connect.add(&other.connect);
        self.ok += other.ok;
        for (sum, count) in self.errors.iter_mut().zip(&other.errors) {
            *sum += count;
        }
        for (sum, count) in self.statuses.iter_mut().zip(&other.statuses) {
            *sum += count;
        }
        self.in_window += other.in_window;
        self.window_bytes.0 += other.window_bytes.0;
        self.window_bytes.1 += other.window_bytes.1;
        self.reconnects += other.reconnects;
        self.connect_failures += other.connect_failures;
        self.resent += other.resent;
        self.last = self.last.max(other.last);
    }
}

impl Slice {
    pub(crate) fn new(index: u64) -> Slice {
        // Two digits: there may be hundreds of slices.
        Slice { index, ok: 0, errors: 0, received_bytes: 0, response: histogram(2) }
    }

    pub(crate) fn add(&mut self, other: &Slice) {
        self.ok += other.ok;
        self.errors += other.errors;
        self.received_bytes += other.received_bytes;
        let _ = self.response.add(&other.response);
    }
}
