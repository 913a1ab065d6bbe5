//! The `http` task: one request, its answer streamed to a file or, up to a bound, into the result.
//! Holds a chunk of the answer in memory, however large that is.

mod clients;
mod request;
mod sink;
mod words;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::super::context::{Context, Stopped};
use super::{Done, TaskError, TaskResult};
use crate::clock::kernel_nanos;
use crate::engine::fill::fill;
use crate::engine::http::HttpSpec;
use crate::engine::spec::Name;
pub(in super::super) use clients::Clients;
use request::Request;
use sink::{Received, Sink};

/// The least time between two words about how much has come, in nanoseconds: three a second are as
/// many as anybody can read.
const REPORT_EVERY: u64 = 333_000_000;

/// How much of an unexpected answer's body is looked at for its first line.
const COMPLAINT_BYTES: usize = 2 << 10;

/// The headers of the answer that the result has, where they are there.
const SHOWN: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LOCATION,
];

/// The longest header that the result has, in bytes; what is longer is cut.
const SHOWN_BYTES: usize = 1 << 10;

/// On the io lane, the only one for it. Stops at any point where it waits: what has begun is dropped,
/// and with it the connection and the unfinished file.
pub(super) async fn run_io(
    context: &Context,
    spec: &HttpSpec,
    (args, secrets): (Option<&Value>, &BTreeMap<Name, String>),
    clients: &Clients,
) -> TaskResult {
    context.check()?;
    let spec = &*placed(spec, args)?;
    let request = Request::fill(spec, args, secrets)?;
    let stage = Stage::default();
    let answer = {
        let mut fetch = pin!(fetch(context, spec, &request, clients, &stage));
        let mut limit = pin!(context.sleep(spec.total_timeout));
        poll_fn(|polled| {
            if let Poll::Ready(answer) = fetch.as_mut().poll(polled) {
                return Poll::Ready(answer);
            }
            limit.as_mut().poll(polled).map(|over| match over {
                Ok(()) => Err(stage.too_late(spec.total_timeout, &request)),
                Err(Stopped) => Err(TaskError::Stopped),
            })
        })
        .await?
    };
    // From here on it is done rather than stopped half-way.
    answer.finish().await.map(Done::with)
}

/// How far it is, for the message that it took too long.
#[derive(Default)]
struct Stage {
    /// Bytes of the body so far, and one more; 0 while there is no answer at all.
    received: AtomicU64,
}

impl Stage {
    fn set(&self, bytes: u64) {
        self.received.store(bytes + 1, Ordering::Relaxed);
    }

    fn too_late(&self, limit: Duration, request: &Request<'_>) -> TaskError {
        let state = match self.received.load(Ordering::Relaxed) {
            0 => "no answer".to_owned(),
            n => format!("the answer had not ended after {} bytes", n - 1),
        };
        request.failed(format!("{state} within {limit:?} (`total_timeout`)"))
    }
}

/// An answer that was received as a whole, and whose file, if it has one, is not in its place yet.
struct Answer {
    fields: Map<String, Value>,
    received: Received,
}

/// How long the first line of an answer is waited for that is no success.
const COMPLAINT: Duration = Duration::from_secs(2);

/// The request with the file that its answer goes to, which arguments may name but not lead elsewhere.
fn placed<'a>(spec: &'a HttpSpec, args: Option<&Value>) -> Result<Cow<'a, HttpSpec>, TaskError> {
    let Some(template) = spec.save_to.as_ref().and_then(|path| path.to_str()) else {
        return Ok(Cow::Borrowed(spec));
    };
    let argument = |name: &str| {
        let value = args?.get(name)?;
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let is_part =
            !text.is_empty() && text != "." && text != ".." && !text.contains(['/', '\0']);
        is_part.then_some(Cow::Owned(text))
    };
    let filled = fill(template, argument).map_err(|name| {
        TaskError::failed(format!(
            "the argument `{name}` cannot stand in `{template}`: it is missing, or is no part of a file's name"
        ))
    })?;
    if filled == template {
        return Ok(Cow::Borrowed(spec));
    }
    Ok(Cow::Owned(HttpSpec {
        save_to: Some(filled.into()),
        ..spec.clone()
    }))
}

