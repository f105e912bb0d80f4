//! How long a request's body is, and whether the connection persists.
//!
//! Where one message ends and the next begins is the one question on which two
//! parsers in a row must never disagree: if they do, a client can hide a
//! request inside a body ("request smuggling"). Hence everything that is
//! ambiguous is refused, and the connection ends with the refusal.
//!
//! The head parser shows each field line to [`Notes`] as soon as it is
//! complete; at the head's end [`Notes::decide`] draws the conclusion:
//!
//! ```text
//!   Transfer-Encoding  Content-Length   body                 RFC 9112 s6.3
//!   chunked            -                Chunked              rule 4
//!   any other          -                400, or 501          rule 4, s6.1
//!   any                any              400                  rule 3
//!   -                  one valid length Exact, None if 0     rule 6
//!   -                  else             400                  rule 5
//!   -                  -                None                 rule 7
//! ```

use super::fault::Fault;
use crate::http::{Status, Version, chars};

/// What a head says about what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The body that follows the head.
    pub body: Length,
    /// Whether the connection may carry another request after this one, as far
    /// as the client is concerned (RFC 9112 section 9.3).
    pub keep: bool,
    /// Whether the client waits for `100 Continue` before it sends the body
    /// (RFC 9110 section 10.1.1). False if there is no body to wait for.
    pub expect: bool,
    /// Whether the client offers to change protocols: `Upgrade`, named in
    /// `Connection`, in HTTP/1.1 (RFC 9110 section 7.8).
    pub upgrade: bool,
}

impl Framing {
    /// As nearly always.
    pub(super) const USUAL: Framing =
        Framing { body: Length::None, keep: true, expect: false, upgrade: false };
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is no body, or an empty one.
    None,
    /// This many bytes, at least one.
    Exact(u64),
    /// Chunks, up to the one of size zero (RFC 9112 section 7.1).
    Chunked,
}

/// What the field lines so far have said: one bit each, so that a head that
/// comes in pieces needs two bytes of memory for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes(u16);

impl Notes {
    /// There was a `Host`.
    const HOST: u16 = 1;
    /// There was a `Transfer-Encoding`.
    const CODED: u16 = 1 << 1;
    /// The last coding so far is `chunked`.
    const CHUNKED: u16 = 1 << 2;
    /// There is a coding that we don't know.
    const UNKNOWN: u16 = 1 << 3;
    /// There was a `Content-Length`.
    const LENGTH: u16 = 1 << 4;
    /// `Connection: close`.
    const CLOSE: u16 = 1 << 5;
    /// `Connection: keep-alive`.
    const KEEP: u16 = 1 << 6;
    /// `Connection: upgrade`.
    const SWITCH: u16 = 1 << 7;
    /// There was an `Upgrade` with a value.
    const UPGRADE: u16 = 1 << 8;
    /// `Expect: 100-continue`.
    const CONTINUE: u16 = 1 << 9;

    fn set(&mut self, bits: u16) {
        self.0 |= bits;
    }

    #[inline(always)]
    fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    /// Notes a `Host` line: there must be only one (RFC 9112 section 3.2).
    #[inline(always)]
    pub(super) fn host(&mut self) -> Result<(), Fault> {
        if self.has(Notes::HOST) {
            return Err(Fault::bad("more than one Host"));
        }
        self.set(Notes::HOST);
        Ok(())
    }

    /// Whether a name may be `Host` or one that [`line`](Notes::line) looks for:
    /// cheap, and says no to nearly all others.
    #[inline(always)]
    pub(super) fn concerns(name: &[u8]) -> bool {
        name.first().is_some_and(|b| INITIALS.get(name.len()) == Some(&(b | 0x20)))
    }

    /// Looks at one field line, its value trimmed. `length` is the declared
    /// content length so far.
    #[inline(always)]
    pub(super) fn line(
        &mut self,
        name: &[u8],
        value: &[u8],
        version: Version,
        length: &mut Option<u64>,
    ) -> Result<(), Fault> {
        if is(name, b"connection") && is(value, b"keep-alive") {
            self.set(Notes::KEEP); // what most browsers and proxies say
            return Ok(());
        }
        self.any_line(name, value, version, length)
    }

    #[inline(never)]
    fn any_line(
        &mut self,
        name: &[u8],
        value: &[u8],
        version: Version,
        length: &mut Option<u64>,
    ) -> Result<(), Fault> {
        // The name's length and first letter rule out nearly all others.
        let first = name.first().map_or(0, |b| b | 0x20);
        match (name.len(), first) {
            (6, b'e') if is(name, b"expect") => self.expectation(value, version),
            (7, b'u') if is(name, b"upgrade") => {
                if !value.is_empty() {
                    self.set(Notes::UPGRADE);
                }
                Ok(())
            }
            (10, b'c') if is(name, b"connection") => {
                self.connection(value);
                Ok(())
            }
            (14, b'c') if is(name, b"content-length") => self.content_length(value, length),
            (17, b't') if is(name, b"transfer-encoding") => self.transfer_encoding(value, version),
            _ => Ok(()),
        }
    }

    /// RFC 9110 section 10.1.1. The field came with HTTP/1.1: in a 1.0 request
    /// it is ignored.
    fn expectation(&mut self, value: &[u8], version: Version) -> Result<(), Fault> {
        if version == Version::Http10 {
            return Ok(());
        }
        for member in members(value) {
            if !is(member, b"100-continue") {
                return Err(Fault::new(Status::EXPECTATION_FAILED, "unknown expectation"));
            }
            self.set(Notes::CONTINUE);
        }
        Ok(())
    }

