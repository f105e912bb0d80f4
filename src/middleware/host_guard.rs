//! Which hosts a server answers for.
//!
//! A name that somebody else points at our address (by accident, or to have a
//! visitor's browser take our pages for theirs: DNS rebinding) gets nothing.

use crate::app::{Flow, Middleware, Reject};
use crate::error::Error;
use crate::http::{Request, Status};
use std::net::{IpAddr, SocketAddr};

/// Answers 421 to requests for other hosts than these, and 400 to those that
/// name none.
///
/// ```
/// use onepoll::app::TestClient;
/// use onepoll::middleware::HostGuard;
/// use onepoll::{App, Request};
/// let mut app = App::new();
/// app.wrap(HostGuard::new(["example.com", "*.example.com", "localhost"])?);
/// app.get("/", |_: &mut Request| "hello");
/// let mut client = TestClient::new(app);
/// let mut status = |host| client.get("/").header("Host", host).send().status.code();
/// assert_eq!(status("www.example.com:8080"), 200);
/// assert_eq!(status("evil.example"), 421);
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HostGuard {
    hosts: Vec<Allowed>,
}

#[derive(Clone, Debug, PartialEq)]
struct Allowed {
    host: Host,
    /// Any, if not given.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
enum Host {
    Name(String),
    /// Any name with that end, its dot included.
    Below(String),
    Address(IpAddr),
    /// Whatever address: no name leads to it but its own digits.
    AnyAddress,
}

impl HostGuard {
    /// Answers for these: `example.com`, `*.example.com` for all names below it,
    /// `192.0.2.1`, `[::1]`, each with any port, or with `:8080` behind it for
    /// that one.
    ///
    /// # Errors
    /// [`Error::Config`] naming what is none of these.
    pub fn new<T: AsRef<str>>(hosts: impl IntoIterator<Item = T>) -> Result<HostGuard, Error> {
        let parse = |text: T| {
            let text = text.as_ref();
            let why = || format!("`{}` is no host", text.escape_debug());
            Allowed::parse(text).ok_or_else(|| Error::Config { field: "host guard", why: why() })
        };
        Ok(HostGuard { hosts: hosts.into_iter().map(parse).collect::<Result<_, _>>()? })
    }

    /// Answers for where a server listens: its addresses, on a loopback one also
    /// `localhost`, and on all interfaces whatever address is asked for, but no
    /// name. Add names with [`and`](HostGuard::and).
    ///
    /// ```
    /// # use onepoll::{App, Server, middleware::HostGuard};
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let mut app = App::new();
    /// app.wrap(HostGuard::of(server.local_addrs()));
    /// # Ok::<(), onepoll::Error>(())
    /// ```
    pub fn of(listeners: impl IntoIterator<Item = SocketAddr>) -> HostGuard {
        let mut hosts = Vec::new();
        for address in listeners {
            let (ip, port) = (address.ip().to_canonical(), Some(address.port()));
            let any = ip.is_unspecified();
            let host = if any { Host::AnyAddress } else { Host::Address(ip) };
            hosts.push(Allowed { host, port });
            if any || ip.is_loopback() {
                hosts.push(Allowed { host: Host::Name("localhost".to_owned()), port });
            }
        }
        HostGuard { hosts }
    }

    /// Answers for these as well.
    #[must_use]
    pub fn and(mut self, other: HostGuard) -> HostGuard {
        self.hosts.extend(other.hosts);
        self
    }

    fn allows(&self, authority: &str) -> bool {
        let Some((host, port)) = split(authority) else { return false };
        self.hosts.iter().any(|allowed| allowed.matches(host, port))
    }
}

impl Middleware for HostGuard {
    fn before(&self, request: &mut Request) -> Flow {
        let authority = request.authority();
        if authority.is_empty() {
            // HTTP/1.0 needs no host; that of HTTP/1.1 was checked before.
            return Flow::Refuse(Reject::bad("which host is meant?"));
        }
        if self.allows(authority) {
            return Flow::Go;
        }
        log::info!("{}: 421: asked for {authority:?}", request.peer());
        Flow::Refuse(Status::MISDIRECTED_REQUEST.into())
    }
}

impl Allowed {
    fn parse(text: &str) -> Option<Allowed> {
        let (host, port) = split(text)?;
        let host = match (host.strip_prefix("*."), address(host)) {
            (Some(domain), _) if is_name(domain) => Host::Below(format!(".{domain}")),
            (None, Some(address)) => Host::Address(address),
            (None, None) if is_name(host) => Host::Name(host.to_owned()),
            _ => return None,
        };
        Some(Allowed { host, port })
    }

