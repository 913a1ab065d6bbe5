//! What the Debian package does on an upgrade, without a systemd: its own script, beside a daemon that runs. The whole
//! of it is tried on a booted system by `tests/systemd/package`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::support::{Place, Process, shipped};

/// What the script asks of systemd, and of whom it is run as.
const SYSTEMCTL: &str =
    "#!/bin/sh\ncase \"$1\" in show) echo \"$DAEMON\" ;; *) echo \"$*\" >>\"$ASKED\" ;; esac\n";
const RUNUSER: &str = "#!/bin/sh\nshift 3\nexec \"$@\"\n";

/// Carries out what an upgrade does to the daemon of this process id.
fn upgrade(place: &Place, daemon: u32) -> (Output, String) {
    let script = fs::read_to_string(shipped("packaging/debian/postinst")).unwrap();
    let (functions, _) = script.split_once("\ncase \"$1\"").unwrap();
    let tools = place.path().join("tools");
    fs::create_dir_all(&tools).unwrap();
    for (name, text) in [("systemctl", SYSTEMCTL), ("runuser", RUNUSER)] {
        fs::write(tools.join(name), text).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let asked = place.path().join("asked");
    let path = path(place);
    let done = Command::new("sh")
        .args(["-c", &format!("{functions}\nrestart")])
        .env_clear()
        .envs([("PATH", &*path), ("DAEMON", &daemon.to_string())])
        .env("ASKED", &asked)
        .output()
        .unwrap();
    (done, fs::read_to_string(asked).unwrap_or_default())
}

/// The tools above before those of the machine, and the program.
fn path(place: &Place) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_twolane")).parent().unwrap();
    let tools = place.path().join("tools");
    let (tools, program) = (tools.display(), program.display());
    format!("{tools}:{program}:{}", std::env::var("PATH").unwrap())
}

fn serve(place: &Place) -> Process {
    let under = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let jobs = under("jobs.toml");
    let env = [
        ("PATH", &*path(place)),
        ("TWOLANE__DAEMON__JOBS", &jobs),
        ("TWOLANE__DAEMON__STATE_DIR", &under("state")),
        ("TWOLANE__DAEMON__RUNTIME_DIR", &under("run")),
    ];
    let mut process = place.start_with(&["serve"], &env);
    process.wait_for("answering on");
    process
}

#[test]
fn an_upgrade_restarts_the_daemon_unless_the_new_one_would_not_start() {
    let good = "[jobs.a]\nsleep = \"1ms\"\n";
    let place = Place::with(&[("jobs.toml", good)]);
    let process = serve(&place);

    place.write("jobs.toml", "[jobs.a]\nslep = \"1ms\"\n");
    let (done, asked) = upgrade(&place, process.id());
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "the upgrade fails: {told}");
    assert_eq!(asked, "", "the daemon is restarted: {told}");
    for words in [
        "slep",
        "NOT restarted",
        "twolane check && systemctl restart twolane",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }

    // None runs: nothing to leave alone, and systemd is asked as ever.
    let (done, asked) = upgrade(&place, 0);
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
    assert_eq!(asked, "try-restart twolane.service\n");

    place.write("jobs.toml", good);
    let (done, asked) = upgrade(&place, process.id());
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
    assert_eq!(asked, "try-restart twolane.service\n".repeat(2));
    process.signal(Signal::KILL);
    process.finish();
}
