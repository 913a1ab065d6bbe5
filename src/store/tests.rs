//! What the store promises, tried on real files: what was appended is there again, what was changed
//! behind its back is found, and what cannot be read is not written to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::engine::fact::{Fact, FinalState, SubmitKey};
use crate::engine::flow::Ties;
use crate::engine::id::{AttemptId, RunId};
use crate::engine::outcome::{
    End, Failure, Interruption, Measures, Outcome, SkipReason, StopReason,
};
use crate::engine::spec::{Definitions, JobSpec, Lane, LimitSpec, PoolSpec, Priority, TaskSpec};
use crate::engine::time::{Mono, Now, Wall};
use crate::engine::{By, CapacityName, StateKind};

mod backfills;
mod beside;
mod graphs;
mod large;
mod migration;
mod past;
mod reached;
mod retention;
mod unmade;
mod written;

const LIMIT: Duration = Duration::from_secs(60);

fn job(name: &str) -> Arc<JobSpec> {
    let duration = Duration::from_millis(5);
    let task = TaskSpec::Sleep { duration };
    Arc::new(JobSpec::new(name.into(), Lane::Io, task))
}

fn at(number: u64) -> Now {
    Now {
        wall: Wall(1_700_000_000_000_000 + number.cast_signed()),
        mono: Mono(number * 1_000),
    }
}

fn records(first: u64, facts: Vec<Fact>) -> Arc<[Record]> {
    (first..)
        .zip(facts)
        .map(|(number, fact)| Record {
            number,
            at: at(number),
            // Who asked comes back with each kind of fact.
            by: (number % 5 == 0).then_some(By::User(7)),
            fact,
        })
        .collect()
}

fn accepted(run: u64, job: &Arc<JobSpec>, key: Option<&str>) -> Fact {
    Fact::Accepted {
        run: RunId(run),
        job: Arc::clone(job),
        priority: Priority::default(),
        args: None,
        after: Box::default(),
        ties: Ties::default(),
        due: None,
        key: key.map(|text| {
            Arc::new(SubmitKey {
                text: text.into(),
                digest: "abc".into(),
            })
        }),
        slot: None,
    }
}

fn end() -> End {
    End {
        outcome: Outcome::Succeeded(Arc::new(json!({"n": 1}))),
        teardown: None,
        words: None,
        measures: Measures::default(),
    }
}

/// Accepted, started and ended.
fn whole(run: u64, job: &Arc<JobSpec>) -> Vec<Fact> {
    let (epoch, id) = (1, RunId(run));
    vec![
        accepted(run, job, Some(&format!("key-{run}"))),
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
            end: end(),
        },
    ]
}

