//! How long it takes from asking a running attempt to stop until it has left its lane, for each built-in
//! task.
//!
//! `cargo bench --bench cancel [-- --rounds N]`: N rounds for each figure, 21 unless said otherwise.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints a table, and has nobody to tell when its machine fails it"
)]

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use twolane::clock::Clock;
use twolane::engine::action::StartOrder;
use twolane::engine::files::{Compression, FileTask, FileWork, HashAlgorithm};
use twolane::engine::http::{HttpSpec, Proxy};
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::spec::{JobSpec, Lane, TaskSpec};
use twolane::lanes::{AttemptLanes, HandlerError, Handlers, LaneSettings, Outside};

/// How long an attempt has been at work when it is asked to stop.
const AT_WORK: Duration = Duration::from_millis(50);

/// Longer than any attempt runs here.
const FOR_EVER: Duration = Duration::from_secs(86_400);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let rounds = words.iter().position(|word| word == "--rounds");
    let rounds: usize = rounds.map_or(21, |at| words[at + 1].parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let handlers = Handlers::new().cpu("checks", |context, _| -> Result<Value, HandlerError> {
        loop {
            context.check()?;
            std::hint::spin_loop();
        }
    });
    let outside = Outside {
        helper: env!("CARGO_BIN_EXE_twolane").into(),
        ..Outside::default()
    };
    let clock = Clock::start();
    let settings = LaneSettings::default();
    let (lanes, mail) = AttemptLanes::start(settings, Arc::new(handlers), clock, outside).unwrap();
    println!("{:32} {:>10} {:>10}", "task", "median", "longest");
    let mut run = 0;
    for (name, mut job) in jobs(place.path(), &url) {
        let mut took: Vec<Duration> = (0..rounds)
            .map(|_| {
                run += 1;
                let epoch = 1;
                let attempt = AttemptId {
                    run: RunId(run),
                    epoch,
                };
                job.name = format!("job-{run}").into();
                let (job, args) = (Arc::new(job.clone()), None);
                lanes
                    .submit(StartOrder {
                        attempt,
                        job,
                        args,
                        number: 0,
                        announced: None,
                    })
                    .unwrap();
                let over = mail.ends.recv_timeout(AT_WORK);
                assert!(over.is_err(), "{name}: it ended by itself: {over:?}");
                let asked = clock.mono();
                lanes.stop(attempt);
                let ended = mail.ends.recv().unwrap();
                ended.end.measures.ended.mono.since(asked)
            })
            .collect();
        took.sort();
        let (median, longest) = (took[rounds / 2], took[rounds - 1]);
        println!("{name:32} {median:>10.1?} {longest:>10.1?}");
    }
}

/// Tasks that would go on for long, and their lanes.
fn tasks(place: &Path, url: &str) -> Vec<(Lane, TaskSpec)> {
    let hole = place.join("hole");
    File::create(&hole).unwrap().set_len(1 << 42).unwrap();
    // Each frame is a few bytes, and sixteen megabytes when it is unpacked.
    let frame = zstd::bulk::compress(&vec![0; 16 << 20], 1).unwrap();
    std::fs::write(place.join("bomb.zst"), frame.repeat(4096)).unwrap();
    let file = |work| {
        let directory = place.to_owned();
        TaskSpec::File(FileTask { directory, work })
    };
    let hash = |algorithm| FileWork::Hash {
        files: vec!["hole".to_owned()],
        algorithm,
        manifest: None,
    };
    let (keep, level) = (true, None);
    let (from, to) = ("hole".to_owned(), "out".to_owned());
    let compress = |format| FileWork::Compress {
        from: from.clone(),
        to: to.clone(),
        format,
        level,
        keep,
    };
    let decompress = FileWork::Decompress {
        from: "bomb.zst".to_owned(),
        to: to.clone(),
        format: Compression::Zstd,
        keep,
        max_bytes: 1 << 40,
    };
    let copy = FileWork::Copy {
        from: from.clone(),
        to: to.clone(),
        make_dirs: false,
    };
    let compute = TaskSpec::Compute {
        outer: u64::MAX,
        inner: u64::MAX,
        report_every: None,
    };
    let call = TaskSpec::Call {
        handler: "checks".into(),
        args: Value::Null,
    };
    let http = HttpSpec {
        proxy: Proxy::Off,
        ..HttpSpec::get(url)
    };
    let sleep = TaskSpec::Sleep { duration: FOR_EVER };
    vec![
        (Lane::Io, sleep.clone()),
        (Lane::Cpu, sleep),
        (Lane::Io, TaskSpec::Read { path: hole.clone() }),
        (Lane::Cpu, TaskSpec::Read { path: hole }),
        (Lane::Io, TaskSpec::Http(Box::new(http))),
        (Lane::Cpu, compute),
        (Lane::Cpu, call),
        (Lane::Cpu, file(hash(HashAlgorithm::Sha256))),
        (Lane::Cpu, file(hash(HashAlgorithm::Blake3))),
        (Lane::Cpu, file(compress(Compression::Zstd))),
        (Lane::Cpu, file(compress(Compression::Gzip))),
        (Lane::Cpu, file(decompress)),
        (Lane::Io, file(copy.clone())),
        (Lane::Cpu, file(copy)),
    ]
}

/// The same as jobs, each with what it is called; and those that can be, in processes of their own.
fn jobs(place: &Path, url: &str) -> Vec<(String, JobSpec)> {
    let jobs = tasks(place, url)
        .into_iter()
        .map(|(lane, task)| JobSpec::new("job".into(), lane, task));
    let name = |job: &JobSpec| format!("{} ({} lane)", job.task.kind(), job.lane);
    let mut jobs: Vec<_> = jobs.map(|job| (name(&job), job)).collect();
    let isolated = jobs.iter().filter(|(_, job)| {
        let waits = matches!(job.task, TaskSpec::Sleep { .. });
        // The program that is started knows no function of this one.
        job.lane == Lane::Cpu && !waits && !matches!(job.task, TaskSpec::Call { .. })
    });
    let isolated: Vec<_> = isolated.cloned().collect();
    jobs.extend(isolated.into_iter().map(|(name, mut job)| {
        job.isolate = true;
        (format!("{name}, isolated"), job)
    }));
    jobs
}
