//! What all commands that ask a daemon have in common: where it is, and what its errors mean here.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::out::{Out, complain};
use super::{Exit, SettingsArgs, load, place};
use crate::api::client::{Client, ClientError};

/// Where the daemon is.
#[derive(Args, Debug)]
pub(super) struct RemoteArgs {
    /// The daemon's socket; else what TWOLANE_SOCKET says, else what --config says, else the usual place
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// A daemon to ask.
pub(super) struct Remote {
    pub(super) client: Client,
}

impl Remote {
    /// Makes ready to ask; what is wrong is told here.
    pub(super) fn of(args: &RemoteArgs, settings: &SettingsArgs) -> Result<Self, Exit> {
        let said = std::env::var_os("TWOLANE_SOCKET").filter(|path| !path.is_empty());
        let socket = match (&args.socket, said) {
            (Some(socket), _) => socket.clone(),
            (None, Some(socket)) => PathBuf::from(socket),
            (None, None) if settings.config.is_some() => {
                let loaded = load::settings(settings)?;
                place::runtime_dir(&loaded).join(place::SOCKET)
            }
            (None, None) => place::default_runtime_dir().join(place::SOCKET),
        };
        let client = Client::new(&socket).map_err(|error| {
            complain(&format!("cannot make ready to ask the daemon: {error}"));
            Exit::System
        })?;
        Ok(Self { client })
    }
}

/// Tells an error; what it means for the exit code.
pub(super) fn failed(error: &ClientError) -> Exit {
    complain(&error.to_string());
    match error {
        ClientError::NoDaemon { .. } => Exit::NoDaemon,
        ClientError::Problem(problem) if problem.status == 404 => Exit::NotFound,
        ClientError::Problem(_) => Exit::Refused,
        ClientError::Broken(_) => Exit::System,
    }
}

/// Prints one JSON object on a line.
pub(super) fn print_json(out: &mut Out, value: &impl Serialize) -> Exit {
    match serde_json::to_string(value) {
        Ok(text) => out.line(format_args!("{text}")),
        Err(error) => {
            complain(&format!("cannot write this as JSON: {error}"));
            Exit::System
        }
    }
}

/// The worse of two ways to end; the first one, where both are bad.
pub(super) fn worse(one: Exit, other: Exit) -> Exit {
    if one == Exit::Success { other } else { one }
}
