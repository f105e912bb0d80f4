//! The account of all memory that clients tie up, and the boxes to lend.
//!
//! Idle connections hold neither buffers nor an exchange. What a busy one needs
//! comes from here in one box and goes back when the last byte is written. The
//! account counts the bytes of all boxes that are out; when the share for input
//! is used up nothing more is read until some come back, whatever clients do.

use super::burst::{Chore, KEPT, Tally, lies_low};
use super::clock::Tick;
use super::connection::{Active, Pace, Phase};
use super::deadline::Why;
use super::inbox::{Inbox, Parcel};
use crate::http::{Exchange, Home, Request};
use crate::stats::Stats;
use std::collections::VecDeque;
use std::sync::Arc;

/// An input buffer larger than this is not kept in a box.
const INPUT_KEPT: usize = 4 * 1024;

/// What is lent, to whom it may be lent, and what is at hand.
pub(crate) struct Buffers {
    lent: usize,
    /// Above this nothing is read: an eighth is kept for output.
    input_max: usize,
    #[expect(clippy::vec_box, reason = "they are lent as boxes, and come back as such")]
    actives: Vec<Box<Active>>,
    #[expect(clippy::vec_box, reason = "as above: taking one out must not copy it")]
    exchanges: Vec<Box<Exchange>>,
    /// Slots that wait for memory, in order. No edge will come for them.
    waiting: VecDeque<u32>,
    inbox: Arc<Inbox>,
    stats: Arc<Stats>,
    /// Boxes that are lent or at hand.
    tally: Tally,
}

impl Buffers {
    pub(crate) fn new(max: usize, inbox: &Arc<Inbox>, stats: &Arc<Stats>) -> Buffers {
        Buffers {
            lent: 0,
            input_max: max - max / 8,
            actives: Vec::with_capacity(KEPT),
            exchanges: Vec::with_capacity(KEPT),
            waiting: VecDeque::new(),
            inbox: Arc::clone(inbox),
            stats: Arc::clone(stats),
            tally: Tally::default(),
        }
    }

    /// A box for a connection that has become busy.
    #[inline]
    pub(crate) fn lend(&mut self, now: Tick) -> Box<Active> {
        match self.actives.pop() {
            Some(mut active) => {
                active.begun = now;
                // Whoever had it before had another window.
                active.pace = Pace { why: Why::Idle, since: now, bytes: 0 };
                active
            }
            None => self.lend_new(now),
        }
    }

    #[cold]
    fn lend_new(&mut self, now: Tick) -> Box<Active> {
        let exchange = self.exchange();
        let mut active = Box::new(Active::new(exchange, now));
        active.keep = if self.tally.is_early() { KEPT } else { 0 };
        let chore = self.tally.made();
        self.note(chore);
        active
    }

    /// Takes the box of an idle connection back: nothing is left in it.
    #[inline(always)] // into the end of nearly every drive
    pub(crate) fn give_back_idle(&mut self, mut active: Box<Active>) {
        if self.actives.len() >= active.keep || active.input.capacity() > INPUT_KEPT {
            return self.throw_away(active);
        }
        active.output.restart();
        active.received = 0;
        self.actives.push(active);
    }

    #[cold]
    #[inline(never)]
    fn throw_away(&mut self, active: Box<Active>) {
        let was_early = active.keep > 0;
        drop(active);
        let chore = self.tally.freed(was_early);
        self.note(chore);
    }

    /// What is to be done is done at the beginning of a turn.
    fn note(&self, chore: Chore) {
        if chore == Chore::Sweep {
            self.inbox.put(Parcel::Sweep);
        }
    }

    /// Gives up what is at hand and was made, or has grown, in a burst.
    pub(super) fn keep_early(&mut self) {
        self.exchanges.retain(|exchange| lies_low(exchange));
        let before = self.actives.len();
        self.actives
            .retain(|active| matches!(&active.phase, Phase::Head(exchange) if lies_low(exchange)));
        for _ in self.actives.len()..before {
            self.tally.freed(true); // or it would not have been at hand
        }
    }

