//! Single runs and lists of them: what became of them, why they stand where they stand, what they said;
//! and what somebody wants of one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::timeout;

use super::object::Object;
use super::problem::Problem;
use super::roles::Asker;
use super::shared::{Shared, heard, strange};
use super::{follow, view, wire};
use crate::engine::action::Answer;
use crate::engine::id::RunId;
use crate::engine::{Explanation, StateKind};
use crate::inbox::{Ask, Refused, Told};
use crate::store::{Reader, RunFilter, StoreError, Story};

/// Runs on a page where nobody says how many, and the most.
const PAGE: (usize, usize) = (50, 1000);

/// Lines of a log in one answer.
const LINES: (usize, usize) = (10_000, 100_000);

/// What a list is of.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    job: Option<String>,
    live: Option<bool>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// The number in the path.
pub(super) fn number(path: Result<Path<u64>, PathRejection>) -> Result<u64, Problem> {
    let Path(run) = path.map_err(|_| Problem::bad("the number of a run is a whole number"))?;
    // The store counts up to the largest number that has a sign.
    i64::try_from(run).map_err(|_| Problem::no_run(run))?;
    Ok(run)
}

pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(why) => Err(Problem::bad(why.body_text())),
    }
}

fn limit(asked: Option<usize>, (usual, most): (usize, usize)) -> Result<usize, Problem> {
    match asked {
        None => Ok(usual),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad(format!(
            "limit {limit} is out of range: it is 1 to {most}"
        ))),
    }
}

/// `GET /runs`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    asked: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<wire::Runs>, Problem> {
    let asked = query(asked)?;
    let limit = limit(asked.limit, PAGE)?;
    let states = states(asked.state.as_deref())?;
    if asked
        .before
        .is_some_and(|before| i64::try_from(before).is_err())
    {
        return Err(Problem::bad("`before` is the number of a run"));
    }
    let filter = RunFilter {
        state: None,
        live: asked.live,
        job: asked.job,
        before: asked.before.map(RunId),
    };
    let stories = shared
        .read(move |reader| newest(reader, &filter, &states, limit))
        .await?;
    let before = (stories.len() == limit)
        .then(|| stories.last().map(|story| story.run.0))
        .flatten();
    let runs = stories.iter().map(view::run).collect();
    Ok(Json(wire::Runs { runs, before }))
}

/// The states that a list names, with commas in between.
fn states(text: Option<&str>) -> Result<Vec<StateKind>, Problem> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let known = |word: &str| {
        let mut all = StateKind::ALL.into_iter();
        all.find(|kind| kind.as_str() == word)
    };
    let state = |word: &str| {
        known(word).ok_or_else(|| {
            let all = StateKind::ALL.map(StateKind::as_str).join(", ");
            Problem::bad(format!("there is no state {word:?}: it is one of {all}"))
        })
    };
    text.split(',').map(state).collect()
}

/// The newest runs in any of these states; in any at all, if there are none.
fn newest(
    reader: &Reader,
    filter: &RunFilter,
    states: &[StateKind],
    limit: usize,
) -> Result<Vec<Story>, StoreError> {
    if states.is_empty() {
        return reader.runs(filter, limit);
    }
    let mut all = Vec::new();
    for state in states {
        let filter = RunFilter {
            state: Some(*state),
            ..filter.clone()
        };
        all.extend(reader.runs(&filter, limit)?);
    }
    all.sort_by_key(|story| std::cmp::Reverse(story.run));
    // A run that changed its state in between is there twice.
    all.dedup_by_key(|story| story.run);
    all.truncate(limit);
    Ok(all)
}

/// `GET /runs/N`.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<u64>, PathRejection>,
) -> Result<Json<wire::RunStory>, Problem> {
    let run = number(path)?;
    let story = shared.read(move |reader| reader.run(RunId(run))).await?;
    let story = story.ok_or_else(|| Problem::no_run(run))?;
    Ok(Json(view::story(&story)))
}

