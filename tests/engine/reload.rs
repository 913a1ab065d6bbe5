//! New definitions while runs wait and run: runs keep the job they were accepted with.

use expect_test::expect;

use crate::script::check;

#[test]
fn removed_jobs_keep_their_waiting_runs_and_sizes_change_at_once() {
    check(
        "cpu 1
         pool p cpu 1
         job a cpu pool=p timeout=5s
         job b cpu",
        "0s submit a a b
         1s define cpu 3;job b cpu
         1s status
         1s submit a
         2s end 1 ok
         7s tick
         8s end 2 stopped
         9s end 3 ok
         9s define cpu 1;job b cpu
         9s status",
        expect![[r#"
            0s submit a a b
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (b) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in cpu
            1s define cpu 3;job b cpu
                configured: 1 jobs
                run 3 (b) started, attempt 1
                -> start 3.1 in cpu
            1s status
                1 queued
                2 running
                lane `io`: 0 of 10000
                lane `cpu`: 2 of 3
                pool `p`: 1 of 1
            1s submit a
                -> answer Refused(UnknownJob("a"))
            2s end 1 ok
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in cpu
            7s tick
                run 2 (a) stopping because its timeout passed
                -> stop 2.1 because its timeout passed
            8s end 2 stopped
                run 2 (a) failed: not done within its timeout of 5s
            9s end 3 ok
                run 3 (b) succeeded
            9s define cpu 1;job b cpu
                configured: 1 jobs
            9s status
                2 succeeded
                1 failed
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 1
        "#]],
    );
}

#[test]
fn a_smaller_size_takes_nothing_away_from_what_runs() {
    check(
        "io 3
         job a io",
        "0s submit a a a a
         1s define io 1;job a io
         1s status
         2s end 1 ok
         3s end 2 ok
         4s end 3 ok",
        expect![[r#"
            0s submit a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
            1s define io 1;job a io
                configured: 1 jobs
            1s status
                1 queued
                3 running
                lane `io`: 3 of 1
                lane `cpu`: 0 of 2
            2s end 1 ok
                run 1 (a) succeeded
            3s end 2 ok
                run 2 (a) succeeded
            4s end 3 ok
                run 3 (a) succeeded
                run 4 (a) started, attempt 1
                -> start 4.1 in io
        "#]],
    );
}