/// One of each kind, all about runs that stay live.
#[expect(
    clippy::too_many_lines,
    reason = "a list with one entry for each kind of fact"
)]
fn every_kind() -> Vec<Fact> {
    let a = job("a");
    let mut definitions = Definitions::empty(2);
    definitions.jobs = BTreeMap::from([(Arc::clone(&a.name), Arc::clone(&a))]);
    let (lane, size) = (Lane::Cpu, 3);
    definitions.pools = BTreeMap::from([("p".into(), PoolSpec { lane, size })]);
    definitions.limits = BTreeMap::from([("l".into(), LimitSpec::of(size))]);
    let (run, epoch) = (RunId(1), 1);
    let of = |run| (RunId(run), Arc::clone(&a));
    let failed = FinalState::Failed(Failure::Panic("it broke".into()));
    let mut facts = vec![
        Fact::Opened,
        Fact::Configured {
            definitions: Arc::new(definitions),
        },
        Fact::Paused {
            what: CapacityName::Pool("p".into()),
        },
        Fact::Resumed {
            what: CapacityName::Lane(Lane::Io),
        },
        Fact::Draining,
        Fact::Leaving,
        Fact::Heard {
            job: "a".into(),
            again: true,
        },
        Fact::Absent {
            job: "b".into(),
            since: Now {
                wall: Wall(1),
                mono: Mono(2),
            },
            within: Duration::from_secs(3),
        },
        Fact::Announced {
            attempts: [AttemptId { run, epoch }].into(),
        },
        Fact::Accepted {
            run,
            job: Arc::clone(&a),
            priority: Priority::MAX,
            args: Some(Arc::new(json!({"x": [1, null, "ü"]}))),
            after: [RunId(7)].into(),
            due: Some(Mono(u64::MAX)),
            ties: Ties::default(),
            key: None,
            slot: None,
        },
    ];
    let (run, job) = of(1);
    facts.push(Fact::Released { run, job });
    let (run, job) = of(1);
    facts.push(Fact::Due { run, job });
    facts.extend(graphs::of_graphs(&a));
    facts.extend(graphs::of_runs_left_out(&a));
    facts.extend(backfills::of_backfills());
    let (run, job) = of(1);
    facts.push(Fact::Started { run, job, epoch });
    let (run, job) = of(1);
    facts.push(Fact::Sent {
        run,
        job,
        epoch,
        bytes: Some(3),
    });
    let (run, job) = of(1);
    facts.push(Fact::Stopping {
        run,
        job,
        epoch,
        reason: StopReason::Timeout,
    });
    let (run, job) = of(1);
    facts.push(Fact::Unresponsive {
        run,
        job,
        epoch,
        reason: StopReason::Timeout,
        asked: Duration::from_millis(10_001),
        kept: true,
    });
    let (run, job) = of(1);
    facts.push(Fact::Ended {
        run,
        job,
        epoch,
        state: failed,
        end: end(),
    });
    let (run, job) = of(1);
    facts.push(Fact::Retried {
        run,
        job,
        priority: Priority::MIN,
        args: None,
        epoch,
        after: Box::default(),
        ties: Ties::default(),
        parts: None,
    });
    let (run, job) = of(1);
    facts.push(Fact::Retrying {
        run,
        job,
        epoch,
        failure: Failure::Exit(75),
        end: end(),
        due: Mono(7),
    });
    let no_room = || Interruption::NoRoom("no descriptors".into());
    for (cause, due) in [
        (Interruption::Crash, None),
        (no_room(), None),
        (no_room(), Some(Mono(5_000_000))),
        (Interruption::Unsure, None),
        (Interruption::Unbegun, None),
    ] {
        let (run, job) = of(1);
        facts.push(Fact::Interrupted {
            run,
            job,
            epoch,
            cause,
            due,
        });
    }
    facts.push(accepted(2, &a, Some("k")));
    let (run, job) = of(2);
    facts.push(Fact::Cancelled {
        run,
        job,
        reason: StopReason::Request,
    });
    facts.push(accepted(3, &a, None));
    let (run, job) = of(3);
    let failure = Failure::Timeout(Duration::from_secs(9));
    facts.push(Fact::GivenUp { run, job, failure });
    facts.push(accepted(4, &a, None));
    let (run, job) = of(4);
    let reason = SkipReason::Late(Duration::from_secs(9));
    facts.push(Fact::Skipped { run, job, reason });
    facts.push(accepted(5, &a, None));
    let (run, job) = of(5);
    let reason = SkipReason::Dependency {
        run: RunId(1),
        job: "a".into(),
    };
    facts.push(Fact::Skipped { run, job, reason });
    facts
}

struct Fixture {
    dir: tempfile::TempDir,
    place: StorePlace,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = StorePlace::new(dir.path().join("state"));
        Self { dir, place }
    }

    fn open(&self) -> Opened {
        SqliteLog::open(&self.place, Retention::default()).unwrap()
    }

    /// Appends each list as a batch and waits until all are committed.
    fn fill(&self, batches: &[Arc<[Record]>]) {
        let mut log = self.open().log;
        append(&mut log, 1, batches);
    }

    fn refused(&self) -> StoreError {
        SqliteLog::open(&self.place, Retention::default()).unwrap_err()
    }

    fn change(&self, sql: &str) {
        let conn = Connection::open(self.place.db()).unwrap();
        assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
    }
}

fn append(log: &mut SqliteLog, first: u64, batches: &[Arc<[Record]>]) {
    let mut number = first;
    for batch in batches {
        log.append(number, batch, Haste::Now);
        number += 1;
    }
    committed(log, number - 1);
}

fn committed(log: &SqliteLog, number: u64) {
    while log.commits().recv_timeout(LIMIT).unwrap() < number {}
}

/// Ten runs that are over and one that waits.
fn filled() -> Fixture {
    let fixture = Fixture::new();
    let a = job("a");
    let mut facts = vec![Fact::Opened];
    for run in 1..=10 {
        facts.extend(whole(run, &a));
    }
    facts.push(accepted(11, &a, None));
    fixture.fill(&[records(1, facts)]);
    fixture
}

