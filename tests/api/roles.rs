//! Who may do what: each route for each role, over TCP, where the settings say the role of the token.

use std::net::TcpStream;

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
