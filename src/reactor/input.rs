//! Bytes in: from the socket through the protocol to whoever wants them.

use super::connection::{Destination, Farewell, Phase, Receiving, Took};
use super::drive::Driver;
use super::errand::Work;
use super::world::{Bits, World};
use crate::http::{Exchange, Refusal, Service};
use crate::net::Socket;
use crate::proto::{Event, Fault};
use crate::stats::Close;
use std::io;

impl<S: Service, W: World> Driver<'_, S, W> {
    /// Uses buffered bytes, else reads once; whether anything moved.
    pub(crate) fn take_input(&mut self) -> bool {
        if mutant!("end-before-input") && self.connection.bits.has(Bits::HALF_CLOSED) {
            return self.end_of_input();
        }
        if self.holds_news() {
            return self.feed_buffered();
        }
        if self.connection.bits.has(Bits::READABLE) && self.read_left > 0 {
            return self.read();
        }
        if self.connection.bits.has(Bits::EOF) {
            return self.end_of_input();
        }
        false
    }

    /// Whether the protocol has something to say without another byte: of what
    /// is buffered, or that the content's last byte, used up before there was no
    /// room for more, was the end.
    pub(crate) fn holds_news(&self) -> bool {
        let within = matches!(self.active.phase, Phase::Receive(_) | Phase::Discard(_));
        (within || !self.active.input.is_empty()) && !self.connection.bits.has(Bits::STARVED)
    }

    fn read(&mut self) -> bool {
        if self.connection.bits.has(Bits::PREAMBLE) {
            return self.introduce();
        }
        if !self.shared.buffers.may_read() {
            if !self.connection.bits.has(Bits::WAITING) {
                self.connection.bits.set(Bits::WAITING);
                self.shared.buffers.wait(self.id.slot);
            }
            return false;
        }
        let mut scratch = std::mem::take(&mut self.shared.scratch);
        let room = scratch.len().min(self.read_left);
        let result = self.connection.socket.read(scratch.get_mut(..room).unwrap_or(&mut []));
        let moved = match result {
            Ok(0) => {
                self.connection.bits.clear(Bits::READABLE);
                self.connection.bits.set(Bits::EOF);
                true
            }
            Ok(count) => {
                let drained = (count < room && !self.connection.bits.has(Bits::HALF_CLOSED))
                    || mutant!("read-bit-cleared");
                if drained && !self.connection.socket.holds_input() {
                    // Less than there was room for: nothing is left, and more
                    // will be announced. This saves the read that would only
                    // say `WouldBlock`.
                    self.connection.bits.clear(Bits::READABLE);
                }
                self.connection.bits.clear(Bits::STARVED);
                if self.active.input.is_empty() && !self.connection.http.head_begun() {
                    self.first_byte();
                }
                self.read_left -= count;
                self.active.received += count as u64;
                self.shared.stats.bytes_in.add(count as u64);
                self.accept_bytes(scratch.get(..count).unwrap_or(&[]));
                true
            }
            Err(error) => self.read_failed(&error),
        };
        self.shared.scratch = scratch;
        moved
    }

    /// The box may be kept from the last request on, while its reply goes out.
    fn first_byte(&mut self) {
        if matches!(self.active.phase, Phase::Head(_)) {
            self.active.begun = self.shared.tick;
        }
    }

    pub(super) fn read_failed(&mut self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::WouldBlock if mutant!("read-bit-kept") => {}
            io::ErrorKind::WouldBlock => self.connection.bits.clear(Bits::READABLE),
            io::ErrorKind::Interrupted => {}
            _ => {
                log::debug!("{}: cut while reading: {error}", self.connection.peer);
                self.connection.because(Close::Peer);
                self.die();
            }
        }
        false
    }

    /// Bytes straight from the socket: used where they lie if none are kept.
    fn accept_bytes(&mut self, bytes: &[u8]) {
        if self.active.input.is_empty() {
            let used = self.feed(bytes);
            if used < bytes.len() {
                self.active.input.extend_from_slice(bytes.get(used..).unwrap_or(&[]));
            }
        } else {
            self.active.input.extend_from_slice(bytes);
            self.feed_buffered();
        }
    }

    fn feed_buffered(&mut self) -> bool {
        let mut input = std::mem::take(&mut self.active.input);
        let phase = std::mem::discriminant(&self.active.phase);
        let requests = self.connection.requests;
        let used = self.feed(&input);
        input.drain(..used);
        if !input.is_empty() {
            self.active.input = input;
        }
        used > 0
            || self.connection.requests != requests
            || self.connection.bits.has(Bits::STARVED) // so a read may follow
            || std::mem::discriminant(&self.active.phase) != phase
    }

    /// Runs bytes through the protocol until they are used up or nobody wants
    /// them now; how many were used.
    fn feed(&mut self, input: &[u8]) -> usize {
        let mut rest = input;
        loop {
            // As long as they are whole and usual, one head after the other.
            while let Phase::Head(_) = self.active.phase {
                if rest.is_empty() || self.requests_left == 0 || !self.active.may_reply() {
                    return input.len() - rest.len();
                }
                let Phase::Head(exchange) = &mut self.active.phase else { break };
                let limits = &self.shared.config.limits;
                let http = &mut self.connection.http;
                match http.receive_whole(limits, rest, &mut exchange.request) {
                    Some(behind) => rest = behind,
                    None => break,
                }
                self.begin();
            }
            if !self.active.wants_input() {
                break;
            }
            let limits = &self.shared.config.limits;
            let http = &mut self.connection.http;
            let received = match &mut self.active.phase {
                Phase::Head(exchange) | Phase::Discard(exchange) => {
                    http.receive_part(limits, rest, &mut exchange.request)
                }
                Phase::Receive(receiving) => match &mut receiving.exchange {
                    Some(exchange) => http.receive_part(limits, rest, &mut exchange.request),
                    None => break,
                },
                _ => break,
            };
            let (used, event) = match received {
                Ok(received) => received,
                Err(fault) => {
                    self.fault(&fault);
                    return input.len(); // nothing behind a fault is looked at
                }
            };
            let before = rest;
            rest = before.get(used..).unwrap_or(&[]);
            match event {
                Event::Head => self.begin(),
                Event::Data(range) => self.content(before.get(range).unwrap_or(&[])),
                Event::End => self.content_complete(),
                Event::NeedMore => {
                    self.connection.bits.set(Bits::STARVED);
                    break;
                }
                Event::Paused => break,
                Event::Closed => {
                    self.end(Farewell::Linger);
                    return input.len();
                }
            }
        }
        input.len() - rest.len()
    }

    /// A piece of the request's content.
    fn content(&mut self, piece: &[u8]) {
        match &mut self.active.phase {
            Phase::Receive(receiving) => match receiving.take(piece) {
                Took::More => self.pass_chunk(),
                Took::Failed(refusal) => self.intake_failed(refusal),
            },
            // Nobody asked for it: the protocol counts it and says when it is
            // too much.
            Phase::Discard(_) => self.after_discard(),
            _ => {}
        }
    }

    /// The request's content is complete.
    pub(super) fn content_complete(&mut self) {
        match std::mem::take(&mut self.active.phase) {
            Phase::Receive(mut receiving) => {
                receiving.complete = true;
                match receiving.into {
                    Destination::Blocking { .. } => {
                        self.active.phase = Phase::Receive(receiving);
                        self.pass_chunk();
                    }
                    Destination::Inline(mut sink) => {
                        let Some(mut exchange) = receiving.exchange.take() else { return };
                        if let Err(error) =
                            super::errand::caught(|| sink.finish(&mut exchange.request))
                        {
                            exchange.refuse(Refusal::of(&error));
                        }
                        self.resume(exchange);
                    }
                    Destination::Buffer => {
                        if let Some(exchange) = receiving.exchange.take() {
                            self.resume(exchange);
                        }
                    }
                }
            }
            other => {
                self.active.phase = other;
                self.active.whole = true;
                self.after_discard();
            }
        }
    }

    /// The peer's end, now that everything before it has been used.
    fn end_of_input(&mut self) -> bool {
        match self.connection.http.receive_eof(self.active.input.len()) {
            Ok(Event::Closed) => {
                self.connection.because(Close::Peer);
                self.end(Farewell::AtOnce);
            }
            Ok(_) => return false,
            Err(fault) => {
                log::debug!("{}: {fault}", self.connection.peer);
                self.connection.because(Close::Peer);
                self.abandon();
                self.end(Farewell::AtOnce);
            }
        }
        true
    }

    /// Looks for the peer's end while an endless stream goes out to it; whether
    /// it was found. What comes before the end is kept, within a bound.
    pub(crate) fn watch(&mut self) -> bool {
        if !self.connection.bits.has(Bits::EOF) {
            let mut scratch = std::mem::take(&mut self.shared.scratch);
            let result = self.connection.socket.read(&mut scratch);
            match result {
                Ok(0) => self.connection.bits.set(Bits::EOF),
                Ok(count) => {
                    let bytes = scratch.get(..count).unwrap_or(&[]);
                    self.active.input.extend_from_slice(bytes);
                    self.connection.bits.clear(Bits::STARVED);
                }
                Err(error) => {
                    self.read_failed(&error);
                }
            }
            self.shared.scratch = scratch;
        }
        let ended = self.connection.bits.has(Bits::EOF);
        if ended {
            log::debug!("{}: the client has left its stream", self.connection.peer);
            self.connection.because(Close::Peer);
            self.die();
        }
        ended
    }

    /// The peer broke the protocol or a limit.
    pub(crate) fn fault(&mut self, fault: &Fault) {
        log::debug!("{}: refused: {fault}", self.connection.peer);
        self.shared.stats.faults.add(1);
        self.connection.because(Close::Fault);
        match std::mem::take(&mut self.active.phase) {
            Phase::Receive(receiving) => match (fault.status, self.give_up(*receiving)) {
                (Some(status), Some(exchange)) => self.fail(exchange, status),
                (_, exchange) => {
                    exchange.into_iter().for_each(|exchange| self.lost(exchange));
                    self.end(Farewell::AtOnce);
                }
            },
            other => {
                self.active.phase = other;
                self.refuse_head(fault);
            }
        }
    }

    /// The content can't be taken: the service is told, and answers.
    pub(crate) fn intake_failed(&mut self, refusal: Refusal) {
        if let Phase::Receive(receiving) = std::mem::take(&mut self.active.phase)
            && let Some(mut exchange) = self.give_up(*receiving)
        {
            let status = refusal.status;
            exchange.refuse(refusal);
            self.fail(exchange, status);
        }
    }

    /// No more content is wanted. A sink that may block in its drop is dropped
    /// by a helper; one that is away comes home and finds nobody.
    pub(crate) fn give_up(&mut self, receiving: Receiving) -> Option<Box<Exchange>> {
        if let Destination::Blocking { sink: Some(sink), .. } = receiving.into {
            // Only when the pool is gone it is dropped here.
            let _ = self.errand(Work::Discard(sink));
        }
        receiving.exchange
    }
}
