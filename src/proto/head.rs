//! The incremental head parser: request line and field lines (RFC 9112 s2 to s5).
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

use super::fault::Fault;
use super::framing::{Framing, Notes};
use crate::config::Limits;
use crate::http::chars::{TOKEN, is};
use crate::http::{Field, Method, Request, Span, Status, Version, scan, target};

/// Where in a head the parser is. Small: each connection has one.
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
        let result = self.advance(limits, input, request);
        if result.is_err() {
            // The request has no bytes that its spans could point to.
            request.recycle();
            *self = Head::default();
        }
        result
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
            if !self.skip_blank(input)? {
                return Ok(None);
            }
            begin(request);
            self.stage = Stage::Method;
        }
        let blank = usize::from(self.blank);
        let head = input.get(blank..).unwrap_or(&[]);
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

    /// `method SP request-target SP HTTP-version CRLF`; whether it is complete.
    #[inline(always)]
    fn request_line(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<bool, Fault> {
        if self.stage == Stage::Method && !self.method(head, request)? {
            return Ok(false);
        }
        if self.stage == Stage::Target && !self.target(limits, head, request)? {
            return Ok(false);
        }
        self.version(head, request)
    }

    #[inline(always)]
    fn method(&mut self, head: &[u8], request: &mut Request) -> Result<bool, Fault> {
        let mut at = scan::name(head, usize::from(self.at));
        while head.get(at).is_some_and(|&b| is(b, TOKEN)) {
            at += 1; // a mark such as `_`: rare
        }
        if at > Method::LEN_MAX {
            // RFC 9112 section 3: longer than any that we implement.
            return Err(Fault::new(Status::NOT_IMPLEMENTED, "the method is too long"));
        }
        match head.get(at) {
            Some(b' ') if at > 0 => {}
            Some(&b) => return Err(stray(b, "the method is not a token")),
            None => {
                self.at = at as u16;
                return Ok(false);
            }
        }
        let method = head.get(..at).and_then(Method::parse);
        request.method = method.ok_or(Fault::bad("the method is not a token"))?;
        self.next(Stage::Target, at + 1);
        Ok(true)
    }

    #[inline(always)]
    fn target(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<bool, Fault> {
        let start = usize::from(self.start);
        let mut at = usize::from(self.at);
        let stop = loop {
            at = scan::target(head, at);
            match head.get(at) {
                Some(b'?') => {
                    request.query.get_or_insert(Span { start: at as u16 + 1, len: 0 });
                }
                Some(b'%') => self.percent = true,
                stop => break stop,
            }
            at += 1;
        };
        if at - start > limits.target_max {
            return Err(Fault::new(Status::URI_TOO_LONG, "the target is too long"));
        }
        match stop {
            Some(b' ') if at > start => {}
            Some(b'\r' | b'\n') if at > start => return Err(Fault::bad("no version: HTTP/0.9")),
            Some(&b) => return Err(stray(b, "the target is empty or has a forbidden byte")),
            None => {
                self.at = at as u16;
                return Ok(false);
            }
        }
        let text = head.get(start..at).unwrap_or(&[]);
        request.target = span(start, at);
        self.take_apart(text, request)?;
        self.next(Stage::Version, at + 1);
        Ok(true)
    }

    /// Finds path, query and authority of the target, `text`.
    #[inline(always)]
    fn take_apart(&self, text: &[u8], request: &mut Request) -> Result<(), Fault> {
        let end = self.start + request.target.len;
        let mut path_end = end;
        if let Some(query) = &mut request.query {
            query.len = end - query.start;
            path_end = query.start - 1;
        }
        request.path = Span { start: self.start, len: path_end - self.start };
        if text.first() != Some(&b'/') || request.method == Method::CONNECT {
            self.other_form(text, request)?;
        }
        if self.percent {
            self.undo_percent(text, request)?;
        }
        Ok(())
    }

    #[cold]
    fn other_form(&self, text: &[u8], request: &mut Request) -> Result<(), Fault> {
        let path_end = usize::from(request.path.len);
        let parts = target::parse(text, path_end, &request.method).map_err(Fault::bad)?;
        let start = usize::from(self.start);
        let shifted = |range: std::ops::Range<usize>| span(start + range.start, start + range.end);
        request.path = shifted(parts.path);
        request.authority = shifted(parts.authority);
        if request.path.len == 0 && request.authority.len > 0 && request.method != Method::CONNECT {
            // `http://example.org` means the path `/` (RFC 9110 section 4.2.3).
            request.normal = Some("/".to_owned());
        }
        Ok(())
    }

    #[cold]
    fn undo_percent(&self, text: &[u8], request: &mut Request) -> Result<(), Fault> {
        if !target::are_triplets(text) {
            return Err(Fault::bad("the target has a % that is no triplet"));
        }
        let start = usize::from(request.path.start - self.start);
        let path = text.get(start..start + usize::from(request.path.len));
        let path = path.and_then(|path| std::str::from_utf8(path).ok()); // it is ASCII
        if let Some(normal) = path.and_then(target::normalise) {
            request.normal = Some(normal);
        }
        Ok(())
    }

    /// `HTTP-version CRLF`, where `HTTP-version = "HTTP/" DIGIT "." DIGIT` with
    /// regard to case (RFC 9112 section 2.3).
    #[inline(always)]
    fn version(&mut self, head: &[u8], request: &mut Request) -> Result<bool, Fault> {
        let start = usize::from(self.start);
        let rest = head.get(start..).unwrap_or(&[]);
        if rest.first_chunk() == Some(b"HTTP/1.1\r\n") {
            request.version = Version::Http11;
        } else if !self.version_by_byte(rest, request)? {
            return Ok(false);
        }
        self.next(Stage::Fields, start + 10);
        Ok(true)
    }

    #[cold]
    fn version_by_byte(&mut self, rest: &[u8], request: &mut Request) -> Result<bool, Fault> {
        let done = usize::from(self.at - self.start);
        for (i, &wanted) in b"HTTP/d.d\r\n".iter().enumerate().skip(done) {
            let Some(&byte) = rest.get(i) else { return Ok(false) };
            self.at += 1;
            match wanted {
                b'd' if !byte.is_ascii_digit() => return Err(stray(byte, VERSION)),
                b'd' if i == 7 && rest.get(5) != Some(&b'1') => {
                    let status = Status::HTTP_VERSION_NOT_SUPPORTED;
                    return Err(Fault::new(status, "not HTTP/1"));
                }
                // A higher minor version is read as ours (RFC 9110 section 2.5).
                b'd' if i == 7 && byte == b'0' => request.version = Version::Http10,
                b'd' => request.version = Version::Http11,
                _ if byte != wanted => return Err(stray(byte, VERSION)),
                _ => {}
            }
        }
        Ok(true)
    }

    /// `*( field-line CRLF ) CRLF`; whether it is complete. Then `at` is the end.
    #[inline(always)]
    fn fields(
        &mut self,
        limits: &Limits,
        head: &[u8],
        request: &mut Request,
    ) -> Result<bool, Fault> {
        let mut start = usize::from(self.start);
        let mut at = usize::from(self.at);
        let mut colon = usize::from(self.colon);
        loop {
            if colon == 0 {
                at = field_name(head, at);
                let stop = head.get(at);
                if at > start && request.headers.fields.len() >= limits.headers_max {
                    return Err(too_large("too many field lines"));
                }
                match stop {
                    Some(b':') if at > start => {}
                    Some(b'\r') if at == start => match head.get(at + 1) {
                        Some(b'\n') => {
                            self.at = (at + 2) as u16;
                            return Ok(true);
                        }
                        Some(_) => return Err(BARE_CR),
                        None => break,
                    },
                    Some(&b) => return Err(bad_name(b, at == start)),
                    None => break,
                }
                colon = at;
                at += 1;
            }
            at = scan::value(head, at);
            match (head.get(at), head.get(at + 1)) {
                (Some(b'\r'), Some(b'\n')) => {}
                (Some(b'\t'), _) => {
                    at += 1;
                    continue;
                }
                (None, _) | (Some(b'\r'), None) => break,
                (Some(&b), _) => return Err(stray(b, "a control byte in a field value")),
            }
            self.line(head, (start, colon, at), request)?;
            start = at + 2;
            at = start;
            colon = 0;
        }
        (self.start, self.at, self.colon) = (start as u16, at as u16, colon as u16);
        Ok(false)
    }

    /// Files a complete field line and notes what it means to us.
    #[inline(always)]
    fn line(
        &mut self,
        head: &[u8],
        (start, colon, end): (usize, usize, usize),
        request: &mut Request,
    ) -> Result<(), Fault> {
        let (mut first, mut last) = (colon + 1, end);
        while first < last && matches!(head.get(first), Some(b' ' | b'\t')) {
            first += 1;
        }
        while first < last && matches!(head.get(last - 1), Some(b' ' | b'\t')) {
            last -= 1;
        }
        request.headers.fields.push(Field {
            name: start as u16,
            name_len: (colon - start) as u16,
            value: first as u16,
            value_len: (last - first) as u16,
        });
        let name = head.get(start..colon).unwrap_or(&[]);
        if let &[h, o, s, t] = name {
            if u32::from_le_bytes([h, o, s, t]) | 0x2020_2020 == u32::from_le_bytes(*b"host") {
                return self.host(head, first, last, request);
            }
            return Ok(());
        }
        let value = head.get(first..last).unwrap_or(&[]);
        self.notes.line(name, value, request.version, &mut request.content_length)
    }

    /// `Host = uri-host [ ":" port ]` (RFC 9110 section 7.2); it may be empty.
    #[inline(always)]
    fn host(
        &mut self,
        head: &[u8],
        first: usize,
        last: usize,
        request: &mut Request,
    ) -> Result<(), Fault> {
        self.notes.host()?;
        // Nearly all hosts are plain names. The scan can't pass the value's end:
        // what ends it is in no name.
        if scan::name(head, first) != last {
            let value = head.get(first..last).unwrap_or(&[]);
            if target::split_authority(value).is_none() {
                return Err(Fault::bad("Host is not a valid host"));
            }
        }
        if request.authority.len == 0 {
            request.authority = span(first, last); // else the target's own wins
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

/// Where the field name that is being read stops.
#[inline(always)]
fn field_name(head: &[u8], at: usize) -> usize {
    let mut at = scan::name(head, at);
    while head.get(at).is_some_and(|&b| is(b, TOKEN)) {
        at = scan::name(head, at + 1); // a mark such as `_`: rare
    }
    at
}

/// Makes the request a blank page.
#[inline(always)]
fn begin(request: &mut Request) {
    request.headers.clear();
    request.query = None;
    request.authority = Span::default();
    request.normal = None;
    request.content_length = None;
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
const VERSION: &str = "the version is not HTTP/1.1 or the like";

#[cfg(test)]
mod tests;
