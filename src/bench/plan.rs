//! What is to be done to a server: a [`Plan`], built step by step.

use super::url::Url;
use crate::error::Error;
use crate::http::chars::{TOKEN, VALUE, is};
use std::time::Duration;

/// A load and the rules by which replies are judged.
///
/// ```
/// use onepoll::bench::{Arrivals, Plan};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), onepoll::Error> {
/// let plan = Plan::new("http://127.0.0.1:8080/plaintext")?
///     .connections(64)
///     .rate(20_000.0, Arrivals::Poisson)
///     .duration(Duration::from_secs(30))
///     .expect_status(200, 200);
/// # let _ = plan;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    pub(crate) urls: Vec<Url>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) pipeline: usize,
    pub(crate) load: Load,
    pub(crate) limit: Limit,
    pub(crate) warm: Option<Duration>,
    pub(crate) ramp: Duration,
    pub(crate) timeout: Duration,
    pub(crate) connect_each: bool,
    pub(crate) method: Option<String>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) expect: Expect,
    pub(crate) guests: Guests,
    pub(crate) pids: Vec<u32>,
    pub(crate) seed: u64,
}

/// What starts a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Load {
    /// The reply to the one before.
    Closed,
    /// The time: so many a second, whatever the server does.
    Open { rate: f64, arrivals: Arrivals },
}

/// How the requests of an open loop are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    Uniform,
    /// Independent of each other, as those of many users are.
    Poisson,
}

/// What ends the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Time(Duration),
    Count(u64),
}

/// What a reply must be to count as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expect {
    /// Ranges, ends included; none: 200 to 399.
    pub(crate) statuses: Vec<(u16, u16)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) length: Option<u64>,
}

/// Connections that are there beside the load, and not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guests {
    pub(crate) idle: usize,
    pub(crate) slow_readers: usize,
    /// Bytes a second that each slow reader takes.
    pub(crate) slow_rate: u32,
    pub(crate) slowloris: usize,
}

/// More connections than this have no ports to come from.
const CONNECTIONS_MAX: usize = 1_000_000;
const THREADS_MAX: usize = 256;
/// Requests under way on one connection.
const PIPELINE_MAX: usize = 10_000;
/// A content that is sent again and again is kept in memory once.
const BODY_MAX: usize = 1 << 30;
/// Requests a second: one a nanosecond.
const RATE_MAX: f64 = 1e9;
/// What histograms can hold.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
/// Not measured at the beginning, if there is time for it: connections are new,
/// caches cold.
const WARM: Duration = Duration::from_millis(500);

impl Plan {
    /// A closed loop of 50 connections in one thread for 10 seconds: see the
    /// methods. Targets are `http://host[:port][/target]` or
    /// `unix:/path/of/socket:/target`.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no such URL.
    pub fn new(url: &str) -> Result<Plan, Error> {
        let plan = Plan {
            urls: Vec::new(),
            connections: 50,
            threads: 1,
            pipeline: 1,
            load: Load::Closed,
            limit: Limit::Time(Duration::from_secs(10)),
            warm: None,
            ramp: Duration::ZERO,
            timeout: Duration::from_secs(10),
            connect_each: false,
            method: None,
            fields: Vec::new(),
            body: Vec::new(),
            expect: Expect::default(),
            guests: Guests { slow_rate: 1024, ..Guests::default() },
            pids: Vec::new(),
            seed: 1,
        };
        plan.and(url)
    }

    /// One more target, `URL*3` to have it three times as often as one without.
    /// Each connection belongs to one server; with several servers the connections
    /// are shared out by weight as well.
    ///
    /// # Errors
    /// As [`new`](Plan::new).
    pub fn and(mut self, url: &str) -> Result<Plan, Error> {
        let parsed = Url::parse(url);
        let wrong = |why| Error::Config { field: "URL", why: format!("{url:?}: {why}") };
        self.urls.push(parsed.map_err(wrong)?);
        Ok(self)
    }

    /// Connections, in all threads together. Default: 50.
    pub fn connections(mut self, count: usize) -> Plan {
        self.connections = count;
        self
    }

    /// Threads; one is enough for some 100,000 requests a second. Default: 1.
    pub fn threads(mut self, count: usize) -> Plan {
        self.threads = count;
        self
    }

    /// Requests under way on each connection at once. Default: 1.
    pub fn pipeline(mut self, depth: usize) -> Plan {
        self.pipeline = depth;
        self
    }

    /// An open loop: requests a second that start when it is time, not when the
    /// server is ready. Without it the loop is closed.
    pub fn rate(mut self, per_second: f64, arrivals: Arrivals) -> Plan {
        self.load = Load::Open { rate: per_second, arrivals };
        self
    }

    /// How long to measure. Default: 10 s.
    pub fn duration(mut self, time: Duration) -> Plan {
        self.limit = Limit::Time(time);
        self
    }

    /// How many requests to measure, instead of how long.
    pub fn requests(mut self, count: u64) -> Plan {
        self.limit = Limit::Count(count);
        self
    }

    /// Load before the measurement, left out of it. Default: 0.5 s, and none if
    /// [`requests`](Plan::requests) are counted.
    pub fn warm(mut self, time: Duration) -> Plan {
        self.warm = Some(time);
        self
    }

