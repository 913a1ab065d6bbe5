//! Cancelling, draining and stopping: nothing is called over while something of it may still run.

use expect_test::expect;

use crate::script::check;

/// The attempt of a run that would be tried again is being stopped for its timeout.
#[test]
fn promise_5_a_cancelled_run_is_not_tried_again_whatever_stops_its_attempt() {
    check(
        "cpu 3
         job a cpu timeout=1 retry=3 grace=2
         job d cpu timeout=1 grace=2",
        "0s submit a a d
         1s tick
         2s cancel 1
         2s cancel 3
         6s tick
         7s cancel 2
         7s end 1 stopped
         8s end 2 stopped
         9s end 3 stopped",
        expect![[r#"
            0s submit a a d
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (d) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (d) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
                -> start 2.1 in cpu
                -> start 3.1 in cpu
            1s tick
                run 1 (a) stopping because its timeout passed
                run 2 (a) stopping because its timeout passed
                run 3 (d) stopping because its timeout passed
                -> stop 1.1 because its timeout passed
                -> stop 2.1 because its timeout passed
                -> stop 3.1 because its timeout passed
            2s cancel 1
                run 1 (a) stopping on request
                -> answer Stopping(RunId(1))
            2s cancel 3
                -> answer Stopping(RunId(3))
            6s tick
                run 1 (a) unresponsive, asked 5s ago on request
                run 2 (a) unresponsive, asked 5s ago because its timeout passed
                run 3 (d) unresponsive, asked 5s ago because its timeout passed
                -> replace 1.1
                -> replace 2.1
                -> replace 3.1
            7s cancel 2
                run 2 (a) unresponsive, asked 6s ago on request
                -> answer Unresponsive(RunId(2))
            7s end 1 stopped
                run 1 (a) cancelled on request
            8s end 2 stopped
                run 2 (a) cancelled on request
            9s end 3 stopped
                run 3 (d) failed: not done within its timeout of 1s
        "#]],
    );
}

/// The attempt of a run that would go on with the next daemon is being stopped.
#[test]
fn promise_5_a_cancelled_run_does_not_go_on_with_the_next_daemon() {
    check(
        "cpu 9
         job b cpu
         job c cpu unique=job:replace",
        "0s submit b c b
         5s interrupt
         6s cancel 1
         6s submit c
         9s end 1 stopped
         9s crash
         10s settle
         11s open",
        expect![[r#"
            0s submit b c b
                run 1 (b) accepted
                run 2 (c) accepted
                run 3 (b) accepted
                run 1 (b) started, attempt 1
                run 2 (c) started, attempt 1
                run 3 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
                -> start 2.1 in cpu
                -> start 3.1 in cpu
            5s interrupt
                run 1 (b) stopping because the daemon shuts down
                run 2 (c) stopping because the daemon shuts down
                run 3 (b) stopping because the daemon shuts down
                -> stop 1.1 because the daemon shuts down
                -> stop 2.1 because the daemon shuts down
                -> stop 3.1 because the daemon shuts down
            6s cancel 1
                run 1 (b) stopping on request
                -> answer Stopping(RunId(1))
            6s submit c
                run 2 (c) stopping to make room for run 4
                run 4 (c) accepted in place of 2
                -> answer Submitted([RunId(4)])
            9s end 1 stopped
                run 1 (b) cancelled on request
            9s crash
                1 blocked
                2 stopping
                lane `io`: 0 of 10000
                lane `cpu`: 2 of 9
            10s settle
                run 2 (c) cancelled to make room for run 4
                run 4 (c) released
                run 3 (b) interrupted in attempt 1: the daemon was shut down
            11s open
                opened
                run 4 (c) started, attempt 1
                run 3 (b) started, attempt 2
                -> start 4.1 in cpu
                -> start 3.2 in cpu
        "#]],
    );
}

/// Its end may come of itself at that moment, or there was no room for it.
#[test]
fn promise_5_a_cancelled_run_does_not_go_on_whatever_comes_of_its_attempt() {
    check(
        "cpu 9
         job d cpu retry=3 on_crash=fail",
        "0s submit d d
         5s interrupt
         6s cancel 1
         6s cancel 2
         9s end 1 error
         9s end 2 no-room",
        expect![[r#"
            0s submit d d
                run 1 (d) accepted
                run 2 (d) accepted
                run 1 (d) started, attempt 1
                run 2 (d) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in cpu
                -> start 2.1 in cpu
            5s interrupt
                run 1 (d) stopping because the daemon shuts down
                run 2 (d) stopping because the daemon shuts down
                -> stop 1.1 because the daemon shuts down
                -> stop 2.1 because the daemon shuts down
            6s cancel 1
                run 1 (d) stopping on request
                -> answer Stopping(RunId(1))
            6s cancel 2
                run 2 (d) stopping on request
                -> answer Stopping(RunId(2))
            9s end 1 error
                run 1 (d) failed: no luck
            9s end 2 no-room
                run 2 (d) cancelled on request
        "#]],
    );
}

#[test]
fn promise_5_cancel_tells_the_truth() {
    check(
        "cpu 1
         job a cpu",
        "0s submit a a a
         1s cancel 1
         1s explain 1
         1s cancel 1
         2s cancel 2
         3s end 1 stopped
         4s cancel 3
         5s end 3 ok
         6s cancel 3
         6s cancel 9
         6s cancel 0",
        expect![[r#"
            0s submit a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
            1s cancel 1
                run 1 (a) stopping on request
                -> stop 1.1 on request
                -> answer Stopping(RunId(1))
            1s explain 1
                it was asked to stop on request, and has not left its lane yet
            1s cancel 1
                -> answer Stopping(RunId(1))
            2s cancel 2
                run 2 (a) cancelled on request, never started
                -> answer Cancelled(RunId(2))
            3s end 1 stopped
                run 1 (a) cancelled on request
                run 3 (a) started, attempt 1
                -> start 3.1 in cpu
            4s cancel 3
                run 3 (a) stopping on request
                -> stop 3.1 on request
                -> answer Stopping(RunId(3))
            5s end 3 ok
                run 3 (a) succeeded
            6s cancel 3
                -> answer AlreadyEnded(RunId(3))
            6s cancel 9
                -> answer UnknownRun(RunId(9))
            6s cancel 0
                -> answer UnknownRun(RunId(0))
        "#]],
    );
}

#[test]
fn work_that_failed_by_itself_while_stopping_has_failed() {
    check(
        "job a io",
        "0s submit a
         1s cancel 1
         2s end 1 error",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s cancel 1
                run 1 (a) stopping on request
                -> stop 1.1 on request
                -> answer Stopping(RunId(1))
            2s end 1 error
                run 1 (a) failed: no luck
        "#]],
    );
}

#[test]
fn after_a_drain_nothing_starts_and_what_runs_may_end() {
    check(
        "cpu 1
         job a cpu",
        "0s submit a a
         1s drain
         1s drain
         1s submit a
         2s end 1 ok
         2s explain 2
         3s open
         4s drain
         5s stop
         5s stop
         6s end 2 stopped",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in cpu
            1s drain
                draining
            1s drain
            1s submit a
                -> answer Refused(Draining)
            2s end 1 ok
                run 1 (a) succeeded
            2s explain 2
                nothing starts any more because the daemon shuts down
            3s open
                opened
                run 2 (a) started, attempt 1
                -> start 2.1 in cpu
            4s drain
                draining
            5s stop
                run 2 (a) stopping because the daemon shuts down
                -> stop 2.1 because the daemon shuts down
            5s stop
            6s end 2 stopped
                run 2 (a) cancelled because the daemon shuts down
        "#]],
    );
}

#[test]
fn nobody_left_to_start_them_cancels_what_waits() {
    check(
        "cpu 1
         job a cpu
         job b cpu after=a
         job c cpu delay=5s",
        "0s submit a b c
         0s submit a
         1s drain
         1s cancel-waiting
         1s stop
         2s end 1 stopped
         2s status",
        expect![[r#"
            0s submit a b c
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 3 (c) accepted due 5s
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
            0s submit a
                run 4 (a) accepted
                -> answer Submitted([RunId(4)])
            1s drain
                draining
            1s cancel-waiting
                run 2 (b) cancelled because the daemon shuts down, never started
                run 3 (c) cancelled because the daemon shuts down, never started
                run 4 (a) cancelled because the daemon shuts down, never started
            1s stop
                run 1 (a) stopping because the daemon shuts down
                -> stop 1.1 because the daemon shuts down
            2s end 1 stopped
                run 1 (a) cancelled because the daemon shuts down
            2s status
                4 cancelled
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 1
        "#]],
    );
}

#[test]
fn promise_5_what_does_not_leave_its_lane_is_unresponsive_and_its_limits_stay_held() {
    check(
        "cpu 1
         limit m 1
         job a cpu limits=m grace=5s
         job b cpu
         job c cpu limits=m",
        "0s submit a b c
         1s cancel 1
         5s explain 1
         6s tick
         6s status
         7s cancel 1
         8s explain 1
         8s explain 3
         9s end 2 ok
         9s retry 1 a 1
         20s end 1 stopped
         20s status",
        expect![[r#"
            0s submit a b c
                run 1 (a) accepted
                run 2 (b) accepted
                run 3 (c) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
            1s cancel 1
                run 1 (a) stopping on request
                -> stop 1.1 on request
                -> answer Stopping(RunId(1))
            5s explain 1
                it was asked to stop on request, and has not left its lane yet
            6s tick
                run 1 (a) unresponsive, asked 5s ago on request
                run 2 (b) started, attempt 1
                -> replace 1.1
                -> start 2.1 in cpu
            6s status
                1 queued
                1 running
                1 unresponsive
                lane `io`: 0 of 10000
                lane `cpu`: 1 of 1, 1 unresponsive, 1 replaced
                limit `m`: 1 of 1
            7s cancel 1
                -> answer Unresponsive(RunId(1))
            8s explain 1
                it was asked to stop on request, and has been unresponsive for 2s: its time to leave its lane is over, and something of it still runs
            8s explain 3
                lane `cpu` is full: 1 of 1 held by run 2; limit `m` is full: 1 of 1 held by run 1; it is the first in line
            9s end 2 ok
                run 2 (b) succeeded
            9s retry 1 a 1
                -> answer NotEnded(RunId(1))
            20s end 1 stopped
                run 1 (a) cancelled on request
                run 3 (c) started, attempt 1
                -> start 3.1 in cpu
            20s status
                1 running
                1 succeeded
                1 cancelled
                lane `io`: 0 of 10000
                lane `cpu`: 1 of 1
                limit `m`: 1 of 1
        "#]],
    );
}

#[test]
fn no_more_places_are_replaced_than_the_lane_has() {
    check(
        "cpu 1
         job a cpu grace=1s timeout=1s",
        "0s submit a a a
         2s tick
         4s tick
         4s status
         9s tick
         10s end 2 stopped
         11s end 1 ok
         12s end 3 ok",
        expect![[r#"
            0s submit a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
            2s tick
                run 1 (a) stopping because its timeout passed
                -> stop 1.1 because its timeout passed
            4s tick
                run 1 (a) unresponsive, asked 2s ago because its timeout passed
                run 2 (a) started, attempt 1
                -> replace 1.1
                -> start 2.1 in cpu
            4s status
                1 queued
                1 running
                1 unresponsive
                lane `io`: 0 of 10000
                lane `cpu`: 1 of 1, 1 unresponsive, 1 replaced
            9s tick
                run 2 (a) stopping because its timeout passed
                -> stop 2.1 because its timeout passed
            10s end 2 stopped
                run 2 (a) unresponsive, asked 1s ago because its timeout passed, keeps its place
                run 2 (a) failed: not done within its timeout of 1s
                run 3 (a) started, attempt 1
                -> replace 2.1
                -> start 3.1 in cpu
            11s end 1 ok
                run 3 (a) stopping because its timeout passed
                run 1 (a) succeeded
                -> stop 3.1 because its timeout passed
            12s end 3 ok
                run 3 (a) unresponsive, asked 1s ago because its timeout passed
                run 3 (a) succeeded
                -> replace 3.1
        "#]],
    );
}

#[test]
fn what_went_down_with_the_daemon_is_not_unresponsive() {
    check(
        "cpu 3
         job a cpu grace=1s",
        "0s submit a a a
         1s cancel 1
         1s interrupt
         2s tick
         3s crash
         3s settle
         4s open",
        expect![[r#"
            0s submit a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
                -> start 2.1 in cpu
                -> start 3.1 in cpu
            1s cancel 1
                run 1 (a) stopping on request
                -> stop 1.1 on request
                -> answer Stopping(RunId(1))
            1s interrupt
                run 2 (a) stopping because the daemon shuts down
                run 3 (a) stopping because the daemon shuts down
                -> stop 2.1 because the daemon shuts down
                -> stop 3.1 because the daemon shuts down
            2s tick
                run 1 (a) unresponsive, asked 1s ago on request
                run 2 (a) unresponsive, asked 1s ago because the daemon shuts down
                run 3 (a) unresponsive, asked 1s ago because the daemon shuts down
                -> replace 1.1
                -> replace 2.1
                -> replace 3.1
            3s crash
                3 unresponsive
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 3, 3 unresponsive, 3 replaced
            3s settle
                run 1 (a) cancelled on request
                run 2 (a) interrupted in attempt 1: the daemon was shut down
                run 3 (a) interrupted in attempt 1: the daemon was shut down
            4s open
                opened
                run 2 (a) started, attempt 2
                run 3 (a) started, attempt 2
                -> start 2.2 in cpu
                -> start 3.2 in cpu
        "#]],
    );
}

#[test]
fn a_shutdown_interrupts_also_what_would_have_been_unresponsive_by_then() {
    check(
        "cpu 3
         job a cpu grace=5s",
        "0s submit a a
         1s cancel 1
         1s interrupt
         2s crash
         9s settle
         9s open",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in cpu
                -> start 2.1 in cpu
            1s cancel 1
                run 1 (a) stopping on request
                -> stop 1.1 on request
                -> answer Stopping(RunId(1))
            1s interrupt
                run 2 (a) stopping because the daemon shuts down
                -> stop 2.1 because the daemon shuts down
            2s crash
                2 stopping
                lane `io`: 0 of 10000
                lane `cpu`: 2 of 3
            9s settle
                run 1 (a) cancelled on request
                run 2 (a) interrupted in attempt 1: the daemon was shut down
            9s open
                opened
                run 2 (a) started, attempt 2
                -> start 2.2 in cpu
        "#]],
    );
}
