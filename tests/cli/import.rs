//! What is imported is a job file that is taken, and comes when the program says from which it is.

use std::fs;

use expect_test::expect_file;

use crate::support::Place;

const CRONTABS: [(&str, &str, &[&str]); 2] = [
    ("user.crontab", include_str!("import/user.crontab"), &[]),
    (
        "system.crontab",
        include_str!("import/system.crontab"),
        &["--system"],
    ),
];

/// When croniter says that the lines come; see `import/oracle.py`.
const CRONITER: &str = include_str!("import/crontab.tsv");

/// When systemd says that calendar events come; see the same.
const SYSTEMD: &str = include_str!("import/calendar.tsv");

/// The jobs of a file that have a schedule, in its order.
fn scheduled(text: &str) -> Vec<&str> {
    let tables = text.split("\n[jobs.").skip(1);
    let tables = tables.filter(|table| table.contains("\nschedule = "));
    tables
        .filter_map(|table| Some(table.split_once(']')?.0.trim_matches('"')))
        .collect()
}

/// The slots of a job after the first second of 2026 in UTC, in seconds of Unix.
fn slots(place: &Place, file: &str, job: &str, count: usize) -> Vec<String> {
    let from = "2026-01-01T00:00:00Z";
    let count = count.to_string();
    let done = place.twolane(&[
        "next", job, "--file", file, "--from", from, "-n", &count, "--json",
    ]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let lines = done.stdout.lines();
    let slots = lines.map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let at: jiff::Timestamp = line["slot"].as_str().unwrap().parse().unwrap();
        at.as_second().to_string()
    });
    slots.collect()
}

