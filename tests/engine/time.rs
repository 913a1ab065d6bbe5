//! Delays and timeouts, on the monotonic clock.

use std::time::Duration;

use expect_test::expect;
use twolane::engine::action::Action;
use twolane::engine::id::AttemptId;
use twolane::engine::input::{Input, Submission, SubmitItem};

use crate::define::define;
use crate::placing::end;
use crate::script::{Bench, at, check, outcome, play};

#[test]
fn a_delayed_run_is_scheduled_until_it_is_due() {
    check(
        "job a io delay=5s",
        "1s submit a
         2s explain 1
         5.999s tick
         6s tick",
        expect![[r#"
            1s submit a
                run 1 (a) accepted due 6s
                -> answer Submitted([RunId(1)])
            2s explain 1
                it is due in 4s
            5.999s tick
            6s tick
                run 1 (a) due
                run 1 (a) started, attempt 1
                -> start 1.1 in io
        "#]],
    );
}

#[test]
fn a_timeout_stops_the_attempt_and_fails_the_run() {
    check(
        "cpu 1
         job a cpu timeout=5s",
        "0s submit a a a
         5s tick
         5s explain 1
         6s end 1 stopped
         10s end 2 ok
         11s tick
         15s end 3 ok",
        expect![[r#"
            0s submit a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
            5s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.1 because its timeout passed
            5s explain 1
                it was asked to stop because its timeout passed, and has not left its lane yet
            6s end 1 stopped
                run 1 (a) failed: not done within its timeout of 5s
                run 2 (a) started, attempt 1
                -> start 2.1 in cpu
            10s end 2 ok
                run 2 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in cpu
            11s tick
            15s end 3 ok
                run 3 (a) stopping because its timeout passed
                run 3 (a) succeeded
                -> stop 3.1 because its timeout passed
        "#]],
    );
}

#[test]
fn the_time_of_a_command_counts_from_when_it_begins() {
    check(
        "job a io timeout=1s task=command
         job b io task=command",
        "0s submit a a b
         9s tick
         10s began 1
         10s began 1.2
         10.5s began 1
         10.5s began 3
         10.999s tick
         11s tick
         11s began 1
         12s end 1 stopped
         13s end 2 ok
         13s began 2",
        expect![[r#"
            0s submit a a b
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
            9s tick
            10s began 1
                run 1 (a) began
            10s began 1.2
            10.5s began 1
            10.5s began 3
            10.999s tick
            11s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.1 because its timeout passed
            11s began 1
            12s end 1 stopped
                run 1 (a) failed: not done within its timeout of 1s
            13s end 2 ok
                run 2 (a) succeeded
            13s began 2
        "#]],
    );
}

#[test]
fn the_time_of_a_command_counts_anew_after_a_crash() {
    check(
        "job a io timeout=1s task=command run_timeout=60s",
        "13s submit a
         14s began 1
         14.5s crash
         14.5s settle
         15s open
         30s tick
         31s began 1.2
         32s tick",
        expect![[r#"
            13s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            14s began 1
                run 1 (a) began
            14.5s crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            14.5s settle
                run 1 (a) interrupted in attempt 1: the daemon or the machine went down under it
            15s open
                opened
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            30s tick
            31s began 1.2
                run 1 (a) began
            32s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.2 because its timeout passed
        "#]],
    );
}

#[test]
fn time_that_goes_backwards_stands_still() {
    check(
        "job a io timeout=5s
         job b io delay=1s",
        "10s submit a
         3s submit b
         11s tick
         14s tick
         15s tick",
        expect![[r#"
            10s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            3s submit b
                run 2 (b) accepted due 11s
                -> answer Submitted([RunId(2)])
            11s tick
                run 2 (b) due
                run 2 (b) started, attempt 1
                -> start 2.1 in io
            14s tick
            15s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.1 because its timeout passed
        "#]],
    );
}

#[test]
fn what_the_machine_had_no_room_for_is_tried_again_a_second_later() {
    check(
        "job a io",
        "0s submit a
         1s end 1 no-room
         1.999s tick
         2s tick",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s end 1 no-room
                run 1 (a) interrupted in attempt 1: no descriptors
            1.999s tick
            2s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
        "#]],
    );
}

#[test]
fn of_many_that_the_machine_had_no_room_for_few_are_tried_at_a_time() {
    const COUNT: u64 = 300;
    let mut bench = Bench::new(define("job a io"));
    // Each that is started finds no room.
    let mut told = |millis: u64, input: Input| {
        let now = at(Duration::from_millis(millis));
        let started = |action: &Action| match action {
            Action::Start(order) => Some(order.attempt),
            Action::Stop { .. } | Action::Replace { .. } | Action::Answer { .. } => None,
        };
        let actions = bench.apply(now, input).actions.iter();
        let attempts: Vec<AttemptId> = actions.filter_map(started).collect();
        for attempt in &attempts {
            let end = end(outcome("no-room"), None);
            let attempt = *attempt;
            bench.apply(now, Input::Ended { attempt, end });
        }
        attempts
    };
    for _ in 0..COUNT {
        let submission = Submission {
            items: vec![SubmitItem::of(&"a".into())],
            key: None,
            caller: None,
        };
        assert_eq!(told(0, Input::Submit(submission)).len(), 1);
    }
    let mut tried = Vec::new();
    for millis in 1..=4_000 {
        for attempt in told(millis, Input::Tick) {
            tried.push((millis, attempt.run.0));
        }
    }
    // In their order, none twice before each was, and 200 in a second.
    let runs = tried.iter().map(|(_, run)| *run);
    assert!(runs.eq((1..=COUNT).cycle().take(tried.len())));
    assert_eq!((tried.len(), tried[0].0), (601, 1_000));
    assert!(tried.windows(2).all(|two| two[1].0 - two[0].0 == 5));
}

#[test]
fn of_those_that_there_was_no_room_for_who_is_gone_holds_up_nobody() {
    check(
        "job a io",
        "0s submit a a a a
         0s end 1 no-room
         0s end 2 no-room
         0s end 3 no-room
         0.01s cancel 3
         0.01s cancel 2
         0.01s end 4 no-room
         1.005s tick
         1.01s tick",
        expect![[r#"
            0s submit a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
                -> start 4.1 in io
            0s end 1 no-room
                run 1 (a) interrupted in attempt 1: no descriptors
            0s end 2 no-room
                run 2 (a) interrupted in attempt 1: no descriptors
            0s end 3 no-room
                run 3 (a) interrupted in attempt 1: no descriptors
            0.01s cancel 3
                run 3 (a) cancelled on request, never started
                -> answer Cancelled(RunId(3))
            0.01s cancel 2
                run 2 (a) cancelled on request, never started
                -> answer Cancelled(RunId(2))
            0.01s end 4 no-room
                run 4 (a) interrupted in attempt 1: no descriptors
            1.005s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            1.01s tick
                run 4 (a) due
                run 4 (a) started, attempt 2
                -> start 4.2 in io
        "#]],
    );
}

#[test]
fn when_it_is_tried_again_outlives_the_daemon_and_who_came_before_it() {
    check(
        "job a io",
        "0s submit a a
         0s end 1 no-room
         0s end 2 no-room
         0.01s cancel 1
         0.02s crash
         0.02s open
         1s tick
         1.005s tick",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
                -> start 2.1 in io
            0s end 1 no-room
                run 1 (a) interrupted in attempt 1: no descriptors
            0s end 2 no-room
                run 2 (a) interrupted in attempt 1: no descriptors
            0.01s cancel 1
                run 1 (a) cancelled on request, never started
                -> answer Cancelled(RunId(1))
            0.02s crash
                1 scheduled
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            0.02s open
                opened
            1s tick
            1.005s tick
                run 2 (a) due
                run 2 (a) started, attempt 2
                -> start 2.2 in io
        "#]],
    );
}

#[test]
fn what_there_was_no_room_for_while_the_daemon_leaves_goes_on_with_the_next_one() {
    for on_crash in ["", " on_crash=fail"] {
        let script = "0s submit a\n1s drain\n1s interrupt\n1s end 1 no-room";
        let said = play(&format!("job a io{on_crash}"), script);
        let waits = "run 1 (a) interrupted in attempt 1: no descriptors";
        assert!(said.contains(waits), "{on_crash}: {said}");
    }
}

#[test]
fn a_timeout_counts_by_the_clock_that_nobody_sets() {
    const YEARS: i64 = 10 * 365 * 86_400;
    for jump in [-YEARS, -1, 1, YEARS] {
        let mut bench = Bench::new(define("job a io timeout=5s"));
        let mut told = |millis: u64, input: Input| {
            let mut now = at(Duration::from_millis(millis));
            if millis > 0 {
                now.wall.0 += jump * 1_000_000;
            }
            bench.step(now, input)
        };
        let submission = Submission {
            items: vec![SubmitItem::of(&"a".into())],
            key: None,
            caller: None,
        };
        told(0, Input::Submit(submission));
        assert!(told(4_999, Input::Tick).is_empty(), "{jump} s");
        let over = told(5_000, Input::Tick);
        assert!(over[0].contains("its timeout passed"), "{jump} s: {over:?}");
    }
}

#[test]
fn what_waited_in_its_lane_when_the_daemon_went_down_is_not_counted() {
    for job in ["job a io", "job a io on_crash=fail"] {
        let mut script = "0s submit a\n".to_owned();
        for epoch in 1..=9 {
            use std::fmt::Write as _;
            writeln!(
                script,
                "{epoch}s crash\n{epoch}s settle 1.{epoch}\n{epoch}s open"
            )
            .unwrap();
        }
        let said = play(job, &format!("{script}10s end 1.10 ok"));
        let times = said
            .matches("the daemon went down before it had begun")
            .count();
        assert_eq!(times, 9, "{job}: {said}");
        assert!(said.contains("run 1 (a) succeeded"), "{job}: {said}");
    }
}

#[test]
fn what_somebody_stops_that_has_not_begun_stays_stopped() {
    let script = "0s submit a\n1s cancel 1\n2s crash\n2s settle 1.1\n2s open";
    let said = play("job a io", script);
    assert!(said.contains("run 1 (a) cancelled"), "{said}");
}
