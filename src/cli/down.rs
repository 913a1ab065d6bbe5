//! `twolane drain` and `twolane stop`: the daemon leaves.

use super::Exit;
use super::out::Out;
use super::remote::{Remote, failed};

/// Has the daemon leave when nothing runs any more, however long that takes.
pub(super) fn drain(remote: &Remote, out: &mut Out) -> Exit {
    match remote.client.tell("/drain") {
        Ok(()) => out.line(format_args!(
            "nothing starts any more; the daemon leaves when nothing runs"
        )),
        Err(error) => failed(&error),
    }
}

/// Has the daemon leave as on SIGTERM.
pub(super) fn stop(remote: &Remote, out: &mut Out) -> Exit {
    match remote.client.tell("/stop") {
        Ok(()) => out.line(format_args!(
            "the daemon is leaving: what runs has its drain timeout, and what waits goes on when it is \
             back; saying it again ends it at once"
        )),
        Err(error) => failed(&error),
    }
}
