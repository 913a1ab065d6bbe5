//! The queue of lines of the log: what is lost is told, and nobody sleeps while there is something to do.

use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;

use super::queue::{BYTES_BOUND, Batch, Queue, Turn};
use crate::clock::Clock;
use crate::in_all_orders;

/// The taking side, which writes what it takes and counts what it is told was lost.
fn write(queue: &Queue, written: &AtomicU64, lost: &AtomicU64) {
    let mut batch = Batch::default();
    loop {
        let turn = queue.take(None, &mut batch);
        written.fetch_add(batch.lines.len() as u64, Ordering::SeqCst);
        let before: u64 = batch.lines.iter().map(|queued| queued.lost_before).sum();
        lost.fetch_add(before + batch.lost_after, Ordering::SeqCst);
        queue.done(&mut batch);
        if turn == Turn::Last {
            return queue.end();
        }
    }
}

#[test]
fn each_line_is_written_or_told_as_lost_and_who_waits_for_that_hears_of_it() {
    in_all_orders(|| {
        let queue = Arc::new(Queue::new(Clock));
        let counts = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let writer = {
            let (queue, counts) = (Arc::clone(&queue), Arc::clone(&counts));
            thread::spawn(move || write(&queue, &counts.0, &counts.1))
        };
        // Two of them have no room at once.
        let lines: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || queue.push("x".repeat(BYTES_BOUND / 2 + 1)))
            })
            .collect();
        lines.into_iter().for_each(|line| line.join().unwrap());
        assert!(queue.flush(Duration::MAX));
        let told = counts.0.load(Ordering::SeqCst) + counts.1.load(Ordering::SeqCst);
        assert_eq!((told, counts.1.load(Ordering::SeqCst)), (3, queue.lost_in_all()));
        queue.close();
        assert!(queue.wait_for_end(Duration::MAX));
        writer.join().unwrap();
    });
}
