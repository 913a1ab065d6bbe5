//! The world: turns of the daemon's loop with a disk that commits when it likes, clients that ask for
//! anything, and a plug that is pulled.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use twolane::engine::action::{Action, Answer};
use twolane::engine::fact::{Fact, FinalState, Record, SubmitKey};
use twolane::engine::flow::Ties;
use twolane::engine::id::{AttemptId, CallerId, RunId};
use twolane::engine::input::{Forgotten, Input, Submission, SubmitItem};
use twolane::engine::outcome::End;
use twolane::engine::spec::{Definitions, JobSpec, Name, Priority};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::engine::{CapacityName, Engine, Outputs, Recovery};

use crate::definitions::{JOBS, OFTEN, version};
use crate::lanes::Lanes;
use crate::ledger::Ledger;
use crate::model::{Model, Stage};
use crate::random::Random;

/// Batches that may wait for the disk.
const OUTBOX: usize = 20;

/// What one turn gave, on its way to the disk.
struct Batch {
    records: Vec<Record>,
    actions: Vec<Action>,
}

/// What came of a seed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Played {
    /// Of all facts.
    pub(crate) digest: u64,
    /// How many attempts were unresponsive.
    pub(crate) unresponsive: usize,
}

/// Everything.
pub(crate) struct World {
    random: Random,
    verbose: bool,
    /// Milliseconds since the beginning.
    now: u64,
    /// What the wall clock is off by.
    skew: i64,
    engine: Engine,
    out: Outputs,
    outbox: VecDeque<Batch>,
    disk: Vec<Record>,
    /// What became of each run as its facts on the disk say, for a retry.
    jobs: BTreeMap<RunId, (Arc<JobSpec>, u32)>,
    lanes: Lanes,
    ledger: Ledger,
    model: Model,
    /// Ends from before a crash that have not turned up.
    stale: Vec<(AttemptId, End)>,
    /// What each caller asked for: the key of a submission.
    asked: BTreeMap<CallerId, Option<String>>,
    callers: u64,
    definitions: u64,
}

impl World {
    pub(crate) fn new(seed: u64, verbose: bool) -> Self {
        let first = Arc::new(Definitions::empty(3));
        let mut world = Self {
            random: Random::new(seed),
            verbose,
            now: 0,
            skew: 0,
            engine: Engine::new(first),
            out: Outputs::default(),
            outbox: VecDeque::new(),
            disk: Vec::new(),
            jobs: BTreeMap::new(),
            lanes: Lanes::default(),
            ledger: Ledger::default(),
            model: Model::default(),
            stale: Vec::new(),
            asked: BTreeMap::new(),
            callers: 0,
            definitions: 0,
        };
        world.open();
        world
    }

    /// Something happens.
    pub(crate) fn step(&mut self) {
        self.now += self.random.below(200);
        match self.random.below(100) {
            0..25 => self.submit(),
            25..45 => {
                let batches = 1 + self.random.below(4);
                self.commit(batches);
            }
            45..60 => self.attempts_leave(),
            60..75 => self.arrive(),
            75..80 => self.cancel(),
            80..83 => self.retry(),
            83..86 => self.complete(),
            86..89 => self.pause_or_resume(),
            89..91 => self.reload(),
            91..93 => self.skew = i64::try_from(self.random.below(20_000)).unwrap() - 10_000,
            93..95 => self.stale_arrives(),
            95..97 => self.crash(),
            97..98 => self.shut_down(),
            _ => self.apply(Input::Tick),
        }
    }

