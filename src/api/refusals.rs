//! Whoever is refused, or cannot be let in, is told of in the log: at once, and then how often, once in a while, so that
//! nobody can fill the log by asking for what is not theirs, or not there.

use std::collections::BTreeMap;
use std::io;
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
        self.seldom(
            who,
            |who| tracing::warn!(target: "twolane::api", by = who, "refused: {}", what()),
            |who, count| {
                tracing::warn!(
                    target: "twolane::api",
                    by = who,
                    "refused {count} more requests in {} s", LULL.as_secs()
                );
            },
        );
    }

    /// Tells that a connection cannot be taken in, or counts it; as `tell`.
    pub(super) fn nothing_left(&self, error: &io::Error) {
        let hint = match error.raw_os_error() {
            Some(libc::EMFILE) => ". hint: what the service may have open is set by LimitNOFILE=",
            _ => "",
        };
        self.seldom(
            "",
            |_| {
                tracing::warn!(
                    target: "twolane::api",
                    %error,
                    "cannot take a connection in now: who asks has to wait, and who is connected goes on{hint}"
                );
            },
            |_, count| {
                tracing::warn!(
                    target: "twolane::api",
                    count,
                    "more connections could not be taken in, in {} s", LULL.as_secs()
                );
            },
        );
    }

    /// Has it told at once, and counts what comes in the next while, which is told at its end.
    fn seldom(
        &self,
        who: &str,
        first: impl FnOnce(&str),
        later: impl FnOnce(&str, u64) + Send + 'static,
    ) {
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
        first(&who);
        let own = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LULL).await;
            let count = own.lock().remove(&who).unwrap_or_default();
            if count > 0 {
                later(&who, count);
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
