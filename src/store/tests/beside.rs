//! What others that have the store open, or may open it, find beside it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::store::place::reached_of;

/// Whether this process has a lock on the file, as the kernel tells it.
fn is_locked(path: &Path) -> bool {
    let inode = fs::metadata(path).unwrap().ino().to_string();
    let process = std::process::id().to_string();
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_of = |word: &&str| word.rsplit(':').next() == Some(&*inode);
        words.contains(&"POSIX") && words.contains(&&*process) && words[1..].iter().any(is_of)
    })
}

#[test]
fn who_reads_beside_the_writer_leaves_it_its_lock() {
    let fixture = Fixture::new();
    let mut log = fixture.open().log;
    log.append(1, &records(1, vec![Fact::Opened]), Haste::Now);
    committed(&log, 1);
    let db = fixture.place.db();
    assert!(is_locked(&db), "another program would remove its log");
    let reader = log.reader();
    assert_eq!(reader.newest().unwrap(), 1);
    assert!(is_locked(&db), "the reader has taken it away");
}

#[test]
fn what_tells_how_far_it_has_come_is_for_those_who_may_read_it() {
    let fixture = Fixture::new();
    drop(fixture.open().log);
    let db = fixture.place.db();
    // As somebody makes it who lets his group read it; and the next daemon makes the other file anew.
    fs::set_permissions(&db, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    fs::remove_file(reached_of(&db)).unwrap();
    drop(fixture.open().log);
    let [db, reached] = [db.clone(), reached_of(&db)].map(|path| fs::metadata(path).unwrap());
    assert_eq!(
        (reached.mode() & 0o777, reached.uid(), reached.gid()),
        (0o640, db.uid(), db.gid())
    );
}
