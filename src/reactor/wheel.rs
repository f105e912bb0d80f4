//! The lazy timer wheel: one entry per connection, filed by when to ask about it.
//!
//! The wheel does not know deadlines, only when to ask. What falls due is a
//! *question* to the owner of the key: "what is your deadline?". It is either
//! over, and the owner acts, or later, and the owner arms the entry again.
//! So a deadline that moves later costs nothing, which is what nearly every
//! request does to nearly every deadline; see [`Wheel::ensure`].
//!
//! ```text
//!             cursor: first tick that has not been expired
//!                v
//!   FINE    [ ][ ][3][ ][7]...[ ]   512 slots of   1 ms: precise entries, 0.5 s ahead
//!   COARSE  [ ][9][ ][ ][ ]...[4]   512 slots of 100 ms: the rest, 51 s ahead
//!                 |            |
//!                 9<->5<->2    entries farther away than a lap park in the last slot
//! ```
//!
//! A slot is a ring of entries, linked by key in one vector. One bit per slot
//! tells whether it is used, and the first used tick of each level is kept, so
//! that [`Wheel::next_deadline`] is a comparison.
//!
//! **When an entry falls due.** Ticks are rounded up, so that it is never
//! before its time and at most one tick after it: 100 ms, or 1 ms if precise.
//! Parked entries are the exception and fall due early, to be armed again:
//!
//! - farther than 51 s: once every 51 s;
//! - precise, and farther than 0.5 s: once, at most 100 ms before its time
//!   (it waits in the coarse level, rounded down).
//!
//! What is armed for a time after `now` is filed after `now`, so asking and
//! arming again always makes progress: no poll returns early again and again.
//! `a_parked_entry_is_asked_about_rarely` counts that.

use super::clock::Tick;
use super::slots::table;
use crate::stats::{SECTORS, Spread};
use std::fmt;

/// A two-level wheel of timers, keyed by small integers (slot numbers).
///
/// ```
/// use onepoll::reactor::{Tick, Wheel};
/// use std::time::Duration;
///
/// let at = |ms| Tick::ZERO + Duration::from_millis(ms);
/// let mut wheel = Wheel::new();
/// wheel.arm(7, at(250), false);
/// assert_eq!(wheel.next_deadline(), Some(at(300))); // rounded up to 100 ms
///
/// let mut due = Vec::new();
/// wheel.expire(at(300), &mut due);
/// assert_eq!(due, [7]);
/// assert_eq!(wheel.next_deadline(), None);
/// ```
pub struct Wheel {
    /// One per key that was ever armed; 16 bytes each.
    nodes: Vec<Node>,
    fine: Level<FINE_MS>,
    coarse: Level<COARSE_MS>,
    len: usize,
    /// When the first of all entries falls due, in microseconds, or [`NEVER`]:
    /// asked several times a turn, and seldom another.
    next: u64,
}

/// Where an entry is: the neighbours in its slot's ring, and its tick.
#[derive(Clone, Copy)]
struct Node {
    prev: u32,
    next: u32,
    /// `tick * 2 + is coarse`, or [`UNFILED`].
    filed: u64,
}

/// One circle of slots. Every entry's tick lies in `cursor .. cursor + SLOTS`,
/// so a slot holds entries of one tick only.
struct Level<const TICK_MS: u64> {
    /// The first key of each slot, or [`NONE`].
    heads: [u32; SLOTS as usize],
    /// One bit per slot: whether it has entries.
    used: [u64; WORDS],
    /// The first tick that has not been expired.
    cursor: u64,
    /// The least tick that has entries, or [`NEVER`].
    first: u64,
}

/// A place on the wheel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Fine(u64),
    Coarse(u64),
}

impl Wheel {
    /// An empty wheel.
    pub fn new() -> Wheel {
        Wheel { nodes: table(), fine: Level::new(), coarse: Level::new(), len: 0, next: NEVER }
    }

    /// Files the entry of `key` to fall due at `at`, or moves it there.
    ///
    /// `precise` asks for the 1 ms level. What is already over falls due at the
    /// next tick. Memory grows to the greatest key: keys are slot numbers.
    pub fn arm(&mut self, key: u32, at: Tick, precise: bool) {
        let place = self.place(at, precise);
        self.file(key, place);
    }

    /// Makes sure that `key` falls due at `at` or before. Does nothing if it
    /// does already, which makes a deadline that moves later free.
    #[inline]
    pub fn ensure(&mut self, key: u32, at: Tick, precise: bool) {
        let filed = self.filed(key).map_or(NEVER, Place::millis);
        if filed.saturating_mul(1000) <= at.micros() {
            return; // the usual case: a deadline that has moved later
        }
        self.bring_forward(key, at, precise, filed);
    }

