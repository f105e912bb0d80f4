//! The loop: one thread that waits for all clients at once and serves each as
//! far as it can go.
//!
//! # Theory of operation
//!
//! A [`Reactor`] owns a slab of [connections](Slots), a [wheel](Wheel) of
//! deadlines, an [inbox](Inbox) for what other threads report, and its
//! [`World`]: clock, poll, sockets, helper threads. It does one thing over and
//! over, a *turn*:
//!
//! ```text
//!  poll(until the next deadline, or not at all if somebody could go on)
//!   1 now       read the clock, once
//!   2 events    note what became ready; put those connections on the run queue
//!   3 inbox     deliver what came home: exchanges, chunks, wakes, commands
//!   4 run       drive each queued connection, within its budget
//!   5 timers    ask those whose entry fired for their true deadline
//!   6 accept    take new clients, up to a bound
//!   7 reap      free the slots of the dead
//! ```
//!
//! Sockets are registered once, for both directions, edge-triggered: the kernel
//! says once that something became possible, and the connection remembers it as
//! a [bit](Bits) until a call says `WouldBlock`. So there are no changes of
//! registration, and back pressure is simply not reading.
//!
//! A slot is freed at the end of a turn only: no event of the same batch can
//! meet a new client in an old slot. What other threads hold is a
//! [`ConnectionId`], slot and generation: too late is noticed, not confused.
//!
//! Nothing in a turn waits, and nothing is without a bound: a connection that
//! has used its share goes to the end of the run queue, and the poll does not
//! sleep while that queue has somebody in it.

mod accept;
mod ahead;
mod buffers;
mod burst;
mod clock;
mod connection;
mod deadline;
mod drain;
mod drive;
mod ending;
mod errand;
mod handshake;
mod idle;
mod inbox;
mod input;
mod introduction;
mod measure;
mod output;
mod reload;
mod reply;
mod report;
mod slots;
mod steps;
mod turn;
mod visitors;
mod watched;
mod wheel;
mod world;

pub use clock::Tick;
pub use errand::Errand;
pub(crate) use inbox::Ask;
pub use inbox::{Command, Inbox};
pub use slots::{ConnectionId, Slots};
pub use turn::Reactor;
pub use wheel::Wheel;
pub use world::{Bits, Ready, Source, World};
