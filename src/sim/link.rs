//! A connection as two kernels see it: a buffer each way, ends, resets, edges.
//!
//! ```text
//!   client --(deliver)--> [ up, bounded ] --read--> server
//!   client <---(take)---- [down, bounded] <-write-- server
//! ```
//!
//! Readiness is told as an edge-triggered poll tells it. *In*: when bytes, the
//! end or a reset arrive. *Out*: when room appears after a write found none. An
//! edge makes the poll report once; what it reports is the state at that time,
//! all of it (as epoll) or the half that changed (as kqueue).

use super::rng::Rng;
use crate::net::Socket;
use crate::reactor::Bits;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// The state of one connection between client and server.
#[derive(Debug)]
pub(crate) struct Link {
    up: VecDeque<u8>,
    up_max: usize,
    down: VecDeque<u8>,
    down_max: usize,
    client: Side,
    server: Side,
    /// A write found no room: the poll owes an edge.
    starved_of_room: bool,
    /// Its new owner takes all that comes.
    handed_over: bool,
    edge_in: bool,
    edge_out: bool,
    /// The slot in which the server watches it.
    slot: Option<u32>,
    /// Something happened that the client may react to.
    pub(crate) stirred: bool,
    /// Calls of the server that moved something.
    pub(crate) moves: u64,
    mood: Mood,
    rng: Rng,
}

/// How far a side has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It may send.
    Open,
    /// It has said that it sends no more.
    Ended,
    /// It has closed: what is sent to it comes back as a reset.
    Closed,
    /// It has reset the connection.
    Reset,
}

/// How the kernel behaves on this connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mood {
    /// One call in so many does less than it could, or is interrupted.
    pub(crate) whims: usize,
    /// An event tells the whole state, not only what changed.
    pub(crate) tells_all: bool,
    pub(crate) up_max: usize,
    pub(crate) down_max: usize,
}

/// The client's half: what the network does.
impl Link {
    pub(crate) fn new(mood: Mood, rng: Rng) -> Link {
        Link {
            up: VecDeque::new(),
            up_max: mood.up_max,
            down: VecDeque::new(),
            down_max: mood.down_max,
            client: Side::Open,
            server: Side::Open,
            starved_of_room: false,
            handed_over: false,
            edge_in: false,
            edge_out: false,
            slot: None,
            stirred: false,
            moves: 0,
            mood,
            rng,
        }
    }

    /// Brings bytes to the server's buffer, as many as fit; how many.
    pub(crate) fn deliver(&mut self, bytes: &[u8]) -> usize {
        match self.server {
            Side::Open | Side::Ended => {}
            _ if self.handed_over => return bytes.len(),
            // They vanish, and a reset comes back.
            Side::Closed | Side::Reset => {
                self.reset_client();
                return bytes.len();
            }
        }
        let count = bytes.len().min(self.up_max - self.up.len());
        self.up.extend(bytes.iter().take(count));
        self.edge_in |= count > 0;
        count
    }

    /// Takes up to `max` bytes that the server sent; a reset destroys them.
    pub(crate) fn take(&mut self, max: usize) -> Vec<u8> {
        let count = max.min(self.down.len());
        let bytes: Vec<u8> = self.down.drain(..count).collect();
        // As Linux does, room is announced when there is a good deal of it.
        if self.starved_of_room && (self.down_max - self.down.len()) * 3 >= self.down_max {
            self.starved_of_room = false;
            self.edge_out = true;
        }
        bytes
    }

    pub(crate) fn holds_for_client(&self) -> usize {
        self.down.len()
    }

    /// How the server's side ended, once everything before it was taken.
    pub(crate) fn server_end(&self) -> Option<Side> {
        match self.server {
            Side::Open => None,
            Side::Reset => Some(Side::Reset),
            end => self.down.is_empty().then_some(end),
        }
    }

    /// The client sends no more.
    pub(crate) fn client_ends(&mut self) {
        if self.client == Side::Open {
            self.client = Side::Ended;
            self.edge_in = true;
        }
    }

    /// The client closes: bytes that it has not read make that a reset.
    pub(crate) fn client_closes(&mut self) {
        if !self.down.is_empty() {
            return self.client_resets();
        }
        self.client_ends();
        if self.client != Side::Reset {
            self.client = Side::Closed;
        }
    }

    pub(crate) fn client_resets(&mut self) {
        self.client = Side::Reset;
        self.up.clear();
        self.down.clear();
        self.edge_in = true;
        self.edge_out = true;
    }

    /// Nobody accepts it.
    pub(crate) fn refuse(&mut self) {
        self.reset_client();
    }

    fn reset_client(&mut self) {
        self.server = Side::Reset;
        self.down.clear();
        self.stirred = true;
    }
}

/// The server's half.
impl Link {
    pub(crate) fn watch(&mut self, slot: u32) {
        self.slot = Some(slot);
        self.edge_in = !self.up.is_empty() || self.client != Side::Open;
        self.edge_out = true;
    }

    pub(crate) fn unwatch(&mut self) {
        self.slot = None;
    }

