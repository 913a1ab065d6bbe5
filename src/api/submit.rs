//! Runs are asked for: one at a time, or many, a JSON object a line.

mod batch;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};

use super::object::Object;
use super::problem::Problem;
use super::roles::{Caller, Role};
use super::shared::{Shared, strange};
use super::{view, wire};
use crate::engine::JobView;
use crate::engine::action::{Answer, Refusal};
use crate::engine::fact::SubmitKey;
use crate::engine::id::RunId;
use crate::engine::input::{JobRef, Submission, SubmitItem};
use crate::engine::spec::{Name, Priority};
use crate::inbox::{Ask, Told};

/// The longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// `POST /runs`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let form = content_type(request.headers());
    let caller = Caller::of(&request);
    match form.as_deref() {
        Some("application/json") => {
            let key = header_key(request.headers())?;
            let body: Bytes = request.extract().await.map_err(|error| {
                let status = IntoResponse::into_response(error).status();
                Problem::new(
                    status,
                    "bad-body",
                    "the body could not be read, or is too large",
                )
            })?;
            one(&shared, &caller, key, &body).await
        }
        Some("application/x-ndjson") => Ok(batch::answer(shared, caller, request.into_body())),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "say Content-Type: application/json for one run, or application/x-ndjson for many, a line each",
        )),
    }
}

/// What a body is, without parameters.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    let form = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let form = form.split(';').next().unwrap_or(form);
    Some(form.trim().to_ascii_lowercase())
}

fn header_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.to_str().map_err(|_| bad_key())?;
    Ok(Some(key.to_owned()))
}

fn bad_key() -> Problem {
    Problem::bad(format!(
        "a key is made of 1 to {LONGEST_KEY} visible ASCII characters"
    ))
}

