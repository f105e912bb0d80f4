//! The loop's state in some lines of the log, for who wonders what it is doing.
//!
//! Asked for by hand, so it may take a while, but not long: a million connections
//! are not looked at one by one in one turn.

use super::connection::{Active, Connection, Life, Phase};
use super::turn::Reactor;
use super::world::World;
use crate::http::Service;
use crate::stats::Close;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Slots that are looked at: a millisecond or two.
const SLOTS_MAX: usize = 65_536;

/// Where a connection may be, in the order of its life.
const STATES: [&str; 9] =
    ["idle", "head", "receive", "helper", "sleep", "reply", "discard", "ending", "linger"];

impl<S: Service, W: World> Reactor<S, W> {
    /// Writes it, on the level of information.
    pub(crate) fn report(&self) {
        let (shared, stats) = (&self.shared, &self.shared.stats);
        let mut counts = [0_u64; STATES.len()];
        let mut oldest: Option<(u32, &Connection<W::Socket>)> = None;
        for (slot, connection) in self.slots.iter().take(SLOTS_MAX) {
            let state = state(connection);
            if let Some(at) = STATES.iter().position(|name| *name == state)
                && let Some(count) = counts.get_mut(at)
            {
                *count += 1;
            }
            if oldest.is_none_or(|(_, other)| connection.since < other.since) {
                oldest = Some((slot, connection));
            }
        }
        let states = STATES.iter().zip(counts).filter(|(_, count)| *count > 0);
        let states = list(states.map(|(name, count)| (*name, count)));
        let way = if shared.draining { ", draining" } else { "" };
        log::info!("state: {} connections ({states}){way}", self.slots.len());
        if self.slots.len() > SLOTS_MAX {
            log::info!("state: of the connections only {SLOTS_MAX} were looked at");
        }
        if let Some((slot, connection)) = oldest {
            let number = self.slots.id(slot).map_or(0, |id| id.number());
            let seconds = shared.tick.since(connection.since).as_secs();
            let (peer, state) = (connection.peer, state(connection));
            log::info!(
                "state: longest unchanged: connection {number}, {peer}, {state}, since {seconds} \
                 s, request {}",
                connection.requests
            );
        }
        let (run, waiting) = (self.run.len(), self.wheel.len());
        let (lent, most) = (shared.buffers.lent(), shared.config.buffers_max);
        let lag = stats.lag_us.value();
        log::info!(
            "state: {run} could go on, {waiting} deadlines, {lent} of {most} bytes of buffers \
             lent, longest turn lately {lag} us"
        );
        let helpers = &stats.helpers;
        let (threads, running) = (helpers.threads.load(Relaxed), helpers.running.load(Relaxed));
        let (queued, refused) = (helpers.queued.load(Relaxed), helpers.refused.load(Relaxed));
        log::info!(
            "state: {threads} helpers, {running} jobs run, {queued} wait, {refused} were refused"
        );
        let closes = Close::ALL.iter().map(|why| (why.name(), stats.closes.of(*why)));
        let closes = list(closes.filter(|(_, count)| *count > 0));
        log::info!(
            "state: so far {} accepted, {} refused, {} requests, {} faults, {} timeouts, {} bytes \
             in, {} out; closed: {closes}",
            stats.accepted.value(),
            stats.refused.value(),
            stats.requests.value(),
            stats.faults.value(),
            stats.timeouts.value(),
            stats.bytes_in.value(),
            stats.bytes_out.value(),
        );
    }
}

fn state<K>(connection: &Connection<K>) -> &'static str {
    if connection.life != Life::Open {
        return "linger";
    }
    let Some(active) = connection.active.as_deref() else { return "idle" };
    match active {
        Active { phase: Phase::Moving | Phase::Head(_), .. } => "head",
        Active { phase: Phase::Receive(_), .. } => "receive",
        Active { phase: Phase::Away(_), .. } => "helper",
        Active { phase: Phase::Sleep(..), .. } => "sleep",
        Active { phase: Phase::Reply(_), .. } => "reply",
        Active { phase: Phase::Discard(_), .. } => "discard",
        Active { phase: Phase::Ending(_), .. } => "ending",
    }
}

fn list<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let mut text = String::new();
    for (name, count) in counts {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{name} {count}");
    }
    if text.is_empty() { "none".to_owned() } else { text }
}
