//! Replies, parsed as they come: how they end, and what they say of themselves.
//!
//! The client's side of HTTP/1.1, without I/O (RFC 9112). It keeps nothing of a
//! reply but counters; only a head that was cut is held until the rest of it is
//! there, so ten thousand connections cost no buffers. It is strict where the
//! server's own parser is: what two clients could read in two ways is a fault,
//! for a measurement of wrong replies measures nothing.
//!
//! ```text
//!             1xx: skipped
//!              .----.
//!              v    |                 length known
//!   Idle --> [ Head ] ------------> [ Counted ] -----------------------> End
//!               |    chunked
//!               |'---------------> [ Size ] --> [ Data ] --> [ DataEnd ]
//!               |                     ^ |                        |
//!               |                     | '--- 0 --> [ Trailer ] --|-----> End
//!               |                     '--------------------------'
//!               |    neither
//!               '----------------> [ UntilEnd ] -------- end() --------> End
//! ```

mod head;

pub(crate) use head::Head;
use head::{Framing, HEAD_MAX, end_of_head};
use std::fmt;

/// A chunk's line, with its extensions: we use none, so this is plenty.
const CHUNK_LINE_MAX: u32 = 4096;
/// All trailers of a reply.
const TRAILERS_MAX: u32 = 16 * 1024;
/// Interim replies before a final one. Nobody needs more than a few.
const INTERIM_MAX: u8 = 16;
/// Capacity that is kept from one cut head to the next, in bytes.
const KEEP: usize = 2048;

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Nothing more can be said about these bytes.
    More,
    /// The final head is complete.
    Head(Head),
    /// That many of the bytes, at their end, are content.
    Content(usize),
    /// The reply is complete.
    End,
}

/// Why what came is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No `HTTP/1.x NNN`.
    StatusLine,
    /// A line of the head that is no field, or doesn't end in CRLF.
    Field,
    /// `Content-Length` or `Transfer-Encoding` that can be read in two ways.
    Framing,
    /// A chunk's size, or what should follow its data.
    Chunk,
    /// More head, trailers or interim replies than anybody needs.
    TooLong,
    /// A 101 that wasn't asked for.
    Switch,
}

/// What the request was decides how the reply ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Replies have no content, whatever their fields say.
    Head,
    /// A 2xx has none either, and the connection is a tunnel then.
    Connect,
    /// All other methods.
    Other,
}

/// The parser of one connection; reused for each of its replies.
#[derive(Debug)]
pub(crate) struct Parser {
    state: State,
    /// A head that was cut, and how much of it has been searched for its end.
    cut: Vec<u8>,
    searched: usize,
    interim: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a reply.
    Idle,
    Head,
    Counted(u64),
    /// In a chunk's line: its size so far, how many digits, bytes of the line.
    Size {
        size: u64,
        at: SizeAt,
        len: u32,
    },
    Data(u64),
    /// The CRLF behind a chunk's data; whether CR was there.
    DataEnd {
        cr: bool,
    },
    /// In the trailers: bytes so far, and of the line.
    Trailer {
        total: u32,
        line: u32,
        cr: bool,
    },
    UntilEnd,
    /// Complete; the next call says so.
    Done,
}

/// Where in a chunk's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeAt {
    /// Before the first digit.
    Start,
    Digits(u8),
    Extension,
    /// Behind CR.
    Cr,
}

impl Parser {
    pub(crate) fn new() -> Parser {
        Parser { state: State::Idle, cut: Vec::new(), searched: 0, interim: 0 }
    }

    /// Whether no byte of a reply has been seen that is not complete.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Forgets what was begun.
    pub(crate) fn reset(&mut self) {
        self.state = State::Idle;
        self.forget_head();
        self.interim = 0;
    }

    /// Takes bytes: how many, and what they are. To be called with the rest until
    /// all are taken. After [`Event::End`] the next reply begins.
    ///
    /// # Errors
    /// The fault; the connection is of no use then.
    pub(crate) fn take(&mut self, input: &[u8], asked: Asked) -> Result<(usize, Event), Fault> {
        match self.state {
            State::Done => Ok((0, self.done())),
            _ if input.is_empty() => Ok((0, Event::More)),
            State::Idle | State::Head => self.head(input, asked),
            State::Counted(left) => {
                let (taken, left) = up_to(input, left);
                self.state = if left == 0 { State::Done } else { State::Counted(left) };
                Ok((taken, Event::Content(taken)))
            }
            State::Data(left) => {
                let (taken, left) = up_to(input, left);
                self.state =
                    if left == 0 { State::DataEnd { cr: false } } else { State::Data(left) };
                Ok((taken, Event::Content(taken)))
            }
            State::UntilEnd => Ok((input.len(), Event::Content(input.len()))),
            State::Size { .. } | State::DataEnd { .. } | State::Trailer { .. } => {
                self.chunk_lines(input)
            }
        }
    }

    /// The peer has ended the connection: whether that completes the reply.
    pub(crate) fn end(&mut self) -> bool {
        let complete = matches!(self.state, State::UntilEnd | State::Done);
        self.reset();
        complete
    }

