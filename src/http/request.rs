//! A request: one copy of its head, and an index into it.

use super::{BadParam, Field, Headers, Home, Method, Now, Params, Peer, Version, Wake};
use crate::stats::Stats;
use std::any::{Any, TypeId};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// A request (RFC 9110 section 3.4): method, target, field lines, content.
///
/// It owns its bytes, so it can go to a helper thread as it is. Texts are
/// ranges of one buffer that is used again for the connection's next request.
#[derive(Default)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// The head as it came: request line and field lines.
    pub(crate) headers: Headers,
    /// The request target, of any of the four forms (RFC 9112 section 3.2).
    pub(crate) target: Span,
    /// The path within the target, without query; empty for `*` and authority.
    pub(crate) path: Span,
    /// The query, without the question mark.
    pub(crate) query: Option<Span>,
    /// Host and port: from an absolute or authority target, else from `Host`.
    pub(crate) authority: Span,
    /// The path with needless percent-encoding undone, if that changed it.
    pub(crate) normal: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Headers,
    pub(crate) params: Params,
    pub(crate) content_length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) origin: Origin,
    pub(crate) extensions: Vec<(TypeId, Box<dyn Any + Send>)>,
}

/// A range of the head's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) len: u16,
}

/// Where the request came from and when; stamped by the reactor.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    pub(crate) peer: Peer,
    /// The trusted proxy that named `peer`.
    pub(crate) via: Option<Peer>,
    pub(crate) secure: bool,
    pub(crate) connection: u64,
    pub(crate) now: Option<Now>,
    pub(crate) home: Option<Arc<dyn Home>>,
    pub(crate) stats: Option<Arc<Stats>>,
}

/// In the bag, since few requests have one.
struct WorkLimit(Duration);

/// A recycled body buffer larger than this is given back to the allocator.
const BODY_KEPT: usize = 16 * 1024;
/// The same for a head: enough for nearly every browser.
const HEAD_KEPT: usize = 4 * 1024;

impl Request {
    /// A request made by hand, for tests: `Request::new(Method::GET, "/")`.
    ///
    /// A target longer than 60,000 bytes is cut.
    pub fn new(method: Method, target: &str) -> Request {
        let mut request = Request { method, ..Request::default() };
        let target = target.get(..60_000).unwrap_or(target);
        let len = target.len() as u16;
        request.headers.bytes.extend_from_slice(target.as_bytes());
        request.target = Span { start: 0, len };
        let path = target.find('?').unwrap_or(target.len()) as u16;
        request.path = Span { start: 0, len: path };
        request.query = (path < len).then(|| Span { start: path + 1, len: len - path - 1 });
        request
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The protocol version, as far as we speak it.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The request target as it was sent, for example `/a%20b?c=d`.
    pub fn target(&self) -> &str {
        self.str(self.target)
    }

    /// The path as it was sent: neither decoded nor resolved, without query.
    pub fn path(&self) -> &str {
        self.str(self.path)
    }

    /// The path that routes are matched against: percent-encoded unreserved
    /// characters decoded (RFC 3986 section 6.2.2.2), all else as sent. An
    /// encoded slash stays `%2F`.
    pub fn route_path(&self) -> &str {
        self.normal.as_deref().unwrap_or_else(|| self.path())
    }

    /// The query without its question mark, as it was sent.
    pub fn query(&self) -> Option<&str> {
        self.query.map(|span| self.str(span))
    }

    /// Host and port that the request is for: from the target if it is in
    /// absolute or authority form (it wins, RFC 9112 section 3.2.2), else from
    /// `Host`. Empty if an HTTP/1.0 client gave none. Behind a
    /// [trusted](crate::Config::trusted) proxy it is what that says, if it does.
    pub fn authority(&self) -> &str {
        self.str(self.authority)
    }

    /// All field lines of the head.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The field lines, to add to them: for middleware.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The first value of a field, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.text(name)
    }

    /// The content, once it was asked for and has arrived; else empty.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes the content out, leaving nothing.
    pub fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Puts content in: for tests, and for middleware that decodes it.
    pub fn set_body(&mut self, body: impl Into<Vec<u8>>) {
        self.body = body.into();
    }

    /// The content's declared length in bytes; `None` when chunked or absent.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether the request has content, or may have (chunked).
    pub fn has_body(&self) -> bool {
        self.chunked || self.content_length.is_some_and(|n| n > 0)
    }

    /// The trailer section of a chunked request (RFC 9110 section 6.5), kept
    /// apart from the headers; fields that don't belong there are left out.
    pub fn trailers(&self) -> &Headers {
        &self.trailers
    }

    /// What the route's pattern caught, all of it.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// What the route's pattern caught under this name, as a value of type `T`.
    ///
    /// ```
    /// # use onepoll::http::*;
    /// fn handler(request: &mut Request) -> Result<String, BadParam> {
    ///     let id: u64 = request.param("id")?;
    ///     Ok(format!("user {id}"))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`BadParam`], which answers 400, if there is none or it is no `T`.
    pub fn param<T: FromStr>(&self, name: &str) -> Result<T, BadParam> {
        let value = self.params.get(name).and_then(|text| text.parse().ok());
        value.ok_or_else(|| BadParam { name: name.to_owned() })
    }

    /// Who sent it: the client, also behind proxies that are
    /// [trusted](crate::Config::trusted). Nobody else is believed what its fields say.
    pub fn peer(&self) -> Peer {
        self.origin.peer
    }

