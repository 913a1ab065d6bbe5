//! Who needs much comes to its turn, however many there are who need little.

use expect_test::expect;

use crate::script::check;

#[test]
fn light_ones_pass_a_heavy_one_until_it_has_waited_for_an_aging_period() {
    check(
        "aging 10s
         limit m 4
         job heavy io limits=m:4
         job light io limits=m",
        "0s submit light light heavy
         5s submit light
         5s explain 3
         11s submit light
         11s explain 3
         11s explain 5
         12s end 1 ok
         12s explain 3
         13s end 2 ok
         14s end 4 ok
         15s explain 5
         16s end 3 ok",
        expect![[r#"
            0s submit light light heavy
                run 1 (light) accepted
                run 2 (light) accepted
                run 3 (heavy) accepted
                run 1 (light) started, attempt 1
                run 2 (light) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
                -> start 2.1 in io
            5s submit light
                run 4 (light) accepted
                run 4 (light) started, attempt 1
                -> answer Submitted([RunId(4)])
                -> start 4.1 in io
            5s explain 3
                limit `m` has 1 of 4 free and it needs 4: held by run 1 (1), run 2 (1), run 4 (1); it is the first in line
            11s submit light
                run 5 (light) accepted
                -> answer Submitted([RunId(5)])
            11s explain 3
                limit `m` has 1 of 4 free and it needs 4: held by run 1 (1), run 2 (1), run 4 (1); it is the first in line
            11s explain 5
                limit `m` has 1 of 4 free and it needs 1: held by run 1, run 2, run 4, and kept free for run 3, which needs 4; it is the first in line
            12s end 1 ok
                run 1 (light) succeeded
            12s explain 3
                limit `m` has 2 of 4 free and it needs 4: held by run 2 (1), run 4 (1); it is the first in line
            13s end 2 ok
                run 2 (light) succeeded
            14s end 4 ok
                run 4 (light) succeeded
                run 3 (heavy) started, attempt 1
                -> start 3.1 in io
            15s explain 5
                limit `m` has 0 of 4 free and it needs 1: held by run 3 (4); it is the first in line
            16s end 3 ok
                run 3 (heavy) succeeded
                run 5 (light) started, attempt 1
                -> start 5.1 in io
        "#]],
    );
}

#[test]
fn who_is_more_urgent_goes_before_what_is_kept() {
    check(
        "aging 10s
         limit m 4
         job heavy io limits=m:4
         job light io limits=m",
        "0s submit light:10 heavy
         20s submit light light:10
         20s explain 3
         20s explain 2
         21s submit light:10
         21s end 1 ok
         21s end 4 ok
         21s end 5 ok",
        expect![[r#"
            0s submit light:10 heavy
                run 1 (light) accepted
                run 2 (heavy) accepted
                run 1 (light) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            20s submit light light:10
                run 3 (light) accepted
                run 4 (light) accepted
                run 4 (light) started, attempt 1
                -> answer Submitted([RunId(3), RunId(4)])
                -> start 4.1 in io
            20s explain 3
                limit `m` has 2 of 4 free and it needs 1: held by run 1, run 4, and kept free for run 2, which needs 4; it is the first in line
            20s explain 2
                limit `m` has 2 of 4 free and it needs 4: held by run 1 (1), run 4 (1); it is the first in line
            21s submit light:10
                run 5 (light) accepted
                run 5 (light) started, attempt 1
                -> answer Submitted([RunId(5)])
                -> start 5.1 in io
            21s end 1 ok
                run 1 (light) succeeded
            21s end 4 ok
                run 4 (light) succeeded
            21s end 5 ok
                run 5 (light) succeeded
                run 2 (heavy) started, attempt 1
                -> start 2.1 in io
        "#]],
    );
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a script, and what comes of each of its lines"
)]
fn what_is_kept_goes_on_to_the_next_or_to_all_when_it_is_not_wanted_any_more() {
    check(
        "aging 10s
         limit m 4
         job heavy io limits=m:4
         job large io limits=m:3
         job light io limits=m",
        "0s submit light light heavy large
         20s submit light
         20s explain 5
         21s cancel 3
         21s explain 5
         21s explain 4
         22s end 1 ok
         23s end 4 ok
         24s submit heavy
         44s submit light
         45s pause limit m
         45s explain 6
         46s resume limit m
         46s explain 7
         46s explain 6",
        expect![[r#"
            0s submit light light heavy large
                run 1 (light) accepted
                run 2 (light) accepted
                run 3 (heavy) accepted
                run 4 (large) accepted
                run 1 (light) started, attempt 1
                run 2 (light) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
            20s submit light
                run 5 (light) accepted
                -> answer Submitted([RunId(5)])
            20s explain 5
                limit `m` has 2 of 4 free and it needs 1: held by run 1, run 2, and kept free for run 3, which needs 4; it is the first in line
            21s cancel 3
                run 3 (heavy) cancelled on request, never started
                -> answer Cancelled(RunId(3))
            21s explain 5
                limit `m` has 2 of 4 free and it needs 1: held by run 1, run 2, and kept free for run 4, which needs 3; it is the first in line
            21s explain 4
                limit `m` has 2 of 4 free and it needs 3: held by run 1 (1), run 2 (1); it is the first in line
            22s end 1 ok
                run 1 (light) succeeded
                run 4 (large) started, attempt 1
                -> start 4.1 in io
            23s end 4 ok
                run 4 (large) succeeded
                run 5 (light) started, attempt 1
                -> start 5.1 in io
            24s submit heavy
                run 6 (heavy) accepted
                -> answer Submitted([RunId(6)])
            44s submit light
                run 7 (light) accepted
                -> answer Submitted([RunId(7)])
            45s pause limit m
                limit `m` paused
                -> answer Paused(Limit("m"), true)
            45s explain 6
                limit `m` is paused; it is the first in line
            46s resume limit m
                limit `m` resumed
                -> answer Resumed(Limit("m"), true)
            46s explain 7
                limit `m` has 2 of 4 free and it needs 1: held by run 2, run 5, and kept free for run 6, which needs 4; it is the first in line
            46s explain 6
                limit `m` has 2 of 4 free and it needs 4: held by run 2 (1), run 5 (1); it is the first in line
        "#]],
    );
}

/// Each of the two is free again and again, but never both at once.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a script, and what comes of each of its lines"
)]
fn who_needs_two_that_are_never_free_at_once_gets_them_one_after_the_other() {
    check(
        "aging 10s
         limit a 1
         limit b 1
         job both io limits=a,b
         job first io limits=a
         job second io limits=b",
        "0s submit first both
         1s submit second
         2s submit first
         2s end 1 ok
         3s submit second
         3s end 3 ok
         12s tick
         12s explain 2
         13s end 4 ok
         13s submit first
         13s explain 6
         13s explain 2
         14s submit second
         14s end 5 ok
         14s explain 7
         14s explain 2
         15s end 6 ok
         16s end 2 ok",
        expect![[r#"
            0s submit first both
                run 1 (first) accepted
                run 2 (both) accepted
                run 1 (first) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1s submit second
                run 3 (second) accepted
                run 3 (second) started, attempt 1
                -> answer Submitted([RunId(3)])
                -> start 3.1 in io
            2s submit first
                run 4 (first) accepted
                -> answer Submitted([RunId(4)])
            2s end 1 ok
                run 1 (first) succeeded
                run 4 (first) started, attempt 1
                -> start 4.1 in io
            3s submit second
                run 5 (second) accepted
                -> answer Submitted([RunId(5)])
            3s end 3 ok
                run 3 (second) succeeded
                run 5 (second) started, attempt 1
                -> start 5.1 in io
            12s tick
            12s explain 2
                limit `a` is full: 1 of 1 held by run 4; limit `b` is full: 1 of 1 held by run 5; it is the first in line
            13s end 4 ok
                run 4 (first) succeeded
            13s submit first
                run 6 (first) accepted
                run 6 (first) started, attempt 1
                -> answer Submitted([RunId(6)])
                -> start 6.1 in io
            13s explain 6
                it has been running for less than 0.1ms
            13s explain 2
                limit `a` is full: 1 of 1 held by run 6; limit `b` is full: 1 of 1 held by run 5; it is the first in line
            14s submit second
                run 7 (second) accepted
                -> answer Submitted([RunId(7)])
            14s end 5 ok
                run 5 (second) succeeded
            14s explain 7
                limit `b` has 1 of 1 free and it needs 1, and kept free for run 2; it is the first in line
            14s explain 2
                limit `a` is full: 1 of 1 held by run 6; it is the first in line
            15s end 6 ok
                run 6 (first) succeeded
                run 2 (both) started, attempt 1
                -> start 2.1 in io
            16s end 2 ok
                run 2 (both) succeeded
                run 7 (second) started, attempt 1
                -> start 7.1 in io
        "#]],
    );
}

/// Nothing is kept for a run that could not use it.
#[test]
fn what_is_paused_keeps_nothing_from_others() {
    check(
        "aging 10s
         limit m 2
         limit n 1
         job heavy io limits=m:2,n
         job light io limits=m",
        "0s submit light heavy
         11s submit light
         11s explain 3
         12s pause limit n
         13s explain 3
         14s end 1 ok
         15s end 3 ok
         16s submit light
         17s resume limit n
         18s submit light
         18s explain 5
         19s end 4 ok",
        expect![[r#"
            0s submit light heavy
                run 1 (light) accepted
                run 2 (heavy) accepted
                run 1 (light) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            11s submit light
                run 3 (light) accepted
                -> answer Submitted([RunId(3)])
            11s explain 3
                limit `m` has 1 of 2 free and it needs 1: held by run 1, and kept free for run 2, which needs 2; it is the first in line
            12s pause limit n
                limit `n` paused
                run 3 (light) started, attempt 1
                -> answer Paused(Limit("n"), true)
                -> start 3.1 in io
            13s explain 3
                it has been running for 1s
            14s end 1 ok
                run 1 (light) succeeded
            15s end 3 ok
                run 3 (light) succeeded
            16s submit light
                run 4 (light) accepted
                run 4 (light) started, attempt 1
                -> answer Submitted([RunId(4)])
                -> start 4.1 in io
            17s resume limit n
                limit `n` resumed
                -> answer Resumed(Limit("n"), true)
            18s submit light
                run 5 (light) accepted
                -> answer Submitted([RunId(5)])
            18s explain 5
                limit `m` has 1 of 2 free and it needs 1: held by run 4, and kept free for run 2, which needs 2; it is the first in line
            19s end 4 ok
                run 4 (light) succeeded
                run 2 (heavy) started, attempt 1
                -> start 2.1 in io
        "#]],
    );
}
