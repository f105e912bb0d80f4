//! CPU time and memory: of the generator's thread, and of the server's processes.

use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::time::Duration;

/// What the server's processes have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Resident memory, in bytes.
    pub(crate) rss: u64,
    /// The most that it was since the processes began, in bytes.
    pub(crate) rss_peak: u64,
}

/// From [`begin`](Window::begin) to [`end`](Window::end).
#[derive(Debug)]
pub(crate) struct Window {
    pids: Vec<u32>,
    begin: Option<(Duration, Usage)>,
    end: Option<(Duration, Usage)>,
}

impl Window {
    pub(crate) fn new(pids: &[u32]) -> Window {
        Window { pids: pids.to_vec(), begin: None, end: None }
    }

    /// The first call counts.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.begin.is_none() {
            self.begin = Some((thread_time(), usage(&self.pids)));
        }
    }

    pub(crate) fn end(&mut self) {
        if self.end.is_none() {
            self.end = Some((thread_time(), usage(&self.pids)));
        }
    }

    /// The thread's time, and what the server used, if that was asked for.
    pub(crate) fn usage(&self) -> (Duration, Option<Usage>) {
        let (Some((from, before)), Some((to, after))) = (self.begin, self.end) else {
            return (Duration::ZERO, None);
        };
        let server = Usage {
            user: after.user.saturating_sub(before.user),
            system: after.system.saturating_sub(before.system),
            ..after
        };
        (to.saturating_sub(from), (!self.pids.is_empty()).then_some(server))
    }
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What these processes have used so far; one that is gone counts as nothing.
fn usage(pids: &[u32]) -> Usage {
    let mut sum = Usage::default();
    for pid in pids {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let (user, system) = ticks(&read("stat").unwrap_or_default()).unwrap_or_default();
        sum.user += user;
        sum.system += system;
        let status = read("status").unwrap_or_default();
        sum.rss += memory(&status, "VmRSS:").unwrap_or(0);
        sum.rss_peak += memory(&status, "VmHWM:").unwrap_or(0);
    }
    sum
}

/// Whether there is such a process.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}/stat")).is_ok()
}

/// User and system time, of a line of `/proc/PID/stat`. Its unit is a hundredth of
/// a second on all architectures, whatever the kernel's own tick.
fn ticks(stat: &str) -> Option<(Duration, Duration)> {
    // The name is in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok().map(|n| Duration::from_millis(n * 10));
    Some((next()?, next()?))
}

/// Bytes, of a line of `/proc/PID/status`.
fn memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20 0 1 0";
        let (user, system) = ticks(stat).unwrap();
        assert_eq!((user.as_millis(), system.as_millis()), (2500, 310));
        assert_eq!(memory("VmHWM:\t   12 kB\nVmRSS:\t 9 kB\n", "VmRSS:"), Some(9216));
        assert_eq!((ticks(""), memory("", "VmRSS:")), (None, None));
    }

    #[test]
    fn this_process_uses_memory() {
        let own = std::process::id();
        assert!(is_alive(own) && usage(&[own]).rss > 0);
        assert_eq!(usage(&[u32::MAX]), Usage::default());
    }
}
