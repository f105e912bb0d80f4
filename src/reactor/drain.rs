//! Leaving: no new clients, the old ones finish, and the loop ends.

use super::clock::Tick;
use super::connection::{Life, Next, Phase, Pulling};
use super::drive::Driver;
use super::errand::caught;
use super::inbox::Command;
use super::turn::Reactor;
use super::world::World;
use crate::http::Service;
use crate::stats::Close;

/// Connections whose deadlines are moved per turn when draining begins.
const SWEEP_PER_TURN: u32 = 1024;

/// Rounds of accept (64 clients each) in front of closing a listener: twice what
/// its queue holds, so that a flood of clients can't keep a drain from ending.
const QUEUE_ROUNDS: usize = 128;

/// How far the loop's end has come.
#[derive(Debug, Default)]
pub(crate) struct Draining {
    /// When whatever is left is cut.
    limit: Option<Tick>,
    /// The next slot whose deadline is to be moved, and the last.
    sweep: Option<(u32, u32)>,
}

impl Draining {
    /// When whatever is left is cut, or never.
    #[inline]
    pub(crate) fn deadline(&self) -> Tick {
        self.limit.unwrap_or(Tick::NEVER)
    }

    pub(crate) fn is_sweeping(&self) -> bool {
        self.sweep.is_some()
    }
}

impl<S: Service, W: World> Reactor<S, W> {
    pub(crate) fn obey(&mut self, command: Command) {
        match command {
            Command::Drain(limit) => {
                let until = self.shared.tick + limit;
                log::info!("draining {} connections", self.slots.len());
                self.leaving.limit = Some(self.leaving.limit.map_or(until, |old| old.min(until)));
                if !self.shared.draining {
                    self.begin_drain();
                }
            }
            Command::Stop => {
                self.shared.draining = true;
                self.shared.stats.draining.set(1);
                self.leaving.limit = Some(self.shared.tick);
            }
        }
    }

    /// Takes whoever is still in the listeners' queues, then closes them. Idle
    /// connections get a shorter deadline, in batches.
    fn begin_drain(&mut self) {
        // First: whoever is accepted here is told in its first reply.
        self.shared.draining = true;
        self.shared.stats.draining.set(1);
        for listener in 0..self.world.listeners() {
            self.accepting.note(listener as u32);
        }
        for _ in 0..QUEUE_ROUNDS {
            if !self.accepting.is_able() {
                break;
            }
            self.accept();
        }
        for listener in 0..self.world.listeners() {
            self.world.close_listener(listener);
        }
        self.accepting.close();
        self.begin_sweep();
    }

    /// Has each connection looked at, some in each turn: deadlines have become
    /// shorter.
    pub(crate) fn begin_sweep(&mut self) {
        let last = self.slots.iter().map(|(slot, _)| slot).max();
        self.leaving.sweep = last.map(|last| (0, last));
    }

    /// Moves some connections' deadlines; when draining, cuts everything at the
    /// limit.
    pub(crate) fn sweep(&mut self) {
        let now = self.shared.tick;
        if let Some((from, last)) = self.leaving.sweep {
            let to = last.min(from + SWEEP_PER_TURN);
            let leave = self.shared.draining;
            for slot in from..=to {
                self.with(slot, |d| if leave { d.begin_to_leave() } else { d.drive() });
            }
            self.leaving.sweep = (to < last).then_some((to + 1, last));
        }
        if self.leaving.limit.is_some_and(|limit| limit <= now) {
            let left: Vec<u32> = self.slots.iter().map(|(slot, _)| slot).collect();
            if !left.is_empty() {
                log::warn!("cutting {} connections at the end of the drain", left.len());
            }
            for slot in left {
                self.with(slot, |driver| {
                    driver.connection.because(Close::Drain);
                    driver.cut_off()
                });
            }
            for listener in 0..self.world.listeners() {
                self.world.close_listener(listener);
            }
            self.accepting.close();
            self.leaving.sweep = None;
        }
    }

    /// Whether a drain or stop was asked for and nothing is left.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.draining && self.slots.is_empty()
    }
}

impl<S: Service, W: World> Driver<'_, S, W> {
    /// A request may be on its way on an idle connection, however long it has
    /// been idle: its time begins anew, and is shorter.
    fn begin_to_leave(self) -> super::drive::Verdict {
        if matches!(self.connection.life, Life::Open | Life::Handshake) {
            self.connection.since = self.shared.tick;
        }
        self.drive()
    }

    /// Tells the reply's source that the server leaves, once, if it is here; if it
    /// is with a helper, when it has come home.
    pub(crate) fn tell_to_leave(&mut self) {
        let Phase::Reply(replying) = &mut self.active.phase else { return };
        let (Pulling::Inline(source) | Pulling::Blocking(source)) = &mut replying.pulling else {
            return;
        };
        if std::mem::replace(&mut replying.told, true) {
            return;
        }
        match caught(|| Ok(source.leave())) {
            Ok(true) => replying.next = Next::Room,
            Ok(false) => {}
            Err(error) => {
                log::error!("{}: {error} when told to leave", self.connection.peer);
                self.die();
            }
        }
    }

    pub(crate) fn cut_off(mut self) -> super::drive::Verdict {
        self.die();
        self.drive()
    }
}
