//! The daemon as a whole: its status, its jobs, what is paused, and its way down.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::object::Object;
use super::problem::Problem;
use super::roles::Asker;
use super::shared::{Shared, strange};
use super::{metrics, view, wire};
use crate::engine::CapacityName;
use crate::engine::action::Answer;
use crate::engine::spec::Lane;
use crate::inbox::{Ask, DaemonStatus, Told};

/// How long a healthy loop takes at most to say how it is.
const HEALTHY: Duration = Duration::from_secs(2);

async fn ask_status(shared: &Shared) -> Result<Box<DaemonStatus>, Problem> {
    match shared.ask(Ask::Status).await? {
        Told::Status(status) => Ok(status),
        told => Err(strange(&told)),
    }
}

async fn whole(shared: &Shared) -> Result<wire::Status, Problem> {
    let status = ask_status(shared).await?;
    let counts = shared.read(|reader| reader.counts()).await?;
    let counts = counts
        .into_iter()
        .map(|(kind, count)| (kind.as_str(), count));
    Ok(view::status(&status, counts.collect()))
}

/// `GET /status`.
pub(super) async fn status(
    State(shared): State<Arc<Shared>>,
) -> Result<Json<wire::Status>, Problem> {
    Ok(Json(whole(&shared).await?))
}

/// `GET /metrics`.
pub(super) async fn metrics(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let status = whole(&shared).await?;
    let text = metrics::text(
        &status,
        &metrics::Beside {
            meters: &shared.parts.meters,
            served: shared.served.load(std::sync::atomic::Ordering::Relaxed),
            waiting: shared.parts.requests.len(),
            losses: (shared.parts.losses)(),
        },
    );
    let accepted = headers.get(ACCEPT).and_then(|form| form.to_str().ok());
    if accepted.is_some_and(|form| form.starts_with("text/plain")) {
        let form = "text/plain; version=0.0.4; charset=utf-8";
        return Ok(([(CONTENT_TYPE, form)], metrics::plain(&text)).into_response());
    }
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, form)], text).into_response())
}

/// `GET /healthz`: healthy is a loop that answers.
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    match tokio::time::timeout(HEALTHY, ask_status(&shared)).await {
        Ok(Ok(status)) if status.trouble.is_none() => Ok(Json(json!({ "ok": true }))),
        Ok(Ok(status)) => Err(Problem::unavailable(
            "store",
            status.trouble.unwrap_or_default(),
        )),
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(Problem::unavailable(
            "stuck",
            format!("the daemon's loop has not answered within {HEALTHY:?}"),
        )),
    }
}

/// `GET /jobs`.
pub(super) async fn jobs(State(shared): State<Arc<Shared>>) -> Result<Json<wire::Jobs>, Problem> {
    match shared.ask(Ask::Jobs).await? {
        Told::Jobs(jobs) => Ok(Json(wire::Jobs {
            jobs: jobs.iter().map(view::job).collect(),
        })),
        told => Err(strange(&told)),
    }
}

type What = Result<Json<Object<wire::What>>, JsonRejection>;

/// `POST /pause`.
pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    what: What,
) -> Result<Json<wire::What>, Problem> {
    paused(shared.decide(by, Ask::Pause(named(what)?)).await?)
}

/// `POST /resume`.
pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    what: What,
) -> Result<Json<wire::What>, Problem> {
    paused(shared.decide(by, Ask::Resume(named(what)?)).await?)
}

fn named(what: What) -> Result<CapacityName, Problem> {
    let Json(Object(what)) = what.map_err(|why| super::rejected(&why))?;
    if what.paused.is_some() {
        return Err(Problem::unprocessable(
            "`paused` stands in answers: POST /pause and POST /resume say themselves what they do",
        ));
    }
    match (
        what.lane,
        what.pool,
        what.limit,
        what.resource,
        what.job,
        what.schedule,
    ) {
        (Some(lane), None, None, None, None, None) => {
            let known = Lane::ALL.into_iter().find(|known| known.as_str() == lane);
            let lane = known.ok_or_else(|| {
                Problem::unprocessable(format!("there is no lane {lane:?}: it is io or cpu"))
            })?;
            Ok(CapacityName::Lane(lane))
        }
        (None, Some(pool), None, None, None, None) => Ok(CapacityName::Pool(pool.into())),
        (None, None, Some(limit), None, None, None) => Ok(CapacityName::Limit(limit.into())),
        (None, None, None, Some(resource), None, None) => {
            Ok(CapacityName::Resource(resource.into()))
        }
        (None, None, None, None, Some(job), None) => Ok(CapacityName::Job(job.into())),
        (None, None, None, None, None, Some(job)) => Ok(CapacityName::Schedule(job.into())),
        _ => Err(Problem::unprocessable(
            "name exactly one of `lane`, `pool`, `limit`, `resource`, `job` and `schedule`",
        )),
    }
}

fn paused(answer: Answer) -> Result<Json<wire::What>, Problem> {
    let (name, paused) = match answer {
        Answer::Paused(name, _) => (name, true),
        Answer::Resumed(name, _) => (name, false),
        Answer::UnknownCapacity(name) => {
            let detail = format!("there is no {name}");
            return Err(Problem::new(StatusCode::NOT_FOUND, "unknown-name", detail));
        }
        answer => {
            return Err(Problem::bug(format!(
                "a pause was answered {answer:?}; this is a bug"
            )));
        }
    };
    let (kind, name) = view::names(&name);
    let mut what = wire::What {
        paused: Some(paused),
        ..wire::What::default()
    };
    let place = match kind {
        "lane" => &mut what.lane,
        "pool" => &mut what.pool,
        "limit" => &mut what.limit,
        "resource" => &mut what.resource,
        "schedule" => &mut what.schedule,
        _ => &mut what.job,
    };
    *place = Some(name);
    Ok(Json(what))
}

/// `POST /reload`: answered when the configuration has been read.
pub(super) async fn reload(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
) -> Result<Response, Problem> {
    match shared.ask_for(by, Ask::Reload).await? {
        Told::Reloaded(Ok(lines)) => {
            let reloaded = true;
            Ok(Json(wire::Reloaded { reloaded, lines }).into_response())
        }
        Told::Reloaded(Err(lines)) => {
            let reloaded = false;
            let body = Json(wire::Reloaded { reloaded, lines });
            Ok((StatusCode::UNPROCESSABLE_ENTITY, body).into_response())
        }
        told => Err(strange(&told)),
    }
}

/// `POST /reload/preview`: what a reload would change.
pub(super) async fn preview(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    match shared.ask(Ask::Preview).await? {
        Told::Reloaded(lines) => {
            let (status, reloaded, lines) = match lines {
                Ok(lines) => (StatusCode::OK, true, lines),
                Err(lines) => (StatusCode::UNPROCESSABLE_ENTITY, false, lines),
            };
            Ok((status, Json(wire::Reloaded { reloaded, lines })).into_response())
        }
        told => Err(strange(&told)),
    }
}

/// `POST /drain`.
pub(super) async fn drain(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
) -> Result<StatusCode, Problem> {
    asked(shared.ask_for(by, Ask::Drain).await?)
}

/// `POST /stop`.
pub(super) async fn stop(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
) -> Result<StatusCode, Problem> {
    asked(shared.ask_for(by, Ask::Stop).await?)
}

fn asked(told: Told) -> Result<StatusCode, Problem> {
    match told {
        Told::Done => Ok(StatusCode::ACCEPTED),
        told => Err(strange(&told)),
    }
}
