//! The slots of a schedule: the next one, the last one, how many. Each answer is worked out from the schedule
//! alone, so nothing is carried along that could come out of step.

use serde::{Deserialize, Serialize};

use super::SECOND;
use super::cron::Cron;
use super::spec::{Fold, Gap, ScheduleSpec, Trigger};
use super::zone::Stretch;
use crate::engine::time::Wall;

/// Slots are counted up to here; the count of more is "at least so many".
const COUNTED: u64 = 1_000;

/// Slots of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The first.
    pub first: Wall,
    /// The last.
    pub last: Wall,
    /// How many, at least.
    pub count: u64,
    /// There are more than that.
    pub more: bool,
}

impl Passed {
    /// One slot.
    #[must_use]
    pub const fn one(slot: Wall) -> Self {
        Self {
            first: slot,
            last: slot,
            count: 1,
            more: false,
        }
    }
}

/// What is peculiar about a slot, or about a civil time that is none. Civil times are seconds since
/// 1970-01-01T00:00 on a clock that is never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dst {
    /// It stands for civil times that the clock skips, of which this is the first.
    Moved(i64),
    /// The clock shows its civil time twice; this is the first time.
    First,
    /// The clock shows its civil time twice; this is the second time.
    Second,
    /// This civil time is no slot, because the clock skips it.
    Skipped(i64),
    /// This civil time is no slot when the clock shows it the second time.
    NotTwice(i64),
}

impl ScheduleSpec {
    /// The first slot after `after`. Without rules of the zone there is none.
    #[must_use]
    pub fn next_after(&self, after: Wall) -> Option<Wall> {
        let after = match self.from {
            Some(from) => after.0.max(from.0.saturating_sub(1)),
            None => after.0,
        };
        let slot = match &self.trigger {
            Trigger::Cron(cron) => {
                let second = self.cron_after(cron, after.div_euclid(SECOND))?;
                second.checked_mul(SECOND)?
            }
            Trigger::Every(period) => {
                let period = i64::try_from(period.as_micros()).ok()?.max(1);
                let anchor = self.from.map_or(0, |from| from.0);
                let past = after.checked_sub(anchor)?.div_euclid(period);
                anchor.checked_add(past.checked_add(1)?.checked_mul(period)?)?
            }
            Trigger::At(at) if at.0 > after => at.0,
            Trigger::At(_) => return None,
        };
        self.until
            .is_none_or(|until| slot < until.0)
            .then_some(Wall(slot))
    }

    /// The last slot that is after `after` and not after `until`.
    #[must_use]
    pub fn last_until(&self, after: Wall, until: Wall) -> Option<Wall> {
        let within = |from: Wall| self.next_after(from).filter(|slot| *slot <= until);
        let mut last = within(after)?;
        // Nothing is between the last slot and this.
        let mut empty = until;
        while last < empty {
            let middle = Wall(last.0 + (empty.0 - last.0) / 2);
            match within(middle) {
                Some(slot) => last = slot,
                None => empty = middle,
            }
        }
        Some(last)
    }

    /// The slots that are after `after` and not after `until`.
    #[must_use]
    pub fn passed(&self, after: Wall, until: Wall) -> Option<Passed> {
        let first = self.next_after(after).filter(|slot| *slot <= until)?;
        let mut passed = Passed {
            first,
            last: first,
            count: 1,
            more: false,
        };
        while let Some(slot) = self.next_after(passed.last).filter(|slot| *slot <= until) {
            if passed.count == COUNTED {
                passed.more = true;
                passed.last = self.last_until(passed.last, until).unwrap_or(slot);
                break;
            }
            passed.last = slot;
            passed.count += 1;
        }
        Some(passed)
    }

