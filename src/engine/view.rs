//! Read models: what others may see of runs, capacities and the whole.

use std::sync::Arc;

use super::Engine;
use super::action::StartOrder;
use super::backfill::{Backfill, Ending, Went};
use super::bucket::Bucket;
use super::calendar::Entry;
use super::capacity::CapacityName;
use super::id::{AttemptId, BackfillId, RunId};
use super::placing::Finding;
use super::run::{Run, RunState, StateKind};
use super::schedule::ScheduleSpec;
use super::spec::{Definitions, JobSpec, Name, Priority};
use super::time::Wall;

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// Its number.
    pub run: RunId,
    /// The job it was accepted with.
    pub job: Arc<JobSpec>,
    /// Where it stands.
    pub state: RunState,
    /// When it was accepted.
    pub accepted: Wall,
    /// How urgent it is.
    pub priority: Priority,
    /// Attempts so far.
    pub attempts: u32,
}

/// A lane, pool, limit or resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityView {
    /// Which one.
    pub name: CapacityName,
    /// Its places; `u32::MAX` of a limit that has only a rate.
    pub size: u32,
    /// How many are taken; more than there are for a while after a reload took some away. Those that were
    /// replaced do not count.
    pub used: u32,
    /// What is left of its rate, if it has one.
    pub bucket: Option<Bucket>,
    /// Places that unresponsive attempts hold; of a lane only.
    pub unresponsive: u32,
    /// How many of these have been replaced: their places are given to others. As many as there are places
    /// at most.
    pub replaced: u32,
    /// Nothing starts that needs it.
    pub paused: bool,
}

/// A job as it is defined, and what there is of it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// Its definition.
    pub job: Arc<JobSpec>,
    /// Its runs that execute.
    pub running: u32,
    /// Its runs that stand in line.
    pub queued: usize,
    /// None of its runs starts.
    pub paused: bool,
    /// What was found out of its lane, if it was in the wrong one.
    pub finding: Option<Finding>,
    /// Its schedules, in the order of the file.
    pub schedules: Vec<ScheduleView>,
    /// From when the time counts in which a success is expected, and whether that is over; of a job with
    /// `expect_within` only.
    pub heard: Option<(Wall, bool)>,
    /// Its backfills that go on: how many runs each has made, of how many.
    pub backfills: Vec<(BackfillId, u64, u64)>,
}

/// A schedule of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleView {
    /// What it is told by.
    pub schedule: Arc<str>,
    /// The slot that is decided on next.
    pub next: Option<Wall>,
    /// Slots that wait until a run is over.
    pub waiting: usize,
    /// It is paused.
    pub paused: bool,
}

/// A backfill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillView {
    /// What was accepted.
    pub backfill: Arc<Backfill>,
    /// How far it has come.
    pub went: Went,
    /// Why no more of its slots are run; `None` while it goes on.
    pub ending: Option<Ending>,
}

/// What a backfill of a job stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    /// Its definition.
    pub job: Arc<JobSpec>,
    /// Its schedules, in the order of the file.
    pub schedules: Vec<ScheduleGround>,
    /// Number of the first record that comes after this.
    pub unseen: u64,
}

/// What a backfill of slots of a schedule stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleGround {
    /// What it is told by.
    pub schedule: Arc<str>,
    /// How its slots are made.
    pub spec: Arc<ScheduleSpec>,
    /// Up to here its slots are decided on; `None` where it is not in force.
    pub decided: Option<Wall>,
    /// Slots that wait until a run is over.
    pub waiting: Vec<Wall>,
}

/// The whole, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Runs in each state, in the order of a run's life. Of the final states only those that are
    /// still remembered are counted.
    pub counts: Vec<(StateKind, usize)>,
    /// Lanes, pools, limits and resources.
    pub capacities: Vec<CapacityView>,
    /// Unfinished runs.
    pub live: usize,
    /// The bound on unfinished runs.
    pub max_runs: u64,
    /// Whether nothing starts any more.
    pub draining: bool,
    /// Jobs that are defined.
    pub jobs: usize,
    /// Jobs of which no success came in time.
    pub absent: usize,
    /// Backfills that go on.
    pub backfills: usize,
    /// Records so far.
    pub records: u64,
}

