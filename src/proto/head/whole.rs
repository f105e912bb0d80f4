//! The usual head, whole in the input, in one go.
//!
//! Nearly every head arrives in one piece, asks for a path in HTTP/1.1 and has
//! no oddity. [`read`] takes just those. Whatever else it meets, a fault, a cut
//! or something rare, it gives up, and the resumable parser reads the head from
//! its first byte as if nothing had been: what is right and what is wrong is
//! decided there, and here only that a head is plainly right. A test holds the
//! two against each other.

use super::span;
use crate::config::Limits;
use crate::http::chars::{TARGET, is};
use crate::http::{Field, Method, Request, Span, Version, scan, target};
use crate::proto::framing::{Framing, Length, Notes};

/// Reads a whole head: what lies behind it, and what it says of that. `None` says
/// nothing of the head but that the other way is to be taken; the request is then
/// to be begun anew.
#[inline(always)]
pub(super) fn read<'a>(
    limits: &Limits,
    input: &'a [u8],
    request: &mut Request,
) -> Option<(&'a [u8], Framing)> {
    request.begin();
    let rest = request_line(limits, input, request)?;
    let (behind, notes) = fields(limits, input, rest, request)?;
    // Too long? Then an offset may not have fitted in its 16 bits.
    let len = input.len() - behind.len();
    if len > limits.head_max || len > usize::from(u16::MAX) {
        return None;
    }
    let framing = notes.decide(Version::Http11, request.content_length).ok()?;
    request.headers.bytes.extend_from_slice(input.get(..len)?);
    // Behind the copy: the compiler knows in `begin` what it is.
    request.version = Version::Http11;
    if framing.body == Length::Chunked {
        request.chunked = true;
    }
    Some((behind, framing))
}

/// Method, a path, `HTTP/1.1`; what is behind.
#[inline(always)]
fn request_line<'a>(limits: &Limits, head: &'a [u8], request: &mut Request) -> Option<&'a [u8]> {
    let start = match behind(head, b"GET /") {
        Some(_) => "GET ".len(), // so it was begun
        None => other_method(head, request)?,
    };
    let from = head.get(start..)?;
    let at = scan::target(from);
    let Some(rest) = behind(from.get(at..)?, b" HTTP/1.1\r\n") else {
        return other_target(limits, start, from, request);
    };
    if at > limits.target_max {
        return None;
    }
    request.target = span(start, start + at);
    request.path = request.target;
    Some(rest)
}

/// A path with more than plain bytes, `from`, which begins at `start`.
#[inline(never)] // the registers are its own
fn other_target<'a>(
    limits: &Limits,
    start: usize,
    from: &'a [u8],
    request: &mut Request,
) -> Option<&'a [u8]> {
    let (mut at, mut query, mut percent) = (0, 0, false);
    let after = loop {
        at += scan::target(from.get(at..)?);
        match from.get(at..)? {
            [b' ', after @ ..] => break after,
            [b'?', ..] if query == 0 => query = at, // behind the first slash
            [b'%', ..] => percent = true,
            [b, ..] if is(*b, TARGET) => {}
            _ => return None,
        }
        at += 1;
    };
    let (version, rest) = after.split_first_chunk::<10>()?;
    if version != b"HTTP/1.1\r\n" || at > limits.target_max {
        return None;
    }
    let mut path = at;
    if query > 0 {
        path = query;
        request.query = Some(span(start + path + 1, start + at));
    }
    request.target = span(start, start + at);
    request.path = span(start, start + path);
    if percent {
        undo_percent(from.get(..at)?, path, request)?;
    }
    Some(rest)
}

/// A method that may have content, in front of a path: where that begins. Other
/// methods are rare enough.
#[inline(never)]
fn other_method(head: &[u8], request: &mut Request) -> Option<usize> {
    const METHODS: [(&[u8], Method); 5] = [
        (b"POST ", Method::POST),
        (b"PUT ", Method::PUT),
        (b"HEAD ", Method::HEAD),
        (b"PATCH ", Method::PATCH),
        (b"DELETE ", Method::DELETE),
    ];
    for (name, method) in METHODS {
        if let Some([b'/', ..]) = head.strip_prefix(name) {
            request.method = method;
            return Some(name.len());
        }
    }
    None
}

