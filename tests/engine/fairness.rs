//! Nobody starves, and no rate is exceeded, in seeded random histories.

use std::collections::BTreeSet;
use std::sync::Arc;

use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::input::{Input, Submission, SubmitItem};

use crate::define::define;
use crate::random::{Random, apply, ended};
use crate::script::Bench;

/// A heavy run waits among light ones that come faster than they leave, for whatever it needs: it starts
/// soon after it has waited for an aging period.
#[test]
fn nobody_starves() {
    const KINDS: [&str; 4] = [
        "cpu 4; aging 5s; job heavy cpu cpus=4; job light cpu; job other cpu cpus=2",
        "aging 5s; resource ram 10; job heavy io resources=ram:9; job light io resources=ram:2; \
         job other io resources=ram:3",
        "aging 5s; limit a 2; limit b 2; limit c 1; job heavy io limits=a:2,b:2,c; job light io limits=a,c; \
         job other io limits=b",
        "aging 5s; limit r 9 20/s 9; limit a 3; job heavy io limits=r:9,a:3; job light io limits=r; \
         job other io limits=a,r",
    ];
    for kind in KINDS {
        for seed in 1..=5 {
            let at = heavy_starts_at(kind, seed);
            let at = at.unwrap_or_else(|| panic!("{kind}: starves, seed {seed}"));
            // Queued after two seconds, aged after seven; then what runs has to leave, little by little.
            assert!(at < 15_000, "{kind}: starts after {at} ms, seed {seed}");
        }
    }
}

/// When, in milliseconds, the one heavy run among many light ones starts.
fn heavy_starts_at(kind: &str, seed: u64) -> Option<u64> {
    let mut random = Random(seed);
    let mut bench = Bench::new(define(&kind.replace(';', "\n")));
    let mut running: Vec<AttemptId> = Vec::new();
    for step in 0..1_500 {
        let millis = step * 20;
        let job = match step {
            100 => "heavy",
            _ => random.of(&["light", "light", "other"]),
        };
        // It may have started with the end of another, too: of one step before.
        apply(&mut bench, millis, submit(job), &mut running);
        let is_heavy = |attempt: &AttemptId| {
            let run = bench.engine.run(attempt.run);
            run.is_some_and(|run| &*run.job.name == "heavy")
        };
        if running.iter().any(is_heavy) {
            return Some(millis);
        }
        if random.below(100) < 60 && !running.is_empty() {
            let input = ended(random.of(&running), "ok");
            apply(&mut bench, millis + 7, input, &mut running);
        }
    }
    None
}

fn settle() -> Input {
    let unbegun = BTreeSet::new();
    Input::Settle { unbegun }
}

fn submit(job: &str) -> Input {
    Input::Submit(Submission {
        items: vec![SubmitItem::of(&job.into())],
        key: None,
        caller: None,
    })
}

const RATED: &str = "io 9; limit r - 5/s 4; job a io limits=r; job b io limits=r:2; job c io";

/// In no window are more runs started than the rate and what was saved up allow, whatever comes between:
/// ends, cancels, reloads of other things, crashes.
#[test]
fn no_rate_is_exceeded_over_any_window() {
    for seed in 1..=30 {
        let taken = taken(seed);
        for first in 0..taken.len() {
            let mut sum = 0;
            for (at, tokens) in &taken[first..] {
                sum += tokens;
                let elapsed = at - taken[first].0;
                assert!(
                    u64::saturating_sub(sum, 4) * 1_000 <= 5 * elapsed,
                    "seed {seed}: {sum} within {elapsed} ms"
                );
            }
        }
        assert!(taken.len() > 30, "seed {seed}: {taken:?}");
    }
}

/// When, in milliseconds, how many tokens are taken in a random history.
fn taken(seed: u64) -> Vec<(u64, u64)> {
    let mut random = Random(seed);
    let mut bench = Bench::new(define(&RATED.replace(';', "\n")));
    let mut running: Vec<AttemptId> = Vec::new();
    let (mut taken, mut millis) = (Vec::new(), 0);
    for _ in 0..400 {
        let next = bench.engine.next_deadline();
        let wake = next.map_or(u64::MAX, |(at, _)| at.0.div_ceil(1_000_000));
        millis = wake.min(millis + random.below(120)).max(millis);
        let mut inputs = vec![match random.below(100) {
            0..50 => submit(random.of(&["a", "a", "b", "c"])),
            50..90 if !running.is_empty() => ended(random.of(&running), "ok"),
            90..94 => Input::Cancel {
                run: RunId(random.below(300)),
                graph: false,
                caller: None,
            },
            94..96 => {
                let other = format!("{RATED}; limit other {}", 1 + random.below(9));
                Input::Configure(Arc::new(define(&other.replace(';', "\n"))))
            }
            96..97 => {
                bench.crash();
                running.clear();
                settle()
            }
            _ => Input::Tick,
        }];
        if inputs == [settle()] {
            inputs.push(Input::Open);
        }
        for input in inputs {
            let before = running.clone();
            apply(&mut bench, millis, input, &mut running);
            for attempt in running.iter().filter(|attempt| !before.contains(attempt)) {
                let job = bench.engine.run(attempt.run).map(|run| run.job);
                let tokens = job.and_then(|job| job.limits.iter().next().map(|(_, n)| n));
                taken.extend(tokens.map(|tokens| (millis, u64::from(tokens))));
            }
        }
    }
    taken
}
