//! How many of what: the places of limits and the parts of resources that a job takes, and how often a
//! limit may be taken at all.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::spec::Name;

/// So many of each of these, each at least one. Written as a list of names where it is one of each, as it
/// was before there was more than one to be had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub struct Amounts(BTreeMap<Name, u32>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Names(Vec<Name>),
    Each(BTreeMap<Name, u32>),
}

impl From<Written> for Amounts {
    fn from(written: Written) -> Self {
        match written {
            Written::Names(names) => Self::one_of_each(names),
            Written::Each(each) => each.into_iter().collect(),
        }
    }
}

impl Serialize for Amounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.values().all(|amount| *amount == 1) {
            serializer.collect_seq(self.0.keys())
        } else {
            serializer.collect_map(&self.0)
        }
    }
}

impl FromIterator<(Name, u32)> for Amounts {
    fn from_iter<I: IntoIterator<Item = (Name, u32)>>(amounts: I) -> Self {
        let amounts = amounts.into_iter();
        Self(amounts.map(|(name, n)| (name, n.max(1))).collect())
    }
}

impl Amounts {
    /// One of each of these.
    pub fn one_of_each(names: impl IntoIterator<Item = impl Into<Name>>) -> Self {
        names.into_iter().map(|name| (name.into(), 1)).collect()
    }

    /// Each name with its amount, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, u32)> {
        self.0.iter().map(|(name, amount)| (name, *amount))
    }

    /// Whether there is nothing of anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How often a limit may be taken: a bucket that holds `burst` tokens and is given `tokens` of them, evenly,
/// each `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many; 1 or more.
    pub tokens: u32,
    /// In which time.
    pub per: Period,
    /// How many may be saved up; 1 or more.
    pub burst: u32,
}

/// A time in which so many may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// Twenty-four hours.
    Day,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// The letter for it in configuration and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
        }
    }

    /// How long it is, in nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        let seconds = match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        };
        seconds * 1_000_000_000
    }
}

/// `10/s`, without the burst.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tokens, self.per.as_str())
    }
}
