//! How the runs of a submission hang together: what one waits for, what it is given, what it is spread into,
//! and what is kept apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fact::FinalState;
use super::id::RunId;
use super::run::{RunState, StateKind};
use super::spec::Name;

/// What has to have become of the runs that one comes after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All have succeeded.
    #[default]
    Success,
    /// All are over, and at least one did not succeed.
    Failure,
    /// All are over, however.
    Always,
    /// One has succeeded.
    Any,
}

impl When {
    /// The word for it in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Always => "always",
            Self::Any => "any",
        }
    }
}

/// Of which runs there is only one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unique {
    /// Which are the same.
    pub by: UniqueBy,
    /// What becomes of another one.
    pub on_duplicate: OnDuplicate,
}

/// Which runs count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UniqueBy {
    /// All of the job.
    Job,
    /// Those of the job with the same arguments.
    Args,
}

/// What becomes of a run that is asked for while there is another like it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// It is refused.
    #[default]
    Reject,
    /// It takes the place of the other, which is cancelled; it starts when nothing of that runs any more.
    Replace,
    /// Whoever asked is given the other.
    Join,
}

/// What one run becomes several by: a run for each combination, and one that stands for all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FanOut {
    /// Each value of each of these parameters with each of the others'.
    Matrix(BTreeMap<Name, Vec<Value>>),
    /// Each element of the list that this parameter is given.
    Each(Name),
}

/// The most runs that one is spread into.
pub const SPREAD_BOUND: usize = 10_000;

impl FanOut {
    /// Whether it gives this parameter a value itself, so that nobody else does.
    #[must_use]
    pub fn gives(&self, param: &str) -> bool {
        match self {
            Self::Matrix(values) => values.contains_key(param),
            Self::Each(_) => false,
        }
    }

    /// Whether this parameter is given a list, of which each run has an element.
    #[must_use]
    pub fn takes_list(&self, param: &str) -> bool {
        match self {
            Self::Matrix(_) => false,
            Self::Each(name) => **name == *param,
        }
    }

    /// How many runs one with `args` is spread into.
    #[must_use]
    pub fn count(&self, args: Option<&Value>) -> usize {
        match self {
            Self::Each(name) => {
                let list = args.and_then(|args| args.get(&**name)?.as_array());
                list.map_or(0, Vec::len)
            }
            Self::Matrix(values) => {
                let counts = values.values().map(Vec::len);
                counts.fold(1, usize::saturating_mul)
            }
        }
    }

    /// The arguments of the runs that one with `args` is spread into, in their order.
    pub(super) fn items(&self, args: Option<&Value>) -> Vec<Map<String, Value>> {
        let base = match args {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::new(),
        };
        match self {
            Self::Each(name) => {
                let list = base.get(&**name).and_then(Value::as_array).cloned();
                let with = |value| with(&base, name, value);
                list.unwrap_or_default().into_iter().map(with).collect()
            }
            Self::Matrix(values) => values.iter().fold(vec![base], |items, (name, values)| {
                let each = |item: &Map<String, Value>| -> Vec<Map<String, Value>> {
                    let values = values.iter();
                    values
                        .map(|value| with(item, name, value.clone()))
                        .collect()
                };
                items.iter().flat_map(each).collect()
            }),
        }
    }
}

fn with(base: &Map<String, Value>, name: &Name, value: Value) -> Map<String, Value> {
    let mut map = base.clone();
    map.insert(name.to_string(), value);
    map
}

/// Where an argument comes from when nobody gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The job whose result it is; one that the job comes after.
    pub job: Name,
    /// Which part of the result: a JSON pointer (RFC 6901); empty for all of it.
    #[serde(default)]
    pub path: String,
}

/// What ties a run to others from its beginning on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ties {
    /// The first run of the submission that it came with, where some of those come after others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<RunId>,
    /// The run that it is one of the parts of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<RunId>,
    /// The run that it takes the place of, and so does not start before that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RunId>,
    /// The run after whose end its job is run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<RunId>,
}

impl Ties {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of a run, for those that come after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// It succeeded.
    Succeeded,
    /// It did not.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It never started.
    Skipped,
}