    /// Opens the connections one by one over this time, before the warm-up; else
    /// they are all open before the first request. Default: zero.
    pub fn ramp(mut self, time: Duration) -> Plan {
        self.ramp = time;
        self
    }

    /// A reply, or a connection, that takes longer is an error. Default: 10 s.
    pub fn timeout(mut self, time: Duration) -> Plan {
        self.timeout = time;
        self
    }

    /// A connection for each request.
    pub fn connect_each(mut self) -> Plan {
        self.connect_each = true;
        self
    }

    /// The method. Default: GET, or POST with a body.
    pub fn method(mut self, method: &str) -> Plan {
        self.method = Some(method.to_owned());
        self
    }

    /// One more header field. `Host` replaces the one of the URL.
    pub fn header(mut self, name: &str, value: &str) -> Plan {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Content for each request.
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> Plan {
        self.body = content.into();
        self
    }

    /// A status from `first` to `last` counts as a success; may be called several
    /// times. Default: 200 to 399.
    pub fn expect_status(mut self, first: u16, last: u16) -> Plan {
        self.expect.statuses.push((first, last));
        self
    }

    /// Replies with another content than exactly this are errors.
    pub fn expect_body(mut self, content: impl Into<Vec<u8>>) -> Plan {
        self.expect.body = Some(content.into());
        self
    }

    /// Replies with another length of content are errors.
    pub fn expect_length(mut self, bytes: u64) -> Plan {
        self.expect.length = Some(bytes);
        self
    }

    /// Connections besides that send nothing.
    pub fn idle(mut self, count: usize) -> Plan {
        self.guests.idle = count;
        self
    }

    /// Connections besides that ask for the first target and take so many bytes
    /// of the reply a second, again and again.
    pub fn slow_readers(mut self, count: usize, bytes_per_second: u32) -> Plan {
        self.guests.slow_readers = count;
        self.guests.slow_rate = bytes_per_second;
        self
    }

    /// Connections besides that send a head without end, a byte a second
    /// ("slowloris"). One that is cut comes again.
    pub fn slowloris(mut self, count: usize) -> Plan {
        self.guests.slowloris = count;
        self
    }

    /// A process of the server, on this machine: its CPU time and memory go into
    /// the report.
    pub fn pid(mut self, pid: u32) -> Plan {
        self.pids.push(pid);
        self
    }

    /// For all that is drawn by lot: two runs with the same seed draw the same.
    pub fn seed(mut self, seed: u64) -> Plan {
        self.seed = seed;
        self
    }

    pub(crate) fn warm_time(&self) -> Duration {
        self.warm.unwrap_or(match self.limit {
            Limit::Time(_) => WARM,
            Limit::Count(_) => Duration::ZERO,
        })
    }

    pub(crate) fn method_name(&self) -> &str {
        let default = if self.body.is_empty() { "GET" } else { "POST" };
        self.method.as_deref().unwrap_or(default)
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`Error::Config`]: what doesn't.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |field, why: &str| Err(Error::Config { field, why: why.to_owned() });
        if !(1..=CONNECTIONS_MAX).contains(&self.connections) {
            return fail("connections", "must be 1 to 1000000");
        }
        if self.threads == 0 || self.threads > THREADS_MAX.min(self.connections) {
            return fail("threads", "must be 1 to 256, and at most one for each connection");
        }
        if !(1..=PIPELINE_MAX).contains(&self.pipeline) {
            return fail("pipeline", "must be 1 to 10000");
        }
        if self.connect_each && self.pipeline > 1 {
            return fail("pipeline", "needs connections that stay");
        }
        if let Load::Open { rate, .. } = self.load
            && !(rate > 0.0 && rate <= RATE_MAX)
        {
            return fail("rate", "must be more than 0 and at most 1e9 a second");
        }
        if matches!(self.limit, Limit::Time(Duration::ZERO) | Limit::Count(0)) {
            return fail("duration", "or number of requests must not be 0");
        }
        if self.timeout.is_zero() || self.timeout > TIMEOUT_MAX {
            return fail("timeout", "must be more than 0 and at most an hour");
        }
        if self.body.len() > BODY_MAX {
            return fail("body", "must be at most 1 GiB");
        }
        if self.guests.slow_rate == 0 {
            return fail("slow readers", "must take at least a byte a second");
        }
        self.check_request()
    }

    fn check_request(&self) -> Result<(), Error> {
        let fail = |field, why: String| Err(Error::Config { field, why });
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| is(byte, TOKEN));
        if !is_token(self.method_name()) {
            return fail("method", format!("{:?} is none", self.method_name()));
        }
        for (name, value) in &self.fields {
            if !is_token(name) || !value.bytes().all(|byte| is(byte, VALUE)) {
                return fail("header", format!("{name:?}: {value:?} is no field"));
            }
            let framing = ["content-length", "transfer-encoding"];
            if framing.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
                return fail("header", format!("{name} follows from the body"));
            }
        }
        if let Some(url) = self.urls.iter().find(|url| url.tls) {
            return fail("URL", format!("https://{}: there is no TLS yet", url.authority));
        }
        Ok(())
    }
}

impl Expect {
    /// Whether a reply with this status can be a success.
    pub(crate) fn has_status(&self, status: u16) -> bool {
        match self.statuses.as_slice() {
            [] => (200..400).contains(&status),
            ranges => ranges.iter().any(|(first, last)| (*first..=*last).contains(&status)),
        }
    }
}
