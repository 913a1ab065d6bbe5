//! Attempts that may begin before their own start is on record: it is said before which these are.

use expect_test::expect;

use crate::script::check;

#[test]
fn what_is_next_in_a_long_line_of_commands_is_announced() {
    check(
        "io 1\njob a io task=command\njob b io",
        "0 submit a a a a a a a a a a a a\n1 end 1.1 ok\n2 end 2.1 ok\n2.01 end 3.1 ok\n2.02 cancel 5\n2.03 end 4.1 ok\n3 drain",
        expect![[r#"
            0 submit a a a a a a a a a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted
                run 6 (a) accepted
                run 7 (a) accepted
                run 8 (a) accepted
                run 9 (a) accepted
                run 10 (a) accepted
                run 11 (a) accepted
                run 12 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5), RunId(6), RunId(7), RunId(8), RunId(9), RunId(10), RunId(11), RunId(12)])
                -> start 1.1 in io
            1 end 1.1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in io
            2 end 2.1 ok
                run 2 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in io
            2.01 end 3.1 ok
                run 3 (a) succeeded
                run 4 (a) started, attempt 1
                8 attempts announced
                -> start 4.1 in io
            2.02 cancel 5
                run 5 (a) cancelled on request, never started
                -> answer Cancelled(RunId(5))
            2.03 end 4.1 ok
                run 4 (a) succeeded
                run 6 (a) started, attempt 1
                -> start 6.1, announced by record 20
            3 drain
                draining
                0 attempts announced
        "#]],
    );
}

#[test]
fn what_was_announced_may_have_begun_when_the_daemon_went_down() {
    check(
        "io 1\njob a io task=command",
        "0 submit a a a a a a a a a a\n0.01 end 1.1 ok\n1 cancel 3\n1 crash\n2 settle\n2 open\n3 end 2.2 ok",
        expect![[r#"
            0 submit a a a a a a a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted
                run 6 (a) accepted
                run 7 (a) accepted
                run 8 (a) accepted
                run 9 (a) accepted
                run 10 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5), RunId(6), RunId(7), RunId(8), RunId(9), RunId(10)])
                -> start 1.1 in io
            0.01 end 1.1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                8 attempts announced
                -> start 2.1 in io
            1 cancel 3
                run 3 (a) cancelled on request, never started
                -> answer Cancelled(RunId(3))
            1 crash
                7 queued
                1 running
                lane `io`: 1 of 1
                lane `cpu`: 0 of 2
            2 settle
                run 2 (a) interrupted in attempt 1: the daemon or the machine went down under it
                run 4 (a) interrupted in attempt 1: the daemon or the machine went down when it may just have begun
                run 5 (a) interrupted in attempt 1: the daemon or the machine went down when it may just have begun
                run 6 (a) interrupted in attempt 1: the daemon or the machine went down when it may just have begun
                run 7 (a) interrupted in attempt 1: the daemon or the machine went down when it may just have begun
                run 8 (a) interrupted in attempt 1: the daemon or the machine went down when it may just have begun
                run 9 (a) interrupted in attempt 1: the daemon or the machine went down when it may just have begun
                run 10 (a) interrupted in attempt 1: the daemon or the machine went down when it may just have begun
                0 attempts announced
            2 open
                opened
                run 2 (a) started, attempt 2
                -> start 2.2 in io
            3 end 2.2 ok
                run 2 (a) succeeded
                run 4 (a) started, attempt 2
                -> start 4.2 in io
        "#]],
    );
}

#[test]
fn what_must_not_begin_twice_is_not_announced_nor_what_comes_with_the_time() {
    check(
        "io 1\nlimit r 5 1/s\njob a io task=command on_crash=fail\njob b io task=command limits=r\njob c io",
        "0 submit a a a a a a a a a a\n0 submit b b b b b b b b b b\n0 submit c c c c c c c c c c\n0.01 end 1.1 ok\n0.02 end 2 ok",
        expect![[r#"
            0 submit a a a a a a a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted
                run 6 (a) accepted
                run 7 (a) accepted
                run 8 (a) accepted
                run 9 (a) accepted
                run 10 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5), RunId(6), RunId(7), RunId(8), RunId(9), RunId(10)])
                -> start 1.1 in io
            0 submit b b b b b b b b b b
                run 11 (b) accepted
                run 12 (b) accepted
                run 13 (b) accepted
                run 14 (b) accepted
                run 15 (b) accepted
                run 16 (b) accepted
                run 17 (b) accepted
                run 18 (b) accepted
                run 19 (b) accepted
                run 20 (b) accepted
                -> answer Submitted([RunId(11), RunId(12), RunId(13), RunId(14), RunId(15), RunId(16), RunId(17), RunId(18), RunId(19), RunId(20)])
            0 submit c c c c c c c c c c
                run 21 (c) accepted
                run 22 (c) accepted
                run 23 (c) accepted
                run 24 (c) accepted
                run 25 (c) accepted
                run 26 (c) accepted
                run 27 (c) accepted
                run 28 (c) accepted
                run 29 (c) accepted
                run 30 (c) accepted
                -> answer Submitted([RunId(21), RunId(22), RunId(23), RunId(24), RunId(25), RunId(26), RunId(27), RunId(28), RunId(29), RunId(30)])
            0.01 end 1.1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in io
            0.02 end 2 ok
                run 2 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in io
        "#]],
    );
}

#[test]
fn what_waits_for_something_that_is_paused_is_not_announced_any_more() {
    check(
        "io 1\njob a io task=command",
        "0 submit a a a a a a a a a a\n0.01 end 1.1 ok\n1 pause job a\n1 crash\n2 settle\n2 open",
        expect![[r#"
            0 submit a a a a a a a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted
                run 6 (a) accepted
                run 7 (a) accepted
                run 8 (a) accepted
                run 9 (a) accepted
                run 10 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5), RunId(6), RunId(7), RunId(8), RunId(9), RunId(10)])
                -> start 1.1 in io
            0.01 end 1.1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                8 attempts announced
                -> start 2.1 in io
            1 pause job a
                job `a` paused
                -> answer Paused(Job("a"), true)
            1 crash
                8 queued
                1 running
                lane `io`: 1 of 1
                lane `cpu`: 0 of 2
            2 settle
                run 2 (a) interrupted in attempt 1: the daemon or the machine went down under it
            2 open
                opened
        "#]],
    );
}
