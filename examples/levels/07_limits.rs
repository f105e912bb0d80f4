//! # Level 07: limits, and what happens beyond them
//!
//! **The problem of level 06:** time was bounded, but not how much a client can make
//! the server keep and do.
//!
//! **The idea:** whatever a stranger can make grow has a limit, and an answer beyond it:
//!
//! ```text
//!   what grows             limit            beyond it
//!   bytes of a head        8 KiB            431, closed
//!   clients                --clients        503, closed: quickly, not never
//!   jobs that wait         64               503, the connection stays
//!   descriptors            the system's     wait; tried again a quarter second later
//!   replies kept           one a client     the next request is read when it has gone
//! ```
//!
//! Refusing is a service: who gets a 503 at once can go elsewhere, and the others are
//! served as well as before.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 7 --port 8080 --clients 2
//! nc 127.0.0.1 8080 & nc 127.0.0.1 8080 & curl -i http://127.0.0.1:8080/hello
//! curl -i -H "A: $(head -c 9000 /dev/zero | tr '\0' a)" http://127.0.0.1:8080/hello
//! ```
//!
//! ## What it gets wrong
//! It serves what nobody meant to be served, as all levels so far:
//! `curl --path-as-is http://127.0.0.1:8080/files/../secret.txt` leaves the folder. The
//! ladder shows: **the secret leaks**. Smaller things: a file is in memory as a whole
//! for each who asks, and who never stops sending requests has the loop for as long.

use crate::level04::attempt;
use crate::level05::{FIRST_CLIENT, Job, LISTENER, WAKER, helpers};
use crate::level06::{HEAD, IDLE, SWEEP, WRITE};
use crate::site::{self, Page, Reply, Site, Task};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

/// Beyond, a job would wait for seconds, and its client has better to do.
const JOBS_MAX: usize = 64;
/// Cookies of a careless site are the longest that comes by honestly.
const HEAD_MAX: usize = 8 * 1024;

struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    then: Then,
    deadline: Option<Instant>,
}

enum Then {
    NextRequest,
    Helper { last: bool },
    Close,
}

pub(crate) fn run(site: &Site) -> io::Result<()> {
    run_with(site, || Ok(site::worker(site)))
}

/// The server. The levels that follow only change what its helpers do.
pub(crate) fn run_with<W>(site: &Site, make: impl Fn() -> io::Result<W>) -> io::Result<()>
where
    W: FnMut(&Task) -> Reply + Send + 'static,
{
    let mut poll = Poll::new()?;
    let (jobs, queue) = sync_channel::<Job>(JOBS_MAX);
    let done = helpers(queue, Waker::new(poll.registry(), WAKER)?, make)?;
    let mut listener = TcpListener::bind(site.address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    site.announce(listener.local_addr()?, &listener)?;
    let mut clients: HashMap<usize, Client> = HashMap::new();
    let mut events = Events::with_capacity(1024);
    let (mut next, mut swept) = (FIRST_CLIENT, Instant::now());
    loop {
        // Even without clients: the door may have to be tried again.
        attempt(|| poll.poll(&mut events, Some(SWEEP)))?;
        let now = Instant::now();
        for event in events.iter().filter(|event| event.token().0 >= FIRST_CLIENT) {
            drive(&mut clients, event.token().0, &jobs, now);
        }
        for (id, reply) in done.try_iter() {
            let Some(client) = clients.get_mut(&id) else { continue };
            let last = matches!(client.then, Then::Helper { last: true });
            client.reply(&reply, last, now);
            drive(&mut clients, id, &jobs, now);
        }
        let knocked = events.iter().any(|event| event.token() == LISTENER);
        if now - swept >= SWEEP {
            swept = now;
            clients.retain(|_, client| client.deadline.is_none_or(|deadline| now < deadline));
        }
        // The edge is lost if there was no descriptor when it came.
        if knocked || swept == now {
            accept(&poll, &listener, &mut clients, &mut next, (now, site.clients_max));
        }
    }
}

fn accept(
    poll: &Poll,
    listener: &TcpListener,
    clients: &mut HashMap<usize, Client>,
    next: &mut usize,
    (now, clients_max): (Instant, usize),
) {
    while let Ok((mut stream, _)) = listener.accept() {
        if clients.len() >= clients_max {
            // One try: a new socket has room for so few bytes.
            let _ = stream.write(&Reply::text("503 Service Unavailable", "full\n").bytes(true));
            continue;
        }
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

fn drive(clients: &mut HashMap<usize, Client>, id: usize, jobs: &SyncSender<Job>, now: Instant) {
    let Some(client) = clients.get_mut(&id) else { return };
    if client.step(id, jobs, now).is_err() {
        clients.remove(&id);
    }
}

impl Client {
    fn step(&mut self, id: usize, jobs: &SyncSender<Job>, now: Instant) -> io::Result<()> {
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
                self.output.clear();
                let time = if self.input.is_empty() { IDLE } else { HEAD };
                self.deadline = Some(now + time);
            }
            let end = site::head_end(&self.input);
            if end.unwrap_or(self.input.len()) > HEAD_MAX {
                self.reply(&Reply::text("431 Head Too Large", "too long\n"), true, now);
                continue;
            }
            if let Some(end) = end {
                let head: Vec<u8> = self.input.drain(..end).collect();
                self.answer(id, &head, jobs, now);
                continue;
            }
            match attempt(|| self.stream.read(&mut buffer))? {
                None => return Ok(()),
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(count) => {
                    if self.input.is_empty() {
                        self.deadline = Some(now + HEAD);
                    }
                    self.input.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
            }
        }
    }

    fn answer(&mut self, id: usize, head: &[u8], jobs: &SyncSender<Job>, now: Instant) {
        let request = match site::parse(head) {
            Err(reply) => return self.reply(&reply, true, now),
            Ok(request) => request,
        };
        let last = request.last;
        match site::page(request) {
            Page::Ready(reply) => self.reply(&reply, last, now),
            Page::Slow(task) => match jobs.try_send((id, task)) {
                Ok(()) => (self.then, self.deadline) = (Then::Helper { last }, None),
                Err(_) => self.reply(&Reply::text("503 Service Unavailable", "busy\n"), last, now),
            },
        }
    }

    fn reply(&mut self, reply: &Reply, last: bool, now: Instant) {
        self.output = reply.bytes(last);
        (self.sent, self.deadline) = (0, Some(now + WRITE));
        self.then = if last { Then::Close } else { Then::NextRequest };
    }
}
