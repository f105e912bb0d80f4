//! The scripted world: a fake clock, a poll, clients, helpers without threads.
//!
//! Time stands still while the reactor works and jumps to the next event while
//! it waits. All that will happen lies in one queue, by time; who gets what
//! first among equals is decided by the order in which it was put there, and so
//! by the seed.

use super::client::Client;
use super::link::{Link, Mood, ScriptedSocket};
use super::rng::Rng;
use super::service::Wakes;
use crate::http::{FileSpan, Lane, Peer, Wake};
use crate::reactor::{Bits, Errand, Inbox, Ready, Source, World};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Everything outside the loop, from a script.
#[derive(Debug)]
pub struct ScriptedWorld {
    start: Instant,
    /// Time since the start.
    pub(crate) at: Duration,
    events: BTreeMap<(Duration, u64), Happening>,
    count: u64,
    pub(crate) clients: Vec<Client>,
    listeners: Vec<Listener>,
    /// Until when the serial lane is busy.
    serial: Duration,
    bell: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
    wakes: Wakes,
    temper: Temper,
    rng: Rng,
    /// Jobs that were refused.
    pub(crate) refusals: u64,
    /// What the reactor has brought about outside, as a count.
    deeds: u64,
    seen: u64,
    fruitless: u32,
    pub(crate) wrong: Option<String>,
}

/// How the world behaves in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Temper {
    /// One call in so many does less than it could.
    pub(crate) whims: usize,
    pub(crate) tells_all: bool,
    /// One application job in so many is refused.
    pub(crate) refuses: usize,
    /// One file part in so many is not in memory.
    pub(crate) cold: usize,
    /// Descriptors run out now and then.
    pub(crate) rude: bool,
    /// Events per poll at most.
    pub(crate) events_max: usize,
}

#[derive(Debug)]
struct Listener {
    open: bool,
    edge: bool,
    /// Clients in its queue.
    backlog: VecDeque<usize>,
}

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    Connect(usize),
    Act(usize),
    Read(usize),
    Done(Errand),
    Wake(Wake),
    Command(crate::reactor::Command),
}

/// Addresses that the server listens on.
const LISTENERS_MAX: usize = 3;
/// Turns of the loop in a row that do nothing.
const FRUITLESS_MAX: u32 = 200;
/// Nothing takes as long as this.
const TIME_MAX: Duration = Duration::from_secs(3_600);

impl ScriptedWorld {
    pub(crate) fn new(temper: Temper, wakes: Wakes, mut rng: Rng) -> ScriptedWorld {
        let open = |_| Listener { open: true, edge: false, backlog: VecDeque::new() };
        let listeners = (0..rng.between(1, LISTENERS_MAX)).map(open).collect();
        let bell = Arc::new(AtomicBool::new(false));
        let rung = Arc::clone(&bell);
        let inbox = Arc::new(Inbox::new(move || rung.store(true, Ordering::Relaxed)));
        ScriptedWorld {
            start: Instant::now(),
            at: Duration::ZERO,
            events: BTreeMap::new(),
            count: 0,
            clients: Vec::new(),
            listeners,
            serial: Duration::ZERO,
            bell,
            inbox,
            wakes,
            temper,
            rng,
            refusals: 0,
            deeds: 0,
            seen: 0,
            fruitless: 0,
            wrong: None,
        }
    }

    pub(crate) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    pub(crate) fn add(&mut self, plan: super::plan::Plan) {
        let sizes = [1, 700, 4_096, 16_384, 65_536, 262_144];
        let mood = Mood {
            whims: self.temper.whims,
            tells_all: self.temper.tells_all,
            up_max: sizes.get(self.rng.between(1, 5)).copied().unwrap_or(1),
            down_max: sizes.get(self.rng.between(1, 5)).copied().unwrap_or(1),
        };
        let link = Rc::new(RefCell::new(Link::new(mood, self.rng.fork())));
        let client = Client::new(plan, link);
        self.plan(client.starts(), Happening::Connect(self.clients.len()));
        self.clients.push(client);
    }

    pub(crate) fn command(&mut self, after: Duration, command: crate::reactor::Command) {
        self.plan(after, Happening::Command(command));
    }

    /// Whether nothing is left to happen among clients and helpers.
    pub(crate) fn is_over(&self) -> bool {
        let pending = |event: &Happening| matches!(event, Happening::Done(_));
        self.clients.iter().all(Client::is_done) && !self.events.values().any(pending)
    }

