//! What a run has shown, in numbers.

use super::ErrorKind;
use hdrhistogram::Histogram;
use std::time::{Duration, SystemTime};

/// The result of a run. It displays as the table that `onepoll bench` prints.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The targets, as they were given.
    pub urls: Vec<String>,
    /// When the run began.
    pub began: SystemTime,
    /// How long it was measured.
    pub elapsed: Duration,
    /// How many connections there were to be.
    pub connections: usize,
    /// How many of them were open at the end.
    pub connections_open: usize,
    /// Threads of the generator.
    pub threads: usize,
    /// Requests under way on each connection.
    pub pipeline: usize,
    /// Requests a second that were to start; `None` in a closed loop.
    pub rate_intended: Option<f64>,
    /// Successes a second.
    pub rate: f64,
    /// Requests that were answered as expected. Those that started while it was
    /// measured, as all counts and latencies.
    pub ok: u64,
    /// Requests that were not, by kind; kinds that didn't occur are left out.
    pub errors: Vec<(ErrorKind, u64)>,
    /// Replies by status, expected or not.
    pub statuses: Vec<(u16, u64)>,
    /// Requests of an open loop that were due and never started, since no
    /// connection was free. Their latencies would have been the worst.
    pub missed: u64,
    /// Requests that were under way when the run was ended early.
    pub unfinished: u64,
    /// Bytes that were sent.
    pub sent_bytes: u64,
    /// Bytes that were received, heads included.
    pub received_bytes: u64,
    /// Connections that the server had ended between requests, and that were made
    /// again.
    pub reconnects: u64,
    /// Attempts to connect that failed, but for those that were made for a request:
    /// these are errors.
    pub connect_failures: u64,
    /// Requests that were sent again, since the server had announced the end of the
    /// connection in the reply to one before. No error.
    pub resent: u64,
    /// From the intended start of a request to the end of its reply, of successes.
    pub response: Latency,
    /// From the first byte sent to the end of the reply, of successes.
    pub service: Latency,
    /// How long it took to connect, from the first connection on.
    pub connect: Latency,
    /// The course of it, in some hundred intervals at most.
    pub intervals: Vec<Interval>,
    /// CPU time of the generator's threads.
    pub generator_cpu: Vec<Duration>,
    /// What the processes of the server used, if they were named.
    pub server: Option<ServerReport>,
    /// Connections beside the load.
    pub guests: GuestReport,
    /// Whether it was ended before its time.
    pub stopped: bool,
}

/// CPU time and memory of the server's processes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ServerReport {
    /// CPU time in their own code while it was measured.
    pub user: Duration,
    /// CPU time in the kernel. Both are known to 10 ms only.
    pub system: Duration,
    /// Resident memory at the end, in bytes.
    pub rss: u64,
    /// The most resident memory that they ever had, in bytes.
    pub rss_peak: u64,
}

/// What became of the connections beside the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuestReport {
    /// Idle ones that are open.
    pub idle_open: u64,
    /// Idle ones that the server has cut.
    pub idle_cut: u64,
    /// Slow readers that are open.
    pub slow_readers_open: u64,
    /// How often a slow reader was cut.
    pub slow_readers_cut: u64,
    /// Bytes that they took.
    pub slow_bytes: u64,
    /// Slow heads that are open.
    pub slowloris_open: u64,
    /// How often one was cut.
    pub slowloris_cut: u64,
    /// How often one of all these couldn't connect.
    pub failed: u64,
}

/// A distribution of times.
#[derive(Clone, Debug)]
pub struct Latency(pub(crate) Histogram<u64>);

/// What happened in a short time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Interval {
    /// When it began, after the measurement did.
    pub from: Duration,
    /// How long it is.
    pub length: Duration,
    /// Successes that were complete in it.
    pub ok: u64,
    /// Errors that happened in it.
    pub errors: u64,
    /// Bytes that were received in it.
    pub received_bytes: u64,
    /// Response times of its successes, to about 1 %.
    pub response: Latency,
}

/// A thread that was busy for longer than this was the limit, not the server.
const BUSY: f64 = 0.9;
/// A rate that is met to this share is met.
const RATE_MET: f64 = 0.99;

impl Latency {
    /// The time that `percent` of all didn't exceed; zero if there are none.
    ///
    /// Precise to 0.1 %.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_percentile(percent).min(self.0.max()))
    }

    /// The least.
    pub fn min(&self) -> Duration {
        Duration::from_nanos(if self.0.is_empty() { 0 } else { self.0.min() })
    }

    /// The greatest.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The average.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.0.mean() as u64)
    }

    /// The standard deviation.
    pub fn deviation(&self) -> Duration {
        Duration::from_nanos(self.0.stdev() as u64)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The histogram, of nanoseconds.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

impl Report {
    /// All errors.
    pub fn error_count(&self) -> u64 {
        self.errors.iter().map(|(_, count)| count).sum()
    }

    /// Errors of one kind.
    pub fn errors_of(&self, kind: ErrorKind) -> u64 {
        self.errors.iter().find(|(it, _)| *it == kind).map_or(0, |(_, count)| *count)
    }

    /// How busy the busiest thread of the generator was: 1 is all of a core.
    pub fn generator_busy(&self) -> f64 {
        let most = self.generator_cpu.iter().max().copied().unwrap_or_default();
        ratio(most.as_secs_f64(), self.elapsed.as_secs_f64())
    }

    /// CPU time of the server per request, successes and errors, in microseconds.
    pub fn server_cpu_us(&self) -> Option<f64> {
        let server = self.server?;
        let time = (server.user + server.system).as_secs_f64();
        let replies: u64 = self.statuses.iter().map(|(_, count)| count).sum();
        (replies > 0).then(|| time * 1e6 / replies as f64)
    }

    /// Received bytes a second.
    pub fn received_rate(&self) -> f64 {
        ratio(self.received_bytes as f64, self.elapsed.as_secs_f64())
    }

    /// What makes the numbers doubtful, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let busy = self.generator_busy();
        if busy > BUSY {
            warnings.push(format!(
                "the generator was busy {:.0} % of the time: it may have been the limit; use -t",
                busy * 100.0
            ));
        }
        if let Some(intended) = self.rate_intended {
            let errors = ratio(self.error_count() as f64, self.elapsed.as_secs_f64());
            if self.rate + errors < intended * RATE_MET && !self.stopped {
                warnings.push(format!(
                    "the rate was not met: {:.0} of {:.0} requests a second; {} never started, \
                     whose latencies are missing",
                    self.rate, intended, self.missed
                ));
            }
        }
        let open = self.connections_open;
        if open < self.connections && self.connect_failures > 0 {
            warnings.push(format!(
                "only {open} of {} connections were open at the end; {} attempts failed",
                self.connections, self.connect_failures
            ));
        }
        if self.ok == 0 {
            warnings.push("nothing succeeded".to_owned());
        }
        warnings
    }
}

/// A quotient, 0 if there is nothing to divide by.
pub(crate) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}
