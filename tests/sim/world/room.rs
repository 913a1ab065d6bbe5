//! The disk is full, for a time: nothing starts, and nothing is accepted but what a run's end brings with it, and slots
//! that have gone by when the definitions change. At first there is room that was kept, in which runs end and are
//! cancelled; when that is used up, too, nothing comes to the disk at all. What clients ask for is refused by the daemon before the engine hears of it.

use twolane::engine::action::Action;
use twolane::engine::fact::{Fact, Record};
use twolane::engine::input::Input;

use super::{OUTBOX, World};
use crate::swarm::Step;

/// What the disk has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Room {
    #[default]
    Everything,
    Ends,
    Nothing,
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others take no room that matters here"
)]
impl World {
    /// Somebody fills the disk, or clears it.
    pub(super) fn fill(&mut self) {
        let (room, name) = match self.room {
            Room::Everything if self.random.chance(70) => (Room::Ends, "room for ends"),
            Room::Ends if self.random.chance(30) => (Room::Nothing, "room for nothing"),
            Room::Everything => (Room::Nothing, "room for nothing"),
            Room::Ends | Room::Nothing => return self.clear(),
        };
        self.room = room;
        self.say(&self.room);
        *self.filled.entry(name).or_default() += 1;
        self.engine.hold(true);
    }

    /// Whether so much waits for the disk that the daemon takes nothing in.
    pub(super) fn is_stuck(&self) -> bool {
        self.room == Room::Nothing && self.outbox.len() >= OUTBOX
    }

    /// There is room again, and all goes on by itself.
    pub(super) fn clear(&mut self) {
        if self.room != Room::Everything {
            self.room = Room::Everything;
            self.say(&self.room);
            self.engine.hold(false);
            self.apply(Input::Tick);
        }
    }

    /// Whether the daemon takes this in as the disk is.
    pub(super) const fn takes(&self, step: Step) -> bool {
        let takes_room = matches!(
            step,
            Step::Submit
                | Step::Retry
                | Step::RetryGraph
                | Step::Send
                | Step::Pause
                | Step::Backfill
        );
        let ends = matches!(step, Step::Cancel | Step::Complete | Step::CancelBackfill);
        match self.room {
            Room::Everything => true,
            Room::Ends => !takes_room,
            Room::Nothing => !takes_room && !ends,
        }
    }

    /// Nothing starts that there is no room for, and nothing is accepted that neither an end nor a slot brings.
    pub(super) fn check_room(&mut self, records: &[Record], actions: &[Action]) {
        if self.room == Room::Everything {
            return;
        }
        let starts = |action: &Action| matches!(action, Action::Start(_));
        let starts = actions.iter().any(starts);
        assert!(!starts, "{:?}: something starts", self.room);
        let mut ends = 0;
        for record in records {
            match &record.fact {
                Fact::Accepted { ties, slot, .. } => {
                    assert!(ties.cause.is_some() || slot.is_some(), "{record:?}");
                }
                Fact::Ended { .. } => ends += 1,
                _ => {}
            }
        }
        *self
            .filled
            .entry("ended without room to start")
            .or_default() += ends;
    }
}
