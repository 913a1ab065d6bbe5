//! The world: turns of the daemon's loop with a disk that commits when it likes, clients that ask for
//! anything, and a plug that is pulled.

mod again;
mod backfill;
mod early;
mod end;
mod power;
mod room;
mod send;
mod slots;
mod submit;
mod times;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use twolane::engine::action::{Action, Answer};
use twolane::engine::fact::{Fact, Record};
use twolane::engine::id::{AttemptId, CallerId, RunId};
use twolane::engine::input::{BackfillOrder, Input};
use twolane::engine::outcome::End;
use twolane::engine::schedule::ScheduleSpec;
use twolane::engine::spec::{Definitions, JobSpec, Name};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::engine::{CapacityName, Engine, Outputs};

use crate::definitions::{JOBS, SCHEDULED, version};
use crate::kinds;
use crate::lanes::Lanes;
use crate::ledger::Ledger;
use crate::model::{Model, Stage};
use crate::random::Random;
use crate::sends::Sends;
use crate::swarm::{Step, Swarm};
use room::Room;

/// Batches that may wait for the disk.
const OUTBOX: usize = 20;

/// After so many inputs all invariants are checked.
const CHECKED: u64 = 8;

/// What one turn gave, on its way to the disk.
struct Batch {
    records: Vec<Record>,
    actions: Vec<Action>,
}

/// What came of a seed.
#[derive(Debug, PartialEq)]
pub(crate) struct Played {
    /// All facts.
    pub(crate) records: Vec<Record>,
    /// Of all facts: their numbers, times, kinds and runs.
    pub(crate) digest: u64,
    /// How many attempts were unresponsive.
    pub(crate) unresponsive: usize,
    /// How many slots of schedules were run.
    pub(crate) slots: usize,
    /// Milliseconds that went by.
    pub(crate) millis: u64,
    /// The kinds of facts, with how many of each there were.
    pub(crate) facts: BTreeMap<&'static str, u64>,
    /// How many began before their start was on the disk.
    pub(crate) unrecorded: usize,
    /// How many may have begun when the plug was pulled.
    pub(crate) unsure: usize,
    /// How many waited in their lane when the plug was pulled.
    pub(crate) unbegun: usize,
    /// How many attempts there was no room for.
    pub(crate) no_room: usize,
    /// How many things that were sent attempts have taken.
    pub(crate) taken: usize,
    /// How many were sent to attempts that had just left.
    pub(crate) late: usize,
    /// What else was seen, and how often.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

/// Everything.
pub(crate) struct World {
    random: Random,
    swarm: Swarm,
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
    jobs: BTreeMap<RunId, Arc<JobSpec>>,
    lanes: Lanes,
    ledger: Ledger,
    sends: Sends,
    model: Model,
    /// Ends from before a crash that have not turned up.
    stale: Vec<(AttemptId, End)>,
    /// What each caller asked for: the key of a submission.
    asked: BTreeMap<CallerId, Option<String>>,
    /// What each caller sends to an attempt: its size.
    sending: BTreeMap<CallerId, u64>,
    callers: u64,
    applied: u64,
    definitions: u64,
    /// How often somebody has asked the daemon to leave.
    leaves: u64,
    /// All schedules that there ever were.
    schedules: BTreeMap<(Name, Arc<str>), Arc<ScheduleSpec>>,
    /// How many attempts began before their start was on the disk.
    unrecorded: usize,
    /// How many runs were cancelled because nobody would be there to start them.
    waiting_cancelled: u64,
    /// Slots that somebody has looked at, and not asked for yet.
    orders: Vec<BackfillOrder>,
    /// What the disk has room for.
    room: Room,
    /// What was seen of a full disk, and how often.
    filled: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(seed: u64, verbose: bool) -> Self {
        let first = Arc::new(Definitions::empty(3));
        let mut random = Random::new(seed);
        let swarm = Swarm::draw(&mut random);
        let mut world = Self {
            random,
            swarm,
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
            sends: Sends::default(),
            model: Model::default(),
            stale: Vec::new(),
            asked: BTreeMap::new(),
            sending: BTreeMap::new(),
            callers: 0,
            applied: 0,
            definitions: 0,
            leaves: 0,
            schedules: BTreeMap::new(),
            unrecorded: 0,
            waiting_cancelled: 0,
            orders: Vec::new(),
            room: Room::default(),
            filled: BTreeMap::new(),
        };
        let swarm = world.swarm.clone();
        world.say(&swarm);
        world.open();
        world
    }

