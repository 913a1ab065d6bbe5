//! The end of a child: waited for without a thread, with what it has used.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::Pid;

use super::proc;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

/// What a child has used, with those of its children that it has waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time, its own and the kernel's on its behalf.
    pub cpu: Duration,
    /// For how long it could have computed and others did; its first thread alone, and zero where the kernel
    /// does not tell or was not asked.
    pub delayed: Duration,
    /// The most memory that it had at a time, in bytes; `None` where that was less than this process has
    /// had, since what is made in the fast way counts that as its own.
    pub memory: Option<u64>,
}

/// Takes note of the end of a child of this process; `None` if it has not ended. To be called until it
/// has said so once, and never again: the number may be another's then.
#[expect(unsafe_code, reason = "no crate has a safe call for wait4")]
pub(super) fn take(pid: Pid, with_delay: bool) -> io::Result<Option<(Ending, Usage)>> {
    // Told of the dead, too, until somebody takes note of their end.
    let delayed = if with_delay {
        proc::delayed(pid)
    } else {
        Duration::ZERO
    };
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both places are valid for writes, and `rusage` is plain numbers, for which zeroes will do.
    let (got, usage) = unsafe {
        let raw = pid.as_raw_nonzero().get();
        let got = libc::wait4(raw, &raw mut status, libc::WNOHANG, usage.as_mut_ptr());
        (got, usage.assume_init())
    };
    match got {
        0 => Ok(None),
        n if n < 0 => Err(io::Error::last_os_error()),
        _ => {
            let ending = if libc::WIFSIGNALED(status) {
                Ending::Signal(libc::WTERMSIG(status))
            } else {
                Ending::Exit(libc::WEXITSTATUS(status))
            };
            let usage = Usage {
                cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
                delayed,
                memory: memory(usage.ru_maxrss),
            };
            Ok(Some((ending, usage)))
        }
    }
}

/// Kibibytes that are a child's own, as bytes.
fn memory(most: libc::c_long) -> Option<u64> {
    /// The most that this process had had when that was looked at: it does not become less.
    static OURS: AtomicI64 = AtomicI64::new(0);
    let is_ours = |ours: i64| most <= ours;
    if is_ours(OURS.load(Ordering::Relaxed)) {
        return None;
    }
    let ours = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    OURS.fetch_max(ours, Ordering::Relaxed);
    (!is_ours(ours)).then(|| u64::try_from(most).unwrap_or(0) * 1024)
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
