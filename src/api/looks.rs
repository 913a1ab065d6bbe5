//! Looks into the past: what the store and the logs of runs say of many runs at once.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use super::past::{self, HistoryQuery, PastError, SearchQuery, TimelineQuery};
use super::problem::Problem;
use super::runs::query;
use super::shared::Shared;
use super::wire;
use crate::clock::Clock;
use crate::engine::time::Wall;
use crate::store::Reader;

type Asked<T> = Result<Query<T>, QueryRejection>;

/// Asks off the thread that answers.
async fn look<T: Send + 'static>(
    shared: &Shared,
    question: impl FnOnce(&Reader, PathBuf) -> Result<T, PastError> + Send + 'static,
) -> Result<Json<T>, Problem> {
    let (reader, logs) = (shared.parts.reader.clone(), shared.parts.logs.clone());
    let answer = tokio::task::spawn_blocking(move || question(&reader, logs)).await;
    match answer {
        Ok(answer) => Ok(Json(answer?)),
        Err(error) => Err(Problem::bug(format!(
            "a look into the past ended badly: {error}"
        ))),
    }
}

fn now() -> Wall {
    Clock::start().now().wall
}

/// `GET /logs`.
pub(super) async fn logs(
    State(shared): State<Arc<Shared>>,
    asked: Asked<SearchQuery>,
) -> Result<Json<wire::Found>, Problem> {
    let asked = query(asked)?;
    // What a run said before somebody asked is to be found.
    shared.parts.written.settle().await;
    look(&shared, move |reader, logs| {
        past::search(reader, &logs, &asked, now())
    })
    .await
}

/// `GET /history`.
pub(super) async fn history(
    State(shared): State<Arc<Shared>>,
    asked: Asked<HistoryQuery>,
) -> Result<Json<wire::History>, Problem> {
    let asked = query(asked)?;
    look(&shared, move |reader, _| past::history(reader, &asked)).await
}

/// `GET /timeline`.
pub(super) async fn timeline(
    State(shared): State<Arc<Shared>>,
    asked: Asked<TimelineQuery>,
) -> Result<Json<wire::Timeline>, Problem> {
    let asked = query(asked)?;
    look(&shared, move |reader, _| {
        past::timeline(reader, &asked, now())
    })
    .await
}
