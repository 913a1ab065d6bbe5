//! The `compute` task: two nested loops with `sum += i + j - 2 * j`, every step of which is really
//! computed. It stands for any work that needs nothing but a processor.

use std::hint::black_box;
use std::ops::ControlFlow;

use serde_json::json;

use super::super::context::Context;
use super::{Done, TaskResult};

/// Steps between two looks at the cancel token. At one to two nanoseconds a step in an optimised
/// build, and ten times that in one that is not, a stop is seen well within a millisecond.
const STEPS_PER_LOOK: u64 = 1 << 16;

/// In one go on either lane: on the io lane it is what keeps a thread from others.
pub(super) fn run(
    context: &Context,
    outer: u64,
    inner: u64,
    report_every: Option<u64>,
) -> TaskResult {
    let mut loops = Loops::new(outer, inner, report_every);
    loop {
        context.check()?;
        if let ControlFlow::Break(sum) = loops.advance(context) {
            return Ok(Done::with(json!({ "sum": sum })));
        }
    }
}

/// The loops, as far as they have come: they can be left and gone on with between any two steps.
struct Loops {
    outer: u64,
    inner: u64,
    report_every: Option<u64>,
    i: u64,
    j: u64,
    /// Wraps around where it leaves the range, as 64-bit numbers do.
    sum: i64,
}

impl Loops {
    const fn new(outer: u64, inner: u64, report_every: Option<u64>) -> Self {
        Self {
            outer,
            inner,
            report_every,
            i: 0,
            j: 0,
            sum: 0,
        }
    }

    /// Goes [`STEPS_PER_LOOK`] steps on; breaks with the sum at the end. A round of the outer loop
    /// counts as a step too, so that rounds without steps come to a look as well.
    fn advance(&mut self, context: &Context) -> ControlFlow<i64> {
        let mut left = STEPS_PER_LOOK;
        while self.i < self.outer {
            if self.j == 0 {
                self.report(context);
            }
            let to = self.inner.min(self.j.saturating_add(left));
            left -= to - self.j;
            self.sum = steps(self.sum, self.i, self.j, to);
            self.j = to;
            if self.j == self.inner {
                self.i += 1;
                self.j = 0;
                left = left.saturating_sub(1);
            }
            if left == 0 {
                return ControlFlow::Continue(());
            }
        }
        ControlFlow::Break(self.sum)
    }

    /// Says how far it is when a multiple of `report_every` rounds is done, except at the end.
    fn report(&self, context: &Context) {
        if let Some(every) = self.report_every
            && every > 0
            && self.i > 0
            && self.i.is_multiple_of(every)
        {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a fraction for people to look at"
            )]
            context.progress(self.i as f64 / self.outer as f64, "");
        }
    }
}

/// The inner loop from `from` to `to`.
fn steps(mut sum: i64, i: u64, from: u64, to: u64) -> i64 {
    let i = i.cast_signed();
    for j in from..to {
        let j = j.cast_signed();
        // Both opaque to the compiler, which would otherwise make one step from the last, and from all
        // of them a formula.
        let j = black_box(j);
        let step = i.wrapping_add(j).wrapping_sub(j.wrapping_mul(2));
        sum = black_box(sum.wrapping_add(step));
    }
    sum
}
