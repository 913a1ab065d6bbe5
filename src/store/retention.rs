//! Removes what is no longer to be kept, a little at a time: of a removed run only its places in the
//! chain stay, and of those the oldest are dropped. Knows no channel and no clock.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::chain::Link;
use super::codec::Wire;
use super::error::Fault;
use super::row::{COLUMNS, Raw};
use super::specs;
use super::write::{Failed, Writer};
use crate::engine::id::RunId;
use crate::engine::time::Wall;

/// How many runs one transaction removes: some milliseconds of work, so that commits do not wait long.
const RUNS_STEP: i64 = 256;

/// How many places in the chain one transaction drops.
const DROP_STEP: i64 = 4_096;

/// What is kept. Only runs that are over are ever removed, those that ended first before the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The longest after its end; `None`: for ever.
    pub max_age: Option<Duration>,
    /// The most that are over; `None`: all.
    pub max_runs: Option<u64>,
    /// The most bytes in use, without those that wait to be used again; `None`: as many as it takes.
    pub max_bytes: Option<u64>,
}

/// One sweep: what is to be removed as of one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    limits: Retention,
    now: Wall,
}

impl Sweep {
    /// A sweep at `now`; `None` where everything is kept.
    pub(super) fn new(limits: Retention, now: Wall) -> Option<Self> {
        (limits != Retention::default()).then_some(Self { limits, now })
    }

    /// Removes some runs. None removed and `false` means that the sweep is over.
    pub(super) fn step(&self, writer: &mut Writer) -> Result<(Vec<RunId>, bool), Failed> {
        let runs = self.candidates(writer)?;
        let (any, dropped) = writer.transaction(|writer| {
            for run in &runs {
                remove(writer, *run)?;
            }
            Ok((!runs.is_empty(), drop_oldest(writer)?))
        })?;
        // Specifications may be gone whose numbers are remembered.
        writer.specs.removed();
        let runs = runs.into_iter().map(|run| RunId(run.cast_unsigned()));
        Ok((runs.collect(), any || dropped))
    }

    /// When the run that ended first becomes too old; `None` where none is over, or age does not matter.
    pub(super) fn outdated(&self, writer: &Writer) -> Result<Option<Wall>, Failed> {
        let Some(age) = self.limits.max_age else {
            return Ok(None);
        };
        let first: Option<i64> = writer
            .conn
            .prepare_cached("SELECT MIN(ended) FROM runs WHERE ended IS NOT NULL")?
            .query_row([], |row| row.get(0))?;
        // At its full age it is still kept, as `candidates` has it.
        let after = micros(age).saturating_add(1);
        Ok(first.map(|ended| Wall(ended.saturating_add(after))))
    }

