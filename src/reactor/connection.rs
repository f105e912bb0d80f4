//! One client: its socket, the protocol's state, and what it is busy with.
//!
//! A connection is small, because ten thousand of them are idle: all that is
//! only needed while something is going on sits in a box, [`Active`], that is
//! lent by the reactor's pool and goes back when the last byte is written.
//!
//! ```text
//!  (Handshake, under TLS)
//!    |        .--------------------------- next request -----------------------.
//!             v                                                                |
//!   Idle -> Head -> (service) -> Reply ---> all framed --- keep ---------------'
//!             |      ^   |  \                   |
//!             |      |   |   '-> Receive        |--- content unread -> Discard
//!             |      |   |   '-> Away (helper)  |
//!             |      |   '-----> Sleep (wheel)  '--- not keep -> Ending -> Linger -> Dead
//!             |      '-- resume ---'
//!             '- fault -> Ending
//! ```

use super::clock::Tick;
use super::deadline::Why;
use super::output::Output;
use super::slots::ConnectionId;
use super::world::Bits;
use crate::http::{Exchange, Peer, Pull, Refusal, Request, Sink, Source, Status, Takeover};
use crate::net::Socket;
use crate::proto::Http1;
use crate::stats::Close;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A client's connection, as it lies in its slot.
#[derive(Debug)]
pub(crate) struct Connection<K> {
    pub(crate) socket: K,
    pub(crate) peer: Peer,
    pub(crate) http: Http1,
    pub(crate) life: Life,
    pub(crate) bits: Bits,
    /// Why it ended, once it has.
    pub(crate) why: Close,
    /// Requests begun on this connection.
    pub(crate) requests: u32,
    /// When it came into its present state: accepted, became idle, began to linger.
    pub(crate) since: Tick,
    /// What it is busy with; `None` while idle.
    pub(crate) active: Option<Box<Active>>,
}

/// How far the connection's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Agreeing with the peer upon how to speak (TLS); nothing is read before.
    Handshake,
    /// Requests and replies.
    Open,
    /// We have said our last word; what still comes is read and thrown away so
    /// that it doesn't turn into a reset that eats the reply. Bytes so far.
    Linger(u32),
    /// To be freed at the end of the turn.
    Dead,
}

/// Everything about a connection that is busy.
pub(crate) struct Active {
    pub(crate) phase: Phase,
    /// Bytes that were read and not used: a partial head, pipelined requests.
    pub(crate) input: Vec<u8>,
    pub(crate) output: Output,
    /// Replies that are framed and not yet wholly taken by the socket.
    pub(crate) unsettled: VecDeque<Unsettled>,
    /// When the first byte of the request at hand was seen.
    pub(crate) begun: Tick,
    /// The window in which progress is judged.
    pub(crate) pace: Pace,
    /// Bytes read since the box was lent.
    pub(crate) received: u64,
    /// Whether the request at hand is the client's last, by its own word, and
    /// whether it was read to its end: nothing more is on its way then.
    pub(crate) last: bool,
    pub(crate) whole: bool,
    /// Bytes of the exchange that a helper has.
    pub(crate) away: usize,
    /// How long the request that is away or asleep may be so, if it says so itself.
    pub(crate) work_limit: Option<Duration>,
    /// Who gets the socket once the output is flushed.
    pub(crate) takeover: Option<Takeover>,
    /// Bytes for which the buffer account is charged.
    pub(crate) lent: usize,
    /// With so many at hand it is not kept; 0: never.
    pub(crate) keep: usize,
}

/// What the connection is doing.
#[derive(Debug, Default)]
pub(crate) enum Phase {
    /// In the middle of a transition; never seen between calls.
    #[default]
    Moving,
    /// Waiting for a request, or within its head: the index is in the exchange.
    Head(Box<Exchange>),
    /// The service wants the content.
    Receive(Box<Receiving>),
    /// The exchange is with a helper. The flag tells the job if we die.
    Away(Arc<AtomicBool>),
    /// The service wants to be called then.
    Sleep(Box<Exchange>, Tick),
    /// The reply's content is being pulled from a source.
    Reply(Box<Replying>),
    /// The reply is framed; the rest of the request's content is thrown away.
    Discard(Box<Exchange>),
    /// Nothing more is read or begun: flush, then end in this way.
    Ending(Farewell),
}

/// How a connection ends once its output is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The client's last request was read whole: close, unless more is there.
    Close,
    /// There may be input on its way: half-close and wait for the end.
    Linger,
    /// The peer has already ended: close.
    AtOnce,
    /// The socket goes to someone else.
    Switch,
}

