//! From facts to spans: which times, names and numbers a span has. Knows no collector.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::engine::fact::{Fact, FinalState, Record};
use crate::engine::id::RunId;
use crate::engine::outcome::{End, Measures};
use crate::engine::spec::JobSpec;
use crate::engine::time::{Now, Wall};

/// The number of a trace: one for each run, and each time that it is tried once more by somebody.
type TraceId = [u8; 16];

/// The number of a span in its trace.
type SpanId = [u8; 8];

/// A stretch of time in which something was done.
#[derive(Debug)]
pub(super) struct Span {
    trace: TraceId,
    id: SpanId,
    parent: Option<SpanId>,
    name: String,
    from: Wall,
    to: Wall,
    attributes: Vec<(&'static str, Value)>,
    /// Why it failed, if it did.
    error: Option<String>,
}

/// The runs that are not over, as far as their spans need them.
#[derive(Debug)]
pub(super) struct Spans {
    instance: String,
    /// As many as there are unfinished runs, whose number is bounded.
    open: BTreeMap<RunId, Open>,
}

#[derive(Debug)]
struct Open {
    accepted: Wall,
    by: Option<String>,
    /// The attempt that runs, and when it started.
    started: Option<(u32, Wall)>,
}

impl Spans {
    pub(super) fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            open: BTreeMap::new(),
        }
    }

    /// Takes a fact in. Gives the span of the attempt that has left its lane with it, and that of the run that
    /// is over with it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "no other kind of fact begins or ends a span"
    )]
    pub(super) fn take(&mut self, record: &Record) -> [Option<Span>; 2] {
        let Some((run, job)) = record.fact.run() else {
            return [None, None];
        };
        let at = record.at.wall;
        match &record.fact {
            Fact::Accepted { .. } | Fact::Retried { .. } => {
                let open = Open {
                    accepted: at,
                    by: record.by.as_ref().map(ToString::to_string),
                    started: None,
                };
                self.open.insert(run, open);
                [None, None]
            }
            Fact::Started { epoch, .. } => {
                if let Some(open) = self.open.get_mut(&run) {
                    open.started = Some((*epoch, at));
                }
                [None, None]
            }
            Fact::Ended { state, end, .. } => {
                let attempt = self.attempt(run, job, at, state, Some(end));
                [attempt, self.over(run, job, at, state)]
            }
            Fact::Retrying { failure, end, .. } => {
                let failed = FinalState::Failed(failure.clone());
                [self.attempt(run, job, at, &failed, Some(end)), None]
            }
            Fact::Interrupted { cause, .. } => {
                let mut attempt = self.attempt(run, job, at, &FinalState::Succeeded, None);
                if let Some(span) = &mut attempt {
                    span.say("twolane.state", "interrupted");
                    span.error = Some(cause.to_string());
                }
                [attempt, None]
            }
            Fact::Gathered { state, .. } => [None, self.over(run, job, at, state)],
            Fact::GivenUp { failure, .. } => {
                let failed = FinalState::Failed(failure.clone());
                [None, self.over(run, job, at, &failed)]
            }
            Fact::Cancelled { reason, .. } => [
                None,
                self.over(run, job, at, &FinalState::Cancelled(*reason)),
            ],
            Fact::Skipped { reason, .. } => {
                let mut whole = self.over(run, job, at, &FinalState::Succeeded);
                if let Some(span) = &mut whole {
                    span.say("twolane.state", "skipped");
                    span.say("twolane.reason", &reason.to_string());
                }
                [None, whole]
            }
            _ => [None, None],
        }
    }

    /// The span of the attempt that has left its lane.
    fn attempt(
        &mut self,
        run: RunId,
        job: &JobSpec,
        at: Wall,
        state: &FinalState,
        end: Option<&End>,
    ) -> Option<Span> {
        let open = self.open.get_mut(&run)?;
        let (epoch, started) = open.started.take()?;
        let accepted = open.accepted;
        let measured = end.map(|end| end.measures);
        let measured = measured.filter(|measures| measures.began != Now::default());
        let (from, to) = match measured {
            Some(Measures { began, ended, .. }) => (began.wall, ended.wall),
            None => (started, at),
        };
        let mut span = Span {
            trace: self.trace(run, accepted),
            id: self.id(run, accepted, epoch),
            parent: Some(self.id(run, accepted, 0)),
            name: job.name.to_string(),
            from,
            to,
            attributes: about(run, job),
            error: None,
        };
        span.attributes.push(("twolane.attempt", json!(epoch)));
        span.ended(state);
        if let (FinalState::Failed(failure), Some(end)) = (state, end) {
            span.error = Some(end.reason(failure));
        }
        if let Some(cpu) = measured.and_then(|measures| measures.cpu) {
            let seconds = cpu.as_secs_f64();
            span.attributes
                .push(("twolane.cpu_seconds", json!(seconds)));
        }
        Some(span)
    }

    /// The span of a run that is over.
    fn over(&mut self, run: RunId, job: &JobSpec, at: Wall, state: &FinalState) -> Option<Span> {
        let open = self.open.remove(&run)?;
        let mut span = Span {
            trace: self.trace(run, open.accepted),
            id: self.id(run, open.accepted, 0),
            parent: None,
            name: format!("run {}", job.name),
            from: open.accepted,
            to: at,
            attributes: about(run, job),
            error: None,
        };
        if let Some(by) = &open.by {
            span.say("twolane.by", by);
        }
        span.ended(state);
        Some(span)
    }

    fn trace(&self, run: RunId, accepted: Wall) -> TraceId {
        self.digest(run, accepted, None)
    }

    /// The number of a run's attempt, 0 for the run itself.
    fn id(&self, run: RunId, accepted: Wall, epoch: u32) -> SpanId {
        self.digest(run, accepted, Some(epoch))
    }

    /// Worked out and not drawn, so that a daemon that starts anew goes on with the same traces.
    fn digest<const N: usize>(&self, run: RunId, accepted: Wall, epoch: Option<u32>) -> [u8; N] {
        let text = format!("{} {run} {} {epoch:?}", self.instance, accepted.0);
        let mut id = [0; N];
        for (to, from) in id.iter_mut().zip(blake3::hash(text.as_bytes()).as_bytes()) {
            *to = *from;
        }
        id
    }
}

