//! What systemd is told: ready, stopping, reloading, and that the loops turn.
//!
//! The protocol (`sd_notify(3)`) is a datagram with lines `NAME=value` to the socket
//! that `$NOTIFY_SOCKET` names. The watchdog's message is sent from the loops
//! themselves, so that it says what it is meant to: a loop that hangs in a handler
//! doesn't turn, and after `WatchdogSec` systemd starts the service again.
//!
//! ```text
//!   loop 0 --idle--> pulse --.
//!   loop 1 --idle--> pulse --+--> all have beaten lately? --> WATCHDOG=1
//! ```

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The way to the supervisor, if there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Notify(Option<Arc<UnixDatagram>>);

/// Watches that all loops turn.
#[derive(Debug)]
pub(super) struct Watchdog {
    notify: Notify,
    /// How often each loop beats: four times in the time that systemd allows.
    every: Duration,
    epoch: Instant,
    /// When each loop beat last, in milliseconds since the epoch.
    beats: Box<[AtomicU64]>,
    /// When systemd was told last.
    told: AtomicU64,
}

/// One loop's part in it.
#[derive(Debug)]
pub(super) struct Pulse {
    dog: Arc<Watchdog>,
    seat: usize,
    due: Option<Instant>,
}

impl Notify {
    /// As the environment says.
    pub(super) fn from_environment() -> Notify {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Notify(None);
        };
        match connect(&name) {
            Ok(socket) => Notify(Some(Arc::new(socket))),
            Err(error) => {
                log::warn!("NOTIFY_SOCKET: {}: {error}: left out", name.display());
                Notify(None)
            }
        }
    }

    /// Tells it; who doesn't listen misses it. It never waits.
    pub(super) fn tell(&self, text: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(text.as_bytes())
        {
            log::debug!("the supervisor can't be told {text:?}: {error}");
        }
    }

    /// Says that settings are being read. systemd wants to know since when, for
    /// `Type=notify-reload`.
    pub(super) fn reloading(&self) {
        if self.0.is_some() {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec / 1000);
            self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
        }
    }

    /// A watchdog for so many loops, if systemd wants one of this process.
    pub(super) fn watchdog(&self, loops: usize) -> Option<Arc<Watchdog>> {
        self.0.as_ref()?;
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let pid = number("WATCHDOG_PID");
        if pid.is_some_and(|pid| pid != u64::from(std::process::id())) {
            return None;
        }
        let allowed = Duration::from_micros(number("WATCHDOG_USEC").filter(|time| *time > 0)?);
        Some(Arc::new(Watchdog::new(self.clone(), allowed, loops, Instant::now())))
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes() {
        [b'/', ..] => socket.connect(name)?,
        [b'@', rest @ ..] => socket.connect_addr(&abstract_name(rest)?)?,
        _ => return Err(io::Error::other("expected a path or a name that begins with @")),
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Watchdog {
    fn new(notify: Notify, allowed: Duration, loops: usize, now: Instant) -> Watchdog {
        Watchdog {
            notify,
            every: (allowed / 4).max(Duration::from_millis(1)),
            epoch: now,
            beats: (0..loops).map(|_| AtomicU64::new(0)).collect(),
            told: AtomicU64::new(0),
        }
    }

    /// The part of one of the loops.
    pub(super) fn pulse(self: &Arc<Watchdog>, seat: usize) -> Pulse {
        Pulse { dog: Arc::clone(self), seat, due: None }
    }

    /// A loop turns. Whether that makes it time to tell, and all loops do.
    fn beat(&self, seat: usize, now: Instant) -> bool {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (now, every) = (ms(now.saturating_duration_since(self.epoch)), ms(self.every));
        if let Some(beat) = self.beats.get(seat) {
            beat.store(now, Ordering::Relaxed);
        }
        let is_late =
            |beat: &AtomicU64| now.saturating_sub(beat.load(Ordering::Relaxed)) > 2 * every;
        let told = self.told.load(Ordering::Relaxed);
        // Not each loop's every beat; the first is told at once.
        if (told > 0 && now < told + every / 2) || self.beats.iter().any(is_late) {
            return false;
        }
        let order = Ordering::Relaxed;
        self.told.compare_exchange(told, now.max(1), order, order).is_ok()
    }
}

impl Pulse {
    /// Once a turn. Says when it must be called again.
    pub(super) fn idle(&mut self, now: Instant) -> Instant {
        if let Some(due) = self.due.filter(|due| now < *due) {
            return due;
        }
        if self.dog.beat(self.seat, now) {
            self.dog.notify.tell("WATCHDOG=1");
        }
        let due = now + self.dog.every;
        self.due = Some(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told_only_while_all_loops_turn() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let dog = Watchdog::new(Notify(None), Duration::from_secs(4), 2, start);
        let steps = [
            (0, 0, true),   // the first beat
            (1, 10, false), // just told
            (0, 1000, true),
            (1, 1010, false),
            (0, 2000, true),
            (0, 3000, true), // the other is late, but not too late
            (0, 3020, false),
            (0, 4000, false), // now it is
            (0, 9000, false),
            (1, 9010, true), // and there it is again
            (7, 9020, false),
        ];
        for (seat, ms, told) in steps {
            assert_eq!(dog.beat(seat, at(ms)), told, "loop {seat} at {ms}");
        }
    }

    #[test]
    fn messages_go_to_paths_and_abstract_names() {
        let path = std::env::temp_dir().join(format!("onepoll-notify-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        Notify(Some(Arc::new(connect(path.as_os_str()).unwrap()))).tell("READY=1");
        let mut buffer = [0; 100];
        let read = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"READY=1");
        std::fs::remove_file(&path).unwrap();
        assert!(connect(path.as_os_str()).is_err());
        assert!(connect(OsStr::new("relative")).is_err());
        let name = format!("onepoll-notify-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&abstract_name(name.as_bytes()).unwrap()).unwrap();
        Notify(Some(Arc::new(connect(OsStr::new(&format!("@{name}"))).unwrap()))).reloading();
        let read = socket.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..read]).unwrap();
        let micros = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0);
    }
}