impl Engine {
    /// A run; `None` if there is none of this number or it ended too long ago.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<RunView> {
        self.state.runs.get(id).map(|run| view(id, run))
    }

    /// All runs that are remembered, in the order of their numbers.
    pub fn runs(&self) -> impl Iterator<Item = RunView> + '_ {
        self.state.runs.iter().map(|(id, run)| view(id, run))
    }

    /// The runs that are running, stopping or unresponsive, in the order of their numbers.
    pub fn active(&self) -> impl Iterator<Item = RunView> + '_ {
        self.state.active.iter().filter_map(|id| self.run(*id))
    }

    /// Orders for the attempts that are running, stopping or unresponsive, as they were started.
    pub fn active_orders(&self) -> impl Iterator<Item = StartOrder> + '_ {
        self.state.active.iter().filter_map(|id| {
            let run = self.state.runs.get(*id)?;
            Some(StartOrder {
                attempt: AttemptId {
                    run: *id,
                    epoch: run.epoch,
                },
                job: Arc::clone(&run.job),
                args: run.args.clone(),
                number: 0,
                announced: None,
            })
        })
    }

    /// How many runs are running, stopping or unresponsive.
    #[must_use]
    pub fn active_count(&self) -> usize {
        self.state.active.len()
    }

    /// Whether attempts are active, and of none of them anything executes that could end by itself soon: they
    /// wait for what somebody brings, or are unresponsive.
    #[must_use]
    pub fn waits_for_futures_only(&self) -> bool {
        let runs = self.state.active.iter().map(|id| self.state.run(*id));
        let mut futures = 0;
        for run in runs {
            if run.job.task.is_future() {
                futures += 1;
            } else if run.state.kind() != StateKind::Unresponsive {
                return false;
            }
        }
        futures > 0
    }

    /// Whether nothing will happen any more by itself, unless unresponsive attempts leave their lanes: there
    /// are some, nothing else runs, and nothing waits for a time.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        let active = self.state.active.len();
        active > 0
            && active == self.state.counts[StateKind::Unresponsive as usize]
            && self.state.timers.first().is_none()
    }

    /// How many runs are unresponsive.
    #[must_use]
    pub fn unresponsive_count(&self) -> usize {
        self.state.counts[StateKind::Unresponsive as usize]
    }

    /// How many runs are unfinished.
    #[must_use]
    pub fn live_count(&self) -> usize {
        self.state.live()
    }

    /// What is in force.
    #[must_use]
    pub const fn definitions(&self) -> &Arc<Definitions> {
        &self.state.definitions
    }

    /// The whole, in numbers.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = &self.state;
        Status {
            counts: StateKind::ALL
                .into_iter()
                .map(|kind| (kind, state.counts[kind as usize]))
                .collect(),
            capacities: state
                .capacities
                .iter()
                .filter(|capacity| !matches!(capacity.name, CapacityName::Job(_)))
                .map(|capacity| CapacityView {
                    name: capacity.name.clone(),
                    size: capacity.size,
                    bucket: capacity.bucket.clone(),
                    used: capacity.taken(),
                    unresponsive: capacity.unresponsive,
                    replaced: capacity.replaced(),
                    paused: capacity.paused,
                })
                .collect(),
            live: state.live(),
            max_runs: state.definitions.max_runs,
            draining: state.draining,
            jobs: state.jobs.len(),
            absent: state.absences.count(),
            backfills: state.backfills.going.len(),
            records: state.next_record - 1,
        }
    }
}

impl Engine {
    /// The jobs that are defined, by name.
    pub fn jobs(&self) -> impl Iterator<Item = JobView> + '_ {
        let capacities = &self.state.capacities;
        self.state.jobs_in_order().map(|(name, (job, class))| {
            let own = capacities.find(&CapacityName::Job(Name::clone(name)));
            JobView {
                job: Arc::clone(job),
                running: own.map_or(0, |capacity| capacity.used),
                queued: capacities.class(*class).waiting(),
                paused: own.is_some_and(|capacity| capacity.paused),
                finding: self.state.placing.finding(name),
                schedules: self.schedules(name),
                heard: self
                    .state
                    .absences
                    .of_job(name)
                    .map(|heard| (heard.since.wall, heard.is_absent)),
                backfills: self.backfills_of(name),
            }
        })
    }

    fn backfills_of(&self, job: &Name) -> Vec<(BackfillId, u64, u64)> {
        let going = self.state.backfills.going.values();
        let of_job = going.filter(|going| going.backfill.job == *job);
        let told = of_job.map(|it| (it.backfill.id, it.went.begun, it.backfill.slots));
        told.collect()
    }

    /// The backfills that go on, and those that are over and remembered, by number.
    #[must_use]
    pub fn backfills(&self) -> Vec<BackfillView> {
        let backfills = &self.state.backfills;
        let over = backfills.over.values().map(|ended| BackfillView {
            backfill: Arc::clone(&ended.backfill),
            went: ended.went,
            ending: Some(ended.ending.clone()),
        });
        let going = backfills.going.values().map(|going| BackfillView {
            backfill: Arc::clone(&going.backfill),
            went: going.went,
            ending: None,
        });
        let mut all: Vec<BackfillView> = over.chain(going).collect();
        all.sort_unstable_by_key(|view| view.backfill.id);
        all
    }

    /// What a backfill of a job stands on; `None` if there is no such job.
    #[must_use]
    pub fn ground(&self, job: &str) -> Option<Ground> {
        let (job, _) = self.state.jobs.get(job)?;
        let calendar = &self.state.calendar;
        let entries = &calendar.entries()[calendar.of_job(&job.name)];
        let ground = |entry: &Entry| ScheduleGround {
            schedule: Arc::clone(&entry.key),
            spec: Arc::clone(&entry.spec),
            decided: entry.memory.as_ref().map(|memory| memory.at),
            waiting: entry
                .memory
                .as_ref()
                .map_or_else(Vec::new, |m| m.waiting.clone()),
        };
        Some(Ground {
            job: Arc::clone(job),
            schedules: entries.iter().map(ground).collect(),
            unseen: self.state.next_record,
        })
    }

    fn schedules(&self, job: &Name) -> Vec<ScheduleView> {
        let calendar = &self.state.calendar;
        let entries = &calendar.entries()[calendar.of_job(job)];
        let view = |entry: &Entry| ScheduleView {
            schedule: Arc::clone(&entry.key),
            next: entry.memory.as_ref().and_then(|m| m.next(&entry.spec)),
            waiting: entry.memory.as_ref().map_or(0, |m| m.waiting.len()),
            paused: calendar.is_paused(job),
        };
        entries.iter().map(view).collect()
    }
}

fn view(id: RunId, run: &Run) -> RunView {
    RunView {
        run: id,
        job: Arc::clone(&run.job),
        state: run.state.clone(),
        accepted: run.accepted,
        priority: run.priority,
        attempts: run.epoch,
    }
}