impl Over {
    /// What a final state means to others.
    pub(super) const fn of_final(state: &FinalState) -> Self {
        match state {
            FinalState::Succeeded => Self::Succeeded,
            FinalState::Failed(_) => Self::Failed,
            FinalState::Cancelled(_) => Self::Cancelled,
        }
    }

    /// What the state of a run says of it; `None` if it is not over.
    pub(super) const fn of(state: &RunState) -> Option<Self> {
        match state {
            RunState::Succeeded => Some(Self::Succeeded),
            RunState::Failed(_) => Some(Self::Failed),
            RunState::Cancelled(_) => Some(Self::Cancelled),
            RunState::Skipped(_) => Some(Self::Skipped),
            RunState::Scheduled { .. }
            | RunState::Blocked
            | RunState::Queued { .. }
            | RunState::Running { .. }
            | RunState::Stopping { .. }
            | RunState::Unresponsive { .. } => None,
        }
    }

    /// What the kind of its state says of a run; `None` if it is not over.
    #[must_use]
    pub const fn of_kind(kind: StateKind) -> Option<Self> {
        match kind {
            StateKind::Succeeded => Some(Self::Succeeded),
            StateKind::Failed => Some(Self::Failed),
            StateKind::Cancelled => Some(Self::Cancelled),
            StateKind::Skipped => Some(Self::Skipped),
            StateKind::Scheduled
            | StateKind::Blocked
            | StateKind::Queued
            | StateKind::Running
            | StateKind::Stopping
            | StateKind::Unresponsive => None,
        }
    }
}

/// The parts that a run was spread into, and what they have come to so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// The first one; the others have the numbers after it.
    pub first: RunId,
    /// Each one's end, in their order.
    pub ends: Vec<PartEnd>,
}

/// What a part has come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartEnd {
    /// How it ended; `None` while it has not.
    pub over: Option<Over>,
    /// What it gave; null where that was nothing, or longer than [`PART_RESULT_BOUND`].
    pub result: Value,
}

/// Of what a part gave, no more than so many bytes (as JSON) are gathered.
pub const PART_RESULT_BOUND: usize = 4096;

impl Parts {
    /// So many, none of which is over.
    #[must_use]
    pub fn new(first: RunId, count: usize) -> Self {
        Self {
            first,
            ends: vec![PartEnd::default(); count],
        }
    }

    /// The numbers of all of them.
    pub fn runs(&self) -> impl Iterator<Item = RunId> + use<> {
        let first = self.first.0;
        (first..first + self.ends.len() as u64).map(RunId)
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, run: RunId) -> bool {
        self.place_of(run).is_some_and(|at| at < self.ends.len())
    }

    fn place_of(&self, run: RunId) -> Option<usize> {
        usize::try_from(run.0.checked_sub(self.first.0)?).ok()
    }

    fn end_of(&mut self, part: RunId) -> Option<&mut PartEnd> {
        let at = self.place_of(part)?;
        self.ends.get_mut(at)
    }

    /// Takes the end of one in.
    pub fn take(&mut self, part: RunId, over: Over, result: Value) {
        if let Some(end) = self.end_of(part) {
            *end = PartEnd {
                over: Some(over),
                result,
            };
        }
    }

    /// Whether one is on record as having succeeded.
    pub(super) fn has_succeeded(&self, part: RunId) -> bool {
        let end = self.place_of(part).and_then(|at| self.ends.get(at));
        end.is_some_and(|end| end.over == Some(Over::Succeeded))
    }

    /// One of them is not over any more.
    pub(super) fn forget(&mut self, part: RunId) {
        if let Some(end) = self.end_of(part) {
            *end = PartEnd::default();
        }
    }

    /// How many are over without having succeeded, and how many of those were cancelled.
    #[must_use]
    pub fn unsuccessful(&self) -> (usize, usize) {
        let overs = || self.ends.iter().filter_map(|end| end.over);
        let cancelled = overs().filter(|over| *over == Over::Cancelled).count();
        let failed = overs().filter(|over| *over != Over::Succeeded).count();
        (failed, cancelled)
    }
}

/// What of `result` is gathered.
#[must_use]
pub fn gathered(result: Option<&Value>) -> Value {
    let short = |value: &&Value| value.to_string().len() <= PART_RESULT_BOUND;
    result.filter(short).cloned().unwrap_or_default()
}
