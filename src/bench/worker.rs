//! One thread of the generator: a loop that owns its share of the connections.
//!
//! ```text
//!     wait      until the wheel, the next slice of time, the timer of the open loop
//!  1  events    connections made, writable, readable: driven as far as they go
//!  2  again     those that had more to read than a turn's share
//!  3  open      connections that are to be made, a few at a time
//!  4  pump      requests of the open loop that are due
//!  5  wheel     time-outs, attempts to connect again
//!  6  slice     every 100 ms: what was counted goes to the collector
//! ```
//!
//! First all connections are made ([`Phase::Opening`]), in all threads; then the
//! load begins, at one moment for all. Poll rounds times up to milliseconds, so the
//! open loop has a timer of its own (a timerfd), which tells nanoseconds.

mod issue;

use super::ErrorKind;
use super::client::{Client, Link};
use super::cpu;
use super::guests::Guests;
use super::job::{Choice, Job};
use super::pace::Pace;
use super::plan::{Limit, Load};
use super::shared::{ABORTED, Shared};
use super::tally::{SLICE_NS, Slice, Tally};
use super::timer::Timer;
use crate::error::Error;
use crate::reactor::{Tick, Wheel};
use mio::{Events, Poll, Token};
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Attempts to connect under way at once, at the beginning: more would overflow
/// the queues of servers that have short ones.
const OPENING_MAX: usize = 100;
const EVENTS_PER_TURN: usize = 1024;
/// Bytes that are read at once; one buffer for all connections.
const BUFFER: usize = 256 * 1024;
const TIMER: Token = Token(usize::MAX - 1);
/// What is under way when the user says stop has this long to be answered.
const STOP_NS: u64 = 500_000_000;
/// Time-outs shorter than this are watched to the millisecond.
const PRECISE_NS: u64 = 1_000_000_000;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connections are made.
    Opening,
    /// Other threads still make theirs.
    Ready,
    Load,
    /// No new requests; what is under way is waited for, until that time.
    Drain(u64),
}

/// A thread's connections and all that drives them.
pub(crate) struct Worker<'a> {
    pub(crate) job: &'a Job,
    pub(crate) shared: &'a Shared,
    pub(crate) poll: Poll,
    pub(crate) clients: Vec<Client>,
    pub(crate) tally: Tally,
    pub(crate) buffer: Vec<u8>,
    pub(crate) joined: Vec<u8>,
    pub(crate) again: Vec<usize>,
    pub(crate) in_flight: usize,
    pub(crate) last_now: u64,
    pub(crate) wheel: Wheel,
    guests: Guests,
    index: usize,
    phase: Phase,
    choices: Vec<Choice>,
    /// In an open loop: who can take a request, by server.
    free: Vec<VecDeque<u32>>,
    pace: Option<Pace>,
    /// The target of the next request of the open loop.
    pending: Option<u16>,
    timer: Timer,
    /// Requests to be started and counted, if they are counted.
    left: Option<u64>,
    to_open: VecDeque<u32>,
    opening: usize,
    /// How many connections the ramp has let through.
    ramped: usize,
    begin: u64,
    measure_from: u64,
    stop_at: u64,
    stopped: u64,
    cpu: cpu::Window,
    /// Bytes sent and received when the measurement began.
    measured: Option<(u64, u64)>,
    out: Sender<Slice>,
}

