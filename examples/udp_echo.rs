//! A UDP server that sends back whatever it gets, and a client that does not give up
//! at the first datagram that is lost: the loop without connections.
//!
//! ```text
//! cargo run --example udp_echo                                    the server
//! echo hello | cargo run --example udp_echo -- --client 127.0.0.1:7007
//! nc -u 127.0.0.1 7007                                            by hand
//! ```
//!
//! `--port N` is where it listens on 127.0.0.1 (7007; 0 for any that is free).
//!
//! What to look for: there is nobody to keep. One socket serves everybody, a
//! datagram comes whole or not at all, and nothing says whether it has arrived.
//! So the server has no state but the one datagram that it is about to send, no
//! deadlines, and nothing that a client could leave behind. Whoever needs an answer
//! must ask again: that is the client's loop, and its deadline.
//!
//! ```text
//!  server   recv -> Holds(datagram) -> send -> recv ... until one says WouldBlock
//!  client   send -> wait 200 ms -> send -> wait 400 ms -> ... -> the next line
//! ```

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, BufRead, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The largest datagram that there is, so that none is cut.
const DATAGRAM_MAX: usize = 65_535;
/// What the client sends at most of a line: one packet on most ways.
const LINE_MAX: usize = 1400;
/// How long the client waits for the first answer; then twice as long each time.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often the client asks before it gives up: 6.2 seconds in all.
const TRIES: u32 = 5;

const SOCKET: Token = Token(0);

struct Server {
    socket: UdpSocket,
    port: u16,
    buffer: Vec<u8>,
    holds: Holds,
}

/// What is in the buffer.
enum Holds {
    Nothing,
    /// A datagram of that length, for its sender. Until it is sent no other is
    /// read; what comes in the meantime waits in the kernel, or is lost there.
    /// That is what UDP promises, and all the back pressure there is.
    Datagram(usize, SocketAddr),
}

impl Server {
    fn bind(port: u16) -> io::Result<Server> {
        let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let port = socket.local_addr()?.port();
        Ok(Server { socket, port, buffer: vec![0; DATAGRAM_MAX], holds: Holds::Nothing })
    }

    fn run(&mut self) -> io::Result<()> {
        let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut self.socket, SOCKET, both)?;
        loop {
            wait(&mut poll, &mut events, None)?;
            // There is nobody else whose turn it could be: go on until nothing moves.
            while self.step()? {}
        }
    }

    /// Receives or sends one datagram; whether that was possible.
    fn step(&mut self) -> io::Result<bool> {
        match self.holds {
            Holds::Nothing => match self.socket.recv_from(&mut self.buffer) {
                Ok((len, from)) if self.is_welcome(from) => {
                    self.holds = Holds::Datagram(len, from);
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                // The kernel passes on what became of datagrams sent before, such
                // as "nobody is there". It is no error of this socket.
                Err(error) if is_about_a_peer(&error) => {}
                Err(error) => return Err(error),
            },
            Holds::Datagram(len, to) => {
                let sent = self.socket.send_to(&self.buffer[..len], to);
                if sent.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                    return Ok(false);
                }
                // Sent; or it can't be, and then it is one of those that are lost.
                self.holds = Holds::Nothing;
            }
        }
        Ok(true)
    }

    /// Anybody can write any sender on a datagram. One that names another server
    /// which answers everything, or this one, would go back and forth for ever. The
    /// old ones of that kind have ports below 1024, where no client is.
    fn is_welcome(&self, from: SocketAddr) -> bool {
        from.port() >= 1024 && from.port() != self.port
    }
}

fn is_about_a_peer(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, HostUnreachable, Interrupted, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | Interrupted | NetworkUnreachable)
}

/// Sends each line of the standard input as a datagram, and prints what comes back.
fn echo(server: SocketAddr) -> io::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut socket = UdpSocket::bind(any)?;
    // Nothing is sent by this; but now others' datagrams don't reach us.
    socket.connect(server)?;
    poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
    let (mut stdout, mut buffer) = (io::stdout().lock(), vec![0; DATAGRAM_MAX]);
    for (line, number) in io::stdin().lock().lines().zip(0u32..) {
        let line = line?;
        // A number in front: an answer that comes late, to a question that was
        // asked again, is not taken for the answer to the next.
        let some = &line.as_bytes()[..line.len().min(LINE_MAX)];
        let datagram = [&number.to_be_bytes(), some].concat();
        let mut ask = || {
            for attempt in 0..TRIES {
                // What can't be sent now is as good as lost: it is asked again anyway.
                let _ = socket.send(&datagram);
                let deadline = Instant::now() + PATIENCE * 2u32.pow(attempt);
                while let Some(left) = left_until(deadline) {
                    wait(&mut poll, &mut events, Some(left))?;
                    while let Some(len) = receive(&socket, &mut buffer)? {
                        if buffer[..len] == datagram {
                            return Ok(());
                        }
                    }
                }
            }
            Err(io::Error::new(ErrorKind::TimedOut, "no answer"))
        };
        ask()?;
        stdout.write_all(some)?;
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}

/// One datagram, if there is one.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match socket.recv(buffer) {
        Ok(len) => Ok(Some(len)),
        // Nobody is there; maybe somebody is when we ask again.
        Err(error) if is_about_a_peer(&error) => Ok(None),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn left_until(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

/// Sleeps. A signal may end that before the time, without events: no harm done.
fn wait(poll: &mut Poll, events: &mut Events, time: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, time) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("udp_echo: {why}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn std::error::Error>> {
    let mut port = 7007;
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--port" => port = value.parse()?,
            "--client" => return Ok(echo(value.parse()?)?),
            _ => return Err(format!("{flag} is no flag; there are --port and --client").into()),
        }
    }
    let mut server = Server::bind(port)?;
    println!("listening on {}", server.socket.local_addr()?);
    Ok(server.run()?)
}
