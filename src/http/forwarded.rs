//! What proxies say of the client: `X-Forwarded-*`, or `Forwarded` (RFC 7239).
//!
//! Each proxy adds the address that it was connected from at the right end, so
//! only the right end is known to be a proxy's word: what stands left of it, the
//! client may have written itself. The walk begins at the socket's peer and goes
//! to the left as long as who spoke is trusted:
//!
//! ```text
//!   X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2      socket: 10.0.0.1
//!                       |          |          '---- says 10.0.0.1, trusted
//!                       |          '--------------- says 10.0.0.2, trusted
//!                       '-- says 203.0.113.9, whom nobody trusts: never read
//! ```
//!
//! The client is 203.0.113.9. Scheme and host are what the same proxy says that
//! named the client: the member at the same distance from the right, or, where
//! proxies replace the field instead of adding to it, the leftmost one.
//!
//! Only one of the two families is read, as a proxy that sets one of them passes
//! the other through, as the client sent it.

use super::target::split_authority;
use super::{Headers, Networks, Peer, Request, Span, chars};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which fields trusted proxies are believed: see
/// [`Config::trusted`](crate::Config::trusted).
///
/// The proxy must set or remove every field of the family: one that it doesn't
/// know comes through as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarded {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`: what nearly
    /// all proxies send. The default.
    #[default]
    X,
    /// `Forwarded`, RFC 7239.
    Rfc7239,
}

/// Members looked at in one request: more trusted proxies than that stand in no
/// row, and a field may have thousands.
const HOPS_MAX: usize = 32;

/// What the fields say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    peer: Peer,
    secure: Option<bool>,
    host: Option<Span>,
}

/// Puts the client, its scheme and its host where the proxy's are, if the
/// socket's peer is trusted. For a request that was just stamped.
pub(crate) fn resolve(request: &mut Request, trusted: &Networks, family: Forwarded) {
    let via = request.origin.peer;
    if !trusted.contains(via) {
        request.origin.via = None;
        return;
    }
    let said = match family {
        Forwarded::X => x_forwarded(&request.headers, via, trusted),
        Forwarded::Rfc7239 => forwarded(&request.headers, via, trusted),
    };
    request.origin.via = Some(via);
    request.origin.peer = said.peer;
    if let Some(secure) = said.secure {
        request.origin.secure = secure;
    }
    if let Some(host) = said.host {
        request.authority = host;
    }
}

fn x_forwarded(headers: &Headers, via: Peer, trusted: &Networks) -> Said {
    let mut peer = via;
    let mut hops = 0;
    for member in members(headers, "X-Forwarded-For") {
        if !trusted.contains(peer) {
            break;
        }
        hops += 1;
        peer = named(node(member), hops);
    }
    let beside = |name| members(headers, name).take(hops.max(1)).last();
    Said {
        peer,
        secure: beside("X-Forwarded-Proto").and_then(secure),
        host: beside("X-Forwarded-Host").and_then(|host| host_span(headers, host)),
    }
}

fn forwarded(headers: &Headers, via: Peer, trusted: &Networks) -> Said {
    let mut said = Said { peer: via, secure: None, host: None };
    let mut hops = 0;
    for member in members(headers, "Forwarded") {
        if !trusted.contains(said.peer) {
            break;
        }
        hops += 1;
        let Some(element) = Element::parse(member) else {
            said.peer = Peer::Unknown;
            break;
        };
        said.secure = element.proto.and_then(secure).or(said.secure);
        said.host = element.host.and_then(|host| host_span(headers, host)).or(said.host);
        // An element may do without `for`: then it says nothing of who connected.
        said.peer = named(element.node.and_then(node), hops);
    }
    said
}

/// Whom a member names. Hidden, unknown, or no address at all: nobody, rather
/// than the proxy, whose address may open doors.
fn named(address: Option<SocketAddr>, hops: usize) -> Peer {
    match address {
        Some(address) if hops <= HOPS_MAX => Peer::Tcp(address),
        _ => Peer::Unknown,
    }
}

/// The members of a list over all lines of that name, from the last to the first.
///
/// Commas within quotes divide as well. Nothing that is understood here has any,
/// and a reader that pairs quotes from the left could be made to swallow what
/// proxies added, by a client that sends a single one.
fn members<'h>(headers: &'h Headers, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    let lines = headers.fields.iter().rev().copied();
    let lines = lines.filter(|field| {
        usize::from(field.name_len) == name.len()
            && headers.name_of(*field).eq_ignore_ascii_case(name.as_bytes())
    });
    lines
        .flat_map(|field| headers.value_of(field).rsplit(|&byte| byte == b','))
        .map(chars::trim)
        .filter(|member| !member.is_empty())
}

/// One element of `Forwarded` (RFC 7239 section 4).
#[derive(Debug, Default)]
struct Element<'h> {
    node: Option<&'h [u8]>,
    proto: Option<&'h [u8]>,
    host: Option<&'h [u8]>,
}

impl<'h> Element<'h> {
    fn parse(member: &'h [u8]) -> Option<Element<'h>> {
        let mut element = Element::default();
        for pair in member.split(|&byte| byte == b';').map(chars::trim) {
            if pair.is_empty() {
                continue;
            }
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            let (name, value) = pair.split_at(equals);
            let value = unquoted(value.get(1..)?)?;
            if !chars::is_token(name) {
                return None;
            }
            let place = match name {
                name if name.eq_ignore_ascii_case(b"for") => &mut element.node,
                name if name.eq_ignore_ascii_case(b"proto") => &mut element.proto,
                name if name.eq_ignore_ascii_case(b"host") => &mut element.host,
                _ => continue,
            };
            // Each once (section 4): of two, nobody knows which is meant.
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(element)
    }
}

/// A token or a quoted string without escapes: addresses and hosts need none.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let inner = match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    };
    let plain = !inner.is_empty() && !inner.iter().any(|byte| matches!(byte, b'"' | b'\\'));
    plain.then_some(inner)
}

/// An address, with or without a port (RFC 7239 section 6, and what is found in
/// `X-Forwarded-For`): `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:80`. A port that is not told is 0.
fn node(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip.to_canonical(), 0));
    }
    let (ip, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']')?;
            (IpAddr::from(ip.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (ip, port) = text.split_at(text.find(':')?);
            (IpAddr::from(ip.parse::<Ipv4Addr>().ok()?), port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 0,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(hidden) if hidden.starts_with('_') => 0,
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

fn secure(proto: &[u8]) -> Option<bool> {
    let is = |text: &str| proto.eq_ignore_ascii_case(text.as_bytes());
    match proto {
        _ if is("https") || is("wss") => Some(true),
        _ if is("http") || is("ws") => Some(false),
        _ => None,
    }
}

/// Where a host lies in the head, if it is one (as for `Host`).
fn host_span(headers: &Headers, host: &[u8]) -> Option<Span> {
    split_authority(host)?;
    let start = host.as_ptr().addr().checked_sub(headers.bytes.as_ptr().addr())?;
    Some(Span { start: u16::try_from(start).ok()?, len: u16::try_from(host.len()).ok()? })
}

#[cfg(test)]
mod tests;
