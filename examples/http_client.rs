//! A small HTTP/1.1 client: it asks any number of servers at once, and each of them
//! one thing after the other on one connection that is kept alive.
//!
//! ```text
//! cargo run --example http_client -- http://127.0.0.1:8080/ [URL...]
//! ```
//!
//! Content goes to the standard output as it is complete; the standard error says
//! what came of each URL. The exit code is 1 if something could not be had.
//! `--idle SECONDS` (30) is how long a server may be silent.
//!
//! What to look for: who waits for several others must not wait for any of them. So
//! each connection is a state machine that is driven when the poll says that
//! something has happened to it, and bytes go through a parser that takes them as
//! they come, cut wherever the network cut them:
//!
//! ```text
//!  Status -> Fields -+-> Length(left) ------------------------------.
//!    ^         |     |                                              |
//!    '-- 1xx --'     +-> Size -> Chunk(left) -> ChunkEnd            +-> Whole
//!                    |    |^------------------------'               |
//!                    |    '-> Trailers -----------------------------+
//!                    '-> UntilClose --- the end of the connection --'
//! ```
//!
//! Left out: TLS, redirects, other methods than GET.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The longest line of a head, in bytes, and how many a head may have. A server that
/// sends no end of them shall not fill our memory.
const LINE_MAX: usize = 8 * 1024;
const FIELDS_MAX: usize = 200;
/// The longest content.
const CONTENT_MAX: usize = 64 << 20;
/// What is read at once, and how often before it is the other servers' turn.
const READ: usize = 16 * 1024;
const ROUNDS: usize = 16;
/// How often silent servers are looked for.
const SWEEP: Duration = Duration::from_millis(500);

/// A reply that is being read (RFC 9112).
struct Reply {
    reading: Reading,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    fields: usize,
    status: u16,
    length: Option<u64>,
    coding: Coding,
    connection: After,
    content: Vec<u8>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Status,
    Fields,
    Length(u64),
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Whole,
}

#[derive(PartialEq)]
enum Coding {
    None,
    Chunked,
}

/// What becomes of the connection after the reply.
#[derive(PartialEq)]
enum After {
    Stays,
    Ends,
}

impl Reply {
    fn new() -> Reply {
        Reply {
            reading: Reading::Status,
            line: Vec::new(),
            fields: 0,
            status: 0,
            length: None,
            coding: Coding::None,
            connection: After::Stays,
            content: Vec::new(),
        }
    }

    /// Whether a byte of it has come.
    fn has_begun(&self) -> bool {
        self.reading != Reading::Status || !self.line.is_empty()
    }

    /// Takes the next bytes. Those behind its end nobody has asked for.
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let taken = match self.reading {
                Reading::Whole => return Err("more than was asked for".into()),
                Reading::UntilClose => self.take(bytes, u64::MAX)?,
                Reading::Length(left) | Reading::Chunk(left) => self.take(bytes, left)?,
                _ => self.take_line(bytes)?,
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Content; how many bytes of it.
    fn take(&mut self, bytes: &[u8], left: u64) -> Result<usize, String> {
        let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        if self.content.len() + count > CONTENT_MAX {
            return Err(format!("the content is longer than {CONTENT_MAX} bytes"));
        }
        self.content.extend_from_slice(&bytes[..count]);
        let left = left - count as u64;
        self.reading = match self.reading {
            Reading::Length(_) if left == 0 => Reading::Whole,
            Reading::Length(_) => Reading::Length(left),
            Reading::Chunk(_) if left == 0 => Reading::ChunkEnd,
            Reading::Chunk(_) => Reading::Chunk(left),
            other => other,
        };
        Ok(count)
    }

    /// A line, or as much of it as there is; how many bytes.
    fn take_line(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let count = end.map_or(bytes.len(), |at| at + 1);
        self.line.extend_from_slice(&bytes[..count]);
        if self.line.len() > LINE_MAX {
            return Err("a line is too long".into());
        }
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            let line = std::str::from_utf8(&line).map_err(|_| "a line is no text")?;
            self.reading = self.on_line(line.trim_end_matches(['\r', '\n']))?;
        }
        Ok(count)
    }

