//! Notices that the wall clock was set or that the machine has slept: the kernel says so to whoever waits for
//! a time of that clock. Looks at no clock itself, and wakes for nothing else.

use std::io::Error as IoError;
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::clock::slept;

/// A time that never comes: the year 2200.
const NEVER: i64 = 7_258_118_400;

/// A sleep that is shorter than this is none.
const SLEPT: Duration = Duration::from_millis(100);

/// The thread that waits; dropping this ends it.
pub(super) struct ClockWatch {
    /// Says that the clock was set. One that waits to be taken stands for all.
    pub(super) set: Receiver<()>,
    /// Closed to end the thread.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl ClockWatch {
    /// Begins to watch.
    ///
    /// # Errors
    /// The machine gives no descriptor or no thread.
    pub(super) fn start() -> Result<Self, IoError> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC)?;
        let (end, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        let (sender, set) = bounded(1);
        arm(&timer)?;
        let thread = std::thread::Builder::new()
            .name("clock".to_owned())
            .spawn(move || watch(&timer, &end, &sender))?;
        Ok(Self {
            set,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for ClockWatch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been told by then.
            let _ = thread.join();
        }
    }
}

/// Has the kernel tell of the next time that the clock is set.
fn arm(timer: &OwnedFd) -> Result<(), Errno> {
    let value = Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec {
            tv_sec: NEVER,
            tv_nsec: 0,
        },
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match timerfd_settime(timer, flags, &value) {
        // It was set between the last time and this; the timer is armed all the same.
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error),
    }
}

fn watch(timer: &OwnedFd, end: &OwnedFd, set: &Sender<()>) {
    let mut before = slept();
    loop {
        let mut both = [
            PollFd::new(timer, PollFlags::IN),
            PollFd::new(end, PollFlags::IN),
        ];
        match poll(&mut both, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        if !both[1].revents().is_empty() {
            return;
        }
        if both[0].revents().is_empty() {
            continue;
        }
        // What it says is that it was cancelled; in 2200, that the time has come.
        let _ = read(timer, &mut [0_u8; 8]);
        let asleep = slept();
        let by = asleep.saturating_sub(before);
        before = asleep;
        if by >= SLEPT {
            tracing::info!(target: "twolane::daemon", "the machine slept for {by:.3?}");
        } else {
            tracing::info!(target: "twolane::daemon", "the wall clock was set");
        }
        // One that waits already says the same.
        let _ = set.try_send(());
        if let Err(error) = arm(timer) {
            tracing::warn!(
                target: "twolane::daemon",
                "cannot watch the clock any more: {error}; that it is set is noticed when \
                 something else happens"
            );
            return;
        }
    }
}
