//! Replies made shorter on their way out, for clients that take gzip, Brotli or Zstandard.
//!
//! Files have their own ways of being compressed, once for everybody; this is for
//! what is made for each request: pages, JSON, streams.
//!
//! ```text
//!                     worth it? (status, type, length, not encoded yet)
//!                                       | yes: Vary, also if the next says no
//!                     wanted? (Accept-Encoding)
//!                                       | yes
//!            in memory                  |              a stream
//!     .---------+---------.-------------+----------.-------+-------.
//!   <= 16 KiB        <= 1 MiB        longer      Inline         Blocking
//!   here, now        a helper,       pulled by   wrapped: a     wrapped: pulled
//!                    in one go       helpers     little a turn  by helpers
//!     '-------.-----------'             '----------.---------------'
//!     Content-Length, or as it         chunked, flushed whenever the
//!     was if that is no shorter        source has nothing more to say
//! ```
//!
//! The tag of a compressed reply is weak: it was made of the bytes that went in,
//! and a strong one is of those that go out (RFC 9110 section 8.8.1).

mod stream;

use super::fields::vary;
use crate::app::{After, Middleware};
use crate::codec::{AVAILABLE, Encoder};
use crate::error::Error;
use crate::http::accept::{Coding, Codings};
use crate::http::chars::is_token;
use crate::http::compressible::is_compressible;
use crate::http::{Body, ContentType, Exchange, Job, Lane, Part, Request, Response, Status};
use std::cell::RefCell;
use stream::{InMemory, Permits, Zipped};

/// Compresses replies, with what was compiled in: gzip (feature `gzip`), Brotli
/// (`brotli`), Zstandard (`zstd`). Of those the client has the choice by its weights; of
/// equal ones Brotli comes first, then Zstandard.
///
/// Wrap it outside of what makes or looks at content, and inside of the access
/// log. To `HEAD` it says what it says to `GET`, and works as much for it.
///
/// | Setting | Default |
/// |---|---|
/// | [`min_len`](Compress::min_len) | 1 KiB |
/// | [`level`](Compress::level) | 4 |
/// | [`types`](Compress::types) | text, JSON, XML and the like; raw fonts and bitmaps |
/// | [`streams_max`](Compress::streams_max) | 256 |
///
/// Left as it is: what has a `Content-Encoding`, or a digest of its bytes; what
/// says `Cache-Control: no-transform`; ranges (206); 204; event streams, whose few
/// bytes are not worth an encoder for each client; and [files](Body::File), which
/// go out without passing through the program.
///
/// The tag of a compressed reply becomes a weak one: good to ask whether anything
/// has changed, but not for `Range` and `If-Match`, which want the very same bytes.
///
/// **A word of warning.** If a page holds a secret and also repeats what its visitor
/// sent, its length tells a listener how much the two resemble each other, and
/// that gives the secret away letter by letter. Say `no-transform` in such a reply.
///
/// ```
/// use onepoll::app::TestClient;
/// use onepoll::middleware::Compress;
/// use onepoll::{App, Request};
/// let mut app = App::new();
/// app.wrap(Compress::new());
/// app.get("/", |_: &mut Request| "to be, or not to be; ".repeat(100));
/// let mut client = TestClient::new(app);
/// let reply = client.get("/").header("Accept-Encoding", "gzip, br, zstd").send();
/// assert!(reply.header("Content-Encoding").is_some());
/// assert!(reply.body.len() < 100);
/// ```
#[derive(Debug)]
pub struct Compress {
    min_len: u64,
    level: u32,
    types: Types,
    permits: Permits,
    /// For what is compressed on the loop, one of each coding at most: to make an
    /// encoder takes longer than a short page does.
    spare: RefCell<Vec<Encoder>>,
}

/// What is worth it.
#[derive(Debug)]
enum Types {
    /// What is known to be loosely packed.
    Known,
    /// These, in lower case: `text/html`, `text/*`.
    Listed(Vec<String>),
}

/// Below this, what is saved is not worth the time: it is one packet anyway.
const MIN_LEN: u64 = 1024;
/// It has to be made for each client anew.
const LEVEL: u32 = 4;
/// Compressed on the loop's own thread, in bytes: 0.1 to 0.4 ms, by content and machine.
/// Others can wait that long; what takes longer is a helper's.
const INLINE_MAX: u64 = 16 * 1024;
/// Compressed in one go, in bytes: above that, the result would lie in memory
/// beside the original until a slow client has taken it.
const WHOLE_MAX: u64 = 1 << 20;
/// Streams that are compressed at once. Each keeps an encoder of 300 KiB, so that
/// they are 75 MiB together.
const STREAMS_MAX: usize = 256;

impl Default for Compress {
    fn default() -> Compress {
        Compress::new()
    }
}

