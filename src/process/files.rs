//! How many files may be open: many for this process, and for its children as many as it was given itself,
//! since programs that use `select` go wrong with more.

use std::sync::OnceLock;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// What this process was given; empty as long as it has not been raised.
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Raises the soft bound on open files to the hard one. Where that is refused, whatever needs a descriptor
/// too many says so itself.
pub fn raise_open_files() {
    let given = getrlimit(Resource::Nofile);
    if given.current == given.maximum {
        return;
    }
    let raised = Rlimit {
        current: given.maximum,
        ..given
    };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        let _known = GIVEN.set(given);
    }
}

/// The bound that this process was given, for its children; none where it has not been raised.
pub(super) fn given_open_files() -> Option<Rlimit> {
    GIVEN.get().cloned()
}

/// Gives a child the bound that this process was given. It may be gone by then.
pub(super) fn lower_open_files(child: Pid) {
    if let Some(given) = given_open_files() {
        let _ = prlimit(Some(child), Resource::Nofile, given);
    }
}
