//! The tables, and `absorb`: the only thing that changes them, used live and in recovery alike.

mod enter;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Recovery;
use super::absence::Absences;
use super::announce::Announced;
use super::arguments::complete;
use super::backfill::Backfills;
use super::by_name::ByName;
use super::calendar::Calendar;
use super::capacity::{Capacities, CapacityName, ClassId};
use super::fact::{Fact, FinalState, Record, SubmitKey};
use super::flow::{Over, Parts};
use super::id::RunId;
use super::outcome::{Interruption, NO_ROOM_GAP, NO_ROOM_PAUSE, StopReason};
use super::placing::Placing;
use super::run::{Begun, Run, RunState, StateKind};
use super::spec::{Definitions, JobSpec, Lane, Name, Priority};
use super::table::RunTable;
use super::ties::UniqueKey;
use super::time::{Mono, Now, Wall};
use super::timers::{Timer, Timers};

/// Keys of submissions that are remembered. Who asks looks into the store first; this closes the gap
/// between that look and the decision, and what is accepted meanwhile is far less.
pub(super) const KEYS_KEPT: usize = 100_000;

/// Everything the engine knows. Two engines that absorbed the same facts are equal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) definitions: Arc<Definitions>,
    /// The current jobs with their classes, each in the lane that it was moved to.
    pub(super) jobs: ByName<(Arc<JobSpec>, ClassId)>,
    pub(super) runs: RunTable,
    pub(super) capacities: Capacities,
    pub(super) timers: Timers,
    pub(super) calendar: Calendar,
    pub(super) absences: Absences,
    pub(super) backfills: Backfills,
    /// What was found out of the lanes of jobs.
    pub(super) placing: Placing,
    /// The runs that hold capacities.
    pub(super) active: BTreeSet<RunId>,
    /// The attempts that may begin before their own start is on record.
    pub(super) announced: Announced,
    /// Ended runs that are still in the table, oldest first.
    pub(super) finished: VecDeque<RunId>,
    /// How many of the runs in the table are in each state.
    pub(super) counts: [usize; StateKind::ALL.len()],
    pub(super) draining: bool,
    /// Keys of submissions, with the run of each one's first item.
    keys: BTreeMap<Arc<str>, (Arc<SubmitKey>, RunId)>,
    /// The same keys, oldest first.
    keys_by_age: VecDeque<Arc<str>>,
    /// The unfinished runs of which there is only one at a time.
    pub(super) unique: BTreeMap<UniqueKey, RunId>,
    /// The unfinished runs that hang together, by the first of their submission.
    pub(super) graphs: BTreeMap<RunId, BTreeSet<RunId>>,
    /// Number of the next run.
    pub(super) next_run: u64,
    /// Number of the next record.
    pub(super) next_record: u64,
    /// Ticket of the next run that is queued.
    next_ticket: u64,
    /// Time of the last record.
    pub(super) last: Now,
    /// Number of the last record that says that the clock was set.
    pub(super) clock_set: u64,
    /// The runs for which the machine had no room, by when they may be tried again.
    pub(super) without_room: BTreeSet<(Mono, RunId)>,
}

impl State {
    pub(super) fn new(definitions: Arc<Definitions>) -> Self {
        let mut state = Self {
            definitions: Arc::clone(&definitions),
            jobs: ByName::default(),
            runs: RunTable::default(),
            capacities: Capacities::default(),
            timers: Timers::default(),
            calendar: Calendar::default(),
            absences: Absences::default(),
            backfills: Backfills::default(),
            placing: Placing::default(),
            active: BTreeSet::new(),
            announced: Announced::default(),
            finished: VecDeque::new(),
            counts: [0; StateKind::ALL.len()],
            draining: false,
            keys: BTreeMap::new(),
            keys_by_age: VecDeque::new(),
            unique: BTreeMap::new(),
            graphs: BTreeMap::new(),
            next_run: 1,
            next_record: 1,
            next_ticket: 0,
            last: Now::default(),
            clock_set: 0,
            without_room: BTreeSet::new(),
        };
        state.configure(&definitions, None);
        state
    }

