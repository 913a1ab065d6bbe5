//! Commands in job files, as people run them.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::support::{Place, shipped};

/// A shipped example with some of its text replaced.
fn example(name: &str, replaced: &[(&str, &str)]) -> Place {
    let mut text = fs::read_to_string(shipped(&format!("config/examples/{name}"))).unwrap();
    for (old, new) in replaced {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    Place::with(&[(name, &text)])
}

/// What commands wrote, in order, without what stands before it.
fn written(stdout: &str) -> Vec<&str> {
    let lines = stdout.lines();
    lines
        .filter_map(|line| Some(line.split_once("| ")?.1))
        .collect()
}

#[test]
fn s06_a_score_that_jobs_of_both_lanes_change_ends_where_it_began() {
    let place = example("s06-mutex.toml", &[("seq 200", "seq 20")]);
    let ended = place.twolane(&["run", "s06-mutex.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert_eq!(written(&ended.stdout), ["the score is 100"]);
    // One begins when the one before it has ended, whatever lane they are on.
    let changes = |line: &&str| {
        line.contains("INFO run") && ["earn-", "spend-"].iter().any(|job| line.contains(job))
    };
    let mut lines = ended.stdout.lines().filter(changes);
    let mut jobs = 0;
    while let (Some(started), Some(finished)) = (lines.next(), lines.next()) {
        assert!(started.contains(": started"), "{}", ended.stdout);
        assert!(finished.contains(": finished"), "{}", ended.stdout);
        jobs += 1;
    }
    assert_eq!(jobs, 10, "{}", ended.stdout);
}

#[test]
fn s07_a_pool_has_as_many_processes_at_a_time_as_it_has_places() {
    let place = example("s07-pool.toml", &[("sleep 1", "sleep 0.2")]);
    let ended = place.twolane(&["run", "s07-pool.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let lines = written(&ended.stdout);
    assert_eq!(lines.len(), 6, "{}", ended.stdout);
    let child = |line: &&str| line.starts_with("child process ") && line.ends_with("with test");
    assert!(lines.iter().any(child), "{}", ended.stdout);
    let mut running = 0_i32;
    for line in ended
        .stdout
        .lines()
        .filter(|line| !line.contains(" process"))
    {
        running += i32::from(line.contains(": started")) - i32::from(line.contains(": finished"));
        assert!(running <= 3, "{}", ended.stdout);
    }
}

#[test]
fn s08_what_one_command_writes_another_one_reads() {
    let place = example("s08-pipe.toml", &[("default = 2", "default = 0.01")]);
    let ended = place.twolane(&["run", "s08-pipe.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let expected: Vec<String> = (1..=10).map(|n| format!("got {n}")).collect();
    assert_eq!(written(&ended.stdout), expected);
}

#[test]
fn a_pipe_fails_where_one_of_its_commands_fails() {
    let check = |[producer, between, consumer]: [&str; 3], code: i32, told: &str| {
        let file = format!(
            "[jobs.p]\nshell = '{producer}'\n[jobs.m]\nshell = '{between}'\nstdin_from = \"p\"\n\
             lane = \"cpu\"\n[jobs.c]\nshell = '{consumer}'\nstdin_from = \"m\"\n"
        );
        let ended = Place::with(&[("jobs.toml", &file)]).twolane(&["run", "jobs.toml"]);
        assert_eq!(ended.code, Some(code), "{}", ended.stdout);
        assert!(ended.stdout.contains(told), "{}", ended.stdout);
    };
    let failed = |job: &str, how: &str| format!("`{job}`, which it reads from, failed: {how}");
    check(["seq 100000", "sort -rn", "wc -l"], 0, "| 100000");
    check(
        ["seq 3; exit 5", "cat", "cat"],
        1,
        &failed("p", "exited with code 5"),
    );
    check(
        ["seq 3", "exit 6", "cat"],
        1,
        &failed("m", "exited with code 6"),
    );
    check(["seq 3", "cat", "cat; exit 7"], 1, "exited with code 7");
    check(["yes", "cat", "head -n 1 >/dev/null"], 1, &failed("p", ""));
    check(
        ["seq 3", "no-such-program", "cat"],
        1,
        &failed("m", "exited with code 127"),
    );
}

#[test]
fn s12_what_is_done_after_a_task_is_done_however_that_went() {
    let place = example("s12-setup.toml", &[]);
    let check = |job: &str, code: i32, expected: [&str; 3]| {
        let ended = place.twolane(&["run", "s12-setup.toml", job]);
        assert_eq!(ended.code, Some(code), "{}", ended.stdout);
        assert_eq!(written(&ended.stdout), expected);
    };
    check(
        "good",
        0,
        ["open the connection", "use it", "close the connection"],
    );
    check("bad", 1, ["open another one", "use that", "close that too"]);
}

#[test]
fn isolate_tasks_run_in_processes_of_their_own_and_can_be_ended() {
    let place = example("isolate.toml", &[]);
    let ended = place.twolane(&["run", "isolate.toml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for words in [
        "summed up 50 percent",
        "sum: finished  ",
        "too-long: stopping  ",
        "error_kind=timeout",
        "digests: finished  ",
    ] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
}

const DAEMON: &str =
    "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n";

pub(crate) fn daemon(jobs: &str) -> Place {
    Place::with(&[("twolane.toml", DAEMON), ("jobs.toml", jobs)])
}

pub(crate) const SERVE: [&str; 3] = ["serve", "--config", "twolane.toml"];

/// Asks the daemon; what it prints.
pub(crate) fn ask(place: &Place, args: &[&str]) -> String {
    let all = ["--socket", "run/twolane.sock"].iter().chain(args);
    let all: Vec<&str> = all.copied().collect();
    let ended = place.twolane(&all);
    assert_eq!(
        ended.code,
        Some(0),
        "{args:?}: {}{}",
        ended.stdout,
        ended.stderr
    );
    ended.stdout
}

#[test]
fn s03_a_command_takes_what_is_sent_to_it() {
    let jobs = fs::read_to_string(shipped("config/examples/s03-interaction.toml")).unwrap();
    let place = daemon(&jobs);
    let mut process = place.start(&SERVE);
    process.wait_for("answering on");
    let run = ask(&place, &["submit", "adder"]);
    let run = run.trim();
    process.wait_for("adder: started");
    ask(&place, &["send", run, "1", "2", "3", "--end"]);
    ask(&place, &["wait", run]);
    let log = ask(&place, &["logs", run]);
    assert_eq!(log, "1 makes 1\n2 makes 3\n3 makes 6\nin all 6\n");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn a_job_of_its_own_runs_where_it_was_asked_for() {
    let place = daemon("");
    let mut process = place.start(&SERVE);
    process.wait_for("answering on");
    let words = [
        "submit",
        "--",
        "sh",
        "-c",
        "echo $1 in $PWD",
        "-",
        "two {words}",
    ];
    let run = ask(&place, &words);
    let run = run.trim();
    ask(&place, &["wait", run]);
    let here = fs::canonicalize(place.path()).unwrap();
    let log = ask(&place, &["logs", run]);
    assert_eq!(log, format!("two {{words}} in {}\n", here.display()));
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn what_a_run_wrote_can_be_had_as_it_is() {
    let place = daemon("");
    let mut process = place.start(&SERVE);
    process.wait_for("answering on");
    let script =
        "printf 'a\\tb \\033[31mred\\n'; echo wrong >&2; head -c 10000 /dev/zero | tr '\\0' x";
    let run = ask(&place, &["submit", "--", "sh", "-c", script]);
    let run = run.trim();
    ask(&place, &["wait", run]);
    let raw = place.twolane(&["--socket", "run/twolane.sock", "logs", run, "--raw"]);
    let all = format!("a\tb \u{1b}[31mred\n{}\n", "x".repeat(10_000));
    assert_eq!((raw.stdout, raw.stderr), (all, "wrong\n".to_owned()));
    let read = ask(&place, &["logs", run]);
    assert!(
        !read.contains(['\t', '\u{1b}']) && read.len() < 6_000,
        "{read}"
    );
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

/// Living processes below this directory's daemon.
fn processes(place: &Place) -> usize {
    let instance = fs::read_to_string(place.path().join("state/instance")).unwrap();
    let mark = format!("TWOLANE_KEY={}-", instance.trim());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let environments = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
    let marked = |all: &Vec<u8>| {
        all.split(|b| *b == 0)
            .any(|e| e.starts_with(mark.as_bytes()))
    };
    environments.filter(marked).count()
}

#[test]
fn promise_5_nothing_that_outlived_the_daemon_runs_on() {
    let place = daemon(
        r#"
[jobs.again]
shell = """
trap '' TERM
(setsid sleep 1000 &)
(sh -c 'sleep 1000 & sleep 1000; :' &)
sleep 1000
sleep 1000
"""
teardown = "echo down >> torn"
grace = "50ms"
[jobs.once]
shell = "sleep 1000; sleep 1000"
on_crash = "fail"
teardown = "echo down >> torn"
"#,
    );
    let mut process = place.start(&SERVE);
    process.wait_for("answering on");
    for _ in 0..10 {
        ask(&place, &["submit", "again"]);
    }
    let once = ask(&place, &["submit", "once"]);
    let once = once.trim();
    let all = 10 * 6 + 2;
    while processes(&place) < all {}
    process.signal(Signal::KILL);
    process.finish();
    assert_eq!(processes(&place), all, "they live on");
    // Anew: what was left is ended, and torn down, before anything else is started.
    let mut process = place.start(&SERVE);
    process.wait_for("had outlived the daemon");
    process.wait_for("again: started");
    let torn = fs::read_to_string(place.path().join("torn")).unwrap();
    assert_eq!(torn.lines().count(), 11);
    let shown = ask(&place, &["show", once]);
    assert!(shown.contains("went down under it"), "{shown}");
    let told: serde_json::Value =
        serde_json::from_str(&ask(&place, &["show", once, "--json"])).unwrap();
    assert!(told["run_seconds"].is_null(), "nobody saw its end: {told}");
    while processes(&place) < 10 * 6 {}
    process.signal(Signal::TERM);
    process.wait_for("shutting down");
    process.signal(Signal::TERM);
    process.finish();
    while processes(&place) > 0 {}
}

#[test]
fn a_teardown_that_failed_and_the_most_memory_are_told_wherever_the_run_is() {
    let jobs = r#"
[jobs.untidy]
shell = "head -c 300000000 /dev/zero | tail -c 250000000 | wc -c"
teardown = "exit 5"
"#;
    let why = "its teardown failed: exited with code 5";
    let place = daemon(jobs);
    let ended = place.twolane(&["run", "jobs.toml"]);
    assert_eq!(
        ended.code,
        Some(0),
        "what it was for is done: {}",
        ended.stderr
    );
    assert!(
        ended.stdout.contains("WARN run 1 untidy: finished"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains(why), "{}", ended.stdout);
    let mut process = place.start(&SERVE);
    process.wait_for("answering on");
    let ended = place.twolane(&["--socket", "run/twolane.sock", "submit", "--wait", "untidy"]);
    assert!(
        ended.stdout.contains(&format!("done: 1 succeeded: {why}")),
        "{ended:?}"
    );
    let shown = ask(&place, &["show", "1"]);
    assert!(
        shown.contains("  teardown  failed: exited with code 5"),
        "{shown}"
    );
    assert!(shown.contains(&format!("; {why}")), "{shown}");
    let text = ask(&place, &["show", "1", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["teardown"], "exited with code 5");
    assert_eq!(
        told["history"].as_array().unwrap().last().unwrap()["teardown"],
        "exited with code 5"
    );
    let most = told["memory_bytes"].as_u64();
    assert!(most > Some(250_000_000), "{text}");
    process.signal(Signal::TERM);
    process.finish();
}

#[test]
fn what_whoever_starts_the_daemon_has_open_is_not_passed_on_to_commands() {
    let jobs = "[jobs.a]\nexec = [\"sh\", \"-c\", \"readlink /proc/$$/fd/* | grep -c opened\"]\n";
    let place = Place::with(&[("jobs.toml", jobs), ("opened", "")]);
    let ended = Command::new("sh")
        .args(["-c", "exec \"$0\" run jobs.toml 7<opened 9>>opened"])
        .arg(env!("CARGO_BIN_EXE_twolane"))
        .current_dir(place.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(written(&stdout), ["0"], "{stdout}");
}

#[test]
fn what_has_cleaned_its_environment_is_ended_when_no_other_command_runs() {
    let seconds = format!("1000{}", std::process::id());
    let file = format!("[jobs.a]\nshell = 'env -i setsid sleep {seconds} & sleep 0.1'\n");
    let ended = Place::with(&[("jobs.toml", &file)]).twolane(&["run", "jobs.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    let mut left = lines.filter(|line| line.contains(&seconds) && line.starts_with("sleep"));
    assert_eq!(left.next(), None);
}
