//! Finds what a command has left behind or brought forth, wherever that went: by its group and session,
//! by its parents, and by the mark in its environment.

use std::collections::BTreeSet;
use std::num::NonZeroI32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, kill_process_group, pidfd_open, pidfd_send_signal,
};

use super::cgroup::{Group, Starved};
use super::orphans;
use super::proc::{self, Seen};

/// A command with all that came of it.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Pid,
    /// `NAME=VALUE` as it stands in the environment of all of them, unless one has cleaned that.
    mark: Vec<u8>,
    /// Where all of them are, if there is one: then they need not be looked for.
    group: Option<Arc<Group>>,
    /// Those of them that were seen outside of its process group, by number and beginning.
    strays: Vec<Stray>,
}

/// A process, by its number and its beginning.
type Stray = (NonZeroI32, u64);

impl Tree {
    /// The tree of a child that leads a group of its own and bears this mark.
    #[must_use]
    pub fn of(root: Pid, mark: impl Into<Vec<u8>>) -> Self {
        Self {
            root,
            mark: mark.into(),
            group: None,
            strays: Vec::new(),
        }
    }

    /// The same in a control group, which goes with the last of what this returns.
    #[must_use]
    pub fn within(self, group: Option<Group>) -> Self {
        Self {
            group: group.map(Arc::new),
            ..self
        }
    }

    /// Whether it is in a control group, which takes a moment to be removed.
    #[must_use]
    pub const fn has_group(&self) -> bool {
        self.group.is_some()
    }

    /// Has its control group be no other command's after it: it ended as if that had been killed.
    pub fn spoil_group(&self) {
        if let Some(group) = &self.group {
            group.spoil();
        }
    }

    /// What became of it for want of memory, where its control group tells that.
    #[must_use]
    pub fn starved(&self) -> Option<Starved> {
        self.group.as_ref()?.starved()
    }

    /// The same, having looked for those that have left the process group. To be done before the command is asked to
    /// end: when it has, nobody may be left to tell whose they are. Of no use where there is a control group.
    #[must_use]
    pub fn with_strays(mut self) -> Self {
        if !bug!("strays-forgotten") {
            let all = proc::descendants(self.root).into_iter();
            let strays = all.filter(|seen| seen.group != Some(self.root));
            self.strays = strays.map(|seen| (seen.number(), seen.began)).collect();
        }
        self
    }

    /// Sends a signal to the group of the command, which reaches all that did not leave it.
    pub fn signal_group(&self, signal: Signal) {
        let _ = kill_process_group(self.root, signal);
    }

    /// Sends a signal to every living process of the tree; how many there were.
    pub fn signal_all(&self, signal: Signal) -> usize {
        self.signal_group(signal);
        if let Some(group) = &self.group {
            let elsewhere = |pid| proc::look(pid).is_none_or(|seen| seen.group != Some(self.root));
            return match signal {
                Signal::KILL => group.kill(),
                _ => group.signal(signal, elsewhere),
            };
        }
        let members = self.members(&proc::all());
        let elsewhere = |member: &&Seen| member.group != Some(self.root);
        for member in members.iter().filter(elsewhere) {
            self.send(member, signal);
        }
        members.len()
    }

    /// Whether there is anything that a command may have left behind. Cheap.
    #[must_use]
    pub fn may_have_left(&self) -> bool {
        match &self.group {
            Some(group) => group.living() > 0,
            None => !orphans::others().is_empty(),
        }
    }

    /// What is left of the tree after the command itself has ended; takes note of the ends of those
    /// that died. Cheap where nothing is left.
    #[must_use]
    pub fn left(&self) -> usize {
        if orphans::others().is_empty() && self.group.is_none() {
            return 0;
        }
        let left = match &self.group {
            Some(group) => group.living(),
            None => self.members(&proc::all()).len(),
        };
        // After the look: whoever is dead in it is buried, and not only who had died before it.
        orphans::bury_all();
        left
    }

    fn send(&self, member: &Seen, signal: Signal) {
        // The descriptor stays with the process that was found; another one of its number is left alone.
        if let Ok(pidfd) = pidfd_open(member.pid, PidfdFlags::empty())
            && proc::look(member.pid).is_some_and(|seen| seen.began == member.began)
        {
            let _ = pidfd_send_signal(pidfd, signal);
        }
    }

