//! # Level 04: the bare poll loop
//!
//! **The problem of level 03:** waiting costs a thread, so there are never enough.
//!
//! **The idea:** turn it round. Sockets don't block any more: `read` says `WouldBlock`
//! where it would have slept. And one thread asks the kernel about *all* of them at
//! once: who has something for me? (epoll, here by way of mio.) Waiting costs nothing
//! but the place where a client's bytes are kept.
//!
//! ```text
//!    .--> poll: sleep until something has happened to somebody
//!    |      |
//!    |      +-- the listener: accept all who wait
//!    |      '-- client 7: read what is there, write what goes, remember the rest
//!    '------'
//! ```
//!
//! The price: a client's story can't be told in one go any more. Wherever it would have
//! waited, the thread goes to somebody else, so where it stood must be written down:
//! what came in so far, what is still to go out, what happens next. That is [`Client`],
//! a small state machine, and [`drive`] moves it as far as it goes.
//!
//! mio tells of *edges*: once that a socket became readable, and not again before a
//! read has said `WouldBlock`. So whoever is driven must be driven until then.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 4 --port 8080
//! for i in $(seq 500); do nc 127.0.0.1 8080 & done     curl doesn't mind
//! strace -c -p $(pgrep -n ladder)                      the system calls of a request
//! curl http://127.0.0.1:8080/files/slow.txt & curl http://127.0.0.1:8080/hello
//! ```
//!
//! ## What it gets wrong
//! One thread means: if it waits, all wait. There is no `WouldBlock` for files: a disk
//! is always "ready", and the read sleeps until it has answered. The last line above
//! shows it, and the ladder: **one reader of slow files** takes most of the throughput
//! from all others, as each of its requests stops the whole site for 200 ms.

use crate::site::{self, Page, Site};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

const LISTENER: Token = Token(0);
/// Tokens are never used twice: an event that comes too late finds nobody.
const FIRST_CLIENT: usize = 1;

/// What the thread must remember of a client while it is with another.
struct Client {
    stream: TcpStream,
    /// What has come and is no whole request yet.
    input: Vec<u8>,
    /// The reply under way, and how much of it has gone.
    output: Vec<u8>,
    sent: usize,
    then: Then,
}

/// What happens when the output has gone.
enum Then {
    NextRequest,
    Close,
}

pub(crate) fn run(site: &Site) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(site.address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    site.announce(listener.local_addr()?, &listener)?;
    let mut clients: HashMap<usize, Client> = HashMap::new();
    let mut next = FIRST_CLIENT;
    let mut events = Events::with_capacity(1024);
    loop {
        attempt(|| poll.poll(&mut events, None))?;
        for event in &events {
            match event.token() {
                LISTENER => accept(&poll, &listener, &mut clients, &mut next),
                Token(id) => {
                    let Some(client) = clients.get_mut(&id) else { continue };
                    if drive(client, site).is_err() {
                        clients.remove(&id); // closes its socket, and ends its events
                    }
                }
            }
        }
    }
}

/// Lets in all who wait.
fn accept(
    poll: &Poll,
    listener: &TcpListener,
    clients: &mut HashMap<usize, Client>,
    next: &mut usize,
) {
    // The end is `WouldBlock`, or that there are no descriptors left: then those who
    // wait are forgotten until somebody new knocks. Level 07 does better.
    while let Ok((mut stream, _)) = listener.accept() {
        let _ = stream.set_nodelay(true);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if poll.registry().register(&mut stream, Token(*next), interest).is_ok() {
            let (input, output) = (Vec::new(), Vec::new());
            let client = Client { stream, input, output, sent: 0, then: Then::NextRequest };
            clients.insert(*next, client);
            *next += 1;
        }
    }
}

/// Goes as far as it goes without waiting. An error: the client is done with.
fn drive(client: &mut Client, site: &Site) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        while let Some(rest) = client.output.get(client.sent..).filter(|rest| !rest.is_empty()) {
            // There will be an event when the client has taken some of it.
            let Some(count) = attempt(|| client.stream.write(rest))? else { return Ok(()) };
            client.sent += count;
        }
        if let Then::Close = client.then {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        if let Some(end) = site::head_end(&client.input) {
            let head: Vec<u8> = client.input.drain(..end).collect();
            answer(client, &head, site);
            continue;
        }
        match attempt(|| client.stream.read(&mut buffer))? {
            None => return Ok(()),
            Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Some(count) => client.input.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// `None`: it would have blocked.
pub(crate) fn attempt<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {} // by a signal: again
            other => return other.map(Some),
        }
    }
}

/// Puts the reply to a request into the output.
fn answer(client: &mut Client, head: &[u8], site: &Site) {
    let (reply, last) = match site::parse(head) {
        Err(reply) => (reply, true),
        Ok(request) => {
            let last = request.last;
            let reply = match site::page(request) {
                Page::Ready(reply) => reply,
                // All clients wait for this disk.
                Page::Slow(task) => site::perform(&site.root, &task),
            };
            (reply, last)
        }
    };
    client.output = reply.bytes(last);
    client.sent = 0;
    client.then = if last { Then::Close } else { Then::NextRequest };
}
