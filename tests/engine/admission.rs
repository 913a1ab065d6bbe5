//! What is accepted, what is refused, and in which order it starts.

use expect_test::expect;

use crate::script::check;

#[test]
fn runs_start_in_order_as_far_as_their_lane_has_room() {
    check(
        "cpu 2
         job a cpu",
        "0s submit a a
         1s submit a
         2s end 2 ok
         3s end 1 error
         4s end 3 panic",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in cpu
                -> start 2.1 in cpu
            1s submit a
                run 3 (a) accepted
                -> answer Submitted([RunId(3)])
            2s end 2 ok
                run 2 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in cpu
            3s end 1 error
                run 1 (a) failed: no luck
            4s end 3 panic
                run 3 (a) failed: panicked: oh
        "#]],
    );
}

#[test]
fn a_more_urgent_run_goes_first_and_a_waiting_one_ages() {
    check(
        "cpu 1
         aging 60s
         job a cpu
         job b cpu priority=1",
        "0s submit a
         1s submit a
         2s submit a:10
         3s submit b
         62s submit b
         100s end 1 ok
         101s end 3 ok
         102s end 4 ok
         103s end 2 ok",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in cpu
            1s submit a
                run 2 (a) accepted
                -> answer Submitted([RunId(2)])
            2s submit a:10
                run 3 (a) accepted
                -> answer Submitted([RunId(3)])
            3s submit b
                run 4 (b) accepted
                -> answer Submitted([RunId(4)])
            62s submit b
                run 5 (b) accepted
                -> answer Submitted([RunId(5)])
            100s end 1 ok
                run 1 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in cpu
            101s end 3 ok
                run 3 (a) succeeded
                run 4 (b) started, attempt 1
                -> start 4.1 in cpu
            102s end 4 ok
                run 4 (b) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in cpu
            103s end 2 ok
                run 2 (a) succeeded
                run 5 (b) started, attempt 1
                -> start 5.1 in cpu
        "#]],
    );
}

#[test]
fn submissions_are_accepted_whole_or_refused_with_the_reason() {
    check(
        "max 3
         io 1
         job a io
         job b io after=a
         job c io after=d
         job d io after=c",
        "0s submit
         0s submit a x
         0s submit b
         0s submit a a b
         0s submit c d
         0s submit a a
         0s submit a a
         0s submit a
         1s submit a
         1s end 1 ok
         1s submit a",
        expect![[r#"
            0s submit
                -> answer Refused(Empty)
            0s submit a x
                -> answer Refused(UnknownJob("x"))
            0s submit b
                -> answer Refused(MissingDependency { job: "b", needs: "a" })
            0s submit a a b
                -> answer Refused(AmbiguousDependency("a"))
            0s submit c d
                -> answer Refused(Circle("c"))
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            0s submit a a
                -> answer Refused(Full { bound: 3 })
            0s submit a
                run 3 (a) accepted
                -> answer Submitted([RunId(3)])
            1s submit a
                -> answer Refused(Full { bound: 3 })
            1s end 1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in io
            1s submit a
                run 4 (a) accepted
                -> answer Submitted([RunId(4)])
        "#]],
    );
}

#[test]
fn a_stale_attempt_finishes_nothing() {
    check(
        "cpu 1
         job a cpu",
        "0s submit a a
         1s end 1.2 ok
         1s end 2 ok
         1s end 7 ok
         2s end 1 ok
         3s end 1 error",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in cpu
            1s end 1.2 ok
            1s end 2 ok
            1s end 7 ok
            2s end 1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in cpu
            3s end 1 error
        "#]],
    );
}
