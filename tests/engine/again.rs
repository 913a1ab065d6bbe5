//! Graphs and spread runs that are tried once more: what failed, from there, and nothing else.

use expect_test::expect;

use crate::script::check;

#[test]
fn what_failed_of_a_graph_is_tried_once_more_from_there() {
    check(
        "job a io
         job b io after=a
         job c io after=b
         job d io after=a
         job e io after=c,d",
        "0s submit a b c d e
         1s end 1 ok
         2s end 2 error
         2s end 4 ok
         3s again 1 2 3 4 5
         4s end 2.2 ok
         5s end 3 ok
         6s end 5 ok",
        expect![[r#"
            0s submit a b c d e
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 3 (c) accepted after 2
                run 4 (d) accepted after 1
                run 5 (e) accepted after 3, 4
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5)])
                -> start 1.1 in io
            1s end 1 ok
                run 1 (a) succeeded
                run 2 (b) released
                run 4 (d) released
                run 2 (b) started, attempt 1
                run 4 (d) started, attempt 1
                -> start 2.1 in io
                -> start 4.1 in io
            2s end 2 error
                run 2 (b) failed: no luck
                run 3 (c) skipped: run 2 of `b`, which it comes after, did not succeed
                run 5 (e) skipped: run 3 of `c`, which it comes after, did not succeed
            2s end 4 ok
                run 4 (d) succeeded
            3s again 1 2 3 4 5
                run 2 (b) retried
                run 3 (c) retried after [RunId(2)]
                run 5 (e) retried after [RunId(3)]
                run 2 (b) started, attempt 2
                -> answer RetriedGraph([RunId(2), RunId(3), RunId(5)])
                -> start 2.2 in io
            4s end 2.2 ok
                run 2 (b) succeeded
                run 3 (c) released
                run 3 (c) started, attempt 1
                -> start 3.1 in io
            5s end 3 ok
                run 3 (c) succeeded
                run 5 (e) released
                run 5 (e) started, attempt 1
                -> start 5.1 in io
            6s end 5 ok
                run 5 (e) succeeded
        "#]],
    );
}

