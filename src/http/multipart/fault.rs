//! What can be wrong with a form: the client's fault.

use crate::http::Status;
use std::fmt;

/// Why a form is not read to its end. The reason may be shown to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What to answer: 400, 413 or 415.
    pub status: Status,
    /// Why, in a few words.
    pub reason: &'static str,
}

impl Fault {
    pub(super) const NOT_A_FORM: Fault = Fault {
        status: Status::UNSUPPORTED_MEDIA_TYPE,
        reason: "the content is no multipart form",
    };
    pub(super) const BOUNDARY: Fault = Fault::bad("the boundary is missing or malformed");
    pub(super) const NO_BOUNDARY: Fault = Fault::bad("the boundary does not occur in the content");
    pub(super) const DELIMITER: Fault = Fault::bad("a boundary is followed by something else");
    pub(super) const BARE_LF: Fault = Fault::bad("a line of the form does not end with CRLF");
    pub(super) const UNFINISHED: Fault = Fault::bad("the form ends before its last boundary");
    pub(super) const LINE: Fault = Fault::bad("a line of a part's head is malformed");
    pub(super) const DISPOSITION: Fault =
        Fault::bad("a part's Content-Disposition is missing, malformed or there twice");
    pub(super) const NAME: Fault = Fault::bad("a part's name is missing, malformed or not UTF-8");
    pub(super) const ENCODING: Fault =
        Fault::bad("a part has a content type or transfer encoding that is not understood");
    pub(super) const TOO_MANY_PARTS: Fault = Fault::too_large("the form has too many parts");
    pub(super) const HEAD_TOO_LONG: Fault = Fault::too_large("the head of a part is too long");
    pub(super) const FIELDS_TOO_LONG: Fault = Fault::too_large("the form's fields are too long");

    const fn bad(reason: &'static str) -> Fault {
        Fault { status: Status::BAD_REQUEST, reason }
    }

    const fn too_large(reason: &'static str) -> Fault {
        Fault { status: Status::CONTENT_TOO_LARGE, reason }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Fault {}
