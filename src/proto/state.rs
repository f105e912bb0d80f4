//! Which step may follow which: the state table of the protocol.
//!
//! A connection's protocol is three values: how far the request is read, how
//! far the response is written, and whether the connection lives on after it
//! (`keep`, which only ever turns from true to false). A step is looked up in
//! one table, [`State::after`]; what is not in the table is our own misuse.
//! After each step the joint rules, [`State::joint`], run until none applies:
//! they hold where reading and writing meet.
//!
//! ```text
//!  read    Head ------> Body ------> Done ------> Closed
//!            |           1            ^ |           ^
//!            '------------------------' '-- J1 --> Head
//!
//!  write   Idle ------> Owed ------> Body ------> Done ------> Closed
//!                         '-----------------------^ '-- J1 --> Idle
//! ```
//!
//! Row numbers are those of the table in ARCHITECTURE.md. How much of a body is
//! read or written is not kept here but in the decoder and the encoder, so the
//! table stays finite and a test can walk through all of it.

use super::Misuse;
use std::fmt;

/// The three values; 3 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) read: Read,
    pub(crate) write: Write,
    pub(crate) keep: bool,
}

/// How far the request is read.
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

/// How far the response is written.
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

/// What happens to a connection's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Row 1: a head without content is complete.
    Head,
    /// Row 2: a head with content is complete.
    HeadOfBody,
    /// Row 3: content.
    Data,
    /// Row 4: the last byte of the content.
    End,
    /// Row 5: bytes behind the request.
    Extra,
    /// Row 6: the head is no head.
    BadHead,
    /// Row 7: the content's framing is broken.
    BadBody,
    /// Row 8: end of file between requests.
    EofBetween,
    /// Row 9: end of file inside a request.
    EofInside,
    /// Row 10: end of file behind a request.
    EofBehind,
    /// Row 11: an interim response.
    Interim,
    /// Row 12: a response without content.
    Respond,
    /// Row 13: the head of a response with content.
    RespondBody,
    /// Row 14: a piece of content.
    Frame,
    /// Row 15: the end of the content.
    Finish,
    /// Row 16: the content ends too early; also any other reason to cut.
    Cut,
    /// Row 17: a deadline or an overload of ours.
    Fail,
    /// Rule J1: the next request may come.
    NextCycle,
    /// Rule J6: the server leaves and no byte of a head is here.
    DrainEmpty,
    /// What turns `keep` false without any other effect.
    Unkeep,
    /// A response that hands the connection over (RFC 9110 section 7.8).
    Switch,
}

impl State {
    /// A new connection.
    pub(crate) const NEW: State = State { read: Read::Head, write: Write::Idle, keep: true };

    /// Takes a step and applies the joint rules. The one place where the state
    /// changes.
    #[inline(always)] // nearly every caller names the step: little of the table is left
    pub(crate) fn take(&mut self, step: Step) -> Result<(), Misuse> {
        let next = self.after(step).ok_or_else(|| Misuse { call: step.name() })?.settled();
        if log::log_enabled!(target: TARGET, log::Level::Trace) {
            self.trace(step, next);
        }
        *self = next;
        Ok(())
    }

    /// Takes row 1 from the state in which nearly every head arrives; else nothing
    /// happens, as when the steps are to be seen in the log.
    #[inline]
    pub(crate) fn take_head(&mut self) -> bool {
        if *self != State::NEW || log::log_enabled!(target: TARGET, log::Level::Trace) {
            return false;
        }
        *self = State { read: Read::Done, write: Write::Owed, keep: true };
        true
    }

    /// Takes the steps of a reply that is written whole, and J1, in one stride:
    /// rows 13 to 15 (or row 12), then the next request. Only from the state in
    /// which nearly every request is answered; else nothing happens, as when
    /// the steps are to be seen in the log one by one.
    #[inline]
    pub(crate) fn take_whole(&mut self) -> bool {
        const FROM: State = State { read: Read::Done, write: Write::Owed, keep: true };
        if *self != FROM || log::log_enabled!(target: TARGET, log::Level::Trace) {
            return false;
        }
        *self = State::NEW;
        true
    }

