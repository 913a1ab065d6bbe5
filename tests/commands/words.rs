//! One request, one answer: a table of what is typed, asked, printed and returned.

use serde_json::{Value, json as value};

use crate::cardboard::{Answer, Left, a_run, a_status, a_story, json, twolane, twolane_with};

/// The exit codes of the refusals.
const NOT_FOUND: i32 = 7;
const REFUSED: i32 = 8;
/// That of a request of which nobody can say what became of it.
const UNKNOWN: i32 = 5;

struct Case {
    args: &'static [&'static str],
    answer: Answer,
    asked: &'static str,
    stdout: &'static str,
    code: i32,
}

fn case(
    args: &'static [&'static str],
    answer: Answer,
    asked: &'static str,
    stdout: &'static str,
    code: i32,
) -> Case {
    Case {
        args,
        answer,
        asked,
        stdout,
        code,
    }
}

fn check(cases: &[Case]) {
    for case in cases {
        let left = twolane(case.args, std::slice::from_ref(&case.answer));
        let asked: Vec<String> = left.asked.iter().map(|asked| here(asked)).collect();
        assert_eq!(asked, [case.asked], "{:?}: {left:?}", case.args);
        assert_eq!(left.stdout, case.stdout, "{:?}: {}", case.args, left.stderr);
        assert_eq!(
            left.code,
            Some(case.code),
            "{:?}: {}",
            case.args,
            left.stderr
        );
    }
}

/// What was asked, with a word in place of the directory in which the command was run.
fn here(asked: &str) -> String {
    let Some((before, rest)) = asked.split_once("\"directory\":\"/") else {
        return asked.to_owned();
    };
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}\"directory\":\"HERE\"{after}")
}

