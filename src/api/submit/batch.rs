//! Many runs in one request: a JSON object a line in, an answer a line out, in the same order. Lines are
//! taken in groups, and a few groups are on their way at a time, so that one commit serves many and
//! memory stays bounded however long the batch is.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use super::{known, parse, prepare, submitted, with_dependencies};
use crate::api::problem::Problem;
use crate::api::roles::Caller;
use crate::api::shared::{Shared, heard, strange};
use crate::engine::action::{Answer, Refusal};
use crate::engine::input::Submission;
use crate::inbox::{Ask, Told};

/// Lines in one group: a turn of the loop takes about as many.
const GROUP: usize = 256;

/// Groups on their way at a time.
const GROUPS: usize = 8;

/// The longest line, in bytes.
const LONGEST_LINE: usize = 1 << 20;

type Line = Result<Bytes, std::convert::Infallible>;

/// Answers a batch.
pub(super) fn answer(shared: Arc<Shared>, caller: Caller, body: Body) -> Response {
    let (send, receive) = mpsc::channel::<Line>(GROUPS);
    tokio::spawn(async move {
        Batch::new(shared, caller, send).take(body).await;
    });
    let stream = Body::from_stream(ReceiverStream::new(receive));
    ([(CONTENT_TYPE, "application/x-ndjson")], stream).into_response()
}

/// One line of a group: what goes to the loop, or what can be answered at once.
enum Entry {
    Asked(Submission),
    Answered(Result<crate::api::wire::Submitted, Problem>),
}

struct Group {
    entries: Vec<Entry>,
    told: Option<oneshot::Receiver<Told>>,
    /// What the loop said, or why it could not be asked.
    heard: Option<Result<Told, Problem>>,
}

struct Batch {
    shared: Arc<Shared>,
    caller: Caller,
    send: mpsc::Sender<Line>,
    entries: Vec<Entry>,
    under_way: VecDeque<Group>,
    gone: bool,
}

impl Batch {
    fn new(shared: Arc<Shared>, caller: Caller, send: mpsc::Sender<Line>) -> Self {
        Self {
            shared,
            caller,
            send,
            entries: Vec::with_capacity(GROUP),
            under_way: VecDeque::new(),
            gone: false,
        }
    }

    async fn take(mut self, mut body: Body) {
        let mut rest: Vec<u8> = Vec::new();
        loop {
            // A caller may wait for an answer before it sends another line.
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = self.hear_oldest(), if !self.under_way.is_empty() => {
                    self.deliver().await;
                    if self.gone {
                        return;
                    }
                    continue;
                }
            };
            let Some(Ok(frame)) = frame else {
                // What came whole was taken; the caller sees by the answers how far that was.
                break;
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            rest.extend_from_slice(&data);
            let mut begin = 0;
            while let Some(length) = rest[begin..].iter().position(|byte| *byte == b'\n') {
                let line = begin..begin + length;
                begin += length + 1;
                self.line(&rest[line]).await;
                if self.gone {
                    return;
                }
            }
            rest.drain(..begin);
            if rest.len() > LONGEST_LINE {
                let text =
                    format!("a line is longer than {LONGEST_LINE} bytes; what follows is not read");
                self.entries.push(Entry::Answered(Err(Problem::bad(text))));
                rest.clear();
                break;
            }
            // What a slow caller has sent so far need not wait for the rest of its group.
            self.group().await;
        }
        self.line(&rest).await;
        self.group().await;
        while !self.gone && !self.under_way.is_empty() {
            self.deliver().await;
        }
    }

    async fn line(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let entry =
            match parse(line).and_then(|submit| prepare(&self.shared, &self.caller, &submit)) {
                Err(problem) => Entry::Answered(Err(problem)),
                Ok(submission) => match known(&self.shared, &submission).await {
                    Ok(None) => Entry::Asked(submission),
                    Ok(Some(before)) => Entry::Answered(Ok(before)),
                    Err(problem) => Entry::Answered(Err(problem)),
                },
            };
        self.entries.push(entry);
        if self.entries.len() >= GROUP {
            self.group().await;
        }
    }

    /// Puts the lines so far to the loop.
    async fn group(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let entries = std::mem::take(&mut self.entries);
        let asked: Vec<Submission> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Asked(submission) => Some(submission.clone()),
                Entry::Answered(_) => None,
            })
            .collect();
        let (told, heard) = if asked.is_empty() {
            (None, None)
        } else {
            match self.shared.post(self.caller.by.clone(), Ask::Submit(asked)) {
                Ok(told) => (Some(told), None),
                Err(problem) => (None, Some(Err(problem))),
            }
        };
        self.under_way.push_back(Group {
            entries,
            told,
            heard,
        });
        while self.under_way.len() >= GROUPS && !self.gone {
            self.deliver().await;
        }
    }

    /// Waits for what the loop says to the oldest group. May be given up and begun again.
    async fn hear_oldest(&mut self) {
        if let Some(group) = self.under_way.front_mut()
            && let Some(told) = &mut group.told
        {
            group.heard = Some(heard(told).await);
            group.told = None;
        }
    }

    /// Sends the answers to the oldest group, once they are there.
    async fn deliver(&mut self) {
        self.hear_oldest().await;
        let Some(group) = self.under_way.pop_front() else {
            return;
        };
        let (answers, problem) = match group.heard {
            None => (Vec::new(), None),
            Some(Ok(Told::Answers(answers))) => (answers, None),
            Some(Ok(told)) => (Vec::new(), Some(strange(&told))),
            Some(Err(problem)) => (Vec::new(), Some(problem)),
        };
        let mut answers = answers.into_iter();
        let mut text = Vec::with_capacity(group.entries.len() * 32);
        for entry in group.entries {
            let answer = match entry {
                Entry::Answered(answer) => answer,
                Entry::Asked(submission) => match answers.next() {
                    Some(answer) => self.settled(submission, answer).await,
                    None => Err(problem
                        .clone()
                        .unwrap_or_else(|| Problem::bug("a line has no answer; this is a bug"))),
                },
            };
            let written = match answer {
                Ok(submitted) => serde_json::to_writer(&mut text, &submitted),
                Err(problem) => serde_json::to_writer(&mut text, &problem.wire()),
            };
            if written.is_ok() {
                text.push(b'\n');
            }
        }
        self.gone |= self.send.send(Ok(Bytes::from(text))).await.is_err();
    }

    /// The answer to a line; where its job comes after others, those are asked for with it.
    async fn settled(
        &self,
        submission: Submission,
        answer: Answer,
    ) -> Result<crate::api::wire::Submitted, Problem> {
        if !matches!(answer, Answer::Refused(Refusal::MissingDependency { .. })) {
            return submitted(answer);
        }
        let whole = with_dependencies(&self.shared, submission).await?;
        let by = self.caller.by.clone();
        submitted(self.shared.decide(by, Ask::Submit(vec![whole])).await?)
    }
}
