//! No daemon, one that breaks off, mistakes on the command line, and commands that need none.

use crate::cardboard::{Answer, alone, twolane};

#[test]
fn without_a_daemon_each_command_says_how_to_start_one() {
    let commands: [&[&str]; 18] = [
        &["submit", "nightly"],
        &["submit", "--batch", "-"],
        &["list"],
        &["show", "1", "2"],
        &["logs", "1"],
        &["wait", "1"],
        &["cancel", "1", "2"],
        &["retry", "1"],
        &["pause", "lane", "cpu"],
        &["resume", "lane", "cpu"],
        &["complete", "1", "--error", "no"],
        &["send", "1", "x"],
        &["explain", "1"],
        &["events"],
        &["status"],
        &["jobs"],
        &["reload"],
        &["drain"],
    ];
    for args in commands {
        let left = alone(args);
        assert_eq!(left.code, Some(6), "{args:?}: {}", left.stderr);
        assert_eq!(
            left.stderr,
            "error: no daemon answers on `DIR/nobody`: No such file or directory (os error 2)\n\
             hint: start one with `systemctl start twolane` or `twolane serve`, or name its socket \
             with `--socket PATH` or its settings with `--config FILE`\n",
            "{args:?}"
        );
        assert_eq!(left.stdout, "", "{args:?}");
    }
}

#[test]
fn a_socket_on_the_command_line_counts_more_than_the_environment() {
    for args in [
        ["--socket", "other", "status"],
        ["status", "--socket", "other"],
    ] {
        let left = alone(&args);
        assert_eq!(left.code, Some(6));
        assert!(
            left.stderr.contains("answers on `other`"),
            "{}",
            left.stderr
        );
    }
}

#[test]
fn an_answer_that_breaks_off_is_told() {
    let cases = [
        Answer::Half,
        Answer::Json(200, "no json".to_owned()),
        Answer::Json(500, "{}".to_owned()),
    ];
    for answer in cases {
        let left = twolane(&["status"], std::slice::from_ref(&answer));
        assert_eq!(left.code, Some(5), "{answer:?}: {}", left.stderr);
        assert!(
            left.stderr.contains("the daemon on `DIR/s` broke: "),
            "{}",
            left.stderr
        );
        assert!(left.stderr.contains("\nhint: "), "{}", left.stderr);
    }
}

#[test]
fn command_lines_that_make_no_sense_ask_nobody() {
    let cases: [&[&str]; 19] = [
        &["submit"],
        &["submit", "--name", "x"],
        &["submit", "--task", "{}"],
        &["submit", "j", "--args", "[1]"],
        &["submit", "j", "--arg", "novalue"],
        &["submit", "j", "--at", "whenever"],
        &["submit", "j", "--batch", "-"],
        &["submit", "--timeout", "5", "--", "true"],
        &["list", "--state", "asleep"],
        &["send", "1"],
        &["complete", "1"],
        &["complete", "1", "--error", "a", "--result", "1"],
        &["wait", "1", "--timeout", "5"],
        &["logs", "--since", "yesterday"],
        &["logs", "--since", "10m", "--until", "20m"],
        &["history", "--since", "yesterday"],
        &["timeline", "--until", "25:00"],
        &["timeline", "--since", "10m", "--until", "20m"],
        &["run", "jobs.toml", "--arg", "novalue"],
    ];
    for args in cases {
        let left = alone(args);
        assert_eq!(left.code, Some(2), "{args:?}: {}", left.stderr);
        assert!(
            left.stderr.starts_with("error: "),
            "{args:?}: {}",
            left.stderr
        );
    }
}

#[test]
fn completions_and_manual_pages_need_no_daemon() {
    for shell in ["bash", "zsh", "fish"] {
        let left = alone(&["completions", shell]);
        assert_eq!(left.code, Some(0), "{}", left.stderr);
        assert!(left.stdout.contains("explain"), "{shell}");
    }
    let left = alone(&["man"]);
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert!(left.stdout.contains(".TH twolane 1"), "{}", left.stdout);

    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("man1");
    let left = alone(&["man", &directory.to_string_lossy()]);
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert!(directory.join("twolane-submit.1").is_file());
}

#[test]
fn a_zone_that_is_none_is_told_once_and_all_is_utc() {
    let place = tempfile::tempdir().unwrap();
    let jobs = place.path().join("jobs.toml");
    std::fs::write(
        &jobs,
        "[jobs.a]\nsleep = \"1ms\"\nschedule = \"0 3 * * *\"\n",
    )
    .unwrap();
    let told = |zone: &str| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_twolane"))
            .args(["next", "-n", "1", "--from", "23:30", "--file"])
            .arg(&jobs)
            .current_dir(place.path())
            .env_clear()
            .env("TZ", zone)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(0), "{zone}: {done:?}");
        String::from_utf8(done.stderr).unwrap()
    };
    for good in ["UTC", "Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", ""] {
        assert_eq!(told(good), "", "{good}");
    }
    assert_eq!(
        told("Foo/Bar"),
        "warning: `TZ` is `Foo/Bar`, which is no time zone: times are those of UTC\n\
         hint: it is a name such as `Europe/Berlin` or `UTC`\n"
    );
}