    /// Takes a box back whatever is in it. Its account must be settled.
    pub(crate) fn give_back(&mut self, mut active: Box<Active>) {
        if !matches!(active.phase, Phase::Head(_)) {
            active.phase = Phase::Head(self.exchange());
        }
        active.input.clear();
        active.output.clear();
        active.unsettled.clear();
        active.takeover = None;
        self.give_back_idle(active);
    }

    /// An empty exchange.
    #[inline]
    pub(crate) fn exchange(&mut self) -> Box<Exchange> {
        self.exchanges.pop().unwrap_or_else(|| {
            let mut exchange = Box::<Exchange>::default();
            self.furnish(&mut exchange.request);
            exchange.early = self.tally.is_early();
            exchange
        })
    }

    /// Gives a request what all of this loop have.
    #[cold]
    pub(super) fn furnish(&self, request: &mut Request) {
        request.origin.home = Some(Arc::clone(&self.inbox) as Arc<dyn Home>);
        request.origin.stats = Some(Arc::clone(&self.stats));
    }

    /// Takes an exchange back and empties it.
    #[inline]
    pub(crate) fn keep(&mut self, mut exchange: Box<Exchange>) {
        if self.exchanges.len() < KEPT && exchange.early {
            if !mutant!("exchange-not-recycled") {
                exchange.recycle();
            }
            self.exchanges.push(exchange);
        }
    }

    /// Charges what an active connection ties up now instead of what it did.
    #[inline]
    pub(crate) fn settle(&mut self, account: &mut usize, now: usize) {
        self.lent = self.lent + now - *account;
        *account = now;
    }

    /// Whether there is memory to read for a connection.
    #[inline]
    pub(crate) fn may_read(&self) -> bool {
        self.lent < self.input_max
    }

    /// Puts a slot, which is not among them, at the end of those that wait for
    /// memory.
    pub(crate) fn wait(&mut self, slot: u32) {
        self.waiting.push_back(slot);
    }

    /// The next slot that waited, if there is memory again.
    pub(crate) fn next_waiting(&mut self) -> Option<u32> {
        if self.may_read() { self.waiting.pop_front() } else { None }
    }

    /// How many connections have a box.
    pub(crate) fn out(&self) -> usize {
        self.tally.boxes() - self.actives.len()
    }

    /// Bytes that are lent.
    pub(crate) fn lent(&self) -> usize {
        self.lent
    }

    /// Whether nine tenths of the input's share are used.
    pub(crate) fn is_tight(&self) -> bool {
        self.lent / 9 >= self.input_max / 10
    }
}

/// A buffer of zeros whose pages don't exist before something is read into them.
/// An allocation of twice the size comes straight from the system, as zeros; the
/// C library would cut a smaller one from memory that it has, and write to all
/// of it.
pub(crate) fn untouched(len: usize) -> Vec<u8> {
    let mut buffer = vec![0; 2 * len];
    buffer.truncate(len);
    buffer
}

#[cfg(test)]
mod tests {
    use super::untouched;

    /// A setting of the GNU C library.
    const ONE_ARENA: &str = "MALLOC_ARENA_MAX";

    /// Pages of this process that are in memory.
    #[cfg(target_os = "linux")]
    fn resident() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_buffer_takes_no_memory_before_it_is_used() {
        const NAME: &str = "reactor::buffers::tests::a_buffer_takes_no_memory_before_it_is_used";
        if std::env::var_os(ONE_ARENA).is_none() {
            // A server's loop mostly runs on the process's first thread, whose
            // memory is another than that of test threads, but for this setting.
            let mut this = std::process::Command::new(std::env::current_exe().unwrap());
            let done = this.args(["--exact", NAME, "--quiet"]).env(ONE_ARENA, "1").output();
            let done = done.unwrap();
            return assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        }
        let before = resident();
        let buffers: Vec<Vec<u8>> = (0..2048).map(|_| untouched(64 * 1024)).collect();
        let grown = resident().saturating_sub(before) * 4 / 1024;
        assert!(grown < 32, "{grown} of {} MiB", buffers.len() / 16);
        assert!(buffers.iter().all(|buffer| buffer.len() == 64 * 1024));
    }
}
