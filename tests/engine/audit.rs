//! Who asked for what: on record with what was decided on it, and with nothing else.

use expect_test::expect;

use crate::script::check;

#[test]
fn what_follows_from_an_input_says_who_asked_and_what_starts_in_its_room_does_not() {
    check(
        "io 1\njob a io task=call\njob b io after=a",
        "0 uid:7: submit a b\n1 uid:8: submit a\n2 token:ci: cancel 1\n3 end 1.1 stopped\n\
         4 uid:7: pause lane io\n4 uid:7: pause lane io\n5 uid:8: resume lane io\n6 uid:9: cancel 77\n\
         7 uid:9: send 3 5\n7 uid:9: send 3\n7 uid:9: send 1 5\n8 signal: drain\n9 uid:9: leave\n\
         9 uid:9: interrupt",
        expect![[r#"
            0 uid:7: submit a b
                run 1 (a) accepted, by uid:7
                run 2 (b) accepted after 1, by uid:7
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1 uid:8: submit a
                run 3 (a) accepted, by uid:8
                -> answer Submitted([RunId(3)])
            2 token:ci: cancel 1
                run 1 (a) stopping on request, by token:ci
                -> stop 1.1 on request
                -> answer Stopping(RunId(1))
            3 end 1.1 stopped
                run 1 (a) cancelled on request
                run 2 (b) skipped: run 1 of `a`, which it comes after, did not succeed
                run 3 (a) started, attempt 1
                -> start 3.1 in io
            4 uid:7: pause lane io
                lane `io` paused, by uid:7
                -> answer Paused(Lane(Io), true)
            4 uid:7: pause lane io
                -> answer Paused(Lane(Io), false)
            5 uid:8: resume lane io
                lane `io` resumed, by uid:8
                -> answer Resumed(Lane(Io), true)
            6 uid:9: cancel 77
                -> answer UnknownRun(RunId(77))
            7 uid:9: send 3 5
                run 3 (a) sent Some(5), by uid:9
                -> answer Send(AttemptId { run: RunId(3), epoch: 1 })
            7 uid:9: send 3
                run 3 (a) sent None, by uid:9
                -> answer Send(AttemptId { run: RunId(3), epoch: 1 })
            7 uid:9: send 1 5
                -> answer NotWaiting(RunId(1), Cancelled)
            8 signal: drain
                draining, by signal
            9 uid:9: leave
                leaving, by uid:9
            9 uid:9: interrupt
                run 3 (a) stopping because the daemon shuts down, by uid:9
                -> stop 3.1 because the daemon shuts down
        "#]],
    );
}

#[test]
fn who_brings_the_end_of_a_future_or_tries_it_again_is_on_record_with_all_that_follows() {
    check(
        "job f io task=future\njob a io after=f\njob h io\njob g io task=future on_success=h",
        "0 submit f a\n1 uid:7: complete 1 no\n2 uid:8: retry 2 a 0\n3 submit g\n4 uid:7: complete 3",
        expect![[r#"
            0 submit f a
                run 1 (f) accepted
                run 2 (a) accepted after 1
                run 1 (f) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
            1 uid:7: complete 1 no
                run 1 (f) failed: no, by uid:7
                run 2 (a) skipped: run 1 of `f`, which it comes after, did not succeed, by uid:7
                -> answer Completed(RunId(1))
            2 uid:8: retry 2 a 0
                run 2 (a) retried, by uid:8
                run 2 (a) started, attempt 1
                -> answer Retried(RunId(2))
                -> start 2.1 in io
            3 submit g
                run 3 (g) accepted
                run 3 (g) started, attempt 1
                -> answer Submitted([RunId(3)])
            4 uid:7: complete 3
                run 3 (g) succeeded, by uid:7
                run 4 (h) accepted because of 3, by uid:7
                run 4 (h) started, attempt 1
                -> answer Completed(RunId(3))
                -> start 4.1 in io
        "#]],
    );
}

#[test]
fn what_is_due_before_an_input_is_of_nobodys_asking() {
    check(
        "job a io timeout=5s\njob b io delay=5s",
        "0 uid:7: submit a b\n6 uid:8: cancel 1",
        expect![[r#"
            0 uid:7: submit a b
                run 1 (a) accepted, by uid:7
                run 2 (b) accepted due 5s, by uid:7
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            6 uid:8: cancel 1
                run 2 (b) due
                run 1 (a) stopping because its timeout passed
                run 2 (b) started, attempt 1
                -> stop 1.1 because its timeout passed
                -> answer Stopping(RunId(1))
                -> start 2.1 in io
        "#]],
    );
}

#[test]
fn what_nobody_could_take_is_not_on_record_as_sent() {
    check(
        "job a io\njob b io task=command\njob c io task=future\njob d io task=call",
        "0 submit a b c d\n1 send 1 5\n1 send 2 5\n1 send 3 5\n1 send 4 5",
        expect![[r#"
            0 submit a b c d
                run 1 (a) accepted
                run 2 (b) accepted
                run 3 (c) accepted
                run 4 (d) accepted
                run 1 (a) started, attempt 1
                run 2 (b) started, attempt 1
                run 3 (c) started, attempt 1
                run 4 (d) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 4.1 in io
            1 send 1 5
                -> answer TakesNothing(RunId(1))
            1 send 2 5
                -> answer TakesNothing(RunId(2))
            1 send 3 5
                -> answer TakesNothing(RunId(3))
            1 send 4 5
                run 4 (d) sent Some(5)
                -> answer Send(AttemptId { run: RunId(4), epoch: 1 })
        "#]],
    );
}
