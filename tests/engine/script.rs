//! Runs a script against the engine. After each step all invariants are checked, and folding the
//! records anew has to give the same engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::Expect;
use serde_json::Value;
use twolane::engine::action::Action;
use twolane::engine::fact::{Fact, FinalState, Record};
use twolane::engine::id::{AttemptId, CallerId, RunId};
use twolane::engine::input::{Input, Submission, SubmitItem};
use twolane::engine::outcome::{End, Failure, Measures, Outcome};
use twolane::engine::spec::{
    Definitions, JobSpec, Lane, LimitSpec, Messages, Name, PoolSpec, Priority, Start, TaskSpec,
};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::engine::{CapacityName, Engine, Outputs};

/// Applies each line of `script` and compares all that comes out.
///
/// A definition a line: `io N`, `cpu N`, `aging 60s`, `max N`, `pool NAME LANE SIZE`, `limit NAME
/// SIZE`, `job NAME LANE [pool=P] [limits=A,B] [after=A,B] [priority=N] [delay=5s] [timeout=5s]`.
///
/// A step a line: `TIME WHAT…`, where WHAT is `open`, `submit JOB[:PRIORITY]…`, `end RUN[.EPOCH]
/// ok|error|panic|stopped`, `cancel RUN`, `drain`, `stop`, `cancel-waiting`, `tick`, `explain RUN`,
/// `status`, or `define` with definitions up to the next `.`, separated by `;`.
pub(crate) fn check(definitions: &str, script: &str, expected: Expect) {
    expected.assert_eq(&play(definitions, script));
}

fn play(definitions: &str, script: &str) -> String {
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
            _ => bench.step(now, input(what)),
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
            out: Outputs::default(),
            over: BTreeMap::new(),
        }
    }

    /// Applies an input, checks the engine, and tells what came of it.
    pub(crate) fn step(&mut self, now: Now, input: Input) -> Vec<String> {
        let out = self.apply(now, input);
        let facts = out.records.iter().map(|record| fact(&record.fact));
        facts.chain(out.actions.iter().map(action)).collect()
    }

    /// Applies an input and checks the engine.
    pub(crate) fn apply(&mut self, now: Now, input: Input) -> &Outputs {
        self.out.clear();
        let before = self.records.len();
        self.engine.apply(now, input, &mut self.out);
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
        let recovered = Engine::recover(Arc::clone(&self.first), &self.records);
        recovered.check().unwrap();
        assert!(recovered == self.engine, "recovery gives the same state");
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
            .chain(capacities.map(|c| format!("{}: {} of {}", c.name, c.used, c.size)))
            .collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
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

fn seconds(text: &str) -> Duration {
    let number: f64 = text.trim_end_matches('s').parse().expect("seconds");
    Duration::from_secs_f64(number)
}

fn run_id(text: &str) -> RunId {
    RunId(text.parse().expect("a run's number"))
}

fn input(text: &str) -> Input {
    let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut words = rest.split(' ');
    let mut word = || words.next().expect("another word");
    match what {
        "open" => Input::Open,
        "tick" => Input::Tick,
        "drain" => Input::Drain,
        "stop" => Input::StopRunning,
        "cancel-waiting" => Input::CancelWaiting,
        "define" => Input::Configure(Arc::new(define(&rest.replace(';', "\n")))),
        "submit" => Input::Submit(Submission {
            items: rest
                .split(' ')
                .filter(|w| !w.is_empty())
                .map(item)
                .collect(),
            caller: Some(CallerId(1)),
        }),
        "cancel" => Input::Cancel {
            run: run_id(word()),
            caller: Some(CallerId(1)),
        },
        "end" => {
            let (run, epoch) = word().split_once('.').map_or((rest, "1"), |parts| parts);
            let run = run.split(' ').next().unwrap();
            let outcome = outcome(word());
            Input::Ended {
                attempt: AttemptId {
                    run: run_id(run),
                    epoch: epoch.parse().unwrap(),
                },
                end: End {
                    outcome,
                    measures: Measures::default(),
                },
            }
        }
        other => panic!("no such input: {other}"),
    }
}

fn item(text: &str) -> SubmitItem {
    let (job, priority) = text
        .split_once(':')
        .map_or((text, None), |(j, p)| (j, Some(p)));
    SubmitItem {
        priority: priority.map(|p| Priority::new(p.parse().unwrap()).unwrap()),
        ..SubmitItem::of(&job.into())
    }
}

pub(crate) fn outcome(text: &str) -> Outcome {
    match text {
        "ok" => Outcome::Succeeded(Arc::new(Value::Null)),
        "error" => Outcome::Failed(Failure::Error("no luck".into())),
        "panic" => Outcome::Failed(Failure::Panic("oh".into())),
        "stopped" => Outcome::Stopped,
        other => panic!("no such outcome: {other}"),
    }
}

/// Reads definitions, one a line.
pub(crate) fn define(text: &str) -> Definitions {
    let mut definitions = Definitions::empty(2);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u32>().unwrap();
        match words[0] {
            "io" => definitions.io_concurrency = number(1),
            "cpu" => definitions.cpu_workers = number(1),
            "max" => definitions.max_runs = number(1).into(),
            "kept" => definitions.ended_kept = number(1) as usize,
            "aging" => definitions.aging = seconds(words[1]),
            "pool" => {
                let (lane, size) = (lane(words[2]), number(3));
                definitions
                    .pools
                    .insert(words[1].into(), PoolSpec { lane, size });
            }
            "limit" => {
                let size = number(2);
                definitions
                    .limits
                    .insert(words[1].into(), LimitSpec { size });
            }
            "job" => {
                let job = job(&words);
                definitions
                    .jobs
                    .insert(Name::clone(&job.name), Arc::new(job));
            }
            other => panic!("no such definition: {other}"),
        }
    }
    definitions
}

