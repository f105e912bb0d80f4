//! A connection to the server, whatever its kind: nonblocking bytes in and out.
//!
//! The seam for TLS: one more variant, whose handshake goes on in [`Socket::ready`].

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::net::SendFlags;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where to connect to, found out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A connection that is made or under way.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Begins to connect; the poll says when it is done.
    pub(crate) fn connect(address: &Address) -> io::Result<Socket> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(*address)?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            Address::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path)?)),
        }
    }

    /// As [`connect`](Socket::connect), with the least receive buffer that the
    /// system gives: who reads slowly must not hide it.
    pub(crate) fn connect_narrow(address: &Address) -> io::Result<Socket> {
        let Address::Tcp(address) = address else { return Socket::connect(address) };
        let domain = socket2::Domain::for_address(*address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.set_recv_buffer_size(4096)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&(*address).into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error),
            _ => {}
        }
        Ok(Socket::Tcp(TcpStream::from_std(socket.into())))
    }

    /// Whether it is connected; asked when the poll says that it is writable.
    ///
    /// # Errors
    /// Why it will never be.
    pub(crate) fn ready(&mut self) -> io::Result<bool> {
        let (error, peer) = match self {
            Socket::Tcp(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
            Socket::Unix(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
        };
        match (error, peer) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(true),
            (None, Err(error)) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            (None, Err(error)) => Err(error),
        }
    }

    /// Reads what is there; 0 is the end. If it is less than asked for, there was no
    /// more: a variant that can't promise that must read on by itself.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(match self {
            Socket::Tcp(stream) => rustix::io::read(stream, buffer)?,
            Socket::Unix(stream) => rustix::io::read(stream, buffer)?,
        })
    }

    /// Writes what fits.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(match self {
            Socket::Tcp(stream) => rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?,
            Socket::Unix(stream) => rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?,
        })
    }

    /// Has the poll watch it, edge-triggered.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let ways = Interest::READABLE | Interest::WRITABLE;
        match self {
            Socket::Tcp(stream) => stream.register(registry, token, ways),
            Socket::Unix(stream) => stream.register(registry, token, ways),
        }
    }
}

/// What a nonblocking connect says when it has begun.
const EINPROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
