//! What kind of world a seed plays in. Each seed draws its own few faults, speeds and jobs: where everything
//! happens all the time, much never does.

use crate::definitions::JOBS;
use crate::manners::Manners;
use crate::random::Random;

/// What can happen in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Submit,
    Commit,
    Leave,
    Arrive,
    Cancel,
    Retry,
    RetryGraph,
    Complete,
    Send,
    Pause,
    Backfill,
    CancelBackfill,
    Reload,
    SetClock,
    Stale,
    Fill,
    Crash,
    ShutDown,
    Tick,
}

/// How often each happens where it does, and whether it does in every world.
const STEPS: [(Step, u64, bool); 19] = [
    (Step::Submit, 25, true),
    (Step::Commit, 20, true),
    (Step::Leave, 15, true),
    (Step::Arrive, 15, true),
    (Step::Cancel, 5, false),
    (Step::Retry, 3, false),
    (Step::RetryGraph, 2, false),
    (Step::Complete, 3, false),
    (Step::Send, 4, false),
    (Step::Pause, 3, false),
    (Step::Backfill, 2, false),
    (Step::CancelBackfill, 1, false),
    (Step::Reload, 2, false),
    (Step::SetClock, 2, false),
    (Step::Stale, 2, false),
    (Step::Fill, 3, false),
    (Step::Crash, 3, false),
    (Step::ShutDown, 1, false),
    (Step::Tick, 2, true),
];

/// When worlds begin, in seconds: on any day, and shortly before clocks are put forward or back.
const BEGINNINGS: [i64; 4] = [1_700_000_000, 1_711_846_000, 1_729_988_000, 1_800_000_000];

/// The longest pauses between two steps, in milliseconds.
const PACES: [u64; 7] = [200, 200, 200, 2_000, 60_000, 300_000, 1_200_000];

/// How far the wall clock is set off at most, in milliseconds: seconds, a day, years.
const JUMPS: [i64; 4] = [10_000, 10_000, 86_400_000, 10 * 365 * 86_400_000];

/// The options of a world.
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    steps: Vec<(Step, u64)>,
    whole: u64,
    /// The jobs that are submitted.
    pub(crate) jobs: Vec<&'static str>,
    /// Milliseconds between two steps at most.
    pub(crate) pace: u64,
    /// Of a hundred steps those before which nobody looks at what is due meanwhile.
    pub(crate) stalls: u64,
    /// Milliseconds by which the wall clock is off at most.
    pub(crate) jump: i64,
    /// What the wall clock shows first, in seconds.
    pub(crate) beginning: i64,
    /// Of a hundred attempts those that fail.
    pub(crate) fail: u64,
    /// Of a hundred attempts those that do not leave their lane when they are asked to.
    pub(crate) stay: u64,
    /// Of a hundred commands those for which there is no room.
    pub(crate) no_room: u64,
    /// Whether there are schedules.
    pub(crate) scheduled: bool,
    /// What jobs and schedules are like.
    pub(crate) manners: Manners,
}

impl Swarm {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let mut steps = Vec::new();
        for (step, often, always) in STEPS {
            if always || random.chance(75) {
                steps.push((step, 1 + random.below(often * 2)));
            }
        }
        let mut jobs: Vec<&str> = JOBS.into_iter().filter(|_| random.chance(70)).collect();
        if jobs.is_empty() {
            jobs.push("io");
        }
        let pace = random.of(&PACES);
        let beginning = random.of(&BEGINNINGS);
        Self {
            whole: steps.iter().map(|(_, often)| often).sum(),
            steps,
            jobs,
            pace,
            stalls: if pace > 200 {
                random.of(&[0, 5, 30])
            } else {
                100
            },
            jump: random.of(&JUMPS),
            beginning,
            fail: random.of(&[0, 20, 60]),
            stay: random.of(&[0, 5, 20]),
            no_room: random.of(&[0, 0, 20]),
            scheduled: random.chance(70),
            manners: Manners::draw(random, beginning),
        }
    }

    pub(crate) fn step(&self, random: &mut Random) -> Step {
        let mut drawn = random.below(self.whole);
        for (step, often) in &self.steps {
            match drawn.checked_sub(*often) {
                Some(left) => drawn = left,
                None => return *step,
            }
        }
        Step::Tick
    }
}
