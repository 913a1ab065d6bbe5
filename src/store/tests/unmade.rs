//! A store whose making was cut short.

use super::*;

#[test]
fn a_store_that_was_half_made_is_made_at_the_next_start() {
    let fixture = Fixture::new();
    let half = fixture.dir.path().join("half");
    std::fs::create_dir(&half).unwrap();
    let conn = Connection::open(half.join("twolane.db")).unwrap();
    // More than SQLite keeps back until the commit.
    conn.execute_batch(
        "PRAGMA cache_size = 1; BEGIN; CREATE TABLE t (x);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
         INSERT INTO t SELECT zeroblob(4000) FROM n",
    )
    .unwrap();
    std::fs::create_dir(fixture.place.dir()).unwrap();
    for name in ["twolane.db", "twolane.db-journal"] {
        std::fs::copy(half.join(name), fixture.place.dir().join(name)).unwrap();
    }
    assert!(std::fs::metadata(fixture.place.db()).unwrap().len() > 4_096);
    let opened = fixture.open();
    assert!(opened.recovered.is_new);
    drop(opened);
    assert!(verify(&fixture.place.db()).unwrap().is_sound());
}
