//! Every zone there is, every change of its clocks from 2020 to 2040, every policy: against the rule, written
//! down once more in the plainest way, second by second of what clocks show.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use twolane::engine::schedule::{Cron, Fold, Gap, ScheduleSpec, Zone};
use twolane::engine::time::Wall;

use crate::{after, cron, zone};

const MINUTE: i64 = 60;

/// Expressions that have something at every change there is: at each minute, at some, at one.
const EXPRESSIONS: [&str; 5] = [
    "* * * * *",
    "*/20 * * * *",
    "7 * * * *",
    "30 0,1,2,3,23 * * *",
    "0 0 * * *",
];

/// The minutes from `from` until `to`, with what the clock shows then in seconds.
fn shown(zone: &TimeZone, from: i64, to: i64) -> Vec<(i64, i64)> {
    let minutes = (from..to).step_by(60);
    let offset = |at: i64| {
        i64::from(
            zone.to_offset(Timestamp::from_second(at).unwrap())
                .seconds(),
        )
    };
    minutes.map(|at| (at, at + offset(at))).collect()
}

/// The slots by the rule. `minutes` begin well before the change that is looked at and end well after it;
/// there is only that one change of the clock among them, from `before` to `then`.
fn by_the_rule(
    cron: &Cron,
    minutes: &[(i64, i64)],
    (change, before, then): (i64, i64, i64),
) -> impl Fn(Gap, Fold) -> BTreeSet<i64> + use<> {
    let matches = |shown: i64| cron.next(shown - 1) == Some(shown);
    let all: Vec<(i64, i64)> = minutes
        .iter()
        .filter(|(_, shown)| matches(*shown))
        .copied()
        .collect();
    let is_skipped = (change + before..change + then).step_by(60).any(matches);
    move |gap, fold| {
        let mut seen = BTreeSet::new();
        let mut slots = BTreeSet::new();
        for (at, shown) in &all {
            let again = !seen.insert(*shown);
            if !(again && fold == Fold::First) {
                slots.insert(*at);
            }
        }
        if gap == Gap::AtTransition && is_skipped {
            slots.insert(change);
        }
        slots
    }
}

#[test]
fn every_zone_every_change_every_policy_goes_by_the_rule() {
    let names: Vec<String> = TimeZoneDatabase::from_env()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    assert!(names.len() > 300, "{} zones", names.len());
    let begin: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let end: Timestamp = "2041-01-01T00:00:00Z".parse().unwrap();
    // Many names are of the same clocks.
    let mut done: BTreeSet<Vec<(i64, i32)>> = BTreeSet::new();
    let (mut changes, mut checked) = (0, 0);
    for name in &names {
        let ours = zone(name);
        let theirs = TimeZone::get(name).unwrap();
        let all = ours.changes().iter();
        let ahead = all.filter(|c| (begin.as_second()..end.as_second()).contains(&c.at));
        if !done.insert(ahead.map(|c| (c.at, c.offset)).collect()) {
            continue;
        }
        for change in theirs.following(begin) {
            let at = change.timestamp();
            if at >= end {
                break;
            }
            let just_before = at.checked_sub(jiff::Span::new().seconds(1)).unwrap();
            let offset = |at| i64::from(theirs.to_offset(at).seconds());
            let change = (at.as_second(), offset(just_before), offset(at));
            if change.1 != change.2 {
                checked += check(name, &ours, &theirs, change);
                changes += 1;
            }
        }
    }
    assert!(changes > 1_000, "{changes} changes");
    assert!(checked > 100_000, "{checked} slots");
}

/// Looks at one change; how many slots it had.
fn check(name: &str, ours: &Zone, theirs: &TimeZone, change: (i64, i64, i64)) -> usize {
    // The rule above begins so early that what is shown twice is seen the first time.
    let long = (change.2 - change.1).abs() + 35 * MINUTE;
    let (from, to) = (change.0 - long, change.0 + long);
    let minutes = shown(theirs, from, to);
    let mut count = 0;
    for text in EXPRESSIONS {
        let usual = cron(text, ours);
        let rule = by_the_rule(&Cron::parse(text).unwrap(), &minutes, change);
        for gap in [Gap::Skip, Gap::AtTransition] {
            for fold in [Fold::First, Fold::Both] {
                let schedule = ScheduleSpec {
                    gap,
                    fold,
                    ..usual.clone()
                };
                let expected = rule(gap, fold);
                let begin = Wall((from - 1) * 1_000_000);
                let found: Vec<i64> = after(&schedule, begin)
                    .map(|slot| slot.0 / 1_000_000)
                    .take_while(|slot| *slot < to)
                    .collect();
                assert!(found.is_sorted_by(|a, b| a < b), "{name} {text}: twice");
                assert!(
                    found.iter().eq(&expected),
                    "{name} {text} {gap:?} {fold:?} at {change:?}:\n{found:?}\n{expected:?}"
                );
                count += found.len();
            }
        }
    }
    count
}