    /// What comes behind that line.
    fn on_line(&mut self, line: &str) -> Result<Reading, String> {
        match (self.reading, line) {
            (Reading::Status, _) => {
                let (version, rest) = line.split_once(' ').unwrap_or((line, ""));
                match version {
                    "HTTP/1.1" => {}
                    "HTTP/1.0" => self.connection = After::Ends,
                    _ => return Err("this is not HTTP/1".into()),
                }
                let status = rest.get(..3).and_then(|digits| digits.parse().ok());
                self.status = status.ok_or("there is no status")?;
                Ok(Reading::Fields)
            }
            (Reading::Fields, "") => self.content_begins(),
            (Reading::Fields, field) => self.field(field),
            (Reading::Size, line) => match hex(line.split(';').next().unwrap_or(""))? {
                0 => Ok(Reading::Trailers),
                size => Ok(Reading::Chunk(size)),
            },
            (Reading::ChunkEnd, "") => Ok(Reading::Size),
            (Reading::ChunkEnd, _) => Err("a chunk is longer than it says".into()),
            (Reading::Trailers, "") => Ok(Reading::Whole),
            (reading, _) => self.count(reading),
        }
    }

    fn count(&mut self, reading: Reading) -> Result<Reading, String> {
        self.fields += 1;
        if self.fields > FIELDS_MAX {
            return Err("too many fields".into());
        }
        Ok(reading)
    }

    fn field(&mut self, line: &str) -> Result<Reading, String> {
        let (name, value) = line.split_once(':').ok_or("a field without a colon")?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let length = value.parse().ok().filter(|_| is_number).ok_or("a wrong length")?;
                // Two that differ: whichever we believed, an attacker may want it.
                if self.length.replace(length).is_some_and(|other| other != length) {
                    return Err("two lengths".into());
                }
            }
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                self.coding = Coding::Chunked;
            }
            "transfer-encoding" => return Err(format!("it is encoded as {value}")),
            "connection" if value.to_ascii_lowercase().contains("close") => {
                self.connection = After::Ends;
            }
            _ => {}
        }
        self.count(Reading::Fields)
    }

    /// The head is complete: where will the content end (RFC 9112 section 6.3)?
    fn content_begins(&mut self) -> Result<Reading, String> {
        Ok(match (self.status, &self.coding, self.length) {
            (101, ..) => return Err("it wants to speak something else".into()),
            (100..200, ..) => {
                // Not the reply yet; but it counts, or there might be no end of them.
                *self = Reply { fields: self.fields + 1, ..Reply::new() };
                self.count(Reading::Status)?
            }
            (204 | 304, ..) => Reading::Whole,
            (_, Coding::Chunked, None) => Reading::Size,
            (_, Coding::Chunked, Some(_)) => return Err("chunks and a length".into()),
            (_, Coding::None, Some(0)) => Reading::Whole,
            (_, Coding::None, Some(length)) => Reading::Length(length),
            (_, Coding::None, None) => {
                self.connection = After::Ends;
                Reading::UntilClose
            }
        })
    }

    /// The connection has ended.
    fn end(&mut self) -> Result<(), String> {
        match self.reading {
            Reading::UntilClose | Reading::Whole => self.reading = Reading::Whole,
            _ => return Err("the connection ended within the reply".into()),
        }
        Ok(())
    }
}

/// Digits only: `parse` would take a sign as well.
fn hex(text: &str) -> Result<u64, String> {
    let text = text.trim_end();
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = u64::from_str_radix(text, 16).ok().filter(|_| is_hex);
    size.ok_or_else(|| "a chunk without a size".into())
}

