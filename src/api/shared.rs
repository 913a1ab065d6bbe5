//! What all handlers share: the way to the loop, the store, the logs of runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Sender, TrySendError};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot, watch};

use super::problem::Problem;
use super::refusals::Refusals;
use crate::engine::By;
use crate::engine::action::Answer;
use crate::engine::spec::JobSpec;
use crate::inbox::{Ask, REQUESTS_BOUND, Request, Told, Unable};
use crate::meters::Meters;
use crate::runlog::Written;
use crate::store::{Reader, StoreError};

/// Makes a job of what a caller brings along, by its name and what would stand in its table of a job
/// file; or says what is wrong with it, a line each.
pub type AdHoc = Arc<dyn Fn(&str, &Value) -> Result<JobSpec, Vec<String>> + Send + Sync>;

/// JSON Schemas of what a caller may bring along.
#[derive(Clone, Debug, PartialEq)]
pub struct AdHocSchema {
    /// Of the job's name.
    pub name: Value,
    /// Of its table. It stands at [`AdHocSchema::ROOT`] of the document.
    pub task: Value,
}

impl AdHocSchema {
    /// Where the schema of the table stands, for what it refers to in itself.
    pub const ROOT: &str = "#/components/schemas/Task";
}

/// Streams (events, logs that are followed) that are open at a time.
const STREAMS_BOUND: usize = 64;

/// What has found no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Lines of the daemon's own log.
    pub log_lines: u64,
    /// Lines of runs, in their logs.
    pub run_log_lines: u64,
}

/// What the API stands on.
pub struct Parts {
    /// The way to the loop.
    pub requests: Sender<Request>,
    /// The store.
    pub reader: Reader,
    /// Changes when more is committed.
    pub committed: watch::Receiver<u64>,
    /// Where the logs of runs are.
    pub logs: PathBuf,
    /// Knows when what was said can be read there.
    pub written: Written,
    /// Changes when more can be read there.
    pub logged: watch::Receiver<u64>,
    /// What has been counted.
    pub meters: Meters,
    /// Says what has found no room so far.
    pub losses: Arc<dyn Fn() -> Losses + Send + Sync>,
    /// Makes jobs of what callers bring along.
    pub ad_hoc: AdHoc,
    /// Says what such a job looks like.
    pub ad_hoc_schema: Arc<dyn Fn() -> AdHocSchema + Send + Sync>,
}

pub(super) struct Shared {
    pub(super) parts: Parts,
    /// Becomes true when the API ends.
    pub(super) ending: watch::Receiver<bool>,
    pub(super) streams: Arc<Semaphore>,
    pub(super) served: AtomicU64,
    pub(super) refusals: Refusals,
}

impl Shared {
    pub(super) fn new(parts: Parts, refusals: Refusals, ending: watch::Receiver<bool>) -> Self {
        Self {
            parts,
            ending,
            streams: Arc::new(Semaphore::new(STREAMS_BOUND)),
            served: AtomicU64::new(0),
            refusals,
        }
    }

    /// Asks the loop for what it knows.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Told, Problem> {
        let mut told = self.put(None, ask)?;
        heard(&mut told).await
    }

    /// Asks the loop to do something, which is on record as asked for by `by`.
    pub(super) async fn ask_for(&self, by: By, ask: Ask) -> Result<Told, Problem> {
        let mut told = self.post(by, ask)?;
        heard(&mut told).await
    }

    /// The same, without waiting for what it says.
    pub(super) fn post(&self, by: By, ask: Ask) -> Result<oneshot::Receiver<Told>, Problem> {
        self.put(Some(by), ask)
    }

    fn put(&self, by: Option<By>, ask: Ask) -> Result<oneshot::Receiver<Told>, Problem> {
        let (tell, told) = oneshot::channel();
        let reply = Box::new(move |answer| {
            // Whoever asked may have gone away.
            let _ = tell.send(answer);
        });
        match self.parts.requests.try_send(Request { ask, by, reply }) {
            Ok(()) => Ok(told),
            Err(TrySendError::Full(_)) => Err(Problem::unavailable(
                "busy",
                format!(
                    "{REQUESTS_BOUND} requests wait for the daemon, which is the bound: try again soon"
                ),
            )),
            Err(TrySendError::Disconnected(_)) => Err(Unable::Leaving.into()),
        }
    }

    /// Asks for something that has just one answer of the engine.
    pub(super) async fn decide(&self, by: By, ask: Ask) -> Result<Answer, Problem> {
        match self.ask_for(by, ask).await? {
            Told::Answers(mut answers) => answers
                .pop()
                .ok_or_else(|| Problem::bug("the daemon gave no answer; this is a bug")),
            told => Err(strange(&told)),
        }
    }

    /// Asks the store, off the threads that answer.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let reader = self.parts.reader.clone();
        let answer = tokio::task::spawn_blocking(move || question(&reader)).await;
        match answer {
            Ok(answer) => Ok(answer?),
            Err(error) => Err(Problem::bug(format!(
                "a question to the store ended badly: {error}"
            ))),
        }
    }

    pub(super) fn count(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for what the loop says.
pub(super) async fn heard(told: &mut oneshot::Receiver<Told>) -> Result<Told, Problem> {
    match told.await {
        Ok(Told::Unable(unable)) => Err(unable.into()),
        Ok(told) => Ok(told),
        Err(_) => Err(Problem::unavailable(
            "outcome-unknown",
            "the daemon left before it could say what became of this: ask again when it is back, \
             under the same key where something was submitted",
        )),
    }
}

/// An answer that does not fit the question.
pub(super) fn strange(told: &Told) -> Problem {
    Problem::bug(format!(
        "the daemon gave an answer of another kind: {told:?}; this is a bug"
    ))
}
