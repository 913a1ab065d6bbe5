//! Which socket the daemon is asked on.

use std::path::PathBuf;

use clap::Args;

use super::place;
use crate::api::client::Client;

/// Where the daemon is; of all commands alike.
#[derive(Args, Debug)]
pub(super) struct SocketArgs {
    /// Ask the daemon on this socket instead of the one of $TWOLANE_SOCKET, of this user
    /// ($XDG_RUNTIME_DIR/twolane/twolane.sock) or, for root and who has none, of the system
    /// (/run/twolane/twolane.sock)
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl SocketArgs {
    /// The socket that the command line names.
    pub(super) fn named(&self) -> Option<PathBuf> {
        self.socket.clone()
    }

    pub(super) fn client(&self) -> Client {
        let socket = self.socket.clone().unwrap_or_else(default_socket);
        Client::new(&socket)
    }
}

/// The socket where none is named: that of the environment, of the user, or of the system.
pub(super) fn default_socket() -> PathBuf {
    let named = |key| std::env::var_os(key).filter(|value| !value.is_empty());
    if let Some(socket) = named("TWOLANE_SOCKET") {
        return socket.into();
    }
    place::default_socket()
}
