//! The ledger that the jobs write, and the check of everything against everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use twolane::api::wire::{RunStory, Status, Submitted};
use twolane::clock::Clock;
use twolane::engine::spec::CRASHES_BOUND;
use twolane::engine::time::Mono;
use twolane::store::{self, StorePlace};
use twolane::{App, Handlers};

use crate::clients::Told;
use crate::daemon::Daemon;

/// What is said of an attempt of which it is not known if it had begun.
const UNSURE: &str = "the daemon or the machine went down when it may just have begun";

/// Far longer than what is left takes.
const LIMIT: Duration = Duration::from_secs(120);

/// The program with functions that write a line when they start and one when they end.
pub(crate) fn ledger_app() -> App {
    let io = |_: twolane::Context, args: Value| async move {
        mark("start", &args);
        tokio::task::yield_now().await;
        mark("end", &args);
        Ok::<_, twolane::HandlerError>(json!({ "did": args["id"] }))
    };
    let cpu = |_: &twolane::Context, args: Value| {
        mark("start", &args);
        mark("end", &args);
        Ok::<_, twolane::HandlerError>(json!({ "did": args["id"] }))
    };
    App::new(Handlers::new().io("io-mark", io).cpu("cpu-mark", cpu))
}

/// One line, in one write, so that no two are mixed.
fn mark(what: &str, args: &Value) {
    let path = std::env::var("TWOLANE_LEDGER").unwrap();
    let line = format!(
        "{} {what} {}\n",
        std::process::id(),
        args["id"].as_str().unwrap()
    );
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

pub(crate) struct Books {
    told: Vec<Told>,
    stories: BTreeMap<u64, RunStory>,
    /// Starts and ends by id, in order, with the process.
    ledger: BTreeMap<String, Vec<(String, bool)>>,
    again: Vec<(String, u64)>,
}

impl Books {
    /// Waits until nothing is left to do, and asks for everything.
    pub(crate) fn read(daemon: &Daemon, told: Vec<Told>) -> Self {
        let client = daemon.client();
        let clock = Clock::start();
        while client.get::<Status>("/status").unwrap().unfinished > 0 {
            assert!(
                clock.mono().since(Mono(0)) < LIMIT,
                "runs are left unfinished"
            );
            std::thread::yield_now();
        }
        let story = |told: &Told| {
            let story = client.get::<RunStory>(&format!("/runs/{}", told.run));
            let story = story.unwrap_or_else(|error| panic!("{told:?} is lost: {error}"));
            (told.run, story)
        };
        let stories = told.iter().map(story).collect();
        // Each key still means the run that it meant.
        let ask = |told: &Told| {
            let body = json!({ "job": told.job, "key": told.key, "args": { "id": told.key } });
            (
                told.key.clone(),
                client.post::<Submitted>("/runs", &body).unwrap().run,
            )
        };
        let again = told.iter().step_by(7).map(ask).collect();
        let text = std::fs::read_to_string(daemon.ledger()).unwrap();
        let mut ledger: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
        let mut begun = BTreeSet::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [process, what, id] = words[..] else {
                panic!("a line of the ledger is broken: {line:?}");
            };
            // Commands say which attempt they are.
            let id = match id.split_once('#') {
                Some((id, _)) if what == "start" => {
                    assert!(begun.insert(words[2]), "{} begins twice", words[2]);
                    id
                }
                Some((id, _)) => id,
                None => id,
            };
            let entry = (process.to_owned(), what == "start");
            ledger.entry(id.to_owned()).or_default().push(entry);
        }
        Self {
            told,
            stories,
            ledger,
            again,
        }
    }

    pub(crate) fn check(&self) {
        let runs: BTreeSet<u64> = self.told.iter().map(|told| told.run).collect();
        assert_eq!(runs.len(), self.told.len(), "each key has a run of its own");
        for (key, run) in &self.again {
            let told = self.told.iter().find(|told| told.key == *key).unwrap();
            assert_eq!(told.run, *run, "key {key} means another run now");
        }
        for told in &self.told {
            self.check_run(told);
        }
        for (id, entries) in &self.ledger {
            check_ledger(id, entries);
        }
    }

    fn check_run(&self, told: &Told) {
        let story = &self.stories[&told.run];
        let run = &story.run;
        assert_eq!(
            run.args,
            Some(json!({ "id": told.key })),
            "{told:?}: {run:?}"
        );
        assert_eq!(run.job, told.job, "{told:?}");
        let entries = self.ledger.get(&told.key).map_or(&[][..], Vec::as_slice);
        let starts = entries.iter().filter(|(_, is_start)| *is_start).count();
        let ends = entries.len() - starts;
        match run.state.as_str() {
            "succeeded" => assert!(ends > 0, "{told:?} succeeded and has not said so"),
            "failed" => {
                assert_eq!(run.failure.as_deref(), Some("crash"), "{told:?}: {run:?}");
            }
            state => panic!("{told:?} is {state} in the end"),
        }
        assert!(
            starts <= run.attempts as usize,
            "{told:?} started more often than is on record"
        );
        if told.job == "once" {
            assert!(starts <= 1, "{told:?} was done twice");
        } else if run.state == "failed" {
            // It has gone down with as many daemons as a run may.
            assert!(run.attempts > CRASHES_BOUND, "{told:?}: {run:?}");
        }
    }

    pub(crate) fn check_store(&self, daemon: &Daemon) {
        let db = StorePlace::new(daemon.state()).db();
        let verified = store::verify(&db).unwrap();
        assert!(verified.is_sound(), "{:?}", verified.damage);
        assert!(verified.runs >= self.told.len() as u64);
    }

    pub(crate) fn summary(&self) -> String {
        let resent = self.told.iter().filter(|told| told.sent > 1).count();
        let crashed = self
            .stories
            .values()
            .filter(|story| story.run.state == "failed")
            .count();
        let retried = self
            .stories
            .values()
            .filter(|story| story.run.attempts > 1)
            .count();
        let unsure = |story: &&RunStory| {
            let mut events = story.history.iter();
            events.any(|event| event.reason.as_deref() == Some(UNSURE))
        };
        let unsure = self.stories.values().filter(unsure).count();
        format!(
            "{} runs acknowledged, 0 lost; {resent} sent again, {retried} tried again ({unsure} of \
             them were announced and have no start on record), {crashed} failed because they must not be done twice, or went down {CRASHES_BOUND} times and once more",
            self.told.len()
        )
    }
}

/// Within one process, a start comes after the end of the one before it.
fn check_ledger(id: &str, entries: &[(String, bool)]) {
    let mut running: Option<&str> = None;
    for (process, is_start) in entries {
        match (running, is_start) {
            (Some(other), true) => assert_ne!(other, process, "{id} overlaps itself"),
            (other, false) => assert_eq!(other, Some(process.as_str()), "{id} ends unstarted"),
            (None, true) => {}
        }
        running = is_start.then_some(process.as_str());
    }
}
