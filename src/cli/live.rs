//! An application that can be replaced while it runs.
//!
//! A request that was begun by one application is brought to its end by the same:
//! its bookmark means nothing to another. So each has a number, which its requests
//! carry, and the old one stays until the last of those has ended.
//!
//! ```text
//!   signals' thread --Renewal--> [Next] --idle()--> Live: now (3), old (1, 2)
//!   begin  ------------------------------------------------^
//!   resume, finish: the one whose number the exchange has ----^--^
//! ```

use super::notify::Pulse;
use super::site::{Kept, Site};
use onepoll::http::{Exchange, Now, Outcome, Service, Step};
use onepoll::{App, Config, Error, Response, Status};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Old applications at most. Each has its cache of files, so that a download that
/// takes days, and a reload every minute, must not come to any number of them.
const OLD_MAX: usize = 8;

/// The service of one loop.
pub(super) struct Live {
    now: Era,
    old: Vec<Era>,
    kept: Kept,
    next: Next,
    pulse: Option<Pulse>,
}

/// One application, and how many of its requests have not ended.
struct Era {
    number: u16,
    app: App,
    open: Cell<usize>,
}

/// What is to be served from now on, and by which limits.
pub(super) struct Renewal {
    pub(super) site: Site,
    pub(super) config: Config,
}

/// Where other threads leave a renewal. The loop is to be turned after that.
#[derive(Clone, Default)]
pub(super) struct Next(Arc<Mail>);

#[derive(Default)]
struct Mail {
    waiting: AtomicBool,
    renewal: Mutex<Option<Renewal>>,
}

impl Next {
    pub(super) fn put(&self, renewal: Renewal) {
        *self.0.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
        self.0.waiting.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<Renewal> {
        // Once a turn: mostly it is but this look.
        if !self.0.waiting.load(Ordering::Acquire) {
            return None;
        }
        self.0.waiting.store(false, Ordering::Relaxed);
        // Held by others for a move alone.
        self.0.renewal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Live {
    /// To be made on the loop's thread.
    pub(super) fn new(site: Site, kept: Kept, next: Next, pulse: Option<Pulse>) -> Live {
        let now = Era { number: 1, app: site.app(&kept), open: Cell::new(0) };
        Live { now, old: Vec::new(), kept, next, pulse }
    }

    fn renew(&mut self, Renewal { site, config }: Renewal) {
        let mut app = site.app(&self.kept);
        if let Err(error) = app.prepare(&config) {
            return log::error!("the old settings stay: {error}");
        }
        if self.old.len() >= OLD_MAX {
            let lost = self.old.remove(0).open.get();
            log::warn!("settings were changed too often: {lost} old requests are given up");
        }
        let is_free = |number: &u16| *number != 0 && self.era(*number).is_none();
        let after = (1..=u16::MAX).map(|step| self.now.number.wrapping_add(step));
        // There are few of them, so that one is free.
        let number = after.into_iter().find(is_free).unwrap_or(1);
        let new = Era { number, app, open: Cell::new(0) };
        self.old.push(std::mem::replace(&mut self.now, new));
    }

    fn era(&self, number: u16) -> Option<&Era> {
        if self.now.number == number {
            return Some(&self.now);
        }
        self.old.iter().find(|era| era.number == number)
    }

    fn era_mut(&mut self, number: u16) -> Option<&mut Era> {
        if self.now.number == number {
            return Some(&mut self.now);
        }
        self.old.iter_mut().find(|era| era.number == number)
    }
}

impl Era {
    fn ended(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }
}

impl Service for Live {
    fn prepare(&mut self, config: &Config) -> Result<(), Error> {
        self.now.app.prepare(config)
    }

    /// Of the application at the start: whoever watches keeps these names, also when
    /// another one is there.
    fn routes(&self) -> Vec<String> {
        self.now.app.routes()
    }

    fn begin(&mut self, mut exchange: Box<Exchange>) -> Step {
        exchange.bookmark.generation = self.now.number;
        self.now.open.set(self.now.open.get() + 1);
        self.now.app.begin(exchange)
    }

    fn resume(&mut self, mut exchange: Box<Exchange>) -> Step {
        match self.era_mut(exchange.bookmark.generation) {
            Some(era) => era.app.resume(exchange),
            None => {
                exchange.response = Response::new(Status::SERVICE_UNAVAILABLE);
                Step::Respond(exchange)
            }
        }
    }

    /// Who is not observed ends here: the engine asks when it is done with it.
    fn observes(&self, exchange: &Exchange) -> bool {
        let Some(era) = self.era(exchange.bookmark.generation) else { return false };
        let observes = era.app.observes(exchange);
        if !observes {
            era.ended();
        }
        observes
    }

    fn finish(&mut self, exchange: &mut Exchange, outcome: &Outcome) {
        if let Some(era) = self.era_mut(exchange.bookmark.generation) {
            era.app.finish(exchange, outcome);
            era.ended();
        }
    }

    fn idle(&mut self, now: Now) -> Option<Instant> {
        if let Some(renewal) = self.next.take() {
            self.renew(renewal);
        }
        if !self.old.is_empty() {
            self.old.retain(|era| era.open.get() > 0);
        }
        let due = self.now.app.idle(now);
        let beat = self.pulse.as_mut().map(|pulse| pulse.idle(now.instant));
        match (due, beat) {
            (Some(due), Some(beat)) => Some(due.min(beat)),
            (due, beat) => due.or(beat),
        }
    }
}

#[cfg(test)]
mod tests;
