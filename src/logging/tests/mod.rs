//! What the log says, as its readers see it. Here: facts and notes to tell of, and outputs to look at.

mod journal;
mod lines;
mod screen;
mod sink;

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use super::*;
use crate::engine::fact::{Fact, FinalState, Record};
use crate::engine::flow::Ties;
use crate::engine::id::{AttemptId, RunId};
use crate::engine::outcome::{End, Failure, Measures, Outcome, SkipReason, StopReason};
use crate::engine::spec::{
    Definitions, JobSpec, Lane, LimitSpec, Messages, PoolSpec, Priority, TaskSpec,
};
use crate::engine::time::{Mono, Now, Wall};
use crate::inbox::{Note, Progress};

/// Longer than any of this takes on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);

/// 2024-05-15 18:29:19.702689 in a zone eight hours ahead.
const BEGIN: Wall = Wall(1_715_768_959_702_689);

/// Something to tell the narrator.
enum Said {
    Fact(Box<Record>),
    Note(Note),
}

impl Said {
    fn tell(&self, narrator: &mut Narrator) {
        match self {
            Self::Fact(record) => narrator.record(record),
            Self::Note(note) => narrator.note(note),
        }
    }
}

/// One of each kind, and of some the variants.
fn all_kinds(job: &JobSpec) -> Vec<Said> {
    let mut all = vec![fact(Fact::Opened), configured(job)];
    all.extend(before_the_start(job));
    all.extend([
        started(job),
        note(job, Some(0.25), Some("250000 of 1000000")),
        note(job, Some(7.0), None),
        note(job, None, Some("busy")),
        note(job, Some(f64::NAN), None),
        stopping(job),
        unresponsive(job),
        succeeded(job, json!({"sum": -12.5})),
        succeeded(job, Value::Null),
        failed(job, Failure::Exit(3)),
        failed(job, Failure::Timeout(Duration::from_secs(2))),
        crashed(job, 2),
        stopped(job, StopReason::Shutdown),
        cancelled(job),
        skipped(job),
        fact(Fact::Draining),
    ]);
    all
}

fn configured(job: &JobSpec) -> Said {
    let mut definitions = Definitions::empty(2);
    let name = Arc::clone(&job.name);
    definitions.jobs.insert(name, Arc::new(job.clone()));
    let pool = PoolSpec {
        lane: Lane::Cpu,
        size: 3,
    };
    definitions.pools.insert("thumbs".into(), pool);
    let limit = LimitSpec::of(1);
    definitions.limits.insert("score".into(), limit);
    fact(Fact::Configured {
        definitions: Arc::new(definitions),
    })
}

fn before_the_start(job: &JobSpec) -> [Said; 6] {
    let run = RunId(3);
    let soon = Arc::new(job.clone());
    let later = Arc::new(JobSpec {
        delay: Duration::from_secs(5),
        ..job.clone()
    });
    let due = Some(Mono(u64::MAX));
    let released = |job: &Arc<JobSpec>| {
        let job = Arc::clone(job);
        fact(Fact::Released { run, job })
    };
    [
        accepted(job, &[], None),
        accepted(job, &[RunId(1)], due),
        accepted(job, &[], due),
        released(&soon),
        released(&later),
        fact(Fact::Due { run, job: later }),
    ]
}

fn accepted(job: &JobSpec, after: &[RunId], due: Option<Mono>) -> Said {
    fact(Fact::Accepted {
        run: RunId(3),
        job: Arc::new(job.clone()),
        priority: Priority::default(),
        args: None,
        after: after.into(),
        due,
        ties: Ties::default(),
        key: None,
        slot: None,
    })
}

fn stopping(job: &JobSpec) -> Said {
    fact(Fact::Stopping {
        run: RunId(3),
        job: Arc::new(job.clone()),
        epoch: 1,
        reason: StopReason::Timeout,
    })
}

fn unresponsive(job: &JobSpec) -> Said {
    fact(Fact::Unresponsive {
        run: RunId(3),
        job: Arc::new(job.clone()),
        epoch: 1,
        reason: StopReason::Timeout,
        asked: Duration::from_secs(10),
        kept: false,
    })
}

fn succeeded(job: &JobSpec, result: Value) -> Said {
    let outcome = Outcome::Succeeded(Arc::new(result));
    ended(job, FinalState::Succeeded, outcome)
}

fn stopped(job: &JobSpec, reason: StopReason) -> Said {
    ended(job, FinalState::Cancelled(reason), Outcome::Stopped)
}

fn skipped(job: &JobSpec) -> Said {
    let reason = SkipReason::Dependency {
        run: RunId(2),
        job: "fetch".into(),
    };
    fact(Fact::Skipped {
        run: RunId(3),
        job: Arc::new(job.clone()),
        reason,
    })
}

fn fact(fact: Fact) -> Said {
    Said::Fact(Box::new(Record {
        number: 1,
        at: at(0),
        by: None,
        fact,
    }))
}

