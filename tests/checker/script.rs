//! Evidence that is written by hand: facts as lines of text, so that a test can break one of them.
//!
//! ```text
//! accepted 1 again key-a           run 1 of the job `again`, under that key (`-`: none)
//! slot 5 tick 3                    run 5 of the job `tick`, for the slot at second 3
//! started 1 2                      the second attempt of run 1
//! ended 1 2 succeeded              or `cancelled`, `crash`, `crashes 4`, `exit 75`
//! retrying 1 2 exit 75 due 30      not before second 30
//! interrupted 1 2 crash            or `unsure`, `unbegun`, `shutdown`, `no-room`
//! cancelled 1, given-up 1, retried 1, left-out 6 2 3 (slots of seconds 2 and 3)
//! announced 1.2 1.3                these attempts
//! evaluated tick 4                 all slots until second 4 are decided on
//! number 9                         the number of the next record
//! second 20.005                    the next record was decided then
//! opened                           a daemon begins to start runs
//! table succeeded 3                what the store's table of runs counts
//! damage WORDS                     what a look at the whole store found
//! ```
//!
//! Record n was decided in second n.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use twolane::engine::StateKind;
use twolane::engine::fact::{Fact, FinalState, Record, Slot, SubmitKey};
use twolane::engine::flow::Ties;
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::outcome::{
    End, Failure, Interruption, Measures, Outcome, SkipReason, StopReason, Unrun, Why,
};
use twolane::engine::retry::RetrySpec;
use twolane::engine::schedule::memory::Memory;
use twolane::engine::schedule::{Passed, ScheduleSpec, Trigger, Zone};
use twolane::engine::spec::{Definitions, JobSpec, Lane, Name, OnCrash, Priority, TaskSpec};
use twolane::engine::time::{Mono, Now, Wall};

/// What a script says.
pub(crate) struct Script {
    pub(crate) records: Vec<Record>,
    pub(crate) counts: BTreeMap<StateKind, u64>,
    pub(crate) damage: Vec<String>,
    jobs: BTreeMap<Name, Arc<JobSpec>>,
    of_run: BTreeMap<RunId, Arc<JobSpec>>,
    next: u64,
    at: Option<Now>,
}

impl Script {
    pub(crate) fn read(text: &str) -> Self {
        let jobs = jobs();
        let mut script = Self {
            records: Vec::new(),
            counts: BTreeMap::new(),
            damage: Vec::new(),
            of_run: BTreeMap::new(),
            next: 1,
            at: None,
            jobs: jobs.clone(),
        };
        let mut definitions = Definitions::empty(2);
        definitions.jobs = jobs;
        let definitions = Arc::new(definitions);
        script.record(Fact::Configured { definitions });
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            script.line(&words);
        }
        script
    }

    fn record(&mut self, fact: Fact) {
        let number = self.next;
        self.next += 1;
        self.records.push(Record {
            number,
            at: self.at.take().unwrap_or(moment(number)),
            by: None,
            fact,
        });
    }

    fn line(&mut self, words: &[&str]) {
        match words {
            [] => {}
            ["number", number] => self.next = number.parse().unwrap(),
            ["second", second] => self.at = Some(moment_at(second)),
            ["opened"] => self.record(Fact::Opened),
            ["table", state, count] => {
                let known = StateKind::ALL.into_iter();
                let state = known.filter(|known| format!("{known:?}").to_lowercase() == **state);
                let count = count.parse().unwrap();
                self.counts.extend(state.map(|state| (state, count)));
            }
            ["damage", words @ ..] => self.damage.push(words.join(" ")),
            ["announced", attempts @ ..] => {
                let attempts = attempts.iter().map(|attempt| attempt_of(attempt)).collect();
                self.record(Fact::Announced { attempts });
            }
            ["evaluated", job, second] => {
                let job = Arc::clone(&self.jobs[*job]);
                let schedule = job.schedules[0].to_string().into();
                let memory = Memory::born(second_at(second));
                let job = Name::clone(&job.name);
                self.record(Fact::Evaluated {
                    job,
                    schedule,
                    memory,
                });
            }
            [word, run, rest @ ..] => {
                let run = RunId(run.parse().unwrap());
                let fact = self.of_run(word, run, rest);
                self.record(fact);
            }
            [other] => panic!("what is {other}?"),
        }
    }

    fn of_run(&mut self, word: &str, run: RunId, rest: &[&str]) -> Fact {
        if let ("accepted" | "slot", [job, ..]) = (word, rest) {
            self.of_run.insert(run, Arc::clone(&self.jobs[*job]));
        }
        let job = self.of_run.get(&run).unwrap_or(&self.jobs["again"]);
        let job = Arc::clone(job);
        match (word, rest) {
            ("accepted", [_, key]) => {
                accepted(run, job, Some(*key).filter(|key| *key != "-"), None)
            }
            ("slot", [_, second]) => {
                let slot = Slot {
                    schedule: job.schedules[0].to_string().into(),
                    at: second_at(second),
                    backfill: None,
                };
                accepted(run, job, None, Some(Arc::new(slot)))
            }
            ("cancelled", []) => Fact::Cancelled {
                run,
                job,
                reason: StopReason::Request,
            },
            ("given-up", []) => Fact::GivenUp {
                run,
                job,
                failure: Failure::Timeout(Duration::from_secs(1)),
            },
            ("retried", []) => Fact::Retried {
                run,
                priority: job.priority,
                job,
                args: None,
                epoch: 9,
                after: Box::default(),
                ties: Ties::default(),
                parts: None,
            },
            ("left-out", [first, last]) => {
                let slots = Passed {
                    first: second_at(first),
                    last: second_at(last),
                    count: 2,
                    more: false,
                };
                let why = Why::Missed;
                let reason = SkipReason::Slots(Box::new(Unrun { why, slots }));
                Fact::Skipped { run, job, reason }
            }
            (_, [epoch, rest @ ..]) => of_attempt(word, (run, job), epoch.parse().unwrap(), rest),
            (other, []) => panic!("what is {other}?"),
        }
    }
}

