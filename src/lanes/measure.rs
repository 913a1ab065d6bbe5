//! What an attempt costs while it is polled: CPU time, and the time for which it keeps a thread from all
//! others. Knows nothing of what is polled.

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

/// The CPU time of a shorter poll is taken to be all of its time, so a poll can count for so much too much: where its
/// thread was not on a core meanwhile. That saves one of the two questions to the kernel that a poll costs.
const SHORT: Duration = Duration::from_micros(20);

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
        let before = (cpu == Cpu::Polls).then(thread_cpu);
        let from = kernel_nanos();
        let polled = future.as_mut().poll(context);
        let took = Duration::from_nanos(kernel_nanos().saturating_sub(from));
        let spent = before.map(|before| {
            if took < SHORT {
                took
            } else {
                thread_cpu().saturating_sub(before)
            }
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
