//! Streams: facts as they are committed, and the log of a run as it grows.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;

use super::problem::Problem;
use super::server::told_to_end;
use super::shared::Shared;
use super::view;
use super::wire::EVENT_RUNS_BOUND;
use crate::engine::id::RunId;
use crate::runlog;

/// Facts or lines that are read at a time.
const PAGE: usize = 500;

/// How often a stream without news says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often a stream looks for news at most, [`QUICK`] times each: a daemon that commits a thousand times
/// a second is not to read and send each commit by itself.
const WINDOW: Duration = Duration::from_millis(50);

/// Looks that a stream has in a [`WINDOW`]: so that whoever waits for one run, which has few events, hears
/// of each at once.
const QUICK: u32 = 4;

/// Where a stream of events begins, and of which runs it tells.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    after: Option<u64>,
    run: Option<String>,
}

impl EventsQuery {
    /// The runs that are asked for, each once; `None` for all events.
    fn runs(&self) -> Result<Option<Arc<[RunId]>>, Problem> {
        let Some(text) = &self.run else {
            return Ok(None);
        };
        let number = |word: &str| word.parse().map(RunId);
        let runs: Result<BTreeSet<RunId>, _> = text.split(',').map(number).collect();
        let runs = runs.ok().filter(|runs| runs.len() <= EVENT_RUNS_BOUND);
        let runs = runs.ok_or_else(|| {
            Problem::bad(format!(
                "`run` is the number of a run, or up to {EVENT_RUNS_BOUND} of them with commas in between"
            ))
        })?;
        Ok(Some(runs.into_iter().collect()))
    }
}

type Chunk = Result<Bytes, Infallible>;

/// One of the places for streams; held as long as the stream is open.
fn place(shared: &Shared) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&shared.streams)
        .try_acquire_owned()
        .map_err(|_| {
            Problem::unavailable(
                "streams",
                "too many streams are open (64 is the bound): close one",
            )
        })
}

/// `GET /events`: facts as server-sent events.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|why| Problem::bad(why.body_text()))?;
    if asked
        .after
        .is_some_and(|after| i64::try_from(after).is_err())
    {
        return Err(Problem::bad("`after` is the number of an event"));
    }
    let runs = asked.runs()?;
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let after = match resumed.or(asked.after) {
        Some(after) => after,
        None => shared.read(|reader| reader.newest()).await?,
    };
    let place = place(&shared)?;
    let (send, receive) = mpsc::channel::<Chunk>(2);
    tokio::spawn(async move {
        let _place = place;
        send_events(&shared, after, runs, &send).await;
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receive))).into_response())
}

/// Keeps a stream from looking for news too often.
struct Pace {
    windows: Interval,
    left: u32,
}

impl Pace {
    fn new() -> Self {
        let mut windows = interval(WINDOW);
        windows.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first window has begun.
        windows.reset();
        Self {
            windows,
            left: QUICK,
        }
    }

    /// Waits until the stream may look again.
    async fn look(&mut self) {
        tokio::select! {
            biased;
            _ = self.windows.tick() => self.left = QUICK,
            () = std::future::ready(()), if self.left > 0 => {}
        }
        self.left -= 1;
    }
}

async fn send_events(
    shared: &Shared,
    mut after: u64,
    runs: Option<Arc<[RunId]>>,
    send: &mpsc::Sender<Chunk>,
) {
    let mut committed = shared.parts.committed.clone();
    let mut ending = shared.ending.clone();
    let mut pace = Pace::new();
    loop {
        committed.mark_unchanged();
        let (from, runs) = (after, runs.clone());
        let look = shared.read(move |reader| match runs {
            Some(runs) => reader.facts_of_after(&runs, from, PAGE),
            None => reader.facts_after(from, PAGE),
        });
        let Ok(records) = look.await else {
            return;
        };
        let mut text = String::new();
        for record in &records {
            let event = view::event(record);
            let data = serde_json::to_string(&event).unwrap_or_default();
            text.push_str(&format!(
                "id: {}\nevent: {}\ndata: {data}\n\n",
                event.number, event.event
            ));
            after = record.number;
        }
        if !text.is_empty() && send.send(Ok(Bytes::from(text))).await.is_err() {
            return;
        }
        if records.len() == PAGE {
            continue;
        }
        match wait(&mut committed, &mut ending, send).await {
            News::Some => pace.look().await,
            News::None => {
                let sent = send.send(Ok(Bytes::from_static(b": still here\n\n"))).await;
                if sent.is_err() {
                    return;
                }
            }
            News::Over => return,
        }
    }
}