fn about(run: RunId, job: &JobSpec) -> Vec<(&'static str, Value)> {
    vec![
        ("twolane.run", json!(run.0)),
        ("twolane.job", json!(&*job.name)),
        ("twolane.lane", json!(job.lane.as_str())),
        ("twolane.task", json!(job.task.kind())),
    ]
}

impl Span {
    fn say(&mut self, name: &'static str, text: &str) {
        self.attributes.retain(|(other, _)| *other != name);
        self.attributes.push((name, json!(text)));
    }

    fn ended(&mut self, state: &FinalState) {
        match state {
            FinalState::Succeeded => self.say("twolane.state", "succeeded"),
            FinalState::Failed(failure) => {
                self.say("twolane.state", "failed");
                self.say("error.type", failure.kind());
                self.error = Some(failure.to_string());
            }
            FinalState::Cancelled(reason) => {
                self.say("twolane.state", "cancelled");
                self.say("twolane.reason", &reason.to_string());
            }
        }
    }

    /// As OTLP/JSON has it: numbers of traces and spans in hexadecimal digits, times and whole numbers as texts.
    pub(super) fn json(&self) -> Value {
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        let nanos = |at: Wall| (i128::from(at.0) * 1_000).to_string();
        let attributes = self.attributes.iter();
        let mut span = json!({
            "traceId": hex(&self.trace),
            "spanId": hex(&self.id),
            "name": self.name,
            "kind": 1,
            "startTimeUnixNano": nanos(self.from),
            "endTimeUnixNano": nanos(self.to.max(self.from)),
            "attributes": attributes.map(|(name, value)| attribute(name, value)).collect::<Vec<_>>(),
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = json!(hex(parent));
        }
        if let Some(error) = &self.error {
            span["status"] = json!({ "code": 2, "message": error });
        }
        span
    }
}

/// A name with its value.
pub(super) fn attribute(name: &str, value: &Value) -> Value {
    let typed = match value {
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::String(text) => json!({ "stringValue": text }),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            json!({ "stringValue": value.to_string() })
        }
    };
    json!({ "key": name, "value": typed })
}
