//! Where commands that look into the past ask: a daemon, or the store itself where none runs.

use std::path::{Path, PathBuf};

use clap::Args;

use super::ask::path;
use super::durable::LOGS;
use super::out::{complain, tell};
use super::{Exit, SettingsArgs, load, moments, place};
use crate::api::client::{Client, ClientError};
use crate::api::past::{HistoryQuery, PastError, history};
use crate::api::wire::{History, Problem};
use crate::engine::time::Wall;
use crate::logging::harmless;
use crate::store::{Reader, StorePlace};

/// Where to look; of all such commands alike.
#[derive(Args, Debug)]
pub(super) struct From {
    /// Read the store in this state directory, whether a daemon runs or not; without it, the daemon is
    /// asked, and the store of the settings read where none runs
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
}

/// Whom to ask.
pub(super) struct Past<'a> {
    pub(super) client: &'a Client,
    pub(super) settings: &'a SettingsArgs,
}

impl Past<'_> {
    /// Asks the daemon by `remote`; where none runs, the store and the directory of logs by `own`.
    pub(super) fn ask<T>(
        &self,
        from: &From,
        remote: impl FnOnce(&Client) -> Result<T, ClientError>,
        own: impl FnOnce(&Reader, &Path) -> Result<T, PastError>,
    ) -> Result<T, ClientError> {
        if let Some(directory) = &from.state_dir {
            return read(directory, own);
        }
        let answer = remote(self.client);
        let silent = answer.as_ref().err().and_then(ClientError::silent_socket);
        match silent.zip(self.store()) {
            Some((socket, directory)) => {
                tell(&format!(
                    "no daemon answers on {}: reading the store in {}\n",
                    socket.display(),
                    directory.display()
                ));
                read(&directory, own)
            }
            None => answer,
        }
    }

    /// The state directory of the settings, if there is a store in it.
    fn store(&self) -> Option<PathBuf> {
        let loaded = load::settings(self.settings).ok()?;
        let directory = place::state_dir(&loaded);
        StorePlace::new(&directory)
            .db()
            .exists()
            .then_some(directory)
    }
}

fn read<T>(
    directory: &Path,
    own: impl FnOnce(&Reader, &Path) -> Result<T, PastError>,
) -> Result<T, ClientError> {
    let reader = Reader::new(StorePlace::new(directory).db());
    own(&reader, &directory.join(LOGS)).map_err(refused)
}

/// As a daemon would tell it.
fn refused(error: PastError) -> ClientError {
    let (kind, status) = match &error {
        PastError::Question(_) => ("bad-request", 400),
        PastError::NoRun(_) => ("unknown-run", 404),
        PastError::Store(_) | PastError::Log(_) => return ClientError::Broken(error.to_string()),
    };
    ClientError::Problem(Problem {
        kind: format!("urn:twolane:{kind}"),
        title: kind.replace('-', " "),
        status,
        detail: error.to_string(),
    })
}

/// The present.
pub(super) fn present() -> Wall {
    Wall(moments::now().as_microsecond())
}

/// Whether a time that is asked for ends before it begins, which is told here. Moments of the API, which are in
/// the order of their texts. Where nothing is said, it ends now.
pub(super) fn is_backwards(since: Option<&String>, until: Option<&String>) -> bool {
    let Some(since) = since else {
        return false;
    };
    match until {
        None if *since > moments::written(moments::now()) => {
            complain(&format!(
                "{since} is still to come: nothing has been since then"
            ));
        }
        Some(until) if since > until => complain(&format!(
            "nothing is between {since} and {until}, which is before that\nhint: `--since` is the earlier one of both"
        )),
        None | Some(_) => return false,
    }
    true
}

/// Whether any run of this job is on record.
pub(super) fn is_on_record(job: &str, from: &From, past: &Past<'_>) -> Result<bool, ClientError> {
    let query = HistoryQuery {
        job: Some(job.to_owned()),
        last: Some(1),
        since: None,
    };
    let pairs = [("job", query.job.clone()), ("last", Some("1".to_owned()))];
    let told: History = past.ask(
        from,
        |client| client.get(&path("/history", &pairs)),
        |reader, _| history(reader, &query),
    )?;
    Ok(!told.jobs.is_empty())
}

/// Says that no run of this job is on record.
pub(super) fn nothing_of(job: &str) -> Exit {
    complain(&format!("there is no run of {} on record", harmless(job)));
    Exit::NotFound
}

/// Reads an option that names a moment of the past, and gives it as the API writes it.
pub(super) fn earlier(text: &str) -> Result<String, String> {
    // A mistake's hint stands on a line of its own, which clap leaves as it is.
    moments::earlier(text, moments::now(), &moments::here()).map(moments::written)
}