#[test]
fn every_kind_of_fact_comes_back_as_it_was() {
    let fixture = Fixture::new();
    let all = records(1, every_kind());
    fixture.fill(std::slice::from_ref(&all));
    let opened = fixture.open();
    let reader = opened.log.reader();
    assert_eq!(reader.facts_after(0, 100).unwrap(), all.to_vec());
    assert_eq!(reader.facts_after(3, 2).unwrap(), all[3..5].to_vec());
    for record in all.iter() {
        let wire = codec::Wire::of(&record.fact, |_| Ok::<_, ()>(1)).unwrap();
        assert_eq!(wire.stands_for(), record.fact.stands_for(), "{record:?}");
    }
    let kept: Vec<Record> = all
        .iter()
        .filter(|record| match record.fact.run() {
            Some((run, _)) => run == RunId(1),
            None => !matches!(record.fact, Fact::Opened | Fact::Draining | Fact::Leaving),
        })
        .cloned()
        .collect();
    assert_eq!(opened.recovered.records, kept);
    let Recovered {
        next_record, last, ..
    } = opened.recovered;
    assert_eq!(
        (next_record, last),
        (all.len() as u64 + 1, all.last().unwrap().at)
    );
    assert!(opened.recovered.next_run == 7 && !opened.recovered.is_new);
    let found = verify(&fixture.place.db()).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.records, found.runs), (all.len() as u64, 6));
}

#[test]
fn many_batches_share_commits_and_the_newest_number_comes_last() {
    let fixture = Fixture::new();
    let a = job("a");
    let batches: Vec<_> = (1..=1_000)
        .map(|n| records(n, vec![accepted(n, &a, None)]))
        .collect();
    fixture.fill(&batches);
    let opened = fixture.open();
    assert_eq!(opened.recovered.records.len(), 1_000);
    let specs: Vec<_> = opened
        .recovered
        .records
        .iter()
        .filter_map(|r| r.fact.run())
        .collect();
    assert!(
        specs
            .windows(2)
            .all(|pair| Arc::ptr_eq(pair[0].1, pair[1].1))
    );
}

#[test]
fn a_second_daemon_is_refused_while_the_first_one_lives() {
    let fixture = Fixture::new();
    let first = fixture.open();
    assert!(first.recovered.is_new);
    let StoreError::Locked { pid, .. } = fixture.refused() else {
        panic!("not locked");
    };
    assert_eq!(pid, std::process::id().to_string());
    drop(first);
    assert!(!fixture.open().recovered.is_new);
}

#[test]
fn a_later_epoch_ends_an_earlier_writer() {
    let fixture = Fixture::new();
    let mut log = fixture.open().log;
    log.hook(|conn| {
        write::raise_epoch(conn).unwrap();
    });
    log.append(1, &records(1, vec![Fact::Opened]), Haste::Now);
    let Trouble::Broken { why } = log.troubles().recv_timeout(LIMIT).unwrap() else {
        panic!("not broken");
    };
    assert!(why.contains("another daemon"), "{why}");
    assert!(log.commits().try_recv().is_err());
}

#[test]
fn files_are_for_nobody_else() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = filled();
    let _log = fixture.open();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fixture.place.dir()), 0o700);
    for file in std::fs::read_dir(fixture.place.dir()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_changed_byte_is_found_and_never_served() {
    for sql in [
        "UPDATE facts SET payload = replace(payload, '\"epoch\":1', '\"epoch\":2') WHERE number = 3",
        "UPDATE facts SET hash = zeroblob(16) WHERE number = 3",
        "UPDATE facts SET wall = wall + 1 WHERE number = 3",
        "UPDATE facts SET payload = NULL WHERE number = 3",
        "UPDATE runs SET state = 6 WHERE run = 1",
        "UPDATE runs SET ended = ended + 1 WHERE run = 1",
        "UPDATE specs SET body = replace(body, 'io', 'oi')",
        "UPDATE keys SET run = 2 WHERE key = 'key-1'",
        "DELETE FROM facts WHERE number = 3",
    ] {
        let fixture = filled();
        fixture.change(sql);
        let found = verify(&fixture.place.db()).unwrap();
        assert!(!found.is_sound(), "{sql}");
        let reader = Reader::new(fixture.place.db());
        if sql.contains("keys") {
            assert!(reader.key("key-1").is_err(), "{sql}");
        } else if !sql.starts_with("DELETE") {
            assert!(reader.run(RunId(1)).is_err(), "{sql}");
        }
        if sql.contains("facts") {
            let error = fixture.refused();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{sql}: {error}"
            );
        }
    }
}

#[test]
fn a_store_that_is_not_whole_is_refused_and_stays_as_it_is() {
    let fixture = filled();
    let db = fixture.place.db();
    let whole = std::fs::read(&db).unwrap();
    let mut broken: Vec<Vec<u8>> = Vec::new();
    for length in (512..whole.len()).step_by(4_096 + 512) {
        broken.push(whole[..length].to_vec());
    }
    broken.push(vec![0; whole.len()]);
    broken.push(b"hello".to_vec());
    for bytes in broken {
        std::fs::write(&db, &bytes).unwrap();
        let error = fixture.refused();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(verify(&db).is_err());
        assert!(std::fs::read(&db).unwrap() == bytes);
    }
    std::fs::write(&db, b"").unwrap();
    assert!(matches!(fixture.refused(), StoreError::Gone { .. }));
    std::fs::remove_file(&db).unwrap();
    assert!(matches!(fixture.refused(), StoreError::Gone { .. }));
    assert!(!db.exists());
    std::fs::write(&db, &whole).unwrap();
    assert!(verify(&db).unwrap().is_sound());
    assert!(std::fs::read(&db).unwrap() == whole);
}

