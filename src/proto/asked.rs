//! What a response depends on in its request.

use super::Framed;
use super::encode::Content;
use crate::http::{Body, Method, Request, Response, Status, Version};

/// What must be known of a request when its response is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    method: Asking,
    pub(crate) version: Version,
    upgrade: bool,
}

/// The methods whose responses are framed otherwise (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asking {
    Head,
    Connect,
    #[default]
    Other,
}

impl Asked {
    /// Of this request, and whether it asks for another protocol.
    pub(crate) fn of(request: &Request, upgrade: bool) -> Asked {
        let method = match request.method {
            Method::HEAD => Asking::Head,
            Method::CONNECT => Asking::Connect,
            _ => Asking::Other,
        };
        Asked { method, version: request.version, upgrade }
    }

    /// Whether the response has the fields of one to GET, but no content.
    pub(crate) fn is_head(self) -> bool {
        self.method == Asking::Head
    }

    /// Whether a response with that status, of which the content is known, is
    /// framed by its length alone and ends nothing: to such a request no
    /// response has a special case, and such a status has none either.
    #[inline]
    pub(crate) fn is_plain(self, status: Status) -> bool {
        self.method == Asking::Other
            && self.version == Version::Http11
            && (status == Status::OK || !(status.is_bodiless() || status == Status::RESET_CONTENT))
    }

    /// What the head says about content of that length, and how it goes out
    /// (RFC 9112 section 6.3; RFC 9110 sections 8.6 and 15.3.6).
    #[inline]
    pub(crate) fn framing(self, status: Status, len: Option<u64>) -> (Content, Framed) {
        let (content, framed) = match (status, len) {
            (status, _) if status.is_bodiless() => (Content::Unsaid, Framed::Nothing),
            (Status::RESET_CONTENT, _) | (_, Some(0)) => (Content::Length(0), Framed::Nothing),
            (_, Some(len)) => (Content::Length(len), Framed::Length(len)),
            (_, None) if self.version >= Version::Http11 => (Content::Chunked, Framed::Chunked),
            (_, None) => (Content::Unsaid, Framed::UntilClose),
        };
        (content, if self.is_head() { Framed::Nothing } else { framed })
    }

    /// Whether the response would end HTTP on this connection, or looks to the
    /// client as if it did.
    #[inline]
    pub(crate) fn is_switch(self, response: &Response) -> bool {
        let status = response.status();
        matches!(response.body_ref(), Body::Switch(_))
            || status.is_informational()
            || (self.method == Asking::Connect && status.is_success())
    }

    /// Whether such a response may be sent (RFC 9110 sections 7.8 and 9.3.6),
    /// once the request is complete; or why not.
    pub(crate) fn check_switch(
        self,
        response: &Response,
        complete: bool,
    ) -> Result<(), &'static str> {
        let status = response.status();
        let tunnel = self.method == Asking::Connect && status.is_success();
        match response.body_ref() {
            Body::Switch(_) if !complete => Err("the request's content has not arrived"),
            Body::Switch(_) if tunnel => Ok(()),
            Body::Switch(_) if status != Status::SWITCHING_PROTOCOLS => Err("it should be 101"),
            Body::Switch(_) if !self.upgrade => Err("the client asked for no upgrade"),
            Body::Switch(_) if response.get("upgrade").is_none() => Err("it has no Upgrade field"),
            Body::Switch(_) => Ok(()),
            _ if tunnel => Err("it opens no tunnel"),
            _ => Err("1xx is not final"),
        }
    }
}
