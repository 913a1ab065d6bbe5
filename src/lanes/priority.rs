//! The scheduling weight of threads: those that compute give way to the io lane's. Knows nothing of what
//! they run.

use std::fmt;
use std::io::Error as IoError;
use std::str::FromStr;
use std::time::Duration;

/// How much a thread that computes counts beside the other threads of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Added to the nice value that the process has: 0 (equal) to 19 (least).
    pub(crate) nice: u8,
    /// The scheduling policy.
    pub(crate) policy: Policy,
}

impl Default for Weight {
    fn default() -> Self {
        Self {
            nice: 5,
            policy: Policy::default(),
        }
    }
}

/// A scheduling policy of Linux, as far as it is open to everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// `SCHED_OTHER`: like any other thread.
    Normal,
    /// `SCHED_BATCH`: never interrupts another thread on waking up.
    #[default]
    Batch,
    /// `SCHED_IDLE`: next to nothing while anybody else on the machine wants the processor, and
    /// interrupted at once by whoever does. The io lane is served best by it, and the cpu lane
    /// starves when other programs are busy.
    Idle,
}

impl Policy {
    /// All of them, from the heaviest to the lightest.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Batch, Self::Idle];

    /// The word for it in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Batch => "batch",
            Self::Idle => "idle",
        }
    }

    const fn number(self) -> u32 {
        // They are small and positive: 0, 3 and 5.
        match self {
            Self::Normal => libc::SCHED_OTHER.cast_unsigned(),
            Self::Batch => libc::SCHED_BATCH.cast_unsigned(),
            Self::Idle => libc::SCHED_IDLE.cast_unsigned(),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(word: &str) -> Result<Self, UnknownPolicy> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.as_str() == word)
            .ok_or_else(|| UnknownPolicy(word.to_owned()))
    }
}

/// A word that names no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no scheduling policy `{0}`: it is `normal`, `batch` or `idle`")]
pub struct UnknownPolicy(String);

/// How long a thread that hands things on may run before the kernel looks who else wants to: the loop, and those of
/// the io lane. The shortest that the kernel takes: a thread that asks for short turns gets its turn sooner (Linux
/// 6.12).
const SHORT_SLICE: Duration = Duration::from_micros(100);

/// The same for the cpu lane: the longest that the kernel takes, so that computing threads change
/// places seldom; it does not keep a thread with a shorter one waiting.
pub(crate) const CPU_SLICE: Duration = Duration::from_millis(100);

/// A thread of this process, as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tid(libc::pid_t);

impl Tid {
    /// What the kernel takes for the calling thread.
    const CALLING: Self = Self(0);

    /// The calling thread, for others.
    pub(crate) fn current() -> Self {
        Self(rustix::thread::gettid().as_raw_nonzero().get())
    }
}

/// Gives the calling thread this weight and this slice.
pub(crate) fn lower(weight: Weight, slice: Duration) -> Result<(), IoError> {
    lower_other(Tid::CALLING, weight, slice)
}

/// Gives a thread of this process this weight and this slice.
pub(crate) fn lower_other(tid: Tid, weight: Weight, slice: Duration) -> Result<(), IoError> {
    let mut attributes = read(tid)?;
    attributes.sched_policy = weight.policy.number();
    attributes.sched_nice = (attributes.sched_nice + i32::from(weight.nice)).min(19);
    attributes.sched_priority = 0;
    // Before 6.12 the kernel does not look at it for these policies.
    attributes.sched_runtime = slice_nanos(slice);
    write(tid, attributes)
}

/// The policy that the calling thread has.
pub(crate) fn inherited() -> Policy {
    let number = read(Tid::CALLING)
        .map(|attributes| attributes.sched_policy)
        .ok();
    let has = |policy: &Policy| Some(policy.number()) == number;
    Policy::ALL.into_iter().find(has).unwrap_or(Policy::Normal)
}

/// Has the calling thread take turns that are as short as the kernel lets them be: from Linux 6.12 on it gets one soon
/// whenever it is woken, also beside programs that compute. Threads that begin on it have them too, and commands
/// until they become their programs (`process::birth`).
pub(crate) fn take_short_turns() {
    // Refused where a sandbox forbids it; waits are then as late as any thread's on a busy machine, which needs no
    // word.
    let _refused = set_slice(SHORT_SLICE);
}

