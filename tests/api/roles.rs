//! Who may do what: each route for each role, over TCP, where the settings say the role of the token.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::daemon::{Answer, Daemon, exchange, mode, wait_for};

const ROLES: [&str; 3] = ["read", "submit", "control"];

/// A daemon on whose address this role comes with the token.
pub(crate) struct Door {
    pub(crate) daemon: Daemon,
    port: u16,
}

impl Door {
    fn open(role: &str) -> Self {
        Self::open_with(role, "")
    }

    /// With more settings of `[api]`.
    pub(crate) fn open_with(role: &str, more: &str) -> Self {
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let settings =
            format!("[api]\ntcp = \"127.0.0.1:{port}\"\n{more}[api.roles]\ntoken = \"{role}\"\n");
        let daemon = Daemon::start(&settings);
        wait_for("the address", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { daemon, port }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask_with("token", method, path, body)
    }

    /// Asks with the token of this name.
    pub(crate) fn ask_as(&self, name: &str, method: &str, path: &str, body: &str) -> Answer {
        self.ask_with(&format!("tokens/{name}"), method, path, body)
    }

    fn ask_with(&self, file: &str, method: &str, path: &str, body: &str) -> Answer {
        let file = self.daemon.place.path().join("state").join(file);
        let token = std::fs::read_to_string(file).unwrap();
        let headers =
            format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let host = format!("127.0.0.1:{}", self.port);
        exchange(stream, &host, method, path, &headers, body)
    }
}

/// What each role may at least be needed for: to look, to ask for a run, all else.
fn needed(method: &str, path: &str) -> usize {
    match (method, path) {
        ("GET", _) => 0,
        ("POST", "/runs" | "/backfills") => 1,
        (_, _) => 2,
    }
}

#[test]
fn each_route_is_for_who_has_its_role() {
    for (rank, role) in ROLES.iter().enumerate() {
        let door = Door::open(role);
        let document = door.daemon.get("/openapi.json").json();
        let mut asked = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            let path = path.replace("{run}", "1").replace("{backfill}", "1");
            let methods = methods.as_object().unwrap().keys();
            for method in methods.filter(|key| *key != "parameters") {
                let method = method.to_uppercase();
                // These would end the daemon, and the stream has no end.
                if rank == 2 && ["/stop", "/drain"].contains(&&*path) || path == "/events" {
                    continue;
                }
                let answer = door.ask(&method, &path, "{}");
                let may = rank >= needed(&method, &path);
                assert_eq!(
                    answer.status != 403,
                    may,
                    "{role} {method} {path}: {answer:?}"
                );
                assert!(
                    may || answer.body.contains(ROLES[needed(&method, &path)]),
                    "{answer:?}"
                );
                asked += 1;
            }
        }
        assert!(asked >= 18, "{asked}");
        assert_eq!(door.ask("DELETE", "/runs", "").status, 405);
        // A job that comes along can be any command.
        let along = door.ask("POST", "/runs", r#"{"job":"x","task":{"sleep":"1ms"}}"#);
        assert_eq!(along.status, [403, 403, 201][rank], "{role}: {along:?}");
        let defined = door.ask("POST", "/runs", r#"{"job":"nap"}"#);
        assert_eq!(defined.status, [403, 201, 201][rank], "{role}: {defined:?}");
    }
}

#[test]
fn who_is_refused_before_the_body_has_come_may_send_it_and_ask_on() {
    let door = Door::open("read");
    let token = std::fs::read_to_string(door.daemon.place.path().join("state/token")).unwrap();
    let head = format!(
        "POST /pause HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n",
        door.port
    );
    let mut stream = TcpStream::connect(("127.0.0.1", door.port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    for _ in 0..3 {
        stream.write_all(head.as_bytes()).unwrap();
        // An answer that does not wait for the body would be there by now.
        let early = stream.peek(&mut [0]);
        stream.write_all(b"{}").unwrap();
        let answer = until_it_ends(&mut stream, "of the settings gives\"}");
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}, {early:?}");
    }
}

/// What comes up to these last words.
fn until_it_ends(stream: &mut TcpStream, last: &str) -> String {
    let mut all = String::new();
    wait_for("an answer", || {
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(0) => panic!("the connection is closed after {all:?}"),
            Ok(length) => all.push_str(std::str::from_utf8(&part[..length]).unwrap()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        all.ends_with(last)
    });
    all
}

#[test]
fn where_roles_are_given_anybody_can_connect_and_the_daemons_own_user_may_do_everything() {
    let daemon = Daemon::start("[api.roles]\nread = [\"4711\", \"group:4711\"]\n");
    wait_for("the socket to be open to all", || {
        mode(&daemon.socket()) == 0o666
    });
    assert_eq!(
        daemon
            .post("/runs", r#"{"job":"x","task":{"sleep":"1ms"}}"#)
            .status,
        201
    );
    let open = Daemon::start("");
    assert_eq!(mode(&open.socket()), 0o660);
    let place = tempfile::tempdir().unwrap();
    let settings = "[api.roles]\ncontrol = [\"group:no-such-group\"]\n";
    std::fs::write(place.path().join("twolane.toml"), settings).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_twolane"))
        .args(["serve", "--config", "twolane.toml"])
        .args([
            "--set",
            "daemon.state_dir=s",
            "--set",
            "daemon.runtime_dir=r",
        ])
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("`group:no-such-group` in `api.roles` is nobody"),
        "{told}"
    );
}
