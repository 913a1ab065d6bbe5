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
                it has been running for less than 0.1ms
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

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a script, and what comes of each of its lines"
)]
fn some_need_more_than_one_place() {
    check(
        "cpu 4
         limit score 4
         resource ram 16
         job wide cpu cpus=3
         job two io limits=score:2
         job three io limits=score:3 resources=ram:8
         job one io limits=score
         job big io resources=ram:12",
        "0s submit wide wide two three one big one one
         0s explain 2
         0s explain 4
         0s explain 8
         0s status
         1s end 3 ok
         1s explain 4
         2s end 5 ok
         2s end 6 ok
         2s end 7 ok
         3s end 8 ok
         4s status",
        expect![[r#"
            0s submit wide wide two three one big one one
                run 1 (wide) accepted
                run 2 (wide) accepted
                run 3 (two) accepted
                run 4 (three) accepted
                run 5 (one) accepted
                run 6 (big) accepted
                run 7 (one) accepted
                run 8 (one) accepted
                run 1 (wide) started, attempt 1
                run 3 (two) started, attempt 1
                run 5 (one) started, attempt 1
                run 6 (big) started, attempt 1
                run 7 (one) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5), RunId(6), RunId(7), RunId(8)])
                -> start 1.1 in cpu
                -> start 3.1 in io
                -> start 5.1 in io
                -> start 6.1 in io
                -> start 7.1 in io
            0s explain 2
                lane `cpu` has 1 of 4 free and it needs 3: held by run 1 (3); it is the first in line
            0s explain 4
                limit `score` has 0 of 4 free and it needs 3: held by run 3 (2), run 5 (1), run 7 (1); resource `ram` has 4 of 16 free and it needs 8: held by run 6 (12); it is the first in line
            0s explain 8
                limit `score` has 0 of 4 free and it needs 1: held by run 3 (2), run 5 (1), run 7 (1); it is the first in line
            0s status
                3 queued
                5 running
                lane `io`: 4 of 10000
                lane `cpu`: 3 of 4
                limit `score`: 4 of 4
                resource `ram`: 12 of 16
            1s end 3 ok
                run 3 (two) succeeded
                run 8 (one) started, attempt 1
                -> start 8.1 in io
            1s explain 4
                limit `score` has 1 of 4 free and it needs 3: held by run 5 (1), run 7 (1), run 8 (1); resource `ram` has 4 of 16 free and it needs 8: held by run 6 (12); it is the first in line
            2s end 5 ok
                run 5 (one) succeeded
            2s end 6 ok
                run 6 (big) succeeded
            2s end 7 ok
                run 7 (one) succeeded
                run 4 (three) started, attempt 1
                -> start 4.1 in io
            3s end 8 ok
                run 8 (one) succeeded
            4s status
                1 queued
                2 running
                5 succeeded
                lane `io`: 1 of 10000
                lane `cpu`: 3 of 4
                limit `score`: 3 of 4
                resource `ram`: 8 of 16
        "#]],
    );
}

