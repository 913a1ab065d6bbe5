//! Looks at every byte of a store that means something, and says all that is wrong. Writes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::chain::Link;
use super::error::{Damage, Fault, StoreError};
use super::fold::Entry;
use super::read::{Row, matches};
use super::recover::tail_and_anchor;
use super::row::{COLUMNS, Raw};
use super::schema;
use super::specs::Specs;

/// How many faults are told; a broken chain has one in each record.
const TOLD_BOUND: usize = 1_000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records that were looked at, removed ones included.
    pub records: u64,
    /// Runs that were looked at.
    pub runs: u64,
    /// What is wrong, at most 1,000 of it. Empty: all is as it was written.
    pub damage: Vec<Damage>,
}

impl Verified {
    /// Whether all is as it was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    fn tell(&mut self, damage: Damage) {
        if self.damage.len() < TOLD_BOUND {
            self.damage.push(damage);
        }
    }

    /// Keeps damage, and hands on what kept us from looking.
    fn note(&mut self, fault: Fault) -> Result<(), Fault> {
        match fault {
            Fault::Damage(damage) => self.tell(damage),
            error @ Fault::Sqlite(_) => return Err(error),
        }
        Ok(())
    }
}

/// Looks at the store `db`, also while a daemon writes it.
///
/// # Errors
///
/// If it cannot be read at all. What is wrong inside is in the answer.
pub fn verify(db: &Path) -> Result<Verified, StoreError> {
    let (conn, reached) = schema::open_to_look(db)?;
    schema::format_of(&conn, db)?;
    let look = || -> Result<Verified, Fault> {
        let moment = conn.unchecked_transaction()?;
        let mut found = Verified::default();
        if let Some(Err(fault)) = reached.map(|reached| reached.check(&moment, db)) {
            found.note(fault)?;
        }
        integrity(&moment, &mut found)?;
        // Whatever SQLite cannot read is damage like any other.
        match records(&moment, &mut found) {
            Err(Fault::Sqlite(error)) => found.tell(Damage::File(error.to_string())),
            Err(Fault::Damage(damage)) => found.tell(damage),
            Ok(()) => {}
        }
        Ok(found)
    };
    look().map_err(|fault| fault.of("verify", db))
}

fn integrity(conn: &Connection, found: &mut Verified) -> Result<(), Fault> {
    let mut statement = conn.prepare("PRAGMA integrity_check(100)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        if text != "ok" {
            found.tell(Damage::File(text));
        }
    }
    Ok(())
}

/// What the records tell of runs, keys and jobs.
#[derive(Default)]
struct Told {
    runs: BTreeMap<i64, Entry>,
    keys: BTreeMap<String, (String, i64)>,
    uses: BTreeMap<i64, i64>,
}

fn records(conn: &Connection, found: &mut Verified) -> Result<(), Fault> {
    let (tail, anchor) = tail_and_anchor(conn)?;
    let mut told = Told::default();
    let mut specs = Specs::bounded();
    let mut before = anchor;
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM facts ORDER BY number"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.records += 1;
        match Raw::of(row) {
            Ok(raw) => {
                follows(&raw, before, found);
                before = (raw.head.number, raw.hash);
                if let Err(fault) = told.take(conn, &raw, &mut specs) {
                    found.note(fault)?;
                }
            }
            Err(fault) => {
                before.0 += 1;
                found.note(fault)?;
            }
        }
    }
    if before != (tail.number, tail.hash) {
        found.tell(Damage::File(format!(
            "its newest record is {} and should be {}, or has another hash",
            before.0, tail.number
        )));
    }
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM standing"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let taken = Raw::of(row).and_then(|raw| told.take(conn, &raw, &mut specs));
        if let Err(fault) = taken {
            found.note(fault)?;
        }
    }
    runs(conn, &told, found)?;
    keys(conn, &told, found)?;
    jobs(conn, &told, found)
}

