//! What hangs together is tried once more together, or it is told why not.

use serde_json::json;

use crate::daemon::Daemon;

#[test]
fn what_a_run_shares_with_another_submission_is_tried_once_more_with_it() {
    let daemon = Daemon::start("");
    let submit = |job: &str| daemon.twolane(&["submit", job]).1;
    assert_eq!(submit("shared-wish"), "1\n");
    assert_eq!(submit("after-wish"), "2\n");
    daemon.wait_for_state(1, "running");
    let early = daemon.post("/runs/1/retry?graph=true", "");
    assert_eq!(early.status, 409, "{early:?}");
    assert!(early.body.contains("run 1 is not over"), "{early:?}");

    daemon.post("/runs/1/complete", r#"{"error":"no"}"#);
    daemon.wait_for_state(2, "skipped");
    let again = daemon.post("/runs/2/retry?graph=true", "");
    assert_eq!(
        again.json(),
        json!({ "run": 1, "state": "queued", "with": [2] })
    );
    daemon.wait_for_state(1, "running");
    daemon.wait_for_state(2, "blocked");
    daemon.post("/runs/1/complete", "{}");
    daemon.wait_for_state(2, "succeeded");

    let (well, _, told) = daemon.twolane(&["retry", "--graph", "2"]);
    assert!(!well);
    let expected = "nothing that hangs together with run 2 has failed";
    assert!(told.contains(expected), "{told}");
    assert!(told.contains("submit it again"), "{told}");
    assert_eq!(daemon.post("/runs/9/retry?graph=true", "").status, 404);
}
