//! The disk is full, for a time: nothing starts and nothing is accepted. At first there is room that was kept, in which
//! runs end and are cancelled; when that is used up, too, nothing comes to the disk at all.

use twolane::engine::action::Action;
use twolane::engine::fact::{Fact, Record};
use twolane::engine::input::Input;

use super::World;
use crate::swarm::Step;

/// What the disk has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Room {
    #[default]
    Everything,
    Ends,
    Nothing,
}

impl World {
    /// Somebody fills the disk, or clears it.
    pub(super) fn fill(&mut self) {
        self.room = match self.room {
            Room::Everything if self.random.chance(70) => Room::Ends,
            Room::Ends if self.random.chance(30) => Room::Nothing,
            Room::Everything => Room::Nothing,
            Room::Ends | Room::Nothing => return self.clear(),
        };
        self.say(&self.room);
        *self.filled.entry(self.room_name()).or_default() += 1;
        self.engine.hold(true);
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

    const fn room_name(&self) -> &'static str {
        match self.room {
            Room::Everything => "room for everything",
            Room::Ends => "room for ends",
            Room::Nothing => "room for nothing",
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

    /// Nothing starts that there is no room for, and what has come to its end is known of all the same.
    pub(super) fn check_room(&mut self, records: &[Record], actions: &[Action]) {
        if self.room == Room::Everything {
            return;
        }
        let starts = |action: &Action| matches!(action, Action::Start(_));
        assert!(
            !actions.iter().any(starts),
            "{:?}: something starts",
            self.room
        );
        let ends = records
            .iter()
            .filter(|record| matches!(record.fact, Fact::Ended { .. }));
        let ends = ends.count() as u64;
        *self
            .filled
            .entry("ended without room to start")
            .or_default() += ends;
    }
}