impl Compress {
    /// With the defaults.
    pub fn new() -> Compress {
        Compress {
            min_len: MIN_LEN,
            level: LEVEL,
            types: Types::Known,
            permits: Permits::new(STREAMS_MAX),
            spare: RefCell::default(),
        }
    }

    /// Leaves content alone that is shorter than this, in bytes. Streams of unknown
    /// length count as long.
    #[must_use]
    pub fn min_len(mut self, bytes: u64) -> Compress {
        self.min_len = bytes;
        self
    }

    /// How hard to try: 1 is fast, 9 is small; what lies beyond is cut to that. 4 takes
    /// half the time of 6, which files are compressed with, for a few bytes more. The codings
    /// have their own scales; the numbers mean about the same on each.
    #[must_use]
    pub fn level(mut self, level: u32) -> Compress {
        self.level = level;
        self.spare = RefCell::default();
        self
    }

    /// Compresses these media types and no others: `text/html`, `text/*`, `*/*`.
    /// Event streams stay as they are even then.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first that is no media type.
    pub fn types<T: AsRef<str>>(
        mut self,
        types: impl IntoIterator<Item = T>,
    ) -> Result<Compress, Error> {
        let mut listed = Vec::new();
        for text in types {
            let text = text.as_ref().to_ascii_lowercase();
            let is_part = |part: &str| part == "*" || is_token(part.as_bytes());
            let is_type = match text.split_once('/') {
                Some(("*", subtype)) => subtype == "*",
                Some((kind, subtype)) => is_part(kind) && is_part(subtype),
                None => false,
            };
            if !is_type {
                let why = format!("`{text}` is no media type");
                return Err(Error::Config { field: "compress", why });
            }
            listed.push(text);
        }
        self.types = Types::Listed(listed);
        Ok(self)
    }

    /// At most so many streams are compressed at once; more go out as they are. One in
    /// Brotli counts as four, as its encoder is that large.
    #[must_use]
    pub fn streams_max(mut self, streams: usize) -> Compress {
        self.permits = Permits::new(streams);
        self
    }

    /// Whether some client could get this compressed, were it long enough. Length
    /// is no criterion, as another reply of the same resource may have another:
    /// caches shall know from each what the next may depend on.
    fn is_candidate(&self, response: &Response) -> bool {
        let status = response.status();
        let is_cached = status == Status::NOT_MODIFIED;
        let is_content = !status.is_bodiless() && status != Status::PARTIAL_CONTENT;
        let is_typed = match response.content_type() {
            Some(content_type) => self.takes(content_type),
            // It says what the 200 would have said, but for the type, often.
            None => is_cached,
        };
        let is_transformable = |directive: &[u8]| !directive.eq_ignore_ascii_case(b"no-transform");
        (is_content || is_cached)
            && is_typed
            && BOUND.iter().all(|name| response.get(name).is_none())
            && response.headers().list("cache-control").all(is_transformable)
            && is_at_hand(response.body_ref())
    }

    fn takes(&self, content_type: &ContentType) -> bool {
        let text = content_type.as_str();
        let media = text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let is_in = |list: &[String]| {
            let kind = media.split('/').next().unwrap_or("");
            list.iter().any(|one| match one.strip_suffix("/*") {
                Some(of) => of == "*" || of == kind,
                None => *one == media,
            })
        };
        media != ContentType::EVENTS.as_str()
            && match &self.types {
                Types::Known => is_compressible(content_type),
                Types::Listed(list) => is_in(list),
            }
    }

    /// Compresses on the loop.
    fn shrink_here(&self, response: &mut Response, coding: Coding) {
        let mut spare = self.spare.take();
        let at = spare.iter().position(|encoder| encoder.coding() == coding);
        let encoder = at.map(|at| spare.swap_remove(at));
        // Not kept if it failed.
        spare.extend(shrink(response, coding, self.level, encoder));
        self.spare.replace(spare);
    }

    /// Wraps what is pulled, if there is memory for one more encoder.
    fn wrap(&self, response: &mut Response, coding: Coding) {
        let Some(permit) = self.permits.take(weight(coding)) else { return };
        if !mark(response, coding) {
            return;
        }
        let zipped = |source, len| Zipped::new(source, len, (coding, self.level), permit);
        let body = match response.take_body() {
            // Long, and not waiting for anything: helpers do it without haste.
            Body::Inline(source, Some(len)) if len > INLINE_MAX => {
                Body::Blocking(Box::new(zipped(source, Some(len))), None)
            }
            Body::Inline(source, len) => {
                Body::Inline(Box::new(zipped(source, len).on_the_loop()), None)
            }
            Body::Blocking(source, len) => Body::Blocking(Box::new(zipped(source, len)), None),
            memory => {
                let len = memory.len();
                Body::Blocking(Box::new(zipped(Box::new(InMemory::new(memory)), len)), None)
            }
        };
        response.set_body(body);
    }
}

