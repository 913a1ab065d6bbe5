//! A canary: jobs say their secrets in every way there is, and nobody finds a byte of them anywhere.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use crate::daemon::Daemon;

const TOKEN: &str = "canary/tok+en zqxj";
const PASSWORD: &str = "canary-in-a-file-of-variables";

/// How they may be found: as they are, in parts of them, in base64 and in URLs.
const TRACES: [&str; 9] = [
    "canary",
    "tok+en",
    "zqxj",
    "in-a-file",
    "Y2FuYXJ5",
    "NhbmFyeS",
    "jYW5hcn",
    "tok%2Ben",
    "en%20zqxj",
];

/// What a job says. It stands in a file, since what stands in a job is everybody's to read.
const SCRIPT: &str = r#"
echo "plain $TOKEN and $PASSWORD"; echo "$TOKEN" >&2
printf 'can'; sleep 0.05; printf 'ary/tok'; sleep 0.05; printf '+en zqxj\n'
printf %s "$TOKEN" | base64; printf 'x%s' "$TOKEN" | base64; printf 'xy%s' "$PASSWORD" | base64
echo "q=canary%2Ftok%2Ben%20zqxj&r=canary%2ftok%2ben+zqxj"
printf 'half: can'; sleep 1.3; printf 'ary/tok'; sleep 1.3; printf '+en zqxj, and on\n'
printf 'no line end: %s' "$TOKEN"
exit 3
"#;

const JOBS: &str = r#"
[jobs.says]
shell = ". ./script"
setup = "echo before $TOKEN"
teardown = "echo after $TOKEN >&2; exit 4"
secrets = { TOKEN = { file = "token" } }
env_file = "variables"
[jobs.long]
shell = "head -c 16370 /dev/zero | tr '\\0' x; echo \"$TOKEN\"; head -c 3000000 /dev/zero | tr '\\0' y; echo \"$TOKEN\""
secrets = { TOKEN = { file = "token" } }
[jobs.echoed]
http = { url = "http://127.0.0.1:PORT/good", headers = { X-Token = "<{secret.TOKEN}>" } }
secrets = { TOKEN = { file = "token" } }
[jobs.refused]
http = { url = "http://127.0.0.1:PORT/bad", headers = { X-Token = "{secret.TOKEN}" } }
secrets = { TOKEN = { file = "token" } }
[jobs.credential]
shell = "test ${#KEY} = 18 && echo it is $KEY"
secrets = { KEY = { credential = "key" } }
[jobs.missing]
shell = "true"
secrets = { KEY = { credential = "none" } }
"#;

/// Answers each request with its own words, as a success or not.
fn echo(listener: &TcpListener) {
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let token = head
            .lines()
            .find_map(|line| line.strip_prefix("x-token: "))
            .unwrap();
        assert!(token.contains(TOKEN), "{head}");
        let status = if head.starts_with("GET /good") {
            "200 OK"
        } else {
            "403 No"
        };
        let body = format!("you said {token}, which is wrong");
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\netag: \"{token}\"\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
    }
}

/// Every file below a directory.
fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

#[test]
fn what_a_job_says_of_its_secrets_is_found_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || echo(&listener));
    let credentials = tempfile::tempdir().unwrap();
    std::fs::write(credentials.path().join("key"), TOKEN).unwrap();
    let daemon = Daemon::start_with("", &[("CREDENTIALS_DIRECTORY", credentials.path())]);
    let place = daemon.place.path();
    std::fs::write(place.join("token"), format!("{TOKEN}\n")).unwrap();
    std::fs::write(place.join("script"), SCRIPT).unwrap();
    std::fs::write(place.join("variables"), format!("PASSWORD='{PASSWORD}'\n")).unwrap();
    let jobs = JOBS.replace("PORT", &port.to_string());
    std::fs::write(place.join("jobs.toml"), jobs).unwrap();
    let reloaded = daemon.post("/reload", "");
    assert_eq!(reloaded.json()["reloaded"], true, "{}", reloaded.body);
    let mut told = Vec::new();
    for (run, (job, state)) in (1..).zip([
        ("says", "failed"),
        ("long", "succeeded"),
        ("echoed", "succeeded"),
        ("refused", "failed"),
        ("credential", "succeeded"),
        ("missing", "failed"),
    ]) {
        daemon.post("/runs", &format!("{{\"job\":\"{job}\"}}"));
        daemon.wait_for_state(run, state);
        for path in [format!("/runs/{run}"), format!("/runs/{run}/log")] {
            told.push((path.clone(), daemon.get(&path).body.into_bytes()));
        }
    }
    server.join().unwrap();
    for path in ["/runs", "/jobs", "/logs", "/history", "/status"] {
        told.push((path.to_owned(), daemon.get(path).body.into_bytes()));
    }
    masked(&told);
    files(&place.join("state"), &mut told);
    told.push((
        "log".to_owned(),
        std::fs::read(place.join("daemon.log")).unwrap(),
    ));
    assert!(told.len() > 20);
    for (what, bytes) in told {
        no_trace(&what, &bytes);
    }
}

fn no_trace(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for trace in TRACES {
        let around = |at: usize| {
            let bytes = &text.as_bytes()[at.saturating_sub(60)..];
            String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
        };
        let found = text.find(trace).map(around);
        assert_eq!(found, None, "{trace} stands in {what}");
    }
}

/// What was said is there, with a mask in place of the secrets.
fn masked(told: &[(String, Vec<u8>)]) {
    let of = |path: &str| {
        let found = told.iter().find(|(known, _)| known == path).unwrap();
        String::from_utf8_lossy(&found.1).into_owned()
    };
    let says = of("/runs/1/log");
    for line in [
        "plain *** and ***",
        "\"***\"",
        "before ***",
        "after ***",
        "q=***&r=***",
        "half: ",
        "***, and on",
        "no line end: ***",
    ] {
        assert!(says.contains(line), "{line}: {says}");
    }
    assert!(
        of("/runs/3").contains("you said <***>, which"),
        "{}",
        of("/runs/3")
    );
    assert!(of("/runs/4").contains("***"), "{}", of("/runs/4"));
    assert!(
        of("/runs/5/log").contains("it is ***"),
        "{}",
        of("/runs/5/log")
    );
    assert!(
        of("/runs/6").contains("cannot read the secret `KEY`"),
        "{}",
        of("/runs/6")
    );
}
