//! What the log says of a fact or a note: plain values, worked out from the fact or the note alone.
//! Knows neither formats nor levels in force nor where a line goes.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use super::event::Event;
use crate::engine::absent;
use crate::engine::fact::{Fact, FinalState, Record};
use crate::engine::id::{AttemptId, RunId};
use crate::engine::outcome::{End, Interruption, Measures, Outcome, StopReason};
use crate::engine::spec::{JobSpec, TaskSpec};
use crate::engine::template::{Placeholder, Template};
use crate::engine::time::Wall;
use crate::inbox::{Note, Progress};

/// The most of a result that a line carries, in bytes of JSON; the fact has the whole. Enough for what people return as a result, and little enough that a line stays a line.
pub const RESULT_BOUND: usize = 4096;

/// A line of the log before it has a form. What does not apply is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// What happened.
    pub event: Event,
    /// When: the time of the fact or the note, not of the writing.
    pub at: Wall,
    /// The job's own text for it, placeholders filled in.
    pub text: Option<String>,
    /// The job's name.
    pub job: Option<&'a str>,
    /// The run's number.
    pub run: Option<u64>,
    /// The lane.
    pub lane: Option<&'static str>,
    /// The attempt's number within its run.
    pub attempt: Option<u32>,
    /// The run's state from here on.
    pub state: Option<&'static str>,
    /// How much of the work is done, 0 to 1.
    pub fraction: Option<f64>,
    /// The same in whole percent, 0 to 100; 100 only when all is done.
    pub percent: Option<u8>,
    /// The task's own words.
    pub message: Option<&'a str>,
    /// Why it was stopped, cancelled or skipped.
    pub reason: Option<String>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// Why it failed, in one word.
    pub error_kind: Option<&'static str>,
    /// How long the attempt's own code took.
    pub duration: Option<Duration>,
    /// CPU time of it.
    pub cpu: Option<Duration>,
    /// The most memory that one of its processes had, in bytes.
    pub memory: Option<u64>,
    /// Why what is run after the task failed.
    pub teardown: Option<String>,
    /// How much later than asked for its wait ended.
    pub late: Option<Duration>,
    /// Notes that were folded into later ones.
    pub coalesced: Option<u64>,
    /// What it resulted in, as JSON; beyond [`RESULT_BOUND`] a JSON string of its beginning that ends
    /// in `…`.
    pub result: Option<String>,
    /// Who asked for it.
    pub by: Option<String>,
    /// How many jobs are configured.
    pub jobs: Option<usize>,
    /// How many pools are configured.
    pub pools: Option<usize>,
    /// How many limits are configured.
    pub limits: Option<usize>,
}

