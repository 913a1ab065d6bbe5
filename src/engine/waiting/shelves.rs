//! Where the parked classes stand.

use super::{Head, Order};
use crate::engine::capacity::{CapacityId, ClassId, Need};

/// The parked classes: by capacity, and there by amount, since what is too little for one may be enough for
/// another. Of different amounts there are few, however many classes there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelves {
    /// By the index of the capacity; its amounts in their order, none of them without a class.
    at: Vec<Vec<(u32, Order)>>,
}

impl Shelves {
    /// The classes at a capacity, by what they need of it.
    pub(super) fn at(&self, capacity: CapacityId) -> &[(u32, Order)] {
        let at = self.at.get(capacity.0 as usize);
        at.map_or(&[], Vec::as_slice)
    }

    /// The first class of each amount at a capacity.
    pub(super) fn heads(
        &self,
        capacity: CapacityId,
    ) -> impl Iterator<Item = (Need, (Head, ClassId))> {
        self.at(capacity).iter().filter_map(move |(amount, order)| {
            let need = Need {
                capacity,
                amount: *amount,
            };
            Some((need, *order.first()?))
        })
    }

    pub(super) fn put(&mut self, need: Need, entry: (Head, ClassId)) {
        let index = need.capacity.0 as usize;
        if index >= self.at.len() {
            self.at.resize_with(index + 1, Vec::new);
        }
        let amounts = &mut self.at[index];
        let place = match amounts.binary_search_by_key(&need.amount, |(amount, _)| *amount) {
            Ok(place) => place,
            Err(place) => {
                amounts.insert(place, (need.amount, Order::new()));
                place
            }
        };
        amounts[place].1.insert(entry);
    }

    pub(super) fn take(&mut self, need: Need, entry: &(Head, ClassId)) {
        let Some(amounts) = self.at.get_mut(need.capacity.0 as usize) else {
            return;
        };
        if let Ok(place) = amounts.binary_search_by_key(&need.amount, |(amount, _)| *amount) {
            amounts[place].1.remove(entry);
            if amounts[place].1.is_empty() {
                amounts.remove(place);
            }
        }
    }

    /// All that stand here.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (Head, ClassId)> {
        let orders = self.at.into_iter().flatten();
        orders.flat_map(|(_, order)| order)
    }
}
