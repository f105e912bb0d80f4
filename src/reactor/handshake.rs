//! Handshakes: what goes before the first request where there is TLS.
//!
//! The socket does the work, as far as it can each time; here it is called, its
//! deadline kept, its failure counted and logged. A step of it costs as much as
//! ten small requests, or a hundred with an RSA key, so that few go on in one
//! turn: the rest stands in the run queue, and everybody else is between them.
//!
//! ```text
//!   accept -> Handshake -> Open ...
//!                |  '----> Open, and a 400 in plain text: it was HTTP without TLS
//!                '-------> Linger, so that an alert arrives; or Dead
//! ```

use super::connection::{Farewell, Life};
use super::drive::{After, Driver};
use super::world::{Bits, World};
use crate::http::Service;
use crate::net::{Handshake, Socket};
use crate::proto::Fault;
use crate::stats::{Close, HandshakeFailure};
use std::fmt::Display;

/// Handshakes that go on in one turn: with an RSA key of 2,048 bits, whose
/// signature takes longest of what is usual, they hold the others up for about
/// five milliseconds.
pub(crate) const HANDSHAKES_PER_TURN: u32 = 8;

impl<S: Service, W: World> Driver<'_, S, W> {
    /// Goes on with the handshake, if there is news; whether it could still go on.
    #[cold]
    pub(super) fn shake(&mut self) -> After {
        // A 503 for one who has no place waits for the end of it, too.
        self.active.output.take(&mut self.shared.out);
        let bits = self.connection.bits;
        if !bits.has(Bits::READABLE.and(Bits::WRITABLE)) {
            return After::Waits;
        }
        if bits.has(Bits::PREAMBLE) {
            self.introduce(); // a PROXY header comes first, and is not encrypted
            if self.connection.bits.has(Bits::EOF) {
                self.unshaken(HandshakeFailure::Left, &"it ended before its PROXY header");
            }
            if self.connection.bits.has(Bits::PREAMBLE) || self.connection.life != Life::Handshake {
                return After::Waits;
            }
            self.active.output.take(&mut self.shared.out); // it may have been turned away
        }
        if self.shared.handshakes_left == 0 {
            return After::Could;
        }
        self.shared.handshakes_left -= 1;
        match self.connection.socket.handshake() {
            Ok(Handshake::Done { resumed }) => {
                self.shared.stats.handshakes.add(1);
                self.shared.stats.handshakes_resumed.add(u64::from(resumed));
                self.begin_to_speak();
                self.rounds()
            }
            Ok(Handshake::WantsRead) => {
                self.connection.bits.clear(Bits::READABLE);
                After::Waits
            }
            Ok(Handshake::WantsWrite) => {
                self.connection.bits.clear(Bits::WRITABLE);
                After::Waits
            }
            Ok(Handshake::Again) => After::Could,
            Ok(Handshake::Plain) => {
                log::debug!("{}: 400: HTTP without TLS", self.connection.peer);
                self.shared.stats.handshake_failures.add(HandshakeFailure::Plain);
                self.connection.because(Close::Handshake);
                self.begin_to_speak();
                self.refuse(&Fault::bad("HTTP without TLS").saying(PLAIN));
                self.rounds()
            }
            Err(error) => {
                self.unshaken(error.reason, &error.source);
                After::Waits
            }
        }
    }

    /// The time for the first byte begins.
    fn begin_to_speak(&mut self) {
        self.connection.life = Life::Open;
        self.connection.since = self.shared.tick;
    }

    /// There will be no agreement.
    #[cold]
    pub(super) fn unshaken(&mut self, reason: HandshakeFailure, why: &dyn Display) {
        log::debug!("{}: no handshake ({}): {why}", self.connection.peer, reason.name());
        self.shared.stats.handshake_failures.add(reason);
        self.connection.because(Close::Handshake);
        self.abandon();
        self.active.output.clear();
        match reason {
            HandshakeFailure::Left | HandshakeFailure::Timeout => {
                self.connection.life = Life::Dead;
            }
            // The client should read why: a close in front of unread input would
            // be a reset.
            _ => self.leave(Farewell::Linger),
        }
    }
}

/// What a client is told that speaks HTTP where HTTPS is spoken.
const PLAIN: &str = "this port speaks HTTPS: ask for https:// instead of http://";