impl<'a> Line<'a> {
    /// What the log says of a fact.
    #[must_use]
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of fact, and nothing in them to split off"
    )]
    pub fn of_fact(record: &'a Record) -> Self {
        let bare = Self {
            by: record.by.as_ref().map(ToString::to_string),
            ..Self::bare(Event::of(&record.fact), record.at.wall)
        };
        match &record.fact {
            Fact::Opened | Fact::Draining | Fact::Leaving | Fact::Announced { .. } => bare,
            Fact::Sent {
                run, job, epoch, ..
            } => bare.tried(job, *run, *epoch),
            Fact::Evaluated { job, schedule, .. } => Self {
                job: Some(&**job),
                ..bare.because(schedule)
            },
            Fact::Misplaced { job, finding } => Self {
                job: Some(&**job),
                run: Some(finding.run.0),
                lane: Some(finding.lane.as_str()),
                ..bare.because(finding)
            },
            Fact::Reconsidered { job } => Self {
                job: Some(&**job),
                ..bare.because(
                    &"its definition has changed: what was found of its lane counts no more",
                )
            },
            Fact::BackfillAccepted { backfill } => Self {
                job: Some(&*backfill.job),
                ..bare.because(backfill)
            },
            Fact::BackfillMoved { id, went, .. } => bare.because(&format!("backfill {id}: {went}")),
            Fact::BackfillEnded {
                backfill,
                went,
                ending,
            } => Self {
                job: Some(&*backfill.job),
                ..bare.because(&backfill.over(went, ending))
            },
            Fact::ClockSet { by_micros } => bare.because(&clock_set(*by_micros)),
            Fact::Heard { job, .. } => Self {
                job: Some(&**job),
                ..bare
            },
            Fact::Absent { job, since, within } => Self {
                job: Some(&**job),
                ..bare.because(&absent(since.wall, *within))
            },
            Fact::Configured { definitions } => Self {
                jobs: Some(definitions.jobs.len()),
                pools: Some(definitions.pools.len()),
                limits: Some(definitions.limits.len()),
                ..bare
            },
            Fact::Accepted {
                run,
                job,
                after,
                due,
                ..
            } => {
                let waits = due.is_some_and(|due| due > record.at.mono);
                let state = match (after.is_empty(), waits) {
                    (false, _) => "blocked",
                    (true, true) => "scheduled",
                    (true, false) => "queued",
                };
                bare.about(job, *run).now(state)
            }
            Fact::Released { run, job } => {
                let line = bare.about(job, *run);
                // With a delay it depends on when the run was accepted, which this fact does not say.
                if job.delay.is_zero() {
                    line.now("queued")
                } else {
                    line
                }
            }
            Fact::Met { run, job, by, .. } => {
                let why = format!("run {by} is over");
                bare.about(job, *run).now("blocked").because(&why)
            }
            Fact::Spread {
                run,
                job,
                first,
                count,
            } => {
                let into = format!("into {count} runs, from {first} on");
                bare.about(job, *run).now("blocked").because(&into)
            }
            Fact::Gathered {
                run,
                job,
                state,
                result,
            } => {
                let line = bare.about(job, *run).over(state, None);
                let result = result
                    .as_deref()
                    .filter(|_| *state == FinalState::Succeeded);
                Self {
                    result: result.map(json),
                    ..line
                }
                .say(job)
            }
            Fact::Due { run, job } => bare.about(job, *run).now("queued"),
            Fact::Started { run, job, epoch } => {
                bare.tried(job, *run, *epoch).now("running").say(job)
            }
            Fact::Began { run, job, epoch } => bare.tried(job, *run, *epoch),
            Fact::Stopping { .. } | Fact::Unresponsive { .. } => bare.asked_to_stop(&record.fact),
            Fact::Ended {
                run,
                job,
                epoch,
                state,
                end,
            } => bare.tried(job, *run, *epoch).ended(state, end).say(job),
            Fact::Retrying {
                run,
                job,
                epoch,
                failure,
                end,
                due,
            } => {
                let failed = FinalState::Failed(failure.clone());
                let line = bare.tried(job, *run, *epoch).ended(&failed, end);
                let pause = due.since(record.at.mono);
                let again = format!("tried again in {:.3} s", pause.as_secs_f64());
                line.now("scheduled").because(&again)
            }
            Fact::GivenUp { run, job, failure } => Self {
                error: Some(failure.to_string()),
                error_kind: Some(failure.kind()),
                ..bare.about(job, *run).now("failed").say(job)
            },
            Fact::Interrupted {
                run,
                job,
                epoch,
                cause,
                ..
            } => {
                let state = match cause {
                    Interruption::NoRoom(_) => "scheduled",
                    Interruption::Crash
                    | Interruption::Unsure
                    | Interruption::Unbegun
                    | Interruption::Shutdown => "queued",
                };
                bare.tried(job, *run, *epoch).now(state).because(cause)
            }
            Fact::Retried { run, job, .. } => bare.about(job, *run).now("queued"),
            Fact::Paused { what } | Fact::Resumed { what } => bare.because(what),
            Fact::Cancelled { run, job, reason } => bare
                .about(job, *run)
                .now("cancelled")
                .because(reason)
                .say(job),
            Fact::Skipped { run, job, reason } => {
                bare.about(job, *run).now("skipped").because(reason)
            }
        }
    }

    /// An attempt was asked to stop, or does not.
    fn asked_to_stop(self, fact: &'a Fact) -> Self {
        if let Fact::Stopping {
            run,
            job,
            epoch,
            reason,
        } = fact
        {
            return self
                .tried(job, *run, *epoch)
                .now("stopping")
                .because(reason);
        }
        let Fact::Unresponsive {
            run,
            job,
            epoch,
            reason,
            asked,
            kept,
        } = fact
        else {
            return self;
        };
        let alarm = alarm(job, *reason, *asked, *kept);
        self.tried(job, *run, *epoch)
            .now("unresponsive")
            .because(&alarm)
    }

    /// With what it is about, or why it is so.
    fn because(self, reason: &impl ToString) -> Self {
        let reason = Some(reason.to_string());
        Self { reason, ..self }
    }

    /// What the log says of a note.
    #[must_use]
    pub fn of_note(note: &'a Note) -> Self {
        let AttemptId { run, epoch } = note.attempt;
        let Progress { fraction, message } = &note.progress;
        let fraction = fraction
            .filter(|part| !part.is_nan())
            .map(|part| part.clamp(0.0, 1.0));
        Self {
            fraction,
            percent: fraction.map(percent),
            message: message.as_deref(),
            ..Self::bare(Event::Progress, note.at.wall)
                .tried(&note.job, run, epoch)
                .now("running")
        }
        .say(&note.job)
    }

    const fn bare(event: Event, at: Wall) -> Self {
        Self {
            event,
            at,
            text: None,
            job: None,
            run: None,
            lane: None,
            attempt: None,
            state: None,
            fraction: None,
            percent: None,
            message: None,
            reason: None,
            error: None,
            error_kind: None,
            duration: None,
            cpu: None,
            memory: None,
            teardown: None,
            late: None,
            coalesced: None,
            result: None,
            by: None,
            jobs: None,
            pools: None,
            limits: None,
        }
    }

    fn about(self, job: &'a JobSpec, run: RunId) -> Self {
        Self {
            job: Some(&job.name),
            run: Some(run.0),
            lane: Some(job.lane.as_str()),
            ..self
        }
    }

    fn tried(self, job: &'a JobSpec, run: RunId, epoch: u32) -> Self {
        Self {
            attempt: Some(epoch),
            ..self.about(job, run)
        }
    }

    fn now(self, state: &'static str) -> Self {
        Self {
            state: Some(state),
            ..self
        }
    }

    fn ended(self, state: &FinalState, end: &'a End) -> Self {
        let Measures {
            began: _,
            ended: _,
            cpu,
            held: _,
            delayed: _,
            memory,
            late,
            coalesced,
        } = end.measures;
        let line = Self {
            duration: end.ran(),
            cpu,
            memory,
            late,
            coalesced: (coalesced > 0).then_some(coalesced),
            teardown: end.teardown.as_ref().map(ToString::to_string),
            ..self
        };
        let result = result_of(&end.outcome).filter(|_| *state == FinalState::Succeeded);
        Self {
            result: result.map(json),
            ..line.over(state, Some(end))
        }
    }

    /// What became of the run.
    fn over(self, state: &FinalState, end: Option<&End>) -> Self {
        let line = self;
        match state {
            FinalState::Succeeded => line.now("succeeded"),
            FinalState::Failed(failure) => Self {
                error: Some(end.map_or_else(|| failure.to_string(), |end| end.reason(failure))),
                error_kind: Some(failure.kind()),
                ..line.now("failed")
            },
            FinalState::Cancelled(reason) => Self {
                reason: Some(reason.to_string()),
                ..line.now("cancelled")
            },
        }
    }

    /// With the job's own text for this event, where it has one.
    fn say(self, job: &JobSpec) -> Self {
        let messages = &job.messages;
        let text = match self.event {
            Event::Started => &messages.started,
            Event::Progress => &messages.progress,
            Event::Finished => &messages.finished,
            Event::Failed => &messages.failed,
            Event::Cancelled => &messages.cancelled,
            Event::Opened
            | Event::Configured
            | Event::Draining
            | Event::Leaving
            | Event::Accepted
            | Event::Released
            | Event::Met
            | Event::Spread
            | Event::Due
            | Event::Began
            | Event::Output
            | Event::Stopping
            | Event::Retrying
            | Event::Unresponsive
            | Event::Interrupted
            | Event::Retried
            | Event::Sent
            | Event::Paused
            | Event::Resumed
            | Event::Evaluated
            | Event::Misplaced
            | Event::Reconsidered
            | Event::Moved
            | Event::Backfill
            | Event::BackfillMoved
            | Event::BackfillDone
            | Event::BackfillBroken
            | Event::ClockSet
            | Event::Heard
            | Event::HeardAgain
            | Event::Absent
            | Event::Announced
            | Event::Skipped => &None,
        };
        let text = text
            .as_deref()
            .map(|text| Template::lenient(text).render(|name, out| self.fill(name, out)));
        Self { text, ..self }
    }

    /// Writes the value of a placeholder; nothing where this event has none.
    fn fill(&self, placeholder: Placeholder, out: &mut String) {
        match placeholder {
            Placeholder::Job => out.push_str(self.job.unwrap_or_default()),
            Placeholder::Run => push(out, self.run),
            Placeholder::Attempt => push(out, self.attempt),
            Placeholder::Lane => out.push_str(self.lane.unwrap_or_default()),
            Placeholder::Percent => push(out, self.percent),
            Placeholder::Message => out.push_str(self.message.unwrap_or_default()),
            Placeholder::Result => {
                let result = self.result.as_deref().unwrap_or_default();
                match serde_json::from_str(result) {
                    Ok(Value::String(text)) => out.push_str(&text),
                    Ok(_) | Err(_) => out.push_str(result),
                }
            }
            Placeholder::Error => out.push_str(self.error.as_deref().unwrap_or_default()),
            Placeholder::Duration => push(out, self.duration.map(seconds)),
        }
    }
}

