//! Every limit and every deadline, with its default and the reason for it.

use crate::error::Error;
use crate::http::{Forwarded, Networks};
use std::time::Duration;

/// What an engine allows: sizes in bytes, times as durations.
///
/// The defaults are meant for a service that faces the network. Change fields,
/// then hand it to the server, which checks it once at start.
///
/// ```
/// use onepoll::Config;
/// use std::time::Duration;
/// let config = Config { idle_timeout: Duration::from_secs(5), ..Config::default() };
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Sizes within a message.
    pub limits: Limits,

    /// From accept to the end of a TLS handshake, where there is one: 10 s, then
    /// it is closed. `first_timeout` begins at its end.
    pub handshake_timeout: Duration,
    /// From the first byte of a head to its end, however it trickles: 10 s, then 408.
    pub head_timeout: Duration,
    /// From accept to the first byte: 10 s, then a silent close (browsers preconnect).
    pub first_timeout: Duration,
    /// From the end of a reply to the first byte of the next request: 75 s, above
    /// the 60 s for which proxies keep their end. Then a silent close.
    pub idle_timeout: Duration,
    /// Without enough progress of a body that is read: 30 s, then 408. The time
    /// is a window: at its end the bytes that came within it are weighed against
    /// `body_rate`, and if they are enough the next window begins.
    pub body_timeout: Duration,
    /// The least progress of a body, in bytes per second: 500. 0 is satisfied
    /// with nothing at all.
    pub body_rate: u32,
    /// From a request's first byte, or its content's last if it has some, until
    /// its handler's jobs and sleeps are over: none. Then 503, and the job's
    /// result is dropped when it comes.
    pub work_timeout: Option<Duration>,
    /// How long a handler may hold the loop before it is blamed, in the log and in
    /// [`Watch::blamed`](crate::stats::Watch::blamed): never. A thread looks four times
    /// in that time, so that shorter holds may be missed and times are about right. 4 ms
    /// at least.
    pub blame: Option<Duration>,
    /// Without enough progress of a client that is sent something: 30 s, then
    /// the connection is cut. A window, as for `body_timeout`.
    pub write_timeout: Duration,
    /// The least progress of a client that is sent something, in bytes per
    /// second: 500.
    pub write_rate: u32,
    /// How long a closing connection is read from, so that no reset eats the
    /// reply: 2 s, and 64 KiB at most (RFC 9112 section 9.6).
    pub linger_timeout: Duration,

    /// Connections at once: 65,536, or fewer as the descriptor limit demands
    /// (the server raises the soft limit to the hard one and keeps 64 for itself).
    /// From nine tenths on, a new one makes the longest idle one leave.
    pub connections_max: usize,
    /// What happens to a client beyond that.
    pub overload: Overload,
    /// Bytes in all buffers of all connections together: 256 MiB. Above seven
    /// eighths nothing is read until some come back; the rest is for output.
    pub buffers_max: usize,
    /// Requests on one connection before it is closed: 10,000. The last reply
    /// says so.
    pub requests_per_connection: u32,

    /// Helper threads that are always there: 0, so that a server whose handlers
    /// never leave the loop has one thread.
    pub helpers_min: usize,
    /// Helper threads at most: 4; or one for each lane in use, if that is more.
    pub helpers_max: usize,
    /// Jobs that wait in the application's queue, and in the serial one: 1,024,
    /// then 503.
    pub helper_queue: usize,
    /// How long a server's end waits for its threads: 5 s.
    pub join_limit: Duration,
    /// How long an idle connection is kept open when the server drains, since
    /// a request may be on its way: 2 s.
    pub drain_idle: Duration,

    /// What clients of one address may take: no limit.
    pub per_address: PerAddress,
    /// Whose connections begin with a PROXY header (version 1 or 2): nobody's. From
    /// these addresses there must be one, in front of anything else, TLS as well, and
    /// the peer is whom it names; `LOCAL` and `UNKNOWN` leave the proxy's. It has
    /// `first_timeout` to come. From others it is no request, and answered 400.
    pub proxy_protocol: Networks,
    /// Proxies that are believed what they say of their clients: nobody.
    ///
    /// From them, `Request::peer`, `is_secure`, `scheme` and `authority` are the
    /// client's, as told in the fields that `forwarded` names, and so all that
    /// follows from them: logs, limits by address, `Secure` cookies. The list is
    /// walked from its right end, so that a client can't add to it. They may also
    /// name their requests (`middleware::RequestIds`).
    pub trusted: Networks,
    /// Which fields they say it in: `X-Forwarded-For`, `-Proto` and `-Host`.
    pub forwarded: Forwarded,

    /// Sent as `Server` (RFC 9110 section 10.2.4): `onepoll`; `None` for no such
    /// field.
    pub server_name: Option<String>,
}

/// What the clients of one address may take: an IPv4 address, or the /64 of an
/// IPv6 one, since that is what a household has at the least. It is checked when a
/// client is accepted, or, behind a proxy that speaks the PROXY protocol, when it is
/// known who it is.
///
/// A large office or a mobile network may share an address: some hundred
/// connections are not many for them. `Config::trusted` is exempt, as proxies come
/// for all their clients.
///
/// ```
/// use onepoll::Config;
/// use onepoll::PerAddress;
/// let per_address = PerAddress { connections_max: Some(200), ..PerAddress::default() };
/// let config = Config { per_address, ..Config::default() };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerAddress {
    /// Connections at once: no limit.
    pub connections_max: Option<u32>,
    /// New connections per second: no limit. So many may come at once.
    pub rate_max: Option<u32>,
    /// What happens to those beyond.
    pub turn_away: TurnAway,
    /// Who is not counted: nobody, but for [`Config::trusted`].
    pub exempt: Networks,
}

