//! Backfills: each slot that is asked for is run once, so many at a time, whatever happens meanwhile, and the
//! schedule itself notices nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use twolane::engine::action::{Answer, Refusal};
use twolane::engine::backfill::survey::{Again, Known, LeftOut, Survey};
use twolane::engine::backfill::{Ending, PLACES};
use twolane::engine::fact::Fact;
use twolane::engine::flow::{OnDuplicate, Unique, UniqueBy};
use twolane::engine::id::{BackfillId, CallerId, RunId};
use twolane::engine::input::{BackfillOrder, Input, Submission, SubmitItem};
use twolane::engine::schedule::{Blackout, ScheduleSpec, Zone};
use twolane::engine::spec::{Definitions, JobSpec, Name, ParamKind, ParamSpec};
use twolane::engine::time::Wall;
use twolane::engine::{BackfillView, CapacityName, StateKind};

use crate::bench::{Bench, jobs};
use crate::{at, cron};

const HOUR: i64 = 3_600_000_000;

const START: &str = "2026-11-21T10:30:00Z";

/// Two days before that, at noon.
const FROM: &str = "2026-11-19T12:00:00Z";

fn hourly() -> ScheduleSpec {
    cron("0 * * * *", &Zone::utc())
}

fn defined(change: impl Fn(&mut JobSpec)) -> Definitions {
    let mut definitions = jobs([("a", vec![hourly()])]);
    let name: Name = "a".into();
    let mut job = JobSpec::clone(&definitions.jobs[&name]);
    change(&mut job);
    definitions.jobs.insert(name, Arc::new(job));
    definitions
}

fn bench(takes: Duration, change: impl Fn(&mut JobSpec)) -> Bench {
    let mut bench = Bench::new(at(START), defined(change));
    bench.takes.insert("a".into(), takes);
    bench
}

const MINUTES: fn(u64) -> Duration = |minutes| Duration::from_secs(60 * minutes);

/// What the store says of the slots of `a`.
fn ran(bench: &Bench) -> BTreeMap<Wall, Vec<(RunId, StateKind)>> {
    let mut ran: BTreeMap<Wall, Vec<(RunId, StateKind)>> = BTreeMap::new();
    for record in &bench.records {
        if let Fact::Accepted {
            run,
            slot: Some(slot),
            ..
        } = &record.fact
        {
            let state = bench.engine.run(*run).map(|view| view.state.kind());
            let state = state.unwrap_or(StateKind::Succeeded);
            ran.entry(slot.at).or_default().push((*run, state));
        }
    }
    ran
}

fn survey(bench: &Bench, slots: i64, again: Again) -> (Survey, BackfillOrder) {
    let ground = bench.engine.ground("a").unwrap();
    let schedule = &ground.schedules[0];
    let (from, until) = (at(FROM), Wall(at(FROM).0 + slots * HOUR - 1));
    let known = Known {
        decided: schedule.decided,
        waiting: schedule.waiting.clone(),
        ran: ran(bench),
    };
    let survey = Survey::of(&schedule.spec, (from, until), &known, again).unwrap();
    let order = BackfillOrder {
        job: Name::clone(&ground.job.name),
        schedule: Arc::clone(&schedule.schedule),
        from,
        until,
        at_once: 1,
        slots: survey.count() as u64,
        left_out: survey.slots.len() as u64 - survey.count() as u64,
        stretches: survey.stretches(),
        unseen: ground.unseen,
        caller: Some(CallerId(1)),
    };
    (survey, order)
}

/// Asks for the first so many slots from [`FROM`] on.
fn ask(bench: &mut Bench, slots: i64, at_once: u32, again: Again) -> Answer {
    let (_, order) = survey(bench, slots, again);
    bench.apply(Input::Backfill(BackfillOrder { at_once, ..order }));
    bench.answers.pop().unwrap()
}

/// The slots that backfills have run, in the order in which they were.
fn backfilled(bench: &Bench) -> Vec<Wall> {
    let slots = bench
        .records
        .iter()
        .filter_map(|record| match &record.fact {
            Fact::Accepted {
                slot: Some(slot), ..
            } => slot.backfill.map(|_| slot.at),
            _ => None,
        });
    slots.collect()
}

fn expected(slots: i64) -> Vec<Wall> {
    (0..slots).map(|n| Wall(at(FROM).0 + n * HOUR)).collect()
}

fn view(bench: &Bench) -> BackfillView {
    bench.engine.backfills().pop().unwrap()
}

fn later(bench: &mut Bench, hours: i64) {
    bench.until(Wall(bench.now.wall.0 + hours * HOUR));
}

