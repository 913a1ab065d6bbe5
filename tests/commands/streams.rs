//! Answers that come line by line: logs, events, batches, and waiting for runs.

use serde_json::json as value;

use crate::cardboard::{
    Answer, a_status, a_story, an_event, events, file, json, twolane, twolane_with,
};

fn line(number: u64, text: &str) -> String {
    let line = value!({
        "number": number, "at": "2020-01-01T00:00:00.000000Z", "attempt": 1, "stream": "out",
        "text": text,
    });
    format!("{line}\n")
}

#[test]
fn a_log_is_read_page_by_page_to_its_end() {
    let pages = [
        Answer::Lines(line(1, "one") + &line(2, "two")),
        Answer::Lines(line(3, "three")),
        Answer::Lines(String::new()),
    ];
    let left = twolane(&["logs", "42"], &pages);
    assert_eq!(left.stdout, "one\ntwo\nthree\n");
    let asked = [
        "GET /runs/42/log",
        "GET /runs/42/log?after=2",
        "GET /runs/42/log?after=3",
    ];
    assert_eq!(left.asked, asked);
    assert_eq!(left.code, Some(0));
}

#[test]
fn a_log_that_is_followed_is_that_of_the_newest_run_and_ends_with_it() {
    let runs = value!({"runs": [crate::cardboard::a_run(9, "running")], "before": 9});
    let left = twolane(
        &["logs", "-f"],
        &[json(&runs), Answer::Lines(line(1, "one"))],
    );
    assert_eq!(
        left.asked,
        ["GET /runs?limit=1", "GET /runs/9/log?follow=true"]
    );
    assert_eq!((left.stdout.as_str(), left.code), ("one\n", Some(0)));
}

#[test]
fn events_end_at_the_present() {
    let stream = events(&[an_event(11, 42, "running"), an_event(12, 42, "failed")]);
    let left = twolane(&["events", "--after", "10"], &[json(&a_status(12)), stream]);
    assert_eq!(left.asked, ["GET /status", "GET /events?after=10"]);
    assert_eq!(
        left.stdout,
        "11 2020-01-01 00:00:00 run 42 of thumbs running\n\
         12 2020-01-01 00:00:00 run 42 of thumbs failed\n"
    );
    assert_eq!(left.code, Some(0), "{}", left.stderr);

    let left = twolane(&["events", "--after", "12"], &[json(&a_status(12))]);
    assert_eq!((left.stdout.as_str(), left.code), ("", Some(0)));
}

#[test]
fn a_batch_is_streamed_and_each_line_answered() {
    let lines = "{\"job\":\"a\"}\n{\"job\":\"b\"}\n{\"job\":\"c\"}\n";
    let problem = value!({
        "type": "urn:twolane:unknown-job", "title": "t", "status": 404, "detail": "no job `b`",
    });
    let answers = format!(
        "{}\n{problem}\n{}\n",
        value!({"run": 1, "state": "queued"}),
        value!({"run": 2, "state": "queued"})
    );
    let (_place, path) = file(lines);
    let asked = format!("POST /runs {}", lines.trim_end());
    for (name, input) in [(path.as_str(), ""), ("-", lines)] {
        let args = ["submit", "--batch", name];
        let left = twolane_with(&args, &[Answer::Lines(answers.clone())], input);
        assert_eq!(left.asked, [asked.as_str()]);
        assert_eq!(left.stdout, "1\n2\n");
        assert_eq!(left.stderr, "error: line 2: no job `b`\n");
        assert_eq!(left.code, Some(7));
    }
}

#[test]
fn a_batch_that_is_not_answered_to_its_end_is_not_taken_for_done() {
    let lines = "{\"job\":\"a\"}\n\n{\"job\":\"b\"}\n";
    let run = |run: u64| value!({"run": run, "state": "queued"});
    let cases = [
        (Answer::Lines(String::new()), ""),
        (Answer::Lines(format!("{}\n", run(1))), "1\n"),
        (Answer::Lines(format!("{}\n{{\"run\":2", run(1))), "1\n"),
        (Answer::Json(200, "<html>".to_owned()), ""),
    ];
    for (answer, stdout) in cases {
        let left = twolane_with(
            &["submit", "--batch", "-"],
            std::slice::from_ref(&answer),
            lines,
        );
        assert_eq!(left.stdout, stdout, "{answer:?}: {left:?}");
        assert_eq!(left.code, Some(5), "{answer:?}: {left:?}");
        assert!(left.stderr.contains("may have been accepted"), "{left:?}");
    }
    let whole = Answer::Lines(format!("{}\n{}\n", run(1), run(2)));
    let left = twolane_with(&["submit", "--batch", "-"], &[whole], lines);
    assert_eq!((left.stdout.as_str(), left.code), ("1\n2\n", Some(0)));
}

