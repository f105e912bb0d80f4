//! Writes what frames a response: its head, and the lines between chunks.
//!
//! Content is never seen here, only its length: the caller puts it on the wire
//! behind what is written here. A head is a few copies, of which the longest is
//! ready before anybody asks: status line 200, `Server` and `Date` lie behind
//! one another in the [`Preamble`].
//!
//! ```text
//!  HTTP/1.1 200 OK        \
//!  Server: onepoll         | one copy (status line apart unless 200)
//!  Date: ...              /
//!  Content-Type: ...
//!  the response's fields    one copy
//!  Content-Length: ... | Transfer-Encoding: chunked | neither
//!  Connection: close | keep-alive | upgrade | no such line
//! ```

use crate::http::{Headers, Response, Status, date};

/// The lines that begin every head: `Server` and `Date`, rendered at most once
/// a second for all connections of a loop.
///
/// ```
/// use onepoll::proto::Preamble;
/// let mut preamble = Preamble::new(Some("onepoll"));
/// preamble.refresh(784_111_777); // Unix time
/// ```
#[derive(Clone, Debug)]
pub struct Preamble {
    /// Status line 200, `Server` line if any, `Date` line.
    bytes: Vec<u8>,
    /// Where the `Date` line begins.
    date: usize,
    secs: Option<u64>,
}

impl Preamble {
    /// With this `Server` field, if any; a name that can't be a field value is
    /// left out. Has no `Date` before the first [`refresh`](Preamble::refresh),
    /// as a server without a clock has none (RFC 9110 section 6.6.1).
    pub fn new(server: Option<&str>) -> Preamble {
        let mut bytes = OK_LINE.to_vec();
        let valid = |name: &&str| crate::http::chars::is_field_value(name.as_bytes());
        if let Some(name) = server.filter(valid) {
            bytes.extend_from_slice(b"Server: ");
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(CRLF);
        }
        let date = bytes.len();
        Preamble { bytes, date, secs: None }
    }

    /// Renders the date anew if it is another second (Unix time).
    #[inline]
    pub fn refresh(&mut self, wall_secs: u64) {
        if self.secs != Some(wall_secs) {
            self.render(wall_secs);
        }
    }

    #[cold]
    fn render(&mut self, wall_secs: u64) {
        self.secs = Some(wall_secs);
        self.bytes.truncate(self.date);
        self.bytes.extend_from_slice(b"Date: ");
        self.bytes.extend_from_slice(&date::format(wall_secs));
        self.bytes.extend_from_slice(CRLF);
    }

    /// Status line and the two fields, without those that the response has.
    #[inline]
    fn write(&self, status: Status, own: Own, out: &mut Vec<u8>) {
        if status == Status::OK && !own.server && !own.date {
            out.extend_from_slice(&self.bytes);
            return;
        }
        match status.line() {
            Some(line) => out.extend_from_slice(line),
            None => unregistered(status, out),
        }
        let from = if own.server { self.date } else { OK_LINE.len() };
        let to = if own.date { self.date } else { self.bytes.len() };
        out.extend_from_slice(self.bytes.get(from..to).unwrap_or(&[]));
    }
}

/// How the head says where the content ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// By a `Content-Length` line.
    Length(u64),
    /// By a `Transfer-Encoding` line.
    Chunked,
    /// Not at all: there is none by definition, or it ends with the connection.
    Unsaid,
}

/// What the head says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays, as HTTP/1.1 assumes.
    Assumed,
    /// It stays, which an HTTP/1.0 peer must be told.
    KeepAlive,
    /// It closes after this response.
    Close,
}

/// Writes a response's head.
#[inline]
pub(crate) fn head(
    response: &Response,
    preamble: &Preamble,
    content: Content,
    persistence: Persistence,
    out: &mut Vec<u8>,
) {
    let fields = response.headers();
    let own = Own::of(fields);
    out.reserve(preamble.bytes.len() + fields.wire().len() + ROOM);
    preamble.write(response.status(), own, out);
    if let Some(content_type) = response.content_type() {
        out.extend_from_slice(b"Content-Type: ");
        out.extend_from_slice(content_type.as_str().as_bytes());
        out.extend_from_slice(CRLF);
    }
    if !fields.is_empty() {
        out.extend_from_slice(fields.wire());
    }
    // Whoever sends Upgrade must name it as a connection option (RFC 9110
    // section 7.8), in a 426 as well as in a 101.
    let connection: &[u8] = match (persistence, own.upgrade) {
        (Persistence::Assumed, false) => b"",
        (Persistence::Assumed, true) => b"Connection: upgrade\r\n",
        (Persistence::KeepAlive, false) => b"Connection: keep-alive\r\n",
        (Persistence::KeepAlive, true) => b"Connection: keep-alive, upgrade\r\n",
        (Persistence::Close, false) => b"Connection: close\r\n",
        (Persistence::Close, true) => b"Connection: close, upgrade\r\n",
    };
    match content {
        // Nearly every head ends like this: its last lines are one copy.
        Content::Length(len) if connection.is_empty() => return length(len, true, out),
        Content::Length(len) => length(len, false, out),
        Content::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Content::Unsaid => {}
    }
    out.extend_from_slice(connection);
    out.extend_from_slice(CRLF);
}

