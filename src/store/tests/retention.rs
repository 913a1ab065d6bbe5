//! What is kept, and that the rest is gone: by count, by bytes, and by age at the hour that the store itself
//! has named.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// Runs from 1 to `count` that are over, in a store that keeps `retention`.
fn ended(fixture: &Fixture, retention: Retention, count: u64) -> SqliteLog {
    let mut log = SqliteLog::open(&fixture.place, retention).unwrap().log;
    let a = job("a");
    let mut facts = vec![Fact::Opened];
    facts.extend((1..=count).flat_map(|run| whole(run, &a)));
    append(&mut log, 1, &[records(1, facts)]);
    log
}

/// The time of the record that ends this run of [`ended`].
fn end_of(run: u64) -> Wall {
    at(1 + 3 * run).wall
}

/// The runs that are removed, once the last of them is `last`.
fn removed(log: &SqliteLog, last: u64) -> Vec<u64> {
    let mut removed = Vec::new();
    while removed.last() != Some(&last) {
        let some = log.removed().recv_timeout(LIMIT).unwrap();
        removed.extend(some.into_iter().map(|run| run.0));
    }
    removed
}

/// When the store says that something becomes too old; it says so when a sweep is over.
fn outdated(log: &SqliteLog) -> Wall {
    log.outdated().recv_timeout(LIMIT).unwrap()
}

fn plus(wall: Wall, after: Duration) -> Wall {
    Wall(wall.0 + i64::try_from(after.as_micros()).unwrap())
}

#[test]
fn what_is_too_old_goes_at_the_time_that_the_store_has_named() {
    let fixture = Fixture::new();
    let retention = Retention {
        max_age: Some(HOUR),
        ..Retention::default()
    };
    let mut log = ended(&fixture, retention, 1_000);
    // Some are too old, and the hour is named at which the first of the others is.
    log.retain(plus(end_of(401), HOUR));
    assert_eq!(removed(&log, 400), Vec::from_iter(1..=400));
    let next = outdated(&log);
    assert_eq!(next, plus(end_of(401), HOUR + Duration::from_micros(1)));
    // One moment before it, nothing goes and the same hour is named; at it, just that one goes.
    log.retain(Wall(next.0 - 1));
    assert_eq!(outdated(&log), next);
    assert!(log.removed().try_recv().is_err());
    log.retain(next);
    assert_eq!(removed(&log, 401), [401]);
    assert_eq!(outdated(&log), Wall(next.0 + 3));
    drop(log);
    let found = verify(&fixture.place.db()).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.runs, 599);
}

#[test]
fn an_hour_is_named_as_soon_as_any_run_is_over() {
    let fixture = Fixture::new();
    let retention = Retention {
        max_age: Some(HOUR),
        ..Retention::default()
    };
    let mut log = SqliteLog::open(&fixture.place, retention).unwrap().log;
    log.retain(at(0).wall);
    let a = job("a");
    append(&mut log, 1, &[records(1, vec![accepted(1, &a, None)])]);
    let facts: Vec<_> = (2..=3).flat_map(|run| whole(run, &a)).collect();
    append(&mut log, 2, &[records(2, facts)]);
    assert_eq!(
        outdated(&log),
        plus(at(4).wall, HOUR + Duration::from_micros(1))
    );
    append(&mut log, 3, &[records(8, whole(4, &a))]);
    assert!(log.outdated().try_recv().is_err());
}

#[test]
fn no_hour_is_named_where_age_does_not_matter() {
    let fixture = Fixture::new();
    let retention = Retention {
        max_runs: Some(5),
        ..Retention::default()
    };
    let mut log = ended(&fixture, retention, 10);
    log.retain(plus(at(0).wall, HOUR));
    assert_eq!(removed(&log, 5), [1, 2, 3, 4, 5]);
    let outdated = log.outdated();
    // The thread is through with everything when the log is gone.
    drop(log);
    assert!(outdated.try_recv().is_err());
}

#[test]
fn bytes_beyond_the_most_are_given_back_by_those_that_ended_first() {
    let fixture = Fixture::new();
    let (count, pages) = (4_000, 100);
    let retention = Retention {
        max_bytes: Some(u64::from(pages) * 4_096),
        ..Retention::default()
    };
    let mut log = ended(&fixture, retention, count);
    let in_use = || {
        let conn = Connection::open(fixture.place.db()).unwrap();
        let pragma = |name| {
            conn.pragma_query_value(None, name, |row| row.get::<_, u32>(0))
                .unwrap()
        };
        pragma("page_count") - pragma("freelist_count")
    };
    assert!(in_use() > 2 * pages);
    log.retain(end_of(count));
    let told = log.removed();
    let mut gone = Vec::new();
    while in_use() > pages {
        gone.extend(told.recv_timeout(LIMIT).unwrap());
    }
    drop(log);
    gone.extend(told.try_iter().flatten());
    assert!(in_use() <= pages);
    let found = verify(&fixture.place.db()).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert!(found.runs > 0);
    assert_eq!(gone, Vec::from_iter((1..=count - found.runs).map(RunId)));
}

#[test]
fn retention_keeps_the_chain_and_what_is_in_force() {
    let fixture = Fixture::new();
    let a = job("a");
    let paused = Fact::Paused {
        what: CapacityName::Job("a".into()),
    };
    let mut definitions = Definitions::empty(1);
    definitions.jobs = BTreeMap::from([("a".into(), Arc::clone(&a))]);
    let configured = Fact::Configured {
        definitions: Arc::new(definitions),
    };
    let mut facts = vec![Fact::Opened, configured.clone(), paused.clone()];
    for run in 1..=1_000 {
        facts.extend(whole(run, &a));
    }
    let last = facts.len() as u64;
    let retention = Retention {
        max_runs: Some(10),
        ..Retention::default()
    };
    let opened = SqliteLog::open(&fixture.place, retention).unwrap();
    let mut log = opened.log;
    append(&mut log, 1, &[records(1, facts)]);
    log.retain(at(last).wall);
    let mut removed = Vec::new();
    while removed.len() < 990 {
        removed.extend(log.removed().recv_timeout(LIMIT).unwrap());
    }
    assert_eq!(removed.len(), 990);
    assert_eq!(removed.last(), Some(&RunId(990)));
    drop(log);
    let found = verify(&fixture.place.db()).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.runs, 10);
    let opened = fixture.open();
    let again: Vec<_> = opened
        .recovered
        .records
        .iter()
        .map(|record| &record.fact)
        .collect();
    assert_eq!(again, [&configured, &paused]);
    assert_eq!(opened.recovered.next_record, last + 1);
    assert_eq!(opened.recovered.next_run, 1_001);
    assert_eq!(opened.recovered.last, at(last));
    let reader = opened.log.reader();
    assert!(reader.run(RunId(990)).unwrap().is_none());
    assert!(reader.key("key-990").unwrap().is_none());
    assert!(reader.run(RunId(991)).unwrap().is_some());
}