/// What an attempt that does not stop means for others, and what can be done about it.
fn alarm(job: &JobSpec, reason: StopReason, asked: Duration, kept: bool) -> String {
    let holds = match (&job.pool, job.limits.is_empty()) {
        _ if kept => {
            "it keeps its place in the lane, which gives no more places of such runs to others"
        }
        (None, true) => "its place in the lane is given to another run",
        (Some(_), _) | (_, false) => {
            "its place in the lane is given to another run, and its pool and limits are not"
        }
    };
    let cure = match job.task {
        _ if job.isolate => "see what its process waits for: the kernel does not end it",
        TaskSpec::Command(_) => "see what its processes wait for: the kernel does not end them",
        TaskSpec::Sleep { .. }
        | TaskSpec::Read { .. }
        | TaskSpec::Compute { .. }
        | TaskSpec::Call { .. }
        | TaskSpec::Future { .. }
        | TaskSpec::Http(_)
        | TaskSpec::File(_) => {
            "let it look at `is_cancelled()` or wait for `cancelled()`; with `isolate = true` it can be ended"
        }
    };
    format!(
        "it was asked to stop {} ago, {reason}, and something of it still runs; {holds}. hint: {cure}",
        seconds(asked)
    )
}

/// A span of time as people read it: seconds to the microsecond, with the unit.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{}.{:06}s", duration.as_secs(), duration.subsec_micros())
}

