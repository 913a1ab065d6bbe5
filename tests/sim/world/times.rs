//! At which times schedules may have something run, by their words alone: the slots of the one that goes by the clocks of
//! a zone, worked out from when those are changed; spans and blackouts; and how late a slot may be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, Weekday, date};
use jiff::tz::Offset;
use twolane::engine::fact::{Fact, Slot};
use twolane::engine::id::RunId;
use twolane::engine::outcome::{SkipReason, Unrun, Why};
use twolane::engine::schedule::{Fold, Gap, MissedPolicy, ScheduleSpec};
use twolane::engine::spec::Name;
use twolane::engine::time::Wall;

use super::World;

/// How late a slot may be to count as run in its time.
const LATE: Duration = Duration::from_secs(60);

/// How many days of the daily schedule are worked out: there is a change of clocks among them.
const DAYS: i64 = 250;

const DAY: i64 = 86_400;
const SECOND: i64 = 1_000_000;

impl World {
    /// Gives how many slots were left out because of a blackout.
    pub(super) fn check_times(&self) -> u64 {
        self.check_daily();
        let mut why: BTreeMap<RunId, &Unrun> = BTreeMap::new();
        for record in &self.disk {
            if let Fact::Skipped {
                run,
                reason: SkipReason::Slots(unrun),
                ..
            } = &record.fact
            {
                why.insert(*run, unrun);
            }
        }
        let is_set =
            |fact: &Fact| matches!(fact, Fact::ClockSet { .. } | Fact::BackfillAccepted { .. });
        let goes_on = !self.disk.iter().any(|record| is_set(&record.fact));
        // Those that have stood in line for a run to be over may be as late as that makes them.
        let mut in_line: BTreeSet<(&Name, &Arc<str>, Wall)> = BTreeSet::new();
        let mut blacked_out = 0;
        for record in &self.disk {
            let now = record.at.wall;
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "the others say nothing of slots"
            )]
            match &record.fact {
                Fact::Evaluated {
                    job,
                    schedule,
                    memory,
                } => {
                    for slot in &memory.waiting {
                        if in_line.insert((job, schedule, *slot)) {
                            check_age(self.spec(job, schedule), job, *slot, now);
                        }
                    }
                }
                Fact::Accepted {
                    run,
                    job,
                    slot: Some(slot),
                    ..
                } => {
                    let spec = self.spec(&job.name, &slot.schedule);
                    match why.get(run) {
                        Some(unrun) => {
                            blacked_out += u64::from(matches!(unrun.why, Why::Blackout(_)));
                            check_left_out(spec, &job.name, unrun, now, goes_on);
                        }
                        None => {
                            self.check_within(spec, &job.name, slot);
                            let key = (&job.name, &slot.schedule, slot.at);
                            if slot.backfill.is_none() && !in_line.contains(&key) {
                                check_age(spec, &job.name, slot.at, now);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        blacked_out
    }

    fn spec(&self, job: &Name, schedule: &Arc<str>) -> &ScheduleSpec {
        &self.schedules[&(Name::clone(job), Arc::clone(schedule))]
    }

    /// A slot that is run is one that its schedule means.
    fn check_within(&self, spec: &ScheduleSpec, job: &str, slot: &Slot) {
        let at = slot.at;
        let begun = spec.from.is_none_or(|from| at >= from);
        let goes_on = spec.until.is_none_or(|until| at < until);
        assert!(begun && goes_on, "{slot:?} of {job} is out of its span");
        assert!(
            !is_blacked_out(spec, at),
            "{slot:?} of {job} is in a blackout"
        );
        if job == "daily" {
            let day = at.0.div_euclid(DAY * SECOND);
            let of_day = slots_of_day(day, spec.gap, spec.fold);
            assert!(of_day.contains(&at), "{slot:?} is none of {of_day:?}");
        }
    }

    /// The schedule that goes by the clocks of a zone has just the slots that it means.
    fn check_daily(&self) {
        let daily = self
            .schedules
            .iter()
            .find(|((job, _), _)| &**job == "daily");
        let Some((_, spec)) = daily else {
            return;
        };
        let first = self.swarm.beginning.div_euclid(DAY);
        let days = first..first + DAYS;
        let expected = days.flat_map(|day| slots_of_day(day, spec.gap, spec.fold));
        let mut after = Wall(first * DAY * SECOND - 1);
        for slot in expected {
            assert_eq!(spec.next_after(after), Some(slot), "{spec} after {after:?}");
            after = slot;
        }
    }
}

/// The instants of a day, counted from 1970 on, at which the clocks of Berlin show half past two; those that are put
/// forward at two do not.
fn slots_of_day(day: i64, gap: Gap, fold: Fold) -> Vec<Wall> {
    let noon = jiff::Timestamp::from_second(day * DAY + DAY / 2).unwrap();
    let today = Offset::UTC.to_datetime(noon).date();
    let (forward, back) = (last_sunday(today.year(), 3), last_sunday(today.year(), 10));
    let minutes: &[i64] = if today == forward {
        match gap {
            Gap::Skip => &[],
            Gap::AtTransition => &[60],
        }
    } else if today == back {
        match fold {
            Fold::First => &[30],
            Fold::Both => &[30, 90],
        }
    } else if forward < today && today < back {
        &[30]
    } else {
        &[90]
    };
    let at = |minute: &i64| Wall((day * DAY + minute * 60) * SECOND);
    minutes.iter().map(at).collect()
}

/// Of a month with 31 days.
fn last_sunday(year: i16, month: i8) -> Date {
    let mut day = date(year, month, 31);
    while day.weekday() != Weekday::Sunday {
        day = day.yesterday().unwrap();
    }
    day
}

/// By the two blackouts that there are.
fn is_blacked_out(spec: &ScheduleSpec, at: Wall) -> bool {
    let shown = spec.shown(at);
    let hour = shown.rem_euclid(DAY) / 3600;
    // The first day of 1970 was a Thursday.
    let weekday = (shown.div_euclid(DAY) + 4).rem_euclid(7);
    spec.blackout.iter().any(|blackout| match blackout.text() {
        "10:00-14:00" => (10..14).contains(&hour),
        "Sat,Sun" => weekday == 0 || weekday == 6,
        other => panic!("no such blackout: {other}"),
    })
}

/// What is older than its schedule makes up for is not run.
fn check_age(spec: &ScheduleSpec, job: &str, slot: Wall, now: Wall) {
    let most = match (spec.missed.policy, spec.missed.window) {
        (MissedPolicy::Skip, _) => LATE,
        (MissedPolicy::Latest | MissedPolicy::All, None) => return,
        (MissedPolicy::Latest | MissedPolicy::All, Some(window)) => window.max(LATE),
    };
    let most = most + spec.jitter_of(job);
    let age = Duration::from_micros(u64::try_from(now.0 - slot.0).unwrap_or(0));
    assert!(age <= most, "the slot {slot:?} of {job} runs {age:?} late");
}

/// What is left out is so for the reason that it says; of what was missed that can be told where time `goes_on`.
fn check_left_out(spec: &ScheduleSpec, job: &str, unrun: &Unrun, now: Wall, goes_on: bool) {
    let last = unrun.slots.last;
    if matches!(unrun.why, Why::Blackout(_)) {
        assert!(is_blacked_out(spec, last), "{unrun} of {job} is in none");
    }
    if unrun.why != Why::Missed || !goes_on {
        return;
    }
    let jitter = i64::try_from(spec.jitter_of(job).as_micros()).unwrap();
    let now = Wall(now.0 - jitter);
    let (limit, most) = match spec.missed.policy {
        MissedPolicy::Skip => (Some(LATE), 1),
        MissedPolicy::Latest => (spec.missed.window, 1),
        MissedPolicy::All => (spec.missed.window, u64::from(spec.missed.max)),
    };
    let age = Duration::from_micros(u64::try_from(now.0 - last.0).unwrap_or(0));
    let is_old = limit.is_some_and(|limit| age > limit);
    let newer = spec.passed(last, now).map_or(0, |passed| passed.count);
    assert!(is_old || newer >= most, "{unrun} of {job} could be run");
}
