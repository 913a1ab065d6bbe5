//! The rules of the house, as tests: which part may use which, what a file looks like, where clocks
//! and `unsafe` may stand, and which test keeps which promise. This file holds the tables; the
//! rules are in `tests/tidy/`, each beside samples that it must refuse. Reads text, builds nothing.

mod tidy {
    pub(super) mod directions;
    pub(super) mod files;
    pub(super) mod lex;
    pub(super) mod paths;
    pub(super) mod promises;
    pub(super) mod purity;
    pub(super) mod sheet;
    pub(super) mod text;
    pub(super) mod tree;
    pub(super) mod unsafety;
    pub(super) mod words;
}

use std::sync::LazyLock;

use tidy::directions::{self, Row};
use tidy::promises::Promise;
use tidy::tree::{Tree, none};
use tidy::unsafety::UnsafeFile;
use tidy::{files, promises, purity, sheet, text, unsafety, words};

/// Which top-level module of the library may use which others. `lib.rs` and `main.rs` tie them
/// together and may use all. There are no circles in it, and a test keeps it so.
const DIRECTIONS: &[Row] = &[
    Row::new("bugs", &[]),
    Row::new("engine", &[]),
    Row::new("clock", &["engine"]),
    Row::new("inbox", &["engine"]),
    Row::new("sync", &[]),
    Row::new("config", &["engine"]),
    Row::new("store", &["engine", "inbox"]),
    Row::new("logging", &["clock", "engine", "inbox", "sync"]),
    Row::new("meters", &["engine"]),
    Row::new("otlp", &["clock", "engine"]),
    Row::new("process", &[]),
    Row::new("lanes", &["clock", "engine", "inbox", "process", "sync"]),
    Row::new("runlog", &["engine", "inbox"]),
    Row::new("executor", &["clock", "engine", "inbox", "lanes"]),
    Row::new(
        "api",
        &["clock", "engine", "inbox", "meters", "runlog", "store"],
    ),
    Row::new(
        "daemon",
        &[
            "clock", "config", "engine", "inbox", "lanes", "logging", "meters", "otlp", "process",
            "runlog", "store",
        ],
    ),
    Row::new(
        "cli",
        &[
            "api", "clock", "config", "daemon", "engine", "inbox", "lanes", "logging", "meters",
            "otlp", "process", "runlog", "store",
        ],
    ),
    Row::new(
        "fuzzing",
        &["api", "cli", "config", "engine", "runlog", "store"],
    ),
];

/// The files in which `unsafe` may stand, and why no safe way exists there.
const UNSAFE_FILES: &[UnsafeFile] = &[
    UnsafeFile {
        path: "benches/engine.rs",
        reason: "counts bytes in use: an allocator cannot be written without",
    },
    UnsafeFile {
        path: "src/cli/activation.rs",
        reason: "a descriptor that is known by its number alone has no safe owner",
    },
    UnsafeFile {
        path: "src/lanes/priority.rs",
        reason: "no crate has a safe call for sched_getattr and sched_setattr",
    },
    UnsafeFile {
        path: "src/process/birth.rs",
        reason: "no crate can make a process within a control group and in its maker's memory",
    },
    UnsafeFile {
        path: "src/process/code.rs",
        reason: "no crate has a safe call for madvise with what forgets pages",
    },
    UnsafeFile {
        path: "src/process/inherited.rs",
        reason: "no crate has a safe call for close_range",
    },
    UnsafeFile {
        path: "src/process/pipe.rs",
        reason: "tokio has no safe call to watch a descriptor of one's own",
    },
    UnsafeFile {
        path: "src/process/wait.rs",
        reason: "no crate has a safe call for wait4, which alone tells what a child has used",
    },
    UnsafeFile {
        path: "src/lanes/timer.rs",
        reason: "tokio has no safe call to watch a descriptor of one's own",
    },
];

