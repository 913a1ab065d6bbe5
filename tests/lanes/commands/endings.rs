//! How commands end, by themselves and otherwise, and that nothing is left of them.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::until::until;

#[test]
fn the_end_of_a_command_is_told_as_it_was() {
    let shop = Shop::open();
    let check = |job: JobSpec, expected: &Outcome| {
        for lane in Lane::ALL {
            let job = JobSpec {
                lane,
                ..job.clone()
            };
            assert_eq!(&shop.run(job.clone()).end.outcome, expected, "{job:?}");
        }
    };
    let failed = Outcome::Failed;
    check(shell("exit 0"), &done(0));
    check(shell("exit 7"), &failed(Failure::Exit(7)));
    check(
        but(shell("exit 7"), |c| c.success_exit = vec![0, 7]),
        &done(7),
    );
    check(
        but(shell("exit 0"), |c| c.success_exit = vec![7]),
        &failed(Failure::Exit(0)),
    );
    check(shell("kill -SEGV $$"), &failed(Failure::Signal(11)));
    check(exec(&["true"]), &done(0));
    // It ends when its process does, whoever holds the pipes open.
    check(shell("sleep 1000 & exit 4"), &failed(Failure::Exit(4)));
    check(shell("exec >&- 2>&-; exit 5"), &failed(Failure::Exit(5)));
    assert_eq!(shop.processes(), 0);
}

#[test]
fn what_a_command_writes_is_its_result_if_it_is_to_be() {
    let shop = Shop::open();
    let run = |script: &str, of| {
        let job = but(shell(script), |command| command.result = of);
        shop.run(job)
    };
    for (script, of, expected) in [
        ("echo one; echo two", ResultOf::Text, Ok(json!("one\ntwo"))),
        ("printf 'é'; echo no >&2", ResultOf::Text, Ok(json!("é"))),
        ("true", ResultOf::Text, Ok(json!(""))),
        ("echo '[1, 2]'", ResultOf::Json, Ok(json!([1, 2]))),
        ("echo '[1, 2]'", ResultOf::Exit, Ok(json!({"exit": 0}))),
        ("echo '[1, 2'", ResultOf::Json, Err("it is no JSON: EOF")),
        ("printf '\\377'", ResultOf::Text, Err("no text in UTF-8")),
        (
            "head -c 65537 /dev/zero",
            ResultOf::Text,
            Err("it has more than 65536 bytes"),
        ),
    ] {
        let ended = run(script, of);
        match (&ended.end.outcome, expected) {
            (Outcome::Succeeded(value), Ok(expected)) => assert_eq!(**value, expected, "{script}"),
            (_, Err(expected)) => {
                let error = error(&ended);
                assert!(error.contains(expected), "{script}: {error}");
            }
            (outcome, Ok(_)) => panic!("{script}: {outcome:?}"),
        }
    }
    let longest = run("head -c 65536 /dev/zero | tr '\\0' x", ResultOf::Text);
    assert!(matches!(longest.end.outcome, Outcome::Succeeded(_)));
}

#[test]
fn what_cannot_be_run_is_told_with_its_cause() {
    let shop = Shop::open();
    let check = |job: JobSpec, expected: &[&str]| {
        let ended = shop.run(job);
        let error = error(&ended);
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    };
    check(
        exec(&["no-such-program"]),
        &["cannot run `no-such-program`", "in PATH ("],
    );
    check(
        exec(&["/no/such"]),
        &["cannot run /no/such", "No such file"],
    );
    check(
        exec(&["/etc/passwd"]),
        &["cannot run /etc/passwd", "Permission denied", "chmod +x"],
    );
    check(exec(&["/etc"]), &["cannot run /etc", "it is a directory"]);
    let directory = tempfile::tempdir().unwrap();
    let files = [
        ("echo no first line\n", "does not begin with `#!`"),
        ("#! /no/such -x\r\necho\n", "asks for `/no/such`"),
        ("#!/etc/passwd\n", "which cannot be run itself"),
        ("#!/bin/sh\r\necho\r\n", "carriage return"),
    ];
    for (text, expected) in files {
        let file = directory.path().join("file");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let job = exec(&[file.to_str().unwrap()]);
        check(job.clone(), &["cannot run", expected]);
        // The helper says it itself, and has no shell read it either.
        let arranged = around(job, |a| a.umask = Some(0o22));
        check(arranged, &["cannot run", expected]);
    }
    check(
        around(exec(&["true"]), |a| a.directory = "/no/such".into()),
        &["cannot begin in /no/such", "No such file"],
    );
    check(
        around(exec(&["true"]), |a| a.env_file = Some("/no/such".into())),
        &["cannot take variables from /no/such", "No such file"],
    );
    check(
        around(exec(&["true"]), |a| a.user = Some("nobody-knows".into())),
        &["no user `nobody-knows`"],
    );
    check(
        but(exec(&["true"]), |c| {
            c.stdin = Stdin::File("/no/such".into())
        }),
        &["cannot read /no/such for stdin"],
    );
    check(exec(&["echo", "{gone}"]), &["`{gone}`", "not given"]);
}