/// `GET /runs/N/explain`.
pub(super) async fn explain(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<u64>, PathRejection>,
) -> Result<Json<wire::Explained>, Problem> {
    let run = number(path)?;
    let explanation = match shared.ask(Ask::Explain(RunId(run))).await? {
        Told::Explained(explanation) => explanation,
        told => return Err(strange(&told)),
    };
    let story = shared.read(move |reader| reader.run(RunId(run))).await?;
    let story = story.ok_or_else(|| Problem::no_run(run))?;
    let was = match story.state {
        StateKind::Succeeded | StateKind::Failed => "it has",
        StateKind::Cancelled | StateKind::Skipped => "it was",
        StateKind::Scheduled
        | StateKind::Blocked
        | StateKind::Queued
        | StateKind::Running
        | StateKind::Stopping
        | StateKind::Unresponsive => "it is",
    };
    let text = match (explanation, &story.reason) {
        // Of a failure the store has the last words of its command, too, which the engine does not keep.
        (None | Some(Explanation::Failed(_)), Some(reason)) => {
            format!("{was} {}: {reason}", story.state.as_str())
        }
        (Some(explanation), _) => explanation.to_string(),
        (None, None) => format!("{was} {}", story.state.as_str()),
    };
    Ok(Json(wire::Explained {
        run,
        state: story.state.as_str().to_owned(),
        text,
    }))
}

/// What of a log is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    after: Option<u64>,
    limit: Option<usize>,
    follow: Option<bool>,
}

/// `GET /runs/N/log`.
pub(super) async fn log(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<u64>, PathRejection>,
    asked: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let run = RunId(number(path)?);
    let asked = query(asked)?;
    let after = asked.after.unwrap_or(0);
    if i64::try_from(after).is_err() {
        return Err(Problem::bad("`after` is the number of a line"));
    }
    if shared.read(move |reader| reader.run(run)).await?.is_none() {
        return Err(Problem::no_run(run.0));
    }
    let form = [(CONTENT_TYPE, "application/x-ndjson")];
    if asked.follow == Some(true) {
        let body = follow::log(&shared, run, after)?;
        return Ok((form, body).into_response());
    }
    let limit = limit(asked.limit, LINES)?;
    let lines = follow::lines(&shared, run, after, limit).await?;
    Ok((form, Body::from(Bytes::from(lines.text))).into_response())
}

/// How much of what hangs together is meant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReachQuery {
    graph: Option<bool>,
}

/// `POST /runs/N/cancel`.
pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    path: Result<Path<u64>, PathRejection>,
    asked: Result<Query<ReachQuery>, QueryRejection>,
) -> Result<Json<wire::Changed>, Problem> {
    let run = number(path)?;
    let graph = query(asked)?.graph == Some(true);
    changed(shared.decide(by, Ask::Cancel(RunId(run), graph)).await?)
}

/// `POST /runs/N/retry`.
pub(super) async fn retry(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    path: Result<Path<u64>, PathRejection>,
    asked: Result<Query<ReachQuery>, QueryRejection>,
) -> Result<Json<wire::Changed>, Problem> {
    let run = RunId(number(path)?);
    if query(asked)?.graph == Some(true) {
        let members = shared.read(move |reader| reader.graph(run)).await?;
        if members.is_empty() {
            return Err(not_over(&shared, run).await?);
        }
        return match shared.decide(by, Ask::RetryGraph(members)).await? {
            Answer::NothingFailed(_) => changed(Answer::NothingFailed(run)),
            answer => changed(answer),
        };
    }
    let known = shared.read(move |reader| reader.forgotten(run)).await?;
    let Some(known) = known else {
        return Err(not_over(&shared, run).await?);
    };
    changed(shared.decide(by, Ask::Retry(run, Box::new(known))).await?)
}

/// A run is not over, or there is none.
async fn not_over(shared: &Arc<Shared>, run: RunId) -> Result<Problem, Problem> {
    let exists = shared.read(move |reader| reader.run(run)).await?;
    Ok(match exists {
        Some(_) => not_ended(run),
        None => Problem::no_run(run.0),
    })
}

/// `POST /runs/N/complete`.
pub(super) async fn complete(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    path: Result<Path<u64>, PathRejection>,
    body: Result<Json<Object<wire::Complete>>, JsonRejection>,
) -> Result<Json<wire::Changed>, Problem> {
    let run = number(path)?;
    let Json(Object(body)) = body.map_err(|why| super::rejected(&why))?;
    let with = match (body.result, body.error) {
        (Some(_), Some(_)) => {
            return Err(Problem::unprocessable(
                "a run ends with a `result` or with an `error`, not with both",
            ));
        }
        (_, Some(why)) => Err(why.into()),
        (result, None) => Ok(Arc::new(result.unwrap_or_default())),
    };
    changed(shared.decide(by, Ask::Complete(RunId(run), with)).await?)
}

/// How long somebody waits to hear that what was sent was taken. After that it still waits there.
const TAKEN: Duration = Duration::from_secs(10);

