//! All that is asked of a store, and how it compares with what the whole one says.

use twolane::engine::fact::Record;
use twolane::engine::id::RunId;
use twolane::store::{Reader, RunFilter, StoreError, StorePlace, Story};

use crate::store::{Original, key};

/// What came of damage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// It does not matter: all answers are as they were.
    Same,
    /// Some answers are errors, and the others as they were.
    Told,
    /// A daemon refuses it.
    Refused,
    /// A daemon refuses it; who reads it without one is told something else than what was written.
    RefusedAndReadWrongly,
    /// It is as if the last commits had never been.
    Shorter,
    /// Something else is told than what was written.
    Wrong(String),
}

type Told<T> = Option<T>;

/// Answers; `None` where it was an error.
#[derive(Default)]
pub(crate) struct Answers {
    runs: Vec<Told<Option<Story>>>,
    keys: Vec<Told<Option<(String, RunId)>>>,
    lists: Vec<Told<Vec<RunId>>>,
    facts: Told<Vec<Record>>,
}

impl Answers {
    pub(crate) fn of_reader(place: &StorePlace, original: &Original) -> Self {
        fn told<T>(answer: Result<T, StoreError>) -> Told<T> {
            answer.ok()
        }
        let reader = Reader::new(place.db());
        // Also one that never was.
        let all = || 1..=original.runs + 1;
        let list = |filter: &RunFilter| {
            let stories = told(reader.runs(filter, 1_000))?;
            Some(stories.iter().map(|story| story.run).collect())
        };
        let any = RunFilter::default();
        let live = |live| RunFilter {
            live: Some(live),
            ..RunFilter::default()
        };
        let of_job = RunFilter {
            job: Some("report".into()),
            ..RunFilter::default()
        };
        Self {
            runs: all().map(|run| told(reader.run(RunId(run)))).collect(),
            keys: all().map(|run| told(reader.key(&key(run)))).collect(),
            lists: [any, live(true), live(false), of_job]
                .iter()
                .map(list)
                .collect(),
            facts: told(reader.facts_after(0, 10_000)),
        }
    }

    /// Compares them with those of the whole store.
    pub(crate) fn against(&self, whole: &Self) -> Verdict {
        let mut worst = Verdict::Same;
        let compared = [
            first(&self.runs, &whole.runs).map(|n| format!("run {}", n + 1)),
            first(&self.keys, &whole.keys).map(|n| format!("the key of run {}", n + 1)),
            first(&self.lists, &whole.lists).map(|n| format!("list {n}")),
            first(
                std::slice::from_ref(&self.facts),
                std::slice::from_ref(&whole.facts),
            )
            .map(|_| "the records".to_owned()),
        ];
        if let Some(what) = compared.into_iter().flatten().next() {
            return Verdict::Wrong(what);
        }
        let errors = self.runs.iter().any(Option::is_none)
            || self.keys.iter().any(Option::is_none)
            || self.lists.iter().any(Option::is_none)
            || self.facts.is_none();
        if errors {
            worst = Verdict::Told;
        }
        worst
    }

    /// How many records there are, all of them the first ones of the whole store; `None` if they cannot be read.
    pub(crate) fn records(&self, original: &Original) -> Option<usize> {
        let facts = self.facts.as_ref()?;
        let whole = original.answers.facts.as_ref().unwrap();
        assert!(
            whole.starts_with(facts),
            "the records are no beginning of what was written"
        );
        Some(facts.len())
    }

    /// How many records the store has.
    pub(crate) fn newest(&self) -> usize {
        self.facts.as_ref().map_or(0, Vec::len)
    }
}

/// The first answer that is no error and differs.
fn first<T: PartialEq>(told: &[Told<T>], whole: &[Told<T>]) -> Option<usize> {
    let mut pairs = told.iter().zip(whole);
    pairs.position(|(told, whole)| told.is_some() && told != whole)
}
