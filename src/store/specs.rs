//! Job specifications by number: each different one is on disk once. Knows neither facts nor runs.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::chain::{self, Link};
use super::error::{Damage, Fault};
use crate::engine::spec::{Definitions, JobSpec};

/// How many specifications are remembered, beside those of the jobs in force: what comes with submissions is
/// seldom seen again.
const REMEMBERED_BOUND: usize = 10_000;

#[expect(
    clippy::disallowed_types,
    reason = "looked up only: no order is ever seen, and it is on the hot path"
)]
type Table<K, V> = std::collections::HashMap<K, V>;

/// Finds specifications that were written, so that equal numbers share one allocation.
#[derive(Debug)]
pub(super) struct Specs {
    known: Table<i64, Arc<JobSpec>>,
    bound: usize,
}

impl Specs {
    /// Remembers a bounded number.
    pub(super) fn bounded() -> Self {
        Self {
            known: Table::default(),
            bound: REMEMBERED_BOUND,
        }
    }

    /// Remembers all, for a reader whose records keep all of them alive anyway.
    pub(super) fn unbounded() -> Self {
        Self {
            known: Table::default(),
            bound: usize::MAX,
        }
    }

    /// The specification with this number.
    pub(super) fn get(&mut self, conn: &Connection, id: i64) -> Result<Arc<JobSpec>, Fault> {
        if let Some(job) = self.known.get(&id) {
            return Ok(Arc::clone(job));
        }
        let job = Arc::new(read(conn, id)?);
        if self.known.len() >= self.bound {
            self.known.clear();
        }
        self.known.insert(id, Arc::clone(&job));
        Ok(job)
    }
}

fn read(conn: &Connection, id: i64) -> Result<JobSpec, Fault> {
    let damage = |what: String| Fault::from(Damage::Spec { id, what });
    let mut statement = conn.prepare_cached("SELECT digest, body FROM specs WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else {
        return Err(damage("is missing".into()));
    };
    let digest = super::row::link(row.get_ref(0)?);
    let body = row.get_ref(1)?.as_bytes().ok().filter(|body| {
        let found = chain::digest(body);
        digest == Some(found)
    });
    let Some(body) = body else {
        return Err(damage("is not what was written: its digest differs".into()));
    };
    serde_json::from_slice(body).map_err(|error| damage(format!("cannot be understood: {error}")))
}

/// Gives specifications their numbers while facts are written, and counts the references.
#[derive(Debug, Default)]
pub(super) struct Interned {
    /// Those of the jobs in force, by address. Each is kept alive, so that no other can come to have its address.
    defined: Table<usize, (Arc<JobSpec>, i64)>,
    /// Others, in the same way.
    known: Table<usize, (Arc<JobSpec>, i64)>,
    /// References since the last [`settle`](Self::settle).
    uses: Table<i64, i64>,
    body: Vec<u8>,
}

/// Why a specification could not be given a number.
#[derive(Debug)]
pub(super) enum Refused {
    /// It has no JSON form.
    Unwritable(String),
    /// SQLite refused.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Interned {
    /// The number of `job`, which it is given if it has none. Counts one reference.
    pub(super) fn number(&mut self, conn: &Connection, job: &Arc<JobSpec>) -> Result<i64, Refused> {
        let address = Arc::as_ptr(job).addr();
        let known = self.defined.get(&address);
        let id = match known.or_else(|| self.known.get(&address)) {
            Some((_, id)) => *id,
            None => {
                let id = self.insert(conn, job)?;
                if self.known.len() >= REMEMBERED_BOUND {
                    self.known.clear();
                }
                self.known.insert(address, (Arc::clone(job), id));
                id
            }
        };
        *self.uses.entry(id).or_insert(0) += 1;
        Ok(id)
    }