    fn bring_forward(&mut self, key: u32, at: Tick, precise: bool, filed: u64) {
        let place = self.place(at, precise);
        if filed > place.millis() {
            self.file(key, place);
        }
    }

    /// When `key` will fall due, if it is armed.
    pub fn filed_at(&self, key: u32) -> Option<Tick> {
        self.filed(key).map(|place| from_millis(place.millis()))
    }

    /// Takes the entry of `key` off the wheel, if it is there.
    pub fn disarm(&mut self, key: u32) {
        match self.filed(key) {
            Some(Place::Fine(tick)) => self.fine.unlink(&mut self.nodes, key, tick),
            Some(Place::Coarse(tick)) => self.coarse.unlink(&mut self.nodes, key, tick),
            None => return,
        }
        self.len -= 1;
        self.note_next();
    }

    /// When [`expire`](Wheel::expire) will next have something, or `None` if
    /// nothing is armed. In the past if the last call left some for later.
    #[inline]
    pub fn next_deadline(&self) -> Option<Tick> {
        let next = self.next();
        (next != Tick::NEVER).then_some(next)
    }

    /// The same, or never.
    #[inline]
    pub(crate) fn next(&self) -> Tick {
        Tick::from_micros(self.next)
    }

    fn note_next(&mut self) {
        let millis = self.fine.first_millis().min(self.coarse.first_millis());
        self.next = millis.saturating_mul(1000);
    }

    /// Tells the wheel the time without taking anything off it.
    ///
    /// To be called after a long wait and before entries are armed: a wheel that
    /// believes in an earlier time parks them too early (they fall due once
    /// more than needed, nothing worse).
    pub fn advance(&mut self, now: Tick) {
        let millis = now.micros() / 1000;
        self.fine.advance(millis);
        self.coarse.advance(millis);
    }

    /// Takes what is due at `now` off the wheel and pushes the keys on `due`,
    /// [`EXPIRE_MAX`](Wheel::EXPIRE_MAX) at most; the rest stays due.
    pub fn expire(&mut self, now: Tick, due: &mut Vec<u32>) {
        let millis = now.micros() / 1000;
        let before = due.len();
        self.fine.expire(&mut self.nodes, millis, Wheel::EXPIRE_MAX, due);
        let room = Wheel::EXPIRE_MAX - (due.len() - before);
        self.coarse.expire(&mut self.nodes, millis, room, due);
        self.len -= due.len() - before;
        self.note_next();
    }

    /// How many entries are armed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no entry is armed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How the entries of the first `keys` keys lie on it.
    pub(crate) fn spread(&self, keys: usize) -> Spread {
        const PER_SECTOR: u64 = SLOTS / SECTORS as u64;
        let sector = |tick: u64| (tick % SLOTS / PER_SECTOR) as usize;
        let mut spread = Spread::default();
        for key in 0..self.nodes.len().min(keys) as u32 {
            let (level, tick) = match self.filed(key) {
                Some(Place::Fine(tick)) => (&mut spread.fine, tick),
                Some(Place::Coarse(tick)) => (&mut spread.coarse, tick),
                None => continue,
            };
            if let Some(count) = level.get_mut(sector(tick)) {
                *count += 1;
            }
        }
        spread.hands = [sector(self.fine.cursor), sector(self.coarse.cursor)];
        spread
    }

    /// Entries per call of [`expire`](Wheel::expire): a mass of clients that
    /// connected together and idles out together must not hold up a turn. To
    /// close one takes some microseconds, so these take about a millisecond.
    pub const EXPIRE_MAX: usize = 256;

    /// The place for a deadline. Never later than it should be, see the module.
    fn place(&self, at: Tick, precise: bool) -> Place {
        let millis = at.micros().div_ceil(1000);
        if !precise {
            return Place::Coarse(self.coarse.clamp(millis.div_ceil(COARSE_MS)));
        }
        if millis < self.fine.cursor + SLOTS {
            return Place::Fine(self.fine.clamp(millis));
        }
        let tick = millis / COARSE_MS;
        if tick < self.coarse.cursor {
            // The fine level lags since it could not expire all that was due.
            // Early is right, late is not.
            return Place::Fine(self.fine.clamp(millis));
        }
        Place::Coarse(self.coarse.clamp(tick))
    }

    /// Puts the entry there, wherever it was.
    fn file(&mut self, key: u32, place: Place) {
        if self.filed(key) == Some(place) {
            return;
        }
        self.disarm(key);
        if self.nodes.len() <= key as usize {
            self.nodes.resize(key as usize + 1, Node::UNFILED);
        }
        match place {
            Place::Fine(tick) => self.fine.link(&mut self.nodes, key, tick),
            Place::Coarse(tick) => self.coarse.link(&mut self.nodes, key, tick),
        }
        self.len += 1;
        self.note_next();
    }

