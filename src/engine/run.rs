//! One run as the engine keeps it: its job, its state, and what hangs on it.

use std::sync::Arc;

use serde_json::Value;

use super::capacity::ClassId;
use super::flow::{Parts, Ties};
use super::id::RunId;
use super::outcome::{Failure, SkipReason, StopReason};
use super::spec::{CRASHES_BOUND, JobSpec, OnCrash, Priority};
use super::ties::UniqueKey;
use super::time::{Mono, Wall};

/// Where a run stands. Data lives only in the state in which it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Its time has not come.
    Scheduled {
        /// When it comes.
        due: Mono,
    },
    /// It comes after runs that have not all succeeded yet.
    Blocked,
    /// It waits for room in its lane, its pool and its limits.
    Queued {
        /// Its place in the order of all that was ever queued.
        ticket: u64,
        /// Since when.
        since: Mono,
    },
    /// An attempt holds what it needs and is in its lane.
    Running {
        /// Since when.
        since: Mono,
        /// When its timeout passes.
        deadline: Option<Mono>,
    },
    /// The attempt was asked to stop and something of it may still run.
    Stopping {
        /// Since when the attempt has been in its lane.
        since: Mono,
        /// Why.
        reason: StopReason,
        /// When it counts as unresponsive, unless it has left its lane.
        until: Mono,
    },
    /// The attempt was asked to stop, and is still in its lane when its time for that is over. Its place
    /// in the lane is given to another one, and all else that it holds is not.
    Unresponsive {
        /// Since when the attempt has been in its lane.
        since: Mono,
        /// Why it was asked to stop.
        reason: StopReason,
        /// Since when it counts as unresponsive.
        from: Mono,
        /// When it was asked to stop for the first time.
        asked: Mono,
        /// Whether its place in the lane stays its own.
        kept: bool,
    },
    /// The work was done.
    Succeeded,
    /// It was not.
    Failed(Failure),
    /// It was stopped, or never started, because somebody or the daemon wanted so.
    Cancelled(StopReason),
    /// It never started, because of something else.
    Skipped(SkipReason),
}

/// The state without its data, for counts and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is explained at the variant of `RunState` of its name"
)]
pub enum StateKind {
    Scheduled,
    Blocked,
    Queued,
    Running,
    Stopping,
    Unresponsive,
    Succeeded,
    Failed,
    Cancelled,
    Skipped,
}

impl StateKind {
    /// All of them, in the order of a run's life.
    pub const ALL: [Self; 10] = [
        Self::Scheduled,
        Self::Blocked,
        Self::Queued,
        Self::Running,
        Self::Stopping,
        Self::Unresponsive,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Blocked => "blocked",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Unresponsive => "unresponsive",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether a run in this state is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Scheduled
            | Self::Blocked
            | Self::Queued
            | Self::Running
            | Self::Stopping
            | Self::Unresponsive => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Skipped => true,
        }
    }
}

impl RunState {
    /// The state without its data.
    #[must_use]
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Scheduled { .. } => StateKind::Scheduled,
            Self::Blocked => StateKind::Blocked,
            Self::Queued { .. } => StateKind::Queued,
            Self::Running { .. } => StateKind::Running,
            Self::Stopping { .. } => StateKind::Stopping,
            Self::Unresponsive { .. } => StateKind::Unresponsive,
            Self::Succeeded => StateKind::Succeeded,
            Self::Failed(_) => StateKind::Failed,
            Self::Cancelled(_) => StateKind::Cancelled,
            Self::Skipped(_) => StateKind::Skipped,
        }
    }

    /// Whether the run holds capacities: something of it is, or may be, in a lane.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(
            self,
            Self::Running { .. } | Self::Stopping { .. } | Self::Unresponsive { .. }
        )
    }

    /// Since when an attempt has been in its lane, while it is.
    #[must_use]
    pub(super) const fn since(&self) -> Option<Mono> {
        match self {
            Self::Running { since, .. }
            | Self::Stopping { since, .. }
            | Self::Unresponsive { since, .. } => Some(*since),
            Self::Scheduled { .. }
            | Self::Blocked
            | Self::Queued { .. }
            | Self::Succeeded
            | Self::Failed(_)
            | Self::Cancelled(_)
            | Self::Skipped(_) => None,
        }
    }

    /// Why the attempt was asked to stop, if it was and is still in its lane.
    #[must_use]
    pub const fn stop_reason(&self) -> Option<StopReason> {
        match self {
            Self::Stopping { reason, .. } | Self::Unresponsive { reason, .. } => Some(*reason),
            Self::Scheduled { .. }
            | Self::Blocked
            | Self::Queued { .. }
            | Self::Running { .. }
            | Self::Succeeded
            | Self::Failed(_)
            | Self::Cancelled(_)
            | Self::Skipped(_) => None,
        }
    }

    /// Whether the run has not started and may still do so.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        matches!(
            self,
            Self::Scheduled { .. } | Self::Blocked | Self::Queued { .. }
        )
    }
}

/// A run that waits for another, and the record that it began with.
pub(super) type Dependent = (RunId, u64);

