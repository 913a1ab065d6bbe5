//! Reads what a daemon needs to go on: what is in force, and all records of the runs that are not over,
//! each of them checked. Knows nothing of what the engine makes of them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::chain::Link;
use super::error::{Damage, Fault};
use super::fold::number_of;
use super::row::{COLUMNS, Raw};
use super::specs::{Interned, Specs};
use super::write::Tail;
use crate::engine::StateKind;
use crate::engine::fact::{Fact, Record};
use crate::engine::time::Now;

/// How many of the newest records have to form a chain before a daemon goes on.
const CHECKED: i64 = 1_000;

/// What was on disk when the store was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// The last `Configured`, the last `Paused` or `Resumed` of each capacity, and all records of the
    /// runs that are not over, in the order of their numbers.
    pub records: Vec<Record>,
    /// The lowest run number that was never used.
    pub next_run: u64,
    /// The number that the next record must have.
    pub next_record: u64,
    /// When the newest record was decided.
    pub last: Now,
    /// Whether there was no store before.
    pub is_new: bool,
}

/// Reads it, where to go on writing, and what is known of the jobs in force then.
pub(super) fn recover(
    conn: &Connection,
    is_new: bool,
) -> Result<(Recovered, Tail, Interned), Fault> {
    let (tail, _) = tail_and_anchor(conn)?;
    let last = check_newest(conn, &tail)?;
    let mut specs = Specs::unbounded();
    let mut records = in_force(conn, &mut specs)?;
    of_live_runs(conn, &mut specs, &mut records)?;
    records.sort_unstable_by_key(|record| record.number);
    let interned = records.iter().find_map(|record| {
        if let Fact::Configured { definitions } = &record.fact {
            Some(Interned::known_by(&specs, definitions))
        } else {
            None
        }
    });
    let recovered = Recovered {
        records,
        next_run: tail.top_run.cast_unsigned() + 1,
        next_record: tail.number.cast_unsigned() + 1,
        last,
        is_new,
    };
    Ok((recovered, tail, interned.unwrap_or_default()))
}

/// Where the chain ends, and what its first record follows.
pub(super) fn tail_and_anchor(conn: &Connection) -> Result<(Tail, (i64, Link)), Fault> {
    let mut statement = conn.prepare(
        "SELECT newest_number, newest_hash, top_run, anchor_number, anchor_hash FROM meta WHERE id = 1",
    )?;
    let mut rows = statement.query([])?;
    let damage = || Damage::File("its table `meta` is not what was written".into());
    let row = rows.next()?.ok_or_else(damage)?;
    let number = |at| super::row::integer(row.get_ref_unwrap(at)).ok_or_else(damage);
    let link = |at| super::row::link(row.get_ref_unwrap(at)).ok_or_else(damage);
    let tail = Tail {
        number: number(0)?,
        hash: link(1)?,
        top_run: number(2)?,
    };
    let anchor = (number(3)?, link(4)?);
    if tail.top_run < 0 || anchor.0 < 0 || tail.number < anchor.0 {
        return Err(damage().into());
    }
    Ok((tail, anchor))
}

/// Whether the newest records follow each other up to `tail`. Gives the time of the last.
fn check_newest(conn: &Connection, tail: &Tail) -> Result<Now, Fault> {
    let mut statement = conn.prepare(&format!(
        "SELECT {COLUMNS} FROM facts ORDER BY number DESC LIMIT ?1"
    ))?;
    let mut rows = statement.query([CHECKED])?;
    let mut expected = (tail.number, tail.hash);
    let mut last = None;
    while let Some(row) = rows.next()? {
        let raw = Raw::of(row)?;
        if (raw.head.number, raw.hash) != expected && !bug!("gap-in-the-chain") {
            let what = "is missing, or does not follow the one before it";
            return Err(Damage::Record {
                number: expected.0.cast_unsigned(),
                what: what.into(),
            }
            .into());
        }
        if raw.payload.is_some() {
            raw.wire()?;
        } else if raw.head.run.is_none() || !is_removed(conn, &raw)? {
            return Err(raw.damage("has lost what it says").into());
        }
        last.get_or_insert(raw.at());
        expected = (raw.head.number - 1, raw.prev);
    }
    let (_, anchor) = tail_and_anchor(conn)?;
    if last.is_none() && anchor != expected {
        return Err(Damage::File("its newest records are missing".into()).into());
    }
    Ok(last.unwrap_or_default())
}

fn in_force(conn: &Connection, specs: &mut Specs) -> Result<Vec<Record>, Fault> {
    let mut records = BTreeMap::new();
    for from in ["facts WHERE run IS NULL", "standing"] {
        let mut statement = conn.prepare(&format!(
            "SELECT {COLUMNS} FROM {from} ORDER BY number DESC"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let raw = Raw::of(row)?;
            // Those of removed stretches say nothing any more.
            if raw.payload.is_none() {
                continue;
            }
            if let Some(what) = raw.wire()?.stands_for()
                && !records.contains_key(&what)
            {
                records.insert(what, raw.record(|id| specs.get(conn, id))?);
            }
        }
    }
    Ok(records.into_values().collect())
}

fn of_live_runs(
    conn: &Connection,
    specs: &mut Specs,
    records: &mut Vec<Record>,
) -> Result<(), Fault> {
    let live: BTreeSet<i64> = conn
        .prepare("SELECT run FROM runs WHERE state < ?1")?
        .query_map([number_of(StateKind::Succeeded)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let all: i64 = conn.query_row(
        "SELECT newest_number - anchor_number FROM meta",
        [],
        |row| row.get(0),
    )?;
    let many = i64::try_from(live.len()).unwrap_or(i64::MAX);
    // One walk through all records is faster than a search for each of many runs.
    if many.saturating_mul(8) > all {
        records.reserve(live.len());
        let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM facts"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let raw = Raw::of(row)?;
            if raw.head.run.is_some_and(|run| live.contains(&run)) && !is_removed(conn, &raw)? {
                records.push(raw.record(|id| specs.get(conn, id))?);
            }
        }
        return Ok(());
    }
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM facts WHERE run = ?1"))?;
    for run in live {
        let mut rows = statement.query([run])?;
        while let Some(row) = rows.next()? {
            let raw = Raw::of(row)?;
            if !is_removed(conn, &raw)? {
                records.push(raw.record(|id| specs.get(conn, id))?);
            }
        }
    }
    Ok(())
}

/// Whether the record was removed with its run, which was then tried once more and began anew.
fn is_removed(conn: &Connection, raw: &Raw<'_>) -> Result<bool, Fault> {
    if raw.payload.is_some() {
        return Ok(false);
    }
    let kept_before = conn
        .prepare_cached(
            "SELECT 1 FROM facts WHERE run = ?1 AND number < ?2 AND payload IS NOT NULL",
        )?
        .exists([raw.head.run, Some(raw.head.number)])?;
    Ok(!kept_before)
}
