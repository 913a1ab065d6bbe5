//! One row of `facts` as SQLite gives it, and the way from there to a record that is known to be what
//! was written. Knows no query.

use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::chain::{self, Head, Link};
use super::codec::{Wire, Written};
use super::error::{Damage, Fault};
use crate::engine::fact::Record;
use crate::engine::id::RunId;
use crate::engine::spec::JobSpec;
use crate::engine::time::{Mono, Now, Wall};

/// The columns that [`Raw::of`] reads, in its order.
pub(super) const COLUMNS: &str = "number, run, wall, mono, payload, prev, hash";

/// A row as it is on disk.
#[derive(Debug)]
pub(super) struct Raw<'a> {
    pub(super) head: Head,
    /// `None` for a stub: what it said is no longer kept, only its place in the chain.
    pub(super) payload: Option<&'a [u8]>,
    pub(super) prev: Link,
    pub(super) hash: Link,
}

impl<'a> Raw<'a> {
    /// Reads the columns [`COLUMNS`].
    pub(super) fn of(row: &'a Row<'_>) -> Result<Self, Fault> {
        let number = integer(row.get_ref(0)?).unwrap_or(0);
        let damage = || Damage::Record {
            number: number.cast_unsigned(),
            what: "has a column of the wrong kind".into(),
        };
        let run = row.get_ref(1)?;
        let run = if run == ValueRef::Null {
            None
        } else {
            Some(integer(run).filter(|run| *run > 0).ok_or_else(damage)?)
        };
        let payload = match row.get_ref(4)? {
            ValueRef::Null => None,
            ValueRef::Text(text) => Some(text),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
                return Err(damage().into());
            }
        };
        Ok(Self {
            head: Head {
                number,
                run,
                wall: integer(row.get_ref(2)?).ok_or_else(damage)?,
                mono: integer(row.get_ref(3)?).ok_or_else(damage)?,
            },
            payload,
            prev: link(row.get_ref(5)?).ok_or_else(damage)?,
            hash: link(row.get_ref(6)?).ok_or_else(damage)?,
        })
    }

    /// The number of the record.
    pub(super) const fn number(&self) -> u64 {
        self.head.number.cast_unsigned()
    }

    /// What is wrong with the record.
    pub(super) fn damage(&self, what: &str) -> Damage {
        Damage::Record {
            number: self.number(),
            what: what.into(),
        }
    }

    /// The fact that was written, if it still is that. A stub is damage here.
    pub(super) fn wire(&self) -> Result<Wire, Damage> {
        Ok(self.written()?.fact)
    }

    fn written(&self) -> Result<Written, Damage> {
        let Some(payload) = self.payload else {
            return Err(self.damage("has lost what it says"));
        };
        if chain::link(&self.prev, &self.head, payload) != self.hash && !bug!("hash-unchecked") {
            return Err(self.damage("is not what was written: its hash differs"));
        }
        Written::read(payload)
            .map_err(|error| self.damage(&format!("cannot be understood: {error}")))
    }

    /// The record, if it is what was written.
    pub(super) fn record(
        &self,
        lookup: impl FnMut(i64) -> Result<Arc<JobSpec>, Fault>,
    ) -> Result<Record, Fault> {
        let run = self.head.run.map(|run| RunId(run.cast_unsigned()));
        let Written { by, fact } = self.written()?;
        let fact = fact.into_fact(run, lookup).map_err(|error| {
            error.unwrap_or_else(|| {
                self.damage("is about a run and should not be, or not")
                    .into()
            })
        })?;
        Ok(Record {
            number: self.number(),
            at: self.at(),
            by,
            fact,
        })
    }

    /// When it was decided.
    pub(super) const fn at(&self) -> Now {
        Now {
            wall: Wall(self.head.wall),
            mono: Mono(self.head.mono.cast_unsigned()),
        }
    }
}

/// A whole number, if it is one.
pub(super) fn integer(value: ValueRef<'_>) -> Option<i64> {
    value.as_i64().ok()
}

/// A link, if it is one.
pub(super) fn link(value: ValueRef<'_>) -> Option<Link> {
    value.as_blob().ok()?.try_into().ok()
}
