//! How far a task is that knows how many bytes there are to go through.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::context::Context;

/// The least between two reports: work that is done in the blink of an eye needs none.
const LEAST_STEP: u64 = 8 << 20;

/// Counts bytes and reports progress at each tenth of them.
pub(super) struct Meter {
    context: Context,
    total: u64,
    step: u64,
    done: AtomicU64,
}

impl Meter {
    pub(super) fn new(context: &Context, total: u64) -> Self {
        Self {
            context: context.clone(),
            total,
            step: (total / 10).max(LEAST_STEP),
            done: AtomicU64::new(0),
        }
    }

    /// So many bytes more are done.
    pub(super) fn add(&self, bytes: u64) {
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        let after = before + bytes;
        if before / self.step < after / self.step && after < self.total {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a fraction for people to look at"
            )]
            self.context.progress(after as f64 / self.total as f64, "");
        }
    }

    /// How many are done.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}
