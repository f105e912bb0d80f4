//! # Level 05: helpers for what blocks
//!
//! **The problem of level 04:** the loop waited for the disk, and everybody with it.
//!
//! **The idea:** the loop never waits for anything but its poll. What may block is
//! given to a few helper threads through a queue; the client's state says so
//! ([`Then::Helper`]) and nothing is read from it meanwhile. The reply comes home
//! through a second queue, and a *waker* (an eventfd that the poll watches) makes sure
//! that the loop looks.
//!
//! ```text
//!    .--> poll --> events --> replies that came home --.        one thread
//!    '-----------------^-------------------------------'
//!         jobs |       | replies, and a wake
//!              v       |
//!          [ helper, helper, helper, helper ] <--> disk         four threads
//! ```
//!
//! Threads again, but bound to *work*, not to clients. This is the shape of onepoll.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 5 --port 8080
//! curl http://127.0.0.1:8080/files/slow.txt & curl http://127.0.0.1:8080/hello
//! ```
//!
//! ## What it gets wrong
//! Nobody is ever asked to leave: in the ladder the **slowloris is there to the end**,
//! and ten thousand would take all descriptors without a single request.

use crate::level04::attempt;
use crate::site::{self, Page, Reply, Site, Task};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub(crate) const LISTENER: Token = Token(0);
pub(crate) const WAKER: Token = Token(1);
pub(crate) const FIRST_CLIENT: usize = 2;
const HELPERS: usize = 4;

/// A task, and for whom. The client may be gone when it is done: then its number,
/// which is never used twice, is nobody's, and the reply is dropped.
pub(crate) type Job = (usize, Task);
pub(crate) type Done = (usize, Reply);

struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    then: Then,
}

/// What happens when the output has gone.
enum Then {
    NextRequest,
    /// A helper has the request.
    Helper {
        last: bool,
    },
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
    loop {
        attempt(|| poll.poll(&mut events, None))?;
        for event in &events {
            match event.token() {
                LISTENER => accept(&poll, &listener, &mut clients, &mut next),
                WAKER => {} // it only ended the sleep
                Token(id) => drive(&mut clients, id, &jobs),
            }
        }
        for (id, reply) in done.try_iter() {
            let Some(client) = clients.get_mut(&id) else { continue };
            let last = matches!(client.then, Then::Helper { last: true });
            client.reply(&reply, last);
            drive(&mut clients, id, &jobs);
        }
    }
}

/// Starts the helpers, who each do what `make` makes for them; returns where their
/// replies come from.
pub(crate) fn helpers<W>(
    queue: Receiver<Job>,
    waker: Waker,
    make: impl Fn() -> io::Result<W>,
) -> io::Result<Receiver<Done>>
where
    W: FnMut(&Task) -> Reply + Send + 'static,
{
    let (results, done) = channel();
    let (queue, waker) = (Arc::new(Mutex::new(queue)), Arc::new(waker));
    for _ in 0..HELPERS {
        let (queue, results, waker) = (Arc::clone(&queue), results.clone(), Arc::clone(&waker));
        let mut work = make()?;
        thread::Builder::new().spawn(move || {
            loop {
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((id, task)) = job else { return };
                // First the reply, then the wake: the other way round the loop could
                // look, find nothing, and sleep.
                let _ = results.send((id, work(&task)));
                let _ = waker.wake();
            }
        })?;
    }
    Ok(done)
}

fn accept(
    poll: &Poll,
    listener: &TcpListener,
    clients: &mut HashMap<usize, Client>,
    next: &mut usize,
) {
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

fn drive(clients: &mut HashMap<usize, Client>, id: usize, jobs: &Sender<Job>) {
    let Some(client) = clients.get_mut(&id) else { return };
    if client.step(id, jobs).is_err() {
        clients.remove(&id);
    }
}

impl Client {
    /// Goes as far as it goes without waiting. An error: the client is done with.
    fn step(&mut self, id: usize, jobs: &Sender<Job>) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty()) {
                let Some(count) = attempt(|| self.stream.write(rest))? else { return Ok(()) };
                self.sent += count;
            }
            match self.then {
                Then::NextRequest => {}
                Then::Helper { .. } => return Ok(()),
                Then::Close => return Err(ErrorKind::ConnectionAborted.into()),
            }
            if let Some(end) = site::head_end(&self.input) {
                let head: Vec<u8> = self.input.drain(..end).collect();
                self.answer(id, &head, jobs);
                continue;
            }
            match attempt(|| self.stream.read(&mut buffer))? {
                None => return Ok(()),
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(count) => {
                    self.input.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
            }
        }
    }

    fn answer(&mut self, id: usize, head: &[u8], jobs: &Sender<Job>) {
        let request = match site::parse(head) {
            Err(reply) => return self.reply(&reply, true),
            Ok(request) => request,
        };
        let last = request.last;
        match site::page(request) {
            Page::Ready(reply) => self.reply(&reply, last),
            Page::Slow(task) => match jobs.send((id, task)) {
                Ok(()) => self.then = Then::Helper { last },
                Err(_) => self.reply(&Reply::text("503 Service Unavailable", "no helper\n"), true),
            },
        }
    }

    fn reply(&mut self, reply: &Reply, last: bool) {
        self.output = reply.bytes(last);
        self.sent = 0;
        self.then = if last { Then::Close } else { Then::NextRequest };
    }
}
