//! E: what the store says, folded by this checker itself: of each run what became of it and of its attempts, in the
//! order of the records. Looks at records alone; whether the store's tables say the same is for `store::verify`.

use std::collections::BTreeMap;
use std::sync::Arc;

use twolane::engine::StateKind;
use twolane::engine::fact::{Fact, FinalState, Record, Slot};
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::outcome::{Failure, Interruption, SkipReason};
use twolane::engine::schedule::{Passed, ScheduleSpec};
use twolane::engine::spec::{JobSpec, Name};
use twolane::engine::time::{Mono, Wall};

/// Faults in the numbers of records that are told; a log that is out of order has one in each.
const TOLD_BOUND: usize = 100;

/// What all records say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// How many there are.
    pub(crate) facts: u64,
    /// What is wrong with their numbers, or with which fact follows which.
    pub(crate) faults: Vec<String>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    /// Attempts that may begin before their own start is on record.
    pub(crate) announced: BTreeMap<AttemptId, u64>,
    /// How far each schedule is, by its job and what it is told by there.
    pub(crate) schedules: BTreeMap<(Name, Arc<str>), Schedule>,
    /// The records with which a daemon began to start runs, oldest first.
    pub(crate) opened: Vec<u64>,
    newest: u64,
    specs: BTreeMap<(Name, Arc<str>), Arc<ScheduleSpec>>,
}

/// How far a schedule is.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// The stretches of time, each after its first instant and until its second, whose slots were decided on; there is
    /// more than one where the clock was set. The last one goes on.
    pub(crate) decided: Vec<(Wall, Wall)>,
    /// Slots that wait until a run is over.
    pub(crate) waiting: Vec<Wall>,
    /// What makes its slots.
    pub(crate) spec: Option<Arc<ScheduleSpec>>,
}

/// What became of one run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) job: Arc<JobSpec>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) slot: Option<Arc<Slot>>,
    /// Whether it comes of another run, as a part of it or because of its end.
    pub(crate) is_consequence: bool,
    /// The slots that it stands for, where these do not run.
    pub(crate) unrun: Option<Passed>,
    pub(crate) steps: Vec<Step>,
}

/// One thing that became of a run.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) number: u64,
    pub(crate) at: Mono,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Accepted,
    /// An attempt goes to its lane.
    Started(u32),
    /// It has left it.
    Left(u32, Left),
    /// It is over without one.
    Over(StateKind),
    /// It was over, and is tried once more.
    Retried,
}

/// How an attempt left its lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Left {
    Succeeded,
    Failed(Failure),
    Cancelled,
    /// It failed, and another one is to follow, not before this.
    Retrying(Failure, Mono),
    Interrupted(Interruption),
}

impl Log {
    /// Takes the next record in.
    pub(crate) fn take(&mut self, record: &Record) {
        self.facts += 1;
        if record.number != self.newest + 1 {
            self.fault(format!(
                "record {} comes after {}",
                record.number, self.newest
            ));
        }
        self.newest = record.number;
        if let Some((id, job)) = record.fact.run() {
            if let Fact::Accepted {
                key, slot, ties, ..
            } = &record.fact
            {
                let run = Run {
                    job: Arc::clone(job),
                    key: key.as_ref().map(|key| Arc::clone(&key.text)),
                    slot: slot.clone(),
                    is_consequence: ties.part_of.or(ties.cause).is_some(),
                    unrun: None,
                    steps: Vec::new(),
                };
                if self.runs.insert(id, run).is_some() {
                    self.fault(format!("run {id} is accepted twice"));
                }
            }
            return self.step(id, record);
        }
        self.of_no_run(record);
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < TOLD_BOUND {
            self.faults.push(fault);
        }
    }

    fn step(&mut self, id: RunId, record: &Record) {
        let Some(run) = self.runs.get_mut(&id) else {
            let number = record.number;
            return self.fault(format!(
                "record {number} is of run {id}, which was never accepted"
            ));
        };
        if let Fact::Skipped {
            reason: SkipReason::Slots(unrun),
            ..
        } = &record.fact
        {
            run.unrun = Some(unrun.slots);
        }
        if let Some(what) = what(&record.fact) {
            let (number, at) = (record.number, record.at.mono);
            run.steps.push(Step { number, at, what });
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else there is says nothing that this checker holds against anything"
    )]
    fn of_no_run(&mut self, record: &Record) {
        match &record.fact {
            Fact::Announced { attempts } => {
                for attempt in attempts {
                    self.announced.entry(*attempt).or_insert(record.number);
                }
            }
            Fact::Configured { definitions } => {
                for job in definitions.jobs.values() {
                    for spec in &job.schedules {
                        let name = (Name::clone(&job.name), Arc::from(spec.to_string()));
                        self.specs.insert(name, Arc::clone(spec));
                    }
                }
            }
            Fact::Evaluated {
                job,
                schedule,
                memory,
            } => {
                let name = (Name::clone(job), Arc::clone(schedule));
                let spec = self.specs.get(&name).cloned();
                let entry = self.schedules.entry(name).or_insert_with(|| Schedule {
                    decided: vec![(memory.at, memory.at)],
                    waiting: Vec::new(),
                    spec: None,
                });
                entry.come_to(memory.at);
                entry.waiting.clone_from(&memory.waiting);
                entry.spec = spec;
            }
            Fact::Opened => self.opened.push(record.number),
            _ => {}
        }
    }
}