async fn one(
    shared: &Shared,
    caller: &Caller,
    key: Option<String>,
    body: &[u8],
) -> Result<Response, Problem> {
    let mut submit = parse(body)?;
    if key.is_some() {
        if let Some(other) = &submit.key {
            // Also one that the header's goes before has to be valid.
            submit_key(&submit, other)?;
        }
        submit.key = key;
    }
    let prepared = prepare(shared, caller, &submit)?;
    if let Some(answer) = known(shared, &prepared).await? {
        return Ok((StatusCode::OK, Json(answer)).into_response());
    }
    let by = || caller.by.clone();
    let mut answer = shared
        .decide(by(), Ask::Submit(vec![prepared.clone()]))
        .await?;
    if let Answer::Refused(Refusal::MissingDependency { .. }) = answer {
        let whole = with_dependencies(shared, prepared).await?;
        answer = shared.decide(by(), Ask::Submit(vec![whole])).await?;
    }
    let submitted = submitted(answer)?;
    let status = if submitted.again {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let place = format!("/runs/{}", submitted.run);
    Ok((status, [(LOCATION, place)], Json(submitted)).into_response())
}

/// Reads what is asked for.
fn parse(body: &[u8]) -> Result<wire::Submit, Problem> {
    let read = serde_json::from_slice(body).map(|Object(submit)| submit);
    read.map_err(|error| {
        let text = format!("this is no request for a run: {error}");
        match error.classify() {
            serde_json::error::Category::Data => Problem::unprocessable(text),
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => Problem::bad(text),
        }
    })
}

/// What is asked for, as the engine takes it. A job that comes along can be any command, so that whoever
/// brings one has to be somebody who may do everything.
fn prepare(shared: &Shared, caller: &Caller, submit: &wire::Submit) -> Result<Submission, Problem> {
    if submit.task.is_some() && !caller.may(Role::Control) {
        return Err(Problem::forbidden(&caller.by, Role::Control));
    }
    let job = match &submit.task {
        None => JobRef::Named(Name::from(submit.job.as_str())),
        Some(task) => {
            let made = (shared.parts.ad_hoc)(&submit.job, task);
            JobRef::AdHoc(Arc::new(made.map_err(|lines| {
                Problem::unprocessable(format!(
                    "the job that came along is not valid: {}",
                    lines.join("; ")
                ))
            })?))
        }
    };
    let priority = match submit.priority {
        None => None,
        Some(level) => Some(Priority::new(level).ok_or_else(|| {
            Problem::unprocessable(format!("priority {level} is out of range: it is -10 to 10"))
        })?),
    };
    let at = match &submit.at {
        None => None,
        Some(text) => Some(view::parse_moment(text).ok_or_else(|| {
            Problem::unprocessable(format!(
                "`at` is no moment: {text:?}; write it like 2026-11-21T09:12:00Z"
            ))
        })?),
    };
    let key = match &submit.key {
        None => None,
        Some(text) => Some(submit_key(submit, text)?),
    };
    let item = SubmitItem {
        job,
        args: submit.args.clone().map(Arc::new),
        priority,
        at,
    };
    Ok(Submission {
        items: vec![item],
        key,
        caller: None,
    })
}

/// A key with a digest of all that is asked for under it.
fn submit_key(submit: &wire::Submit, text: &str) -> Result<Arc<SubmitKey>, Problem> {
    let visible = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if text.is_empty() || text.len() > LONGEST_KEY || !visible {
        return Err(bad_key());
    }
    let bare = wire::Submit {
        key: None,
        ..submit.clone()
    };
    // The keys of JSON objects come in order here, so the same request has the same bytes.
    let bytes = serde_json::to_vec(&bare)
        .map_err(|error| Problem::bug(format!("a request cannot be written as JSON: {error}")))?;
    let digest = blake3::hash(&bytes).to_hex();
    Ok(Arc::new(SubmitKey {
        text: text.into(),
        digest: digest.as_str().into(),
    }))
}

/// What became of an earlier submission under the same key.
async fn known(
    shared: &Shared,
    submission: &Submission,
) -> Result<Option<wire::Submitted>, Problem> {
    let Some(key) = submission.key.clone() else {
        return Ok(None);
    };
    let text = Arc::clone(&key.text);
    match shared.read(move |reader| reader.key(&text)).await? {
        None => Ok(None),
        Some((digest, run)) if digest == *key.digest => Ok(Some(before(run))),
        Some(_) => Err(Refusal::KeyReused(Arc::clone(&key.text)).into()),
    }
}

fn before(run: RunId) -> wire::Submitted {
    wire::Submitted {
        run: run.0,
        state: "queued".to_owned(),
        again: true,
        with: Vec::new(),
    }
}

fn submitted(answer: Answer) -> Result<wire::Submitted, Problem> {
    match answer {
        Answer::Submitted(runs) => {
            let mut runs = runs.into_iter().map(|run| run.0);
            let run = runs
                .next()
                .ok_or_else(|| Problem::bug("a submission gave no run; this is a bug"))?;
            Ok(wire::Submitted {
                run,
                state: "queued".to_owned(),
                again: false,
                with: runs.collect(),
            })
        }
        Answer::SubmittedBefore(run) => Ok(before(run)),
        Answer::Refused(refusal) => Err(refusal.into()),
        answer => Err(Problem::bug(format!(
            "a submission was answered {answer:?}; this is a bug"
        ))),
    }
}

/// The same submission with the jobs that its job comes after; the one that was asked for stays first.
async fn with_dependencies(
    shared: &Shared,
    mut submission: Submission,
) -> Result<Submission, Problem> {
    let jobs: Vec<JobView> = match shared.ask(Ask::Jobs).await? {
        Told::Jobs(jobs) => jobs,
        told => return Err(strange(&told)),
    };
    let mut wanted: BTreeSet<Name> = submission
        .items
        .iter()
        .map(|item| Name::clone(item.job.name()))
        .collect();
    let mut open: Vec<Name> = wanted.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let Some(view) = jobs.iter().find(|view| view.job.name == name) else {
            continue;
        };
        for before in &view.job.after {
            if wanted.insert(Name::clone(before)) {
                submission.items.push(SubmitItem::of(before));
                open.push(Name::clone(before));
            }
        }
    }
    Ok(submission)
}

/// Reads any bytes as a request for a run; gives the job that may come along.
#[cfg(any(fuzzing, test))]
pub fn fuzz(body: &[u8]) -> Option<(String, serde_json::Value)> {
    let submit = parse(body).ok()?;
    if let Some(key) = &submit.key {
        let digest = |submit| submit_key(submit, key).map(|key| key.digest.clone());
        assert!(digest(&submit).ok() == digest(&submit).ok());
    }
    if let Some(at) = &submit.at {
        let _moment = view::parse_moment(at);
    }
    let again = parse(&serde_json::to_vec(&submit).unwrap_or_default());
    assert!(again.is_ok_and(|again| again == submit));
    let task = submit.task?;
    Some((submit.job, task))
}
