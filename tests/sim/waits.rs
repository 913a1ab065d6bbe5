//! What runs wait for that come after others, by the promise alone: what has to have become of those (`when`). Who is
//! released or never starts is so by that; and whose wait is over by it is told so in the same breath.

use std::collections::{BTreeMap, BTreeSet};

use twolane::engine::fact::{Fact, FinalState};
use twolane::engine::flow::When;
use twolane::engine::id::RunId;
use twolane::engine::outcome::SkipReason;

/// The runs that wait for others, since they were accepted. One that is tried once more waits for what is tried once
/// more with it, which the engine's own tests judge.
#[derive(Default)]
pub(crate) struct Waits {
    open: BTreeMap<RunId, Wait>,
    /// Those whose wait is over, and that have not been told so.
    owed: BTreeSet<RunId>,
    /// How many have begun for one of several.
    pub(crate) any: u64,
}

/// What one waits for.
struct Wait {
    when: When,
    /// For each that it comes after if that has succeeded; `None` while it is not over.
    became: BTreeMap<RunId, Option<bool>>,
}

/// What comes of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    GoesOn,
    Begins,
    NeverStarts,
}

impl Wait {
    fn verdict(&self) -> Verdict {
        let has = |what: Option<bool>| self.became.values().any(|became| *became == what);
        let (open, succeeded, failed) = (has(None), has(Some(true)), has(Some(false)));
        match self.when {
            When::Success if failed => Verdict::NeverStarts,
            When::Any if succeeded => Verdict::Begins,
            When::Success | When::Failure | When::Always | When::Any if open => Verdict::GoesOn,
            When::Success | When::Always => Verdict::Begins,
            When::Failure if failed => Verdict::Begins,
            When::Failure | When::Any => Verdict::NeverStarts,
        }
    }
}

impl Waits {
    /// The next fact.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others neither tie a run to others nor end one"
    )]
    pub(crate) fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::Accepted {
                run, job, after, ..
            } if !after.is_empty() => {
                let became = after.iter().map(|other| (*other, None)).collect();
                let when = job.when;
                self.open.insert(*run, Wait { when, became });
            }
            Fact::Retried { run, .. } => self.leave(*run),
            Fact::Released { run, .. } => {
                if let Some(wait) = self.open.get(run) {
                    assert_eq!(wait.verdict(), Verdict::Begins, "run {run} is released");
                    self.any += u64::from(wait.when == When::Any);
                }
                self.leave(*run);
            }
            Fact::Skipped { run, reason, .. } => {
                self.skip(*run, reason);
                self.over(*run, false);
            }
            Fact::Ended { run, state, .. } | Fact::Gathered { run, state, .. } => {
                self.over(*run, *state == FinalState::Succeeded);
            }
            Fact::GivenUp { run, .. } | Fact::Cancelled { run, .. } => self.over(*run, false),
            _ => {}
        }
    }

    /// All that was decided in one turn has been taken in.
    pub(crate) fn check_told(&self) {
        assert!(self.owed.is_empty(), "{:?} are not told", self.owed);
    }

    fn skip(&self, run: RunId, reason: &SkipReason) {
        let Some(wait) = self.open.get(&run) else {
            return;
        };
        let says_so = match reason {
            SkipReason::Dependency { run: other, .. } => {
                wait.when == When::Success && wait.became[other] == Some(false)
            }
            SkipReason::Unmet(when) => wait.when == *when,
            SkipReason::Argument { .. }
            | SkipReason::Slots(_)
            | SkipReason::Late(_)
            | SkipReason::Duplicate(_) => return,
        };
        let never = wait.verdict() == Verdict::NeverStarts;
        assert!(says_so && never, "run {run} never starts: {reason}");
    }

    /// A run is over, for those that come after it, too.
    fn over(&mut self, run: RunId, succeeded: bool) {
        self.leave(run);
        for (id, wait) in &mut self.open {
            // What was over once is so for them, also where it is tried once more meanwhile.
            if let Some(became @ None) = wait.became.get_mut(&run) {
                *became = Some(succeeded);
                if wait.verdict() != Verdict::GoesOn {
                    self.owed.insert(*id);
                }
            }
        }
    }

    fn leave(&mut self, run: RunId) {
        self.open.remove(&run);
        self.owed.remove(&run);
    }
}