/// What happens to a client that is turned away for its address. The default is
/// [`TooManyRequests`](TurnAway::TooManyRequests).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TurnAway {
    /// It is told: `429`, and closed. For 64 at a time, which take a slot for that;
    /// more are closed without a word.
    #[default]
    TooManyRequests,
    /// The same with `503` and `Retry-After`.
    Unavailable,
    /// It is closed without a word: what costs least.
    Close,
}

/// Sizes within one message, in bytes or counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Request line and field lines together: 32 KiB, then 431. At most 65,535.
    pub head_max: usize,
    /// The request target: 8 KiB (RFC 9112 section 3 asks for 8,000 at least for
    /// the request line), then 414.
    pub target_max: usize,
    /// Field lines: 100, then 431.
    pub headers_max: usize,
    /// Chunk extensions over a whole body: 16 KiB, then 400 (RFC 9112 section
    /// 7.1.1 asks for a limit).
    pub chunk_ext_max: usize,
    /// The trailer section: 8 KiB, then 431.
    pub trailers_max: usize,
    /// Content that a route buffers: 1 MiB, then 413. An application, a scope or
    /// a route that says otherwise is right: [`App::body_max`](crate::App::body_max).
    pub body_max: u64,
    /// Content that nobody asked for and that is read and thrown away, to keep
    /// the connection: 64 KiB, framing included. What says that it is longer, or
    /// turns out so, closes the connection.
    pub discard_max: u64,
}

/// What happens to a client when `connections_max` is reached. The default is
/// [`Refuse`](Overload::Refuse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// It is told: `503` with `Retry-After`, and closed. For 64 at a time; more
    /// are closed without a word.
    Refuse,
    /// It waits in the kernel's queue until there is room.
    Pause,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            first_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            body_rate: 500,
            work_timeout: None,
            blame: None,
            write_timeout: Duration::from_secs(30),
            write_rate: 500,
            linger_timeout: Duration::from_secs(2),
            connections_max: 65_536,
            overload: Overload::Refuse,
            buffers_max: 256 << 20,
            requests_per_connection: 10_000,
            helpers_min: 0,
            helpers_max: 4,
            helper_queue: 1024,
            join_limit: Duration::from_secs(5),
            drain_idle: Duration::from_secs(2),
            per_address: PerAddress::default(),
            proxy_protocol: Networks::none(),
            trusted: Networks::none(),
            forwarded: Forwarded::X,
            server_name: Some("onepoll".to_owned()),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_max: 32 * 1024,
            target_max: 8 * 1024,
            headers_max: 100,
            chunk_ext_max: 16 * 1024,
            trailers_max: 8 * 1024,
            body_max: 1024 * 1024,
            discard_max: 64 * 1024,
        }
    }
}

impl Config {
    /// Whether the values make sense together. The server's start calls it.
    ///
    /// ```
    /// use onepoll::Config;
    /// let config = Config { helpers_min: 9, ..Config::default() };
    /// let error = config.check().unwrap_err();
    /// assert_eq!(error.to_string(), "configuration: helpers_min must be 0 to helpers_max");
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] names the field and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let wrong = |field, why: &str| Err(Error::Config { field, why: why.to_owned() });
        if limits.head_max < 64 || limits.head_max > usize::from(u16::MAX) {
            return wrong("limits.head_max", "must be 64 to 65,535 bytes");
        }
        if limits.target_max == 0 || limits.target_max > limits.head_max {
            return wrong("limits.target_max", "must be 1 byte to head_max");
        }
        if limits.headers_max == 0 || limits.headers_max > 4096 {
            return wrong("limits.headers_max", "must be 1 to 4,096 lines");
        }
        if self.connections_max == 0 || self.connections_max > 16_000_000 {
            return wrong("connections_max", "must be 1 to 16,000,000");
        }
        if self.buffers_max < 1 << 20 {
            return wrong("buffers_max", "must be at least 1 MiB");
        }
        if self.helpers_min > self.helpers_max {
            return wrong("helpers_min", "must be 0 to helpers_max");
        }
        if self.helpers_max == 0 || self.helpers_max > 1024 {
            return wrong("helpers_max", "must be 1 to 1,024 threads");
        }
        if self.per_address.rate_max.is_some_and(|rate| rate == 0 || rate > 1_000_000) {
            return wrong("per_address.rate_max", "must be 1 to 1,000,000 a second");
        }
        if self.requests_per_connection == 0 {
            return wrong("requests_per_connection", "must be at least 1");
        }
        let times = [
            ("handshake_timeout", self.handshake_timeout),
            ("head_timeout", self.head_timeout),
            ("first_timeout", self.first_timeout),
            ("idle_timeout", self.idle_timeout),
            ("body_timeout", self.body_timeout),
            ("write_timeout", self.write_timeout),
            ("linger_timeout", self.linger_timeout),
        ];
        for (field, time) in times {
            if time.is_zero() || time > Duration::from_secs(7 * 24 * 3600) {
                return wrong(field, "must be longer than 0 and at most a week");
            }
        }
        if self.blame.is_some_and(|time| time < Duration::from_millis(4)) {
            return wrong("blame", "must be at least 4 ms");
        }
        match &self.server_name {
            Some(name) if !crate::http::chars::is_field_value(name.as_bytes()) => {
                wrong("server_name", "must have no control byte")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_their_own_check() {
        assert!(Config::default().check().is_ok());
    }

    #[test]
    fn a_bad_value_is_named() {
        let config = Config { helpers_min: 9, ..Config::default() };
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("helpers_min"), "{error}");
    }
}
