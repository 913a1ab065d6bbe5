//! Tasks that do not stop or bring their process down: in processes of their own they harm nobody, and
//! in the daemon's own threads the daemon tells of them and goes on.
//!
//! The program is its own daemon: with arguments of `twolane` it is that, with functions that misbehave.

#![expect(
    clippy::print_stdout,
    reason = "a test without a harness says how it went"
)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod daemon;
mod handlers;
mod lanes;
#[path = "../waiting/until.rs"]
mod until;

use std::process::ExitCode;

/// What is tested, by name.
const CASES: [(&str, fn()); 9] = [
    (
        "what_brings_its_process_down_harms_nobody_else",
        cases::crashes,
    ),
    (
        "a_task_says_and_takes_the_same_in_a_process_of_its_own",
        cases::words,
    ),
    (
        "promise_5_a_task_in_a_process_of_its_own_can_always_be_ended",
        cases::promise_5_a_task_in_a_process_of_its_own_can_always_be_ended,
    ),
    (
        "a_process_of_a_task_that_somebody_kills_has_failed_by_that_signal",
        cases::killed_by_somebody,
    ),
    (
        "what_blocks_every_thread_of_the_io_lane_is_named_and_holds_up_nobody",
        lanes::blocked,
    ),
    (
        "a_function_that_blocks_finds_the_cpu_lane_and_one_that_waits_stays",
        lanes::moved,
    ),
    (
        "a_daemon_that_is_killed_leaves_no_task_behind",
        cases::killed,
    ),
    (
        "what_brings_its_daemon_down_again_and_again_is_given_up_by_itself",
        cases::poison,
    ),
    (
        "a_task_that_does_not_stop_is_told_and_holds_up_neither_others_nor_the_end",
        cases::unresponsive,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let first = arguments.get(1).map_or("", String::as_str);
    // With the last one a daemon tries whether a process can be born in a control group.
    if ["serve", "__task", "__process", "--version"].contains(&first) {
        return handlers::app().main();
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in CASES {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filter = arguments[1..].iter().find(|word| !word.starts_with('-'));
    for (name, case) in CASES {
        if filter.is_none_or(|filter| name.contains(&**filter)) {
            case();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}