    fn candidates(&self, writer: &Writer) -> Result<Vec<i64>, Failed> {
        let conn = &writer.conn;
        let mut excess = 0_i64;
        if let Some(most) = self.limits.max_runs {
            let over: i64 = conn
                .prepare_cached("SELECT COUNT(*) FROM runs WHERE ended IS NOT NULL")?
                .query_row([], |row| row.get(0))?;
            excess = over.saturating_sub(i64::try_from(most).unwrap_or(i64::MAX));
        }
        if let Some(most) = self.limits.max_bytes {
            let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let used = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
            if used > i64::try_from(most).unwrap_or(i64::MAX) {
                excess = excess.max(RUNS_STEP);
            }
        }
        let oldest = self
            .limits
            .max_age
            .map_or(i64::MIN, |age| self.now.0.saturating_sub(micros(age)));
        let mut statement = conn.prepare_cached(
            "SELECT run, ended FROM runs WHERE ended IS NOT NULL ORDER BY ended LIMIT ?1",
        )?;
        let rows = statement.query_map([RUNS_STEP], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut runs = Vec::new();
        for (place, row) in (0_i64..).zip(rows) {
            let (run, ended): (i64, i64) = row?;
            if place >= excess && ended >= oldest {
                break;
            }
            runs.push(run);
        }
        Ok(runs)
    }
}

fn micros(age: Duration) -> i64 {
    i64::try_from(age.as_micros()).unwrap_or(i64::MAX)
}

fn fault(fault: Fault) -> Failed {
    match fault {
        Fault::Sqlite(error) => error.into(),
        Fault::Damage(damage) => Failed::Broken(damage.to_string()),
    }
}

fn release(writer: &Writer, wire: &Wire) -> Result<(), Failed> {
    let mut uses = BTreeMap::new();
    for id in wire.specs() {
        *uses.entry(id).or_insert(0) += 1;
    }
    for (id, uses) in uses {
        specs::release(&writer.conn, id, uses)?;
    }
    Ok(())
}

fn remove(writer: &Writer, run: i64) -> Result<(), Failed> {
    let conn = &writer.conn;
    let mut facts = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM facts WHERE run = ?1 AND payload IS NOT NULL ORDER BY number"
    ))?;
    let mut rows = facts.query([run])?;
    while let Some(row) = rows.next()? {
        let wire = Raw::of(row)
            .and_then(|raw| Ok(raw.wire()?))
            .map_err(fault)?;
        if let Wire::Accepted { key: Some(key), .. } = &wire {
            conn.prepare_cached("DELETE FROM keys WHERE key = ?1 AND run = ?2")?
                .execute(params![&*key.text, run])?;
        }
        release(writer, &wire)?;
    }
    conn.prepare_cached("UPDATE facts SET payload = NULL WHERE run = ?1")?
        .execute([run])?;
    conn.prepare_cached("DELETE FROM runs WHERE run = ?1")?
        .execute([run])?;
    Ok(())
}

/// Drops the oldest records up to the last stub before the first that is still needed, but never the
/// newest of all, which says how late it was. Whether any.
fn drop_oldest(writer: &Writer) -> Result<bool, Failed> {
    let conn = &writer.conn;
    let mut oldest = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM facts WHERE number < (SELECT newest_number FROM meta) ORDER BY number LIMIT ?1"
    ))?;
    let mut rows = oldest.query([DROP_STEP])?;
    let mut standing = Vec::new();
    let mut anchor: Option<(i64, Link, usize)> = None;
    while let Some(row) = rows.next()? {
        let raw = Raw::of(row).map_err(fault)?;
        match (raw.head.run, raw.payload) {
            (_, None) => anchor = Some((raw.head.number, raw.hash, standing.len())),
            (Some(_), Some(_)) => break,
            (None, Some(_)) => {
                let wire = raw.wire().map_err(|damage| fault(damage.into()))?;
                standing.push((raw.head.number, wire));
            }
        }
    }
    let Some((number, hash, settled)) = anchor else {
        return Ok(false);
    };
    for (number, wire) in standing.iter().take(settled) {
        keep_standing(writer, *number, wire)?;
    }
    conn.prepare_cached("DELETE FROM facts WHERE number <= ?1")?
        .execute([number])?;
    conn.prepare_cached("UPDATE meta SET anchor_number = ?1, anchor_hash = ?2")?
        .execute(params![number, hash])?;
    Ok(true)
}

/// Copies a record that is still in force to where it outlives the chain, in place of an older one.
fn keep_standing(writer: &Writer, number: i64, wire: &Wire) -> Result<(), Failed> {
    let Some(what) = wire.stands_for() else {
        return Ok(());
    };
    let conn = &writer.conn;
    let before = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM standing WHERE what = ?1"))?
        .query_row([&what], |row| {
            Ok(Raw::of(row).and_then(|raw| Ok(raw.wire()?)))
        })
        .optional()?;
    if let Some(before) = before {
        release(writer, &before.map_err(fault)?)?;
    }
    conn.prepare_cached(&format!(
        "INSERT OR REPLACE INTO standing (what, {COLUMNS}) SELECT ?1, {COLUMNS} FROM facts WHERE number = ?2"
    ))?
    .execute(params![what, number])?;
    Ok(())
}
