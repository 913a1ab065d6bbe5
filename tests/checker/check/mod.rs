//! One checker for all tests that have load: what clients were told (C), what the jobs wrote down (L), what the store
//! says (E) and what the kernel has (P) are held against each other. Knows no daemon, and needs none: it reads files.
//!
//! It is a module of `tests/kill`, and a program for the scripts in `tests/faults` (`program.rs`). Each invariant is
//! a function of its name in `invariants/`. Four of faults' list are no part of it: I11 (memory, descriptors and the
//! loop under their bounds) and I13 (others are not slowed down) are figures over time, I14 (a store that is refused
//! is left as it is) is the bytes of files before and after: the scripts that make those faults measure them.

pub(crate) mod clients;
mod evidence;
pub(crate) mod facts;
pub(crate) mod invariants;
pub(crate) mod ledger;
pub(crate) mod processes;
mod report;

pub(crate) use evidence::{Evidence, Place};
pub(crate) use report::{Expectations, Report};

/// Holds all evidence against all other.
pub(crate) fn check(evidence: &Evidence, expectations: &Expectations) -> Report {
    let mut report = Report::of(evidence, expectations);
    for (name, invariant) in invariants::ALL {
        invariant(evidence, expectations, &mut report.at(name));
    }
    report
}
