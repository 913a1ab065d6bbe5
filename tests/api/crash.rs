//! What is left of thousands of runs when their daemon is killed.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use crate::daemon::{Daemon, wait_for};

/// More than are made in the time that it takes to kill it.
const RUNS: usize = 1_000;

/// Kills; a run that goes down more often than three times is given up.
const KILLS: usize = 5;

#[test]
fn what_had_begun_is_never_made_again_and_what_waited_is() {
    // Where it is known after a kill what had begun, that is in memory.
    let Ok(place) = tempfile::tempdir_in("/dev/shm") else {
        return println!("not tested: there is no /dev/shm (mount -t tmpfs tmpfs /dev/shm)");
    };
    let done = place.path().join("done");
    let mut daemon = Daemon::start_in(place, "", &[]);
    let line = json!({ "job": "once", "args": { "file": done } });
    let head = "content-type: application/x-ndjson\r\n";
    let answer = daemon.ask("POST", "/runs", head, &format!("{line}\n").repeat(RUNS));
    assert_eq!(answer.status, 200, "{:.200}", answer.body);
    let written = || fs::read_to_string(&done).unwrap_or_default();
    for _ in 0..KILLS {
        let before = written().len();
        wait_for("another one", || written().len() > before);
        daemon.kill();
        daemon.restart();
    }
    let over = |state: &str| {
        let status = daemon.get("/status").json();
        usize::try_from(status["runs"][state].as_u64().unwrap()).unwrap()
    };
    wait_for("a word about what waits again", || {
        let log = fs::read_to_string(daemon.place.path().join("daemon.log")).unwrap();
        log.contains("had not begun waits again")
    });
    wait_for("the end of all", || {
        over("succeeded") + over("failed") == RUNS
    });
    let written = written();
    let runs: BTreeSet<&str> = written.lines().collect();
    assert_eq!(runs.len(), written.lines().count(), "none is made twice");
    // Nobody knows whether what had begun was done: what was made last and what ran, at each kill. If all that was in the
    // lane counted, hardly any would be left.
    let lost = over("failed");
    assert!(
        lost <= RUNS / 2,
        "{lost} of {RUNS} are lost by {KILLS} kills"
    );
}
