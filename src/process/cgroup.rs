//! Control groups: where the kernel itself keeps the processes of a command together, whatever they do, and
//! ends them all at once. Only below a group that was left to this program to divide.

mod found;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::order::Manners;
use super::shim;
use super::sweep::{Left, ROUND};

/// Which group is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupsIn {
    /// The one that this process is in, if systemd has left it to the service (`Delegate=yes`).
    Own,
    /// This one: a directory of a cgroup2 file system.
    Directory(PathBuf),
}

/// Why there are no groups.
#[derive(Debug, thiserror::Error)]
pub enum NoGroups {
    /// Nobody has left the group that this process is in to it.
    #[error("its control group is not its own to divide (`Delegate=yes` of a service says so)")]
    NotDelegated,
    /// The kernel cannot kill a group.
    #[error("{} has no `cgroup.kill`: it is no cgroup2, or the kernel is older than 5.14", .0.display())]
    NoKill(PathBuf),
    /// A process cannot be put into it.
    #[error("no process can be put into {}: {why}", .path.display())]
    NoEntry {
        /// The group.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file system refuses it.
    #[error("cannot divide the control group: {}: {source}", .path.display())]
    Refused {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The groups of one scheduler's commands, below one that is its own.
#[derive(Debug)]
pub struct Groups {
    /// `runs-INSTANCE`; each command's is below it.
    runs: PathBuf,
    /// Groups that could not be removed yet: the kernel still had to do with what had ended there.
    full: Mutex<Vec<PathBuf>>,
    /// The name of the next command's group. None is used twice, so that nobody ends what is another's.
    next: AtomicU64,
}

/// The part of the group for the scheduler itself: where a group has both processes and groups below it, no
/// controller can be had.
const OWN: &str = "daemon";

impl Groups {
    /// Divides a group: this process goes into one part, and its commands into another one that bears the
    /// name of the scheduler. Tries whether a process can be put there, with the helper that will do it.
    ///
    /// # Errors
    /// [`NoGroups`]; then everything is as it was.
    pub fn claim(which: &GroupsIn, instance: &str, helper: &Path) -> Result<Self, NoGroups> {
        let own = found::own();
        let base = match which {
            GroupsIn::Directory(path) => path.clone(),
            GroupsIn::Own => own
                .as_deref()
                .and_then(found::delegated)
                .ok_or(NoGroups::NotDelegated)?
                .to_owned(),
        };
        let runs = base.join(format!("runs-{instance}"));
        make(&runs)?;
        let claimed = entered(&runs, helper).and_then(|()| match own {
            Some(own) if own == base => enter_own(&base),
            _ => Ok(()),
        });
        if let Err(why) = claimed {
            remove(&runs);
            return Err(why);
        }
        Ok(Self {
            runs,
            full: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Where the commands' groups are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.runs
    }

    /// A group for one command of an attempt, whose name is that of a file.
    ///
    /// # Errors
    /// If the kernel gives none.
    pub fn group(self: &Arc<Self>, attempt: &str) -> io::Result<Group> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.runs.join(attempt).join(number.to_string());
        // A command of the same attempt that ends takes the group above with it when that is empty.
        for _ in 0..TRIES {
            match fs::create_dir_all(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    let groups = Arc::clone(self);
                    return Ok(Group { groups, path });
                }
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Kills whatever is in any of the groups, and removes them; in up to `rounds` rounds of a fifth of a second.
    #[must_use]
    pub fn end_all(&self, rounds: usize) -> Left {
        let found = processes(&self.runs);
        if !found.is_empty() {
            let _ = fs::write(self.runs.join(KILL), "1");
            for _ in 0..rounds {
                if !is_populated(&self.runs) {
                    break;
                }
                wait_for_change(&self.runs);
            }
        }
        for below in below(&self.runs) {
            remove(&below);
        }
        let left = processes(&self.runs);
        Left {
            ended: found.len() - left.len().min(found.len()),
            stubborn: left
                .into_iter()
                .map(|pid| pid.as_raw_nonzero().get())
                .collect(),
        }
    }

    fn full(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        remove(&self.runs);
    }
}

/// Tries of making a group whose parent is removed meanwhile.
const TRIES: usize = 100;

/// Writing here kills all in a group and below it.
const KILL: &str = "cgroup.kill";

/// What is in a group; writing a number here puts a process into it.
pub(super) const PROCESSES: &str = "cgroup.procs";

/// The group of one command. Whatever is in it is killed when this is dropped, and the group removed.
#[derive(Debug)]
pub struct Group {
    groups: Arc<Groups>,
    path: PathBuf,
}

impl Group {
    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many processes live in it.
    pub(super) fn living(&self) -> usize {
        if is_populated(&self.path) {
            processes(&self.path).len()
        } else {
            0
        }
    }

    /// Kills all that is in it at once; nothing can be born meanwhile. How many there were.
    pub(super) fn kill(&self) -> usize {
        let living = self.living();
        let _ = fs::write(self.path.join(KILL), "1");
        living
    }

    /// Sends a signal to all in it of which `wanted` is true; how many are in it.
    pub(super) fn signal(&self, signal: Signal, wanted: impl Fn(Pid) -> bool) -> usize {
        let members = processes(&self.path);
        for pid in members.iter().filter(|pid| wanted(**pid)) {
            // The descriptor stays with its process, and another one of that number is no member.
            if let Ok(pidfd) = pidfd_open(*pid, PidfdFlags::empty())
                && found::is_below(*pid, &self.path)
            {
                let _ = pidfd_send_signal(pidfd, signal);
            }
        }
        members.len()
    }
}

impl Drop for Group {
    /// The kernel may hold on to what has just ended, so that the group cannot be removed yet; then that is
    /// tried again with the next one.
    fn drop(&mut self) {
        if is_populated(&self.path) {
            self.kill();
        }
        let mut full = std::mem::take(&mut *self.groups.full());
        full.push(self.path.clone());
        full.retain(|path| !remove(path));
        // That of the attempt, unless another command of it has a part there.
        let _ = self.path.parent().map(fs::remove_dir);
        self.groups.full().append(&mut full);
    }
}

/// Makes a group, which may be there.
fn make(path: &Path) -> Result<(), NoGroups> {
    match fs::create_dir(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(NoGroups::Refused {
            path: path.to_owned(),
            source,
        }),
        Ok(()) | Err(_) if path.join(KILL).exists() => Ok(()),
        Ok(()) | Err(_) => Err(NoGroups::NoKill(path.to_owned())),
    }
}

/// Whether a process gets into this group, tried with one.
fn entered(path: &Path, helper: &Path) -> Result<(), NoGroups> {
    let failed = |why: String| NoGroups::NoEntry {
        path: path.to_owned(),
        why,
    };
    let manners = Manners {
        group: Some(path.to_owned()),
        ..Manners::default()
    };
    let mut command = Command::new(helper);
    command
        .args(shim::words(&manners))
        .args([helper, Path::new("twolane"), Path::new("--version")])
        .stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

/// Puts this process into the part of its group that is for itself.
fn enter_own(base: &Path) -> Result<(), NoGroups> {
    let own = base.join(OWN);
    make(&own)?;
    let path = own.join(PROCESSES);
    fs::write(&path, "0").map_err(|source| NoGroups::Refused { path, source })
}

/// Whether anything lives in a group or below it.
fn is_populated(path: &Path) -> bool {
    let events = fs::read_to_string(path.join("cgroup.events"));
    events.is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
}

/// Waits until what lives in a group or below it has changed, for about [`ROUND`].
fn wait_for_change(path: &Path) {
    let limit = Timespec::try_from(ROUND).ok();
    if let Ok(events) = fs::File::open(path.join("cgroup.events")) {
        // Only who has read it is told of a change.
        let _ = io::read_to_string(&events);
        if is_populated(path) {
            let _ = poll(&mut [PollFd::new(&events, PollFlags::PRI)], limit.as_ref());
        }
    }
}

/// The groups just below one.
fn below(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let is_group = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_group).map(|entry| entry.path()).collect()
}

/// The processes in a group and below it, without those that are dead.
fn processes(path: &Path) -> Vec<Pid> {
    let own = fs::read_to_string(path.join(PROCESSES)).unwrap_or_default();
    let own = own
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?));
    let mut all: Vec<Pid> = own.collect();
    all.extend(below(path).iter().flat_map(|path| processes(path)));
    all
}

/// Removes a group with all below it; whether it is gone.
fn remove(path: &Path) -> bool {
    for below in below(path) {
        remove(&below);
    }
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
