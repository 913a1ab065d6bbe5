//! The socket stays where it is, whoever takes it away.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use crate::daemon::{Daemon, mode, wait_for};

#[test]
fn a_socket_that_somebody_removes_comes_back() {
    let daemon = Daemon::start("");
    let socket = daemon.socket();
    let directory = socket.parent().unwrap();
    let before = UnixStream::connect(&socket).unwrap();
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let rename = |path: &Path| fs::rename(path, path.with_extension("old")).unwrap();
    // It may be back before its directory is gone.
    let remove_all = |_: &Path| {
        wait_for("the directory to go", || {
            fs::remove_dir_all(directory).is_ok()
        });
    };
    let rename_all = |_: &Path| fs::rename(directory, directory.with_extension("old")).unwrap();
    let losses: [&dyn Fn(&Path); 5] = [&remove, &rename, &remove_all, &rename_all, &remove];
    for loss in losses {
        loss(&socket);
        wait_for("the socket", || UnixStream::connect(&socket).is_ok());
        assert_eq!(daemon.get("/jobs").status, 200);
        assert_eq!(mode(&socket), 0o660);
    }
    assert!(before.peer_addr().is_ok(), "who was connected still is");
    wait_for("a word about each", || {
        let log = fs::read_to_string(daemon.place.path().join("daemon.log")).unwrap();
        log.matches("it is there again").count() >= losses.len()
    });
}

#[test]
fn a_socket_that_is_somebody_elses_stays_theirs() {
    let mut daemon = Daemon::start("");
    let socket = daemon.socket();
    let mine = socket.with_extension("mine");
    let listener = UnixListener::bind(&mine).unwrap();
    fs::rename(&mine, &socket).unwrap();
    daemon.terminate();
    assert!(UnixStream::connect(&socket).is_ok());
    drop(listener);
}

#[test]
fn who_names_the_settings_of_a_daemon_asks_that_one() {
    let daemon = Daemon::start("");
    // Elsewhere than the daemon was started, and with another one's socket in the environment.
    let exit = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twolane"));
        command.current_dir("/").env("TWOLANE_SOCKET", "/no/socket");
        command.args(args).output().unwrap().status.code().unwrap()
    };
    let config = daemon.place.path().join("twolane.toml");
    let config = config.to_str().unwrap();
    let socket = daemon.socket();
    let socket = socket.to_str().unwrap();
    let cases: [(&[&str], i32); 7] = [
        (&["status"], 6),
        (&["--config", config, "status"], 0),
        (&["--config", config, "history"], 0),
        (&["--config", config, "backfill", "--list"], 0),
        (&["--config", "/no/file", "--socket", socket, "status"], 0),
        (&["--config", "/no/file", "status"], 3),
        (&["--set", "no.such=1", "status"], 3),
    ];
    for (args, expected) in cases {
        assert_eq!(exit(args), expected, "{args:?}");
    }
}