#[test]
fn slots_are_run_oldest_first_and_so_many_at_a_time_and_the_schedule_goes_on() {
    for at_once in [1, 3, 100] {
        let mut bench = bench(MINUTES(50), |_| {});
        let answer = ask(&mut bench, 20, at_once, Again::No);
        assert_eq!(answer, Answer::Backfilling(BackfillId(1)));
        assert_eq!(
            backfilled(&bench).len(),
            20.min(at_once as usize),
            "at once"
        );
        later(&mut bench, 30);
        assert_eq!(backfilled(&bench), expected(20));
        let view = view(&bench);
        assert_eq!(view.ending, Some(Ending::Done));
        assert_eq!((view.went.begun, view.went.succeeded), (20, 20));
        // A run of a backfill is none that a slot of the schedule would have to wait for.
        assert_eq!(bench.fired().len() - 20, 30, "of the schedule itself");
        assert!(bench.skipped().is_empty());
        bench.check_recovery();
    }
}

/// The daemon goes down after each turn of a backfill, in turn: no slot is lost, and none is run twice.
#[test]
fn a_crash_at_any_moment_loses_no_slot_and_repeats_none() {
    for minutes in (0..130).step_by(7) {
        let mut bench = bench(MINUTES(20), |_| {});
        ask(&mut bench, 12, 2, Again::No);
        for _ in 0..3 {
            bench.until(Wall(bench.now.wall.0 + minutes * 60_000_000));
            let back = Wall(bench.now.wall.0 + 1_000_000);
            bench.crash(back, None);
        }
        later(&mut bench, 10);
        assert_eq!(backfilled(&bench), expected(12), "{minutes} minutes");
        let view = view(&bench);
        assert_eq!((view.ending, view.went.succeeded), (Some(Ending::Done), 12));
    }
}

#[test]
fn a_clock_that_is_set_back_brings_no_slot_of_a_backfill_again() {
    let mut bench = bench(MINUTES(1), |_| {});
    ask(&mut bench, 5, 1, Again::No);
    later(&mut bench, 1);
    bench.set_clock(Wall(at(FROM).0 - HOUR));
    later(&mut bench, 20);
    let fired = bench.fired();
    let distinct: BTreeSet<_> = fired.iter().collect();
    assert_eq!(fired.len(), distinct.len(), "{fired:?}");
    // Those after are the schedule's, as ever, and so was the one before the clock was set.
    assert_eq!(fired.len(), 5 + 1 + 15);
}

#[test]
fn what_has_run_is_left_out_unless_it_is_asked_for() {
    let mut bench = bench(MINUTES(1), |job| job.schedules = Vec::new());
    bench.apply(Input::Configure(Arc::new(defined(|_| {}))));
    ask(&mut bench, 3, 1, Again::No);
    later(&mut bench, 1);
    let (found, order) = survey(&bench, 6, Again::No);
    assert_eq!((order.slots, order.left_out), (3, 3));
    assert_eq!(
        found.slots[1].1,
        Some(LeftOut::Ran(RunId(2), StateKind::Succeeded))
    );
    assert_eq!(
        ask(&mut bench, 6, 1, Again::No),
        Answer::Backfilling(BackfillId(2))
    );
    later(&mut bench, 1);
    assert_eq!(backfilled(&bench), expected(6));
    // All have succeeded.
    assert_eq!(survey(&bench, 6, Again::Failed).1.slots, 0);
    ask(&mut bench, 2, 1, Again::All);
    later(&mut bench, 1);
    assert_eq!(backfilled(&bench)[6..], expected(2));
}

/// What is left out need not be at the beginning.
#[test]
fn gaps_are_stepped_over() {
    let blackout = |job: &mut JobSpec| {
        let mut schedule = hourly();
        schedule.blackout = vec![Blackout::parse("14:30-16:30").unwrap()];
        job.schedules = vec![Arc::new(schedule)];
    };
    let mut bench = bench(MINUTES(1), blackout);
    let (_, order) = survey(&bench, 8, Again::No);
    assert_eq!((order.slots, order.left_out), (6, 2));
    ask(&mut bench, 8, 1, Again::No);
    later(&mut bench, 1);
    let mut slots = expected(8);
    slots.drain(3..5);
    assert_eq!(backfilled(&bench), slots);
}

