//! Where connections live, and how they are named when they may be gone.
//!
//! A slot number is reused, and a job or a wake may come home after that. So
//! what leaves the loop carries a [`ConnectionId`]: the slot and its generation,
//! which is counted up when the slot is freed. Inside the loop, where nothing
//! is freed before the end of the turn, the slot number alone will do.
//!
//! ```text
//!   slab         0:A   1:-   2:C        generation 1 was 4 when B left: an id of
//!   generations   7     5     1         (slot 1, generation 4) finds nothing, ever
//!   idle          2 -> 0                (until the count has wrapped: 2^32 clients)
//! ```

use super::idle::Idle;
use slab::Slab;

/// A slab of connections with generations and a list of the idle ones.
///
/// ```
/// use onepoll::reactor::Slots;
/// let mut slots = Slots::new();
/// let id = slots.insert("first");
/// assert_eq!(slots.remove(id.slot), Some("first"));
/// let again = slots.insert("second");
/// assert_eq!(again.slot, id.slot);
/// assert_eq!(slots.by_id(id), None);
/// assert_eq!(slots.by_id(again), Some(&mut "second"));
/// ```
#[derive(Debug)]
pub struct Slots<T> {
    slab: Slab<T>,
    /// By slot, also while it is vacant.
    generations: Vec<u32>,
    idle: Idle,
}

/// The name of a connection: it never means another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// Its slot.
    pub slot: u32,
    /// How many connections the slot has had before, wrapping.
    pub generation: u32,
}

impl ConnectionId {
    /// As a number for people: no two connections of a reactor have the same.
    pub(crate) fn number(self) -> u64 {
        u64::from(self)
    }
}

impl<T> Slots<T> {
    /// No slots; memory comes with the first connections.
    pub fn new() -> Slots<T> {
        Slots { slab: Slab::new(), generations: table(), idle: Idle::new() }
    }

    /// Takes a free slot, the one freed last if there is one.
    pub fn insert(&mut self, value: T) -> ConnectionId {
        // Fits: `Config::connections_max` is 16 million at most.
        let slot = self.slab.insert(value) as u32;
        if self.generations.len() <= slot as usize {
            self.generations.push(0);
        }
        ConnectionId { slot, generation: self.generations[slot as usize] }
    }

    /// What is in the slot, and its full name.
    #[inline]
    pub fn entry(&mut self, slot: u32) -> Option<(ConnectionId, &mut T)> {
        let generation = *self.generations.get(slot as usize)?;
        Some((ConnectionId { slot, generation }, self.slab.get_mut(slot as usize)?))
    }

    /// What is in the slot, if it is occupied.
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.slab.get(slot as usize)
    }

    /// What is in the slot, to be changed.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slab.get_mut(slot as usize)
    }

    /// What that id was given to, unless it has been removed.
    pub fn by_id(&mut self, id: ConnectionId) -> Option<&mut T> {
        let slot = id.slot as usize;
        let known = self.generations.get(slot) == Some(&id.generation);
        if !known && !mutant!("generation-ignored") {
            return None;
        }
        self.slab.get_mut(slot)
    }

    /// The id of what is in the slot now.
    pub fn id(&self, slot: u32) -> Option<ConnectionId> {
        let generation = *self.generations.get(slot as usize)?;
        self.contains(slot).then_some(ConnectionId { slot, generation })
    }

    /// Frees the slot; ids that were given for it are void from here on.
    pub fn remove(&mut self, slot: u32) -> Option<T> {
        let value = self.slab.try_remove(slot as usize)?;
        if let Some(generation) = self.generations.get_mut(slot as usize) {
            *generation = generation.wrapping_add(1);
        }
        self.idle.remove(slot);
        Some(value)
    }

    /// Whether the slot is occupied.
    pub fn contains(&self, slot: u32) -> bool {
        self.slab.contains(slot as usize)
    }

    /// How many slots are occupied.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether no slot is occupied.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// How many fit before memory grows.
    pub fn capacity(&self) -> usize {
        self.slab.capacity()
    }

    /// All occupied slots, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slab.iter().map(|(slot, value)| (slot as u32, value))
    }

    /// All occupied slots, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.slab.iter_mut().map(|(slot, value)| (slot as u32, value))
    }

    /// Notes that the connection is idle from now on. Nothing happens if the
    /// slot is vacant.
    pub fn idle_push(&mut self, slot: u32) {
        if self.contains(slot) {
            self.idle.push(slot);
        }
    }

    /// Notes that the connection is no longer idle, if it was.
    pub fn idle_remove(&mut self, slot: u32) {
        self.idle.remove(slot);
    }

    /// Whether the connection is idle.
    pub fn is_idle(&self, slot: u32) -> bool {
        self.idle.contains(slot)
    }

    /// The connection that has been idle for the longest time.
    pub fn longest_idle(&self) -> Option<u32> {
        self.idle.longest()
    }
}

