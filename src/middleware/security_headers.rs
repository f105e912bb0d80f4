//! Fields that tell a browser what not to do with a page.
//!
//! They are worked out once; a reply gets those that it doesn't have yet, so
//! that a handler can be stricter or laxer than the rest.

use super::fields::absent;
use crate::app::{After, Middleware};
use crate::error::Error;
use crate::http::chars::{is_field_value, is_token};
use crate::http::{Request, Response};
use std::fmt::Write;
use std::time::Duration;

/// Adds the usual fields of protection to every reply.
///
/// | Field | Default | Setting |
/// |---|---|---|
/// | `X-Content-Type-Options` | `nosniff` | |
/// | `X-Frame-Options` | `DENY` | [`frame`] |
/// | `Referrer-Policy` | `strict-origin-when-cross-origin` | [`referrer`] |
/// | `Cross-Origin-Opener-Policy` | `same-origin` | [`opener`] |
/// | `Content-Security-Policy` | none | [`csp`] |
/// | `Strict-Transport-Security` | none | [`hsts`] |
///
/// [`frame`]: SecurityHeaders::frame
/// [`referrer`]: SecurityHeaders::referrer
/// [`opener`]: SecurityHeaders::opener
/// [`csp`]: SecurityHeaders::csp
/// [`hsts`]: SecurityHeaders::hsts
///
/// ```
/// use onepoll::App;
/// use onepoll::middleware::{Csp, SecurityHeaders};
/// let csp = Csp::strict().allow("img-src", ["'self'", "data:"])?;
/// App::new().wrap(SecurityHeaders::new().csp(&csp));
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    /// Sent over any connection.
    always: Vec<(&'static str, String)>,
    hsts: Option<Hsts>,
}

/// Who may show a page in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// Nobody.
    Deny,
    /// Pages of the same origin.
    SameOrigin,
    /// Everybody: the field is left out.
    Anybody,
}

/// How long browsers are to come back by TLS only (RFC 6797). It can't be taken
/// back from those who have seen it, so it is never there by default.
#[derive(Clone, Debug)]
pub struct Hsts {
    value: String,
    behind_proxy: bool,
}

/// A `Content-Security-Policy`, built directive by directive.
///
/// ```
/// use onepoll::middleware::Csp;
/// let csp = Csp::new().allow("default-src", ["'self'"])?.allow("img-src", ["*", "data:"])?;
/// assert_eq!(csp.to_string(), "default-src 'self'; img-src * data:");
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csp(Vec<(String, String)>);

impl Default for SecurityHeaders {
    fn default() -> SecurityHeaders {
        SecurityHeaders::new()
    }
}

impl SecurityHeaders {
    /// The defaults of the table above.
    pub fn new() -> SecurityHeaders {
        SecurityHeaders { always: vec![(SNIFF, "nosniff".to_owned())], hsts: None }
            .frame(Frame::Deny)
            .with(REFERRER, Some("strict-origin-when-cross-origin".to_owned()))
            .with(OPENER, Some("same-origin".to_owned()))
    }

    /// Who may show our pages in a frame.
    #[must_use]
    pub fn frame(self, frame: Frame) -> SecurityHeaders {
        let value = match frame {
            Frame::Deny => Some("DENY"),
            Frame::SameOrigin => Some("SAMEORIGIN"),
            Frame::Anybody => None,
        };
        self.with(FRAME, value.map(str::to_owned))
    }

    /// What other sites learn of the address a visitor comes from:
    /// `no-referrer`, say.
    ///
    /// # Errors
    /// [`Error::Config`] for what can't be such a policy.
    pub fn referrer(self, policy: &str) -> Result<SecurityHeaders, Error> {
        is_policy("referrer", policy)?;
        Ok(self.with(REFERRER, Some(policy.to_owned())))
    }

    /// Whether windows of other origins keep a handle on ours:
    /// `same-origin-allow-popups` is for pages that log in by a window of others.
    ///
    /// # Errors
    /// [`Error::Config`] for what can't be such a policy.
    pub fn opener(self, policy: &str) -> Result<SecurityHeaders, Error> {
        is_policy("opener", policy)?;
        Ok(self.with(OPENER, Some(policy.to_owned())))
    }

