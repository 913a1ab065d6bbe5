//! A store of which single bits are turned or the end is missing: no daemon starts on one that would answer wrongly,
//! and nobody writes to one that is refused. Who reads it without a daemon may find nothing where there is something,
//! and `store verify` says so.
//!
//! `TWOLANE_DAMAGE_FLIPS=10000 cargo test --profile dev --test damage -- --nocapture` turns more bits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod store;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use answers::{Answers, Verdict};
use store::Original;
use twolane::store::{Retention, SqliteLog, StoreError, StorePlace, verify};

/// Bits that are turned in a usual run.
const FLIPS: u64 = 200;

fn flips() -> u64 {
    let flips = std::env::var("TWOLANE_DAMAGE_FLIPS").ok();
    flips.and_then(|flips| flips.parse().ok()).unwrap_or(FLIPS)
}

/// What came of damage, with how often it did.
type Counts = BTreeMap<Verdict, u64>;

/// Tries each number from 0 on, on all cores; what came of them all.
fn each(count: u64, work: impl Fn(u64) -> Verdict + Sync) -> Counts {
    let next = AtomicU64::new(0);
    let counts = Mutex::new(Counts::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let verdict = work(number);
                    *counts.lock().unwrap().entry(verdict).or_default() += 1;
                }
            });
        }
    });
    counts.into_inner().unwrap()
}

/// Looks at a damaged store as a daemon does that starts on it, and then asks it.
fn look(place: &StorePlace, original: &Original) -> Verdict {
    let before = files(place);
    // Without a daemon nobody has looked at all of it.
    let read = Answers::of_reader(place, original).against(&original.answers);
    if let Verdict::Wrong(what) = &read
        && verify(&place.db()).is_ok_and(|found| found.is_sound())
    {
        return Verdict::Wrong(format!("{what}, and nobody notices"));
    }
    match SqliteLog::open(place, Retention::default()) {
        Ok(opened) if opened.recovered != original.recovered => {
            Verdict::Wrong("a daemon goes on with something else".into())
        }
        Ok(_in_use) => Answers::of_reader(place, original).against(&original.answers),
        Err(StoreError::Locked { .. }) => panic!("nobody else has it"),
        Err(error) => {
            assert!(
                files(place) == before,
                "it was refused, and written to: {error}"
            );
            match read {
                Verdict::Wrong(_) => Verdict::RefusedAndReadWrongly,
                Verdict::Same
                | Verdict::Told
                | Verdict::Refused
                | Verdict::RefusedAndReadWrongly
                | Verdict::Shorter => Verdict::Refused,
            }
        }
    }
}

