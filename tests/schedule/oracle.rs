//! A thousand expressions against croniter, where the clock is never changed; see `oracle.py`.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::{after, at, cron, zone};

const ORACLE: &str = include_str!("oracle.tsv");

#[test]
fn a_thousand_expressions_come_when_croniter_says() {
    let start = at("2026-01-01T00:00:00Z");
    let mut lines = 0;
    for line in ORACLE.lines() {
        let [text, name, first, last, digest] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("five columns: {line}");
        };
        let schedule = cron(text, &zone(name));
        let fires: Vec<i64> = after(&schedule, start)
            .take(100)
            .map(|slot| slot.0 / 1_000_000)
            .collect();
        let ends = [fires[0].to_string(), fires[99].to_string()];
        assert_eq!(ends, [first, last], "{text} in {name}");
        let written: String = fires.iter().map(|at| format!("{at}\n")).collect();
        let mut found = String::new();
        for byte in &Sha256::digest(written)[..8] {
            write!(found, "{byte:02x}").unwrap();
        }
        assert_eq!(found, digest, "{text} in {name}: {fires:?}");
        lines += 1;
    }
    assert_eq!(lines, 1_000);
}