#[test]
fn waiting_prints_each_run_as_it_ends() {
    let looks = [
        json(&a_status(20)),
        json(&a_story(41, "succeeded")),
        json(&a_story(42, "running")),
        json(&a_story(43, "queued")),
        events(&[
            an_event(21, 43, "running"),
            an_event(22, 99, "failed"),
            an_event(23, 43, "succeeded"),
            an_event(24, 42, "failed"),
        ]),
    ];
    let left = twolane(&["wait", "41", "42", "43"], &looks);
    assert_eq!(
        left.stdout,
        "done: 41 succeeded\ndone: 43 succeeded\ndone: 42 failed\n"
    );
    assert_eq!(left.code, Some(1), "one failed: {}", left.stderr);
    assert_eq!(left.asked.last().unwrap(), "GET /events?after=20&run=42,43");
}

#[test]
fn waiting_outlasts_a_stream_that_ends_and_never_asks_for_ever() {
    let event = an_event(21, 42, "queued");
    let looks = [
        json(&a_status(20)),
        json(&a_story(42, "running")),
        Answer::LastEvents(format!("data: {event}\n\n")),
        json(&a_status(21)),
        json(&a_story(42, "queued")),
        Answer::LastEvents(": nothing\n\n".to_owned()),
    ];
    let left = twolane(&["wait", "42"], &looks);
    assert_eq!(left.asked.len(), 6, "{left:?}");
    assert_eq!(left.code, Some(5), "{}", left.stderr);
    assert!(
        left.stderr.contains("waited for 42\nhint: "),
        "{}",
        left.stderr
    );

    let looks = [
        json(&a_status(20)),
        json(&a_story(42, "running")),
        Answer::LastEvents(format!("data: {event}\n\n")),
        json(&a_status(22)),
        json(&a_story(42, "succeeded")),
    ];
    let left = twolane(&["wait", "42"], &looks);
    assert_eq!(
        (left.stdout.as_str(), left.code),
        ("done: 42 succeeded\n", Some(0))
    );
}

#[test]
fn waiting_for_any_ends_with_the_first() {
    let looks = [
        json(&a_status(20)),
        json(&a_story(42, "running")),
        json(&a_story(43, "running")),
        events(&[an_event(21, 43, "succeeded")]),
    ];
    let left = twolane(&["wait", "--any", "--json", "42", "43"], &looks);
    assert_eq!(left.stdout, "{\"run\":43,\"state\":\"succeeded\"}\n");
    assert_eq!(left.code, Some(0), "{}", left.stderr);
}

#[test]
fn waiting_gives_up_in_time_and_says_what_is_pending() {
    let looks = [
        json(&a_status(20)),
        json(&a_story(41, "succeeded")),
        json(&a_story(42, "running")),
        events(&[]),
    ];
    let left = twolane(&["wait", "41", "42", "--timeout", "100ms"], &looks);
    assert_eq!(left.stdout, "done: 41 succeeded\npending: 42 running\n");
    assert_eq!(left.code, Some(9), "{}", left.stderr);
    assert!(
        left.stderr
            .starts_with("error: not over after 100ms\nhint: "),
        "{}",
        left.stderr
    );
}

#[test]
fn a_submission_can_be_waited_for() {
    let looks = [
        Answer::Json(201, value!({"run": 42, "state": "queued"}).to_string()),
        json(&a_status(20)),
        json(&a_story(42, "running")),
        events(&[an_event(21, 42, "skipped")]),
    ];
    let left = twolane(&["submit", "nightly", "--wait"], &looks);
    assert_eq!(left.stdout, "42\ndone: 42 skipped\n");
    assert_eq!(left.code, Some(1), "{}", left.stderr);
}
