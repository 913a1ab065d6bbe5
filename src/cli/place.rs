//! Where the daemon's files are: what the settings say, else what the surroundings suggest.

use std::env;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::process::getuid;

use crate::config::Loaded;

/// What leaves a directory to the surroundings.
const AUTO: &str = "auto";

/// The socket's name in its directory.
pub(super) const SOCKET: &str = "twolane.sock";

/// Where the service of the machine has its socket.
const OF_THE_SYSTEM: &str = "/run/twolane";

/// The directory of the store and of run logs.
pub(super) fn state_dir(loaded: &Loaded) -> PathBuf {
    match loaded.settings.daemon.state_dir.as_str() {
        AUTO => default_state_dir(),
        path => loaded.directory.join(path),
    }
}

/// The directory of the store where nobody says otherwise.
fn default_state_dir() -> PathBuf {
    auto(
        "STATE_DIRECTORY",
        "/var/lib/twolane",
        "XDG_STATE_HOME",
        ".local/state",
    )
}

/// The directory of the socket.
pub(super) fn runtime_dir(loaded: &Loaded) -> PathBuf {
    named_runtime_dir(loaded).unwrap_or_else(default_runtime_dir)
}

/// The same where the settings name it.
pub(super) fn named_runtime_dir(loaded: &Loaded) -> Option<PathBuf> {
    match loaded.settings.daemon.runtime_dir.as_str() {
        AUTO => None,
        path => Some(loaded.directory.join(path)),
    }
}

/// The directory of the socket where nobody says otherwise.
pub(super) fn default_runtime_dir() -> PathBuf {
    auto(
        "RUNTIME_DIRECTORY",
        OF_THE_SYSTEM,
        "XDG_RUNTIME_DIR",
        ".local/run",
    )
}

/// The socket of whoever may be asked where nobody says whom: this user's own daemon, or where that has none
/// the machine's.
pub(super) fn default_socket() -> PathBuf {
    let system = PathBuf::from(OF_THE_SYSTEM).join(SOCKET);
    let own = default_runtime_dir().join(SOCKET);
    nearer(own, &default_state_dir(), system)
}

/// This user's own socket, or the machine's where the user has never had a daemon: whoever has one that is
/// down is told so, and does not speak to another one unawares. A socket in a directory that the user may not enter
/// counts as there: that is what the user has to be told.
fn nearer(own: PathBuf, state: &Path, system: PathBuf) -> PathBuf {
    let is_there = |path: &Path| match path.symlink_metadata() {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    };
    if !is_there(&own) && !is_there(state) && is_there(&system) {
        return system;
    }
    own
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn who_has_no_daemon_asks_the_machines() {
        let place = tempfile::tempdir().expect("a directory");
        let (own, system) = (place.path().join("own"), place.path().join("system"));
        let state = place.path().join("state");
        let nearer = || nearer(own.clone(), &state, system.clone());
        assert_eq!(nearer(), own, "none is there");
        fs::write(&system, "").expect("it is made");
        assert_eq!(nearer(), system, "only the machine's is there");
        fs::create_dir(&state).expect("it is made");
        assert_eq!(nearer(), own, "this user's is down");
        fs::write(&own, "").expect("it is made");
        assert_eq!(nearer(), own, "both are there");
    }
}
