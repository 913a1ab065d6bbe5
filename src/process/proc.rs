//! What `/proc` says of processes. Any of them may be gone by the time that somebody looks.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroI32;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Pid;

/// A process as it stood when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pid: Pid,
    pub(super) parent: Option<Pid>,
    pub(super) group: Option<Pid>,
    pub(super) session: Option<Pid>,
    /// It has ended, and somebody has to take note of that.
    pub(super) is_dead: bool,
    /// When it began, in ticks since the machine started: with its number this is one process for ever.
    pub(super) began: u64,
}

impl Seen {
    pub(super) const fn number(&self) -> NonZeroI32 {
        self.pid.as_raw_nonzero()
    }

    pub(super) fn parent_number(&self) -> Option<NonZeroI32> {
        self.parent.map(Pid::as_raw_nonzero)
    }
}

/// A process, if there is one of this number.
pub(super) fn look(pid: Pid) -> Option<Seen> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    told_by(pid, &stat)
}

/// What a line of `stat` says of a process.
fn told_by(pid: Pid, stat: &[u8]) -> Option<Seen> {
    // The name stands in parentheses and may hold anything: parentheses, and bytes that are no text.
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(&stat[name_ends + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Of one that is just being buried, the kernel says that its group and its session are -1.
    let is_one = |number: &i32| *number > 0 || bug!("buried-group");
    let number = |at: usize| Pid::from_raw(fields.get(at)?.parse().ok().filter(is_one)?);
    Some(Seen {
        pid,
        parent: number(1),
        group: number(2),
        session: number(3),
        is_dead: matches!(fields.first(), Some(&("Z" | "X"))),
        began: fields.get(19)?.parse().ok()?,
    })
}

/// For how long the first thread of a process has been ready to compute while others did; zero where there is
/// nothing to be known.
pub(super) fn delayed(pid: Pid) -> Duration {
    let schedstat = fs::read_to_string(format!("/proc/{}/schedstat", pid.as_raw_nonzero()));
    waits_in(&schedstat.unwrap_or_default())
}

/// The same of the calling thread.
#[must_use]
pub fn thread_delayed() -> Duration {
    waits_in(&fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default())
}

/// The second number of such a file: nanoseconds in line for a processor.
fn waits_in(schedstat: &str) -> Duration {
    let nanos = schedstat.split_ascii_whitespace().nth(1);
    Duration::from_nanos(nanos.and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// All processes.
pub(super) fn all() -> Vec<Seen> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter_map(look)
        .collect()
}

/// Whether the environment that a process began with has this entry. `false` too of one that may not be
/// looked into, or is dead.
pub(super) fn has_in_environment(pid: Pid, entry: impl Fn(&[u8]) -> bool) -> bool {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
    environment.is_ok_and(|all| all.split(|byte| *byte == 0).any(entry))
}

/// What has come of a process, as long as the parents between them live; nothing from a kernel without these lists.
pub(super) fn descendants(root: Pid) -> Vec<Seen> {
    let mut found: Vec<Seen> = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        let threads = fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
        for thread in threads.into_iter().flatten().flatten() {
            let list = fs::read(thread.path().join("children")).unwrap_or_default();
            for child in numbers(&list).filter_map(look) {
                if found.iter().all(|known| known.pid != child.pid) {
                    found.push(child);
                    next.push(child.pid);
                }
            }
        }
    }
    found
}

/// The processes of such a list.
fn numbers(list: &[u8]) -> impl Iterator<Item = Pid> {
    list.split(|byte| !byte.is_ascii_digit())
        .filter_map(|word| Pid::from_raw(str::from_utf8(word).ok()?.parse().ok()?))
}

/// The processes that this one has adopted: those whose parents have ended, while it is their subreaper.
/// The kernel gives them to the main thread.
pub(super) fn adopted() -> Vec<Pid> {
    match children() {
        Ok(list) => numbers(&list).collect(),
        // A kernel that was built without that list.
        Err(_) => {
            let me = rustix::process::getpid();
            let mine = |seen: &Seen| seen.parent == Some(me);
            let all = all().into_iter();
            all.filter(mine).map(|seen| seen.pid).collect()
        }
    }
}

/// The list of the main thread's children, which is looked at after each command: so it stays open, and
/// where there are none one read says so.
fn children() -> io::Result<Vec<u8>> {
    static LIST: OnceLock<File> = OnceLock::new();
    let list = match LIST.get() {
        Some(list) => list,
        None => {
            let own = rustix::process::getpid().as_raw_nonzero();
            let opened = File::open(format!("/proc/{own}/task/{own}/children"))?;
            LIST.get_or_init(|| opened)
        }
    };
    let mut text = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        match list.read_at(&mut chunk, text.len() as u64) {
            Ok(0) => return Ok(text),
            Ok(read) => text.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_in_a_line_is_a_process_or_none() {
        let pid = Pid::from_raw(7).unwrap();
        let told = |line: &str| told_by(pid, line.as_bytes());
        let of = |state, group: &str, session: &str| {
            told(&format!(
                "7 (a) b) {state} 3 {group} {session} 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 99 0"
            ))
        };
        let lives = of("S", "5", "6").unwrap();
        let numbers =
            [lives.parent, lives.group, lives.session].map(|of| of.map(Pid::as_raw_nonzero));
        assert_eq!(
            (numbers, lives.is_dead, lives.began),
            ([3, 5, 6].map(NonZeroI32::new), false, 99)
        );
        // It is just being buried: found by a start beside others that ended.
        let gone = of("Z", "-1", "-1").unwrap();
        assert_eq!((gone.group, gone.session, gone.is_dead), (None, None, true));
        for broken in ["", "7", "7 (a", "7 (a) S", "7 (a) S x y z"] {
            assert_eq!(told(broken), None);
        }
    }
}
