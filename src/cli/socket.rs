//! Which socket the daemon is asked on.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, SettingsArgs, load, place};
use crate::api::client::Client;

/// Where the daemon is; of all commands alike.
#[derive(Args, Debug)]
pub(super) struct SocketArgs {
    /// Ask the daemon on this socket instead of the one in the `daemon.runtime_dir` of a --config, of
    /// $TWOLANE_SOCKET, of this user ($XDG_RUNTIME_DIR/twolane/twolane.sock) or, for root and who has
    /// none, of the system (/run/twolane/twolane.sock)
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl SocketArgs {
    /// The socket that the command line names.
    pub(super) fn named(&self) -> Option<PathBuf> {
        self.socket.clone()
    }

    /// Who asks there. Settings that the command line names are read for it; mistakes in them are told here.
    pub(super) fn client(&self, settings: &SettingsArgs) -> Result<Client, Exit> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => of_settings(settings)?.unwrap_or_else(default_socket),
        };
        Ok(Client::new(&socket))
    }
}

/// The socket of the daemon that the settings on the command line are for, where they say where that is. Those of the
/// system are not read for it: who asks may have no right to.
fn of_settings(args: &SettingsArgs) -> Result<Option<PathBuf>, Exit> {
    if args.config.is_none() && args.set.is_empty() {
        return Ok(None);
    }
    let loaded = load::settings(args)?;
    Ok(place::named_runtime_dir(&loaded).map(|directory| directory.join(place::SOCKET)))
}

/// The socket where none is named: that of the environment, of the user, or of the system.
pub(super) fn default_socket() -> PathBuf {
    let named = |key| std::env::var_os(key).filter(|value| !value.is_empty());
    if let Some(socket) = named("TWOLANE_SOCKET") {
        return socket.into();
    }
    place::default_socket()
}
