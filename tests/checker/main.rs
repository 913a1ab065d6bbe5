//! The test of the checker: evidence that is whole, and then broken in one way each. Each violation has to be found,
//! and told under its name; of whole evidence nothing may be told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::Arc;

use check::clients::Clients;
use check::facts::Log;
use check::invariants::ALL;
use check::ledger::Ledger;
use check::processes::Process;
use check::{Evidence, Expectations, Place, check};
use script::Script;
use twolane::engine::id::RunId;
use twolane::process::instance_in;
use twolane::store::{FactLog, Haste, Retention, SqliteLog, StorePlace};

/// Evidence as texts.
#[derive(Clone, Copy)]
struct Texts {
    clients: &'static str,
    ledger: &'static str,
    facts: &'static str,
    /// A line each: number, run and attempt, `-` for what it does not say.
    processes: &'static str,
    is_live: bool,
}

/// All has come to rest: of each thing that may become of a run there is one.
const REST: Texts = Texts {
    clients: r#"{"key":"a","job":"again","unknown":true}
{"key":"a","job":"again","run":1}
{"key":"b","job":"once","run":2}
{"key":"b","job":"once","run":2}
{"key":"c","job":"again","refused":503}
{"key":"d","job":"tries","run":3}
{"key":"e","job":"again","unknown":true}
{"key":"f","job":"again","run":8}
{"job":"later","run":9}
"#,
    ledger: "\
start 1 1 a 100
end 1 1 a 100 0
start 1 2 a 200
start 2 1 b 100
start 1 3 a 201
end 1 3 a 201 0
start 3 1 d 202
end 3 1 d 202 75
start 3 2 d 203
end 3 2 d 203 0
start 4 2 e 204
end 4 2 e 204 3
start 8 1 f 205
start 8 4 f 206
",
    facts: "\
evaluated tick 0
accepted 1 again a
started 1 1
interrupted 1 1 crash
announced 1.2 1.3
interrupted 1 2 unsure
started 1 3
ended 1 3 succeeded
accepted 2 once b
started 2 1
ended 2 1 crash
accepted 3 tries d
started 3 1
second 15
retrying 3 1 exit 75 due 16
second 16
started 3 2
ended 3 2 succeeded
accepted 4 again e
started 4 1
interrupted 4 1 no-room
started 4 2
ended 4 2 exit 3
evaluated tick 4
slot 5 tick 1
started 5 1
ended 5 1 succeeded
slot 6 tick 2
left-out 6 2 3
slot 7 tick 4
cancelled 7
accepted 8 again f
started 8 1
interrupted 8 1 crash
started 8 2
interrupted 8 2 crash
started 8 3
interrupted 8 3 crash
started 8 4
ended 8 4 crashes 4
accepted 9 later -
started 9 1
interrupted 9 1 crash
started 9 2
interrupted 9 2 crash
started 9 3
interrupted 9 3 crash
started 9 4
interrupted 9 4 crash
cancelled 9
table succeeded 3
table failed 3
table cancelled 2
table skipped 1
",
    processes: "",
    is_live: false,
};

/// A daemon is at work.
const LIVE: Texts = Texts {
    clients: r#"{"key":"a","job":"apart","run":1}
{"key":"b","job":"again","run":2}
"#,
    ledger: "start 1 1 a 100\nstart 2 1 b 101\n",
    facts: "\
accepted 1 apart a
started 1 1
accepted 2 again b
announced 2.1
table running 1
table queued 1
",
    processes: "100 1 1\n107 1 -\n109 - -\n",
    is_live: true,
};

/// For two runs at a time the machine has no room: once in the life of a daemon, and once at the end of it.
const CROWD: Texts = Texts {
    clients: r#"{"key":"a","job":"again","run":1}
{"key":"b","job":"again","run":2}
"#,
    ledger: "start 1 3 a 100\nend 1 3 a 100 0\nstart 2 3 b 101\nend 2 3 b 101 0\n",
    facts: "\
opened
accepted 1 again a
accepted 2 again b
started 1 1
started 2 1
second 10
interrupted 1 1 no-room
second 10
interrupted 2 1 no-room
second 11
started 1 2
second 11.005
started 2 2
second 20
interrupted 1 2 no-room
second 20
interrupted 2 2 no-room
second 20.5
opened
second 21
started 1 3
second 21
started 2 3
second 22
ended 1 3 succeeded
second 22
ended 2 3 succeeded
table succeeded 2
",
    processes: "",
    is_live: false,
};

