//! The machine's data of a time zone changes while a daemon runs.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Finished, Place, Process};

const SETTINGS: &str =
    "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n";

/// One that names its zone, and one that goes by the machine's own.
const JOBS: &str = "[jobs.named]\nsleep = \"1s\"\nschedule = { cron = \"0 12 1 1 *\", tz = \"Test/Moving\" }\n\
                    [jobs.local]\nsleep = \"1s\"\nschedule = { cron = \"0 12 1 1 *\" }\n";

/// The data of a zone whose clocks have always been so many hours ahead of UTC: RFC 9636, version 2.
fn data(hours: u8) -> Vec<u8> {
    let mut header = b"TZif2".to_vec();
    header.resize(20, 0);
    // UT indicators, standard indicators, leap seconds, changes, kinds of time, bytes of their names.
    for count in [0_u32, 0, 0, 0, 1, 4] {
        header.extend(count.to_be_bytes());
    }
    let mut kind = (i32::from(hours) * 3600).to_be_bytes().to_vec();
    kind.extend([0, 0]);
    kind.extend(b"HRS\0");
    let block = [header, kind].concat();
    let rule = format!("\n<+{hours:02}>-{hours}\n");
    [&block[..], &block, rule.as_bytes()].concat()
}

/// Puts another file in place of the zone's, as an update of the machine does.
fn put(place: &Path, data: &[u8]) {
    let zone = place.join("zoneinfo/Test/Moving");
    let beside = zone.with_extension("new");
    fs::create_dir_all(zone.parent().unwrap()).unwrap();
    fs::write(&beside, data).unwrap();
    fs::rename(&beside, &zone).unwrap();
}

/// A place in which the program finds its zones.
struct Zoned {
    place: Place,
    environment: [(&'static str, String); 2],
}

impl Zoned {
    fn new() -> Self {
        let place = Place::with(&[("twolane.toml", SETTINGS), ("jobs.toml", JOBS)]);
        let directory = place.path().join("zoneinfo");
        let local = format!(":{}", directory.join("Test/Moving").display());
        let environment = [("TZDIR", directory.display().to_string()), ("TZ", local)];
        Self { place, environment }
    }

    fn start(&self, args: &[&str]) -> Process {
        let environment = self
            .environment
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        self.place.start_with(args, &environment)
    }

    fn ask(&self, args: &[&str]) -> Finished {
        self.start(&[args, &["--socket", "run/twolane.sock"]].concat())
            .finish()
    }

    /// The hour in UTC at which each job comes next, as the files have it and as the daemon has it.
    fn hours(&self) -> [Vec<String>; 2] {
        let objects = |told: &Finished| -> Vec<Value> {
            assert_eq!(told.code, Some(0), "{told:?}");
            told.stdout
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let hour = |job: &Value, at: &Value| {
            format!("{} {}", job.as_str().unwrap(), &at.as_str().unwrap()[5..13])
        };
        let files = self.start(&["next", "--config", "twolane.toml", "--json", "-n", "2"]);
        let files = objects(&files.finish());
        let mut files: Vec<String> = files
            .iter()
            .map(|line| hour(&line["job"], &line["slot"]))
            .collect();
        files.sort();
        let jobs = objects(&self.ask(&["jobs", "--json"]));
        let next = |job: &Value| hour(&job["job"], &job["schedules"][0]["next"]);
        let mut jobs: Vec<String> = jobs.iter().map(next).collect();
        jobs.sort();
        [files, jobs]
    }
}

#[test]
fn a_reload_takes_up_a_zone_that_has_changed_on_disk() {
    let zoned = Zoned::new();
    put(zoned.place.path(), &data(1));
    let mut process = zoned.start(&["serve", "--config", "twolane.toml"]);
    process.wait_for("answering on");
    let at = |hour: &str| ["local", "named"].map(|job| format!("{job} 01-01T{hour}"));
    assert_eq!(zoned.hours(), [at("11"), at("11")]);

    // The daemon goes by what it has read until it is told.
    put(zoned.place.path(), &data(9));
    assert_eq!(zoned.hours(), [at("03"), at("11")]);
    let preview = zoned.ask(&["reload", "--dry-run"]);
    assert_eq!(preview.code, Some(0), "{preview:?}");
    for words in [
        "jobs changed: `local` and `named`",
        "T11:00:00Z",
        "; then ",
        "T03:00:00Z",
    ] {
        assert!(preview.stdout.contains(words), "{words}: {preview:?}");
    }
    let reloaded = zoned.ask(&["reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    assert!(
        reloaded
            .stdout
            .contains("jobs changed: `local` and `named`"),
        "{reloaded:?}"
    );
    assert_eq!(zoned.hours(), [at("03"), at("03")]);

    // One that is half there is no zone, and nothing is put in force.
    put(zoned.place.path(), &data(5)[..60]);
    let refused = zoned.ask(&["reload"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stdout.contains("Test/Moving"), "{refused:?}");
    process.wait_for("configuration not reloaded");
    put(zoned.place.path(), &data(9));
    assert_eq!(zoned.hours(), [at("03"), at("03")]);
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}
