//! Content on its way out ([`Body`], [`Source`]) and on its way in ([`Sink`]).

use super::Status;
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// The content of a response.
///
/// The engine frames it: what has a length goes out with `Content-Length`,
/// the rest chunked (HTTP/1.1) or until the connection closes (1.0).
#[derive(Default)]
#[non_exhaustive]
pub enum Body {
    /// No content; `Content-Length: 0` where the status allows content.
    #[default]
    Empty,
    /// Bytes that live in the program.
    Static(&'static [u8]),
    /// Bytes of this response alone.
    Owned(Vec<u8>),
    /// Bytes shared by many responses.
    Shared(Arc<[u8]>),
    /// A part of a file, sent without passing through user memory where the
    /// transport allows it.
    File(FileSpan),
    /// Several of these, one behind the other. They are queued all at once, so
    /// keep them few; of the files, each must stay open until its turn.
    Pieces(Vec<Part>),
    /// A stream that is pulled on the loop: [`Source::pull`] must not block.
    /// With the length in bytes, if it is known. Without, a client that half-closes
    /// counts as gone whenever the source waits: it may be, and such a stream
    /// need never end. With a length it gets all of it.
    Inline(Box<dyn Source>, Option<u64>),
    /// A stream that is pulled on a helper thread, and may block there.
    Blocking(Box<dyn Source>, Option<u64>),
    /// The end of HTTP on this connection, after a 101 or a 2xx to `CONNECT`:
    /// the head goes out, then the closure gets the socket.
    Switch(Takeover),
}

/// Takes a connection over once the response head is sent. Runs on the loop:
/// register the socket with a poll of its own, or give it to a thread.
pub type Takeover = Box<dyn FnOnce(Switched) + Send>;

/// A connection that has left HTTP.
#[derive(Debug)]
pub struct Switched {
    /// The socket, nonblocking.
    pub socket: OwnedFd,
    /// Bytes that came behind the request's head and are not HTTP.
    pub unread: Vec<u8>,
}

impl Body {
    /// The length in bytes, if it is known before the content is sent.
    pub fn len(&self) -> Option<u64> {
        match self {
            Body::Empty | Body::Switch(_) => Some(0),
            Body::Static(bytes) => Some(bytes.len() as u64),
            Body::Owned(bytes) => Some(bytes.len() as u64),
            Body::Shared(bytes) => Some(bytes.len() as u64),
            Body::File(span) => Some(span.len),
            // A sum beyond 64 bits is no length that could be sent.
            Body::Pieces(parts) => parts.iter().try_fold(0u64, |sum, p| sum.checked_add(p.len())),
            Body::Inline(_, len) | Body::Blocking(_, len) => *len,
        }
    }

    /// Whether it is known to have no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Whether there is nothing to drop.
    #[inline]
    pub(crate) fn owns_nothing(&self) -> bool {
        matches!(self, Body::Empty | Body::Static(_))
    }

    /// The bytes, if they are in memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Body::Empty => Some(&[]),
            Body::Static(bytes) => Some(bytes),
            Body::Owned(bytes) => Some(bytes),
            Body::Shared(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Body::Empty => "Empty",
            Body::Static(_) => "Static",
            Body::Owned(_) => "Owned",
            Body::Shared(_) => "Shared",
            Body::File(_) => "File",
            Body::Pieces(_) => "Pieces",
            Body::Inline(..) => "Inline",
            Body::Blocking(..) => "Blocking",
            Body::Switch(_) => "Switch",
        };
        match self.len() {
            Some(len) => write!(f, "{kind}({len} bytes)"),
            None => write!(f, "{kind}"),
        }
    }
}

/// A part of [`Body::Pieces`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Part {
    /// Bytes that live in the program.
    Static(&'static [u8]),
    /// Bytes of this response alone.
    Owned(Vec<u8>),
    /// Bytes shared by many responses.
    Shared(Arc<[u8]>),
    /// Some of the bytes shared by many responses; what lies beyond their end
    /// is not there.
    Slice(Arc<[u8]>, Range<usize>),
    /// A part of a file.
    File(FileSpan),
}

impl Part {
    /// The length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Part::File(span) => span.len,
            other => other.bytes().map_or(0, |bytes| bytes.len() as u64),
        }
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Part::Static(bytes) => Some(bytes),
            Part::Owned(bytes) => Some(bytes),
            Part::Shared(bytes) => Some(bytes),
            Part::Slice(bytes, range) => {
                let end = range.end.min(bytes.len());
                Some(bytes.get(range.start..end).unwrap_or(&[]))
            }
            Part::File(_) => None,
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Part::Static(_) => "Static",
            Part::Owned(_) => "Owned",
            Part::Shared(_) => "Shared",
            Part::Slice(..) => "Slice",
            Part::File(_) => "File",
        };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

/// A part of an open file, in bytes. Carried here; read by the floors above.
#[derive(Clone, Debug)]
pub struct FileSpan {
    /// The file, opened for reading.
    pub file: Arc<OpenFile>,
    /// Where the part begins.
    pub offset: u64,
    /// How long it is. If the file turns out shorter, the connection is cut:
    /// the client sees that the content is incomplete.
    pub len: u64,
}

