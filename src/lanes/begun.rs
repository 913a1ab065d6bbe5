//! Which of the attempts that were handed to the lanes have begun, for whoever comes after a crash: a run of which
//! nothing was done is not to count as one that may have brought the daemon down, nor as one that must not be done
//! again.
//!
//! Attempts wait in few lines, in each of which those begin first that were handed over first, and these have the lower
//! numbers. So the highest number that has begun in each line tells enough: where they overtake each other, one more
//! counts as begun. It is written before the attempt begins, to a file that outlives the daemon and not the machine.

use std::fs::{File, OpenOptions, read_to_string, remove_file};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{OFlags, fstatfs};
use rustix::process::geteuid;

use super::lock;
use crate::engine::spec::{JobSpec, Lane, TaskSpec};

/// What the kernel calls its file system in memory (`TMPFS_MAGIC`).
const TMPFS: u64 = 0x0102_1994;

/// Where the kernel says which of its lives this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// How many lines there are.
const LINES: usize = 4;

/// Where an attempt waits until it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// For a process to be made, on the io lane.
    Making,
    /// For a thread for what may block, on the io lane.
    Crew,
    /// For the io lane's runtime alone.
    Io,
    /// For a thread of the cpu lane.
    Cpu,
}

impl Line {
    pub(super) fn of(job: &JobSpec) -> Self {
        let may_block = matches!(job.task, TaskSpec::Call { .. } | TaskSpec::Compute { .. });
        match job.lane {
            Lane::Cpu => Self::Cpu,
            Lane::Io if job.begins_in_lane() => Self::Making,
            Lane::Io if may_block => Self::Crew,
            Lane::Io => Self::Io,
        }
    }
}

/// How far each line has come.
#[derive(Debug)]
pub struct Begun {
    path: PathBuf,
    file: File,
    /// Where the first line's number stands in it.
    first: usize,
    /// The number of the newest start that has begun in each line, or of the newest one that there was when the daemon
    /// began. Written to the file under its lock, so that no lower one comes after a higher one; each has its own, since
    /// who has one may be kept from the cores for long.
    newest: [Mutex<u64>; LINES],
    /// It could not be written to.
    is_lost: AtomicBool,
}

/// Which daemon it is that has begun something, and after which one.
#[derive(Clone, Copy, Debug)]
pub struct Life<'a> {
    /// The name of its store, which is the same for all daemons on it.
    pub name: &'a str,
    /// The number of this daemon among them, from 1 on.
    pub epoch: u64,
    /// The number of the newest record that was there when it began.
    pub newest: u64,
}

impl Begun {
    /// Goes on with the file in `directory`, which is made if there is none. Where it is not from the daemon right before
    /// this one in the same life of the machine, or says something else than what was written there, all that has a
    /// record so far counts as begun.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::Unsupported`] where what is written could be lost though the machine runs
    /// on: only a file system in memory keeps each write for just as long as it does.
    pub fn open(directory: &Path, life: Life<'_>) -> io::Result<Self> {
        let path = directory.join(format!("{}.begun", life.name));
        Self::open_at(&path, life).inspect_err(|_| {
            let _not_there = remove_file(&path);
        })
    }

    fn open_at(path: &Path, life: Life<'_>) -> io::Result<Self> {
        let boot = read_to_string(BOOT)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // Whatever stands there is not waited for.
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(path)?;
        let there = file.metadata()?;
        if !there.is_file() {
            return Err(io::Error::other("something else is in the way"));
        }
        if !u64::try_from(fstatfs(&file)?.f_type).is_ok_and(|kind| kind == TMPFS) {
            let why = "it is not in memory (tmpfs)";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        if there.uid() != geteuid().as_raw() {
            return Err(io::Error::other("it is somebody else's"));
        }
        let before = io::read_to_string(&file).ok();
        let last = head(&boot, life.epoch.saturating_sub(1));
        let before = before.and_then(|text| parse(&text, &last));
        // A number above that is of a start that never came to the disk.
        let most = life.newest;
        let newest = before.map_or([most; LINES], |before| before.map(|n| n.min(most)));
        let lines: String = newest.iter().map(line).collect();
        let head = head(&boot, life.epoch);
        let text = format!("{head}{lines}");
        // At once, so that no half of it is ever there.
        file.write_all_at(text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            first: head.len(),
            newest: newest.map(Mutex::new),
            is_lost: AtomicBool::new(false),
        })
    }

    /// Whether an attempt of this job, whose start has this number, may have begun.
    #[must_use]
    pub fn may_have(&self, job: &JobSpec, number: u64) -> bool {
        number <= *lock(&self.newest[Line::of(job) as usize])
    }

    /// An attempt of this job is about to begin. Costs a call to the system, for a few bytes in memory.
    pub(super) fn mark(&self, job: &JobSpec, number: u64) {
        let place = Line::of(job) as usize;
        let mut newest = lock(&self.newest[place]);
        if number <= *newest || bug!("begun-unmarked") {
            return;
        }
        *newest = number;
        let text = line(&number);
        let at = self.first + place * text.len();
        if let Err(error) = self.file.write_all_at(text.as_bytes(), at as u64) {
            self.give_up(&error);
        }
    }

    /// Without the file all counts as begun after a crash.
    fn give_up(&self, error: &io::Error) {
        let (removed, emptied) = (remove_file(&self.path), self.file.set_len(0));
        if self.is_lost.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!(
            target: "twolane::lanes",
            %error,
            is_gone = removed.is_ok() || emptied.is_ok(),
            "cannot write to {0}. If the daemon is killed, what waits in the lanes counts as begun. hint: if it is not \
             gone, remove it: what it says of what has begun is not true any more", self.path.display()
        );
    }
}

