//! A timer that tells nanoseconds, as one more event of the poll.
//!
//! Poll's own time-out is in milliseconds, rounded up: a request that is due in
//! 50 microseconds would be a millisecond late.

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// A timer in a poll.
#[derive(Debug)]
pub(crate) struct Timer(OwnedFd);

impl Timer {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Timer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Timer(timer))
    }

    /// Makes it ring once, after this time. Edges are all that is asked for, so it
    /// need not be read.
    pub(crate) fn set(&self, ns: u64) {
        let ns = ns.max(1); // zero would be never
        let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
        let time = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: seconds, tv_nsec: (ns % 1_000_000_000) as _ },
        };
        if let Err(error) = timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &time) {
            log::debug!("the timer can't be set: {error}");
        }
    }
}
