//! Finds the content in the bytes of a request: by length, or in chunks.
//!
//! A decoder sees the input piece by piece, cut anywhere, and never sees a byte
//! twice. It copies nothing: content is reported as a range of the input. What
//! it must remember between two pieces fits into 16 bytes.
//!
//! ```text
//!  Length(n):  n bytes --> end
//!
//!  Chunked:    Size --> SizeLf --> Data --> DataCr --> DataLf --.
//!               ^|        ^|                                    |
//!               ||        |'-- size 0 --> Trailers --> end      |
//!               |'-> Ext..'                                     |
//!               '-----------------------------------------------'
//! ```
//!
//! The grammar is that of RFC 9112 section 7.1 to the letter. Where receivers
//! differ in what they forgive, two of them in a row see two different messages:
//! that is request smuggling, so nothing is forgiven here.

use super::Fault;
use crate::config::Limits;
use crate::http::chars::{self, TOKEN, VALUE};
use crate::http::{Headers, Status};
use std::ops::Range;

/// How the content of the current request is delimited, and how far it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decoder {
    /// So many bytes are still to come (RFC 9112 section 6.2).
    Length(u64),
    /// Chunks (section 7.1).
    Chunked(Chunked),
}

/// What the next bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// All bytes are used up, or wait for more behind them.
    NeedMore,
    /// Content.
    Data(Range<usize>),
    /// The content is complete.
    End,
}

/// How far a chunked body is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunked {
    /// In a size: its value so far. In data: bytes to come. In trailers: bytes
    /// of an incomplete line that hold no line feed.
    left: u64,
    /// Bytes of extensions so far, over all chunks; in trailers, bytes of lines.
    spent: u32,
    phase: Phase,
    /// Digits of this size, leading zeros included.
    digits: u8,
}

/// What the next byte of a chunked body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Size,
    /// The `;` after white space.
    ExtSemicolon,
    ExtNameStart,
    ExtName,
    /// White space after a name: an `=` or the next extension.
    ExtEquals,
    ExtValueStart,
    ExtValue,
    ExtQuoted,
    ExtEscape,
    ExtQuoteEnd,
    /// The LF of a size line.
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    End,
}

impl Decoder {
    pub(crate) const fn chunked() -> Decoder {
        Decoder::Chunked(Chunked { left: 0, spent: 0, phase: Phase::Size, digits: 0 })
    }

    /// Bytes of content known to be missing. A chunked body doesn't say, but
    /// for the chunk that it is in.
    pub(crate) fn left(&self) -> u64 {
        match self {
            Decoder::Length(left) => *left,
            Decoder::Chunked(chunked) if chunked.phase == Phase::Data => chunked.left,
            Decoder::Chunked(_) => 0,
        }
    }

    /// Reads on; says how many bytes are used up and what they were. Trailer
    /// fields are added to `trailers`.
    #[inline]
    pub(crate) fn decode(
        &mut self,
        limits: &Limits,
        input: &[u8],
        trailers: &mut Headers,
    ) -> Result<(usize, Decoded), Fault> {
        match self {
            Decoder::Length(0) => Ok((0, Decoded::End)),
            Decoder::Length(_) if input.is_empty() => Ok((0, Decoded::NeedMore)),
            Decoder::Length(left) => {
                let len = take(left, input.len());
                Ok((len, Decoded::Data(0..len)))
            }
            Decoder::Chunked(chunked) => chunked.decode(limits, input, trailers),
        }
    }
}