    /// Bytes of memory besides its own size.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.cut.capacity()
    }

    fn head(&mut self, input: &[u8], asked: Asked) -> Result<(usize, Event), Fault> {
        self.state = State::Head;
        if self.cut.is_empty() {
            // The usual case: it is whole, and parsed where it lies.
            if let Some((head, framing, len)) = Head::parse(input, asked)? {
                return Ok((len, self.headed(head, framing)?));
            }
        }
        let room = HEAD_MAX.saturating_sub(self.cut.len());
        let before = self.cut.len();
        self.cut.extend_from_slice(input.get(..room).unwrap_or(input));
        // The mark of the end may have begun in what was searched.
        let from = self.searched.saturating_sub(3);
        let Some(end) = end_of_head(&self.cut, from) else {
            self.searched = self.cut.len();
            if self.cut.len() >= HEAD_MAX {
                return Err(Fault::TooLong);
            }
            return Ok((input.len(), Event::More));
        };
        let whole = self.cut.get(..end).unwrap_or(&self.cut);
        let Some((head, framing, len)) = Head::parse(whole, asked)? else {
            return Err(Fault::Field);
        };
        let taken = len.saturating_sub(before);
        self.forget_head();
        Ok((taken, self.headed(head, framing)?))
    }

    fn headed(&mut self, head: Head, framing: Framing) -> Result<Event, Fault> {
        if head.status < 200 {
            self.interim += 1;
            self.state = State::Head;
            return match head.status {
                101 => Err(Fault::Switch),
                _ if self.interim > INTERIM_MAX => Err(Fault::TooLong),
                _ => Ok(Event::More),
            };
        }
        self.state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Counted(length),
            Framing::Chunked => State::Size { size: 0, at: SizeAt::Start, len: 0 },
            Framing::UntilEnd => State::UntilEnd,
        };
        Ok(Event::Head(head))
    }

    fn done(&mut self) -> Event {
        self.state = State::Idle;
        self.interim = 0;
        Event::End
    }

    fn forget_head(&mut self) {
        self.cut.clear();
        self.searched = 0;
        if self.cut.capacity() > KEEP {
            self.cut = Vec::new();
        }
    }

    /// Lines between the chunks, byte by byte: they are short.
    fn chunk_lines(&mut self, input: &[u8]) -> Result<(usize, Event), Fault> {
        for (at, &byte) in input.iter().enumerate() {
            self.state = match self.state {
                State::Size { size, at, len } => size_line(size, at, len, byte)?,
                State::DataEnd { cr: false } if byte == b'\r' => State::DataEnd { cr: true },
                State::DataEnd { cr: true } if byte == b'\n' => {
                    State::Size { size: 0, at: SizeAt::Start, len: 0 }
                }
                State::DataEnd { .. } => return Err(Fault::Chunk),
                State::Trailer { total, line, cr } => trailer(total, line, cr, byte)?,
                // Content follows, or nothing: not for this function.
                other => {
                    self.state = other;
                    return Ok((at, Event::More));
                }
            };
            if self.state == State::Done {
                return Ok((at + 1, self.done()));
            }
        }
        Ok((input.len(), Event::More))
    }
}

/// A byte of a chunk's line (RFC 9112 section 7.1).
fn size_line(size: u64, at: SizeAt, len: u32, byte: u8) -> Result<State, Fault> {
    if len >= CHUNK_LINE_MAX {
        return Err(Fault::TooLong);
    }
    let (size, at) = match (at, byte) {
        (SizeAt::Start | SizeAt::Digits(_), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
            let digits = if let SizeAt::Digits(digits) = at { digits } else { 0 };
            if digits == 16 {
                return Err(Fault::Chunk);
            }
            let digit = (byte as char).to_digit(16).unwrap_or(0);
            (size << 4 | u64::from(digit), SizeAt::Digits(digits + 1))
        }
        (SizeAt::Digits(_) | SizeAt::Extension, b'\r') => (size, SizeAt::Cr),
        (SizeAt::Digits(_), b';' | b' ' | b'\t') => (size, SizeAt::Extension),
        (SizeAt::Extension, b' '..=b'~' | b'\t' | 0x80..) => (size, SizeAt::Extension),
        (SizeAt::Cr, b'\n') if size == 0 => {
            return Ok(State::Trailer { total: 0, line: 0, cr: false });
        }
        (SizeAt::Cr, b'\n') => return Ok(State::Data(size)),
        _ => return Err(Fault::Chunk),
    };
    Ok(State::Size { size, at, len: len + 1 })
}

/// A byte of the trailers; the empty line is their end.
fn trailer(total: u32, line: u32, cr: bool, byte: u8) -> Result<State, Fault> {
    if total >= TRAILERS_MAX {
        return Err(Fault::TooLong);
    }
    let total = total + 1;
    match (byte, cr) {
        (b'\n', true) if line == 0 => Ok(State::Done),
        (b'\n', true) => Ok(State::Trailer { total, line: 0, cr: false }),
        (b'\r', false) => Ok(State::Trailer { total, line, cr: true }),
        (b'\n' | b'\r' | 0, _) | (_, true) => Err(Fault::Field),
        _ => Ok(State::Trailer { total, line: line + 1, cr: false }),
    }
}

/// How much of the input belongs to it, and what is left of it.
fn up_to(input: &[u8], left: u64) -> (usize, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    (taken, left - taken as u64)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::StatusLine => "not an HTTP/1 status line",
            Fault::Field => "a malformed field",
            Fault::Framing => "the length can be read in two ways",
            Fault::Chunk => "a malformed chunk",
            Fault::TooLong => "a head without end",
            Fault::Switch => "a switch of protocols that was not asked for",
        })
    }
}

#[cfg(test)]
mod tests;