/// A server, the connection to it, and what it is still to be asked.
struct Visit {
    /// As in the URL, for the field `Host`.
    authority: String,
    address: SocketAddr,
    /// The first is the one that is being asked for now.
    targets: VecDeque<String>,
    stream: TcpStream,
    /// What has not been sent of the request.
    output: Vec<u8>,
    reply: Reply,
    /// Replies that this connection has brought.
    replies: usize,
    /// When a byte last came or went.
    moved: Instant,
}

/// What to do with a visit after it was driven.
enum Next {
    Wait,
    Again,
    /// Everything was asked.
    Leave,
}

impl Visit {
    /// Connects, which takes no time here: it goes on while others are driven.
    fn begin(
        authority: String,
        address: SocketAddr,
        token: Token,
        registry: &Registry,
    ) -> io::Result<Visit> {
        let stream = open(address, token, registry)?;
        let (targets, output, moved) = (VecDeque::new(), Vec::new(), Instant::now());
        let reply = Reply::new();
        Ok(Visit { authority, address, targets, stream, output, reply, replies: 0, moved })
    }

    fn ask(&mut self) {
        let target = self.targets.front().map_or("/", String::as_str);
        let Visit { authority, .. } = self;
        let head = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n\r\n");
        self.output = head.into_bytes();
        self.reply = Reply::new();
        self.moved = Instant::now();
    }

    /// Does what can be done now.
    fn drive(&mut self, token: Token, registry: &Registry) -> Result<Next, String> {
        for _ in 0..ROUNDS {
            let step = self.send().and_then(|sent| Ok((sent, self.receive()?)));
            let (is_moving, received) = match step {
                Ok((sent, Some(bytes))) => (sent || !bytes.is_empty(), Ok(bytes)),
                Ok((_, None)) => (true, Err("the server has left".into())),
                Err(error) => (true, Err(error.to_string())),
            };
            match received {
                Ok(bytes) => self.reply.feed(&bytes)?,
                // It had closed the connection already when we used it again: that
                // is its right (RFC 9112 section 9.3.1), and no answer to us.
                Err(_) if self.replies > 0 && !self.reply.has_begun() => {
                    self.reopen(token, registry)?;
                    return Ok(Next::Again);
                }
                Err(why) if self.reply.has_begun() => {
                    self.reply.end().map_err(|end| format!("{end}: {why}"))?;
                }
                Err(why) => return Err(why),
            }
            if self.reply.reading == Reading::Whole {
                return self.done(token, registry);
            }
            if !is_moving {
                return Ok(Next::Wait);
            }
            self.moved = Instant::now();
        }
        Ok(Next::Again)
    }

    fn send(&mut self) -> io::Result<bool> {
        if self.output.is_empty() {
            return Ok(false);
        }
        let sent = soon(self.stream.write(&self.output))?.unwrap_or(0);
        self.output.drain(..sent);
        Ok(sent > 0)
    }

    /// What has come; `None` if that was all.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut scratch = [0; READ];
        Ok(match soon(self.stream.read(&mut scratch))? {
            None => Some(Vec::new()),
            Some(0) => None,
            Some(count) => Some(scratch[..count].to_vec()),
        })
    }

    /// A reply is whole: shows it, and asks for the next.
    fn done(&mut self, token: Token, registry: &Registry) -> Result<Next, String> {
        let target = self.targets.pop_front().unwrap_or_default();
        let Reply { status, content, connection, .. } = &self.reply;
        eprintln!("{status} http://{}{target} {} bytes", self.authority, content.len());
        let mut stdout = io::stdout().lock();
        let shown = stdout.write_all(content).and_then(|()| stdout.flush());
        shown.map_err(|error| format!("the standard output: {error}"))?;
        self.replies += 1;
        if self.targets.is_empty() {
            return Ok(Next::Leave);
        }
        match connection {
            After::Stays => self.ask(),
            After::Ends => self.reopen(token, registry)?,
        }
        Ok(Next::Again)
    }

    fn reopen(&mut self, token: Token, registry: &Registry) -> Result<(), String> {
        // The old one is closed by being replaced.
        self.stream = open(self.address, token, registry).map_err(|error| error.to_string())?;
        self.replies = 0;
        self.ask();
        Ok(())
    }
}