    /// Something happens.
    pub(crate) fn step(&mut self) {
        let pause = self.random.below(self.swarm.pace);
        self.pass(pause);
        let step = self.swarm.step(&mut self.random);
        if !self.takes(step) || (self.is_stuck() && !matches!(step, Step::Fill | Step::Crash)) {
            return;
        }
        match step {
            Step::Submit => self.submit(),
            Step::Commit => {
                let batches = 1 + self.random.below(4);
                self.commit(batches);
            }
            Step::Leave => self.attempts_leave(),
            Step::Arrive => self.arrive(),
            Step::Cancel => self.cancel(),
            Step::Retry => self.retry(),
            Step::RetryGraph => self.retry_graph(),
            Step::Complete => self.complete(),
            Step::Send => self.send(),
            Step::Pause => self.pause_or_resume(),
            Step::Backfill => self.backfill(),
            Step::CancelBackfill => self.cancel_backfill(),
            Step::Reload => self.reload(),
            Step::SetClock => self.set_clock(),
            Step::Stale => self.stale_arrives(),
            Step::Fill => self.fill(),
            Step::Crash => self.crash(),
            Step::ShutDown => self.shut_down(),
            Step::Tick => self.apply(Input::Tick),
        }
    }

    /// Time goes by. All that comes up meanwhile is looked at when it does, if the daemon is not held up.
    fn pass(&mut self, millis: u64) {
        let until = self.now + millis;
        if !self.random.chance(self.swarm.stalls) {
            let mut rounds = 0;
            while let Some(next) = self.next().filter(|next| *next <= until) {
                if self.is_stuck() {
                    break;
                }
                rounds += 1;
                assert!(rounds < 100_000, "something is always due");
                self.now = self.now.max(next);
                self.commit(u64::MAX);
                self.attempts_leave();
                self.arrive();
                self.apply(Input::Tick);
            }
        }
        self.now = until;
    }

    /// When something comes up next: a deadline, a slot, an end.
    fn next(&self) -> Option<u64> {
        let up = |at: Mono| at.0.div_ceil(1_000_000);
        let due = self.engine.next_deadline().map(|(at, _)| up(at));
        let slot = self.engine.next_slot();
        let slot = slot.map(|at| up(Mono::at_wall(self.clock(), at)));
        let next = [due, slot, self.lanes.next()].into_iter().flatten().min();
        next.map(|next| next.max(self.now))
    }

    /// The wall clock is set, and the daemon is woken as the kernel would.
    fn set_clock(&mut self) {
        let span = u64::try_from(self.swarm.jump).unwrap() * 2;
        self.skew = i64::try_from(self.random.below(span)).unwrap() - self.swarm.jump;
        self.apply(Input::Tick);
    }

    /// The faults stop: everything comes to its end, and nothing is held.
    pub(crate) fn finish(mut self) -> Played {
        self.say(&"the faults stop");
        if self.random.chance(50) {
            self.crash();
        }
        self.clear();
        for what in all_capacities() {
            let caller = None;
            self.apply(Input::Resume { what, caller });
        }
        self.finish_backfills();
        // Else there would always be something to come.
        self.swarm.scheduled = false;
        self.configure();
        for round in 0.. {
            assert!(round < 100_000, "it never ends: {:?}", self.engine.status());
            self.commit(u64::MAX);
            self.attempts_leave();
            self.arrive();
            self.complete_all();
            let Some(next) = self.next() else {
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
            self.now = next;
            self.apply(Input::Tick);
        }
        self.check_end();
        self.check_backfills();
        let slots = self.check_slots();
        let seen = self.seen();
        let mut hasher = DefaultHasher::new();
        let mut facts = BTreeMap::new();
        for record in &self.disk {
            let kind = kinds::of(&record.fact);
            (record.number, record.at.wall.0, record.at.mono.0, kind).hash(&mut hasher);
            record.fact.run().map(|(run, _)| run.0).hash(&mut hasher);
            *facts.entry(kind).or_default() += 1;
        }
        Played {
            records: self.disk,
            digest: hasher.finish(),
            unresponsive: self.model.unresponsive,
            slots,
            millis: self.now,
            facts,
            unrecorded: self.unrecorded,
            unsure: self.model.unsure,
            unbegun: self.model.unbegun,
            no_room: self.model.no_room,
            taken: self.sends.taken,
            late: self.sends.late,
            seen,
        }
    }

    /// What has been seen beside the kinds of facts, and how often.
    fn seen(&self) -> BTreeMap<&'static str, u64> {
        let mut seen = self.model.seen();
        seen.extend(&self.filled);
        seen.insert("waited when nobody was left", self.waiting_cancelled);
        seen.insert("within a blackout", self.check_times());
        seen
    }

    fn complete_all(&mut self) {
        let futures: Vec<RunId> = self.futures().collect();
        for run in futures {
            let with = Ok(Arc::new(Value::Null));
            let caller = None;
            self.apply(Input::Complete { run, with, caller });
        }
    }