    /// Who is at the other end of the connection: the client, or the last proxy.
    /// Under the PROXY protocol whom its header names.
    pub fn via(&self) -> Peer {
        self.origin.via.unwrap_or(self.origin.peer)
    }

    /// Whether [`via`](Request::via) is trusted: so that further fields of it may
    /// be believed.
    pub fn is_from_trusted(&self) -> bool {
        self.origin.via.is_some()
    }

    /// Whether the client came over TLS; to a trusted proxy, if that says so.
    pub fn is_secure(&self) -> bool {
        self.origin.secure
    }

    /// Whether the content has a coding (`Content-Encoding`), such as gzip.
    pub(crate) fn is_coded(&self) -> bool {
        let codes = |value: &[u8]| !value.is_empty() && !value.eq_ignore_ascii_case(b"identity");
        self.headers().all("content-encoding").any(codes)
    }

    /// `https` if it [is secure](Request::is_secure), else `http`.
    pub fn scheme(&self) -> &'static str {
        if self.origin.secure { "https" } else { "http" }
    }

    /// The number of the connection: no other of this process has it.
    pub fn connection(&self) -> u64 {
        self.origin.connection
    }

    /// The time, as of this turn of the loop. Outside a loop, as of this call.
    pub fn now(&self) -> Now {
        self.origin.now.unwrap_or_else(Now::read)
    }

    /// A handle that wakes this connection; `None` for a request made by hand.
    pub fn waker(&self) -> Option<Wake> {
        let home = self.origin.home.as_ref()?;
        Some(Wake::new(Arc::clone(home), self.origin.connection))
    }

    /// The counters of the loop that brought it; `None` for a request made by hand.
    pub fn stats(&self) -> Option<&Stats> {
        self.origin.stats.as_deref()
    }

    /// The longest that this request's jobs and sleeps may take, instead of
    /// [`Config::work_timeout`](crate::Config::work_timeout); then 503.
    pub fn limit_work(&mut self, time: Duration) {
        self.extend(WorkLimit(time));
    }

    /// What [`limit_work`](Request::limit_work) said.
    pub(crate) fn work_limit(&self) -> Option<Duration> {
        self.extension::<WorkLimit>().map(|limit| limit.0)
    }

    /// A value that middleware left for the handler.
    pub fn extension<T: Any + Send>(&self) -> Option<&T> {
        let (_, value) = self.extensions.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    /// The same, to change it.
    pub fn extension_mut<T: Any + Send>(&mut self) -> Option<&mut T> {
        let (_, value) = self.extensions.iter_mut().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_mut()
    }

    /// Leaves a value for the handler; one of each type. The old one comes back.
    pub fn extend<T: Any + Send>(&mut self, value: T) -> Option<T> {
        let id = TypeId::of::<T>();
        let old = self.remove_extension::<T>();
        self.extensions.push((id, Box::new(value)));
        old
    }

    /// Takes the value of that type out.
    pub fn remove_extension<T: Any + Send>(&mut self) -> Option<T> {
        let at = self.extensions.iter().position(|(id, _)| *id == TypeId::of::<T>())?;
        let (_, value) = self.extensions.swap_remove(at);
        value.downcast().ok().map(|boxed| *boxed)
    }

    /// Makes it a blank page for another head.
    #[inline(always)]
    pub(crate) fn begin(&mut self) {
        if self.method != Method::GET {
            self.method = Method::GET;
        }
        self.headers.reset();
        self.target = Span::default();
        self.path = Span::default();
        self.query = None;
        self.authority = Span::default();
        if self.normal.is_some() {
            self.normal = None;
        }
        self.content_length = None;
        self.chunked = false;
    }

    /// Empties it for the next request and keeps its memory, up to a bound. The
    /// head stays: whoever reads the next one [begins](Request::begin) with that.
    #[inline(always)]
    pub(crate) fn recycle(&mut self) {
        if self.headers.bytes.capacity() > HEAD_KEPT {
            self.begin();
            self.headers.bytes = Vec::new();
        }
        self.body.clear();
        if self.body.capacity() > BODY_KEPT {
            self.body = Vec::new();
        }
        self.trailers.clear();
        self.params.clear();
        if !self.extensions.is_empty() {
            self.extensions.clear();
        }
    }

    /// Bytes of memory that it holds, about.
    pub(crate) fn footprint(&self) -> usize {
        let headers = |h: &Headers| h.bytes.capacity() + h.fields.capacity() * size_of::<Field>();
        headers(&self.headers) + headers(&self.trailers) + self.body.capacity()
    }

    /// What a router needs, borrowed apart: it reads the path and fills the params.
    #[inline]
    pub(crate) fn route_parts(&mut self) -> (&Method, &[u8], &mut Params) {
        let path = match &self.normal {
            Some(normal) => normal.as_bytes(),
            None => {
                let start = usize::from(self.path.start);
                let range = start..start + usize::from(self.path.len);
                self.headers.bytes.get(range).unwrap_or(&[])
            }
        };
        (&self.method, path, &mut self.params)
    }

    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        let start = usize::from(span.start);
        self.headers.bytes.get(start..start + usize::from(span.len)).unwrap_or(&[])
    }

    fn str(&self, span: Span) -> &str {
        // The parser lets nothing but ASCII into a target or a host.
        std::str::from_utf8(self.bytes(span)).unwrap_or("")
    }

    /// Names a field's range as a span.
    pub(crate) fn value_span(field: Field) -> Span {
        Span { start: field.value, len: field.value_len }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target())
            .field("version", &self.version)
            .field("headers", &self.headers)
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}