impl Middleware for Compress {
    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        if !self.is_candidate(response) {
            return After::Go;
        }
        vary(response, "Accept-Encoding");
        if response.status() == Status::NOT_MODIFIED {
            tag_as_known(request, response);
            return After::Go;
        }
        let coding = Codings::of(request.headers()).best(AVAILABLE);
        if coding == Coding::Identity {
            return After::Go;
        }
        let body = response.body_ref();
        let in_memory = nth(body, 0).is_some();
        match body.len() {
            Some(len) if len < self.min_len.max(1) => After::Go,
            Some(len) if in_memory && len <= INLINE_MAX => {
                self.shrink_here(response, coding);
                After::Go
            }
            Some(len) if in_memory && len <= WHOLE_MAX => {
                let level = self.level;
                let job = move |exchange: &mut Exchange| {
                    shrink(&mut exchange.response, coding, level, None);
                };
                // In the lane that refuses nobody: a reply that is made already
                // must not become a 503 because it could be shorter.
                After::Offload(Job::new(job).lane(Lane::Engine))
            }
            _ => {
                self.wrap(response, coding);
                After::Go
            }
        }
    }
}

/// What an encoder's memory comes to, in those of gzip.
fn weight(coding: Coding) -> usize {
    if coding == Coding::Br { 4 } else { 1 }
}

/// Fields that speak of the very bytes that they came with (RFC 9530 for two of
/// them).
const BOUND: [&str; 5] =
    ["content-encoding", "content-range", "content-digest", "repr-digest", "digest"];

/// Whether the bytes come by here.
fn is_at_hand(body: &Body) -> bool {
    match body {
        Body::File(_) | Body::Switch(_) => false,
        Body::Pieces(parts) => !parts.iter().any(|part| matches!(part, Part::File(_))),
        _ => true,
    }
}

/// The bytes in memory, one piece after the other; `None` behind the last, and
/// for what has to be pulled.
fn nth(body: &Body, n: usize) -> Option<&[u8]> {
    match body {
        Body::Pieces(parts) => parts.get(n).and_then(Part::bytes),
        _ if n > 0 => None,
        whole => whole.bytes(),
    }
}

/// Compresses what is in memory, with that encoder or a new one. What does not become
/// shorter stays as it was. The encoder, if it is still good.
fn shrink(
    response: &mut Response,
    coding: Coding,
    level: u32,
    encoder: Option<Encoder>,
) -> Option<Encoder> {
    let body = response.body_ref();
    let zipped = encoder.map_or_else(|| Encoder::new(coding, level), Ok).and_then(|mut encoder| {
        let mut out = Vec::new();
        for piece in (0..).map_while(|n| nth(body, n)) {
            encoder.push(piece, &mut out)?;
        }
        encoder.end(&mut out)?;
        Ok((encoder, out))
    });
    match zipped {
        Ok((encoder, bytes)) => {
            let is_shorter = body.len().is_some_and(|len| (bytes.len() as u64) < len);
            if is_shorter && mark(response, coding) {
                response.set_body(Body::Owned(bytes));
            }
            Some(encoder)
        }
        Err(error) => {
            log::warn!("a reply is not compressed: {error}");
            None
        }
    }
}

/// Says that the content is compressed. If the fields have no room for that it
/// can't be, and `false` says so.
fn mark(response: &mut Response, coding: Coding) -> bool {
    if let Err(error) = response.add_header("Content-Encoding", coding.as_str()) {
        log::warn!("a reply is not compressed: {error}");
        return false;
    }
    weaken(response);
    // Ranges would be of the bytes that it was made of.
    response.remove_header("Accept-Ranges");
    true
}

/// Makes the tag a weak one, if it isn't.
fn weaken(response: &mut Response) {
    let Some(tag) = response.get("etag").filter(|tag| tag.starts_with(b"\"")) else { return };
    let weak = [b"W/", tag].concat();
    if let Err(error) = response.set_header("ETag", weak) {
        // Better none than one that promises too much.
        log::warn!("ETag: {error}; left out");
        response.remove_header("ETag");
    }
}

/// In a 304, the tag in the form that the client has: which of its stored replies
/// is still good goes by that (RFC 9111 section 4.3.4).
fn tag_as_known(request: &Request, response: &mut Response) {
    let Some(tag) = response.get("etag") else { return };
    let mut known = request.headers().list("if-none-match");
    if known.any(|one| one.strip_prefix(b"W/") == Some(tag)) {
        weaken(response);
    }
}

// With the coding that is a default; the others are tested over sockets.
#[cfg(all(test, feature = "gzip"))]
mod tests;