impl Answer {
    async fn finish(mut self) -> Result<Value, TaskError> {
        self.received.finish(&mut self.fields).await?;
        Ok(Value::Object(self.fields))
    }
}

async fn fetch(
    context: &Context,
    spec: &HttpSpec,
    request: &Request<'_>,
    clients: &Clients,
    stage: &Stage,
) -> Result<Answer, TaskError> {
    let client = clients.of(spec).await.map_err(|why| request.failed(why))?;
    let sent = request.send(&client).await?;
    let response = sent.map_err(|error| request.failed(words::no_answer(&error, spec)))?;
    // Many wait for an answer at once: until it comes, there is no room for what it is taken in with.
    Box::pin(receive(context, spec, request, response, stage)).await
}

/// Takes in an answer whose head has come.
async fn receive(
    context: &Context,
    spec: &HttpSpec,
    request: &Request<'_>,
    mut response: Response,
    stage: &Stage,
) -> Result<Answer, TaskError> {
    stage.set(0);
    let status = response.status();
    if !is_expected(spec, status) {
        let complaint = complaint(&mut response).await;
        return Err(request.failed(words::unexpected(
            status,
            response.url(),
            request,
            &complaint,
        )));
    }
    let fields = fields(&response);
    let whole = response.content_length().filter(|bytes| *bytes > 0);
    let mut sink = Sink::open(spec).await?;
    let mut received = 0_u64;
    let mut reported = kernel_nanos();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                return Err(request.failed(words::broken_off(&error, received, whole)));
            }
        };
        sink.take(&chunk).await?;
        received += chunk.len() as u64;
        stage.set(received);
        let now = kernel_nanos();
        if let Some(whole) = whole
            && now.saturating_sub(reported) >= REPORT_EVERY
        {
            reported = now;
            report(context, received, whole);
        }
    }
    let received = sink.close().await?;
    if let Some(expected) = &spec.sha256
        && let Some(found) = received.other_than(expected)
    {
        return Err(request.failed(words::other_sha256(expected, &found, spec)));
    }
    Ok(Answer { fields, received })
}

fn is_expected(spec: &HttpSpec, status: StatusCode) -> bool {
    let status = status.as_u16();
    spec.expect
        .iter()
        .any(|expected| (expected.first..=expected.last).contains(&status))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a fraction needs no more digits than a float has"
)]
fn report(context: &Context, received: u64, whole: u64) {
    let fraction = received as f64 / whole as f64;
    context.progress(fraction, format!("{received} of {whole} bytes"));
}

/// What the result has whatever becomes of the body.
fn fields(response: &Response) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("status".to_owned(), json!(response.status().as_u16()));
    fields.insert("headers".to_owned(), headers(response.headers()));
    fields
}

fn headers(of: &HeaderMap) -> Value {
    let shown = SHOWN.iter().filter_map(|name| {
        let value = of.get(name)?.as_bytes();
        let value = String::from_utf8_lossy(&value[..value.len().min(SHOWN_BYTES)]);
        Some((name.as_str().to_owned(), json!(value)))
    });
    Value::Object(shown.collect())
}

/// What an answer says of why it is no success: where else to ask, or the first line of its body, which is not worth
/// waiting for long.
async fn complaint(response: &mut Response) -> String {
    let location = response.headers().get(header::LOCATION);
    if let Some(location) = location.filter(|_| response.status().is_redirection()) {
        let location = String::from_utf8_lossy(location.as_bytes());
        return format!("it leads to {}", words::first_line(&location));
    }
    let said = tokio::time::timeout(COMPLAINT, first_line(response)).await;
    said.unwrap_or_default()
}

/// The first line of an answer's body with anything in it, as far as it comes; empty if none does.
async fn first_line(response: &mut Response) -> String {
    let mut head = Vec::new();
    while head.len() < COMPLAINT_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => head.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    head.truncate(COMPLAINT_BYTES);
    words::first_line(&String::from_utf8_lossy(&head))
}