#[test]
fn a_backfill_that_is_cancelled_or_has_lost_its_schedule_runs_no_more_slots() {
    let end = |input: Input| {
        let mut bench = bench(MINUTES(22), |_| {});
        ask(&mut bench, 9, 2, Again::No);
        later(&mut bench, 1);
        let begun = backfilled(&bench).len();
        bench.apply(input);
        let ending = view(&bench).ending;
        later(&mut bench, 4);
        assert_eq!(backfilled(&bench).len(), begun);
        assert_eq!(bench.engine.live_count(), 0, "what runs goes on to its end");
        bench.check_recovery();
        ending
    };
    let id = BackfillId(1);
    let caller = None;
    let cancelled = end(Input::CancelBackfill { id, caller });
    assert_eq!(cancelled, Some(Ending::Cancelled));
    let edited = defined(|job| job.schedules = vec![Arc::new(cron("5 * * * *", &Zone::utc()))]);
    let removed = end(Input::Configure(Arc::new(edited)));
    assert_eq!(removed, Some(Ending::Removed));
    let removed = end(Input::Configure(Arc::new(jobs([]))));
    assert_eq!(removed, Some(Ending::Removed));
}

/// A definition that needs what a slot does not bring: the runs that there are go on, and no other slot is tried.
#[test]
fn a_backfill_whose_runs_are_not_accepted_any_more_ends_and_says_why() {
    let mut bench = bench(MINUTES(22), |_| {});
    ask(&mut bench, 9, 2, Again::No);
    later(&mut bench, 1);
    let begun = backfilled(&bench).len();
    assert!((3..9).contains(&begun), "{begun}");
    let needs = defined(|job| {
        let param = ParamSpec {
            kind: ParamKind::Text,
            default: None,
            from: None,
        };
        job.params.insert("n".into(), param);
    });
    bench.apply(Input::Configure(Arc::new(needs)));
    let why = "job `a` needs the argument `n` (text)";
    assert_eq!(view(&bench).ending, None, "there is no room for another");
    later(&mut bench, 4);
    assert_eq!(view(&bench).ending, Some(Ending::Refused(why.into())));
    assert_eq!(backfilled(&bench).len(), begun);
    assert_eq!(bench.engine.live_count(), 0, "what runs goes on to its end");
    bench.check_recovery();
    // With such a definition none is begun.
    let answer = ask(&mut bench, 9, 2, Again::No);
    assert!(
        matches!(&answer, Answer::Refused(refusal) if refusal.to_string() == why),
        "{answer:?}"
    );
}

/// What the job comes after is run for each slot, too, and counts as that of no slot.
#[test]
fn what_the_job_comes_after_is_run_before_each_slot() {
    let with_first = |takes: Duration| {
        let mut definitions = defined(|job| job.after = vec!["first".into()]);
        let first = jobs([("first", Vec::new())]);
        definitions.jobs.extend(first.jobs);
        let mut bench = Bench::new(at(START), definitions);
        bench.takes.insert("a".into(), MINUTES(1));
        bench.takes.insert("first".into(), takes);
        bench
    };
    let count = |bench: &Bench, name: &str| {
        let accepted = bench.records.iter().filter(
            |record| matches!(&record.fact, Fact::Accepted { job, .. } if *job.name == *name),
        );
        accepted.count()
    };
    for at_once in [1, 3] {
        let mut bench = with_first(MINUTES(2));
        ask(&mut bench, 6, at_once, Again::No);
        assert_eq!(backfilled(&bench).len(), at_once as usize);
        bench.until(Wall(bench.now.wall.0 + HOUR / 3));
        assert_eq!(backfilled(&bench), expected(6), "{at_once}");
        assert_eq!(count(&bench, "first"), 6, "{at_once}");
        let view = view(&bench);
        assert_eq!((view.ending, view.went.succeeded), (Some(Ending::Done), 6));
        bench.check_recovery();
    }
    // One that is cancelled takes both out of the line that have not started.
    let mut bench = with_first(MINUTES(10));
    ask(&mut bench, 6, 2, Again::No);
    let id = BackfillId(1);
    bench.apply(Input::CancelBackfill { id, caller: None });
    later(&mut bench, 1);
    let went = view(&bench).went;
    assert_eq!((went.begun, went.cancelled), (2, 2));
    assert_eq!(bench.engine.live_count(), 0);
    bench.check_recovery();
}

