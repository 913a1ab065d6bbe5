//! Seeded random histories: whatever comes in whatever order, the invariants hold, recovery gives
//! the same state, and when everything has ended nothing is held.

use std::sync::Arc;
use std::time::Duration;

use twolane::engine::CapacityName;
use twolane::engine::action::Action;
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::input::{Input, Submission, SubmitItem};
use twolane::engine::outcome::{End, Measures};
use twolane::engine::spec::{Lane, Name, Priority};

use crate::define::define;
use crate::placing::measures;
use crate::script::{Bench, at, outcome};

/// xorshift64*, see <https://en.wikipedia.org/wiki/Xorshift>.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    pub(crate) fn of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[usize::try_from(self.below(choice.len() as u64)).unwrap()]
    }
}

const CONFIGURATIONS: [&str; 3] = [
    "kept 5; aging 2s; cpu 2; io 5; pool p io 2; limit m 1; limit n 3; limit r - 4/s 3; resource ram 8; \
     job a cpu cpus=2; job b io auto=yes limits=m resources=ram:3; \
     job c cpu limits=m,n:3 timeout=3s task=command retry=3 run_timeout=9s; \
     job d io limits=n,r resources=ram:8 delay=2s start_within=4s retry=2:fixed; \
     job e io limits=r:2 after=a,d when=failure; job f cpu after=e when=always on_failure=a; \
     job g io after=a when=any params=n:integer<a=7 expect_within=9s; job h io foreach=n params=n:integer retry=2 on_success=a; \
     job u io unique=job:replace; job v io unique=args:join params=x:integer=1 on_failure=u; \
     job w io expect_within=5s on_absent=u",
    "kept 3; aging 1s; cpu 1; io 2; pool p io 1; limit m 2; limit r 2 7/s 2; resource ram 4; \
     job a cpu cpus=3 timeout=1s retry=4 run_timeout=5s start_within=9s; \
     job b io pool=p resources=ram:4; job c cpu limits=m:2,r:2; job d io limits=r; \
     job e io after=a,d; job f cpu after=e; job g io expect_within=3s; job h io params=n:any=1; \
     job u io unique=job auto=yes; job v io auto=yes",
    "cpu 4; io 50; job a io limits=new; limit new 1; limit r 1; job b io resources=gone:7; \
     job d cpu delay=1s; job e cpu limits=r after=a,d; job u io unique=job:join; \
     job v io unique=job:replace; job h io matrix=n:1,2,3+m:1,2 params=n:any,m:any",
];

/// In which nothing is too small for a run of any of them.
const ENOUGH: &str =
    "cpu 2; io 5; pool p io 1; limit m 2; limit n 3; limit r - 9/s 3; resource ram 8";

#[test]
fn promise_2_and_3_hold_in_any_history() {
    for seed in 1..=200 {
        history(seed);
    }
}

fn history(seed: u64) {
    let mut random = Random(seed);
    let mut bench = Bench::new(define(&CONFIGURATIONS[0].replace(';', "\n")));
    let mut running: Vec<AttemptId> = Vec::new();
    let mut millis = 0;
    for step in 0..300 {
        millis += random.below(400);
        let input = any_input(&mut random, &running, &bench);
        apply(&mut bench, millis, input, &mut running);
        if step % 50 == 0 {
            bench.check_recovery();
        }
    }
    // The end: everything that is left starts, runs and ends.
    let enough = Arc::new(define(&ENOUGH.replace(';', "\n")));
    apply(&mut bench, millis, Input::Configure(enough), &mut running);
    apply(&mut bench, millis, Input::Open, &mut running);
    for what in [
        CapacityName::Lane(Lane::Io),
        CapacityName::Pool("p".into()),
        CapacityName::Limit("m".into()),
        CapacityName::Limit("r".into()),
        CapacityName::Resource("ram".into()),
        CapacityName::Job("a".into()),
        CapacityName::Job("c".into()),
    ] {
        let caller = None;
        let resume = Input::Resume { what, caller };
        apply(&mut bench, millis, resume, &mut running);
    }
    for _ in 0..10_000 {
        millis += 1_000;
        let input = match running.first() {
            Some(attempt) => ended(*attempt, "ok"),
            None if bench.engine.live_count() == 0 => break,
            None => Input::Tick,
        };
        apply(&mut bench, millis, input, &mut running);
    }
    let status = bench.engine.status();
    assert_eq!(status.live, 0, "seed {seed}: all runs end");
    assert!(
        status.capacities.iter().all(|c| c.used == 0),
        "seed {seed}: {status:?}"
    );
    assert_eq!(
        bench.engine.next_deadline(),
        None,
        "seed {seed}: no timer is left"
    );
}

