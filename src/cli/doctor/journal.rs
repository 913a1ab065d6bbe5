//! Where the daemon's log goes.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::Patient;
use super::finding::Finding;

const SOCKET: &str = "/run/systemd/journal/socket";
const KEPT: &str = "/var/log/journal";

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let log = &patient.loaded.settings.log;
    let mut found = Vec::new();
    let reached = UnixDatagram::unbound().and_then(|socket| socket.connect(SOCKET));
    match reached {
        Ok(()) => found.push(Finding::fine(
            "socket",
            format!("journald listens on {SOCKET}"),
        )),
        Err(error) if log.format == crate::config::LogFormat::Journal => {
            found.push(Finding::wrong(
                "socket",
                format!("`log.format` is \"journal\", and {SOCKET} cannot be reached: {error}"),
                "systemctl start systemd-journald, or set `log.format` to \"text\"",
            ));
        }
        Err(error) => {
            found.push(Finding::unknown(
                "socket",
                format!("no journal on {SOCKET}: {error}"),
            ));
            return found;
        }
    }
    found.push(if Path::new(KEPT).is_dir() {
        Finding::fine("kept", format!("the journal is kept in {KEPT}"))
    } else {
        Finding::advice(
            "kept",
            "the journal is gone after a reboot (what runs have printed is not: `twolane logs`)",
            format!("mkdir {KEPT} && systemctl restart systemd-journald"),
        )
    });
    found
}
