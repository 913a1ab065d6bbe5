//! Lanes, pools, limits and jobs that are paused.

use expect_test::expect;

use crate::script::check;

#[test]
fn nothing_starts_that_needs_what_is_paused() {
    check(
        "pool p io 2\njob a io pool=p\njob b io\njob c cpu",
        "0 pause pool p\n0 pause pool p\n1 submit a b c\n1 explain 1\n2 resume pool p\n2 resume pool p\n3 pause lane cpu\n3 submit c\n3 explain 4\n4 pause pool q\n4 pause job b\n5 submit b c\n5 explain 5\n6 resume lane cpu\n7 resume job b",
        expect![[r#"
            0 pause pool p
                pool `p` paused
                -> answer Paused(Pool("p"), true)
            0 pause pool p
                -> answer Paused(Pool("p"), false)
            1 submit a b c
                run 1 (a) accepted
                run 2 (b) accepted
                run 3 (c) accepted
                run 2 (b) started, attempt 1
                run 3 (c) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 2.1 in io
                -> start 3.1 in cpu
            1 explain 1
                pool `p` is paused; it is the first in line
            2 resume pool p
                pool `p` resumed
                run 1 (a) started, attempt 1
                -> answer Resumed(Pool("p"), true)
                -> start 1.1 in io
            2 resume pool p
                -> answer Resumed(Pool("p"), false)
            3 pause lane cpu
                lane `cpu` paused
                -> answer Paused(Lane(Cpu), true)
            3 submit c
                run 4 (c) accepted
                -> answer Submitted([RunId(4)])
            3 explain 4
                lane `cpu` is paused; it is the first in line
            4 pause pool q
                -> answer UnknownCapacity(Pool("q"))
            4 pause job b
                job `b` paused
                -> answer Paused(Job("b"), true)
            5 submit b c
                run 5 (b) accepted
                run 6 (c) accepted
                -> answer Submitted([RunId(5), RunId(6)])
            5 explain 5
                job `b` is paused; it is the first in line
            6 resume lane cpu
                lane `cpu` resumed
                run 4 (c) started, attempt 1
                -> answer Resumed(Lane(Cpu), true)
                -> start 4.1 in cpu
            7 resume job b
                job `b` resumed
                run 5 (b) started, attempt 1
                -> answer Resumed(Job("b"), true)
                -> start 5.1 in io
        "#]],
    );
}

#[test]
fn a_pause_outlives_a_crash_and_a_reload() {
    check(
        "job a io",
        "0 pause job a\n0 submit a\n1 crash\n1 open\n2 define io 5;job a io;job z io\n2 explain 1\n3 resume job a",
        expect![[r#"
            0 pause job a
                job `a` paused
                -> answer Paused(Job("a"), true)
            0 submit a
                run 1 (a) accepted
                -> answer Submitted([RunId(1)])
            1 crash
                1 queued
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            1 open
                opened
            2 define io 5;job a io;job z io
                configured: 2 jobs
            2 explain 1
                job `a` is paused; it is the first in line
            3 resume job a
                job `a` resumed
                run 1 (a) started, attempt 1
                -> answer Resumed(Job("a"), true)
                -> start 1.1 in io
        "#]],
    );
}

#[test]
fn a_job_that_is_gone_can_still_be_resumed() {
    check(
        "job a io\njob b io",
        "0 pause job a\n0 submit a\n1 define job b io\n2 resume job a\n3 end 1 ok\n4 pause job a",
        expect![[r#"
            0 pause job a
                job `a` paused
                -> answer Paused(Job("a"), true)
            0 submit a
                run 1 (a) accepted
                -> answer Submitted([RunId(1)])
            1 define job b io
                configured: 1 jobs
            2 resume job a
                job `a` resumed
                run 1 (a) started, attempt 1
                -> answer Resumed(Job("a"), true)
                -> start 1.1 in io
            3 end 1 ok
                run 1 (a) succeeded
            4 pause job a
                -> answer UnknownCapacity(Job("a"))
        "#]],
    );
}

#[test]
fn nothing_starts_while_starts_are_held_back_and_all_that_can_does_after_that() {
    check(
        "io 2\njob a io",
        "0 submit a\n1 hold\n1 submit a a\n2 end 1.1 ok\n3 cancel 3\n4 release\n4 tick",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1 hold
            1 submit a a
                run 2 (a) accepted
                run 3 (a) accepted
                -> answer Submitted([RunId(2), RunId(3)])
            2 end 1.1 ok
                run 1 (a) succeeded
            3 cancel 3
                run 3 (a) cancelled on request, never started
                -> answer Cancelled(RunId(3))
            4 release
            4 tick
                run 2 (a) started, attempt 1
                -> start 2.1 in io
        "#]],
    );
}