    /// The faults stop: everything comes to its end, and nothing is held.
    pub(crate) fn finish(mut self) -> Played {
        self.say(&"the faults stop");
        if self.random.chance(50) {
            self.crash();
        }
        for what in all_capacities() {
            let caller = None;
            self.apply(Input::Resume { what, caller });
        }
        for round in 0.. {
            assert!(round < 100_000, "it never ends: {:?}", self.engine.status());
            self.commit(u64::MAX);
            self.attempts_leave();
            self.arrive();
            let futures: Vec<RunId> = self.futures().collect();
            for run in futures {
                let with = Ok(Arc::new(Value::Null));
                let caller = None;
                self.apply(Input::Complete { run, with, caller });
            }
            let due = self
                .engine
                .next_deadline()
                .map(|(at, _)| at.0 / 1_000_000 + 1);
            let Some(next) = self.lanes.next().into_iter().chain(due).min() else {
                if self.outbox.is_empty() && self.engine.live_count() == 0 {
                    break;
                }
                // All that has not left yet is unresponsive; it leaves at the very end.
                if self.outbox.is_empty() {
                    assert!(self.engine.is_held_up(), "{:?}", self.engine.status());
                    self.lanes.let_go(self.now);
                }
                continue;
            };
            self.now = self.now.max(next);
            self.apply(Input::Tick);
        }
        self.check_end();
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.disk).hash(&mut hasher);
        let is_unresponsive = |record: &&Record| matches!(record.fact, Fact::Unresponsive { .. });
        Played {
            digest: hasher.finish(),
            unresponsive: self.disk.iter().filter(is_unresponsive).count(),
        }
    }

    fn check_end(&self) {
        let status = self.engine.status();
        assert!(status.capacities.iter().all(|c| c.used == 0), "{status:?}");
        for run in &self.ledger.acknowledged {
            assert!(
                self.model.is_over(*run),
                "run {run} was accepted, and is lost"
            );
        }
        for (run, stage) in &self.model.runs {
            assert!(
                self.model.is_over(*run),
                "run {run} is {stage:?} in the end"
            );
        }
        self.check_rate();
        for record in &self.disk {
            if let Fact::Ended {
                run,
                job,
                epoch,
                state: FinalState::Succeeded,
                ..
            } = &record.fact
                && !job.task.is_future()
            {
                let attempt = AttemptId {
                    run: *run,
                    epoch: *epoch,
                };
                let said = self.ledger.attempts.get(&attempt);
                assert_eq!(
                    said,
                    Some(&Some(true)),
                    "{attempt} succeeded by its own word"
                );
            }
        }
    }

    /// In no window is a limit taken more often than its rate and what was saved up allow, also across
    /// crashes.
    fn check_rate(&self) {
        let starts = self.disk.iter().filter_map(|record| {
            let Fact::Started { job, .. } = &record.fact else {
                return None;
            };
            let mut limits = job.limits.iter();
            let (_, amount) = limits.find(|(name, _)| &***name == "often")?;
            Some((u128::from(record.at.mono.0), u128::from(amount)))
        });
        let starts: Vec<(u128, u128)> = starts.collect();
        for (index, (from, _)) in starts.iter().enumerate() {
            let mut taken = 0;
            for (to, amount) in &starts[index..] {
                taken += amount;
                let earned = (to - from) * u128::from(OFTEN.tokens) / u128::from(OFTEN.per.nanos());
                assert!(
                    taken <= earned + u128::from(OFTEN.burst),
                    "{taken} within {} ns",
                    to - from
                );
            }
        }
    }

    fn clock(&self) -> Now {
        let millis = i64::try_from(self.now).unwrap() + self.skew;
        Now {
            wall: Wall(1_700_000_000_000_000 + millis * 1000),
            mono: Mono(0).plus(Duration::from_millis(self.now)),
        }
    }

    fn apply(&mut self, input: Input) {
        if self.outbox.len() >= OUTBOX && !matches!(input, Input::Tick) {
            self.commit(1);
        }
        self.say(&input);
        self.out.clear();
        self.engine.apply(self.clock(), input, &mut self.out);
        self.engine.check().unwrap();
        let records: Vec<Record> = self.out.records.drain(..).collect();
        let actions = std::mem::take(&mut self.out.actions);
        for record in &records {
            self.say(&record.fact);
        }
        if !(records.is_empty() && actions.is_empty()) {
            self.outbox.push_back(Batch { records, actions });
        }
    }

    /// The disk commits some batches, and what rests on them is carried out.
    fn commit(&mut self, batches: u64) {
        for _ in 0..batches {
            let Some(batch) = self.outbox.pop_front() else {
                return;
            };
            self.write(&batch.records);
            for action in batch.actions {
                self.carry_out(action);
            }
        }
    }

    fn write(&mut self, records: &[Record]) {
        for record in records {
            self.model.take(record);
            if let Some((run, job)) = record.fact.run() {
                let epoch = self.jobs.get(&run).map_or(0, |(_, epoch)| *epoch);
                let epoch = if let Fact::Started { epoch, .. } = &record.fact {
                    *epoch
                } else {
                    epoch
                };
                self.jobs.insert(run, (Arc::clone(job), epoch));
            }
        }
        self.disk.extend(records.iter().cloned());
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Start(order) => {
                let committed = self.model.started.contains(&order.attempt);
                assert!(
                    committed,
                    "{} starts after its fact is on the disk",
                    order.attempt
                );
                self.ledger.start(order.attempt, &order.job);
                self.lanes.start(&order, self.now, &mut self.random);
            }
            Action::Stop { attempt, .. } => self.lanes.stop(attempt, self.now),
            Action::Replace { attempt } => {
                self.lanes.replace(attempt);
                self.ledger.replace(attempt);
            }
            Action::Answer { caller, answer } => self.answered(caller, &answer),
        }
    }

    fn answered(&mut self, caller: CallerId, answer: &Answer) {
        self.say(answer);
        let key = self.asked.remove(&caller).flatten();
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others promise nothing")]
        match answer {
            Answer::Submitted(runs) => {
                for run in runs {
                    assert!(self.model.runs.contains_key(run), "accepted means on disk");
                }
                self.ledger.acknowledged.extend(runs);
                if let Some(key) = key {
                    self.ledger.key(&key, runs[0]);
                }
            }
            Answer::SubmittedBefore(run) => {
                assert!(self.model.runs.contains_key(run), "accepted means on disk");
                self.ledger.key(&key.unwrap(), *run);
            }
            Answer::Retried(run) => self.ledger.retried.push(*run),
            _ => {}
        }
    }

    fn caller(&mut self, key: Option<String>) -> Option<CallerId> {
        self.callers += 1;
        let caller = CallerId(self.callers);
        self.asked.insert(caller, key);
        Some(caller)
    }

    fn submit(&mut self) {
        let mut names = vec![self.random.of(&JOBS)];
        if names[0] == "then" {
            names.extend(["cpu", "io"]);
        }
        let key = self
            .random
            .chance(30)
            .then(|| format!("key {}", self.random.below(20)));
        if let Some(run) = key.as_ref().and_then(|key| self.stored_key(key)) {
            // Who asks looks into the store first.
            self.ledger.key(key.as_ref().unwrap(), run);
            return;
        }
        let items = names.into_iter().map(|name| {
            let level = i64::try_from(self.random.below(20)).unwrap() - 10;
            let later = i64::try_from(self.random.below(3_000_000)).unwrap();
            let at = self
                .random
                .chance(10)
                .then(|| Wall(self.clock().wall.0 + later));
            SubmitItem {
                priority: Priority::new(level),
                at,
                ..SubmitItem::of(&Name::from(name))
            }
        });
        let items: Vec<SubmitItem> = items.collect();
        let caller = self.caller(key.clone());
        let key = key.map(|key| {
            Arc::new(SubmitKey {
                text: key.into(),
                digest: "same".into(),
            })
        });
        self.apply(Input::Submit(Submission { items, key, caller }));
    }

    /// What the table of keys in the store says.
    fn stored_key(&self, wanted: &str) -> Option<RunId> {
        self.disk.iter().find_map(|record| {
            let Fact::Accepted { run, key, .. } = &record.fact else {
                return None;
            };
            let key = key.as_ref()?;
            (&*key.text == wanted).then_some(*run)
        })
    }

    fn any_run(&mut self) -> RunId {
        let most = self.model.runs.keys().next_back().map_or(0, |run| run.0);
        RunId(self.random.below(most + 3))
    }

    fn cancel(&mut self) {
        let run = self.any_run();
        let caller = self.caller(None);
        self.apply(Input::Cancel {
            run,
            graph: run.0.is_multiple_of(5),
            caller,
        });
    }

    fn retry(&mut self) {
        let run = self.any_run();
        let known = self.jobs.get(&run).filter(|_| self.model.is_over(run));
        let Some((job, epoch)) = known.cloned() else {
            return;
        };
        let known = Some(Box::new(Forgotten {
            after: Box::default(),
            ties: Ties::default(),
            parts: None,
            job,
            priority: Priority::default(),
            args: None,
            epoch,
        }));
        let caller = self.caller(None);
        self.ledger.retried.push(run);
        self.apply(Input::Retry { run, known, caller });
    }

    fn futures(&self) -> impl Iterator<Item = RunId> + '_ {
        let waits = |stage: &Stage| matches!(stage, Stage::Running(_));
        let runs = self
            .model
            .runs
            .iter()
            .filter(move |(_, stage)| waits(stage));
        runs.filter_map(|(run, _)| self.jobs[run].0.task.is_future().then_some(*run))
    }

    fn complete(&mut self) {
        let futures: Vec<RunId> = self.futures().collect();
        if futures.is_empty() {
            return;
        }
        let run = self.random.of(&futures);
        let with = if self.random.chance(70) {
            Ok(Arc::new(Value::from(1)))
        } else {
            Err("no".into())
        };
        let caller = self.caller(None);
        self.apply(Input::Complete { run, with, caller });
    }

    fn pause_or_resume(&mut self) {
        let all = all_capacities();
        let what = all[usize::try_from(self.random.below(all.len() as u64)).unwrap()].clone();
        let caller = self.caller(None);
        let input = if self.random.chance(40) {
            Input::Pause { what, caller }
        } else {
            Input::Resume { what, caller }
        };
        self.apply(input);
    }

    fn reload(&mut self) {
        self.definitions = self.random.below(3);
        let definitions = version(self.definitions);
        self.apply(Input::Configure(Arc::new(definitions)));
    }

    fn attempts_leave(&mut self) {
        for (attempt, did_its_work) in self.lanes.leave(self.now, &mut self.random) {
            self.ledger.end(attempt, did_its_work);
        }
    }

    fn arrive(&mut self) {
        while let Some(attempt) = self.lanes.begun(self.now) {
            self.apply(Input::Began { attempt });
        }
        while let Some((attempt, end)) = self.lanes.arrived(self.now) {
            self.apply(Input::Ended { attempt, end });
        }
    }

    /// An end from before a crash turns up, or one that never was. Nothing may come of it.
    fn stale_arrives(&mut self) {
        let Some((attempt, end)) = self.stale.pop() else {
            return;
        };
        let records = self.engine.status().records;
        self.apply(Input::Tick);
        let ticked = self.engine.status().records;
        self.apply(Input::Ended { attempt, end });
        assert!(records <= ticked, "records only grow");
        assert_eq!(
            self.engine.status().records,
            ticked,
            "stale end of {attempt}"
        );
    }

    /// The plug is pulled. Of what was on its way to the disk, a beginning may have arrived.
    fn crash(&mut self) {
        self.say(&"the plug is pulled");
        let arrived = self.random.below(3);
        for _ in 0..arrived {
            if let Some(batch) = self.outbox.pop_front() {
                self.write(&batch.records);
            }
        }
        self.outbox.clear();
        self.asked.clear();
        self.stale = self.lanes.crash();
        self.ledger.crash();
        self.now += self.random.below(5_000);
        self.recover();
    }

    /// The daemon is told to end, and comes back.
    fn shut_down(&mut self) {
        self.apply(Input::Drain);
        self.apply(Input::StopRunning { durable: true });
        for _ in 0..3 {
            self.commit(u64::MAX);
            self.now += 600;
            self.attempts_leave();
            self.arrive();
        }
        self.commit(u64::MAX);
        self.crash();
    }

    /// What the store gives: the last definitions, what is paused, and all about the runs that are not
    /// over, since they were last tried by hand.
    fn recover(&mut self) {
        let last_retry: BTreeMap<RunId, u64> = self
            .disk
            .iter()
            .filter_map(|record| {
                let Fact::Retried { run, .. } = &record.fact else {
                    return None;
                };
                Some((*run, record.number))
            })
            .collect();
        let records = self.disk.iter().filter(|record| match record.fact.run() {
            None => true,
            Some((run, _)) => {
                let since = last_retry.get(&run).copied().unwrap_or(0);
                !self.model.is_over(run) && record.number >= since
            }
        });
        let recovery = Recovery {
            next_run: self
                .model
                .runs
                .keys()
                .next_back()
                .map_or(1, |run| run.0 + 1),
            next_record: self.disk.len() as u64 + 1,
            last: self.disk.last().map(|record| record.at).unwrap_or_default(),
            held: true,
            live_only: true,
        };
        let first = Arc::new(Definitions::empty(3));
        self.engine = Engine::recover(first, records, recovery).unwrap();
        self.open();
    }

    fn open(&mut self) {
        self.apply(Input::Settle);
        let executing = self.lanes.executing().count();
        assert_eq!(executing, 0, "nothing starts before all is settled");
        let definitions = Arc::new(version(self.definitions));
        if *self.engine.definitions() != definitions {
            self.apply(Input::Configure(definitions));
        }
        self.apply(Input::Open);
    }

    fn say(&self, what: &dyn std::fmt::Debug) {
        if self.verbose {
            println!("{:>8} ms  {what:?}", self.now);
        }
    }
}

fn all_capacities() -> Vec<CapacityName> {
    use twolane::engine::spec::Lane;
    let mut all = vec![
        CapacityName::Lane(Lane::Io),
        CapacityName::Lane(Lane::Cpu),
        CapacityName::Pool("pool".into()),
        CapacityName::Limit("one".into()),
        CapacityName::Limit("two".into()),
        CapacityName::Limit("often".into()),
        CapacityName::Resource("ram".into()),
    ];
    all.extend(JOBS.map(|name| CapacityName::Job(name.into())));
    all
}
