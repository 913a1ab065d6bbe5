//! What was: asked of the store and the logs of runs alone, so that it can be told by a daemon and, where
//! none runs, by whoever may read its files. Each question has a bound on what it looks at.

mod history;
mod search;
mod timeline;

pub use history::{HistoryQuery, history};
pub use search::{SearchQuery, search};
pub use timeline::{TimelineQuery, timeline};

use crate::engine::StateKind;
use crate::engine::id::RunId;
use crate::engine::time::Wall;
use crate::runlog;
use crate::store::{Reader, RunFilter, StoreError};

use super::{view, wire};

/// A question that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The question is wrong.
    #[error("{0}")]
    Question(String),
    /// There is no such run.
    #[error("there is no run {0}: its number is wrong, or it is over and was removed")]
    NoRun(u64),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A log cannot be read.
    #[error(transparent)]
    Log(#[from] runlog::ReadError),
}

/// The moment that a text names, in a question under this name; `usual` where there is none.
fn moment(name: &str, text: Option<&str>, usual: Wall) -> Result<Wall, PastError> {
    let Some(text) = text else {
        return Ok(usual);
    };
    view::parse_moment(text).ok_or_else(|| {
        PastError::Question(format!(
            "`{name}` is no moment: write it in RFC 3339, as in 2026-11-21T09:12:00Z"
        ))
    })
}

/// A number within its bounds, in a question under this name; `usual` where there is none.
fn within(name: &str, asked: Option<usize>, usual: usize, most: usize) -> Result<usize, PastError> {
    match asked {
        None => Ok(usual),
        Some(asked) if (1..=most).contains(&asked) => Ok(asked),
        Some(asked) => Err(PastError::Question(format!(
            "`{name}` {asked} is out of range: it is 1 to {most}"
        ))),
    }
}

/// The newest run there is.
///
/// # Errors
/// If the store cannot be read.
pub fn newest_run(reader: &Reader) -> Result<Option<u64>, PastError> {
    let mut runs = reader.runs(&RunFilter::default(), 1)?;
    Ok(runs.pop().map(|story| story.run.0))
}

/// Lines of one run's log after line `after`, at most `limit`.
///
/// # Errors
/// If there is no such run, or something cannot be read.
pub fn run_log(
    reader: &Reader,
    logs: &std::path::Path,
    run: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<wire::LogLine>, PastError> {
    let known = i64::try_from(run).is_ok() && reader.run(RunId(run))?.is_some();
    if !known {
        return Err(PastError::NoRun(run));
    }
    let lines = runlog::lines(logs, RunId(run), after, limit)?;
    Ok(lines.iter().map(view::log_line).collect())
}

/// Whether a state is one of those in which a run was executed to an end of its own.
const fn was_decided(state: StateKind) -> bool {
    matches!(state, StateKind::Succeeded | StateKind::Failed)
}
