//! The incremental head parser: request line and field lines (RFC 9112 s2 to s5).
//!
//! Nearly every head lies whole in the input and has nothing unusual: [`whole`]
//! takes it in one go, or gives up without a trace. For all others, and to say
//! what is wrong, there is the resumable machine, told of from here on: so a
//! byte is looked at twice at most, however the input is cut.
//!
//! One pass over the bytes. [`Head`] is the place where that pass stopped when
//! the input ended; the next call, with more input, goes on there. What is
//! known so far lies in the request: method, version, spans, and the index of
//! field lines. The bytes themselves are copied once, when the head is complete.
//!
//! ```text
//!   stage   Blank      Method   Target      Version   Fields
//!           CRLF ...   GET SP   /a?b=c SP   HTTP/1.1  Host: x CRLF ... CRLF
//!                      |
//!                      offset 0 of the head: spans and fields count from here
//! ```
//!
//! Rules are judged in the order of the bytes: a fault is found when the byte
//! that breaks a rule is reached, or the line that does is complete. So it does
//! not matter how the input was cut, neither for the result nor for the fault,
//! and a limit is a fault as soon as it is passed. What only the whole head can
//! break (no `Host`, transfer codings) is judged at its end.
//!
//! Nothing is repaired. Bare CR or LF, folded lines, spaces before the colon
//! and other liberties that RFC 9112 permits a recipient are refused: each of
//! them has been read in two ways by two servers in a row.

mod request_line;
mod whole;

use super::fault::Fault;
use super::framing::{Framing, Notes};
use crate::config::Limits;
use crate::http::chars::{self, VALUE, is};
use crate::http::{Field, Request, Span, Status, scan, target};

/// Where in a head the parser is. Small: each connection has one.
///
/// ```
/// use onepoll::{Limits, http::Request, proto::{Head, Length}};
/// let (mut head, mut request) = (Head::default(), Request::default());
/// let input = b"PUT /a?b HTTP/1.1\r\nHost: example.org\r\nContent-Length: 2\r\n\r\nhi";
/// assert_eq!(head.parse(&Limits::default(), &input[..20], &mut request)?, None);
/// let done = head.parse(&Limits::default(), input, &mut request)?;
/// let (used, framing) = done.expect("the head is complete");
/// assert_eq!((&input[used..], framing.body), (&b"hi"[..], Length::Exact(2)));
/// assert_eq!((request.path(), request.authority()), ("/a", "example.org"));
/// # Ok::<(), onepoll::proto::Fault>(())
/// ```
#[derive(Debug, Default)]
pub struct Head {
    stage: Stage,
    /// Bytes of empty lines that the input still begins with.
    blank: u8,
    /// Empty lines before this head, dropped or not.
    blank_lines: u8,
    /// Whether the target has a `%`.
    percent: bool,
    notes: Notes,
    /// Where the part or line that is being read begins.
    start: u16,
    /// The next byte to look at.
    at: u16,
    /// Where the line's colon is; 0 if it was not reached.
    colon: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// No byte of a request line yet.
    #[default]
    Blank,
    Method,
    Target,
    Version,
    Fields,
}

/// What became of a line.
enum Line {
    Whole,
    Cut,
    /// The one that ends the head.
    Empty,
}

/// Empty lines tolerated before a request line. RFC 9112 section 2.2 asks for
/// one: some clients send a CRLF behind a body. More is no HTTP.
const BLANK_LINES_MAX: u8 = 4;

impl Head {
    /// Reads on in a head. `input` begins with the bytes of the last call, less
    /// what [`drop_blank`](Head::drop_blank) said, and has more.
    ///
    /// `Ok(None)`: more is needed. `Ok(Some((used, framing)))`: the head ended,
    /// `used` bytes belong to it, empty lines before it included; `request` is
    /// filled, and this parser is ready for the next head. The request should
    /// be a new or recycled one, and the same one until the head is complete.
    ///
    /// # Errors
    /// The first [`Fault`] in the order of the bytes. The connection can't be
    /// parsed any further.
    pub fn parse(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<Option<(usize, Framing)>, Fault> {
        match self.whole(limits, input, request) {
            Some((behind, framing)) => Ok(Some((input.len() - behind.len(), framing))),
            None => self.resume(limits, input, request),
        }
    }

    /// The same, for a head that is whole in the input and has nothing unusual;
    /// with what lies behind it. `None`: it may be any other, and nothing has
    /// happened but to the request.
    #[inline(always)]
    pub(super) fn whole<'a>(
        &mut self,
        limits: &Limits,
        input: &'a [u8],
        request: &mut Request,
    ) -> Option<(&'a [u8], Framing)> {
        if self.stage != Stage::Blank || self.blank != 0 {
            return None;
        }
        let done = whole::read(limits, input, request)?;
        self.blank_lines = 0;
        Some(done)
    }

