//! Chance that repeats itself: the same seed gives the same numbers.

/// A small generator (splitmix64); not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0xA24B_AED4_963E_E407).wrapping_add(0x9FB2_1C65_1E98_DF25))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, and without, `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A length: mostly small, now and then up to `max`.
    pub(crate) fn length(&mut self, max: usize) -> usize {
        let top = match self.below(20) {
            0..=6 => 60,
            7..=12 => 1500,
            13..=16 => 6_000,
            17..=18 => 70_000,
            _ => 300_000,
        };
        self.below(top.min(max) + 1)
    }

    /// Another generator that depends on this one.
    pub(crate) fn fork(&mut self) -> Rng {
        Rng::new(self.next())
    }
}
