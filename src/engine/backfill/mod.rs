//! Backfills: slots of the past that are run because somebody asks for them. What is on record of one, and the
//! table of those that go on. The table changes only as facts are taken in.

pub(super) mod going;
pub mod survey;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::flow::Over;
use super::id::{BackfillId, RunId};
use super::schedule::ScheduleSpec;
use super::schedule::spec::Moment;
use super::spec::Name;
use super::time::Wall;

/// Backfills that are remembered: those that go on, and of those that are over the newest, as long as there is
/// room. Each has a place in what the store keeps, so this bounds that, too.
pub const PLACES: u8 = 32;

/// Runs of a backfill that are unfinished at a time, at most: beyond it nobody looks after each any more.
pub const AT_ONCE_BOUND: u32 = 10_000;

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Its number.
    pub id: BackfillId,
    /// Its place among those that are remembered: 0 to [`PLACES`].
    pub place: u8,
    /// Whose slots.
    pub job: Name,
    /// By which of its schedules: what that is told by.
    pub schedule: Arc<str>,
    /// Slots from here on,
    pub from: Wall,
    /// and up to here, this instant included.
    pub until: Wall,
    /// How many of its runs may be unfinished at a time.
    pub at_once: u32,
    /// How many slots it was to run when it was accepted.
    pub slots: u64,
    /// How many in between it was not to.
    #[serde(default)]
    pub left_out: u64,
    /// Where those are: stretches from the first instant to the second, both included, in order. Empty once it
    /// is over.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub stretches: Box<[(Wall, Wall)]>,
    /// When it was accepted.
    pub accepted: Wall,
}

/// How far one has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Went {
    /// Slots up to here have their run, or are left out.
    pub at: Wall,
    /// Runs that were made.
    pub begun: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
    /// Those that never started, because of something else.
    pub skipped: u64,
}

impl Went {
    /// Runs that were made and are not over.
    #[must_use]
    pub const fn unfinished(&self) -> u64 {
        let over = self.succeeded + self.failed + self.cancelled + self.skipped;
        self.begun.saturating_sub(over)
    }

    const fn count(&mut self, over: Over) {
        match over {
            Over::Succeeded => self.succeeded += 1,
            Over::Failed => self.failed += 1,
            Over::Cancelled => self.cancelled += 1,
            Over::Skipped => self.skipped += 1,
        }
    }
}

impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} succeeded, {} failed", self.succeeded, self.failed)?;
        let others = [
            (self.cancelled, "cancelled"),
            (self.skipped, "never started"),
            (self.unfinished(), "unfinished"),
        ];
        for (count, word) in others {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}

/// Why no more slots are run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All slots have been run.
    Done,
    /// Somebody asked for it.
    Cancelled,
    /// The job, or that schedule of it, is no more.
    Removed,
    /// Runs of the job are not accepted any more, for this reason.
    Refused(Arc<str>),
}

impl Ending {
    /// One word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Removed => "removed",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Cancelled => f.write_str("cancelled on request"),
            Self::Removed => f.write_str("ended, for its schedule was taken away or changed"),
            Self::Refused(why) => write!(f, "ended, for its runs are not accepted: {why}"),
        }
    }
}

impl fmt::Display for Backfill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            schedule,
            slots,
            at_once,
            left_out,
            ..
        } = self;
        let (from, to) = (Moment(self.from), Moment(self.to()));
        write!(
            f,
            "backfill {id}: {slots} slots of {schedule} from {from} and before {to}, {at_once} at a time"
        )?;
        if *left_out > 0 {
            write!(f, "; {left_out} left out")?;
        }
        Ok(())
    }
}

impl Backfill {
    /// The first instant after those that it is about.
    #[must_use]
    pub const fn to(&self) -> Wall {
        Wall(self.until.0.saturating_add(1))
    }

    /// What is said of it when it is over.
    #[must_use]
    pub fn over(&self, went: &Went, ending: &Ending) -> String {
        let (id, slots, left_out) = (self.id, self.slots, self.left_out);
        let begun = went.begun;
        let mut text = format!("backfill {id} {ending}: {begun} of {slots} slots run, {went}");
        if left_out > 0 {
            text.push_str(&format!("; {left_out} left out"));
        }
        text
    }

    /// The same without what only one that goes on needs.
    pub(super) fn bare(&self) -> Self {
        Self {
            stretches: Box::default(),
            ..self.clone()
        }
    }

    /// Whether it has slots of the same schedule in common with such a stretch, both ends included.
    #[must_use]
    pub fn meets(&self, job: &Name, schedule: &str, (from, until): (Wall, Wall)) -> bool {
        *self.job == **job
            && *self.schedule == *schedule
            && self.from <= until
            && from <= self.until
    }