fn open(address: SocketAddr, token: Token, registry: &Registry) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

/// How many bytes moved; `None` if now is not the time, or not yet.
fn soon(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::NotConnected => Ok(None),
            _ => Err(error),
        },
    }
}

/// Authority, address and target of a URL. The name is looked up here, which may
/// take a while: this is before the loop, where nobody waits for anybody.
fn parse(url: &str) -> Result<(String, SocketAddr, String), String> {
    let rest = url.strip_prefix("http://").ok_or(format!("{url}: not an http URL"))?;
    // A space or a line end would end the request's line where its author likes.
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{url:?}: not a URL"));
    }
    let rest = rest.split('#').next().unwrap_or(rest);
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let port = if has_port { "" } else { ":80" };
    let found = format!("{authority}{port}").to_socket_addrs();
    let address = found.map_err(|error| format!("{url}: {error}"))?.next();
    Ok((authority.to_owned(), address.ok_or(format!("{url}: no address"))?, target))
}

/// Asks for everything; whether all of it came.
fn fetch(urls: &[String], idle: Duration) -> Result<bool, Box<dyn std::error::Error>> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(64));
    // A visit's token is its place here.
    let mut visits: Vec<Option<Visit>> = Vec::new();
    for url in urls {
        let (authority, address, target) = parse(url)?;
        let known = visits.iter_mut().flatten().find(|visit| visit.authority == authority);
        if let Some(visit) = known {
            visit.targets.push_back(target);
            continue;
        }
        let token = Token(visits.len());
        let mut visit = Visit::begin(authority, address, token, poll.registry())?;
        visit.targets.push_back(target);
        visit.ask();
        visits.push(Some(visit));
    }
    let (mut ready, mut all_came) = (Vec::new(), true);
    while visits.iter().any(Option::is_some) {
        let time = if ready.is_empty() { SWEEP } else { Duration::ZERO };
        match poll.poll(&mut events, Some(time)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => ready.extend(events.iter().map(|event| event.token())),
        }
        for token in std::mem::take(&mut ready) {
            let Some(place) = visits.get_mut(token.0) else { continue };
            let Some(visit) = place else { continue };
            match visit.drive(token, poll.registry()) {
                Ok(Next::Wait) => {}
                Ok(Next::Again) => ready.push(token),
                Ok(Next::Leave) => *place = None,
                Err(why) => all_came &= give_up(place, &why),
            }
        }
        let now = Instant::now();
        for place in &mut visits {
            if place.as_ref().is_some_and(|visit| now - visit.moved > idle) {
                all_came &= give_up(place, "the server is silent");
            }
        }
    }
    Ok(all_came)
}

/// Says what can't be had of that server: what it was asked, and all that it was to
/// be asked. Never did all come then.
fn give_up(place: &mut Option<Visit>, why: &str) -> bool {
    if let Some(Visit { authority, targets, .. }) = place.take() {
        targets.iter().for_each(|target| eprintln!("http://{authority}{target}: {why}"));
    }
    false
}

fn main() -> ExitCode {
    match start() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("http_client: {why}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<bool, Box<dyn std::error::Error>> {
    let (mut urls, mut idle) = (Vec::new(), 30);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--idle" => idle = args.next().ok_or("--idle needs a value")?.parse()?,
            _ => urls.push(arg),
        }
    }
    if urls.is_empty() {
        return Err("usage: http_client [--idle SECONDS] URL...".into());
    }
    fetch(&urls, Duration::from_secs(idle))
}
