//! The head of a reply: its status, and the fields that say how it ends.

use super::{Asked, Fault};
use crate::http::chars::{TOKEN, is};

/// Bytes of a head; more than any server sends in earnest.
pub(super) const HEAD_MAX: usize = 64 * 1024;

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// From 100 to 999.
    pub(crate) status: u16,
    /// Whether the connection can't be used after this reply.
    pub(crate) close: bool,
}

/// How the content ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilEnd,
}

/// What the fields have said so far.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    coding: Coding,
    close: bool,
    keep_alive: bool,
}

/// `Transfer-Encoding`, as far as it matters.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Coding {
    #[default]
    None,
    /// The last one is `chunked`.
    Chunked,
    /// There are others only.
    Other,
}

impl Head {
    /// The head that the input begins with, and its length; `None` if it is cut.
    pub(super) fn parse(
        input: &[u8],
        asked: Asked,
    ) -> Result<Option<(Head, Framing, usize)>, Fault> {
        let Some((line, mut rest)) = line(input)? else { return Ok(None) };
        let (minor, status) = status_line(line)?;
        let mut fields = Fields::default();
        loop {
            let Some((line, behind)) = self::line(rest)? else { return Ok(None) };
            rest = behind;
            if line.is_empty() {
                break;
            }
            fields.add(line)?;
        }
        if input.len() - rest.len() > HEAD_MAX {
            return Err(Fault::TooLong);
        }
        let framing = fields.framing(minor, status, asked)?;
        let tunnel = asked == Asked::Connect && (200..300).contains(&status);
        let close = fields.close
            || tunnel
            || (minor == 0 && !fields.keep_alive)
            || framing == Framing::UntilEnd;
        Ok(Some((Head { status, close }, framing, input.len() - rest.len())))
    }
}

/// Behind the empty line that ends a head; searched from there on.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(b'\n', bytes.get(at..)?)? + 1;
        // `LF CR LF`; that CR came before LF is seen when it is parsed.
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
            return Some(at + 2);
        }
        if bytes.get(..at).is_some_and(|head| head.ends_with(b"\n\n")) {
            return Some(at);
        }
    }
}

/// A line without its CRLF, and what follows.
type Line<'a> = (&'a [u8], &'a [u8]);

/// The first line; `None` if it is cut.
#[inline]
fn line(bytes: &[u8]) -> Result<Option<Line<'_>>, Fault> {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return Ok(None) };
    let (line, rest) = bytes.split_at(end);
    let line = line.strip_suffix(b"\r").ok_or(Fault::Field)?;
    Ok(Some((line, rest.get(1..).unwrap_or(&[]))))
}

/// `HTTP/1.1 200 OK`: the minor version and the status (RFC 9112 section 4).
fn status_line(line: &[u8]) -> Result<(u8, u16), Fault> {
    let (start, rest) = line.split_first_chunk::<12>().ok_or(Fault::StatusLine)?;
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, b' ', a, b, c] = *start else {
        return Err(Fault::StatusLine);
    };
    let digits = [minor, a, b, c].iter().all(u8::is_ascii_digit);
    // The reason may be empty; many leave out the space before it as well.
    let reason = rest.first().is_none_or(|&byte| byte == b' ');
    let printable = rest.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if !digits || a == b'0' || !reason || !printable {
        return Err(Fault::StatusLine);
    }
    let number = |byte: u8| u16::from(byte - b'0');
    Ok((minor - b'0', number(a) * 100 + number(b) * 10 + number(c)))
}

impl Fields {
    #[inline]
    fn add(&mut self, line: &[u8]) -> Result<(), Fault> {
        let colon = memchr::memchr(b':', line).ok_or(Fault::Field)?;
        let (name, value) = line.split_at(colon);
        // No name, a folded line, or a space before the colon: RFC 9112 section 5.
        if name.is_empty() || !name.iter().all(|&byte| is(byte, TOKEN)) {
            return Err(Fault::Field);
        }
        if memchr::memchr2(b'\r', 0, value).is_some() {
            return Err(Fault::Field);
        }
        // Most fields are of no interest, and their lengths say so.
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => return self.length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value),
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in members(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// The same number several times is one number (RFC 9110 section 8.6).
    fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        for member in members(value) {
            if member.is_empty() || !member.iter().all(u8::is_ascii_digit) {
                return Err(Fault::Framing);
            }
            let text = std::str::from_utf8(member).map_err(|_| Fault::Framing)?;
            let length = text.parse().map_err(|_| Fault::Framing)?;
            if self.length.is_some_and(|other| other != length) {
                return Err(Fault::Framing);
            }
            self.length = Some(length);
        }
        Ok(())
    }

    fn coding(&mut self, value: &[u8]) {
        for member in members(value).filter(|member| !member.is_empty()) {
            let chunked = member.eq_ignore_ascii_case(b"chunked");
            self.coding = if chunked { Coding::Chunked } else { Coding::Other };
        }
    }

    /// The rules of RFC 9112 section 6.3, in their order.
    fn framing(&self, minor: u8, status: u16, asked: Asked) -> Result<Framing, Fault> {
        let tunnel = asked == Asked::Connect && (200..300).contains(&status);
        if asked == Asked::Head || tunnel || status < 200 || matches!(status, 204 | 304) {
            return Ok(Framing::Length(0));
        }
        match (self.coding, self.length) {
            // Two lengths, or a coding that HTTP/1.0 doesn't have: what comes
            // next is a matter of opinion (section 6.1).
            (Coding::Chunked | Coding::Other, Some(_)) => Err(Fault::Framing),
            (Coding::Chunked | Coding::Other, None) if minor == 0 => Err(Fault::Framing),
            (Coding::Chunked, None) => Ok(Framing::Chunked),
            (Coding::None, Some(length)) => Ok(Framing::Length(length)),
            (Coding::Other | Coding::None, None) => Ok(Framing::UntilEnd),
        }
    }
}

/// The members of a list, without white space; the colon before it is dropped.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let value = value.strip_prefix(b":").unwrap_or(value);
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}
