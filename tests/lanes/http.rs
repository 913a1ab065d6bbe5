//! The `http` task against servers that answer as servers do: well, late, half, or not at all.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};
use twolane::engine::http::{HttpBody, HttpSpec, Proxy, Statuses};
use twolane::engine::outcome::Outcome;
use twolane::engine::spec::{Lane, TaskSpec};
use twolane::inbox::Ended;
use twolane::lanes::Handlers;

use crate::support::{Bench, LIMIT, error, order, value};

/// What "hello" hashes to.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// What a request was, as it came.
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

/// A server that answers by the path, on threads that end with the test.
struct Server {
    address: SocketAddr,
    asked: Receiver<Asked>,
    /// Says that a client went away while it was kept waiting.
    gone: Receiver<()>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = channel();
        let (tell_gone, gone) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (tell, tell_gone) = (tell.clone(), tell_gone.clone());
                std::thread::spawn(move || serve(&stream.unwrap(), &tell, &tell_gone));
            }
        });
        Self {
            address,
            asked,
            gone,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> HttpSpec {
        spec(self.url(path))
    }
}

/// One connection; it is closed after an answer that has no length.
fn serve(stream: &TcpStream, tell: &Sender<Asked>, gone: &Sender<()>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut out = stream;
    let mut answer = |text: &str| out.write_all(text.as_bytes()).ok();
    loop {
        let asked = read(&mut reader)?;
        let path = asked.line.split(' ').nth(1)?.to_owned();
        let body = asked.body.clone();
        // A test that has seen enough is gone.
        let _ = tell.send(asked);
        match &*path {
            "/hello" => answer(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
            )?,
            "/missing" => answer(
                "HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n\n  no such thing  \nxy\n",
            )?,
            "/to-hello" => {
                answer("HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n")?
            }
            "/to-itself" => {
                answer("HTTP/1.1 302 Found\r\nLocation: /to-itself\r\nContent-Length: 0\r\n\r\n")?
            }
            "/to-missing" => {
                answer("HTTP/1.1 302 Found\r\nLocation: /missing\r\nContent-Length: 0\r\n\r\n")?
            }
            "/cut" => {
                answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")?;
                return None;
            }
            "/large" => {
                answer("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n")?;
                for _ in 0..20 {
                    answer(&"äö".repeat(250_000))?;
                }
            }
            "/echo" => answer(&format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))?,
            "/garbage" => {
                answer("what do you want?\r\n\r\n")?;
                return None;
            }
            "/half" => {
                answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")?;
                until_gone(&mut reader, gone);
                return None;
            }
            "/never" => {
                until_gone(&mut reader, gone);
                return None;
            }
            _ => answer("HTTP/1.1 204 No Content\r\n\r\n")?,
        }
    }
}

