//! Cross-origin requests: which other sites' scripts may read our replies.
//!
//! A browser enforces it; a server only says what it allows. Two kinds of
//! requests come: the real ones, whose replies get fields on their way out, and
//! before some of them a *preflight*, an `OPTIONS` that is answered here and
//! never reaches a route.
//!
//! ```text
//!   OPTIONS, Origin, Access-Control-Request-Method --before--> 204 or 403
//!   everything else --> routes, 404, 405, 304, errors --after--> the fields
//! ```
//!
//! It protects nothing by itself: a client that is no browser asks and reads as
//! it likes. The protocol is part of the Fetch standard (section 3.2).

mod origin;

use super::fields::{add, single, vary};
use crate::app::{After, Flow, Middleware, Reject};
use crate::error::Error;
use crate::http::chars::is_token;
use crate::http::{Method, Request, Response, Status};
use origin::Origin;
use std::time::Duration;

/// Says which origins may read replies, and answers preflights.
///
/// Wrap it outside of authentication, as a preflight carries no credentials,
/// and inside of the access log. A reply to which a handler has given an
/// `Access-Control-Allow-Origin` of its own is left as it is.
///
/// | Setting | Default |
/// |---|---|
/// | [`methods`](Cors::methods) | `GET, HEAD, POST, PUT, PATCH, DELETE` |
/// | [`headers`](Cors::headers) | whichever the browser asks for |
/// | [`expose`](Cors::expose) | only those that every reply may show |
/// | [`max_age`](Cors::max_age) | 10 minutes |
/// | [`credentials`](Cors::credentials) | without |
///
/// ```
/// use onepoll::app::TestClient;
/// use onepoll::middleware::Cors;
/// use onepoll::{App, Request};
/// let mut app = App::new();
/// app.wrap(Cors::new(["https://app.example", "http://localhost:*"])?);
/// app.get("/", |_: &mut Request| "hello");
/// let mut client = TestClient::new(app);
/// let response = client.get("/").header("Origin", "http://localhost:3000").send();
/// let allowed = response.headers.text("Access-Control-Allow-Origin");
/// assert_eq!(allowed, Some("http://localhost:3000"));
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    /// As they go into their fields.
    methods: String,
    headers: Option<String>,
    expose: Option<String>,
    max_age: String,
}

#[derive(Clone, Debug)]
enum Origins {
    Any,
    Listed(Vec<Origin>),
}

impl Cors {
    /// Allows these origins: `https://app.example`, `https://*.example.com` for
    /// every host below that domain, `http://localhost:*` for any port, `null`
    /// for documents without an origin, `*` for everybody.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first that is none of these, or for no
    /// origin at all.
    pub fn new<T: AsRef<str>>(origins: impl IntoIterator<Item = T>) -> Result<Cors, Error> {
        let mut listed = Vec::new();
        let mut any = false;
        for text in origins {
            let text = text.as_ref();
            if text == "*" {
                any = true;
                continue;
            }
            listed
                .push(Origin::parse(text).map_err(|why| wrong(format!("origin `{text}`: {why}")))?);
        }
        match (any, listed.is_empty()) {
            (true, _) => Ok(Cors::any()),
            (false, true) => Err(wrong("needs at least one origin".to_owned())),
            (false, false) => Ok(Cors { origins: Origins::Listed(listed), ..Cors::any() }),
        }
    }

    /// Allows every origin, without credentials: for what is public anyway.
    pub fn any() -> Cors {
        Cors {
            origins: Origins::Any,
            credentials: false,
            methods: "GET, HEAD, POST, PUT, PATCH, DELETE".to_owned(),
            headers: None,
            expose: None,
            max_age: "600".to_owned(),
        }
    }

    /// Lets scripts send cookies and passwords along, and read what comes back.
    ///
    /// # Errors
    /// [`Error::Config`] if every origin is allowed or everything exposed:
    /// browsers refuse such replies, and any site could act as its visitors.
    pub fn credentials(mut self) -> Result<Cors, Error> {
        self.credentials = true;
        self.checked()
    }

    /// Allows these methods. Browsers let `GET`, `HEAD` and `POST` pass anyway.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no method.
    pub fn methods<T: AsRef<str>>(
        mut self,
        methods: impl IntoIterator<Item = T>,
    ) -> Result<Cors, Error> {
        self.methods = list(methods)?;
        Ok(self)
    }