impl Schedule {
    /// Slots until `at` are decided on: those since the last ones, or if the clock was set back those from there on.
    fn come_to(&mut self, at: Wall) {
        match self.decided.last_mut() {
            Some((_, until)) if *until <= at => *until = at,
            Some(_) | None => self.decided.push((at, at)),
        }
    }
}

/// What a fact about a run says of its attempts and its end.
fn what(fact: &Fact) -> Option<What> {
    let over = |state: &FinalState| match state {
        FinalState::Succeeded => Left::Succeeded,
        FinalState::Failed(failure) => Left::Failed(failure.clone()),
        FinalState::Cancelled(_) => Left::Cancelled,
    };
    Some(match fact {
        Fact::Accepted { .. } => What::Accepted,
        Fact::Started { epoch, .. } => What::Started(*epoch),
        Fact::Ended { epoch, state, .. } => What::Left(*epoch, over(state)),
        Fact::Retrying {
            epoch,
            failure,
            due,
            ..
        } => What::Left(*epoch, Left::Retrying(failure.clone(), *due)),
        Fact::Interrupted { epoch, cause, .. } => {
            What::Left(*epoch, Left::Interrupted(cause.clone()))
        }
        Fact::Gathered { state, .. } => What::Over(over(state).state()?),
        Fact::GivenUp { .. } => What::Over(StateKind::Failed),
        Fact::Cancelled { .. } => What::Over(StateKind::Cancelled),
        Fact::Skipped { .. } => What::Over(StateKind::Skipped),
        Fact::Retried { .. } => What::Retried,
        Fact::Released { .. }
        | Fact::Met { .. }
        | Fact::Spread { .. }
        | Fact::Due { .. }
        | Fact::Began { .. }
        | Fact::Stopping { .. }
        | Fact::Unresponsive { .. }
        | Fact::Sent { .. }
        | Fact::Opened
        | Fact::Configured { .. }
        | Fact::Evaluated { .. }
        | Fact::BackfillAccepted { .. }
        | Fact::BackfillMoved { .. }
        | Fact::BackfillEnded { .. }
        | Fact::Misplaced { .. }
        | Fact::Reconsidered { .. }
        | Fact::ClockSet { .. }
        | Fact::Heard { .. }
        | Fact::Absent { .. }
        | Fact::Announced { .. }
        | Fact::Draining
        | Fact::Leaving
        | Fact::Paused { .. }
        | Fact::Resumed { .. } => return None,
    })
}

impl Left {
    /// The state in which the run is over with it; `None` where it goes on.
    pub(crate) const fn state(&self) -> Option<StateKind> {
        match self {
            Self::Succeeded => Some(StateKind::Succeeded),
            Self::Failed(_) => Some(StateKind::Failed),
            Self::Cancelled => Some(StateKind::Cancelled),
            Self::Retrying(..) | Self::Interrupted(_) => None,
        }
    }

    /// Whether nothing of it was done.
    pub(crate) const fn had_not_begun(&self) -> bool {
        matches!(
            self,
            Self::Interrupted(Interruption::NoRoom(_) | Interruption::Unbegun)
        )
    }

    /// With what code its command had exited, where that is why it failed.
    pub(crate) const fn exit(&self) -> Option<i32> {
        match self {
            Self::Failed(Failure::Exit(code)) | Self::Retrying(Failure::Exit(code), _) => {
                Some(*code)
            }
            Self::Succeeded
            | Self::Failed(_)
            | Self::Cancelled
            | Self::Retrying(..)
            | Self::Interrupted(_) => None,
        }
    }
}

impl What {
    /// The state in which the run is over with it; `None` where it goes on.
    pub(crate) const fn over(&self) -> Option<StateKind> {
        match self {
            Self::Over(state) => Some(*state),
            Self::Left(_, left) => left.state(),
            Self::Accepted | Self::Started(_) | Self::Retried => None,
        }
    }
}

impl Run {
    /// The state in which it is over; `None` where it is not.
    pub(crate) fn over(&self) -> Option<StateKind> {
        self.steps.last()?.what.over()
    }

    /// The steps since it was last tried once more.
    pub(crate) fn latest(&self) -> &[Step] {
        let is_retried = |step: &Step| step.what == What::Retried;
        let begin = self.steps.iter().rposition(is_retried).unwrap_or(0);
        &self.steps[begin..]
    }

    /// The attempt that runs.
    pub(crate) fn running(&self) -> Option<u32> {
        match self.steps.last()?.what {
            What::Started(epoch) => Some(epoch),
            What::Accepted | What::Left(..) | What::Over(_) | What::Retried => None,
        }
    }

    /// Whether the start of an attempt is on record.
    pub(crate) fn has_started(&self, epoch: u32) -> bool {
        self.steps
            .iter()
            .any(|step| step.what == What::Started(epoch))
    }

    /// How an attempt left its lane; `None` where that is not on record.
    pub(crate) fn left(&self, epoch: u32) -> Option<&Left> {
        self.steps.iter().find_map(|step| match &step.what {
            What::Left(of, left) if *of == epoch => Some(left),
            What::Accepted | What::Started(_) | What::Left(..) | What::Over(_) | What::Retried => {
                None
            }
        })
    }
}
