//! C: what clients were told. A file of lines, each a request with its exact answer:
//!
//! ```text
//! {"key":"client-1-7","job":"again","run":12}          acknowledged as this run
//! {"key":"client-1-8","job":"again","refused":503}     refused with this status
//! {"key":"client-1-9","job":"again","unknown":true}    no answer, or one that does not say what became of it
//! {"job":"again","run":13}                             asked for without a key
//! ```
//!
//! A request that was sent again has a line each time. Of those without a key each line is a request of its own.

use std::collections::BTreeMap;

use serde::Deserialize;
use twolane::engine::id::RunId;

/// What a request was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Run(RunId),
    Refused(u16),
    Unknown,
}

/// All that clients were told, by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients {
    pub(crate) requests: BTreeMap<String, Requests>,
    /// What was asked without a key: the job, and the answer.
    pub(crate) keyless: Vec<(String, Answer)>,
}

/// What was asked under one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    pub(crate) job: String,
    pub(crate) answers: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: Option<String>,
    job: String,
    run: Option<u64>,
    refused: Option<u16>,
    #[serde(default)]
    unknown: bool,
}

impl Clients {
    /// Reads them. A line that is not as above is an error: no evidence is overlooked.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut clients = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let broken = |why: &str| format!("line {number} of the clients: {why}: {line}");
            let read: Line = serde_json::from_str(line).map_err(|why| broken(&why.to_string()))?;
            let answer = match (read.run, read.refused, read.unknown) {
                (Some(run), None, false) => Answer::Run(RunId(run)),
                (None, Some(status), false) => Answer::Refused(status),
                (None, None, true) => Answer::Unknown,
                _ => {
                    return Err(broken(
                        "one of `run`, `refused` and `unknown` has to be there",
                    ));
                }
            };
            let Some(key) = read.key else {
                clients.keyless.push((read.job, answer));
                continue;
            };
            let requests = clients.requests.entry(key).or_default();
            if !requests.answers.is_empty() && requests.job != read.job {
                return Err(broken("a key of another job"));
            }
            requests.job = read.job;
            requests.answers.push(answer);
        }
        Ok(clients)
    }

    /// All answers.
    pub(crate) fn answers(&self) -> impl Iterator<Item = Answer> {
        let keyed = self
            .requests
            .values()
            .flat_map(|requests| &requests.answers);
        let keyless = self.keyless.iter().map(|(_, answer)| answer);
        keyed.chain(keyless).copied()
    }
}

impl Requests {
    /// The runs as which it was acknowledged.
    pub(crate) fn runs(&self) -> impl Iterator<Item = RunId> {
        self.answers.iter().filter_map(|answer| match answer {
            Answer::Run(run) => Some(*run),
            Answer::Refused(_) | Answer::Unknown => None,
        })
    }

    /// Whether each time it was refused, so that there must be nothing of it.
    pub(crate) fn is_refused(&self) -> bool {
        let refused = |answer: &Answer| matches!(answer, Answer::Refused(_));
        self.answers.iter().all(refused)
    }
}
