//! A name for each request, to find it in the logs of several programs.

use super::peers::Peers;
use crate::app::{After, Flow, Middleware};
use crate::error::Error;
use crate::http::chars::is_token;
use crate::http::{Request, Response};
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Names each request: the name is in its bag as [`RequestId`], in the reply's
/// field, and in the access log's JSON.
///
/// A name that the client sent is taken over only from trusted peers, proxies
/// that is: anybody else could have requests of others found under it. Names are
/// 32 hex digits; they can't be foretold, but they are no secrets.
///
/// ```
/// use onepoll::app::TestClient;
/// use onepoll::middleware::{RequestId, RequestIds};
/// use onepoll::{App, Request};
/// let mut app = App::new();
/// app.wrap(RequestIds::new().trust(["127.0.0.1", "10.0.0.0/8"])?);
/// app.get("/", |request: &mut Request| {
///     request.extension::<RequestId>().map(|id| id.as_str().to_owned())
/// });
/// let response = TestClient::new(app).get("/").send();
/// assert_eq!(response.headers.text("X-Request-Id"), Some(response.text()));
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Debug)]
pub struct RequestIds {
    field: String,
    trusted: Peers,
    /// Hashes of a counter with random keys.
    high: RandomState,
    low: RandomState,
    next: Cell<u64>,
}

/// The name of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// As it stands in the reply's field.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RequestIds {
    fn default() -> RequestIds {
        RequestIds::new()
    }
}

impl RequestIds {
    /// Names all requests anew, in the field `X-Request-Id`.
    pub fn new() -> RequestIds {
        RequestIds {
            field: "X-Request-Id".to_owned(),
            trusted: Peers::default(),
            high: RandomState::new(),
            low: RandomState::new(),
            next: Cell::new(0),
        }
    }

    /// Takes over the names that these peers send: addresses, or networks like
    /// `10.0.0.0/8`.
    ///
    /// # Errors
    /// [`Error::Config`] naming what is no address.
    pub fn trust<T: AsRef<str>>(
        mut self,
        peers: impl IntoIterator<Item = T>,
    ) -> Result<RequestIds, Error> {
        self.trusted = Peers::parse("request id", peers)?;
        Ok(self)
    }

    /// In another field.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no field name.
    pub fn field(mut self, name: &str) -> Result<RequestIds, Error> {
        if let Err(error) = Response::default().add_header(name, "x") {
            let why = format!("field `{}`: {error}", name.escape_debug());
            return Err(Error::Config { field: "request id", why });
        }
        self.field = name.to_owned();
        Ok(self)
    }

    fn fresh(&self) -> RequestId {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let (high, low) = (self.high.hash_one(number), self.low.hash_one(number));
        RequestId(format!("{high:016x}{low:016x}").into())
    }

    fn sent(&self, request: &Request) -> Option<RequestId> {
        if !self.trusted.contains(request.peer()) {
            return None;
        }
        let sent = super::fields::single(request, &self.field)?;
        let sound = is_token(sent) && sent.len() <= LEN_MAX;
        sound.then(|| std::str::from_utf8(sent).ok()).flatten().map(|sent| RequestId(sent.into()))
    }
}

impl Middleware for RequestIds {
    fn before(&self, request: &mut Request) -> Flow {
        let id = self.sent(request).unwrap_or_else(|| self.fresh());
        request.extend(id);
        Flow::Go
    }

    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        if let Some(id) = request.extension::<RequestId>() {
            super::fields::set(response, &self.field, id.as_str());
        }
        After::Go
    }
}

/// Bytes of a name that is taken over. They are all token characters, so that it
/// can't break a line, a field or a quoted word.
const LEN_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Method, Peer};
    use std::collections::HashSet;

    fn name(ids: &RequestIds, peer: &str, sent: &[&str]) -> String {
        let mut request = Request::new(Method::GET, "/");
        request.origin.peer = Peer::Tcp(format!("{peer}:1").parse().unwrap());
        for sent in sent {
            request.headers_mut().add("X-Request-ID", sent).unwrap();
        }
        assert!(matches!(ids.before(&mut request), Flow::Go));
        let mut response = Response::default().header("X-Request-Id", "the handler's");
        ids.after(&mut request, &mut response);
        let all: Vec<_> = response.headers().all("x-request-id").collect();
        let [name] = all[..] else { panic!("{all:?}") };
        String::from_utf8(name.to_vec()).unwrap()
    }

    #[test]
    fn only_trusted_peers_name_their_requests() {
        let ids = RequestIds::new().trust(["10.0.0.0/8"]).unwrap();
        assert_eq!(name(&ids, "10.1.2.3", &["abc-1"]), "abc-1");
        let long = "x".repeat(LEN_MAX + 1);
        let table: [(&str, &[&str]); 6] = [
            ("192.0.2.1", &["abc-1"]),
            ("10.1.2.3", &[]),
            ("10.1.2.3", &["a b"]),
            ("10.1.2.3", &["\"a\""]),
            ("10.1.2.3", &["a", "a"]),
            ("10.1.2.3", &[&long]),
        ];
        for (peer, sent) in table {
            let name = name(&ids, peer, sent);
            assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
        }
    }

    #[test]
    fn names_are_different() {
        let ids = RequestIds::new();
        let names: HashSet<_> = (0..1000).map(|_| name(&ids, "192.0.2.1", &[])).collect();
        assert_eq!(names.len(), 1000);
        assert!(!names.contains(&name(&RequestIds::new(), "192.0.2.1", &[])));
    }

    #[test]
    fn the_field_can_be_another() {
        assert!(RequestIds::new().field("X Id").is_err());
        assert!(RequestIds::new().field("Content-Length").is_err());
        assert!(RequestIds::new().field("Trace-Id").is_ok());
    }
}
