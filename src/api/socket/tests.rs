//! The socket is known and has its mode before anybody can connect.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Barrier;
use std::thread;

use super::{OWN, Socket};

/// Enough for somebody who tries all the time to come between two steps.
const TIMES: usize = 200;

/// More than there is time for between two steps; so that it ends, whatever else fails.
const TRIES: usize = 10_000_000;

#[test]
fn nobody_can_connect_before_it_is_known_whose_it_is() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("socket");
    for _ in 0..TIMES {
        let both = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                let mut tries = 0..TRIES;
                assert!(tries.any(|_| UnixStream::connect(&path).is_ok()));
                let mode = path.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o777, OWN, "who can connect finds it as it stays");
            });
            both.wait();
            let socket = Socket::bind(path.clone()).unwrap();
            assert!(socket.is_in_place());
            socket
        });
        std::fs::remove_file(&path).unwrap();
    }
}
