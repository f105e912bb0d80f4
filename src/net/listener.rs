//! Listening sockets, with the options that accepted ones inherit.

use super::unix::{self, SocketFile};
use super::{SocketOptions, Stream};
use crate::http::Peer;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// A socket that takes clients.
#[derive(Debug)]
pub struct Listener {
    inner: Inner,
    /// What it was bound with, or set to; none for a socket that others have bound.
    options: Option<SocketOptions>,
    /// What its clients' handshakes go by, if they have any.
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Current>,
}

#[derive(Debug)]
enum Inner {
    Tcp(mio::net::TcpListener),
    /// With the file to be removed in the end, if it is ours.
    Unix(mio::net::UnixListener, Option<Arc<SocketFile>>),
}

impl Listener {
    /// Listens on this address; port 0 lets the system choose. On `[::]` IPv4
    /// clients are taken as well, whatever the system's own default is.
    ///
    /// `SO_REUSEADDR` is set, so that a restarted server gets its port back at
    /// once; for the rest see [`SocketOptions`].
    ///
    /// # Errors
    /// As the system says: address in use, not available, permission denied.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        Listener::with(address, false, &SocketOptions::default())
    }

    /// As [`bind`](Listener::bind), but IPv4 clients are left to others: for
    /// `[::]` beside a `0.0.0.0` with the same port.
    ///
    /// # Errors
    /// As [`bind`](Listener::bind).
    pub fn bind_only_v6(address: SocketAddr) -> io::Result<Listener> {
        Listener::with(address, true, &SocketOptions::default())
    }

    /// As [`bind`](Listener::bind), with these options.
    ///
    /// # Errors
    /// As [`bind`](Listener::bind).
    pub fn with(
        address: SocketAddr,
        only_v6: bool,
        options: &SocketOptions,
    ) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(only_v6)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(options.reuse_port)?;
        socket.set_nonblocking(true)?;
        options.set_tcp(&socket)?;
        socket.bind(&address.into())?;
        options.listen(&socket)?;
        Ok(Listener { options: Some(options.clone()), ..Listener::of_tcp(socket.into()) })
    }

    /// Listens on a Unix socket: a path, or `@name` for an abstract name, which
    /// only Linux has. Clients of it are [`Peer::Unix`].
    ///
    /// A socket that a server left behind which is gone is replaced; one where
    /// somebody listens is in use, and any other file of that name is in the way.
    /// The file is removed when the listener is dropped, if it is still its own.
    ///
    /// # Errors
    /// As the system says; a path may have about 107 bytes.
    pub fn unix(name: impl AsRef<Path>, options: &SocketOptions) -> io::Result<Listener> {
        let (socket, file) = unix::listen(name.as_ref(), options)?;
        Ok(Listener::of_unix(socket, file.map(Arc::new)))
    }

    /// Takes a socket that another program has made and listens on: TCP or Unix.
    /// It gets the usual [`SocketOptions`], but for the backlog, which is that
    /// program's, as is its file, if it has one.
    ///
    /// # Errors
    /// If it is no socket, or none that takes stream connections.
    ///
    /// ```
    /// use onepoll::net::Listener;
    /// let made = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// assert!(Listener::inherit(made.into()).is_ok());
    /// let file = std::fs::File::open("/dev/null").unwrap();
    /// assert_eq!(Listener::inherit(file.into()).unwrap_err().to_string(), "it is no socket");
    /// ```
    pub fn inherit(socket: OwnedFd) -> io::Result<Listener> {
        let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
        let it = SockRef::from(&socket);
        let kind = it.r#type().map_err(|_| wrong("it is no socket"))?;
        if kind != Type::STREAM {
            return Err(wrong("it is a socket, but not of streams"));
        }
        if !it.is_listener()? {
            return Err(wrong("it is a socket on which nobody listens"));
        }
        let domain = it.domain()?;
        it.set_nonblocking(true)?;
        match domain {
            Domain::IPV4 | Domain::IPV6 => {
                SocketOptions::default().set_tcp(&socket)?;
                Ok(Listener::of_tcp(socket))
            }
            Domain::UNIX => Ok(Listener::of_unix(socket, None)),
            _ => Err(wrong("it is a socket, but neither of TCP nor of Unix")),
        }
    }

    fn of_tcp(socket: OwnedFd) -> Listener {
        let listener = std::net::TcpListener::from(socket);
        Listener::new(Inner::Tcp(mio::net::TcpListener::from_std(listener)))
    }

    fn of_unix(socket: OwnedFd, file: Option<Arc<SocketFile>>) -> Listener {
        let listener = std::os::unix::net::UnixListener::from(socket);
        Listener::new(Inner::Unix(mio::net::UnixListener::from_std(listener), file))
    }

    fn new(inner: Inner) -> Listener {
        Listener {
            inner,
            options: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Its clients speak TLS; those of Unix sockets don't.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: &super::tls::Tls) -> Listener {
        Listener { tls: Some(super::tls::Current::new(tls)), ..self }
    }

    /// Whether its clients speak TLS.
    pub fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Changes the options of a socket that listens already, but for the mode of a
    /// file and `reuse_port`. Accepted sockets keep what they have.
    ///
    /// # Errors
    /// As the system says.
    pub fn set(&mut self, options: &SocketOptions) -> io::Result<()> {
        match &self.inner {
            Inner::Tcp(listener) => {
                options.set_tcp(listener)?;
                options.listen(listener)?;
            }
            Inner::Unix(listener, _) => options.listen(listener)?,
        }
        if let Some(own) = &mut self.options {
            own.clone_from(options);
        }
        Ok(())
    }

    /// The same socket once more, to be [handed over](super::handover) while the first
    /// one serves. Clients can come as long as either of them is there, and wait for
    /// whoever accepts.
    ///
    /// # Errors
    /// As the system says: no descriptor left.
    pub fn try_clone(&self) -> io::Result<Listener> {
        let socket = self.as_fd().try_clone_to_owned()?;
        Ok(self.likewise(match &self.inner {
            Inner::Tcp(_) => Listener::of_tcp(socket),
            Inner::Unix(_, file) => Listener::of_unix(socket, file.clone()),
        }))
    }

    /// One more on the same address, for another loop of this process, with the same
    /// options. With TCP it has a queue of its own, and the system spreads clients
    /// over all of them (`SO_REUSEPORT`). A Unix socket, and one that was
    /// [inherited](Listener::inherit), is the same once more: whichever loop is first
    /// takes the client.
    ///
    /// # Errors
    /// As [`bind`](Listener::bind).
    pub fn another(&self) -> io::Result<Listener> {
        let (Inner::Tcp(listener), Some(options)) = (&self.inner, &self.options) else {
            return self.try_clone();
        };
        let this = SockRef::from(listener);
        let address = self.local_addr()?;
        // It listens already, but others are let in only if all say so.
        this.set_reuse_port(true)?;
        let only_v6 = address.is_ipv6() && this.only_v6()?;
        let options = SocketOptions { reuse_port: true, ..options.clone() };
        Listener::with(address, only_v6, &options).map(|another| self.likewise(another))
    }

    /// That one, with all that this one has beside its socket.
    fn likewise(&self, other: Listener) -> Listener {
        Listener {
            options: self.options.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.as_ref().map(super::tls::Current::another),
            ..other
        }
    }

    /// Where it listens, with TCP.
    ///
    /// # Errors
    /// As the system says; `AddrNotAvailable` for a Unix socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner {
            Inner::Tcp(listener) => listener.local_addr(),
            Inner::Unix(..) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// Whether a file of ours goes with it.
    pub(super) fn has_file(&self) -> bool {
        matches!(&self.inner, Inner::Unix(_, Some(_)))
    }

    /// Whether its file, if one goes with it, is ours from here on, and removed with it
    /// and its clones; else it is somebody else's, and stays.
    pub fn keep_file(&self, ours: bool) {
        if let Inner::Unix(_, Some(file)) = &self.inner {
            file.keep(ours);
        }
    }

    /// From here on the file is ours: it goes with the listener.
    pub(super) fn own_file(&mut self) -> io::Result<()> {
        if let Inner::Unix(listener, file) = &mut self.inner
            && let Some(path) = listener.local_addr()?.as_pathname()
        {
            *file = Some(Arc::new(SocketFile::own(path)?));
        }
        Ok(())
    }

    /// Takes the next client off the queue.
    ///
    /// # Errors
    /// `WouldBlock` when nobody waits; else as the system says.
    pub fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (stream, mut address) = match &self.inner {
            Inner::Tcp(listener) => listener.accept()?,
            Inner::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                return Ok((Stream::Unix(stream), Peer::Unix));
            }
        };
        // An IPv4 client of `[::]` is the same as one of `0.0.0.0`: for logs,
        // and for whoever counts by address.
        if let SocketAddr::V6(v6) = address
            && let Some(v4) = v6.ip().to_ipv4_mapped()
        {
            address = SocketAddr::from((v4, v6.port()));
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let stream = super::tls::TlsStream::new(stream, tls.config());
            return Ok((Stream::Tls(Box::new(stream)), Peer::Tcp(address)));
        }
        Ok((Stream::Tcp(stream), Peer::Tcp(address)))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.inner {
            Inner::Tcp(listener) => listener.as_fd(),
            Inner::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// Where it listens: `127.0.0.1:8080`, `unix:/run/one.sock`, `unix:@one`.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Inner::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(_) => f.write_str("-"),
            },
            Inner::Unix(listener, _) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|it| it.as_pathname());
                #[cfg(any(target_os = "linux", target_os = "android"))]
                if let Some(name) = address.as_ref().and_then(|it| {
                    use std::os::linux::net::SocketAddrExt;
                    it.as_abstract_name()
                }) {
                    return write!(f, "unix:@{}", name.escape_ascii());
                }
                match path {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("unix:-"),
                }
            }
        }
    }
}

impl Source for Listener {
    fn register(&mut self, registry: &Registry, token: Token, ways: Interest) -> io::Result<()> {
        match &mut self.inner {
            Inner::Tcp(listener) => listener.register(registry, token, ways),
            Inner::Unix(listener, _) => listener.register(registry, token, ways),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, ways: Interest) -> io::Result<()> {
        match &mut self.inner {
            Inner::Tcp(listener) => listener.reregister(registry, token, ways),
            Inner::Unix(listener, _) => listener.reregister(registry, token, ways),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.inner {
            Inner::Tcp(listener) => listener.deregister(registry),
            Inner::Unix(listener, _) => listener.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests;