    /// What a reader has found of the jobs in force, so that nothing of them is looked up again.
    pub(super) fn known_by(specs: &Specs, definitions: &Definitions) -> Self {
        let ids: Table<usize, i64> = specs
            .known
            .iter()
            .map(|(id, job)| (Arc::as_ptr(job).addr(), *id))
            .collect();
        let jobs = definitions.jobs.values().filter_map(|job| {
            let address = Arc::as_ptr(job).addr();
            Some((address, (Arc::clone(job), *ids.get(&address)?)))
        });
        Self {
            defined: jobs.collect(),
            ..Self::default()
        }
    }

    /// These are the jobs in force from here on, and are remembered however many they are.
    pub(super) fn define<'a>(
        &mut self,
        conn: &Connection,
        jobs: impl Iterator<Item = &'a Arc<JobSpec>>,
    ) -> Result<(), Refused> {
        let before = std::mem::take(&mut self.defined);
        for job in jobs {
            let address = Arc::as_ptr(job).addr();
            let known = before.get(&address).or_else(|| self.known.get(&address));
            let id = match known {
                Some((_, id)) => *id,
                None => self.insert(conn, job)?,
            };
            self.defined.insert(address, (Arc::clone(job), id));
        }
        Ok(())
    }

    fn insert(&mut self, conn: &Connection, job: &JobSpec) -> Result<i64, Refused> {
        self.body.clear();
        serde_json::to_writer(&mut self.body, job).map_err(|error| {
            Refused::Unwritable(format!("job `{}` cannot be written: {error}", job.name))
        })?;
        let digest: Link = chain::digest(&self.body);
        let found = conn
            .prepare_cached("SELECT id FROM specs WHERE digest = ?1")?
            .query_row([digest], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        let body = String::from_utf8_lossy(&self.body);
        Ok(conn
            .prepare_cached("INSERT INTO specs (digest, body, uses) VALUES (?1, ?2, 0)")?
            .insert(params![digest, body])?)
    }

    /// Writes the counts of references.
    pub(super) fn settle(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut statement =
            conn.prepare_cached("UPDATE specs SET uses = uses + ?2 WHERE id = ?1")?;
        for (id, uses) in self.uses.drain() {
            statement.execute([id, uses])?;
        }
        Ok(())
    }

    /// Specifications were removed: never those of the jobs in force, which are on record.
    pub(super) fn removed(&mut self) {
        self.known.clear();
    }

    /// Forgets everything: what was written was taken back.
    pub(super) fn clear(&mut self) {
        self.defined.clear();
        self.known.clear();
        self.uses.clear();
    }
}

/// Takes back `uses` references to a specification, and with the last one the specification.
pub(super) fn release(conn: &Connection, id: i64, uses: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE specs SET uses = uses - ?2 WHERE id = ?1")?
        .execute([id, uses])?;
    conn.prepare_cached("DELETE FROM specs WHERE id = ?1 AND uses <= 0")?
        .execute([id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::spec::{Lane, TaskSpec};

    fn job(name: &str) -> Arc<JobSpec> {
        let task = TaskSpec::Sleep {
            duration: std::time::Duration::ZERO,
        };
        Arc::new(JobSpec::new(name.into(), Lane::Io, task))
    }

    #[test]
    fn jobs_in_force_are_remembered_whatever_else_comes_and_goes() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE specs (id INTEGER PRIMARY KEY, digest BLOB, body TEXT, uses INTEGER)",
        )
        .unwrap();
        let mut interned = Interned::default();
        let defined: Vec<Arc<JobSpec>> = ["a", "b"].map(job).into();
        interned.define(&conn, defined.iter()).unwrap();
        let numbers = |interned: &mut Interned| -> Vec<i64> {
            let numbers = defined.iter().map(|job| interned.number(&conn, job));
            numbers.map(Result::unwrap).collect()
        };
        let first = numbers(&mut interned);
        for n in 0..=REMEMBERED_BOUND {
            interned.number(&conn, &job(&n.to_string())).unwrap();
        }
        interned.removed();
        // They are found without a look into the table.
        conn.execute_batch("DROP TABLE specs").unwrap();
        assert_eq!(numbers(&mut interned), first);
        assert!(interned.number(&conn, &job("c")).is_err());
    }
}
