//! Request targets and hosts (RFC 9112 section 3.2, RFC 3986).
//!
//! A target has one of four forms, and which one is allowed depends on the
//! method:
//!
//! ```text
//!   origin     /where?q=now                      all methods but CONNECT
//!   absolute   http://example.org:8080/where?q   the same; its host wins over Host
//!   authority  example.org:443                   CONNECT only
//!   asterisk   *                                 OPTIONS only
//! ```
//!
//! Percent-encoding is undone in two steps that must not be mixed up.
//! [`normalise`] decodes what needs no encoding (RFC 3986 section 6.2.2), which
//! never changes what a path means: routes are matched against that.
//! [`percent_decode`] decodes all of *one* segment, once its borders are known,
//! so that an encoded slash never becomes a border.

use super::Method;
use super::chars::{UNRESERVED, is};
use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::ops::Range;

/// Where the parts lie within a target; both are empty if absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) authority: Range<usize>,
    pub(crate) path: Range<usize>,
}

/// Takes a target of visible ASCII apart. `path_end` is where its first `?` is,
/// or its end.
///
/// # Errors
/// Why it is none that this method may have.
pub(crate) fn parse(
    target: &[u8],
    path_end: usize,
    method: &Method,
) -> Result<Parts, &'static str> {
    if *method == Method::CONNECT {
        // RFC 9112 section 3.2.3: the port is not optional.
        return match split_authority(target) {
            Some((_, Some([_, ..]))) => Ok(Parts { authority: 0..target.len(), path: 0..0 }),
            _ => Err("CONNECT needs host:port"),
        };
    }
    match target {
        [b'/', ..] => Ok(Parts { authority: 0..0, path: 0..path_end }),
        b"*" if *method == Method::OPTIONS => Ok(Parts::default()),
        b"*" => Err("the target * is for OPTIONS only"),
        _ => absolute(target, path_end),
    }
}

/// RFC 9112 section 3.2.2. Only the schemes that we can be the origin for.
fn absolute(target: &[u8], path_end: usize) -> Result<Parts, &'static str> {
    let scheme = |text: &str| {
        let head = target.get(..text.len())?;
        head.eq_ignore_ascii_case(text.as_bytes()).then_some(text.len())
    };
    let start = scheme("http://").or_else(|| scheme("https://"));
    let start = start.ok_or("the target is neither a path nor an http URI")?;
    let rest = target.get(start..path_end).unwrap_or(&[]);
    let len = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
    match split_authority(rest.get(..len).unwrap_or(&[])) {
        Some(_) => Ok(Parts { authority: start..start + len, path: start + len..path_end }),
        None => Err("the target's host is not valid"),
    }
}

/// Splits `host[:port]` and checks both (RFC 3986 section 3.2): the host is not
/// empty, the port at most 65,535 and possibly empty, and there is no user name
/// (RFC 9110 section 4.2.4). `None` if it is not valid.
pub(crate) fn split_authority(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let host_len = match text {
        [b'[', ..] => text.iter().position(|&b| b == b']')? + 1,
        _ => text.iter().position(|&b| b == b':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(host_len)?;
    let port = match rest {
        [] => None,
        [b':', port @ ..] => Some(port),
        _ => return None,
    };
    let valid = is_host(host) && port.is_none_or(is_port);
    valid.then_some((host, port))
}

/// `*DIGIT` up to 65,535.
fn is_port(digits: &[u8]) -> bool {
    let port = digits.iter().try_fold(0u32, |sum, &digit| {
        let next = sum * 10 + u32::from(digit.wrapping_sub(b'0'));
        (digit.is_ascii_digit() && next <= 65_535).then_some(next)
    });
    port.is_some()
}

/// `IP-literal / IPv4address / reg-name`, not empty. Whatever looks like IPv4
/// and is none is a reg-name by the grammar (RFC 3986 section 3.2.2).
fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        [b'[', b'v' | b'V', future @ .., b']'] => is_future(future),
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
        }
        _ => host.iter().all(|&b| is_name_byte(b) || b == b'%') && are_triplets(host),
    }
}

/// `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`, behind the `v`.
fn is_future(text: &[u8]) -> bool {
    let Some(dot) = text.iter().position(|&b| b == b'.') else { return false };
    let (version, address) = text.split_at(dot);
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && address.len() > 1
        && address.iter().all(|&b| is_name_byte(b) || b == b':')
}

