//! A daemon of cardboard: an engine with schedules whose two clocks the test has in its hand. Every fact is
//! kept, so that what was run and what was not can be read from them, and recovery is tried on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use twolane::engine::action::{Action, Answer};
use twolane::engine::fact::{Fact, Record};
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::input::Input;
use twolane::engine::outcome::{End, Measures, Outcome, SkipReason, Unrun};
use twolane::engine::schedule::ScheduleSpec;
use twolane::engine::schedule::spec::Moment;
use twolane::engine::spec::{Definitions, JobSpec, Lane, Name, TaskSpec};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::engine::{Engine, Outputs, Recovery};

use crate::in_force::in_force;

/// See above.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    pub(crate) records: Vec<Record>,
    /// How long each run takes; those of other jobs take no time.
    pub(crate) takes: BTreeMap<Name, Duration>,
    /// Attempts in their lanes, with the time at which they end.
    running: BTreeMap<(Mono, RunId), AttemptId>,
    out: Outputs,
    /// What callers were told.
    pub(crate) answers: Vec<Answer>,
    /// Whether every step is followed by all checks; not where only the time counts.
    pub(crate) thorough: bool,
}

impl Bench {
    /// One that has just started, with these definitions in force.
    pub(crate) fn new(at: Wall, definitions: Definitions) -> Self {
        let mut bench = Self {
            engine: Engine::new(Arc::new(Definitions::empty(1))),
            now: Now {
                wall: at,
                mono: Mono(0),
            },
            records: Vec::new(),
            takes: BTreeMap::new(),
            running: BTreeMap::new(),
            out: Outputs::default(),
            answers: Vec::new(),
            thorough: true,
        };
        bench.apply(Input::Configure(Arc::new(definitions)));
        bench.apply(Input::Open);
        bench
    }

    pub(crate) fn apply(&mut self, input: Input) {
        self.engine.apply(self.now, input, &mut self.out);
        for action in self.out.actions.drain(..) {
            match action {
                Action::Start(order) => {
                    let takes = self.takes.get(&order.job.name).copied().unwrap_or_default();
                    let ends = self.now.mono.plus(takes);
                    self.running
                        .insert((ends, order.attempt.run), order.attempt);
                }
                // What is asked to stop does so at once.
                Action::Stop { attempt, .. } => {
                    if let Some((&key, _)) = self.running.iter().find(|(_, a)| **a == attempt) {
                        self.running.remove(&key);
                        self.running.insert((self.now.mono, attempt.run), attempt);
                    }
                }
                Action::Answer { answer, .. } => self.answers.push(answer),
                Action::Replace { .. } => {}
            }
        }
        self.records.append(&mut self.out.records);
        if self.thorough {
            self.engine.check().unwrap();
        }
    }

    /// Starts are held back from here on, or no longer.
    pub(crate) fn hold(&mut self, held: bool) {
        self.engine.hold(held);
    }

    /// Lets time pass until the wall clock shows `until`, or as long as it would take to.
    pub(crate) fn until(&mut self, until: Wall) {
        let end = Mono::at_wall(self.now, until);
        loop {
            let slot = self
                .engine
                .next_slot()
                .map(|at| Mono::at_wall(self.now, at));
            let timer = self.engine.next_deadline().map(|(at, _)| at);
            let over = self.running.keys().next().map(|(at, _)| *at);
            let next = [slot, timer, over].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.pass_to(next);
            match over.filter(|over| *over <= next) {
                Some(_) => self.end_first(),
                None => self.apply(Input::Tick),
            }
        }
        self.pass_to(end);
    }

    fn pass_to(&mut self, at: Mono) {
        let past = at.since(self.now.mono);
        self.now.wall.0 += i64::try_from(past.as_micros()).unwrap();
        self.now.mono = self.now.mono.max(at);
    }

    fn end_first(&mut self) {
        let Some((_, attempt)) = self.running.pop_first() else {
            return;
        };
        let stopping = self
            .engine
            .run(attempt.run)
            .is_some_and(|view| view.state.kind() == twolane::engine::StateKind::Stopping);
        let outcome = if stopping {
            Outcome::Stopped
        } else {
            Outcome::Succeeded(Arc::default())
        };
        let end = End {
            outcome,
            teardown: None,
            words: None,
            measures: Measures::default(),
        };
        self.apply(Input::Ended { attempt, end });
    }

    /// Sets the wall clock, and wakes the daemon as the kernel would.
    pub(crate) fn set_clock(&mut self, to: Wall) {
        self.now.wall = to;
        self.apply(Input::Tick);
    }

