//! A TCP server that says back whatever it hears, for any number of clients, on
//! one thread: the smallest loop that is safe to leave alone with strangers.
//!
//! ```text
//! cargo run --example tcp_echo                                    the server
//! echo hello | cargo run --example tcp_echo -- --client 127.0.0.1:7007
//! nc 127.0.0.1 7007                                               by hand
//! ```
//!
//! `--port N` is where it listens on 127.0.0.1 (7007; 0 for any that is free), and
//! `--idle SECONDS` how long a client may be silent (60).
//!
//! ```text
//!           .-> 1 poll    sleep until something can be done, or it is time to sweep
//!           |   2 accept  new clients, as long as there is room for them
//!           |   3 drive   each client that may have something to do: bytes in, bytes out
//!           '-- 4 sweep   those that were silent for too long
//! ```
//!
//! What to look for: mio tells of *edges*. It says once that a socket became
//! readable, and not again before a read has said `WouldBlock`. So a client is
//! driven until nothing moves any more; one that is stopped before that, for the
//! others' sake, must be remembered.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Bytes of a client that wait to be sent back. While they are this many nothing
/// is read from it: TCP then stops the client, who has to read first.
const BUFFER_MAX: usize = 16 * 1024;
/// Clients at once; with [`BUFFER_MAX`], all their buffers take 64 MiB at most.
const CLIENTS_MAX: usize = 4096;
/// Reads and writes of one client before it is the others' turn.
const ROUNDS: usize = 16;
/// How often silent clients are looked for, and how soon accepting is tried again
/// after it failed.
const SWEEP: Duration = Duration::from_millis(500);
/// What the client takes from its standard input.
const INPUT_MAX: u64 = 16 << 20;

const LISTENER: Token = Token(0);

struct Server {
    poll: Poll,
    listener: TcpListener,
    door: Door,
    clients: HashMap<Token, Client>,
    /// Who may have something to do.
    ready: Vec<Token>,
    /// Tokens are never used twice: an event that comes too late finds nobody.
    next: usize,
    idle: Duration,
}

/// Whether somebody may be waiting to be accepted.
#[derive(PartialEq)]
enum Door {
    Quiet,
    Knocked,
}

impl Server {
    fn bind(port: u16, idle: Duration) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (clients, ready) = (HashMap::new(), Vec::new());
        Ok(Server { poll, listener, door: Door::Quiet, clients, ready, next: 1, idle })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut swept = Instant::now();
        loop {
            let patience = self.patience();
            wait(&mut self.poll, &mut events, patience)?;
            for event in &events {
                match event.token() {
                    LISTENER => self.door = Door::Knocked,
                    token => self.ready.push(token),
                }
            }
            self.accept();
            for token in std::mem::take(&mut self.ready) {
                self.drive(token);
            }
            // The clock is read once a turn, and nothing else decides about time.
            let now = Instant::now();
            if now - swept >= SWEEP {
                swept = now;
                self.clients.retain(|_, client| now - client.moved < self.idle);
            }
        }
    }

    /// How long the poll may sleep: not at all if there is work, and for ever if
    /// there is nobody.
    fn patience(&self) -> Option<Duration> {
        match () {
            () if !self.ready.is_empty() => Some(Duration::ZERO),
            () if self.clients.is_empty() && self.door == Door::Quiet => None,
            () => Some(SWEEP),
        }
    }

    /// Lets everybody in who waits. Those for whom there is no room stay in the
    /// kernel's queue, and the door stays `Knocked`, as there will be no new edge.
    fn accept(&mut self) {
        while self.door == Door::Knocked && self.clients.len() < CLIENTS_MAX {
            match self.listener.accept() {
                Ok((stream, _)) => self.welcome(stream),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.door = Door::Quiet,
                    // Gone before we came to the door; the next, please.
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Out of descriptors, probably: that passes when somebody leaves.
                    _ => return,
                },
            }
        }
    }

    fn welcome(&mut self, mut stream: TcpStream) {
        let token = Token(self.next);
        self.next += 1;
        let both = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, token, both).is_ok() {
            self.clients.insert(token, Client::new(stream));
        }
    }

    fn drive(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        match client.drive() {
            Ok(Next::Wait) => {}
            Ok(Next::Again) => self.ready.push(token),
            // A reset is the client's way to leave, not our trouble. To drop the
            // socket closes it, and the poll forgets it.
            Ok(Next::Leave) | Err(_) => drop(self.clients.remove(&token)),
        }
    }
}

