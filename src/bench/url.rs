//! Where to send requests: `http://host:port/target`, `unix:/socket:/target`.

use std::fmt;
use std::path::PathBuf;

/// A target, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) place: Place,
    pub(crate) tls: bool,
    /// For the `Host` field.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) target: String,
    /// How often it is chosen, compared with the others.
    pub(crate) weight: u32,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A name or an address, without brackets, and a port.
    Tcp(String, u16),
    Unix(PathBuf),
}

/// Heavier targets would make the cycle of choices long.
const WEIGHT_MAX: u32 = 10_000;

impl Url {
    /// Reads `http://host[:port][/target]`, `https://..` or `unix:/path:/target`,
    /// with `*N` behind it for a weight.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        let (text, weight) = weighted(text)?;
        if let Some(rest) = text.strip_prefix("unix:") {
            return Url::unix(rest, weight);
        }
        let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err("expected http://.. or unix:/socket:/target".to_owned()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (host, port) = host_and_port(authority, if tls { 443 } else { 80 })?;
        Ok(Url {
            place: Place::Tcp(host, port),
            tls,
            authority: authority.to_owned(),
            target: target_of(target)?,
            weight,
        })
    }

    fn unix(rest: &str, weight: u32) -> Result<Url, String> {
        let (path, target) = rest.split_once(':').unwrap_or((rest, ""));
        if path.is_empty() {
            return Err("expected unix:/path/of/socket:/target".to_owned());
        }
        Ok(Url {
            place: Place::Unix(path.into()),
            tls: false,
            authority: "localhost".to_owned(),
            target: target_of(target)?,
            weight,
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(path) => write!(f, "unix:{}:{}", path.display(), self.target),
            Place::Tcp(..) => {
                let scheme = if self.tls { "https" } else { "http" };
                write!(f, "{scheme}://{}{}", self.authority, self.target)
            }
        }
    }
}

/// `URL*3`: a target that ends like this needs `*1` behind it.
fn weighted(text: &str) -> Result<(&str, u32), String> {
    let Some((url, number)) = text.rsplit_once('*') else { return Ok((text, 1)) };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok((text, 1));
    }
    match number.parse() {
        Ok(weight @ 1..=WEIGHT_MAX) => Ok((url, weight)),
        _ => Err(format!("a weight is a number from 1 to {WEIGHT_MAX}")),
    }
}

fn host_and_port(authority: &str, default: u16) -> Result<(String, u16), String> {
    if authority.contains('@') {
        return Err("a user in the URL: send a header field instead".to_owned());
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or("no port behind ]")?)),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err("no host, or one with odd characters".to_owned());
    }
    let port = match port {
        None => default,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err("a port is a number from 1 to 65535".to_owned()),
            Ok(port) => port,
        },
    };
    Ok((host.to_owned(), port))
}

/// What goes on the request line. A fragment is never sent.
fn target_of(text: &str) -> Result<String, String> {
    let text = text.split('#').next().unwrap_or("");
    if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("{odd:?} must be percent-encoded"));
    }
    Ok(match text.as_bytes().first() {
        Some(b'/') => text.to_owned(),
        _ => format!("/{text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let tcp = |host: &str, port| Place::Tcp(host.to_owned(), port);
        let table = [
            ("http://a", tcp("a", 80), "a", "/", 1),
            ("http://a:8080/b?c=d#e", tcp("a", 8080), "a:8080", "/b?c=d", 1),
            ("http://127.0.0.1:1?q", tcp("127.0.0.1", 1), "127.0.0.1:1", "/?q", 1),
            ("http://[::1]:99/x*3", tcp("::1", 99), "[::1]:99", "/x", 3),
            ("https://[::1]", tcp("::1", 443), "[::1]", "/", 1),
            ("http://a/x*y", tcp("a", 80), "a", "/x*y", 1),
            ("http://a/x*2*1", tcp("a", 80), "a", "/x*2", 1),
            ("unix:/run/s:/x:y", Place::Unix("/run/s".into()), "localhost", "/x:y", 1),
            ("unix:s*7", Place::Unix("s".into()), "localhost", "/", 7),
        ];
        for (text, place, authority, target, weight) in table {
            let url = Url::parse(text).expect(text);
            assert_eq!(url.tls, text.starts_with("https"), "{text}");
            assert_eq!((url.place, &*url.authority, &*url.target), (place, authority, target));
            assert_eq!(url.weight, weight, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let table = [
            "",
            "a",
            "/x",
            "ftp://a",
            "http://",
            "http:///x",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a:x",
            "http://u@a",
            "http://a b",
            "http://a/b c",
            "http://a/ü",
            "http://[::1",
            "http://[::1]x",
            "http://a*0",
            "http://a*99999999",
            "unix:",
            "unix::/x",
        ];
        for text in table {
            assert!(Url::parse(text).is_err(), "{text}: {:?}", Url::parse(text));
        }
    }
}
