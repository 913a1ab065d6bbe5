//! A time zone as plain values: which offset from UTC its clocks have from when on. Made by configuration from
//! the machine's data; here nothing is looked up.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::spec::Name;

/// A time zone. It is written as its name, so what was read back has no rules until configuration gives it
/// some ([`Zone::is_known`]); two are equal when names and rules are.
#[derive(Clone)]
pub struct Zone {
    name: Name,
    rules: Option<Arc<Rules>>,
}

/// The offsets of a zone.
#[derive(Debug, PartialEq, Eq)]
struct Rules {
    /// Before the first change, in seconds east of UTC.
    first: i32,
    /// In the order of time.
    changes: Vec<Change>,
}

/// Clocks are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first second that has the offset.
    pub at: i64,
    /// Seconds east of UTC from then on; never that from before.
    pub offset: i32,
}

/// A stretch of time in which the offset is one and the same. Times are seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Which one, for [`Zone::stretch`].
    pub(super) index: usize,
    /// Its first second; `None`: it has always been.
    pub(super) start: Option<Start>,
    /// The first second that is no more of it.
    pub(super) end: Option<i64>,
    /// Seconds east of UTC.
    pub(super) offset: i64,
}

/// How a stretch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Its first second.
    pub(super) at: i64,
    /// The offset before it.
    pub(super) before: i64,
}

impl Zone {
    /// The zone of this name: `first` is the offset before the first of `changes`, which are in the order
    /// of time. Changes that change nothing are left out.
    #[must_use]
    pub fn new(name: Name, first: i32, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut offset = first;
        let mut kept = Vec::new();
        for change in changes {
            if change.offset != offset {
                offset = change.offset;
                kept.push(change);
            }
        }
        let rules = Rules {
            first,
            changes: kept,
        };
        Self {
            name,
            rules: Some(Arc::new(rules)),
        }
    }

    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self::new("UTC".into(), 0, [])
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it has rules. One without has no slots.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.rules.is_some()
    }

    /// All changes; none where it has no rules.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        self.rules.as_ref().map_or(&[], |rules| &rules.changes)
    }

    /// Seconds east of UTC at `second`; 0 where it has no rules.
    #[must_use]
    pub fn offset(&self, second: i64) -> i64 {
        self.at(second).map_or(0, |stretch| stretch.offset)
    }

    /// The stretch that has `second` in it; `None` where it has no rules.
    pub(super) fn at(&self, second: i64) -> Option<Stretch> {
        let changes = &self.rules.as_ref()?.changes;
        self.stretch(changes.partition_point(|change| change.at <= second))
    }

    /// The stretch of this index.
    pub(super) fn stretch(&self, index: usize) -> Option<Stretch> {
        let rules = self.rules.as_ref()?;
        let offset_of = |index: usize| {
            let change = index.checked_sub(1).map(|index| rules.changes.get(index));
            change.map_or(Some(rules.first), |change| change.map(|c| c.offset))
        };
        let start = index.checked_sub(1).and_then(|before| {
            Some(Start {
                at: rules.changes.get(before)?.at,
                before: i64::from(offset_of(before)?),
            })
        });
        Some(Stretch {
            index,
            start,
            end: rules.changes.get(index).map(|change| change.at),
            offset: i64::from(offset_of(index)?),
        })
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.rules, &other.rules) {
            (Some(rules), Some(others)) => Arc::ptr_eq(rules, others) || rules == others,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same && self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.rules.as_ref().map(|rules| rules.changes.len());
        write!(f, "Zone({}, {changes:?})", self.name)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Name::deserialize(deserializer)?;
        Ok(Self { name, rules: None })
    }
}
