//! What is tested.

use std::ops::ControlFlow;

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use twolane::engine::spec::CRASHES_BOUND;

use crate::daemon::{Daemon, lives};
use crate::until::until;

pub(crate) fn crashes() {
    let jobs = "[jobs.overflow]\ncall = \"overflow\"\nisolate = true\n\
                [jobs.abort]\ncall = \"abort\"\nisolate = true\n\
                [jobs.quit]\ncall = \"quit\"\nisolate = true\n\
                [jobs.leave]\ncall = \"leave\"\nisolate = true\n\
                [jobs.panic]\ncall = \"panic\"\nisolate = true\n\
                [jobs.good]\ncall = { handler = \"good\", args = { n = 1 } }\n\
                [jobs.waits]\ncall = \"waits\"\n";
    let mut daemon = Daemon::start(jobs);
    for (job, kind, words) in [
        ("overflow", "error", "was ended by signal 6 (SIGABRT): "),
        ("abort", "error", "was ended by signal 6 (SIGABRT)"),
        (
            "quit",
            "error",
            "the process of the task exited with code 3",
        ),
        // Success is what a task says of itself, and not how its process ends.
        (
            "leave",
            "error",
            "the process of the task exited with code 0",
        ),
        ("panic", "panic", "panicked: as agreed"),
    ] {
        let other = daemon.submit("waits");
        let ended = daemon.run(job);
        assert_eq!(
            (&ended["state"], &ended["failure"]),
            (&json!("failed"), &json!(kind))
        );
        let reason = ended["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{job}: {reason}");
        daemon.wait_for(other, "succeeded");
        assert_eq!(daemon.run("good")["result"], json!({ "n": 1 }));
    }
    assert!(overflow_is_told(&daemon), "{:?}", lines(&daemon, 2));
    assert!(daemon.stop().success());
}

/// What the process wrote about its stack is in the run's log.
fn overflow_is_told(daemon: &Daemon) -> bool {
    lines(daemon, 2)
        .iter()
        .any(|(stream, text)| stream == "err" && text.contains("has overflowed its stack"))
}

/// What a run has said, with the stream.
fn lines(daemon: &Daemon, run: u64) -> Vec<(String, String)> {
    let path = format!("/runs/{run}/log");
    let mut lines = Vec::new();
    let read = daemon.client().lines(&path, |line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let part = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let text = format!("{} {}", line["fraction"], part("text"));
        lines.push((part("stream"), text));
        ControlFlow::Continue(())
    });
    read.unwrap();
    lines
}