#[test]
fn what_succeeded_of_a_graph_is_not_tried_once_more_when_it_is_forgotten() {
    check(
        "job a io
         job b io after=a
         job c io after=b",
        "0s submit a b c
         1s end 1 ok
         2s end 2 error
         3s crash
         3s settle
         3s open
         4s again 1 2 3
         5s end 2.2 ok
         6s end 3 ok
         7s crash
         7s settle
         7s open
         8s again 1 2 3",
        expect![[r#"
            0s submit a b c
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 3 (c) accepted after 2
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
            1s end 1 ok
                run 1 (a) succeeded
                run 2 (b) released
                run 2 (b) started, attempt 1
                -> start 2.1 in io
            2s end 2 error
                run 2 (b) failed: no luck
                run 3 (c) skipped: run 2 of `b`, which it comes after, did not succeed
            3s crash
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            3s settle
            3s open
                opened
            4s again 1 2 3
                run 2 (b) retried
                run 3 (c) retried after [RunId(2)]
                run 2 (b) started, attempt 2
                -> answer RetriedGraph([RunId(2), RunId(3)])
                -> start 2.2 in io
            5s end 2.2 ok
                run 2 (b) succeeded
                run 3 (c) released
                run 3 (c) started, attempt 1
                -> start 3.1 in io
            6s end 3 ok
                run 3 (c) succeeded
            7s crash
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            7s settle
            7s open
                opened
            8s again 1 2 3
                -> answer NothingFailed(RunId(1))
        "#]],
    );
}

#[test]
fn parts_that_succeeded_are_kept_when_the_one_that_failed_was_tried_once_more_by_itself() {
    check(
        "job a io params=n:integer foreach=n
         job b io after=a params=all:any<a",
        "0s submit a{\"n\":[7,8]} b
         1s end 3 ok=70
         2s end 4 error
         3s again 4
         4s again 1 2 3 4
         5s end 4.2 ok=80
         6s end 2 ok",
        expect![[r#"
            0s submit a{"n":[7,8]} b
                run 1 (a) accepted {"n":[7,8]}
                run 2 (b) accepted after 1
                run 1 (a) spread into 2 from 3 on
                run 3 (a) accepted {"n":7} part of 1
                run 4 (a) accepted {"n":8} part of 1
                run 3 (a) started, attempt 1
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 3.1 in io
                -> start 4.1 in io
            1s end 3 ok=70
                run 3 (a) succeeded
                run 1 (a) met 3, Succeeded, {"":70}
            2s end 4 error
                run 4 (a) failed: no luck
                run 1 (a) met 4, Failed, {"":null}
                run 1 (a) gathered: Failed(Error("1 of the 2 runs that it was spread into did not succeed"))
                run 2 (b) skipped: run 1 of `a`, which it comes after, did not succeed
            3s again 4
                run 4 (a) retried
                run 4 (a) started, attempt 2
                -> answer RetriedGraph([RunId(4)])
                -> start 4.2 in io
            4s again 1 2 3 4
                run 1 (a) retried after [RunId(4)]
                run 2 (b) retried after [RunId(1)]
                -> answer RetriedGraph([RunId(1), RunId(2)])
            5s end 4.2 ok=80
                run 4 (a) succeeded
                run 1 (a) met 4, Succeeded, {"":80}
                run 1 (a) gathered: Succeeded [70,80]
                run 2 (b) met 1, Succeeded, {"all":[70,80]}
                run 2 (b) released
                run 2 (b) started, attempt 1
                -> start 2.1 in io
            6s end 2 ok
                run 2 (b) succeeded
        "#]],
    );
}

#[test]
fn parts_that_have_all_succeeded_by_now_are_gathered() {
    check(
        "job a io params=n:integer foreach=n
         job b io after=a params=all:any<a",
        "0s submit a{\"n\":[7,8]} b
         1s end 3 ok=70
         2s end 4 error
         3s again 4
         4s end 4.2 ok=80
         5s crash
         5s settle
         5s open
         6s again 1 2 3 4
         7s end 2 ok",
        expect![[r#"
            0s submit a{"n":[7,8]} b
                run 1 (a) accepted {"n":[7,8]}
                run 2 (b) accepted after 1
                run 1 (a) spread into 2 from 3 on
                run 3 (a) accepted {"n":7} part of 1
                run 4 (a) accepted {"n":8} part of 1
                run 3 (a) started, attempt 1
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 3.1 in io
                -> start 4.1 in io
            1s end 3 ok=70
                run 3 (a) succeeded
                run 1 (a) met 3, Succeeded, {"":70}
            2s end 4 error
                run 4 (a) failed: no luck
                run 1 (a) met 4, Failed, {"":null}
                run 1 (a) gathered: Failed(Error("1 of the 2 runs that it was spread into did not succeed"))
                run 2 (b) skipped: run 1 of `a`, which it comes after, did not succeed
            3s again 4
                run 4 (a) retried
                run 4 (a) started, attempt 2
                -> answer RetriedGraph([RunId(4)])
                -> start 4.2 in io
            4s end 4.2 ok=80
                run 4 (a) succeeded
            5s crash
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            5s settle
            5s open
                opened
            6s again 1 2 3 4
                run 1 (a) retried
                run 2 (b) retried after [RunId(1)]
                run 1 (a) gathered: Succeeded [70,80]
                run 2 (b) met 1, Succeeded, {"all":[70,80]}
                run 2 (b) released
                run 2 (b) started, attempt 1
                -> answer RetriedGraph([RunId(1), RunId(2)])
                -> start 2.1 in io
            7s end 2 ok
                run 2 (b) succeeded
        "#]],
    );
}

#[test]
fn what_gave_no_result_is_tried_once_more_with_what_takes_it() {
    check(
        "job list io
         job each io after=list params=n:integer<list",
        "0s submit list each
         1s end 1 ok
         2s again 1 2
         3s end 1.2 ok=7
         4s end 2 ok",
        expect![[r#"
            0s submit list each
                run 1 (list) accepted
                run 2 (each) accepted after 1
                run 1 (list) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1s end 1 ok
                run 1 (list) succeeded
                run 2 (each) skipped: its argument `n` is missing: `list` gave no result
            2s again 1 2
                run 1 (list) retried
                run 2 (each) retried after [RunId(1)]
                run 1 (list) started, attempt 2
                -> answer RetriedGraph([RunId(1), RunId(2)])
                -> start 1.2 in io
            3s end 1.2 ok=7
                run 1 (list) succeeded
                run 2 (each) met 1, Succeeded, {"n":7}
                run 2 (each) released
                run 2 (each) started, attempt 1
                -> start 2.1 in io
            4s end 2 ok
                run 2 (each) succeeded
        "#]],
    );
}

#[test]
fn a_source_that_goes_on_again_is_left_alone() {
    check(
        "job list io
         job each io after=list params=n:integer<list",
        "0s submit list each
         1s end 1 ok
         2s retry 1 list 1
         3s again 1 2
         4s end 1.2 ok=7",
        expect![[r#"
            0s submit list each
                run 1 (list) accepted
                run 2 (each) accepted after 1
                run 1 (list) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1s end 1 ok
                run 1 (list) succeeded
                run 2 (each) skipped: its argument `n` is missing: `list` gave no result
            2s retry 1 list 1
                run 1 (list) retried
                run 1 (list) started, attempt 2
                -> answer Retried(RunId(1))
                -> start 1.2 in io
            3s again 1 2
                run 2 (each) retried after [RunId(1)]
                -> answer RetriedGraph([RunId(2)])
            4s end 1.2 ok=7
                run 1 (list) succeeded
                run 2 (each) met 1, Succeeded, {"n":7}
                run 2 (each) released
                run 2 (each) started, attempt 1
                -> start 2.1 in io
        "#]],
    );
}

#[test]
fn parts_that_failed_are_tried_once_more_and_the_others_kept() {
    check(
        "job each io foreach=n params=n:integer",
        "0s submit each{\"n\":[1,2]}
         1s end 2 ok=10
         1s end 3 error
         2s again 1 2 3
         3s end 3.2 ok=20",
        expect![[r#"
            0s submit each{"n":[1,2]}
                run 1 (each) accepted {"n":[1,2]}
                run 1 (each) spread into 2 from 2 on
                run 2 (each) accepted {"n":1} part of 1
                run 3 (each) accepted {"n":2} part of 1
                run 2 (each) started, attempt 1
                run 3 (each) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
                -> start 3.1 in io
            1s end 2 ok=10
                run 2 (each) succeeded
                run 1 (each) met 2, Succeeded, {"":10}
            1s end 3 error
                run 3 (each) failed: no luck
                run 1 (each) met 3, Failed, {"":null}
                run 1 (each) gathered: Failed(Error("1 of the 2 runs that it was spread into did not succeed"))
            2s again 1 2 3
                run 3 (each) retried
                run 1 (each) retried after [RunId(3)]
                run 3 (each) started, attempt 2
                -> answer RetriedGraph([RunId(3), RunId(1)])
                -> start 3.2 in io
            3s end 3.2 ok=20
                run 3 (each) succeeded
                run 1 (each) met 3, Succeeded, {"":20}
                run 1 (each) gathered: Succeeded [10,20]
        "#]],
    );
}

#[test]
fn parts_in_whose_place_others_are_do_not_come_back() {
    check(
        "job a io params=n:integer foreach=n",
        "0s submit a{\"n\":[7,8]}
         1s end 2 error
         2s end 3 error
         3s alone 1
         4s end 4 error
         5s end 5 ok=8
         6s again 1 2 3 4 5
         7s alone 2
         8s end 2.2 error
         9s end 4.2 ok=7",
        expect![[r#"
            0s submit a{"n":[7,8]}
                run 1 (a) accepted {"n":[7,8]}
                run 1 (a) spread into 2 from 2 on
                run 2 (a) accepted {"n":7} part of 1
                run 3 (a) accepted {"n":8} part of 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
                -> start 3.1 in io
            1s end 2 error
                run 2 (a) failed: no luck
                run 1 (a) met 2, Failed, {"":null}
            2s end 3 error
                run 3 (a) failed: no luck
                run 1 (a) met 3, Failed, {"":null}
                run 1 (a) gathered: Failed(Error("2 of the 2 runs that it was spread into did not succeed"))
            3s alone 1
                run 1 (a) retried
                run 1 (a) spread into 2 from 4 on
                run 4 (a) accepted {"n":7} part of 1
                run 5 (a) accepted {"n":8} part of 1
                run 4 (a) started, attempt 1
                run 5 (a) started, attempt 1
                -> answer Retried(RunId(1))
                -> start 4.1 in io
                -> start 5.1 in io
            4s end 4 error
                run 4 (a) failed: no luck
                run 1 (a) met 4, Failed, {"":null}
            5s end 5 ok=8
                run 5 (a) succeeded
                run 1 (a) met 5, Succeeded, {"":8}
                run 1 (a) gathered: Failed(Error("1 of the 2 runs that it was spread into did not succeed"))
            6s again 1 2 3 4 5
                run 4 (a) retried
                run 1 (a) retried after [RunId(4)]
                run 4 (a) started, attempt 2
                -> answer RetriedGraph([RunId(4), RunId(1)])
                -> start 4.2 in io
            7s alone 2
                run 2 (a) retried
                run 2 (a) started, attempt 2
                -> answer Retried(RunId(2))
                -> start 2.2 in io
            8s end 2.2 error
                run 2 (a) failed: no luck
            9s end 4.2 ok=7
                run 4 (a) succeeded
                run 1 (a) met 4, Succeeded, {"":7}
                run 1 (a) gathered: Succeeded [7,8]
        "#]],
    );
}

#[test]
fn a_graph_of_which_one_may_not_be_tried_once_more_is_left_as_it_is() {
    check(
        "job x io
         job u io unique=job:join
         job v io after=u",
        "0s submit x u v
         1s end 1 error
         1s end 2 error
         2s submit u
         3s again 1 2 3
         4s end 4 ok
         5s submit u
         5s end 5 error
         6s again 2 5
         7s again 1 2 3",
        expect![[r#"
            0s submit x u v
                run 1 (x) accepted
                run 2 (u) accepted
                run 3 (v) accepted after 2
                run 1 (x) started, attempt 1
                run 2 (u) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s end 1 error
                run 1 (x) failed: no luck
            1s end 2 error
                run 2 (u) failed: no luck
                run 3 (v) skipped: run 2 of `u`, which it comes after, did not succeed
            2s submit u
                run 4 (u) accepted
                run 4 (u) started, attempt 1
                -> answer Submitted([RunId(4)])
                -> start 4.1 in io
            3s again 1 2 3
                -> answer Refused(Duplicate { job: "u", run: RunId(4) })
            4s end 4 ok
                run 4 (u) succeeded
            5s submit u
                run 5 (u) accepted
                run 5 (u) started, attempt 1
                -> answer Submitted([RunId(5)])
                -> start 5.1 in io
            5s end 5 error
                run 5 (u) failed: no luck
            6s again 2 5
                -> answer Refused(Twice("u"))
            7s again 1 2 3
                run 1 (x) retried
                run 2 (u) retried
                run 3 (v) retried after [RunId(2)]
                run 1 (x) started, attempt 2
                run 2 (u) started, attempt 2
                -> answer RetriedGraph([RunId(1), RunId(2), RunId(3)])
                -> start 1.2 in io
                -> start 2.2 in io
        "#]],
    );
}

#[test]
fn what_was_left_out_for_nothing_had_failed_is_no_failure() {
    check(
        "job a io
         job w io after=a when=failure
         job z io after=w
         job b io
         job c io after=b,w when=always
         job d io after=b when=any",
        "0s submit a w z
         1s end 1 ok
         2s again 1 2 3
         3s submit a w z b c d
         4s end 4 ok
         5s end 7 error
         6s end 8 error
         7s again 4 5 6 7 8 9",
        expect![[r#"
            0s submit a w z
                run 1 (a) accepted
                run 2 (w) accepted after 1
                run 3 (z) accepted after 2
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
            1s end 1 ok
                run 1 (a) succeeded
                run 2 (w) skipped: all runs that it comes after have succeeded
                run 3 (z) skipped: run 2 of `w`, which it comes after, did not succeed
            2s again 1 2 3
                -> answer NothingFailed(RunId(1))
            3s submit a w z b c d
                run 4 (a) accepted
                run 5 (w) accepted after 4
                run 6 (z) accepted after 5
                run 7 (b) accepted
                run 8 (c) accepted after 7, 5
                run 9 (d) accepted after 7
                run 4 (a) started, attempt 1
                run 7 (b) started, attempt 1
                -> answer Submitted([RunId(4), RunId(5), RunId(6), RunId(7), RunId(8), RunId(9)])
                -> start 4.1 in io
                -> start 7.1 in io
            4s end 4 ok
                run 4 (a) succeeded
                run 5 (w) skipped: all runs that it comes after have succeeded
                run 6 (z) skipped: run 5 of `w`, which it comes after, did not succeed
            5s end 7 error
                run 7 (b) failed: no luck
                run 8 (c) released
                run 9 (d) skipped: none of the runs that it comes after has succeeded
                run 8 (c) started, attempt 1
                -> start 8.1 in io
            6s end 8 error
                run 8 (c) failed: no luck
            7s again 4 5 6 7 8 9
                run 7 (b) retried
                run 8 (c) retried after [RunId(7)]
                run 9 (d) retried after [RunId(7)]
                run 7 (b) started, attempt 2
                -> answer RetriedGraph([RunId(7), RunId(8), RunId(9)])
                -> start 7.2 in io
        "#]],
    );
}
