//! `twolane serve`: boot, reload, status, and the way down.

use rustix::process::Signal;

use crate::support::{Place, Process};
use crate::until::until;

const SETTINGS: &str = "[daemon]\njobs = [\"jobs.d/*.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\ndrain_timeout = \"30s\"\n";

fn place(jobs: &str) -> Place {
    Place::with(&[("twolane.toml", SETTINGS), ("jobs.d/jobs.toml", jobs)])
}

fn serve(place: &Place) -> Process {
    let mut process = place.start(&["serve", "--config", "twolane.toml"]);
    process.wait_for("started");
    process
}

#[test]
fn boot_jobs_run_and_term_waits_for_what_runs() {
    let place = place("[jobs.a]\nsleep = \"3s\"\nstart = \"boot\"\n[jobs.b]\nsleep = \"1h\"");
    let mut process = serve(&place);
    process.wait_for("run 1 a: started");
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.wait_for("run 1 a: finished");
    let finished = process.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        !finished.stderr.contains("run 2"),
        "b was not asked for: {finished:?}"
    );
}

#[test]
fn after_the_limit_what_runs_is_stopped() {
    let place = place("[jobs.a]\nsleep = \"1h\"\nstart = \"boot\"");
    let mut process = place.start(&[
        "serve",
        "--config",
        "twolane.toml",
        "--set",
        "daemon.drain_timeout=400ms",
    ]);
    process.wait_for("run 1 a: started");
    process.signal(Signal::INT);
    process.wait_for("run 1 a: interrupted");
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn a_teardown_that_is_cut_short_is_run_by_the_next_daemon() {
    let around =
        "start = \"boot\"\nteardown = \"echo of $TWOLANE_JOB >> torn; [ -e go ] || sleep 1000\"";
    let place = place(&format!(
        "[jobs.a]\nshell = \"echo a begins >> torn; sleep 1000\"\n{around}\n\
         [jobs.b]\nshell = \"echo b begins >> torn; sleep 1000\"\nlane = \"cpu\"\non_crash = \"fail\"\n{around}\n\
         [jobs.c]\nshell = \"true\"\non_crash = \"fail\"\n{around}\n"
    ));
    let torn = place.path().join("jobs.d/torn");
    let torn = || std::fs::read_to_string(&torn).unwrap_or_default();
    let mut process = serve(&place);
    until("two have begun and the third is being torn down", || {
        let (torn, wanted) = (torn(), ["a begins", "b begins", "of c"]);
        wanted.iter().all(|line| torn.contains(line)).then_some(())
    });
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(4));
    place.write("jobs.d/go", "");
    let mut process = serve(&place);
    process.wait_for("teardowns of what went down with the daemon run first");
    process.wait_for("run 2 b: failed");
    process.wait_for("run 3 c: failed");
    process.wait_for("run 1 a: started  lane=io attempt=2");
    // The first two may not have come as far as that when the daemon left.
    for (job, least) in [("a", 1), ("b", 1), ("c", 2)] {
        let torn = torn();
        let times = torn.lines().filter(|line| *line == format!("of {job}"));
        assert!(times.count() >= least, "{job}: {torn}");
    }
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn a_second_signal_stops_at_once_what_runs() {
    let place = place("[jobs.a]\nsleep = \"1h\"\nstart = \"boot\"");
    let mut process = serve(&place);
    process.wait_for("run 1 a: started");
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    process.wait_for("run 1 a: interrupted");
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn who_asks_for_the_end_is_heard_where_processes_end_all_the_time() {
    let place = place("");
    let begun = place.path().join("begun");
    // Four at a time, each of them until its place is gone.
    let flood = format!(
        "touch '{0}'; for n in 1 2 3 4; do while [ -e '{0}' ]; do (: &); done & done; wait",
        begun.display()
    );
    place.write(
        "jobs.d/jobs.toml",
        &format!("[jobs.a]\nshell = \"{flood}\"\nstart = \"boot\""),
    );
    let mut process = serve(&place);
    until("processes end", || {
        let known = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
        let fields: Vec<&str> = known.rsplit(')').next().unwrap().split(' ').collect();
        // The faults of all the dead whose ends it has taken note of.
        let dead: u64 = fields[9].parse().unwrap();
        (dead > 1_000).then_some(())
    });
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    process.wait_for("run 1 a: interrupted");
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn promise_8_an_invalid_reload_changes_nothing_and_is_told() {
    let place = place("[jobs.a]\nsleep = \"1h\"\n[jobs.b]\nsleep = \"1s\"");
    let mut process = serve(&place);
    place.write(
        "jobs.d/jobs.toml",
        "[jobs.a]\nsleep = \"1h\"\n[jobs.b]\nslep = \"1s\"",
    );
    process.signal(Signal::HUP);
    process.wait_for("not reloaded");
    process.wait_for("jobs.toml:4:1");
    place.write("jobs.d/jobs.toml", "");
    process.signal(Signal::HUP);
    process.wait_for("not reloaded");
    process.wait_for("jobs.toml: this file is empty now");
    std::fs::remove_file(place.path().join("jobs.d/jobs.toml")).unwrap();
    process.signal(Signal::HUP);
    process.wait_for("not reloaded");
    process.wait_for("`daemon.jobs` names no file any more");
    place.write(
        "jobs.d/jobs.toml",
        "[jobs.a]\nsleep = \"1h\"\n[jobs.c]\nsleep = \"1s\"",
    );
    process.signal(Signal::HUP);
    process.wait_for("configuration reloaded");
    process.signal(Signal::HUP);
    process.wait_for("no job, pool, limit or queue setting has changed");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn usr1_logs_what_runs_and_why_the_rest_waits() {
    let place = place(
        "[limits.m]\nsize = 1\n\
         [jobs.a]\nsleep = \"1h\"\nstart = \"boot\"\nlimits = \"m\"\n\
         [jobs.b]\nsleep = \"1h\"\nstart = \"boot\"\nlimits = \"m\"\n\
         [jobs.c]\nsleep = \"1h\"\nstart = \"boot\"\nafter = \"b\"",
    );
    let mut process = serve(&place);
    process.wait_for("run 1 a: started");
    process.signal(Signal::USR1);
    process.wait_for("limit `m` is full: 1 of 1 held by run 1");
    process.wait_for("it comes after run 2 of `b` (queued)");
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    process.finish();
}

#[test]
fn promise_1_what_was_accepted_goes_on_after_a_kill_and_after_a_shutdown() {
    let place = place(
        "[limits.m]\nsize = 1\n\
         [jobs.a]\nsleep = \"1h\"\nstart = \"boot\"\nlimits = \"m\"\n\
         [jobs.b]\nsleep = \"1h\"\nstart = \"boot\"\nlimits = \"m\"\non_crash = \"fail\"",
    );
    let mut process = serve(&place);
    process.wait_for("run 1 a: started");
    process.signal(Signal::KILL);
    assert_eq!(process.finish().code, None);

    let mut process = serve(&place);
    process.wait_for("going on from the store");
    process.wait_for("run 1 a: interrupted");
    process.wait_for("run 2 b: started");
    process.signal(Signal::KILL);
    assert_eq!(process.finish().code, None);

    let mut process = serve(&place);
    process.wait_for("run 2 b: failed");
    process.wait_for("run 1 a: started  lane=io attempt=2");
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    process.wait_for("run 1 a: interrupted");
    assert_eq!(process.finish().code, Some(0));

    let mut process = serve(&place);
    process.wait_for("run 1 a: started  lane=io attempt=3");
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    process.finish();
}

#[test]
fn one_daemon_at_a_time_has_a_state_directory() {
    let place = place("[jobs.a]\nsleep = \"1h\"");
    let process = serve(&place);
    let second = place.twolane(&["serve", "--config", "twolane.toml"]);
    assert_eq!(second.code, Some(5), "{second:?}");
    assert!(second.stderr.contains("state"), "{second:?}");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}
