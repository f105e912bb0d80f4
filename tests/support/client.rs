//! A client that sends any bytes and reads replies by the book.

use super::PATIENCE;
use super::reply::{Framing, Reply, parse_head};
#[cfg(feature = "tls-self-signed")]
use super::tls::{self, Session};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to a server under test.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    #[cfg(feature = "tls-self-signed")]
    tls: Option<Box<Session>>,
    /// What was read and not used yet.
    buffer: Vec<u8>,
}

/// How a connection ended, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order: the server's FIN.
    Eof,
    /// By a reset.
    Reset,
    /// By a FIN, without the word that TLS has for it.
    Truncated,
}

impl Client {
    /// Connects.
    #[track_caller]
    pub fn connect(to: SocketAddr) -> Client {
        Client::try_connect(to).expect("connecting to the server under test")
    }

    /// Connects, if the server lets us.
    pub fn try_connect(to: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        Client::over(stream)
    }

    /// Connects with a small receive buffer, so that the server soon feels it
    /// when nobody reads.
    #[track_caller]
    pub fn connect_narrow(to: SocketAddr) -> Client {
        Client::over(Client::connect_bare_narrow(to)).expect("options of a socket")
    }

    /// The same, not more than a socket.
    #[track_caller]
    pub fn connect_bare_narrow(to: SocketAddr) -> TcpStream {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(to),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )
        .expect("a socket");
        // Before connecting: the window is offered with the first segment.
        socket.set_recv_buffer_size(4096).expect("a small receive buffer");
        socket.connect_timeout(&to.into(), PATIENCE).expect("connecting");
        socket.into()
    }

    /// Connects from that address of this machine: 127.0.0.2 is one as well.
    #[track_caller]
    pub fn connect_from(from: &str, to: SocketAddr) -> Client {
        let from: std::net::IpAddr = from.parse().expect("an address");
        let kind = socket2::Type::STREAM;
        let socket = socket2::Socket::new(socket2::Domain::for_address(to), kind, None);
        let socket = socket.expect("a socket");
        socket.bind(&SocketAddr::new(from, 0).into()).expect("an address of this machine");
        socket.connect_timeout(&to.into(), PATIENCE).expect("connecting");
        Client::over(socket.into()).expect("options of a socket")
    }

    /// Over a Unix socket, which is a stream like any other.
    #[track_caller]
    pub fn over_unix(stream: std::os::unix::net::UnixStream) -> Client {
        let stream = TcpStream::from(std::os::fd::OwnedFd::from(stream));
        stream.set_read_timeout(Some(PATIENCE)).expect("options of a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("options of a socket");
        Client::plain(stream)
    }

    fn over(stream: TcpStream) -> io::Result<Client> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        #[cfg(feature = "tls-self-signed")]
        if tls::is_everywhere() {
            let to = stream.peer_addr()?;
            // A server that speaks without it has just said so: 400.
            return match Client::secure(stream, tls::usual(), "localhost") {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_nodelay(true)?;
                    Ok(Client::plain(stream))
                }
                other => other,
            };
        }
        Ok(Client::plain(stream))
    }

    /// Without TLS.
    pub fn plain(stream: TcpStream) -> Client {
        Client {
            stream,
            #[cfg(feature = "tls-self-signed")]
            tls: None,
            buffer: Vec::new(),
        }
    }

    /// Over TLS, its handshake done.
    #[cfg(feature = "tls-self-signed")]
    pub fn secure(
        mut stream: TcpStream,
        config: &std::sync::Arc<onepoll::net::tls::rustls::ClientConfig>,
        name: &str,
    ) -> io::Result<Client> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let session = Session::open(&mut stream, config, name)?;
        Ok(Client { tls: Some(Box::new(session)), ..Client::plain(stream) })
    }

    /// The next reply, unless the session ends, in whatever way.
    #[cfg(feature = "tls-self-signed")]
    pub fn try_secure_reply(&mut self) -> Option<Reply> {
        while !self.buffer.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut scratch = [0; 4096];
            let count = self.read(&mut scratch).ok().filter(|&count| count > 0)?;
            self.buffer.extend_from_slice(&scratch[..count]);
        }
        self.try_reply_to("GET").ok()
    }

    /// The session, if it is over TLS.
    #[cfg(feature = "tls-self-signed")]
    pub fn session(&mut self) -> &mut Session {
        self.tls.as_mut().expect("a client over TLS")
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls-self-signed")]
        if let Some(tls) = &mut self.tls {
            return tls.read(&mut self.stream, buffer);
        }
        self.stream.read(buffer)
    }

    /// The client's own address.
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// The socket, for tests with wishes of their own.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends all of it.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        let bytes = bytes.as_ref();
        if let Err(error) = self.try_send(bytes) {
            panic!("sending {} bytes: {error}", bytes.len());
        }
        self
    }

    /// Sends as much as the server takes.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        #[cfg(feature = "tls-self-signed")]
        if let Some(tls) = &mut self.tls {
            return tls.write_all(&mut self.stream, bytes.as_ref());
        }
        self.stream.write_all(bytes.as_ref())
    }

    /// The reply to these bytes, or to none of them: who is turned away may be told
    /// before it has said anything.
    #[track_caller]
    pub fn try_reply_after(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        let _ = self.try_send(bytes);
        self.reply()
    }

    /// Sends it in segments of that many bytes.
    #[track_caller]
    pub fn send_in_pieces(&mut self, bytes: impl AsRef<[u8]>, size: usize) -> &mut Client {
        for piece in bytes.as_ref().chunks(size.max(1)) {
            self.send(piece);
        }
        self
    }

    /// Sends nothing more; still reads.
    #[track_caller]
    pub fn half_close(&mut self) -> &mut Client {
        #[cfg(feature = "tls-self-signed")]
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.stream).expect("half-closing");
        }
        self.stream.shutdown(Shutdown::Write).expect("half-closing");
        self
    }

    /// Vanishes: the server gets a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }

    /// Sends one request with these field lines and takes its reply.
    #[track_caller]
    pub fn ask(&mut self, line: &str, fields: &[&str]) -> Reply {
        let mut head = format!("{line} HTTP/1.1\r\nHost: x\r\n");
        for field in fields {
            head.push_str(field);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        self.send(head);
        self.reply_to(line.split(' ').next().unwrap_or(line))
    }

    /// The next reply, to anything but HEAD and CONNECT.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        self.reply_to("GET")
    }

    /// The next reply, to a request of that method.
    #[track_caller]
    pub fn reply_to(&mut self, method: &str) -> Reply {
        match self.try_reply_to(method) {
            Ok(reply) => reply,
            Err((ending, part)) => {
                panic!("{ending:?} within the reply, after {:?}", part.escape_ascii().to_string())
            }
        }
    }

    /// The next reply, or how the connection ended within it and what came.
    #[track_caller]
    pub fn try_reply_to(&mut self, method: &str) -> Result<Reply, (Ending, Vec<u8>)> {
        let mut reply = self.try_head(method)?;
        match reply.framing {
            Framing::Nothing => {}
            Framing::Length(len) => reply.body = self.try_take(len)?,
            Framing::Chunked => self.chunks(&mut reply)?,
            Framing::UntilClose => reply.body = self.rest_until(Ending::Eof),
        }
        Ok(reply)
    }

    /// The last reply: it announces the end, and the end comes, in order.
    #[track_caller]
    pub fn last_reply(&mut self) -> Reply {
        let reply = self.reply();
        assert!(reply.closes(), "a last reply says so: {reply:?}");
        self.expect_closed();
        reply
    }

    /// The head of the next reply; its content is still to be read.
    #[track_caller]
    pub fn head(&mut self) -> Reply {
        match self.try_head("GET") {
            Ok(reply) => reply,
            Err((ending, _)) => panic!("{ending:?} within the head"),
        }
    }

    #[track_caller]
    fn try_head(&mut self, method: &str) -> Result<Reply, (Ending, Vec<u8>)> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if let Err(ending) = self.fill() {
                return Err((ending, std::mem::take(&mut self.buffer)));
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        Ok(parse_head(&head, method))
    }

    #[track_caller]
    fn chunks(&mut self, reply: &mut Reply) -> Result<(), (Ending, Vec<u8>)> {
        loop {
            let line = self.try_line()?;
            let text = std::str::from_utf8(&line).expect("a chunk's size is ASCII");
            let size = usize::from_str_radix(text, 16);
            let size = size.unwrap_or_else(|_| panic!("a chunk's size is no hex: {text:?}"));
            if size == 0 {
                let line = self.try_line()?;
                assert!(line.is_empty(), "a trailer that nobody asked for: {line:?}");
                return Ok(());
            }
            reply.chunks += 1;
            let chunk = self.try_take(size)?;
            reply.body.extend_from_slice(&chunk);
            assert!(self.try_line()?.is_empty(), "more data in a chunk than its size says");
        }
    }

    #[track_caller]
    fn try_line(&mut self) -> Result<Vec<u8>, (Ending, Vec<u8>)> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                line.truncate(at);
                return Ok(line);
            }
            if let Err(ending) = self.fill() {
                return Err((ending, std::mem::take(&mut self.buffer)));
            }
        }
    }

    /// That many bytes, whatever they are.
    #[track_caller]
    pub fn take(&mut self, len: usize) -> Vec<u8> {
        match self.try_take(len) {
            Ok(bytes) => bytes,
            Err((ending, part)) => panic!("{ending:?} after {} of {len} bytes", part.len()),
        }
    }

    #[track_caller]
    fn try_take(&mut self, len: usize) -> Result<Vec<u8>, (Ending, Vec<u8>)> {
        while self.buffer.len() < len {
            if let Err(ending) = self.fill() {
                return Err((ending, std::mem::take(&mut self.buffer)));
            }
        }
        let rest = self.buffer.split_off(len);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// Reads and forgets that many bytes or a little more; how many it were.
    #[track_caller]
    pub fn skip(&mut self, at_least: usize) -> usize {
        let mut count = std::mem::take(&mut self.buffer).len();
        let mut scratch = vec![0; 64 * 1024];
        while count < at_least {
            match self.read(&mut scratch) {
                Ok(0) => panic!("the end after {count} of {at_least} bytes"),
                Ok(more) => count += more,
                Err(error) => panic!("{error} after {count} of {at_least} bytes"),
            }
        }
        count
    }

    /// Everything up to the end, and how it ended.
    #[track_caller]
    pub fn rest(&mut self) -> (Vec<u8>, Ending) {
        loop {
            if let Err(ending) = self.fill() {
                return (std::mem::take(&mut self.buffer), ending);
            }
        }
    }

    #[track_caller]
    fn rest_until(&mut self, expected: Ending) -> Vec<u8> {
        let (rest, ending) = self.rest();
        assert_eq!(ending, expected, "after {} bytes", rest.len());
        rest
    }

    /// The server says nothing more and closes in order.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let rest = self.rest_until(Ending::Eof);
        assert!(rest.is_empty(), "bytes before the end: {:?}", rest.escape_ascii().to_string());
    }

    /// The connection ends somehow; what came before.
    #[track_caller]
    pub fn expect_ended(&mut self) -> Vec<u8> {
        self.rest().0
    }

    /// One read into the buffer.
    #[track_caller]
    fn fill(&mut self) -> Result<(), Ending> {
        let mut scratch = [0; 16 * 1024];
        loop {
            match self.read(&mut scratch) {
                Ok(0) => return Err(Ending::Eof),
                Ok(count) => {
                    self.buffer.extend_from_slice(&scratch[..count]);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_reset(&error) => return Err(Ending::Reset),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Ending::Truncated);
                }
                Err(error) => {
                    let start = &self.buffer[..self.buffer.len().min(200)];
                    panic!("reading: {error}; until then {:?}", start.escape_ascii().to_string());
                }
            }
        }
    }

    /// Whether the server has said something (or ended) by now, without waiting.
    pub fn is_silent(&self) -> bool {
        if !self.buffer.is_empty() {
            return false;
        }
        self.stream.set_nonblocking(true).expect("a mode of the socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a mode of the socket");
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