    #[inline]
    fn filed(&self, key: u32) -> Option<Place> {
        match self.nodes.get(key as usize)?.filed {
            UNFILED => None,
            filed if filed & 1 == 0 => Some(Place::Fine(filed >> 1)),
            filed => Some(Place::Coarse(filed >> 1)),
        }
    }
}

fn from_millis(millis: u64) -> Tick {
    Tick::from_micros(millis.saturating_mul(1000))
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel::new()
    }
}

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wheel({} armed, next: {:?})", self.len, self.next_deadline())
    }
}

impl<const TICK_MS: u64> Level<TICK_MS> {
    fn new() -> Level<TICK_MS> {
        Level { heads: [NONE; SLOTS as usize], used: [0; WORDS], cursor: 0, first: NEVER }
    }

    /// The nearest tick to `tick` that has a slot.
    fn clamp(&self, tick: u64) -> u64 {
        tick.clamp(self.cursor, self.cursor + (SLOTS - 1))
    }

    fn first_millis(&self) -> u64 {
        self.first.saturating_mul(TICK_MS)
    }

    /// Appends `key`, which is in no ring, to the ring of that tick.
    fn link(&mut self, nodes: &mut [Node], key: u32, tick: u64) {
        let slot = (tick % SLOTS) as usize;
        let head = self.heads[slot];
        let (prev, next) = if head == NONE {
            self.heads[slot] = key;
            self.used[slot / 64] |= 1 << (slot % 64);
            (key, key)
        } else {
            let tail = nodes[head as usize].prev;
            nodes[tail as usize].next = key;
            nodes[head as usize].prev = key;
            (tail, head)
        };
        let level = u64::from(TICK_MS == COARSE_MS);
        nodes[key as usize] = Node { prev, next, filed: tick << 1 | level };
        self.first = self.first.min(tick);
    }

    /// Takes `key`, which is filed at that tick, out of its ring.
    fn unlink(&mut self, nodes: &mut [Node], key: u32, tick: u64) {
        let slot = (tick % SLOTS) as usize;
        let Node { prev, next, .. } = nodes[key as usize];
        nodes[key as usize].filed = UNFILED;
        if next != key {
            nodes[prev as usize].next = next;
            nodes[next as usize].prev = prev;
            if self.heads[slot] == key {
                self.heads[slot] = next;
            }
            return;
        }
        self.heads[slot] = NONE;
        self.used[slot / 64] &= !(1 << (slot % 64));
        if self.first == tick {
            self.first = self.find_first();
        }
    }

    /// The tick of the first used slot at or after the cursor, once round: the
    /// cursor's word, the others, and at last the low part of its word again.
    fn find_first(&self) -> u64 {
        let from = (self.cursor % SLOTS) as usize;
        for step in 0..=WORDS {
            let index = (from / 64 + step) % WORDS;
            let mask = match step {
                0 => u64::MAX << (from % 64),
                WORDS => !(u64::MAX << (from % 64)),
                _ => u64::MAX,
            };
            let word = self.used[index] & mask;
            if word != 0 {
                let slot = index * 64 + word.trailing_zeros() as usize;
                let ahead = (slot + SLOTS as usize - from) % SLOTS as usize;
                return self.cursor + ahead as u64;
            }
        }
        NEVER
    }

    /// Moves the cursor behind the tick of that time, but past no entry.
    fn advance(&mut self, millis: u64) {
        self.cursor = self.cursor.max((millis / TICK_MS + 1).min(self.first));
    }

    fn expire(&mut self, nodes: &mut [Node], millis: u64, limit: usize, due: &mut Vec<u32>) {
        let last = millis / TICK_MS;
        for _ in 0..limit {
            if self.first > last {
                break;
            }
            let key = self.heads[(self.first % SLOTS) as usize];
            self.unlink(nodes, key, self.first);
            due.push(key);
        }
        self.advance(millis);
    }
}

impl Place {
    /// When it falls due, in milliseconds since the start.
    fn millis(self) -> u64 {
        match self {
            Place::Fine(tick) => tick * FINE_MS,
            Place::Coarse(tick) => tick * COARSE_MS,
        }
    }
}

impl Node {
    const UNFILED: Node = Node { prev: NONE, next: NONE, filed: UNFILED };
}

/// Slots of a level: a power of two, and a lap (51 s) that is longer than nearly
/// every deadline.
const SLOTS: u64 = 512;
const WORDS: usize = SLOTS as usize / 64;
/// What `poll` can tell apart.
const FINE_MS: u64 = 1;
/// Nobody notices whether an idle client is dropped 100 ms later.
const COARSE_MS: u64 = 100;
/// No key: slots are numbered far below (`Config::connections_max`).
const NONE: u32 = u32::MAX;
/// No tick.
const NEVER: u64 = u64::MAX;
/// Not on the wheel.
const UNFILED: u64 = u64::MAX;

#[cfg(test)]
mod tests;
