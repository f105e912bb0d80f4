//! Counters of one reactor: written by its thread alone, read by any.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread changes and any thread reads.
///
/// The writer loads and stores, both relaxed: with one writer nothing is lost,
/// and it costs no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value as of about now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.value().wrapping_add(n), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// What a reactor has done since it began, and what it holds now (`open`,
/// `buffers`: as of its last turn). Values wrap at 2^64.
///
/// ```no_run
/// # fn main() -> Result<(), onepoll::Error> {
/// let server = onepoll::Server::bind("127.0.0.1:0")?.spawn(onepoll::App::new)?;
/// println!("{} requests", server.handle().stats().requests.value());
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Stats {
    /// Turns of the loop.
    pub turns: Counter,
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections open now.
    pub open: Counter,
    /// Connections refused for want of a slot, whether with a 503 or without.
    pub refused: Counter,
    /// Failed accepts, such as for want of descriptors.
    pub accept_errors: Counter,
    /// Requests whose head was read and that the service has begun.
    pub requests: Counter,
    /// Requests that broke the protocol or a limit of it, whether or not the
    /// application had begun with them.
    pub faults: Counter,
    /// Bytes read from clients.
    pub bytes_in: Counter,
    /// Bytes that sockets took.
    pub bytes_out: Counter,
    /// Deadlines that ended something: idle connections, late heads, content
    /// and work, clients that don't read, lingering that was not answered.
    pub timeouts: Counter,
    /// Replies that were cut: the client has a part of them or nothing.
    pub cuts: Counter,
    /// Idle connections closed to make room.
    pub shed: Counter,
    /// Jobs that found the helpers' queue full.
    pub jobs_refused: Counter,
    /// Bytes lent to connections as buffers now; see `Config::buffers_max`.
    pub buffers: Counter,
    /// Exchanges that came home after their connection had ended.
    pub strays: Counter,
}
