//! The loopback address: who gets in.

use std::net::TcpStream;

use crate::daemon::{Daemon, exchange, mode, wait_for};

#[test]
fn only_who_has_the_token_and_is_no_web_page_gets_in() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let daemon = Daemon::start(&format!("[api]\ntcp = \"127.0.0.1:{port}\"\n"));
    wait_for("the address", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let token_file = daemon.place.path().join("state/token");
    let token = std::fs::read_to_string(&token_file).unwrap();
    assert_eq!(mode(&token_file), 0o600);
    let own = format!("127.0.0.1:{port}");
    let good = format!("authorization: Bearer {token}\r\n");
    let wrong = format!("authorization: Bearer {}\r\n", "0".repeat(64));
    let origin = format!("{good}origin: http://{own}\r\n");
    let cross = format!("{good}sec-fetch-site: cross-site\r\n");
    let same = format!("{good}sec-fetch-site: none\r\n");
    let document = daemon.get("/openapi.json").json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{run}", "1");
        for method in methods
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
        {
            let method = method.to_uppercase();
            for (host, headers, status) in [
                (own.as_str(), "", 401),
                (&own, &wrong, 401),
                ("twolane.example", &good, 403),
                (&own, &origin, 403),
                (&own, &cross, 403),
            ] {
                let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let answer = exchange(stream, host, &method, &path, headers, "");
                assert_eq!(
                    answer.status, status,
                    "{method} {path} {host} {headers:?}: {answer:?}"
                );
            }
        }
    }
    for headers in [&good, &same] {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let answer = exchange(stream, &own, "GET", "/status", headers, "");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let form = format!("{good}content-type: text/plain\r\n");
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let answer = exchange(stream, &own, "POST", "/runs", &form, "{\"job\":\"nap\"}");
    assert_eq!(answer.status, 415, "{answer:?}");
}
