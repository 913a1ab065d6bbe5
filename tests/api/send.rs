//! What is sent to runs while they run.

use serde_json::json;

use crate::daemon::Daemon;

#[test]
fn what_is_sent_is_delivered_or_it_is_said_why_not() {
    let daemon = Daemon::start("");
    let send = |run: u64, body: &str| daemon.post(&format!("/runs/{run}/send"), body);
    assert_eq!(daemon.post("/runs", r#"{"job":"echo"}"#).status, 201);
    daemon.wait_for_state(1, "running");
    for body in [
        r#"{"value":"hello"}"#,
        r#"{"value":null}"#,
        r#"{"end":true}"#,
    ] {
        let sent = send(1, body);
        assert_eq!(
            (sent.status, sent.json()),
            (200, json!({ "run": 1, "delivered": true }))
        );
    }
    daemon.wait_for_state(1, "succeeded");
    let log = daemon.get("/runs/1/log").body;
    assert!(log.contains("<hello>") && log.contains("<null>"), "{log}");
    let late = send(1, r#"{"value":1}"#);
    assert!(
        late.status == 409 && late.body.contains("succeeded"),
        "{late:?}"
    );

    for (job, run) in [("long", 2), ("wish", 3)] {
        let body = format!("{{\"job\":\"{job}\"}}");
        assert_eq!(daemon.post("/runs", &body).status, 201);
        daemon.wait_for_state(run, "running");
        let refused = send(run, r#"{"value":1}"#);
        assert!(
            refused.status == 409 && refused.body.contains("takes no input"),
            "{refused:?}"
        );
    }
}
