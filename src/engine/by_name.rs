//! What is found by a name in one step, however many there are. A tree of a hundred thousand names is looked
//! through in seventeen, most of them far away in memory.

#[expect(
    clippy::disallowed_types,
    reason = "nothing here goes through it, so its order cannot matter"
)]
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::spec::Name;

/// Something for each of some names. It has no order, so there is no way to go through it.
#[expect(
    clippy::disallowed_types,
    reason = "nothing here goes through it, so its order cannot matter"
)]
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ByName<T>(HashMap<Name, T, BuildHasherDefault<DefaultHasher>>);

impl<T> ByName<T> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.0.get(name)
    }

    pub(super) fn insert(&mut self, name: Name, value: T) {
        self.0.insert(name, value);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<T> FromIterator<(Name, T)> for ByName<T> {
    fn from_iter<I: IntoIterator<Item = (Name, T)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}
