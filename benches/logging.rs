//! What logging costs the thread that logs, per fact: at a level that is off, and written to a sink
//! that takes everything. `cargo bench --bench logging`

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use twolane::clock::Clock;
use twolane::engine::fact::{Fact, FinalState, Record};
use twolane::engine::flow::Ties;
use twolane::engine::id::RunId;
use twolane::engine::outcome::{End, Measures, Outcome};
use twolane::engine::spec::{JobSpec, Lane, Priority, TaskSpec};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::logging::{self, Format, LogSettings, Logging, Output};

/// Facts a round: many enough for a clock, few enough for the queue, so that no line is dropped.
const ROUND: u32 = 4000;
const ROUNDS: u32 = 50;

fn main() {
    let facts = [
        ("accepted (debug, off)", accepted()),
        ("started", started(None)),
        ("started, own text", started(Some("普通计算密集型任务"))),
        ("finished", finished()),
    ];
    for format in [Format::Text, Format::Json] {
        for (name, record) in &facts {
            let nanos = measure(format, record);
            println!("{format:?} {name:24} {nanos:6.0} ns a fact");
        }
    }
}

/// Nanoseconds a fact, in the best of the rounds: the others had the writing thread on their core.
fn measure(format: Format, record: &Record) -> f64 {
    let clock = Clock::start();
    let settings = LogSettings {
        format,
        output: Output::Writer(Box::new(io::sink())),
        zone: Some(TimeZone::system()),
        ..LogSettings::default()
    };
    let (logging, dispatch): (Logging, _) = match logging::scoped(settings, clock) {
        Ok(both) => both,
        Err(error) => panic!("{error}"),
    };
    let mut narrator = logging.narrator();
    let mut best = Duration::MAX;
    tracing::dispatcher::with_default(&dispatch, || {
        for _ in 0..ROUNDS {
            let begin = clock.mono();
            for _ in 0..ROUND {
                narrator.record(record);
            }
            best = best.min(clock.mono().since(begin));
            assert!(logging.flush(Duration::from_secs(10)));
        }
    });
    assert_eq!(logging.dropped().total(), 0);
    best.as_secs_f64() * 1e9 / f64::from(ROUND)
}

fn accepted() -> Record {
    record(Fact::Accepted {
        run: RunId(123_456),
        job: job(None),
        priority: Priority::default(),
        args: None,
        after: [].into(),
        due: None,
        ties: Ties::default(),
        key: None,
        slot: None,
    })
}

fn started(text: Option<&str>) -> Record {
    record(Fact::Started {
        run: RunId(123_456),
        job: job(text),
        epoch: 1,
    })
}

fn finished() -> Record {
    let result = serde_json::json!({ "sum": 62_437_375_000_000_i64 });
    record(Fact::Ended {
        run: RunId(123_456),
        job: job(None),
        epoch: 1,
        state: FinalState::Succeeded,
        end: End {
            outcome: Outcome::Succeeded(Arc::new(result)),
            teardown: None,
            words: None,
            measures: Measures {
                began: at(1),
                ended: at(7_010_283_000),
                cpu: Some(Duration::from_micros(7_000_001)),
                memory: None,
                ..Measures::default()
            },
        },
    })
}

fn record(fact: Fact) -> Record {
    Record {
        number: 1,
        at: at(0),
        by: None,
        fact,
    }
}

const fn at(nanos: u64) -> Now {
    Now {
        wall: Wall(1_715_768_959_702_689),
        mono: Mono(nanos),
    }
}

fn job(text: Option<&str>) -> Arc<JobSpec> {
    let duration = Duration::ZERO;
    let mut job = JobSpec::new("computer".into(), Lane::Cpu, TaskSpec::Sleep { duration });
    job.messages.started = text.map(Into::into);
    Arc::new(job)
}
