//! How runs hang together: what one waits for, what it is given, what it is spread into, which are alone,
//! and what is run after them.

use expect_test::expect;

use crate::script::check;

#[test]
fn what_has_to_have_become_of_the_others_is_said_by_when() {
    for (when, b, c, says) in [
        ("success", "ok", "ok", "released"),
        ("success", "ok", "error", "skipped"),
        ("failure", "ok", "error", "released"),
        ("failure", "error", "ok", "released"),
        ("failure", "ok", "ok", "skipped"),
        ("always", "error", "error", "released"),
        ("always", "ok", "error", "released"),
        ("any", "error", "ok", "released"),
        ("any", "ok", "error", "released"),
        ("any", "error", "error", "skipped"),
    ] {
        let definitions = format!("job b io\njob c io\njob d io after=b,c when={when}");
        for crash in ["", "2s crash\n2s open\n"] {
            let script = format!("0s submit b c d\n1s end 1 {b}\n{crash}3s end 2 {c}");
            let printed = crate::script::play(&definitions, &script);
            let said = format!("run 3 (d) {says}");
            assert_eq!(
                printed.matches(&said).count(),
                1,
                "{when} {b} {c}: {printed}"
            );
        }
    }
}

#[test]
fn one_success_is_enough_where_any_will_do() {
    check(
        "job b io
         job c io
         job d io after=b,c when=any",
        "0s submit b c d
         1s end 2 ok
         2s end 1 error",
        expect![[r#"
            0s submit b c d
                run 1 (b) accepted
                run 2 (c) accepted
                run 3 (d) accepted after 1, 2
                run 1 (b) started, attempt 1
                run 2 (c) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s end 2 ok
                run 2 (c) succeeded
                run 3 (d) met 2, Succeeded, {}
                run 3 (d) released
                run 3 (d) started, attempt 1
                -> start 3.1 in io
            2s end 1 error
                run 1 (b) failed: no luck
        "#]],
    );
}

#[test]
fn what_does_not_become_as_wanted_is_skipped_with_its_reason() {
    check(
        "job b io
         job c io
         job d io after=b,c when=failure
         job e io after=d when=always",
        "0s submit b c d e
         1s end 1 ok
         2s end 2 ok
         3s end 4 ok",
        expect![[r#"
            0s submit b c d e
                run 1 (b) accepted
                run 2 (c) accepted
                run 3 (d) accepted after 1, 2
                run 4 (e) accepted after 3
                run 1 (b) started, attempt 1
                run 2 (c) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
                -> start 2.1 in io
            1s end 1 ok
                run 1 (b) succeeded
            2s end 2 ok
                run 2 (c) succeeded
                run 3 (d) skipped: all runs that it comes after have succeeded
                run 4 (e) released
                run 4 (e) started, attempt 1
                -> start 4.1 in io
            3s end 4 ok
                run 4 (e) succeeded
        "#]],
    );
}

#[test]
fn results_become_arguments() {
    check(
        "job scan io
         job sum io
         job use io after=scan,sum params=files:any<scan/files,n:integer<sum,word:text<scan/word=none",
        "0s submit use scan sum
         1s end 2 ok={\"files\":[1,2]}
         2s crash
         2s open
         3s end 3 ok=7",
        expect![[r#"
            0s submit use scan sum
                run 2 (scan) accepted
                run 3 (sum) accepted
                run 1 (use) accepted after 2, 3
                run 2 (scan) started, attempt 1
                run 3 (sum) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 2.1 in io
                -> start 3.1 in io
            1s end 2 ok={"files":[1,2]}
                run 2 (scan) succeeded
                run 1 (use) met 2, Succeeded, {"files":[1,2]}
            2s crash
                1 blocked
                1 running
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            2s open
                opened
            3s end 3 ok=7
                run 3 (sum) succeeded
                run 1 (use) met 3, Succeeded, {"n":7}
                run 1 (use) released
                run 1 (use) started, attempt 1
                -> start 1.1 in io
        "#]],
    );
    check(
        "job scan io
         job use io after=scan params=n:integer<scan/n
         job fine io after=scan when=always params=n:integer<scan/n=3",
        "0s submit scan use fine
         1s end 1 ok={\"n\":\"text\"}",
        expect![[r#"
            0s submit scan use fine
                run 1 (scan) accepted
                run 2 (use) accepted after 1
                run 3 (fine) accepted after 1
                run 1 (scan) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3)])
                -> start 1.1 in io
            1s end 1 ok={"n":"text"}
                run 1 (scan) succeeded
                run 2 (use) skipped: its argument `n` has to be integer, and the result of `scan` has something else
                run 3 (fine) skipped: its argument `n` has to be integer, and the result of `scan` has something else
        "#]],
    );
}

#[test]
fn a_run_is_spread_and_gathers_what_its_parts_gave() {
    check(
        "io 2
         job resize io foreach=file params=file:text
         job pack io after=resize params=all:any<resize",
        "0s submit resize{\"file\":[\"a\",\"b\",\"c\"]} pack
         0s explain 1
         1s end 3 ok=1
         2s end 4 ok=2
         3s crash
         3s open
         4s end 5 ok=3",
        expect![[r#"
            0s submit resize{"file":["a","b","c"]} pack
                run 1 (resize) accepted {"file":["a","b","c"]}
                run 2 (pack) accepted after 1
                run 1 (resize) spread into 3 from 3 on
                run 3 (resize) accepted {"file":"a"} part of 1
                run 4 (resize) accepted {"file":"b"} part of 1
                run 5 (resize) accepted {"file":"c"} part of 1
                run 3 (resize) started, attempt 1
                run 4 (resize) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 3.1 in io
                -> start 4.1 in io
            0s explain 1
                it was spread into 3 runs and waits for run 3 of `resize` (running), run 4 of `resize` (running), run 5 of `resize` (queued)
            1s end 3 ok=1
                run 3 (resize) succeeded
                run 1 (resize) met 3, Succeeded, {"":1}
                run 5 (resize) started, attempt 1
                -> start 5.1 in io
            2s end 4 ok=2
                run 4 (resize) succeeded
                run 1 (resize) met 4, Succeeded, {"":2}
            3s crash
                2 blocked
                1 running
                lane `io`: 1 of 2
                lane `cpu`: 0 of 2
            3s open
                opened
            4s end 5 ok=3
                run 5 (resize) succeeded
                run 1 (resize) met 5, Succeeded, {"":3}
                run 1 (resize) gathered: Succeeded [1,2,3]
                run 2 (pack) met 1, Succeeded, {"all":[1,2,3]}
                run 2 (pack) released
                run 2 (pack) started, attempt 1
                -> start 2.1 in io
        "#]],
    );
}

#[test]
fn a_matrix_is_a_run_for_each_combination() {
    check(
        "job build io matrix=os:1,2+n:3,4 params=os:integer,n:integer,x:text=y",
        "0s submit build
         1s end 2 ok
         1s end 3 error
         1s end 4 ok
         1s end 5 ok",
        expect![[r#"
            0s submit build
                run 1 (build) accepted {"x":"y"}
                run 1 (build) spread into 4 from 2 on
                run 2 (build) accepted {"n":3,"os":1,"x":"y"} part of 1
                run 3 (build) accepted {"n":3,"os":2,"x":"y"} part of 1
                run 4 (build) accepted {"n":4,"os":1,"x":"y"} part of 1
                run 5 (build) accepted {"n":4,"os":2,"x":"y"} part of 1
                run 2 (build) started, attempt 1
                run 3 (build) started, attempt 1
                run 4 (build) started, attempt 1
                run 5 (build) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
                -> start 3.1 in io
                -> start 4.1 in io
                -> start 5.1 in io
            1s end 2 ok
                run 2 (build) succeeded
                run 1 (build) met 2, Succeeded, {"":null}
            1s end 3 error
                run 3 (build) failed: no luck
                run 1 (build) met 3, Failed, {"":null}
            1s end 4 ok
                run 4 (build) succeeded
                run 1 (build) met 4, Succeeded, {"":null}
            1s end 5 ok
                run 5 (build) succeeded
                run 1 (build) met 5, Succeeded, {"":null}
                run 1 (build) gathered: Failed(Error("1 of the 4 runs that it was spread into did not succeed"))
        "#]],
    );
}

#[test]
fn what_cannot_be_spread_says_so() {
    check(
        "max 5
         job scan io
         job each io foreach=n after=scan params=n:integer<scan/n",
        "0s submit scan each
         1s end 1 ok={\"n\":[1,2,3,4,5,6]}
         2s submit scan each
         3s end 3 ok={\"n\":[]}
         4s submit each{\"n\":3}
         5s submit scan each
         6s end 5 ok={\"n\":[1,\"x\"]}",
        expect![[r#"
            0s submit scan each
                run 1 (scan) accepted
                run 2 (each) accepted after 1
                run 1 (scan) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 1.1 in io
            1s end 1 ok={"n":[1,2,3,4,5,6]}
                run 1 (scan) succeeded
                run 2 (each) met 1, Succeeded, {"n":[1,2,3,4,5,6]}
                run 2 (each) released
                run 2 (each) gathered: Failed(Error("it would be spread into 6 runs, and there is room for 4"))
            2s submit scan each
                run 3 (scan) accepted
                run 4 (each) accepted after 3
                run 3 (scan) started, attempt 1
                -> answer Submitted([RunId(3), RunId(4)])
                -> start 3.1 in io
            3s end 3 ok={"n":[]}
                run 3 (scan) succeeded
                run 4 (each) met 3, Succeeded, {"n":[]}
                run 4 (each) released
                run 4 (each) gathered: Succeeded []
            4s submit each{"n":3}
                -> answer Refused(MissingDependency { job: "each", needs: "scan" })
            5s submit scan each
                run 5 (scan) accepted
                run 6 (each) accepted after 5
                run 5 (scan) started, attempt 1
                -> answer Submitted([RunId(5), RunId(6)])
                -> start 5.1 in io
            6s end 5 ok={"n":[1,"x"]}
                run 5 (scan) succeeded
                run 6 (each) skipped: its argument `n` has to be a list of integers, and the result of `scan` has something else
        "#]],
    );
}

#[test]
fn to_cancel_one_that_was_spread_is_to_cancel_its_parts() {
    check(
        "io 1
         job each io foreach=n params=n:integer
         job then io after=each",
        "0s submit each{\"n\":[1,2]} then
         1s cancel 1
         2s end 3 stopped",
        expect![[r#"
            0s submit each{"n":[1,2]} then
                run 1 (each) accepted {"n":[1,2]}
                run 2 (then) accepted after 1
                run 1 (each) spread into 2 from 3 on
                run 3 (each) accepted {"n":1} part of 1
                run 4 (each) accepted {"n":2} part of 1
                run 3 (each) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2)])
                -> start 3.1 in io
            1s cancel 1
                run 3 (each) stopping on request
                run 4 (each) cancelled on request, never started
                run 1 (each) met 4, Cancelled, {"":null}
                -> stop 3.1 on request
                -> answer Stopping(RunId(1))
            2s end 3 stopped
                run 3 (each) cancelled on request
                run 1 (each) met 3, Cancelled, {"":null}
                run 1 (each) gathered: Cancelled(Request)
                run 2 (then) skipped: run 1 of `each`, which it comes after, did not succeed
        "#]],
    );
}

#[test]
fn all_that_hangs_together_is_cancelled_together() {
    check(
        "job a io
         job b io after=a
         job c io after=a
         job d io after=b,c when=always
         job other io",
        "0s submit a b c d
         0s submit other
         1s end 1 ok
         2s cancel 2 graph
         3s end 2 stopped
         3s end 3 stopped",
        expect![[r#"
            0s submit a b c d
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 3 (c) accepted after 1
                run 4 (d) accepted after 2, 3
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
            0s submit other
                run 5 (other) accepted
                run 5 (other) started, attempt 1
                -> answer Submitted([RunId(5)])
                -> start 5.1 in io
            1s end 1 ok
                run 1 (a) succeeded
                run 2 (b) released
                run 3 (c) released
                run 2 (b) started, attempt 1
                run 3 (c) started, attempt 1
                -> start 2.1 in io
                -> start 3.1 in io
            2s cancel 2 graph
                run 4 (d) cancelled on request, never started
                run 3 (c) stopping on request
                run 2 (b) stopping on request
                -> stop 3.1 on request
                -> stop 2.1 on request
                -> answer Stopping(RunId(2))
            3s end 2 stopped
                run 2 (b) cancelled on request
            3s end 3 stopped
                run 3 (c) cancelled on request
        "#]],
    );
}
