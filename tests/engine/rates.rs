//! Limits that may be taken so often: never more often, and not a moment later than that.

use expect_test::expect;

use crate::script::check;

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a script, and what comes of each of its lines"
)]
fn a_limit_with_a_rate_is_taken_as_often_as_it_says() {
    check(
        "limit api - 2/s 3
         job a io limits=api
         job b cpu limits=api:2",
        "0s submit a a a a a b a
         0s status
         0s explain 4
         0s explain 6
         0s next
         0.49s tick
         0.5s tick
         0.7s cancel 5
         0.7s next
         1s tick
         1.5s tick
         2s tick
         2s explain 7
         2.5s tick
         9s submit a a a a",
        expect![[r#"
            0s submit a a a a a b a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted
                run 6 (b) accepted
                run 7 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5), RunId(6), RunId(7)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
            0s status
                4 queued
                3 running
                lane `io`: 3 of 10000
                lane `cpu`: 0 of 2
                limit `api`: 3 of 4294967295
            0s explain 4
                limit `api` may be taken 2/s, and the next time is in 500ms; it is the first in line
            0s explain 6
                limit `api` may be taken 2/s, and has saved up 0 of 2: the rest comes in 1s; it is the first in line
            0s next
                Some((Mono(500000000), Tokens))
            0.49s tick
            0.5s tick
                run 4 (a) started, attempt 1
                -> start 4.1 in io
            0.7s cancel 5
                run 5 (a) cancelled on request, never started
                -> answer Cancelled(RunId(5))
            0.7s next
                Some((Mono(1000000000), Tokens))
            1s tick
                run 7 (a) started, attempt 1
                -> start 7.1 in io
            1.5s tick
            2s tick
                run 6 (b) started, attempt 1
                -> start 6.1 in cpu
            2s explain 7
                it has been running for 1s
            2.5s tick
            9s submit a a a a
                run 8 (a) accepted
                run 9 (a) accepted
                run 10 (a) accepted
                run 11 (a) accepted
                run 8 (a) started, attempt 1
                run 9 (a) started, attempt 1
                run 10 (a) started, attempt 1
                -> answer Submitted([RunId(8), RunId(9), RunId(10), RunId(11)])
                -> start 8.1 in io
                -> start 9.1 in io
                -> start 10.1 in io
        "#]],
    );
}

#[test]
fn a_rate_goes_with_a_size() {
    check(
        "limit api 1 10/s 5
         job a io limits=api",
        "0s submit a a a a a a a
         0.01s end 1 ok
         0.02s end 2 ok
         0.03s end 3 ok
         0.04s end 4 ok
         0.05s end 5 ok
         0.05s explain 6
         0.05s next
         0.1s tick
         0.3s tick
         0.3s explain 7
         0.4s end 6 ok",
        expect![[r#"
            0s submit a a a a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted
                run 6 (a) accepted
                run 7 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5), RunId(6), RunId(7)])
                -> start 1.1 in io
            0.01s end 1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in io
            0.02s end 2 ok
                run 2 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in io
            0.03s end 3 ok
                run 3 (a) succeeded
                run 4 (a) started, attempt 1
                -> start 4.1 in io
            0.04s end 4 ok
                run 4 (a) succeeded
                run 5 (a) started, attempt 1
                -> start 5.1 in io
            0.05s end 5 ok
                run 5 (a) succeeded
            0.05s explain 6
                limit `api` may be taken 10/s, and the next time is in 50ms; it is the first in line
            0.05s next
                Some((Mono(100000000), Tokens))
            0.1s tick
                run 6 (a) started, attempt 1
                -> start 6.1 in io
            0.3s tick
            0.3s explain 7
                limit `api` is full: 1 of 1 held by run 6; it is the first in line
            0.4s end 6 ok
                run 6 (a) succeeded
                run 7 (a) started, attempt 1
                -> start 7.1 in io
        "#]],
    );
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a script, and what comes of each of its lines"
)]
fn tokens_are_saved_up_for_who_needs_many_once_it_has_waited() {
    check(
        "aging 10s
         limit api - 1/s 3
         job a io limits=api
         job many io limits=api:3",
        "0s submit a:1 a:1 a:1 many
         0s submit a:1 a:1 a:1 a:1 a:1 a:1 a:1 a:1 a:1 a a a
         1s tick
         2s tick
         3s tick
         4s tick
         5s tick
         6s tick
         7s tick
         8s tick
         9s tick
         10s explain 4
         10s next
         10s tick
         10s explain 4
         10s explain 14
         10s next
         11s tick
         12s tick
         12s next
         13s tick
         14s tick",
        expect![[r#"
            0s submit a:1 a:1 a:1 many
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (many) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
            0s submit a:1 a:1 a:1 a:1 a:1 a:1 a:1 a:1 a:1 a a a
                run 5 (a) accepted
                run 6 (a) accepted
                run 7 (a) accepted
                run 8 (a) accepted
                run 9 (a) accepted
                run 10 (a) accepted
                run 11 (a) accepted
                run 12 (a) accepted
                run 13 (a) accepted
                run 14 (a) accepted
                run 15 (a) accepted
                run 16 (a) accepted
                -> answer Submitted([RunId(5), RunId(6), RunId(7), RunId(8), RunId(9), RunId(10), RunId(11), RunId(12), RunId(13), RunId(14), RunId(15), RunId(16)])
            1s tick
                run 5 (a) started, attempt 1
                -> start 5.1 in io
            2s tick
                run 6 (a) started, attempt 1
                -> start 6.1 in io
            3s tick
                run 7 (a) started, attempt 1
                -> start 7.1 in io
            4s tick
                run 8 (a) started, attempt 1
                -> start 8.1 in io
            5s tick
                run 9 (a) started, attempt 1
                -> start 9.1 in io
            6s tick
                run 10 (a) started, attempt 1
                -> start 10.1 in io
            7s tick
                run 11 (a) started, attempt 1
                -> start 11.1 in io
            8s tick
                run 12 (a) started, attempt 1
                -> start 12.1 in io
            9s tick
                run 13 (a) started, attempt 1
                -> start 13.1 in io
            10s explain 4
                limit `api` may be taken 1/s, and has saved up 1 of 3: the rest comes in 2s; it is the first in line
            10s next
                Some((Mono(10000000000), Tokens))
            10s tick
            10s explain 4
                limit `api` may be taken 1/s, and has saved up 1 of 3: the rest comes in 2s; it is the first in line
            10s explain 14
                limit `api` may be taken 1/s, and has saved up 1, kept for run 4, which needs 3; it is the first in line
            10s next
                Some((Mono(12000000000), Tokens))
            11s tick
            12s tick
                run 4 (many) started, attempt 1
                -> start 4.1 in io
            12s next
                Some((Mono(13000000000), Tokens))
            13s tick
                run 14 (a) started, attempt 1
                -> start 14.1 in io
            14s tick
                run 15 (a) started, attempt 1
                -> start 15.1 in io
        "#]],
    );
}

#[test]
fn a_reload_neither_forgets_nor_mints_tokens() {
    check(
        "limit api - 1/h 2
         job a io limits=api",
        "0s submit a a a
         1s define limit api - 1/h 5; job a io limits=api
         2s define limit api - 60/m 1; job a io limits=api
         2s explain 3
         3s tick
         4s define limit api - 1/s 2; job a io limits=api:2; job b io limits=api:3
         5s submit a b
         5s explain 5
         6s tick
         7s tick",
        expect![[r#"
            0s submit a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s define limit api - 1/h 5; job a io limits=api
                configured: 1 jobs
            2s define limit api - 60/m 1; job a io limits=api
                configured: 1 jobs
            2s explain 3
                limit `api` may be taken 60/m, and the next time is in 999.4ms; it is the first in line
            3s tick
                run 3 (a) started, attempt 1
                -> start 3.1 in io
            4s define limit api - 1/s 2; job a io limits=api:2; job b io limits=api:3
                configured: 2 jobs
            5s submit a b
                run 4 (a) accepted
                run 5 (b) accepted
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(4), RunId(5)])
                -> start 4.1 in io
            5s explain 5
                limit `api` never has more than 2 and it needs 3: it cannot start until that is changed; it is the first in line
            6s tick
            7s tick
        "#]],
    );
}

#[test]
fn after_a_crash_the_worst_is_supposed() {
    check(
        "limit api - 1/s 2
         job a io limits=api on_crash=fail",
        "0s submit a a
         1s end 1 ok
         1s end 2 ok
         10s submit a
         10s crash
         10s settle
         10s open
         10s submit a
         10s explain 4
         11s tick",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s end 1 ok
                run 1 (a) succeeded
            1s end 2 ok
                run 2 (a) succeeded
            10s submit a
                run 3 (a) accepted
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(3)])
                -> start 3.1 in io
            10s crash
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
                limit `api`: 1 of 4294967295
            10s settle
                run 3 (a) failed: the daemon or the machine went down under it
            10s open
                opened
            10s submit a
                run 4 (a) accepted
                -> answer Submitted([RunId(4)])
            10s explain 4
                limit `api` may be taken 1/s, and the next time is in 1s; it is the first in line
            11s tick
                run 4 (a) started, attempt 1
                -> start 4.1 in io
        "#]],
    );
}

#[test]
fn nothing_wakes_for_tokens_while_nothing_may_start() {
    check(
        "limit api - 1/s
         job a io limits=api",
        "0s submit a a
         0.5s drain
         0.5s next
         1s tick
         2s tick
         3s open",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            0.5s drain
                draining
            0.5s next
                None
            1s tick
            2s tick
            3s open
                opened
                run 2 (a) started, attempt 1
                -> start 2.1 in io
        "#]],
    );
}