fn follows(raw: &Raw<'_>, before: (i64, Link), found: &mut Verified) {
    let (number, hash) = before;
    if raw.head.number != number + 1 {
        found.tell(Damage::Record {
            number: (number + 1).cast_unsigned(),
            what: format!("is missing: {} comes after {number}", raw.head.number),
        });
    } else if raw.prev != hash {
        found.tell(raw.damage("does not follow the one before it"));
    }
}

impl Told {
    fn take(&mut self, conn: &Connection, raw: &Raw<'_>, specs: &mut Specs) -> Result<(), Fault> {
        if raw.payload.is_none() {
            // Retention removes whole runs. One that is then tried once more begins anew with that.
            return match raw.head.run {
                Some(run) if !self.runs.contains_key(&run) => Ok(()),
                Some(_) | None => Err(raw.damage("has lost what it says").into()),
            };
        }
        for id in raw.wire()?.specs() {
            *self.uses.entry(id).or_insert(0) += 1;
        }
        let record = raw.record(|id| specs.get(conn, id))?;
        let Some((run, job)) = record.fact.run() else {
            return Ok(());
        };
        let run = run.0.cast_signed();
        if let crate::engine::fact::Fact::Accepted { key: Some(key), .. } = &record.fact {
            let of = (key.digest.to_string(), run);
            self.keys.insert(key.text.to_string(), of);
        }
        match self.runs.get_mut(&run) {
            Some(entry) => entry.step(&record),
            None => {
                self.runs.insert(run, Entry::begin(&record, &job.name));
            }
        }
        Ok(())
    }
}

fn runs(conn: &Connection, told: &Told, found: &mut Verified) -> Result<(), Fault> {
    let mut tell = |run: i64, what: &str| {
        found.tell(Damage::Run {
            run: run.cast_unsigned(),
            what: what.into(),
        });
    };
    let mut statement =
        conn.prepare("SELECT run, job, state, accepted, due, ended FROM runs ORDER BY run")?;
    let mut rows = statement.query([])?;
    let mut seen = 0_usize;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let run: i64 = row.get(0)?;
        let columns = || -> rusqlite::Result<Row> {
            Ok((
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        };
        match (told.runs.get(&run), columns()) {
            (Some(entry), Ok(row)) => {
                seen += 1;
                if !matches(&row, entry) {
                    tell(run, "differs from what its records tell");
                }
            }
            (Some(_), Err(_)) => {
                seen += 1;
                tell(run, "has a column of the wrong kind");
            }
            (None, _) => tell(run, "has no records"),
        }
    }
    if seen < told.runs.len() {
        for run in told.runs.keys() {
            let mut here = conn.prepare_cached("SELECT 1 FROM runs WHERE run = ?1")?;
            if !here.exists([run])? {
                tell(*run, "is missing");
            }
        }
    }
    found.runs = count;
    Ok(())
}

fn keys(conn: &Connection, told: &Told, found: &mut Verified) -> Result<(), Fault> {
    let mut statement = conn.prepare("SELECT key, digest, run FROM keys")?;
    let mut rows = statement.query([])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let (key, digest, run): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if told.keys.get(&key) == Some(&(digest, run)) {
            seen += 1;
        } else {
            found.tell(Damage::Run {
                run: run.cast_unsigned(),
                what: "has a key that no record tells of".into(),
            });
        }
    }
    if seen < told.keys.len() {
        let missing = told.keys.len() - seen;
        found.tell(Damage::File(format!(
            "{missing} keys of submissions are missing"
        )));
    }
    Ok(())
}

fn jobs(conn: &Connection, told: &Told, found: &mut Verified) -> Result<(), Fault> {
    let mut statement = conn.prepare("SELECT id, uses FROM specs")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, uses): (i64, i64) = (row.get(0)?, row.get(1)?);
        let counted = told.uses.get(&id).copied().unwrap_or(0);
        if uses != counted {
            found.tell(Damage::Spec {
                id,
                what: format!("counts {uses} references, and there are {counted}"),
            });
        }
    }
    Ok(())
}
