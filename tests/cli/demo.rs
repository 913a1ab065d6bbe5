//! The examples that are shipped: what they print is what they are there for.

use serde_json::Value;

use crate::support::{Place, shipped};

/// The timeline of the original: three jobs side by side, a line at each start, at each quarter of
/// the computations but the last, and at each end.
#[test]
fn s2_the_demo_prints_the_timeline() {
    let demo = shipped("config/demo.toml");
    let finished = Place::with(&[]).twolane(&["run", demo.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let texts: Vec<&str> = finished.stdout.lines().filter_map(text_of).collect();
    let place = |text: &str| {
        texts
            .iter()
            .position(|t| *t == text)
            .expect("a line of this text")
    };
    let count = |text: &str| texts.iter().filter(|t| **t == text).count();
    for (text, times) in [
        ("普通计算密集型任务", 1),
        ("普通计算密集型任务正在执行", 3),
        ("普通计算密集型任务完成", 1),
        ("普通CPU密集型任务", 1),
        ("普通CPU密集型任务正在执行", 3),
        ("普通CPU密集型任务完成", 1),
        ("async读文件开始", 1),
        ("async读文件完成", 1),
    ] {
        assert_eq!(count(text), times, "{text}\n{}", finished.stdout);
    }
    assert_eq!(
        texts.len(),
        12,
        "nothing but the timeline:\n{}",
        finished.stdout
    );
    // All begin before any has ended, in the order of the file.
    assert_eq!(
        texts[..3],
        ["普通计算密集型任务", "普通CPU密集型任务", "async读文件开始"]
    );
    assert!(place("普通计算密集型任务完成") < place("普通CPU密集型任务完成"));
    // sum of i - j over both loops, as the original computes it
    for (job, sum) in [
        ("computer", sum(1_000_000, 500)),
        ("computer2", sum(1_000_000, 5_000)),
    ] {
        let row = row(&finished.stdout, job);
        assert!(
            row.contains("succeeded") && row.contains(&sum.to_string()),
            "{row}"
        );
    }
    assert!(row(&finished.stdout, "async_read_file").contains(" io "));
}

/// Several coroutines on one thread: all begin at once, and end in the order of their waits.
#[test]
fn s1_the_event_loop_example_runs_everything_at_once() {
    let example = shipped("config/examples/s01-event-loop.toml");
    let finished = Place::with(&[]).twolane(&["run", "--json", example.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let last = finished.stdout.lines().last().unwrap();
    let summary: Value = serde_json::from_str(last).unwrap();
    let runs = summary["summary"]["runs"].as_array().unwrap();
    assert!(runs.len() >= 3, "{summary}");
    let states: Vec<&str> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| match line["state"].as_str() {
            Some("running") if line.get("fraction").is_none() => Some("start"),
            Some("succeeded") => Some("end"),
            _ => None,
        })
        .collect();
    let first_end = states.iter().position(|state| *state == "end").unwrap();
    assert_eq!(
        first_end,
        runs.len(),
        "all start before the first ends: {states:?}"
    );
    assert!(
        runs.iter()
            .all(|run| run["lane"] == "io" && run["state"] == "succeeded")
    );
}

/// The text of a line `TEXT: 2024-05-15 18:29:19.702689`.
fn text_of(line: &str) -> Option<&str> {
    let (text, time) = line.split_at_checked(line.len().checked_sub(28)?)?;
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    (shape == ": 0000-00-00 00:00:00.000000").then_some(text)
}

/// The line of the summary for a job.
fn row<'a>(stdout: &'a str, job: &str) -> &'a str {
    let is_it = |line: &&str| line.split_whitespace().nth(1) == Some(job);
    stdout.lines().rfind(is_it).expect("a row for the job")
}

fn sum(outer: i64, inner: i64) -> i64 {
    // The sum over i and j of i + j - 2j.
    inner * (outer * (outer - 1) / 2) - outer * (inner * (inner - 1) / 2)
}
