//! Control groups: where the kernel itself keeps the processes of a command together, whatever they do, and
//! ends them all at once. Only below a group that was left to this program to divide.

mod bounds;
mod found;
mod memory;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal};

use super::birth::Birth;
use super::order::Manners;
use super::shim;
use super::sweep::{Left, ROUND};

use bounds::PASSED_ON;
pub use bounds::{Controllers, GroupBounds};
pub use memory::Starved;

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
    /// Processes are born in their groups; else the helper moves them there.
    bears: bool,
    controllers: Controllers,
    /// Groups that could not be removed yet: the kernel still had to do with what had ended there.
    full: Mutex<Vec<PathBuf>>,
    /// Groups in which nothing is, and which are as good as new: up to [`EMPTY_BOUND`].
    empty: Mutex<Vec<PathBuf>>,
    /// The name of the next group that is made. None is used twice.
    next: AtomicU64,
}

/// The name of the group in which it is tried whether processes can be born in one; no command's is called so.
const TRIAL: &str = "trial";

/// The part of the group for the scheduler itself: where a group has both processes and groups below it, no
/// controller can be had.
const OWN: &str = "daemon";

impl Groups {
    /// Divides a group: this process goes into one part, and its commands into another one that bears the
    /// name of the scheduler. Tries whether a process can be born there, or put there by the helper.
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
        // In one that was never killed, unlike `runs` where a daemon before this one was ended.
        let trial = runs.join(TRIAL);
        make(&trial)?;
        let bears = bears(&trial, helper);
        remove(&trial);
        let tried = if bears {
            Ok(())
        } else {
            entered(&runs, helper)
        };
        let claimed = tried.and_then(|()| match own {
            Some(own) if own == base => enter_own(&base),
            _ => Ok(()),
        });
        if let Err(why) = claimed {
            remove(&runs);
            return Err(why);
        }
        Ok(Self {
            bears,
            // Only when this process is out of the way: a group with processes passes nothing on.
            controllers: Controllers::pass_on(&base, &runs),
            runs,
            full: Mutex::default(),
            empty: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Where the commands' groups are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.runs
    }

    /// What the kernel can bound for each of them.
    #[must_use]
    pub const fn controllers(&self) -> Controllers {
        self.controllers
    }

    /// A group for one command, with these bounds.
    ///
    /// # Errors
    /// If the kernel gives none, or cannot bound it so.
    pub fn group(self: &Arc<Self>, bounds: &GroupBounds) -> io::Result<Group> {
        let group = |path| Group {
            groups: Arc::clone(self),
            path,
            is_bounded: !bounds.is_none(),
            is_killed: AtomicBool::new(false),
        };
        // One with bounds counts what happens at them from zero on.
        if bounds.is_none()
            && let Some(path) = lock(&self.empty).pop()
        {
            return Ok(group(path));
        }
        let path = loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.runs.join(number.to_string());
            match fs::create_dir(&path) {
                Ok(()) => break path,
                // An earlier daemon left a process there that does not end.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let group = group(path);
        bounds.set(&group.path)?;
        Ok(group)
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
}

impl Drop for Groups {
    fn drop(&mut self) {
        remove(&self.runs);
    }
}

/// Empty groups that are kept for commands to come. To take a group away keeps the kernel busy for longer than
/// a short command takes, and meanwhile nothing is born in any other; each that is kept costs it a few
/// kilobytes.
const EMPTY_BOUND: usize = 256;

/// Writing here kills all in a group and below it.
const KILL: &str = "cgroup.kill";

/// Whether anything lives in a group, and whether it is frozen.
const EVENTS: &str = "cgroup.events";

/// What is in a group; writing a number here puts a process into it.
pub(super) const PROCESSES: &str = "cgroup.procs";

/// The group of one command. Whatever is in it is killed when this is dropped, and the group is another
/// command's or removed.
#[derive(Debug)]
pub struct Group {
    groups: Arc<Groups>,
    path: PathBuf,
    is_bounded: bool,
    /// It was killed, or may have been. Kernels from 6.14 on end whatever is born in such a group from then on, since
    /// they look whether its maker's group was killed as often.
    is_killed: AtomicBool,
}

impl Group {
    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether processes are born in it; else they have to be moved there.
    pub(super) fn bears(&self) -> bool {
        self.groups.bears
    }

    /// Its directory, as a place to be born in.
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        open(&self.path)
    }

    /// What became of its processes for want of memory.
    #[must_use]
    pub fn starved(&self) -> Option<Starved> {
        memory::starved(&self.path)
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
        self.spoil();
        let _ = fs::write(self.path.join(KILL), "1");
        living
    }

    /// Has it be no other command's: it may have been killed, by whoever did that.
    pub(super) fn spoil(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
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
        let path = std::mem::take(&mut self.path);
        if is_populated(&path) {
            let _ = fs::write(path.join(KILL), "1");
        } else if !self.is_bounded && !*self.is_killed.get_mut() && is_as_new(&path) {
            let mut empty = lock(&self.groups.empty);
            if empty.len() < EMPTY_BOUND {
                empty.push(path);
                return;
            }
        }
        let mut full = std::mem::take(&mut *lock(&self.groups.full));
        full.push(path);
        full.retain(|path| !remove(path));
        lock(&self.groups.full).append(&mut full);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        .args(shim::to_arrange(&manners))
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

/// Whether a process can be born in this group, tried with one.
fn bears(path: &Path, helper: &Path) -> bool {
    let born = || {
        let nothing = OwnedFd::from(
            fs::File::options()
                .read(true)
                .write(true)
                .open("/dev/null")?,
        );
        let birth = Birth {
            program: helper,
            words: &["twolane".into(), "--version".into()],
            environment: &[],
            directory: Path::new("/"),
            streams: [&nothing; 3],
            group: Some(&open(path)?),
            open_files: None,
            leads: true,
        };
        let born = birth.bear()?;
        // Nothing else makes children so early on.
        let ended = rustix::process::waitpid(Some(born.pid), WaitOptions::empty())?;
        io::Result::Ok(ended.is_some_and(|(_, status)| status.exit_status() == Some(0)))
    };
    born().unwrap_or(false)
}

/// The directory of a group, as a place to be born in.
fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
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
    let events = fs::read_to_string(path.join(EVENTS));
    events.is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
}

/// Whether a group is as good as one just made. A command of the daemon's own user may have divided or frozen it,
/// as containers do.
fn is_as_new(path: &Path) -> bool {
    let read = |file| fs::read_to_string(path.join(file));
    let is_calm = |events: String| events.lines().all(|line| line.ends_with(" 0"));
    read(EVENTS).is_ok_and(is_calm)
        && read(PASSED_ON).is_ok_and(|passed_on| passed_on.trim().is_empty())
        && below(path).is_empty()
        && memory::starved(path).is_none()
}

/// Waits until what lives in a group or below it has changed, for about [`ROUND`].
fn wait_for_change(path: &Path) {
    let limit = Timespec::try_from(ROUND).ok();
    if let Ok(events) = fs::File::open(path.join(EVENTS)) {
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
