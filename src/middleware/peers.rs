//! Networks of peers: who is trusted.

use crate::error::Error;
use crate::http::Peer;
use std::net::IpAddr;

/// A list of networks; empty at first.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers(Vec<(IpAddr, u8)>);

impl Peers {
    /// Reads addresses, and networks like `10.0.0.0/8`.
    ///
    /// # Errors
    /// [`Error::Config`] of that field, naming what is neither.
    pub(super) fn parse<T: AsRef<str>>(
        field: &'static str,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Peers, Error> {
        let read = |text: T| {
            let text = text.as_ref();
            let why = || format!("`{}` is no address or network", text.escape_debug());
            network(text).ok_or_else(|| Error::Config { field, why: why() })
        };
        texts.into_iter().map(read).collect::<Result<_, _>>().map(Peers)
    }

    /// Whether that peer is in one of them. Unix sockets have no address.
    pub(super) fn contains(&self, peer: Peer) -> bool {
        let Peer::Tcp(address) = peer else { return false };
        let ip = address.ip().to_canonical();
        self.0.iter().any(|&(base, bits)| same(base, ip, bits))
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (base, bits) = match text.split_once('/') {
        Some((base, bits)) => (base, Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let base: IpAddr = base.parse().ok()?;
    let max = if base.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(max);
    (bits <= max).then_some((base, bits))
}

/// Whether the two have so many leading bits in common.
fn same(base: IpAddr, ip: IpAddr, bits: u8) -> bool {
    let bits = u32::from(bits);
    match (base, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
        _ => false,
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
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/9", "10.128.0.0", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::1", "::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, peer, expected) in table {
            let peers = Peers::parse("x", [network]).unwrap();
            let peer = Peer::Tcp((peer.parse::<IpAddr>().unwrap(), 1).into());
            assert_eq!(peers.contains(peer), expected, "{network} and {peer}");
        }
        assert!(!Peers::parse("x", ["0.0.0.0/0"]).unwrap().contains(Peer::Unix));
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10/8"] {
            assert!(Peers::parse("x", [text]).is_err(), "{text}");
        }
    }
}