#[test]
fn promise_5_a_cancelled_command_is_gone_with_all_it_started() {
    let shop = Shop::open();
    let scripts = [
        "echo up; sleep 1000",
        "trap '' TERM; echo up; while :; do sleep 1000; done",
        "setsid sh -c 'trap \"\" TERM; echo up; sleep 1000 & sleep 1000; sleep 1000' & wait",
        "(setsid sh -c '(sleep 1000 &) ; echo up; sleep 1000' &) ; sleep 1000",
        "echo up; kill -STOP $$",
        "f() { f | f & wait; }; echo up; sleep 1000 | sleep 1000 | sleep 1000",
    ];
    for script in scripts {
        for lane in Lane::ALL {
            shop.heard.0.lock().unwrap().clear();
            let job = JobSpec {
                lane,
                grace: Duration::from_millis(50),
                ..shell(script)
            };
            let attempt = shop.begin(job, None);
            shop.wait_for("up");
            shop.bench.lanes.stop(attempt);
            assert_eq!(shop.bench.end().end.outcome, Outcome::Stopped, "{script}");
            assert_eq!(shop.processes(), 0, "{script}");
        }
    }
}

/// Beside others, a process without a mark could be anybody's: it is known by its parent, who ends first.
#[test]
fn what_has_left_a_cancelled_command_goes_with_it_beside_others() {
    let shop = Shop::open();
    let beside = shop.begin(shell("sleep 1000"), None);
    let cancelled = shop.begin(
        shell("env -i setsid sleep 1000 & echo $! up; sleep 1000"),
        None,
    );
    shop.wait_for("up");
    let stray: u32 = shop.out().split(' ').next().unwrap().parse().unwrap();
    until("it has left", || {
        let stat = fs::read_to_string(format!("/proc/{stray}/stat")).unwrap();
        // Its session is its own.
        (stat.split(' ').nth(5) == Some(&*stray.to_string())).then_some(())
    });
    shop.bench.lanes.stop(cancelled);
    let ended = shop.bench.end();
    assert_eq!(
        (ended.attempt, &ended.end.outcome),
        (cancelled, &Outcome::Stopped)
    );
    assert!(!fs::exists(format!("/proc/{stray}")).unwrap(), "{stray}");
    shop.bench.lanes.stop(beside);
    assert_eq!(shop.bench.end().attempt, beside);
}

#[test]
fn what_a_command_leaves_behind_is_ended_with_it() {
    let shop = Shop::open();
    for script in [
        "sleep 1000 & (setsid sleep 1000 &); exit 0",
        "setsid sh -c 'trap \"\" TERM; sleep 1000 & wait; sleep 1000' & exit 0",
        // Without the mark it is known by its parents.
        "setsid env -i sleep 1000 & setsid env -i sh -c 'sleep 1000 & sleep 1000' & sleep 0.1; exit 0",
    ] {
        assert_eq!(shop.run(shell(script)).end.outcome, done(0), "{script}");
        assert_eq!(shop.processes(), 0, "{script}");
    }
}

#[test]
fn lanes_that_go_down_take_their_commands_along() {
    let shop = Shop::open();
    for _ in 0..3 {
        shop.begin(
            shell("trap '' TERM; (setsid sleep 1000 &); echo up; sleep 1000"),
            None,
        );
    }
    shop.wait_for("up\nup\nup\n");
    shop.bench
        .lanes
        .shutdown(Duration::from_millis(50))
        .unwrap();
    for _ in 0..LIMIT.as_millis() {
        if shop.processes() == 0 {
            return;
        }
        wait_a_moment();
    }
    panic!("{} processes are left", shop.processes());
}

