//! Requests are started: by the reply before them, or by the time.

use super::Phase;
use super::Worker;
use crate::bench::client::{Flight, Link};
use crate::bench::job::Choice;
use crate::bench::pace::Pace;
use crate::bench::plan::Load;

/// Connections that are passed over in the search for a better one.
const PASSED_OVER_MAX: usize = 16;

impl Worker<'_> {
    /// Fills a connection's share of the closed loop, or lists it for the open one.
    pub(crate) fn fill(&mut self, at: usize, now: u64) {
        if self.phase != Phase::Load {
            return self.list(at);
        }
        if self.pace.is_some() {
            return self.list(at);
        }
        let depth = self.job.plan.pipeline;
        while let Some(client) = self.clients.get(at) {
            let origin = client.origin;
            if client.flight.len() >= depth || now >= self.stop_at || !self.take(now) {
                return;
            }
            let target = self.choices.get_mut(usize::from(origin)).map_or(0, Choice::next);
            self.begin_request(at, Flight { intended: now, sent: 0, target });
        }
    }

    fn begin_request(&mut self, at: usize, flight: Flight) {
        let Some(client) = self.clients.get_mut(at) else { return };
        let first = client.flight.is_empty();
        client.flight.push_back(flight);
        self.in_flight += 1;
        if first && client.is_open() {
            self.arm(at);
        }
    }

    /// One more request, if there is one to be had.
    fn take(&mut self, intended: u64) -> bool {
        match &mut self.left {
            Some(0) => false,
            Some(left) if intended >= self.measure_from => {
                *left -= 1;
                true
            }
            _ => true,
        }
    }

    /// Puts a connection with room into the list of the open loop.
    fn list(&mut self, at: usize) {
        if !matches!(self.job.plan.load, Load::Open { .. }) {
            return;
        }
        let Some(client) = self.clients.get_mut(at) else { return };
        if client.listed || client.flight.len() >= self.job.plan.pipeline {
            return;
        }
        if let Some(free) = self.free.get_mut(usize::from(client.origin)) {
            client.listed = true;
            free.push_back(at as u32);
        }
    }

    /// Starts what is due in the open loop.
    pub(super) fn pump(&mut self) {
        if self.phase != Phase::Load || self.pace.is_none() {
            return;
        }
        let mut now = self.now();
        loop {
            let Some(due) = self.pace.as_ref().map(Pace::next) else { return };
            if due >= self.stop_at || self.left == Some(0) {
                return;
            }
            if due > now {
                now = self.now();
                if due > now {
                    self.timer.set(due - now);
                    return;
                }
            }
            let target = match self.pending {
                Some(target) => target,
                None => self.choices.first_mut().map_or(0, Choice::next),
            };
            self.pending = Some(target);
            // Nobody is free: it starts when somebody is, late.
            let Some(at) = self.free_client(target) else { return };
            self.pending = None;
            if let Some(pace) = &mut self.pace {
                pace.advance();
            }
            if !self.take(due) {
                return;
            }
            self.begin_request(at, Flight { intended: due, sent: 0, target });
            match self.clients.get(at).map(|client| &client.link) {
                Some(Link::Open(_)) => self.flush(at, now),
                Some(Link::Shut) => self.open(at, now),
                _ => {}
            }
            self.list(at);
        }
    }

    /// Takes a connection from the list that can have a request to that target.
    fn free_client(&mut self, target: u16) -> Option<usize> {
        let origin = self.job.targets.get(usize::from(target))?.origin;
        let free = self.free.get_mut(usize::from(origin))?;
        let mut passed_over = 0;
        while let Some(at) = free.pop_front() {
            let client = self.clients.get_mut(at as usize)?;
            // Its next attempt to connect is a while off. But if there is no other, the
            // request waits for that, and fails with it: a server that is gone must
            // not leave requests without an end.
            if matches!(client.link, Link::Wait) && passed_over < PASSED_OVER_MAX {
                passed_over += 1;
                free.push_back(at);
                continue;
            }
            client.listed = false;
            let usable = !matches!(client.link, Link::Leaving(_));
            if usable && client.flight.len() < self.job.plan.pipeline {
                return Some(at as usize);
            }
        }
        None
    }
}