    fn members(&self, all: &[Seen]) -> Vec<Seen> {
        let unmarked = orphans::unmarked();
        let belongs = |seen: &Seen| {
            if bug!("group-kill-only") {
                return seen.group == Some(self.root);
            }
            unmarked.contains(&seen.pid)
                || seen.group == Some(self.root)
                || seen.session == Some(self.root)
                || self.strays.contains(&(seen.number(), seen.began))
                || proc::has_in_environment(seen.pid, |entry| entry == self.mark)
        };
        with_descendants(all, belongs)
    }
}

/// Those that `belongs` is true of, and all that came of them; living ones, and never this process.
fn with_descendants(all: &[Seen], belongs: impl Fn(&Seen) -> bool) -> Vec<Seen> {
    let me = getpid();
    let above = ancestors(all, me);
    let mut found: BTreeSet<NonZeroI32> = all
        .iter()
        .filter(|seen| !seen.is_dead && !above.contains(&seen.number()) && belongs(seen))
        .map(Seen::number)
        .collect();
    loop {
        let before = found.len();
        for seen in all {
            if seen
                .parent_number()
                .is_some_and(|parent| found.contains(&parent))
                && !seen.is_dead
            {
                found.insert(seen.number());
            }
        }
        if found.len() == before {
            break;
        }
    }
    all.iter()
        .filter(|seen| found.contains(&seen.number()))
        .copied()
        .collect()
}

/// This process and all above it: one may have been started by a job.
fn ancestors(all: &[Seen], me: Pid) -> BTreeSet<NonZeroI32> {
    let mut at = Some(me.as_raw_nonzero());
    let mut above: BTreeSet<NonZeroI32> = at.into_iter().collect();
    while let Some(pid) = at {
        at = all
            .iter()
            .find(|seen| seen.number() == pid)
            .and_then(Seen::parent_number);
        if at.is_some_and(|parent| !above.insert(parent)) {
            break;
        }
    }
    above
}

/// Waits until all of them have ended, for about [`ROUND`]. Whether they did is looked at afterwards.
fn wait_for(mut pidfds: Vec<OwnedFd>) {
    for _ in 0..STEPS {
        let mut ears: Vec<PollFd<'_>> = pidfds
            .iter()
            .map(|pidfd| PollFd::new(pidfd, PollFlags::IN))
            .collect();
        let limit = Timespec::try_from(ROUND / STEPS).ok();
        let _ = poll(&mut ears, limit.as_ref());
        let mut ended = ears
            .iter()
            .map(|ear| !ear.revents().is_empty())
            .collect::<Vec<_>>()
            .into_iter();
        pidfds.retain(|_| !ended.next().unwrap_or(false));
        if pidfds.is_empty() {
            return;
        }
    }
}

/// What came of ending what was left of an earlier life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Processes that were ended.
    pub ended: usize,
    /// The numbers of those that would not end.
    pub stubborn: Vec<i32>,
}

/// How long a round waits for what it has ended.
pub(super) const ROUND: Duration = Duration::from_millis(200);

/// Looks at what still lives in a round.
const STEPS: u32 = 20;

/// Kills every process with an entry in its environment that begins with `mark`, and all that came of it;
/// in up to `rounds` rounds, since something may start more while it is looked for.
#[must_use]
pub fn end_marked(mark: &str, rounds: usize) -> Left {
    let marked = |seen: &Seen| {
        proc::has_in_environment(seen.pid, |entry| entry.starts_with(mark.as_bytes()))
    };
    let mut ended = BTreeSet::new();
    let mut left = Vec::new();
    for _ in 0..rounds {
        // With no command under way, whatever was adopted without a mark was brought forth by one.
        let unmarked = orphans::unmarked();
        let marked = |seen: &Seen| unmarked.contains(&seen.pid) || marked(seen);
        left = with_descendants(&proc::all(), marked);
        if left.is_empty() {
            break;
        }
        let pidfds: Vec<_> = left
            .iter()
            .filter_map(|seen| {
                let pidfd = pidfd_open(seen.pid, PidfdFlags::empty()).ok()?;
                let same = proc::look(seen.pid).is_some_and(|again| again.began == seen.began);
                (same && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()).then_some(pidfd)
            })
            .collect();
        ended.extend(left.iter().map(|seen| (seen.number(), seen.began)));
        wait_for(pidfds);
        left = with_descendants(&proc::all(), marked);
        orphans::bury_all();
    }
    Left {
        ended: ended.len() - left.len().min(ended.len()),
        stubborn: left.iter().map(|seen| seen.number().get()).collect(),
    }
}
