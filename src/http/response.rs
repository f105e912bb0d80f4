//! A response, as a handler builds it.

use super::{Body, Headers, InvalidField, Status};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A response (RFC 9110 section 3.4): status, field lines, content.
///
/// `Content-Length`, `Transfer-Encoding`, `Connection` and `Date` are the
/// engine's: it knows how the message is framed.
///
/// ```
/// use onepoll::http::{Response, Status};
/// let response = Response::new(Status::OK).header("X-Color", "blue").text("Hello");
/// assert_eq!(response.get("x-color"), Some(&b"blue"[..]));
/// assert_eq!(response.get("content-type"), Some(&b"text/plain; charset=utf-8"[..]));
/// ```
#[derive(Debug, Default)]
pub struct Response {
    status: Status,
    content_type: Option<ContentType>,
    fields: Fields,
    body: Body,
    close: bool,
}

/// The field lines but for `Content-Type`.
#[derive(Debug, Default)]
enum Fields {
    /// No line yet. An empty list would be six words to move.
    #[default]
    None,
    Own(Box<Headers>),
    /// Those that many responses share, `Content-Type` included: until the
    /// first of them is changed.
    Shared(Template),
}

/// Status, media type and field lines, ready to be used again and again. A
/// response made of it costs a count of references, until it is changed.
///
/// ```
/// use onepoll::http::{Response, Status};
/// let template = Response::new(Status::OK).header("Cache-Control", "no-store").into_template();
/// let response = Response::of(&template).text("Hello");
/// assert_eq!(response.get("cache-control"), Some(&b"no-store"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Template(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    status: Status,
    content_type: Option<ContentType>,
    headers: Headers,
    /// Whether none of the fields takes the place of one of the engine's.
    is_plain: bool,
}

/// A media type: one of the program's own, or built at run time.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentType(Cow<'static, str>);

impl ContentType {
    /// `text/plain; charset=utf-8`
    pub const TEXT: ContentType = ContentType(Cow::Borrowed("text/plain; charset=utf-8"));
    /// `text/html; charset=utf-8`
    pub const HTML: ContentType = ContentType(Cow::Borrowed("text/html; charset=utf-8"));
    /// `application/json`
    pub const JSON: ContentType = ContentType(Cow::Borrowed("application/json"));
    /// `application/octet-stream`
    pub const BYTES: ContentType = ContentType(Cow::Borrowed("application/octet-stream"));
    /// `text/event-stream`
    pub const EVENTS: ContentType = ContentType(Cow::Borrowed("text/event-stream"));

