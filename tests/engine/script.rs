//! Runs a script against the engine. After each step all invariants are checked, and folding the
//! records anew has to give the same engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::define::{define, job, lane};
use crate::in_force::in_force;
use crate::known::{learn, nothing};
use crate::placing::{end, measures};
use crate::told::{action, fact};
use expect_test::Expect;
use serde_json::Value;
use twolane::engine::fact::{Fact, Record, SubmitKey};
use twolane::engine::flow::Ties;
use twolane::engine::id::{AttemptId, CallerId, RunId};
use twolane::engine::input::{Forgotten, Input, Submission, SubmitItem};
use twolane::engine::outcome::{Failure, Outcome};
use twolane::engine::spec::{Definitions, Priority};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::engine::{By, CapacityName, Engine, Outputs, Recovery, RunState, RunView, Timer};

/// Applies each line of `script` and compares all that comes out.
///
/// A definition a line: `io N`, `cpu N`, `aging 60s`, `max N`, `pool NAME LANE SIZE`, `limit NAME
/// SIZE|- [10/s [BURST]]`, `resource NAME N`,
/// `job NAME LANE [pool=P] [cpus=2] [limits=A,B:2] [resources=R:4] [after=A,B] [priority=N] [delay=5s] [timeout=5s] [grace=5s]
/// [retry=ATTEMPTS[:fixed]] [run_timeout=5s] [start_within=5s] [on_crash=fail] [task=future|command]
/// [params=x:integer,y:text=there,z:any<JOB/PATH] [when=WHEN] [foreach=PARAM] [matrix=x:1,2+y:3,4]
/// [unique=args|job[:replace|join]] [on_failure=JOB] [on_success=JOB] [expect_within=5s] [on_absent=JOB] [auto=yes]`,
/// `kept N`.
///
/// A step a line: `TIME WHAT…`, where WHAT is `open`, `submit JOB[:PRIORITY][@TIME][{ARGS}]… [key=K/DIGEST]`,
/// `began RUN[.EPOCH]`, `end RUN[.EPOCH] ok[=RESULT]|error|panic|stopped|no-room [[held=]BUSY/TOOK[-DELAYED]]`, `cancel RUN [graph]`,
/// `retry RUN JOB EPOCH`, `again RUN…` (as a graph), `alone RUN`, `complete RUN [WHY]`,
/// `pause|resume lane|pool|limit|job NAME`, `drain`, `stop`, `interrupt`, `settle [ATTEMPT]...` (those had not begun), `cancel-waiting`,
/// `send RUN [BYTES]`, `leave`, `hold`, `release`, `tick`, `explain RUN`, `status`, `next` (deadline), `crash` (a recovery from what is on record of live runs), or
/// `define` with definitions up to the next `.`, separated by `;`. `WHO: WHAT…` is asked for by WHO.
pub(crate) fn check(definitions: &str, script: &str, expected: Expect) {
    expected.assert_eq(&play(definitions, script));
}

pub(crate) fn play(definitions: &str, script: &str) -> String {
    let mut bench = Bench::new(define(definitions));
    let mut printed = String::new();
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (time, what) = line.split_once(' ').expect("TIME WHAT");
        let now = at(seconds(time));
        writeln!(printed, "{time} {what}").unwrap();
        let mut words = what.split(' ');
        let lines = match words.next() {
            Some("explain") => vec![bench.explain(words.next().unwrap(), now)],
            Some("status") => bench.status(),
            Some("hold") => bench.hold(true),
            Some("release") => bench.hold(false),
            Some("crash") => bench.crash(),
            Some("again") => bench.again(now, words.map(run_id)),
            Some("alone") => bench.alone(now, run_id(words.next().unwrap())),
            Some("next") => vec![format!("{:?}", bench.engine.next_deadline())],
            _ => match what.split_once(": ") {
                Some((by, what)) => bench.step_for(now, by.to_owned().try_into().ok(), input(what)),
                None => bench.step(now, input(what)),
            },
        };
        for line in lines {
            writeln!(printed, "    {line}").unwrap();
        }
    }
    printed
}

