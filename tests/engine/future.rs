//! Runs that wait to be completed from outside.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_future_ends_with_what_is_brought() {
    check(
        "io 1\njob f io task=future\njob a io after=f\njob b io",
        "0 submit f a\n1 submit b\n2 complete 1\n3 complete 1\n3 complete 2\n4 complete 77",
        expect![[r#"
            0 submit f a
                run 1 (f) accepted
                run 2 (a) accepted after 1
                run 1 (f) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
            1 submit b
                run 3 (b) accepted
                -> answer Submitted([RunId(3)])
            2 complete 1
                run 1 (f) succeeded
                run 2 (a) released
                run 3 (b) started, attempt 1
                -> answer Completed(RunId(1))
                -> start 3.1 in io
            3 complete 1
                -> answer AlreadyEnded(RunId(1))
            3 complete 2
                -> answer NotWaiting(RunId(2), Queued)
            4 complete 77
                -> answer UnknownRun(RunId(77))
        "#]],
    );
}

#[test]
fn a_future_fails_is_cancelled_and_times_out_at_once() {
    check(
        "job f io task=future timeout=5s\njob a io",
        "0 submit f f f a\n1 complete 1 refused\n2 cancel 2\n3 complete 4\n5 tick",
        expect![[r#"
            0 submit f f f a
                run 1 (f) accepted
                run 2 (f) accepted
                run 3 (f) accepted
                run 4 (a) accepted
                run 1 (f) started, attempt 1
                run 2 (f) started, attempt 1
                run 3 (f) started, attempt 1
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 4.1 in io
            1 complete 1 refused
                run 1 (f) failed: refused
                -> answer Completed(RunId(1))
            2 cancel 2
                run 2 (f) stopping on request
                run 2 (f) cancelled on request
                -> answer Stopping(RunId(2))
            3 complete 4
                -> answer NotWaiting(RunId(4), Running)
            5 tick
                run 3 (f) stopping because its timeout passed
                run 3 (f) failed: not done within its timeout of 5s
        "#]],
    );
}

#[test]
fn a_future_that_waits_survives_crash_and_shutdown() {
    check(
        "job f io task=future",
        "0 submit f\n1 crash\n1 settle\n1 open\n2 drain\n2 interrupt\n3 crash\n3 settle\n3 open\n4 complete 1",
        expect![[r#"
            0 submit f
                run 1 (f) accepted
                run 1 (f) started, attempt 1
                -> answer Submitted([RunId(1)])
            1 crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            1 settle
                run 1 (f) interrupted in attempt 1: the daemon or the machine went down under it
            1 open
                opened
                run 1 (f) started, attempt 2
            2 drain
                draining
            2 interrupt
                run 1 (f) stopping because the daemon shuts down
                run 1 (f) interrupted in attempt 2: the daemon was shut down
            3 crash
                1 queued
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            3 settle
            3 open
                opened
                run 1 (f) started, attempt 3
            4 complete 1
                run 1 (f) succeeded
                -> answer Completed(RunId(1))
        "#]],
    );
}
