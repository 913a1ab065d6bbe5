//! The helper that prepares a command is this very program, started once more: what becomes of a command when
//! somebody kills the helper, and where the program's file is another one meanwhile.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::commands::{SERVE, ask, daemon};
use super::support::Place;
use crate::until::until;

/// Commands of all kinds that the helper is needed for, one that needs none, and a task in a process of its own.
const KINDS: &str = r#"
[jobs.masked]
shell = "umask"
umask = "027"
[jobs.bounded]
shell = "ulimit -n"
rlimits.files = 64
[jobs.terminal]
shell = "test -t 0 && test -t 1 && echo a terminal"
pty = true
[jobs.plain]
shell = "echo plain"
[jobs.apart]
isolate = true
compute = { outer = 10, inner = 10, report_every = 10 }
"#;

/// What each of them writes.
const SAID: [(&str, &str); 5] = [
    ("masked", "0027"),
    ("bounded", "64"),
    ("terminal", "a terminal"),
    ("plain", "plain"),
    ("apart", ""),
];

#[test]
fn a_daemon_goes_on_with_its_own_program_where_another_one_is_put_in_its_place() {
    let place = daemon(KINDS);
    let program = place.path().join("twolane");
    // By another process: one of this one's threads that starts something would have it open for writing.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_twolane"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let mut process = place.start_program(&program, &SERVE, &[]);
    process.wait_for("answering on");
    let check = |when: &str| {
        for (job, said) in SAID {
            let run = ask(&place, &["submit", job]);
            let ended = place.twolane(&["--socket", "run/twolane.sock", "wait", run.trim()]);
            let log = ask(&place, &["logs", run.trim()]);
            assert_eq!(ended.code, Some(0), "{when}: {job}: {ended:?} {log}");
            assert!(log.contains(said), "{when}: {job}: {log}");
        }
    };
    check("as it was");
    // What the package manager does: the file of the same name is another one, and the old one has no name.
    place.write("other", "#!/bin/sh\necho 'another program'\nexit 99\n");
    let other = place.path().join("other");
    fs::set_permissions(&other, Permissions::from_mode(0o755)).unwrap();
    fs::rename(&other, &program).unwrap();
    check("replaced");
    fs::remove_file(&program).unwrap();
    check("removed");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

/// The processes of this place's daemon that are helpers, before they become the command.
fn helpers(place: &Place) -> Vec<Pid> {
    let instance = fs::read_to_string(place.path().join("state/instance")).unwrap();
    let mark = format!("TWOLANE_KEY={}-", instance.trim());
    let has = |pid: u32, file: &str, what: &str| {
        let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        text.split(|byte| *byte == 0)
            .any(|word| word.starts_with(what.as_bytes()))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let helpers =
        numbers.filter(|pid| has(*pid, "environ", &mark) && has(*pid, "cmdline", "__process"));
    helpers
        .filter_map(|pid: u32| Pid::from_raw(pid.cast_signed()))
        .collect()
}

/// Waits for a helper that is none of those before.
fn helper(place: &Place, before: &[Pid]) -> Pid {
    until("a helper", || {
        let mut helpers = helpers(place).into_iter();
        helpers.find(|pid| !before.contains(pid))
    })
}

fn shown(place: &Place, run: &str) -> Value {
    serde_json::from_str(&ask(place, &["show", run, "--json"])).unwrap()
}

#[test]
fn a_helper_that_is_killed_before_it_is_the_command_fails_the_attempt() {
    // Its dynamic loader waits for somebody who writes to the pipe, and so it stays what it is until then.
    let place = daemon("");
    let held = place.path().join("held");
    let jobs = |name: &str, more: &str| {
        format!(
            "[jobs.{name}]\nexec = [\"true\"]\numask = \"027\"\nenv.LD_PRELOAD = \"{}\"\n{more}",
            held.display()
        )
    };
    let text = jobs("once", "") + &jobs("twice", "retry = { attempts = 2, base = \"1ms\" }\n");
    place.write(
        "jobs.toml",
        &format!("{text}[jobs.other]\nexec = [\"true\"]\n"),
    );
    let made = Command::new("mkfifo").arg(&held).status();
    assert!(made.unwrap().success());
    let mut process = place.start(&SERVE);
    process.wait_for("answering on");

    let once = ask(&place, &["submit", "once"]);
    let killed = helper(&place, &[]);
    kill_process(killed, Signal::KILL).unwrap();
    let ended = place.twolane(&["--socket", "run/twolane.sock", "wait", once.trim()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = shown(&place, once.trim());
    assert_eq!(told["state"], "failed", "{told}");
    assert!(
        told["reason"].as_str().unwrap().contains("signal 9"),
        "{told}"
    );

    // One that is tried again succeeds, and others are not held up meanwhile.
    let twice = ask(&place, &["submit", "twice"]);
    let killed = helper(&place, &[]);
    ask(&place, &["submit", "other", "--wait"]);
    kill_process(killed, Signal::KILL).unwrap();
    helper(&place, &[killed]);
    let writer = OpenOptions::new().write(true).open(&held).unwrap();
    fs::remove_file(&held).unwrap();
    drop(writer);
    ask(&place, &["wait", twice.trim()]);
    let told = shown(&place, twice.trim());
    assert_eq!(told["attempts"], 2, "{told}");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}