    /// Where a page may get scripts, styles and all else from.
    #[must_use]
    pub fn csp(self, csp: &Csp) -> SecurityHeaders {
        let value = csp.to_string();
        self.with(CSP, (!value.is_empty()).then_some(value))
    }

    /// Has browsers come back by TLS only.
    #[must_use]
    pub fn hsts(mut self, hsts: Hsts) -> SecurityHeaders {
        self.hsts = Some(hsts);
        self
    }

    fn with(mut self, name: &'static str, value: Option<String>) -> SecurityHeaders {
        self.always.retain(|(other, _)| *other != name);
        self.always.extend(value.map(|value| (name, value)));
        self
    }
}

impl Middleware for SecurityHeaders {
    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        for (name, value) in &self.always {
            absent(response, name, value);
        }
        if let Some(hsts) = &self.hsts
            && (hsts.behind_proxy || request.is_secure())
        {
            absent(response, "Strict-Transport-Security", &hsts.value);
        }
        After::Go
    }
}

impl Hsts {
    /// For that time from each reply on, over connections with TLS only (RFC 6797
    /// section 7.2). A year is usual; zero takes it back.
    pub fn new(time: Duration) -> Hsts {
        Hsts { value: format!("max-age={}", time.as_secs()), behind_proxy: false }
    }

    /// For all hosts below this one as well.
    #[must_use]
    pub fn subdomains(mut self) -> Hsts {
        self.value.push_str("; includeSubDomains");
        self
    }

    /// On all replies: for servers whose clients have TLS up to a proxy that doesn't
    /// say so. With one that does, see [`Config::trusted`](crate::Config::trusted).
    #[must_use]
    pub fn behind_proxy(mut self) -> Hsts {
        self.behind_proxy = true;
        self
    }
}

impl Csp {
    /// Without a directive, so that everything is allowed.
    pub fn new() -> Csp {
        Csp::default()
    }

    /// Everything from the own origin, no inline script or style, no plug-in,
    /// no frame around it, forms to the own origin.
    pub fn strict() -> Csp {
        let directives = [
            ("default-src", "'self'"),
            ("base-uri", "'none'"),
            ("form-action", "'self'"),
            ("frame-ancestors", "'none'"),
            ("object-src", "'none'"),
        ];
        Csp(directives.map(|(name, sources)| (name.to_owned(), sources.to_owned())).into())
    }

    /// This directive has these sources; none is `'none'`. It replaces the one
    /// of that name.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that can't be one, or a source that would
    /// end it: with a space, a comma or a semicolon.
    pub fn allow<T: AsRef<str>>(
        mut self,
        directive: &str,
        sources: impl IntoIterator<Item = T>,
    ) -> Result<Csp, Error> {
        if !is_word(directive) {
            return Err(wrong("csp", directive));
        }
        let mut value = String::new();
        for source in sources {
            let source = source.as_ref();
            let ends = |c: char| matches!(c, ' ' | '\t' | ',' | ';');
            if source.is_empty() || source.contains(ends) || !is_field_value(source.as_bytes()) {
                return Err(wrong("csp", source));
            }
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(source);
        }
        if value.is_empty() {
            value.push_str("'none'");
        }
        match self.0.iter_mut().find(|(name, _)| name == directive) {
            Some((_, old)) => *old = value,
            None => self.0.push((directive.to_owned(), value)),
        }
        Ok(self)
    }
}

impl std::fmt::Display for Csp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, sources)) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "; " })?;
            f.write_str(name)?;
            f.write_char(' ')?;
            f.write_str(sources)?;
        }
        Ok(())
    }
}

fn is_policy(field: &'static str, text: &str) -> Result<(), Error> {
    let mut words = text.split(", ");
    if words.all(is_word) { Ok(()) } else { Err(wrong(field, text)) }
}