impl Texts {
    fn evidence(&self) -> Evidence {
        let script = Script::read(self.facts);
        let mut log = Log::default();
        for record in &script.records {
            log.take(record);
        }
        Evidence {
            clients: Clients::parse(self.clients).unwrap(),
            ledger: Ledger::parse(self.ledger).unwrap(),
            log,
            damage: script.damage,
            counts: script.counts,
            processes: self.processes.lines().map(process).collect(),
        }
    }

    fn expectations(&self) -> Expectations {
        let ledger_jobs = ["again", "once", "tries"].map(str::to_owned);
        Expectations {
            is_live: self.is_live,
            ledger_jobs: ledger_jobs.into(),
            at_least: BTreeMap::new(),
        }
    }
}

fn process(line: &str) -> Process {
    let words: Vec<&str> = line.split(' ').collect();
    Process {
        pid: words[0].parse().unwrap(),
        run: words[1].parse().ok().map(RunId),
        epoch: words[2].parse().ok(),
    }
}

/// Which part of the evidence a row breaks.
#[derive(Clone, Copy, Debug)]
enum Part {
    C,
    L,
    E,
    P,
}

/// What is violated, in which evidence, and what is broken there: the second text stands in place of the first.
type Row = (&'static str, Texts, Part, &'static str, &'static str);

use Part::{C, E, L, P};

#[rustfmt::skip]
const BROKEN: &[Row] = &[
    // An acknowledged run is gone; another one has its number; it is of another job.
    ("I1 I2 I4 I9", REST, E, "accepted 8 again f\nstarted 8 1\ninterrupted 8 1 crash\nstarted 8 2\ninterrupted 8 2 crash\n\
                     started 8 3\ninterrupted 8 3 crash\nstarted 8 4\nended 8 4 crashes 4\n", ""),
    ("I1", REST, C, r#""f","job":"again","run":8"#, r#""f","job":"again","run":1"#),
    ("I1", REST, C, r#"{"key":"d","job":"tries""#, r#"{"key":"d","job":"again""#),
    // Without an end; with two; on after its end.
    ("I2 I9", REST, E, "cancelled 7\n", "\n"),
    ("I2", REST, E, "cancelled 7\n", "cancelled 7\ncancelled 7\n"),
    ("I2 I9", REST, E, "cancelled 7\n", "cancelled 7\nstarted 7 1\n"),
    // A success that nobody wrote; one that wrote something else; a failure that was none; two that are forgotten.
    ("I3", REST, L, "end 1 3 a 201 0\n", ""),
    ("I3", REST, L, "end 3 2 d 203 0", "end 3 2 d 203 1"),
    ("I3", REST, L, "end 4 2 e 204 3", "end 4 2 e 204 0"),
    ("I3 I4", LIVE, L, "start 2 1 b 101\n", "start 2 1 b 101\nstart 2 2 b 102\nend 2 2 b 102 0\n"),
    ("I3", LIVE, E, "accepted 2 again b\nannounced 2.1\ntable running 1\ntable queued 1",
                    "accepted 2 again b\nannounced 2.1\ncancelled 2\ntable running 1\ntable cancelled 1"),
    // Started without a record of the run, of the attempt, with another key, and without room.
    ("I4", REST, L, "start 8 1 f 205", "start 9 1 f 205"),
    ("I3 I4", LIVE, E, "announced 2.1\n", ""),
    ("I4", REST, L, "start 8 4 f", "start 8 4 a"),
    ("I4", REST, E, "interrupted 1 1 crash", "interrupted 1 1 unbegun"),
    ("I4", REST, L, "start 4 2 e 204\n", "start 4 1 e 203\nstart 4 2 e 204\n"),
    // Started twice, written and on record; what must not be done twice, by other attempts.
    ("I5", REST, L, "start 8 4 f 206\n", "start 8 4 f 206\nstart 8 4 f 207\n"),
    ("I5 I6", REST, E, "started 3 2\n", "started 3 1\nstarted 3 2\n"),
    ("I5", REST, E, "ended 2 1 crash\n", "interrupted 2 1 crash\nstarted 2 2\nended 2 2 crash\n"),
    // Written in another order; begun in the same process; ended and not begun; on record while another one runs, with
    // a lower number; an end of one that does not run.
    ("I6", REST, L, "start 1 2 a 200\nstart 2 1 b 100\nstart 1 3 a 201\n", "start 2 1 b 100\nstart 1 3 a 201\nstart 1 2 a 200\n"),
    ("I6", REST, L, "start 8 4 f 206", "start 8 4 f 205"),
    ("I6", REST, L, "start 3 2 d 203\n", ""),
    ("I6 I7", REST, E, "interrupted 8 2 crash\n", "\n"),
    ("I6", REST, E, "started 1 1\ninterrupted 1 1 crash\nannounced 1.2 1.3\ninterrupted 1 2 unsure\nstarted 1 3\n",
                    "announced 1.2\ninterrupted 1 2 unsure\nstarted 1 1\ninterrupted 1 1 crash\nstarted 1 3\n"),
    ("I3 I6", REST, E, "ended 2 1 crash", "ended 2 2 crash"),
    // One failure too many; one crash too many; given up too soon; before its time, and without the pause.
    ("I7", REST, E, "started 4 2\nended 4 2 exit 3\n",
                    "started 4 2\nretrying 4 2 exit 3 due 19\nstarted 4 3\nended 4 3 exit 3\n"),
    ("I7", REST, E, "ended 8 4 crashes 4\n", "interrupted 8 4 crash\nstarted 8 5\nended 8 5 crashes 5\n"),
    ("I7", REST, E, "started 8 3\ninterrupted 8 3 crash\n", ""),
    ("I7", REST, E, "due 16", "due 17"),
    ("I7", REST, E, "interrupted 4 1 no-room\n", "interrupted 4 1 no-room\nsecond 20\n"),
    // A pause that is none, and one of a second too much; tried before its turn.
    ("I7", REST, E, "due 16", "due 15"),
    ("I7", REST, E, "due 16\nsecond 16", "due 17\nsecond 17"),
    ("I7", CROWD, E, "second 11.005", "second 11.004"),
    // A slot that is run twice; one of which nothing is on record; a stretch that is too short.
    ("I8", REST, E, "slot 7 tick 4", "slot 7 tick 1"),
    ("I8", REST, E, "evaluated tick 4", "evaluated tick 5"),
    ("I8", REST, E, "left-out 6 2 3", "left-out 6 2 2"),
    // The clock was set back, and a slot from before that is forgotten.
    ("I8", REST, E, "evaluated tick 4", "evaluated tick 5\nevaluated tick 4"),
    // A gap; a run from nowhere; one that is there twice; a table that says something else; what a look has found.
    ("I9", REST, E, "accepted 8 again f", "number 32\naccepted 8 again f"),
    ("I9", REST, E, "accepted 8 again f", "cancelled 9\naccepted 8 again f"),
    ("I9", REST, E, "table succeeded 3\ntable failed 3", "table succeeded 2\ntable failed 4"),
    ("I9", LIVE, E, "table queued 1", "table queued 2"),
    ("I9", REST, E, "table failed 3", "table failed 3\ndamage record 3: does not follow the one before it"),
    // Of a run that does not run; of another attempt; of no run at all, where there must be none; and none.
    ("I10", REST, P, "", "100 1 3\n"),
    ("I10", REST, P, "", "100 - -\n"),
    ("I10", LIVE, P, "100 1 1\n", "100 1 1\n101 2 1\n"),
    ("I10", LIVE, P, "100 1 1\n", "100 1 2\n107 1 1\n"),
    ("I10", LIVE, P, "100 1 1\n107 1 -\n", ""),
    // Refused, and on record; two runs for one key; told so, too; a run that nobody asked for.
    ("I12", REST, C, r#""key":"e","job":"again","unknown":true"#, r#""key":"e","job":"again","refused":503"#),
    ("I4 I12", REST, E, "accepted 4 again e", "accepted 4 again a"),
    ("I12", REST, C, "{\"key\":\"e\",\"job\":\"again\",\"unknown\":true}\n", ""),
    // Without a key: not asked for, of another job, refused, and told to two.
    ("I12", REST, C, "{\"job\":\"later\",\"run\":9}\n", ""),
    ("I1 I12", REST, C, r#"{"job":"later""#, r#"{"job":"again""#),
    ("I12", REST, C, r#"{"job":"later","run":9}"#, r#"{"job":"later","refused":503}"#),
    ("I12", REST, C, "{\"job\":\"later\",\"run\":9}\n", "{\"job\":\"later\",\"run\":9}\n{\"job\":\"later\",\"run\":9}\n"),
    // Nobody asked, nobody wrote, nothing runs.
    ("I12 evidence", REST, C, REST.clients, ""),
    ("I3 evidence", REST, L, REST.ledger, ""),
    ("I10 evidence", LIVE, P, LIVE.processes, ""),
];

fn broken((_, texts, part, from, to): &Row) -> Texts {
    let mut texts = *texts;
    let text = match part {
        C => &mut texts.clients,
        L => &mut texts.ledger,
        E => &mut texts.facts,
        P => &mut texts.processes,
    };
    assert!(text.contains(from), "{part:?} has no {from:?}");
    *text = String::leak(text.replacen(from, to, 1));
    texts
}

#[test]
fn of_whole_evidence_nothing_is_told() {
    for texts in [REST, LIVE, CROWD] {
        let report = check(&texts.evidence(), &texts.expectations());
        assert_eq!(report.violated(), [""; 0], "{report}");
    }
    let report = check(&REST.evidence(), &REST.expectations()).to_string();
    let told = "checked 9 requests, 6 acknowledged, 1 refused, 2 unknown, 9 starts, 5 ends, 49 facts, 9 runs, \
                0 processes: nothing violated";
    assert_eq!(report, told);
}

#[test]
fn each_violation_is_found_and_told_by_its_name() {
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in BROKEN {
        let texts = broken(row);
        let report = check(&texts.evidence(), &texts.expectations());
        let (expected, _, part, from, to) = row;
        let mut names = report.violated();
        names.sort_by_key(|name| name.strip_prefix('I').map_or(99, |n| n.parse().unwrap()));
        if names.join(" ") != *expected {
            wrong.push(format!(
                "{expected}: {part:?}: {from:?} is {to:?}\n{report}\n"
            ));
        }
        found.extend(names);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, _) in ALL {
        assert!(found.contains(name), "{name} has no row");
    }
}

#[test]
fn as_much_as_is_asked_for_has_to_be_there() {
    let violated = |least: &str| {
        let mut expectations = REST.expectations();
        expectations.at_least(least).unwrap();
        check(&REST.evidence(), &expectations).violated()
    };
    assert_eq!(violated("acknowledged=6"), [""; 0]);
    assert_eq!(violated("acknowledged=7"), ["evidence"]);
    for wrong in ["acknowledged", "acknowledged=many", "words=1"] {
        assert!(Expectations::default().at_least(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_broken_line_is_no_evidence() {
    let clients = [
        "x",
        r#"{"key":"a","job":"b"}"#,
        r#"{"key":"a","job":"b","run":1,"refused":503}"#,
        r#"{"key":"a","job":"b","run":1,"more":1}"#,
        "{\"key\":\"a\",\"job\":\"b\",\"run\":1}\n{\"key\":\"a\",\"job\":\"c\",\"run\":1}",
    ];
    for text in clients {
        assert!(Clients::parse(text).is_err(), "{text}");
    }
    let ledger = [
        "",
        "start 1 1 a",
        "start 1 1 a 100 0",
        "end 1 1 a 100",
        "end 1 1 a 100 x",
        "start one 1 a 100",
        "start 1 1 a 100start 2 1 b 100",
    ];
    for text in ledger {
        assert!(Ledger::parse(&format!("{text}\n")).is_err(), "{text}");
    }
}

/// Evidence as it lies in a directory.
fn lay(dir: &std::path::Path, texts: &Texts) -> Place {
    let place = Place::within(dir);
    std::fs::write(&place.clients, texts.clients).unwrap();
    std::fs::write(&place.ledger, texts.ledger).unwrap();
    let store = StorePlace::new(&place.state);
    let mut log = SqliteLog::open(&store, Retention::default()).unwrap().log;
    let records = Script::read(texts.facts).records;
    log.append(1, &Arc::from(records), Haste::Now);
    drop(log);
    place
}

#[test]
fn evidence_is_read_from_files_and_from_the_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let place = lay(dir.path(), &REST);
    let look = || Ok::<_, String>(check(&Evidence::read(&place)?, &REST.expectations()));
    let whole = look().unwrap();
    assert_eq!(whole.violated(), [""; 0], "{whole}");
    assert_eq!(
        whole.to_string(),
        check(&REST.evidence(), &REST.expectations()).to_string()
    );

    // Something of a run that is over runs on.
    let instance = instance_in(&place.state.join("instance")).unwrap();
    let mut left = Command::new("sleep")
        .arg("1000")
        .env("TWOLANE_KEY", format!("{instance}-1"))
        .env("TWOLANE_ATTEMPT", "3")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let report = look().unwrap();
    let told = format!(
        "I10: process {} is of run 1, which does not run\n",
        left.id()
    );
    left.kill().unwrap();
    left.wait().unwrap();
    assert_eq!(report.violated(), ["I10"], "{report}");
    assert!(report.to_string().starts_with(&told), "{report}");

    // A table says something else than the records.
    let db = StorePlace::new(&place.state).db();
    let sqlite = rusqlite::Connection::open(db).unwrap();
    sqlite
        .execute("UPDATE runs SET state = 6 WHERE run = 1", [])
        .unwrap();
    drop(sqlite);
    let report = look().unwrap();
    assert_eq!(report.violated(), ["I9"], "{report}");

    std::fs::remove_file(&place.clients).unwrap();
    assert!(look().unwrap_err().contains("clients.jsonl"));
}