fn started(job: &JobSpec) -> Said {
    fact(Fact::Started {
        run: RunId(3),
        job: Arc::new(job.clone()),
        epoch: 1,
    })
}

fn note(job: &JobSpec, fraction: Option<f64>, message: Option<&str>) -> Said {
    Said::Note(Note {
        attempt: AttemptId {
            run: RunId(3),
            epoch: 1,
        },
        job: Arc::new(job.clone()),
        at: at(1),
        progress: Progress {
            fraction,
            message: message.map(Into::into),
        },
    })
}

fn ended(job: &JobSpec, state: FinalState, outcome: Outcome) -> Said {
    let measures = Measures {
        held: None,
        delayed: None,
        began: at(0),
        ended: at(7_010_283),
        cpu: Some(Duration::from_micros(7_000_001)),
        memory: None,
        late: Some(Duration::from_nanos(312_900)),
        coalesced: 4,
    };
    let end = End {
        outcome,
        teardown: None,
        words: None,
        measures,
    };
    fact(Fact::Ended {
        run: RunId(3),
        job: Arc::new(job.clone()),
        epoch: 2,
        state,
        end,
    })
}

fn failed(job: &JobSpec, failure: Failure) -> Said {
    ended(
        job,
        FinalState::Failed(failure.clone()),
        Outcome::Failed(failure),
    )
}

fn crashed(job: &JobSpec, epoch: u32) -> Said {
    let failure = Failure::Crash;
    fact(Fact::Ended {
        run: RunId(3),
        job: Arc::new(job.clone()),
        epoch,
        state: FinalState::Failed(failure.clone()),
        end: End {
            outcome: Outcome::Failed(failure),
            teardown: None,
            words: None,
            measures: Measures::default(),
        },
    })
}

fn cancelled(job: &JobSpec) -> Said {
    fact(Fact::Cancelled {
        run: RunId(3),
        job: Arc::new(job.clone()),
        reason: StopReason::Request,
    })
}

fn job(name: &str) -> JobSpec {
    JobSpec::new(
        name.into(),
        Lane::Cpu,
        TaskSpec::Sleep {
            duration: Duration::ZERO,
        },
    )
}

/// So many microseconds after the beginning.
fn at(micros: u64) -> Now {
    Now {
        wall: Wall(BEGIN.0 + i64::try_from(micros).unwrap()),
        mono: Mono(1 + micros * 1000),
    }
}

fn told(format: Format, filter: &str, said: &[Said]) -> String {
    logged(settings(format, filter), |narrator| {
        for said in said {
            said.tell(narrator);
        }
    })
}

/// All that is logged while `log` runs.
fn logged(settings: LogSettings<'_>, log: impl FnOnce(&mut Narrator)) -> String {
    let (shared, output) = output(Vec::new());
    let settings = LogSettings { output, ..settings };
    let (logging, dispatch) = scoped(settings, Clock::start()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || log(&mut logging.narrator()));
    assert!(logging.close(LIMIT));
    assert_eq!(logging.dropped(), Dropped::default());
    shared.text()
}

fn settings(format: Format, filter: &str) -> LogSettings<'_> {
    LogSettings {
        format,
        filter,
        zone: Some(TimeZone::fixed(Offset::constant(8))),
        ..LogSettings::default()
    }
}

fn with(format: Format, output: Output) -> LogSettings<'static> {
    LogSettings {
        output,
        ..settings(format, "info")
    }
}

/// With `TIME` for the times that the clock of the machine has given.
fn without_time(lines: &str) -> String {
    const TEXT: usize = "2024-05-15 18:29:19.702689".len();
    const JSON: usize = "2024-05-15T18:29:19.702689+08:00".len();
    let cut = |line: &str| match line.split_once("\"time\":\"") {
        Some((head, tail)) => format!("{head}\"time\":\"TIME{}\n", &tail[JSON..]),
        None => format!("TIME{}\n", &line[TEXT..]),
    };
    lines.lines().map(cut).collect()
}

/// What an output does with one write.
enum Does {
    Takes(usize),
    Fails(ErrorKind),
}

/// An output that follows a script and then takes everything, and what it has taken.
fn output(script: Vec<Does>) -> (Shared, Output) {
    let shared = Shared(Arc::default());
    let scripted = Scripted {
        taken: shared.clone(),
        script: script.into_iter(),
    };
    (shared, Output::Writer(Box::new(scripted)))
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(taken.clone()).expect("text")
    }
}

struct Scripted {
    taken: Shared,
    script: std::vec::IntoIter<Does>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let takes = match self.script.next() {
            None => bytes.len(),
            Some(Does::Takes(takes)) => takes.min(bytes.len()),
            Some(Does::Fails(kind)) => return Err(kind.into()),
        };
        let mut taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend_from_slice(&bytes[..takes]);
        Ok(takes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