fn is_word(text: &str) -> bool {
    is_token(text.as_bytes()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn wrong(field: &'static str, text: &str) -> Error {
    Error::Config { field, why: format!("can't be `{}`", text.escape_debug()) }
}

const SNIFF: &str = "X-Content-Type-Options";
const FRAME: &str = "X-Frame-Options";
const REFERRER: &str = "Referrer-Policy";
const OPENER: &str = "Cross-Origin-Opener-Policy";
const CSP: &str = "Content-Security-Policy";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, TestClient};
    use crate::http::Status;

    fn client(headers: SecurityHeaders) -> TestClient<App> {
        let mut app = App::new();
        app.wrap(headers);
        app.get("/", |_: &mut Request| "page");
        app.get("/own", |_: &mut Request| {
            Response::new(Status::OK).header("X-Frame-Options", "SAMEORIGIN")
        });
        TestClient::new(app)
    }

    #[test]
    fn every_reply_has_the_defaults_and_no_more() {
        let mut client = client(SecurityHeaders::new());
        for target in ["/", "/none"] {
            let response = client.get(target).send();
            let field = |name| response.headers.text(name);
            assert_eq!(field(SNIFF), Some("nosniff"));
            assert_eq!(field(FRAME), Some("DENY"));
            assert_eq!(field(REFERRER), Some("strict-origin-when-cross-origin"));
            assert_eq!(field(OPENER), Some("same-origin"));
            assert_eq!(field(CSP), None);
            assert_eq!(field("strict-transport-security"), None);
        }
        let own = client.get("/own").send();
        assert_eq!(own.headers.all(FRAME).collect::<Vec<_>>(), [b"SAMEORIGIN"]);
    }

    #[test]
    fn settings_replace_the_defaults() {
        let headers = SecurityHeaders::new().frame(Frame::Anybody).csp(&Csp::strict());
        let headers = headers.referrer("no-referrer").unwrap().opener("unsafe-none").unwrap();
        let response = client(headers).get("/").send();
        let field = |name| response.headers.text(name);
        assert_eq!(field(FRAME), None);
        assert_eq!(response.headers.all(REFERRER).collect::<Vec<_>>(), [b"no-referrer"]);
        assert_eq!(field(OPENER), Some("unsafe-none"));
        let csp = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                   frame-ancestors 'none'; object-src 'none'";
        assert_eq!(field(CSP), Some(csp));
    }

    #[test]
    fn hsts_is_for_tls_only_unless_a_proxy_has_it() {
        let sent = |hsts: Hsts, secure: bool| {
            let headers = SecurityHeaders::new().hsts(hsts);
            let mut request = Request::new(crate::http::Method::GET, "/");
            request.origin.secure = secure;
            let mut response = Response::default();
            headers.after(&mut request, &mut response);
            response.headers().text("strict-transport-security").map(str::to_owned)
        };
        let year = || Hsts::new(Duration::from_secs(31_536_000));
        assert_eq!(sent(year(), false), None);
        assert_eq!(sent(year(), true).as_deref(), Some("max-age=31536000"));
        let all = sent(year().subdomains().behind_proxy(), false);
        assert_eq!(all.as_deref(), Some("max-age=31536000; includeSubDomains"));
    }

    #[test]
    fn a_policy_is_one_line_of_directives() {
        let csp = Csp::strict().allow("default-src", [""; 0]).unwrap();
        let csp = csp.allow("img-src", ["'self'", "https://img.example"]).unwrap();
        assert!(csp.to_string().starts_with("default-src 'none'; "), "{csp}");
        assert!(csp.to_string().ends_with("; img-src 'self' https://img.example"), "{csp}");
        for (name, source) in [
            ("", "x"),
            ("img src", "x"),
            ("img-src", ""),
            ("img-src", "a;b"),
            ("img-src", "a b"),
            ("img-src", "a,b"),
            ("img-src", "a\nb"),
        ] {
            assert!(Csp::new().allow(name, [source]).is_err(), "{name:?} {source:?}");
        }
        for policy in ["", "a b", "a\r\nX: y", "a;b"] {
            assert!(SecurityHeaders::new().referrer(policy).is_err(), "{policy:?}");
        }
    }
}
