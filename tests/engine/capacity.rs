//! Lanes, pools and limits: never exceeded, never left idle, always explained.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_pool_bounds_its_jobs_and_leaves_the_lane_to_others() {
    check(
        "io 3
         pool p io 2
         job a io pool=p
         job b io",
        "0s submit a a a b
         0s status
         0s explain 3
         1s submit b
         1s explain 5
         2s end 1 ok
         3s end 4 ok
         4s status",
        expect![[r#"
            0s submit a a a b
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 4 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 4.1 in io
            0s status
                1 queued
                3 running
                lane `io`: 3 of 3
                lane `cpu`: 0 of 2
                pool `p`: 2 of 2
            0s explain 3
                lane `io` is full: 3 of 3 held by run 1, run 2, run 4; pool `p` is full: 2 of 2 held by run 1, run 2; it is the first in line
            1s submit b
                run 5 (b) accepted
                -> answer Submitted([RunId(5)])
            1s explain 5
                lane `io` is full: 3 of 3 held by run 1, run 2, run 4; it is the first in line
            2s end 1 ok
                run 1 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in io
            3s end 4 ok
                run 4 (b) succeeded
                run 5 (b) started, attempt 1
                -> start 5.1 in io
            4s status
                3 running
                2 succeeded
                lane `io`: 3 of 3
                lane `cpu`: 0 of 2
                pool `p`: 2 of 2
        "#]],
    );
}

#[test]
fn a_limit_of_one_is_a_mutex_across_lanes() {
    check(
        "limit m 1
         limit n 2
         job a io limits=m,n
         job b cpu limits=m
         job c cpu limits=n",
        "0s submit a b c c
         0s explain 2
         0s explain 4
         1s end 1 ok
         2s submit a:10 b
         2s explain 5
         2s explain 6
         3s end 2 ok",
        expect![[r#"
            0s submit a b c c
                run 1 (a) accepted
                run 2 (b) accepted
                run 3 (c) accepted
                run 4 (c) accepted
                run 1 (a) started, attempt 1
                run 3 (c) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 3.1 in cpu
            0s explain 2
                limit `m` is full: 1 of 1 held by run 1; it is the first in line
            0s explain 4
                limit `n` is full: 2 of 2 held by run 1, run 3; it is the first in line
            1s end 1 ok
                run 1 (a) succeeded
                run 2 (b) started, attempt 1
                -> start 2.1 in cpu
            2s submit a:10 b
                run 5 (a) accepted
                run 6 (b) accepted
                -> answer Submitted([RunId(5), RunId(6)])
            2s explain 5
                limit `m` is full: 1 of 1 held by run 2; it is the first in line
            2s explain 6
                lane `cpu` is full: 2 of 2 held by run 2, run 3; limit `m` is full: 1 of 1 held by run 2; it is the first in line
            3s end 2 ok
                run 2 (b) succeeded
                run 5 (a) started, attempt 1
                -> start 5.1 in io
        "#]],
    );
}

#[test]
fn each_run_in_line_is_told_its_own_place() {
    check(
        "limit m 1
         job a cpu limits=m
         job b cpu limits=m priority=1",
        "0s submit a a a b a
         0s explain 2
         0s explain 3
         0s explain 4
         0s explain 5
         1s cancel 3
         2s explain 5",
        expect![[r#"
            0s submit a a a b a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (b) accepted
                run 5 (a) accepted
                run 4 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5)])
                -> start 4.1 in cpu
            0s explain 2
                limit `m` is full: 1 of 1 held by run 4; about 1 with the same needs go first
            0s explain 3
                limit `m` is full: 1 of 1 held by run 4; about 2 with the same needs go first
            0s explain 4
                it has been running for 0ns
            0s explain 5
                limit `m` is full: 1 of 1 held by run 4; about 3 with the same needs go first
            1s cancel 3
                run 3 (a) cancelled on request, never started
                -> answer Cancelled(RunId(3))
            2s explain 5
                limit `m` is full: 1 of 1 held by run 4; about 3 with the same needs go first
        "#]],
    );
}
