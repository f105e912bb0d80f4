//! [`Reject`]: an error that is an answer.

use crate::http::{BadParam, Headers, Refusal, Response, Status};
use std::borrow::Cow;
use std::fmt;
use std::io;

/// Why a handler turns a request down: a status and a word for the client, or
/// a whole response. Made for `?`.
///
/// It is answered through the app's error page; the message is shown to the
/// client, so it must not tell what only the operator should know. What an
/// [`io::Error`] says is logged, not shown.
///
/// ```
/// use onepoll::app::Reject;
/// use onepoll::http::{Request, Status};
/// fn handler(request: &mut Request) -> Result<String, Reject> {
///     let page: u32 = request.param("page")?;
///     if page == 0 {
///         return Err(Reject::new(Status::UNPROCESSABLE_CONTENT, "pages start at 1"));
///     }
///     Ok(std::fs::read_to_string("book.txt")?)
/// }
/// ```
#[derive(Debug)]
pub struct Reject {
    pub(super) status: Status,
    pub(super) message: Cow<'static, str>,
    pub(super) response: Option<Box<Response>>,
    /// Field lines for whatever page it becomes.
    pub(super) fields: Headers,
}

impl Reject {
    /// This status, with a message that the client sees.
    pub fn new(status: Status, message: impl Into<Cow<'static, str>>) -> Reject {
        Reject { status, message: message.into(), response: None, fields: Headers::new() }
    }

    /// With a field line, in place of the error page's own of that name:
    /// `Retry-After` or `WWW-Authenticate`, say. What can't be a field line is
    /// left out, with a line in the log.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Reject {
        if let Err(error) = self.fields.add(name, value) {
            log::error!("response field {name:?}: {error}; left out");
        }
        self
    }

    /// 400 with a message.
    pub fn bad(message: impl Into<Cow<'static, str>>) -> Reject {
        Reject::new(Status::BAD_REQUEST, message)
    }

    /// 403.
    pub fn forbidden() -> Reject {
        Status::FORBIDDEN.into()
    }

    /// 404.
    pub fn not_found() -> Reject {
        Status::NOT_FOUND.into()
    }

    /// 500; what went wrong goes to the log, not to the client.
    pub fn internal(why: impl fmt::Display) -> Reject {
        log::error!("a handler failed: {why}");
        Status::INTERNAL_SERVER_ERROR.into()
    }

    /// The status it answers with.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What the client is told besides the status; may be empty.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_ref() {
            "" => self.status.fmt(f),
            message => write!(f, "{}: {message}", self.status),
        }
    }
}

impl std::error::Error for Reject {}

impl From<Status> for Reject {
    fn from(status: Status) -> Reject {
        Reject::new(status, "")
    }
}

impl<M: Into<Cow<'static, str>>> From<(Status, M)> for Reject {
    fn from((status, message): (Status, M)) -> Reject {
        Reject::new(status, message)
    }
}

impl From<Refusal> for Reject {
    fn from(refusal: Refusal) -> Reject {
        Reject::new(refusal.status, refusal.message)
    }
}

/// A response that is complete: it is sent as it is, without the error page.
impl From<Response> for Reject {
    fn from(response: Response) -> Reject {
        let status = response.status();
        let (message, response) = (Cow::Borrowed(""), Some(Box::new(response)));
        Reject { status, message, response, fields: Headers::new() }
    }
}

impl From<BadParam> for Reject {
    fn from(bad: BadParam) -> Reject {
        Reject::bad(bad.to_string())
    }
}

/// What a [`Refusal`] within it says; 404 for what is not there, 507 for a full disk or
/// a file that may not grow any more, else 500 and a line in the log.
impl From<io::Error> for Reject {
    fn from(error: io::Error) -> Reject {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>());
        if let Some(refusal) = inner {
            return refusal.clone().into();
        }
        match error.kind() {
            io::ErrorKind::NotFound => Reject::not_found(),
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => {
                log::error!("a handler failed: {error}");
                Status::INSUFFICIENT_STORAGE.into()
            }
            _ => Reject::internal(error),
        }
    }
}
