//! The kinds of things that the log tells of, and how loud each is.

use tracing::Level;

use crate::engine::fact::{Fact, FinalState};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The daemon started.
    Opened,
    /// Definitions came into force.
    Configured,
    /// From here on nothing starts.
    Draining,
    /// A run exists.
    Accepted,
    /// A run waits for no other one any more.
    Released,
    /// Another run that a run waits for is over.
    Met,
    /// A run is spread into parts.
    Spread,
    /// A run's time has come.
    Due,
    /// An attempt started.
    Started,
    /// An attempt came further.
    Progress,
    /// A command wrote a line.
    Output,
    /// An attempt was asked to stop.
    Stopping,
    /// A run succeeded.
    Finished,
    /// An attempt has failed, and another one is to follow.
    Retrying,
    /// An attempt was cut short; its run waits in line again.
    Interrupted,
    /// A run that was over is tried once more.
    Retried,
    /// Nothing starts that needs this.
    Paused,
    /// What needs this starts again.
    Resumed,
    /// A run failed.
    Failed,
    /// A run was cancelled.
    Cancelled,
    /// A run will never start.
    Skipped,
}

impl Event {
    /// What a fact tells of.
    #[must_use]
    pub const fn of(fact: &Fact) -> Self {
        match fact {
            Fact::Opened => Self::Opened,
            Fact::Configured { .. } => Self::Configured,
            Fact::Draining => Self::Draining,
            Fact::Accepted { .. } => Self::Accepted,
            Fact::Released { .. } => Self::Released,
            Fact::Met { .. } => Self::Met,
            Fact::Spread { .. } => Self::Spread,
            Fact::Due { .. } => Self::Due,
            Fact::Started { .. } => Self::Started,
            Fact::Stopping { .. } => Self::Stopping,
            Fact::Ended { state, .. } | Fact::Gathered { state, .. } => match state {
                FinalState::Succeeded => Self::Finished,
                FinalState::Failed(_) => Self::Failed,
                FinalState::Cancelled(_) => Self::Cancelled,
            },
            Fact::Retrying { .. } => Self::Retrying,
            Fact::GivenUp { .. } => Self::Failed,
            Fact::Interrupted { .. } => Self::Interrupted,
            Fact::Retried { .. } => Self::Retried,
            Fact::Paused { .. } => Self::Paused,
            Fact::Resumed { .. } => Self::Resumed,
            Fact::Cancelled { .. } => Self::Cancelled,
            Fact::Skipped { .. } => Self::Skipped,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Configured => "configured",
            Self::Draining => "draining",
            Self::Accepted => "accepted",
            Self::Released => "released",
            Self::Met => "met",
            Self::Spread => "spread",
            Self::Due => "due",
            Self::Started => "started",
            Self::Progress => "progress",
            Self::Output => "output",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
            Self::Retrying => "retrying",
            Self::Interrupted => "interrupted",
            Self::Retried => "retried",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// How loud it is. ERROR stays for twolane itself being broken: a job that fails is a warning.
    /// Of what happens to the scheduler as a whole the daemon tells people in words of its own.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Opened
            | Self::Configured
            | Self::Draining
            | Self::Accepted
            | Self::Released
            | Self::Met
            | Self::Due => Level::DEBUG,
            Self::Started
            | Self::Spread
            | Self::Progress
            | Self::Output
            | Self::Stopping
            | Self::Finished
            | Self::Retried
            | Self::Paused
            | Self::Resumed
            | Self::Cancelled
            | Self::Skipped => Level::INFO,
            Self::Failed | Self::Interrupted | Self::Retrying => Level::WARN,
        }
    }

    /// Whether it happened to the scheduler as a whole and to no run.
    #[must_use]
    pub const fn of_no_run(self) -> bool {
        matches!(
            self,
            Self::Opened | Self::Configured | Self::Draining | Self::Paused | Self::Resumed
        )
    }
}