/// An empty table with a line for each slot to come. From this size on a vector is
/// a mapping of its own: its pages come with the lines, and as it grows it is moved
/// without a copy, and leaves no hole among what clients are lent.
pub(super) fn table<L>() -> Vec<L> {
    Vec::with_capacity(MAPPED / size_of::<L>())
}

/// Bytes that the GNU C library maps rather than cuts from the heap.
const MAPPED: usize = 128 * 1024;

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots::new()
    }
}

impl From<ConnectionId> for u64 {
    fn from(id: ConnectionId) -> u64 {
        u64::from(id.generation) << 32 | u64::from(id.slot)
    }
}

impl From<u64> for ConnectionId {
    fn from(number: u64) -> ConnectionId {
        ConnectionId { slot: number as u32, generation: (number >> 32) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_the_past_finds_nothing() {
        let mut slots = Slots::new();
        let mut old = Vec::new();
        for round in 0..5 {
            let id = slots.insert(round);
            assert_eq!((id.slot, id.generation), (0, round));
            assert_eq!(slots.id(0), Some(id));
            assert_eq!(slots.by_id(id), Some(&mut { round }));
            assert!(old.iter().all(|id| slots.by_id(*id).is_none()));
            assert_eq!(slots.remove(0), Some(round));
            assert_eq!(slots.by_id(id), None);
            assert_eq!(slots.id(0), None);
            old.push(id);
        }
        assert_eq!(slots.remove(0), None);
        assert_eq!(slots.insert(9).generation, 5, "removing nothing counts nothing");
    }

    #[test]
    fn generations_wrap() {
        let mut slots = Slots::new();
        slots.insert('a');
        slots.generations[0] = u32::MAX;
        slots.remove(0);
        assert_eq!(slots.insert('b'), ConnectionId { slot: 0, generation: 0 });
    }

    #[test]
    fn an_id_survives_as_a_number() {
        for (slot, generation) in [(0, 0), (1, 2), (u32::MAX, 0), (0, u32::MAX), (7, 1 << 31)] {
            let id = ConnectionId { slot, generation };
            assert_eq!(ConnectionId::from(u64::from(id)), id);
        }
        assert_eq!(u64::from(ConnectionId { slot: 3, generation: 1 }), 0x1_0000_0003);
    }

    #[test]
    fn slots_are_numbered_from_zero_without_gaps() {
        let mut slots = Slots::new();
        for number in 0..100 {
            assert_eq!(slots.insert(number).slot, number);
        }
        assert_eq!((slots.len(), slots.is_empty()), (100, false));
        assert!(slots.capacity() >= 100);
        slots.remove(40);
        assert!(!slots.contains(40) && slots.contains(41) && !slots.contains(100));
        assert_eq!(slots.get(40), None);
        assert_eq!(slots.get(41), Some(&41));
        assert_eq!(slots.get_mut(1000), None);
        assert!(slots.iter().all(|(slot, value)| slot == *value));
        assert_eq!(slots.iter().count(), 99);
        slots.iter_mut().for_each(|(_, value)| *value += 1);
        assert_eq!(slots.get(99), Some(&100));
        assert_eq!(slots.insert(0).slot, 40);
    }

    #[test]
    fn who_is_removed_is_not_idle() {
        let mut slots = Slots::new();
        for _ in 0..3 {
            slots.insert(());
        }
        for slot in [2, 0, 1, 77] {
            slots.idle_push(slot);
        }
        assert_eq!(slots.longest_idle(), Some(2));
        assert!(!slots.is_idle(77), "a vacant slot can't be idle");
        slots.remove(2);
        assert_eq!(slots.longest_idle(), Some(0));
        slots.idle_remove(0);
        assert!(slots.contains(0) && !slots.is_idle(0));
        assert_eq!(slots.longest_idle(), Some(1));
        slots.idle_push(0);
        slots.remove(1);
        slots.remove(0);
        assert_eq!(slots.longest_idle(), None);
        let again = slots.insert(());
        assert!(!slots.is_idle(again.slot));
    }
}
