//! Runs that were spread are tried once more, by what the store knows of their parts.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_part_whose_end_is_not_known_to_whoever_asks_is_not_taken_for_one_that_succeeded() {
    // What ends with the daemon is over before its parts are.
    check(
        "job a io params=n:integer foreach=n",
        "0s submit a{\"n\":[7,8]}
         1s end 3 ok=8
         2s cancel-waiting
         3s stop
         4s crash
         5s settle
         6s open
         7s again 1 3",
        expect![[r#"
            0s submit a{"n":[7,8]}
                run 1 (a) accepted {"n":[7,8]}
                run 1 (a) spread into 2 from 2 on
                run 2 (a) accepted {"n":7} part of 1
                run 3 (a) accepted {"n":8} part of 1
                run 2 (a) started, attempt 1
                run 3 (a) started, attempt 1
                -> answer Submitted([RunId(1)])
                -> start 2.1 in io
                -> start 3.1 in io
            1s end 3 ok=8
                run 3 (a) succeeded
                run 1 (a) met 3, Succeeded, {"":8}
            2s cancel-waiting
                run 1 (a) cancelled because the daemon shuts down, never started
            3s stop
                run 2 (a) stopping because the daemon shuts down
                -> stop 2.1 because the daemon shuts down
            4s crash
                1 stopping
                lane `io`: 1 of 10000
                lane `cpu`: 0 of 2
            5s settle
                run 2 (a) cancelled because the daemon shuts down
            6s open
                opened
            7s again 1 3
                run 1 (a) retried
                run 1 (a) spread into 2 from 4 on
                run 4 (a) accepted {"n":7} part of 1
                run 5 (a) accepted {"n":8} part of 1
                run 4 (a) started, attempt 1
                run 5 (a) started, attempt 1
                -> answer RetriedGraph([RunId(1)])
                -> start 4.1 in io
                -> start 5.1 in io
        "#]],
    );
}