fn submitted() -> Answer {
    Answer::Json(201, r#"{"run":42,"state":"queued"}"#.to_owned())
}

fn changed(state: &str) -> Answer {
    json(&value!({"run": 42, "state": state}))
}

#[test]
fn submissions_say_what_was_typed_and_print_the_number_alone_where_nobody_looks() {
    check(&[
        case(
            &["submit", "nightly"],
            submitted(),
            r#"POST /runs {"job":"nightly"}"#,
            "42\n",
            0,
        ),
        case(
            &[
                "submit",
                "r",
                "--arg",
                "n=3",
                "--arg",
                "s=a b",
                "--args",
                r#"{"n":1,"z":null}"#,
                "--priority",
                "-5",
                "--key",
                "k",
                "--at",
                "2026-11-21T23:30:00+08:00",
            ],
            submitted(),
            r#"POST /runs {"job":"r","args":{"n":3,"s":"a b","z":null},"priority":-5,"at":"2026-11-21T15:30:00.000000Z","key":"k"}"#,
            "42\n",
            0,
        ),
    ]);
}

#[test]
fn a_time_that_has_passed_is_told() {
    let check = |at: &str, words: &str| {
        let left = twolane(&["submit", "j", "--at", at], &[submitted()]);
        assert_eq!((&*left.stdout, left.code), ("42\n", Some(0)));
        assert_eq!(left.stderr, words);
    };
    check(
        "2025-11-21T23:30:00Z",
        "note: `--at 2025-11-21T23:30:00Z` has passed: it starts as soon as it can\n",
    );
    check("+1h", "");
}

#[test]
fn jobs_can_be_brought_along_and_a_refusal_is_passed_on() {
    check(&[
        case(
            &[
                "submit",
                "--lane",
                "cpu",
                "--name",
                "thumbs",
                "--timeout",
                "5m",
                "--",
                "/x/conv",
                "-q",
            ],
            submitted(),
            r#"POST /runs {"job":"thumbs","task":{"directory":"HERE","exec":["/x/conv","-q"],"lane":"cpu","timeout":"5m"}}"#,
            "42\n",
            0,
        ),
        case(
            &["submit", "--", "/x/conv"],
            submitted(),
            r#"POST /runs {"job":"conv","task":{"directory":"HERE","exec":["/x/conv"]}}"#,
            "42\n",
            0,
        ),
        case(
            &[
                "submit",
                "--name",
                "nap",
                "--task",
                r#"{"sleep":"1s"}"#,
                "--json",
            ],
            submitted(),
            r#"POST /runs {"job":"nap","task":{"sleep":"1s"}}"#,
            "{\"run\":42,\"state\":\"queued\"}\n",
            0,
        ),
        case(
            &["submit", "nightly"],
            Answer::Problem(422, "there is no task `exec`"),
            r#"POST /runs {"job":"nightly"}"#,
            "",
            REFUSED,
        ),
    ]);
}

#[test]
fn a_submission_without_an_answer_is_not_told_as_refused_and_says_how_to_ask_again() {
    let with_key: &[&str] = &["submit", "nightly", "--key", "k"];
    let cases = [
        (with_key, Answer::Half, "the same `--key`"),
        (with_key, Answer::Unknown, "the same `--key`"),
        (
            with_key,
            Answer::Json(500, String::new()),
            "the same `--key`",
        ),
        (&["submit", "nightly"], Answer::Half, "`twolane list"),
        (&["submit", "nightly"], Answer::Unknown, "`twolane list"),
        (&["submit", "--batch", "-"], Answer::Half, "with a `key`"),
    ];
    for (args, answer, cure) in cases {
        let left = twolane_with(
            args,
            std::slice::from_ref(&answer),
            "{\"job\":\"nightly\"}\n",
        );
        assert_eq!(left.asked.len(), 1, "{args:?} {answer:?}: {left:?}");
        assert_eq!(left.code, Some(UNKNOWN), "{args:?} {answer:?}: {left:?}");
        assert_eq!(left.stdout, "", "{args:?} {answer:?}");
        assert!(left.stderr.contains("may have been accepted"), "{left:?}");
        assert!(left.stderr.contains(cure), "{args:?} {answer:?}: {left:?}");
    }
}

#[test]
fn runs_are_changed_by_their_number() {
    check(&[
        case(
            &["cancel", "42"],
            changed("stopping"),
            "POST /runs/42/cancel {}",
            "run 42 stopping\n",
            0,
        ),
        case(
            &["retry", "42"],
            changed("queued"),
            "POST /runs/42/retry {}",
            "run 42 queued\n",
            0,
        ),
        case(
            &["retry", "42", "--json"],
            changed("queued"),
            "POST /runs/42/retry {}",
            "{\"run\":42,\"state\":\"queued\"}\n",
            0,
        ),
        case(
            &["complete", "42", "--result", "[1, null]"],
            changed("succeeded"),
            r#"POST /runs/42/complete {"result":[1,null]}"#,
            "run 42 succeeded\n",
            0,
        ),
        case(
            &["complete", "42", "--error", "no"],
            changed("failed"),
            r#"POST /runs/42/complete {"error":"no"}"#,
            "run 42 failed\n",
            0,
        ),
        case(
            &["cancel", "43"],
            Answer::Problem(404, "there is no run 43"),
            "POST /runs/43/cancel {}",
            "",
            NOT_FOUND,
        ),
        case(
            &["explain", "42"],
            json(&value!({"run": 42, "state": "queued", "text": "the lane `cpu` is full"})),
            "GET /runs/42/explain",
            "run 42 queued: the lane `cpu` is full\n",
            0,
        ),
        case(
            &["explain", "42"],
            json(
                &value!({"run": 42, "state": "failed", "text": "it has failed: exited with code 3"}),
            ),
            "GET /runs/42/explain",
            "run 42: it has failed: exited with code 3\n",
            0,
        ),
    ]);
}

#[test]
fn values_are_sent_to_a_run() {
    check(&[
        case(
            &["send", "42", "{\"n\":1}"],
            Answer::Json(200, r#"{"run":42,"delivered":true}"#.to_owned()),
            r#"POST /runs/42/send {"value":{"n":1}}"#,
            "",
            0,
        ),
        case(
            &["send", "42", "--end", "--json"],
            Answer::Json(202, r#"{"run":42,"delivered":false}"#.to_owned()),
            r#"POST /runs/42/send {"end":true}"#,
            "{\"run\":42,\"delivered\":false}\n",
            9,
        ),
        case(
            &["send", "42", "yes"],
            Answer::Json(202, r#"{"run":42,"delivered":false}"#.to_owned()),
            r#"POST /runs/42/send {"value":"yes"}"#,
            "",
            9,
        ),
    ]);
}

#[test]
fn the_daemon_itself_is_told_what_to_do() {
    let paused = |paused: bool| json(&value!({"lane": "cpu", "paused": paused}));
    let reloaded = r#"{"reloaded":true,"lines":["`a` is added","`b` is gone"]}"#;
    let rejected = r#"{"reloaded":false,"lines":["error: unknown key `slep`"]}"#;
    let done = || Answer::Json(202, String::new());
    check(&[
        case(
            &["pause", "lane", "cpu"],
            paused(true),
            r#"POST /pause {"lane":"cpu"}"#,
            "lane cpu is paused\n",
            0,
        ),
        case(
            &["resume", "lane", "cpu"],
            paused(false),
            r#"POST /resume {"lane":"cpu"}"#,
            "lane cpu is not paused\n",
            0,
        ),
        case(
            &["pause", "pool", "p", "--json"],
            json(&value!({"pool": "p", "paused": true})),
            r#"POST /pause {"pool":"p"}"#,
            "{\"pool\":\"p\",\"paused\":true}\n",
            0,
        ),
        case(
            &["reload"],
            Answer::Json(200, reloaded.to_owned()),
            "POST /reload {}",
            "`a` is added\n`b` is gone\n",
            0,
        ),
        case(
            &["reload"],
            Answer::Json(422, rejected.to_owned()),
            "POST /reload {}",
            "error: unknown key `slep`\n",
            3,
        ),
        case(
            &["drain"],
            done(),
            "POST /drain {}",
            "draining: nothing starts any more, and the daemon leaves when nothing runs\n",
            0,
        ),
        case(
            &["stop"],
            done(),
            "POST /stop {}",
            "stopping: nothing starts any more, and the daemon leaves as on SIGTERM\n",
            0,
        ),
    ]);
}

#[test]
fn lists_ask_for_what_was_named() {
    let none = || json(&value!({"runs": []}));
    check(&[
        case(&["list"], none(), "GET /runs?limit=20", "no runs\n", 0),
        case(
            &[
                "list", "--state", "failed", "--state", "queued", "--live", "--limit", "3",
            ],
            none(),
            "GET /runs?state=failed,queued&live=true&limit=3",
            "no runs\n",
            0,
        ),
        case(
            &["list", "--all", "--json"],
            none(),
            "GET /runs?limit=500",
            "",
            0,
        ),
        case(
            &["jobs"],
            json(&value!({"jobs": []})),
            "GET /jobs",
            "no jobs\n",
            0,
        ),
    ]);
}

#[test]
fn a_list_of_nothing_says_whether_there_is_such_a_job() {
    let known = value!({"jobs": [{
        "job": "a b", "lane": "io", "task": "sleep", "pool": null, "limits": [], "after": [], "timeout_seconds": null,
        "params": {}, "running": 0, "queued": 0, "paused": false,
    }]});
    let check = |job: &str, args: &[&str], stdout: &str, code: i32, words: &str| {
        let none = || json(&value!({"runs": []}));
        let answers = [none(), none(), json(&known)];
        let args = [&["list", "--job", job], args].concat();
        let left = twolane(&args, &answers);
        let query = job.replace(' ', "%20");
        assert_eq!(left.asked[0], format!("GET /runs?job={query}&limit=20"));
        assert_eq!(left.asked[1], format!("GET /runs?job={query}&limit=1"));
        assert_eq!(left.asked[2], "GET /jobs");
        assert_eq!((&*left.stdout, left.code), (stdout, Some(code)), "{left:?}");
        assert!(left.stderr.contains(words), "{left:?}");
    };
    check("a b", &[], "no runs\n", 0, "");
    check("a b", &["--json"], "", 0, "");
    check("ab", &[], "", NOT_FOUND, "there is no job `ab`");
    check("ab", &[], "", NOT_FOUND, "did you mean `a b`?");
    check("xyz", &["--json"], "", NOT_FOUND, "`twolane jobs` lists");
    let answers = [
        json(&value!({"runs": []})),
        json(&value!({"runs": []})),
        json(&known),
    ];
    let narrow = [
        "list", "--state", "failed", "--state", "queued", "--job", "a b", "--live", "--limit", "3",
    ];
    let left = twolane(&narrow, &answers);
    let asked = "GET /runs?state=failed,queued&job=a%20b&live=true&limit=3";
    assert_eq!(left.asked[0], asked);
    assert_eq!((&*left.stdout, left.code), ("no runs\n", Some(0)));
    // It was brought along, or is not defined any more.
    let answers = [
        json(&value!({"runs": []})),
        json(&value!({"runs": [a_run(7, "succeeded")]})),
    ];
    let left = twolane(&["list", "--job", "thumbs", "--live"], &answers);
    assert_eq!((&*left.stdout, left.code), ("no runs\n", Some(0)));
    let left = twolane(&["list", "--job", "thumbs", "--limit", "0"], &[]);
    assert_eq!((&*left.stdout, left.code), ("no runs\n", Some(0)));
}

/// The words of a table, a line each.
fn words(left: &Left) -> Vec<String> {
    let lines = left.stdout.lines();
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn tables_have_a_line_a_row_and_no_colours_where_nobody_looks() {
    let runs = value!({"runs": [a_run(42, "failed"), a_run(7, "succeeded")]});
    let left = twolane(&["list"], &[json(&runs)]);
    let lines = words(&left);
    assert_eq!(lines[0], "RUN STATE JOB LANE ACCEPTED WAIT RUN TIME WHAT");
    assert!(lines[1].starts_with("42 failed thumbs cpu "), "{lines:?}");
    assert!(lines[1].ends_with(" days ago 250.0 ms 3.00 s"), "{lines:?}");
    assert!(lines[2].starts_with("7 succeeded thumbs cpu "), "{lines:?}");
    assert!(!left.stdout.contains('\u{1b}'), "{}", left.stdout);

    let left = twolane(&["status"], &[json(&a_status(12))]);
    assert!(
        left.stdout
            .contains("runs: 1 running (1 of 1000 unfinished)"),
        "{}",
        left.stdout
    );
    assert!(
        words(&left).contains(&"lane cpu 1 2 paused".to_owned()),
        "{}",
        left.stdout
    );
}

#[test]
fn a_list_goes_on_over_pages() {
    let pages = [
        json(&value!({"runs": [a_run(9, "failed")], "before": 9})),
        json(&value!({"runs": [a_run(8, "failed")]})),
    ];
    let left = twolane(&["list", "--all", "--json"], &pages);
    assert_eq!(
        left.asked,
        ["GET /runs?limit=500", "GET /runs?before=9&limit=500"]
    );
    let runs: Vec<Value> = left
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        runs,
        [a_run(9, "failed"), a_run(8, "failed")],
        "one object a line, whole"
    );
}

#[test]
fn several_runs_are_asked_for_one_by_one_and_the_first_failure_counts() {
    let answers = [
        changed("stopping"),
        Answer::Problem(404, "there is no run 43"),
        Answer::Problem(409, "run 44 is over"),
        changed("stopping"),
    ];
    let left = twolane(&["cancel", "42", "43", "44", "42"], &answers);
    assert_eq!(left.code, Some(NOT_FOUND), "{left:?}");
    assert_eq!(left.stdout, "run 42 stopping\nrun 42 stopping\n");
    assert_eq!(
        left.stderr,
        "error: there is no run 43\nerror: run 44 is over\n"
    );
}

#[test]
fn what_jobs_say_commands_no_terminal() {
    let bad = "x\u{1b}[2J\u{9b}31m\nfake line\u{202e}";
    let harmful = |text: &str| text.contains(['\u{1b}', '\u{9b}', '\u{202e}']);
    let mut story = a_story(42, "failed");
    for field in ["job", "reason", "result", "key", "pool", "task"] {
        story[field] = value!(bad);
    }
    story["history"][0]["reason"] = value!(bad);
    let runs = value!({"runs": [story.clone()]});
    let explained = value!({"run": 42, "state": bad, "text": bad});
    let line = value!({"number": 1, "at": "x", "attempt": 1, "stream": "out", "text": bad});
    let cases: [(&[&str], &[Answer]); 8] = [
        (&["show", "42"], &[json(&story)]),
        (&["list"], &[json(&runs)]),
        (&["show", "42", "--json"], &[json(&story)]),
        (&["list", "--json"], &[json(&runs)]),
        (&["explain", "42"], &[json(&explained)]),
        (&["logs", "42", "-f"], &[Answer::Lines(format!("{line}\n"))]),
        (
            &["logs", "42", "-f", "--json"],
            &[Answer::Lines(format!("{line}\n"))],
        ),
        (
            &["cancel", "42"],
            &[Answer::Problem(409, "x\u{1b}[2J\u{9b}31m\u{202e}")],
        ),
    ];
    for (args, answers) in cases {
        let left = twolane(args, answers);
        assert!(
            !harmful(&left.stdout) && !harmful(&left.stderr),
            "{args:?}: {left:?}"
        );
        assert!(
            left.stdout.contains("[2J") || left.stderr.contains("[2J"),
            "{args:?}: {left:?}"
        );
    }
    let left = twolane(&["show", "42", "--json"], &[json(&story)]);
    assert_eq!(
        serde_json::from_str::<Value>(&left.stdout).unwrap(),
        story,
        "and nothing is lost"
    );
}