/// Gives the calling thread this slice, if its policy is one that knows slices.
fn set_slice(slice: Duration) -> Result<(), IoError> {
    let mut attributes = read(Tid::CALLING)?;
    let sliced = [Policy::Normal.number(), Policy::Batch.number()];
    if !sliced.contains(&attributes.sched_policy) {
        return Ok(());
    }
    attributes.sched_runtime = slice_nanos(slice);
    write(Tid::CALLING, attributes)
}

/// How long a thread or process may run until the kernel looks who else wants to, in nanoseconds; 0 from a kernel
/// that does not say.
#[cfg(test)]
pub(crate) fn slice_of(number: libc::pid_t) -> u64 {
    read(Tid(number)).map_or(0, |attributes| attributes.sched_runtime)
}

fn slice_nanos(slice: Duration) -> u64 {
    u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX)
}

/// What the kernel calls `sched_attr`, in its first form, which every kernel since 3.14 takes.
const SIZE: u32 = 48;

#[expect(
    unsafe_code,
    reason = "there is no safe call for scheduling attributes"
)]
fn read(Tid(tid): Tid) -> Result<libc::sched_attr, IoError> {
    let mut attributes = libc::sched_attr {
        size: SIZE,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: a thread that is not there is an error; the pointer is to a `sched_attr` of SIZE bytes that
    // lives until the call returns, and the kernel writes no more than SIZE bytes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            tid,
            &raw mut attributes,
            SIZE,
            0_u32,
        )
    };
    if result == 0 {
        Ok(attributes)
    } else {
        Err(IoError::last_os_error())
    }
}

#[expect(
    unsafe_code,
    reason = "there is no safe call for scheduling attributes"
)]
fn write(Tid(tid): Tid, mut attributes: libc::sched_attr) -> Result<(), IoError> {
    attributes.size = SIZE;
    attributes.sched_flags = 0;
    // SAFETY: a thread that is not there is an error; the pointer is to a `sched_attr` whose `size` says how
    // many bytes the kernel may read, and it lives until the call returns.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setattr, tid, &raw const attributes, 0_u32) };
    if result == 0 {
        Ok(())
    } else {
        Err(IoError::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_lowered_and_says_so() {
        for policy in Policy::ALL {
            std::thread::spawn(move || {
                let before = read(Tid::CALLING).unwrap();
                lower(Weight { nice: 3, policy }, CPU_SLICE).unwrap();
                let after = read(Tid::CALLING).unwrap();
                assert_eq!(after.sched_policy, policy.number());
                if policy != Policy::Idle {
                    assert_eq!(after.sched_nice, (before.sched_nice + 3).min(19));
                }
            })
            .join()
            .unwrap();
        }
    }

    #[test]
    fn a_thread_can_be_lowered_by_another() {
        let (told, tid) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            told.send(Tid::current()).unwrap();
            let _closed = ended.recv();
            read(Tid::CALLING).unwrap().sched_nice
        });
        let own = read(Tid::CALLING).unwrap().sched_nice;
        let weight = Weight {
            nice: 3,
            policy: Policy::Batch,
        };
        lower_other(tid.recv().unwrap(), weight, CPU_SLICE).unwrap();
        drop(end);
        assert_eq!(thread.join().unwrap(), (own + 3).min(19));
        assert_eq!(read(Tid::CALLING).unwrap().sched_nice, own, "not itself");
    }

    #[test]
    fn short_turns_leave_the_rest_as_it_is() {
        std::thread::spawn(|| {
            let before = read(Tid::CALLING).unwrap();
            take_short_turns();
            let after = read(Tid::CALLING).unwrap();
            assert_eq!(after.sched_policy, before.sched_policy);
            assert_eq!(after.sched_nice, before.sched_nice);
            // Kernels before 6.12 know nothing of it, and say 0.
            if after.sched_runtime > 0 {
                assert_eq!(after.sched_runtime, slice_nanos(SHORT_SLICE));
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn policies_have_words() {
        for policy in Policy::ALL {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!(
            "fifo".parse::<Policy>().unwrap_err().to_string(),
            "there is no scheduling policy `fifo`: it is `normal`, `batch` or `idle`"
        );
    }
}
