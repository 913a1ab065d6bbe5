//! Jobs that find their lane by themselves, and those that are in the wrong one.

use std::time::Duration;

use expect_test::expect;
use twolane::engine::outcome::{End, Measures, Outcome};
use twolane::engine::time::{Mono, Now, Wall};

use crate::script::{check, seconds};

/// An end of which this was measured.
pub(crate) fn end(outcome: Outcome, measures: Option<Measures>) -> End {
    End {
        outcome,
        teardown: None,
        words: None,
        measures: measures.unwrap_or_default(),
    }
}

/// Reads `BUSY/TOOK[-DELAYED]`, or `held=` and that.
pub(crate) fn measures(text: &str) -> Measures {
    let (held, text) = match text.strip_prefix("held=") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (busy, took) = text.split_once('/').expect("BUSY/TOOK");
    let (took, delayed) = took.split_once('-').unwrap_or((took, "0"));
    let (busy, took) = (seconds(busy), seconds(took));
    let ended = Now {
        wall: Wall(i64::try_from(took.as_micros()).unwrap()),
        mono: Mono(0).plus(took),
    };
    Measures {
        ended,
        cpu: Some(if held { Duration::ZERO } else { busy }),
        held: held.then_some(busy),
        delayed: Some(seconds(delayed)),
        ..Measures::default()
    }
}

#[test]
fn what_computes_goes_to_the_cpu_lane_after_three_in_a_row_and_those_that_wait_go_too() {
    check(
        "io 1\njob a io auto=yes limits=l\nlimit l 1",
        "0 submit a a a a:5 a@9\n1 end 4 ok 0.5s/0.9s\n2 end 1 ok 0s/0.5s\n3 submit a\n3 end 2 ok 0.5s/0.9s\n4 end 3 ok 0.5s/0.9s\n5 submit a a\n5 end 6 ok 0.5s/0.9s\n5 status\n6 explain 8\n9 tick\n10 end 7 ok 0s/1s\n11 end 8 ok 0.6s/1s",
        expect![[r#"
            0 submit a a a a:5 a@9
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted due 9s
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5)])
                -> start 4.1 in io
            1 end 4 ok 0.5s/0.9s
                run 4 (a) succeeded
                run 1 (a) started, attempt 1
                -> start 1.1 in io
            2 end 1 ok 0s/0.5s
                run 1 (a) succeeded
                run 2 (a) started, attempt 1
                -> start 2.1 in io
            3 submit a
                run 6 (a) accepted
                -> answer Submitted([RunId(6)])
            3 end 2 ok 0.5s/0.9s
                run 2 (a) succeeded
                run 3 (a) started, attempt 1
                -> start 3.1 in io
            4 end 3 ok 0.5s/0.9s
                run 3 (a) succeeded
                run 6 (a) started, attempt 1
                -> start 6.1 in io
            5 submit a a
                run 7 (a) accepted
                run 8 (a) accepted
                -> answer Submitted([RunId(7), RunId(8)])
            5 end 6 ok 0.5s/0.9s
                run 6 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 6 was busy for 0.500 s of 0.900 s; as it has `lane = "auto"`, it goes to the cpu lane
                run 7 (a) started, attempt 1
                -> start 7.1 in cpu
            5 status
                1 scheduled
                1 queued
                1 running
                5 succeeded
                lane `io`: 0 of 1
                lane `cpu`: 1 of 2
                limit `l`: 1 of 1
            6 explain 8
                limit `l` is full: 1 of 1 held by run 7; it is the first in line
            9 tick
                run 5 (a) due
            10 end 7 ok 0s/1s
                run 7 (a) succeeded
                run 8 (a) started, attempt 1
                -> start 8.1 in cpu
            11 end 8 ok 0.6s/1s
                run 8 (a) succeeded
                run 5 (a) started, attempt 1
                -> start 5.1 in cpu
        "#]],
    );
}

