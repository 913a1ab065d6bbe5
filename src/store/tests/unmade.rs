//! A store whose making, or whose first opening after it was put in its place, was cut short.

use super::*;

/// Puts a store into the place of `fixture` that is as a kill leaves the one in `half`, within a transaction.
fn cut_short(half: &Path, fixture: &Fixture) {
    let conn = Connection::open(half.join("twolane.db")).unwrap();
    // More than SQLite keeps back until the commit.
    conn.execute_batch(
        "PRAGMA cache_size = 1; BEGIN; CREATE TABLE t (x);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
         INSERT INTO t SELECT zeroblob(4000) FROM n",
    )
    .unwrap();
    for name in ["twolane.db", "twolane.db-journal"] {
        std::fs::copy(half.join(name), fixture.place.dir().join(name)).unwrap();
    }
}

/// What a daemon writes first to a backup is, by a journal, that it has a write-ahead log from then on.
#[test]
fn a_backup_whose_first_opening_was_cut_short_is_opened_at_the_next_start() {
    let fixture = filled();
    let half = fixture.dir.path().join("half");
    std::fs::create_dir(&half).unwrap();
    backup(&fixture.place.db(), &half.join("twolane.db")).unwrap();
    cut_short(&half, &fixture);
    assert!(verify(&fixture.place.db()).is_err());
    assert_eq!(fixture.open().recovered.next_record, 33);
    assert!(verify(&fixture.place.db()).unwrap().is_sound());
}

#[test]
fn a_store_that_was_half_made_is_made_at_the_next_start() {
    let fixture = Fixture::new();
    let half = fixture.dir.path().join("half");
    std::fs::create_dir(&half).unwrap();
    std::fs::create_dir(fixture.place.dir()).unwrap();
    cut_short(&half, &fixture);
    assert!(std::fs::metadata(fixture.place.db()).unwrap().len() > 4_096);
    let opened = fixture.open();
    assert!(opened.recovered.is_new);
    drop(opened);
    assert!(verify(&fixture.place.db()).unwrap().is_sound());
}
