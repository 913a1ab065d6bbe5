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
    /// The number of the newest start that has begun in each line, or of the newest one that there was when the daemon
    /// began. Written to the file under the lock, so that no lower one comes after a higher one.
    newest: Mutex<[u64; LINES]>,
}

impl Begun {
    /// Goes on with the file in `directory` of the daemon of this name, which is made if there is none. `newest` is the
    /// number of the newest record: where the file is of another life of the machine, or says something else than what was
    /// written there, all up to that one counts as begun.
    ///
    /// # Errors
    /// What the system says; or that what is written there could be lost though the machine runs on: only a file system
    /// in memory keeps each write for just as long as it does.
    pub fn open(directory: &Path, name: &str, newest: u64) -> io::Result<Self> {
        let boot = read_to_string(BOOT)?;
        let path = directory.join(format!("{name}.begun"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)?;
        if !u64::try_from(fstatfs(&file)?.f_type).is_ok_and(|kind| kind == TMPFS) {
            remove_file(&path)?;
            return Err(io::Error::other("it is not in memory (tmpfs)"));
        }
        if file.metadata()?.uid() != geteuid().as_raw() {
            return Err(io::Error::other("it is somebody else's"));
        }
        let before = io::read_to_string(&file).ok();
        let before = before.and_then(|text| parse(&text, &boot));
        // A number above that is from a store which was another one.
        let newest = before.map_or([newest; LINES], |before| before.map(|n| n.min(newest)));
        let lines: String = newest.iter().map(line).collect();
        // At once, so that no half of it is ever there.
        file.write_all_at(format!("{boot}{lines}").as_bytes(), 0)?;
        let newest = Mutex::new(newest);
        Ok(Self { path, file, newest })
    }

    /// Whether an attempt of this job, whose start has this number, may have begun.
    #[must_use]
    pub fn may_have(&self, job: &JobSpec, number: u64) -> bool {
        number <= lock(&self.newest)[Line::of(job) as usize]
    }

    /// An attempt of this job is about to begin. Costs a call to the system, for a few bytes in memory.
    pub(super) fn mark(&self, job: &JobSpec, number: u64) {
        let place = Line::of(job) as usize;
        let mut newest = lock(&self.newest);
        if number <= newest[place] || bug!("begun-unmarked") {
            return;
        }
        newest[place] = number;
        let at = FIRST + place * line(&number).len();
        if let Err(error) = self.file.write_all_at(line(&number).as_bytes(), at as u64) {
            self.give_up(&mut newest, &error);
        }
    }

    /// Without the file all counts as begun, now and after a crash.
    fn give_up(&self, newest: &mut [u64; LINES], error: &io::Error) {
        *newest = [u64::MAX; LINES];
        let removed = remove_file(&self.path).or_else(|_| self.file.set_len(0));
        tracing::error!(
            target: "twolane::lanes",
            %error,
            was_removed = removed.is_ok(),
            "cannot write to {}: after a crash, what waits in the lanes counts as begun", self.path.display()
        );
    }
}

impl Drop for Begun {
    /// Who leaves in good order has nothing that had not begun.
    fn drop(&mut self) {
        let _gone = remove_file(&self.path);
    }
}

/// The length of what the kernel says of its life, with the end of the line.
const FIRST: usize = 37;

/// All of the same length, so that each can be written by itself.
fn line(number: &u64) -> String {
    format!("{number:020}\n")
}

/// What was written in this life of the machine; `None` if that is something else.
fn parse(text: &str, boot: &str) -> Option<[u64; LINES]> {
    let lines = text.strip_prefix(boot)?;
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

    use super::*;

    /// Every Linux has it, and it is in memory.
    fn in_memory() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").unwrap()
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

    /// What a daemon does that is killed.
    fn kill(marks: Begun) {
        std::mem::forget(marks);
    }

    #[test]
    fn each_line_is_known_up_to_what_has_begun_in_it_by_who_comes_after_a_kill() {
        let place = in_memory();
        let open = |newest| Begun::open(place.path(), "me", newest).unwrap();
        let marks = open(2);
        assert_eq!(
            begun(&marks),
            [2; LINES],
            "of what was before nothing is known"
        );
        for (job, number) in jobs().iter().zip([4, 3, 7, 9]) {
            marks.mark(job, number);
            marks.mark(job, number - 1);
        }
        kill(marks);
        assert_eq!(begun(&open(9)), [4, 3, 7, 9]);
    }

    #[test]
    fn a_store_that_is_another_one_has_no_starts_that_have_begun() {
        let place = in_memory();
        let open = |newest| Begun::open(place.path(), "me", newest).unwrap();
        let marks = open(0);
        jobs().iter().for_each(|job| marks.mark(job, 9));
        kill(marks);
        assert_eq!(begun(&open(5)), [5; LINES]);
    }

    #[test]
    fn what_is_not_as_it_was_written_tells_nothing() {
        let place = in_memory();
        let path = place.path().join("me.begun");
        let open = || Begun::open(place.path(), "me", 8);
        kill(open().unwrap());
        let whole = read_to_string(&path).unwrap();
        let lower = whole.replace("08\n", "02\n");
        let other_life = format!("0{}", &lower[1..]).replacen(&lower[..1], "z", 1);
        let cut = &lower[..lower.len() - 1];
        let longer = format!("{lower}{lower}");
        let signed = lower.replace("\n0", "\n+");
        for (text, known) in [
            (&*lower, [2; LINES]),
            (&*other_life, [8; LINES]),
            (cut, [8; LINES]),
            (&*longer, [8; LINES]),
            (&*signed, [8; LINES]),
            ("", [8; LINES]),
        ] {
            write(&path, text).unwrap();
            let marks = open().unwrap();
            assert_eq!(begun(&marks), known, "{text}");
            kill(marks);
            remove_file(&path).unwrap();
        }
    }

    #[test]
    fn who_leaves_takes_it_away_and_a_disk_has_none() {
        let place = in_memory();
        drop(Begun::open(place.path(), "me", 8).unwrap());
        assert_eq!(place.path().read_dir().unwrap().count(), 0);
        let on_disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let refused = Begun::open(on_disk.path(), "me", 8).unwrap_err();
        assert!(refused.to_string().contains("tmpfs"), "{refused}");
        assert_eq!(on_disk.path().read_dir().unwrap().count(), 0);
    }
}