/// `unreserved / sub-delims`.
fn is_name_byte(b: u8) -> bool {
    is(b, UNRESERVED) || is_sub_delim(b)
}

fn is_sub_delim(b: u8) -> bool {
    matches!(b, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// Whether each `%` is followed by two hexadecimal digits.
pub(crate) fn are_triplets(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'%', rest) {
        rest = rest.get(at..).unwrap_or(&[]);
        if triplet(rest).is_none() {
            return false;
        }
        rest = rest.get(3..).unwrap_or(&[]);
    }
    true
}

/// The byte that the `%xx` at the beginning stands for.
#[inline]
pub(super) fn triplet(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [b'%', high, low, ..] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The path with needless percent-encoding undone: unreserved characters
/// decoded, the digits of other triplets in upper case (RFC 3986 section 6.2.2).
/// `None` if that changes nothing. Dot segments stay as they are.
///
/// What comes out is final: it has no more to undo. Therefore a path with a `%`
/// that is no triplet, which no request can have, is left alone: in `/%%341`
/// a second look would find the `%41` that the first has made.
///
/// ```
/// use onepoll::http::target::normalise;
/// assert_eq!(normalise("/%7euser/a%2fb"), Some("/~user/a%2Fb".to_owned()));
/// assert_eq!(normalise("/plain"), None);
/// ```
pub fn normalise(path: &str) -> Option<String> {
    let mut at = memchr::memchr(b'%', path.as_bytes())?;
    if !are_triplets(path.as_bytes()) {
        return None;
    }
    let mut out = String::with_capacity(path.len());
    let mut done = 0; // copied up to here
    while let Some(byte) = path.as_bytes().get(at..).and_then(triplet) {
        // Both ends of a triplet are ASCII, so these are character borders.
        out.push_str(path.get(done..at).unwrap_or(""));
        if is(byte, UNRESERVED) {
            out.push(char::from(byte));
        } else {
            push_triplet(&mut out, byte);
        }
        done = at + 3;
        match path.as_bytes().get(done..).and_then(|rest| memchr::memchr(b'%', rest)) {
            Some(found) => at = done + found,
            None => break,
        }
    }
    out.push_str(path.get(done..).unwrap_or(""));
    (out != path).then_some(out)
}

/// The text with all percent-encoding undone; `%` that is no triplet stays.
/// `None` if what comes out is not UTF-8. For one path segment: the result may
/// hold slashes, dots and control characters.
///
/// ```
/// use onepoll::http::target::percent_decode;
/// assert_eq!(percent_decode("caf%C3%A9").as_deref(), Some("café"));
/// assert_eq!(percent_decode("%FF"), None);
/// ```
pub fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(decode(text.as_bytes(), false)).ok().map(Cow::Owned)
}

/// Decodes triplets and, in forms, `+` as a space.
pub(in crate::http) fn decode(bytes: &[u8], plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = match triplet(rest) {
            Some(byte) => {
                out.push(byte);
                rest.get(3..).unwrap_or(&[])
            }
            None => {
                out.push(if plus && *first == b'+' { b' ' } else { *first });
                tail
            }
        };
    }
    out
}

/// Encodes whatever may not stand in one path segment as it is: all but
/// `pchar` (RFC 3986 section 3.3). A slash becomes `%2F`.
///
/// ```
/// use onepoll::http::target::percent_encode;
/// assert_eq!(percent_encode("a b/ü".as_bytes()), "a%20b%2F%C3%BC");
/// ```
pub fn percent_encode(segment: &[u8]) -> Cow<'_, str> {
    let plain = |b: u8| is_name_byte(b) || b == b':' || b == b'@';
    if segment.iter().all(|&b| plain(b)) {
        // All of it is ASCII.
        return Cow::Borrowed(std::str::from_utf8(segment).unwrap_or(""));
    }
    let mut out = String::with_capacity(segment.len() + segment.len() / 2);
    for &b in segment {
        if plain(b) {
            out.push(char::from(b));
        } else {
            push_triplet(&mut out, b);
        }
    }
    Cow::Owned(out)
}

fn push_triplet(out: &mut String, byte: u8) {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'A' + n - 10 });
    out.push('%');
    out.push(digit(byte >> 4));
    out.push(digit(byte & 15));
}

#[cfg(test)]
mod tests;
