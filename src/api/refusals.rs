//! Whoever is refused is told in the log: at once, and then how often, once in a while, so that nobody can fill
//! the log by asking for what is not theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long one who was told of is only counted.
const LULL: Duration = Duration::from_secs(10);

/// How many are told apart; what is refused to others meanwhile is told of together.
const APART: usize = 64;

/// Who was refused something in the last while, and how often since that was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    since: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Refusals {
    /// Tells that `who` was refused `what`, or counts it. Called within the runtime of the API.
    pub(super) fn tell(&self, who: &str, what: impl FnOnce() -> String) {
        let mut since = self.lock();
        let who = if since.len() < APART || since.contains_key(who) {
            who.to_owned()
        } else {
            "others".to_owned()
        };
        if let Some(count) = since.get_mut(&who) {
            *count += 1;
            return;
        }
        since.insert(who.clone(), 0);
        drop(since);
        tracing::warn!(target: "twolane::api", by = who, "refused: {}", what());
        let own = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LULL).await;
            let count = own.lock().remove(&who).unwrap_or_default();
            if count > 0 {
                tracing::warn!(
                    target: "twolane::api",
                    by = who,
                    "refused {count} more requests in {} s", LULL.as_secs()
                );
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
