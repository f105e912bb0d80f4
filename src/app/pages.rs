//! What a client reads when something is wrong.

use crate::http::{Body, ContentType, Request, Response, Status};
use std::rc::Rc;

/// The one hook through which all error pages of an app pass.
pub(super) type Errors = Rc<dyn Fn(&Request, Status, &str) -> Response>;

/// The page of an app without a hook: one line of text.
pub(super) fn plain(status: Status, message: &str) -> Response {
    let body = match (status, message) {
        // What strangers ask for all day long costs no allocation.
        (Status::NOT_FOUND, "") => Body::Static(b"404 Not Found\n"),
        (Status::METHOD_NOT_ALLOWED, "") => Body::Static(b"405 Method Not Allowed\n"),
        (_, "") => Body::Owned(format!("{status}\n").into_bytes()),
        _ => Body::Owned(format!("{status}: {message}\n").into_bytes()),
    };
    Response::new(status).content(ContentType::TEXT, body)
}