/// A file that is open for reading, and what it was when its length was learnt.
///
/// What is sent from the disk is read while it is sent. If its state is known, the
/// engine looks at the file once more before it sends the last bytes: content that was
/// rewritten meanwhile is cut, so that a client never takes a mixture for a file.
/// A file that only became longer, as logs do, counts as unchanged.
#[derive(Debug)]
pub struct OpenFile {
    /// The file itself.
    pub file: File,
    /// What it was when its length was learnt. `None`: the content is sent
    /// without a second look.
    pub state: Option<FileState>,
}

/// What a file was at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    /// Its length in bytes.
    pub len: u64,
    /// Its last change, in Unix seconds (0 before 1970), and the nanoseconds beyond.
    pub modified: (u64, u32),
}

impl From<File> for OpenFile {
    fn from(file: File) -> OpenFile {
        OpenFile { file, state: None }
    }
}

/// A stream of content.
///
/// The engine calls [`pull`](Source::pull) whenever the connection's output is
/// below its low mark, so a slow client slows the source and memory stays
/// bounded. Dropping the source is how it learns that the client went away.
///
/// A source that says [`Pull::Pending`] has no deadline: it may have nothing to
/// say for hours. A client that leaves meanwhile is noticed by its end if the
/// source is [endless](Source::is_endless), and one that
/// vanishes without a word by the system's probes, within about two minutes. Who
/// wants to know sooner says [`Pull::After`], and sends something then.
pub trait Source: Send {
    /// Appends up to about `room` bytes to `out`.
    ///
    /// # Errors
    /// An error cuts the connection: the client sees incomplete content.
    fn pull(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<Pull>;

    /// The server is leaving: it drains, and at the drain's limit it cuts whatever
    /// has not ended. Called once for each source, on the loop's thread also if its
    /// pulls are not, so it must not block.
    ///
    /// `true`: pull at once, whatever was said last; the place to say goodbye and
    /// [`End`](Pull::End). `false`, which is the default: nothing changes, as is
    /// right for content that comes to an end by itself.
    fn leave(&mut self) -> bool {
        false
    }

    /// Whether it goes on for as long as somebody listens, as events do. Asked once,
    /// before the first pull.
    ///
    /// It decides what a client's half-close means: one that reads an endless stream
    /// is taken to have left, and the source is dropped; any other may still be
    /// waiting for the rest (RFC 9112 section 9.6), gets it, and if it has left, is
    /// noticed by that. `false` by default; content of type `text/event-stream` is
    /// endless whatever its source says.
    fn is_endless(&self) -> bool {
        false
    }
}

/// What a [`Source`] says after a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// There is more: pull again when there is room.
    More,
    /// Nothing now: pull again after a [`Wake`](super::Wake).
    Pending,
    /// Nothing now: pull again after this time, or after a wake.
    After(Duration),
    /// That was all.
    End,
}

/// Takes the content of a request as it arrives.
///
/// If `finish` is never called the upload was lost: clean up in `Drop`. A sink of
/// [`Intake::Blocking`](super::Intake::Blocking) is dropped on a helper thread,
/// too, so that this may block.
pub trait Sink: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// An error ends the intake, and the connection after the reply: 507 for
    /// [`StorageFull`](io::ErrorKind::StorageFull), what a [`Refusal`] says, else
    /// 500.
    fn write(&mut self, chunk: &[u8]) -> io::Result<()>;

    /// The content is complete. What the handler needs to know goes into the
    /// request's bag: [`Request::extend`](super::Request::extend).
    ///
    /// # Errors
    /// As [`write`](Sink::write).
    fn finish(&mut self, request: &mut super::Request) -> io::Result<()>;
}

/// A [`Sink`]'s error that is the client's fault, or at least its business: the
/// status to answer with, and a word that the client is shown.
///
/// ```
/// use onepoll::http::{Refusal, Request, Sink, Status};
/// use std::io;
/// /// Takes text only.
/// struct Text;
/// impl Sink for Text {
///     fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
///         match chunk.contains(&0) {
///             true => Err(Refusal::new(Status::UNSUPPORTED_MEDIA_TYPE, "text only").into()),
///             false => Ok(()),
///         }
///     }
///     fn finish(&mut self, _: &mut Request) -> io::Result<()> {
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to answer.
    pub status: Status,
    /// Why, for the client; may be empty.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// This status and a message that the client sees.
    pub fn new(status: Status, message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, message: message.into() }
    }

    /// What a sink's error comes to. What isn't meant for clients is logged.
    pub(crate) fn of(error: &io::Error) -> Refusal {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>());
        if let Some(refusal) = inner {
            return refusal.clone();
        }
        log::warn!("content could not be stored: {error}");
        // The last: more than the file system, or this process, may have in one file.
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        match full {
            true => Refusal::new(Status::INSUFFICIENT_STORAGE, ""),
            false => Refusal::new(Status::INTERNAL_SERVER_ERROR, ""),
        }
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        io::Error::other(refusal)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_ref() {
            "" => self.status.fmt(f),
            message => write!(f, "{}: {message}", self.status),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Debug for dyn Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}
