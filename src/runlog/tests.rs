//! Run logs on a real disk: what comes back, what is marked, what goes.

use std::sync::Arc;

use super::*;
use crate::engine::id::AttemptId;
use crate::engine::spec::{JobSpec, Lane, TaskSpec};
use crate::engine::time::{Mono, Now, Wall};
use crate::inbox::{Missing, OutStream, Progress};

fn note(run: u64, text: &str) -> Note {
    let duration = Duration::ZERO;
    Note {
        attempt: AttemptId {
            run: RunId(run),
            epoch: 1,
        },
        job: Arc::new(JobSpec::new(
            "j".into(),
            Lane::Io,
            TaskSpec::Sleep { duration },
        )),
        at: Now {
            wall: Wall(1_700_000_000_000_000),
            mono: Mono(0),
        },
        progress: Progress {
            fraction: Some(0.5),
            message: Some(text.into()),
        },
    }
}

/// Says it, waiting for room, which the daemon never does.
fn say(ear: &mut Ear, note: &Note) {
    while !ear.pass(Item::Note(note.clone())) {
        std::thread::yield_now();
    }
}

fn texts(directory: &std::path::Path, run: u64) -> Vec<String> {
    let lines = lines(directory, RunId(run), 0, usize::MAX).expect("it can be read");
    lines.iter().map(|line| line.text.to_string()).collect()
}

#[test]
fn lines_come_back_whole_also_after_a_restart() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("logs");
    for round in 0..3 {
        let logs = RunLogs::start(directory.clone()).expect("a thread");
        let mut ear = logs.ear();
        for run in 0..100 {
            say(&mut ear, &note(run, &format!("{round} of {run}\nsecond")));
        }
        ear.over(RunId(7));
    }
    assert_eq!(
        texts(&directory, 7),
        ["0 of 7\nsecond", "1 of 7\nsecond", "2 of 7\nsecond"]
    );
    assert_eq!(texts(&directory, 99).len(), 3);
    assert!(
        texts(&directory, 100).is_empty(),
        "a run that said nothing has no file"
    );
    let after = lines(&directory, RunId(7), 1, 1).expect("it can be read");
    assert_eq!(
        after.iter().map(|line| line.number).collect::<Vec<_>>(),
        [2]
    );
}

#[test]
fn promise_9_a_long_log_keeps_both_ends_and_marks_the_gap() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().to_owned();
    let logs = RunLogs::start(directory.clone()).expect("a thread");
    let mut ear = logs.ear();
    let long = "x".repeat(1000);
    for n in 1..=5000 {
        say(&mut ear, &note(1, &format!("{n} {long}")));
    }
    ear.over(RunId(1));
    drop(logs);
    let lines = lines(&directory, RunId(1), 0, usize::MAX).expect("it can be read");
    let first = lines.first().expect("a line");
    let last = lines.last().expect("a line");
    assert!(first.text.starts_with("1 ") && last.text.starts_with("5000 "));
    let marks: Vec<_> = lines
        .iter()
        .filter(|l| l.stream == Stream::Dropped)
        .collect();
    assert_eq!(marks.len(), 1, "one gap");
    let said = lines.len() - 1;
    let missing = 5000 - said;
    assert!(
        marks[0]
            .text
            .starts_with(&format!("{missing} lines dropped")),
        "{marks:?}"
    );
    let size: u64 = std::fs::read_dir(directory.join("000000"))
        .expect("a directory")
        .map(|entry| {
            entry
                .and_then(|entry| entry.metadata())
                .expect("a file")
                .len()
        })
        .sum();
    assert!(size < KEPT_BYTES, "{size} bytes");
}

