//! What goes by the calendar, on the real binary: what is expected and does not come, what a pause does to the
//! slots in between, what a reload would change, and what comes next.

use rustix::process::Signal;

use crate::support::{Place, Process};

const SETTINGS: &str =
    "[daemon]\njobs = [\"jobs.d/*.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n";

fn place(jobs: &str) -> Place {
    Place::with(&[("twolane.toml", SETTINGS), ("jobs.d/jobs.toml", jobs)])
}

fn serve(place: &Place) -> Process {
    let mut process = place.start(&["serve", "--config", "twolane.toml"]);
    process.wait_for("started");
    process
}

/// What a command says that asks the daemon of this place.
fn ask(place: &Place, args: &[&str]) -> String {
    let socket = ["--socket", "run/twolane.sock"];
    let done = place.twolane(&[args, &socket].concat());
    assert_eq!(
        done.code,
        Some(0),
        "{args:?}: {}{}",
        done.stdout,
        done.stderr
    );
    done.stdout
}

#[test]
fn a_job_that_does_not_come_in_time_is_told_shown_and_answered() {
    let place = place(
        "[jobs.backup]\nsleep = \"1ms\"\nexpect_within = \"1s\"\non_absent = \"alert\"\n\
         [jobs.alert]\nshell = 'echo \"$TWOLANE_ARG_JOB: $TWOLANE_ARG_ERROR\"'\n\
         params.job = { type = \"text\" }\nparams.error = { type = \"text\" }",
    );
    let mut process = serve(&place);
    process.wait_for("WARN backup: absent  reason=\"no success within 1s since 2");
    process.wait_for("run 1 alert: started");
    process.wait_for("run 1 alert: finished");
    assert!(ask(&place, &["status"]).contains("absent: 1 of which no success came in time"));
    assert!(ask(&place, &["jobs"]).contains("ABSENT: no success since"));
    // It is told once, also to a daemon that comes after.
    process.signal(Signal::KILL);
    process.finish();
    let mut process = serve(&place);
    assert!(ask(&place, &["jobs"]).contains("ABSENT: no success since"));
    ask(&place, &["submit", "backup"]);
    process.wait_for("run 2 backup: finished");
    process.wait_for("backup: heard again");
    assert!(ask(&place, &["logs", "1"]).contains("backup: no success within 1s since 2"));
    process.signal(Signal::TERM);
    process.finish();
}
