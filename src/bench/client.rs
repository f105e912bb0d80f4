//! One connection of the load: what is under way on it, and what it waits for.
//!
//! ```text
//!            +--------- backoff ---------[ Wait ]<---- could not be made
//!            v                               
//!   Shut --> [ Connecting ] --> [ Open ] ---- reply says close ----> [ Leaving ]
//!    ^                             |                                    |
//!    '------- fault, end ----------'<-------------- end ----------------'
//! ```
//!
//! Requests stand in `flight` from the moment they are meant to start until they
//! are answered or lost; the first `written` of them are with the server.

use super::response::Parser;
use super::socket::Socket;
use std::collections::VecDeque;

/// A connection, or the place of one.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) link: Link,
    pub(crate) flight: VecDeque<Flight>,
    /// How many of them are wholly written.
    pub(crate) written: usize,
    /// Bytes of the next one that are written.
    pub(crate) offset: usize,
    pub(crate) parser: Parser,
    pub(crate) reply: Reply,
    pub(crate) origin: u16,
    /// Attempts in a row that failed.
    pub(crate) failures: u8,
    /// Whether it stands in the list of those that can take a request.
    pub(crate) listed: bool,
    /// Whether its first attempt is still to be settled.
    pub(crate) fresh: bool,
    /// When the link came into its state; of [`Link::Wait`]: when it ends.
    pub(crate) since: u64,
}

/// The state of the connection.
#[derive(Debug)]
pub(crate) enum Link {
    Shut,
    /// To be made again later.
    Wait,
    Connecting(Socket),
    Open(Socket),
    /// Done with; the server closes it first, so that ports don't run out.
    Leaving(Socket),
}

/// A request under way. Times are nanoseconds since the run began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// When it was meant to start.
    pub(crate) intended: u64,
    /// When its first byte was written.
    pub(crate) sent: u64,
    pub(crate) target: u16,
}

/// What is known of the reply that is coming.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) close: bool,
    pub(crate) length: u64,
    /// Whether its content was as expected so far.
    pub(crate) differs: bool,
}

impl Client {
    pub(crate) fn new(origin: u16) -> Client {
        Client {
            link: Link::Shut,
            flight: VecDeque::new(),
            written: 0,
            offset: 0,
            parser: Parser::new(),
            reply: Reply::default(),
            origin,
            failures: 0,
            listed: false,
            fresh: true,
            since: 0,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// Whether bytes are to be written.
    pub(crate) fn has_unsent(&self) -> bool {
        self.written < self.flight.len()
    }

    /// Drops the connection. What is under way has to be sent again or given up.
    pub(crate) fn shut(&mut self) {
        self.link = Link::Shut;
        self.parser.reset();
        self.reply = Reply::default();
        self.written = 0;
        self.offset = 0;
    }

    /// When to give up waiting, or to try again.
    pub(crate) fn deadline(&self, timeout: u64) -> Option<u64> {
        match self.link {
            Link::Shut => None,
            Link::Wait => Some(self.since),
            Link::Connecting(_) => Some(self.since.saturating_add(timeout)),
            Link::Open(_) => {
                let first = self.flight.front()?;
                // Not sent yet: it is being written, right after this.
                let from = if first.sent == 0 { first.intended } else { first.sent };
                Some(from.saturating_add(timeout))
            }
            Link::Leaving(_) => Some(self.since.saturating_add(LEAVING_NS)),
        }
    }
}

/// How long the server may take to close what it said it would close.
const LEAVING_NS: u64 = 1_000_000_000;
