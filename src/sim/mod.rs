//! The real loop in a world made of chance: seeded, repeatable, fast.
//!
//! [`Simulation::run`] drives the same [`Reactor`] that
//! serves real clients, over sockets, helpers and a clock that follow a script.
//! The script comes from a seed, and so does everything that makes two real runs
//! differ: where reads and writes stop, in which order events are told and jobs
//! come home, which edges are combined and which are rumours. A seed that fails
//! fails again.
//!
//! ```text
//!   seed --> plans ------> clients <== links (two buffers, edges) ==> Reactor
//!            (and what                                                 |  |
//!             they must    helpers <------------- errands -------------'  |
//!             get)         clock, poll <------ sleeps until the next -----'
//! ```
//!
//! **What is checked.** Each client reads its replies with a parser of its own
//! and compares: every request one reply, in order, with the right bytes; every
//! fault one refusal and then the end. The service's books must balance: each
//! exchange that it observes is finished once. At the end no connection, buffer,
//! source or sink is left. The loop must not turn without doing something, and
//! nobody may wait for ever.
//!
//! Half of the runs are *calm*: honest clients and enough of everything, so the
//! outcome is certain. The others are rude: clients that stall and vanish,
//! tight limits, draining; there, what is received must still be right.

mod client;
mod content;
mod link;
mod plan;
mod program;
mod replies;
mod rng;
mod service;
mod world;

pub use link::ScriptedSocket;
pub use world::ScriptedWorld;

use crate::config::{Config, Overload};
use crate::http::Cidr;
use crate::reactor::{Command, Reactor};
use crate::stats::Stats;
use plan::{Op, Plan, Style};
use rng::Rng;
use service::{Ledger, Scripted, Wakes};
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use world::Temper;

/// A simulated run of the loop.
#[derive(Debug)]
pub struct Simulation {
    reactor: Reactor<Scripted, ScriptedWorld>,
    ledger: Rc<RefCell<Ledger>>,
    alive: Arc<AtomicUsize>,
    stats: Arc<Stats>,
    /// The loop is told to leave in the middle.
    drains: bool,
    buffers_max: usize,
}

/// What a run amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Clients that connected.
    pub clients: usize,
    /// Requests that the service saw.
    pub requests: u64,
    /// Complete replies that clients got.
    pub replies: usize,
    /// Bytes that clients got.
    pub bytes: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Simulated time.
    pub time: Duration,
}

/// A seed that fails, and how.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed, to replay it.
    pub seed: u64,
    /// What was wrong.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        write!(f, "replay: ONEPOLL_SEED={} cargo test --test simulation replay", self.seed)
    }
}

impl std::error::Error for Failure {}

impl Simulation {
    /// Runs the seed to its end. The same seed gives the same report.
    ///
    /// ```
    /// let report = onepoll::sim::Simulation::run(7)?;
    /// assert!(report.turns > 0);
    /// # Ok::<(), onepoll::sim::Failure>(())
    /// ```
    ///
    /// # Errors
    /// [`Failure`] says what the loop did wrong, a panic included.
    pub fn run(seed: u64) -> Result<Report, Failure> {
        let result = catch_unwind(AssertUnwindSafe(|| Simulation::new(seed).play()));
        result
            .unwrap_or_else(|panic| Err(format!("a panic: {}", message(&*panic))))
            .map_err(|what| Failure { seed, what })
    }

    fn new(seed: u64) -> Simulation {
        let mut rng = Rng::new(seed);
        let rude = rng.once_in(2);
        let mut config = configure(&mut rng, rude);
        // Not drawn, so that every other seed's run is what it was.
        let proxied = seed % 5 == 3;
        if proxied {
            config.proxy_protocol = EVERYBODY.into_iter().collect();
        }
        let temper = Temper {
            whims: [4, 20, 200].get(rng.below(3)).copied().unwrap_or(20),
            tells_all: rng.once_in(2),
            refuses: if rng.once_in(3) { 6 } else { usize::MAX },
            cold: if rng.once_in(2) { 3 } else { 50 },
            rude,
            events_max: if rng.once_in(3) { 2 } else { 100 },
        };
        let wakes = Wakes::default();
        let mut world = ScriptedWorld::new(temper, Arc::clone(&wakes), rng.fork());
        let style = Style { requests_max: config.requests_per_connection as usize, rude };
        for _ in 0..rng.between(1, 10) {
            let mut plan = Plan::new(&mut rng, style);
            if proxied {
                introduce(&mut plan, world.clients.len());
            }
            world.add(plan);
        }
        let drains = rude && rng.once_in(6);
        if drains {
            let after = Duration::from_millis(rng.below(20_000) as u64);
            world.command(
                after,
                match rng.below(3) {
                    0 => Command::Stop,
                    _ => Command::Drain(Duration::from_secs(rng.between(1, 30) as u64)),
                },
            );
        }
        let (ledger, alive) = (Rc::default(), Arc::default());
        let service =
            Scripted { ledger: Rc::clone(&ledger), wakes, alive: Arc::clone(&alive), proxied };
        let (inbox, stats) = (world.inbox(), Arc::<Stats>::default());
        let buffers_max = config.buffers_max;
        let reactor = Reactor::new(service, world, config, inbox, Arc::clone(&stats));
        Simulation { reactor, ledger, alive, stats, drains, buffers_max }
    }

