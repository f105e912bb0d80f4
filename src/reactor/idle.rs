//! Which connections are idle, the longest idle first.
//!
//! A ring linked by slot number in one vector, 8 bytes per slot: under pressure
//! the reactor closes from the front, and a connection that gets to work
//! leaves the middle. Everything is O(1).
//!
//! ```text
//!   longest -> 4 <-> 9 <-> 2 <- pushed last
//!              '-----------'    (a ring: the front's `prev` is the back)
//! ```

use super::slots::table;

/// The list; each slot is in it once at most.
#[derive(Debug)]
pub(crate) struct Idle {
    /// By slot; `next == NONE` means that the slot is not in the list.
    links: Vec<Link>,
    front: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
}

impl Idle {
    pub(crate) fn new() -> Idle {
        Idle { links: table(), front: NONE }
    }

    /// Puts the slot at the back, wherever it was.
    pub(crate) fn push(&mut self, slot: u32) {
        self.remove(slot);
        let index = slot as usize;
        if self.links.len() <= index {
            self.links.resize(index + 1, UNLINKED);
        }
        if self.front == NONE {
            self.front = slot;
            self.links[index] = Link { prev: slot, next: slot };
            return;
        }
        let front = self.front;
        let back = self.links[front as usize].prev;
        self.links[index] = Link { prev: back, next: front };
        self.links[back as usize].next = slot;
        self.links[front as usize].prev = slot;
    }

    /// Takes the slot out, if it is in.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        let Link { prev, next } = std::mem::replace(link, UNLINKED);
        if next == NONE {
            return;
        }
        if next == slot {
            self.front = NONE;
            return;
        }
        self.links[prev as usize].next = next;
        self.links[next as usize].prev = prev;
        if self.front == slot {
            self.front = next;
        }
    }

    /// The slot that was pushed before all others.
    pub(crate) fn longest(&self) -> Option<u32> {
        (self.front != NONE).then_some(self.front)
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.links.get(slot as usize).is_some_and(|link| link.next != NONE)
    }
}

const NONE: u32 = u32::MAX;
const UNLINKED: Link = Link { prev: NONE, next: NONE };

impl Default for Idle {
    fn default() -> Idle {
        Idle::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn it_behaves_like_a_queue_with_removal() {
        let mut idle = Idle::new();
        let mut model: VecDeque<u32> = VecDeque::new();
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..20_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let slot = (seed >> 8) as u32 % 9;
            model.retain(|other| *other != slot);
            if seed & 3 == 0 {
                idle.remove(slot);
            } else {
                idle.push(slot);
                model.push_back(slot);
            }
            assert_eq!(idle.longest(), model.front().copied());
            assert!((0..9).all(|slot| idle.contains(slot) == model.contains(&slot)));
        }
        while let Some(slot) = idle.longest() {
            assert_eq!(Some(slot), model.pop_front());
            idle.remove(slot);
        }
        assert!(model.is_empty());
    }

    #[test]
    fn a_link_takes_eight_bytes() {
        assert_eq!(size_of::<Link>(), 8);
    }
}
