//! The commands that ask a daemon, with the real binary against a daemon of cardboard: what they send,
//! what they print, how they exit.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cardboard;
mod offline;
mod streams;
mod words;