/// `POST /runs/N/send`.
pub(super) async fn send(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    path: Result<Path<u64>, PathRejection>,
    body: Result<Json<wire::Send>, JsonRejection>,
) -> Result<(StatusCode, Json<wire::Sent>), Problem> {
    let run = number(path)?;
    let Json(body) = body.map_err(|why| super::rejected(&why))?;
    let value = match body {
        wire::Send {
            value: Some(value),
            end: false,
        } => Some(value),
        wire::Send {
            value: None,
            end: true,
        } => None,
        wire::Send { .. } => {
            return Err(Problem::unprocessable(
                "what is sent is a `value`, or `\"end\": true` where nothing more comes",
            ));
        }
    };
    let mut told = shared.post(by, Ask::Send(RunId(run), value))?;
    let (status, delivered) = match timeout(TAKEN, heard(&mut told)).await {
        Err(_) => (StatusCode::ACCEPTED, false),
        Ok(told) => match told? {
            Told::Sent(Ok(())) => (StatusCode::OK, true),
            Told::Sent(Err(refused)) => return Err(not_sent(&shared, run, refused).await),
            told => return Err(strange(&told)),
        },
    };
    Ok((status, Json(wire::Sent { run, delivered })))
}

async fn not_sent(shared: &Shared, run: u64, refused: Refused) -> Problem {
    let text = format!("nothing can be sent to run {run}: {refused}");
    match refused {
        // The loop forgets what has long been over.
        Refused::Unknown => match shared.read(move |reader| reader.run(RunId(run))).await {
            Ok(Some(story)) => {
                let why = Refused::NotRunning(story.state.as_str());
                let text = format!("nothing can be sent to run {run}: {why}");
                Problem::conflict("not-running", text)
            }
            Ok(None) => Problem::no_run(run),
            Err(problem) => problem,
        },
        Refused::NotRunning(_) | Refused::Ended | Refused::NotThere => {
            Problem::conflict("not-running", text)
        }
        Refused::TakesNothing => Problem::conflict("takes-nothing", text),
        Refused::ReadsNoMore => Problem::conflict("reads-no-more", text),
        Refused::Full => Problem::new(StatusCode::TOO_MANY_REQUESTS, "full", text),
    }
}

fn not_ended(run: RunId) -> Problem {
    let text = format!("run {run} is not over, so there is nothing to try once more");
    Problem::conflict("not-over", text)
}

fn changed(answer: Answer) -> Result<Json<wire::Changed>, Problem> {
    let (run, state) = match answer {
        Answer::RetriedGraph(runs) => {
            let mut runs = runs.into_iter().map(|run| run.0);
            let run = runs.next().unwrap_or_default();
            let with = runs.collect();
            let state = "queued".to_owned();
            return Ok(Json(wire::Changed { run, state, with }));
        }
        Answer::Cancelled(run) => (run, "cancelled"),
        Answer::Stopping(run) => (run, "stopping"),
        Answer::Unresponsive(run) => (run, "unresponsive"),
        Answer::Retried(run) => (run, "queued"),
        Answer::Completed(run) => (run, "over"),
        Answer::UnknownRun(run) => return Err(Problem::no_run(run.0)),
        Answer::NotEnded(run) => return Err(not_ended(run)),
        Answer::NothingFailed(run) => {
            let text = format!(
                "nothing that hangs together with run {run} has failed, so there is nothing to try once \
                 more: submit it again to run all of it anew"
            );
            return Err(Problem::conflict("nothing-failed", text));
        }
        Answer::AlreadyEnded(run) => {
            let text = format!("run {run} is over already");
            return Err(Problem::conflict("already-over", text));
        }
        Answer::NotWaiting(run, state) => {
            let text = format!(
                "run {run} is {} and waits for nothing that somebody could bring: only a run of a \
                 job with `future` does, while it is running",
                state.as_str()
            );
            return Err(Problem::conflict("not-waiting", text));
        }
        Answer::Refused(refusal) => return Err(refusal.into()),
        Answer::Submitted(_)
        | Answer::SubmittedBefore(_)
        | Answer::Send(_)
        | Answer::TakesNothing(_)
        | Answer::Backfilling(_)
        | Answer::BackfillCancelled(_)
        | Answer::BackfillOver(_)
        | Answer::UnknownBackfill(_)
        | Answer::Paused(..)
        | Answer::Resumed(..)
        | Answer::UnknownCapacity(_) => {
            return Err(Problem::bug(format!(
                "a run was answered {answer:?}; this is a bug"
            )));
        }
    };
    Ok(Json(wire::Changed {
        run: run.0,
        state: state.to_owned(),
        with: Vec::new(),
    }))
}
