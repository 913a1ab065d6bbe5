//! The socket stays where it is, whoever takes it away.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

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
