//! Functions that keep threads of the io lane, and what becomes of them and of others.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::until::until;

/// More of them than there are threads of the io lane, and everything else goes on.
pub(crate) fn blocked() {
    let mut daemon = Daemon::start(
        "[jobs.blocks]\ncall = \"blocks\"\n[jobs.auto]\ncall = \"blocks\"\nlane = \"auto\"\n\
         [jobs.waits]\ncall = \"waits\"\n[jobs.sleep]\nsleep = \"10ms\"\n[jobs.command]\nexec = [\"true\"]\n\
         [jobs.read]\nread = \"jobs.toml\"\n",
    );
    let mut blockers: Vec<u64> = (0..40).map(|_| daemon.submit("blocks")).collect();
    blockers.push(daemon.submit("auto"));
    for run in &blockers {
        daemon.wait_for(*run, "running");
    }
    for job in ["sleep", "command", "waits", "read"].repeat(5) {
        assert_eq!(daemon.run(job)["state"], "succeeded", "{job}");
    }
    let named = |job: &str| {
        let words = format!("job `{job}` blocks: it has kept a thread of the io lane");
        let log = daemon.log();
        let lines = log.lines().filter(|line| line.contains(&words));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let told = until("the warning", || named("blocks").pop());
    assert!(
        told.contains("WARN") && told.contains("hint: write `lane = \"auto\"`"),
        "{told}"
    );
    let told = until("the other warning", || named("auto").pop());
    assert!(told.contains("goes to the cpu lane"), "{told}");
    assert_eq!(named("blocks").len(), 1, "once, of forty of them");
    for run in &blockers {
        daemon.cancel(*run);
    }
    for run in &blockers {
        let shown = daemon.wait_for(*run, "cancelled");
        assert!(shown["held_seconds"].as_f64() > Some(0.1), "{shown}");
    }
    assert!(daemon.stop().success());
}

/// The decision is on record, outlives the daemon, and is shown.
pub(crate) fn moved() {
    let mut daemon = Daemon::start(
        "[jobs.naps]\ncall = \"naps\"\nlane = \"auto\"\n[jobs.told]\ncall = \"naps\"\n\
         [jobs.waits]\ncall = \"waits\"\nlane = \"auto\"\n",
    );
    let first = daemon.run("naps");
    assert_eq!(
        (&first["lane"], &first["auto"]),
        (&json!("io"), &json!(true))
    );
    let found = |daemon: &Daemon, name: &str| -> Value {
        let jobs: Value = daemon.client().get("/jobs").unwrap();
        let mut jobs = jobs["jobs"].as_array().unwrap().iter();
        jobs.find(|job| job["job"] == name).unwrap().clone()
    };
    let job = found(&daemon, "naps");
    assert_eq!(job["lane"], "cpu", "{job}");
    let finding = job["finding"].as_str().unwrap();
    assert!(finding.contains("it goes to the cpu lane"), "{finding}");
    assert_eq!(daemon.run("naps")["lane"], "cpu");
    // One that somebody has left on the io lane is only told of.
    assert_eq!(daemon.run("told")["lane"], "io");
    let job = found(&daemon, "told");
    assert_eq!(job["lane"], "io");
    assert!(
        job["finding"].as_str().unwrap().contains("hint: write"),
        "{job}"
    );
    for _ in 0..5 {
        assert_eq!(daemon.run("waits")["lane"], "io");
    }
    assert!(found(&daemon, "waits").get("finding").is_none());
    let log = daemon.log();
    for words in ["naps: moved", "told: misplaced"] {
        assert!(log.contains(words), "{words} in {log}");
    }
    daemon.kill();
    daemon.start_again();
    assert_eq!(found(&daemon, "naps")["lane"], "cpu");
    assert_eq!(daemon.run("naps")["lane"], "cpu");
    assert!(daemon.stop().success());
}