    /// Allows these request fields, instead of whichever the browser asks for.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no field name.
    pub fn headers<T: AsRef<str>>(
        mut self,
        names: impl IntoIterator<Item = T>,
    ) -> Result<Cors, Error> {
        self.headers = Some(list(names)?);
        Ok(self)
    }

    /// Lets scripts see these fields of replies; `*` is all of them.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no field name, and for `*` with
    /// [`credentials`](Cors::credentials).
    pub fn expose<T: AsRef<str>>(
        mut self,
        names: impl IntoIterator<Item = T>,
    ) -> Result<Cors, Error> {
        self.expose = Some(list(names)?);
        self.checked()
    }

    /// How long a browser may remember a preflight's answer; it may take less.
    #[must_use]
    pub fn max_age(mut self, time: Duration) -> Cors {
        self.max_age = time.as_secs().to_string();
        self
    }

    fn checked(self) -> Result<Cors, Error> {
        if self.credentials && matches!(self.origins, Origins::Any) {
            return Err(wrong("`*` can't go with credentials: name the origins".to_owned()));
        }
        if self.credentials && self.expose.as_deref() == Some("*") {
            return Err(wrong("`*` can't be exposed with credentials: name the fields".to_owned()));
        }
        Ok(self)
    }

    /// The request's origin, if it is allowed.
    fn allowed<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let Origins::Listed(listed) = &self.origins else { return Some("*") };
        let sent = std::str::from_utf8(single(request, "origin")?).ok()?;
        listed.iter().any(|origin| origin.matches(sent)).then_some(sent)
    }

    /// The answer to a preflight, but for what every reply gets.
    fn preflight(&self, request: &Request) -> Response {
        let mut response = Response::new(Status::NO_CONTENT)
            .header("Access-Control-Allow-Methods", &self.methods)
            .header("Access-Control-Max-Age", &self.max_age);
        let asked = request.header("access-control-request-headers");
        match (&self.headers, asked) {
            (Some(names), _) => add(&mut response, "Access-Control-Allow-Headers", names),
            (None, Some(names)) if is_list(names) => {
                add(&mut response, "Access-Control-Allow-Headers", names);
                vary(&mut response, "Access-Control-Request-Headers");
            }
            (None, _) => {}
        }
        response
    }
}

impl Middleware for Cors {
    fn before(&self, request: &mut Request) -> Flow {
        match is_preflight(request) {
            false => Flow::Go,
            true if self.allowed(request).is_some() => Flow::Stop(self.preflight(request)),
            true => Flow::Refuse(Reject::new(Status::FORBIDDEN, "not from this origin")),
        }
    }

    fn after(&self, request: &mut Request, response: &mut Response) -> After {
        if matches!(self.origins, Origins::Listed(_)) {
            // Also without an origin: a cache must not give that reply to a script.
            vary(response, "Origin");
        }
        if response.get("access-control-allow-origin").is_some() {
            return After::Go;
        }
        let Some(origin) = self.allowed(request) else { return After::Go };
        add(response, "Access-Control-Allow-Origin", origin);
        if self.credentials {
            add(response, "Access-Control-Allow-Credentials", "true");
        }
        match &self.expose {
            Some(names) if !is_preflight(request) => {
                add(response, "Access-Control-Expose-Headers", names);
            }
            _ => {}
        }
        After::Go
    }
}

/// `OPTIONS` alone is an ordinary request.
fn is_preflight(request: &Request) -> bool {
    *request.method() == Method::OPTIONS
        && request.header("origin").is_some()
        && request.header("access-control-request-method").is_some()
}

fn is_list(text: &str) -> bool {
    text.len() <= ASKED_MAX && text.split(',').all(|name| is_token(name.trim().as_bytes()))
}

fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<String, Error> {
    let mut list = String::new();
    for name in names {
        let name = name.as_ref();
        if !is_token(name.as_bytes()) {
            return Err(wrong(format!("`{}` is no name", name.escape_debug())));
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(name);
    }
    Ok(list)
}

fn wrong(why: String) -> Error {
    Error::Config { field: "cors", why }
}

/// Bytes of field names that a browser may ask for: more than any page needs.
const ASKED_MAX: usize = 4096;

#[cfg(test)]
mod tests;
