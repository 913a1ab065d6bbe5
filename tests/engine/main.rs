//! The engine in virtual time: scripts of inputs with their times, and the facts and actions that
//! they give.

mod admission;
mod cancel;
mod capacity;
mod dependencies;
mod random;
mod reload;
mod script;
mod time;
