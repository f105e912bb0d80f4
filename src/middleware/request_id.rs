//! A name for each request, to find it in the logs of several programs.

use crate::app::{After, Flow, Middleware};
use crate::error::Error;
use crate::http::chars::is_token;
use crate::http::{BadCidr, Networks, Request, Response};
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Names each request: the name is in its bag as [`RequestId`], in the reply's
/// field, and in the access log's JSON.
///
/// A name that came with the request is taken over only from proxies that are
/// trusted, by [`Config::trusted`](crate::Config::trusted) or [here](RequestIds::trust):
/// anybody else could have requests of others found under it. Names are
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
    trusted: Networks,
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
            trusted: Networks::none(),
            high: RandomState::new(),
            low: RandomState::new(),
            next: Cell::new(0),
        }
    }

    /// Takes over the names that these send, too, in this alone: addresses, or
    /// networks like `10.0.0.0/8`. Who is meant is the other end of the connection,
    /// [`Request::via`].
    ///
    /// # Errors
    /// [`Error::Config`] naming what is no address.
    pub fn trust<T: AsRef<str>>(
        mut self,
        peers: impl IntoIterator<Item = T>,
    ) -> Result<RequestIds, Error> {
        let wrong = |error: BadCidr| Error::Config { field: "request id", why: error.to_string() };
        self.trusted = Networks::parse(peers).map_err(wrong)?;
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
        if !request.is_from_trusted() && !self.trusted.contains(request.via()) {
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
    fn proxies_that_are_trusted_in_all_name_requests_too() {
        let ids = RequestIds::new();
        let mut request = Request::new(Method::GET, "/");
        request.headers_mut().add("X-Request-ID", "abc-1").unwrap();
        request.origin.peer = Peer::Tcp("192.0.2.1:1".parse().unwrap());
        assert_eq!(ids.sent(&request), None);
        request.origin.via = Some(Peer::Tcp("10.0.0.1:1".parse().unwrap()));
        assert_eq!(ids.sent(&request).unwrap().as_str(), "abc-1");
        // Named here, it is the connection's end that counts, not the client.
        request.origin.via = None;
        let ids = RequestIds::new().trust(["192.0.2.1"]).unwrap();
        assert!(ids.sent(&request).is_some());
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
