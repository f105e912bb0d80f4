//! What the protocol answers: values, so that a caller decides when to go on.

use std::ops::Range;

/// What the bytes meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet: call again with more bytes behind the unconsumed ones.
    NeedMore,
    /// The request's head is in; its content, if any, follows as `Data`.
    Head,
    /// Content: this range of the input given to the call.
    Data(Range<usize>),
    /// The content is complete. Only after a head with content.
    End,
    /// The request is complete: nothing is read until the next cycle.
    Paused,
    /// Nothing is read any more on this connection.
    Closed,
}

/// How the content of a response goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// There is none to send, whatever the response holds: the reply is
    /// complete, and neither `frame` nor `finish` is called.
    Nothing,
    /// So many bytes, at least one, as they are.
    Length(u64),
    /// In chunks.
    Chunked,
    /// As it is; the end of the connection is its end.
    UntilClose,
    /// There is none, and HTTP ends here: once the head is sent, the socket
    /// goes to the response's [`Body::Switch`](crate::http::Body::Switch).
    Switched,
}

/// What comes after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// Request or response are not complete yet.
    Wait,
    /// Ready for the next request: recycle the exchange and read on.
    Next,
    /// The reply is complete but the request is not: go on calling `receive`
    /// and throw the data away, until `End` (then ask again) or `Closed`.
    Discard,
    /// Send what there is, half-close, and read into the void for a while: a
    /// close with unread bytes would be a reset that eats the reply.
    Linger,
    /// Send what there is, then close: the peer's end of file was read.
    Close,
    /// Close at once: what there is to send can't be completed.
    Cut,
}