    fn clock(&self) -> Now {
        let millis = i64::try_from(self.now).unwrap() + self.skew;
        Now {
            wall: Wall(self.swarm.beginning * 1_000_000 + millis * 1000),
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
        // Three quarters of the time would go into it.
        self.applied += 1;
        if self.verbose || self.applied.is_multiple_of(CHECKED) {
            self.engine.check().unwrap();
        }
        let records: Vec<Record> = self.out.records.drain(..).collect();
        let mut actions = std::mem::take(&mut self.out.actions);
        for record in &records {
            self.say(&record.fact);
        }
        self.check_room(&records, &actions);
        let replaces = actions
            .iter()
            .any(|action| matches!(action, Action::Replace { .. }));
        actions.retain(|action| replaces || !self.begins_unrecorded(action));
        if !(records.is_empty() && actions.is_empty()) {
            self.outbox.push_back(Batch { records, actions });
        }
    }

    /// The disk commits some batches, and what rests on them is carried out.
    fn commit(&mut self, batches: u64) {
        for _ in 0..batches {
            if self.room == Room::Nothing {
                return;
            }
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
            self.ledger.record(&record.fact);
            if let Fact::Sent {
                run, epoch, bytes, ..
            } = &record.fact
            {
                let (run, epoch) = (*run, *epoch);
                self.sends.record(AttemptId { run, epoch }, bytes.unwrap());
            }
            if let Some((run, job)) = record.fact.run() {
                self.jobs.insert(run, Arc::clone(job));
            }
        }
        self.model.waits.check_told();
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
                self.lanes
                    .start(&order, self.now, &mut self.random, &self.swarm);
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
        let asked = self.asked.remove(&caller);
        let key = asked.expect("who asks is told once, and nobody else is");
        if let Some(bytes) = self.sending.remove(&caller) {
            return self.sent(bytes, answer);
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others promise nothing")]
        match answer {
            Answer::Submitted(runs) => {
                for run in runs {
                    assert!(self.model.runs.contains_key(run), "accepted means on disk");
                }
                self.ledger.acknowledged.extend(runs);
                // Of runs that were there already nothing is kept under the key.
                if let Some(key) = key
                    && let Some(first) = self.stored_key(&key)
                {
                    assert!(runs.contains(&first), "the key is that of one of them");
                    self.ledger.key(&key, first);
                }
            }
            Answer::SubmittedBefore(run) => {
                assert!(self.model.runs.contains_key(run), "accepted means on disk");
                if let Some(key) = key
                    && self.stored_key(&key).is_some()
                {
                    self.ledger.key(&key, *run);
                }
            }
            Answer::Stopping(run) | Answer::Unresponsive(run) => self.model.cancel(*run),
            Answer::Refused(refusal) => self.model.alone.refuse(refusal, &self.jobs),
            _ => {}
        }
    }

    fn caller(&mut self, key: Option<String>) -> Option<CallerId> {
        self.callers += 1;
        let caller = CallerId(self.callers);
        self.asked.insert(caller, key);
        Some(caller)
    }

    fn any_run(&mut self) -> RunId {
        let most = self.model.runs.keys().next_back().map_or(0, |run| run.0);
        RunId(self.random.below(most + 3))
    }

    fn cancel(&mut self) {
        let stops = |stage: &Stage| matches!(stage, Stage::Stopping(_) | Stage::Unresponsive(_));
        let stopping = self.model.runs.iter().filter(|(_, stage)| stops(stage));
        let stopping: Vec<RunId> = stopping.map(|(run, _)| *run).collect();
        let run = if !stopping.is_empty() && self.random.chance(30) {
            self.random.of(&stopping)
        } else {
            self.any_run()
        };
        let caller = self.caller(None);
        self.apply(Input::Cancel {
            run,
            graph: run.0.is_multiple_of(5),
            caller,
        });
    }

    fn futures(&self) -> impl Iterator<Item = RunId> + '_ {
        let waits = |stage: &Stage| matches!(stage, Stage::Running(_));
        let runs = self
            .model
            .runs
            .iter()
            .filter(move |(_, stage)| waits(stage));
        runs.filter_map(|(run, _)| self.jobs[run].task.is_future().then_some(*run))
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
        self.configure();
    }

    fn configure(&mut self) {
        let definitions = self.in_force();
        self.apply(Input::Configure(definitions));
    }

    /// The definitions that the files have just now.
    fn in_force(&mut self) -> Arc<Definitions> {
        let Swarm {
            manners, scheduled, ..
        } = &self.swarm;
        let definitions = version(self.definitions, manners, *scheduled);
        for job in definitions.jobs.values() {
            for schedule in &job.schedules {
                let key = (Name::clone(&job.name), schedule.to_string().into());
                self.schedules.insert(key, Arc::clone(schedule));
            }
        }
        Arc::new(definitions)
    }

    fn attempts_leave(&mut self) {
        for (attempt, did) in self.lanes.leave(self.now, &mut self.random) {
            self.ledger.end(attempt, did);
        }
    }

    fn arrive(&mut self) {
        while !self.is_stuck()
            && let Some(attempt) = self.lanes.begun(self.now)
        {
            self.apply(Input::Began { attempt });
        }
        while !self.is_stuck()
            && let Some((attempt, end)) = self.lanes.arrived(self.now)
        {
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

    fn say(&self, what: &dyn fmt::Debug) {
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
    all.extend(SCHEDULED.map(|name| CapacityName::Schedule(name.into())));
    all
}
