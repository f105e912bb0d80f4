//! What a handler may answer: a [`Reply`], and everything that turns into one.

use super::Reject;
use super::guard::guard;
use super::run::Next;
use crate::http::{BadParam, Refusal, Status};
use crate::http::{Body, ContentType, Exchange, Intake, Job, Lane, Request, Response, Source};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A handler's answer. Seldom named: handlers return anything that is
/// `Into<Reply>`.
///
/// | returned | answer |
/// |---|---|
/// | `&'static str`, `String`, `Cow<'static, str>` | 200, `text/plain; charset=utf-8` |
/// | `Vec<u8>`, `&'static [u8]`, `Arc<[u8]>`, [`Body`] | 200, `application/octet-stream` |
/// | [`Response`] | as it is |
/// | [`Status`] | that status; the error page from 400 up |
/// | `(Status, T)` | what `T` answers, with that status |
/// | `()` | 204 |
/// | `Option<T>` | what `T` answers; 404 for `None` |
/// | `Result<T, E>` | what either answers; for `?` see [`Reject`] |
/// | [`offload_now`], [`after`], [`receive`] | later, without holding up the loop |
#[derive(Debug)]
#[must_use]
pub struct Reply(pub(super) Kind);

/// The endings of a handler.
pub(super) enum Kind {
    /// A response now.
    Respond(Response),
    /// An error page, or the response that the reject brought.
    Refuse(Reject),
    /// Another reply, from a helper thread.
    Offload(Job),
    /// Another reply, after a while.
    After(Duration, Then),
    /// Another reply, when the content is in.
    Receive(Intake, Then),
}

/// What goes on when the engine has done what was asked.
pub(super) type Then = Box<dyn FnOnce(&mut Request) -> Reply + Send>;

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Respond(response) => response.fmt(f),
            Kind::Refuse(reject) => reject.fmt(f),
            Kind::Offload(job) => job.fmt(f),
            Kind::After(time, _) => write!(f, "After({time:?})"),
            Kind::Receive(intake, _) => write!(f, "Receive({intake:?})"),
        }
    }
}

impl Reply {
    /// The same in another helper lane, if it is offloaded; else unchanged.
    pub fn lane(self, lane: Lane) -> Reply {
        match self.0 {
            Kind::Offload(job) => Reply(Kind::Offload(job.lane(lane))),
            kind => Reply(kind),
        }
    }
}

/// 200 with this content.
pub fn ok(content: impl Into<Response>) -> Response {
    content.into().with_status(Status::OK)
}

/// 201 with the new resource's address (`Location`) and this content.
pub fn created(location: &str, content: impl Into<Response>) -> Response {
    content.into().with_status(Status::CREATED).header("Location", location)
}

/// 303: the answer is over there, fetch it with GET. The usual end of a form's POST.
pub fn redirect(location: &str) -> Response {
    Response::new(Status::SEE_OTHER).header("Location", location)
}

/// 302, as old clients know it; a POST may arrive there as GET.
pub fn found(location: &str) -> Response {
    Response::new(Status::FOUND).header("Location", location)
}

/// 307: over there for now, with the same method and content.
pub fn temporary(location: &str) -> Response {
    Response::new(Status::TEMPORARY_REDIRECT).header("Location", location)
}

/// 308: over there for ever, with the same method and content.
pub fn permanent(location: &str) -> Response {
    Response::new(Status::PERMANENT_REDIRECT).header("Location", location)
}

/// 200 with a stream that is pulled on the loop, as room allows. For one that
/// blocks, or with a known length, see [`Body::Blocking`].
pub fn stream(content_type: ContentType, source: impl Source + 'static) -> Response {
    Response::default().content(content_type, Body::Inline(Box::new(source), None))
}

/// Answers after this time. No thread waits.
///
/// ```
/// # use onepoll::{App, app::after, http::Request};
/// # use std::time::Duration;
/// # let mut app = App::new();
/// app.get("/later", |_: &mut Request| {
///     after(Duration::from_millis(50), || "there you are")
/// });
/// ```
pub fn after<R: Into<Reply>>(time: Duration, then: impl FnOnce() -> R + Send + 'static) -> Reply {
    after_with(time, move |_| then())
}

