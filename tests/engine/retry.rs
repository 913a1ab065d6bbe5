//! Attempts that failed are followed by others, as often and as late as the job says.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_failed_attempt_is_followed_by_another_until_there_are_enough() {
    check(
        "job a io retry=3",
        "0s submit a
         1s end 1.1 error
         1s explain 1
         2s tick
         3s end 1.2 panic
         5s tick
         6s end 1.3 error",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s end 1.1 error
                run 1 (a) failed in attempt 1: no luck; again at 2s
            1s explain 1
                it is tried again in 1s: 1 of 3 attempts have failed
            2s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            3s end 1.2 panic
                run 1 (a) failed in attempt 2: panicked: oh; again at 5s
            5s tick
                run 1 (a) due
                run 1 (a) started, attempt 3
                -> start 1.3 in io
            6s end 1.3 error
                run 1 (a) failed: no luck
        "#]],
    );
}

#[test]
fn what_comes_after_waits_until_the_last_attempt() {
    check(
        "job a io retry=2:fixed
         job b io after=a",
        "0s submit a b
         1s end 1.1 error
         2s tick
         3s end 1.2 ok",
        expect![[r#"
            0s submit a b
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1s end 1.1 error
                run 1 (a) failed in attempt 1: no luck; again at 2s
            2s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            3s end 1.2 ok
                run 1 (a) succeeded
                run 2 (b) released
                run 2 (b) started, attempt 1
                -> start 2.1 in io
        "#]],
    );
}

#[test]
fn a_timeout_is_a_failure_like_others() {
    check(
        "job a io retry=2:fixed timeout=5s",
        "0s submit a
         5s tick
         6s end 1.1 stopped
         7s tick
         12s tick
         13s end 1.2 stopped",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            5s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.1 because its timeout passed
            6s end 1.1 stopped
                run 1 (a) failed in attempt 1: not done within its timeout of 5s; again at 7s
            7s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            12s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.2 because its timeout passed
            13s end 1.2 stopped
                run 1 (a) failed: not done within its timeout of 5s
        "#]],
    );
}

#[test]
fn a_cancelled_run_is_not_tried_again() {
    check(
        "job a io retry=9",
        "0s submit a a
         1s cancel 1
         2s end 1.1 error
         2s end 2.1 error
         2.5s cancel 2
         9s tick",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s cancel 1
                run 1 (a) stopping on request
                -> stop 1.1 on request
                -> answer Stopping(RunId(1))
            2s end 1.1 error
                run 1 (a) failed: no luck
            2s end 2.1 error
                run 2 (a) failed in attempt 1: no luck; again at 3s
            2.5s cancel 2
                run 2 (a) cancelled on request, never started
                -> answer Cancelled(RunId(2))
            9s tick
        "#]],
    );
}

#[test]
fn crashes_and_shutdowns_cost_no_attempt() {
    check(
        "job a io retry=2:fixed",
        "0s submit a
         1s end 1.1 error
         1.5s crash
         1.5s open
         2s tick
         3s interrupt
         4s end 1.2 stopped
         5s crash
         5s open
         6s end 1.3 error",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s end 1.1 error
                run 1 (a) failed in attempt 1: no luck; again at 2s
            1.5s crash
                1 scheduled
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            1.5s open
                opened
            2s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            3s interrupt
                run 1 (a) stopping because the daemon shuts down
                -> stop 1.2 because the daemon shuts down
            4s end 1.2 stopped
                run 1 (a) interrupted in attempt 2: the daemon was shut down
                run 1 (a) started, attempt 3
                -> start 1.3 in io
            5s crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            5s open
                opened
            6s end 1.3 error
                run 1 (a) failed: no luck
        "#]],
    );
}

#[test]
fn work_that_must_not_be_done_twice_is_not() {
    check(
        "job a io on_crash=fail",
        "0s submit a a
         1s end 1.1 error
         2s crash
         2s settle
         2s open",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s end 1.1 error
                run 1 (a) failed: no luck
            2s crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            2s settle
                run 2 (a) failed: the daemon or the machine went down under it
            2s open
                opened
        "#]],
    );
}

#[test]
fn a_run_timeout_counts_all_attempts_and_pauses() {
    check(
        "job a io retry=9 run_timeout=10s",
        "0s submit a
         1s end 1.1 error
         2s tick
         4s end 1.2 error
         6s tick
         10s tick
         11s end 1.3 stopped",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s end 1.1 error
                run 1 (a) failed in attempt 1: no luck; again at 2s
            2s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            4s end 1.2 error
                run 1 (a) failed in attempt 2: no luck; again at 6s
            6s tick
                run 1 (a) due
                run 1 (a) started, attempt 3
                -> start 1.3 in io
            10s tick
                run 1 (a) stopping because its `run_timeout` passed
                -> stop 1.3 because its `run_timeout` passed
            11s end 1.3 stopped
                run 1 (a) failed: not done within its `run_timeout` of 10s
        "#]],
    );
}

#[test]
fn a_run_timeout_ends_a_run_that_waits_too() {
    check(
        "io 1
         job a io retry=9 run_timeout=10s
         job b io",
        "0s submit a b
         1s end 1.1 error
         2s tick
         3s explain 1
         10s tick
         11s end 2 ok",
        expect![[r#"
            0s submit a b
                run 1 (a) accepted
                run 2 (b) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1s end 1.1 error
                run 1 (a) failed in attempt 1: no luck; again at 2s
                run 2 (b) started, attempt 1
                -> start 2.1 in io
            2s tick
                run 1 (a) due
            3s explain 1
                lane `io` is full: 1 of 1 held by run 2; it is the first in line
            10s tick
                run 1 (a) given up: not done within its `run_timeout` of 10s
            11s end 2 ok
                run 2 (b) succeeded
        "#]],
    );
    // No pause is begun that would outlast it.
    check(
        "job a io retry=9:fixed run_timeout=10s",
        "0s submit a
         9.5s end 1.1 error",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            9.5s end 1.1 error
                run 1 (a) failed: no luck
        "#]],
    );
}

#[test]
fn a_run_that_cannot_start_in_time_is_skipped() {
    check(
        "io 1
         job a io
         job b io start_within=5s
         job c io after=b",
        "0s submit a b c
         5s tick
         6s end 1 ok",
        expect![[r#"
            0s submit a b c
                run 1 (a) accepted
                run 2 (b) accepted
                run 3 (c) accepted after 2
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
            5s tick
                run 2 (b) skipped: it could not start within 5s
                run 3 (c) skipped: run 2 of `b`, which it comes after, did not succeed
            6s end 1 ok
                run 1 (a) succeeded
        "#]],
    );
    // Time that it was not yet due does not count, and once started it has started.
    check(
        "io 1
         job b io start_within=5s delay=9s retry=2:fixed
         job a io",
        "0s submit b
         9s tick
         13s submit a
         14s end 1.1 error
         20s tick
         21s end 2.1 ok",
        expect![[r#"
            0s submit b
                run 1 (b) accepted due 9s
                -> answer Submitted([RunId(1)])
            9s tick
                run 1 (b) due
                run 1 (b) started, attempt 1
                -> start 1.1 in io
            13s submit a
                run 2 (a) accepted
                -> answer Submitted([RunId(2)])
            14s end 1.1 error
                run 1 (b) failed in attempt 1: no luck; again at 15s
                run 2 (a) started, attempt 1
                -> start 2.1 in io
            20s tick
                run 1 (b) due
            21s end 2.1 ok
                run 2 (a) succeeded
                run 1 (b) started, attempt 2
                -> start 1.2 in io
        "#]],
    );
}
