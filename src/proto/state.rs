//! The state table.

/// How far the request has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// A head is expected, or partly here.
    Head,
    /// The content is arriving.
    Body,
    /// The request is complete; bytes behind it wait for their turn.
    Done,
    /// Nothing more is read.
    Closed,
}

/// How far the response has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// There is no request to answer.
    Idle,
    /// A request waits for its response.
    Owed,
    /// The head is out and the content follows.
    Body,
    /// The response is complete.
    Done,
    /// Nothing more is written.
    Closed,
}
