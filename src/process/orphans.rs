//! Processes whose parents have ended come to this one: takes note of their ends, so that no number
//! stays taken by the dead. Touches no process that somebody in this program has made.

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroI32;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper};

use super::proc;

/// Children that this module's spawner has made and that are waited for elsewhere.
static OWN: Mutex<BTreeSet<NonZeroI32>> = Mutex::new(BTreeSet::new());

pub(super) fn register(pid: Pid) {
    own(|own| own.insert(pid.as_raw_nonzero()));
}

pub(super) fn forget(pid: Pid) {
    own(|own| own.remove(&pid.as_raw_nonzero()));
}

fn own<T>(with: impl FnOnce(&mut BTreeSet<NonZeroI32>) -> T) -> T {
    with(&mut OWN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The adopted processes of this one.
#[derive(Clone, Copy, Debug)]
pub struct Orphans(());

impl Orphans {
    /// Adopts from here on what children of this process leave behind.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn adopt() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        Ok(Self(()))
    }

    /// Takes note of those that have ended. Cheap where there are none.
    pub fn bury(self) {
        bury_all();
    }
}

/// Adopted processes, dead or alive.
pub(super) fn others() -> Vec<Pid> {
    let mut adopted = proc::adopted();
    if !adopted.is_empty() {
        own(|own| adopted.retain(|pid| !own.contains(&pid.as_raw_nonzero())));
        // A child that was made in the usual way by code of this program shares its group. That has no number
        // here if it was made outside of a name space, or by the kernel as the first one.
        let mine = proc::look(getpid()).and_then(|seen| seen.group);
        adopted.retain(|pid| proc::look(*pid).is_some_and(|seen| seen.group != mine));
    }
    adopted
}

/// Adopted processes that somebody has to answer for although they bear no mark: all of them where there is
/// at most one command that could have brought them forth, else none.
pub(super) fn unmarked() -> Vec<Pid> {
    if own(|own| own.len()) > 1 {
        return Vec::new();
    }
    let mut others = others();
    others.retain(|pid| !proc::has_in_environment(*pid, |entry| entry.starts_with(MARKS)));
    others
}

/// What every mark begins with.
const MARKS: &[u8] = b"TWOLANE_";

/// Takes note of the ends of all adopted processes that have ended.
pub(super) fn bury_all() {
    for pid in others() {
        // It may be gone already, or live on; either is fine.
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
    }
}
