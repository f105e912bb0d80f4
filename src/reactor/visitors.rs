//! Who is here, by address: so that nobody takes all the places.
//!
//! Each address (of IPv6 its /64, which is what a household has at the least) has
//! a line in a table, with its open connections and when its next one is due:
//!
//! ```text
//!   lines   hash -> place -> { open, due, .. }
//!   gone    those with nothing open, in the order in which they left: dropped
//!           when they are due nothing any more, or when the table is full
//! ```
//!
//! `due` is all that a rate takes: each new connection moves it on by a second's
//! part, and who is a second ahead of the clock is too fast. All is O(1), and the
//! table has a bound: who has something open has a slot, and the others are few.

use super::accept::REFUSALS_MAX;
use super::clock::Tick;
use super::idle::Idle;
use crate::config::Config;
use crate::http::Peer;
use crate::stats::TurnedAway;
use slab::Slab;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Addresses that are remembered although they have nothing open, for their rate.
const GONE_MAX: usize = 4096;
/// One line in the log for an address in this time, whatever it does.
const COMPLAINT_EVERY: Duration = Duration::from_secs(60);
/// Lines of those who left that are looked at when somebody comes: more than one,
/// so that they go faster than they come.
const SWEEP: usize = 2;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    places: HashMap<u64, u32>,
    lines: Slab<Line>,
    gone: Idle,
}

#[derive(Debug)]
struct Line {
    key: u64,
    open: u32,
    /// When a connection would come in time if each second's number came evenly.
    due: Tick,
    /// The next line in the log is due then.
    complaint: Tick,
}

/// Somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rebuff {
    pub(crate) why: TurnedAway,
    /// Whether it is to be logged.
    pub(crate) loud: bool,
}

impl Visitors {
    /// Somebody has come. `true`: it was counted and must [leave](Visitors::leave).
    ///
    /// # Errors
    /// Its address has too many connections, or too many lately.
    pub(crate) fn arrive(
        &mut self,
        peer: Peer,
        config: &Config,
        now: Tick,
    ) -> Result<bool, Rebuff> {
        let limits = &config.per_address;
        if limits.connections_max.is_none() && limits.rate_max.is_none() {
            return Ok(false);
        }
        let Some(key) = key(peer) else { return Ok(false) };
        if limits.exempt.contains(peer) || config.trusted.contains(peer) {
            return Ok(false);
        }
        self.sweep(now);
        let Some(place) = self.place(key, config.connections_max, now) else { return Ok(false) };
        let Some(line) = self.lines.get_mut(place as usize) else { return Ok(false) };
        if limits.connections_max.is_some_and(|max| line.open >= max) {
            return Err(line.rebuff(TurnedAway::Connections, now));
        }
        if let Some(rate) = limits.rate_max {
            let part = Duration::from_secs(1) / rate.max(1);
            let due = line.due.max(now);
            if due.since(now) + part > Duration::from_secs(1) + ROUNDING {
                return Err(line.rebuff(TurnedAway::Rate, now));
            }
            line.due = due + part;
        }
        line.open += 1;
        self.gone.remove(place);
        Ok(true)
    }

    /// Somebody who was counted has gone.
    pub(crate) fn leave(&mut self, peer: Peer) {
        let Some(&place) = key(peer).as_ref().and_then(|key| self.places.get(key)) else { return };
        let Some(line) = self.lines.get_mut(place as usize) else { return };
        line.open = line.open.saturating_sub(1);
        if line.open == 0 {
            self.gone.push(place);
        }
    }

    /// Addresses in the table.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.lines.len()
    }

    /// The line of that address; a new one begins among those who are gone. `None`
    /// if all places are taken by who is here, which can't be: they have no more
    /// slots than that.
    fn place(&mut self, key: u64, slots: usize, now: Tick) -> Option<u32> {
        if let Some(&place) = self.places.get(&key) {
            return Some(place);
        }
        if self.lines.len() >= slots.saturating_add(REFUSALS_MAX + GONE_MAX) {
            let oldest = self.gone.longest()?;
            self.forget(oldest);
        }
        let place = self.lines.insert(Line { key, open: 0, due: now, complaint: now }) as u32;
        self.places.insert(key, place);
        self.gone.push(place);
        Some(place)
    }

    /// Drops who left long enough ago to be a stranger.
    fn sweep(&mut self, now: Tick) {
        for _ in 0..SWEEP {
            let Some(place) = self.gone.longest() else { return };
            let old = self.lines.get(place as usize);
            if old.is_some_and(|line| line.due > now || line.complaint > now) {
                return;
            }
            self.forget(place);
        }
    }

    fn forget(&mut self, place: u32) {
        self.gone.remove(place);
        if let Some(line) = self.lines.try_remove(place as usize) {
            self.places.remove(&line.key);
        }
    }
}

impl Line {
    fn rebuff(&mut self, why: TurnedAway, now: Tick) -> Rebuff {
        let loud = self.complaint <= now;
        if loud {
            self.complaint = now + COMPLAINT_EVERY;
        }
        Rebuff { why, loud }
    }
}

/// Parts of a second are rounded up to microseconds, each.
const ROUNDING: Duration = Duration::from_millis(1);

/// What is counted together. IPv4 addresses lie in ff00::/8, from where nobody
/// can connect.
fn key(peer: Peer) -> Option<u64> {
    let Peer::Tcp(address) = peer else { return None };
    Some(match address.ip().to_canonical() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()) | 0xff << 56,
        IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
    })
}

#[cfg(test)]
mod tests;