/// A request whose content is coming in.
#[derive(Debug)]
pub(crate) struct Receiving {
    pub(crate) exchange: Option<Box<Exchange>>,
    pub(crate) into: Destination,
    pub(crate) taken: u64,
    pub(crate) max: u64,
    /// All content is in (the last chunk may still be with the sink).
    pub(crate) complete: bool,
}

/// Where the content goes.
pub(crate) enum Destination {
    /// The request's own buffer.
    Buffer,
    /// A sink on the loop.
    Inline(Box<dyn Sink>),
    /// A sink for the helpers, here while no chunk is being written, and the
    /// chunk that fills up meanwhile.
    Blocking { sink: Option<Box<dyn Sink>>, chunk: Vec<u8> },
}

/// A reply whose content comes from a source.
#[derive(Debug)]
pub(crate) struct Replying {
    pub(crate) exchange: Box<Exchange>,
    /// Where it begins in the connection's stream of output.
    pub(crate) from: u64,
    pub(crate) pulling: Pulling,
    /// Whether the content goes on until the client leaves.
    pub(crate) endless: bool,
    /// Whether the source has been told that the server leaves.
    pub(crate) told: bool,
    /// When to pull next.
    pub(crate) next: Next,
    /// When it was pulled.
    pub(crate) pulled: Tick,
}

/// Where the content comes from.
pub(crate) enum Pulling {
    /// A source on the loop.
    Inline(Box<dyn Source>),
    /// A source for the helpers, here between two pulls.
    Blocking(Box<dyn Source>),
    /// A helper is pulling it.
    Away,
}

/// When a source is pulled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// As soon as there is room.
    Room,
    /// When it wakes us.
    Wake,
    /// Then, or when it wakes us.
    At(Tick),
}

/// A reply of which the socket has not taken the last byte.
#[derive(Debug)]
pub(crate) struct Unsettled {
    pub(crate) exchange: Box<Exchange>,
    /// Where it begins and ends in the connection's stream of output.
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) begun: Tick,
}

/// A window of time, and the bytes that had moved when it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) why: Why,
    pub(crate) since: Tick,
    pub(crate) bytes: u64,
}

impl<K> Connection<K> {
    pub(crate) fn new(socket: K, peer: Peer, now: Tick) -> Connection<K> {
        Connection {
            socket,
            peer,
            http: Http1::new(),
            life: Life::Open,
            why: Close::Done,
            // A fresh socket has room; its input will be announced.
            bits: Bits::WRITABLE,
            requests: 0,
            since: now,
            active: None,
        }
    }

    /// Notes why it ends. The first reason is the one: the rest follows from it.
    pub(crate) fn because(&mut self, why: Close) {
        if self.why == Close::Done {
            self.why = why;
        }
    }
}

impl<K: Socket> Connection<K> {
    /// A new client's: it begins with a handshake, if its socket has one.
    pub(crate) fn arrived(socket: K, peer: Peer, now: Tick) -> Connection<K> {
        let life = if socket.is_handshaking() { Life::Handshake } else { Life::Open };
        Connection { life, ..Connection::new(socket, peer, now) }
    }

    /// Bytes of memory that it ties up while it is busy with that.
    pub(crate) fn footprint(&self, active: &Active) -> usize {
        active.footprint() + self.socket.holds_output()
    }
}

impl std::fmt::Debug for Active {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Active { phase, input, output, .. } = self;
        write!(f, "{phase:?}, {} bytes in, {} out", input.len(), output.bytes())
    }
}

impl Active {
    /// An idle one, for the pool.
    pub(crate) fn new(exchange: Box<Exchange>, now: Tick) -> Active {
        Active {
            phase: Phase::Head(exchange),
            input: Vec::new(),
            output: Output::default(),
            unsettled: VecDeque::new(),
            begun: now,
            pace: Pace { why: Why::Idle, since: now, bytes: 0 },
            received: 0,
            last: false,
            whole: false,
            away: 0,
            work_limit: None,
            takeover: None,
            lent: 0,
            keep: 0,
        }
    }

    /// Whether there is nothing in it that an idle connection would miss.
    #[inline]
    pub(crate) fn is_idle(&self, head_begun: bool) -> bool {
        matches!(self.phase, Phase::Head(_))
            && !head_begun
            && self.input.is_empty()
            && self.output.is_empty()
            && self.unsettled.is_empty()
    }

    /// Whether there is room for one more reply.
    #[inline]
    pub(crate) fn may_reply(&self) -> bool {
        !self.output.is_full() && self.unsettled.len() < UNSETTLED_MAX
    }

