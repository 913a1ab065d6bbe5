//! Which class goes next. Classes with runs in line stand either in the open, or parked at a capacity
//! that was full when they were looked at; a place that comes free there brings the first of those
//! back. So an input costs the same however many classes there are.

use std::collections::{BTreeMap, BTreeSet};

use super::capacity::{CapacityId, ClassId};
use super::id::RunId;

/// What stands at the head of a class: the next to start if the class has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    /// Lower goes first: when it was queued, earlier by one aging period for each level of priority.
    pub(super) rank: i64,
    pub(super) ticket: u64,
    pub(super) run: RunId,
}

/// Where a class stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Open,
    Parked(CapacityId),
}

type Order = BTreeSet<(Head, ClassId)>;

/// All classes with runs in line, each in one place, ordered by their heads.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    places: BTreeMap<ClassId, (Head, Place)>,
    open: Order,
    parked: BTreeMap<CapacityId, Order>,
    /// Capacities that were given a place back while classes were parked there.
    loose: BTreeSet<CapacityId>,
}

/// It only orders what other tables say, and where it stands in that depends on what has been looked
/// at: two states are not different because of it.
impl PartialEq for Waiting {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Waiting {
    /// The head of a class is another one now, or there is none any more.
    pub(super) fn set_head(&mut self, class: ClassId, head: Option<Head>) {
        let place = match self.places.get(&class) {
            Some((old, _)) if Some(*old) == head => return,
            Some((old, place)) => {
                let (old, place) = (*old, *place);
                self.take(class, old, place);
                place
            }
            None => Place::Open,
        };
        if let Some(head) = head {
            self.put(class, head, place);
        }
    }

    /// A place of this capacity came free.
    pub(super) fn freed(&mut self, capacity: CapacityId) {
        if self.parked.contains_key(&capacity) {
            self.loose.insert(capacity);
        }
    }

    /// Everything is to be looked at anew.
    pub(super) fn reopen(&mut self) {
        self.loose.clear();
        for (_, order) in std::mem::take(&mut self.parked) {
            for (head, class) in order {
                self.put(class, head, Place::Open);
            }
        }
    }

    /// The next run to start: of the classes that may have room the first one that `full` names no
    /// capacity for. Those it does are parked there.
    pub(super) fn next(
        &mut self,
        full: impl Fn(ClassId) -> Option<CapacityId>,
        is_full: impl Fn(CapacityId) -> bool,
    ) -> Option<RunId> {
        loop {
            let parked = &self.parked;
            self.loose
                .retain(|capacity| !is_full(*capacity) && parked.contains_key(capacity));
            let loose = self
                .loose
                .iter()
                .filter_map(|capacity| self.parked.get(capacity)?.first());
            let (head, class) = *self.open.first().into_iter().chain(loose).min()?;
            match full(class) {
                None => return Some(head.run),
                Some(capacity) => {
                    if let Some((head, place)) = self.places.get(&class).copied() {
                        self.take(class, head, place);
                        self.put(class, head, Place::Parked(capacity));
                    }
                }
            }
        }
    }

    fn put(&mut self, class: ClassId, head: Head, place: Place) {
        self.places.insert(class, (head, place));
        match place {
            Place::Open => self.open.insert((head, class)),
            Place::Parked(capacity) => self
                .parked
                .entry(capacity)
                .or_default()
                .insert((head, class)),
        };
    }

    fn take(&mut self, class: ClassId, head: Head, place: Place) {
        self.places.remove(&class);
        match place {
            Place::Open => {
                self.open.remove(&(head, class));
            }
            Place::Parked(capacity) => {
                if let Some(order) = self.parked.get_mut(&capacity) {
                    order.remove(&(head, class));
                    if order.is_empty() {
                        self.parked.remove(&capacity);
                    }
                }
            }
        }
    }
}
