//! The real engine in a simulated world: a clock, lanes, a disk and clients that lose, delay and
//! reorder things and go down, all from one seed. A reference model and the clients' own books say
//! what must hold.
//!
//! `TWOLANE_SIM_SEED=7 cargo test --test sim` repeats one seed and prints what happened;
//! `TWOLANE_SIM_SEEDS=100000` goes through more of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a failing seed prints what happened")]

mod definitions;
mod lanes;
mod ledger;
mod model;
mod random;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{Played, World};

/// Seeds of a usual run.
const SEEDS: u64 = 1_000;

/// Steps of each before the faults stop and everything has to end.
const STEPS: usize = 400;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Plays a seed to its end.
fn play(seed: u64, verbose: bool) -> Played {
    let mut world = World::new(seed, verbose);
    for _ in 0..STEPS {
        world.step();
    }
    world.finish()
}

#[test]
fn promise_1_and_2_and_3_hold_whatever_fails() {
    if let Some(seed) = number("TWOLANE_SIM_SEED") {
        play(seed, true);
        return;
    }
    let seeds = number("TWOLANE_SIM_SEEDS").unwrap_or(SEEDS);
    for seed in 1..=seeds {
        if catch_unwind(AssertUnwindSafe(|| play(seed, false))).is_err() {
            panic!(
                "seed {seed} failed; `TWOLANE_SIM_SEED={seed} cargo test --test sim` repeats it"
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_facts() {
    for seed in 1..=20 {
        assert_eq!(play(seed, false), play(seed, false), "seed {seed}");
    }
    assert_ne!(play(1, false), play(2, false));
}

#[test]
fn attempts_that_do_not_leave_their_lanes_come_up() {
    let unresponsive: usize = (1..=50).map(|seed| play(seed, false).unresponsive).sum();
    assert!(unresponsive > 50, "{unresponsive} in 50 seeds");
}
