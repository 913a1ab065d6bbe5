//! What can happen: the closed list of all that enters the engine.

use std::sync::Arc;

use serde_json::Value;

use super::id::{AttemptId, CallerId, RunId};
use super::outcome::End;
use super::spec::{Definitions, Name, Priority};

/// Anything that enters the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The daemon has started; what it held back from starting may start.
    Open,
    /// A valid configuration, the first one or a new one.
    Configure(Arc<Definitions>),
    /// Runs are asked for.
    Submit(Submission),
    /// A run is to be cancelled.
    Cancel {
        /// Which run.
        run: RunId,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// An attempt has left its lane.
    Ended {
        /// Which attempt.
        attempt: AttemptId,
        /// How.
        end: End,
    },
    /// From here on nothing starts any more; what runs may run on.
    Drain,
    /// Every running attempt is to stop because the daemon shuts down.
    StopRunning,
    /// Every waiting run is cancelled because nobody will be there to start it.
    CancelWaiting,
    /// A deadline has come. (Each other input looks after due deadlines too.)
    Tick,
}

/// Runs that are accepted together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// At least one. A job that comes `after` another needs that other one here too.
    pub items: Vec<SubmitItem>,
    /// Who gets the answer.
    pub caller: Option<CallerId>,
}

/// One run that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmitItem {
    /// Which job.
    pub job: Name,
    /// Arguments of this run: a JSON object.
    pub args: Option<Arc<Value>>,
    /// Instead of the job's own.
    pub priority: Option<Priority>,
}

impl SubmitItem {
    /// A run of `job` just as it is defined.
    #[must_use]
    pub fn of(job: &Name) -> Self {
        Self {
            job: Arc::clone(job),
            args: None,
            priority: None,
        }
    }
}
