//! Before the first head: whom a proxy speaks for, and whether that one may come.
//!
//! From the addresses in [`Config::proxy_protocol`](crate::Config::proxy_protocol)
//! a connection begins with a PROXY header. Until it is whole the connection is
//! marked [`PREAMBLE`](Bits::PREAMBLE); it looks like one on which nothing has
//! come, with the deadline of those (`first`), which no byte extends.
//!
//! ```text
//!   accept -> one of the proxies? --yes--> PREAMBLE -> header -> peer = the client
//!                  | no                                  |              |
//!                  '-----------> limits by address <-----|--------------'
//!                                   |        |           '- broken: cut
//!                                 served   turned away
//! ```

use super::accept::REFUSALS_MAX;
use super::connection::{Connection, Phase, stamp};
use super::drive::{Driver, Verdict};
use super::turn::Reactor;
use super::visitors::Rebuff;
use super::world::{Bits, World};
use crate::config::TurnAway;
use crate::http::{Peer, Service, Status};
use crate::net::Socket;
use crate::net::preamble::{self, PREAMBLE_MAX};
use crate::proto::Fault;
use crate::stats::{Close, TurnedAway};

impl<S: Service, W: World> Reactor<S, W> {
    /// Whether the client may come, and the bits that it begins with; `None`: it was
    /// turned away, and its socket is taken care of.
    pub(super) fn let_in(&mut self, socket: W::Socket, peer: Peer) -> Option<(W::Socket, Bits)> {
        let shared = &mut self.shared;
        if shared.config.proxy_protocol.contains(peer) {
            return Some((socket, Bits::PREAMBLE));
        }
        match shared.visitors.arrive(peer, &shared.config, shared.tick) {
            Ok(true) => Some((socket, Bits::COUNTED)),
            Ok(false) => Some((socket, Bits::NONE)),
            Err(rebuff) => {
                self.turn_down(socket, peer, rebuff);
                None
            }
        }
    }

    /// Without a slot, unless it is to be told and few others are.
    fn turn_down(&mut self, socket: W::Socket, peer: Peer, rebuff: Rebuff) {
        let way = self.shared.rebuff(peer, rebuff);
        let max = self.shared.config.connections_max + REFUSALS_MAX;
        let room = self.shared.rebuffed < REFUSALS_MAX && self.slots.len() < max;
        let Some(fault) = way.filter(|_| room) else { return };
        let id = self.slots.insert(Connection::arrived(socket, peer, self.shared.tick));
        self.shared.inbox.serve(id.slot as usize + 1);
        if let Some(connection) = self.slots.get_mut(id.slot) {
            connection.bits.set(Bits::REBUFFED);
        }
        self.shared.rebuffed += 1;
        self.shared.stats.accepted.add(1);
        self.shared.stats.open.set(self.slots.len() as u64);
        self.with(id.slot, |driver| driver.say_no(&fault));
        self.watch(id.slot);
    }

    /// Somebody's slot is free: it is no more among those who are counted.
    pub(super) fn say_goodbye(&mut self, peer: Peer, bits: Bits) {
        if bits.has(Bits::COUNTED) {
            self.shared.visitors.leave(peer);
        }
        if bits.has(Bits::REBUFFED) {
            self.shared.rebuffed = self.shared.rebuffed.saturating_sub(1);
        }
    }
}

impl super::drive::Shared {
    /// Counts and logs; what is to be said, if anything is.
    fn rebuff(&self, peer: Peer, rebuff: Rebuff) -> Option<Fault> {
        let Rebuff { why, loud } = rebuff;
        self.stats.turned_away.add(why);
        let reason = match why {
            TurnedAway::Connections => "too many connections from this address",
            TurnedAway::Rate => "too many new connections from this address",
        };
        if loud {
            log::warn!("{peer}: turned away: {reason}");
        }
        let status = match self.config.per_address.turn_away {
            TurnAway::Close => return None,
            TurnAway::TooManyRequests => Status::TOO_MANY_REQUESTS,
            TurnAway::Unavailable => Status::SERVICE_UNAVAILABLE,
        };
        Some(Fault::new(status, reason))
    }
}

impl<S: Service, W: World> Driver<'_, S, W> {
    fn say_no(mut self, fault: &Fault) -> Verdict {
        self.connection.because(Close::Limit);
        self.refuse(fault);
        self.drive()
    }

    /// Looks for a PROXY header; whether it was there.
    #[cold]
    pub(super) fn introduce(&mut self) -> bool {
        let mut bytes = [0; PREAMBLE_MAX];
        let count = match self.connection.socket.peek(&mut bytes) {
            Ok(0) => {
                self.connection.bits.clear(Bits::READABLE.and(Bits::PREAMBLE));
                self.connection.bits.set(Bits::EOF);
                return true;
            }
            Ok(count) => count,
            Err(error) => return self.read_failed(&error),
        };
        match preamble::parse(bytes.get(..count).unwrap_or(&[])) {
            Ok(Some(header)) => {
                let header_bytes = bytes.get_mut(..header.len).unwrap_or(&mut []);
                match self.connection.socket.skip(header_bytes) {
                    Ok(skipped) if skipped == header.len => {}
                    Ok(_) => return self.not_introduced("its PROXY header changed"),
                    Err(error) => return self.read_failed(&error),
                }
                self.shared.stats.bytes_in.add(header.len as u64);
                self.connection.bits.clear(Bits::PREAMBLE);
                self.introduced(header.client);
                true
            }
            // Nothing of it was taken, but what comes later will be announced.
            Ok(None) if !self.connection.bits.has(Bits::HALF_CLOSED) => {
                self.connection.bits.clear(Bits::READABLE);
                false
            }
            Ok(None) => self.not_introduced("it ended within its PROXY header"),
            Err(why) => self.not_introduced(why),
        }
    }

    /// It may be anything, TLS as well: there is no reply that it would understand.
    fn not_introduced(&mut self, why: &str) -> bool {
        log::info!("{}: cut: {why}", self.connection.peer);
        self.shared.stats.faults.add(1);
        self.connection.because(Close::Fault);
        self.die();
        false
    }

    /// The proxy itself is not counted: it speaks for many.
    fn introduced(&mut self, client: Option<std::net::SocketAddr>) {
        let Some(client) = client else { return };
        let (via, peer) = (self.connection.peer, Peer::Tcp(client));
        log::trace!("{via}: for {peer}");
        self.connection.peer = peer;
        if let Phase::Head(exchange) = &mut self.active.phase {
            stamp(&mut exchange.request, peer, self.id);
        }
        let shared = &mut *self.shared;
        match shared.visitors.arrive(peer, &shared.config, shared.tick) {
            Ok(true) => self.connection.bits.set(Bits::COUNTED),
            Ok(false) => {}
            Err(rebuff) => {
                let way = shared.rebuff(peer, rebuff);
                self.connection.because(Close::Limit);
                match way {
                    Some(fault) => self.refuse(&fault),
                    None => self.die(),
                }
            }
        }
    }
}