/// An engine with everything that it ever said.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    first: Arc<Definitions>,
    records: Vec<Record>,
    out: Outputs,
    /// What is over is forgotten since, so that a recovery from all there is would remember more.
    after_crash: bool,
    /// By how much each capacity was last over its size.
    pub(crate) over: BTreeMap<CapacityName, u32>,
}

impl Bench {
    pub(crate) fn new(definitions: Definitions) -> Self {
        let first = Arc::new(definitions);
        Self {
            engine: Engine::new(Arc::clone(&first)),
            first,
            records: Vec::new(),
            after_crash: false,
            out: Outputs::default(),
            over: BTreeMap::new(),
        }
    }

    /// Applies an input, checks the engine, and tells what came of it.
    pub(crate) fn step(&mut self, now: Now, input: Input) -> Vec<String> {
        self.step_for(now, None, input)
    }

    fn step_for(&mut self, now: Now, by: Option<By>, input: Input) -> Vec<String> {
        let out = self.apply_for(now, by, input);
        let by = |record: &Record| record.by.as_ref().map(|by| format!(", by {by}"));
        let said = |record: &Record| fact(&record.fact) + &by(record).unwrap_or_default();
        let facts = out.records.iter().map(said);
        facts.chain(out.actions.iter().map(action)).collect()
    }

    fn hold(&mut self, held: bool) -> Vec<String> {
        self.engine.hold(held);
        Vec::new()
    }

    /// Applies an input and checks the engine.
    pub(crate) fn apply(&mut self, now: Now, input: Input) -> &Outputs {
        self.apply_for(now, None, input)
    }

    fn apply_for(&mut self, now: Now, by: Option<By>, input: Input) -> &Outputs {
        self.out.clear();
        let before = self.records.len();
        self.engine.apply_for(now, by, input, &mut self.out);
        self.engine.check().unwrap();
        self.records.extend(self.out.records.iter().cloned());
        for (index, record) in self.records.iter().enumerate().skip(before) {
            assert_eq!(
                record.number,
                index as u64 + 1,
                "records are numbered without gaps"
            );
        }
        &self.out
    }

    /// The engine that recovery makes of the records so far is the same one.
    pub(crate) fn check_recovery(&self) {
        let recovery = Recovery {
            held: self.engine.status().draining,
            ..Recovery::default()
        };
        let first = Arc::clone(&self.first);
        let recovered = Engine::recover(first, &self.records, recovery).unwrap();
        recovered.check().unwrap();
        assert!(recovered == self.engine, "recovery gives the same state");
        let from_live = self.recover_live();
        from_live.check().unwrap();
        let live = |engine: &Engine| -> Vec<_> {
            let is_live = |view: &RunView| !view.state.kind().is_final();
            let place = |view: RunView| {
                let kind = view.state.kind();
                let due = if let RunState::Scheduled { due } = view.state {
                    Some(due)
                } else {
                    None
                };
                (view.run, kind, due, view.attempts, view.priority)
            };
            engine.runs().filter(is_live).map(place).collect()
        };
        assert_eq!(live(&from_live), live(&self.engine));
        // What was taken of rates is not known from live runs alone, and who waits is not looked at yet.
        if !matches!(self.engine.next_deadline(), Some((_, Timer::Tokens))) {
            assert_eq!(from_live.next_deadline(), self.engine.next_deadline());
        }
        assert_eq!(from_live.definitions(), self.engine.definitions());
    }

    /// The engine that recovery makes of what a store gives: the last definitions, what is paused, and
    /// all about the runs that are not over.
    pub(crate) fn recover_live(&self) -> Engine {
        let is_live = |run: RunId| {
            let view = self.engine.run(run);
            view.is_some_and(|view| !view.state.kind().is_final())
        };
        let last_retry = |run: RunId| {
            let retries = self.records.iter().filter(
                |record| matches!(&record.fact, Fact::Retried { run: other, .. } if *other == run),
            );
            retries.map(|record| record.number).max().unwrap_or(0)
        };
        let in_force = in_force(&self.records);
        let records = self
            .records
            .iter()
            .filter(|record| match record.fact.run() {
                Some((run, _)) => is_live(run) && record.number >= last_retry(run),
                None => in_force.contains(&record.number),
            });
        let last = self.records.last().map(|record| record.at);
        let recovery = Recovery {
            next_run: self
                .records
                .iter()
                .filter_map(|r| Some(r.fact.run()?.0.0 + 1))
                .max()
                .unwrap_or(1),
            next_record: self.records.len() as u64 + 1,
            last: last.unwrap_or_default(),
            held: self.after_crash || self.engine.status().draining,
            live_only: true,
        };
        Engine::recover(Arc::clone(&self.first), records, recovery).unwrap()
    }

