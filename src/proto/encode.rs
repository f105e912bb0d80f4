//! Writes what frames a response: its head, and the lines between chunks.
//!
//! Content is never seen here, only its length: the caller puts it on the wire
//! behind what is written here. A head is a few copies, of which the longest is
//! ready before anybody asks: status line 200, `Server`, `Date` and the name of
//! the field that nearly always follows lie behind one another in the
//! [`Preamble`]. What is constant is copied with a constant length, which is a
//! few stores and no call.
//!
//! ```text
//!  HTTP/1.1 200 OK        \
//!  Server: onepoll         | one copy (status line apart unless 200)
//!  Date: ...               |
//!  Content-Type: ...      /  <- and the media type
//!  the response's fields    one copy
//!  Content-Length: ... | Transfer-Encoding: chunked | neither
//!  Connection: close | keep-alive | upgrade | no such line
//! ```

use crate::http::{ContentType, Headers, Response, Status, date};

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
    /// Status line 200, `Server` line if any, `Date` line; then `Content-Type: `,
    /// for heads that have one.
    bytes: Vec<u8>,
    /// Where the `Date` line begins.
    date: usize,
    secs: Option<u64>,
    /// The same with a media type behind it, for those that were used lately.
    ready: [Ready; READY],
}

/// A head of 200 with this media type, as far as `Content-Length: `.
#[derive(Clone, Debug, Default)]
struct Ready {
    /// `None` if it is to be written (anew, since the date is another).
    media: Option<&'static str>,
    bytes: Vec<u8>,
}

