//! Which slots of a schedule have a run on record, and what became of it. Decides nothing.

use rusqlite::{Connection, params};

use super::codec::Wire;
use super::error::{Fault, StoreError};
use super::fold::number_of;
use super::read::Reader;
use super::row::{COLUMNS, Raw};
use crate::engine::StateKind;
use crate::engine::id::RunId;
use crate::engine::outcome::SkipReason;
use crate::engine::time::Wall;

/// Runs of one job that are looked at: as many as there may be unfinished ones of all. So many take seconds.
const RUNS_BOUND: usize = 1_000_000;

/// Skipped runs whose reasons are looked at, the newest: they are told, and decide nothing.
const SKIPPED_BOUND: usize = 10_000;

/// A run on record that is, or stands, for slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRun {
    /// The slot; the first one where it stands for several that did not run.
    pub first: Wall,
    /// The last one.
    pub last: Wall,
    /// The run.
    pub run: RunId,
    /// Its state.
    pub state: StateKind,
    /// Why it was skipped, if it was.
    pub reason: Option<String>,
}

impl Reader {
    /// The runs of slots of one of a job's schedules from `from` until `until`, both included, in no order.
    /// `None` if the job has more runs than are looked at.
    ///
    /// # Errors
    ///
    /// If a record of one of them is damaged, or the store cannot be read.
    pub fn slots(
        &self,
        job: &str,
        schedule: &str,
        (from, until): (Wall, Wall),
    ) -> Result<Option<Vec<SlotRun>>, StoreError> {
        self.ask(|conn, _| {
            let mut found = Vec::new();
            let mut looked_at = 0;
            for state in StateKind::ALL {
                let most = if state == StateKind::Skipped {
                    SKIPPED_BOUND
                } else {
                    RUNS_BOUND - looked_at + 1
                };
                let runs = runs(conn, job, state, most)?;
                if state != StateKind::Skipped {
                    looked_at += runs.len();
                }
                if looked_at > RUNS_BOUND {
                    return Ok(None);
                }
                for run in runs {
                    let of_slot = slot_run(conn, run, state, schedule)?;
                    found.extend(of_slot.filter(|it| it.first <= until && it.last >= from));
                }
            }
            Ok(Some(found))
        })
    }
}

/// The newest runs of a job in a state. When one was accepted says little of its slot: the clock may have been
/// set back since the slot came.
fn runs(conn: &Connection, job: &str, state: StateKind, most: usize) -> Result<Vec<i64>, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(
        "SELECT run FROM runs INDEXED BY runs_by_job
         WHERE job = ?1 AND state = ?2 ORDER BY run DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![job, number_of(state), most], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a run says of slots of this schedule; `None` if nothing.
fn slot_run(
    conn: &Connection,
    run: i64,
    state: StateKind,
    schedule: &str,
) -> Result<Option<SlotRun>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM facts WHERE run = ?1 AND payload IS NOT NULL ORDER BY number LIMIT ?2"
    ))?;
    // A slot that did not run has a record of its run, and one of why not.
    let records = if state == StateKind::Skipped { 2 } else { 1 };
    let mut rows = statement.query([run, records])?;
    let mut found = None;
    while let Some(row) = rows.next()? {
        match (Raw::of(row)?.wire()?, &mut found) {
            (
                Wire::Accepted {
                    slot: Some(slot), ..
                },
                None,
            ) if *slot.schedule == *schedule => {
                found = Some(SlotRun {
                    first: slot.at,
                    last: slot.at,
                    run: RunId(run.cast_unsigned()),
                    state,
                    reason: None,
                });
            }
            (Wire::Skipped { reason, .. }, Some(found)) => {
                found.reason = Some(reason.to_string());
                if let SkipReason::Slots(unrun) = reason {
                    (found.first, found.last) = (unrun.slots.first, unrun.slots.last);
                }
            }
            (_, None) => return Ok(None),
            (_, Some(_)) => {}
        }
    }
    Ok(found)
}
