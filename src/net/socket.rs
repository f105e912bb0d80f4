//! A client's socket, whatever its kind.

#[cfg(feature = "tls")]
use super::tls::TlsStream;
use super::{Handshake, HandshakeError, Socket};
use crate::http::ClientCertificate;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use rustix::net::{RecvFlags, SendFlags};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;

/// A connected socket.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// Over TCP.
    Tcp(mio::net::TcpStream),
    /// Over a Unix socket.
    Unix(mio::net::UnixStream),
    /// Over TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl Socket for Stream {
    /// Straight to the system: the C library's wrappers are cancellation points,
    /// which costs more than all the rest of a call's user part.
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => Ok(rustix::io::read(stream, buffer)?),
            Stream::Unix(stream) => Ok(rustix::io::read(stream, buffer)?),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.read(buffer),
        }
    }

    fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let flags = RecvFlags::PEEK;
        match self {
            Stream::Tcp(stream) => Ok(rustix::net::recv(stream, buffer, flags)?.0),
            Stream::Unix(stream) => Ok(rustix::net::recv(stream, buffer, flags)?.0),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.peek(buffer),
        }
    }

    fn skip(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => Ok(rustix::io::read(stream, buffer)?),
            Stream::Unix(stream) => Ok(rustix::io::read(stream, buffer)?),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.skip(buffer),
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?),
            Stream::Unix(stream) => Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.write(bytes, SendFlags::NOSIGNAL),
        }
    }

    #[cfg(target_os = "linux")]
    fn write_before_file(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A segment of its own for a head costs both ends as much as a large one.
        // If the file doesn't come after all, what was held back leaves within
        // 200 ms.
        let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
        match self {
            Stream::Tcp(stream) => Ok(rustix::net::send(stream, bytes, flags)?),
            Stream::Unix(stream) => Ok(rustix::net::send(stream, bytes, flags)?),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.write(bytes, flags),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write_vectored(pieces),
            Stream::Unix(stream) => stream.write_vectored(pieces),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.write_vectored(pieces),
        }
    }

    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => super::span::send(stream, file, offset, len),
            Stream::Unix(stream) => super::span::send(stream, file, offset, len),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.send_file(file, offset, len),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_ahead(&mut self, bytes: u32) -> Option<u32> {
        match self {
            Stream::Tcp(stream) => ahead(stream, bytes),
            Stream::Unix(_) => None,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => ahead(tls.tcp(), bytes),
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.shutdown_write(),
        }
    }

    #[inline]
    fn holds_input(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.holds_input(),
        }
    }

    #[inline]
    fn holds_output(&self) -> usize {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => 0,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.holds_output(),
        }
    }

    #[inline]
    fn is_handshaking(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.is_handshaking(),
        }
    }

    fn handshake(&mut self) -> Result<Handshake, HandshakeError> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => Ok(Handshake::Done { resumed: false }),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.handshake(),
        }
    }

    #[inline]
    fn is_secure(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.is_secure(),
        }
    }

    #[inline]
    fn client_certificate(&self) -> Option<&ClientCertificate> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => None,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.client_certificate(),
        }
    }

    fn farewell(&mut self) {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => {}
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.farewell(),
        }
    }

    fn into_fd(self) -> Option<OwnedFd> {
        match self {
            Stream::Tcp(stream) => Some(std::net::TcpStream::from(stream).into()),
            Stream::Unix(stream) => Some(std::os::unix::net::UnixStream::from(stream).into()),
            #[cfg(feature = "tls")]
            Stream::Tls(_) => None,
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn ahead(stream: &mio::net::TcpStream, bytes: u32) -> Option<u32> {
    let socket = socket2::SockRef::from(stream);
    let former = socket.tcp_notsent_lowat().ok()?;
    socket.set_tcp_notsent_lowat(bytes).ok().map(|()| former)
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, ways: Interest) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.register(registry, token, ways),
            Stream::Unix(stream) => stream.register(registry, token, ways),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.tcp().register(registry, token, ways),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, ways: Interest) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.reregister(registry, token, ways),
            Stream::Unix(stream) => stream.reregister(registry, token, ways),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.tcp().reregister(registry, token, ways),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.deregister(registry),
            Stream::Unix(stream) => stream.deregister(registry),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.tcp().deregister(registry),
        }
    }
}