    fn play(mut self) -> Result<Report, String> {
        let mut report = Report::default();
        let mut goes_on = true;
        while goes_on {
            if report.turns == TURNS_MAX {
                return Err("too many turns".to_owned());
            }
            report.turns += 1;
            let left = self.reactor.world_ref().is_over() && self.reactor.connections() == 0;
            if left && !self.drains {
                self.drains = true;
                self.reactor.world().command(Duration::ZERO, Command::Drain(Duration::ZERO));
            }
            let turn = self.reactor.turn(None);
            if let Some(wrong) = &self.reactor.world_ref().wrong {
                return Err(self.describe(wrong));
            }
            goes_on = turn.map_err(|error| error.to_string())?;
            self.check_turn()?;
        }
        // Twice: a sink that finds its connection gone is sent to a helper once more, to be
        // dropped.
        for _ in 0..2 {
            self.reactor.world().run_out();
            self.reactor.turn(Some(Duration::ZERO)).map_err(|error| error.to_string())?;
        }
        self.check_end()?;
        let world = self.reactor.world_ref();
        report.clients = world.clients.len();
        report.requests = self.stats.requests.value();
        report.replies = world.clients.iter().map(client::Client::replies).sum();
        report.bytes = world.clients.iter().map(|client| client.bytes).sum();
        report.time = world.at;
        Ok(report)
    }

    fn describe(&self, wrong: &str) -> String {
        let connections = self.reactor.connections();
        let time = self.reactor.world_ref().at;
        format!("{wrong} (after {time:?}, {connections} connections)")
    }

    /// What holds between any two turns.
    fn check_turn(&self) -> Result<(), String> {
        let lent = self.reactor.buffers_lent();
        let most = self.buffers_max + self.reactor.connections() * CONNECTION_MAX;
        if lent > most {
            return Err(self.describe(&format!("{lent} bytes are lent, more than {most}")));
        }
        match &self.ledger.borrow().wrong {
            Some(wrong) => Err(self.describe(wrong)),
            None => Ok(()),
        }
    }

    /// What holds when everybody has left.
    fn check_end(&self) -> Result<(), String> {
        let (connections, lent) = (self.reactor.connections(), self.reactor.buffers_lent());
        if connections > 0 || lent > 0 {
            return Err(format!("{connections} connections and {lent} bytes are left"));
        }
        self.ledger.borrow().verdict()?;
        match self.alive.load(Ordering::Relaxed) {
            0 => Ok(()),
            left => Err(format!("{left} sources or sinks are left")),
        }
    }
}

/// Puts a PROXY header in front of all that the client does, in two parts, the first
/// of which may be nothing, or all, or end in the middle.
fn introduce(plan: &mut Plan, number: usize) {
    let header = format!("PROXY TCP4 192.0.2.{number} 10.0.0.1 {} 80\r\n", 1000 + number);
    let (first, rest) = header.as_bytes().split_at(number * 11 % header.len());
    let pause = Duration::from_millis(number as u64 % 3);
    let before = [Op::Send(first.into()), Op::Think(pause), Op::Send(rest.into())];
    plan.ops.splice(0..0, before);
}

/// The scripted clients' addresses are all of this machine.
const EVERYBODY: [Cidr; 1] = [Cidr::LOOPBACK];

/// Ordinary limits for a calm run, tight ones for a rude one.
fn configure(rng: &mut Rng, rude: bool) -> Config {
    let mut config = Config::default();
    if rng.once_in(4) {
        config.requests_per_connection = rng.between(1, 4) as u32;
    }
    if !rude {
        return config;
    }
    if rng.once_in(3) {
        config.connections_max = rng.between(1, 4);
        config.overload = if rng.once_in(2) { Overload::Pause } else { Overload::Refuse };
    }
    if rng.once_in(3) {
        config.buffers_max = 1 << 20;
    }
    if rng.once_in(4) {
        config.work_timeout = Some(Duration::from_millis(rng.between(100, 3_000) as u64));
    }
    if rng.once_in(4) {
        config.idle_timeout = Duration::from_secs(1);
        config.write_timeout = Duration::from_secs(2);
        config.body_timeout = Duration::from_secs(2);
    }
    config
}

/// No run comes near this.
const TURNS_MAX: u64 = 1_000_000;
/// Bytes that one connection may tie up beyond the account's limit: its queue of
/// output, a reply that was begun below the mark, a read, a chunk, a body.
const CONNECTION_MAX: usize = 2 << 20;

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (_, Some(text)) => (*text).to_owned(),
        _ => "of unknown kind".to_owned(),
    }
}
