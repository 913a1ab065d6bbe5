//! What a submission may say of its runs: arguments, a key, a time.

use expect_test::expect;

use crate::script::check;

#[test]
fn arguments_are_what_the_job_declares() {
    check(
        "job a io params=x:integer,y:text=there\njob b io",
        "0 submit a{\"x\":5}\n0 submit a\n0 submit a{\"x\":\"5\"}\n0 submit a{\"x\":5,\"z\":1}\n0 submit b{\"z\":1}\n0 submit b{}",
        expect![[r#"
            0 submit a{"x":5}
                run 1 (a) accepted {"x":5,"y":"there"}
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            0 submit a
                -> answer Refused(MissingArgument { job: "a", name: "x", kind: "integer" })
            0 submit a{"x":"5"}
                -> answer Refused(WrongArgument { job: "a", name: "x", kind: "integer" })
            0 submit a{"x":5,"z":1}
                -> answer Refused(UnknownArgument { job: "a", name: "z", known: "`x`, `y`" })
            0 submit b{"z":1}
                -> answer Refused(UnknownArgument { job: "b", name: "z", known: "none" })
            0 submit b{}
                run 2 (b) accepted
                run 2 (b) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in io
        "#]],
    );
}

#[test]
fn the_same_key_gives_the_same_run() {
    check(
        "job a io\njob b io",
        "0 submit a key=k/1\n1 submit a key=k/1\n2 submit b key=k/2\n3 end 1 ok\n4 submit a key=k/1\n5 submit a key=other/1\n6 submit b",
        expect![[r#"
            0 submit a key=k/1
                run 1 (a) accepted
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 1.1 in io
            1 submit a key=k/1
                -> answer SubmittedBefore(RunId(1))
            2 submit b key=k/2
                -> answer Refused(KeyReused("k"))
            3 end 1 ok
                run 1 (a) succeeded
            4 submit a key=k/1
                -> answer SubmittedBefore(RunId(1))
            5 submit a key=other/1
                run 2 (a) accepted
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in io
            6 submit b
                run 3 (b) accepted
                run 3 (b) started, attempt 1
                -> answer Submitted([RunId(3)])
                -> start 3.1 in io
        "#]],
    );
}

#[test]
fn a_run_waits_for_the_time_it_is_asked_for() {
    check(
        "job a io delay=3s",
        "0 submit a@5\n1 submit a@0\n5 tick",
        expect![[r#"
            0 submit a@5
                run 1 (a) accepted due 5s
                -> answer Submitted([RunId(1)])
            1 submit a@0
                run 2 (a) accepted
                run 2 (a) started, attempt 1
                -> answer Submitted([RunId(2)])
                -> start 2.1 in io
            5 tick
                run 1 (a) due
                run 1 (a) started, attempt 1
                -> start 1.1 in io
        "#]],
    );
}
