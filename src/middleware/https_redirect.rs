//! From `http://` to `https://`.

use super::host_guard::{address, is_name, split};
use crate::app::{Flow, Middleware, Reject};
use crate::http::{Request, Response, Status};

/// Answers requests that came without TLS with 308, and the same URL under
/// `https`. Method and content stay what they are (RFC 9110 section 15.4.9).
///
/// For an application whose server listens for both. What is served to everybody,
/// as an authority's challenge, is [left out](HttpsRedirect::except).
///
/// The host in the URL is the one that was asked for, so it is asked about first:
/// else whoever can have somebody's browser send a `Host` could have it go
/// anywhere. For others it is 421.
///
/// ```
/// use onepoll::app::TestClient;
/// use onepoll::middleware::HttpsRedirect;
/// use onepoll::{App, Request};
/// let mut app = App::new();
/// app.wrap(HttpsRedirect::new(|host| host == "example.com"));
/// app.get("/a", |_: &mut Request| "hello");
/// let mut client = TestClient::new(app);
/// let reply = client.get("/a?b").header("Host", "example.com:80").send();
/// assert_eq!(reply.status.code(), 308);
/// assert_eq!(reply.header("Location"), Some("https://example.com/a?b"));
/// ```
pub struct HttpsRedirect {
    allows: Box<dyn Fn(&str) -> bool>,
    port: u16,
    except: Vec<String>,
}

impl HttpsRedirect {
    /// To these hosts, names or addresses without brackets, in lower case: a
    /// server's certificates know (`Tls::is_for`).
    pub fn new(allows: impl Fn(&str) -> bool + 'static) -> HttpsRedirect {
        HttpsRedirect { allows: Box::new(allows), port: 443, except: Vec::new() }
    }

    /// To this port instead of 443.
    #[must_use]
    pub fn port(mut self, port: u16) -> HttpsRedirect {
        self.port = port;
        self
    }

    /// Paths that begin so are served without TLS: `/.well-known/acme-challenge/`.
    #[must_use]
    pub fn except(mut self, beginning: impl Into<String>) -> HttpsRedirect {
        self.except.push(beginning.into());
        self
    }

    fn location(&self, request: &Request) -> Result<String, Reject> {
        let authority = request.authority();
        let (host, _) = split(authority).ok_or_else(|| Reject::bad("which host is meant?"))?;
        let host = host.to_ascii_lowercase();
        if !is_name(&host) && address(&host).is_none() {
            return Err(Reject::bad("which host is meant?"));
        }
        if !(self.allows)(host.trim_matches(['[', ']'])) {
            log::info!("{}: 421: asked for {authority:?}", request.peer());
            return Err(Status::MISDIRECTED_REQUEST.into());
        }
        let port = match self.port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(format!("https://{host}{port}{}{query}", request.path()))
    }
}

impl Middleware for HttpsRedirect {
    fn before(&self, request: &mut Request) -> Flow {
        let excepted = || self.except.iter().any(|start| request.path().starts_with(start));
        if request.is_secure() || excepted() {
            return Flow::Go;
        }
        // `*` and the authority of a CONNECT are no URLs.
        if !request.path().starts_with('/') {
            return Flow::Refuse(Reject::bad("this server speaks HTTPS"));
        }
        match self.location(request) {
            Ok(location) => {
                let text = format!("{location}\n");
                let moved = Response::new(Status::PERMANENT_REDIRECT).text(text);
                Flow::Stop(moved.header("Location", &location))
            }
            Err(reject) => Flow::Refuse(reject),
        }
    }
}

impl std::fmt::Debug for HttpsRedirect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpsRedirect(to port {})", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, TestClient};
    use crate::http::Method;

    fn client() -> TestClient<App> {
        let mut app = App::new();
        let known = |host: &str| matches!(host, "example.com" | "192.0.2.1" | "2001:db8::1");
        app.wrap(HttpsRedirect::new(known).port(8443).except("/.well-known/acme-challenge/"));
        app.get("/{*path}", |_: &mut Request| "here");
        TestClient::new(app)
    }

    #[test]
    fn known_hosts_are_sent_on_and_others_are_not() {
        let table = [
            ("example.com", "/a", 308, Some("https://example.com:8443/a")),
            ("EXAMPLE.com:80", "/a?b=c", 308, Some("https://example.com:8443/a?b=c")),
            ("example.com.", "//x/..", 308, Some("https://example.com:8443//x/..")),
            ("192.0.2.1", "/", 308, Some("https://192.0.2.1:8443/")),
            ("[2001:db8::1]:80", "/", 308, Some("https://[2001:db8::1]:8443/")),
            ("evil.example", "/", 421, None),
            ("example.com.evil.example", "/", 421, None),
            ("example.com@evil.example", "/", 400, None),
            ("example.com/x", "/", 400, None),
            ("example.com:x", "/", 400, None),
            ("", "/", 400, None),
            ("evil.example", "/.well-known/acme-challenge/x", 200, None),
        ];
        for (host, target, status, location) in table {
            let reply = client().get(target).header("Host", host).send();
            assert_eq!(reply.status.code(), status, "{host}");
            assert_eq!(reply.header("Location"), location, "{host}");
        }
    }

    #[test]
    fn under_tls_it_is_served() {
        let reply = client().get("/a").header("Host", "evil.example").secure().send();
        assert_eq!(reply.status.code(), 200);
    }

    #[test]
    fn what_is_no_url_has_none() {
        let mut client = client();
        let reply = client.request(Method::OPTIONS, "*").header("Host", "example.com").send();
        assert_eq!(reply.status.code(), 400);
    }
}