impl Chunked {
    fn decode(
        &mut self,
        limits: &Limits,
        input: &[u8],
        trailers: &mut Headers,
    ) -> Result<(usize, Decoded), Fault> {
        let mut at = 0;
        loop {
            match self.phase {
                Phase::End => return Ok((at, Decoded::End)),
                Phase::Trailers => {
                    let rest = input.get(at..).unwrap_or(&[]);
                    let Some(line) = self.line(limits, rest)? else {
                        return Ok((at, Decoded::NeedMore));
                    };
                    at += line.len();
                    match line.strip_suffix(b"\r\n") {
                        None => return Err(Fault::bad("bare LF in the trailer section")),
                        Some(b"") => self.phase = Phase::End,
                        Some(field) => trailer(limits, field, trailers)?,
                    }
                }
                Phase::Data => {
                    let len = take(&mut self.left, input.len() - at);
                    if self.left == 0 {
                        self.phase = Phase::DataCr;
                    }
                    return Ok(match len {
                        0 => (at, Decoded::NeedMore),
                        _ => (at + len, Decoded::Data(at..at + len)),
                    });
                }
                _ => {
                    let Some(&byte) = input.get(at) else { return Ok((at, Decoded::NeedMore)) };
                    at += 1;
                    self.phase = self.framing(limits, byte)?;
                }
            }
        }
    }

    /// Takes one byte of framing: a size line, or the CRLF behind data.
    fn framing(&mut self, limits: &Limits, byte: u8) -> Result<Phase, Fault> {
        match (self.phase, byte) {
            (Phase::Size, b';' | b' ' | b'\t' | b'\r') if self.digits == 0 => {
                Err(Fault::bad("chunk without a size"))
            }
            (Phase::Size, b';') => self.extension(limits, byte),
            (Phase::Size, b' ' | b'\t') => self.extension(limits, byte),
            (Phase::Size, b'\r') => Ok(Phase::SizeLf),
            (Phase::Size, _) => self.digit(byte),
            (Phase::SizeLf, b'\n') => {
                self.digits = 0;
                if self.left > 0 {
                    return Ok(Phase::Data);
                }
                self.spent = 0; // from here on it counts trailers
                Ok(Phase::Trailers)
            }
            (Phase::SizeLf, _) => Err(Fault::bad("bare CR in a chunk's size line")),
            (Phase::DataCr, b'\r') => Ok(Phase::DataLf),
            (Phase::DataLf, b'\n') => Ok(Phase::Size),
            (Phase::DataCr | Phase::DataLf, _) => {
                Err(Fault::bad("chunk data longer than its size"))
            }
            _ => self.extension(limits, byte),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<Phase, Fault> {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(Fault::bad("chunk size is not hexadecimal")),
        };
        if self.left > u64::MAX >> 4 || self.digits == DIGITS_MAX {
            return Err(Fault::bad("chunk size too large"));
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(value);
        Ok(Phase::Size)
    }

    /// Takes one byte of `*( BWS ";" BWS name [ BWS "=" BWS value ] )`, where a
    /// value is a token or a quoted string (RFC 9112 section 7.1.1). All of
    /// them are ignored, as unknown ones must be; that they are well-formed is
    /// checked, since a quoted string may look like anything.
    fn extension(&mut self, limits: &Limits, byte: u8) -> Result<Phase, Fault> {
        self.spent = self.spent.saturating_add(1);
        if self.spent as usize > limits.chunk_ext_max {
            return Err(Fault::bad("chunk extensions too long"));
        }
        let blank = matches!(byte, b' ' | b'\t');
        let token = chars::is(byte, TOKEN);
        Ok(match (self.phase, byte) {
            (Phase::ExtSemicolon, _) if blank => Phase::ExtSemicolon,
            (Phase::Size | Phase::ExtQuoteEnd, _) if blank => Phase::ExtSemicolon,

            (Phase::ExtNameStart, _) if blank => Phase::ExtNameStart,
            (Phase::ExtNameStart | Phase::ExtName, _) if token => Phase::ExtName,
            (Phase::ExtName | Phase::ExtEquals, b'=') => Phase::ExtValueStart,
            (Phase::ExtName | Phase::ExtEquals, _) if blank => Phase::ExtEquals,

            (Phase::ExtValueStart, _) if blank => Phase::ExtValueStart,
            (Phase::ExtValueStart, b'"') => Phase::ExtQuoted,
            (Phase::ExtValueStart | Phase::ExtValue, _) if token => Phase::ExtValue,
            (Phase::ExtValue, _) if blank => Phase::ExtSemicolon,

            (Phase::ExtQuoted, b'"') => Phase::ExtQuoteEnd,
            (Phase::ExtQuoted, b'\\') => Phase::ExtEscape,
            (Phase::ExtQuoted | Phase::ExtEscape, _) if chars::is(byte, VALUE) => Phase::ExtQuoted,

            (
                Phase::Size
                | Phase::ExtSemicolon
                | Phase::ExtName
                | Phase::ExtEquals
                | Phase::ExtValue
                | Phase::ExtQuoteEnd,
                b';',
            ) => Phase::ExtNameStart,
            // White space belongs in front of something: not to the line's end.
            (Phase::ExtName | Phase::ExtValue | Phase::ExtQuoteEnd, b'\r') => Phase::SizeLf,
            _ => return Err(Fault::bad("malformed chunk extension")),
        })
    }

    /// The next line of the trailer section with its LF, once it is complete.
    /// An incomplete one is left to the caller and looked at again from where
    /// it ended.
    fn line<'i>(&mut self, limits: &Limits, rest: &'i [u8]) -> Result<Option<&'i [u8]>, Fault> {
        let seen = (self.left as usize).min(rest.len()); // never longer than trailers_max
        let found = memchr::memchr(b'\n', rest.get(seen..).unwrap_or(&[]));
        let len = found.map_or(rest.len(), |at| seen + at + 1);
        let total = (self.spent as usize).saturating_add(len);
        if total > limits.trailers_max {
            let status = Status::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Fault::new(status, "trailer section too long"));
        }
        if found.is_none() {
            self.left = len as u64;
            return Ok(None);
        }
        self.left = 0;
        self.spent = u32::try_from(total).unwrap_or(u32::MAX);
        Ok(rest.get(..len))
    }
}

