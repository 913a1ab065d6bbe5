//! The daemon in numbers: what is counted, that the text is OpenMetrics, and that the shipped dashboard asks
//! for nothing that is not there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::daemon::{Daemon, wait_for};

/// The metrics once they have this sample: a run that is over is shown as such a moment before it is counted.
fn with(daemon: &Daemon, sample: &str) -> String {
    let mut text = String::new();
    wait_for(sample, || {
        text = daemon.get("/metrics").body;
        text.lines().any(|line| line == sample)
    });
    text
}

fn submit(daemon: &Daemon, body: &str, state: &str) {
    let run = daemon.post("/runs", body).json()["run"].as_u64().unwrap();
    daemon.wait_for_state(run, state);
}

fn busy() -> Daemon {
    let daemon = Daemon::start("");
    for (body, state) in [
        (r#"{"job":"nap"}"#, "succeeded"),
        (r#"{"job":"nap"}"#, "succeeded"),
        (r#"{"job":"talk"}"#, "failed"),
        (r#"{"job":"compute"}"#, "succeeded"),
        (r#"{"job":"along","task":{"sleep":"1ms"}}"#, "succeeded"),
    ] {
        submit(&daemon, body, state);
    }
    daemon.post("/runs/1/retry", "");
    daemon.wait_for_state(1, "succeeded");
    daemon
}

#[test]
fn what_happens_is_counted_by_lane_job_outcome_and_reason() {
    let daemon = busy();
    let text = with(
        &daemon,
        "twolane_runs_ended_total{job=\"nap\",outcome=\"succeeded\"} 3",
    );
    for sample in [
        "twolane_runs{state=\"succeeded\"} 4",
        "twolane_runs_accepted_total 5",
        "twolane_attempts_started_total{lane=\"io\"} 5",
        "twolane_attempts_started_total{lane=\"cpu\"} 1",
        "twolane_runs_ended_total{job=\"talk\",outcome=\"failed\"} 1",
        "twolane_runs_ended_total{job=\"talk\",outcome=\"succeeded\"} 0",
        // A job that came along has no name of its own here.
        "twolane_runs_ended_total{job=\"other\",outcome=\"succeeded\"} 1",
        "twolane_failures_total{reason=\"exit\"} 1",
        "twolane_retries_total{by=\"request\"} 1",
        "twolane_wait_seconds_count{lane=\"io\"} 4",
        "twolane_wait_seconds_count{lane=\"cpu\"} 1",
        "twolane_run_seconds_count{lane=\"io\"} 5",
        "twolane_places_used{kind=\"lane\",name=\"io\"} 0",
        "twolane_log_lines_dropped_total 0",
        "twolane_run_log_lines_dropped_total 0",
        "twolane_paused{kind=\"pool\",name=\"p\"} 0",
        "# TYPE twolane_wait_seconds histogram",
        "# UNIT twolane_wait_seconds seconds",
        "# TYPE twolane_retries counter",
        "# TYPE twolane_runs gauge",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample}\n{text}");
    }
    let count = |name: &str| -> f64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim().parse().unwrap()
    };
    assert!(count("twolane_commit_seconds_count") >= 10.0, "{text}");
    assert!(count("twolane_loop_turn_seconds_count") >= 10.0, "{text}");
    assert!(
        count("twolane_job_run_seconds_total{job=\"nap\"}") >= 0.015,
        "{text}"
    );
}

/// What OpenMetrics 1.0 asks of a text, as far as it concerns ours: each family once and together, with its
/// type before its samples; counters end in `_total`; buckets grow; the end is marked.
#[test]
fn the_text_is_open_metrics() {
    let daemon = busy();
    let answer = daemon.get("/metrics");
    assert!(
        answer
            .head
            .contains("application/openmetrics-text; version=1.0.0"),
        "{}",
        answer.head
    );
    let text = answer.body;
    assert!(text.ends_with("# EOF\n"));
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut family = "";
    let mut samples = BTreeSet::new();
    let mut buckets: BTreeMap<String, f64> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "EOF"] | ["#", "HELP" | "UNIT", ..] => {}
            ["#", "TYPE", name, kind] => {
                assert!(types.insert(name, kind).is_none(), "{name} stands twice");
                family = name;
            }
            [name, value] => {
                let bare = name.split('{').next().unwrap();
                let suffix = bare
                    .strip_prefix(family)
                    .unwrap_or_else(|| panic!("{line} in {family}"));
                let fits = match types[family] {
                    "counter" => suffix == "_total",
                    "gauge" => suffix.is_empty(),
                    "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                    kind => panic!("{kind}"),
                };
                assert!(fits && samples.insert(name.to_owned()), "{line}");
                let value: f64 = value.parse().unwrap();
                if let Some((of, rest)) = name.split_once("le=") {
                    let other = rest.split_once(',').map_or("", |(_, other)| other);
                    let series = format!("{of}{other}");
                    let before = buckets.insert(series, value).unwrap_or(0.0);
                    assert!(value >= before, "{line}");
                }
            }
            _ => panic!("{line:?} is nothing"),
        }
    }
    let plain = daemon.ask("GET", "/metrics", "accept: text/plain\r\n", "");
    assert!(
        plain.head.contains("text/plain; version=0.0.4"),
        "{}",
        plain.head
    );
    assert!(
        plain
            .body
            .contains("# TYPE twolane_retries_total counter\n"),
        "{}",
        plain.body
    );
}

/// However many jobs there are and however they are named, the series of a metric stay few.
#[test]
fn promise_6_jobs_beyond_the_bound_share_a_label() {
    let daemon = Daemon::start("");
    let jobs: String = (0..300)
        .map(|n| format!("[jobs.j{n}]\nsleep = \"1ms\"\n"))
        .collect();
    std::fs::write(daemon.place.path().join("jobs.toml"), jobs).unwrap();
    assert_eq!(daemon.post("/reload", "").json()["reloaded"], true);
    let lines: String = (0..300)
        .map(|n| format!("{{\"job\":\"j{n}\"}}\n"))
        .collect();
    daemon.ask(
        "POST",
        "/runs",
        "content-type: application/x-ndjson\r\n",
        &lines,
    );
    wait_for("all to be over", || {
        daemon.get("/status").json()["runs"]["succeeded"] == 300
    });
    let text = daemon.get("/metrics").body;
    let names = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("twolane_runs_ended_total{job=\"")?;
        rest.split('"').next()
    });
    let names: BTreeSet<&str> = names.collect();
    // A hundred by name, and the others.
    assert_eq!(names.len(), 101, "{names:?}");
    let other = "twolane_runs_ended_total{job=\"other\",outcome=\"succeeded\"} ";
    let other = text
        .lines()
        .find_map(|line| line.strip_prefix(other))
        .unwrap();
    assert!(other.parse::<u32>().unwrap() >= 200, "{other}");
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let daemon = busy();
    let text = with(&daemon, "twolane_failures_total{reason=\"exit\"} 1");
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        known.extend(line.split(['{', ' ']).next());
    }
    // There is none before the first one.
    known.insert("twolane_interruptions_total");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/grafana.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            let query = target["expr"].as_str().unwrap();
            let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in words.filter(|word| word.starts_with("twolane_")) {
                assert!(known.contains(name), "{name} in {query}");
                asked += 1;
            }
        }
    }
    assert!(asked >= 15, "{asked} names");
}