/// Whole percent of a fraction from 0 to 1, rounded down, so that 100 means done.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction from 0 to 1 gives a number from 0 to 100"
)]
#[must_use]
pub fn percent(fraction: f64) -> u8 {
    // 0.29 times 100 is a little less than 29; the billionth makes it 29 and nothing else more.
    (fraction.clamp(0.0, 1.0) * 100.0 + 1e-9).floor() as u8
}

fn push(out: &mut String, value: Option<impl ToString>) {
    if let Some(value) = value {
        out.push_str(&value.to_string());
    }
}

/// The result, where there is one to tell.
fn result_of(outcome: &Outcome) -> Option<&Value> {
    match outcome {
        Outcome::Succeeded(result) => (!result.is_null()).then_some(result),
        Outcome::Failed(_) | Outcome::Stopped | Outcome::NoRoom(_) => None,
    }
}

/// A result as JSON, at most about [`RESULT_BOUND`] of it.
fn json(result: &Value) -> String {
    let mut beginning = Beginning(Vec::new());
    let whole = serde_json::to_writer(&mut beginning, result).is_ok();
    let text = String::from_utf8_lossy(&beginning.0);
    if whole {
        return text.into_owned();
    }
    // The cut may have gone through a character.
    let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
    Value::String(format!("{text}…")).to_string()
}

/// Takes the first [`RESULT_BOUND`] bytes and refuses the next.
struct Beginning(Vec<u8>);

impl Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = RESULT_BOUND - self.0.len();
        let taken = bytes.len().min(room);
        self.0.extend_from_slice(&bytes[..taken]);
        // Zero makes the caller give up with an error, which is what ends the serialisation.
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is said of a clock that has gone on by so much more than the monotonic one.
fn clock_set(by_micros: i64) -> String {
    let by = Duration::from_micros(by_micros.unsigned_abs());
    let seconds = by.as_secs_f64();
    if by_micros < 0 {
        format!("the wall clock was set back by {seconds:.3} s")
    } else {
        format!("the wall clock was put forward by {seconds:.3} s, or the machine slept")
    }
}