    /// The first second after `after` at which `cron` has a slot.
    fn cron_after(&self, cron: &Cron, after: i64) -> Option<i64> {
        let mut after = after;
        let mut stretch = self.zone.at(after)?;
        loop {
            let mut shown = after.checked_add(stretch.offset)?;
            if self.fold == Fold::First
                && !bug!("fold-fires-twice")
                && let Some(start) = stretch.start
            {
                // Until there the clock shows what it has shown before.
                shown = shown.max(start.at + start.before - 1);
            }
            let slot = cron.next(shown)? - stretch.offset;
            let Some(end) = stretch.end else {
                return Some(slot);
            };
            if slot < end {
                return Some(slot);
            }
            stretch = self.zone.stretch(stretch.index + 1)?;
            if self.gap == Gap::AtTransition
                && lost(cron, stretch).is_some()
                && !bug!("gap-fires-never")
            {
                return Some(end);
            }
            after = end - 1;
        }
    }

    /// What is peculiar about a slot; `None` about most.
    #[must_use]
    pub fn dst(&self, slot: Wall) -> Option<Dst> {
        let Trigger::Cron(cron) = &self.trigger else {
            return None;
        };
        let second = slot.0.div_euclid(SECOND);
        let stretch = self.zone.at(second)?;
        let shown = second + stretch.offset;
        if let Some(start) = stretch.start {
            if start.at == second && cron.next(shown - 1) != Some(shown) {
                return lost(cron, stretch).map(Dst::Moved);
            }
            if shown < start.at + start.before {
                return Some(Dst::Second);
            }
        }
        let next = self.zone.stretch(stretch.index + 1)?;
        let back = next.start.filter(|start| next.offset < start.before)?;
        (shown >= back.at + next.offset).then_some(Dst::First)
    }

    /// The civil times after `after` and not after `until` that match and are no slots, because of
    /// changes of the clock: of each change the first, with the instant that it would have come at.
    #[must_use]
    pub fn lost(&self, after: Wall, until: Wall) -> Vec<(Wall, Dst)> {
        let Trigger::Cron(cron) = &self.trigger else {
            return Vec::new();
        };
        let (after, until) = (after.0.div_euclid(SECOND), until.0.div_euclid(SECOND));
        let mut found = Vec::new();
        let Some(first) = self.zone.at(after) else {
            return found;
        };
        let changed = (first.index.max(1)..).map_while(|index| self.zone.stretch(index));
        for stretch in changed {
            let Some(start) = stretch.start.filter(|start| start.at <= until) else {
                break;
            };
            let gone = if stretch.offset > start.before && self.gap == Gap::Skip {
                lost(cron, stretch).map(|shown| (start.at, Dst::Skipped(shown)))
            } else if stretch.offset < start.before && self.fold == Fold::First {
                cron.next(start.at + stretch.offset - 1)
                    .filter(|shown| *shown < start.at + start.before)
                    .map(|shown| (shown - stretch.offset, Dst::NotTwice(shown)))
            } else {
                None
            };
            if let Some((at, why)) = gone
                && at > after
                && at <= until
            {
                found.push((Wall(at * SECOND), why));
            }
        }
        found
    }

    /// What the clocks of its zone show at `at`: seconds since 1970-01-01T00:00 on a clock that is never
    /// changed.
    #[must_use]
    pub fn shown(&self, at: Wall) -> i64 {
        let second = at.0.div_euclid(SECOND);
        second + self.zone.offset(second)
    }

    /// The blackout that a slot is in, as it was written.
    #[must_use]
    pub fn blackout_at(&self, slot: Wall) -> Option<&str> {
        if self.blackout.is_empty() {
            return None;
        }
        let shown = self.shown(slot);
        let blackout = self.blackout.iter().find(|b| b.covers(shown));
        blackout.map(super::Blackout::text)
    }
}

/// The first civil time that matches and that the clock skips when the stretch begins.
fn lost(cron: &Cron, stretch: Stretch) -> Option<i64> {
    let start = stretch.start?;
    cron.next(start.at + start.before - 1)
        .filter(|shown| *shown < start.at + stretch.offset)
}