#[test]
fn a_command_with_a_timeout_tells_when_it_begins() {
    let shop = Shop::open();
    let timeout = Some(FOR_EVER);
    let step = || Some(Box::new(step(Invocation::Shell("true".into()))));
    let sleep = TaskSpec::Sleep {
        duration: Duration::ZERO,
    };
    let check = |job: JobSpec, begins: bool| {
        let job = Arc::new(job);
        for lane in Lane::ALL {
            let job = JobSpec {
                lane,
                ..JobSpec::clone(&job)
            };
            let attempt = shop.begin(job.clone(), None);
            let ended = shop.bench.end();
            let begun: Vec<AttemptId> = shop.bench.mail.begun.try_iter().collect();
            let expected = if begins { vec![attempt] } else { Vec::new() };
            assert_eq!(begun, expected, "{job:?}");
            let measures = ended.end.measures;
            assert!(measures.began <= measures.ended);
        }
    };
    let with = |job: JobSpec| JobSpec { timeout, ..job };
    check(with(exec(&["true"])), true);
    check(exec(&["true"]), false);
    // Once for each attempt, with the first of its processes; what is run after it is not the attempt.
    let around = JobSpec {
        setup: step(),
        teardown: step(),
        ..with(exec(&["true"]))
    };
    check(around, true);
    let job = || with(JobSpec::new("job".into(), Lane::Io, sleep.clone()));
    check(job(), false);
    let (setup, teardown) = (step(), step());
    check(JobSpec { setup, ..job() }, true);
    check(JobSpec { teardown, ..job() }, false);
}

#[test]
fn whatever_is_cancelled_while_it_is_made_is_gone_when_that_is_told() {
    let shop = Shop::open();
    // At each moment on its way, from before its turn to after its first words.
    for micros in (0..4_000).step_by(40) {
        let attempt = shop.begin(shell("sleep 1000"), None);
        let clock = shop.bench.clock;
        let until = clock.mono().plus(Duration::from_micros(micros));
        while clock.mono() < until {
            std::hint::spin_loop();
        }
        shop.bench.lanes.stop(attempt);
        assert_eq!(shop.bench.end().end.outcome, Outcome::Stopped);
        assert_eq!(shop.processes(), 0, "after {micros} µs");
    }
}

#[test]
fn the_last_words_of_a_command_that_failed_are_told_with_its_end() {
    let shop = Shop::open();
    let reason = |job: JobSpec| {
        let end = shop.run(job).end;
        let Outcome::Failed(failure) = &end.outcome else {
            panic!("{end:?}");
        };
        end.reason(failure)
    };
    let script = "echo out; echo first >&2; echo 'no such thing' >&2; exit 3";
    let told = "exited with code 3: no such thing";
    assert_eq!(reason(shell(script)), told);
    // The last line need not have an end, and the last words are not those of something that succeeded.
    assert_eq!(
        reason(shell("printf 'oh dear' >&2; kill -KILL $$")),
        "ended by signal 9 (SIGKILL): oh dear"
    );
    assert_eq!(reason(shell("echo no >&1; exit 3")), "exited with code 3");
    let said = shop.run(shell("echo well >&2")).end;
    assert_eq!((said.outcome, said.words), (done(0), None));
    let long = reason(shell("head -c 5000 /dev/zero | tr '\\0' 'ä' >&2; exit 1"));
    assert!(long.chars().count() < 230, "{long}");
    let setup = JobSpec {
        setup: Some(Box::new(step(Invocation::Shell(script.into())))),
        ..exec(&["true"])
    };
    let expected = format!("its setup failed, so it was not begun: {told}");
    assert_eq!(reason(setup), expected);
}

#[test]
fn a_teardown_is_ended_when_it_has_taken_too_long() {
    let shop = Shop::open();
    let limit = Duration::from_millis(50);
    let job = JobSpec {
        teardown: Some(Box::new(step(Invocation::Shell("sleep 1000".into())))),
        teardown_timeout: limit,
        ..exec(&["true"])
    };
    let end = shop.run(job).end;
    assert_eq!(end.outcome, done(0));
    assert_eq!(end.teardown, Some(Failure::Timeout(limit)));
    assert_eq!(shop.processes(), 0);
}
