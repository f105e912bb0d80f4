//! What goes wrong in the protocol, by culprit: [`Fault`] is theirs, [`Misuse`] ours.

use crate::http::Status;
use std::fmt;

/// The peer broke the protocol or a limit. It gets one complete reply with this
/// status, if there is one, and the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What to reply; `None` if nobody is left to read a reply.
    pub status: Option<Status>,
    /// What was wrong, for the log.
    pub reason: &'static str,
    /// What the reply says; empty: the status's name.
    pub text: &'static str,
}

impl Fault {
    /// `400 Bad Request` for this reason.
    pub const fn bad(reason: &'static str) -> Fault {
        Fault { status: Some(Status::BAD_REQUEST), reason, text: "" }
    }

    /// Another status for this reason.
    pub const fn new(status: Status, reason: &'static str) -> Fault {
        Fault { status: Some(status), reason, text: "" }
    }

    /// The same with another text in the reply.
    #[must_use]
    pub const fn saying(self, text: &'static str) -> Fault {
        Fault { text, ..self }
    }

    /// The peer went away within a message: there is nobody to reply to.
    pub const fn truncated(reason: &'static str) -> Fault {
        Fault { status: None, reason, text: "" }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status}: {}", self.reason),
            None => f.write_str(self.reason),
        }
    }
}

impl std::error::Error for Fault {}

/// The engine called the protocol in a state where that makes no sense: a bug.
/// Debug builds assert; release builds log it and cut the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// What was called.
    pub call: &'static str,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in the wrong state", self.call)
    }
}

impl std::error::Error for Misuse {}
