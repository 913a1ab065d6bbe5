//! What is told beside the store of how far it has come: a store that has less is refused, and nothing else is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;
use crate::store::place::{reached_of, wal_of};
use crate::store::reached::Reached;

/// A store as a kill leaves it after each of some commits: its files, by the number of its newest record.
struct Killed {
    _writer: Fixture,
    copies: Vec<Fixture>,
}

impl Killed {
    fn after(commits: &[Vec<Fact>]) -> Self {
        let writer = Fixture::new();
        let mut log = writer.open().log;
        let mut copies = vec![];
        let mut number = 1;
        for (batch, facts) in (1..).zip(commits) {
            log.append(batch, &records(number, facts.clone()), Haste::Now);
            committed(&log, batch);
            number += facts.len() as u64;
            copies.push(copy(&writer));
        }
        drop(log);
        Self {
            _writer: writer,
            copies,
        }
    }
}

fn copy(of: &Fixture) -> Fixture {
    let fixture = Fixture::new();
    fs::create_dir(fixture.place.dir()).unwrap();
    let (from, to) = (of.place.db(), fixture.place.db());
    let files: [(PathBuf, PathBuf); 4] = [
        (of.place.marker(), fixture.place.marker()),
        (wal_of(&from), wal_of(&to)),
        (reached_of(&from), reached_of(&to)),
        (from, to),
    ];
    for (from, to) in files {
        fs::copy(from, to).unwrap();
    }
    fixture
}

/// What is said where commits are missing.
fn lost(fixture: &Fixture) -> String {
    let refused = fixture.refused();
    assert!(
        matches!(
            &refused,
            StoreError::Damaged {
                damage: Damage::Lost(_),
                ..
            }
        ),
        "{refused}"
    );
    assert!(refused.is_lasting());
    let found = verify(&fixture.place.db()).unwrap();
    assert!(matches!(found.damage[..], [Damage::Lost(_)]), "{found:?}");
    let reader = Reader::new(fixture.place.db());
    assert!(reader.newest().is_err(), "a reader is told less");
    let to = fixture.dir.path().join("copy.db");
    assert!(backup(&fixture.place.db(), &to).is_err());
    refused.to_string()
}

/// How many records there are, for who opens it, who reads it, and who verifies it.
fn has(fixture: &Fixture) -> u64 {
    let found = verify(&fixture.place.db()).unwrap();
    assert!(found.is_sound(), "{found:?}");
    let read = Reader::new(fixture.place.db()).newest().unwrap();
    let opened = fixture.open();
    assert_eq!(opened.recovered.next_record, read + 1);
    read
}

fn commits() -> Vec<Vec<Fact>> {
    let a = job("a");
    vec![vec![Fact::Opened], whole(1, &a), whole(2, &a)]
}

