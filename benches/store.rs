//! How many facts a second the store commits, beside what SQLite itself needs for as many rows, and how
//! long it takes to open with many live runs, and to look into the past of many: `cargo bench --bench store [-- RUNS]`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, prints, and stops at the first surprise"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use twolane::api::past::{HistoryQuery, TimelineQuery, history, timeline};
use twolane::engine::fact::{Fact, FinalState, Record};
use twolane::engine::flow::Ties;
use twolane::engine::id::RunId;
use twolane::engine::outcome::{End, Measures, Outcome};
use twolane::engine::spec::{JobSpec, Lane, Priority, TaskSpec};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::store::{FactLog, Haste, Reader, Retention, SqliteLog, StorePlace};

const GROUP: usize = 4_096;
const FACTS: usize = GROUP * 96;

fn main() {
    let asked = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let runs: u64 = asked.unwrap_or(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let job = job("nightly");
    let facts = (1..).flat_map(|run| whole(run, &job));
    let records: Vec<Record> = numbered(facts.take(FACTS));
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..3 {
        ours.push(store(&dir.path().join(format!("store-{round}")), &records));
        bare.push(sqlite(&dir.path().join(format!("bare-{round}.db"))));
    }
    let (ours, bare) = (rate(ours), rate(bare));
    println!("store: {ours:.0} facts/s in groups of {GROUP} (median of 3)");
    println!("bare SQLite: {bare:.0} rows/s in groups of {GROUP}");
    println!("ratio: {:.2}", ours / bare);
    let place = dir.path().join("live");
    let queued = numbered((1..=runs).map(|run| accepted(run, &job)));
    store(&place, &queued);
    let start = Instant::now();
    let opened = SqliteLog::open(&StorePlace::new(place), Retention::default()).unwrap();
    let took = start.elapsed();
    assert_eq!(opened.recovered.records.len(), queued.len());
    println!("open with {runs} live runs: {:.2} s", took.as_secs_f64());
    drop(opened);
    // The same questions to a store of a hundredth, which has as many runs as are looked at.
    for runs in [runs / 100, runs] {
        past(&dir.path().join(format!("past-{runs}")), runs);
    }
}

/// How long the questions about the past take in a store with so many runs that are over.
fn past(place: &std::path::Path, runs: u64) {
    let jobs: Vec<_> = (0..10).map(|n| job(&format!("nightly-{n}"))).collect();
    let facts = (1..=runs).flat_map(|run| whole(run, &jobs[(run % 10) as usize]));
    store(place, &numbered(facts));
    let reader = Reader::new(StorePlace::new(place).db());
    let job = Some("nightly-7".to_owned());
    let (of_all, of_one) = (
        HistoryQuery::default(),
        HistoryQuery {
            job,
            ..HistoryQuery::default()
        },
    );
    let since = Some("2020-01-01T00:00:00Z".to_owned());
    let span = TimelineQuery {
        since,
        ..TimelineQuery::default()
    };
    let now = Wall(1_800_000_000_000_000);
    let questions: [(&str, &dyn Fn()); 3] = [
        ("history of all jobs", &|| {
            history(&reader, &of_all).unwrap();
        }),
        ("history of one job", &|| {
            history(&reader, &of_one).unwrap();
        }),
        ("timeline", &|| {
            timeline(&reader, &span, now).unwrap();
        }),
    ];
    for (name, question) in questions {
        let mut times: Vec<Duration> = (0..5)
            .map(|_| {
                let start = Instant::now();
                question();
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        let (median, max) = (times[2].as_secs_f64() * 1e3, times[4].as_secs_f64() * 1e3);
        println!("{name} of {runs} runs: {median:.0} ms (median of 5, at most {max:.0} ms)");
    }
}

fn rate(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    FACTS as f64 / times.get(1).unwrap().as_secs_f64()
}

fn job(name: &str) -> Arc<JobSpec> {
    let duration = Duration::from_secs(1);
    Arc::new(JobSpec::new(
        name.into(),
        Lane::Io,
        TaskSpec::Sleep { duration },
    ))
}

fn accepted(run: u64, job: &Arc<JobSpec>) -> Fact {
    Fact::Accepted {
        run: RunId(run),
        job: Arc::clone(job),
        priority: Priority::default(),
        args: None,
        after: Box::default(),
        due: None,
        ties: Ties::default(),
        key: None,
        slot: None,
    }
}

fn whole(run: u64, job: &Arc<JobSpec>) -> [Fact; 3] {
    let end = End {
        outcome: Outcome::Succeeded(Arc::new(serde_json::Value::Null)),
        teardown: None,
        words: None,
        measures: Measures::default(),
    };
    let (id, epoch) = (RunId(run), 1);
    [
        accepted(run, job),
        Fact::Started {
            run: id,
            job: Arc::clone(job),
            epoch,
        },
        Fact::Ended {
            run: id,
            job: Arc::clone(job),
            epoch,
            state: FinalState::Succeeded,
            end,
        },
    ]
}

fn numbered(facts: impl Iterator<Item = Fact>) -> Vec<Record> {
    (1..)
        .zip(facts)
        .map(|(number, fact)| {
            let at = Now {
                wall: Wall(1_700_000_000_000_000 + number),
                mono: Mono(number.cast_unsigned() * 1_000),
            };
            Record {
                number: number.cast_unsigned(),
                at,
                by: None,
                fact,
            }
        })
        .collect()
}

/// How long it takes until all are committed.
fn store(dir: &std::path::Path, records: &[Record]) -> Duration {
    let opened = SqliteLog::open(&StorePlace::new(dir), Retention::default()).unwrap();
    let mut log = opened.log;
    let groups: Vec<Arc<[Record]>> = records.chunks(GROUP).map(Arc::from).collect();
    let start = Instant::now();
    // One group at a time, so that each is a transaction of its own.
    for (number, group) in (1..).zip(&groups) {
        log.append(number, group, Haste::Now);
        while log.commits().recv().unwrap() < number {}
    }
    start.elapsed()
}

/// The same number of rows in the same groups, without a thread, an index or a hash.
fn sqlite(db: &std::path::Path) -> Duration {
    let conn = Connection::open(db).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE t (number INTEGER PRIMARY KEY, payload TEXT)",
    )
    .unwrap();
    let payload = "x".repeat(150);
    let start = Instant::now();
    for group in 0..FACTS / GROUP {
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert = conn
            .prepare_cached("INSERT INTO t VALUES (?1, ?2)")
            .unwrap();
        for row in 0..GROUP {
            let number = i64::try_from(group * GROUP + row).unwrap();
            insert.execute(params![number, payload]).unwrap();
        }
        drop(insert);
        conn.execute_batch("COMMIT").unwrap();
    }
    start.elapsed()
}
