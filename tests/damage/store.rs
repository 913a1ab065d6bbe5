//! A small store as a daemon leaves it, with the answers that it gives while it is whole.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use twolane::engine::CapacityName;
use twolane::engine::fact::{Fact, FinalState, Record, SubmitKey};
use twolane::engine::flow::Ties;
use twolane::engine::id::RunId;
use twolane::engine::outcome::{End, Failure, Measures, Outcome, StopReason};
use twolane::engine::spec::{Definitions, JobSpec, Lane, Priority, TaskSpec};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::store::{FactLog, Haste, Recovered, Retention, SqliteLog, StorePlace};

use crate::answers::Answers;
use crate::put;

/// Runs that are over.
const OVER: u64 = 60;

/// Runs that are not.
const LIVE: u64 = 12;

pub(crate) struct Original {
    /// The database after a daemon has left in good order.
    pub(crate) db: Vec<u8>,
    marker: Vec<u8>,
    /// The database and its log in the middle of things.
    early: Vec<u8>,
    pub(crate) wal: Vec<u8>,
    /// What tells how far the store had come then.
    pub(crate) reached: Vec<u8>,
    pub(crate) answers: Answers,
    pub(crate) recovered: Recovered,
    pub(crate) runs: u64,
}

impl Original {
    pub(crate) fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = StorePlace::new(dir.path());
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let mut log = SqliteLog::open(&place, Retention::default()).unwrap().log;
        let facts = facts();
        // In many commits, as they come.
        for (batch, records) in (1..).zip(facts.chunks(7)) {
            log.append(batch, &Arc::from(records), Haste::Now);
            while log.commits().recv_timeout(Duration::from_secs(60)).unwrap() < batch {}
        }
        let (early, wal) = (read("twolane.db"), read("twolane.db-wal"));
        let reached = read("twolane.db-reached");
        drop(log);
        let db = read("twolane.db");
        let marker = read("made");
        let mut original = Self {
            db,
            marker,
            early,
            wal,
            reached,
            answers: Answers::default(),
            recovered: Recovered::default(),
            runs: OVER + LIVE,
        };
        original.answers = Answers::of_reader(&place, &original);
        let opened = SqliteLog::open(&place, Retention::default()).unwrap();
        original.recovered = opened.recovered;
        original
    }

    /// The store with another database in `dir`.
    pub(crate) fn damaged(&self, dir: &Path, db: &[u8]) -> StorePlace {
        put(dir, &[("twolane.db", db), ("made", &self.marker)])
    }

    /// The store in the middle of things, as a kill leaves it, with another log, and with what tells how far it had
    /// come.
    pub(crate) fn with_wal(&self, dir: &Path, wal: &[u8], reached: &[u8]) -> StorePlace {
        let files: [(&str, &[u8]); 4] = [
            ("twolane.db", &self.early),
            ("made", &self.marker),
            ("twolane.db-wal", wal),
            ("twolane.db-reached", reached),
        ];
        put(dir, &files)
    }
}

fn job(name: &str) -> Arc<JobSpec> {
    let duration = Duration::from_millis(5);
    Arc::new(JobSpec::new(
        name.into(),
        Lane::Io,
        TaskSpec::Sleep { duration },
    ))
}

fn facts() -> Vec<Record> {
    let jobs = [job("hourly"), job("report"), job("mail")];
    let mut definitions = Definitions::empty(4);
    for job in &jobs {
        definitions
            .jobs
            .insert(Arc::clone(&job.name), Arc::clone(job));
    }
    let what = CapacityName::Job("mail".into());
    let mut facts = vec![
        Fact::Configured {
            definitions: Arc::new(definitions),
        },
        Fact::Opened,
        Fact::Paused { what },
    ];
    for number in 1..=OVER + LIVE {
        let job = &jobs[usize::try_from(number % 3).unwrap()];
        facts.push(accepted(number, job));
        if number <= OVER {
            facts.extend(rest(number, job));
        }
    }
    let at = |number: u64| Now {
        wall: Wall(1_790_000_000_000_000 + number.cast_signed() * 1_000),
        mono: Mono(number * 1_000_000),
    };
    (1..)
        .zip(facts)
        .map(|(number, fact)| Record {
            number,
            at: at(number),
            by: None,
            fact,
        })
        .collect()
}

fn accepted(number: u64, job: &Arc<JobSpec>) -> Fact {
    Fact::Accepted {
        run: RunId(number),
        job: Arc::clone(job),
        priority: Priority::default(),
        args: Some(Arc::new(json!({ "n": number, "text": "some words" }))),
        after: Box::default(),
        ties: Ties::default(),
        due: None,
        key: Some(Arc::new(SubmitKey {
            text: key(number).into(),
            digest: format!("{number:064}").into(),
        })),
        slot: None,
    }
}

/// How the life of a run goes on: every tenth is cancelled, every seventh fails.
fn rest(number: u64, job: &Arc<JobSpec>) -> Vec<Fact> {
    let run = RunId(number);
    let job = || Arc::clone(job);
    if number.is_multiple_of(10) {
        let reason = StopReason::Request;
        return vec![Fact::Cancelled {
            run,
            job: job(),
            reason,
        }];
    }
    let (state, outcome) = if number.is_multiple_of(7) {
        let failure = Failure::Exit(3);
        (
            FinalState::Failed(failure.clone()),
            Outcome::Failed(failure),
        )
    } else {
        let result = Arc::new(json!({ "did": number }));
        (FinalState::Succeeded, Outcome::Succeeded(result))
    };
    let end = End {
        outcome,
        teardown: None,
        words: None,
        measures: Measures::default(),
    };
    let epoch = 1;
    vec![
        Fact::Started {
            run,
            job: job(),
            epoch,
        },
        Fact::Ended {
            run,
            job: job(),
            epoch,
            state,
            end,
        },
    ]
}

/// The key that a run was submitted with.
pub(crate) fn key(run: u64) -> String {
    format!("key-of-{run}")
}
