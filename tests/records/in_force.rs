//! Which records about no run are in force, as the store finds them.

use std::collections::{BTreeMap, BTreeSet};

use twolane::engine::fact::Record;

/// The numbers of those records about no run which are in force: the last for each thing, see
/// `Fact::stands_for`. `records` are in the order of their numbers.
pub(crate) fn in_force<'a>(records: impl IntoIterator<Item = &'a Record>) -> BTreeSet<u64> {
    let last: BTreeMap<String, u64> = records
        .into_iter()
        .filter_map(|record| Some((record.fact.stands_for()?, record.number)))
        .collect();
    last.into_values().collect()
}
