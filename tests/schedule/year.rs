//! A year of a crontab of 200 lines, played by the engine in virtual time: every run that croniter expects, and
//! no other. How long it takes is `cargo bench --bench schedule`.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};
use twolane::engine::fact::Fact;
use twolane::engine::schedule::Zone;
use twolane::engine::spec::Definitions;

use crate::bench::{Bench, jobs};
use crate::{at, cron};

const CRONTAB: &str = include_str!("crontab.tsv");

/// The lines, as the jobs `000` to `199`.
fn crontab() -> Definitions {
    let lines = CRONTAB.lines().enumerate();
    let named: Vec<(String, _)> = lines
        .map(|(number, line)| {
            let text = line.split('\t').next().unwrap();
            (format!("{number:03}"), vec![cron(text, &Zone::utc())])
        })
        .collect();
    jobs(named.iter().map(|(name, all)| (name.as_str(), all.clone())))
}

#[test]
fn a_year_of_a_crontab_is_what_croniter_expects() {
    let mut bench = Bench::new(at("2026-12-31T23:59:59Z"), crontab());
    bench.thorough = false;
    let mut fires: BTreeMap<usize, (u64, Sha256)> = BTreeMap::new();
    for day in 1..=365 {
        let end = at("2027-01-01T00:00:00Z").0 - 1 + day * 86_400_000_000;
        bench.until(twolane::engine::time::Wall(end));
        for record in bench.records.drain(..) {
            match record.fact {
                Fact::Accepted {
                    job,
                    slot: Some(slot),
                    ..
                } => {
                    assert!(record.at.wall.0 - slot.at.0 < 10, "it is run in its time");
                    let (count, digest) = fires.entry(job.name.parse().unwrap()).or_default();
                    *count += 1;
                    digest.update(format!("{}\n", slot.at.0 / 1_000_000));
                }
                Fact::Skipped { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        }
    }
    let mut checked = 0;
    for (number, line) in CRONTAB.lines().enumerate() {
        let [text, count, digest] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}");
        };
        let (fired, found) = fires.remove(&number).unwrap();
        let mut shown = String::new();
        for byte in &found.finalize()[..8] {
            write!(shown, "{byte:02x}").unwrap();
        }
        assert_eq!(
            (fired.to_string().as_str(), &*shown),
            (count, digest),
            "{text}"
        );
        checked += 1;
    }
    assert_eq!(checked, 200);
}