/// Writes a whole reply that says what was wrong and closes. To HEAD without
/// its content.
#[cold]
pub(crate) fn refusal(status: Status, preamble: &Preamble, to_head: bool, out: &mut Vec<u8>) {
    let reason = status.reason();
    let len = reason.len() as u64 + 1; // the line feed
    preamble.write(status, Own::default(), out);
    if status == Status::SERVICE_UNAVAILABLE {
        out.extend_from_slice(RETRY_AFTER);
    }
    out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    length(len, false, out);
    out.extend_from_slice(b"Connection: close\r\n\r\n");
    if !to_head {
        out.extend_from_slice(reason.as_bytes());
        out.push(b'\n');
    }
}

/// Writes an interim response (RFC 9110 section 15.2).
pub(crate) fn interim(status: Status, out: &mut Vec<u8>) {
    match status.line() {
        Some(line) => out.extend_from_slice(line),
        None => unregistered(status, out),
    }
    out.extend_from_slice(CRLF);
}

/// How the content of the current response is delimited, and how much of it
/// was announced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Encoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks (RFC 9112 section 7.1); whether there was one.
    Chunked {
        /// The line end behind the last chunk's data is then still to be written.
        begun: bool,
    },
    /// The end of the connection is the end of the content.
    UntilClose,
}

impl Encoder {
    /// Announces the next bytes. `false` if they are more than were declared.
    #[inline]
    pub(crate) fn frame(&mut self, len: usize, out: &mut Vec<u8>) -> bool {
        match self {
            Encoder::Length(left) => match left.checked_sub(len as u64) {
                Some(rest) => *left = rest,
                None => return false,
            },
            Encoder::Chunked { begun } => {
                if *begun {
                    out.extend_from_slice(CRLF);
                }
                *begun = true;
                hexadecimal(len, out);
            }
            Encoder::UntilClose => {}
        }
        true
    }

    /// Ends the content. `false` if it is shorter than was declared.
    #[inline]
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Encoder::Length(left) => return *left == 0,
            Encoder::Chunked { begun: true } => out.extend_from_slice(b"\r\n0\r\n\r\n"),
            Encoder::Chunked { begun: false } => out.extend_from_slice(b"0\r\n\r\n"),
            Encoder::UntilClose => {}
        }
        true
    }
}

/// The fields of a response that take the place of the engine's.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    server: bool,
    date: bool,
    upgrade: bool,
}

impl Own {
    #[inline]
    fn of(headers: &Headers) -> Own {
        let mut own = Own::default();
        for &field in &headers.fields {
            // The length alone tells nearly all others apart.
            match field.name_len {
                4 => own.date |= headers.name_of(field).eq_ignore_ascii_case(b"date"),
                6 => own.server |= headers.name_of(field).eq_ignore_ascii_case(b"server"),
                7 => own.upgrade |= headers.name_of(field).eq_ignore_ascii_case(b"upgrade"),
                _ => {}
            }
        }
        own
    }
}

/// The status line of a code without a reason phrase. The space stays (RFC 9112
/// section 4).
#[cold]
fn unregistered(status: Status, out: &mut Vec<u8>) {
    let digit = |n: u16| b'0' + (n % 10) as u8; // below ten
    let code = status.code();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[digit(code / 100), digit(code / 10), digit(code), b' ']);
    out.extend_from_slice(CRLF);
}

/// A `Content-Length` line, and the empty line if it is the last of its head.
#[inline]
fn length(mut n: u64, last: bool, out: &mut Vec<u8>) {
    // A u64 has at most 20 digits. They are written from the right, then the
    // name is put in front of them.
    let mut line = *b"Content-Length: 00000000000000000000\r\n\r\n";
    let mut at = line.len() - 2 * CRLF.len();
    while let Some(slot) = at.checked_sub(1).and_then(|at| line.get_mut(at)) {
        *slot = b'0' + (n % 10) as u8; // below ten
        n /= 10;
        at -= 1;
        if n == 0 {
            break;
        }
    }
    let from = at.saturating_sub(LENGTH_NAME.len());
    if let Some(name) = line.get_mut(from..at) {
        name.copy_from_slice(LENGTH_NAME);
    }
    let to = if last { line.len() } else { line.len() - CRLF.len() };
    out.extend_from_slice(line.get(from..to).unwrap_or(&[]));
}

/// A chunk size and a line end.
#[inline]
fn hexadecimal(mut n: usize, out: &mut Vec<u8>) {
    // A usize has at most 16 digits.
    let mut line = *b"0000000000000000\r\n";
    let mut at = line.len() - CRLF.len();
    while let Some(slot) = at.checked_sub(1).and_then(|at| line.get_mut(at)) {
        let digit = (n & 15) as u8; // below sixteen
        *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        n >>= 4;
        at -= 1;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(line.get(at..).unwrap_or(&[]));
}

const CRLF: &[u8] = b"\r\n";
const LENGTH_NAME: &[u8; 16] = b"Content-Length: ";
const OK_LINE: &[u8] = b"HTTP/1.1 200 OK\r\n";
/// For all lines of a head beside the preamble and the response's fields, with
/// an ordinary media type: so that the buffer grows once.
const ROOM: usize = 256;
/// Overload passes within seconds; a client should not come back at once.
const RETRY_AFTER: &[u8] = b"Retry-After: 2\r\n";

#[cfg(test)]
mod tests;
