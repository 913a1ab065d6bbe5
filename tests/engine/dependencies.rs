//! Runs that come after others: blocked until those have succeeded, skipped when one does not.

use expect_test::expect;

use std::time::Duration;

use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::input::{Input, Submission, SubmitItem};
use twolane::engine::outcome::{End, Measures};

use crate::define::define;
use crate::script::{Bench, at, check, outcome};

const DIAMOND: &str = "
    job a io
    job b io after=a
    job c io after=a delay=10s
    job d io after=b,c";

#[test]
fn a_run_starts_once_all_it_comes_after_have_succeeded() {
    check(
        DIAMOND,
        "0s submit d c b a
         0s explain 1
         5s end 4 ok
         6s end 3 ok
         6s explain 2
         6s explain 1
         10s tick
         11s end 2 ok
         12s end 1 ok",
        expect![[r#"
            0s submit d c b a
                run 4 (a) accepted
                run 2 (c) accepted after 4 due 10s
                run 3 (b) accepted after 4
                run 1 (d) accepted after 3, 2
                run 4 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 4.1 in io
            0s explain 1
                it comes after run 3 of `b` (blocked), run 2 of `c` (blocked)
            5s end 4 ok
                run 4 (a) succeeded
                run 2 (c) released
                run 3 (b) released
                run 3 (b) started, attempt 1
                -> start 3.1 in io
            6s end 3 ok
                run 3 (b) succeeded
            6s explain 2
                it is due in 4s
            6s explain 1
                it comes after run 2 of `c` (scheduled)
            10s tick
                run 2 (c) due
                run 2 (c) started, attempt 1
                -> start 2.1 in io
            11s end 2 ok
                run 2 (c) succeeded
                run 1 (d) released
                run 1 (d) started, attempt 1
                -> start 1.1 in io
            12s end 1 ok
                run 1 (d) succeeded
        "#]],
    );
}

#[test]
fn a_failure_skips_all_that_comes_after_it() {
    check(
        DIAMOND,
        "0s submit a b c d
         5s end 1 error
         5s explain 4",
        expect![[r#"
            0s submit a b c d
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 3 (c) accepted after 1 due 10s
                run 4 (d) accepted after 2, 3
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
            5s end 1 error
                run 1 (a) failed: no luck
                run 2 (b) skipped: run 1 of `a`, which it comes after, did not succeed
                run 3 (c) skipped: run 1 of `a`, which it comes after, did not succeed
                run 4 (d) skipped: run 2 of `b`, which it comes after, did not succeed
            5s explain 4
                it was skipped: run 2 of `b`, which it comes after, did not succeed
        "#]],
    );
}

#[test]
fn a_cancelled_run_skips_what_comes_after_it_and_others_go_on() {
    check(
        DIAMOND,
        "0s submit a b c d
         5s end 1 ok
         6s cancel 3
         7s end 2 ok
         7s status",
        expect![[r#"
            0s submit a b c d
                run 1 (a) accepted
                run 2 (b) accepted after 1
                run 3 (c) accepted after 1 due 10s
                run 4 (d) accepted after 2, 3
                run 1 (a) started, attempt 1
                -> answer Submitted([RunId(1), RunId(2), RunId(3), RunId(4)])
                -> start 1.1 in io
            5s end 1 ok
                run 1 (a) succeeded
                run 2 (b) released
                run 3 (c) released
                run 2 (b) started, attempt 1
                -> start 2.1 in io
            6s cancel 3
                run 3 (c) cancelled on request, never started
                run 4 (d) skipped: run 3 of `c`, which it comes after, did not succeed
                -> answer Cancelled(RunId(3))
            7s end 2 ok
                run 2 (b) succeeded
            7s status
                2 succeeded
                1 cancelled
                1 skipped
                lane `io`: 0 of 10000
                lane `cpu`: 0 of 2
        "#]],
    );
}

/// More runs are skipped at once than the engine remembers after their end.
#[test]
fn a_failure_skips_thousands() {
    let mut bench = Bench::new(define("job a io\njob b io after=a\njob c io after=b"));
    let job = |name: &str| SubmitItem::of(&name.into());
    // Each `b` comes after the one `a`; `c` cannot, since there are several of `b`.
    let items = std::iter::once(job("a"))
        .chain((0..2_500).map(|_| job("b")))
        .collect();
    bench.apply(at(Duration::ZERO), submit(items));
    let failed = |run| Input::Ended {
        attempt: AttemptId {
            run: RunId(run),
            epoch: 1,
        },
        end: End {
            outcome: outcome("error"),
            teardown: None,
            words: None,
            measures: Measures::default(),
        },
    };
    let out = bench.apply(at(Duration::from_secs(1)), failed(1));
    assert_eq!(
        out.records.len(),
        2_501,
        "one has failed, all others are skipped"
    );
    assert_eq!(bench.engine.live_count(), 0);
    // And in depth: a chain, each skipped because of the one before it.
    let mut definitions = String::from("job j0 io\n");
    for n in 1..2_500 {
        definitions.push_str(&format!("job j{n} io after=j{}\n", n - 1));
    }
    let mut bench = Bench::new(define(&definitions));
    let items = (0..2_500).map(|n| job(&format!("j{n}"))).collect();
    bench.apply(at(Duration::ZERO), submit(items));
    bench.apply(at(Duration::from_secs(1)), failed(1));
    assert_eq!(bench.engine.live_count(), 0);
}

fn submit(items: Vec<SubmitItem>) -> Input {
    Input::Submit(Submission {
        key: None,
        items,
        caller: None,
    })
}
