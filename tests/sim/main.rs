//! The real engine in a simulated world: a clock, lanes, a disk and clients that lose, delay and
//! reorder things and go down, all from one seed. A reference model and the clients' own books say
//! what must hold.
//!
//! `TWOLANE_SIM_SEED=7 cargo test --test sim` repeats one seed and prints what happened;
//! `TWOLANE_SIM_SEEDS=10000 cargo test --profile dev --test sim promise -- --nocapture` goes through more of them,
//! optimised, and says how many years those were and what came of all of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a failing seed prints what happened")]

mod alone;
mod definitions;
#[path = "../records/in_force.rs"]
mod in_force;
mod kinds;
#[path = "../records/known.rs"]
mod known;
mod lanes;
mod ledger;
mod manners;
mod model;
mod parts;
mod random;
mod sends;
mod swarm;
mod tries;
mod waits;
mod world;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use twolane::clock::Clock;
use twolane::engine::time::Mono;
use world::{Played, World};

/// Seeds of a usual run.
const SEEDS: u64 = 400;

/// Steps of each before the faults stop and everything has to end.
const STEPS: usize = 400;

/// What a usual run has to show beside each kind of fact, and how often.
const SEEN: &[(&str, u64)] = &[
    ("told that it stops", 200),
    ("stops for another reason", 100),
    ("refused beside one like it", 50),
    ("in the place of one that ran", 20),
    ("skipped beside one like it", 5),
    ("spread by what it was given", 50),
    ("spread into nothing", 10),
    ("waited when nobody was left", 50),
    ("within a blackout", 50),
    ("released for one of several", 20),
    ("tried again after exit", 8),
    ("tried again after signal", 2),
    ("tried again after timeout", 20),
    ("ended by exit", 20),
    ("ended by out_of_memory", 20),
    ("room for ends", 100),
    ("room for nothing", 50),
    ("ended without room to start", 200),
];

/// Milliseconds in a year.
const YEAR: f64 = 365.25 * 86_400_000.0;

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
    let clock = Clock::start();
    let all = play_all(seeds);
    let seconds = clock.mono().since(Mono(0)).as_secs_f64();
    let mut hasher = DefaultHasher::new();
    all.digests.hash(&mut hasher);
    let years = all.millis as f64 / YEAR;
    println!(
        "{seeds} seeds, {years:.1} virtual years, {} facts, {} slots run, {} attempts unresponsive; all of it \
         is {:016x}; {seconds:.1} s, {:.0} seeds/s, {:.0} times as fast as time goes",
        all.facts.values().sum::<u64>(),
        all.slots,
        all.unresponsive,
        hasher.finish(),
        seeds as f64 / seconds,
        all.millis as f64 / 1_000.0 / seconds
    );
    if seeds < SEEDS {
        return;
    }
    // A world in which something never happens says nothing about it.
    for kind in kinds::ALL {
        assert!(all.facts.contains_key(kind), "no seed has had {kind}");
    }
    let seldom = |(what, least): &&(&str, u64)| all.seen.get(what).copied().unwrap_or(0) < *least;
    let seldom: Vec<_> = SEEN.iter().filter(seldom).collect();
    assert!(seldom.is_empty(), "seldom: {seldom:?} of {:?}", all.seen);
    assert!(all.slots as u64 > seeds && all.unresponsive > 50);
    let (taken, late, no_room) = (all.taken, all.late, all.no_room);
    assert!(
        taken > 200 && late > 20 && no_room > 50,
        "{taken} were handed to attempts, {late} to attempts that had left; for {no_room} there was no room"
    );
    let (early, unsure, unbegun) = (all.unrecorded, all.unsure, all.unbegun);
    assert!(
        early > 50 && unsure > 15 && unbegun > 50,
        "{early} began before their record, {unsure} are unsure, {unbegun} had not begun"
    );
    assert!(years > 0.001 * seeds as f64, "{years} years");
}

/// What came of many seeds.
#[derive(Default)]
struct All {
    digests: BTreeMap<u64, u64>,
    facts: BTreeMap<&'static str, u64>,
    slots: usize,
    unresponsive: usize,
    unrecorded: usize,
    unsure: usize,
    unbegun: usize,
    no_room: usize,
    taken: usize,
    late: usize,
    seen: BTreeMap<&'static str, u64>,
    millis: u64,
}

/// Plays the seeds from 1 on, on all cores.
fn play_all(seeds: u64) -> All {
    let next = AtomicU64::new(1);
    let all = Mutex::new(All::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        return;
                    }
                    let played = catch_unwind(AssertUnwindSafe(|| play(seed, false)));
                    let Ok(played) = played else {
                        next.store(seeds + 1, Ordering::Relaxed);
                        panic!(
                            "seed {seed} failed; `TWOLANE_SIM_SEED={seed} cargo test --test sim` \
                             repeats it"
                        );
                    };
                    let mut all = all.lock().unwrap();
                    all.digests.insert(seed, played.digest);
                    all.slots += played.slots;
                    all.unresponsive += played.unresponsive;
                    all.unrecorded += played.unrecorded;
                    all.unsure += played.unsure;
                    all.unbegun += played.unbegun;
                    all.no_room += played.no_room;
                    all.taken += played.taken;
                    all.late += played.late;
                    all.millis += played.millis;
                    for (what, count) in played.seen {
                        *all.seen.entry(what).or_default() += count;
                    }
                    for (fact, count) in played.facts {
                        *all.facts.entry(fact).or_default() += count;
                    }
                }
            });
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_facts() {
    for seed in 1..=20 {
        assert!(play(seed, false) == play(seed, false), "seed {seed}");
    }
    assert!(play(1, false) != play(2, false));
}
