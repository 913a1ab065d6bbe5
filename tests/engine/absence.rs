//! Jobs of which a success is expected in a time.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_job_that_does_not_succeed_in_time_is_told_of_once() {
    check(
        "",
        "0s define job a io expect_within=10s on_absent=alert;job alert io \
            params=job:text,run:integer,state:text,error:text
         0s next
         9s submit a
         9s end 1 ok
         11s submit a
         12s end 2 error
         18s tick
         19s tick
         19s next
         20s tick
         22s submit a
         23s end 4 ok",
        expect![[r#"
            0s define job a io expect_within=10s on_absent=alert;job alert io params=job:text,run:integer,state:text,error:text
                configured: 2 jobs
                a is heard of
            0s next
                Some((Mono(10000000000), Absent))
            9s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            9s end 1 ok
                run 1 (a) succeeded
                a is heard of
            11s submit a
                run 2 (a) accepted
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in io
            12s end 2 error
                run 2 (a) failed: no luck
            18s tick
            19s tick
                a is absent, expected within 10s, by daemon
                run 3 (alert) accepted {"error":"no success within 10s since 2023-11-14T22:13:29Z","job":"a","run":0,"state":"absent"}, by daemon
                run 3 (alert) started, attempt 1
                -> start 3.1 in io
            19s next
                None
            20s tick
            22s submit a
                run 4 (a) accepted
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(4)])
                -> start 4.1 in io
            23s end 4 ok
                run 4 (a) succeeded
                a is heard of again
        "#]],
    );
}

#[test]
fn a_spread_run_is_a_success_when_all_of_it_is() {
    check(
        "",
        "0s define job b io foreach=x params=x:any expect_within=30s
         24s submit b{\"x\":[1,2]}
         25s end 2 ok
         30s tick
         31s end 3 ok",
        expect![[r#"
            0s define job b io foreach=x params=x:any expect_within=30s
                configured: 1 jobs
                b is heard of
            24s submit b{"x":[1,2]}
                run 1 (b) accepted {"x":[1,2]}
                run 1 (b) spread into 2 from 2 on
                run 2 (b) accepted {"x":1} part of 1
                run 3 (b) accepted {"x":2} part of 1
                run 2 (b) started, attempt 1
                run 3 (b) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
                -> start 3.1 in io
            25s end 2 ok
                run 2 (b) succeeded
                run 1 (b) met 2, Succeeded, {"":null}
            30s tick
                b is absent, expected within 30s, by daemon
            31s end 3 ok
                run 3 (b) succeeded
                run 1 (b) met 3, Succeeded, {"":null}
                run 1 (b) gathered: Succeeded [null,null]
                b is heard of again
        "#]],
    );
}

#[test]
fn what_is_expected_outlives_a_crash_and_follows_a_reload() {
    check(
        "",
        "0s define job a io expect_within=10s;job b io expect_within=40s
         32s crash
         50s open
         50s tick
         51s define job a io expect_within=60s;job b io expect_within=70s
         51s next
         52s define job b io
         53s define job b io;job a io expect_within=10s
         60s drain
         64s tick
         64s next",
        expect![[r#"
            0s define job a io expect_within=10s;job b io expect_within=40s
                configured: 2 jobs
                a is heard of
                b is heard of
            32s crash
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
            50s open
                opened
            50s tick
                a is absent, expected within 10s, by daemon
                b is absent, expected within 40s, by daemon
            51s define job a io expect_within=60s;job b io expect_within=70s
                configured: 2 jobs
            51s next
                Some((Mono(60000000000), Absent))
            52s define job b io
                configured: 1 jobs
            53s define job b io;job a io expect_within=10s
                configured: 2 jobs
                a is heard of
            60s drain
                draining
            64s tick
            64s next
                None
        "#]],
    );
}

#[test]
fn nothing_is_told_while_starts_are_held_back() {
    check(
        "",
        "0s define job a io expect_within=10s
         1s hold
         12s tick
         12s next
         13s release
         13s tick",
        expect![[r#"
            0s define job a io expect_within=10s
                configured: 1 jobs
                a is heard of
            1s hold
            12s tick
            12s next
                None
            13s release
            13s tick
                a is absent, expected within 10s, by daemon
        "#]],
    );
}