enum News {
    Some,
    None,
    Over,
}

/// Waits for news, a heartbeat's time at most.
async fn wait(
    changes: &mut watch::Receiver<u64>,
    ending: &mut watch::Receiver<bool>,
    send: &mpsc::Sender<Chunk>,
) -> News {
    tokio::select! {
        changed = changes.changed() => if changed.is_ok() { News::Some } else { News::Over },
        () = told_to_end(ending) => News::Over,
        () = send.closed() => News::Over,
        () = tokio::time::sleep(HEARTBEAT) => News::None,
    }
}

/// Lines of a log, as JSON.
pub(super) struct Lines {
    pub(super) text: Vec<u8>,
    last: u64,
}

/// Reads lines of a log.
pub(super) async fn lines(
    shared: &Shared,
    run: RunId,
    after: u64,
    limit: usize,
) -> Result<Lines, Problem> {
    // What a run said before it was over is not to come after that.
    shared.parts.written.settle().await;
    let directory = shared.parts.logs.clone();
    let read = tokio::task::spawn_blocking(move || runlog::lines(&directory, run, after, limit));
    let lines = read
        .await
        .map_err(|error| Problem::bug(format!("reading a log ended badly: {error}")))?
        .map_err(|error| Problem::bug(error.to_string()))?;
    let mut text = Vec::new();
    for line in &lines {
        if serde_json::to_writer(&mut text, &view::log_line(line)).is_ok() {
            text.push(b'\n');
        }
    }
    let last = lines.last().map_or(after, |line| line.number);
    Ok(Lines { text, last })
}

/// The log of a run from here on, until the run is over and all is sent.
pub(super) fn log(shared: &Arc<Shared>, run: RunId, after: u64) -> Result<Body, Problem> {
    let place = place(shared)?;
    let shared = Arc::clone(shared);
    let (send, receive) = mpsc::channel::<Chunk>(2);
    tokio::spawn(async move {
        let _place = place;
        send_log(&shared, run, after, &send).await;
    });
    Ok(Body::from_stream(ReceiverStream::new(receive)))
}

async fn send_log(shared: &Shared, run: RunId, mut after: u64, send: &mpsc::Sender<Chunk>) {
    let mut logged = shared.parts.logged.clone();
    let mut committed = shared.parts.committed.clone();
    let mut ending = shared.ending.clone();
    let mut pace = Pace::new();
    loop {
        logged.mark_unchanged();
        committed.mark_unchanged();
        let story = shared.read(move |reader| reader.run(run)).await;
        // Asked before the lines are read: what was said before the end is there by then, or comes with
        // the next change.
        let over = !matches!(&story, Ok(Some(story)) if !story.state.is_final());
        let Ok(lines) = lines(shared, run, after, PAGE).await else {
            return;
        };
        if lines.last > after {
            after = lines.last;
            if send.send(Ok(Bytes::from(lines.text))).await.is_err() {
                return;
            }
            continue;
        }
        if over {
            return;
        }
        tokio::select! {
            changed = logged.changed() => if changed.is_err() { return },
            changed = committed.changed() => if changed.is_err() { return },
            () = told_to_end(&mut ending) => return,
            () = send.closed() => return,
        }
        pace.look().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks a stream has before it is made to wait.
    async fn looks_at_once(pace: &mut Pace) -> u32 {
        let mut looks = 0;
        loop {
            tokio::select! {
                biased;
                () = pace.look() => looks += 1,
                () = std::future::ready(()) => return looks,
            }
        }
    }

    #[test]
    fn a_stream_looks_a_few_times_at_once_and_then_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        // On a busy machine a window may pass meanwhile, which gives more looks; but not each time.
        let is_paced = (0..100).any(|_| {
            runtime.block_on(async {
                let mut pace = Pace::new();
                let first = looks_at_once(&mut pace).await;
                pace.look().await;
                let rest = looks_at_once(&mut pace).await;
                assert!(first >= QUICK && rest >= QUICK - 1, "{first}, {rest}");
                (first, rest) == (QUICK, QUICK - 1)
            })
        });
        assert!(is_paced);
    }
}
