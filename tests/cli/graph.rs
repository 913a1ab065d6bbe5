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
