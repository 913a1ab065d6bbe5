//! Cancelling, draining and stopping: nothing is called over while something of it may still run.

use expect_test::expect;

use crate::script::check;

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
