//! A client's socket under TLS: before its first byte, speaking, and after.

use super::secure::{Flush, Secure, read};
use super::with_scratch;
use crate::http::ClientCertificate;
use crate::net::{Handshake, HandshakeError};
use crate::stats::HandshakeFailure;
use mio::net::TcpStream;
use rustix::net::SendFlags;
use rustls::ServerConfig;
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;

/// Bytes read at once in a handshake. What comes behind its end is kept by the
/// session, which keeps no more than 16 KiB.
const HELLO: usize = 8 * 1024;
/// Reads of one call within a handshake: a client that sends on and on is not
/// alone here.
const READS_MAX: usize = 8;

/// A socket under TLS. See the module's [theory of operation](super).
#[derive(Debug)]
pub struct TlsStream {
    tcp: TcpStream,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was read. Most of a session's memory is not needed before.
    Fresh(Arc<ServerConfig>),
    /// In a handshake, or after one.
    Secure(Box<Secure>),
    /// No TLS, or none any more: plain HTTP, a handshake that failed, or an end
    /// that was said.
    Bare,
}

impl TlsStream {
    pub(in crate::net) fn new(tcp: TcpStream, config: Arc<ServerConfig>) -> TlsStream {
        TlsStream { tcp, state: State::Fresh(config) }
    }

    pub(in crate::net) fn tcp(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Below the encryption, in front of the first handshake: a PROXY header.
    pub(in crate::net) fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.tcp, buffer, rustix::net::RecvFlags::PEEK)?.0)
    }

    pub(in crate::net) fn skip(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read(&self.tcp, buffer)
    }

    pub(in crate::net) fn is_handshaking(&self) -> bool {
        match &self.state {
            State::Fresh(_) => true,
            State::Secure(secure) => secure.session.is_handshaking(),
            State::Bare => false,
        }
    }

    pub(in crate::net) fn is_secure(&self) -> bool {
        matches!(self.state, State::Secure(_))
    }

    pub(in crate::net) fn client_certificate(&self) -> Option<&ClientCertificate> {
        match &self.state {
            State::Secure(secure) => secure.client.as_ref(),
            _ => None,
        }
    }

    pub(in crate::net) fn handshake(&mut self) -> Result<Handshake, HandshakeError> {
        let result = with_scratch(|scratch| {
            let buffer = scratch.get_mut(..HELLO).unwrap_or(&mut []);
            self.go_on(buffer)
        });
        if matches!(result, Err(_) | Ok(Handshake::Plain)) {
            self.state = State::Bare;
        }
        result
    }

    fn go_on(&mut self, buffer: &mut [u8]) -> Result<Handshake, HandshakeError> {
        let broken = |source| HandshakeError { reason: HandshakeFailure::Left, source };
        for _ in 0..READS_MAX {
            if let State::Secure(secure) = &mut self.state {
                if secure.flush(&self.tcp).map_err(broken)? == Flush::Part {
                    return Ok(Handshake::WantsWrite);
                }
                if !secure.session.is_handshaking() {
                    return Ok(Handshake::Done { resumed: secure.begin() });
                }
            }
            let count = match read(&self.tcp, buffer) {
                Ok(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Handshake::WantsRead);
                }
                Err(error) => return Err(broken(error)),
            };
            let bytes = buffer.get(..count).unwrap_or(&[]);
            if let State::Fresh(config) = &self.state {
                if is_http(bytes) {
                    return Ok(Handshake::Plain);
                }
                let secure = Secure::new(Arc::clone(config)).map_err(|error| failed(&error))?;
                self.state = State::Secure(Box::new(secure));
            }
            if let State::Secure(secure) = &mut self.state {
                secure.feed(&self.tcp, bytes, &mut []).map_err(|error| {
                    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                        Some(inner) => failed(inner),
                        None => broken(error),
                    }
                })?;
            }
        }
        Ok(Handshake::Again)
    }

    pub(in crate::net) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Secure(secure) => secure.read(&self.tcp, buffer),
            State::Bare => read(&self.tcp, buffer),
            State::Fresh(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(in crate::net) fn write(&mut self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        match &mut self.state {
            State::Secure(secure) => secure.write(&self.tcp, flags, bytes),
            State::Bare => Ok(rustix::net::send(&self.tcp, bytes, flags)?),
            State::Fresh(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(in crate::net) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.state {
            State::Secure(secure) => secure.write_vectored(&self.tcp, pieces),
            _ => {
                let first = pieces.iter().find(|piece| !piece.is_empty());
                self.write(first.map_or(&[], |piece| piece), SendFlags::NOSIGNAL)
            }
        }
    }

    /// There is no `sendfile` here, but a buffer in which to encrypt.
    pub(in crate::net) fn send_file(
        &mut self,
        file: &File,
        offset: u64,
        len: usize,
    ) -> io::Result<usize> {
        match &mut self.state {
            State::Secure(secure) => secure.write_with(&self.tcp, SendFlags::NOSIGNAL, |session| {
                with_scratch(|scratch| {
                    let room = len.min(scratch.len());
                    let buffer = scratch.get_mut(..room).unwrap_or(&mut []);
                    let count = crate::net::span::read(file, offset, buffer)?;
                    session.write(buffer.get(..count).unwrap_or(&[]))
                })
            }),
            _ => crate::net::span::send(&self.tcp, file, offset, len),
        }
    }

    pub(in crate::net) fn shutdown_write(&mut self) -> io::Result<()> {
        self.farewell();
        // What comes now is thrown away: the session is not needed for it.
        self.state = State::Bare;
        self.tcp.shutdown(Shutdown::Write)
    }

    pub(in crate::net) fn farewell(&mut self) {
        if let State::Secure(secure) = &mut self.state {
            secure.close(&self.tcp);
        }
    }

    pub(in crate::net) fn holds_input(&self) -> bool {
        match &self.state {
            State::Secure(secure) => secure.holds_input(),
            _ => false,
        }
    }

    pub(in crate::net) fn holds_output(&self) -> usize {
        match &self.state {
            State::Secure(secure) => secure.holds_output(),
            _ => 0,
        }
    }
}

/// Whether a request begins here, or an empty line before one (RFC 9112 section
/// 2.2). A TLS record begins with its type, 20 to 24.
fn is_http(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|&b| b.is_ascii_alphabetic() || b == b'\r' || b == b'\n')
}

fn failed(error: &rustls::Error) -> HandshakeError {
    use rustls::Error;
    let reason = match error {
        Error::PeerIncompatible(_) => HandshakeFailure::Incompatible,
        Error::NoApplicationProtocol => HandshakeFailure::Protocol,
        Error::AlertReceived(_) => HandshakeFailure::Refused,
        Error::NoCertificatesPresented | Error::InvalidCertificate(_) => {
            HandshakeFailure::Certificate
        }
        _ => HandshakeFailure::Fault,
    };
    HandshakeError { reason, source: io::Error::other(error.clone()) }
}
