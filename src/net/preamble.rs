//! The PROXY protocol, versions 1 and 2: whom a proxy speaks for.
//!
//! A header in front of everything else, also of a TLS handshake. It is looked
//! at in the socket ([`Socket::peek`](super::Socket::peek)) until it is whole, and
//! only then taken out, so that not one byte of what follows is lost:
//!
//! ```text
//!   version 1   PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n      at most 107 bytes
//!   version 2   0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A | 2, command | family | length
//!               | addresses | TLVs (skipped)                         at most 536 bytes
//! ```
//!
//! Who may send one is the reactor's question: a header from anybody else would
//! be a way to take any address. So it is never guessed whether there is one.
//!
//! [`parse`] is given all bytes from the beginning each time. That is what peeking
//! brings, and it is cheap: a header that is not whole is told by its first bytes
//! (its length, its line's end).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes to be looked at: the longest header that is taken. The specification
/// bids senders to stay within a segment of 536 bytes; what proxies really add as
/// TLVs (names, TLS versions) is far less.
pub(crate) const PREAMBLE_MAX: usize = 536;
/// Bytes of a header of version 1, its CRLF included (specification, section 2.1).
const LINE_MAX: usize = 107;
/// What a header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// And how long it is in front of the addresses.
const FIXED: usize = 16;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preamble {
    /// Bytes of it.
    pub(crate) len: usize,
    /// Whom the proxy speaks for; `None`: for itself (`LOCAL`), or for somebody
    /// whose address it can't tell (`UNKNOWN`, Unix sockets).
    pub(crate) client: Option<SocketAddr>,
}

/// Reads a header; `None` while it isn't whole.
///
/// # Errors
/// Why it is none.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Preamble>, &'static str> {
    match bytes.first() {
        None => Ok(None),
        Some(b'P') => line(bytes),
        Some(b'\r') => binary(bytes),
        Some(_) => Err("no PROXY header"),
    }
}

/// Version 1: a line of text.
fn line(bytes: &[u8]) -> Result<Option<Preamble>, &'static str> {
    let begun = bytes.get(..START.len()).unwrap_or(bytes);
    if !START.starts_with(begun) {
        return Err("no PROXY header");
    }
    let window = bytes.get(..LINE_MAX).unwrap_or(bytes);
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        return match window.len() < LINE_MAX {
            true => Ok(None),
            false => Err("a PROXY line of more than 107 bytes"),
        };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or("a PROXY line that ends without CR")?;
    let line = std::str::from_utf8(line).map_err(|_| "a PROXY line that is not ASCII")?;
    let client = of_line(line).ok_or("a PROXY line that can't be read")?;
    Ok(Some(Preamble { len: end + 1, client }))
}

/// Addresses as section 2.1 has them: one space between two, decimal ports
/// without leading zeroes.
fn of_line(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None); // whatever follows is to be ignored
    }
    let (from, to) = (words.next()?, words.next()?);
    let (from_port, to_port) = (port(words.next()?)?, port(words.next()?)?);
    let (from, to): (IpAddr, IpAddr) = match family {
        "TCP4" => (from.parse::<Ipv4Addr>().ok()?.into(), to.parse::<Ipv4Addr>().ok()?.into()),
        "TCP6" => (from.parse::<Ipv6Addr>().ok()?.into(), to.parse::<Ipv6Addr>().ok()?.into()),
        _ => return None,
    };
    let _ = (to, to_port); // ours, as the proxy's client knew it: only checked
    words.next().is_none().then(|| Some(SocketAddr::new(from.to_canonical(), from_port)))
}

fn port(text: &str) -> Option<u16> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// What a line of version 1 begins with.
const START: &[u8] = b"PROXY ";

/// Version 2 (section 2.2).
fn binary(bytes: &[u8]) -> Result<Option<Preamble>, &'static str> {
    let begun = bytes.get(..SIGNATURE.len()).unwrap_or(bytes);
    if !SIGNATURE.starts_with(begun) {
        return Err("no PROXY header");
    }
    // What is there already is judged already.
    let command = match bytes.get(12) {
        None => return Ok(None),
        Some(0x20) => Command::Local,
        Some(0x21) => Command::Proxy,
        Some(_) => return Err("a PROXY header of no known version and command"),
    };
    let Some(&[family, high, low]) = bytes.get(13..FIXED) else { return Ok(None) };
    let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if len > PREAMBLE_MAX {
        return Err("a PROXY header of more than 536 bytes");
    }
    let Some(addresses) = bytes.get(FIXED..len) else { return Ok(None) };
    let client = match command {
        Command::Local => None,
        Command::Proxy => of_binary(family, addresses)?,
    };
    Ok(Some(Preamble { len, client }))
}

enum Command {
    /// The proxy's own connection, as to see whether we live.
    Local,
    Proxy,
}

fn of_binary(family: u8, addresses: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    let short = "a PROXY header too short for its addresses";
    let (ip, ports): (IpAddr, _) = match family {
        // TCP over IPv4: two addresses, two ports, TLVs.
        0x11 => {
            let ip = addresses.first_chunk::<4>().ok_or(short)?;
            (Ipv4Addr::from(*ip).into(), addresses.get(8..12))
        }
        0x21 => {
            let ip = addresses.first_chunk::<16>().ok_or(short)?;
            (Ipv6Addr::from(*ip).into(), addresses.get(32..36))
        }
        // Unspecified, and Unix streams: nobody with an address.
        0x00 | 0x31 => return Ok(None),
        0x12 | 0x22 | 0x32 => return Err("a PROXY header for datagrams"),
        _ => return Err("a PROXY header of no known family"),
    };
    let port = ports.and_then(<[u8]>::first_chunk::<2>).ok_or(short)?;
    Ok(Some(SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(*port))))
}

#[cfg(test)]
mod tests;
