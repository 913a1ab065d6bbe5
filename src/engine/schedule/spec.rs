//! A schedule as plain values: what a file says, with everything resolved that needs the machine.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::blackout::Blackout;
use super::cron::Cron;
use super::zone::Zone;
use crate::engine::time::Wall;

/// When a job runs by the calendar, and what becomes of runs that could not be begun in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// What makes its slots.
    pub trigger: Trigger,
    /// Whose clocks it goes by.
    pub zone: Zone,
    /// What becomes of civil times that the clock skips.
    pub gap: Gap,
    /// What becomes of civil times that the clock shows twice.
    pub fold: Fold,
    /// No slot is before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Wall>,
    /// No slot is at this or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
    /// Slots within these are not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackout: Vec<Blackout>,
    /// Runs begin up to so much after their slot, each job always by the same part of it. Less than a
    /// day.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub jitter: Duration,
    /// What becomes of slots that nobody was there for.
    #[serde(default)]
    pub missed: Missed,
    /// What becomes of a slot while a run of an earlier one is not over.
    #[serde(default)]
    pub overlap: Overlap,
}

/// What makes slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Civil times that match an expression.
    Cron(Cron),
    /// Each time so much has passed since `from`, or since the first second of 1970 in UTC. At least a
    /// millisecond.
    Every(Duration),
    /// Once.
    At(Wall),
}

/// What becomes of civil times that the clock skips, because it is put forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    /// They do not come.
    Skip,
    /// All of them together are one slot, at the instant at which the clock is put forward.
    AtTransition,
}

/// What becomes of civil times that the clock shows twice, because it is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fold {
    /// They are a slot the first time.
    First,
    /// They are a slot each time.
    Both,
}

/// What becomes of slots that nobody was there for: the daemon was down, the machine slept, the clock was
/// set, or the schedule was paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// Which of them are run.
    pub policy: MissedPolicy,
    /// Those that are older are not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// No more than so many are run, the newest; 1 to [`Missed::MAX`].
    pub max: u32,
}

/// Which of the missed slots are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedPolicy {
    /// None.
    #[default]
    Skip,
    /// The newest.
    Latest,
    /// All.
    All,
}

impl Missed {
    /// The most slots that can be made up for at a time.
    pub const MAX: u32 = 1_000;
    /// Unless a file says otherwise.
    pub const USUAL: u32 = 100;
}

impl Default for Missed {
    fn default() -> Self {
        Self {
            policy: MissedPolicy::Skip,
            window: None,
            max: Self::USUAL,
        }
    }
}

/// What becomes of a slot while a run of an earlier slot of the job is not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// It waits until that one is over, with up to [`Overlap::WAITING`] others.
    Queue,
    /// It waits until that one is over, and takes the place of one that waits already.
    Latest,
    /// That one is cancelled, and it runs when that one is gone.
    Replace,
    /// Both run.
    Allow,
}

impl Overlap {
    /// How many slots of a schedule may wait.
    pub const WAITING: usize = 1_000;
}

macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal,)+ }) => {
        impl $type {
            /// The words for it in configuration.
            pub const WORDS: &[&str] = &[$($word),+];

            /// What a word of configuration means.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words!(Gap {
    Skip => "skip",
    AtTransition => "at-transition",
});
words!(Fold {
    First => "first",
    Both => "both",
});
words!(MissedPolicy {
    Skip => "skip",
    Latest => "latest",
    All => "all",
});
words!(Overlap {
    Skip => "skip",
    Queue => "queue",
    Latest => "latest",
    Replace => "replace",
    Allow => "allow",
});

impl ScheduleSpec {
    /// A schedule with everything that can be left out left out. A time of day comes once a day, also where
    /// the clock skips it or shows it twice; what comes every so often goes by what the clock shows.
    #[must_use]
    pub const fn new(trigger: Trigger, zone: Zone) -> Self {
        let often = match &trigger {
            Trigger::Cron(cron) => cron.is_often(),
            Trigger::Every(_) | Trigger::At(_) => true,
        };
        Self {
            trigger,
            zone,
            gap: if often { Gap::Skip } else { Gap::AtTransition },
            fold: if often { Fold::Both } else { Fold::First },
            from: None,
            until: None,
            blackout: Vec::new(),
            jitter: Duration::ZERO,
            missed: Missed {
                policy: MissedPolicy::Skip,
                window: None,
                max: Missed::USUAL,
            },
            overlap: Overlap::Skip,
        }
    }

    /// Whether somebody means this one by `text`: what it is told by, or what stands in the file of it, without the
    /// zone or the words before it.
    fn is_called(&self, text: &str) -> bool {
        let whole = self.to_string();
        let written = match &self.trigger {
            Trigger::Cron(cron) => Some(&*cron.text),
            Trigger::Every(_) => whole.strip_prefix("every "),
            Trigger::At(_) => whole.strip_prefix("at "),
        };
        whole == text || written == Some(text)
    }

    /// The one of a job's schedules that is meant by `asked`: what it is told by, its text, or its place from 1. One
    /// of several that are written alike is meant only by the whole of what it is told by.
    #[must_use]
    pub fn meant<'a, T>(all: &'a [T], of: impl Fn(&T) -> &Self, asked: &str) -> Option<&'a T> {
        let told_by = all.iter().find(|it| of(it).to_string() == asked);
        let mut called = all.iter().filter(|it| of(it).is_called(asked));
        let by_text = called.next().filter(|_| called.next().is_none());
        let place = asked.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        told_by.or(by_text).or_else(|| all.get(place?))
    }

    /// By how much the runs of `job` begin after their slots: always the same part of `jitter`, which
    /// differs from job to job. Whole milliseconds.
    #[must_use]
    pub fn jitter_of(&self, job: &str) -> Duration {
        let Ok(jitter @ 1..) = u64::try_from(self.jitter.as_millis()) else {
            return Duration::ZERO;
        };
        // FNV-1a and a last stir: it has to be the same in every version of the program.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in job.bytes().chain([0]).chain(self.to_string().bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
        Duration::from_millis(hash % jitter)
    }
}

/// What tells schedules of a job apart: what makes the slots, and whose clocks they go by. Two that differ in
/// nothing of this are one schedule with other manners, so that an edit of those keeps its phase.
impl fmt::Display for ScheduleSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trigger {
            Trigger::Cron(cron) => write!(f, "{cron} {}", self.zone.name()),
            Trigger::Every(period) => {
                let exact = jiff::SignedDuration::try_from(*period).unwrap_or_default();
                write!(f, "every {exact:#}")?;
                match self.from {
                    Some(from) => write!(f, " from {}", Moment(from)),
                    None => Ok(()),
                }
            }
            Trigger::At(at) => write!(f, "at {}", Moment(*at)),
        }
    }
}

/// An instant as people and programs read it: RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Wall);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0.0) {
            Ok(at) => at.fmt(f),
            // Beyond the calendar.
            Err(_) => write!(f, "{} µs", self.0.0),
        }
    }
}