#[test]
fn one_attempt_that_was_busy_for_a_second_is_enough() {
    check(
        "job a io auto=yes",
        "0 submit a\n2 end 1 ok 1.1s/2s\n2 submit a",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            2 end 1 ok 1.1s/2s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 1.100 s of 2.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            2 submit a
                run 2 (a) accepted
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in cpu
        "#]],
    );
}

#[test]
fn what_keeps_a_thread_is_as_good_as_what_computes_and_it_does_not_go_back_for_that() {
    check(
        "job a io auto=yes",
        "0 submit a a a a\n3 end 1 ok held=3s/3s\n4 end 2 ok 0s/3s\n4 end 3 ok 0s/3s\n4 end 4 ok 0s/3s\n5 submit a a a\n6 end 5 ok held=0.5s/0.6s\n6 end 6 ok 0s/0.6s\n6 end 7 ok 0s/0.6s",
        expect![[r#"
            0 submit a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
                -> start 4.1 in io
            3 end 1 ok held=3s/3s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 3.000 s of 3.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            4 end 2 ok 0s/3s
                run 2 (a) succeeded
            4 end 3 ok 0s/3s
                run 3 (a) succeeded
            4 end 4 ok 0s/3s
                run 4 (a) succeeded
            5 submit a a a
                run 5 (a) accepted
                run 6 (a) accepted
                run 7 (a) accepted
                run 5 (a) started, attempt 1
                run 6 (a) started, attempt 1
                -> answer Submitted([RunId(5), RunId(6), RunId(7)])
                -> start 5.1 in cpu
                -> start 6.1 in cpu
            6 end 5 ok held=0.5s/0.6s
                run 5 (a) succeeded
                run 7 (a) started, attempt 1
                -> start 7.1 in cpu
            6 end 6 ok 0s/0.6s
                run 6 (a) succeeded
            6 end 7 ok 0s/0.6s
                run 7 (a) succeeded
        "#]],
    );
}

#[test]
fn what_waits_goes_back_after_three_in_a_row_and_what_is_in_between_stays() {
    check(
        "job a io auto=yes",
        "0 submit a\n1 end 1 ok 1s/1s\n2 submit a a a a a\n3 end 2 ok 0s/1s\n3 end 3 ok 0s/1s\n4 end 4 ok 0.3s/1s\n4 end 5 error 0.05s/1s\n4 submit a",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1 end 1 ok 1s/1s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 1.000 s of 1.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            2 submit a a a a a
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 5 (a) accepted
                run 6 (a) accepted
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(2), RunId(3), RunId(4), RunId(5), RunId(6)])
                -> start 2.1 in cpu
                -> start 3.1 in cpu
            3 end 2 ok 0s/1s
                run 2 (a) succeeded
                run 4 (a) started, attempt 1
                -> start 4.1 in cpu
            3 end 3 ok 0s/1s
                run 3 (a) succeeded
                run 5 (a) started, attempt 1
                -> start 5.1 in cpu
            4 end 4 ok 0.3s/1s
                run 4 (a) succeeded
                run 6 (a) started, attempt 1
                -> start 6.1 in cpu
            4 end 5 error 0.05s/1s
                run 5 (a) failed: no luck
                a it waits, and is on the cpu lane: run 5 was busy for 0.050 s of 1.000 s; as it has `lane = "auto"`, it goes to the io lane
            4 submit a
                run 7 (a) accepted
                run 7 (a) started, attempt 1
                -> answer Submitted([RunId(7)])
                -> start 7.1 in io
        "#]],
    );
}

#[test]
fn what_was_found_counts_until_the_definition_says_otherwise() {
    check(
        "job a io auto=yes",
        "0 submit a\n1 end 1 ok 1s/1s\n2 define job a io\n3 submit a\n4 define job a io auto=yes\n5 submit a\n6 crash\n6 submit a",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1 end 1 ok 1s/1s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 1.000 s of 1.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            2 define job a io
                what was found of the lane of a counts no more
                configured: 1 jobs
            3 submit a
                run 2 (a) accepted
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in io
            4 define job a io auto=yes
                configured: 1 jobs
            5 submit a
                run 3 (a) accepted
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(3)])
                -> start 3.1 in io
            6 crash
                2 running
                lane `io`: 2 of 10000
                lane `cpu`: 0 of 2
            6 submit a
                -> answer Refused(Draining)
        "#]],
    );
}

