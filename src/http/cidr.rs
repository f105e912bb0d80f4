//! Networks, and lists of them: who is trusted, who is exempt.

use super::Peer;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// A network: an address and how many of its leading bits count. An address
/// alone is a network of one.
///
/// IPv4 addresses that are written as IPv6 ones (`::ffff:192.0.2.1`) are the
/// same as themselves.
///
/// ```
/// use onepoll::http::Cidr;
/// let inside: Cidr = "10.0.0.0/8".parse()?;
/// assert!(inside.contains("10.1.2.3".parse().unwrap()));
/// assert!(!inside.contains("192.0.2.1".parse().unwrap()));
/// let error = "10.0.0.0/33".parse::<Cidr>().unwrap_err();
/// assert_eq!(error.to_string(), "`10.0.0.0/33`: an IPv4 network has 0 to 32 bits");
/// # Ok::<(), onepoll::http::BadCidr>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    /// This machine, by IPv4: 127.0.0.0/8.
    pub const LOOPBACK: Cidr = Cidr { base: IpAddr::V4(Ipv4Addr::LOCALHOST), bits: 8 };

    /// Whether that address is in it.
    #[inline]
    pub fn contains(self, ip: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = BadCidr;

    fn from_str(text: &str) -> Result<Cidr, BadCidr> {
        let bad = |why| Err(BadCidr { text: text.to_owned(), why });
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let Ok(base) = base.parse::<IpAddr>() else {
            return bad("expected an address or a network, like 192.0.2.1 or 10.0.0.0/8");
        };
        let (max, range) = match base {
            IpAddr::V4(_) => (32, "an IPv4 network has 0 to 32 bits"),
            IpAddr::V6(_) => (128, "an IPv6 network has 0 to 128 bits"),
        };
        let digits = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits.map(|bits| bits.parse::<u8>().ok().filter(|_| digits(bits))) {
            None => max,
            Some(Some(bits)) if bits <= max => bits,
            Some(_) => return bad(range),
        };
        match (base, base.to_canonical()) {
            // In its canonical form an address is without its 96 leading bits.
            (IpAddr::V6(_), canonical @ IpAddr::V4(_)) if bits >= 96 => {
                Ok(Cidr { base: canonical, bits: bits - 96 })
            }
            _ => Ok(Cidr { base, bits }),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// A text that is no network; its `Display` names the text and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCidr {
    text: String,
    why: &'static str,
}

impl BadCidr {
    /// What is wrong, without the text itself.
    pub fn why(&self) -> &'static str {
        self.why
    }
}

impl fmt::Display for BadCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.text.escape_debug(), self.why)
    }
}

impl std::error::Error for BadCidr {}

/// A list of networks, and whether clients of Unix sockets belong to it, which
/// have no address: the word `unix` stands for them. Empty by default.
///
/// ```
/// use onepoll::http::{Networks, Peer};
/// let trusted = Networks::parse(["127.0.0.0/8", "::1", "unix"])?;
/// assert!(trusted.contains(Peer::Unix));
/// assert!(trusted.contains(Peer::Tcp("127.0.0.1:4711".parse().unwrap())));
/// # Ok::<(), onepoll::http::BadCidr>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    list: Vec<Cidr>,
    unix: bool,
}

impl Networks {
    /// Nobody.
    pub const fn none() -> Networks {
        Networks { list: Vec::new(), unix: false }
    }

    /// Reads addresses, networks like `10.0.0.0/8`, and the word `unix`.
    ///
    /// # Errors
    /// [`BadCidr`] names the first text that is none of these.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Networks, BadCidr> {
        let mut networks = Networks::none();
        for text in texts {
            match text.as_ref() {
                "unix" => networks.unix = true,
                text => networks.list.push(text.parse()?),
            }
        }
        Ok(networks)
    }

    /// Whether nobody is in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && !self.unix
    }

    /// Whether that peer is in one of them. A request made by hand has no peer and
    /// is in none.
    #[inline]
    pub fn contains(&self, peer: Peer) -> bool {
        match peer {
            Peer::Tcp(address) => self.contains_ip(address.ip()),
            Peer::Unix => self.unix,
            Peer::Unknown => false,
        }
    }

    /// Whether that address is in one of them.
    pub fn contains_ip(&self, ip: IpAddr) -> bool {
        self.list.iter().any(|network| network.contains(ip))
    }
}

impl FromIterator<Cidr> for Networks {
    fn from_iter<I: IntoIterator<Item = Cidr>>(networks: I) -> Networks {
        Networks { list: networks.into_iter().collect(), unix: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_peers() {
        let table = [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.3.9", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/9", "10.128.0.0", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "192.0.2.1", false),
            ("::/0", "2001:db8::1", true),
            ("::1", "::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, peer, expected) in table {
            let networks = Networks::parse([network]).unwrap();
            let peer = Peer::Tcp((peer.parse::<IpAddr>().unwrap(), 1).into());
            assert_eq!(networks.contains(peer), expected, "{network} and {peer}");
            assert!(!networks.contains(Peer::Unix) && !networks.contains(Peer::Unknown));
        }
        assert!(Networks::none().is_empty() && !Networks::parse(["unix"]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10/8",
            "Unix",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            " 10.0.0.1",
            "fe80::1%eth0",
            "10.0.0.0/256",
        ] {
            let error = Networks::parse([text]).expect_err(text).to_string();
            assert!(error.starts_with(&format!("`{text}`: ")), "{error}");
        }
    }

    #[test]
    fn a_network_is_shown_as_it_is_read() {
        for text in ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
    }
}
