//! The scheduler itself: decides what runs, where and when. Knows no clock, thread, lock, file or
//! random number of its own; time and everything else that happens enters as an [`input::Input`].

use std::sync::Arc;

mod absence;
mod accept;
pub mod action;
mod again;
pub mod amounts;
mod announce;
mod arguments;
pub mod backfill;
pub mod braces;
mod bucket;
mod by;
mod by_name;
mod calendar;
mod cancel;
mod capacity;
mod check;
pub mod command;
mod decide;
mod explain;
pub mod fact;
pub mod files;
pub mod fill;
mod firing;
pub mod flow;
mod follow;
pub mod http;
pub mod id;
pub mod input;
mod levels;
mod line;
pub mod outcome;
mod pausing;
pub mod placing;
pub mod retry;
mod run;
pub mod schedule;
mod settle;
mod slots;
pub mod spec;
mod spread;
mod state;
mod submission;
mod table;
pub mod template;
mod ties;
pub mod time;
mod timers;
mod view;
mod waiting;

pub use absence::absent;
use action::Action;
pub(crate) use arguments::{complete, merged};
pub use bucket::Bucket;
pub use by::{By, Nobody};
pub use capacity::CapacityName;
pub use check::Broken;
pub use explain::{Explanation, Missing, Why};
use fact::Record;
pub use follow::HOOK_ARGUMENTS;
use input::Input;
pub use levels::LEVELS_BOUND;
pub use run::{RunState, StateKind};
use spec::Definitions;
use state::State;
use time::{Mono, Now, Wall};
pub use timers::Timer;
pub use view::{
    BackfillView, CapacityView, Ground, JobView, RunView, ScheduleGround, ScheduleView, Status,
};

/// The scheduler as a state machine without I/O. Its methods are of four kinds:
///
/// - **inputs**: [`apply`](Self::apply) takes in one thing that has happened, together with the
///   time, and puts what follows from it into [`Outputs`]: records, to be made durable in their
///   order, and actions, to be carried out once the records of the same call are durable;
/// - **time**: [`next_deadline`](Self::next_deadline) says when to call `apply` again at the latest
///   (with [`Input::Tick`] if nothing else has happened by then);
/// - **getters**: [`run`](Self::run), [`status`](Self::status), [`explain`](Self::explain) and the
///   like, which change nothing;
/// - **recovery**: [`recover`](Self::recover) folds records into the state they were decided in.
///
/// The monotonic time handed in never goes backwards (if it does, that of the last record counts); wall time
/// may jump. The same inputs at the same times always give the same outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    state: State,
    /// Nothing is to start for the time being. No decision of the engine's, so on no record.
    held: bool,
}

/// What a recovery cannot tell from the records of live runs alone. The least of each is what the
/// records say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Number of the next run.
    pub next_run: u64,
    /// Number of the next record.
    pub next_record: u64,
    /// Time of the last record.
    pub last: Now,
    /// Nothing starts before [`Input::Open`].
    pub held: bool,
    /// There are no records of runs that are over. So it is not known what they took of the rates of
    /// limits, and the worst is supposed: that nothing was left at the time of the last record.
    pub live_only: bool,
}

/// What follows from an input. Reused from call to call: `apply` only appends.
#[derive(Debug, Default, PartialEq)]
pub struct Outputs {
    /// Facts, in order.
    pub records: Vec<Record>,
    /// Requests to lanes and callers, in order.
    pub actions: Vec<Action>,
}

impl Outputs {
    /// Empties it, keeping its memory for the next call.
    pub fn clear(&mut self) {
        self.records.clear();
        self.actions.clear();
    }
}

impl Engine {
    /// An engine without runs.
    #[must_use]
    pub fn new(definitions: Arc<Definitions>) -> Self {
        Self {
            state: State::new(definitions),
            held: false,
        }
    }

    /// The engine that decided `records`, of an engine that began with `definitions`. They are all
    /// there are from the first one on; or of each run that is not over all there are, and of the
    /// others none, and then [`Recovery`] says what cannot be told from them.
    ///
    /// # Errors
    /// A record about a run of which there is none that accepts it.
    pub fn recover<'a>(
        definitions: Arc<Definitions>,
        records: impl IntoIterator<Item = &'a Record>,
        recovery: Recovery,
    ) -> Result<Self, Broken> {
        let mut engine = Self::new(definitions);
        for record in records {
            engine.state.check_known(record)?;
            if bug!("pause-forgotten") && matches!(record.fact, fact::Fact::Paused { .. }) {
                continue;
            }
            if bug!("slot-forgotten") && matches!(record.fact, fact::Fact::Evaluated { .. }) {
                continue;
            }
            engine.state.absorb(record);
        }
        engine.state.resume(&recovery);
        if bug!("unique-forgotten") {
            engine.state.unique.clear();
        }
        Ok(engine)
    }

    /// Takes in what has happened at `now`, after everything that was due by then.
    pub fn apply(&mut self, now: Now, input: Input, out: &mut Outputs) {
        self.apply_for(now, None, input, out);
    }

    /// The same, of an input that `by` asks for: the records of what is decided on it say so. What was due
    /// before it, and what starts in the room that it leaves, is of nobody's asking.
    pub fn apply_for(&mut self, now: Now, by: Option<By>, input: Input, out: &mut Outputs) {
        let now = Now {
            wall: now.wall,
            mono: now.mono.max(self.state.last.mono),
        };
        decide::Turn {
            state: &mut self.state,
            now,
            held: self.held,
            by: None,
            parts_cancelled: None,
            hooks: None,
            out,
        }
        .decide(by, input);
    }

    /// Holds all starts back, or no more: then the next input starts what can.
    pub const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// When the wall clock shows the time at which the next run of a schedule begins; `None` where none
    /// is to come, or nothing may start.
    #[must_use]
    pub fn next_slot(&self) -> Option<Wall> {
        let first = self.state.calendar.first().filter(|_| !self.is_idle());
        first.map(|(at, _)| at)
    }

    /// Whether nothing new comes of the time that goes by.
    const fn is_idle(&self) -> bool {
        self.state.draining || self.held
    }

    /// When something is due next, and what.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Mono, Timer)> {
        // While nothing may start, nothing is to be done about tokens that come.
        let wake = self.state.capacities.next_wake();
        let wake = wake.filter(|_| !self.is_idle());
        let wake = wake.map(|at| (at, Timer::Tokens));
        let absent = self.state.absences.first();
        let absent = absent.filter(|_| !self.is_idle());
        let absent = absent.map(|(at, _)| (at, Timer::Absent));
        let others = wake.into_iter().chain(absent);
        self.state.timers.first().into_iter().chain(others).min()
    }
}