    /// Whether bytes from the client could be used now.
    #[inline]
    pub(crate) fn wants_input(&self) -> bool {
        match &self.phase {
            Phase::Head(_) => self.may_reply(),
            Phase::Receive(receiving) => receiving.has_room(),
            Phase::Discard(_) => true,
            _ => false,
        }
    }

    /// Since when the request at hand has been worked on: its content may have
    /// taken the client long before that.
    pub(crate) fn work_since(&self) -> Tick {
        self.begun.max(self.pace.since)
    }

    /// Bytes of memory that are tied up outside of the socket.
    fn footprint(&self) -> usize {
        let phase = match &self.phase {
            Phase::Receive(receiving) => receiving.footprint(),
            Phase::Away(_) => self.away,
            Phase::Sleep(exchange, _) => exchange.request.footprint(),
            Phase::Reply(replying) => replying.exchange.request.footprint(),
            _ => 0,
        };
        let unsettled: usize = self.unsettled.iter().map(|u| u.exchange.request.footprint()).sum();
        self.input.capacity() + self.output.bytes() + phase + unsettled
    }
}

/// Replies that are not wholly taken, beyond which no further request is read:
/// each may keep a head of `head_max` bytes.
const UNSETTLED_MAX: usize = 64;

/// A chunk handed to a blocking sink or filled by a blocking source, in bytes.
pub(crate) const CHUNK: usize = 64 * 1024;

impl Receiving {
    /// Whether another read's bytes can be kept: with a blocking sink one
    /// chunk is with the helper and one is filling.
    pub(crate) fn has_room(&self) -> bool {
        match &self.into {
            _ if self.complete => false,
            Destination::Blocking { sink: None, chunk } => chunk.len() < CHUNK,
            _ => true,
        }
    }

    fn footprint(&self) -> usize {
        let chunk = match &self.into {
            Destination::Blocking { sink: Some(_), chunk } => chunk.capacity(),
            Destination::Blocking { sink: None, chunk } => chunk.capacity() + CHUNK,
            _ => 0,
        };
        chunk + self.exchange.as_ref().map_or(0, |e| e.request.footprint())
    }
}

/// What a chunk of content came to.
pub(crate) enum Took {
    /// Go on.
    More,
    /// The request can't be served: answer with this.
    Failed(Refusal),
}

impl Receiving {
    /// Takes a piece of content.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Took {
        self.taken = self.taken.saturating_add(piece.len() as u64);
        if self.taken > self.max {
            return Took::Failed(Refusal::new(Status::CONTENT_TOO_LARGE, ""));
        }
        match &mut self.into {
            Destination::Buffer => {
                if let Some(exchange) = &mut self.exchange {
                    exchange.request.body.extend_from_slice(piece);
                }
            }
            Destination::Inline(sink) => {
                if let Err(error) = super::errand::caught(|| sink.write(piece)) {
                    return Took::Failed(Refusal::of(&error));
                }
            }
            Destination::Blocking { chunk, .. } => chunk.extend_from_slice(piece),
        }
        Took::More
    }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Destination::Buffer => "Buffer",
            Destination::Inline(_) => "Inline",
            Destination::Blocking { sink: Some(_), .. } => "Blocking(here)",
            Destination::Blocking { sink: None, .. } => "Blocking(away)",
        })
    }
}

impl std::fmt::Debug for Pulling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Pulling::Inline(_) => "Inline",
            Pulling::Blocking(_) => "Blocking(here)",
            Pulling::Away => "Blocking(away)",
        })
    }
}

/// What a source's pull says about the next one.
pub(crate) fn next_pull(pull: Pull, now: Tick) -> Option<Next> {
    match pull {
        Pull::More => Some(Next::Room),
        Pull::Pending => Some(Next::Wake),
        Pull::After(time) => Some(Next::At(now + time)),
        Pull::End => None,
    }
}

/// Stamps a request with where it came from.
pub(crate) fn stamp(request: &mut Request, peer: Peer, id: ConnectionId) {
    request.origin.peer = peer;
    request.origin.via = None; // it is found anew, where there may be one
    request.origin.secure = false; // of the last request, a proxy may have said so
    request.origin.connection = u64::from(id);
}

/// And with what TLS knows of the client.
#[cold]
pub(crate) fn stamp_secure<K: Socket>(request: &mut Request, socket: &K) {
    request.origin.secure = true;
    if let Some(certificate) = socket.client_certificate() {
        request.extend(certificate.clone());
    }
}
