//! The disk under the state directory: room, kind, and how long it takes until something is on it. Each
//! answer "accepted" waits for that.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::finding::Finding;
use super::{Patient, nearest};
use crate::clock::Clock;

/// Less room than this is no room for long.
const ROOM: u64 = 1 << 30;

/// Times that the disk is measured; the median says what is usual.
const TIMES: usize = 15;

/// A disk that takes longer makes people wait.
const SLOW: Duration = Duration::from_millis(50);

/// What `statfs` calls file systems that forget, and those where locks and syncs depend on others.
const TMPFS: i64 = 0x0102_1994;
const REMOTE: [(i64, &str); 4] = [
    (0x6969, "NFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x0102_1997, "9p"),
];

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let directory = nearest(&patient.state);
    let mut found = Vec::new();
    match rustix::fs::statfs(directory) {
        Ok(of) => {
            found.push(kind(directory, of.f_type));
            let bytes = of
                .f_bavail
                .saturating_mul(u64::try_from(of.f_bsize).unwrap_or(0));
            found.push(room(bytes, of.f_files > 0 && of.f_ffree < 1000));
        }
        Err(error) => found.push(Finding::unknown(
            "room",
            format!("{} cannot be looked at: {error}", directory.display()),
        )),
    }
    found.push(match measured(directory) {
        Ok(times) => judge(times),
        Err(error) => Finding::unknown(
            "sync",
            format!(
                "nothing can be written in {} to measure it: {error}",
                directory.display()
            ),
        ),
    });
    found
}

fn kind(directory: &Path, magic: i64) -> Finding {
    let place = directory.display();
    let remote = REMOTE.iter().find(|(number, _)| *number == magic);
    if let Some((_, name)) = remote {
        return Finding::wrong(
            "kind",
            format!("{place} is on {name}: locks and syncs there are another machine's"),
            "set `daemon.state_dir` to a disk of this machine",
        );
    }
    if magic == TMPFS {
        return Finding::advice(
            "kind",
            format!("{place} is in memory: what is accepted is gone after a reboot"),
            "set `daemon.state_dir` to a disk",
        );
    }
    Finding::fine("kind", format!("{place} is on a disk of this machine"))
}

fn room(bytes: u64, few_files: bool) -> Finding {
    let what = format!("{} MiB are free", bytes >> 20);
    let cure = "make room, or keep less (`store.keep_for`, `store.keep_bytes`)";
    match bytes {
        _ if few_files => Finding::wrong("room", "there is hardly a file left to be made", cure),
        0..0x0400_0000 => Finding::wrong("room", what, cure),
        0x0400_0000..ROOM => Finding::advice("room", what, cure),
        _ => Finding::fine("room", what),
    }
}

/// How long each of some small writes took until it was on the disk, shortest first.
fn measured(directory: &Path) -> io::Result<Vec<Duration>> {
    let path = directory.join(format!(".doctor-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    // It has no name from here on, so nothing is left whatever happens.
    fs::remove_file(&path)?;
    let clock = Clock::start();
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = clock.mono();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(clock.mono().since(begun));
    }
    times.sort_unstable();
    Ok(times)
}

fn judge(times: Vec<Duration>) -> Finding {
    let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) else {
        return Finding::unknown("sync", "nothing was measured");
    };
    let what = format!("4 KiB are on the disk after {median:.1?} (median), {worst:.1?} at worst");
    if *median < SLOW {
        return Finding::fine("sync", what);
    }
    Finding::advice(
        "sync",
        what,
        "put `daemon.state_dir` on a faster disk: each answer \"accepted\" waits for that",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_disk_is_judged_by_room_kind_and_speed() {
        let verdicts = [
            (room(1 << 20, false), Verdict::Wrong),
            (room(1 << 29, false), Verdict::Advice),
            (room(1 << 40, false), Verdict::Fine),
            (room(1 << 40, true), Verdict::Wrong),
            (kind(Path::new("/x"), 0xEF53), Verdict::Fine),
            (kind(Path::new("/x"), 0x6969), Verdict::Wrong),
            (kind(Path::new("/x"), TMPFS), Verdict::Advice),
            (judge(vec![Duration::from_millis(1); 3]), Verdict::Fine),
            (judge(vec![Duration::from_millis(90); 3]), Verdict::Advice),
            (judge(Vec::new()), Verdict::Unknown),
        ];
        for (finding, expected) in verdicts {
            assert_eq!(finding.verdict, expected, "{finding:?}");
        }
    }

    #[test]
    fn measuring_leaves_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(measured(place.path()).unwrap().len(), TIMES);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
