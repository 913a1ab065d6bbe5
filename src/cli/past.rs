//! Where commands that look into the past ask: a daemon, or the store itself where none runs.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::durable::LOGS;
use super::out::tell;
use super::{SettingsArgs, load, moments, place};
use crate::api::client::{Client, ClientError};
use crate::api::past::PastError;
use crate::api::wire::Problem;
use crate::engine::time::Wall;
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
        let Err(ClientError::NoDaemon { socket, source }) = answer else {
            return answer;
        };
        let nobody = matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        );
        match self.store().filter(|_| nobody) {
            Some(directory) => {
                tell(&format!(
                    "no daemon answers on {}: reading the store in {}\n",
                    socket.display(),
                    directory.display()
                ));
                read(&directory, own)
            }
            None => Err(ClientError::NoDaemon { socket, source }),
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

/// Reads an option that names a moment of the past, as the API writes it.
pub(super) fn moment(text: Option<&String>) -> Result<Option<String>, ClientError> {
    let read = |text: &String| moments::earlier(text, moments::now(), &TimeZone::system());
    let moment: Option<Result<Timestamp, String>> = text.map(read);
    let wrong = |detail| {
        ClientError::Problem(Problem {
            kind: "urn:twolane:bad-request".to_owned(),
            title: "bad request".to_owned(),
            status: 400,
            detail,
        })
    };
    Ok(moment.transpose().map_err(wrong)?.map(moments::written))
}
