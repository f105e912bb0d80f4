//! `multipart/form-data` (RFC 7578, RFC 2046 section 5.1): what a form with files sends.
//!
//! A push parser without I/O: it is given the content slice by slice, as it
//! comes, and says what is in it. It keeps the head of the part at hand and
//! nothing else, so that memory doesn't grow with a file. However the content is
//! cut, the same comes out.
//!
//! ```text
//!   preamble, ignored        Seek --. not the delimiter: data
//!   --boundary        CRLF   Line   |<-----------------------.
//!   Content-Disposition: ..  Head --> Event::Part            |
//!                            (blank line)                    |
//!   data                     Seek --> Event::Data ... -------'
//!   CRLF --boundary   CRLF   Line --> Event::PartEnd, and the next head
//!   CRLF --boundary--        Line --> Event::PartEnd, Event::End
//!   epilogue, ignored        Epilogue
//! ```
//!
//! A delimiter begins with CR, and no boundary may hold one. So a partial match
//! at the end of a slice needs no copy, only its length: if it turns out to be
//! data, the delimiter itself has the same bytes. No byte is looked at twice but
//! for those, and `memmem` looks for the delimiter at the speed of memory.
//!
//! The parser has no opinions where two parsers could read two things: bare LF,
//! folded lines, a delimiter followed by something else on its line, parameters
//! that come twice and encodings other than identity are refused.

mod fault;
mod fields;
mod head;
mod params;

pub use fault::Fault;
pub use fields::Fields;
pub use head::PartHead;

use memchr::memmem::Finder;

/// The parser of one message's content.
///
/// ```
/// use onepoll::http::multipart::{Event, Limits, Multipart};
/// let mut form = Multipart::new(b"multipart/form-data; boundary=xyz", Limits::default())?;
/// let mut names = Vec::new();
/// for mut slice in [
///     &b"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--x"[..],
///     b"yz\r\nContent-Disposition: form-data; name=\"b\"; filename=\"b.txt\"\r\n\r\n",
///     b"two\r\n--xyz--\r\n",
/// ] {
///     loop {
///         match form.next(&mut slice)? {
///             Event::Part(head) => names.push(head.name),
///             Event::Data(bytes) => assert!(bytes == b"one" || bytes == b"two"),
///             Event::PartEnd | Event::End => {}
///             Event::NeedMore => break,
///         }
///     }
/// }
/// form.finish()?;
/// assert_eq!(names, ["a", "b"]);
/// # Ok::<(), onepoll::http::multipart::Fault>(())
/// ```
#[derive(Debug)]
pub struct Multipart {
    /// CRLF, two hyphens and the boundary.
    finder: Finder<'static>,
    state: State,
    /// Lines of the part's head, so far.
    head: Vec<u8>,
    parts: usize,
    /// Bytes in front of the first part, so far.
    preamble: usize,
    limits: Limits,
}

/// How much of a form is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts at most: 1,000. One more is a [`Fault`] with 413.
    pub parts_max: usize,
    /// Bytes of one part's head at most: 8 KiB, then 413. A file's name may be
    /// there twice, with each byte as three.
    pub head_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { parts_max: 1000, head_max: 8 * 1024 }
    }
}

/// What the next bytes are.
#[derive(Debug)]
pub enum Event<'a> {
    /// A part begins.
    Part(PartHead),
    /// Bytes of the part's content: never empty.
    Data(&'a [u8]),
    /// The part is complete.
    PartEnd,
    /// That was the last part. What follows in the content is ignored.
    End,
    /// The slice is used up.
    NeedMore,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Within the preamble or a part's data: of the delimiter, `matched` bytes
    /// were seen, all but `ghost` of which are data if it isn't one.
    Seek { of: Of, matched: usize, ghost: usize },
    /// The delimiter is complete.
    Found(Of),
    /// On the delimiter's line, behind the boundary.
    Line(Line),
    /// In the head of a part. The line at hand begins there.
    Head { line: usize },
    /// The last delimiter was seen.
    End,
    /// Behind it.
    Epilogue,
    /// Nothing more will be understood.
    Failed(Fault),
}

/// What ends with the delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Preamble,
    Part,
}

