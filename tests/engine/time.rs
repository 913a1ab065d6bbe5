//! Delays and timeouts, on the monotonic clock.

use expect_test::expect;

use crate::script::check;

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