    /// Lets helpers finish what nobody waits for any more.
    pub(crate) fn run_out(&mut self) {
        for event in std::mem::take(&mut self.events).into_values() {
            if let Happening::Done(errand) = event {
                errand.run();
            }
        }
    }

    fn plan(&mut self, after: Duration, event: Happening) {
        self.count += 1;
        self.events.insert((self.at + after, self.count), event);
    }

    fn soon(&mut self, most_us: usize) -> Duration {
        Duration::from_micros(self.rng.below(most_us) as u64)
    }

    /// Lets everything happen whose time has come.
    fn happen(&mut self) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > self.at {
                break;
            }
            match entry.remove() {
                Happening::Connect(client) => self.connect(client),
                Happening::Act(client) => self.let_act(client),
                Happening::Read(client) => {
                    let result = self.clients[client].read(self.at); // ok: never removed
                    self.again(client, result, Happening::Read);
                    self.let_act(client);
                }
                Happening::Done(errand) => {
                    self.deeds += 1;
                    errand.run();
                }
                Happening::Wake(wake) => wake.wake(),
                Happening::Command(command) => self.inbox.command(command),
            }
            self.fruitless = 0;
        }
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<_> = wakes.drain(..).collect();
        drop(wakes);
        for (after, wake) in new {
            self.plan(after, Happening::Wake(wake));
        }
        self.notice();
    }

    fn connect(&mut self, client: usize) {
        self.clients[client].connect(); // ok: never removed
        let count = self.listeners.len();
        match self.listeners.get_mut(client % count) {
            Some(listener) if listener.open => {
                listener.backlog.push_back(client);
                listener.edge = true;
            }
            _ => self.clients[client].link.borrow_mut().refuse(), // ok: as above
        }
        self.plan(Duration::ZERO, Happening::Act(client));
    }

    fn let_act(&mut self, client: usize) {
        let result = self.clients[client].act(self.at); // ok: never removed
        self.again(client, result, Happening::Act);
    }

    fn again(
        &mut self,
        client: usize,
        result: Result<Option<Duration>, String>,
        event: fn(usize) -> Happening,
    ) {
        match result {
            Ok(Some(at)) => self.plan(at.saturating_sub(self.at), event(client)),
            Ok(None) => {}
            Err(what) => {
                self.wrong.get_or_insert(format!("client {client}: {what}"));
            }
        }
    }

    /// What the reactor did is noticed by the clients a little later.
    fn notice(&mut self) {
        for client in 0..self.clients.len() {
            let it = &self.clients[client]; // ok: below the length
            let mut link = it.link.borrow_mut();
            if std::mem::take(&mut link.stirred) {
                drop(link);
                let latency = it.latency();
                let first = latency + self.soon(500);
                self.plan(first, Happening::Read(client));
            }
        }
    }

    fn deeds(&self) -> u64 {
        let moves: u64 = self.clients.iter().map(|client| client.link.borrow().moves).sum();
        self.deeds + moves
    }

    /// What the poll finds, in any order, now and then with a false report.
    fn collect(&mut self) -> Vec<Ready> {
        let mut ready = Vec::new();
        for client in &self.clients {
            if ready.len() >= self.temper.events_max {
                break;
            }
            if let Some((slot, bits)) = client.link.borrow_mut().event() {
                ready.push(Ready { source: Source::Slot(slot), bits });
            }
        }
        for (number, listener) in self.listeners.iter_mut().enumerate() {
            if std::mem::take(&mut listener.edge) {
                let source = Source::Listener(number as u32);
                ready.push(Ready { source, bits: Bits::READABLE });
            }
        }
        if self.bell.swap(false, Ordering::Relaxed) {
            ready.push(Ready { source: Source::Inbox, bits: Bits::READABLE });
        }
        if !ready.is_empty() && self.rng.once_in(10) && !self.clients.is_empty() {
            let other = self.rng.below(self.clients.len());
            let rumour = self.clients[other].link.borrow_mut().rumour(); // ok: below the length
            if let Some((slot, bits)) = rumour {
                ready.push(Ready { source: Source::Slot(slot), bits });
            }
        }
        for at in (1..ready.len()).rev() {
            let other = self.rng.below(at + 1);
            ready.swap(at, other);
        }
        ready
    }

    fn stop(&mut self, what: &str) -> io::Error {
        let busy = self.clients.iter().enumerate().filter(|(_, client)| !client.is_done());
        let busy: Vec<String> = busy
            .map(|(number, client)| format!("\n  client {number}: {}", client.status()))
            .collect();
        self.wrong.get_or_insert(format!("{what}{}\n", busy.concat()));
        io::Error::other("the simulation stops")
    }
}