/// What the project promises, and the tests that hold it to that.
const PROMISES: &[Promise] = &[
    Promise {
        number: 1,
        text: "accepted means on disk, through SIGKILL at any instant",
        tests: &[
            "promise_1_nothing_happens_before_its_fact_is_committed",
            "promise_1_and_3_survive_being_killed",
            "promise_1_what_was_accepted_goes_on_after_a_kill_and_after_a_shutdown",
            "promise_1_and_2_and_3_hold_whatever_fails",
        ],
        later: "",
    },
    Promise {
        number: 2,
        text: "an attempt's end counts only with the attempt's own epoch",
        tests: &[
            "promise_2_and_3_hold_in_any_history",
            "promise_1_and_2_and_3_hold_whatever_fails",
        ],
        later: "",
    },
    Promise {
        number: 3,
        text: "no two attempts of one run at the same time, and no limit exceeded",
        tests: &[
            "promise_2_and_3_hold_in_any_history",
            "promise_1_and_3_survive_being_killed",
            "promise_1_and_2_and_3_hold_whatever_fails",
        ],
        later: "",
    },
    Promise {
        number: 4,
        text: "the io lane does not feel the cpu lane",
        tests: &["promise_4_the_io_lane_does_not_feel_the_cpu_lane"],
        later: "how little it feels is no test on a shared machine: `cargo bench --bench isolation`",
    },
    Promise {
        number: 5,
        text: "cancel tells the truth",
        tests: &[
            "promise_5_cancel_tells_the_truth",
            "promise_5_a_cancelled_run_is_not_tried_again_whatever_stops_its_attempt",
            "promise_5_a_cancelled_run_does_not_go_on_with_the_next_daemon",
            "promise_5_a_cancelled_run_does_not_go_on_whatever_comes_of_its_attempt",
            "promise_5_a_task_in_a_process_of_its_own_can_always_be_ended",
            "promise_5_what_does_not_leave_its_lane_is_unresponsive_and_its_limits_stay_held",
            "promise_5_a_cancelled_command_is_gone_with_all_it_started",
            "promise_5_nothing_that_outlived_the_daemon_runs_on",
        ],
        later: "",
    },
    Promise {
        number: 6,
        text: "every queue, buffer and loop is bounded, and the bound is visible",
        tests: &[
            "promise_6_a_bound_that_is_reached_is_named",
            "promise_6_a_full_queue_answers_429_and_names_the_bound",
            "promise_6_jobs_beyond_the_bound_share_a_label",
            "promise_6_no_question_about_the_past_looks_at_all_rows",
            "promise_6_what_cannot_be_a_backfill_is_refused_with_its_reason",
        ],
        later: "",
    },
    Promise {
        number: 7,
        text: "every fire that did not run is recorded with its reason",
        tests: &["promise_7_what_was_missed_is_made_up_for_by_policy_and_the_rest_is_told"],
        later: "",
    },
    Promise {
        number: 8,
        text: "an invalid configuration changes nothing, and its message names the place and the cure",
        tests: &["promise_8_an_invalid_reload_changes_nothing_and_is_told"],
        later: "",
    },
    Promise {
        number: 9,
        text: "output of a job is never mixed inside a line and never silently lost",
        tests: &[
            "promise_9_a_long_log_keeps_both_ends_and_marks_the_gap",
            "promise_9_lines_are_whole_and_what_is_not_kept_is_counted",
        ],
        later: "",
    },
    Promise {
        number: 10,
        text: "idle means idle: nothing wakes without a reason",
        tests: &["promise_10_idle_means_idle"],
        later: "",
    },
];

static TREE: LazyLock<Tree> = LazyLock::new(Tree::read);

#[test]
fn parts_use_only_what_their_row_allows() {
    none(&directions::forbidden(DIRECTIONS, &TREE.sources));
}

#[test]
fn there_are_no_circles_in_the_table_and_none_in_the_code() {
    none(&directions::table_faults(DIRECTIONS));
    none(&directions::circles(&TREE.sources));
}

#[test]
fn each_rust_file_says_first_what_it_is_for() {
    none(&files::without_docs(&TREE.sources));
}

#[test]
fn no_rust_file_is_too_long() {
    none(&files::too_long(&TREE.sources));
}

#[test]
fn no_banned_word_stands_in_the_code() {
    none(&words::banned(&TREE.sources));
}

#[test]
fn clocks_are_read_in_one_file() {
    none(&purity::clock_readers(&TREE.sources));
}

#[test]
fn the_engine_is_pure() {
    none(&purity::engine_impurities(&TREE.sources));
}

#[test]
fn unsafe_stands_only_where_the_table_says() {
    none(&unsafety::misplaced(UNSAFE_FILES, &TREE.sources));
}

#[test]
fn no_text_names_a_place_on_somebodys_machine() {
    none(&text::machine_paths(
        &TREE.texts,
        env!("CARGO_MANIFEST_DIR"),
    ));
}

#[test]
fn links_in_documents_lead_to_files() {
    none(&text::dead_links(&TREE.texts, &TREE.paths));
}

#[test]
fn what_plays_the_sheet_and_the_sheet_name_the_same() {
    none(&sheet::differences(&TREE.texts));
}

#[test]
fn each_promise_has_its_test_or_a_reason() {
    none(&promises::unkept(PROMISES, &TREE.sources, &TREE.texts));
}
