//! The checker as a program, for tests that are scripts: reads what lies in a directory, prints each violation and then
//! what it looked at, and leaves with 1 where something is violated, with 2 where it could not look.
//!
//! `cargo run --example checker -- DIR [--clients FILE] [--ledger FILE] [--state DIR] [--live] [--ledger-job JOB]…
//! [--at-least WHAT=COUNT]…`: see `check/report.rs`, `Expectations`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that says what it found"
)]

mod check;

use std::path::PathBuf;
use std::process::ExitCode;

use check::{Evidence, Expectations, Place, check};

fn main() -> ExitCode {
    let looked = asked(std::env::args().skip(1)).and_then(|(place, expectations)| {
        let evidence = Evidence::read(&place)?;
        Ok(check(&evidence, &expectations))
    });
    match looked {
        Ok(report) => {
            println!("{report}");
            ExitCode::from(u8::from(!report.violated().is_empty()))
        }
        Err(why) => {
            eprintln!("cannot check: {why}");
            ExitCode::from(2)
        }
    }
}

/// What is to be looked at, and what it is of.
fn asked(mut words: impl Iterator<Item = String>) -> Result<(Place, Expectations), String> {
    let dir = words.next().ok_or("of which directory?")?;
    let mut place = Place::within(&PathBuf::from(dir));
    let mut expectations = Expectations::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--clients" => place.clients = value()?.into(),
            "--ledger" => place.ledger = value()?.into(),
            "--state" => place.state = value()?.into(),
            "--live" => expectations.is_live = true,
            "--ledger-job" => {
                expectations.ledger_jobs.insert(value()?);
            }
            "--at-least" => expectations.at_least(&value()?)?,
            other => return Err(format!("what is {other}?")),
        }
    }
    Ok((place, expectations))
}
