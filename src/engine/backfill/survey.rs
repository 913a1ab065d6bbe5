//! What a backfill is to do: the slots of a stretch of time, and which of them are left out, and why. Pure
//! calculation, from what a schedule and a store say.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::engine::StateKind;
use crate::engine::id::RunId;
use crate::engine::schedule::ScheduleSpec;
use crate::engine::time::Wall;

/// Slots of one backfill, those that are left out included: eleven years of an hourly schedule, and not more
/// than a daemon can list in a moment.
pub const SLOTS_BOUND: usize = 100_000;

/// What of the slots that have a run on record is run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// None of them.
    #[default]
    No,
    /// Those whose runs have all failed or been cancelled.
    Failed,
    /// All of them whose runs are over.
    All,
}

/// Why a slot is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// It has this run on record, which is in this state.
    Ran(RunId, StateKind),
    /// Its schedule has yet to decide on it.
    Undecided,
    /// It is in line behind a run of an earlier slot.
    InLine,
    /// It is within this blackout.
    Blackout(Arc<str>),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ran(run, state) => write!(f, "run {run} {}", state.as_str()),
            Self::Undecided => f.write_str("its schedule has yet to decide on it"),
            Self::InLine => f.write_str("it waits for a run of its schedule to be over"),
            Self::Blackout(text) => write!(f, "within the blackout `{text}`"),
        }
    }
}

/// What is known of the slots of a schedule.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Up to here its slots are decided on; `None` where it is not in force.
    pub decided: Option<Wall>,
    /// Slots that wait until a run is over.
    pub waiting: Vec<Wall>,
    /// The runs of slots that are on record.
    pub ran: BTreeMap<Wall, Vec<(RunId, StateKind)>>,
}

/// What became of the slots of a stretch of time, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Each slot, and why it is left out, if it is.
    pub slots: Vec<(Wall, Option<LeftOut>)>,
}

impl Survey {
    /// Looks at the slots from `from` until `until`, both included; `None` if they are more than
    /// [`SLOTS_BOUND`].
    #[must_use]
    pub fn of(
        spec: &ScheduleSpec,
        (from, until): (Wall, Wall),
        known: &Known,
        again: Again,
    ) -> Option<Self> {
        let mut slots = Vec::new();
        let mut after = Wall(from.0.saturating_sub(1));
        while let Some(slot) = spec.next_after(after).filter(|slot| *slot <= until) {
            if slots.len() == SLOTS_BOUND {
                return None;
            }
            slots.push((slot, left_out(spec, slot, known, again)));
            after = slot;
        }
        Some(Self { slots })
    }

    /// How many are to be run.
    #[must_use]
    pub fn count(&self) -> usize {
        self.slots.iter().filter(|(_, why)| why.is_none()).count()
    }

    /// Where those are that are left out: stretches from a slot to a slot.
    #[must_use]
    pub fn stretches(&self) -> Box<[(Wall, Wall)]> {
        let mut stretches: Vec<(Wall, Wall)> = Vec::new();
        let mut goes_on = false;
        for (slot, why) in &self.slots {
            match (why, stretches.last_mut()) {
                (Some(_), Some(last)) if goes_on => last.1 = *slot,
                (Some(_), _) => stretches.push((*slot, *slot)),
                (None, _) => {}
            }
            goes_on = why.is_some();
        }
        stretches.into()
    }
}

fn left_out(spec: &ScheduleSpec, slot: Wall, known: &Known, again: Again) -> Option<LeftOut> {
    if let Some(text) = spec.blackout_at(slot) {
        return Some(LeftOut::Blackout(text.into()));
    }
    if known.decided.is_none_or(|decided| slot > decided) {
        return Some(LeftOut::Undecided);
    }
    if known.waiting.contains(&slot) {
        return Some(LeftOut::InLine);
    }
    let runs = known.ran.get(&slot)?;
    // The best of them says what became of the slot.
    let (run, state) = *runs.iter().max_by_key(|(_, state)| rank(*state))?;
    let is_again = match (again, state) {
        (_, state) if !state.is_final() => false,
        (Again::No, _) | (Again::Failed, StateKind::Succeeded) => false,
        (Again::Failed | Again::All, _) => true,
    };
    (!is_again).then_some(LeftOut::Ran(run, state))
}

const fn rank(state: StateKind) -> u8 {
    match state {
        StateKind::Skipped => 0,
        StateKind::Cancelled => 1,
        StateKind::Failed => 2,
        StateKind::Succeeded => 3,
        StateKind::Scheduled
        | StateKind::Blocked
        | StateKind::Queued
        | StateKind::Running
        | StateKind::Stopping
        | StateKind::Unresponsive => 4,
    }
}
