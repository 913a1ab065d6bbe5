//! What was looked at, and what of it cannot be. A checker that saw nothing finds nothing: too little evidence is a
//! violation like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::clients::Answer;
use super::evidence::Evidence;
use super::ledger::Mark;

/// Of each invariant so many violations are told in words; all are counted.
const TOLD_BOUND: usize = 20;

/// What there is of evidence, in the order in which it is told.
const COUNTS: [&str; 9] = [
    "requests",
    "acknowledged",
    "refused",
    "unknown",
    "starts",
    "ends",
    "facts",
    "runs",
    "processes",
];

/// The name under which too little evidence is told.
pub(crate) const EVIDENCE: &str = "evidence";

/// What the evidence is of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expectations {
    /// A daemon is at work: runs may be unfinished, and their processes are there. Else all has come to rest.
    pub(crate) is_live: bool,
    /// Jobs whose attempts write the ledger.
    pub(crate) ledger_jobs: BTreeSet<String>,
    /// How much there has to be of what, by the names in the report. Where nothing is said, one of each of what
    /// there has to be after any load.
    pub(crate) at_least: BTreeMap<String, u64>,
}

impl Expectations {
    /// Adds a line of the form `WHAT=COUNT` to what there has to be.
    pub(crate) fn at_least(&mut self, text: &str) -> Result<(), String> {
        let told = text.split_once('=').and_then(|(what, count)| {
            let known = COUNTS.contains(&what);
            Some((what.to_owned(), count.parse().ok()?)).filter(|_| known)
        });
        let (what, count) =
            told.ok_or_else(|| format!("`{text}` is no WHAT=COUNT; WHAT is one of {COUNTS:?}"))?;
        self.at_least.insert(what, count);
        Ok(())
    }

    fn least_of(&self, what: &str) -> u64 {
        let has_to_be = match what {
            "requests" | "acknowledged" | "facts" | "runs" => true,
            "starts" => !self.ledger_jobs.is_empty(),
            "ends" => !self.ledger_jobs.is_empty() && !self.is_live,
            "processes" => self.is_live,
            _ => false,
        };
        let told = self.at_least.get(what).copied();
        told.unwrap_or_else(|| u64::from(has_to_be))
    }
}

/// The verdict.
#[derive(Debug)]
pub(crate) struct Report {
    counts: [(&'static str, u64); COUNTS.len()],
    violations: BTreeMap<&'static str, Violations>,
}

#[derive(Debug, Default)]
struct Violations {
    count: u64,
    told: Vec<String>,
}

/// Takes the violations of one invariant.
pub(crate) struct At<'a>(&'a mut Report, &'static str);

impl At<'_> {
    /// One more. The words are made for those alone that are told.
    pub(crate) fn tell(&mut self, words: impl FnOnce() -> String) {
        let violations = self.0.violations.entry(self.1).or_default();
        violations.count += 1;
        if violations.told.len() < TOLD_BOUND {
            violations.told.push(words());
        }
    }
}

impl Report {
    /// One of what was looked at, in which nothing has been found yet but that there is too little.
    pub(crate) fn of(evidence: &Evidence, expectations: &Expectations) -> Self {
        let mut report = Self {
            counts: COUNTS.map(|what| (what, count(evidence, what))),
            violations: BTreeMap::new(),
        };
        for (what, count) in report.counts {
            let least = expectations.least_of(what);
            if count < least {
                let words = || format!("there are {count} {what}, of {least} at least");
                report.at(EVIDENCE).tell(words);
            }
        }
        report
    }

    pub(crate) fn at(&mut self, invariant: &'static str) -> At<'_> {
        At(self, invariant)
    }

    /// The names of what is violated.
    pub(crate) fn violated(&self) -> Vec<&'static str> {
        self.violations.keys().copied().collect()
    }
}

/// How much there is of `what`.
fn count(evidence: &Evidence, what: &str) -> u64 {
    let Evidence {
        clients,
        ledger,
        log,
        processes,
        ..
    } = evidence;
    let answers = |is: fn(Answer) -> bool| clients.answers().filter(|it| is(*it)).count() as u64;
    let marks = |is_start: bool| {
        let marks = ledger.entries().map(|(_, entry)| entry.mark);
        marks
            .filter(|mark| (*mark == Mark::Start) == is_start)
            .count() as u64
    };
    match what {
        "requests" => answers(|_| true),
        "acknowledged" => answers(|answer| matches!(answer, Answer::Run(_))),
        "refused" => answers(|answer| matches!(answer, Answer::Refused(_))),
        "unknown" => answers(|answer| answer == Answer::Unknown),
        "starts" => marks(true),
        "ends" => marks(false),
        "facts" => log.facts,
        "runs" => log.runs.len() as u64,
        "processes" => processes.len() as u64,
        other => unreachable!("`{other}` is not counted"),
    }
}

impl fmt::Display for Report {
    /// The violations, a line each; then what was looked at, and which invariants are violated, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, violations) in &self.violations {
            for words in &violations.told {
                writeln!(f, "{name}: {words}")?;
            }
            let more = violations.count - violations.told.len() as u64;
            if more > 0 {
                writeln!(f, "{name}: and {more} more")?;
            }
        }
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        write!(f, "checked {}: ", counts.join(", "))?;
        match self.violated()[..] {
            [] => f.write_str("nothing violated"),
            ref names => write!(f, "violated: {}", names.join(" ")),
        }
    }
}
