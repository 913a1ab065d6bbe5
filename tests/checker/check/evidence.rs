//! All evidence of one trial, as it lies in a directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use twolane::engine::StateKind;
use twolane::store::{self, Reader, StorePlace};

use super::clients::Clients;
use super::facts::Log;
use super::ledger::Ledger;
use super::processes::{self, Process};

/// Records that are read at a time.
const PAGE: usize = 10_000;

/// Where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// C; see [`Clients`].
    pub(crate) clients: PathBuf,
    /// L; see [`Ledger`]. None: no job has written anything.
    pub(crate) ledger: PathBuf,
    /// E: the store, with a daemon or without one.
    pub(crate) state: PathBuf,
}

impl Place {
    /// As it usually lies in a directory.
    pub(crate) fn within(dir: &Path) -> Self {
        Self {
            clients: dir.join("clients.jsonl"),
            ledger: dir.join("ledger"),
            state: dir.join("state"),
        }
    }
}

/// What is held against each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) clients: Clients,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    /// What a look at the whole store found wrong: bytes, links between records, tables that say something else.
    pub(crate) damage: Vec<String>,
    /// How many runs are in each state, as the store's table of them says.
    pub(crate) counts: BTreeMap<StateKind, u64>,
    pub(crate) processes: Vec<Process>,
}

impl Evidence {
    /// Reads all of it. What cannot be read is an error, and no evidence of anything.
    pub(crate) fn read(place: &Place) -> Result<Self, String> {
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))
        };
        let ledger = if place.ledger.exists() {
            text(&place.ledger)?
        } else {
            String::new()
        };
        let db = StorePlace::new(&place.state).db();
        let told = |why: store::StoreError| why.to_string();
        let verified = store::verify(&db).map_err(told)?;
        let reader = Reader::new(db);
        let mut log = Log::default();
        let mut after = 0;
        loop {
            let records = reader.facts_after(after, PAGE).map_err(told)?;
            let Some(last) = records.last() else {
                break;
            };
            after = last.number;
            for record in &records {
                log.take(record);
            }
        }
        Ok(Self {
            clients: Clients::parse(&text(&place.clients)?)?,
            ledger: Ledger::parse(&ledger)?,
            log,
            damage: verified.damage.iter().map(ToString::to_string).collect(),
            counts: reader.counts().map_err(told)?.into_iter().collect(),
            processes: processes::read(&place.state).map_err(|why| format!("/proc: {why}"))?,
        })
    }
}
