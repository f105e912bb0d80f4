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

/// Reads a whole head: its length and what follows it. `None` says nothing of
/// the head but that the other way is to be taken; the request is then to be
/// begun anew.
#[inline(always)]
pub(super) fn read(
    limits: &Limits,
    input: &[u8],
    request: &mut Request,
) -> Option<(usize, Framing)> {
    // Offsets fit in 16 bits, and nothing behind the limit is looked at.
    let room = limits.head_max.min(usize::from(u16::MAX));
    let head = input.get(..room).unwrap_or(input);
    request.begin();
    let rest = request_line(limits, head, request)?;
    let (len, notes) = fields(limits, head, rest, request)?;
    let len = usize::from(len);
    let framing = notes.decide(Version::Http11, request.content_length).ok()?;
    request.version = Version::Http11;
    if framing.body == Length::Chunked {
        request.chunked = true;
    }
    request.headers.bytes.extend_from_slice(head.get(..len)?);
    Some((len, framing))
}

/// Method, a path, `HTTP/1.1`; what is behind.
#[inline(always)]
fn request_line<'a>(limits: &Limits, head: &'a [u8], request: &mut Request) -> Option<&'a [u8]> {
    let from = method(head, request)?;
    let start = head.len() - from.len();
    if from.first() != Some(&b'/') {
        return None;
    }
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

#[inline(always)]
fn method<'a>(head: &'a [u8], request: &mut Request) -> Option<&'a [u8]> {
    if let Some((first, rest)) = head.split_first_chunk()
        && first == b"GET "
    {
        if request.method != Method::GET {
            request.method = Method::GET;
        }
        return Some(rest);
    }
    other_method(head, request)
}

/// A method that may have content; others are rare enough.
#[inline(never)]
fn other_method<'a>(head: &'a [u8], request: &mut Request) -> Option<&'a [u8]> {
    const METHODS: [(&[u8], Method); 5] = [
        (b"POST ", Method::POST),
        (b"PUT ", Method::PUT),
        (b"HEAD ", Method::HEAD),
        (b"PATCH ", Method::PATCH),
        (b"DELETE ", Method::DELETE),
    ];
    for (name, method) in METHODS {
        if let Some(rest) = head.strip_prefix(name) {
            request.method = method;
            return Some(rest);
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

/// The field lines, `rest`: the head's length, and what they say. (Three numbers
/// of 16 bits: they come back in a register.)
#[inline(always)]
fn fields(
    limits: &Limits,
    head: &[u8],
    mut rest: &[u8],
    request: &mut Request,
) -> Option<(u16, Notes)> {
    let mut notes = Notes::default();
    loop {
        let start = head.len() - rest.len();
        let behind = scan::behind_token(rest);
        let name_len = rest.len() - behind.len();
        let [b':', after @ ..] = behind else {
            let [b'\r', b'\n', next @ ..] = behind else { return None };
            return (name_len == 0).then_some(((head.len() - next.len()) as u16, notes));
        };
        let after = if let [b' ', after @ ..] = after { after } else { after };
        let behind = scan::behind_value(after);
        let (b"\r\n", next) = behind.split_first_chunk()? else { return None };
        let value = after.get(..after.len() - behind.len())?;
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
        let place = span(head.len() - after.len(), head.len() - behind.len());
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
    let len = scan::unreserved(value);
    match value.get(len..) {
        Some([]) => true,
        Some([b':', port @ ..]) => {
            len > 0 && port.len() <= 4 && port.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}
