//! Capacities that are to be looked at.

use super::Head;
use crate::engine::capacity::{CapacityId, ClassId};

/// Capacities that may have what somebody parked there needs, with the first of those, where that has been
/// found out and nothing has changed there since. They are as few as one run needs, mostly, so they stand in
/// a row; in which order says nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Loose(Vec<(CapacityId, Option<(Head, ClassId)>)>);

impl Loose {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// It is to be looked at, be it for the first time or anew.
    pub(super) fn add(&mut self, capacity: CapacityId) {
        if !self.forget(capacity) {
            self.0.push((capacity, None));
        }
    }

    /// What has been found out there counts no more; whether it is one of these.
    pub(super) fn forget(&mut self, capacity: CapacityId) -> bool {
        let place = self.0.iter_mut().find(|(other, _)| *other == capacity);
        match place {
            Some((_, known)) => {
                *known = None;
                true
            }
            None => false,
        }
    }

    /// Asks of each what is found there, given what is known of it, and lets go of those where nothing is.
    pub(super) fn retain(
        &mut self,
        mut look: impl FnMut(CapacityId, Option<(Head, ClassId)>) -> Option<(Head, ClassId)>,
    ) {
        self.0.retain_mut(|(capacity, known)| {
            *known = look(*capacity, *known);
            known.is_some()
        });
    }
}
