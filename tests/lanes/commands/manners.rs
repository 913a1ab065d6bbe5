//! What commands find when they begin, and what is run around them.

use super::*;

#[test]
fn arguments_are_never_split_and_are_in_the_environment() {
    let shop = Shop::open();
    let job = exec(&[
        "sh",
        "-c",
        "printf '%s|' \"$@\" \"$TWOLANE_ARG_FILE\" \"$TWOLANE_ARG_N_M\"",
        "-",
        "<{file}>",
        "{{file}}",
        "{n-m}",
    ]);
    shop.begin(job, Some(json!({ "file": "a b; $(id) 'x", "n-m": [1, 2] })));
    assert_eq!(shop.bench.end().end.outcome, done(0));
    assert_eq!(
        shop.out(),
        "<a b; $(id) 'x>|{file}|[1,2]|a b; $(id) 'x|[1,2]|\n"
    );
}

#[test]
fn the_environment_is_clean_and_says_which_run_it_is() {
    let shop = Shop::open();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("more.env");
    fs::write(&file, "FROM_FILE=1\nBOTH=file\n").unwrap();
    shop.run(around(exec(&["env"]), |a| {
        a.env = [("BOTH", "job"), ("OWN", "x y")]
            .map(|(n, v)| (n.into(), v.into()))
            .into();
        a.env_file = Some(file);
    }));
    let out = shop.out();
    let base = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "PWD",
    ];
    let own: Vec<&str> = out
        .lines()
        .filter(|line| !base.contains(&line.split('=').next().unwrap()))
        .collect();
    let key = format!("TWOLANE_KEY={}-0", shop.instance);
    let stage = format!("TWOLANE_STAGE={}-0/0", shop.instance);
    let mut expected = vec![
        "BOTH=job",
        "FROM_FILE=1",
        "OWN=x y",
        "TWOLANE_ATTEMPT=1",
        "TWOLANE_JOB=job",
        &key,
        "TWOLANE_RUN=0",
        &stage,
    ];
    let mut own_sorted = own.clone();
    own_sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(own_sorted, expected);
}

#[test]
fn a_terminal_of_its_own_is_one() {
    let shop = Shop::open();
    let job = but(
        shell("test -t 0 && test -t 1 && test -t 2 && echo yes; echo err >&2"),
        |c| c.pty = true,
    );
    assert_eq!(shop.run(job).end.outcome, done(0));
    assert_eq!(shop.out(), "yes\r\nerr\r\n");
    // Programs show colours only on a terminal of a kind that they know, and some divide by its size.
    let job = but(shell("echo $TERM; stty size"), |c| c.pty = true);
    assert_eq!(shop.run(job).end.outcome, done(0));
    assert_eq!(shop.out(), "yes\r\nerr\r\nxterm-256color\r\n24 80\r\n");
    let attempt = shop.begin(
        JobSpec {
            grace: Duration::from_millis(50),
            ..but(
                shell("trap '' TERM HUP; echo up; sleep 1000; sleep 1000"),
                |c| c.pty = true,
            )
        },
        None,
    );
    shop.wait_for("up");
    shop.bench.lanes.stop(attempt);
    assert_eq!(shop.bench.end().end.outcome, Outcome::Stopped);
    assert_eq!(shop.processes(), 0);
}

#[test]
fn setup_and_teardown_are_run_around_whatever_comes_of_the_task() {
    let script = |text: &str| Some(Box::new(step(Invocation::Shell(text.into()))));
    let with = |task: JobSpec, setup: &str, teardown: &str| JobSpec {
        setup: script(setup),
        teardown: script(teardown),
        grace: Duration::from_millis(50),
        ..task
    };
    let check = |job: JobSpec, outcome: &Outcome, teardown: Option<Failure>, out: &str| {
        for lane in Lane::ALL {
            let shop = Shop::open();
            let ended = shop.run(JobSpec {
                lane,
                ..job.clone()
            });
            assert_eq!(
                (&ended.end.outcome, &ended.end.teardown),
                (outcome, &teardown)
            );
            assert_eq!(shop.out(), out);
        }
    };
    check(
        with(shell("echo b"), "echo a", "echo c"),
        &done(0),
        None,
        "a\nb\nc\n",
    );
    let failed = Outcome::Failed(Failure::Exit(3));
    check(
        with(shell("exit 3"), "echo a", "echo c; exit 9"),
        &failed,
        Some(Failure::Exit(9)),
        "a\nc\n",
    );
    let why = "its setup failed, so it was not begun: exited with code 1";
    let failed = Outcome::Failed(Failure::Error(why.into()));
    check(
        with(shell("echo b"), "exit 1", "echo c"),
        &failed,
        None,
        "c\n",
    );
    let sleep = JobSpec::new("job".into(), Lane::Io, crate::support::sleep(FOR_EVER));
    let shop = Shop::open();
    let attempt = shop.begin(with(sleep, "echo up", "echo down"), None);
    shop.wait_for("up");
    shop.bench.lanes.stop(attempt);
    assert_eq!(shop.bench.end().end.outcome, Outcome::Stopped);
    assert_eq!(shop.out(), "up\ndown\n");
}

#[test]
fn manners_are_kept_before_the_program_begins() {
    let shop = Shop::open();
    let job = around(shell("umask; nice; ulimit -n; ulimit -c"), |a| {
        a.umask = Some(0o027);
        a.nice = Some(3);
        a.rlimits = [("files", 77), ("core", 0)]
            .map(|(n, v)| (n.into(), v))
            .into();
    });
    assert_eq!(shop.run(job).end.outcome, done(0));
    let own = rustix::process::getpriority_process(None).unwrap();
    assert_eq!(shop.out(), format!("0027\n{}\n77\n0\n", own + 3));
    let shop = Shop::open();
    let job = around(shell("ulimit -St; ulimit -Ht; while :; do :; done"), |a| {
        a.rlimits = [("cpu".into(), 1)].into();
    });
    let out_of_cpu = Outcome::Failed(Failure::Signal(libc::SIGXCPU));
    assert_eq!(shop.run(job).end.outcome, out_of_cpu);
    assert_eq!(shop.out(), "1\n2\n");
    // Whom it runs as only root can choose; anybody else is told so.
    let shop = Shop::open();
    let ended = shop.run(around(
        shell("id -un; grep NoNewPrivs /proc/self/status; echo $HOME"),
        |a| {
            a.user = Some("nobody".into());
        },
    ));
    if rustix::process::geteuid().is_root() {
        assert_eq!(ended.end.outcome, done(0));
        assert_eq!(shop.out(), "nobody\nNoNewPrivs:\t1\n/nonexistent\n");
    } else {
        assert!(error(&ended).contains("become user"), "{}", error(&ended));
    }
}

#[test]
fn what_a_command_used_is_measured() {
    let shop = Shop::open();
    let ended = shop.run(shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
    let cpu = ended.end.measures.cpu.unwrap();
    assert!(cpu > Duration::from_millis(10), "{cpu:?}");
    let ended = shop.run(exec(&["python3", "-c", "x = bytearray(300_000_000)"]));
    if ended.end.outcome == done(0) {
        // What it had is its own only beyond what this process has had.
        match ended.end.measures.memory {
            Some(memory) => assert!(memory > 280 << 20, "{memory}"),
            None => assert!(own_peak() > 280 << 10, "{} KiB", own_peak()),
        }
    }
}

/// The most memory that this process has had, in KiB.
fn own_peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}