/// And when it is cancelled, those that have not started are taken out of the line.
#[test]
fn a_backfill_of_a_paused_job_waits_as_its_runs_do() {
    let mut bench = bench(MINUTES(1), |_| {});
    let what = CapacityName::Job("a".into());
    let caller = None;
    bench.apply(Input::Pause {
        what: what.clone(),
        caller,
    });
    ask(&mut bench, 9, 2, Again::No);
    bench.until(Wall(bench.now.wall.0 + HOUR / 3));
    assert_eq!(backfilled(&bench).len(), 2);
    bench.apply(Input::Resume {
        what: what.clone(),
        caller,
    });
    bench.until(Wall(bench.now.wall.0 + 60_000_000));
    assert_eq!(backfilled(&bench).len(), 4);
    bench.apply(Input::Pause { what, caller });
    bench.until(Wall(bench.now.wall.0 + 120_000_000));
    let id = BackfillId(1);
    bench.apply(Input::CancelBackfill { id, caller });
    let went = view(&bench).went;
    assert_eq!((went.begun, went.succeeded, went.cancelled), (6, 4, 2));
    assert_eq!(went.unfinished(), 0);
}

#[test]
fn it_waits_where_there_is_no_room_or_only_one_run_at_a_time() {
    for on_duplicate in [OnDuplicate::Reject, OnDuplicate::Replace, OnDuplicate::Join] {
        let by = UniqueBy::Job;
        let unique = Some(Unique { by, on_duplicate });
        let mut bench = bench(MINUTES(2), |job| job.unique = unique);
        bench.apply(Input::Submit(Submission {
            items: vec![SubmitItem::of(&"a".into())],
            key: None,
            caller: None,
        }));
        ask(&mut bench, 4, 3, Again::No);
        assert!(backfilled(&bench).is_empty(), "somebody's run is not over");
        bench.until(Wall(bench.now.wall.0 + HOUR / 3));
        assert_eq!(backfilled(&bench), expected(4), "{on_duplicate:?}");
        assert_eq!(view(&bench).went.succeeded, 4);
    }
    let mut definitions = defined(|_| {});
    definitions.max_runs = 2;
    let mut bench = Bench::new(at(START), definitions);
    bench.takes.insert("a".into(), MINUTES(1));
    ask(&mut bench, 6, 5, Again::No);
    assert_eq!(backfilled(&bench).len(), 2);
    later(&mut bench, 1);
    assert_eq!(backfilled(&bench), expected(6));
}

#[test]
fn promise_6_what_cannot_be_a_backfill_is_refused_with_its_reason() {
    let mut bench = bench(MINUTES(1), |_| {});
    let (_, good) = survey(&bench, 5, Again::No);
    let try_it = |bench: &mut Bench, order: BackfillOrder| {
        bench.apply(Input::Backfill(order));
        bench.answers.pop().unwrap()
    };
    let refused = Answer::Refused;
    let name: Name = "b".into();
    let other = BackfillOrder {
        job: Name::clone(&name),
        ..good.clone()
    };
    let answer = try_it(&mut bench, other);
    assert_eq!(answer, refused(Refusal::UnknownJob(name)));
    let other = BackfillOrder {
        schedule: "x".into(),
        ..good.clone()
    };
    let answer = try_it(&mut bench, other);
    let text = "job `a` has no schedule x; it may have been changed meanwhile";
    assert!(matches!(&answer, Answer::Refused(why) if why.to_string() == text));
    let future = BackfillOrder {
        until: Wall(bench.now.wall.0 + HOUR),
        ..good.clone()
    };
    let answer = try_it(&mut bench, future);
    assert_eq!(answer, refused(Refusal::Undecided("a".into())));
    bench.apply(Input::Backfill(good.clone()));
    // The same slots, while it goes on, and when it is over and was not known of.
    let again = try_it(&mut bench, good.clone());
    assert_eq!(again, refused(Refusal::Backfilling(BackfillId(1))));
    later(&mut bench, 1);
    let again = try_it(&mut bench, good.clone());
    assert_eq!(again, refused(Refusal::Backfilling(BackfillId(1))));
    // As many as there may be, each of an hour of its own.
    let what = CapacityName::Job("a".into());
    bench.apply(Input::Pause { what, caller: None });
    let of_hour = |hour: i64| BackfillOrder {
        from: Wall(good.from.0 - hour * HOUR),
        until: Wall(good.from.0 - hour * HOUR),
        ..good.clone()
    };
    for hour in 1..=i64::from(PLACES) {
        let answer = try_it(&mut bench, of_hour(hour));
        assert!(matches!(answer, Answer::Backfilling(_)), "{answer:?}");
    }
    let bound = usize::from(PLACES);
    let answer = try_it(&mut bench, of_hour(1 + i64::from(PLACES)));
    assert_eq!(answer, refused(Refusal::TooManyBackfills { bound }));
    bench.check_recovery();
}
