//! Runs that hang together: the shipped example, and a graph in a daemon that is tried once more.

use std::fs;

use serde_json::Value;

use crate::support::{Place, shipped};

#[test]
fn the_example_of_a_graph_prints_what_it_says() {
    let text = fs::read_to_string(shipped("config/examples/graph.toml")).unwrap();
    let place = Place::with(&[("graph.toml", &text)]);
    let ended = place.twolane(&["run", "graph.toml", "--json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let last = ended.stdout.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(last).unwrap();
    let runs = summary["summary"]["runs"].as_array().unwrap();
    let of = |job: &str| -> Vec<&str> {
        let runs = runs.iter().filter(|run| run["job"] == job);
        runs.map(|run| run["state"].as_str().unwrap()).collect()
    };
    let tied: Vec<String> = runs
        .iter()
        .map(|run| {
            format!(
                "{}: {} {} {}",
                run["run"], run["after"], run["part_of"], run["cause"]
            )
        })
        .collect();
    assert_eq!(
        tied[..7],
        [
            "1: [] null null",
            "2: [1] null null",
            "3: [1] null null",
            "4: [3,2] null null",
            "5: [] null null",
            "6: [4,5] null null",
            "7: [1,6] null null",
        ]
    );
    // Which of the others comes first is not said.
    let ends = |end: &str| tied[7..].iter().filter(|tied| tied.ends_with(end)).count();
    assert_eq!(
        (ends(": [] 3 null"), ends(": [] null 5")),
        (3, 1),
        "{tied:?}"
    );
    for (job, states) in [
        ("pages", &["succeeded"][..]),
        ("server", &["succeeded"]),
        ("page", &["succeeded"; 4]),
        ("bind", &["succeeded"]),
        ("proof", &["failed"]),
        ("alert", &["succeeded"]),
        ("print", &["skipped"]),
        ("tidy", &["succeeded"]),
    ] {
        assert_eq!(of(job), states, "{job}: {}", ended.stdout);
    }
    let said = |text: &str| ended.stdout.matches(text).count();
    assert_eq!(
        said("proof failed: exited with code 1"),
        1,
        "{}",
        ended.stdout
    );
    assert_eq!(said("\"retrying\""), 2, "{}", ended.stdout);
    assert!(!place.path().join("pages.txt").exists());
}

/// The table says of each run what it came after.
#[test]
fn what_hangs_together_is_shown_as_that() {
    let jobs = r#"
[jobs.a]
shell = "exit 1"
on_failure = "c"
[jobs.b]
after = "a"
when = "always"
sleep = "1ms"
foreach = "n"
params.n = { type = "integer", default = [1] }
[jobs.c]
sleep = "1ms"
"#;
    let place = Place::with(&[("graph.toml", jobs)]);
    let ended = place.twolane(&["run", "graph.toml", "b"]);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let table = ended
        .stdout
        .lines()
        .skip_while(|line| !line.contains("AFTER"));
    let table: Vec<String> = table.map(words).collect();
    assert!(
        table[0].starts_with("RUN JOB AFTER LANE STATE"),
        "{table:?}"
    );
    assert!(table[1].starts_with("1 a io failed"), "{table:?}");
    assert!(table[2].starts_with("2 b 1 io succeeded"), "{table:?}");
    let rest = table[3..].join("\n");
    assert!(rest.contains(" c end of 1 io succeeded"), "{rest}");
    assert!(rest.contains(" b part of 2 io succeeded"), "{rest}");
}