pub(crate) fn words() {
    let jobs = "[jobs.here]\ncall = { handler = \"talk\", args = { x = [1, \"ü\"] } }\n\
                [jobs.there]\ncall = { handler = \"talk\", args = { x = [1, \"ü\"] } }\nisolate = true\n\
                [jobs.echo]\ncall = \"echo\"\nisolate = true\n\
                [jobs.waits]\ncall = \"waits\"\nisolate = true\n";
    let mut daemon = Daemon::start(jobs);
    let (here, there) = (daemon.run("here"), daemon.run("there"));
    assert_eq!(here["state"], "succeeded");
    assert_eq!(there["state"], "succeeded", "{there}");
    assert_eq!(here["result"], there["result"]);
    let said = lines(&daemon, here["run"].as_u64().unwrap());
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said, lines(&daemon, there["run"].as_u64().unwrap()));
    assert!(there["cpu_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(daemon.run("waits")["result"], "waited");

    let echo = daemon.submit("echo");
    for value in [json!(1), json!({ "two": [2] }), Value::Null] {
        let body = if value.is_null() {
            json!({ "end": true })
        } else {
            json!({ "value": value })
        };
        // Until it runs, nothing can be sent to it.
        until("what is sent to be delivered", || {
            let sent = daemon
                .client()
                .post::<Value>(&format!("/runs/{echo}/send"), &body);
            sent.ok()
        });
    }
    let ended = daemon.wait_for(echo, "succeeded");
    assert_eq!(ended["result"], json!([1, { "two": [2] }]));
    assert!(daemon.stop().success());
}

pub(crate) fn promise_5_a_task_in_a_process_of_its_own_can_always_be_ended() {
    let jobs = "[jobs.deaf]\ncall = \"deaf\"\nisolate = true\ngrace = \"200ms\"\n\
                [jobs.late]\ncall = \"deaf\"\nisolate = true\ngrace = \"200ms\"\ntimeout = \"300ms\"\n\
                [jobs.stops]\ncall = \"stops\"\nisolate = true\ngrace = \"1h\"\n\
                [jobs.good]\ncall = { handler = \"good\", args = { n = 1 } }\n";
    let mut daemon = Daemon::start(jobs);
    for (job, asked, state) in [
        ("deaf", true, "cancelled"),
        ("late", false, "failed"),
        // One that looks at its cancel token stops by itself, long before it would be ended.
        ("stops", true, "cancelled"),
    ] {
        let _none = std::fs::remove_file(daemon.path("pid"));
        let run = daemon.submit(job);
        let pid = daemon.pid();
        assert_ne!(pid, daemon.own_pid());
        if asked {
            assert_eq!(daemon.cancel(run)["state"], "stopping");
        }
        daemon.wait_for(run, state);
        assert!(!lives(pid), "{job}: it is over, and something of it runs");
        assert_eq!(daemon.run("good")["state"], "succeeded");
    }
    assert!(!daemon.log().contains("unresponsive"), "{}", daemon.log());
    assert!(daemon.stop().success());
}

pub(crate) fn killed_by_somebody() {
    let jobs = "[jobs.deaf]\ncall = \"deaf\"\nisolate = true\nretry = { attempts = 2, base = \"1s\" }\n\
                [jobs.good]\ncall = { handler = \"good\", args = { n = 1 } }\n";
    let mut daemon = Daemon::start(jobs);
    let run = daemon.submit("deaf");
    for attempt in 1..=2 {
        let pid = daemon.pid();
        assert_eq!(daemon.show(run)["attempts"], attempt);
        // Before it ends, since the next one writes its own.
        std::fs::remove_file(daemon.path("pid")).unwrap();
        assert_ne!(pid, daemon.own_pid());
        let process = Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process(process, Signal::KILL).unwrap();
        assert_eq!(daemon.run("good")["state"], "succeeded");
    }
    let ended = daemon.wait_for(run, "failed");
    let reason = ended["reason"].as_str().unwrap();
    assert!(
        reason.contains("was ended by signal 9 (SIGKILL)"),
        "{reason}"
    );
    assert!(daemon.stop().success());
}

pub(crate) fn killed() {
    let jobs = "[jobs.deaf]\ncall = \"deaf\"\nisolate = true\non_crash = \"fail\"\n";
    let mut daemon = Daemon::start(jobs);
    let run = daemon.submit("deaf");
    let pid = daemon.pid();
    assert!(lives(pid));
    daemon.kill();
    until("the task to go with its daemon", || {
        (!lives(pid)).then_some(())
    });
    daemon.start_again();
    assert_eq!(daemon.wait_for(run, "failed")["failure"], "crash");
    assert!(daemon.stop().success());
}

pub(crate) fn poison() {
    let mut daemon = Daemon::start(
        "[jobs.abort]\ncall = \"abort\"\n[jobs.overflow]\ncall = \"overflow\"\n\
         [jobs.leave]\ncall = \"leave\"\n\
         [jobs.good]\ncall = { handler = \"good\", args = { n = 1 } }\n",
    );
    for job in ["abort", "overflow", "leave"] {
        // The daemon may be gone before it has answered.
        let _unheard = daemon
            .client()
            .post::<Value>("/runs", &json!({ "job": job }));
        let daemons = 1 + CRASHES_BOUND;
        for _ in 0..daemons {
            daemon.ends();
            daemon.start_anew();
        }
        daemon.answers();
        let list: Value = daemon.client().get(&format!("/runs?job={job}")).unwrap();
        let run = list["runs"][0]["run"].as_u64().unwrap();
        let ended = daemon.wait_for(run, "failed");
        assert_eq!(
            (&ended["failure"], &ended["attempts"]),
            (&json!("crash"), &json!(daemons)),
            "{job}"
        );
        assert_eq!(daemon.run("good")["state"], "succeeded");
    }
    assert!(daemon.stop().success());
}

pub(crate) fn unresponsive() {
    let jobs = "[limits.one]\nsize = 1\n\
                [jobs.deaf]\ncall = \"deaf\"\ngrace = \"100ms\"\nlimits = \"one\"\n\
                [jobs.good]\ncall = { handler = \"good\", args = { n = 1 } }\n\
                [jobs.held]\ncall = { handler = \"good\", args = { n = 2 } }\nlimits = \"one\"\n";
    let mut daemon = Daemon::start(jobs);
    let deaf = daemon.submit("deaf");
    daemon.pid();
    let good = daemon.submit("good");
    assert_eq!(daemon.show(good)["state"], "queued", "there is one thread");
    assert_eq!(daemon.cancel(deaf)["state"], "stopping");
    daemon.wait_for(deaf, "unresponsive");
    assert_eq!(
        daemon.wait_for(good, "succeeded")["result"],
        json!({ "n": 1 })
    );
    for _ in 0..20 {
        assert_eq!(daemon.run("good")["state"], "succeeded");
    }
    assert_eq!(daemon.cancel(deaf)["state"], "unresponsive");
    let held = daemon.submit("held");
    assert_eq!(
        daemon.show(held)["state"],
        "queued",
        "what it guards stays held"
    );
    let status: Value = daemon.client().get("/status").unwrap();
    let lane = status["capacities"].as_array().unwrap().iter();
    let lane = lane.clone().find(|lane| lane["name"] == "cpu").unwrap();
    let numbers = ["size", "used", "unresponsive", "replaced"].map(|key| lane[key].as_u64());
    assert_eq!(numbers, [1, 0, 1, 1].map(Some));
    assert_eq!(status["runs"]["unresponsive"], 1);
    let log = daemon.log();
    let alarm = log
        .lines()
        .find(|line| line.contains("unresponsive"))
        .unwrap();
    assert!(
        alarm.contains("WARN run 1 deaf: ") && alarm.contains("isolate = true"),
        "{alarm}"
    );
    // It does not hold up the daemon's end, and is what it was asked to be when that is gone.
    daemon.stop();
    daemon.start_again();
    daemon.wait_for(deaf, "cancelled");
    assert_eq!(
        daemon.wait_for(held, "succeeded")["result"],
        json!({ "n": 2 })
    );
    assert!(daemon.stop().success());
}