/// Media types whose heads are kept ready. Few programs have more of their own,
/// and one that is not here costs two copies more.
const READY: usize = 8;

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
        bytes.reserve(64 + TYPE_NAME.len()); // the date is about to come
        bytes.extend_from_slice(TYPE_NAME);
        // They stay, so they are made at the start: made in a burst, one would lie above
        // all that the burst leaves behind, and keep the system from getting it back.
        let room = bytes.len() + 64 + 64 + LENGTH_NAME.len();
        let ready = std::array::from_fn(|_| Ready { media: None, bytes: Vec::with_capacity(room) });
        Preamble { bytes, date, secs: None, ready }
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
        self.bytes.extend_from_slice(TYPE_NAME);
        self.ready.iter_mut().for_each(|ready| ready.media = None);
    }

    /// A head of 200 with this media type, as far as `Content-Length: `.
    #[inline]
    fn ready(&mut self, media: &'static str) -> &[u8] {
        // Below READY. The usual types of texts and JSON have places of their own.
        let place = (media.len() + media.len() / 8) % READY;
        // The same text may stand in several places of a program: then it is
        // written again, that is all.
        if !self.ready[place].media.is_some_and(|known| std::ptr::eq(known, media)) {
            self.make_ready(place, media);
        }
        &self.ready[place].bytes
    }

    #[cold]
    fn make_ready(&mut self, place: usize, media: &'static str) {
        let Some(ready) = self.ready.get_mut(place) else { return };
        ready.media = Some(media);
        ready.bytes.clear();
        ready.bytes.extend_from_slice(&self.bytes);
        ready.bytes.extend_from_slice(media.as_bytes());
        ready.bytes.extend_from_slice(LENGTH_NAME);
    }

    /// Status line and the two fields, without those that the response has;
    /// then the media type, whose line is left open: its end is the caller's.
    #[inline]
    fn write(&self, status: Status, own: Own, media: Option<&str>, out: &mut Vec<u8>) {
        if let Some(media) = media
            && status == Status::OK
            && !own.server
            && !own.date
        {
            out.extend_from_slice(&self.bytes);
            out.extend_from_slice(media.as_bytes());
            return;
        }
        self.write_parts(status, own, media, out);
    }

    fn write_parts(&self, status: Status, own: Own, media: Option<&str>, out: &mut Vec<u8>) {
        match status.line() {
            Some(line) => out.extend_from_slice(line),
            None => unregistered(status, out),
        }
        let from = if own.server { self.date } else { OK_LINE.len() };
        let end = self.bytes.len().saturating_sub(TYPE_NAME.len());
        let to = if own.date { self.date } else { end };
        out.extend_from_slice(self.bytes.get(from..to).unwrap_or(&[]));
        if let Some(media) = media {
            out.extend_from_slice(TYPE_NAME);
            out.extend_from_slice(media.as_bytes());
        }
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

/// Writes a whole response: a head that says nothing about the connection, and
/// this content behind it.
#[inline]
pub(crate) fn whole(
    response: &Response,
    content: &[u8],
    preamble: &mut Preamble,
    out: &mut Vec<u8>,
) {
    if let Some(media) = response.only_media() {
        // Nearly every response is like this one: three copies, one of them constant.
        // Nothing is reserved: a loop's buffer has long had the room.
        out.extend_from_slice(preamble.ready(media));
        digits_and_end(content.len() as u64, out);
        out.extend_from_slice(content);
        return;
    }
    whole_with_fields(response, content, preamble, out);
}

#[inline(never)]
fn whole_with_fields(response: &Response, content: &[u8], preamble: &Preamble, out: &mut Vec<u8>) {
    match response.content_type().map(ContentType::as_str) {
        // Fields that were ready before: one copy more.
        Some(media) if response.status() == Status::OK && response.has_plain_template() => {
            let lines = response.headers().wire();
            let room = preamble.bytes.len() + media.len() + lines.len() + ROOM;
            out.reserve(room + content.len());
            out.extend_from_slice(&preamble.bytes);
            out.extend_from_slice(media.as_bytes());
            out.extend_from_slice(CRLF);
            out.extend_from_slice(lines);
            out.extend_from_slice(b"Content-Length: ");
            digits_and_end(content.len() as u64, out);
        }
        // A media type that was made at run time.
        Some(media) if response.status() == Status::OK && response.headers().is_empty() => {
            out.extend_from_slice(&preamble.bytes);
            out.extend_from_slice(media.as_bytes());
            out.extend_from_slice(LENGTH_NAME);
            digits_and_end(content.len() as u64, out);
        }
        _ => {
            let said = Content::Length(content.len() as u64);
            head(response, preamble, said, Persistence::Assumed, out);
        }
    }
    out.extend_from_slice(content);
}

/// Writes a response's head.
#[inline(never)] // it would have the whole reply save registers
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
    let media = response.content_type().map(ContentType::as_str);
    preamble.write(response.status(), own, media, out);
    if media.is_some() {
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

/// Writes a whole reply that says what was wrong, if no text is given by the
/// status's name, and closes. To HEAD without its content.
#[cold]
pub(crate) fn refusal(
    status: Status,
    text: &str,
    preamble: &Preamble,
    to_head: bool,
    out: &mut Vec<u8>,
) {
    let text = if text.is_empty() { status.reason() } else { text };
    let len = text.len() as u64 + 1; // the line feed
    preamble.write(status, Own::default(), None, out);
    if status == Status::SERVICE_UNAVAILABLE {
        out.extend_from_slice(RETRY_AFTER);
    }
    out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    length(len, false, out);
    out.extend_from_slice(b"Connection: close\r\n\r\n");
    if !to_head {
        out.extend_from_slice(text.as_bytes());
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

    /// Ends the piece that was announced, if there is anything to end. Else the
    /// next piece does it, or the end of the content.
    pub(crate) fn end_frame(&mut self, out: &mut Vec<u8>) {
        if let Encoder::Chunked { begun } = self
            && std::mem::take(begun)
        {
            out.extend_from_slice(CRLF);
        }
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
fn length(n: u64, last: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Length: ");
    digits_and_end(n, out);
    if !last {
        out.truncate(out.len() - CRLF.len());
    }
}

/// A number as the last thing of a head: its digits and two line ends.
#[inline]
fn digits_and_end(n: u64, out: &mut Vec<u8>) {
    if n >= 10_000 {
        return many_digits_and_end(n, out);
    }
    // Four digits and the four bytes behind them are one word. Leading zeros
    // are shifted out of it, the length set back by as much: copying eight
    // bytes is one store, copying five to eight a call.
    let n = n as u32; // below 10,000
    // Hundreds and the rest, 16 bits each; then, in both at once, tens (103 /
    // 1024 is a tenth, for what is below 179) and ones, 8 bits each.
    let pairs = (n / 100) | ((n % 100) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f;
    let digits = tens | ((pairs - tens * 10) << 8);
    let word = u64::from(digits | 0x3030_3030) | u64::from(u32::from_le_bytes(*b"\r\n\r\n")) << 32;
    // The first digit is the lowest byte; the last one stays even if it is 0.
    let zeros = (digits | 1 << 24).trailing_zeros() / 8;
    out.extend_from_slice(&(word >> (8 * zeros)).to_le_bytes());
    out.truncate(out.len() - zeros as usize);
}

#[cold]
fn many_digits_and_end(mut n: u64, out: &mut Vec<u8>) {
    // A u64 has at most 20 digits. They are written from the right.
    let mut line = *b"00000000000000000000\r\n\r\n";
    let mut at = line.len() - 2 * CRLF.len();
    while let Some(slot) = at.checked_sub(1).and_then(|at| line.get_mut(at)) {
        *slot = b'0' + (n % 10) as u8; // below ten
        n /= 10;
        at -= 1;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(line.get(at..).unwrap_or(&[]));
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
const TYPE_NAME: &[u8] = b"Content-Type: ";
const LENGTH_NAME: &[u8] = b"\r\nContent-Length: ";
const OK_LINE: &[u8] = b"HTTP/1.1 200 OK\r\n";
/// For all lines of a head beside the preamble and the response's fields, with
/// an ordinary media type: so that the buffer grows once.
const ROOM: usize = 256;
/// Overload passes within seconds; a client should not come back at once.
const RETRY_AFTER: &[u8] = b"Retry-After: 2\r\n";

#[cfg(test)]
mod tests;
