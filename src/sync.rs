//! What the pieces of code are made of that threads share without a channel alone. Gathered here so that
//! `tests/orders` can put others in their place, which try the orders of their steps. Knows no piece.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
pub(crate) use std::thread::{Thread, current, park_timeout};

pub(crate) use crossbeam_channel::{Receiver, Sender, unbounded};
pub(crate) use tokio::sync::Notify;