#[test]
fn a_line_that_was_being_written_does_not_spoil_the_next() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().to_owned();
    let logs = RunLogs::start(directory.clone()).expect("a thread");
    say(&mut logs.ear(), &note(1, "first"));
    drop(logs);
    let path = segments::path(&directory, RunId(1), "log");
    let mut text = std::fs::read(&path).expect("a file");
    text.extend(b"{\"n\":2,\"t\":17");
    std::fs::write(&path, text).expect("it can be written");
    let logs = RunLogs::start(directory.clone()).expect("a thread");
    say(&mut logs.ear(), &note(1, "second"));
    drop(logs);
    assert_eq!(texts(&directory, 1), ["first", "second"]);
}

#[test]
fn what_could_not_be_written_is_counted_and_marked_when_it_can_be() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("logs");
    let group = directory.join("000000");
    std::fs::create_dir(&directory).expect("it is made");
    // No file can be made below it.
    std::fs::write(&group, "").expect("it is made");
    let logs = RunLogs::start(directory.clone()).expect("a thread");
    let mut ear = logs.ear();
    for run in [1, 2, 1] {
        say(&mut ear, &note(run, "lost"));
    }
    ear.over(RunId(1));
    let lost = logs.dropping();
    until(|| lost.load(Ordering::Relaxed) == 3);
    std::fs::remove_file(&group).expect("it goes");
    until(|| texts(&directory, 1) == ["2 lines could not be written"]);
    until(|| texts(&directory, 2) == ["1 lines could not be written"]);
    say(&mut ear, &note(2, "after"));
    drop(ear);
    drop(logs);
    let all = lines(&directory, RunId(2), 0, usize::MAX).expect("it can be read");
    let numbers: Vec<u64> = all.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [1, 2], "{all:?}");
}

#[test]
fn a_log_that_cannot_be_marked_is_in_no_others_way() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("logs");
    std::fs::create_dir(&directory).expect("it is made");
    let group = |name: &str| directory.join(name);
    for name in ["000000", "000001"] {
        std::fs::write(group(name), "").expect("it is made");
    }
    let logs = RunLogs::start(directory.clone()).expect("a thread");
    let mut ear = logs.ear();
    for run in [1, 1_001] {
        say(&mut ear, &note(run, "lost"));
        ear.over(RunId(run));
    }
    let lost = logs.dropping();
    until(|| lost.load(Ordering::Relaxed) == 2);
    std::fs::remove_file(group("000001")).expect("it goes");
    until(|| texts(&directory, 1_001) == ["1 lines could not be written"]);
    std::fs::remove_file(group("000000")).expect("it goes");
    until(|| texts(&directory, 1) == ["1 lines could not be written"]);
}

#[test]
fn a_part_that_could_not_be_begun_is_begun_later() {
    let place = tempfile::tempdir().expect("a directory");
    let mut segments = segments::Segments::open(place.path(), RunId(1)).expect("it is opened");
    let line = |bytes: u64| {
        let mut line = vec![b'x'; usize::try_from(bytes).expect("it is small") - 1];
        line.push(b'\n');
        line
    };
    let (half, quarter) = (line(KEPT_BYTES / 2), line(KEPT_BYTES / 4));
    for lines in [&half, &quarter, &quarter] {
        segments.write(lines).expect("it is written");
    }
    // As it is where no descriptor was to be had for the next part.
    let part = |name| segments::path(place.path(), RunId(1), name);
    std::fs::rename(part("end2"), part("end1")).expect("it is there");
    segments.write(&quarter).expect("it goes on");
    for name in ["log", "end1", "end2"] {
        assert!(part(name).exists(), "{name}");
    }
}

/// Waits for it, for a minute at most.
fn until(is_so: impl Fn() -> bool) {
    let (_never, waiting) = crossbeam_channel::bounded::<()>(0);
    for _ in 0..6_000 {
        if is_so() {
            return;
        }
        let _nothing = waiting.recv_timeout(Duration::from_millis(10));
    }
    panic!("it does not come about");
}

#[test]
fn what_is_gone_leaves_no_file() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().to_owned();
    let logs = RunLogs::start(directory.clone()).expect("a thread");
    let mut ear = logs.ear();
    say(&mut ear, &note(1, "first"));
    ear.over(RunId(1));
    ear.gone(RunId(1));
    drop(logs);
    assert!(!segments::path(&directory, RunId(1), "log").exists());
}

