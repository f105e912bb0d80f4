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
