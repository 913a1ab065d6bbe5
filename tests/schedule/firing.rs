//! What becomes of slots: in their time, after downtime, with runs that overlap, when clocks are set, and
//! when the configuration is read again.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::{Expect, expect};
use twolane::engine::CapacityName;
use twolane::engine::input::Input;
use twolane::engine::outcome::Why;
use twolane::engine::schedule::{Blackout, Missed, MissedPolicy, Overlap, ScheduleSpec, Zone};
use twolane::engine::spec::Definitions;
use twolane::engine::time::Wall;

use crate::bench::{Bench, jobs};
use crate::{at, cron};

const MINUTES: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTES;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

fn hourly() -> ScheduleSpec {
    cron("0 * * * *", &Zone::utc())
}

fn one(schedule: &ScheduleSpec) -> Definitions {
    jobs([("a", vec![schedule.clone()])])
}

/// Each slot that was run was run once, also beyond crashes, reloads and clocks that were set.
fn check_once(bench: &Bench) {
    let fired = bench.fired();
    let distinct: BTreeSet<_> = fired.iter().collect();
    assert_eq!(fired.len(), distinct.len(), "a slot ran twice: {fired:?}");
}

#[test]
fn no_slot_is_decided_on_while_starts_are_held_back() {
    let start = at("2026-11-21T10:30:00Z");
    let mut bench = Bench::new(start, one(&hourly()));
    bench.hold(true);
    bench.until(Wall(start.0 + 3 * HOUR));
    assert_eq!(bench.told(), "");
    bench.hold(false);
    bench.apply(Input::Tick);
    bench.until(Wall(start.0 + 4 * HOUR));
    bench.check_recovery();
    check_once(&bench);
    expect![[r#"
        2026-11-21T13:30:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T13:30:00Z run 1 skipped: 3 slots from 2026-11-21T11:00:00Z to 2026-11-21T13:00:00Z: missed, for the daemon was down or the clock was set
        2026-11-21T14:00:00Z run 2 for 2026-11-21T14:00:00Z
        2026-11-21T14:00:00Z run 2 starts
    "#]].assert_eq(&bench.told());
}

#[test]
fn slots_are_run_in_their_time_and_know_it() {
    let start = at("2026-11-21T10:30:00Z");
    let mut bench = Bench::new(start, one(&hourly()));
    bench.until(Wall(start.0 + 3 * HOUR));
    bench.check_recovery();
    expect![[r#"
        2026-11-21T11:00:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T11:00:00Z run 1 starts
        2026-11-21T12:00:00Z run 2 for 2026-11-21T12:00:00Z
        2026-11-21T12:00:00Z run 2 starts
        2026-11-21T13:00:00Z run 3 for 2026-11-21T13:00:00Z
        2026-11-21T13:00:00Z run 3 starts
    "#]]
    .assert_eq(&bench.told());
}

/// Jitter moves when a run begins, and not which slot it is for.
#[test]
fn jitter_and_blackout_leave_the_slot_as_it_is() {
    let mut schedule = hourly();
    schedule.jitter = Duration::from_secs(600);
    schedule.blackout = vec![Blackout::parse("11:30-12:30").unwrap()];
    let jitter = schedule.jitter_of("a");
    assert!(jitter > Duration::from_secs(1));
    let start = at("2026-11-21T10:30:00Z");
    let mut bench = Bench::new(start, one(&schedule));
    bench.until(at("2026-11-21T11:00:00Z"));
    assert_eq!(bench.fired().len(), 0);
    bench.until(at("2026-11-21T13:10:00Z"));
    let slots: Vec<Wall> = bench.fired().iter().map(|(_, _, slot)| *slot).collect();
    assert_eq!(
        slots,
        [at("2026-11-21T11:00:00Z"), at("2026-11-21T13:00:00Z")]
    );
    let [skipped] = bench.skipped()[..] else {
        panic!("one slot is within the blackout");
    };
    assert_eq!(skipped.why, Why::Blackout("11:30-12:30".into()));
    bench.check_recovery();
}

fn missed(policy: MissedPolicy, window: Option<u64>, max: u32, expected: Expect) {
    let mut schedule = hourly();
    schedule.missed = Missed {
        policy,
        window: window.map(Duration::from_secs),
        max,
    };
    let start = at("2026-11-21T10:30:00Z");
    let mut bench = Bench::new(start, one(&schedule));
    bench.until(at("2026-11-21T10:59:00Z"));
    bench.crash(at("2026-11-21T15:30:00Z"), None);
    bench.until(at("2026-11-21T16:30:00Z"));
    check_once(&bench);
    expected.assert_eq(&bench.told());
}

/// Promise 7: every fire that did not run is recorded with its reason.
#[test]
fn promise_7_what_was_missed_is_made_up_for_by_policy_and_the_rest_is_told() {
    missed(
        MissedPolicy::Skip,
        None,
        100,
        expect![[r#"
        2026-11-21T15:30:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T15:30:00Z run 1 skipped: 5 slots from 2026-11-21T11:00:00Z to 2026-11-21T15:00:00Z: missed, for the daemon was down or the clock was set
        2026-11-21T16:00:00Z run 2 for 2026-11-21T16:00:00Z
        2026-11-21T16:00:00Z run 2 starts
    "#]],
    );
    missed(
        MissedPolicy::Latest,
        None,
        100,
        expect![[r#"
        2026-11-21T15:30:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T15:30:00Z run 1 skipped: 4 slots from 2026-11-21T11:00:00Z to 2026-11-21T14:00:00Z: missed, for the daemon was down or the clock was set
        2026-11-21T15:30:00Z run 2 for 2026-11-21T15:00:00Z
        2026-11-21T15:30:00Z run 2 starts
        2026-11-21T16:00:00Z run 3 for 2026-11-21T16:00:00Z
        2026-11-21T16:00:00Z run 3 starts
    "#]],
    );
    missed(
        MissedPolicy::Latest,
        Some(60),
        100,
        expect![[r#"
        2026-11-21T15:30:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T15:30:00Z run 1 skipped: 5 slots from 2026-11-21T11:00:00Z to 2026-11-21T15:00:00Z: missed, for the daemon was down or the clock was set
        2026-11-21T16:00:00Z run 2 for 2026-11-21T16:00:00Z
        2026-11-21T16:00:00Z run 2 starts
    "#]],
    );
}

#[test]
fn all_that_was_missed_is_made_up_for_within_bounds() {
    missed(
        MissedPolicy::All,
        None,
        100,
        expect![[r#"
        2026-11-21T15:30:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T15:30:00Z run 1 starts
        2026-11-21T15:30:00Z run 2 for 2026-11-21T12:00:00Z
        2026-11-21T15:30:00Z run 2 starts
        2026-11-21T15:30:00Z run 3 for 2026-11-21T13:00:00Z
        2026-11-21T15:30:00Z run 3 starts
        2026-11-21T15:30:00Z run 4 for 2026-11-21T14:00:00Z
        2026-11-21T15:30:00Z run 4 starts
        2026-11-21T15:30:00Z run 5 for 2026-11-21T15:00:00Z
        2026-11-21T15:30:00Z run 5 starts
        2026-11-21T16:00:00Z run 6 for 2026-11-21T16:00:00Z
        2026-11-21T16:00:00Z run 6 starts
    "#]],
    );
    missed(
        MissedPolicy::All,
        None,
        2,
        expect![[r#"
        2026-11-21T15:30:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T15:30:00Z run 1 skipped: 3 slots from 2026-11-21T11:00:00Z to 2026-11-21T13:00:00Z: missed, for the daemon was down or the clock was set
        2026-11-21T15:30:00Z run 2 for 2026-11-21T14:00:00Z
        2026-11-21T15:30:00Z run 2 starts
        2026-11-21T15:30:00Z run 3 for 2026-11-21T15:00:00Z
        2026-11-21T15:30:00Z run 3 starts
        2026-11-21T16:00:00Z run 4 for 2026-11-21T16:00:00Z
        2026-11-21T16:00:00Z run 4 starts
    "#]],
    );
    missed(
        MissedPolicy::All,
        Some(2 * 3600),
        100,
        expect![[r#"
        2026-11-21T15:30:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T15:30:00Z run 1 skipped: 3 slots from 2026-11-21T11:00:00Z to 2026-11-21T13:00:00Z: missed, for the daemon was down or the clock was set
        2026-11-21T15:30:00Z run 2 for 2026-11-21T14:00:00Z
        2026-11-21T15:30:00Z run 2 starts
        2026-11-21T15:30:00Z run 3 for 2026-11-21T15:00:00Z
        2026-11-21T15:30:00Z run 3 starts
        2026-11-21T16:00:00Z run 4 for 2026-11-21T16:00:00Z
        2026-11-21T16:00:00Z run 4 starts
    "#]],
    );
}

fn overlap(overlap: Overlap, expected: Expect) {
    let mut schedule = hourly();
    schedule.overlap = overlap;
    let start = at("2026-11-21T10:30:00Z");
    let mut bench = Bench::new(start, one(&schedule));
    bench.takes.insert("a".into(), Duration::from_secs(9_000));
    bench.until(at("2026-11-21T14:59:00Z"));
    bench.check_recovery();
    check_once(&bench);
    expected.assert_eq(&bench.told());
}

#[test]
fn runs_that_overlap_go_by_the_policy() {
    overlap(
        Overlap::Skip,
        expect![[r#"
        2026-11-21T11:00:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T11:00:00Z run 1 starts
        2026-11-21T12:00:00Z run 2 for 2026-11-21T12:00:00Z
        2026-11-21T12:00:00Z run 2 skipped: slot 2026-11-21T12:00:00Z: run 1 of an earlier slot was not over
        2026-11-21T13:00:00Z run 3 for 2026-11-21T13:00:00Z
        2026-11-21T13:00:00Z run 3 skipped: slot 2026-11-21T13:00:00Z: run 1 of an earlier slot was not over
        2026-11-21T14:00:00Z run 4 for 2026-11-21T14:00:00Z
        2026-11-21T14:00:00Z run 4 starts
    "#]],
    );
    overlap(
        Overlap::Queue,
        expect![[r#"
        2026-11-21T11:00:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T11:00:00Z run 1 starts
        2026-11-21T13:30:00Z run 2 for 2026-11-21T12:00:00Z
        2026-11-21T13:30:00Z run 2 starts
    "#]],
    );
    overlap(
        Overlap::Latest,
        expect![[r#"
        2026-11-21T11:00:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T11:00:00Z run 1 starts
        2026-11-21T13:00:00Z run 2 for 2026-11-21T12:00:00Z
        2026-11-21T13:00:00Z run 2 skipped: slot 2026-11-21T12:00:00Z: a later slot took its place
        2026-11-21T13:30:00Z run 3 for 2026-11-21T13:00:00Z
        2026-11-21T13:30:00Z run 3 starts
    "#]],
    );
    overlap(
        Overlap::Replace,
        expect![[r#"
        2026-11-21T11:00:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T11:00:00Z run 1 starts
        2026-11-21T12:00:00Z run 1 is stopped
        2026-11-21T12:00:00Z run 2 for 2026-11-21T12:00:00Z
        2026-11-21T12:00:00Z run 2 starts
        2026-11-21T13:00:00Z run 2 is stopped
        2026-11-21T13:00:00Z run 3 for 2026-11-21T13:00:00Z
        2026-11-21T13:00:00Z run 3 starts
        2026-11-21T14:00:00Z run 3 is stopped
        2026-11-21T14:00:00Z run 4 for 2026-11-21T14:00:00Z
        2026-11-21T14:00:00Z run 4 starts
    "#]],
    );
    overlap(
        Overlap::Allow,
        expect![[r#"
        2026-11-21T11:00:00Z run 1 for 2026-11-21T11:00:00Z
        2026-11-21T11:00:00Z run 1 starts
        2026-11-21T12:00:00Z run 2 for 2026-11-21T12:00:00Z
        2026-11-21T12:00:00Z run 2 starts
        2026-11-21T13:00:00Z run 3 for 2026-11-21T13:00:00Z
        2026-11-21T13:00:00Z run 3 starts
        2026-11-21T14:00:00Z run 4 for 2026-11-21T14:00:00Z
        2026-11-21T14:00:00Z run 4 starts
    "#]],
    );
}

/// What waits in line when the daemon goes down is still there afterwards.
#[test]
fn slots_that_wait_survive_a_crash_and_a_removed_schedule_tells_of_them() {
    let mut schedule = hourly();
    schedule.overlap = Overlap::Queue;
    let start = at("2026-11-21T10:30:00Z");
    let mut bench = Bench::new(start, one(&schedule));
    bench.takes.insert("a".into(), Duration::from_secs(7_000));
    bench.until(at("2026-11-21T12:30:00Z"));
    bench.crash(at("2026-11-21T12:31:00Z"), None);
    let waiting = |bench: &Bench| bench.engine.jobs().next().unwrap().schedules[0].waiting;
    assert_eq!(waiting(&bench), 1);
    bench.until(at("2026-11-21T14:40:00Z"));
    let slots: Vec<Wall> = bench.fired().iter().map(|(_, _, slot)| *slot).collect();
    assert_eq!(
        slots,
        [at("2026-11-21T11:00:00Z"), at("2026-11-21T12:00:00Z")]
    );
    assert_eq!(waiting(&bench), 2);
    bench.apply(Input::Configure(jobs([("a", vec![])]).into()));
    let removed = bench
        .skipped()
        .iter()
        .filter(|u| u.why == Why::Removed)
        .count();
    assert_eq!(removed, 2);
    check_once(&bench);
}

/// Of a schedule that is taken away or edited, what has come and was not decided on is told of, too: while it was
/// paused, and while the daemon was down.
#[test]
fn what_came_of_a_removed_schedule_and_was_not_decided_on_is_told() {
    let start = at("2026-11-21T10:30:00Z");
    let later = at("2026-11-21T13:30:00Z");
    let gone = || jobs([("a", vec![])]);
    let edited = || one(&cron("7 * * * *", &Zone::utc()));
    let what = CapacityName::Schedule("a".into());
    let caller = None;
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Bench), &'a [&'a str]);
    let three: &[&str] = &[
        "3 slots from 2026-11-21T11:00:00Z to 2026-11-21T13:00:00Z: its schedule was taken away or changed",
    ];
    let cases: [Case<'_>; 4] = [
        (
            "paused, and taken away",
            &|bench| {
                let what = what.clone();
                bench.apply(Input::Pause { what, caller });
                bench.until(later);
                bench.apply(Input::Configure(gone().into()));
            },
            three,
        ),
        (
            "paused, and edited",
            &|bench| {
                let what = what.clone();
                bench.apply(Input::Pause { what, caller });
                bench.until(later);
                bench.apply(Input::Configure(edited().into()));
            },
            three,
        ),
        (
            "edited while the daemon was down",
            &|bench| bench.crash(later, Some(edited())),
            three,
        ),
        (
            "nothing has come",
            &|bench| bench.apply(Input::Configure(edited().into())),
            &[],
        ),
    ];
    for (case, play, expected) in cases {
        let mut bench = Bench::new(start, one(&hourly()));
        play(&mut bench);
        let told: Vec<String> = bench.skipped().iter().map(ToString::to_string).collect();
        assert_eq!(told, expected, "{case}");
        assert!(bench.fired().is_empty(), "{case}");
    }
    // One whose run is to begin later.
    let mut schedule = hourly();
    schedule.jitter = Duration::from_secs(3_000);
    let mut bench = Bench::new(start, one(&schedule));
    bench.until(at("2026-11-21T11:00:00Z"));
    bench.apply(Input::Configure(gone().into()));
    assert_eq!(bench.skipped().len(), 1);
    assert!(bench.fired().is_empty());
}

/// No burst, and no silence beyond what a slot that has been run once must be silent for.
#[test]
fn a_clock_that_is_set_brings_no_burst_and_no_silence() {
    for by in [HOUR, DAY, 10 * YEAR] {
        for policy in [MissedPolicy::Skip, MissedPolicy::Latest, MissedPolicy::All] {
            let mut schedule = cron("*/5 * * * *", &Zone::utc());
            schedule.missed = Missed {
                policy,
                window: None,
                max: 3,
            };
            let start = at("2026-11-21T10:02:00Z");
            let mut bench = Bench::new(start, one(&schedule));
            let step =
                |bench: &mut Bench, expected: std::ops::RangeInclusive<usize>, what: &str| {
                    let before = bench.fired().len();
                    let until = Wall(bench.now.wall.0 + 20 * MINUTES);
                    bench.until(until);
                    let fired = bench.fired().len() - before;
                    assert!(
                        expected.contains(&fired),
                        "{fired} runs {what}, by {by}, {policy:?}"
                    );
                };
            step(&mut bench, 4..=4, "at first");
            // Forward: what lies between is missed, and of that no more than the policy says is run.
            bench.set_clock(Wall(bench.now.wall.0 + by));
            step(&mut bench, 4..=4 + 3, "after it was put forward");
            // Back again, into time that was skipped: as ever, but for slots that were run.
            bench.set_clock(Wall(bench.now.wall.0 - by + 20 * MINUTES));
            // After an hour, some of them were made up for meanwhile.
            let least = if by == HOUR { 1 } else { 4 };
            step(&mut bench, least..=4, "after it was set back");
            // Back to before it all: this has never been.
            bench.set_clock(Wall(start.0 - by));
            step(&mut bench, 4..=4, "long before");
            bench.check_recovery();
            check_once(&bench);
        }
    }
}

/// However often the clock is set, the time that it shows is not taken for one that has been.
#[test]
fn a_clock_that_is_set_often_brings_no_silence_either() {
    let start = at("2026-11-21T10:02:00Z");
    let mut bench = Bench::new(start, one(&cron("*/5 * * * *", &Zone::utc())));
    for day in 1..60 {
        for ahead in [-1, 1] {
            bench.set_clock(Wall(start.0 + ahead * day * DAY));
            let before = bench.fired().len();
            bench.until(Wall(bench.now.wall.0 + 20 * MINUTES));
            let fired = bench.fired().len() - before;
            assert_eq!(fired, 4, "{} days from the start", ahead * day);
        }
    }
    bench.check_recovery();
    check_once(&bench);
}

/// A slot that was run is not run again when its time comes again.
#[test]
fn a_slot_runs_once_also_when_its_time_comes_twice() {
    let mut bench = Bench::new(at("2026-11-21T10:30:00Z"), one(&hourly()));
    bench.until(at("2026-11-21T12:30:00Z"));
    bench.set_clock(at("2026-11-21T10:45:00Z"));
    bench.until(at("2026-11-21T13:30:00Z"));
    let slots: Vec<Wall> = bench.fired().iter().map(|(_, _, slot)| *slot).collect();
    let expected = ["11", "12", "13"].map(|hour| at(&format!("2026-11-21T{hour}:00:00Z")));
    assert_eq!(slots, expected);
    assert!(bench.told().contains("clock set by -6300 s"));
}

#[test]
fn an_edit_never_fires_at_once_and_what_is_not_edited_keeps_its_phase() {
    let start = at("2026-11-21T10:30:00Z");
    let mut every = ScheduleSpec::new(
        twolane::engine::schedule::Trigger::Every(Duration::from_secs(5_400)),
        Zone::utc(),
    );
    let both = |every: &ScheduleSpec, cron: &ScheduleSpec| {
        jobs([("a", vec![cron.clone()]), ("b", vec![every.clone()])])
    };
    let mut bench = Bench::new(start, both(&every, &hourly()));
    bench.until(at("2026-11-21T11:59:59Z"));
    let before = bench.fired().len();
    let next = |bench: &Bench, job: usize| bench.engine.jobs().nth(job).unwrap().schedules[0].next;
    let phase = next(&bench, 1);
    // Every minute, and the last one was a moment ago; an edit of manners is none of the schedule.
    every.overlap = Overlap::Allow;
    let edited = cron("* * * * *", &Zone::utc());
    bench.apply(Input::Configure(both(&every, &edited).into()));
    assert_eq!(bench.fired().len(), before);
    assert_eq!(next(&bench, 0), Some(at("2026-11-21T12:00:00Z")));
    assert_eq!(next(&bench, 1), phase);
    // And back: the slots of the old one in between are none of the new one's.
    bench.until(at("2026-11-21T13:10:00Z"));
    let before = bench.fired().len();
    bench.apply(Input::Configure(both(&every, &hourly()).into()));
    assert_eq!(bench.fired().len(), before);
    assert_eq!(next(&bench, 0), Some(at("2026-11-21T14:00:00Z")));
    bench.check_recovery();
    check_once(&bench);
}

/// What is on record of a schedule says how far it has come, also where the clock was set back since.
#[test]
fn a_clock_that_was_set_back_is_known_after_a_crash() {
    let mut bench = Bench::new(at("2026-11-21T10:30:00Z"), one(&hourly()));
    bench.until(at("2026-11-21T12:30:00Z"));
    bench.set_clock(at("2026-11-20T12:30:00Z"));
    bench.crash(at("2026-11-20T12:31:00Z"), None);
    bench.until(at("2026-11-20T15:30:00Z"));
    let fired = bench.fired().len();
    assert_eq!(
        fired,
        2 + 3,
        "it does not wait until the clock shows what it did"
    );
}

#[test]
fn what_a_pause_leaves_out_is_made_up_for_by_the_same_policy() {
    for (policy, expected) in [
        (MissedPolicy::Skip, 0),
        (MissedPolicy::Latest, 1),
        (MissedPolicy::All, 3),
    ] {
        let mut schedule = hourly();
        schedule.missed.policy = policy;
        let mut bench = Bench::new(at("2026-11-21T10:30:00Z"), one(&schedule));
        let what = CapacityName::Schedule("a".into());
        let pause = Input::Pause {
            what: what.clone(),
            caller: None,
        };
        bench.apply(pause);
        bench.until(at("2026-11-21T12:30:00Z"));
        // It is remembered.
        bench.crash(at("2026-11-21T12:31:00Z"), None);
        bench.until(at("2026-11-21T13:00:10Z"));
        assert_eq!(bench.fired().len(), 0);
        bench.apply(Input::Resume { what, caller: None });
        bench.until(at("2026-11-21T13:30:00Z"));
        assert_eq!(bench.fired().len(), expected, "{policy:?}");
        let skipped: u64 = bench.skipped().iter().map(|unrun| unrun.slots.count).sum();
        assert_eq!(skipped as usize + expected, 3, "each slot is accounted for");
    }
}

/// Whatever happens in whatever order: no slot runs twice, and each is run or told.
#[test]
fn any_history_runs_each_slot_once_at_most() {
    for seed in 0..60_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut schedule = cron("*/7 * * * *", &Zone::utc());
        let some = |draw: &mut dyn FnMut(u64) -> u64, schedule: &mut ScheduleSpec| {
            schedule.missed.policy =
                [MissedPolicy::Skip, MissedPolicy::Latest, MissedPolicy::All][draw(3) as usize];
            schedule.missed.max = 5;
            schedule.overlap = [
                Overlap::Skip,
                Overlap::Queue,
                Overlap::Latest,
                Overlap::Replace,
                Overlap::Allow,
            ][draw(5) as usize];
        };
        some(&mut draw, &mut schedule);
        let mut bench = Bench::new(at("2026-11-21T10:30:00Z"), one(&schedule));
        bench
            .takes
            .insert("a".into(), Duration::from_secs(draw(3_000)));
        for _ in 0..25 {
            let ahead = i64::try_from(draw(90)).unwrap() * MINUTES;
            match draw(5) {
                0 => bench.crash(Wall(bench.now.wall.0 + ahead), None),
                1 => bench.set_clock(Wall(bench.now.wall.0 + ahead)),
                2 => bench.set_clock(Wall(bench.now.wall.0 - ahead)),
                3 => {
                    some(&mut draw, &mut schedule);
                    bench.apply(Input::Configure(one(&schedule).into()));
                }
                _ => {}
            }
            let until = Wall(bench.now.wall.0 + ahead);
            bench.until(until);
            check_once(&bench);
        }
    }
}