    /// The daemon goes down and comes back.
    pub(crate) fn crash(&mut self) -> Vec<String> {
        if !self.after_crash {
            self.check_recovery();
        }
        self.after_crash = true;
        self.engine = self.recover_live();
        self.status()
    }

    /// Tries runs once more with what their records tell of them.
    fn again(&mut self, now: Now, runs: impl Iterator<Item = RunId>) -> Vec<String> {
        let members = runs.map(|run| (run, self.known(run).unwrap())).collect();
        let caller = Some(CallerId(1));
        self.step(now, Input::RetryGraph { members, caller })
    }

    /// Tries a run once more, by itself, with what its records tell of it.
    fn alone(&mut self, now: Now, run: RunId) -> Vec<String> {
        let known = self.known(run).map(Box::new);
        let caller = Some(CallerId(1));
        self.step(now, Input::Retry { run, known, caller })
    }

    /// What the records tell of a run.
    pub(crate) fn known(&self, run: RunId) -> Option<Forgotten> {
        let mut known: Option<Forgotten> = None;
        for record in &self.records {
            if let Some((_, job)) = record.fact.run().filter(|(other, _)| *other == run) {
                learn(known.get_or_insert_with(|| nothing(job)), &record.fact);
            }
        }
        known
    }

    fn explain(&self, run: &str, now: Now) -> String {
        match self.engine.explain(run_id(run), now.mono) {
            Some(explanation) => explanation.to_string(),
            None => "unknown".to_owned(),
        }
    }

    fn status(&self) -> Vec<String> {
        let status = self.engine.status();
        let counts = status.counts.iter().filter(|(_, count)| *count > 0);
        let counts = counts.map(|(kind, count)| format!("{count} {}", kind.as_str()));
        let capacities = status.capacities.iter();
        counts
            .chain(capacities.map(|c| {
                let mut line = format!("{}: {} of {}", c.name, c.used, c.size);
                if c.unresponsive > 0 {
                    write!(
                        line,
                        ", {} unresponsive, {} replaced",
                        c.unresponsive, c.replaced
                    )
                    .unwrap();
                }
                line
            }))
            .collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.after_crash {
            self.check_recovery();
        }
    }
}

/// The point in time that lies this long after the beginning.
pub(crate) fn at(after: Duration) -> Now {
    Now {
        wall: Wall(1_700_000_000_000_000 + i64::try_from(after.as_micros()).unwrap()),
        mono: Mono(0).plus(after),
    }
}

pub(crate) fn seconds(text: &str) -> Duration {
    let number: f64 = text.trim_end_matches('s').parse().expect("seconds");
    Duration::from_secs_f64(number)
}

fn run_id(text: &str) -> RunId {
    RunId(text.parse().expect("a run's number"))
}

/// Reads `RUN[.EPOCH]`.
fn attempt_id(text: &str) -> AttemptId {
    let (run, epoch) = text.split_once('.').unwrap_or((text, "1"));
    AttemptId {
        run: run_id(run),
        epoch: epoch.parse().unwrap(),
    }
}