/// That the file is taken by `twolane check`.
fn is_taken(place: &Place, file: &str) {
    let checked = place.twolane(&["check", file]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    // What it is about is not on this machine, which may be told and is no mistake.
    let told = checked.stderr.lines().filter(|line| !line.starts_with(' '));
    let told: Vec<&str> = told.filter(|line| line.contains(": ")).collect();
    let is_known = |line: &&str| line.starts_with("warning: there is no ");
    assert!(told.iter().all(is_known), "{}", checked.stderr);
}

#[test]
fn a_crontab_comes_when_croniter_says() {
    for (name, crontab, args) in CRONTABS {
        let place = Place::with(&[(name, crontab)]);
        let args = [&["import", "crontab", name, "-o", "jobs.toml"], args].concat();
        let done = place.twolane(&args);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        is_taken(&place, "jobs.toml");
        let text = fs::read_to_string(place.path().join("jobs.toml")).unwrap();
        let jobs = scheduled(&text);
        let lines: Vec<&str> = CRONITER
            .lines()
            .filter(|line| line.starts_with(name))
            .collect();
        assert_eq!(jobs.len(), lines.len(), "{name}: {jobs:?}");
        for (job, line) in jobs.into_iter().zip(lines) {
            let expected: Vec<&str> = line.rsplit('\t').next().unwrap().split(' ').collect();
            assert_eq!(
                slots(&place, "jobs.toml", job, expected.len()),
                expected,
                "{job}: {line}"
            );
        }
        // Homes of users are the machine's.
        let known = text
            .lines()
            .map(|line| match line.starts_with("directory = ") {
                true if name == "system.crontab" => "directory = HOME\n".to_owned(),
                _ => format!("{line}\n"),
            });
        let known: String = known.collect();
        expect_file![format!("import/{name}.toml")].assert_eq(&known);
    }
}

#[test]
fn a_calendar_event_comes_when_systemd_says() {
    let events: Vec<(&str, Vec<&str>)> = SYSTEMD
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(event, slots)| (event, slots.split(' ').collect()))
        .collect();
    let place = Place::with(&[("e.service", "[Service]\nExecStart=/bin/true\n")]);
    let mut args = vec![
        "import".to_owned(),
        "systemd-timer".into(),
        "-o".into(),
        "jobs.toml".into(),
    ];
    for (index, (event, _)) in events.iter().enumerate() {
        let timer = format!("[Timer]\nOnCalendar={event}\nUnit=e.service\n");
        place.write(&format!("e{index}.timer"), &timer);
        args.push(format!("e{index}.timer"));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = place.twolane(&args);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(done.stderr, "", "nothing is left out");
    is_taken(&place, "jobs.toml");
    for (index, (event, expected)) in events.into_iter().enumerate() {
        let job = format!("e{index}");
        assert_eq!(
            slots(&place, "jobs.toml", &job, expected.len()),
            expected,
            "{event}"
        );
    }
}

#[test]
fn timers_and_their_services_become_jobs() {
    let units = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/import/units");
    let place = Place::with(&[]);
    let mut args = vec![
        "import",
        "systemd-timer",
        "-o",
        "jobs.toml",
        "--directory",
        units,
    ];
    args.extend([
        "nightly.timer",
        "often",
        "boot.timer",
        "backup@srv-joe.timer",
        "office",
    ]);
    let done = place.twolane(&args);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    is_taken(&place, "jobs.toml");
    let text = fs::read_to_string(place.path().join("jobs.toml")).unwrap();
    expect_file!["import/units.toml"].assert_eq(&text.replace(units, "UNITS"));
    // A path is taken as well, and what it starts is beside it.
    let path = format!("{units}/nightly.timer");
    let shown = place.twolane(&["import", "systemd-timer", &path]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(
        shown.stdout.contains("\n[jobs.nightly]\n"),
        "{}",
        shown.stdout
    );
}

/// Lines and timers of which some are made jobs of, and what the file says of the others.
const PARTLY: [(&str, &str); 7] = [
    (
        "some.crontab",
        "# first\n0 0 * * * good\n# second\n61 * * * * late\n* * * * *\n@never x\n0 0 30 2 * x\n@daily last\n",
    ),
    ("a.timer", "[Timer]\nOnCalendar=daily\n"),
    ("a.service", "[Service]\nExecStart=/bin/true\n"),
    ("z@.timer", "[Timer]\nOnCalendar=daily\n"),
    (
        "d.timer",
        "[Timer]\nOnCalendar=*-02-30\nOnCalendar=2026-02-30 18:00\nOnCalendar=2027..2026-*-*\nOnCalendar=hourly\nUnit=a.service\n",
    ),
    ("s.timer", "[Timer]\nOnCalendar=daily\n"),
    (
        "s.service",
        "[Service]\nExecStart=/bin/backup --host %H --load 100%% $OPTS\nEnvironment=BOOT=%b\n",
    ),
];

#[test]
fn what_no_job_can_be_made_of_is_left_out_and_told() {
    let place = Place::with(&PARTLY);
    let cases: [(&[&str], i32, &str, &[&str]); 4] = [
        (
            &["crontab", "some.crontab"],
            3,
            "4 left out: each stands in the file behind `# left out:`\n",
            &[
                "\n[jobs.good]\n",
                "\n# second\n# 61 * * * * late\n# left out: `61` is no minute\n#   it is 0 to 59\n",
                "\n# * * * * *\n# left out: `* * * * *` names no command\n",
                "\n# @never x\n# left out: `@never` is no schedule\n",
                "\n# 0 0 30 2 * x\n# left out: `0 0 30 2 *` never comes\n",
                "\n[jobs.last]\n",
            ],
        ),
        (
            &["systemd-timer", "./a.timer", "./z@.timer"],
            3,
            "1 left out: each stands in the file behind `# left out:`\n",
            &[
                "\n[jobs.a]\n",
                "\n# ./z@.timer\n# left out: `z@.timer` is a template\n",
            ],
        ),
        (
            &["systemd-timer", "./d.timer"],
            0,
            "3 things to look at",
            &[
                "# note: OnCalendar=*-02-30 is left out: it never comes\n",
                "# note: OnCalendar=2026-02-30 18:00 is left out: it never comes\n",
                "# note: OnCalendar=2027..2026-*-* is left out: `2027..2026` goes backwards\n",
                "schedule = { cron = \"0 * * * *\" }\n",
            ],
        ),
        (
            &["systemd-timer", "./s.timer"],
            0,
            "2 things to look at",
            &[
                "--host %H --load 100% $OPTS",
                "# note: `%H` stands for something that only systemd fills in\n",
                "# note: `%b` stands for something that only systemd fills in\n",
            ],
        ),
    ];
    for (args, code, told, said) in cases {
        let done = place.twolane(&[&["import"], args].concat());
        assert_eq!(done.code, Some(code), "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(told), "{args:?}: {}", done.stderr);
        for said in said {
            assert!(done.stdout.contains(said), "{args:?}: {}", done.stdout);
        }
        place.write("jobs.toml", &done.stdout);
        is_taken(&place, "jobs.toml");
    }
    // It is written all the same, and the exit code tells.
    let done = place.twolane(&["import", "crontab", "some.crontab", "-o", "made.toml"]);
    assert_eq!(done.code, Some(3), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("error: line 4 of some.crontab: `61` is no minute\nhint: it is 0 to 59\n"),
        "{}",
        done.stderr
    );
    is_taken(&place, "made.toml");
}

#[test]
fn a_crontab_whose_commands_all_begin_with_a_user_is_told_of() {
    let place = Place::with(&[
        ("of-system", "17 * * * * root cd /\n@daily root true\n"),
        ("of-user", "17 * * * * root cd /\n@daily true\n"),
        ("empty", "# nothing\n"),
    ]);
    for (file, args, is_told) in [
        ("of-system", &[][..], true),
        ("of-system", &["--system"], false),
        ("of-user", &[], false),
        ("empty", &[], false),
    ] {
        let done = place.twolane(&[&["import", "crontab", file], args].concat());
        assert_eq!(done.code, Some(0), "{file}: {}", done.stderr);
        let note = "# note: each command begins with the name of a user, as in a crontab of the system: `--system`";
        assert_eq!(
            done.stdout.contains(note),
            is_told,
            "{file}: {}",
            done.stdout
        );
    }
}

/// Files that cannot be imported, and two that need not be.
const UNREADABLE: [(&str, &str); 10] = [
    (
        "bad.crontab",
        "61 * * * * late\n* * * * *\n@never x\n0 0 31 2 * x\n",
    ),
    ("there.toml", "# mine\n"),
    ("good.crontab", "@daily true\n"),
    ("x.timer", "[Timer]\nOnCalendar=daily\nUnit=x.target\n"),
    ("y.timer", "[Timer]\nOnCalendar=daily\n"),
    ("z@.timer", "[Timer]\nOnCalendar=daily\n"),
    ("q.timer", "[Timer]\nOnCalendar=daily\n"),
    ("q.service", "[Service]\nExecStart=/bin/a 'b\n"),
    ("n.timer", "[Timer]\nOnCalendar=daily\n"),
    ("n.service", "[Service]\nType=oneshot\nwhat\n"),
];

#[test]
fn what_cannot_be_read_is_told_and_nothing_is_written() {
    let place = Place::with(&UNREADABLE);
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (
            &["crontab", "bad.crontab"],
            3,
            &[
                "line 1 of bad.crontab: `61` is no minute\nhint: it is 0 to 59\n",
                "line 2 of bad.crontab: `* * * * *` names no command",
                "line 3 of bad.crontab: `@never` is no schedule",
                "line 4 of bad.crontab: `0 0 31 2 *` never comes",
            ],
        ),
        (&["crontab", "nothing"], 5, &["cannot read `nothing`"]),
        (
            &["crontab", "good.crontab", "-o", "there.toml"],
            5,
            &["cannot write `there.toml`"],
        ),
        (
            &["systemd-timer", "./x.timer"],
            3,
            &["`x.timer` starts `x.target`"],
        ),
        (
            &["systemd-timer", "./y.timer"],
            3,
            &["there is no unit `y.service` in `.`"],
        ),
        (
            &["systemd-timer", "./z@.timer"],
            3,
            &["is a template\nhint: name an instance"],
        ),
        (
            &["systemd-timer", "./q.timer"],
            3,
            &["ExecStart of `q.service`: "],
        ),
        (
            &["systemd-timer", "./n.timer"],
            3,
            &["line 3 of `./n.service`", "`what`"],
        ),
        (
            &["systemd-timer", "q.service"],
            3,
            &["`q.service` is no timer"],
        ),
    ];
    for (args, code, said) in cases {
        let done = place.twolane(&[&["import"], args].concat());
        assert_eq!(done.code, Some(code), "{args:?}: {}", done.stderr);
        assert_eq!(done.stdout, "", "{args:?}");
        for said in said {
            assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
        }
    }
    let there = fs::read_to_string(place.path().join("there.toml")).unwrap();
    assert_eq!(there, "# mine\n");
}