#[test]
fn the_end_of_a_run_that_said_nothing_is_passed_on_to_nobody() {
    let (port, items) = port();
    let mut ear = Ear {
        port: Some(port),
        spoken: Spoken::default(),
        missing: BTreeMap::new(),
    };
    ear.over(RunId(1));
    assert!(items.is_empty());
    ear.note(&note(2, "a word"));
    ear.over(RunId(1));
    ear.over(RunId(2));
    ear.over(RunId(2));
    let passed: Vec<Item> = items.try_iter().collect();
    assert!(
        matches!(&passed[..], [Item::Note(_), Item::Over(RunId(2))]),
        "{passed:?}"
    );
}

/// What a command has written, as it is passed on.
fn output(run: u64, text: Vec<u8>) -> Output {
    let Note {
        attempt, job, at, ..
    } = note(run, "");
    Output {
        attempt,
        job,
        at,
        stream: OutStream::Out,
        missing: Missing::default(),
        text,
    }
}

/// A short line takes many times as many bytes in the file as the command wrote.
#[test]
fn a_flood_of_short_lines_is_written_piece_by_piece() {
    const LINES: usize = 16 << 10;
    const OUTPUTS: usize = 20;
    for (case, line) in [
        ("empty lines", &b"\n"[..]),
        ("short lines", b"y\n"),
        ("bytes that are no text", b"\xff\x00\x01\n"),
    ] {
        let place = tempfile::tempdir().expect("a directory");
        let (port, items) = port();
        for _ in 0..OUTPUTS {
            let output = output(1, line.repeat(LINES));
            let held = Held(Arc::default(), 0);
            let item = Item::Output(Box::new(output), held);
            assert!(port.offer(item).is_ok(), "there is room");
        }
        port.end();
        let (tell, _) = watch::channel(0);
        // All of it waits before the first line is written.
        writer::write(place.path(), &items, &tell, &AtomicU64::new(0));
        let sizes = segments::PARTS.map(|part| {
            let file = segments::path(place.path(), RunId(1), part);
            file.metadata().map_or(0, |file| file.len())
        });
        assert!(
            sizes.iter().sum::<u64>() <= KEPT_BYTES,
            "{case}: {sizes:?} bytes were written at once"
        );
        let lines = lines(place.path(), RunId(1), 0, usize::MAX).expect("it can be read");
        let number = |line: Option<&RunLine>| line.map(|line| line.number);
        assert_eq!(number(lines.first()), Some(1), "{case}");
        assert_eq!(
            number(lines.last()),
            Some((OUTPUTS * LINES) as u64),
            "{case}"
        );
    }
}

#[test]
fn what_waits_counts_for_the_memory_that_it_takes() {
    let (port, items) = port();
    let held = Arc::new(AtomicUsize::new(0));
    let outlet = LogOutlet {
        port: Some(port),
        held: Arc::clone(&held),
        spoken: Spoken::default(),
    };
    // A short line in a buffer that was made for a long one.
    const ROOM: usize = 1 << 20;
    let mut taken = 0;
    let back = loop {
        let mut text = Vec::with_capacity(ROOM);
        text.extend_from_slice(b"y\n");
        match outlet.offer(output(1, text)) {
            Ok(()) => taken += 1,
            Err(back) => break back,
        }
        assert!(taken * ROOM <= WAITING_BYTES, "{taken} MiB wait");
    };
    assert_eq!(back.text, b"y\n");
    assert_eq!(items.len(), taken);
    assert!(
        outlet.offer(output(1, b"y\n".to_vec())).is_ok(),
        "there is room for little"
    );
    let full = Vec::with_capacity(WAITING_BYTES);
    assert!(
        outlet.offer(output(1, full)).is_ok(),
        "a mark needs no room for text"
    );
    drop(items);
    drop(outlet);
    assert_eq!(held.load(Ordering::Relaxed), 0);
}