#[test]
fn what_is_short_or_not_measured_says_nothing() {
    check(
        "job a io auto=yes",
        "0 submit a a a a\n1 end 1 ok 0.009s/0.009s\n1 end 2 ok 0.009s/0.009s\n1 end 3 ok 0.009s/0.009s\n1 end 4 ok",
        expect![[r#"
            0 submit a a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 4 (a) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in io
                -> start 4.1 in io
            1 end 1 ok 0.009s/0.009s
                run 1 (a) succeeded
            1 end 2 ok 0.009s/0.009s
                run 2 (a) succeeded
            1 end 3 ok 0.009s/0.009s
                run 3 (a) succeeded
            1 end 4 ok
                run 4 (a) succeeded
        "#]],
    );
}

#[test]
fn a_job_that_somebody_has_put_on_the_io_lane_is_told_once() {
    check(
        "job a io\njob b cpu",
        "0 submit a a b b b\n1 end 1 ok 1s/1s\n2 end 2 ok 1s/1s\n3 end 3 ok 0s/1s\n3 end 4 ok 0s/1s\n3 end 5 ok 0s/1s\n4 submit a\n5 define job a cpu\n6 define job a io\n7 submit a\n8 end 7 ok 3s/4s",
        expect![[r#"
            0 submit a a b b b
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (b) accepted
                run 4 (b) accepted
                run 5 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (a) started, attempt 1
                run 3 (b) started, attempt 1
                run 4 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4), RunId(5)])
                -> start 1.1 in io
                -> start 2.1 in io
                -> start 3.1 in cpu
                -> start 4.1 in cpu
            1 end 1 ok 1s/1s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 1.000 s of 1.000 s. hint: write `lane = "cpu"`, or `lane = "auto"`, in the job
            2 end 2 ok 1s/1s
                run 2 (a) succeeded
            3 end 3 ok 0s/1s
                run 3 (b) succeeded
                run 5 (b) started, attempt 1
                -> start 5.1 in cpu
            3 end 4 ok 0s/1s
                run 4 (b) succeeded
            3 end 5 ok 0s/1s
                run 5 (b) succeeded
            4 submit a
                run 6 (a) accepted
                run 6 (a) started, attempt 1
                -> answer Submitted([RunId(6)])
                -> start 6.1 in io
            5 define job a cpu
                what was found of the lane of a counts no more
                configured: 1 jobs
            6 define job a io
                configured: 1 jobs
            7 submit a
                run 7 (a) accepted
                run 7 (a) started, attempt 1
                -> answer Submitted([RunId(7)])
                -> start 7.1 in io
            8 end 7 ok 3s/4s
                run 7 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 7 was busy for 3.000 s of 4.000 s. hint: write `lane = "cpu"`, or `lane = "auto"`, in the job
        "#]],
    );
}

#[test]
fn an_attempt_that_fails_counts_and_the_next_one_is_on_the_other_lane() {
    check(
        "job a io auto=yes retry=3:fixed",
        "0 submit a\n2 end 1.1 error 2s/2s\n9 tick\n10 end 1.2 ok 2s/2s",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            2 end 1.1 error 2s/2s
                run 1 (a) failed in attempt 1: no luck; again at 3s
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 2.000 s of 2.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            9 tick
                run 1 (a) due
                run 1 (a) started, attempt 2
                -> start 1.2 in cpu
            10 end 1.2 ok 2s/2s
                run 1 (a) succeeded
        "#]],
    );
}

#[test]
fn a_reload_keeps_what_was_found_of_jobs_that_still_find_their_lane() {
    check(
        "job a io auto=yes\njob b io auto=yes",
        "0 submit a b\n2 end 1 ok 2s/2s\n2 end 2 ok 2s/2s\n3 define job a io auto=yes timeout=9s;job b io\n4 submit a b",
        expect![[r#"
            0 submit a b
                run 1 (a) accepted
                run 2 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
                -> start 2.1 in io
            2 end 1 ok 2s/2s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 2.000 s of 2.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            2 end 2 ok 2s/2s
                run 2 (b) succeeded
                b it computes, or keeps a thread from others, and is on the io lane: run 2 was busy for 2.000 s of 2.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            3 define job a io auto=yes timeout=9s;job b io
                what was found of the lane of b counts no more
                configured: 2 jobs
            4 submit a b
                run 3 (a) accepted
                run 4 (b) accepted
                run 3 (a) started, attempt 1
                run 4 (b) started, attempt 1
                -> answer Submitted([RunId(3), RunId(4)])
                -> start 3.1 in cpu
                -> start 4.1 in io
        "#]],
    );
}

#[test]
fn a_crash_forgets_nothing_that_was_decided() {
    check(
        "job a io auto=yes limits=l\nlimit l 1",
        "0 submit a a a\n2 end 1 ok 2s/2s\n3 crash\n4 settle\n4 open\n5 end 2.2 ok 2s/2s\n6 submit a",
        expect![[r#"
            0 submit a a a
                run 1 (a) accepted
                run 2 (a) accepted
                run 3 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
            2 end 1 ok 2s/2s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 2.000 s of 2.000 s; as it has `lane = "auto"`, it goes to the cpu lane
                run 2 (a) started, attempt 1
                -> start 2.1 in cpu
            3 crash
                1 queued
                1 running
                lane `io`: 0 of 10000
                lane `cpu`: 1 of 2
                limit `l`: 1 of 1
            4 settle
                run 2 (a) interrupted in attempt 1: the daemon or the machine went down under it
            4 open
                opened
                run 3 (a) started, attempt 1
                -> start 3.1 in cpu
            5 end 2.2 ok 2s/2s
            6 submit a
                run 4 (a) accepted
                -> answer Submitted([RunId(4)])
        "#]],
    );
}

#[test]
fn of_jobs_that_are_not_defined_nothing_is_learned() {
    check(
        "job a io auto=yes",
        "0 submit a\n0 define job b io\n1 end 1 ok 2s/2s\n1 status",
        expect![[r#"
            0 submit a
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            0 define job b io
                configured: 1 jobs
            1 end 1 ok 2s/2s
                run 1 (a) succeeded
            1 status
                1 succeeded
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
        "#]],
    );
}

#[test]
fn the_time_in_which_others_had_the_processor_does_not_count() {
    check(
        "job a io auto=yes\njob b cpu auto=yes",
        "0 submit a b b b\n9 end 1 ok 2s/9s-6s\n9 end 2 ok 0.1s/9s-8.5s\n9 end 3 ok 0.1s/9s-8.5s\n9 end 4 ok 0.1s/9s-8.5s\n9 submit b",
        expect![[r#"
            0 submit a b b b
                run 1 (a) accepted
                run 2 (b) accepted
                run 3 (b) accepted
                run 4 (b) accepted
                run 1 (a) started, attempt 1
                run 2 (b) started, attempt 1
                run 3 (b) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in cpu
                -> start 3.1 in cpu
            9 end 1 ok 2s/9s-6s
                run 1 (a) succeeded
                a it computes, or keeps a thread from others, and is on the io lane: run 1 was busy for 2.000 s of 3.000 s; as it has `lane = "auto"`, it goes to the cpu lane
            9 end 2 ok 0.1s/9s-8.5s
                run 2 (b) succeeded
                run 4 (b) started, attempt 1
                -> start 4.1 in cpu
            9 end 3 ok 0.1s/9s-8.5s
                run 3 (b) succeeded
            9 end 4 ok 0.1s/9s-8.5s
                run 4 (b) succeeded
            9 submit b
                run 5 (b) accepted
                run 5 (b) started, attempt 1
                -> answer Submitted([RunId(5)])
                -> start 5.1 in cpu
        "#]],
    );
}
