//! Runs of which there is only one at a time, and jobs that are run after others.

use expect_test::expect;

use crate::script::check;

#[test]
fn there_is_one_run_at_a_time_where_it_is_to_be_alone() {
    check(
        "job j io unique=job
         job a io unique=args params=x:integer
         job n io unique=args:join params=x:integer",
        "0s submit j
         0s submit j
         1s end 1 ok
         1s submit j
         2s submit a{\"x\":1}
         2s submit a{\"x\":2}
         2s submit a{\"x\":1}
         3s submit n{\"x\":1}
         3s submit n{\"x\":1}
         3s submit n{\"x\":1} n{\"x\":2} n{\"x\":2}",
        expect![[r#"
            0s submit j
                run 1 (j) accepted
                run 1 (j) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            0s submit j
                -> answer Refused(Duplicate { job: "j", run: RunId(1) })
            1s end 1 ok
                run 1 (j) succeeded
            1s submit j
                run 2 (j) accepted
                run 2 (j) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in io
            2s submit a{"x":1}
                run 3 (a) accepted {"x":1}
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(3)])
                -> start 3.1 in io
            2s submit a{"x":2}
                run 4 (a) accepted {"x":2}
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(4)])
                -> start 4.1 in io
            2s submit a{"x":1}
                -> answer Refused(Duplicate { job: "a", run: RunId(3) })
            3s submit n{"x":1}
                run 5 (n) accepted {"x":1}
                run 5 (n) started, attempt 1
                -> answer Submitted([RunId(5)])
                -> start 5.1 in io
            3s submit n{"x":1}
                -> answer SubmittedBefore(RunId(5))
            3s submit n{"x":1} n{"x":2} n{"x":2}
                run 6 (n) accepted {"x":2}
                run 6 (n) started, attempt 1
                -> answer Submitted([RunId(5), RunId(6), RunId(6)])
                -> start 6.1 in io
        "#]],
    );
}

#[test]
fn one_that_takes_the_place_of_others_waits_until_nothing_of_them_runs() {
    check(
        "job r io unique=job:replace",
        "0s submit r
         1s submit r
         2s submit r
         3s crash
         3s open
         4s end 1 stopped
         5s submit r",
        expect![[r#"
            0s submit r
                run 1 (r) accepted
                run 1 (r) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s submit r
                run 1 (r) stopping to make room for run 2
                run 2 (r) accepted in place of 1
                -> stop 1.1 to make room for run 2
                -> answer Submitted([RunId(2)])
            2s submit r
                run 2 (r) cancelled to make room for run 3, never started
                run 3 (r) accepted in place of 1
                -> answer Submitted([RunId(3)])
            3s crash
                1 blocked
                1 stopping
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            3s open
                opened
            4s end 1 stopped
                run 1 (r) cancelled to make room for run 2
                run 3 (r) released
                run 3 (r) started, attempt 1
                -> start 3.1 in io
            5s submit r
                run 3 (r) stopping to make room for run 4
                run 4 (r) accepted in place of 3
                -> stop 3.1 to make room for run 4
                -> answer Submitted([RunId(4)])
        "#]],
    );
}

#[test]
fn numbers_are_given_once_where_the_end_of_parts_is_followed_by_a_hook() {
    check(
        "job f io unique=job:replace foreach=n params=n:integer limits=l on_failure=h
         job h io
         limit l 1",
        "0s submit f{\"n\":[1,2]}
         1s pause limit l
         2s end 2 error
         3s submit f{\"n\":[1]}
         4s resume limit l
         5s submit f{\"n\":[3]}
         6s end 7 stopped",
        expect![[r#"
            0s submit f{"n":[1,2]}
                run 1 (f) accepted {"n":[1,2]}
                run 1 (f) spread into 2 from 2 on
                run 2 (f) accepted {"n":1} part of 1
                run 3 (f) accepted {"n":2} part of 1
                run 2 (f) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
            1s pause limit l
                limit `l` paused
                -> answer Paused(Limit("l"), true)
            2s end 2 error
                run 2 (f) failed: no luck
                run 4 (h) accepted because of 2
                run 1 (f) met 2, Failed, {"":null}
                run 4 (h) started, attempt 1
                -> start 4.1 in io
            3s submit f{"n":[1]}
                run 3 (f) cancelled to make room for another run, never started
                run 1 (f) met 3, Cancelled, {"":null}
                run 1 (f) gathered: Failed(Error("2 of the 2 runs that it was spread into did not succeed"))
                run 5 (f) accepted {"n":[1]}
                run 6 (h) accepted because of 1
                run 6 (h) started, attempt 1
                -> answer Submitted([RunId(5)])
                -> start 6.1 in io
            4s resume limit l
                limit `l` resumed
                run 5 (f) spread into 1 from 7 on
                run 7 (f) accepted {"n":1} part of 5
                run 7 (f) started, attempt 1
                -> answer Resumed(Limit("l"), true)
                -> start 7.1 in io
            5s submit f{"n":[3]}
                run 7 (f) stopping to make room for another run
                run 8 (f) accepted {"n":[3]} in place of 5
                -> stop 7.1 to make room for another run
                -> answer Submitted([RunId(8)])
            6s end 7 stopped
                run 7 (f) cancelled to make room for another run
                run 5 (f) met 7, Cancelled, {"":null}
                run 5 (f) gathered: Cancelled(Replaced(Some(RunId(8))))
                run 8 (f) released
                run 8 (f) spread into 1 from 9 on
                run 9 (f) accepted {"n":3} part of 8
                run 9 (f) started, attempt 1
                -> start 9.1 in io
        "#]],
    );
}

#[test]
fn the_job_for_the_end_is_run_in_the_same_breath() {
    check(
        "job a io on_failure=alert on_success=done retry=2:fixed
         job alert io params=job:text,run:integer,error:text,error_kind:text,note:text=x
         job done io params=result:any
         job s io on_failure=alert start_within=1s run_timeout=1s",
        "0s submit a a
         1s end 1.1 error
         2s tick
         3s end 1.2 panic
         4s end 2.1 ok=7
         5s submit a
         6s cancel 5
         7s end 5 stopped",
        expect![[r#"
            0s submit a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s end 1.1 error
                run 1 (a) failed in attempt 1: no luck; again at 2s
            2s tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in io
            3s end 1.2 panic
                run 1 (a) failed: panicked: oh
                run 3 (alert) accepted {"error":"panicked: oh","error_kind":"panic","job":"a","note":"x","run":1} because of 1
                run 3 (alert) started, attempt 1
                -> start 3.1 in io
            4s end 2.1 ok=7
                run 2 (a) succeeded
                run 4 (done) accepted {"result":7} because of 2
                run 4 (done) started, attempt 1
                -> start 4.1 in io
            5s submit a
                run 5 (a) accepted
                run 5 (a) started, attempt 1
                -> answer Submitted([RunId(5)])
                -> start 5.1 in io
            6s cancel 5
                run 5 (a) stopping on request
                -> stop 5.1 on request
                -> answer Stopping(RunId(5))
            7s end 5 stopped
                run 5 (a) cancelled on request
        "#]],
    );
}

#[test]
fn a_hook_that_is_there_already_is_not_run_once_more_and_that_is_told() {
    check(
        "job a io on_failure=h
         job b io on_failure=n
         job h io unique=job params=run:integer
         job n io unique=job:join",
        "0s submit a a b b
         1s end 1 error
         2s end 2 error
         3s submit h{\"run\":9}
         4s end 3 error
         4s end 4 error
         6s end 5 ok
         7s submit h{\"run\":9}",
        expect![[r#"
            0s submit a a b b
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (b) accepted
                run 4 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (b) started, attempt 1
                run 4 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
                -> start 4.1 in io
            1s end 1 error
                run 1 (a) failed: no luck
                run 5 (h) accepted {"run":1} because of 1
                run 5 (h) started, attempt 1
                -> start 5.1 in io
            2s end 2 error
                run 2 (a) failed: no luck
                run 6 (h) accepted {"run":2} because of 2
                run 6 (h) skipped: run 5 of this job was not over, and there may be only one at a time (`unique`)
            3s submit h{"run":9}
                -> answer Refused(Duplicate { job: "h", run: RunId(5) })
            4s end 3 error
                run 3 (b) failed: no luck
                run 7 (n) accepted because of 3
                run 7 (n) started, attempt 1
                -> start 7.1 in io
            4s end 4 error
                run 4 (b) failed: no luck
                run 8 (n) accepted because of 4
                run 8 (n) skipped: run 7 of this job was not over, and there may be only one at a time (`unique`)
            6s end 5 ok
                run 5 (h) succeeded
            7s submit h{"run":9}
                run 9 (h) accepted {"run":9}
                run 9 (h) started, attempt 1
                -> answer Submitted([RunId(9)])
                -> start 9.1 in io
        "#]],
    );
}

#[test]
fn one_that_is_to_be_alone_is_still_so_after_a_crash() {
    check(
        "job j io unique=job
         job a io unique=args params=x:integer",
        "0s submit j
         0s submit a{\"x\":1}
         1s crash
         2s settle
         2s open
         3s submit j
         3s submit a{\"x\":1}
         3s submit a{\"x\":2}",
        expect![[r#"
            0s submit j
                run 1 (j) accepted
                run 1 (j) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            0s submit a{"x":1}
                run 2 (a) accepted {"x":1}
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in io
            1s crash
                2 running
                lane `io`: 2 of 10000
                lane `cpu`: 0 of 2
            2s settle
                run 1 (j) interrupted in attempt 1: the daemon or the machine went down under it
                run 2 (a) interrupted in attempt 1: the daemon or the machine went down under it
            2s open
                opened
                run 1 (j) started, attempt 2
                run 2 (a) started, attempt 2
                -> start 1.2 in io
                -> start 2.2 in io
            3s submit j
                -> answer Refused(Duplicate { job: "j", run: RunId(1) })
            3s submit a{"x":1}
                -> answer Refused(Duplicate { job: "a", run: RunId(2) })
            3s submit a{"x":2}
                run 3 (a) accepted {"x":2}
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(3)])
                -> start 3.1 in io
        "#]],
    );
}

#[test]
fn what_comes_after_a_joined_run_is_known_by_the_key() {
    check(
        "job a io unique=job:join
         job b io after=a",
        "0s submit a
         1s submit a b key=k/1
         2s end 1 ok
         3s end 2 ok
         4s submit a b key=k/1
         5s submit a b key=k/2",
        expect![[r#"
            0s submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1s submit a b key=k/1
                run 2 (b) accepted after 1
                -> answer Submitted([RunId(1), RunId(2)])
            2s end 1 ok
                run 1 (a) succeeded
                run 2 (b) released
                run 2 (b) started, attempt 1
                -> start 2.1 in io
            3s end 2 ok
                run 2 (b) succeeded
            4s submit a b key=k/1
                -> answer SubmittedBefore(RunId(2))
            5s submit a b key=k/2
                -> answer Refused(KeyReused("k"))
        "#]],
    );
}

#[test]
fn parts_are_not_tried_once_more_beside_the_one_run_there_may_be() {
    check(
        "job f io params=n:integer foreach=n unique=job:replace",
        "0s submit f{\"n\":[1,2]}
         1s end 2 ok=1
         2s end 3 error
         3s submit f{\"n\":[3]}
         4s again 1 2 3
         5s end 5 ok=3
         6s again 1 2 3
         7s end 3.2 ok=2",
        expect![[r#"
            0s submit f{"n":[1,2]}
                run 1 (f) accepted {"n":[1,2]}
                run 1 (f) spread into 2 from 2 on
                run 2 (f) accepted {"n":1} part of 1
                run 3 (f) accepted {"n":2} part of 1
                run 2 (f) started, attempt 1
                run 3 (f) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
                -> start 3.1 in io
            1s end 2 ok=1
                run 2 (f) succeeded
                run 1 (f) met 2, Succeeded, {"":1}
            2s end 3 error
                run 3 (f) failed: no luck
                run 1 (f) met 3, Failed, {"":null}
                run 1 (f) gathered: Failed(Error("1 of the 2 runs that it was spread into did not succeed"))
            3s submit f{"n":[3]}
                run 4 (f) accepted {"n":[3]}
                run 4 (f) spread into 1 from 5 on
                run 5 (f) accepted {"n":3} part of 4
                run 5 (f) started, attempt 1
                -> answer Submitted([RunId(4)])
                -> start 5.1 in io
            4s again 1 2 3
                -> answer Refused(Duplicate { job: "f", run: RunId(4) })
            5s end 5 ok=3
                run 5 (f) succeeded
                run 4 (f) met 5, Succeeded, {"":3}
                run 4 (f) gathered: Succeeded [3]
            6s again 1 2 3
                run 3 (f) retried
                run 1 (f) retried after [RunId(3)]
                run 3 (f) started, attempt 2
                -> answer RetriedGraph([RunId(3), RunId(1)])
                -> start 3.2 in io
            7s end 3.2 ok=2
                run 3 (f) succeeded
                run 1 (f) met 3, Succeeded, {"":2}
                run 1 (f) gathered: Succeeded [1,2]
        "#]],
    );
}

#[test]
fn the_hook_of_what_makes_way_does_not_come_between() {
    check(
        "job f io params=n:integer foreach=n unique=job:replace on_failure=h limits=l
         job h io unique=job
         limit l 1",
        "0s submit f{\"n\":[1,2]}
         1s pause limit l
         2s end 2 error
         3s end 4 ok
         4s submit f{\"n\":[3]} h
         5s end 6 ok",
        expect![[r#"
            0s submit f{"n":[1,2]}
                run 1 (f) accepted {"n":[1,2]}
                run 1 (f) spread into 2 from 2 on
                run 2 (f) accepted {"n":1} part of 1
                run 3 (f) accepted {"n":2} part of 1
                run 2 (f) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
            1s pause limit l
                limit `l` paused
                -> answer Paused(Limit("l"), true)
            2s end 2 error
                run 2 (f) failed: no luck
                run 4 (h) accepted because of 2
                run 1 (f) met 2, Failed, {"":null}
                run 4 (h) started, attempt 1
                -> start 4.1 in io
            3s end 4 ok
                run 4 (h) succeeded
            4s submit f{"n":[3]} h
                run 3 (f) cancelled to make room for another run, never started
                run 1 (f) met 3, Cancelled, {"":null}
                run 1 (f) gathered: Failed(Error("2 of the 2 runs that it was spread into did not succeed"))
                run 5 (f) accepted {"n":[3]}
                run 6 (h) accepted
                run 7 (h) accepted because of 1
                run 7 (h) skipped: run 6 of this job was not over, and there may be only one at a time (`unique`)
                run 6 (h) started, attempt 1
                -> answer Submitted([RunId(5), RunId(6)])
                -> start 6.1 in io
            5s end 6 ok
                run 6 (h) succeeded
        "#]],
    );
}

#[test]
fn a_run_whose_arguments_have_grown_is_known_by_those_it_was_accepted_with() {
    check(
        "job list io
         job f io after=list params=n:integer<list foreach=n unique=args:replace",
        "0s submit list f
         1s end 1 ok=[1,2]
         2s submit list f
         3s end 3 stopped
         4s end 4 stopped",
        expect![[r#"
            0s submit list f
                run 1 (list) accepted
                run 2 (f) accepted after 1
                run 1 (list) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1s end 1 ok=[1,2]
                run 1 (list) succeeded
                run 2 (f) met 1, Succeeded, {"n":[1,2]}
                run 2 (f) released
                run 2 (f) spread into 2 from 3 on
                run 3 (f) accepted {"n":1} part of 2
                run 4 (f) accepted {"n":2} part of 2
                run 3 (f) started, attempt 1
                run 4 (f) started, attempt 1
                -> start 3.1 in io
                -> start 4.1 in io
            2s submit list f
                run 3 (f) stopping to make room for another run
                run 4 (f) stopping to make room for another run
                run 5 (list) accepted
                run 6 (f) accepted after 5 in place of 2
                run 5 (list) started, attempt 1
                -> stop 3.1 to make room for another run
                -> stop 4.1 to make room for another run
                -> answer Submitted([RunId(5), RunId(6)])
                -> start 5.1 in io
            3s end 3 stopped
                run 3 (f) cancelled to make room for another run
                run 2 (f) met 3, Cancelled, {"":null}
            4s end 4 stopped
                run 4 (f) cancelled to make room for another run
                run 2 (f) met 4, Cancelled, {"":null}
                run 2 (f) gathered: Cancelled(Replaced(Some(RunId(6))))
        "#]],
    );
}
