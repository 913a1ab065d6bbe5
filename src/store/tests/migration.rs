//! Stores that older versions left behind: what they are brought to, and what is refused. How they were made
//! stands in `tests/stores/README.md`.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::{Fixture, accepted, append, job, records};
use crate::store::{Reader, RunFilter, StoreError, info, schema, verify};

/// Each store: the database and its write-ahead log as a kill has left them, and what is in it.
const STORES: [(&str, &[u8], &[u8], &str); 2] = [
    (
        "v1-first",
        include_bytes!("../../../tests/stores/v1-first.db.zst"),
        include_bytes!("../../../tests/stores/v1-first.db-wal.zst"),
        include_str!("../../../tests/stores/v1-first.txt"),
    ),
    (
        "v1-last",
        include_bytes!("../../../tests/stores/v1-last.db.zst"),
        include_bytes!("../../../tests/stores/v1-last.db-wal.zst"),
        include_str!("../../../tests/stores/v1-last.txt"),
    ),
];

/// A store that an older version left behind.
fn old(db: &[u8], wal: &[u8]) -> Fixture {
    let fixture = Fixture::new();
    let place = &fixture.place;
    std::fs::create_dir(place.dir()).unwrap();
    let unpack = |packed| zstd::decode_all(packed).unwrap();
    std::fs::write(place.db(), unpack(db)).unwrap();
    std::fs::write(crate::store::place::wal_of(&place.db()), unpack(wal)).unwrap();
    std::fs::write(place.marker(), "made").unwrap();
    fixture
}

/// A line for each run.
fn runs(db: &Path) -> String {
    let stories = Reader::new(db.to_owned())
        .runs(&RunFilter::default(), 1_000)
        .unwrap();
    let line = |story: &crate::store::Story| {
        let (run, job, state) = (story.run, &story.job.name, story.state.as_str());
        format!("{run} {job} {state} {} facts\n", story.facts.len())
    };
    stories.iter().rev().map(line).collect()
}

/// A digest of every file of a directory, but of those that say nothing and those that readers share.
fn files(dir: &Path) -> BTreeMap<String, blake3::Hash> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .filter(|(name, bytes)| name != "lock" && !name.ends_with("-shm") && !bytes.is_empty())
        .map(|(name, bytes)| (name, blake3::hash(&bytes)))
        .collect()
}

#[test]
fn an_older_store_is_brought_over_with_all_that_is_in_it_after_a_backup() {
    for (name, db, wal, expected) in STORES {
        let fixture = old(db, wal);
        let place = &fixture.place;
        assert_eq!(info(&place.db()).unwrap().format, 1, "{name}");
        let before = info(&place.db()).unwrap();
        let mut opened = fixture.open();
        let next = opened.recovered.next_record;
        assert_eq!(next, before.newest + 1, "{name}");
        assert!(!opened.recovered.is_new);
        assert_eq!(runs(&place.db()), expected, "{name}");
        let live = opened.recovered.records.iter();
        let live: std::collections::BTreeSet<_> = live
            .filter_map(|record| Some(record.fact.run()?.0))
            .collect();
        assert_eq!(live.len() as u64, before.live, "{name}");

        let copy = place.dir().join("twolane.db.before-v2");
        assert_eq!(runs(&copy), expected, "{name}");
        let kept = info(&copy).unwrap();
        assert_eq!((kept.format, kept.newest), (1, before.newest), "{name}");

        let run = opened.recovered.next_run;
        append(
            &mut opened.log,
            1,
            &[records(next, vec![accepted(run, &job("a"), None)])],
        );
        drop(opened);
        let after = info(&place.db()).unwrap();
        assert_eq!(
            (after.format, after.newest),
            (schema::newest(), next),
            "{name}"
        );
        let found = verify(&place.db()).unwrap();
        assert!(found.is_sound(), "{name}: {found:?}");
        assert_eq!(fixture.open().recovered.next_run, run + 1, "{name}");
    }
}

#[test]
fn a_newer_store_is_refused_by_both_numbers_and_stays_as_it_is() {
    let fixture = super::filled();
    let place = &fixture.place;
    let conn = Connection::open(place.db()).unwrap();
    let newer = schema::newest() + 1;
    conn.pragma_update(None, "user_version", newer).unwrap();
    drop(conn);
    let before = files(place.dir());
    let error = fixture.refused();
    assert!(
        matches!(error, StoreError::Newer { found, .. } if found == newer),
        "{error}"
    );
    let told = error.to_string();
    let both = [
        format!("format {newer}"),
        format!("up to {}", schema::newest()),
    ];
    assert!(
        both.iter().all(|part| told.contains(part.as_str())),
        "{told}"
    );
    assert!(
        Reader::new(place.db())
            .newest()
            .is_ok_and(|newest| newest > 0)
    );
    assert_eq!(files(place.dir()), before);
}

#[test]
fn a_backup_of_another_time_is_neither_trusted_nor_lost() {
    let (_, db, wal, expected) = STORES[1];
    let fixture = old(db, wal);
    let place = &fixture.place;
    let stale = place.dir().join("twolane.db.before-v2");
    let other = old(STORES[0].1, STORES[0].2);
    crate::store::backup(&other.place.db(), &stale).unwrap();
    drop(fixture.open());
    assert_eq!(runs(&stale), STORES[0].3);
    assert_eq!(runs(&place.dir().join("twolane.db.before-v2.2")), expected);
}