/// Where on the delimiter's line.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// Right behind the boundary.
    Start,
    /// Behind one hyphen of two.
    Hyphen,
    /// Behind that many bytes of padding (RFC 2046 section 5.1.1).
    Padding(usize),
    /// Behind the CR.
    Cr,
}

/// The most bytes of a preamble: nobody sends one, so this is a wrong boundary.
const PREAMBLE_MAX: usize = 4 * 1024;
/// The most blanks behind a boundary: nobody sends one.
const PADDING_MAX: usize = 64;
/// A head's memory is kept from part to part up to this length in bytes.
const HEAD_KEPT: usize = 1024;

impl Multipart {
    /// A parser for content of that type: the value of the request's
    /// `Content-Type`, which names the boundary.
    ///
    /// # Errors
    /// A fault with 415 if that is no form, with 400 if the boundary is
    /// missing, there twice, or none (1 to 70 bytes of a small alphabet).
    pub fn new(content_type: &[u8], limits: Limits) -> Result<Multipart, Fault> {
        let boundary = params::boundary(content_type)?;
        let finder = Finder::new(&[b"\r\n--", &boundary[..]].concat()).into_owned();
        // The first delimiter needs no CRLF if nothing is in front of it.
        let state = State::Seek { of: Of::Preamble, matched: 2, ghost: 2 };
        Ok(Multipart { finder, state, head: Vec::new(), parts: 0, preamble: 0, limits })
    }

    /// What comes next in `rest`, which moves on behind it. To be called until
    /// it says [`NeedMore`](Event::NeedMore), then with the next slice.
    ///
    /// # Errors
    /// What is wrong with the form, and the status that says so. It stays wrong:
    /// all further calls return the same.
    pub fn next<'e, 'i: 'e>(&'e mut self, rest: &mut &'i [u8]) -> Result<Event<'e>, Fault> {
        loop {
            let stepped = match self.state {
                State::Seek { of, matched, ghost } => {
                    let held = if matched > 0 { self.go_on(of, matched, ghost, rest) } else { 0 };
                    let data = if held == 0 { self.search(of, rest) } else { &[] };
                    match of {
                        Of::Preamble => {
                            self.count_preamble(held.saturating_sub(ghost) + data.len())
                        }
                        Of::Part if held > ghost => {
                            let delimiter = self.finder.needle();
                            return Ok(Event::Data(delimiter.get(ghost..held).unwrap_or(&[])));
                        }
                        Of::Part if !data.is_empty() => return Ok(Event::Data(data)),
                        Of::Part => Ok(()),
                    }
                }
                State::Found(of) => {
                    self.state = State::Line(Line::Start);
                    if of == Of::Part {
                        return Ok(Event::PartEnd);
                    }
                    Ok(())
                }
                State::Line(line) => self.line(line, rest),
                State::Head { line } => match self.head(line, rest) {
                    Ok(Some(head)) => return Ok(Event::Part(head)),
                    Ok(None) => Ok(()),
                    Err(fault) => Err(fault),
                },
                State::End => {
                    self.state = State::Epilogue;
                    return Ok(Event::End);
                }
                State::Epilogue => {
                    *rest = &[];
                    Ok(())
                }
                State::Failed(fault) => Err(fault),
            };
            if let Err(fault) = stepped {
                self.state = State::Failed(fault);
                return Err(fault);
            }
            if rest.is_empty() && !matches!(self.state, State::Found(_) | State::End) {
                return Ok(Event::NeedMore);
            }
        }
    }

    /// To be called when the content is complete.
    ///
    /// # Errors
    /// A fault with 400 if the form is not.
    pub fn finish(&self) -> Result<(), Fault> {
        match self.state {
            State::End | State::Epilogue => Ok(()),
            State::Failed(fault) => Err(fault),
            State::Seek { of: Of::Preamble, .. } => Err(Fault::NO_BOUNDARY),
            _ => Err(Fault::UNFINISHED),
        }
    }

    /// Parts that have begun so far.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Goes on with a delimiter that has begun: if it turns out to be none, how
    /// many bytes of it there were.
    fn go_on(&mut self, of: Of, matched: usize, ghost: usize, rest: &mut &[u8]) -> usize {
        let wanted = self.finder.needle().get(matched..).unwrap_or(&[]);
        let same = wanted.iter().zip(rest.iter()).take_while(|(a, b)| a == b).count();
        let (complete, open) = (same == wanted.len(), same == rest.len());
        *rest = rest.get(same..).unwrap_or(&[]);
        let matched = matched + same;
        self.state = match (complete, open) {
            (true, _) => State::Found(of),
            (false, true) => State::Seek { of, matched, ghost },
            (false, false) => {
                self.state = State::Seek { of, matched: 0, ghost: 0 };
                return matched;
            }
        };
        0
    }

