//! Commands as tasks: real processes. What their tests share.

mod begun;
mod endings;
mod manners;
mod words;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use twolane::engine::action::StartOrder;
use twolane::engine::command::{CommandSpec, Invocation, ResultOf, Stdin, Step, Surroundings};
use twolane::engine::id::AttemptId;
use twolane::engine::outcome::{Failure, Outcome};
use twolane::engine::spec::{JobSpec, Lane, TaskSpec};
use twolane::inbox::{Ended, Missing, OutStream, Outlet, Output, Refused};
use twolane::lanes::{HandlerError, Handlers, LaneSettings, Outside, Stopped};
use twolane::process::Orphans;

use crate::support::{Bench, FOR_EVER, LIMIT, error, id};

/// Keeps what commands write.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Output>>>);

/// What begins with this finds no room.
const NO_ROOM: &[u8] = b"no room";

impl Outlet for Heard {
    fn offer(&self, output: Output) -> Result<(), Box<Output>> {
        if output.text.starts_with(NO_ROOM) {
            return Err(Box::new(output));
        }
        self.0.lock().unwrap().push(output);
        Ok(())
    }
}

/// Lanes for commands.
struct Shop {
    bench: Bench,
    heard: Heard,
    instance: Arc<str>,
    run: AtomicU32,
}

impl Shop {
    fn open() -> Self {
        Self::with(Handlers::new())
    }

    fn with(handlers: Handlers) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let instance: Arc<str> = format!("test{}x{number}", std::process::id()).into();
        // As the program does when it begins to listen for signals.
        Orphans::adopt().unwrap();
        let heard = Heard::default();
        let outside = Outside {
            begun: None,
            outlet: Arc::new(heard.clone()),
            instance: Arc::clone(&instance),
            helper: env!("CARGO_BIN_EXE_twolane").into(),
            groups: None,
        };
        let settings = LaneSettings {
            io_threads: 2,
            cpu_workers: 2,
            ..LaneSettings::default()
        };
        Self {
            bench: Bench::inside(settings, handlers, outside),
            heard,
            instance,
            run: AtomicU32::new(0),
        }
    }

    fn begin(&self, job: JobSpec, args: Option<Value>) -> AttemptId {
        let attempt = id(u64::from(self.run.fetch_add(1, Ordering::Relaxed)));
        let order = StartOrder {
            attempt,
            job: Arc::new(job),
            args: args.map(Arc::new),
            number: 0,
            announced: None,
        };
        self.bench.lanes.submit(order).unwrap();
        attempt
    }

    fn run(&self, job: JobSpec) -> Box<Ended> {
        self.begin(job, None);
        self.bench.end()
    }

    /// What was written one way, and what was not kept of it.
    fn said(&self, stream: OutStream) -> (String, Missing) {
        let heard = self.heard.0.lock().unwrap();
        let of_stream = heard.iter().filter(|output| output.stream == stream);
        let (mut text, mut missing) = (Vec::new(), Missing::default());
        for output in of_stream {
            text.extend_from_slice(&output.text);
            missing = missing.with(output.missing);
        }
        (String::from_utf8_lossy(&text).into_owned(), missing)
    }

    fn out(&self) -> String {
        self.said(OutStream::Out).0
    }

    /// Waits until this was written.
    fn wait_for(&self, text: &str) {
        for _ in 0..LIMIT.as_millis() {
            if self.out().contains(text) {
                return;
            }
            wait_a_moment();
        }
        panic!("never said {text:?}: {}", self.out());
    }

    /// Living processes that were started here.
    fn processes(&self) -> usize {
        let mark = format!("TWOLANE_KEY={}-", self.instance);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let environments = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
        let marked = |all: &Vec<u8>| {
            all.split(|b| *b == 0)
                .any(|e| e.starts_with(mark.as_bytes()))
        };
        environments.filter(marked).count()
    }
}

fn wait_a_moment() {
    let (_open, closed) = channel::<()>();
    let _ = closed.recv_timeout(Duration::from_millis(1));
}

fn step(run: Invocation) -> Step {
    let surroundings = Surroundings {
        directory: PathBuf::from("/"),
        ..Surroundings::default()
    };
    Step {
        run,
        surroundings: Arc::new(surroundings),
    }
}

fn job_of(run: Invocation, lane: Lane) -> JobSpec {
    let command = CommandSpec::of(step(run));
    JobSpec::new("job".into(), lane, TaskSpec::Command(Box::new(command)))
}

fn shell(script: &str) -> JobSpec {
    job_of(Invocation::Shell(script.into()), Lane::Io)
}

fn exec(words: &[&str]) -> JobSpec {
    let words = words.iter().map(|word| Arc::from(*word)).collect();
    job_of(Invocation::Exec(words), Lane::Io)
}

/// The job with its command changed.
fn but(mut job: JobSpec, change: impl FnOnce(&mut CommandSpec)) -> JobSpec {
    if let TaskSpec::Command(command) = &mut job.task {
        change(command);
    }
    job
}

fn around(job: JobSpec, change: impl FnOnce(&mut Surroundings)) -> JobSpec {
    but(job, |command| {
        change(Arc::make_mut(&mut command.step.surroundings));
    })
}

fn done(exit: i32) -> Outcome {
    Outcome::Succeeded(Arc::new(json!({ "exit": exit })))
}