    /// What the poll says about it now, if anything.
    pub(crate) fn event(&mut self) -> Option<(u32, Bits)> {
        let slot = self.slot?;
        if !self.edge_in && !self.edge_out {
            return None;
        }
        let ended = self.client != Side::Open;
        let reset = self.client == Side::Reset;
        let readable = !self.up.is_empty() || ended;
        let writable = self.down.len() * 3 <= self.down_max * 2 || reset;
        let all = self.mood.tells_all;
        let bits = Bits::NONE
            .with(Bits::READABLE, readable && (all || self.edge_in))
            .with(Bits::WRITABLE, writable && (all || self.edge_out))
            .with(Bits::HALF_CLOSED, ended && (all || self.edge_in))
            .with(Bits::GONE, reset || (ended && self.server != Side::Open));
        self.edge_in = false;
        self.edge_out = false;
        (bits != Bits::NONE).then_some((slot, bits))
    }

    /// Says that it is ready though it may not be, which a poll may do.
    pub(crate) fn rumour(&mut self) -> Option<(u32, Bits)> {
        let slot = self.slot?;
        let readable = self.rng.once_in(2);
        let writable = !readable || self.rng.once_in(2);
        let bits = Bits::NONE.with(Bits::READABLE, readable).with(Bits::WRITABLE, writable);
        Some((slot, bits))
    }

    fn whim(&mut self) -> bool {
        self.rng.once_in(self.mood.whims)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.client == Side::Reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.whim() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.up.is_empty() {
            return match self.client {
                Side::Open => Err(io::ErrorKind::WouldBlock.into()),
                _ => {
                    self.moves += 1;
                    Ok(0)
                }
            };
        }
        let mut count = buffer.len().min(self.up.len());
        if count > 1 && self.whim() {
            // The rest arrives at this moment: it is announced.
            count = self.rng.between(1, count - 1);
            self.edge_in = true;
        }
        for (place, byte) in buffer.iter_mut().zip(self.up.drain(..count)) {
            *place = byte;
        }
        self.moves += 1;
        self.stirred = true;
        Ok(count)
    }

    /// Copies what is there, all of it that fits, and leaves it.
    fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.client == Side::Reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.whim() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.up.is_empty() && self.client == Side::Open {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffer.iter_mut().zip(&self.up).for_each(|(place, byte)| *place = *byte);
        Ok(buffer.len().min(self.up.len()))
    }

    /// Takes what was looked at.
    fn skip(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.whim() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = buffer.len().min(self.up.len());
        buffer.iter_mut().zip(self.up.drain(..count)).for_each(|(place, byte)| *place = byte);
        self.moves += 1;
        self.stirred = true;
        Ok(count)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.client {
            Side::Reset => return Err(io::ErrorKind::BrokenPipe.into()),
            Side::Closed => {
                // Taken by our kernel; the answer to it is a reset.
                self.client_resets();
                return Ok(bytes.len());
            }
            Side::Open | Side::Ended => {}
        }
        if self.whim() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = self.down_max - self.down.len();
        let mut count = bytes.len().min(room);
        if count < bytes.len() {
            self.starved_of_room = true;
        } else if count > 1 && self.whim() {
            count = self.rng.between(1, count);
        }
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.down.extend(bytes.iter().take(count));
        self.moves += 1;
        self.stirred = true;
        Ok(count)
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Link { up, down, client, server, slot, .. } = self;
        let (up, down) = (up.len(), down.len());
        write!(f, "{client:?} -{up}-> slot {slot:?}, {client:?} <-{down}- {server:?}")
    }
}

/// The server's end of a scripted link.
#[derive(Debug)]
pub struct ScriptedSocket(pub(crate) Rc<RefCell<Link>>);

impl Socket for ScriptedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }

    fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().peek(buffer)
    }

    fn skip(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().skip(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        self.0.borrow_mut().write(&all)
    }

    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        let mut bytes = vec![0; len.min(256 * 1024)];
        let count = file.read_at(&mut bytes, offset)?;
        self.0.borrow_mut().write(bytes.get(..count).unwrap_or(&[]))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        let mut link = self.0.borrow_mut();
        if link.client == Side::Reset {
            return Err(io::ErrorKind::NotConnected.into());
        }
        link.server = Side::Ended;
        link.stirred = true;
        link.moves += 1;
        Ok(())
    }

    /// Its new owner reads what is there, and ends the connection in order.
    fn into_fd(self) -> Option<OwnedFd> {
        let mut link = self.0.borrow_mut();
        link.handed_over = true;
        link.up.clear();
        drop(link);
        File::open("/dev/null").ok().map(OwnedFd::from)
    }
}

impl Drop for ScriptedSocket {
    /// Closing with bytes unread is a reset, and it eats what the client has
    /// not read yet.
    fn drop(&mut self) {
        let mut link = self.0.borrow_mut();
        log::trace!("closed: {link}");
        link.slot = None;
        link.moves += 1;
        link.stirred = true;
        if link.up.is_empty() {
            link.server = Side::Closed;
        } else {
            link.up.clear();
            link.reset_client();
        }
    }
}