/// Reads one trailer field; leaves out those that a trailer must not set.
fn trailer(limits: &Limits, field: &[u8], trailers: &mut Headers) -> Result<(), Fault> {
    let Some(colon) = memchr::memchr(b':', field) else {
        return Err(Fault::bad("trailer line without a colon"));
    };
    let (name, value) = field.split_at_checked(colon).unwrap_or_default();
    let value = chars::trim(value.get(1..).unwrap_or(&[]));
    // A name that begins with a space would be a folded line, and one that ends
    // with it is the space before the colon: neither is a token.
    if !chars::is_token(name) || !chars::is_field_value(value) {
        return Err(Fault::bad("malformed trailer field"));
    }
    if is_forbidden(name) {
        return Ok(());
    }
    let too_many = Fault::new(Status::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many trailer fields");
    if trailers.len() >= limits.headers_max {
        return Err(too_many);
    }
    let name = std::str::from_utf8(name).unwrap_or(""); // a token is ASCII
    trailers.add(name, value).map_err(|_| too_many)
}

/// Whether a field is needed before the content, and so must not come behind it
/// (RFC 9110 section 6.5.1): framing, routing, modifiers of the request,
/// authentication, and how to read the content.
fn is_forbidden(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if starts(b"content-") {
        // A digest is the one that is meant for a trailer (RFC 9530 section 2).
        return !name.eq_ignore_ascii_case(b"content-digest");
    }
    const PREFIXES: [&[u8]; 4] = [b"if-", b"x-forwarded-", b"proxy-", b"access-control-"];
    PREFIXES.iter().any(|prefix| starts(prefix))
        || FORBIDDEN.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Takes up to `available` bytes off `left`.
fn take(left: &mut u64, available: usize) -> usize {
    // What doesn't fit into a usize is more than is available.
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= len as u64;
    len
}

/// Digits of a chunk size. Sixteen are all that a u64 takes; leading zeros are
/// legal, and a few are seen from senders that reserve room for the number.
const DIGITS_MAX: u8 = 32;

const FORBIDDEN: [&[u8]; 23] = [
    b"accept",
    b"age",
    b"authorization",
    b"cache-control",
    b"connection",
    b"cookie",
    b"date",
    b"expect",
    b"expires",
    b"forwarded",
    b"host",
    b"keep-alive",
    b"location",
    b"max-forwards",
    b"origin",
    b"pragma",
    b"range",
    b"set-cookie",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"vary",
];

#[cfg(test)]
mod tests;
