//! What an attempt costs while it is polled: CPU time, and the time for which it keeps a thread from all
//! others. Knows nothing of what is polled.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use super::lock;
use super::makers::may_stand_still;
use super::place::Used;
use crate::clock::{kernel_nanos, thread_cpu};

/// A poll that takes so long keeps others waiting. What waits as it should is through in microseconds, and
/// a machine that is busy makes milliseconds of these now and then.
pub(crate) const HOLD: Duration = Duration::from_millis(10);

/// How far the CPU time of a poll may be wrong, and that upwards only. The kernel is asked so seldom: a question costs
/// as much as a short poll, and is an occasion for it to take the thread from its core. So the time of a shorter poll
/// is taken to be all CPU time, where its thread may have been off its core meanwhile; and what the kernel said a
/// moment ago counts as what the thread had used when a longer one began.
const ERROR: Duration = Duration::from_micros(100);

thread_local! {
    /// When this thread last asked how much CPU time it has used, on the kernel's clock in nanoseconds, and the answer.
    static ASKED: Cell<(u64, Duration)> = const { Cell::new((0, Duration::ZERO)) };
}

/// Whose CPU time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cpu {
    /// That of the polls.
    Polls,
    /// None: it is measured around them.
    Around,
}

/// The same future; what its polls cost is added to `used`.
pub(crate) async fn measured<T>(
    future: impl Future<Output = T>,
    used: &Mutex<Used>,
    cpu: Cpu,
) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let from = kernel_nanos();
        let before = (cpu == Cpu::Polls).then(|| lately(from));
        let polled = future.as_mut().poll(context);
        let until = kernel_nanos();
        let took = Duration::from_nanos(until.saturating_sub(from));
        let spent = before.map(|before| match took {
            short if short < ERROR => short,
            long => ask(until).saturating_sub(before).min(long),
        });
        let mut used = lock(used);
        if let Some(spent) = spent {
            used.spend(spent);
        }
        // Where processes are made nobody is kept waiting by that.
        if took >= HOLD && !may_stand_still() {
            used.held = Some(used.held.unwrap_or_default() + took);
        }
        drop(used);
        polled
    })
    .await
}

/// The CPU time that this thread had used at `now`, or up to [`ERROR`] before that.
fn lately(now: u64) -> Duration {
    let (at, used) = ASKED.get();
    if Duration::from_nanos(now.saturating_sub(at)) < ERROR {
        used
    } else {
        ask(now)
    }
}

fn ask(now: u64) -> Duration {
    let used = thread_cpu();
    ASKED.set((now, used));
    used
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    /// What a poll that does this is told to have cost, and what the kernel says of it.
    fn counted(work: impl Fn()) -> (Duration, Duration) {
        let used = Mutex::new(Used::default());
        let mut real = Duration::ZERO;
        {
            let poll = pin!(measured(
                async {
                    let before = thread_cpu();
                    work();
                    real = thread_cpu().saturating_sub(before);
                },
                &used,
                Cpu::Polls,
            ));
            let polled = poll.poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        }
        let counted = lock(&used).cpu.expect("it was polled");
        (counted, real)
    }

    #[test]
    fn a_poll_counts_for_what_it_computes_and_not_for_what_it_waits() {
        const LONG: Duration = Duration::from_millis(5);
        let compute = || {
            let until = thread_cpu() + LONG;
            while thread_cpu() < until {}
        };
        let (_silent, silence) = mpsc::channel::<()>();
        let wait = || assert!(silence.recv_timeout(LONG).is_err());
        let check = |work: &dyn Fn()| {
            let (counted, real) = counted(work);
            // Both clocks are not quite as fast as each other.
            let least = real.saturating_sub(Duration::from_micros(50));
            assert!(counted >= least, "{counted:?} {real:?}");
            // Measuring takes some time itself, and on a busy machine more.
            assert!(counted <= real + LONG / 2, "{counted:?} {real:?}");
        };
        check(&compute);
        check(&wait);
        // What the first of several in a row has used is no other's.
        for work in [&compute as &dyn Fn(), &wait, &compute, &wait] {
            check(work);
        }
    }
}