/// A run in the engine's table. A million of these may wait, so what few runs have is boxed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) job: Arc<JobSpec>,
    pub(super) args: Option<Arc<Value>>,
    pub(super) links: Option<Box<Links>>,
    pub(super) state: RunState,
    pub(super) accepted: Wall,
    pub(super) due: Option<Mono>,
    pub(super) class: ClassId,
    /// Epoch of its last attempt; 0 before the first.
    pub(super) epoch: u32,
    /// How often the daemon or the machine went down under it.
    pub(super) crashes: u8,
    /// Number of the record that accepted it, or tried it once more.
    pub(super) born: u64,
    /// Whether an attempt of it has started since it was accepted or tried once more by hand.
    pub(super) begun: Begun,
    /// How many of its attempts have failed.
    pub(super) failures: u16,
    pub(super) priority: Priority,
}

/// Whether an attempt of a run has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    No,
    /// Its first one has, which may turn out to have waited in its lane until the daemon went down.
    First,
    /// Whatever may turn out of the newest.
    Surely,
}

impl Begun {
    pub(super) const fn is_begun(self) -> bool {
        matches!(self, Self::First | Self::Surely)
    }

    /// An attempt starts.
    pub(super) const fn started(self) -> Self {
        match self {
            Self::No => Self::First,
            Self::First | Self::Surely => Self::Surely,
        }
    }

    /// The newest attempt had not begun.
    pub(super) const fn taken_back(self) -> Self {
        match self {
            Self::No | Self::First => Self::No,
            Self::Surely => Self::Surely,
        }
    }
}

/// What only few runs have: what ties them to others, and until when they may wait.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Links {
    /// The runs that it comes after.
    pub(super) after: Box<[RunId]>,
    /// How many runs it waits for: of those, of its parts, and the one that it replaces.
    pub(super) open: usize,
    /// One that it comes after has succeeded, and that is what it waits for.
    pub(super) one_succeeded: bool,
    /// One that it comes after has not succeeded, and that is what it waits for.
    pub(super) one_failed: bool,
    /// The runs that wait for this one, each with the record that it began with: one that was cancelled and
    /// tried once more by hand may wait for others since.
    pub(super) dependents: Vec<Dependent>,
    /// What else ties it to others.
    pub(super) ties: Ties,
    /// What it has in common with others of which there is only one at a time.
    pub(super) unique: Option<UniqueKey>,
    /// What it was spread into.
    pub(super) parts: Option<Box<Parts>>,
    /// Until when its first attempt has to have started.
    pub(super) start_by: Option<Mono>,
    /// Until when it has to be over, from its first attempt on.
    pub(super) end_by: Option<Mono>,
}

impl Run {
    /// Whether another attempt may follow one that was cut short: not of work that must not be done
    /// twice.
    pub(super) fn may_start_again(&self) -> bool {
        self.job.task.is_future() || self.job.on_crash == OnCrash::Retry
    }

    /// The epoch that its next attempt has.
    pub(super) const fn next_epoch(&self) -> u32 {
        self.epoch + 1
    }

    /// Whether an attempt of this epoch is what comes next of it, and waits for nothing but room.
    pub(super) fn is_next(&self, epoch: u32) -> bool {
        self.state.kind() == StateKind::Queued && self.next_epoch() == epoch
    }

    /// Whether it may go down with the daemon once more before it counts as the cause.
    pub(super) const fn crashes_left(&self) -> bool {
        (self.crashes as u32) < CRASHES_BOUND
    }

    /// When it stops waiting in its state, if it does.
    pub(super) fn expires(&self) -> Option<Mono> {
        let links = self.links.as_ref()?;
        match self.state {
            RunState::Queued { .. } if self.begun.is_begun() => links.end_by,
            RunState::Queued { .. } => links.start_by,
            RunState::Scheduled { .. } => links.end_by,
            RunState::Blocked
            | RunState::Running { .. }
            | RunState::Stopping { .. }
            | RunState::Unresponsive { .. }
            | RunState::Succeeded
            | RunState::Failed(_)
            | RunState::Cancelled(_)
            | RunState::Skipped(_) => None,
        }
    }

    /// Its newest attempt had not begun: what counts from the first one does not count yet, if it was that.
    pub(super) fn take_back_start(&mut self) {
        self.begun = self.begun.taken_back();
        if let (false, Some(links)) = (self.begun.is_begun(), &mut self.links) {
            links.end_by = None;
        }
    }

    /// Whether its attempt has a timeout that does not count yet: only what bounds the run as a whole does.
    pub(super) fn waits_to_begin(&self) -> bool {
        let counts = self.job.timeout.is_some() && self.job.begins_in_lane();
        counts
            && matches!(self.state, RunState::Running { deadline, .. } if deadline == self.end_by())
    }

    /// Until when it has to be over, once its first attempt has started.
    pub(super) fn end_by(&self) -> Option<Mono> {
        self.links.as_ref().and_then(|links| links.end_by)
    }

    pub(super) fn after(&self) -> &[RunId] {
        self.links.as_ref().map_or(&[], |links| &links.after)
    }

    /// What ties it to others, if anything does.
    pub(super) fn ties(&self) -> Option<&Ties> {
        self.links.as_ref().map(|links| &links.ties)
    }

    /// The run that it is a part of.
    pub(super) fn part_of(&self) -> Option<RunId> {
        self.ties()?.part_of
    }

    /// What it was spread into, if it was.
    pub(super) fn parts(&self) -> Option<&Parts> {
        self.links.as_ref()?.parts.as_deref()
    }

    pub(super) fn dependents(&self) -> &[Dependent] {
        self.links.as_ref().map_or(&[], |links| &links.dependents)
    }

    pub(super) fn links_mut(&mut self) -> &mut Links {
        self.links.get_or_insert_with(Box::default)
    }
}