    /// Any media type.
    ///
    /// # Errors
    /// [`InvalidField::Value`] if it has a control byte.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<ContentType, InvalidField> {
        let text = text.into();
        if super::chars::is_field_value(text.as_bytes()) && text.len() <= 1024 {
            Ok(ContentType(text))
        } else {
            Err(InvalidField::Value)
        }
    }

    /// As it goes into the field.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Response {
    /// An empty response with that status.
    #[inline]
    pub fn new(status: Status) -> Response {
        Response {
            status,
            content_type: None,
            fields: Fields::None,
            body: Body::Empty,
            close: false,
        }
    }

    /// With the template's status and fields, and no content yet.
    #[inline]
    pub fn of(template: &Template) -> Response {
        let mut response = Response::new(template.0.status);
        response.fields = Fields::Shared(template.clone());
        response
    }

    /// Makes status and fields those of many responses, to be had by
    /// [`of`](Response::of); the content is dropped.
    #[must_use]
    pub fn into_template(mut self) -> Template {
        let headers = self.change(std::mem::take);
        let Response { status, content_type, .. } = self;
        let engine = ["server", "date", "upgrade"];
        let is_plain = engine.iter().all(|name| headers.get(name).is_none());
        Template(Arc::new(Shared { status, content_type, headers, is_plain }))
    }

    /// Changes the field lines; of what was shared, a copy.
    fn change<T>(&mut self, change: impl FnOnce(&mut Headers) -> T) -> T {
        let mut own = match std::mem::take(&mut self.fields) {
            Fields::None => Box::default(),
            Fields::Own(headers) => headers,
            Fields::Shared(Template(shared)) => {
                if self.content_type.is_none() {
                    self.content_type = shared.content_type.clone();
                }
                Box::new(shared.headers.clone())
            }
        };
        let result = change(&mut own);
        self.fields = Fields::Own(own);
        result
    }

    /// Whether the fields are shared, and none of them is the engine's.
    #[inline]
    pub(crate) fn has_plain_template(&self) -> bool {
        matches!(&self.fields, Fields::Shared(template) if template.0.is_plain)
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Changes the status.
    pub fn set_status(&mut self, status: Status) {
        self.status = status;
    }

    /// With this status.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Response {
        self.status = status;
        self
    }

    /// With one more field line. What can't be a field line (a control byte, a
    /// name that is the engine's) turns the response into an empty 500 and
    /// says so in the log: an injected line is never sent. Use
    /// [`add_header`](Response::add_header) to see the error.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Response {
        if let Err(error) = self.add_header(name, value) {
            log::error!("response field {name:?}: {error}; answering 500 instead");
            return Response::new(Status::INTERNAL_SERVER_ERROR);
        }
        self
    }

    /// Adds a field line. `Content-Type` is replaced, as there is only one.
    ///
    /// # Errors
    /// [`InvalidField`]; nothing is added then.
    pub fn add_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidField> {
        if name.eq_ignore_ascii_case("content-type") {
            return self.set_header(name, value);
        }
        not_reserved(name)?;
        self.change(|headers| headers.add(name, value))
    }

    /// Replaces all lines of that name by one.
    ///
    /// # Errors
    /// [`InvalidField`]; the old lines are then still there.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidField> {
        if name.eq_ignore_ascii_case("content-type") {
            let text = std::str::from_utf8(value.as_ref()).map_err(|_| InvalidField::Value)?;
            self.content_type = Some(ContentType::new(text.to_owned())?);
            return Ok(());
        }
        not_reserved(name)?;
        self.change(|headers| headers.set(name, value))
    }

    /// Removes all lines of that name; whether there was one.
    pub fn remove_header(&mut self, name: &str) -> bool {
        if self.get(name).is_none() {
            return false;
        }
        let removed = self.change(|headers| headers.remove(name));
        if name.eq_ignore_ascii_case("content-type") {
            return self.content_type.take().is_some();
        }
        removed
    }

    /// The first value of that field.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        if name.eq_ignore_ascii_case("content-type") {
            return self.content_type().map(|t| t.as_str().as_bytes());
        }
        self.headers().get(name)
    }

    /// The field lines but for `Content-Type` and those the engine adds.
    #[inline]
    pub fn headers(&self) -> &Headers {
        static NONE: Headers = Headers::new();
        match &self.fields {
            Fields::None => &NONE,
            Fields::Own(headers) => headers,
            Fields::Shared(template) => &template.0.headers,
        }
    }

    /// The media type, if it is one of the program's own and all there is to say
    /// of the response: 200, no field line.
    #[inline]
    pub(crate) fn only_media(&self) -> Option<&'static str> {
        match (&self.content_type, &self.fields) {
            (Some(ContentType(Cow::Borrowed(own))), Fields::None) if self.status == Status::OK => {
                Some(own)
            }
            _ => None,
        }
    }

    /// The media type.
    #[inline]
    pub fn content_type(&self) -> Option<&ContentType> {
        match (&self.content_type, &self.fields) {
            (None, Fields::Shared(template)) => template.0.content_type.as_ref(),
            (own, _) => own.as_ref(),
        }
    }

    /// Changes the media type.
    pub fn set_content_type(&mut self, content_type: ContentType) {
        self.content_type = Some(content_type);
    }

    /// With this content and media type.
    #[must_use]
    #[inline]
    pub fn content(self, content_type: ContentType, body: Body) -> Response {
        // Built anew, which compilers see through better than through a change.
        let Response { status, fields, close, body: old, .. } = self;
        if old.owns_nothing() {
            std::mem::forget(old); // nearly always: a look is cheaper than a drop
        }
        Response { status, content_type: Some(content_type), fields, body, close }
    }

    /// With this content, the media type as it is.
    #[must_use]
    #[inline]
    pub fn body(mut self, body: Body) -> Response {
        self.set_body(body);
        self
    }

    /// With text as content.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Response {
        self.content(ContentType::TEXT, Body::Owned(text.into().into_bytes()))
    }

    /// With HTML as content; escaping is the caller's.
    #[must_use]
    pub fn html(self, html: impl Into<String>) -> Response {
        self.content(ContentType::HTML, Body::Owned(html.into().into_bytes()))
    }

    /// With JSON as content, already written; see `app::json`.
    #[must_use]
    pub fn json(self, json: impl Into<String>) -> Response {
        self.content(ContentType::JSON, Body::Owned(json.into().into_bytes()))
    }

    /// The content.
    pub fn body_ref(&self) -> &Body {
        &self.body
    }

    /// Takes the content out, leaving none.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }

    /// Replaces the content.
    #[inline]
    pub fn set_body(&mut self, body: Body) {
        // Nearly always there was none: a look is cheaper than a drop.
        if self.body.owns_nothing() {
            std::mem::forget(std::mem::replace(&mut self.body, body));
        } else {
            self.body = body;
        }
    }

    /// Closes the connection after this response.
    pub fn close(&mut self) {
        self.close = true;
    }

    /// Whether the connection is to close after it.
    pub fn closes(&self) -> bool {
        self.close
    }

    /// Drops what it owns, which is nearly always nothing.
    #[inline]
    pub(crate) fn release(&mut self) {
        if !self.owns_nothing() {
            *self = Response::default();
        }
    }

    /// Puts another into the place of one that was [released](Response::release),
    /// and so has nothing to drop.
    #[inline]
    pub(crate) fn replace_fresh(&mut self, with: Response) {
        debug_assert!(self.owns_nothing(), "it was not reset");
        std::mem::forget(std::mem::replace(self, with));
    }

    /// Makes it as [`Response::default`] does.
    #[inline]
    pub(crate) fn reset(&mut self) {
        if self.owns_nothing() {
            // So its fields are empty.
            std::mem::forget(std::mem::take(&mut self.content_type));
            std::mem::forget(std::mem::take(&mut self.body));
            self.status = Status::default();
            self.close = false;
        } else {
            *self = Response::default();
        }
    }

    #[inline]
    fn owns_nothing(&self) -> bool {
        self.body.owns_nothing()
            && matches!(self.content_type, None | Some(ContentType(Cow::Borrowed(_))))
            && matches!(self.fields, Fields::None)
    }

    /// Whether it is as [`Response::default`] makes it, but for the status.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(self.body, Body::Empty)
            && self.headers().is_empty()
            && self.content_type().is_none()
            && !self.close
    }
}

fn not_reserved(name: &str) -> Result<(), InvalidField> {
    const ENGINE: [&str; 4] = ["content-length", "transfer-encoding", "connection", "keep-alive"];
    if ENGINE.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return Err(InvalidField::Reserved);
    }
    Ok(())
}