    /// Its next slot after `at`, by its schedule.
    fn next_slot(&self, spec: &ScheduleSpec, at: Wall) -> Option<Wall> {
        let mut after = at;
        loop {
            let slot = spec.next_after(after).filter(|slot| *slot <= self.until)?;
            match self.left_out_until(slot) {
                Some(until) => after = until,
                None => return Some(slot),
            }
        }
    }

    /// The end of the stretch that is left out in which `slot` is.
    fn left_out_until(&self, slot: Wall) -> Option<Wall> {
        let after = self.stretches.partition_point(|(_, to)| *to < slot);
        let (from, to) = self.stretches.get(after)?;
        (*from <= slot).then_some(*to)
    }
}

/// One that goes on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Going {
    pub(super) backfill: Arc<Backfill>,
    pub(super) went: Went,
    /// Its runs that are unfinished.
    pub(super) open: u32,
    /// Of its runs that have ended since, how each did.
    heard: Vec<Over>,
}

impl Going {
    /// How far it has come, with what was heard since.
    fn now(&self) -> Went {
        let mut went = self.went;
        for over in &self.heard {
            went.count(*over);
        }
        went
    }
}

/// One that is over.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ended {
    pub(super) backfill: Arc<Backfill>,
    pub(super) went: Went,
    pub(super) ending: Ending,
    /// Number of the record that says so.
    record: u64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Backfills {
    pub(super) going: BTreeMap<BackfillId, Going>,
    pub(super) over: BTreeMap<BackfillId, Ended>,
    /// The unfinished runs of backfills.
    runs: BTreeMap<RunId, BackfillId>,
    /// The highest number so far.
    pub(super) newest: BackfillId,
}

impl Backfills {
    /// A place for another one: one that is free, else that of the one that was over first.
    fn place(&self) -> Option<u8> {
        let of_going = self.going.values().map(|going| going.backfill.place);
        let of_over = self.over.values().map(|ended| ended.backfill.place);
        let taken: Vec<u8> = of_going.chain(of_over).collect();
        let free = (0..PLACES).find(|place| !taken.contains(place));
        let oldest = || self.over.values().next().map(|ended| ended.backfill.place);
        free.or_else(oldest)
    }

    pub(super) fn accept(&mut self, backfill: &Arc<Backfill>) {
        self.newest = self.newest.max(backfill.id);
        self.over
            .retain(|_, ended| ended.backfill.place != backfill.place);
        let at = Wall(backfill.from.0.saturating_sub(1));
        let going = Going {
            backfill: Arc::clone(backfill),
            went: Went {
                at,
                ..Went::default()
            },
            open: 0,
            heard: Vec::new(),
        };
        self.going.insert(backfill.id, going);
    }

    /// Takes in how far one has come. Of one that is over the last such record may come again in a recovery.
    pub(super) fn moved(&mut self, id: BackfillId, went: Went) {
        if let Some(going) = self.going.get_mut(&id) {
            going.went = went;
            going.heard.clear();
        }
    }

    pub(super) fn end(
        &mut self,
        backfill: &Arc<Backfill>,
        (went, ending): (Went, &Ending),
        record: u64,
    ) {
        self.newest = self.newest.max(backfill.id);
        self.going.remove(&backfill.id);
        let ended = Ended {
            backfill: Arc::clone(backfill),
            went,
            ending: ending.clone(),
            record,
        };
        self.over.insert(backfill.id, ended);
    }

    /// Takes in that there is a run of one.
    pub(super) fn opened(&mut self, id: BackfillId, run: RunId) {
        self.runs.insert(run, id);
        if let Some(going) = self.going.get_mut(&id) {
            going.open += 1;
        }
    }

    /// Takes in that a run is over, be it of a backfill or not.
    pub(super) fn closed(&mut self, run: RunId, over: Over) {
        if let Some(id) = self.runs.remove(&run)
            && let Some(going) = self.going.get_mut(&id)
        {
            going.open -= 1;
            going.heard.push(over);
        }
    }

    /// Whether an end was heard that is not on record yet.
    pub(super) fn has_heard(&self) -> bool {
        self.going.values().any(|going| !going.heard.is_empty())
    }

    /// The unfinished runs of one.
    fn runs_of(&self, id: BackfillId) -> Vec<RunId> {
        let of = self.runs.iter().filter(|(_, of)| **of == id);
        of.map(|(run, _)| *run).collect()
    }

    /// Whether each one's unfinished runs are counted; otherwise what is wrong.
    pub(super) fn fault(&self) -> Option<String> {
        for (id, going) in &self.going {
            let open = self.runs_of(*id).len();
            if open != going.open as usize || open > going.backfill.at_once as usize {
                let (counted, most) = (going.open, going.backfill.at_once);
                return Some(format!(
                    "backfill {id} has {open} unfinished runs, counts {counted}, and may have {most}"
                ));
            }
        }
        let places = self.going.len() + self.over.len();
        (places > usize::from(PLACES)).then(|| format!("{places} backfills are remembered"))
    }
}
