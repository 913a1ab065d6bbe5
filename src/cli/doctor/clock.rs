//! Whether the machine knows what time it is, and where.

use std::path::Path;

use jiff::Timestamp;

use super::finding::Finding;
use super::{Patient, kernel};
use crate::cli::printed::printed;
use crate::clock::Clock;

/// No machine that has this program has an earlier time: 2026-01-01.
const EARLIEST: i64 = 1_767_225_600_000_000;

pub(super) fn look(_: &Patient) -> Vec<Finding> {
    vec![
        plausible(Clock::start().now().wall.0),
        synchronized(),
        source(),
        zones(),
    ]
}

fn plausible(micros: i64) -> Finding {
    let text = Timestamp::from_microsecond(micros)
        .map_or_else(|_| "no time".to_owned(), |at| at.to_string());
    if micros >= EARLIEST {
        return Finding::fine("time", format!("it is {text}"));
    }
    Finding::wrong(
        "time",
        format!("it is {text} by the machine's clock"),
        "set the clock: timedatectl set-ntp true",
    )
}

fn synchronized() -> Finding {
    match printed(
        "timedatectl",
        &["show", "--property=NTPSynchronized", "--value"],
    )
    .as_deref()
    {
        Some("yes") => Finding::fine("sync", "the clock is kept in step with others"),
        Some("no") => Finding::advice(
            "sync",
            "the clock is not kept in step with others",
            "timedatectl set-ntp true, or install chrony",
        ),
        Some(_) | None => Finding::unknown("sync", "nobody says whether the clock is kept in step"),
    }
}

/// The slow ones cost microseconds at each look at the clock.
fn source() -> Finding {
    const PATH: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    match kernel(PATH).as_deref() {
        None => Finding::unknown("source", format!("{PATH} cannot be read")),
        Some(slow @ ("hpet" | "acpi_pm" | "jiffies")) => Finding::advice(
            "source",
            format!("the kernel reads the time from {slow}, which is slow"),
            "see in the kernel's log why it does not trust the processor's (dmesg | grep clocksource)",
        ),
        Some(source) => Finding::fine("source", format!("the kernel reads the time from {source}")),
    }
}

fn zones() -> Finding {
    if Path::new("/usr/share/zoneinfo").is_dir() {
        return Finding::fine("zones", "time zones are known by name");
    }
    Finding::advice(
        "zones",
        "there are no time zones in /usr/share/zoneinfo: all times are UTC",
        "install tzdata",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_clock_that_stands_in_the_past_is_wrong() {
        assert_eq!(plausible(EARLIEST).verdict, Verdict::Fine);
        assert_eq!(plausible(0).verdict, Verdict::Wrong);
    }
}
