//! The loop over scripted sockets and a fake clock: see `onepoll::sim`.

use onepoll::sim::{Report, Simulation};

/// Seeds of an ordinary run, and with `ONEPOLL_SLOW=1`.
const SEEDS: u64 = 400;
const SEEDS_SLOW: u64 = 30_000;

#[test]
fn every_seed_ends_well() {
    let slow = std::env::var_os("ONEPOLL_SLOW").is_some();
    let mut sum = Report::default();
    let mut failures = Vec::new();
    for seed in 0..if slow { SEEDS_SLOW } else { SEEDS } {
        match Simulation::run(seed) {
            Ok(report) => {
                sum.requests += report.requests;
                sum.replies += report.replies;
                sum.bytes += report.bytes;
                sum.turns += report.turns;
            }
            Err(failure) => failures.push(failure.to_string()),
        }
        if failures.len() == 10 {
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    println!("{sum:?}");
    assert!(sum.replies > 1_000, "hardly anything happened: {sum:?}");
}

/// Runs one seed: `ONEPOLL_SEED=123 cargo test --test simulation replay`.
#[test]
fn replay() {
    let Some(seed) = std::env::var("ONEPOLL_SEED").ok().and_then(|seed| seed.parse().ok()) else {
        return;
    };
    match Simulation::run(seed) {
        Ok(report) => println!("{report:?}"),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn a_seed_repeats_itself() {
    for seed in 0..20 {
        let runs = [Simulation::run(seed), Simulation::run(seed)];
        let [first, second] = runs.map(|run| run.map_err(|failure| failure.what));
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Each planted bug is found by some seed.
#[test]
#[cfg_attr(not(onepoll_mutants), ignore = "needs RUSTFLAGS='--cfg onepoll_mutants'")]
fn mutants_are_found() {
    #[cfg(onepoll_mutants)]
    {
        /// Seeds in which a bug must show.
        const TRIES: u64 = 6_000;
        let mut survivors = Vec::new();
        for name in onepoll::mutants::ALL {
            onepoll::mutants::plant(name);
            let found = (0..TRIES).find_map(|seed| Simulation::run(seed).err());
            onepoll::mutants::plant("");
            match found {
                Some(failure) => {
                    let what = failure.what.lines().next().unwrap_or_default().to_owned();
                    println!("{name}: {} seeds; {what}", failure.seed + 1);
                }
                None => survivors.push(name),
            }
        }
        assert!(survivors.is_empty(), "not found in {TRIES} seeds: {survivors:?}");
    }
}
