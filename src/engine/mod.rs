//! The scheduler itself: decides what runs, where and when. Knows no clock, thread, lock, file or
//! random number of its own; time and everything else that happens enters as an [`input::Input`].

pub mod action;
pub mod fact;
pub mod id;
pub mod input;
pub mod outcome;
pub mod spec;
pub mod time;