    /// Looks for a delimiter from its beginning, unless one is under way: what is
    /// in front of it.
    fn search<'i>(&mut self, of: Of, rest: &mut &'i [u8]) -> &'i [u8] {
        let State::Seek { matched: 0, .. } = self.state else { return &[] };
        let delimiter = self.finder.needle();
        let (end, behind, state) = match self.finder.find(rest) {
            Some(at) => (at, at + delimiter.len(), State::Found(of)),
            None => {
                let matched = begun(delimiter, rest);
                (rest.len() - matched, rest.len(), State::Seek { of, matched, ghost: 0 })
            }
        };
        let data = rest.get(..end).unwrap_or(&[]);
        *rest = rest.get(behind..).unwrap_or(&[]);
        self.state = state;
        data
    }

    fn count_preamble(&mut self, more: usize) -> Result<(), Fault> {
        self.preamble += more;
        if self.preamble > PREAMBLE_MAX { Err(Fault::NO_BOUNDARY) } else { Ok(()) }
    }

    /// One byte of a delimiter's line.
    fn line(&mut self, line: Line, rest: &mut &[u8]) -> Result<(), Fault> {
        let Some((&byte, behind)) = rest.split_first() else { return Ok(()) };
        *rest = behind;
        self.state = match (line, byte) {
            (Line::Start, b'-') => State::Line(Line::Hyphen),
            (Line::Hyphen, b'-') => State::End,
            (Line::Start, b' ' | b'\t') => State::Line(Line::Padding(1)),
            (Line::Padding(count), b' ' | b'\t') if count < PADDING_MAX => {
                State::Line(Line::Padding(count + 1))
            }
            (Line::Start | Line::Padding(_), b'\r') => State::Line(Line::Cr),
            (Line::Cr, b'\n') => {
                if self.parts >= self.limits.parts_max {
                    return Err(Fault::TOO_MANY_PARTS);
                }
                self.parts += 1;
                self.head.clear();
                self.head.shrink_to(HEAD_KEPT);
                State::Head { line: 0 }
            }
            (Line::Start | Line::Padding(_), b'\n') => return Err(Fault::BARE_LF),
            _ => return Err(Fault::DELIMITER),
        };
        Ok(())
    }

    /// A line of a part's head, or what there is of it; the head, if it was the
    /// blank line behind it.
    fn head(&mut self, line: usize, rest: &mut &[u8]) -> Result<Option<PartHead>, Fault> {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        if self.head.len() + end > self.limits.head_max {
            return Err(Fault::HEAD_TOO_LONG);
        }
        let (more, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        self.head.extend_from_slice(more);
        *rest = behind;
        let text = self.head.get(line..).unwrap_or(&[]);
        if !text.ends_with(b"\n") {
            return Ok(None);
        }
        match text {
            b"\r\n" => {
                let head = PartHead::parse(self.head.get(..line).unwrap_or(&[]))?;
                // A part without content may end in the blank line's own CRLF
                // (RFC 2046 section 5.1.1: `[CRLF *OCTET]`).
                self.state = State::Seek { of: Of::Part, matched: 2, ghost: 2 };
                Ok(Some(head))
            }
            [.., b'\r', b'\n'] => {
                self.state = State::Head { line: self.head.len() };
                Ok(None)
            }
            _ => Err(Fault::BARE_LF),
        }
    }
}

/// How many bytes of the delimiter stand at the end of `data`, which holds none
/// as a whole. Only its first byte is a CR, so only the last CR can be that.
fn begun(delimiter: &[u8], data: &[u8]) -> usize {
    let tail = data.len().saturating_sub(delimiter.len() - 1);
    let tail = data.get(tail..).unwrap_or(data);
    match memchr::memrchr(b'\r', tail).and_then(|at| tail.get(at..)) {
        Some(beginning) if delimiter.starts_with(beginning) => beginning.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
