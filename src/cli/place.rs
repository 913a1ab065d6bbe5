//! Where the daemon's files are: what the settings say, else what the surroundings suggest.

use std::env;
use std::path::PathBuf;

use rustix::process::getuid;

use crate::config::Loaded;

/// What leaves a directory to the surroundings.
const AUTO: &str = "auto";

/// The socket's name in its directory.
pub(super) const SOCKET: &str = "twolane.sock";

/// The directory of the store and of run logs.
pub(super) fn state_dir(loaded: &Loaded) -> PathBuf {
    match loaded.settings.daemon.state_dir.as_str() {
        AUTO => auto(
            "STATE_DIRECTORY",
            "/var/lib/twolane",
            "XDG_STATE_HOME",
            ".local/state",
        ),
        path => loaded.directory.join(path),
    }
}

/// The directory of the socket.
pub(super) fn runtime_dir(loaded: &Loaded) -> PathBuf {
    match loaded.settings.daemon.runtime_dir.as_str() {
        AUTO => default_runtime_dir(),
        path => loaded.directory.join(path),
    }
}

/// The directory of the socket where nobody says otherwise.
pub(super) fn default_runtime_dir() -> PathBuf {
    auto(
        "RUNTIME_DIRECTORY",
        "/run/twolane",
        "XDG_RUNTIME_DIR",
        ".local/run",
    )
}

/// What systemd gives, else what root or another user would expect.
fn auto(systemd: &str, for_root: &str, xdg: &str, in_home: &str) -> PathBuf {
    // systemd lists several, should a drop-in add one; ours is the first.
    let given = env::var(systemd).ok().filter(|given| !given.is_empty());
    if let Some(first) = given.as_deref().and_then(|given| given.split(':').next()) {
        return PathBuf::from(first);
    }
    if getuid().is_root() {
        return PathBuf::from(for_root);
    }
    let base = env::var_os(xdg).filter(|base| !base.is_empty());
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    match (base, home) {
        (Some(base), _) => PathBuf::from(base).join("twolane"),
        (None, Some(home)) => PathBuf::from(home).join(in_home).join("twolane"),
        // Who has no home is told by the system what is missing there.
        (None, None) => PathBuf::from(for_root),
    }
}