    /// The table. `None` is a step that makes no sense here.
    #[inline(always)]
    fn after(self, step: Step) -> Option<State> {
        use {Read as R, Write as W};
        let State { read, write, keep } = self;
        let (read, write, keep) = match (step, read, write) {
            (Step::Head, R::Head, W::Idle) => (R::Done, W::Owed, keep),
            (Step::HeadOfBody, R::Head, W::Idle) => (R::Body, W::Owed, keep),
            (Step::Data, R::Body, _) => (R::Body, write, keep),
            (Step::End, R::Body, _) => (R::Done, write, keep),
            (Step::Extra, R::Done, _) => (R::Done, write, keep),

            (Step::BadHead, R::Head, W::Idle) => (R::Closed, W::Owed, false),
            // A response that has begun can't be taken back: only cut.
            (Step::BadBody, R::Body, W::Body) => (R::Closed, W::Closed, false),
            (Step::BadBody, R::Body, _) => (R::Closed, write, false),

            (Step::EofBetween, R::Head, W::Idle) => (R::Closed, W::Closed, false),
            (Step::EofInside, R::Head | R::Body, _) => (R::Closed, W::Closed, false),
            // Nobody can ask again, so the reply may as well say so.
            (Step::EofBehind, R::Done, _) => (R::Closed, write, false),

            (Step::Interim, _, W::Owed) => (read, W::Owed, keep),
            (Step::Respond, _, W::Owed) => (read, W::Done, keep),
            (Step::RespondBody, _, W::Owed) => (read, W::Body, keep),
            (Step::Frame, _, W::Body) => (read, W::Body, keep),
            (Step::Finish, _, W::Body) => (read, W::Done, keep),

            (Step::Cut, _, _) => (R::Closed, W::Closed, false),
            (Step::Fail, _, W::Idle | W::Owed) => (R::Closed, W::Owed, false),
            (Step::Switch, R::Done, W::Owed) => (R::Closed, W::Closed, false),

            (Step::NextCycle, R::Done, W::Done) if keep => (R::Head, W::Idle, keep),
            (Step::DrainEmpty, R::Head, W::Idle) => (R::Closed, W::Closed, false),
            (Step::Unkeep, _, _) => (read, write, false),
            _ => return None,
        };
        Some(State { read, write, keep })
    }

    #[cold]
    fn trace(self, step: Step, next: State) {
        log::trace!(target: TARGET, "{self} --{step:?}--> {next}");
    }

    /// The joint rules, to a fixed point. Each closes something that was not
    /// closed, so this ends.
    #[inline(always)]
    fn settled(mut self) -> State {
        while let Some(next) = self.joint() {
            self = next;
        }
        self
    }

    /// The joint rule that applies, if any. J1 and J6 wait until they are asked
    /// for: J1 because the exchange is recycled between two requests, J6
    /// because a request may be on its way to a server that has begun to drain.
    #[inline(always)]
    fn joint(self) -> Option<State> {
        use {Read as R, Write as W};
        let closes = match (self.read, self.write) {
            // J2: the reply is out and was the last one.
            (R::Done, W::Done) => !self.keep,
            // J3 and J4: an early reply. The rest of the request is thrown away
            // if the connection is to be kept, else nobody reads it.
            (R::Body, W::Done) => !self.keep,
            // J5: nothing more comes and nothing more is owed.
            (R::Closed, W::Idle | W::Done) => true,
            _ => false,
        };
        closes.then_some(State { read: R::Closed, write: W::Closed, keep: false })
    }
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Head | Step::HeadOfBody | Step::Data | Step::End | Step::Extra => "receive",
            Step::BadHead | Step::BadBody => "receive",
            Step::EofBetween | Step::EofInside | Step::EofBehind => "receive_eof",
            Step::Interim => "interim",
            Step::Respond | Step::RespondBody | Step::Switch => "respond",
            Step::Frame => "frame",
            Step::Finish => "finish",
            Step::Cut => "cut",
            Step::Fail => "refuse",
            Step::NextCycle => "next_cycle",
            Step::DrainEmpty => "drain",
            Step::Unkeep => "close_after",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { read, write, keep } = self;
        write!(f, "{read:?}/{write:?}{}", if *keep { "+keep" } else { "" })
    }
}

/// Where transitions are logged, at trace level.
const TARGET: &str = "onepoll::proto::state";

#[cfg(test)]
mod tests;
