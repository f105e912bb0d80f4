//! HTTP/1.1 without I/O: bytes in, events out; a response in, bytes out.
//!
//! # Theory of operation
//!
//! [`Http1`] is the protocol of one connection. It owns no socket, no buffer
//! and no clock. Whoever owns those (the reactor, a test, a fuzzer) hands in
//! the bytes that arrived and gets **one event per call**, and hands in a
//! response and gets the bytes that frame it, appended to a buffer of its own.
//! Content passes by: on its way in it is a range of the caller's input, on its
//! way out only its length is told.
//!
//! ```text
//!   input  [..........]                                out [..............]
//!             | receive                                         ^
//!             v                                                 | respond, frame,
//!   +----------------------- Http1 ------------------------+    | finish, interim,
//!   |  head    finds the end of a head, fills a Request    |    | refuse
//!   |  framing where its content ends (RFC 9112 s6)        |----'
//!   |  decode  the content within the bytes                |
//!   |  state   which step may follow which: one table      |
//!   |  encode  heads of responses, lines between chunks    |
//!   +------------------------------------------------------+
//!             |
//!             '--> Event: NeedMore, Head, Data(range), End, Paused, Closed
//!                  or Fault: reply with `refuse`, then end
//! ```
//!
//! One request takes this course:
//!
//! 1. `receive` until it says `Head`. Each call says how many bytes it used up;
//!    the others stay in front of those that come next. The input may be cut
//!    anywhere, and what was scanned is not scanned again.
//! 2. If there is content: `receive` until `End`, with a range of data now and
//!    then. A peer may wait to be told to send it: see
//!    [`expects_continue`](Http1::expects_continue).
//! 3. [`respond`](Http1::respond) with the response's head, at any time after
//!    `Head`; then `frame` before each piece of content, and `finish` behind
//!    the last. `Paused` says that the request is complete and pipelined bytes
//!    wait for the reply. A small reply in memory may be all of this and the
//!    next step in one call, [`respond_whole`](Http1::respond_whole).
//! 4. [`next_cycle`](Http1::next_cycle) says what comes next: another request,
//!    the rest of one that nobody wants ([`Cycle::Discard`]), or the end, and
//!    which kind of end.
//!
//! # Who is to blame
//!
//! What the peer does wrong is a [`Fault`], which knows the status to reply
//! with; nothing is read after it. What the caller does wrong, such as a second
//! response to one request, is a [`Misuse`]: it panics in debug builds; in
//! release builds it is logged and the connection is cut, since nobody knows
//! any more what the peer has seen. What an application does wrong (content
//! that doesn't have the declared length) is logged and cuts the connection,
//! which shows the peer that the message is incomplete.

pub mod fault;

mod asked;
mod decode;
mod encode;
mod event;
mod framing;
mod head;
mod http1;
mod state;

pub use encode::Preamble;
pub use event::{Cycle, Event, Framed};
pub use fault::{Fault, Misuse};
pub use framing::{Framing, Length};
pub use head::Head;
pub use http1::Http1;
pub use state::{Read, Write};
