//! Sockets, as the reactor sees them: bytes in, bytes out, never waiting.
//!
//! Nothing here knows HTTP, and nothing waits: every socket is nonblocking, and
//! what can't be done now is `WouldBlock`. The reactor speaks to the [`Socket`]
//! trait only; [`Stream`] is its real form, and `span` sends parts of files.
//!
//! ```text
//!   Listener --accept--> Stream : Socket    read, write, write_vectored
//!   TCP, Unix            TCP, Unix          send_file --> span: sendfile
//!   (its options are                        shutdown_write
//!    inherited)                             peek, skip: preamble (PROXY protocol)
//!      '--> handover: to another process
//! ```

pub mod handover;
mod listener;
mod options;
pub(crate) mod preamble;
mod socket;
mod span;
#[cfg(feature = "tls")]
pub mod tls;
mod unix;

pub use listener::Listener;
pub use options::{Probes, SocketOptions};
pub use socket::Stream;
pub(crate) use span::{Residents, was_rewritten};

use crate::http::ClientCertificate;
use crate::stats::HandshakeFailure;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

/// One client's byte stream, nonblocking: what can't be done at once is
/// [`WouldBlock`](io::ErrorKind::WouldBlock).
///
/// A seam: real sockets implement it, and so does the simulator's scripted
/// twin, so that the same connection code runs over both.
pub trait Socket {
    /// Reads what is there, up to the buffer's length. 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; else the connection is broken.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Looks at what is there without taking it, below whatever encrypts it: for
    /// what stands in front of the stream proper, a PROXY header.
    ///
    /// # Errors
    /// As [`read`](Socket::read); `Unsupported` where there is no such thing.
    fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _ = buffer;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes as much of what was looked at by [`peek`](Socket::peek) as the buffer
    /// holds.
    ///
    /// # Errors
    /// As [`peek`](Socket::peek).
    fn skip(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _ = buffer;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Writes as much as fits. What was not taken must be offered again, as it
    /// is, before anything else: a socket may have worked on it already (TLS).
    ///
    /// # Errors
    /// `WouldBlock` when nothing fits; else the connection is broken.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes as much as fits, of what a file follows at once: so that both can
    /// leave together.
    ///
    /// # Errors
    /// As [`write`](Socket::write).
    fn write_before_file(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    /// Writes several pieces, as much as fits.
    ///
    /// # Errors
    /// As [`write`](Socket::write).
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends `len` bytes of a file from `offset` on, as much as fits; 0 is the
    /// end of the file. It may wait for the disk, so the
    /// loop asks `World::is_resident` before.
    ///
    /// # Errors
    /// As [`write`](Socket::write), and what reading the file may give.
    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize>;

    /// Sets how many bytes the kernel may hold that were not sent yet before the
    /// socket counts as full, and gives what it was. `None` where that can't be
    /// set.
    fn set_ahead(&mut self, _bytes: u32) -> Option<u32> {
        None
    }

    /// Says to the peer that no more will come (a half-close): it can still send.
    ///
    /// # Errors
    /// Whatever the system says; the connection is over then.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Whether there is more to read that the poll can't announce: bytes inside
    /// the socket (decrypted TLS), or some that the last read left where they were.
    fn holds_input(&self) -> bool {
        false
    }

    /// Bytes of output in memory that were not counted as taken.
    fn holds_output(&self) -> usize {
        0
    }

    /// Whether something must be agreed upon before the first byte.
    fn is_handshaking(&self) -> bool {
        false
    }

    /// Goes on with the agreement, as far as that is possible now.
    ///
    /// # Errors
    /// [`HandshakeError`]: there will be none. The peer has been told why, if
    /// there is a way to; [`shutdown_write`](Socket::shutdown_write) and reading
    /// into the void work, for that to arrive.
    fn handshake(&mut self) -> Result<Handshake, HandshakeError> {
        Ok(Handshake::Done { resumed: false })
    }

    /// Whether nobody between the peer and us can read along.
    fn is_secure(&self) -> bool {
        false
    }

    /// What the peer has proved about itself.
    fn client_certificate(&self) -> Option<&ClientCertificate> {
        None
    }

    /// Says that what was sent is complete, as far as that can be said at once:
    /// the socket is closed next.
    fn farewell(&mut self) {}

    /// The bare descriptor, for a connection that leaves HTTP. `None` where
    /// there is none, as under TLS.
    fn into_fd(self) -> Option<OwnedFd>;
}

/// How far a handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// It is over: bytes can be read and written.
    Done {
        /// Whether an earlier one was continued, which is cheaper.
        resumed: bool,
    },
    /// It goes on when there is something to read.
    WantsRead,
    /// It goes on when there is room to write.
    WantsWrite,
    /// It could go on at once, but others shall have their turn.
    Again,
    /// The peer speaks without one. It can be told so: the socket is open, and
    /// what it said is gone.
    Plain,
}

/// Why there was no agreement.
#[derive(Debug)]
pub struct HandshakeError {
    /// What it is counted as.
    pub reason: HandshakeFailure,
    /// For the log.
    pub source: io::Error,
}