    /// The daemon goes down at once, and comes again when the wall clock shows `at`, with what is on record.
    pub(crate) fn crash(&mut self, at: Wall, definitions: Option<Definitions>) {
        let past = u64::try_from(at.0 - self.now.wall.0).unwrap_or(0);
        self.now = Now {
            wall: at,
            mono: self.now.mono.plus(Duration::from_micros(past)),
        };
        self.running.clear();
        let again = definitions.map_or_else(|| Arc::clone(self.engine.definitions()), Arc::new);
        self.engine = self.recovered();
        self.apply(Input::Settle {
            unbegun: BTreeSet::new(),
        });
        self.apply(Input::Configure(again));
        self.apply(Input::Open);
    }

    /// What a store gives: what is in force, and all about the runs that are not over.
    fn recovered(&self) -> Engine {
        let is_live = |run: RunId| {
            let view = self.engine.run(run);
            view.is_some_and(|view| !view.state.kind().is_final())
        };
        let in_force = in_force(&self.records);
        let live = self
            .records
            .iter()
            .filter(|record| match record.fact.run() {
                Some((run, _)) => is_live(run),
                None => in_force.contains(&record.number),
            });
        let recovery = Recovery {
            next_run: self
                .records
                .iter()
                .filter_map(|r| r.fact.run())
                .map(|(run, _)| run.0 + 1)
                .max()
                .unwrap_or(1),
            next_record: self.records.last().map_or(1, |record| record.number + 1),
            last: self
                .records
                .last()
                .map(|record| record.at)
                .unwrap_or_default(),
            held: true,
            live_only: true,
        };
        let empty = Arc::new(Definitions::empty(1));
        Engine::recover(empty, live, recovery).unwrap()
    }

    /// Folding all records gives the same engine.
    pub(crate) fn check_recovery(&self) {
        let empty = Arc::new(Definitions::empty(1));
        let again = Engine::recover(empty, &self.records, Recovery::default()).unwrap();
        assert!(again == self.engine, "recovery gives the same state");
    }

    /// The slots that were run, in the order in which they were, with their schedules.
    pub(crate) fn fired(&self) -> Vec<(Name, Arc<str>, Wall)> {
        let skipped: Vec<RunId> = self
            .records
            .iter()
            .filter_map(|record| match &record.fact {
                Fact::Skipped {
                    run,
                    reason: SkipReason::Slots(_),
                    ..
                } => Some(*run),
                _ => None,
            })
            .collect();
        let skipped: BTreeSet<RunId> = skipped.into_iter().collect();
        self.records
            .iter()
            .filter_map(|record| match &record.fact {
                Fact::Accepted {
                    run,
                    job,
                    slot: Some(slot),
                    ..
                } if !skipped.contains(run) => {
                    Some((Name::clone(&job.name), Arc::clone(&slot.schedule), slot.at))
                }
                _ => None,
            })
            .collect()
    }

    /// What was not run, and why.
    pub(crate) fn skipped(&self) -> Vec<&Unrun> {
        self.records
            .iter()
            .filter_map(|record| match &record.fact {
                Fact::Skipped {
                    reason: SkipReason::Slots(unrun),
                    ..
                } => Some(&**unrun),
                _ => None,
            })
            .collect()
    }

    /// All of that in words, a line each, slots as their time of day.
    pub(crate) fn told(&self) -> String {
        let mut told = String::new();
        for record in &self.records {
            let at = Moment(Wall(record.at.wall.0 / 1_000_000 * 1_000_000));
            match &record.fact {
                Fact::Started { run, .. } => writeln!(told, "{at} run {run} starts").unwrap(),
                Fact::Accepted {
                    run,
                    slot: Some(slot),
                    ..
                } => writeln!(told, "{at} run {run} for {}", Moment(slot.at)).unwrap(),
                Fact::Skipped { run, reason, .. } => {
                    writeln!(told, "{at} run {run} skipped: {reason}").unwrap();
                }
                Fact::Cancelled { run, .. } | Fact::Stopping { run, .. } => {
                    writeln!(told, "{at} run {run} is stopped").unwrap();
                }
                Fact::ClockSet { by_micros } => {
                    writeln!(told, "{at} clock set by {} s", by_micros / 1_000_000).unwrap();
                }
                _ => {}
            }
        }
        told
    }
}

/// Definitions with these jobs, each with its schedules.
pub(crate) fn jobs<'a>(
    jobs: impl IntoIterator<Item = (&'a str, Vec<ScheduleSpec>)>,
) -> Definitions {
    let mut definitions = Definitions::empty(1);
    for (name, schedules) in jobs {
        let duration = Duration::ZERO;
        let mut job = JobSpec::new(name.into(), Lane::Io, TaskSpec::Sleep { duration });
        job.schedules = schedules.into_iter().map(Arc::new).collect();
        definitions.jobs.insert(name.into(), Arc::new(job));
    }
    definitions
}
