//! Planted bugs: they prove that the simulation would find real ones.
//!
//! Each stands in one line of the loop, as `if mutant!("name") ...`. In every
//! ordinary build that is `if false`. With `--cfg onepoll_mutants` one of them
//! can be chosen for the calling thread, and `tests/simulation.rs` demands that
//! some seed finds it:
//!
//! ```text
//! RUSTFLAGS='--cfg onepoll_mutants' cargo test --test simulation mutants \
//!     --target-dir target/mutants -- --nocapture
//! ```

/// Whether the planted bug of that name is chosen; never in ordinary builds.
#[cfg(not(onepoll_mutants))]
macro_rules! mutant {
    ($name:literal) => {
        false
    };
}

/// Whether the planted bug of that name is chosen.
#[cfg(onepoll_mutants)]
macro_rules! mutant {
    ($name:literal) => {
        crate::mutants::is_planted($name)
    };
}

#[cfg(onepoll_mutants)]
pub use planted::*;

#[cfg(onepoll_mutants)]
mod planted {
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<&'static str> = const { Cell::new("") };
    }

    /// Chooses a bug for this thread; `""` for none.
    pub fn plant(name: &'static str) {
        PLANTED.set(name);
    }

    pub(crate) fn is_planted(name: &str) -> bool {
        PLANTED.get() == name
    }

    /// All of them.
    pub const ALL: [&str; 17] = [
        "read-bit-cleared",
        "read-bit-kept",
        "writable-kept",
        "end-before-input",
        "queued-kept",
        "generation-ignored",
        "refile-forgotten",
        "buffer-not-returned",
        "replies-swapped",
        "wake-ignored",
        "unsettled-not-drained",
        "footprint-unsettled",
        "pace-never-renewed",
        "linger-skipped",
        "continue-twice",
        "exchange-not-recycled",
        "takeover-forgotten",
    ];
}
