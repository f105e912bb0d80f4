//! Listening sockets, with the options that accepted ones inherit.

use super::Stream;
use crate::http::Peer;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Clients that may wait in the kernel's queue; it caps this at
/// `net.core.somaxconn` (4,096 on Linux). A short queue drops connection
/// attempts in a burst, and each costs its client a second.
const BACKLOG: i32 = 4096;
/// Bytes of ours that the kernel holds back before it says that a socket is
/// writable again. Without it a slow reader's progress is only seen in steps of
/// the send buffer, megabytes at a time, and looks stalled between them.
const NOTSENT_LOWAT: u32 = 128 * 1024;

/// A client that is gone without a word (its machine lost power) is noticed even
/// where nothing is sent to it and nothing is expected of it, as while a stream
/// is pending: after two minutes.
const PROBES: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);

/// A socket that takes clients.
#[derive(Debug)]
pub struct Listener {
    inner: mio::net::TcpListener,
}

impl Listener {
    /// Listens on this address; port 0 lets the system choose. On `[::]` IPv4
    /// clients are taken as well, whatever the system's own default is.
    ///
    /// `SO_REUSEADDR` is set, so that a restarted server gets its port back at
    /// once; so is `TCP_NODELAY`, inherited by every accepted socket: replies
    /// are written whole, and waiting to join them with later ones only delays.
    ///
    /// # Errors
    /// As the system says: address in use, not available, permission denied.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        Listener::with(address, false)
    }

    /// As [`bind`](Listener::bind), but IPv4 clients are left to others: for
    /// `[::]` beside a `0.0.0.0` with the same port.
    ///
    /// # Errors
    /// As [`bind`](Listener::bind).
    pub fn bind_only_v6(address: SocketAddr) -> io::Result<Listener> {
        Listener::with(address, true)
    }

    fn with(address: SocketAddr, only_v6: bool) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(only_v6)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(&PROBES)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = std::net::TcpListener::from(std::os::fd::OwnedFd::from(socket));
        Ok(Listener { inner: mio::net::TcpListener::from_std(listener) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Takes the next client off the queue.
    ///
    /// # Errors
    /// `WouldBlock` when nobody waits; else as the system says.
    pub fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (stream, mut address) = self.inner.accept()?;
        // An IPv4 client of `[::]` is the same as one of `0.0.0.0`: for logs,
        // and for whoever counts by address.
        if let SocketAddr::V6(v6) = address
            && let Some(v4) = v6.ip().to_ipv4_mapped()
        {
            address = SocketAddr::from((v4, v6.port()));
        }
        Ok((Stream::Tcp(stream), Peer::Tcp(address)))
    }
}

impl Source for Listener {
    fn register(&mut self, registry: &Registry, token: Token, ways: Interest) -> io::Result<()> {
        self.inner.register(registry, token, ways)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, ways: Interest) -> io::Result<()> {
        self.inner.reregister(registry, token, ways)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.inner.deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    /// A stream that is pending has no deadline: this is what ends it.
    #[test]
    fn accepted_sockets_are_probed() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let Stream::Tcp(accepted) = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        };
        let socket = SockRef::from(&accepted);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
        assert!(socket.tcp_nodelay().unwrap());
    }
}