/// What is in the files, but for those that say nothing of the store and those that readers share.
fn files(place: &StorePlace) -> BTreeMap<OsString, Vec<u8>> {
    let entries = std::fs::read_dir(place.dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let of_the_store = names.filter(|name| name != "lock" && name != "twolane.db-shm");
    of_the_store
        .map(|name| (std::fs::read(place.dir().join(&name)).unwrap(), name))
        .filter(|(bytes, _)| !bytes.is_empty())
        .map(|(bytes, name)| (name, bytes))
        .collect()
}

fn wrong(counts: &Counts) -> u64 {
    let is_wrong = |verdict: &&Verdict| matches!(verdict, Verdict::Wrong(_));
    counts
        .iter()
        .filter(|(verdict, _)| is_wrong(verdict))
        .map(|(_, count)| count)
        .sum()
}

#[test]
fn a_turned_bit_gives_no_wrong_answer() {
    let original = Original::make();
    let bits = original.db.len() as u64 * 8;
    let flips = flips();
    let counts = each(flips, |number| {
        let dir = tempfile::tempdir().unwrap();
        let bit = spread(number, bits);
        let db = turned(&original.db, bit);
        let verdict = look(&original.damaged(dir.path(), &db), &original);
        if let Verdict::Wrong(what) = &verdict {
            println!("bit {} of byte {}: {what}", bit % 8, bit / 8);
        }
        verdict
    });
    println!("{flips} bits of {bits} turned: {counts:?}");
    assert_eq!(wrong(&counts), 0);
}

#[test]
fn a_store_that_was_cut_off_is_refused_and_stays_as_it_is() {
    let original = Original::make();
    let cuts = original.db.len().div_ceil(512) as u64;
    let counts = each(cuts, |number| {
        let dir = tempfile::tempdir().unwrap();
        let length = usize::try_from(number * 512).unwrap();
        look(
            &original.damaged(dir.path(), &original.db[..length]),
            &original,
        )
    });
    println!("cut off at each of {cuts} places: {counts:?}");
    assert_eq!(counts, Counts::from([(Verdict::Refused, cuts)]));
}

/// SQLite takes its log up to the first page whose sum does not hold. That it went on is told beside it.
#[test]
fn a_turned_bit_in_the_write_ahead_log_is_not_taken_for_its_end() {
    let original = Original::make();
    let bits = original.wal.len() as u64 * 8;
    // Half of them in what a commit or two have written, where nothing that comes later gives them away.
    let last = 3 * 4_120 * 8;
    let flips = flips() / 4;
    let counts = each(flips, |number| {
        let dir = tempfile::tempdir().unwrap();
        let among = if number % 2 == 0 { bits } else { last };
        let bit = bits - among + spread(number, among);
        let wal = turned(&original.wal, bit);
        let place = original.with_wal(dir.path(), &wal, &original.reached);
        let verdict = look(&place, &original);
        if let Verdict::Wrong(what) = &verdict {
            println!("bit {} of byte {}: {what}", bit % 8, bit / 8);
        }
        verdict
    });
    println!("{flips} bits of {bits} of the log turned: {counts:?}");
    assert_eq!(counts, Counts::from([(Verdict::Refused, flips)]));
}

#[test]
fn a_write_ahead_log_that_was_cut_off_is_refused_and_stays_as_it_is() {
    let original = Original::make();
    let places = original.wal.len().div_ceil(512) as u64;
    let cuts = flips() / 8;
    let counts = each(cuts, |number| {
        let dir = tempfile::tempdir().unwrap();
        // None of it is left, each of the last places, and others.
        let place = match number {
            0 => 0,
            number if number % 2 == 0 => places.saturating_sub(number / 2),
            number => spread(number, places),
        };
        let wal = &original.wal[..usize::try_from(place * 512).unwrap()];
        let place = original.with_wal(dir.path(), wal, &original.reached);
        look(&place, &original)
    });
    println!("the log cut off at {cuts} of {places} places: {counts:?}");
    assert_eq!(counts, Counts::from([(Verdict::Refused, cuts)]));
}

/// What tells of the end says nothing where it is not whole, and nothing wrong.
#[test]
fn a_turned_bit_in_what_tells_of_the_end_changes_nothing() {
    let original = Original::make();
    let bits = original.reached.len() as u64 * 8;
    let flips = flips() / 4;
    let counts = each(flips, |number| {
        let dir = tempfile::tempdir().unwrap();
        // In either of the two places.
        let bit = number / 2 % 512 + (number % 2) * (bits - 512);
        let reached = turned(&original.reached, bit);
        let place = original.with_wal(dir.path(), &original.wal, &reached);
        look(&place, &original)
    });
    println!("{flips} bits turned of {bits} that tell of the end: {counts:?}");
    assert_eq!(counts, Counts::from([(Verdict::Same, flips)]));
}

/// Where nothing tells of it, what SQLite's own log has lost from its end, it has never had: what is left is a
/// beginning, and nothing else.
#[test]
fn a_turned_bit_in_the_write_ahead_log_leaves_a_beginning() {
    let original = Original::make();
    let bits = original.wal.len() as u64 * 8;
    let flips = flips() / 4;
    let counts = each(flips, |number| {
        let dir = tempfile::tempdir().unwrap();
        let wal = turned(&original.wal, spread(number, bits));
        let place = original.with_wal(dir.path(), &wal, &[]);
        match Answers::of_reader(&place, &original).records(&original) {
            Some(kept) if kept == original.answers.newest() => Verdict::Same,
            Some(_) => Verdict::Shorter,
            None => Verdict::Refused,
        }
    });
    println!("{flips} bits of {bits} of the log turned: {counts:?}");
    assert_eq!(wrong(&counts), 0);
}

/// The place of a number among so many, spread over all of them in no order.
const fn spread(number: u64, among: u64) -> u64 {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (number << 7)) % among
}

/// The bytes with one bit of them turned.
fn turned(bytes: &[u8], bit: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
    bytes
}

/// Copies a store's files to a place of their own.
fn put(dir: &Path, files: &[(&str, &[u8])]) -> StorePlace {
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    StorePlace::new(dir)
}
