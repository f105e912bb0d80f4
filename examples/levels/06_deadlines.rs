//! # Level 06: deadlines
//!
//! **The problem of level 05:** a client that says nothing was kept for ever.
//!
//! **The idea:** wherever a client is waited for there is a time by which it must have
//! done its part. Not "some byte within the time", which a slowloris sends gladly, but:
//! the *whole head* within two seconds of its first byte.
//!
//! ```text
//!            first byte                whole head             reply gone
//!   [ Idle 10 s ] --> [ Head 2 s, fixed ] --> [ Helper: ours ] --> [ Write 5 s ]
//!        ^                                                       each byte: anew
//!        '-------------------------------------------------------------'
//! ```
//!
//! Four times a second a sweep looks at all clients and drops those whose time is over:
//! a walk over ten thousand costs a tenth of a millisecond, which will do. (onepoll has
//! a timer wheel: it touches only those who are due.) The clock is read once a turn and
//! handed down.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 6 --port 8080
//! time nc 127.0.0.1 8080                type a letter now and then: cut after 2 s
//! ```
//!
//! ## What it gets wrong
//! Time is bounded, amounts are not. In two seconds a client can send gigabytes of
//! head without an end, all of which is kept (and searched from its beginning each
//! time): in the ladder the **endless head** is taken to its last byte. Nor is there an
//! end to clients, jobs, or the bytes of a file in memory. And who takes one byte
//! every four seconds is still served: a rate would have to be asked for.

use crate::level04::attempt;
use crate::level05::{FIRST_CLIENT, Job, LISTENER, WAKER, helpers};
use crate::site::{self, Page, Reply, Site};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Between two requests, and before the first.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// From a head's first byte to its last. Short, for impatient students; 10 s is usual.
pub(crate) const HEAD: Duration = Duration::from_secs(2);
/// Without a byte that the client takes.
pub(crate) const WRITE: Duration = Duration::from_secs(5);
/// Deadlines are kept to this.
pub(crate) const SWEEP: Duration = Duration::from_millis(250);

struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    then: Then,
    /// None while it waits for us.
    deadline: Option<Instant>,
}

enum Then {
    NextRequest,
    Helper { last: bool },
    Close,
}

pub(crate) fn run(site: &Site) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let (jobs, queue) = channel();
    let done = helpers(queue, Waker::new(poll.registry(), WAKER)?, || Ok(site::worker(site)))?;
    let mut listener = TcpListener::bind(site.address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    site.announce(listener.local_addr()?, &listener)?;
    let mut clients: HashMap<usize, Client> = HashMap::new();
    let mut next = FIRST_CLIENT;
    let mut events = Events::with_capacity(1024);
    let mut swept = Instant::now();
    loop {
        // Who has no clients has no deadlines, and may sleep without end.
        let patience = (!clients.is_empty()).then_some(SWEEP);
        attempt(|| poll.poll(&mut events, patience))?;
        let now = Instant::now();
        for event in &events {
            match event.token() {
                LISTENER => accept(&poll, &listener, &mut clients, &mut next, now),
                WAKER => {}
                Token(id) => drive(&mut clients, id, &jobs, now),
            }
        }
        for (id, reply) in done.try_iter() {
            let Some(client) = clients.get_mut(&id) else { continue };
            let last = matches!(client.then, Then::Helper { last: true });
            client.reply(&reply, last, now);
            drive(&mut clients, id, &jobs, now);
        }
        if now - swept >= SWEEP {
            swept = now;
            clients.retain(|_, client| client.deadline.is_none_or(|deadline| now < deadline));
        }
    }
}

fn accept(
    poll: &Poll,
    listener: &TcpListener,
    clients: &mut HashMap<usize, Client>,
    next: &mut usize,
    now: Instant,
) {
    while let Ok((mut stream, _)) = listener.accept() {
        let _ = stream.set_nodelay(true);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if poll.registry().register(&mut stream, Token(*next), interest).is_ok() {
            let (input, output, then) = (Vec::new(), Vec::new(), Then::NextRequest);
            let deadline = Some(now + IDLE);
            clients.insert(*next, Client { stream, input, output, sent: 0, then, deadline });
            *next += 1;
        }
    }
}

fn drive(clients: &mut HashMap<usize, Client>, id: usize, jobs: &Sender<Job>, now: Instant) {
    let Some(client) = clients.get_mut(&id) else { return };
    if client.step(id, jobs, now).is_err() {
        clients.remove(&id);
    }
}

impl Client {
    fn step(&mut self, id: usize, jobs: &Sender<Job>, now: Instant) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty()) {
                let Some(count) = attempt(|| self.stream.write(rest))? else { return Ok(()) };
                self.sent += count;
                self.deadline = Some(now + WRITE);
            }
            match self.then {
                Then::NextRequest => {}
                Then::Helper { .. } => return Ok(()),
                Then::Close => return Err(ErrorKind::ConnectionAborted.into()),
            }
            if !self.output.is_empty() {
                // The reply has gone. The next head may have begun already.
                self.output.clear();
                let time = if self.input.is_empty() { IDLE } else { HEAD };
                self.deadline = Some(now + time);
            }
            if let Some(end) = site::head_end(&self.input) {
                let head: Vec<u8> = self.input.drain(..end).collect();
                self.answer(id, &head, jobs, now);
                continue;
            }
            match attempt(|| self.stream.read(&mut buffer))? {
                None => return Ok(()),
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(count) => {
                    if self.input.is_empty() {
                        // The first byte; those that follow gain the client nothing.
                        self.deadline = Some(now + HEAD);
                    }
                    self.input.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
            }
        }
    }

    fn answer(&mut self, id: usize, head: &[u8], jobs: &Sender<Job>, now: Instant) {
        let request = match site::parse(head) {
            Err(reply) => return self.reply(&reply, true, now),
            Ok(request) => request,
        };
        let last = request.last;
        match site::page(request) {
            Page::Ready(reply) => self.reply(&reply, last, now),
            Page::Slow(task) => match jobs.send((id, task)) {
                Ok(()) => (self.then, self.deadline) = (Then::Helper { last }, None),
                Err(_) => {
                    self.reply(&Reply::text("503 Service Unavailable", "no helper\n"), true, now);
                }
            },
        }
    }

    fn reply(&mut self, reply: &Reply, last: bool, now: Instant) {
        self.output = reply.bytes(last);
        (self.sent, self.deadline) = (0, Some(now + WRITE));
        self.then = if last { Then::Close } else { Then::NextRequest };
    }
}
