//! One session, between a TCP socket and whoever reads and writes plaintext.
//!
//! The rules are in the module's [theory of operation](super); the numbers below
//! are the places where they are kept.

use super::{CHUNK, with_scratch};
use crate::http::ClientCertificate;
use rustls::server::ServerConnection;
use rustls::{HandshakeKind, ServerConfig};
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::SendFlags;

/// Reads of one call that may bring nothing but a record's part, or no data.
const READS_MAX: usize = 8;

/// A session and what it owes.
#[derive(Debug)]
pub(super) struct Secure {
    pub(super) session: ServerConnection,
    pub(super) client: Option<ClientCertificate>,
    /// Bytes of plaintext that the session took and that are not counted as
    /// written yet.
    owed: usize,
    /// Bytes of plaintext that had no room.
    kept: usize,
    input: Input,
}

/// What is known of TCP's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// There may be more.
    Wet,
    /// The last read took all there was.
    Dry,
    /// The peer has ended, and the reader was not told yet.
    Ended,
}

/// Whether TCP took all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    All,
    Part,
}

impl Secure {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Secure, rustls::Error> {
        let mut session = ServerConnection::new(config)?;
        session.set_buffer_limit(Some(CHUNK));
        Ok(Secure { session, client: None, owed: 0, kept: 0, input: Input::Wet })
    }

    /// The handshake is over: keeps what is asked for later. Whether it continued
    /// an earlier session.
    pub(super) fn begin(&mut self) -> bool {
        self.client = self.session.peer_certificates().and_then(|chain| {
            ClientCertificate::new(chain.iter().map(|der| der.to_vec()).collect())
        });
        self.session.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn holds_input(&self) -> bool {
        self.kept > 0 || self.input != Input::Dry
    }

    pub(super) fn holds_output(&self) -> usize {
        self.owed
    }

    /// Reads plaintext; 0 is the end.
    pub(super) fn read(&mut self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        if self.kept > 0 {
            if self.input == Input::Dry {
                self.input = Input::Wet; // there may have been an edge since
            }
            return Ok(self.take(buffer));
        }
        if self.input == Input::Ended {
            return Ok(0);
        }
        with_scratch(|scratch| {
            let room = scratch.len().min(buffer.len()); // 2
            let scratch = scratch.get_mut(..room).unwrap_or(&mut []);
            for _ in 0..READS_MAX {
                match read(tcp, scratch) {
                    Ok(0) => self.input = Input::Ended,
                    Ok(count) => {
                        self.input = if count < room { Input::Dry } else { Input::Wet };
                        let count = self.feed(tcp, scratch.get(..count).unwrap_or(&[]), buffer)?;
                        if count > 0 {
                            return Ok(count);
                        }
                    }
                    Err(error) => return Err(error), // 1
                }
                if self.input == Input::Ended {
                    return Ok(0);
                }
            }
            Err(io::ErrorKind::Interrupted.into())
        })
    }

    /// Gives ciphertext to the session; how many bytes of plaintext went to the
    /// buffer. All of it is taken, unless it lies behind the peer's last word.
    ///
    /// # Errors
    /// `InvalidData`, around what the session says. The peer has been told, if TCP
    /// took it.
    pub(super) fn feed(
        &mut self,
        tcp: &TcpStream,
        mut bytes: &[u8],
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let mut count = 0;
        while !bytes.is_empty() {
            if self.session.read_tls(&mut bytes)? == 0 {
                break;
            }
            let state = self.session.process_new_packets().map_err(|error| {
                // What matters is the error; the alert may not fit.
                let _ = self.flush(tcp);
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            self.kept = state.plaintext_bytes_to_read();
            if state.peer_has_closed() {
                self.input = Input::Ended;
            }
            count += self.take(buffer.get_mut(count..).unwrap_or(&mut []));
        }
        if self.owed == 0 && self.session.wants_write() {
            self.flush(tcp)?; // an answer to a key update; if it doesn't fit: later
        }
        Ok(count)
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let mut count = 0;
        while self.kept > 0 && count < buffer.len() {
            let room = buffer.get_mut(count..).unwrap_or(&mut []);
            let Ok(some @ 1..) = self.session.reader().read(room) else { break };
            count += some;
            self.kept = self.kept.saturating_sub(some);
        }
        count
    }

    /// Sends ciphertext, as much as TCP takes; how many bytes that were.
    fn send(&mut self, tcp: &TcpStream, flags: SendFlags) -> io::Result<(usize, Flush)> {
        let mut raw = Raw { tcp, flags, full: false };
        let mut sent = 0;
        while self.session.wants_write() {
            match self.session.write_tls(&mut raw) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => raw.full = true,
                Err(error) => return Err(error),
            }
            if raw.full && self.session.wants_write() {
                return Ok((sent, Flush::Part));
            }
        }
        Ok((sent, Flush::All))
    }

    /// Sends what there is to send.
    pub(super) fn flush(&mut self, tcp: &TcpStream) -> io::Result<Flush> {
        Ok(self.send(tcp, SendFlags::NOSIGNAL)?.1)
    }

    /// Writes what `encrypt` gives to the session, unless bytes are owed from the
    /// last time: then those go first, and are what is counted.
    pub(super) fn write_with(
        &mut self,
        tcp: &TcpStream,
        flags: SendFlags,
        encrypt: impl FnOnce(&mut dyn Write) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.owed == 0 {
            // What is not the caller's: an answer to a key update.
            if self.session.wants_write() && self.flush(tcp)? == Flush::Part {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.owed = encrypt(&mut self.session.writer())?;
            if self.owed == 0 {
                return Ok(0);
            }
        }
        let (sent, flushed) = self.send(tcp, flags)?;
        let counted = match flushed {
            Flush::All => self.owed,
            Flush::Part => sent.min(self.owed - 1), // 4
        };
        self.owed -= counted;
        match counted {
            0 => Err(io::ErrorKind::WouldBlock.into()), // 3
            _ => Ok(counted),
        }
    }

    pub(super) fn write(
        &mut self,
        tcp: &TcpStream,
        flags: SendFlags,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let bytes = bytes.get(..CHUNK).unwrap_or(bytes);
        self.write_with(tcp, flags, |session| session.write(bytes))
    }

    pub(super) fn write_vectored(
        &mut self,
        tcp: &TcpStream,
        pieces: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.write_with(tcp, SendFlags::NOSIGNAL, |session| session.write_vectored(pieces))
    }

    /// Says that no more will come, if TCP takes it.
    pub(super) fn close(&mut self, tcp: &TcpStream) {
        self.session.send_close_notify();
        let _ = self.flush(tcp);
    }
}

/// A read, such that `WouldBlock` is TCP's own.
pub(super) fn read(tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(tcp, &mut *buffer) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// TCP, as the session writes to it; remembers whether it took less than there
/// was, which saves the call that would only say `WouldBlock`.
struct Raw<'a> {
    tcp: &'a TcpStream,
    flags: SendFlags,
    full: bool,
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let taken = match pieces {
            [one] => rustix::net::send(self.tcp, one, self.flags)?,
            _ => (&mut &*self.tcp).write_vectored(pieces)?,
        };
        self.full = taken < pieces.iter().map(|piece| piece.len()).sum();
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
