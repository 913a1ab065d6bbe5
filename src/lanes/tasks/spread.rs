//! Work on many things with a bound on how many threads of the cpu lane it takes: what a job has with
//! `cpus`. Knows nothing of the work.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many threads a task may use: what its job says, as far as there are so many; unless it says
/// something all of them, as far as they have nothing else to do.
pub(super) fn threads(cpus: Option<u32>) -> usize {
    let all = rayon::current_num_threads();
    cpus.map_or(all, |cpus| usize::try_from(cpus).unwrap_or(all).min(all))
}

/// Does `work` on each of `items`, on `threads` threads at most; this one, which is one of them, does
/// `first` before. Gives what came of that, and of each item in the order of the items.
pub(super) fn spread<T: Sync, R: Send + Sync, F>(
    threads: usize,
    items: &[T],
    first: impl FnOnce() -> F,
    work: impl Fn(&T) -> R + Sync,
) -> (F, Vec<R>) {
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let take_and_work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(item), Some(result)) = (items.get(index), results.get(index)) else {
                return;
            };
            let _each_index_comes_once = result.set(work(item));
        }
    };
    let others = threads.min(items.len()).saturating_sub(1);
    let first = rayon::in_place_scope(|scope| {
        for _ in 0..others {
            scope.spawn(|_| take_and_work());
        }
        let first = first();
        take_and_work();
        first
    });
    let results = results.into_iter().filter_map(OnceLock::into_inner);
    (first, results.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many do `work` at the same time at most.
    fn most_at_once(threads: usize) -> usize {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
        let pool = pool.expect("four threads");
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let items: Vec<u64> = (0..100).collect();
        let (first, results) = pool.install(|| {
            spread(
                threads,
                &items,
                || "first",
                |item| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // Long enough for the others to come.
                    for n in 0..20_000 {
                        std::hint::black_box(n);
                    }
                    now.fetch_sub(1, Ordering::SeqCst);
                    item * 2
                },
            )
        });
        assert_eq!(first, "first");
        let doubled: Vec<u64> = items.iter().map(|item| item * 2).collect();
        assert_eq!(results, doubled, "each once, in order");
        most.into_inner()
    }

    #[test]
    fn no_more_threads_work_than_may() {
        assert_eq!(most_at_once(1), 1);
        for threads in [2, 3] {
            let most = most_at_once(threads);
            assert!(most <= threads, "{most} of {threads}");
        }
        let all = (0..1_000).any(|_| most_at_once(3) == 3);
        assert!(all, "and all that may do, some time");
    }
}
