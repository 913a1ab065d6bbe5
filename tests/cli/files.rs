//! `twolane init`, `check`, `schema`: the files that people write, and what they are told of them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Place, shipped};

#[test]
fn what_init_writes_is_valid_and_never_overwrites() {
    let place = Place::with(&[]);
    let finished = place.twolane(&["init", "fresh"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let finished = place.twolane(&["check", "--config", "fresh/twolane.toml"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.starts_with("ok: "), "{finished:?}");
    let finished = place.twolane(&["init", "fresh"]);
    assert_eq!(finished.code, Some(5), "{finished:?}");
    assert!(finished.stderr.contains("already there"), "{finished:?}");
}

#[test]
fn check_says_of_every_setting_where_it_comes_from() {
    let place = Place::with(&[
        (
            "twolane.toml",
            "[lanes.cpu]\nworkers = 3\nnice = 7\n[lanes.io]\nconcurrency = 77",
        ),
        ("conf.d/more.toml", "[lanes.cpu]\nnice = 9"),
    ]);
    let args = [
        "check",
        "--show",
        "--config",
        "twolane.toml",
        "--set",
        "queue.aging=30s",
    ];
    let env = [("TWOLANE__LANES__CPU__WORKERS", "4")];
    let finished = place.start_with(&args, &env).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for (key, value, origin) in [
        ("lanes.cpu.workers", "4", "TWOLANE__LANES__CPU__WORKERS"),
        ("lanes.cpu.nice", "9", "conf.d/more.toml:2:"),
        ("lanes.io.concurrency", "77", "twolane.toml:5:"),
        ("queue.aging", "30s", "--set"),
        ("daemon.drain_timeout", "90s", "built-in"),
    ] {
        let line = finished.stdout.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("{key} in {}", finished.stdout));
        assert!(line.contains(value) && line.contains(origin), "{line}");
    }
}

#[test]
fn check_and_serve_refuse_the_same_ways_in() {
    for (api, told, there) in [
        (
            "tcp = \"banana\"",
            "`api.tcp` is \"banana\"",
            "--> twolane.toml:6:1",
        ),
        (
            "tcp = \"0.0.0.0:99\"",
            "a loopback address with a port",
            "--> twolane.toml:6:1",
        ),
        (
            "tokens = [\"ops:admin\"]",
            "`api.tokens` has \"ops:admin\"",
            "--> twolane.toml:7:1",
        ),
        (
            "roles.read = [\"user:nobody-of-this-name\"]",
            "in `api.roles` is nobody",
            "--> twolane.toml:7:7",
        ),
    ] {
        let settings = format!(
            "[daemon]\nstate_dir = \"state\"\nruntime_dir = \"run\"\njobs = []\n[api]\n\
             tcp = \"127.0.0.1:1\"\n{api}\n"
        );
        let settings = settings.replacen("tcp = \"127.0.0.1:1\"\ntcp", "tcp", 1);
        let place = Place::with(&[("twolane.toml", &settings)]);
        for command in ["check", "serve"] {
            let finished = place.twolane(&[command, "--config", "twolane.toml"]);
            assert_eq!(finished.code, Some(3), "{command} {api}: {finished:?}");
            assert!(
                finished.stderr.contains(told) && finished.stderr.contains(there),
                "{command} {api}: {finished:?}"
            );
        }
    }
}

#[test]
fn check_and_serve_refuse_the_same_filters_of_the_log() {
    let settings = "[daemon]\nstate_dir = \"state\"\nruntime_dir = \"run\"\njobs = []\n";
    let place = Place::with(&[("twolane.toml", settings)]);
    for command in ["check", "serve"] {
        for (set, env) in [
            ("log.level=twolane=loud", ""),
            ("log.level=info", "twolane=loud"),
        ] {
            let args = [command, "--config", "twolane.toml", "--set", set];
            let env = [("TWOLANE_LOG", env)];
            let finished = place.start_with(&args, &env).finish();
            assert_eq!(finished.code, Some(3), "{args:?}: {finished:?}");
            assert!(
                finished
                    .stderr
                    .contains("`twolane=loud` is wrong in the log filter"),
                "{args:?}: {finished:?}"
            );
        }
    }
}

#[test]
fn check_tells_every_mistake_of_every_file() {
    let place = Place::with(&[
        ("a.toml", "[jobs.a]\nsleep = 20\npriority = 99"),
        ("b.toml", "[jobs.a]\nsleep = \"1s\"\nafter = \"c\""),
    ]);
    let finished = place.twolane(&["check", "a.toml", "b.toml"]);
    assert_eq!(finished.code, Some(3));
    for place in ["a.toml:2:9", "a.toml:3:12", "b.toml:1:", "b.toml:3:9"] {
        assert!(
            finished.stderr.contains(place),
            "{place} in {}",
            finished.stderr
        );
    }
}

#[test]
fn schemas_are_json() {
    for kind in [
        &["schema"][..],
        &["schema", "jobs"],
        &["schema", "settings"],
    ] {
        let finished = Place::with(&[]).twolane(kind);
        let schema: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(schema["$schema"].is_string() && schema["properties"].is_object());
    }
}

#[test]
fn everything_shipped_is_valid() {
    let place = Place::with(&[]);
    for name in ["config/demo.toml", "config/examples/s01-event-loop.toml"] {
        let path = shipped(name);
        let finished = place.twolane(&["check", path.to_str().unwrap()]);
        assert_eq!(finished.code, Some(0), "{name}: {finished:?}");
    }
    let config = shipped("config/twolane.toml");
    let finished = place.twolane(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let place = Place::with(&[("jobs.d/a.toml", "[jobs.a]\nsleep = \"1s\"")]);
    let pipe = place.path().join("pipe.toml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for (file, expected) in [
        ("pipe.toml", "a pipe or a device, not a regular file"),
        ("/dev/null", "a pipe or a device, not a regular file"),
        ("jobs.d", "a directory, not a file"),
        ("gone.toml", "No such file"),
    ] {
        let finished = place.twolane(&["check", file]);
        assert_eq!(finished.code, Some(3), "{file}: {finished:?}");
        assert!(finished.stderr.contains(expected), "{file}: {finished:?}");
    }
}

#[test]
fn a_path_that_no_socket_can_have_is_told_before_anything_is_made() {
    let place = Place::with(&[("jobs.toml", "[jobs.a]\nsleep = \"1ms\"\n")]);
    // With the name of the socket it has 107 bytes, and one more.
    for (length, code) in [(95, 0), (96, 3)] {
        let long = format!("/{}", "x".repeat(length - 2));
        let settings = format!(
            "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"{long}/\"\n"
        );
        place.write("twolane.toml", &settings);
        let commands = if code == 0 {
            &["check"][..]
        } else {
            &["check", "serve"]
        };
        for command in commands {
            let done = place.twolane(&[command, "--config", "twolane.toml"]);
            assert_eq!(done.code, Some(code), "{command}: {}", done.stderr);
            let told = [
                &*long,
                "has 108 bytes",
                "at most 107",
                "twolane.toml:4",
                "a shorter path",
            ];
            for words in told.iter().filter(|_| code != 0) {
                assert!(
                    done.stderr.contains(words),
                    "{command} {words}: {}",
                    done.stderr
                );
            }
        }
    }
    assert!(!place.path().join("state").exists());
}

#[test]
fn check_warns_root_of_what_the_daemon_may_not_read() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let place = Place::with(&[
        ("etc/twolane.toml", "[daemon]\nstate_dir = \"../state\""),
        ("etc/jobs.d/closed.toml", "[jobs.a]\nsleep = \"1s\""),
        ("state/made", ""),
    ]);
    let at = |name: &str| place.path().join(name);
    let mode = |name: &str, mode| {
        std::fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    };
    for (name, bits) in [
        ("etc", 0o755),
        ("etc/twolane.toml", 0o644),
        ("etc/jobs.d", 0o755),
    ] {
        mode(name, bits);
    }
    for (owner, bits, warned) in [(4001, 0o600, true), (4001, 0o644, false), (0, 0o600, false)] {
        std::os::unix::fs::chown(at("state"), Some(owner), None).unwrap();
        mode("etc/jobs.d/closed.toml", bits);
        let finished = place.twolane(&["check", "--config", "etc/twolane.toml"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let said = finished
            .stderr
            .contains("warning: the daemon may not read ")
            && finished.stderr.contains("closed.toml\nhint: chmod o+rX ");
        assert_eq!(said, warned, "{owner} {bits:o}: {finished:?}");
        assert_eq!(finished.stderr.is_empty(), !warned, "{finished:?}");
    }
}