    /// The same, for a head of any kind, begun or not.
    #[inline(never)]
    pub(super) fn resume(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<Option<(usize, Framing)>, Fault> {
        match self.advance(limits, input, request) {
            Ok(done) => Ok(done),
            Err(fault) => Err(self.give_up(request, fault)),
        }
    }

    #[cold]
    fn give_up(&mut self, request: &mut Request, fault: Fault) -> Fault {
        // The request has no bytes that its spans could point to.
        // How the refusal is framed depends on the method (RFC 9110 section 9.3.2).
        let method = std::mem::take(&mut request.method);
        request.begin();
        request.method = method;
        *self = Head::default();
        fault
    }

    /// Whether a byte of a request line was seen. Empty lines are no activity.
    pub fn begun(&self) -> bool {
        self.stage != Stage::Blank
    }

    /// How many bytes the caller may drop from the front of its input now:
    /// complete empty lines before a head that has not begun. Counts as done.
    pub fn drop_blank(&mut self) -> usize {
        if self.begun() {
            return 0; // offsets are counted from behind them
        }
        usize::from(std::mem::take(&mut self.blank))
    }

    #[inline(always)]
    fn advance(
        &mut self,
        limits: &Limits,
        input: &[u8],
        request: &mut Request,
    ) -> Result<Option<(usize, Framing)>, Fault> {
        if self.stage == Stage::Blank {
            // First of all: a fault is answered as the method at hand demands.
            request.begin();
            if !self.skip_blank(input)? {
                return Ok(None);
            }
            self.stage = Stage::Method;
        }
        let blank = usize::from(self.blank);
        let head = if blank == 0 { input } else { input.get(blank..).unwrap_or(&[]) };
        // Nothing behind the limit is looked at, so whatever is wrong before it
        // is found first, and offsets fit in 16 bits.
        let room = limits.head_max.min(usize::from(u16::MAX));
        let head = head.get(..room).unwrap_or(head);

        let lined = self.stage == Stage::Fields || self.request_line(limits, head, request)?;
        if !lined || !self.fields(limits, head, request)? {
            if head.len() == room {
                return Err(too_large("the head is too large"));
            }
            return Ok(None);
        }
        let framing = self.notes.decide(request.version, request.content_length)?;
        request.chunked = framing.body == super::framing::Length::Chunked;
        let len = usize::from(self.at);
        request.headers.bytes.extend_from_slice(head.get(..len).unwrap_or(&[]));
        *self = Head::default();
        Ok(Some((blank + len, framing)))
    }

    /// Passes empty lines; whether a byte of something else is there.
    #[inline(always)]
    fn skip_blank(&mut self, input: &[u8]) -> Result<bool, Fault> {
        match input.get(usize::from(self.blank)) {
            Some(b'\r') => self.skip_lines(input),
            Some(b'\n') => Err(BARE_LF),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    #[cold]
    fn skip_lines(&mut self, input: &[u8]) -> Result<bool, Fault> {
        loop {
            match input.get(usize::from(self.blank)..).unwrap_or(&[]) {
                [b'\r', ..] if self.blank_lines == BLANK_LINES_MAX => {
                    return Err(Fault::bad("too many empty lines before the request"));
                }
                [b'\r', b'\n', ..] => {
                    self.blank += 2; // at most twice BLANK_LINES_MAX
                    self.blank_lines += 1;
                }
                [] | [b'\r'] => return Ok(false),
                [b'\r', ..] => return Err(BARE_CR),
                [b'\n', ..] => return Err(BARE_LF),
                _ => return Ok(true),
            }
        }
    }

    /// `*( field-line CRLF ) CRLF`; whether it is complete. Then `at` is the end.
    #[inline(always)]
    fn fields(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<bool, Fault> {
        loop {
            if self.at == self.start && self.whole_lines(limits, head, request)? {
                return Ok(true);
            }
            match self.special_line(limits, head, request)? {
                Line::Whole => {}
                Line::Cut => return Ok(false),
                Line::Empty => return Ok(true),
            }
        }
    }

    /// Takes lines that are whole and ordinary, nearly all; whether they were
    /// all. Else it stops within the first that is not, with what it knows of it.
    #[inline(never)] // the registers are its own
    fn whole_lines(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<bool, Fault> {
        let mut rest = head.get(usize::from(self.start)..).unwrap_or(&[]);
        let mut room = limits.headers_max.saturating_sub(request.headers.fields.len());
        let (colon, at) = loop {
            let len = scan::token(rest);
            let Some((name, [b':', after @ ..])) = rest.split_at_checked(len) else {
                if let [b'\r', b'\n', rest @ ..] = rest {
                    self.at = (head.len() - rest.len()) as u16;
                    return Ok(true);
                }
                break (0, len);
            };
            if len == 0 || room == 0 {
                break (0, len);
            }
            let end = scan::value(after);
            let Some((raw, [b'\r', b'\n', next @ ..])) = after.split_at_checked(end) else {
                break (len, len + 1 + end);
            };
            self.file(name, raw, head.len() - rest.len(), request)?;
            room -= 1;
            rest = next;
        };
        let start = head.len() - rest.len();
        (self.start, self.at, self.colon) = (start as u16, (start + at) as u16, colon as u16);
        Ok(false)
    }

    /// Goes on with one line, from where it was left, byte by byte if need be.
    fn special_line(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<Line, Fault> {
        let start = usize::from(self.start);
        let line = head.get(start..).unwrap_or(&[]);
        let mut at = usize::from(self.at) - start;
        if self.colon == 0 {
            at += scan::token(line.get(at..).unwrap_or(&[]));
            self.at = (start + at) as u16;
            if at > 0 && request.headers.fields.len() >= limits.headers_max {
                return Err(too_large("too many field lines"));
            }
            match line.get(at..).unwrap_or(&[]) {
                [b':', ..] if at > 0 => {}
                [b'\r', b'\n', ..] if at == 0 => {
                    self.at += 2;
                    return Ok(Line::Empty);
                }
                [] => return Ok(Line::Cut),
                [b'\r'] if at == 0 => return Ok(Line::Cut),
                [b, ..] => return Err(bad_name(*b, at == 0)),
            }
            self.colon = at as u16;
            at += 1;
        }
        loop {
            at += scan::value(line.get(at..).unwrap_or(&[]));
            self.at = (start + at) as u16;
            match line.get(at..).unwrap_or(&[]) {
                [b'\r', b'\n', ..] => break,
                [] | [b'\r'] => return Ok(Line::Cut),
                [b, ..] if !is(*b, VALUE) => {
                    return Err(stray(*b, "a control byte in a field value"));
                }
                _ => at += 1, // a tab: rare
            }
        }
        let colon = usize::from(self.colon);
        let raw = line.get(colon + 1..at).unwrap_or(&[]);
        self.file(line.get(..colon).unwrap_or(&[]), raw, start, request)?;
        self.colon = 0;
        self.next(Stage::Fields, start + at + 2);
        Ok(Line::Whole)
    }

    /// Files a complete field line, which begins at `start` of the head, and
    /// notes what it means to us. `raw` is all between the colon and CRLF.
    #[inline(always)]
    fn file(
        &mut self,
        name: &[u8],
        raw: &[u8],
        start: usize,
        request: &mut Request,
    ) -> Result<(), Fault> {
        let after = if let [b' ', after @ ..] = raw { after } else { raw };
        let (mut led, mut value) = (raw.len() - after.len(), after);
        // More than the usual one space? (Nothing else up to SP got here.)
        if value.first().is_some_and(|&b| b <= b' ') || value.last().is_some_and(|&b| b <= b' ') {
            (led, value) = trimmed(raw);
        }
        let field = Field {
            name: start as u16,
            name_len: name.len() as u16,
            value: (start + name.len() + 1 + led) as u16,
            value_len: value.len() as u16,
        };
        request.headers.fields.push(field);
        match name {
            &[h, o, s, t]
                if u32::from_le_bytes([h, o, s, t]) | 0x2020_2020
                    == u32::from_le_bytes(*b"host") =>
            {
                self.host(value, Request::value_span(field), request)
            }
            _ if Notes::concerns(name) => {
                self.notes.line(name, value, request.version, &mut request.content_length)
            }
            _ => Ok(()),
        }
    }

    /// `Host = uri-host [ ":" port ]` (RFC 9110 section 7.2); it may be empty.
    #[inline(always)]
    fn host(&mut self, value: &[u8], place: Span, request: &mut Request) -> Result<(), Fault> {
        self.notes.host()?;
        // Nearly all hosts are plain names.
        if scan::unreserved(value) != value.len() && target::split_authority(value).is_none() {
            return Err(Fault::bad("Host is not a valid host"));
        }
        if request.authority.len == 0 {
            request.authority = place; // else the target's own wins
        }
        Ok(())
    }

    #[inline(always)]
    fn next(&mut self, stage: Stage, start: usize) {
        self.stage = stage;
        self.start = start as u16;
        self.at = start as u16;
    }
}

/// How many bytes of space lead, and the value without space at both ends.
#[cold]
fn trimmed(raw: &[u8]) -> (usize, &[u8]) {
    let led = raw.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (led, chars::trim(raw))
}

/// From byte to byte; a head has at most 65,535 bytes.
#[inline(always)]
fn span(start: usize, end: usize) -> Span {
    Span { start: start as u16, len: (end - start) as u16 }
}

/// A byte where the grammar has none like it.
#[cold]
fn stray(byte: u8, otherwise: &'static str) -> Fault {
    match byte {
        b'\n' => BARE_LF,
        b'\r' => BARE_CR,
        0 => Fault::bad("a NUL byte in the head"),
        _ => Fault::bad(otherwise),
    }
}

#[cold]
fn bad_name(byte: u8, first: bool) -> Fault {
    match byte {
        // RFC 9112 section 5.2; on the first line, section 2.2.
        b' ' | b'\t' if first => Fault::bad("a folded line, or a space before the first one"),
        b' ' | b'\t' => Fault::bad("a space before the colon"), // section 5.1
        b':' => Fault::bad("a field line without a name"),
        _ => stray(byte, "a field name is not a token"),
    }
}

fn too_large(reason: &'static str) -> Fault {
    Fault::new(Status::REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
}

const BARE_LF: Fault = Fault::bad("a bare LF");
const BARE_CR: Fault = Fault::bad("a bare CR");

#[cfg(test)]
mod tests;