#[test]
fn a_log_that_has_lost_its_end_is_refused_until_somebody_says_that_it_may_be() {
    let Killed { copies, .. } = Killed::after(&commits());
    let [early, .., late] = &copies[..] else {
        panic!("{} copies", copies.len());
    };
    // The database itself has not changed in between.
    let (db, wal) = (late.place.db(), wal_of(&late.place.db()));
    fs::copy(wal_of(&early.place.db()), &wal).unwrap();
    let told = lost(late);
    let reached = reached_of(&db);
    for words in [
        "ends with record 1,",
        "record 7 was on disk",
        &wal.display().to_string(),
        &format!("remove `{}`", reached.display()),
    ] {
        assert!(told.contains(words), "{words} is not in: {told}");
    }
    fs::remove_file(&wal).unwrap();
    assert!(lost(late).contains("ends with record 0,"));
    fs::remove_file(&reached).unwrap();
    assert_eq!(has(late), 0);
    // It goes on from there.
    assert_eq!(
        fs::metadata(&reached).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(has(early), 1);
}

/// The epoch is a commit of its own, without a record.
#[test]
fn a_lost_opening_is_found_too() {
    let Killed { copies, .. } = Killed::after(&commits()[..1]);
    let [killed] = &copies[..] else {
        panic!("{} copies", copies.len());
    };
    let wal = fs::read(wal_of(&killed.place.db())).unwrap();
    let again = copy(killed);
    let log = again.open().log;
    // Brought over at the end; here it is as if that had not been.
    let (db, reached) = (
        fs::read(killed.place.db()).unwrap(),
        fs::read(reached_of(&again.place.db())).unwrap(),
    );
    drop(log);
    fs::write(again.place.db(), db).unwrap();
    fs::write(wal_of(&again.place.db()), wal).unwrap();
    fs::write(reached_of(&again.place.db()), reached).unwrap();
    let told = lost(&again);
    assert!(
        told.contains("opened 1 times") && told.contains("says 2"),
        "{told}"
    );
}

#[test]
fn what_is_torn_empty_or_old_says_nothing_wrong() {
    let Killed { copies, .. } = Killed::after(&commits());
    let marks: Vec<Vec<u8>> = copies
        .iter()
        .map(|copy| fs::read(reached_of(&copy.place.db())).unwrap())
        .collect();
    let late = copies.last().unwrap();
    let mut torn = marks[2].clone();
    torn[40..48].fill(0);
    let cut = marks[2][..50].to_vec();
    for told in [
        vec![],
        vec![0; 64],
        torn,
        cut,
        marks[0].clone(),
        marks[1].clone(),
    ] {
        let fixture = copy(late);
        fs::write(reached_of(&fixture.place.db()), &told).unwrap();
        assert_eq!(has(&fixture), 7);
    }
    let fixture = copy(late);
    fs::remove_file(reached_of(&fixture.place.db())).unwrap();
    assert_eq!(has(&fixture), 7);
}

/// A later one in its place, with records of its own.
#[test]
fn another_store_is_not_taken_for_this_one() {
    let Killed { copies, .. } = Killed::after(&commits());
    let other = Fixture::new();
    other.fill(&[records(1, vec![Fact::Draining; 20])]);
    let _told = fs::copy(
        reached_of(&copies[1].place.db()),
        reached_of(&other.place.db()),
    );
    let told = lost(&other);
    assert!(told.contains("another store"), "{told}");
    // Retention drops the place in the chain by which they are told apart.
    fs::remove_file(reached_of(&other.place.db())).unwrap();
    assert_eq!(has(&other), 20);
}

#[test]
fn a_backup_takes_the_place_of_a_store_by_being_put_there() {
    let fixture = filled();
    let db = fixture.place.db();
    let backed_up = fixture.dir.path().join("copy.db");
    backup(&db, &backed_up).unwrap();
    assert!(!reached_of(&backed_up).exists());
    let mut log = fixture.open().log;
    append(&mut log, 1, &[records(33, vec![Fact::Draining; 9])]);
    let wal = fs::read(wal_of(&db)).unwrap();
    drop(log);
    fs::copy(&backed_up, &db).unwrap();
    // The log of the one that was there is not of this one, and SQLite would take it for that.
    fs::write(wal_of(&db), &wal).unwrap();
    let refused = fixture.refused().to_string();
    assert!(refused.contains("remove that"), "{refused}");
    assert_eq!(fs::read(&db).unwrap(), fs::read(&backed_up).unwrap());
    fs::remove_file(wal_of(&db)).unwrap();
    assert_eq!(has(&fixture), 32);
    // What is told is of this one from then on.
    assert_eq!(has(&fixture), 32);
    assert!(is_told(&db));
    // As is where it is made anew.
    for file in [&db, &fixture.place.marker()] {
        fs::remove_file(file).unwrap();
    }
    assert!(fixture.open().recovered.is_new);
}

fn is_told(db: &Path) -> bool {
    Reached::told(db).unwrap().is_some()
}

/// An older version writes on without telling of it, and lets go of what is old.
#[test]
fn what_was_written_without_telling_is_no_damage() {
    let fixture = filled();
    let db = fixture.place.db();
    let told = fs::read(reached_of(&db)).unwrap();
    let mut log = fixture.open().log;
    append(&mut log, 1, &[records(33, vec![Fact::Draining; 9])]);
    drop(log);
    fs::write(reached_of(&db), &told).unwrap();
    assert_eq!(has(&fixture), 41);
    // Also where the record that is told of is gone.
    fs::write(reached_of(&db), &told).unwrap();
    let retention = Retention {
        max_runs: Some(0),
        ..Retention::default()
    };
    let mut log = SqliteLog::open(&fixture.place, retention).unwrap().log;
    let (run, job, reason) = (RunId(11), job("a"), StopReason::Request);
    let mut facts = whole(12, &job);
    facts.insert(0, Fact::Cancelled { run, job, reason });
    append(&mut log, 1, &[records(42, facts)]);
    let removed = log.removed();
    log.retain(at(1_000).wall);
    while removed.recv_timeout(LIMIT).unwrap().last() != Some(&RunId(12)) {}
    drop(log);
    assert!(info(&db).unwrap().oldest > 32);
    fs::write(reached_of(&db), &told).unwrap();
    assert_eq!(has(&fixture), 45);
}

/// A commit that fails was told of by nobody: here another daemon has opened the store.
#[test]
fn nothing_is_told_of_that_is_not_committed() {
    let fixture = Fixture::new();
    let mut log = fixture.open().log;
    append(&mut log, 1, &[records(1, vec![Fact::Opened])]);
    log.hook(|conn| {
        write::raise_epoch(conn).unwrap();
    });
    log.append(2, &records(2, vec![Fact::Draining]), Haste::Now);
    let trouble = log.troubles().recv_timeout(LIMIT).unwrap();
    assert!(matches!(trouble, Trouble::Broken { .. }), "{trouble:?}");
    drop(log);
    assert_eq!(has(&fixture), 1);
}

/// Nothing rests on it that it can be written.
#[test]
fn where_it_cannot_be_written_all_goes_on() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.place.dir()).unwrap();
    let reached = reached_of(&fixture.place.db());
    // Each write to this device finds no space.
    std::os::unix::fs::symlink("/dev/full", &reached).unwrap();
    let opened = fixture.open();
    let mut log = opened.log;
    append(&mut log, 1, &[records(1, vec![Fact::Opened])]);
    drop(log);
    fs::remove_file(&reached).unwrap();
    assert_eq!(has(&fixture), 1);
}