#[cold]
fn undo_percent(text: &[u8], path: usize, request: &mut Request) -> Option<()> {
    if !target::are_triplets(text) {
        return None;
    }
    let path = std::str::from_utf8(text.get(..path)?).ok()?; // it is ASCII
    request.normal = target::normalise(path);
    Some(())
}

/// The field lines, `rest`: what lies behind them, and what they say.
#[inline(always)]
fn fields<'a>(
    limits: &Limits,
    head: &[u8],
    mut rest: &'a [u8],
    request: &mut Request,
) -> Option<(&'a [u8], Notes)> {
    let mut notes = Notes::default();
    if let Some(next) = host_line(limits, head, rest, request) {
        notes.host().ok()?;
        rest = next;
    }
    loop {
        if let Some(next) = behind(rest, b"\r\n") {
            return Some((next, notes));
        }
        let start = head.len() - rest.len();
        let colon = scan::behind_token(rest);
        let name_len = rest.len() - colon.len();
        let [b':', after @ ..] = colon else { return None };
        let after = if let [b' ', after @ ..] = after { after } else { after };
        let end = scan::behind_value(after);
        let next = behind(end, b"\r\n")?;
        let value = after.get(..after.len() - end.len())?;
        let ([first, ..], [.., last]) = (value, value) else { return None };
        // No name; more than the usual one space before or behind the value; or
        // one field too many.
        if name_len == 0
            || *first <= b' '
            || *last <= b' '
            || request.headers.fields.len() >= limits.headers_max
        {
            return None;
        }
        let place = span(head.len() - after.len(), head.len() - end.len());
        request.headers.fields.push(Field {
            name: start as u16,
            name_len: name_len as u16,
            value: place.start,
            value_len: place.len,
        });
        let name = rest.get(..name_len)?;
        if Notes::concerns(name) {
            note(&mut notes, name, value, place, request)?;
        }
        rest = next;
    }
}

/// `Host: ` and a usual host, if that is the first line, as nearly always: it is
/// looked at once, where the loop would do so for the line and for the host.
#[inline(always)]
fn host_line<'a>(
    limits: &Limits,
    head: &[u8],
    rest: &'a [u8],
    request: &mut Request,
) -> Option<&'a [u8]> {
    let after = behind(rest, b"Host: ")?;
    let end = behind_usual_host(after)?;
    let next = behind(end, b"\r\n")?;
    if end.len() == after.len() || limits.headers_max == 0 {
        return None;
    }
    let place = span(head.len() - after.len(), head.len() - end.len());
    request.headers.fields.push(Field {
        name: (head.len() - rest.len()) as u16,
        name_len: "Host".len() as u16,
        value: place.start,
        value_len: place.len,
    });
    request.authority = place;
    Some(next)
}

/// What is behind this text, if it begins with that. (As a pattern, it would be
/// compared byte by byte.)
#[inline(always)]
fn behind<'a, const N: usize>(text: &'a [u8], with: &[u8; N]) -> Option<&'a [u8]> {
    let (first, rest) = text.split_first_chunk()?;
    (first == with).then_some(rest)
}

/// A field that may mean something to us.
#[inline(always)]
fn note(
    notes: &mut Notes,
    name: &[u8],
    value: &[u8],
    place: Span,
    request: &mut Request,
) -> Option<()> {
    if let &[h, o, s, t] = name {
        if u32::from_le_bytes([h, o, s, t]) | 0x2020_2020 != u32::from_le_bytes(*b"host") {
            return Some(());
        }
        notes.host().ok()?;
        if !is_usual_host(value) && target::split_authority(value).is_none() {
            return None;
        }
        request.authority = place;
        return Some(());
    }
    notes.line(name, value, Version::Http11, &mut request.content_length).ok()
}

/// Whether this is nothing, or a plain name with or without a short port. Not
/// all that is valid, but most.
#[inline(always)]
fn is_usual_host(value: &[u8]) -> bool {
    behind_usual_host(value).is_some_and(<[u8]>::is_empty)
}

/// What is behind a plain name, if any, and behind its port of at most four
/// digits, if any. `None`: a port without a name.
#[inline(always)]
fn behind_usual_host(text: &[u8]) -> Option<&[u8]> {
    let end = scan::behind_unreserved(text);
    let [b':', port @ ..] = end else { return Some(end) };
    if end.len() == text.len() {
        return None;
    }
    let digits = port.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    port.get(digits..)
}