#[test]
fn who_needs_more_threads_than_there_are_takes_all_of_them() {
    check(
        "cpu 2
         job wide cpu cpus=8
         job thin cpu",
        "0s submit wide thin
         0s status
         0s explain 2
         1s end 1 ok
         1s define cpu 4; job wide cpu cpus=8; job thin cpu
         2s submit wide
         3s end 2 ok
         3s status
         4s define cpu 3; job wide cpu cpus=8; job thin cpu
         4s status
         5s end 3 ok
         5s status",
        expect![[r#"
            0s submit wide thin
                run 1 (wide) accepted
                run 2 (thin) accepted
                run 1 (wide) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in cpu
            0s status
                1 queued
                1 running
                lane `io`: 0 of 10000
                lane `cpu`: 2 of 2
            0s explain 2
                lane `cpu` has 0 of 2 free and it needs 1: held by run 1 (2); it is the first in line
            1s end 1 ok
                run 1 (wide) succeeded
                run 2 (thin) started, attempt 1
                -> start 2.1 in cpu
            1s define cpu 4; job wide cpu cpus=8; job thin cpu
                configured: 2 jobs
            2s submit wide
                run 3 (wide) accepted
                -> answer Submitted([RunId(3)])
            3s end 2 ok
                run 2 (thin) succeeded
                run 3 (wide) started, attempt 1
                -> start 3.1 in cpu
            3s status
                1 running
                2 succeeded
                lane `io`: 0 of 10000
                lane `cpu`: 4 of 4
            4s define cpu 3; job wide cpu cpus=8; job thin cpu
                configured: 2 jobs
            4s status
                1 running
                2 succeeded
                lane `io`: 0 of 10000
                lane `cpu`: 3 of 3
            5s end 3 ok
                run 3 (wide) succeeded
            5s status
                3 succeeded
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 3
        "#]],
    );
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a script, and what comes of each of its lines"
)]
fn what_is_made_too_small_waits_and_says_so() {
    check(
        "resource ram 16
         limit m 4
         job a io resources=ram:12
         job b io limits=m:3",
        "0s submit a a b b
         1s define resource ram 8; limit m 2; job a io resources=ram:12; job b io limits=m:3; job c io resources=ram:2
         1s status
         1s submit c
         1s explain 2
         1s explain 4
         1s explain 5
         2s end 1 ok
         2s end 3 ok
         2s explain 2
         3s crash
         3s settle
         3s open
         3s explain 4
         4s define job a io resources=ram:12
         4s status
         5s define resource ram 12; limit m 3
         5s status",
        expect![[r#"
            0s submit a a b b
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (b) accepted
                run 4 (b) accepted
                run 1 (a) started, attempt 1
                run 3 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 3.1 in io
            1s define resource ram 8; limit m 2; job a io resources=ram:12; job b io limits=m:3; job c io resources=ram:2
                configured: 3 jobs
            1s status
                2 queued
                2 running
                lane `io`: 2 of 10000
                lane `cpu`: 0 of 2
                limit `m`: 3 of 2
                resource `ram`: 12 of 8
            1s submit c
                run 5 (c) accepted
                -> answer Submitted([RunId(5)])
            1s explain 2
                resource `ram` never has more than 8 and it needs 12: it cannot start until that is changed; it is the first in line
            1s explain 4
                limit `m` never has more than 2 and it needs 3: it cannot start until that is changed; it is the first in line
            1s explain 5
                resource `ram` has 0 of 8 free and it needs 2: held by run 1 (12); it is the first in line
            2s end 1 ok
                run 1 (a) succeeded
                run 5 (c) started, attempt 1
                -> start 5.1 in io
            2s end 3 ok
                run 3 (b) succeeded
            2s explain 2
                resource `ram` never has more than 8 and it needs 12: it cannot start until that is changed; it is the first in line
            3s crash
                2 queued
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
                limit `m`: 0 of 2
                resource `ram`: 2 of 8
            3s settle
                run 5 (c) interrupted in attempt 1: the daemon or the machine went down under it
            3s open
                opened
                run 5 (c) started, attempt 2
                -> start 5.2 in io
            3s explain 4
                limit `m` never has more than 2 and it needs 3: it cannot start until that is changed; it is the first in line
            4s define job a io resources=ram:12
                configured: 1 jobs
                run 4 (b) started, attempt 1
                -> start 4.1 in io
            4s status
                1 queued
                2 running
                lane `io`: 2 of 10000
                lane `cpu`: 0 of 2
                limit `m`: 2 of 2
                resource `ram`: 2 of 8
            5s define resource ram 12; limit m 3
                configured: 0 jobs
            5s status
                1 queued
                2 running
                lane `io`: 2 of 10000
                lane `cpu`: 0 of 2
                limit `m`: 3 of 3
                resource `ram`: 2 of 12
        "#]],
    );
}
