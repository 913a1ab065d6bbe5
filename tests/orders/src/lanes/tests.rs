//! The cancel token, the queue before a lane, and jobs between their first step and the runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use super::beginning::{Beginning, Carry, Haste};
use super::cancel::Cancel;
use super::queue::Queue;
use crate::in_all_orders;

#[test]
fn a_cancel_is_heard_by_who_waits_and_who_parks_whenever_it_comes() {
    in_all_orders(|| {
        let cancel = Arc::new(Cancel::default());
        let (waits, parks) = (Arc::clone(&cancel), Arc::clone(&cancel));
        let waits = thread::spawn(move || block_on(waits.cancelled()));
        // A deadline that never comes, since time stands still.
        let parks = thread::spawn(move || assert!(!parks.park_until(1)));
        cancel.cancel();
        waits.join().unwrap();
        parks.join().unwrap();
        assert!(cancel.is_cancelled());
    });
}

/// Takes jobs as a thread of the cpu lane does: gives its place up first, and then looks once more.
fn pull(queue: &Queue<usize>, done: &AtomicUsize) {
    loop {
        while queue.take().is_some() {
            done.fetch_add(1, Ordering::SeqCst);
        }
        queue.leave();
        if queue.is_empty() || !queue.enter(1) {
            queue.tell_watcher();
            return;
        }
    }
}

#[test]
fn each_job_is_taken_and_who_waits_for_the_end_hears_of_it() {
    in_all_orders(|| {
        let (queue, done) = (Arc::new(Queue::new(4)), Arc::new(AtomicUsize::new(0)));
        let offers: Vec<_> = (0..2)
            .map(|job| {
                let (queue, done) = (Arc::clone(&queue), Arc::clone(&done));
                thread::spawn(move || {
                    assert!(queue.offer(job).is_ok());
                    if queue.enter(1) {
                        pull(&queue, &done);
                    }
                })
            })
            .collect();
        // It may be idle before a job has come; but that it is must not be missed.
        assert!(queue.wait_idle(Duration::MAX));
        offers.into_iter().for_each(|offer| offer.join().unwrap());
        assert_eq!((done.load(Ordering::SeqCst), queue.busy(), queue.waiting()), (2, 0, 0));
    });
}

#[test]
fn what_is_offered_while_the_queue_closes_is_taken_back_or_dropped() {
    in_all_orders(|| {
        let queue = Arc::new(Queue::new(4));
        let job = Arc::new(());
        let offers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, job) = (Arc::clone(&queue), Arc::clone(&job));
                thread::spawn(move || {
                    let offered = queue.offer(job);
                    queue.sweep();
                    drop(offered);
                })
            })
            .collect();
        queue.close();
        offers.into_iter().for_each(|offer| offer.join().unwrap());
        assert_eq!((Arc::strong_count(&job), queue.waiting()), (1, 0));
    });
}

#[test]
fn a_bound_is_kept_by_all_who_offer_at_once() {
    in_all_orders(|| {
        let queue = Arc::new(Queue::new(2));
        let offers: Vec<_> = (0..3)
            .map(|job| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || queue.offer(job).is_ok())
            })
            .collect();
        let taken_in = offers.into_iter().map(|offer| offer.join().unwrap());
        assert_eq!(taken_in.filter(|is_in| *is_in).count(), 2);
        assert_eq!(queue.waiting(), 2);
    });
}

/// Carries a job to its end on a thread of its own.
struct ByThread;

impl Carry for ByThread {
    fn carry(&self, job: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(thread::spawn(move || block_on(job)));
    }
}

/// A job that waits for something, and what tells that it is done, and how often.
fn waits_for(what: &Arc<Cancel>) -> (Arc<Beginning>, Arc<(Cancel, AtomicUsize)>) {
    let (what, done) = (Arc::clone(what), Arc::<(Cancel, AtomicUsize)>::default());
    let tells = Arc::clone(&done);
    let job = async move {
        what.cancelled().await;
        tells.1.fetch_add(1, Ordering::SeqCst);
        tells.0.cancel();
    };
    (Beginning::of(Box::pin(job), Arc::new(ByThread)), done)
}

#[test]
fn a_job_that_is_woken_at_its_first_step_goes_on_and_is_done_once() {
    in_all_orders(|| {
        let what = Arc::new(Cancel::default());
        let (beginning, done) = waits_for(&what);
        let begins = thread::spawn(move || beginning.begin());
        what.cancel();
        begins.join().unwrap();
        block_on(done.0.cancelled());
        assert_eq!(done.1.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_job_in_haste_is_done_once_whether_its_turn_comes_or_not() {
    in_all_orders(|| {
        let what = Arc::new(Cancel::default());
        what.cancel();
        let (beginning, done) = waits_for(&what);
        let haste = Arc::new(Haste::default());
        let hurries = Arc::clone(&haste);
        let hurries = thread::spawn(move || hurries.make());
        if haste.waits(&beginning) {
            beginning.begin();
        } else {
            beginning.go_on();
        }
        hurries.join().unwrap();
        block_on(done.0.cancelled());
        assert_eq!(done.1.load(Ordering::SeqCst), 1);
    });
}