struct Client {
    stream: TcpStream,
    /// Read and not yet sent back.
    buffer: Vec<u8>,
    input: Input,
    /// When a byte last came or went. (A server for strangers would ask for a rate:
    /// who moves a byte now and then stays here for ever.)
    moved: Instant,
}

#[derive(PartialEq)]
enum Input {
    Open,
    /// The client has said all. It may still be listening: half a connection lives.
    Ended,
}

/// What a client wants after it was driven.
enum Next {
    /// Nothing, until the poll says so.
    Wait,
    /// To go on, after the others.
    Again,
    /// Everything is said.
    Leave,
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        Client { stream, buffer: Vec::new(), input: Input::Open, moved: Instant::now() }
    }

    /// Goes on until nothing moves: bytes out first, which makes room for bytes in.
    fn drive(&mut self) -> io::Result<Next> {
        for _ in 0..ROUNDS {
            let is_moving = self.write()? | self.read()?;
            if self.input == Input::Ended && self.buffer.is_empty() {
                return Ok(Next::Leave);
            }
            if !is_moving {
                return Ok(Next::Wait);
            }
            self.moved = Instant::now();
        }
        Ok(Next::Again)
    }

    fn write(&mut self) -> io::Result<bool> {
        if self.buffer.is_empty() {
            return Ok(false);
        }
        // The kernel takes what it has room for, seldom all: the rest stays.
        let taken = moved(self.stream.write(&self.buffer))?.unwrap_or(0);
        self.buffer.drain(..taken);
        Ok(taken > 0)
    }

    fn read(&mut self) -> io::Result<bool> {
        let room = BUFFER_MAX - self.buffer.len();
        if room == 0 || self.input == Input::Ended {
            return Ok(false);
        }
        let mut scratch = [0; BUFFER_MAX];
        match moved(self.stream.read(&mut scratch[..room]))? {
            None => return Ok(false),
            Some(0) => self.input = Input::Ended,
            Some(count) => self.buffer.extend_from_slice(&scratch[..count]),
        }
        Ok(true)
    }
}

/// Sends the standard input to a server and prints what comes back. It must do
/// both at once: who only sends, and reads when all is sent, waits for a server
/// that waits for it, as soon as the buffers in between are full.
fn echo(server: SocketAddr) -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().lock().take(INPUT_MAX).read_to_end(&mut input)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let mut stream = TcpStream::connect(server)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut stream, LISTENER, both)?;
    let (mut sent, mut received) = (0, 0);
    let (mut scratch, mut stdout) = ([0; BUFFER_MAX], io::stdout().lock());
    while received < input.len() {
        wait(&mut poll, &mut events, None)?;
        // If it can't be reached, that is found out here; until it is, both of the
        // loops below end at once.
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        while sent < input.len() {
            match moved(stream.write(&input[sent..])) {
                Ok(Some(count)) => sent += count,
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::NotConnected => break,
                Err(error) => return Err(error),
            }
        }
        loop {
            match moved(stream.read(&mut scratch)) {
                Ok(Some(0)) => return Err(io::Error::other("the server has left")),
                Ok(Some(count)) => {
                    stdout.write_all(&scratch[..count])?;
                    received += count;
                }
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::NotConnected => break,
                Err(error) => return Err(error),
            }
        }
    }
    stdout.flush()
}

/// Sleeps. A signal may end that before the time, without events: no harm done.
fn wait(poll: &mut Poll, events: &mut Events, time: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, time) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}

/// How many bytes moved; `None` if now is not the time.
fn moved(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tcp_echo: {why}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn std::error::Error>> {
    let (mut port, mut idle) = (7007, 60);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--port" => port = value.parse()?,
            "--idle" => idle = value.parse()?,
            "--client" => return Ok(echo(value.parse()?)?),
            _ => {
                return Err(format!("{flag} is no flag; there are --port, --idle, --client").into());
            }
        }
    }
    let mut server = Server::bind(port, Duration::from_secs(idle))?;
    println!("listening on {}", server.listener.local_addr()?);
    Ok(server.run()?)
}