pub(crate) fn apply(bench: &mut Bench, millis: u64, input: Input, running: &mut Vec<AttemptId>) {
    if let Input::Ended { attempt, .. } = &input {
        running.retain(|other| other != attempt);
    }
    let configured = matches!(input, Input::Configure(_));
    let out = bench.apply(at(Duration::from_millis(millis)), input);
    for action in &out.actions {
        if let Action::Start(order) = action {
            let twice = running.iter().any(|other| other.run == order.attempt.run);
            assert!(
                !twice,
                "no two attempts of run {} at once",
                order.attempt.run
            );
            running.push(order.attempt);
        }
    }
    // Only a reload may leave more in use than there is, and that only shrinks.
    for capacity in bench.engine.status().capacities {
        let name = &capacity.name;
        let over = bench.over.get(name).copied().unwrap_or(0);
        let used = capacity.used.saturating_sub(capacity.size);
        assert!(
            used <= over || configured,
            "{name}: {} of {}",
            capacity.used,
            capacity.size
        );
        bench.over.insert(name.clone(), used);
    }
}

/// Tries a few runs once more, whatever has become of them.
fn again(random: &mut Random, bench: &Bench) -> Input {
    let top = bench.engine.runs().last().map_or(1, |view| view.run.0);
    let runs = (0..3).map(|_| RunId(1 + random.below(top)));
    let runs: Vec<RunId> = runs.collect();
    let known = runs
        .into_iter()
        .filter_map(|run| Some((run, bench.known(run)?)));
    let mut members: Vec<_> = known.collect();
    if members.is_empty() || random.below(2) == 0 {
        return Input::RetryGraph {
            members,
            caller: None,
        };
    }
    let (run, known) = members.remove(0);
    Input::Retry {
        run,
        known: Some(Box::new(known)),
        caller: None,
    }
}

fn any_input(random: &mut Random, running: &[AttemptId], bench: &Bench) -> Input {
    match random.below(100) {
        0..35 => Input::Submit(Submission {
            items: (0..=random.below(4))
                .map(|_| SubmitItem {
                    args: (random.below(5) == 0)
                        .then(|| Arc::new(serde_json::json!({ "n": [1, 2, 3] }))),
                    priority: Priority::new(i64::try_from(random.below(20)).unwrap() - 10),
                    ..SubmitItem::of(&Name::from(
                        random.of(&["a", "b", "c", "d", "e", "f", "g", "h", "u", "v"]),
                    ))
                })
                .collect(),
            key: None,
            caller: None,
        }),
        35..40 => match running {
            [] => Input::Tick,
            _ => Input::Began {
                attempt: random.of(running),
            },
        },
        40..75 => match running {
            [] => Input::Tick,
            _ => {
                let attempt = random.of(running);
                let mut end = end(random.of(&["ok", "ok", "error", "panic", "stopped", "no-room"]));
                end.measures =
                    measures(random.of(&["0/0", "2/2", "0/2", "0.3/0.4", "held=0.5/0.6"]));
                Input::Ended { attempt, end }
            }
        },
        75..80 => {
            // Of a run that has ended, of one that waits, or of an epoch that never was.
            let stale = AttemptId {
                run: RunId(random.below(300)),
                epoch: random.of(&[0, 1, 2, 7]),
            };
            if running.contains(&stale) {
                return Input::Tick;
            }
            ended(stale, "ok")
        }
        80..82 => Input::Pause {
            what: any_capacity(random),
            caller: None,
        },
        82..85 => Input::Resume {
            what: any_capacity(random),
            caller: None,
        },
        85..86 => again(random, bench),
        86..90 => Input::Cancel {
            run: RunId(random.below(300)),
            graph: random.below(4) == 0,
            caller: None,
        },
        90..93 => Input::Drain,
        93..96 => Input::Open,
        96..97 => Input::StopRunning {
            durable: random.below(2) == 0,
        },
        97..98 => Input::CancelWaiting,
        _ => Input::Configure(Arc::new(define(
            &random.of(&CONFIGURATIONS).replace(';', "\n"),
        ))),
    }
}

fn any_capacity(random: &mut Random) -> CapacityName {
    match random.below(5) {
        0 => CapacityName::Lane(Lane::Io),
        1 => CapacityName::Pool("p".into()),
        2 => CapacityName::Limit(random.of(&["m", "r"]).into()),
        3 => CapacityName::Resource("ram".into()),
        _ => CapacityName::Job(random.of(&["a", "c"]).into()),
    }
}

pub(crate) fn ended(attempt: AttemptId, how: &str) -> Input {
    let end = end(how);
    Input::Ended { attempt, end }
}

fn end(how: &str) -> End {
    End {
        outcome: outcome(how),
        teardown: None,
        words: None,
        measures: Measures::default(),
    }
}
