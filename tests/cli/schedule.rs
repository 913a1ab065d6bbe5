//! What goes by the calendar, on the real binary: what is expected and does not come, what a pause does to the
//! slots in between, what a reload would change, and what comes next.

use expect_test::expect;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Place, Process};

const SETTINGS: &str =
    "[daemon]\njobs = [\"jobs.d/*.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n";

fn place(jobs: &str) -> Place {
    Place::with(&[("twolane.toml", SETTINGS), ("jobs.d/jobs.toml", jobs)])
}

fn serve(place: &Place) -> Process {
    let mut process = place.start(&["serve", "--config", "twolane.toml"]);
    process.wait_for("answering on");
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

/// The runs of a job as `twolane list` has them, newest first.
fn runs(place: &Place, args: &[&str]) -> Vec<Value> {
    let listed = ask(place, &[&["list", "--json"], args].concat());
    let lines = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn what_becomes_of_slots_in_a_pause_is_said_by_missed() {
    let job = |name: &str, missed: &str| {
        format!(
            "[jobs.{name}]\nexec = [\"true\"]\nschedule = {{ every = \"1s\", missed = \"{missed}\" }}\n"
        )
    };
    let place = place(
        &[
            job("none", "skip"),
            job("one", "latest"),
            job("each", "all"),
        ]
        .concat(),
    );
    place.write(
        "jobs.d/tick.toml",
        "[jobs.tick]\nexec = [\"true\"]\nschedule = { every = \"1s\" }\n",
    );
    let mut process = serve(&place);
    let names = ["none", "one", "each"];
    for name in names {
        ask(&place, &["pause", "schedule", name]);
    }
    let ended = |name: &str| runs(&place, &["--job", name, "--state", "succeeded"]);
    let before = names.map(|name| ended(name).len());
    let ticks = ended("tick").len();
    while ended("tick").len() < ticks + 4 {
        process.wait_for("tick: finished");
    }
    // What had begun when it was paused may end in between, and nothing else.
    for (name, before) in names.iter().zip(before) {
        assert!(ended(name).len() <= before + 1, "{name} is paused");
    }
    let jobs = ask(&place, &["jobs"]);
    assert_eq!(jobs.matches("(paused)").count(), 3, "{jobs}");
    let paused = names.map(|name| ended(name).len());
    for name in names {
        ask(&place, &["resume", "schedule", name]);
    }
    let skipped = |name: &str| -> Vec<String> {
        let runs = runs(&place, &["--job", name, "--skipped"]);
        let reasons = runs.iter().map(|run| run["reason"].to_string());
        reasons
            .filter(|reason| reason.contains("the schedule was paused"))
            .collect()
    };
    // All of them: three slots at least were in the pause, and each is run.
    while ended("each").len() < paused[2] + 3 {
        process.wait_for("each: finished");
    }
    assert_eq!(skipped("each"), [""; 0]);
    // The newest: those before it are one record.
    while ended("one").len() < paused[1] + 1 {
        process.wait_for("one: finished");
    }
    let left_out = skipped("one");
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert!(left_out[0].contains(" slots from "), "{left_out:?}");
    // None.
    let left_out = skipped("none");
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert!(left_out[0].contains(" slots from "), "{left_out:?}");
    process.signal(Signal::TERM);
    process.finish();
}

#[test]
fn what_a_reload_would_change_is_told_and_nothing_is_changed() {
    let old = "[jobs.a]\nsleep = \"1s\"\nschedule = { cron = \"0 0 1 1 *\", tz = \"UTC\", until = 2200-01-01 }\n\
               [jobs.b]\nsleep = \"1s\"\nschedule = { at = \"2190-01-01T00:00:00Z\" }\n\
               [jobs.same]\nsleep = \"1s\"\nschedule = { at = \"2191-01-01T00:00:00Z\" }\n";
    let place = place(old);
    let process = serve(&place);
    assert_eq!(
        ask(&place, &["reload", "--dry-run"]),
        "nothing would change\n"
    );
    let new = old
        .replace("until = 2200-01-01", "from = 2180-05-01")
        .replace("[jobs.b]", "[jobs.c]");
    place.write("jobs.d/jobs.toml", &new);
    expect![[r#"
        would change: jobs added: `c`; jobs changed: `a`; jobs removed: `b`
        job `a` comes next …; then 2181-01-01T00:00:00Z, 2182-01-01T00:00:00Z, 2183-01-01T00:00:00Z
        job `b` comes next 2190-01-01T00:00:00Z; then never
        job `c` comes next never; then 2190-01-01T00:00:00Z
    "#]]
    .assert_eq(&shown(&ask(&place, &["reload", "--dry-run"])));
    // Nothing was put in force, and nothing was begun.
    let jobs = ask(&place, &["jobs"]);
    assert!(jobs.contains("\n b ") && !jobs.contains("\n c "), "{jobs}");
    assert_eq!(runs(&place, &[]), [Value::Null; 0]);
    place.write("jobs.d/jobs.toml", &new.replace("0 0 1 1 *", "0 0 32 1 *"));
    let done = place.twolane(&["reload", "--dry-run", "--socket", "run/twolane.sock"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(
        done.stdout.contains("`32` is no day of the month"),
        "{done:?}"
    );
    process.signal(Signal::TERM);
    process.finish();
}

/// The same without times of this year and the next ones, which depend on when it is looked at.
fn shown(text: &str) -> String {
    let line = |line: &str| match line.split_once(" comes next 20") {
        Some((before, rest)) if line.contains("`a`") => {
            let after = rest.split_once("; then ").unwrap().1;
            format!("{before} comes next …; then {after}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn what_comes_next_is_told_from_the_files_alone() {
    let place = place(
        "[jobs.night]\nsleep = \"1s\"\nschedule = { cron = \"30 2 * * *\", tz = \"Europe/Berlin\" }\n\
         [jobs.often]\nsleep = \"1s\"\n\
         schedule = { cron = \"*/30 2 * * *\", tz = \"Europe/Berlin\", blackout = \"2027-03-27..2027-03-27\" }\n\
         [jobs.never]\nsleep = \"1s\"\n",
    );
    let next = |args: &[&str]| {
        let config = [
            "next",
            "--config",
            "twolane.toml",
            "--from",
            "2027-03-26T12:00:00Z",
        ];
        place.twolane(&[&config, args].concat())
    };
    let told = |args: &[&str]| {
        let done = next(args);
        assert_eq!(done.code, Some(0), "{done:?}");
        // How far it is from now on depends on when it is looked at.
        let lines = done.stdout.lines().map(|line| {
            let words: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|w| !w.is_empty())
                .collect();
            let known = words
                .iter()
                .filter(|word| !word.starts_with("in ") && !word.ends_with(" ago"));
            format!("{}\n", known.copied().collect::<Vec<_>>().join(" | "))
        });
        lines.collect::<String>()
    };
    expect![[r#"
        WHEN | JOB | SCHEDULE | IN | NOTE
        Sat 2027-03-27 02:00:00 +01:00 | often | */30 2 * * * Europe/Berlin | not run: blackout `2027-03-27..2027-03-27`
        Sat 2027-03-27 02:30:00 +01:00 | night | 30 2 * * * Europe/Berlin
        Sat 2027-03-27 02:30:00 +01:00 | often | */30 2 * * * Europe/Berlin | not run: blackout `2027-03-27..2027-03-27`
        Sun 2027-03-28 03:00:00 +02:00 | often | */30 2 * * * Europe/Berlin | not run: the clock skips 02:00:00
        Sun 2027-03-28 03:00:00 +02:00 | night | 30 2 * * * Europe/Berlin | for 02:30:00, which the clock skips
        Mon 2027-03-29 02:00:00 +02:00 | often | */30 2 * * * Europe/Berlin
        Mon 2027-03-29 02:30:00 +02:00 | night | 30 2 * * * Europe/Berlin
        Mon 2027-03-29 02:30:00 +02:00 | often | */30 2 * * * Europe/Berlin
    "#]].assert_eq(&told(&["-n", "7"]));
    expect![[r#"
        WHEN | JOB | SCHEDULE | IN | NOTE
        Sat 2027-03-27 01:30:00 +00:00 | night | 30 2 * * * Europe/Berlin
        Sun 2027-03-28 01:00:00 +00:00 | night | 30 2 * * * Europe/Berlin | for 02:30:00, which the clock skips
    "#]].assert_eq(&told(&["night", "-n", "2", "--tz", "UTC"]));
    let json = next(&["night", "-n", "1", "--json"]);
    expect![[r#"
        {"job":"night","schedule":"30 2 * * * Europe/Berlin","slot":"2027-03-27T01:30:00.000000Z","begins":"2027-03-27T01:30:00.000000Z","shown":"Sat 2027-03-27 02:30:00 +01:00","zone":"Europe/Berlin"}
    "#]].assert_eq(&json.stdout);
    let unknown = next(&["nihgt"]);
    assert_eq!(unknown.code, Some(7), "{unknown:?}");
    assert!(
        unknown.stderr.contains("did you mean `night`?"),
        "{unknown:?}"
    );
}