    fn matches(&self, host: &str, port: Option<u16>) -> bool {
        let same_host = match &self.host {
            Host::Name(name) => host.eq_ignore_ascii_case(name),
            Host::Below(end) => {
                let at = host.len().checked_sub(end.len()).filter(|&at| at > 0);
                at.and_then(|at| host.get(at..)).is_some_and(|own| own.eq_ignore_ascii_case(end))
            }
            Host::Address(ip) => address(host) == Some(*ip),
            Host::AnyAddress => address(host).is_some(),
        };
        let same_port = match (self.port, port) {
            (Some(own), Some(asked)) => own == asked,
            // Left out where it is the scheme's own.
            (Some(own), None) => matches!(own, 80 | 443),
            (None, _) => true,
        };
        same_host && same_port
    }
}

/// Host, without the dot that may end it, and port.
pub(super) fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(_) => authority.find(']')? + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let port = match port.strip_prefix(':') {
        // An empty port is the scheme's own (RFC 3986 section 3.2.3).
        Some("") => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        None if port.is_empty() => None,
        _ => return None,
    };
    Some((host.strip_suffix('.').unwrap_or(host), port))
}

pub(super) fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse().ok().filter(IpAddr::is_ipv6).map(|ip: IpAddr| ip.to_canonical()),
        None => host.parse().ok().filter(IpAddr::is_ipv4),
    }
}

pub(super) fn is_name(text: &str) -> bool {
    let in_label = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    text.split('.').all(|label| !label.is_empty() && label.bytes().all(in_label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, TestClient};

    #[test]
    fn hosts_are_compared_as_hosts() {
        let table: [(&str, &str, bool); 24] = [
            ("example.com", "example.com", true),
            ("example.com", "EXAMPLE.com", true),
            ("Example.com", "example.COM:8080", true),
            ("example.com", "example.com.", true),
            ("example.com", "example.com:", true),
            ("example.com", "www.example.com", false),
            ("example.com", "example.com.evil", false),
            ("example.com", "example.com:x", false),
            ("example.com", "", false),
            ("example.com:8080", "example.com:8080", true),
            ("example.com:8080", "example.com:8081", false),
            ("example.com:8080", "example.com", false),
            ("example.com:80", "example.com", true),
            ("example.com:443", "example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "evilexample.com", false),
            ("192.0.2.1", "192.0.2.1:80", true),
            ("192.0.2.1", "192.0.2.10", false),
            ("[2001:db8::1]", "[2001:DB8:0:0::1]:80", true),
            ("[2001:db8::1]", "2001:db8::1", false),
            ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", true),
            ("localhost", "localhost@evil", false),
        ];
        for (allowed, asked, expected) in table {
            let guard = HostGuard::new([allowed]).unwrap();
            assert_eq!(guard.allows(asked), expected, "{allowed} and {asked}");
        }
        for text in
            ["", "*", "*.", "a b", "http://a", "a/b", "a:http", "a:70000", "[::1", "[x]", "a..b"]
        {
            assert!(HostGuard::new([text]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_default_is_where_the_server_listens() {
        let guard = |text: &str| HostGuard::of([text.parse().unwrap()]);
        let table: [(&str, &str, bool); 11] = [
            ("127.0.0.1:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "localhost:8080", true),
            ("127.0.0.1:8080", "localhost:8081", false),
            ("127.0.0.1:8080", "rebound.evil:8080", false),
            ("[::1]:8080", "[::1]:8080", true),
            ("192.0.2.1:80", "192.0.2.1", true),
            ("192.0.2.1:80", "localhost", false),
            ("0.0.0.0:8080", "192.0.2.7:8080", true),
            ("[::]:8080", "[2001:db8::7]:8080", true),
            ("[::]:8080", "localhost:8080", true),
            ("0.0.0.0:8080", "rebound.evil:8080", false),
        ];
        for (listener, asked, expected) in table {
            assert_eq!(guard(listener).allows(asked), expected, "{listener} and {asked}");
        }
        let more = guard("127.0.0.1:8080").and(HostGuard::new(["example.com"]).unwrap());
        assert!(more.allows("example.com") && more.allows("localhost:8080"));
    }

    #[test]
    fn what_is_not_for_us_is_told_so() {
        let mut app = App::new();
        app.wrap(HostGuard::new(["example.com"]).unwrap());
        app.get("/", |_: &mut Request| "hello");
        let mut client = TestClient::new(app);
        let mut status = |host| client.get("/").header("Host", host).send().status.code();
        assert_eq!((status("example.com"), status("evil.example")), (200, 421));
        assert_eq!(client.get("/").send().status.code(), 400);
    }
}
