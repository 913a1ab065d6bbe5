//! What a reload changes, for people.

use std::collections::BTreeMap;
use std::fmt;

use super::read::list;
use crate::engine::spec::{Definitions, Name};

/// Names are listed up to this many; more are counted.
const NAMED: usize = 10;

/// The names of what was added, changed and removed, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    kinds: [(&'static str, Changes); 4],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Changes {
    added: Vec<Name>,
    changed: Vec<Name>,
    removed: Vec<Name>,
}

/// Compares definitions by name.
#[must_use]
pub fn diff(old: &Definitions, new: &Definitions) -> Diff {
    Diff {
        kinds: [
            ("jobs", changes(&old.jobs, &new.jobs)),
            ("pools", changes(&old.pools, &new.pools)),
            ("limits", changes(&old.limits, &new.limits)),
            ("resources", changes(&old.resources, &new.resources)),
        ],
    }
}

fn changes<T: PartialEq>(old: &BTreeMap<Name, T>, new: &BTreeMap<Name, T>) -> Changes {
    let names = |keep: &dyn Fn(&Name, &T) -> bool, of: &BTreeMap<Name, T>| {
        let kept = of.iter().filter(|(name, thing)| keep(name, thing));
        kept.map(|(name, _)| Name::clone(name)).collect()
    };
    Changes {
        added: names(&|name, _| !old.contains_key(name), new),
        changed: names(
            &|name, thing| old.get(name).is_some_and(|before| before != thing),
            new,
        ),
        removed: names(&|name, _| !new.contains_key(name), old),
    }
}

impl Diff {
    /// Whether nothing was added, changed or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds
            .iter()
            .all(|(_, changes)| *changes == Changes::default())
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (kind, changes) in &self.kinds {
            let all = [
                ("added", &changes.added),
                ("changed", &changes.changed),
                ("removed", &changes.removed),
            ];
            for (what, names) in all.into_iter().filter(|(_, names)| !names.is_empty()) {
                write!(f, "{between}{kind} {what}: ")?;
                match names.len() {
                    count @ ..=NAMED => write!(f, "{}", list_of(names, count))?,
                    count => write!(f, "{} and {} more", list_of(names, NAMED), count - NAMED)?,
                }
                between = "; ";
            }
        }
        if between.is_empty() {
            f.write_str("settings only")
        } else {
            Ok(())
        }
    }
}

fn list_of(names: &[Name], count: usize) -> String {
    list(names.iter().take(count).map(|name| &**name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::spec::LimitSpec;

    #[test]
    fn a_diff_names_what_is_different() {
        let mut old = Definitions::empty(1);
        old.limits.insert("a".into(), LimitSpec::of(1));
        old.limits.insert("b".into(), LimitSpec::of(1));
        let mut new = old.clone();
        assert!(diff(&old, &new).is_empty());
        new.limits.remove("a");
        new.limits.insert("b".into(), LimitSpec::of(2));
        for n in 0..12 {
            new.limits
                .insert(format!("c{n:02}").into(), LimitSpec::of(1));
        }
        assert_eq!(
            diff(&old, &new).to_string(),
            "limits added: `c00`, `c01`, `c02`, `c03`, `c04`, `c05`, `c06`, `c07`, `c08` and `c09` \
             and 2 more; limits changed: `b`; limits removed: `a`"
        );
    }
}