/// What a thread has to say at the end.
pub(crate) struct Done {
    pub(crate) tally: Tally,
    /// From, to: of what was measured.
    pub(crate) window: (u64, u64),
    /// CPU time of this thread meanwhile.
    pub(crate) cpu: Duration,
    pub(crate) server: Option<cpu::Usage>,
    /// Requests that were due and never started.
    pub(crate) missed: u64,
    /// Requests that were under way when the user had enough.
    pub(crate) unfinished: u64,
    pub(crate) guests: super::report::GuestReport,
    pub(crate) open: usize,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        job: &'a Job,
        shared: &'a Shared,
        index: usize,
        out: Sender<Slice>,
    ) -> Result<Worker<'a>, Error> {
        let poll = Poll::new().map_err(Error::io("opening a poll"))?;
        let timer = Timer::new(poll.registry(), TIMER).map_err(Error::io("a timer"))?;
        let clients: Vec<Client> = job.connections_of(index).into_iter().map(Client::new).collect();
        let at_once = if job.plan.ramp.is_zero() { clients.len() } else { 1 };
        let first_guest = clients.len();
        Ok(Worker {
            job,
            shared,
            tally: Tally::new(),
            buffer: vec![0; BUFFER],
            joined: Vec::new(),
            again: Vec::new(),
            in_flight: 0,
            last_now: 0,
            wheel: Wheel::new(),
            guests: Guests::new(
                &job.plan.guests,
                if index == 0 { Some(first_guest) } else { None },
            ),
            index,
            phase: Phase::Opening,
            choices: job.choices(),
            free: job.origins.iter().map(|_| VecDeque::new()).collect(),
            pace: None,
            pending: None,
            timer,
            left: job.count_of(index),
            to_open: (0..at_once as u32).collect(),
            opening: 0,
            ramped: 0,
            begin: 0,
            measure_from: u64::MAX,
            stop_at: u64::MAX,
            stopped: 0,
            cpu: cpu::Window::new(if index == 0 { &job.plan.pids } else { &[] }),
            measured: None,
            out,
            poll,
            clients,
        })
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The poll failed.
    pub(crate) fn run(mut self) -> Result<Done, Error> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        self.now();
        self.open_some();
        loop {
            let wait = self.wait();
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => other.map_err(Error::io("waiting for events"))?,
            }
            for event in &events {
                match event.token() {
                    TIMER => {}
                    Token(at) if at < self.clients.len() => self.event(at, event),
                    Token(at) => self.guests.event(at, event, self.job, &self.poll),
                }
            }
            for at in std::mem::take(&mut self.again) {
                self.read(at, true);
            }
            self.open_some();
            self.pump();
            self.expire();
            let now = self.now();
            self.slice(now);
            if self.step(now) {
                return Ok(self.done(now));
            }
        }
    }

    pub(crate) fn now(&mut self) -> u64 {
        self.last_now = self.shared.now();
        self.last_now
    }

    /// Whether a request that was meant to start then is measured.
    pub(crate) fn is_counted(&self, intended: u64) -> bool {
        (self.measure_from..self.stop_at).contains(&intended)
    }

    /// Whether it is measured now.
    pub(crate) fn in_window(&self, now: u64) -> bool {
        now >= self.measure_from && now < self.stop_at
    }

    /// How long there is nothing to do.
    fn wait(&self) -> Duration {
        if !self.again.is_empty() {
            return Duration::ZERO;
        }
        let slice = SLICE_NS - self.last_now % SLICE_NS;
        let wheel = self.wheel.next_deadline().map_or(u64::MAX, |tick| {
            (tick.micros().saturating_mul(1000)).saturating_sub(self.last_now)
        });
        let brisk = match self.phase {
            Phase::Ready => 1_000_000,
            Phase::Load if self.last_now < self.measure_from => {
                // The ramp's connections, and the moment when it counts.
                (self.measure_from - self.last_now).min(5_000_000)
            }
            Phase::Load => self.stop_at.saturating_sub(self.last_now),
            _ => u64::MAX,
        };
        Duration::from_nanos(slice.min(wheel).min(brisk))
    }

    /// Goes on to the next phase, if it is time; whether all is done.
    fn step(&mut self, now: u64) -> bool {
        match self.phase {
            Phase::Opening if self.opening == 0 && self.to_open.is_empty() => {
                self.shared.settled(now);
                self.phase = Phase::Ready;
                self.step(now)
            }
            Phase::Opening => self.shared.is_stopped(),
            Phase::Ready => match self.shared.start() {
                _ if self.shared.is_stopped() => true,
                Some(ABORTED) => true,
                Some(start) => {
                    self.start(start);
                    false
                }
                None => false,
            },
            Phase::Load => {
                self.ramp(now);
                if now >= self.measure_from && self.measured.is_none() {
                    self.measure();
                }
                if now >= self.stop_at || self.left == Some(0) || self.shared.is_stopped() {
                    self.stop(now);
                }
                false
            }
            Phase::Drain(until) => {
                // Asked to stop meanwhile, nobody wants to wait for the time-out.
                if self.shared.is_stopped() && until > now.saturating_add(STOP_NS) {
                    self.phase = Phase::Drain(now.saturating_add(STOP_NS));
                }
                self.in_flight == 0 || now >= until || self.shared.is_killed()
            }
        }
    }

    fn start(&mut self, start: u64) {
        let plan = &self.job.plan;
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.phase = Phase::Load;
        self.begin = start;
        let before = ns(plan.ramp).saturating_add(ns(plan.warm_time()));
        self.measure_from = start.saturating_add(before);
        if let Limit::Time(time) = plan.limit {
            self.stop_at = self.measure_from.saturating_add(ns(time));
        }
        if before == 0 {
            self.measure();
        }
        if let Load::Open { rate, arrivals } = plan.load {
            let share = (self.index, plan.threads);
            self.pace = Some(Pace::new(rate, arrivals, share, start, plan.seed));
        }
        self.guests.start(self.job, &self.poll, &mut self.wheel, tick(start));
        for at in 0..self.clients.len() {
            let now = self.now();
            match self.clients.get(at).map(|client| &client.link) {
                Some(Link::Open(_)) => self.refill(at, now),
                _ => continue,
            }
        }
        self.pump();
    }

    /// From here on it counts.
    fn measure(&mut self) {
        self.cpu.begin();
        self.measured = Some((self.tally.sent_bytes, self.tally.received_bytes));
        // What the warm-up could not start is not to burden the measurement.
        if let Some(pace) = &mut self.pace {
            pace.skip_to(self.measure_from);
        }
    }

    /// No more requests.
    fn stop(&mut self, now: u64) {
        self.stopped = now.min(self.stop_at);
        self.cpu.end();
        if let Limit::Time(_) = self.job.plan.limit {
            self.tally.bytes_since(self.measured);
        }
        let grace = match self.shared.is_stopped() {
            true => STOP_NS,
            false => u64::try_from(self.job.plan.timeout.as_nanos()).unwrap_or(u64::MAX),
        };
        self.phase = Phase::Drain(now.saturating_add(grace));
    }

    fn done(mut self, now: u64) -> Done {
        self.slice_out(now);
        let missed = match &self.pace {
            Some(pace) if !self.shared.is_stopped() => {
                pace.count_between(self.measure_from, self.stop_at)
            }
            _ => 0,
        };
        let to = match self.job.plan.limit {
            Limit::Count(_) if !self.shared.is_stopped() => self.tally.last.max(self.measure_from),
            _ => self.stopped,
        };
        if let Limit::Count(_) = self.job.plan.limit {
            self.tally.bytes_since(self.measured);
        }
        let (cpu, server) = self.cpu.usage();
        Done {
            window: (self.measure_from, to),
            cpu,
            server,
            missed,
            unfinished: self.in_flight as u64,
            guests: self.guests.report(),
            open: self.clients.iter().filter(|client| client.is_open()).count(),
            tally: self.tally,
        }
    }

    /// Connections that are still to be made.
    fn open_some(&mut self) {
        while self.opening < OPENING_MAX {
            let Some(at) = self.to_open.pop_front() else { return };
            self.opening += 1;
            let now = self.now();
            self.open(at as usize, now);
        }
    }

    /// The first attempt of a connection has come to something.
    pub(crate) fn settle(&mut self, at: usize, made: bool) {
        let Some(client) = self.clients.get_mut(at) else { return };
        if std::mem::replace(&mut client.fresh, false) {
            self.opening -= 1;
            if made {
                self.shared.opened();
            }
        }
    }

    /// Lets more connections be opened, evenly over the ramp.
    fn ramp(&mut self, now: u64) {
        let ramp = self.job.plan.ramp.as_nanos();
        if ramp == 0 {
            return;
        }
        let passed = u128::from(now.saturating_sub(self.begin)).min(ramp);
        let count = (self.clients.len() as u128 * passed / ramp) as usize;
        while self.ramped < count {
            if self.ramped > 0 {
                self.to_open.push_back(self.ramped as u32);
            }
            self.ramped += 1;
        }
        self.open_some();
    }

    /// A connection that is shut: is it needed again?
    pub(crate) fn reopen(&mut self, at: usize, now: u64) {
        if matches!(self.phase, Phase::Opening | Phase::Ready) {
            return self.open(at, now);
        }
        self.fill(at, now);
        let Some(client) = self.clients.get(at) else { return };
        // In an open loop it stands ready, unless it is to be made anew each time.
        let ready = self.pace.is_some() && !self.job.plan.connect_each;
        if !client.flight.is_empty() || (ready && self.phase == Phase::Load) {
            self.open(at, now);
        }
    }

    /// Makes sure that the wheel asks about this connection in time.
    pub(crate) fn arm(&mut self, at: usize) {
        let timeout = u64::try_from(self.job.plan.timeout.as_nanos()).unwrap_or(u64::MAX);
        let Some(client) = self.clients.get(at) else { return };
        if let Some(deadline) = client.deadline(timeout) {
            let precise = matches!(client.link, Link::Wait) || timeout < PRECISE_NS;
            self.wheel.ensure(at as u32, tick(deadline), precise);
        }
    }

    fn expire(&mut self) {
        let now = self.now();
        let mut due = Vec::new();
        self.wheel.expire(tick(now), &mut due);
        let timeout = u64::try_from(self.job.plan.timeout.as_nanos()).unwrap_or(u64::MAX);
        for at in due {
            let at = at as usize;
            let Some(client) = self.clients.get_mut(at) else {
                self.guests.due(at, self.job, &self.poll, &mut self.wheel, tick(now));
                continue;
            };
            match client.deadline(timeout) {
                Some(deadline) if deadline <= now => {}
                Some(_) => {
                    self.arm(at);
                    continue;
                }
                None => continue,
            }
            match client.link {
                Link::Wait | Link::Leaving(_) => {
                    client.shut();
                    self.reopen(at, now);
                }
                Link::Connecting(_) => self.unconnected(at, &io::ErrorKind::TimedOut.into(), now),
                Link::Open(_) | Link::Shut => self.lost(at, ErrorKind::Timeout),
            }
        }
    }

    /// Reports, when a slice of time is over.
    fn slice(&mut self, now: u64) {
        if now / SLICE_NS != self.tally.slice.index {
            self.slice_out(now);
        }
    }

    fn slice_out(&mut self, now: u64) {
        let slice = std::mem::replace(&mut self.tally.slice, Slice::new(now / SLICE_NS));
        // Nobody listens any more: so be it.
        let _ = self.out.send(slice);
    }
}

/// Nanoseconds as the wheel's time, rounded up.
pub(crate) fn tick(ns: u64) -> Tick {
    Tick::from_micros(ns.div_ceil(1000))
}
