//! A connection is driven: opened, written, read, and what came is judged.

use super::client::{Client, Flight, Link, Reply};
use super::response::{Event, Head};
use super::socket::Socket;
use super::tally::ErrorKind;
use super::worker::Worker;
use mio::Token;
use std::io;

/// Reads of one connection in a turn; then others have theirs.
const READS_MAX: usize = 16;
/// Small requests are joined up to this, so that they leave in one call.
const JOIN_MAX: usize = 64 * 1024;
/// The first wait after a failed attempt to connect; it doubles up to 64 times.
const BACKOFF_NS: u64 = 10_000_000;

/// Whether a connection is still of use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Yes,
    No,
}

impl Worker<'_> {
    /// Makes the connection, for whatever is in its flight.
    pub(crate) fn open(&mut self, at: usize, now: u64) {
        let Some(client) = self.clients.get_mut(at) else { return };
        let Some(origin) = self.job.origins.get(usize::from(client.origin)) else { return };
        let made = Socket::connect(&origin.address).and_then(|mut socket| {
            socket.watch(self.poll.registry(), Token(at))?;
            Ok(socket)
        });
        match made {
            Ok(socket) => {
                client.link = Link::Connecting(socket);
                client.since = now;
                self.arm(at);
            }
            Err(error) => self.unconnected(at, &error, now),
        }
    }

    /// The poll has news of a connection.
    pub(crate) fn event(&mut self, at: usize, event: &mio::event::Event) {
        let now = self.now();
        let Some(client) = self.clients.get_mut(at) else { return };
        match &mut client.link {
            Link::Shut | Link::Wait => {}
            Link::Connecting(socket) => match socket.ready() {
                Ok(true) => self.connected(at, now),
                Ok(false) if event.is_error() => {
                    self.unconnected(at, &io::ErrorKind::Other.into(), now);
                }
                Ok(false) => {}
                Err(error) => self.unconnected(at, &error, now),
            },
            Link::Open(_) | Link::Leaving(_) => {
                if event.is_readable() || event.is_read_closed() {
                    self.read(at, event.is_read_closed());
                }
                let unsent = self.clients.get(at).is_some_and(Client::has_unsent);
                if event.is_writable() && unsent {
                    self.flush(at, now);
                }
            }
        }
    }

    fn connected(&mut self, at: usize, now: u64) {
        let Some(client) = self.clients.get_mut(at) else { return };
        let Link::Connecting(socket) = std::mem::replace(&mut client.link, Link::Shut) else {
            return;
        };
        client.link = Link::Open(socket);
        client.failures = 0;
        let took = now.saturating_sub(client.since);
        client.since = now;
        self.tally.connect.saturating_record(took);
        self.settle(at, true);
        self.refill(at, now);
        self.arm(at);
    }

    /// Gives the connection what to do, if there is something, and writes it.
    pub(crate) fn refill(&mut self, at: usize, now: u64) {
        self.fill(at, now);
        if self.clients.get(at).is_some_and(|client| client.has_unsent() && client.is_open()) {
            self.flush(at, now);
        }
    }

    /// Writes what is in the flight and not written, as much as fits.
    pub(crate) fn flush(&mut self, at: usize, now: u64) {
        while let Some(client) = self.clients.get_mut(at) {
            let Link::Open(socket) = &mut client.link else { return };
            let request = |flight: &Flight| match self.job.targets.get(usize::from(flight.target)) {
                Some(target) => target.request.as_slice(),
                None => &[],
            };
            let mut unsent = client.flight.range_mut(client.written..);
            let Some(first) = unsent.next() else { return };
            if client.offset == 0 {
                first.sent = now;
            }
            let mut bytes = request(first).get(client.offset..).unwrap_or(&[]);
            if client.written + 1 < client.flight.len() && bytes.len() < JOIN_MAX {
                self.joined.clear();
                self.joined.extend_from_slice(bytes);
                for flight in client.flight.range_mut(client.written + 1..) {
                    if self.joined.len() >= JOIN_MAX {
                        break;
                    }
                    flight.sent = now;
                    self.joined.extend_from_slice(request(flight));
                }
                bytes = &self.joined;
            }
            match socket.write(bytes) {
                Ok(count) => {
                    self.tally.sent_bytes += count as u64;
                    client.offset += count;
                    while let Some(flight) = client.flight.get(client.written) {
                        let len = request(flight).len();
                        if client.offset < len {
                            break;
                        }
                        client.offset -= len;
                        client.written += 1;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The reply that says why may lie in the socket.
                Err(error) => {
                    self.read(at, true);
                    if self.clients.get(at).is_some_and(Client::is_open) {
                        self.lost(at, ErrorKind::of(&error));
                    }
                    return;
                }
            }
        }
    }

    /// Reads what is there; `ended` if the end is behind it.
    pub(crate) fn read(&mut self, at: usize, ended: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let again = self.read_into(at, ended, &mut buffer);
        self.buffer = buffer;
        if again {
            self.again.push(at);
        }
        let now = self.last_now;
        if self.clients.get(at).is_some_and(Client::is_open) {
            self.refill(at, now);
        }
    }

    /// Whether there may be more.
    fn read_into(&mut self, at: usize, ended: bool, buffer: &mut [u8]) -> bool {
        for _ in 0..READS_MAX {
            let Some(client) = self.clients.get_mut(at) else { return false };
            let (Link::Open(socket) | Link::Leaving(socket)) = &mut client.link else {
                return false;
            };
            match socket.read(buffer) {
                Ok(0) => {
                    self.ended(at);
                    return false;
                }
                Ok(count) => {
                    let now = self.now();
                    self.tally.received_bytes += count as u64;
                    self.tally.slice.received_bytes += count as u64;
                    let input = buffer.get(..count).unwrap_or(&[]);
                    if self.digest(at, input, now) == Use::No {
                        return false;
                    }
                    // A read that doesn't fill the buffer has drained the socket.
                    if count < buffer.len() && !ended {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.lost(at, ErrorKind::of(&error));
                    return false;
                }
            }
        }
        true
    }

    /// Judges what came.
    fn digest(&mut self, at: usize, input: &[u8], now: u64) -> Use {
        let mut rest = input;
        while let Some(client) = self.clients.get_mut(at) {
            if matches!(client.link, Link::Leaving(_)) {
                return Use::Yes; // what is behind the last reply is of no interest
            }
            if client.flight.is_empty() && !rest.is_empty() {
                self.failed(ErrorKind::Malformed, self.in_window(now)); // nobody asked
                self.lost(at, ErrorKind::Malformed);
                return Use::No;
            }
            let (taken, event) = match client.parser.take(rest, self.job.asked) {
                Ok(taken) => taken,
                Err(fault) => {
                    log::debug!("a reply is malformed: {fault}");
                    self.lost(at, ErrorKind::Malformed);
                    return Use::No;
                }
            };
            let (these, behind) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            rest = behind;
            match event {
                Event::More if rest.is_empty() => return Use::Yes,
                Event::More => {}
                Event::Head(Head { status, close }) => {
                    client.reply = Reply { status, close, length: 0, differs: false };
                }
                Event::Content(len) => {
                    if let Some(expected) = &self.job.plan.expect.body {
                        let content = these.get(these.len().saturating_sub(len)..);
                        client.reply.differs |= content != part(expected, client.reply.length, len);
                    }
                    client.reply.length += len as u64;
                }
                Event::End => {
                    if self.complete(at, now) == Use::No {
                        return Use::No;
                    }
                    if rest.is_empty() {
                        return Use::Yes;
                    }
                }
            }
        }
        Use::No
    }

    /// A reply is complete.
    fn complete(&mut self, at: usize, now: u64) -> Use {
        let connect_each = self.job.plan.connect_each;
        let Some(client) = self.clients.get_mut(at) else { return Use::No };
        let Some(flight) = client.flight.pop_front() else { return Use::No };
        let reply = std::mem::take(&mut client.reply);
        // Answered before it was sent whole: what follows would be taken for more of it.
        let early = client.written == 0;
        client.written = client.written.saturating_sub(1);
        self.in_flight -= 1;
        self.judge(flight, reply, now);
        let Some(client) = self.clients.get_mut(at) else { return Use::No };
        if !(reply.close || connect_each || early) {
            return Use::Yes;
        }
        self.tally.resent += client.written as u64;
        client.written = 0;
        client.offset = 0;
        if !reply.close {
            client.shut();
            self.reopen(at, now);
            return Use::No;
        }
        if let Link::Open(socket) = std::mem::replace(&mut client.link, Link::Shut) {
            client.link = Link::Leaving(socket);
            client.since = now;
            self.arm(at);
        }
        Use::Yes
    }

    /// Success or error: a reply that is not as expected is never a success.
    fn judge(&mut self, flight: Flight, reply: Reply, now: u64) {
        let expect = &self.job.plan.expect;
        let whole = |expected: &Vec<u8>| expected.len() as u64 == reply.length && !reply.differs;
        let counted = self.is_counted(flight.intended);
        if counted {
            self.tally.status(reply.status);
        }
        if !expect.has_status(reply.status) {
            self.failed(ErrorKind::Status, counted);
        } else if !expect.body.as_ref().is_none_or(whole)
            || expect.length.is_some_and(|length| length != reply.length)
        {
            self.failed(ErrorKind::Body, counted);
        } else {
            self.tally.slice.ok += 1;
            let response = now.saturating_sub(flight.intended);
            self.tally.slice.response.saturating_record(response);
            self.tally.in_window += u64::from(self.in_window(now));
            if counted {
                self.tally.success(flight.intended, flight.sent, now);
            }
        }
    }

    fn failed(&mut self, kind: ErrorKind, counted: bool) {
        self.tally.slice.errors += 1;
        if counted {
            self.tally.error(kind);
        }
    }

    /// The server has ended the connection.
    fn ended(&mut self, at: usize) {
        let now = self.now();
        let Some(client) = self.clients.get_mut(at) else { return };
        if matches!(client.link, Link::Leaving(_)) {
            client.shut();
            self.reopen(at, now);
            return;
        }
        if client.flight.is_empty() && client.parser.is_idle() {
            client.shut();
            self.tally.reconnects += 1;
            self.reopen(at, now);
            return;
        }
        let idle = client.parser.is_idle();
        if client.parser.end() {
            // A reply without a length ends like this, and said `close`.
            self.complete(at, now);
            if let Some(client) = self.clients.get_mut(at) {
                client.shut();
            }
            self.reopen(at, now);
            return;
        }
        self.lost(at, if idle { ErrorKind::Closed } else { ErrorKind::Short });
    }

    /// The connection is lost, and all that was under way on it.
    pub(crate) fn lost(&mut self, at: usize, kind: ErrorKind) {
        let now = self.now();
        self.give_up(at, kind);
        self.reopen(at, now);
    }

    /// It could not be made: again a little later.
    pub(crate) fn unconnected(&mut self, at: usize, error: &io::Error, now: u64) {
        let kind = ErrorKind::of_connect(error);
        let Some(client) = self.clients.get_mut(at) else { return };
        if client.flight.is_empty() {
            self.tally.connect_failures += 1; // nobody's request
            self.shared.first_failure(usize::from(client.origin), error);
        }
        let wait = BACKOFF_NS << client.failures.min(6);
        client.failures = client.failures.saturating_add(1);
        self.give_up(at, kind);
        let Some(client) = self.clients.get_mut(at) else { return };
        client.link = Link::Wait;
        client.since = now + wait;
        self.settle(at, false);
        self.arm(at);
    }

    fn give_up(&mut self, at: usize, kind: ErrorKind) {
        let Some(client) = self.clients.get_mut(at) else { return };
        client.shut();
        let flight = std::mem::take(&mut client.flight);
        self.in_flight -= flight.len();
        for flight in flight {
            self.failed(kind, self.is_counted(flight.intended));
        }
    }
}

/// `len` bytes of what is expected, from `from` on.
fn part(expected: &[u8], from: u64, len: usize) -> Option<&[u8]> {
    let from = usize::try_from(from).ok()?;
    expected.get(from..from.checked_add(len)?)
}
