//! Named pools of the library: their size, their order, their bound, and what they do when the lane
//! itself is full.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use twolane::{Handle, Lane, Lanes, TaskError};

use crate::support::{Gate, LIMIT};

/// Counts how many are inside at once.
#[derive(Default)]
struct Inside {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Inside {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn no_more_than_its_size_at_once() {
    for lane in Lane::ALL {
        let lanes = Lanes::builder()
            .io_threads(2)
            .cpu_workers(4)
            .pool("three", lane, 3)
            .build()
            .unwrap();
        let pool = lanes.pool("three").unwrap();
        let inside = Arc::new(Inside::default());
        let handles: Vec<Handle<()>> = (0..500)
            .map(|_| {
                let inside = Arc::clone(&inside);
                match lane {
                    Lane::Io => pool.io(async move {
                        inside.enter();
                        tokio::task::yield_now().await;
                        inside.leave();
                    }),
                    Lane::Cpu => pool.cpu(move |_| {
                        inside.enter();
                        std::thread::yield_now();
                        inside.leave();
                    }),
                }
            })
            .collect();
        for handle in handles {
            handle.wait().unwrap();
        }
        assert!(inside.most.load(Ordering::SeqCst) <= 3);
        // The last handle hears of its result a moment before its place is free.
        while pool.status() != (0, 0) {
            std::thread::yield_now();
        }
    }
}

#[test]
fn as_many_as_its_size_do_run_at_once() {
    let lanes = Lanes::builder()
        .cpu_workers(2)
        .pool("both", Lane::Cpu, 2)
        .build()
        .unwrap();
    let pool = lanes.pool("both").unwrap();
    let together = Arc::new(std::sync::Barrier::new(2));
    let handles: Vec<_> = (0..10)
        .map(|_| {
            let together = Arc::clone(&together);
            pool.cpu(move |_| {
                together.wait();
            })
        })
        .collect();
    for handle in handles {
        handle.wait().unwrap();
    }
}

#[test]
fn first_come_first_served_and_a_bound_that_has_a_name() {
    let lanes = Lanes::builder()
        .cpu_workers(2)
        .queue(3)
        .pool("one", Lane::Cpu, 1)
        .build()
        .unwrap();
    let pool = lanes.pool("one").unwrap();
    let (open, gate) = Gate::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let first = pool.cpu(move |_| gate.wait());
    let waiting: Vec<_> = (1..=3)
        .map(|n| {
            let order = Arc::clone(&order);
            pool.cpu(move |_| order.lock().unwrap().push(n))
        })
        .collect();
    let full = pool.cpu(|_| ()).wait();
    let expected = TaskError::Full {
        queue: "one".into(),
        bound: 3,
    };
    assert_eq!(full, Err(expected));
    // The lane itself is not full: its other thread is free.
    assert_eq!(lanes.cpu(|_| 1).wait(), Ok(1));
    drop(open);
    first.wait().unwrap();
    for handle in waiting {
        handle.wait().unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn a_full_lane_loses_nothing_that_waits_in_a_pool() {
    let lanes = Lanes::builder()
        .cpu_workers(1)
        .queue(2)
        .pool("one", Lane::Cpu, 1)
        .build()
        .unwrap();
    let pool = lanes.pool("one").unwrap();
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    let first = pool.cpu(move |_| {
        began.send(()).unwrap();
        gate.wait();
    });
    begun.recv_timeout(LIMIT).unwrap();
    // The lane is filled to the brim, so that the pool's place cannot go to the end of its queue.
    let direct: Vec<_> = (0..2).map(|_| lanes.cpu(|_| ())).collect();
    assert!(matches!(
        lanes.cpu(|_| ()).wait(),
        Err(TaskError::Full { .. })
    ));
    let pooled: Vec<_> = (0..2).map(|_| pool.cpu(|_| ())).collect();
    drop(open);
    for handle in [first].into_iter().chain(direct).chain(pooled) {
        handle.wait().unwrap();
    }
    // And a lane that is full at the first submission says so.
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    let blocker = lanes.cpu(move |_| {
        began.send(()).unwrap();
        gate.wait();
    });
    begun.recv_timeout(LIMIT).unwrap();
    let direct: Vec<_> = (0..2).map(|_| lanes.cpu(|_| ())).collect();
    let expected = TaskError::Full {
        queue: "cpu".into(),
        bound: 2,
    };
    assert_eq!(pool.cpu(|_| ()).wait(), Err(expected));
    drop(open);
    for handle in [blocker].into_iter().chain(direct) {
        handle.wait().unwrap();
    }
    assert_eq!(pool.cpu(|_| 5).wait(), Ok(5));
}

#[test]
fn the_wrong_lane_and_an_unknown_name_are_told() {
    let lanes = Lanes::builder()
        .pool("files", Lane::Io, 1)
        .pool("thumbs", Lane::Cpu, 1)
        .build()
        .unwrap();
    let wrong = lanes.pool("files").unwrap().cpu(|_| ()).wait();
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "pool `files` is a part of the io lane, the task is for the other one"
    );
    assert_eq!(
        lanes.pool("thumb").unwrap_err().to_string(),
        "there is no pool `thumb`; those that were built are: files, thumbs"
    );
}