fn lane(text: &str) -> Lane {
    Lane::ALL
        .into_iter()
        .find(|lane| lane.as_str() == text)
        .expect("a lane")
}

fn job(words: &[&str]) -> JobSpec {
    let keys: BTreeMap<&str, &str> = words[3..]
        .iter()
        .map(|word| word.split_once('=').expect("KEY=VALUE"))
        .collect();
    let names = |key: &str| -> Vec<Name> {
        let mut names: Vec<Name> = keys.get(key).map_or(Vec::new(), |names| {
            names.split(',').map(Name::from).collect()
        });
        names.sort();
        names
    };
    JobSpec {
        name: words[1].into(),
        task: TaskSpec::Sleep {
            duration: Duration::from_secs(1),
        },
        lane: lane(words[2]),
        pool: keys.get("pool").map(|pool| Name::from(*pool)),
        limits: names("limits"),
        priority: keys.get("priority").map_or(Priority::default(), |level| {
            Priority::new(level.parse().unwrap()).unwrap()
        }),
        delay: keys
            .get("delay")
            .map_or(Duration::ZERO, |text| seconds(text)),
        timeout: keys.get("timeout").map(|text| seconds(text)),
        after: names("after"),
        start: Start::OnDemand,
        messages: Messages::default(),
    }
}

fn fact(fact: &Fact) -> String {
    let name = fact
        .run()
        .map(|(run, job)| format!("run {run} ({})", job.name));
    let name = name.unwrap_or_default();
    match fact {
        Fact::Opened => "opened".to_owned(),
        Fact::Draining => "draining".to_owned(),
        Fact::Configured { definitions } => format!("configured: {} jobs", definitions.jobs.len()),
        Fact::Accepted { after, due, .. } => {
            let after: Vec<String> = after.iter().map(ToString::to_string).collect();
            let after = if after.is_empty() {
                String::new()
            } else {
                format!(" after {}", after.join(", "))
            };
            let due = due.map_or(String::new(), |due| {
                format!(" due {:?}", due.since(Mono(0)))
            });
            format!("{name} accepted{after}{due}")
        }
        Fact::Released { .. } => format!("{name} released"),
        Fact::Due { .. } => format!("{name} due"),
        Fact::Started { epoch, .. } => format!("{name} started, attempt {epoch}"),
        Fact::Stopping { reason, .. } => format!("{name} stopping {reason}"),
        Fact::Ended { state, .. } => match state {
            FinalState::Succeeded => format!("{name} succeeded"),
            FinalState::Failed(failure) => format!("{name} failed: {failure}"),
            FinalState::Cancelled(reason) => format!("{name} cancelled {reason}"),
        },
        Fact::Cancelled { reason, .. } => format!("{name} cancelled {reason}, never started"),
        Fact::Skipped { reason, .. } => format!("{name} skipped: {reason}"),
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::Start(order) => format!("-> start {} in {}", order.attempt, order.job.lane),
        Action::Stop { attempt, reason } => format!("-> stop {attempt} {reason}"),
        Action::Answer { answer, .. } => format!("-> answer {answer:?}"),
    }
}
