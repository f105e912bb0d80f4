//! Request methods (RFC 9110 section 9) and protocol versions (RFC 9112 section 2.3).

use std::fmt;

/// A request method: one of the registered ones, or an extension.
///
/// Methods are case-sensitive (RFC 9110 section 9.1): `get` is an extension
/// method, not [`Method::GET`].
///
/// ```
/// use onepoll::http::Method;
/// assert_eq!(Method::parse(b"GET"), Some(Method::GET));
/// assert_eq!(Method::parse(b"PURGE").unwrap().as_str(), "PURGE");
/// assert_eq!(Method::parse(b"BAD METHOD"), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Method(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    Extension(Box<str>),
}

impl Method {
    /// `GET`: transfer a representation (RFC 9110 section 9.3.1).
    pub const GET: Method = Method(Repr::Get);
    /// `HEAD`: GET without the content (section 9.3.2).
    pub const HEAD: Method = Method(Repr::Head);
    /// `POST`: process the content (section 9.3.3).
    pub const POST: Method = Method(Repr::Post);
    /// `PUT`: replace the target's state (section 9.3.4).
    pub const PUT: Method = Method(Repr::Put);
    /// `DELETE`: remove the target (section 9.3.5).
    pub const DELETE: Method = Method(Repr::Delete);
    /// `CONNECT`: open a tunnel (section 9.3.6).
    pub const CONNECT: Method = Method(Repr::Connect);
    /// `OPTIONS`: ask what the target can do (section 9.3.7).
    pub const OPTIONS: Method = Method(Repr::Options);
    /// `TRACE`: loop the request back (section 9.3.8).
    pub const TRACE: Method = Method(Repr::Trace);
    /// `PATCH`: apply a partial change (RFC 5789).
    pub const PATCH: Method = Method(Repr::Patch);

    /// The longest extension method accepted, in bytes. The registry's longest
    /// name is `UPDATEREDIRECTREF`, 17 bytes.
    pub const LEN_MAX: usize = 32;

    /// How many methods are registered here.
    pub(crate) const REGISTERED: usize = 9;

    /// Reads a method token. `None` if it is empty, longer than
    /// [`LEN_MAX`](Method::LEN_MAX) bytes or not a token.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Method> {
        Some(Method(match bytes {
            b"GET" => Repr::Get,
            b"HEAD" => Repr::Head,
            b"POST" => Repr::Post,
            b"PUT" => Repr::Put,
            b"DELETE" => Repr::Delete,
            b"CONNECT" => Repr::Connect,
            b"OPTIONS" => Repr::Options,
            b"TRACE" => Repr::Trace,
            b"PATCH" => Repr::Patch,
            _ => return Method::extension(bytes),
        }))
    }

    #[cold]
    fn extension(bytes: &[u8]) -> Option<Method> {
        if bytes.is_empty() || bytes.len() > Method::LEN_MAX || !super::chars::is_token(bytes) {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?; // a token is ASCII
        Some(Method(Repr::Extension(text.into())))
    }

    /// The method as it stands in the request line.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Get => "GET",
            Repr::Head => "HEAD",
            Repr::Post => "POST",
            Repr::Put => "PUT",
            Repr::Delete => "DELETE",
            Repr::Connect => "CONNECT",
            Repr::Options => "OPTIONS",
            Repr::Trace => "TRACE",
            Repr::Patch => "PATCH",
            Repr::Extension(name) => name,
        }
    }

    /// A number below [`REGISTERED`](Method::REGISTERED), another one for each
    /// registered method; none for an extension.
    #[inline]
    pub(crate) fn number(&self) -> Option<usize> {
        Some(match self.0 {
            Repr::Get => 0,
            Repr::Head => 1,
            Repr::Post => 2,
            Repr::Put => 3,
            Repr::Delete => 4,
            Repr::Connect => 5,
            Repr::Options => 6,
            Repr::Trace => 7,
            Repr::Patch => 8,
            Repr::Extension(_) => return None,
        })
    }

    /// Whether the client asks for no change of state (RFC 9110 section 9.2.1).
    pub fn is_safe(&self) -> bool {
        matches!(self.0, Repr::Get | Repr::Head | Repr::Options | Repr::Trace)
    }

    /// Whether this is a method without registration.
    pub fn is_extension(&self) -> bool {
        matches!(self.0, Repr::Extension(_))
    }
}

impl Default for Method {
    fn default() -> Self {
        Method::GET
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The protocol versions that onepoll speaks. A request in any other `HTTP/1.x`
/// is treated as 1.1 (RFC 9110 section 2.5); other majors are refused with 505.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: one request per connection unless `keep-alive` is asked for.
    Http10,
    /// HTTP/1.1: persistent connections and chunked bodies.
    #[default]
    Http11,
}

impl Version {
    /// `"HTTP/1.0"` or `"HTTP/1.1"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}
