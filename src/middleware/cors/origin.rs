//! Origins: what a browser sends, and what an operator writes to allow some.

/// Which origins an entry of the list stands for.
///
/// ```text
///   https://app.example      that one
///   https://*.example.com    every host below, at any depth, but not the domain itself
///   http://localhost:*       that host with any port, or none
///   null                     files, sandboxed frames: whoever wants to be it
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Null,
    Tuple { scheme: String, host: Host, port: Port },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Is(String),
    /// With the dot in front.
    EndsWith(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// Empty: the scheme's own, which browsers leave out (RFC 6454 section 6.2).
    Is(String),
    Any,
}

impl Origin {
    /// Reads an entry.
    ///
    /// # Errors
    /// Why it is none, for a person.
    pub(super) fn parse(text: &str) -> Result<Origin, &'static str> {
        let text = text.to_ascii_lowercase();
        if text == "null" {
            return Ok(Origin::Null);
        }
        let form = "an origin is scheme://host or scheme://host:port, nothing behind it";
        let (text, port) = match text.strip_suffix(":*") {
            Some(rest) => (rest, Some(Port::Any)),
            None => (text.as_str(), None),
        };
        let (plain, is_below) = match text.split_once("://*.") {
            Some((scheme, domain)) => (format!("{scheme}://{domain}"), true),
            None => (text.to_owned(), false),
        };
        let (scheme, host, number) = split(&plain).ok_or(form)?;
        if port.is_some() && !number.is_empty() {
            return Err(form);
        }
        if is_below && host.starts_with('[') {
            return Err("an address has no hosts below it");
        }
        let usual = matches!((scheme, number), ("http", "80") | ("https", "443"));
        let number = if usual { "" } else { number };
        Ok(Origin::Tuple {
            scheme: scheme.to_owned(),
            host: if is_below { Host::EndsWith(format!(".{host}")) } else { Host::Is(host.into()) },
            port: port.unwrap_or_else(|| Port::Is(number.to_owned())),
        })
    }

    /// Whether the value of an `Origin` field is one of these.
    pub(super) fn matches(&self, sent: &str) -> bool {
        let Origin::Tuple { scheme, host, port } = self else { return sent == "null" };
        let Some((sent_scheme, sent_host, sent_port)) = split(sent) else { return false };
        let same_host = match host {
            Host::Is(host) => sent_host.eq_ignore_ascii_case(host),
            Host::EndsWith(domain) => ends_with(sent_host, domain),
        };
        let same_port = match port {
            Port::Is(port) => sent_port == port,
            Port::Any => true,
        };
        same_host && same_port && sent_scheme.eq_ignore_ascii_case(scheme)
    }
}

/// Scheme, host and port (empty if there is none). Strict: what passes goes
/// back to the client in a field, and decides who reads replies.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let end = if rest.starts_with('[') {
        rest.find(']')? + 1
    } else {
        rest.find(':').unwrap_or(rest.len())
    };
    let (host, port) = rest.split_at_checked(end)?;
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.parse::<u16>().is_ok() && !digits.starts_with('+') => digits,
        None if port.is_empty() => "",
        _ => return None,
    };
    let in_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    (is_host(host)
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme))
    .then_some((scheme, host, port))
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let in_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !text.is_empty() && text.bytes().all(in_host)
}

/// Whether something stands before that end.
fn ends_with(host: &str, domain: &str) -> bool {
    let Some(at) = host.len().checked_sub(domain.len()) else { return false };
    at > 0 && host.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_match_what_they_stand_for() {
        let table: [(&str, &str, bool); 29] = [
            ("https://a.example", "https://a.example", true),
            ("https://A.Example", "https://a.example", true),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example:8443", false),
            ("https://a.example", "https://a.example.evil", false),
            ("https://a.example", "https://evil-a.example", false),
            ("https://a.example", "https://a.example/", false),
            ("https://a.example", "null", false),
            ("https://a.example", "", false),
            ("https://a.example:443", "https://a.example", true),
            ("http://a.example:80", "http://a.example", true),
            ("http://a.example:443", "http://a.example", false),
            ("http://a.example:8080", "http://a.example:8080", true),
            ("https://*.a.example", "https://x.a.example", true),
            ("https://*.a.example", "https://y.x.a.example", true),
            ("https://*.a.example", "https://a.example", false),
            ("https://*.a.example", "https://.a.example", false),
            ("https://*.a.example", "https://xa.example", false),
            ("https://*.a.example", "https://evil.example/.a.example", false),
            ("https://*.a.example", "https://evil.example#.a.example", false),
            ("https://*.a.example", "https://u@x.a.example", false),
            ("https://*.a.example:*", "https://x.a.example:1", true),
            ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "http://localhost:3000", true),
            ("http://localhost:*", "http://localhost:99999", false),
            ("http://localhost:*", "http://localhost:+80", false),
            ("http://[::1]:3000", "http://[::1]:3000", true),
            ("null", "null", true),
            ("null", "https://a.example", false),
        ];
        for (entry, sent, expected) in table {
            let origin = Origin::parse(entry).unwrap_or_else(|why| panic!("{entry}: {why}"));
            assert_eq!(origin.matches(sent), expected, "{entry} and {sent}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for entry in [
            "",
            "a.example",
            "https://",
            "https://a.example/",
            "https://a.example/path",
            "https://a.example?x",
            "https://a.example:http",
            "https://a.example:70000",
            "https://a.example:1:*",
            "https://*",
            "https://*.",
            "https://*.[::1]",
            "https://a.*.example",
            "https://[::1",
            "https://[x]",
            "https://a b",
            "https://a\r\nX: y",
            "*.example",
            "1s://a",
        ] {
            assert!(Origin::parse(entry).is_err(), "{entry:?}");
        }
    }
}