fn of_attempt(word: &str, (run, job): (RunId, Arc<JobSpec>), epoch: u32, rest: &[&str]) -> Fact {
    match (word, rest) {
        ("started", []) => Fact::Started { run, job, epoch },
        ("ended", how) => {
            let (state, outcome) = ended(how);
            let end = end(outcome);
            Fact::Ended {
                run,
                job,
                epoch,
                state,
                end,
            }
        }
        ("retrying", ["exit", code, "due", due]) => {
            let failure = Failure::Exit(code.parse().unwrap());
            Fact::Retrying {
                run,
                job,
                epoch,
                end: end(Outcome::Failed(failure.clone())),
                failure,
                due: moment(due.parse().unwrap()).mono,
            }
        }
        ("interrupted", [cause]) => {
            let cause = cause_of(cause);
            Fact::Interrupted {
                run,
                job,
                epoch,
                cause,
                due: None,
            }
        }
        (other, rest) => panic!("what is {other} {rest:?}?"),
    }
}

/// `again` may be done twice, `once` must not, `tries` is tried again after failures, `apart` runs in a process, of
/// `later` nothing runs, and `tick` comes each second.
fn jobs() -> BTreeMap<Name, Arc<JobSpec>> {
    let task = || TaskSpec::Sleep {
        duration: Duration::from_secs(1),
    };
    let named = |name: &str| JobSpec::new(name.into(), Lane::Io, task());
    let every = Trigger::Every(Duration::from_secs(1));
    let jobs = [
        named("again"),
        JobSpec {
            on_crash: OnCrash::Fail,
            ..named("once")
        },
        JobSpec {
            retry: Some(Box::new(RetrySpec::of(2))),
            ..named("tries")
        },
        JobSpec::new(
            "later".into(),
            Lane::Io,
            TaskSpec::Future {
                what: "an approval".into(),
            },
        ),
        JobSpec {
            isolate: true,
            ..named("apart")
        },
        JobSpec {
            schedules: vec![Arc::new(ScheduleSpec::new(every, Zone::utc()))],
            ..named("tick")
        },
    ];
    let named = jobs
        .into_iter()
        .map(|job| (Name::clone(&job.name), Arc::new(job)));
    named.collect()
}

fn accepted(run: RunId, job: Arc<JobSpec>, key: Option<&str>, slot: Option<Arc<Slot>>) -> Fact {
    let key = key.map(|key| {
        Arc::new(SubmitKey {
            text: key.into(),
            digest: "digest".into(),
        })
    });
    Fact::Accepted {
        run,
        job,
        priority: Priority::default(),
        args: None,
        after: Box::default(),
        ties: Ties::default(),
        due: None,
        key,
        slot,
    }
}

fn ended(how: &[&str]) -> (FinalState, Outcome) {
    let failed = |failure: Failure| {
        (
            FinalState::Failed(failure.clone()),
            Outcome::Failed(failure),
        )
    };
    match how {
        ["succeeded"] => (
            FinalState::Succeeded,
            Outcome::Succeeded(Arc::new(Value::Null)),
        ),
        ["cancelled"] => (FinalState::Cancelled(StopReason::Request), Outcome::Stopped),
        ["crash"] => failed(Failure::Crash),
        ["crashes", times] => failed(Failure::Crashes(times.parse().unwrap())),
        ["exit", code] => failed(Failure::Exit(code.parse().unwrap())),
        other => panic!("who ends as {other:?}?"),
    }
}

fn cause_of(word: &str) -> Interruption {
    match word {
        "crash" => Interruption::Crash,
        "unbegun" => Interruption::Unbegun,
        "unsure" => Interruption::Unsure,
        "shutdown" => Interruption::Shutdown,
        "no-room" => Interruption::NoRoom("no process is to be had".into()),
        other => panic!("what is {other}?"),
    }
}

fn end(outcome: Outcome) -> End {
    End {
        outcome,
        teardown: None,
        words: None,
        measures: Measures::default(),
    }
}

fn attempt_of(text: &str) -> AttemptId {
    let (run, epoch) = text.split_once('.').unwrap();
    AttemptId {
        run: RunId(run.parse().unwrap()),
        epoch: epoch.parse().unwrap(),
    }
}

fn moment(second: u64) -> Now {
    Now {
        wall: Wall(second.cast_signed() * 1_000_000),
        mono: Mono(second * 1_000_000_000),
    }
}

/// A moment with up to three digits after the point.
fn moment_at(text: &str) -> Now {
    let (second, part) = text.split_once('.').unwrap_or((text, ""));
    let millis: u64 = format!("{part:0<3}").parse().unwrap();
    let Now { wall, mono } = moment(second.parse().unwrap());
    Now {
        wall: Wall(wall.0 + millis.cast_signed() * 1_000),
        mono: Mono(mono.0 + millis * 1_000_000),
    }
}

fn second_at(text: &str) -> Wall {
    moment(text.parse().unwrap()).wall
}