fn input(text: &str) -> Input {
    let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut words = rest.split(' ');
    let mut word = || words.next().expect("another word");
    match what {
        "open" => Input::Open,
        "tick" => Input::Tick,
        "drain" => Input::Drain,
        "leave" => Input::Leave,
        "stop" => Input::StopRunning { durable: false },
        "interrupt" => Input::StopRunning { durable: true },
        "settle" => Input::Settle {
            unbegun: rest.split_whitespace().map(attempt_id).collect(),
        },
        "pause" | "resume" | "complete" | "retry" | "send" => from_outside(what, rest),
        "cancel-waiting" => Input::CancelWaiting,
        "define" => Input::Configure(Arc::new(define(&rest.replace(';', "\n")))),
        "submit" => Input::Submit(Submission {
            items: rest
                .split(' ')
                .filter(|w| !w.is_empty() && !w.starts_with("key="))
                .map(item)
                .collect(),
            key: rest.split_once("key=").map(|(_, key)| {
                let (text, digest) = key.split_once('/').expect("KEY/DIGEST");
                let (text, digest) = (text.into(), digest.into());
                Arc::new(SubmitKey { text, digest })
            }),
            caller: Some(CallerId(1)),
        }),
        "cancel" => Input::Cancel {
            run: run_id(word()),
            graph: words.next() == Some("graph"),
            caller: Some(CallerId(1)),
        },
        "began" => Input::Began {
            attempt: attempt_id(word()),
        },
        "end" => {
            let attempt = attempt_id(word());
            let outcome = outcome(word());
            Input::Ended {
                attempt,
                end: end(outcome, words.next().map(measures)),
            }
        }
        other => panic!("no such input: {other}"),
    }
}

/// Reads an input that only somebody outside gives.
fn from_outside(what: &str, rest: &str) -> Input {
    let mut words = rest.split(' ');
    let mut word = || words.next().expect("another word");
    let caller = Some(CallerId(1));
    match what {
        "pause" => Input::Pause {
            what: capacity(word(), word()),
            caller,
        },
        "resume" => Input::Resume {
            what: capacity(word(), word()),
            caller,
        },
        "complete" => {
            let (run, why) = rest.split_once(' ').unwrap_or((rest, ""));
            Input::Complete {
                run: run_id(run),
                with: if why.is_empty() {
                    Ok(Arc::new(Value::from(7)))
                } else {
                    Err(why.into())
                },
                caller,
            }
        }
        "send" => Input::Send {
            run: run_id(word()),
            bytes: words.next().map(|bytes| bytes.parse().unwrap()),
            caller,
        },
        "retry" => Input::Retry {
            run: run_id(word()),
            known: Some(Box::new(Forgotten {
                job: Arc::new(job(&["job", word(), "io"])),
                priority: Priority::default(),
                args: None,
                epoch: word().parse().unwrap(),
                after: Box::default(),
                ties: Ties::default(),
                parts: None,
                over: None,
                result: None,
            })),
            caller,
        },
        other => panic!("no such input: {other}"),
    }
}

fn item(text: &str) -> SubmitItem {
    let (text, args) = match text.find('{') {
        Some(brace) => (&text[..brace], serde_json::from_str(&text[brace..]).ok()),
        None => (text, None),
    };
    let (text, time) = text
        .split_once('@')
        .map_or((text, None), |(text, time)| (text, Some(time)));
    let (job, priority) = text
        .split_once(':')
        .map_or((text, None), |(j, p)| (j, Some(p)));
    SubmitItem {
        at: time.map(|time| at(seconds(time)).wall),
        args: args.map(Arc::new),
        priority: priority.map(|p| Priority::new(p.parse().unwrap()).unwrap()),
        ..SubmitItem::of(&job.into())
    }
}

fn capacity(what: &str, name: &str) -> CapacityName {
    match what {
        "lane" => CapacityName::Lane(lane(name)),
        "pool" => CapacityName::Pool(name.into()),
        "limit" => CapacityName::Limit(name.into()),
        "resource" => CapacityName::Resource(name.into()),
        "job" => CapacityName::Job(name.into()),
        other => panic!("no such capacity: {other}"),
    }
}

pub(crate) fn outcome(text: &str) -> Outcome {
    if let Some(result) = text.strip_prefix("ok=") {
        let result = serde_json::from_str(result).unwrap();
        return Outcome::Succeeded(Arc::new(result));
    }
    match text {
        "ok" => Outcome::Succeeded(Arc::new(Value::Null)),
        "error" => Outcome::Failed(Failure::Error("no luck".into())),
        "panic" => Outcome::Failed(Failure::Panic("oh".into())),
        "stopped" => Outcome::Stopped,
        "no-room" => Outcome::NoRoom("no descriptors".into()),
        other => panic!("no such outcome: {other}"),
    }
}
