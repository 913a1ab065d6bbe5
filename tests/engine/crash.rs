//! The daemon goes down under its runs: what was running is settled before anything starts.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_run_that_went_down_with_the_daemon_waits_in_line_again() {
    check(
        "job a io\njob b cpu on_crash=fail\ncpu 1",
        "0 submit a b b\n1 crash\n2 settle\n2 open\n3 end 1.1 ok\n3 end 1.2 ok\n4 status",
        expect![[r#"
            0 submit a b b
                run 1 (a) accepted
                run 2 (b) accepted
                run 3 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
                -> start 2.1 in cpu
            1 crash
                1 queued
                2 running
                lane `io`: 1 of 10000
                lane `cpu`: 1 of 1
            2 settle
                run 1 (a) interrupted in attempt 1: the daemon or the machine went down under it
                run 2 (b) failed: the daemon or the machine went down under it
            2 open
                opened
                run 3 (b) started, attempt 1
                run 1 (a) started, attempt 2
                -> start 3.1 in cpu
                -> start 1.2 in io
            3 end 1.1 ok
            3 end 1.2 ok
                run 1 (a) succeeded
            4 status
                1 running
                1 succeeded
                1 failed
                lane `io`: 0 of 10000
                lane `cpu`: 1 of 1
        "#]],
    );
}

#[test]
fn a_run_that_goes_down_too_often_counts_as_the_cause() {
    check(
        "job a io",
        "0 submit a\n1 crash\n1 settle\n1 open\n2 crash\n2 settle\n2 open\n3 crash\n3 settle\n3 open\n4 crash\n4 settle",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1 crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            1 settle
                run 1 (a) interrupted in attempt 1: the daemon or the machine went down under it
            1 open
                opened
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            2 crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            2 settle
                run 1 (a) interrupted in attempt 2: the daemon or the machine went down under it
            2 open
                opened
                run 1 (a) started, attempt 3
                -> start 1.3 in io
            3 crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            3 settle
                run 1 (a) interrupted in attempt 3: the daemon or the machine went down under it
            3 open
                opened
                run 1 (a) started, attempt 4
                -> start 1.4 in io
            4 crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            4 settle
                run 1 (a) failed: the daemon or the machine went down under it 4 times, and after a crash a run is tried again at most 3 times
        "#]],
    );
}

#[test]
fn what_was_asked_to_stop_before_the_crash_has_stopped() {
    check(
        "job a io timeout=5s\njob b io after=a\njob c io",
        "0 submit a b\n0 submit c\n1 cancel 3\n6 tick\n7 crash\n7 settle\n7 status",
        expect![[r#"
            0 submit a b
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            0 submit c
                run 3 (c) accepted
                run 3 (c) started, attempt 1
                -> answer Submitted([RunId(3)])
                -> start 3.1 in io
            1 cancel 3
                run 3 (c) stopping on request
                -> stop 3.1 on request
                -> answer Stopping(RunId(3))
            6 tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.1 because its timeout passed
            7 crash
                1 blocked
                2 stopping
                lane `io`: 2 of 10000
                lane `cpu`: 0 of 2
            7 settle
                run 1 (a) failed: not done within its timeout of 5s
                run 2 (b) skipped: run 1 of `a`, which it comes after, did not succeed
                run 3 (c) cancelled on request
            7 status
                1 failed
                1 cancelled
                1 skipped
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
        "#]],
    );
}

#[test]
fn a_shutdown_interrupts_and_costs_nothing() {
    check(
        "job a io\njob b io",
        "0 submit a b\n1 drain\n2 interrupt\n3 end 1 stopped\n3 end 2 ok\n4 crash\n4 settle\n5 open",
        expect![[r#"
            0 submit a b
                run 1 (a) accepted
                run 2 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
                -> start 2.1 in io
            1 drain
                draining
            2 interrupt
                run 1 (a) stopping because the daemon shuts down
                run 2 (b) stopping because the daemon shuts down
                -> stop 1.1 because the daemon shuts down
                -> stop 2.1 because the daemon shuts down
            3 end 1 stopped
                run 1 (a) interrupted in attempt 1: the daemon was shut down
            3 end 2 ok
                run 2 (b) succeeded
            4 crash
                1 queued
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            4 settle
            5 open
                opened
                run 1 (a) started, attempt 2
                -> start 1.2 in io
        "#]],
    );
}

#[test]
fn blocked_and_scheduled_runs_survive() {
    check(
        "job a io\njob b io after=a\njob c io delay=9s\nlimit m 1\njob d io limits=m",
        "0 submit a b\n0 submit c\n0 submit d\n0 submit d:5\n0 submit d\n1 end 1 ok\n2 crash\n2 settle\n2 open\n3 end 4.2 ok\n9 tick",
        expect![[r#"
            0 submit a b
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            0 submit c
                run 3 (c) accepted due 9s
                -> answer Submitted([RunId(3)])
            0 submit d
                run 4 (d) accepted
                run 4 (d) started, attempt 1
                -> answer Submitted([RunId(4)])
                -> start 4.1 in io
            0 submit d:5
                run 5 (d) accepted
                -> answer Submitted([RunId(5)])
            0 submit d
                run 6 (d) accepted
                -> answer Submitted([RunId(6)])
            1 end 1 ok
                run 1 (a) succeeded
                run 2 (b) released
                run 2 (b) started, attempt 1
                -> start 2.1 in io
            2 crash
                1 scheduled
                2 queued
                2 running
                lane `io`: 2 of 10000
                lane `cpu`: 0 of 2
                limit `m`: 1 of 1
            2 settle
                run 2 (b) interrupted in attempt 1: the daemon or the machine went down under it
                run 4 (d) interrupted in attempt 1: the daemon or the machine went down under it
            2 open
                opened
                run 5 (d) started, attempt 1
                run 2 (b) started, attempt 2
                -> start 5.1 in io
                -> start 2.2 in io
            3 end 4.2 ok
            9 tick
                run 3 (c) due
                run 3 (c) started, attempt 1
                -> start 3.1 in io
        "#]],
    );
}

#[test]
fn a_stale_end_from_before_the_crash_finishes_nothing() {
    check(
        "job a io",
        "0 submit a\n1 crash\n1 settle\n1 open\n2 end 1.1 ok\n3 end 1.2 error",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1 crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            1 settle
                run 1 (a) interrupted in attempt 1: the daemon or the machine went down under it
            1 open
                opened
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            2 end 1.1 ok
            3 end 1.2 error
                run 1 (a) failed: no luck
        "#]],
    );
}

#[test]
fn a_run_that_is_over_is_tried_once_more() {
    check(
        "job a io",
        "0 submit a\n1 end 1 error\n2 retry 1 a 1\n3 retry 1 a 1\n4 end 1.2 ok\n5 retry 9 a 3\n5 explain 9",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1 end 1 error
                run 1 (a) failed: no luck
            2 retry 1 a 1
                run 1 (a) retried
                run 1 (a) started, attempt 2
                -> answer Retried(RunId(1))
                -> start 1.2 in io
            3 retry 1 a 1
                -> answer NotEnded(RunId(1))
            4 end 1.2 ok
                run 1 (a) succeeded
            5 retry 9 a 3
                -> answer UnknownRun(RunId(9))
            5 explain 9
                unknown
        "#]],
    );
}

/// What had only waited in its lane has not started: it still has to within its time, and its whole time is before it.
#[test]
fn what_had_not_begun_still_has_to_start_in_time() {
    let config = "io 1\njob a io start_within=5s timeout=7s run_timeout=9s retry=2:fixed";
    check(
        config,
        "0s submit a\n1s crash\n4s settle 1.1\n4s open\n10s tick\n11s tick",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s crash
                1 running
                lane `io`: 1 of 1
                lane `cpu`: 0 of 2
            4s settle 1.1
                run 1 (a) interrupted in attempt 1: the daemon went down before it had begun
            4s open
                opened
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            10s tick
            11s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.2 because its timeout passed
        "#]],
    );
    check(
        config,
        "0s submit a\n1s crash\n20s settle 1.1\n20s open",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s crash
                1 running
                lane `io`: 1 of 1
                lane `cpu`: 0 of 2
            20s settle 1.1
                run 1 (a) interrupted in attempt 1: the daemon went down before it had begun
                run 1 (a) skipped: it could not start within 5s
            20s open
                opened
        "#]],
    );
}

#[test]
fn what_has_failed_once_had_begun_whatever_becomes_of_its_next_attempt() {
    check(
        "io 1\njob a io start_within=5s timeout=7s run_timeout=9s retry=2:fixed",
        "0s submit a\n1s end 1.1 error\n2s tick\n3s crash\n10s settle 1.2\n10s open",
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
            3s crash
                1 running
                lane `io`: 1 of 1
                lane `cpu`: 0 of 2
            10s settle 1.2
                run 1 (a) interrupted in attempt 2: the daemon went down before it had begun
                run 1 (a) given up: not done within its `run_timeout` of 9s
            10s open
                opened
        "#]],
    );
}