impl World for ScriptedWorld {
    type Socket = ScriptedSocket;

    fn now(&mut self) -> Instant {
        self.start + self.at
    }

    fn wall(&mut self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000_000) + self.at
    }

    fn poll(&mut self, wait: Option<Duration>, ready: impl FnMut(Ready)) -> io::Result<()> {
        let deeds = self.deeds();
        self.fruitless = if deeds == self.seen { self.fruitless + 1 } else { 0 };
        self.seen = deeds;
        if self.fruitless > FRUITLESS_MAX {
            return Err(self.stop("the loop turns and turns and does nothing"));
        }
        let pause = self.soon(20);
        self.at += pause;
        let limit = wait.map(|wait| self.at + wait);
        loop {
            self.happen();
            if self.wrong.is_some() {
                return Err(self.stop("see above"));
            }
            let found = self.collect();
            if !found.is_empty() {
                found.into_iter().for_each(ready);
                return Ok(());
            }
            if limit.is_some_and(|limit| limit <= self.at) {
                return Ok(());
            }
            let next = self.events.first_key_value().map(|((at, _), _)| *at);
            let to = match (next, limit) {
                (Some(next), Some(limit)) => next.min(limit),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) if self.is_over() => return Ok(()),
                (None, None) => return Err(self.stop("everybody waits for everybody")),
            };
            if to > TIME_MAX {
                return Err(self.stop("it takes longer than anything should"));
            }
            self.at = self.at.max(to);
        }
    }

    fn listeners(&self) -> usize {
        self.listeners.len()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(ScriptedSocket, Peer)> {
        let Some(listener) = self.listeners.get_mut(listener) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        if listener.backlog.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.rng.below(40) {
            0 => return Err(io::ErrorKind::Interrupted.into()),
            1 => return Err(io::ErrorKind::ConnectionAborted.into()),
            2 if self.temper.rude => return Err(io::Error::from_raw_os_error(TOO_MANY_FILES)),
            _ => {}
        }
        let Some(client) = listener.backlog.pop_front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        self.deeds += 1;
        let peer = SocketAddr::from(([127, 0, 0, 1], 10_000 + client as u16));
        let link = Rc::clone(&self.clients[client].link); // ok: never removed
        Ok((ScriptedSocket(link), Peer::Tcp(peer)))
    }

    fn close_listener(&mut self, listener: usize) {
        let Some(listener) = self.listeners.get_mut(listener) else { return };
        listener.open = false;
        for client in std::mem::take(&mut listener.backlog) {
            self.clients[client].link.borrow_mut().refuse(); // ok: never removed
        }
    }

    fn register(&mut self, socket: &mut ScriptedSocket, slot: u32) -> io::Result<()> {
        if self.temper.rude && self.rng.once_in(40) {
            return Err(io::Error::from_raw_os_error(NO_SPACE)); // `max_user_watches`
        }
        socket.0.borrow_mut().watch(slot);
        Ok(())
    }

    fn is_resident(&mut self, _span: &FileSpan) -> bool {
        !self.rng.once_in(self.temper.cold)
    }

    fn deregister(&mut self, socket: &mut ScriptedSocket) {
        socket.0.borrow_mut().unwatch();
    }

    fn submit(&mut self, errand: Errand) -> Result<(), Errand> {
        if errand.lane() != Lane::Engine && self.rng.once_in(self.temper.refuses) {
            self.refusals += 1;
            return Err(errand);
        }
        if self.temper.rude && self.rng.once_in(60) {
            return Err(errand); // no thread can be had
        }
        let slow = self.rng.once_in(12);
        let after = self.soon(if slow { 5_000_000 } else { 20_000 });
        if errand.lane() == Lane::Serial {
            // One at a time, in order.
            self.serial = self.serial.max(self.at) + after;
            self.plan(self.serial - self.at, Happening::Done(errand));
        } else {
            self.plan(after, Happening::Done(errand));
        }
        Ok(())
    }
}

/// `EMFILE`.
const TOO_MANY_FILES: i32 = 24;
/// `ENOSPC`.
const NO_SPACE: i32 = 28;
