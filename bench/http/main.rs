//! Requests that wait: the lanes beside a bare hyper client, each with thousands of connections to a
//! server that answers after 3 s, in a process of its own.
//!
//! `cargo bench --bench http [-- --requests N]`: N requests at once, 10,000 unless said otherwise.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints a table, and has nobody to tell when its machine fails it"
)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use twolane::clock::{Clock, kernel_nanos};
use twolane::engine::action::StartOrder;
use twolane::engine::http::{HttpSpec, Proxy};
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::outcome::Outcome;
use twolane::engine::spec::{JobSpec, Lane, TaskSpec};
use twolane::lanes::{AttemptLanes, Handlers, LaneSettings, Outside};

/// How long the server thinks.
const ANSWER_AFTER: Duration = Duration::from_secs(3);

/// The figures are medians of this many rounds, in which the contenders take turns.
const ROUNDS: usize = 3;

fn main() {
    raise_open_files();
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--serve") {
        runtime().block_on(serve());
        return;
    }
    let mut requests = args.iter().skip_while(|arg| *arg != "--requests").skip(1);
    let requests = requests.next().map_or(10_000, |n| n.parse().unwrap());
    let (mut server, port) = start_server();
    let mut addresses = (1..).map(|host| SocketAddr::from(([127, 0, 0, host], port)));
    let mut address = || addresses.next().unwrap();
    for count in [5, requests] {
        let (mut bare_times, mut lane_times) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare_times.push(bare(address(), count));
            lane_times.push(lanes(address(), count));
        }
        let (bare, lanes) = (median(bare_times), median(lane_times));
        println!("{count} requests: bare hyper {bare:.3} s, lanes {lanes:.3} s");
        println!("  {:.3} x the bare time", lanes / bare);
    }
    println!(
        "peak memory of this process, both contenders: {} MiB",
        peak_mib()
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// The server and its port, at each address of this machine: each round has its own, so that none has to look for
/// a local port between those of the round before, which nobody may use for a minute.
fn start_server() -> (Child, u16) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command
        .arg("--serve")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    (child, line.trim().parse().unwrap())
}

async fn serve() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("0.0.0.0:0".parse().unwrap()).unwrap();
    let listener: TcpListener = socket.listen(16_384).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new());
            let answer = service_fn(|_: Request<Incoming>| async {
                tokio::time::sleep(ANSWER_AFTER).await;
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
            });
            // A client that leaves is no fault.
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// Seconds for `count` requests on as many connections, with nothing but hyper.
fn bare(address: SocketAddr, count: u64) -> f64 {
    let runtime = runtime();
    let began = kernel_nanos();
    runtime.block_on(async {
        let mut all = JoinSet::new();
        for _ in 0..count {
            all.spawn(async move {
                let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(stream).await.unwrap();
                tokio::spawn(connection);
                let request = Request::get("/").header("host", "bench");
                let request = request.body(Empty::<Bytes>::new()).unwrap();
                let answer = sender.send_request(request).await.unwrap();
                answer.into_body().collect().await.unwrap();
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
    });
    seconds_since(began)
}

/// The same with a task each on the io lane.
fn lanes(address: SocketAddr, count: u64) -> f64 {
    let settings = LaneSettings {
        io_threads: 2,
        io_concurrency: usize::try_from(count).unwrap(),
        ..LaneSettings::default()
    };
    let handlers = Arc::new(Handlers::new());
    let (lanes, mail) =
        AttemptLanes::start(settings, handlers, Clock::start(), Outside::default()).unwrap();
    let mut spec = HttpSpec::get(format!("http://{address}/"));
    spec.proxy = Proxy::Off;
    spec.connect_timeout = Duration::from_secs(60);
    let job = JobSpec::new("get".into(), Lane::Io, TaskSpec::Http(Box::new(spec)));
    let job = Arc::new(job);
    let began = kernel_nanos();
    for run in 1..=count {
        let order = StartOrder {
            attempt: AttemptId {
                run: RunId(run),
                epoch: 1,
            },
            job: Arc::clone(&job),
            args: None,
            number: 0,
            announced: None,
        };
        lanes.submit(order).unwrap();
    }
    for _ in 0..count {
        let ended = mail.ends.recv().unwrap();
        assert!(
            matches!(ended.end.outcome, Outcome::Succeeded(_)),
            "{ended:?}"
        );
    }
    let seconds = seconds_since(began);
    lanes.shutdown(Duration::from_secs(10)).unwrap();
    seconds
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
fn seconds_since(began: u64) -> f64 {
    (kernel_nanos() - began) as f64 / 1e9
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<u64>()
        .unwrap()
        >> 10
}