    /// RFC 9110 section 7.6.1: a list of options, in any case.
    fn connection(&mut self, value: &[u8]) {
        for member in members(value) {
            if is(member, b"keep-alive") {
                self.set(Notes::KEEP);
            } else if is(member, b"close") {
                self.set(Notes::CLOSE);
            } else if is(member, b"upgrade") {
                self.set(Notes::SWITCH);
            }
        }
    }

    /// RFC 9110 section 8.6. The same length said twice is tolerated, as the
    /// section allows; anything else that is not one number is not.
    fn content_length(&mut self, value: &[u8], length: &mut Option<u64>) -> Result<(), Fault> {
        if self.has(Notes::CODED) {
            return Err(BOTH);
        }
        self.set(Notes::LENGTH);
        for member in value.split(|&b| b == b',') {
            let said = number(chars::trim(member))?;
            if length.is_some_and(|before| before != said) {
                return Err(Fault::bad("Content-Length twice, and not the same"));
            }
            *length = Some(said);
        }
        Ok(())
    }

    /// RFC 9112 sections 6.1 and 7. Several lines are one list, so what is last
    /// so far is only known to be last when the head ends.
    fn transfer_encoding(&mut self, value: &[u8], version: Version) -> Result<(), Fault> {
        if version == Version::Http10 {
            return Err(Fault::bad("Transfer-Encoding in HTTP/1.0"));
        }
        if self.has(Notes::LENGTH) {
            return Err(BOTH);
        }
        self.set(Notes::CODED);
        let mut some = false;
        for member in members(value) {
            some = true;
            if self.has(Notes::CHUNKED) {
                return Err(Fault::bad("a transfer coding after chunked"));
            }
            let chunked = is(member, b"chunked");
            self.set(if chunked { Notes::CHUNKED } else { Notes::UNKNOWN });
        }
        if some { Ok(()) } else { Err(Fault::bad("Transfer-Encoding without a coding")) }
    }

    /// The conclusion, at the end of the head.
    #[inline(always)]
    pub(super) fn decide(self, version: Version, length: Option<u64>) -> Result<Framing, Fault> {
        if self.0 & !Notes::KEEP == Notes::HOST && length.is_none() && version == Version::Http11 {
            // As nearly always. What follows comes to the same.
            return Ok(Framing::USUAL);
        }
        if version == Version::Http11 && !self.has(Notes::HOST) {
            return Err(Fault::bad("no Host in HTTP/1.1")); // RFC 9112 section 3.2
        }
        let body = match length {
            _ if self.has(Notes::CODED) => self.coded()?,
            None | Some(0) => Length::None,
            Some(length) => Length::Exact(length),
        };
        let keep = match version {
            Version::Http11 => !self.has(Notes::CLOSE),
            Version::Http10 => self.has(Notes::KEEP) && !self.has(Notes::CLOSE),
        };
        Ok(Framing {
            body,
            keep,
            expect: self.has(Notes::CONTINUE) && body != Length::None,
            upgrade: version == Version::Http11
                && self.has(Notes::UPGRADE)
                && self.has(Notes::SWITCH),
        })
    }

    #[cold]
    fn coded(self) -> Result<Length, Fault> {
        if !self.has(Notes::CHUNKED) {
            // The length can't be determined (RFC 9112 section 6.3, rule 4).
            return Err(Fault::bad("the last transfer coding is not chunked"));
        }
        if self.has(Notes::UNKNOWN) {
            return Err(Fault::new(Status::NOT_IMPLEMENTED, "unknown transfer coding"));
        }
        Ok(Length::Chunked)
    }
}

/// The first letter of the one name of each length that matters here.
static INITIALS: [u8; 32] = {
    let mut initials = [0; 32];
    initials["host".len()] = b'h';
    initials["expect".len()] = b'e';
    initials["upgrade".len()] = b'u';
    initials["connection".len()] = b'c';
    initials["content-length".len()] = b'c';
    initials["transfer-encoding".len()] = b't';
    initials
};

/// RFC 9112 section 6.3, rule 3: allowed to a careful gateway, but smuggling in
/// nearly every case.
const BOTH: Fault = Fault::bad("both Content-Length and Transfer-Encoding");

/// The members of a list, empty ones left out (RFC 9110 section 5.6.1.2).
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(chars::trim).filter(|member| !member.is_empty())
}

/// Whether a text without control bytes is this word, which is in lower case.
/// (Setting one bit folds letters; it leaves marks and digits alone, and only
/// control bytes become such.)
#[inline(always)]
fn is<const N: usize>(text: &[u8], lower: &[u8; N]) -> bool {
    let Ok(text) = <&[u8; N]>::try_from(text) else { return false };
    text.iter().zip(lower).fold(0, |unlike, (a, b)| unlike | ((a | 0x20) ^ b)) == 0
}

/// `1*DIGIT` that fits in 64 bits: no sign, no space, no other base.
fn number(digits: &[u8]) -> Result<u64, Fault> {
    if digits.is_empty() {
        return Err(Fault::bad("Content-Length without a number"));
    }
    digits.iter().try_fold(0u64, |sum, &digit| {
        if !digit.is_ascii_digit() {
            return Err(Fault::bad("Content-Length is not a number"));
        }
        let grown = sum.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0')));
        grown.ok_or(Fault::bad("Content-Length is too large"))
    })
}