fn until_gone(reader: &mut impl Read, gone: &Sender<()>) {
    let _ = reader.read(&mut [0]);
    let _ = gone.send(());
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut next = || {
        let mut line = String::new();
        let n = reader.read_line(&mut line).ok()?;
        (n > 0).then(|| line.trim_end().to_owned())
    };
    let line = next()?;
    let headers: Vec<String> = std::iter::from_fn(next)
        .take_while(|line| !line.is_empty())
        .collect();
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |n| n.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        line,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

/// A plain request that no proxy of whoever runs the tests gets to see.
fn spec(url: impl Into<std::sync::Arc<str>>) -> HttpSpec {
    HttpSpec {
        proxy: Proxy::Off,
        ..HttpSpec::get(url)
    }
}

fn run(bench: &Bench, spec: HttpSpec) -> Box<Ended> {
    bench.run(Lane::Io, TaskSpec::Http(Box::new(spec)))
}

fn bench() -> Bench {
    Bench::new(Handlers::new())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn an_answer_is_the_result() {
    let (bench, server) = (bench(), Server::start());
    let ended = run(&bench, server.get("/hello"));
    let expected = json!({
        "status": 200, "headers": {"content-type": "text/plain"},
        "bytes": 5, "text": "hello", "truncated": false, "lossless": true,
    });
    assert_eq!(value(&ended), &expected);
    let asked = server.asked.recv_timeout(LIMIT).unwrap();
    assert_eq!(asked.line, "GET /hello HTTP/1.1");
    let agent = concat!("user-agent: twolane/", env!("CARGO_PKG_VERSION"));
    assert!(asked.headers.iter().any(|header| header == agent));
    assert_eq!(value(&run(&bench, server.get("/empty")))["bytes"], 0);
}

#[test]
fn a_large_answer_is_cut_and_counted() {
    let (bench, server) = (bench(), Server::start());
    let ended = run(&bench, server.get("/large"));
    let value = value(&ended);
    assert_eq!(value["bytes"], 20_000_000);
    assert_eq!(value["truncated"], true);
    assert_eq!(value["lossless"], true);
    assert_eq!(value["text"].as_str().unwrap().len(), 64 << 10);
}

#[test]
fn statuses_are_those_that_are_expected() {
    let (bench, server) = (bench(), Server::start());
    let url = server.url("/missing");
    assert_eq!(
        error(&run(&bench, server.get("/missing"))),
        format!("GET {url}: unexpected status 404 Not Found: no such thing")
    );
    let mut spec = server.get("/missing");
    let statuses = |first, last| Statuses { first, last };
    spec.expect = vec![statuses(200, 200), statuses(400, 499)];
    assert_eq!(value(&run(&bench, spec.clone()))["status"], 404);
    spec.url = server.url("/hello").into();
    spec.expect = vec![statuses(201, 299)];
    assert_eq!(
        error(&run(&bench, spec)),
        format!(
            "GET {}: unexpected status 200 OK: hello",
            server.url("/hello")
        )
    );
}

#[test]
fn redirects_are_followed_so_far() {
    let (bench, server) = (bench(), Server::start());
    assert_eq!(
        value(&run(&bench, server.get("/to-hello")))["text"],
        "hello"
    );
    let (from, to) = (server.url("/to-missing"), server.url("/missing"));
    assert_eq!(
        error(&run(&bench, server.get("/to-missing"))),
        format!("GET {from}: unexpected status 404 Not Found from {to}: no such thing")
    );
    let mut spec = server.get("/to-itself");
    spec.redirects = 2;
    let url = server.url("/to-itself");
    assert_eq!(
        error(&run(&bench, spec.clone())),
        format!("GET {url}: more than 2 redirects (`redirects`) (at {url})")
    );
    spec.redirects = 0;
    assert_eq!(
        error(&run(&bench, spec)),
        format!("GET {url}: unexpected status 302 Found: it leads to /to-itself")
    );
}

#[test]
fn arguments_arrive_where_their_names_stand() {
    let (bench, server) = (bench(), Server::start());
    let mut spec = server.get("/{word}?n={n}");
    spec.method = "POST".into();
    spec.headers = vec![("x-word".into(), "<{word}>".into())];
    spec.body = Some(HttpBody::Text("{{{word}}} {list}".into()));
    let submit = |spec: &HttpSpec, args: Value| {
        let mut order = order(1, Lane::Io, TaskSpec::Http(Box::new(spec.clone())));
        order.args = Some(args.into());
        bench.lanes.submit(order).unwrap();
        bench.end()
    };
    let args = json!({"word": "a b/ü", "n": 7, "list": [1, true]});
    assert_eq!(value(&submit(&spec, args))["status"], 204);
    let asked = server.asked.recv_timeout(LIMIT).unwrap();
    assert_eq!(asked.line, "POST /a%20b%2F%C3%BC?n=7 HTTP/1.1");
    assert!(
        asked.headers.contains(&"x-word: <a b/ü>".to_owned()),
        "{:?}",
        asked.headers
    );
    assert_eq!(asked.body, "{a b/ü} [1,true]");

    let url = server.url("/{word}?n={n}");
    for (word, why) in [
        (
            "..",
            "the argument `word` is `..`, which would change the path",
        ),
        (
            "a\nb",
            "the header `x-word` would have a line end or the like in it",
        ),
    ] {
        let ended = submit(&spec, json!({"word": word}));
        assert_eq!(error(&ended), format!("cannot ask for `{url}`: {why}"));
    }

    let base = json!({"word": server.url("/hello")});
    assert_eq!(value(&submit(&self::spec("{word}"), base))["text"], "hello");
}

#[test]
fn a_file_is_sent_along() {
    let (bench, server) = (bench(), Server::start());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    fs::write(&path, "x".repeat(200_000)).unwrap();
    let mut spec = server.get("/echo");
    spec.method = "PUT".into();
    spec.body = Some(HttpBody::File(path.clone()));
    assert_eq!(value(&run(&bench, spec.clone()))["bytes"], 200_000);
    fs::remove_file(&path).unwrap();
    assert_eq!(
        error(&run(&bench, spec)),
        format!(
            "PUT {}: cannot read the body from {}: No such file or directory (os error 2)",
            server.url("/echo"),
            path.display()
        )
    );
}

#[test]
fn a_download_is_there_as_a_whole_or_not_at_all() {
    let (bench, server) = (bench(), Server::start());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("in.txt");
    let mut spec = server.get("/hello");
    spec.save_to = Some(path.clone());
    spec.sha256 = Some(HELLO.into());
    let expected = json!({
        "status": 200, "headers": {"content-type": "text/plain"},
        "bytes": 5, "saved_to": path.to_str().unwrap(), "sha256": HELLO,
    });
    fs::write(&path, "what was there before").unwrap();
    assert_eq!(value(&run(&bench, spec.clone())), &expected);
    assert_eq!(fs::read_to_string(&path).unwrap(), "hello");

    let other = "0".repeat(64);
    spec.sha256 = Some(other.as_str().into());
    fs::write(&path, "what was there before").unwrap();
    assert_eq!(
        error(&run(&bench, spec.clone())),
        format!(
            "GET {}: the answer's SHA-256 is {HELLO}, and has to be {other}; {} is as it was",
            server.url("/hello"),
            path.display()
        )
    );
    spec.url = server.url("/cut").into();
    assert!(error(&run(&bench, spec.clone())).contains("broke off after 5 of 100 bytes"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "what was there before");
    assert_eq!(names(directory.path()), ["in.txt"]);

    let nowhere = directory.path().join("no/in.txt");
    spec.save_to = Some(nowhere.clone());
    assert_eq!(
        error(&run(&bench, spec)),
        format!(
            "cannot create {}: No such file or directory (os error 2)",
            nowhere.display()
        )
    );
}

#[test]
fn an_answer_is_dropped_as_soon_as_it_is_to_stop() {
    let (bench, server) = (bench(), Server::start());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("in.txt");
    for (kind, url) in (0..).zip(["/never", "/half"]) {
        // The machine may be busy with anything at one moment, but not each time.
        let soonest = (0..5).map(|n| {
            let mut spec = server.get(url);
            spec.save_to = Some(path.clone());
            let task = TaskSpec::Http(Box::new(spec));
            let attempt = bench.submit(5 * kind + n, Lane::Io, task);
            server.asked.recv_timeout(LIMIT).unwrap();
            let asked = bench.clock.mono();
            bench.lanes.stop(attempt);
            let ended = bench.end();
            assert_eq!(ended.end.outcome, Outcome::Stopped);
            // The connection goes with it.
            server.gone.recv_timeout(LIMIT).unwrap();
            ended.end.measures.ended.mono.since(asked)
        });
        let soonest = soonest.min();
        assert!(soonest < Some(Duration::from_millis(100)), "{soonest:?}");
    }
    // A file that was being made when the stop came goes a moment later.
    let stopped = bench.clock.mono();
    while !names(directory.path()).is_empty() {
        let left = names(directory.path());
        assert!(bench.clock.mono().since(stopped) < LIMIT, "{left:?}");
        std::thread::yield_now();
    }
}

#[test]
fn what_takes_too_long_is_told_with_its_limit() {
    let (bench, server) = (bench(), Server::start());
    for (path, state) in [
        ("/never", "no answer"),
        ("/half", "the answer had not ended after 5 bytes"),
    ] {
        let mut spec = server.get(path);
        spec.total_timeout = Duration::from_millis(200);
        let expected = format!(
            "GET {}: {state} within 200ms (`total_timeout`)",
            server.url(path)
        );
        assert_eq!(error(&run(&bench, spec)), expected);
        server.gone.recv_timeout(LIMIT).unwrap();
    }
}

/// Nobody takes a connection off this one's line, and one has filled it.
#[test]
fn a_connection_that_does_not_come_about_is_told_with_its_limit() {
    let bench = bench();
    let socket = short_listener();
    let address = socket.local_addr().unwrap();
    let mut fillers = Vec::new();
    let full = loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(filler) if fillers.len() < 64 => fillers.push(filler),
            Ok(_) => break false,
            Err(_) => break true,
        }
    };
    assert!(full, "the line never fills");
    let mut spec = spec(format!("http://{address}/"));
    spec.connect_timeout = Duration::from_millis(200);
    assert_eq!(
        error(&run(&bench, spec)),
        format!("GET http://{address}/: no connection within 200ms (`connect_timeout`)")
    );
}

/// A listener with the shortest line there is.
fn short_listener() -> TcpListener {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    let _in = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(1).unwrap().into_std().unwrap()
}

#[test]
fn failures_say_what_the_network_said() {
    let (bench, server) = (bench(), Server::start());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = format!("http://{}/", nobody.unwrap());
    assert_eq!(
        error(&run(&bench, spec(nobody.as_str()))),
        format!(
            "GET {nobody}: cannot connect: tcp connect error: Connection refused (os error 111)"
        )
    );
    let ended = run(&bench, spec("http://no.such.name.invalid/"));
    let told = "GET http://no.such.name.invalid/: cannot connect: dns error: ";
    assert!(error(&ended).starts_with(told), "{}", error(&ended));
    // Plain text where TLS was expected.
    let url = server.url("/hello").replace("http:", "https:");
    let ended = run(&bench, spec(url.as_str()));
    let told = format!("GET {url}: cannot connect: ");
    assert!(error(&ended).starts_with(&told), "{}", error(&ended));
    assert!(!error(&ended).contains('\n'));
    let ended = run(&bench, server.get("/garbage"));
    let told = format!("GET {}: no answer: ", server.url("/garbage"));
    assert!(error(&ended).starts_with(&told), "{}", error(&ended));
    let mut by_proxy = spec("http://no.such.name.invalid/hello");
    by_proxy.proxy = Proxy::Url(server.url("/").into());
    assert_eq!(value(&run(&bench, by_proxy))["status"], 204);
    let asked = server.asked.try_iter().last().unwrap();
    assert_eq!(asked.line, "GET http://no.such.name.invalid/hello HTTP/1.1");
}

#[test]
fn it_is_nothing_for_the_cpu_lane() {
    let (bench, server) = (bench(), Server::start());
    let ended = bench.run(Lane::Cpu, TaskSpec::Http(Box::new(server.get("/hello"))));
    assert_eq!(
        error(&ended),
        "a request executes on the io lane only: give the job `lane = \"io\"`"
    );
}