/// As [`after`], with another look at the request.
pub fn after_with<R: Into<Reply>>(
    time: Duration,
    then: impl FnOnce(&mut Request) -> R + Send + 'static,
) -> Reply {
    Reply(Kind::After(time, Box::new(move |request| then(request).into())))
}

/// Runs this on a helper thread, where it may block, and answers what it
/// returns. Full queues answer 503.
pub fn offload_now<R: Into<Reply>>(run: impl FnOnce(&mut Request) -> R + Send + 'static) -> Reply {
    Reply(Kind::Offload(Job::new(move |exchange: &mut Exchange| {
        let next = match guard(|| run(&mut exchange.request).into()) {
            Ok(reply) => Next::Reply(reply),
            Err(panicked) => Next::Panicked(panicked),
        };
        exchange.bookmark.note = Some(Box::new(next));
    })))
}

/// Takes the request's content in, then answers what the closure returns. With
/// [`Intake::Inline`] and [`Intake::Blocking`] it goes to a sink as it arrives
/// and is never in memory as a whole; the route must be one that leaves the
/// content alone ([`BodyMode::Ignore`](super::BodyMode::Ignore)).
///
/// More than the intake's limit answers 413, and the closure never runs.
pub fn receive<R: Into<Reply>>(
    intake: Intake,
    then: impl FnOnce(&mut Request) -> R + Send + 'static,
) -> Reply {
    Reply(Kind::Receive(intake, Box::new(move |request| then(request).into())))
}

/// Content of one type becomes a response of 200, and so a reply.
macro_rules! content {
    ($($type:ty, $value:ident => $response:expr;)*) => {
        $(
            impl From<$type> for Response {
                #[inline]
                fn from($value: $type) -> Response {
                    $response
                }
            }

            impl From<$type> for Reply {
                #[inline]
                fn from($value: $type) -> Reply {
                    Reply(Kind::Respond($response))
                }
            }
        )*
    };
}

content! {
    &'static str, text => with(ContentType::TEXT, Body::Static(text.as_bytes()));
    String, text => with(ContentType::TEXT, Body::Owned(text.into_bytes()));
    Cow<'static, str>, text => with(ContentType::TEXT, match text {
        Cow::Borrowed(text) => Body::Static(text.as_bytes()),
        Cow::Owned(text) => Body::Owned(text.into_bytes()),
    });
    &'static [u8], bytes => with(ContentType::BYTES, Body::Static(bytes));
    Vec<u8>, bytes => with(ContentType::BYTES, Body::Owned(bytes));
    Arc<[u8]>, bytes => with(ContentType::BYTES, Body::Shared(bytes));
    Body, body => with(ContentType::BYTES, body);
    (), _unit => Response::new(Status::NO_CONTENT);
}

#[inline]
fn with(content_type: ContentType, body: Body) -> Response {
    Response::default().content(content_type, body)
}

impl From<Response> for Reply {
    #[inline]
    fn from(response: Response) -> Reply {
        Reply(Kind::Respond(response))
    }
}

impl From<Reject> for Reply {
    fn from(reject: Reject) -> Reply {
        Reply(Kind::Refuse(reject))
    }
}

impl From<Status> for Reply {
    fn from(status: Status) -> Reply {
        if status.is_error() {
            Reply(Kind::Refuse(status.into()))
        } else {
            Reply(Kind::Respond(Response::new(status)))
        }
    }
}

impl From<BadParam> for Reply {
    fn from(bad: BadParam) -> Reply {
        Reject::from(bad).into()
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        Reject::from(refusal).into()
    }
}

impl From<io::Error> for Reply {
    fn from(error: io::Error) -> Reply {
        Reject::from(error).into()
    }
}

impl<T: Into<Response>> From<(Status, T)> for Reply {
    fn from((status, content): (Status, T)) -> Reply {
        Reply(Kind::Respond(content.into().with_status(status)))
    }
}

impl<T: Into<Reply>> From<Option<T>> for Reply {
    fn from(content: Option<T>) -> Reply {
        content.map_or_else(|| Reject::not_found().into(), Into::into)
    }
}

impl<T: Into<Reply>, E: Into<Reply>> From<Result<T, E>> for Reply {
    #[inline]
    fn from(result: Result<T, E>) -> Reply {
        result.map_or_else(Into::into, Into::into)
    }
}
