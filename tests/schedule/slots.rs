//! Slots case by case.

use std::time::Duration;

use twolane::engine::schedule::{Blackout, Cron, Dst, Fold, Gap, ScheduleSpec, Trigger, Zone};
use twolane::engine::time::Wall;

use crate::{after, at, cron, zone};

/// The next slots of `schedule` after `from`, as UTC.
fn check(schedule: &ScheduleSpec, from: &str, expected: &[&str]) {
    let found: Vec<Wall> = after(schedule, at(from)).take(expected.len()).collect();
    let expected: Vec<Wall> = expected.iter().map(|text| at(text)).collect();
    assert_eq!(found, expected, "{schedule} after {from}");
}

#[test]
fn days_are_counted_from_both_ends_of_the_month() {
    for (text, expected) in [
        ("0 0 L * *", ["2027-01-31", "2027-02-28", "2027-03-31"]),
        ("0 0 L-3 * *", ["2027-01-28", "2027-02-25", "2027-03-28"]),
        ("0 0 LW * *", ["2027-01-29", "2027-02-26", "2027-03-31"]),
        // 2027-01-02 is a Saturday, and the Friday before it is of the same month.
        ("0 0 2W * *", ["2027-01-01", "2027-02-02", "2027-03-02"]),
        // 2027-05-01 is a Saturday; the Friday before it is of another month.
        ("0 0 1W 5,8 *", ["2027-05-03", "2027-08-02", "2028-05-01"]),
        // 2027-01-31 is a Sunday.
        ("0 0 31W * *", ["2027-01-29", "2027-03-31", "2027-05-31"]),
        ("0 0 * * FRI#2", ["2027-01-08", "2027-02-12", "2027-03-12"]),
        ("0 0 * * FRI#5", ["2027-01-29", "2027-04-30", "2027-07-30"]),
        ("0 0 * * FRIL", ["2027-01-29", "2027-02-26", "2027-03-26"]),
        ("0 0 * * 7L", ["2027-01-31", "2027-02-28", "2027-03-28"]),
        // Both are restricted: one is enough.
        ("0 0 13 * FRI", ["2027-01-01", "2027-01-08", "2027-01-13"]),
        // One begins with a star: both have to match.
        ("0 0 */2 * FRI", ["2027-01-01", "2027-01-15", "2027-01-29"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("0 0 ? * sun", ["2027-01-03", "2027-01-10", "2027-01-17"]),
        ("@weekly", ["2027-01-03", "2027-01-10", "2027-01-17"]),
    ] {
        let expected = expected.map(|day| format!("{day}T00:00:00Z"));
        let expected = expected.each_ref().map(String::as_str);
        check(&cron(text, &Zone::utc()), "2026-12-31T12:00:00Z", &expected);
    }
}

/// 2100 is no leap year, so that the 29th of February, a Sunday in 2088, is one again in 2128 only.
#[test]
fn what_is_rare_comes() {
    let rare = cron("0 0 29 2 *", &Zone::utc());
    check(&rare, "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    let rarest = cron("0 0 29 2 */7", &Zone::utc());
    check(&rarest, "2088-03-01T00:00:00Z", &["2128-02-29T00:00:00Z"]);
}

#[test]
fn what_is_no_expression_is_told_with_its_place() {
    for (text, part) in [
        ("", ""),
        ("* * * *", "* * * *"),
        ("* * * * * * *", "* * * * * * *"),
        ("60 * * * *", "60"),
        ("* 24 * * *", "24"),
        ("* * 0 * *", "0"),
        ("* * 32 * *", "32"),
        ("* * * 13 *", "13"),
        ("* * * FEBR *", "FEBR"),
        ("* * * * 8", "8"),
        ("* * * * MON#6", "6"),
        ("* * * * L", "L"),
        ("* * L-31 * *", "L-31"),
        ("1,,2 * * * *", ""),
        ("5-1 * * * *", "5-1"),
        ("* * * * FRI-MON", "FRI-MON"),
        ("0/15 * * * *", "0/15"),
        ("*/0 * * * *", "0"),
        ("*/60 * * * *", "60"),
        ("*/x * * * *", "x"),
        ("-1 * * * *", ""),
        ("+1 * * * *", "+1"),
        ("H * * * *", "H"),
        ("0 0 30 2 *", "0 0 30 2 *"),
        ("0 0 31 4,6,9,11 *", "0 0 31 4,6,9,11 *"),
        ("@reboot", "@reboot"),
        ("@every 5m", "@every 5m"),
        ("\u{e9} * * * *", "\u{e9}"),
    ] {
        let error = Cron::parse(text).unwrap_err();
        assert_eq!(&text[error.span.clone()], part, "{text}: {error}");
        assert!(error.hint.is_some(), "{text}: {error}");
    }
}

#[test]
fn every_so_often_is_anchored_and_does_not_drift() {
    let mut every = ScheduleSpec::new(Trigger::Every(Duration::from_secs(90)), Zone::utc());
    check(
        &every,
        "2026-12-24T00:00:00Z",
        &["2026-12-24T00:01:30Z", "2026-12-24T00:03:00Z"],
    );
    // It goes by no clock on a wall.
    every.zone = zone("Europe/Berlin");
    let slots: Vec<Wall> = after(&every, at("2027-03-28T00:00:00Z"))
        .take(200)
        .collect();
    assert!(
        slots
            .windows(2)
            .all(|two| two[1].0 - two[0].0 == 90_000_000)
    );
    every.from = Some(at("2026-12-24T00:00:10Z"));
    every.until = Some(at("2026-12-24T00:03:10Z"));
    check(
        &every,
        "2020-01-01T00:00:00Z",
        &["2026-12-24T00:00:10Z", "2026-12-24T00:01:40Z"],
    );
    assert_eq!(after(&every, at("2020-01-01T00:00:00Z")).count(), 2);
}

#[test]
fn once_is_once() {
    let once = ScheduleSpec::new(Trigger::At(at("2026-12-24T18:00:00Z")), Zone::utc());
    check(
        &once,
        "2026-12-24T17:59:59.999999Z",
        &["2026-12-24T18:00:00Z"],
    );
    assert_eq!(once.next_after(at("2026-12-24T18:00:00Z")), None);
}

/// What the documented rule makes of the four kinds of expressions where clocks are changed.
#[test]
fn changes_of_the_clock_go_by_the_rule() {
    let berlin = zone("Europe/Berlin");
    let spring = "2027-03-27T12:00:00Z";
    let autumn = "2027-10-30T12:00:00Z";
    // Skipped from 02:00 to 03:00, which is 01:00 in UTC.
    let daily = cron("30 2 * * *", &berlin);
    check(
        &daily,
        spring,
        &["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"],
    );
    check(
        &daily,
        autumn,
        &["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"],
    );
    let mut other = daily.clone();
    (other.gap, other.fold) = (Gap::Skip, Fold::Both);
    check(&other, spring, &["2027-03-29T00:30:00Z"]);
    check(
        &other,
        autumn,
        &["2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"],
    );
    // Many skipped times are one slot, and the one that the clock shows then is the same.
    let many = cron("0,15,30 2,3 * * *", &berlin);
    check(
        &many,
        spring,
        &["2027-03-28T01:00:00Z", "2027-03-28T01:15:00Z"],
    );
    let often = cron("*/30 2 * * *", &berlin);
    check(&often, spring, &["2027-03-29T00:00:00Z"]);
    check(
        &cron("*/30 * * * *", &berlin),
        "2027-10-30T23:59:00Z",
        &[
            "2027-10-31T00:00:00Z",
            "2027-10-31T00:30:00Z",
            "2027-10-31T01:00:00Z",
        ],
    );
    // Cairo and midnight: the day begins an hour late, and not never.
    check(
        &cron("0 0 * * *", &zone("Africa/Cairo")),
        "2027-04-29T12:00:00Z",
        &["2027-04-29T22:00:00Z", "2027-04-30T21:00:00Z"],
    );
}

#[test]
fn what_is_peculiar_about_a_slot_is_told() {
    let berlin = zone("Europe/Berlin");
    let daily = cron("30 2 * * *", &berlin);
    let half_past_two = |day: &str| at(&format!("{day}T02:30:00Z")).0 / 1_000_000;
    let spring = half_past_two("2027-03-28");
    let autumn = half_past_two("2027-10-31");
    assert_eq!(
        daily.dst(at("2027-03-28T01:00:00Z")),
        Some(Dst::Moved(spring))
    );
    assert_eq!(daily.dst(at("2027-03-29T00:30:00Z")), None);
    assert_eq!(daily.dst(at("2027-10-31T00:30:00Z")), Some(Dst::First));
    let year = (at("2027-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
    assert_eq!(
        daily.lost(year.0, year.1),
        [(at("2027-10-31T01:30:00Z"), Dst::NotTwice(autumn))]
    );
    let mut other = daily;
    (other.gap, other.fold) = (Gap::Skip, Fold::Both);
    assert_eq!(other.dst(at("2027-10-31T01:30:00Z")), Some(Dst::Second));
    assert_eq!(
        other.lost(year.0, year.1),
        [(at("2027-03-28T01:00:00Z"), Dst::Skipped(spring))]
    );
}

#[test]
fn slots_that_have_passed_are_counted_and_the_last_is_found() {
    let start = at("2026-01-01T00:00:00Z");
    for (text, until, count, last) in [
        (
            "*/5 * * * *",
            "2026-01-01T01:00:00Z",
            12,
            "2026-01-01T01:00:00Z",
        ),
        (
            "*/5 * * * *",
            "2036-01-01T00:04:59Z",
            1_000,
            "2036-01-01T00:00:00Z",
        ),
        (
            "0 0 29 2 *",
            "2036-01-01T00:00:00Z",
            2,
            "2032-02-29T00:00:00Z",
        ),
        (
            "* 1 1 1 *",
            "2036-01-01T01:30:30Z",
            631,
            "2036-01-01T01:30:00Z",
        ),
    ] {
        let schedule = cron(text, &Zone::utc());
        let passed = schedule.passed(start, at(until)).unwrap();
        let more = count == 1_000;
        assert_eq!((passed.count, passed.more), (count, more), "{text}");
        assert_eq!(passed.last, at(last), "{text}");
        assert_eq!(
            schedule.last_until(start, at(until)),
            Some(at(last)),
            "{text}"
        );
    }
    let never = cron("0 0 29 2 *", &Zone::utc());
    assert_eq!(never.passed(start, at("2028-02-28T23:59:59Z")), None);
}

#[test]
fn a_blackout_is_as_the_clock_shows_it() {
    let shown = |text: &str| at(&format!("{text}:00Z")).0 / 1_000_000;
    for (text, inside, outside) in [
        (
            "22:00-06:00",
            ["2026-12-24T22:00", "2026-12-25T05:59"],
            ["2026-12-24T21:59", "2026-12-25T06:00"],
        ),
        (
            "sat,sun",
            ["2026-12-26T00:00", "2026-12-27T23:59"],
            ["2026-12-25T23:59", "2026-12-28T00:00"],
        ),
        (
            "MON-FRI 09:00-17:30",
            ["2026-12-25T09:00", "2026-12-25T17:29"],
            ["2026-12-25T17:30", "2026-12-26T10:00"],
        ),
        // The night belongs to the day that it begins on.
        (
            "Fri 22:00-06:00",
            ["2026-12-25T22:00", "2026-12-26T05:00"],
            ["2026-12-25T05:00", "2026-12-26T22:00"],
        ),
        (
            "2026-12-24..2026-12-26",
            ["2026-12-24T00:00", "2026-12-26T23:59"],
            ["2026-12-23T23:59", "2026-12-27T00:00"],
        ),
        (
            "2026-12-24T18:00 .. 2026-12-26T06:00",
            ["2026-12-24T18:00", "2026-12-26T05:59"],
            ["2026-12-24T17:59", "2026-12-26T06:00"],
        ),
    ] {
        let blackout = Blackout::parse(text).unwrap();
        for time in inside {
            assert!(blackout.covers(shown(time)), "{text} has {time} in it");
        }
        for time in outside {
            assert!(!blackout.covers(shown(time)), "{text} has not {time} in it");
        }
    }
    for text in [
        "",
        "foo",
        "22:00",
        "25:00-26:00",
        "Mon 5",
        "2026-12-26..2026-12-24",
        "5-6",
    ] {
        assert!(Blackout::parse(text).is_err() || text == "5-6", "{text}");
    }
}

#[test]
fn jitter_is_the_same_each_time_and_another_for_each_job() {
    let mut schedule = cron("0 3 * * *", &Zone::utc());
    assert_eq!(schedule.jitter_of("a"), Duration::ZERO);
    schedule.jitter = Duration::from_secs(600);
    let jitters: Vec<Duration> = (0..1_000)
        .map(|n| schedule.jitter_of(&format!("job-{n}")))
        .collect();
    assert!(jitters.iter().all(|jitter| *jitter < schedule.jitter));
    let halves = jitters
        .iter()
        .filter(|jitter| **jitter < schedule.jitter / 2)
        .count();
    assert!(
        (400..600).contains(&halves),
        "{halves} of 1,000 are in the first half"
    );
    // It is part of the interface: a new version must not move everybody's jobs.
    assert_eq!(jitters[0], schedule.jitter_of("job-0"));
    expect_test::expect!["551.183s"].assert_eq(&format!("{:?}", jitters[0]));
}

#[test]
fn a_schedule_is_written_and_read_as_it_is_and_its_zone_by_name() {
    let mut schedule = cron("30 2 * * MON-FRI", &zone("Europe/Berlin"));
    schedule.blackout = vec![Blackout::parse("22:00-06:00").unwrap()];
    let text = serde_json::to_string(&schedule).unwrap();
    let read: ScheduleSpec = serde_json::from_str(&text).unwrap();
    assert!(!read.zone.is_known());
    // Without rules nothing comes, rather than at a wrong time.
    assert_eq!(read.next_after(at("2026-01-01T00:00:00Z")), None);
    let zone = schedule.zone.clone();
    assert_eq!(ScheduleSpec { zone, ..read }, schedule);
}
