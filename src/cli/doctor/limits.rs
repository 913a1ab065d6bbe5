//! How much of the machine the daemon may have: open files, processes, memory.

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use super::{Patient, kernel, kernel_number};
use crate::cli::printed::printed;

/// Files that are open beside those of attempts: the store, the log, sockets.
const OWN_FILES: u64 = 200;

/// What an attempt of a command has open: two pipes, both ends of each, and what tells of its end.
const FILES_EACH: u64 = 5;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let attempts = u64::from(patient.loaded.settings.lanes.io.concurrency);
    vec![files(attempts), all_files(attempts), processes(attempts)]
}

/// Of the daemon, where systemd runs one; else of this process, whose bound may be another one.
fn files(attempts: u64) -> Finding {
    let show = ["show", "twolane.service", "-p", "MainPID", "--value"];
    let main = printed("systemctl", &show).filter(|pid| pid != "0");
    let limits = main.and_then(|pid| kernel(&format!("/proc/{pid}/limits")));
    let (hard, whose) = match limits.as_deref().and_then(hard_of) {
        Some(hard) => (hard, "by the daemon"),
        None => (
            getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
            "from here",
        ),
    };
    judge_files(hard, whose, attempts)
}

/// The hard bound on open files in what the kernel says of a process; the greatest number where there is none.
fn hard_of(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn judge_files(hard: u64, whose: &str, attempts: u64) -> Finding {
    let needed = OWN_FILES + FILES_EACH * attempts;
    if hard == u64::MAX {
        return Finding::fine("files", format!("any number of files may be open {whose}"));
    }
    let what = format!("{hard} files may be open {whose}");
    if hard >= needed {
        return Finding::fine("files", what);
    }
    Finding::advice(
        "files",
        format!("{what}, and {attempts} commands at once (`lanes.io.concurrency`) need {needed}"),
        "LimitNOFILE=1024:65536 in the unit, as the package has it, or a smaller `lanes.io.concurrency`",
    )
}

fn all_files(attempts: u64) -> Finding {
    let needed = OWN_FILES + FILES_EACH * attempts;
    match kernel_number("/proc/sys/fs/file-max") {
        None => Finding::unknown("file-max", "/proc/sys/fs/file-max cannot be read"),
        Some(all) if all < needed => Finding::wrong(
            "file-max",
            format!("the whole machine may open {all} files"),
            format!("sysctl fs.file-max={}", needed * 2),
        ),
        Some(_) => Finding::fine("file-max", "the machine has files enough"),
    }
}

fn processes(attempts: u64) -> Finding {
    let bounds = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"];
    match bounds.into_iter().filter_map(kernel_number).min() {
        None => Finding::unknown("processes", "the kernel does not say how many there may be"),
        Some(most) if most < 2 * attempts => Finding::advice(
            "processes",
            format!(
                "the machine may have {most} processes and threads, for {attempts} attempts at once"
            ),
            "sysctl kernel.pid_max=4194304 kernel.threads-max=1000000, or a smaller `lanes.io.concurrency`",
        ),
        Some(most) => Finding::fine("processes", format!("{most} processes and threads at most")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn files_are_counted_for_all_attempts_at_once() {
        for (hard, attempts, expected) in [
            (65_536, 10_000, Verdict::Fine),
            (1024, 10_000, Verdict::Advice),
            (40_000, 10_000, Verdict::Advice),
            (1024, 160, Verdict::Fine),
        ] {
            assert_eq!(
                judge_files(hard, "from here", attempts).verdict,
                expected,
                "{hard} {attempts}"
            );
        }
    }

    #[test]
    fn the_hard_bound_of_a_process_is_read() {
        let told =
            |hard| format!("Limit  Soft  Hard  Units\nMax open files   1024   {hard}   files\n");
        let cases = [
            ("65536", Some(65_536)),
            ("unlimited", Some(u64::MAX)),
            ("x", None),
        ];
        for (hard, expected) in cases {
            assert_eq!(hard_of(&told(hard)), expected, "{hard}");
        }
        assert_eq!(hard_of("Max processes 1 2 processes"), None);
    }
}