#[test]
fn a_database_of_something_else_is_refused() {
    let foreign = Fixture::new();
    std::fs::create_dir(foreign.place.dir()).unwrap();
    let conn = Connection::open(foreign.place.db()).unwrap();
    conn.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(conn);
    assert!(matches!(foreign.refused(), StoreError::Foreign { .. }));
}

#[test]
fn stories_are_found_by_what_is_asked() {
    let fixture = filled();
    let reader = Reader::new(fixture.place.db());
    let runs = |filter: RunFilter, limit| -> Vec<u64> {
        let stories = reader.runs(&filter, limit).unwrap();
        stories.iter().map(|story| story.run.0).collect()
    };
    let all = RunFilter::default();
    assert_eq!(runs(all.clone(), 3), [11, 10, 9]);
    let live = RunFilter {
        live: Some(true),
        ..all.clone()
    };
    assert_eq!(runs(live, 3), [11]);
    let job = RunFilter {
        job: Some("a".into()),
        before: Some(RunId(5)),
        ..all.clone()
    };
    assert_eq!(runs(job, 2), [4, 3]);
    let state = Some(StateKind::Succeeded);
    let both = RunFilter {
        state,
        job: Some("b".into()),
        ..all
    };
    assert!(runs(both, 2).is_empty());
    let story = reader.run(RunId(4)).unwrap().unwrap();
    assert_eq!((story.state, story.facts.len()), (StateKind::Succeeded, 3));
    assert_eq!(story.result.as_deref(), Some(&json!({"n": 1})));
    assert_eq!(story.attempts.len(), 1);
    assert_eq!(reader.forgotten(RunId(4)).unwrap().unwrap().epoch, 1);
    assert!(reader.forgotten(RunId(11)).unwrap().is_none());
    assert_eq!(reader.key("key-4").unwrap(), Some(("abc".into(), RunId(4))));
    assert_eq!(reader.key("none").unwrap(), None);
    assert_eq!(reader.newest().unwrap(), 32);
    assert!(
        reader
            .counts()
            .unwrap()
            .contains(&(StateKind::Succeeded, 10))
    );
}

#[test]
fn a_full_disk_keeps_what_waits_until_there_is_space() {
    let fixture = Fixture::new();
    let a = job("a");
    let mut log = fixture.open().log;
    append(&mut log, 1, &[records(1, vec![Fact::Opened])]);
    log.hook(|conn| {
        conn.query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))
            .unwrap();
    });
    let facts: Vec<_> = (1..=2_000).map(|run| accepted(run, &a, None)).collect();
    log.append(2, &records(2, facts), Haste::Now);
    let trouble = log.troubles().recv_timeout(LIMIT).unwrap();
    assert!(matches!(trouble, Trouble::Full { .. }), "{trouble:?}");
    assert!(log.commits().try_recv().is_err(), "told before its commit");
    assert_eq!(log.reader().newest().unwrap(), 1);
    log.append(3, &records(2_002, vec![Fact::Draining]), Haste::Now);
    log.hook(|conn| {
        conn.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))
            .unwrap();
    });
    committed(&log, 3);
    assert_eq!(
        log.troubles().recv_timeout(LIMIT).unwrap(),
        Trouble::Recovered
    );
    assert_eq!(log.reader().newest().unwrap(), 2_002);
    drop(log);
    assert!(verify(&fixture.place.db()).unwrap().is_sound());
}

#[test]
fn a_backup_is_a_whole_store_and_replaces_nothing() {
    let fixture = filled();
    let log = fixture.open().log;
    let to = fixture.dir.path().join("copy.db");
    backup(&fixture.place.db(), &to).unwrap();
    assert!(verify(&to).unwrap().is_sound());
    let exists = backup(&fixture.place.db(), &to).unwrap_err();
    assert!(matches!(exists, StoreError::Exists { .. }));
    assert_eq!(std::fs::read_dir(fixture.dir.path()).unwrap().count(), 2);
    drop(log);
    let said = info(&to).unwrap();
    assert_eq!(
        (said.newest, said.runs, said.live, said.specs),
        (32, 11, 1, 1)
    );
}

#[test]
fn what_is_not_over_is_found_by_its_number() {
    let over = fold::number_of(StateKind::Succeeded);
    for kind in StateKind::ALL {
        assert_eq!(kind.is_final(), fold::number_of(kind) >= over, "{kind:?}");
    }
}