/// What stands before the lines: the life of the machine, the form of what follows, and the daemon.
fn head(boot: &str, epoch: u64) -> String {
    format!("{boot}1 {}", line(&epoch))
}

/// All of the same length, so that each can be written by itself.
fn line(number: &u64) -> String {
    format!("{number:020}\n")
}

/// What was written behind this head; `None` if that is something else.
fn parse(text: &str, head: &str) -> Option<[u64; LINES]> {
    let lines = text.strip_prefix(head)?;
    let numbers: Vec<u64> = lines
        .lines()
        .map(|line| line.parse().ok())
        .collect::<Option<_>>()?;
    let whole: String = numbers.iter().map(line).collect();
    numbers.try_into().ok().filter(|_| whole == lines)
}

#[cfg(test)]
mod tests {
    use std::fs::write;
    use std::time::Duration;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// A directory in memory; `None` where there is none to be had, which is told.
    fn in_memory() -> Option<tempfile::TempDir> {
        let places = ["/dev/shm", "/run"].map(tempfile::tempdir_in);
        let is_in_memory = |place: &tempfile::TempDir| {
            Begun::open_at(&place.path().join("probe"), life(1, 0)).is_ok()
        };
        let place = places.into_iter().flatten().find(is_in_memory);
        if place.is_none() {
            println!(
                "not tested: neither /dev/shm nor /run is in memory (mount -t tmpfs tmpfs /dev/shm)"
            );
        }
        place
    }

    /// One for each line.
    fn jobs() -> [JobSpec; LINES] {
        let compute = || TaskSpec::Compute {
            outer: 1,
            inner: 1,
            report_every: None,
        };
        let duration = Duration::from_secs(1);
        let job = |lane, task| JobSpec::new("a".into(), lane, task);
        let isolated = JobSpec {
            isolate: true,
            ..job(Lane::Io, compute())
        };
        [
            isolated,
            job(Lane::Io, compute()),
            job(Lane::Io, TaskSpec::Sleep { duration }),
            job(Lane::Cpu, compute()),
        ]
    }

    /// What may have begun, of starts 1 to 9 of each line.
    fn begun(marks: &Begun) -> [u64; LINES] {
        jobs().map(|job| {
            (1..10)
                .filter(|number| marks.may_have(&job, *number))
                .count() as u64
        })
    }

    fn life(epoch: u64, newest: u64) -> Life<'static> {
        let name = "me";
        Life {
            name,
            epoch,
            newest,
        }
    }

    #[test]
    fn each_line_is_known_up_to_what_has_begun_in_it_by_who_comes_next() {
        let Some(place) = in_memory() else { return };
        let open = |epoch, newest| Begun::open(place.path(), life(epoch, newest)).unwrap();
        let marks = open(1, 2);
        assert_eq!(
            begun(&marks),
            [2; LINES],
            "of what was before nothing is known"
        );
        for (job, number) in jobs().iter().zip([4, 3, 7, 9]) {
            marks.mark(job, number);
            marks.mark(job, number - 1);
        }
        assert_eq!(begun(&open(2, 9)), [4, 3, 7, 9]);
        assert_eq!(begun(&open(3, 9)), [4, 3, 7, 9]);
    }

    #[test]
    fn what_another_daemon_may_have_begun_since_counts_as_begun() {
        let Some(place) = in_memory() else { return };
        let open = |epoch, newest| Begun::open(place.path(), life(epoch, newest)).unwrap();
        let marks = open(4, 1);
        jobs().iter().for_each(|job| marks.mark(job, 3));
        // The fifth had another directory.
        assert_eq!(begun(&open(6, 8)), [8; LINES]);
        // An older store was put in the place of this one.
        assert_eq!(begun(&open(5, 6)), [6; LINES]);
        // What never came to the disk has no number any more.
        assert_eq!(begun(&open(6, 5)), [5; LINES]);
    }

    #[test]
    fn what_is_not_as_it_was_written_tells_nothing() {
        let Some(place) = in_memory() else { return };
        let path = place.path().join("me.begun");
        let open = || Begun::open(place.path(), life(2, 8));
        drop(Begun::open(place.path(), life(1, 2)).unwrap());
        let whole = read_to_string(&path).unwrap();
        let other_life = whole.replacen('-', "x", 1);
        let cut = &whole[..whole.len() - 1];
        let longer = format!("{whole}{}", line(&2));
        let signed = whole.replace("\n0", "\n+");
        for (text, known) in [
            (&*whole, [2; LINES]),
            (&*other_life, [8; LINES]),
            (cut, [8; LINES]),
            (&*longer, [8; LINES]),
            (&*signed, [8; LINES]),
            ("", [8; LINES]),
        ] {
            write(&path, text).unwrap();
            assert_eq!(begun(&open().unwrap()), known, "{text}");
            let after = read_to_string(&path).unwrap();
            assert_eq!(after.len(), whole.len(), "the next one is told again");
            remove_file(&path).unwrap();
        }
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let error = open().unwrap_err();
        assert!(error.to_string().contains("in the way"), "{error}");
        assert_eq!(begun(&open().unwrap()), [8; LINES], "it is taken away");
    }

    #[test]
    fn what_could_be_lost_is_not_begun_with() {
        let program = std::env::current_exe().unwrap();
        let on_disk = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
        let opened = Begun::open(on_disk.path(), life(1, 8));
        let left = on_disk.path().read_dir().unwrap().count();
        match opened {
            Ok(_) => assert_eq!(left, 1, "it is in memory"),
            Err(error) => {
                assert_eq!((error.kind(), left), (io::ErrorKind::Unsupported, 0));
            }
        }
    }
}
