//! Giving a burst's memory back to the system.
//!
//! Ten thousand clients that are busy at once are lent ten thousand boxes. Once they
//! are idle again the boxes are freed, but the GNU C library gives back to the
//! system only what lies above the highest piece in use. So one piece that lives on
//! can keep megabytes, and two kinds do: what is kept of what was made in the burst,
//! and up to seven pieces of each size that were freed first. The library has those
//! at hand for the thread that freed them, as if they were in use, until it ends.
//!
//! ```text
//!   heap  | early boxes |   late boxes, all free   k             k      | top
//!                                                  ^ at hand for the thread:
//!                          nothing to the left of one is given back
//! ```
//!
//! So a box that is made when there are many is late, and never kept ([`Tally`]).
//! When the late ones are back, the loop asks for pieces of each size until it has
//! all that were at hand ([`pieces`]), and sends them to a thread that ends when it
//! has freed them. That thread is started first, as to start it takes pieces, too.
//! Some things about threads are made once and stay; that they lie low, one is
//! started for nothing with the first late box.
//!
//! Where there is another allocator, nothing of this is done but the counting.

use crate::http::Exchange;
use std::hint::black_box;

/// Boxes at hand for the next connections: more would be memory that lies idle,
/// fewer would allocate within an ordinary turn.
pub(super) const KEPT: usize = 64;
/// With so many boxes there, further ones are late.
const EARLY: usize = 2 * KEPT;
/// So many late boxes at once, and what they leave is worth a thread: it is a
/// mebibyte, and making them took longer.
const BURST: usize = 1024;
/// A burst is over when all of its boxes are back. This part of them may be with
/// clients that stay for hours, so memory is given back before it is, too.
const LEFT: usize = 16;

/// Memory, to be freed.
type Pieces = Vec<Vec<u8>>;

/// How many boxes there are, and how many of them are late.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// All, lent or at hand.
    boxes: usize,
    late: usize,
    /// Whether there ever was a late one.
    known: bool,
    /// With so many late ones left there is something to sweep: a part of a burst,
    /// or none. `None`: there was no burst since the last.
    sweep_at: Option<usize>,
    /// The most late ones of this burst.
    most: usize,
}

/// What there is to do about a box that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    Nothing,
    Sweep,
}

impl Tally {
    /// Whether what is made now may be kept.
    pub(super) fn is_early(&self) -> bool {
        self.boxes < EARLY
    }

    /// How many there are, lent or at hand.
    pub(super) fn boxes(&self) -> usize {
        self.boxes
    }

    /// Counts a box that is made; whether it may be kept is asked before.
    pub(super) fn made(&mut self) -> Chore {
        let is_early = self.is_early();
        self.boxes += 1;
        if is_early {
            return Chore::Nothing;
        }
        self.late += 1;
        if self.late >= BURST && self.late > self.most {
            self.most = self.late;
            self.sweep_at = Some(self.most / LEFT);
        }
        match std::mem::replace(&mut self.known, true) {
            true => Chore::Nothing,
            false => Chore::Sweep,
        }
    }

    /// Counts a box that is freed.
    pub(super) fn freed(&mut self, was_early: bool) -> Chore {
        self.boxes -= 1;
        if was_early {
            return Chore::Nothing;
        }
        self.late -= 1;
        match self.sweep_at {
            Some(at) if self.late <= at => {
                self.most = 0;
                self.sweep_at = (self.late > 0).then_some(0);
                Chore::Sweep
            }
            _ => Chore::Nothing,
        }
    }
}

/// Whether it lies among what was made early, as far as can be known: what it holds
/// may have grown later.
pub(super) fn lies_low(exchange: &Exchange) -> bool {
    exchange.early && exchange.request.footprint() <= GROWN
}

/// More than most requests take, in bytes.
const GROWN: usize = 2 * 1024;

/// All that the C library has at hand for this thread, and more.
pub(super) fn pieces() -> Pieces {
    // Asked for a large piece it joins small ones that lie side by side. It would
    // take more of them to hand while it is asked for those.
    drop(black_box(Vec::<u8>::with_capacity(LARGE)));
    let mut pieces = Vec::with_capacity(SIZES * EACH);
    for n in 0..SIZES {
        pieces.extend((0..EACH).map(|_| Vec::with_capacity(24 + n * 16)));
    }
    pieces
}

/// Of 24 bytes, 40 and so on, up to 1032.
const SIZES: usize = 64;
/// Of each size: seven at hand, and those single ones that it finds on the way.
const EACH: usize = 24;
/// Not one of them.
const LARGE: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes or frees so many; the late ones that were left at each sweep.
    fn count(tally: &mut Tally, make: usize, free: usize) -> Vec<usize> {
        let mut sweeps = Vec::new();
        for n in 0..make + free {
            // Late ones are freed first: they are never at hand.
            let early = tally.late == 0;
            let chore = if n < make { tally.made() } else { tally.freed(early) };
            if chore == Chore::Sweep {
                sweeps.push(tally.late);
            }
        }
        sweeps
    }

    #[test]
    fn a_burst_is_swept_near_its_end_and_at_its_end() {
        let mut tally = Tally::default();
        assert_eq!(count(&mut tally, EARLY, 0), [0; 0]);
        assert!(!tally.is_early());
        assert_eq!(count(&mut tally, 1600, 0), [1], "the first late one");
        assert_eq!(count(&mut tally, 0, 1600), [100, 0]);
        assert_eq!(count(&mut tally, 0, EARLY), [0; 0]);
        assert_eq!((tally.boxes, tally.late), (0, 0));
        // Another one; there is nothing to be made once any more.
        assert_eq!(count(&mut tally, EARLY + BURST, EARLY + BURST), [BURST / LEFT, 0]);
        // One that swells again before it is over.
        assert_eq!(count(&mut tally, EARLY + BURST, BURST - 10), [BURST / LEFT]);
        assert_eq!(count(&mut tally, 2 * BURST, 2 * BURST), [(2 * BURST + 10) / LEFT]);
        assert_eq!(count(&mut tally, 0, 10), [0]);
    }

    #[test]
    fn what_comes_and_goes_below_a_burst_is_not_swept() {
        let mut tally = Tally::default();
        count(&mut tally, EARLY + 1, 1);
        for _ in 0..100 {
            assert_eq!(count(&mut tally, BURST - 1, BURST - 1), [0; 0]);
        }
    }
}