    /// Takes in what the records of live runs do not tell.
    pub(super) fn resume(&mut self, recovery: &Recovery) {
        self.next_run = self.next_run.max(recovery.next_run);
        self.next_record = self.next_record.max(recovery.next_record);
        self.last = self.last.max(recovery.last);
        self.draining |= recovery.held;
        if recovery.live_only {
            self.capacities.empty_buckets(self.last.mono);
        }
    }

    /// The current jobs with their classes, in the order of their names.
    pub(super) fn jobs_in_order(&self) -> impl Iterator<Item = (&Name, &(Arc<JobSpec>, ClassId))> {
        let names = self.definitions.jobs.keys();
        names.filter_map(|name| Some((name, self.jobs.get(name)?)))
    }

    /// Unfinished runs.
    pub(super) fn live(&self) -> usize {
        self.runs.len() - self.finished.len()
    }

    /// Takes a fact in.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of fact, and nothing in them to split off"
    )]
    pub(super) fn absorb(&mut self, record: &Record) {
        self.next_record = record.number + 1;
        self.last = record.at;
        if let Some((run, _)) = record.fact.run() {
            self.announced.withdraw(run);
        }
        match &record.fact {
            Fact::Opened => {
                self.draining = false;
                self.capacities.reopen();
            }
            Fact::Draining => self.draining = true,
            // For the record alone: what follows from it has facts of its own.
            Fact::Leaving | Fact::Sent { .. } => {}
            Fact::ClockSet { .. } => self.clock_set = record.number,
            Fact::Announced { attempts } => self.announced.announce(attempts, record.number),
            Fact::Configured { definitions } => self.configure(definitions, Some(record.at.wall)),
            Fact::Evaluated {
                job,
                schedule,
                memory,
            } => self.calendar.remember(job, schedule, memory),
            Fact::BackfillAccepted { backfill } => self.backfills.accept(backfill),
            Fact::BackfillMoved { id, went, .. } => self.backfills.moved(*id, *went),
            Fact::BackfillEnded {
                backfill,
                went,
                ending,
            } => self.backfills.end(backfill, (*went, ending), record.number),
            Fact::Misplaced { job, finding } => self.misplaced(job, *finding),
            Fact::Reconsidered { job } => self.placing.forget(job),
            Fact::Heard { job, .. } => {
                let definitions = Arc::clone(&self.definitions);
                self.absences.heard(job, record.at, false, &definitions);
            }
            Fact::Absent { job, since, .. } => {
                let definitions = Arc::clone(&self.definitions);
                self.absences.heard(job, *since, true, &definitions);
            }
            Fact::Paused {
                what: CapacityName::Schedule(job),
            } => self.calendar.set_paused(job, true),
            Fact::Resumed {
                what: CapacityName::Schedule(job),
            } => self.calendar.set_paused(job, false),
            Fact::Accepted { .. } => self.accept(record),
            Fact::Released { run, .. } => {
                let whole = self.run_mut(*run);
                whole.args = complete(&whole.job, whole.args.as_ref());
                let due = whole.due.filter(|due| *due > record.at.mono);
                self.wait(*run, due, record.at);
            }
            Fact::Met { .. } => self.meet(&record.fact),
            Fact::Spread {
                run, first, count, ..
            } => {
                self.enter(*run, RunState::Blocked);
                let whole = self.run_mut(*run);
                whole.begun = Begun::Surely;
                let links = whole.links_mut();
                links.open = 0;
                links.parts = Some(Box::new(Parts::new(*first, *count as usize)));
            }
            Fact::Gathered { run, state, .. } => self.finish(*run, final_state(state)),
            Fact::Due { run, .. } => self.wait(*run, None, record.at),
            Fact::Started { run, job, epoch } => {
                let since = record.at.mono;
                let class = self.run(*run).class;
                if job.may_begin_unrecorded() {
                    self.announced.started(class, since);
                }
                let whole = self.run_mut(*run);
                whole.epoch = *epoch;
                let whole_limit = || Some(since.plus(job.run_timeout?));
                let end_by = whole.end_by().or_else(whole_limit);
                let from_here = job.timeout.filter(|_| !job.begins_in_lane());
                let deadline = from_here.map(|timeout| since.plus(timeout));
                let deadline = deadline.into_iter().chain(end_by).min();
                self.enter_in(*run, RunState::Running { since, deadline }, Some(job.lane));
                let whole = self.run_mut(*run);
                whole.begun = whole.begun.started();
                if end_by.is_some() {
                    whole.links_mut().end_by = end_by;
                }
            }
            Fact::Began { run, job, .. } => {
                let whole = self.run(*run);
                if let RunState::Running { since, .. } = whole.state {
                    let own = job.timeout.map(|timeout| record.at.mono.plus(timeout));
                    let deadline = own.into_iter().chain(whole.end_by()).min();
                    self.enter(*run, RunState::Running { since, deadline });
                }
            }
            Fact::Stopping {
                run, job, reason, ..
            } => {
                if let RunState::Running { since, .. } = self.run(*run).state {
                    let stopping = RunState::Stopping {
                        since,
                        reason: *reason,
                        until: record.at.mono.plus(job.patience()),
                    };
                    self.enter(*run, stopping);
                } else {
                    self.stops_because(*run, *reason);
                }
            }
            Fact::Unresponsive {
                run,
                reason,
                asked,
                kept,
                ..
            } => {
                let state = &self.run(*run).state;
                if let Some(since) = state.since()
                    && state.kind() != StateKind::Unresponsive
                {
                    let unresponsive = RunState::Unresponsive {
                        since,
                        reason: *reason,
                        from: record.at.mono,
                        asked: record.at.mono.minus(*asked),
                        kept: *kept,
                    };
                    self.enter(*run, unresponsive);
                } else {
                    self.stops_because(*run, *reason);
                }
            }
            Fact::Ended {
                run,
                job,
                state,
                end,
                ..
            } => {
                self.finish(*run, final_state(state));
                self.weigh(job, &end.measures);
            }
            Fact::Retrying {
                run, job, end, due, ..
            } => {
                self.weigh(job, &end.measures);
                let whole = self.run_mut(*run);
                whole.failures = whole.failures.saturating_add(1);
                self.wait(*run, Some(*due), record.at);
            }
            Fact::GivenUp { run, failure, .. } => {
                self.finish(*run, RunState::Failed(failure.clone()));
            }
            Fact::Interrupted {
                run,
                cause,
                epoch,
                due,
                ..
            } => {
                let whole = self.run_mut(*run);
                match cause {
                    Interruption::Crash => whole.crashes = whole.crashes.saturating_add(1),
                    // Its start is not on record.
                    Interruption::Unsure => whole.epoch = *epoch,
                    Interruption::Unbegun => whole.take_back_start(),
                    Interruption::Shutdown | Interruption::NoRoom(_) => {}
                }
                let no_room = matches!(cause, Interruption::NoRoom(_));
                let due = due.filter(|_| !bug!("due-forgotten"));
                let due = no_room.then(|| due.unwrap_or_else(|| self.next_try(record.at.mono)));
                self.without_room.extend(due.map(|due| (due, *run)));
                self.wait(*run, due, record.at);
            }
            Fact::Retried { .. } => self.retry(record),
            Fact::Paused { what } => {
                self.capacities.set_paused(what, true);
                self.withdraw_paused();
            }
            Fact::Resumed { what } => self.capacities.set_paused(what, false),
            Fact::Cancelled { run, reason, .. } => {
                self.finish(*run, RunState::Cancelled(*reason));
            }
            Fact::Skipped { run, reason, .. } => {
                self.finish(*run, RunState::Skipped(reason.clone()));
            }
        }
    }

    /// When a run for which the machine had no room at `now` is tried again: after a pause, and after those that
    /// wait for the same.
    pub(super) fn next_try(&self, now: Mono) -> Mono {
        let last = self.without_room.last();
        let after = last.map_or(now, |(due, _)| due.plus(NO_ROOM_GAP));
        now.plus(NO_ROOM_PAUSE).max(after)
    }

    /// Whether there is such a run, and it is not over.
    pub(super) fn is_open(&self, id: RunId) -> bool {
        let run = self.runs.get(id);
        run.is_some_and(|run| !run.state.kind().is_final())
    }

    /// The run of this number, which the fact at hand says exists.
    pub(super) fn run(&self, id: RunId) -> &Run {
        self.runs.get(id).expect("a fact names a run in the table")
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> &mut Run {
        self.runs
            .get_mut(id)
            .expect("a fact names a run in the table")
    }

    /// Schedules that were not in force before begin at `at`; without that they wait for the next time.
    fn configure(&mut self, definitions: &Arc<Definitions>, at: Option<Wall>) {
        self.definitions = Arc::clone(definitions);
        self.capacities.configure(definitions, self.last.mono);
        let active = self.active.iter().map(|id| {
            let run = self.run(*id);
            (run.class, run.state.kind() == StateKind::Unresponsive)
        });
        let active: Vec<(ClassId, bool)> = active.collect();
        self.capacities.recount(active.into_iter());
        self.place_jobs(definitions);
        self.calendar.configure(definitions, at);
        self.absences.configure(definitions, self.last.mono);
        self.forget();
    }

    /// The class of an unfinished run of `job`, which is counted there.
    pub(super) fn class_of(&mut self, job: &Arc<JobSpec>) -> ClassId {
        let class = match self.jobs.get(&job.name) {
            Some((current, class)) if Arc::ptr_eq(current, job) => *class,
            _ => self.capacities.class_of(job),
        };
        self.capacities.class_mut(class).runs += 1;
        class
    }

    /// Puts a run into the table, as blocked.
    fn insert(&mut self, id: RunId, run: Run) {
        let fresh = self.runs.insert(id, run).is_ok();
        assert!(fresh, "run {id} is accepted once");
        self.counts[StateKind::Blocked as usize] += 1;
    }

    fn remember(&mut self, key: &Arc<SubmitKey>, run: RunId) {
        let text = Arc::clone(&key.text);
        self.keys.insert(Arc::clone(&text), (Arc::clone(key), run));
        self.keys_by_age.push_back(text);
        if self.keys_by_age.len() > KEYS_KEPT
            && let Some(oldest) = self.keys_by_age.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    /// What was accepted under this key, if that is remembered.
    pub(super) fn key(&self, text: &str) -> Option<&(Arc<SubmitKey>, RunId)> {
        self.keys.get(text)
    }

    /// Puts a run that is not blocked where it waits: scheduled until `due`, else queued.
    fn wait(&mut self, id: RunId, due: Option<Mono>, at: Now) {
        let state = match due {
            Some(due) => RunState::Scheduled { due },
            None => {
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                let run = self.run_mut(id);
                if let Some(limit) = run.job.start_within.filter(|_| !run.begun.is_begun()) {
                    let start_by = &mut run.links_mut().start_by;
                    start_by.get_or_insert_with(|| at.mono.plus(limit));
                }
                RunState::Queued {
                    ticket,
                    since: at.mono,
                }
            }
        };
        self.enter(id, state);
    }

    fn finish(&mut self, id: RunId, state: RunState) {
        self.enter(id, state);
        let class = self.run(id).class;
        self.capacities.class_mut(class).runs -= 1;
        let job = Name::clone(&self.run(id).job.name);
        self.calendar.closed(&job, id);
        if let Some(over) = Over::of(&self.run(id).state) {
            self.backfills.closed(id, over);
        }
        self.retire(class, id);
        let dependents = self.run(id).dependents().to_vec();
        for (dependent, born) in dependents {
            if let Some(run) = self.runs.get_mut(dependent)
                && run.state == RunState::Blocked
                && run.born == born
            {
                run.links_mut().open -= 1;
            }
        }
        self.untie(id);
        // What the engine itself still needs of an ended run is little; results live in its facts.
        self.run_mut(id).args = None;
        self.finished.push_back(id);
        self.forget();
    }

    /// Lets go of the class of a run that is over, if no definition needs it.
    fn retire(&mut self, class: ClassId, id: RunId) {
        let name = Name::clone(&self.run(id).job.name);
        self.let_go(class, &name);
    }

    /// Lets go of a class that has no run, if no definition needs it.
    pub(super) fn let_go(&mut self, class: ClassId, name: &Name) {
        let defined = matches!(self.jobs.get(name), Some((_, current)) if *current == class);
        if !defined {
            self.capacities.retire_idle(class);
        }
    }

    /// Lets go of the ended runs that are too many, the oldest first.
    fn forget(&mut self) {
        while self.finished.len() > self.definitions.ended_kept
            && let Some(oldest) = self.finished.pop_front()
            && let Some(run) = self.runs.remove(oldest)
        {
            self.counts[run.state.kind() as usize] -= 1;
        }
    }

    /// Moves a run from its state to another: gives back what the old one owns and takes what the
    /// new one owns. All bookkeeping that depends on states is here.
    fn enter(&mut self, id: RunId, state: RunState) {
        let job = &self.run(id).job;
        let stands_in_line = state.kind() == StateKind::Queued;
        let lane = if job.auto && stands_in_line {
            self.placing.lane_of(&job.name)
        } else {
            None
        };
        self.enter_in(id, state, lane);
    }

    /// The same; from then on it is in this lane.
    fn enter_in(&mut self, id: RunId, state: RunState, lane: Option<Lane>) {
        let run = self
            .runs
            .get_mut(id)
            .expect("a fact names a run in the table");
        let (class, priority) = (run.class, run.priority);
        let expired = run.expires();
        let old = std::mem::replace(&mut run.state, state.clone());
        self.counts[old.kind() as usize] -= 1;
        let expires = run.expires();
        self.counts[state.kind() as usize] += 1;
        if let Some(at) = expired {
            self.timers.remove(at, Timer::Expired(id));
        }
        if let Some(at) = expires {
            self.timers.insert(at, Timer::Expired(id));
        }
        self.give_back(id, (class, priority), old, state.is_active());
        let class = match lane {
            Some(lane) => self.settle(id, class, lane),
            None => class,
        };
        match state {
            RunState::Scheduled { due } => self.timers.insert(due, Timer::Due(id)),
            RunState::Queued { ticket, since } => {
                self.capacities
                    .enqueue(class, (priority, ticket, since, id));
            }
            RunState::Running { deadline, .. } => {
                if self.active.insert(id) {
                    let now = self.last.mono;
                    self.capacities.acquire(class, now);
                }
                if let Some(deadline) = deadline {
                    self.timers.insert(deadline, Timer::Timeout(id));
                }
            }
            RunState::Stopping { until, .. } => {
                self.timers.insert(until, Timer::Unresponsive(id));
            }
            RunState::Unresponsive { .. } => self.capacities.set_unresponsive(class, true),
            RunState::Blocked
            | RunState::Succeeded
            | RunState::Failed(_)
            | RunState::Cancelled(_)
            | RunState::Skipped(_) => {}
        }
    }

    /// Gives back what a run owns in a state that it leaves, for one in which an attempt is in its lane or
    /// for another one.
    fn give_back(
        &mut self,
        id: RunId,
        (class, priority): (ClassId, Priority),
        old: RunState,
        is_active: bool,
    ) {
        match old {
            RunState::Scheduled { due } => {
                self.timers.remove(due, Timer::Due(id));
                self.without_room.remove(&(due, id));
            }
            RunState::Queued { ticket, .. } => {
                self.capacities.dequeue(class, priority, ticket);
            }
            RunState::Running { deadline, .. } => {
                if let Some(deadline) = deadline {
                    self.timers.remove(deadline, Timer::Timeout(id));
                }
                if !is_active {
                    self.leave_lane(id, class);
                }
            }
            RunState::Stopping { until, .. } => {
                self.timers.remove(until, Timer::Unresponsive(id));
                if !is_active && !bug!("limit-kept-after-a-stop") {
                    self.leave_lane(id, class);
                }
            }
            RunState::Unresponsive { .. } => {
                self.capacities.set_unresponsive(class, false);
                self.leave_lane(id, class);
            }
            RunState::Blocked
            | RunState::Succeeded
            | RunState::Failed(_)
            | RunState::Cancelled(_)
            | RunState::Skipped(_) => {}
        }
    }

    /// An attempt that was asked to stop before is now to do so for this reason.
    fn stops_because(&mut self, id: RunId, why: StopReason) {
        if let Some(RunState::Stopping { reason, .. } | RunState::Unresponsive { reason, .. }) =
            self.runs.get_mut(id).map(|run| &mut run.state)
        {
            *reason = why;
        }
    }

    fn leave_lane(&mut self, id: RunId, class: ClassId) {
        self.active.remove(&id);
        self.capacities.release(class);
    }
}

fn final_state(state: &FinalState) -> RunState {
    match state {
        FinalState::Succeeded => RunState::Succeeded,
        FinalState::Failed(failure) => RunState::Failed(failure.clone()),
        FinalState::Cancelled(reason) => RunState::Cancelled(*reason),
    }
}
