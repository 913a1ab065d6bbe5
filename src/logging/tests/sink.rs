//! What becomes of lines when the output is blocked, fails, or has ended.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;

#[test]
fn a_blocked_output_keeps_nobody_waiting_and_losses_are_told_in_place() {
    const LINES: u64 = 3 * LINES_BOUND as u64;
    let (reader, writer) = io::pipe().unwrap();
    let output = Output::Writer(Box::new(writer));
    let (logging, dispatch) = scoped(with(Format::Json, output), Clock::start()).unwrap();
    let log = |from, to| {
        tracing::dispatcher::with_default(&dispatch, || {
            for n in from..to {
                tracing::info!(target: "test", n);
            }
        });
    };
    // Nobody reads: were logging to wait for that, the test would end here.
    log(0, LINES);
    assert!(!logging.flush(Duration::ZERO));
    let lost = logging.dropped();
    assert!(lost.blocked >= LINES_BOUND as u64 && lost.failed == 0);

    let (come, comes) = crossbeam_channel::bounded(0);
    let reader = thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(reader).lines() {
            lines.push(line.expect("whole lines of text"));
            _ = come.try_send(());
        }
        lines
    });
    comes.recv_timeout(LIMIT).expect("something is read");
    assert!(logging.flush(LIMIT));
    // There is room again.
    log(LINES, LINES + 1);
    assert!(logging.close(LIMIT));
    assert_eq!(logging.dropped(), lost);
    drop((logging, dispatch));

    let mut next = 0;
    let mut told = 0;
    for line in reader.join().unwrap() {
        let line: Value = serde_json::from_str(&line).expect("no line is torn");
        match line["dropped"].as_u64() {
            Some(dropped) => {
                let message = format!("{dropped} lines dropped: the log sink did not keep up");
                assert_eq!(line["message"], message);
                told += dropped;
                next += dropped;
            }
            None => {
                assert_eq!(
                    line["n"].as_u64(),
                    Some(next),
                    "losses are told where they are"
                );
                next += 1;
            }
        }
    }
    assert_eq!(next, LINES + 1, "each line is there or told of");
    assert_eq!(told, lost.blocked);
}

#[test]
fn the_bytes_that_wait_are_bounded_too() {
    let (reader, writer) = io::pipe().unwrap();
    let output = Output::Writer(Box::new(writer));
    let (logging, dispatch) = scoped(with(Format::Text, output), Clock::start()).unwrap();
    let long = "x".repeat(4000);
    tracing::dispatcher::with_default(&dispatch, || {
        for _ in 0..LINES_BOUND / 2 {
            tracing::info!(target: "test", "{long}");
        }
    });
    let room = BYTES_BOUND / 4000;
    let dropped = logging.dropped().blocked;
    assert!(
        dropped as usize + room >= LINES_BOUND / 2,
        "dropped: {dropped}"
    );
    // The thread that writes gets an error and ends.
    drop(reader);
    assert!(logging.close(LIMIT));
}

/// Logs five lines, each written alone, to an output that follows the script.
fn check(script: Vec<Does>, expected: &Expect) {
    let (shared, output) = output(script);
    let (logging, dispatch) = scoped(with(Format::Text, output), Clock::start()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        for n in 1..=5 {
            tracing::info!(target: "test", "line {n}");
            assert!(logging.flush(LIMIT));
        }
    });
    assert!(logging.close(LIMIT));
    let text = without_time(&shared.text());
    expected.assert_eq(&format!("{text}{:?}", logging.dropped()));
}

const FULL: Does = Does::Fails(ErrorKind::StorageFull);

#[test]
fn an_output_that_fails_is_tried_again_with_the_next_line() {
    check(
        vec![
            Does::Takes(3),
            Does::Takes(7),
            Does::Fails(ErrorKind::Interrupted),
        ],
        &expect![[r#"
            TIME  INFO test: line 1
            TIME  INFO test: line 2
            TIME  INFO test: line 3
            TIME  INFO test: line 4
            TIME  INFO test: line 5
            Dropped { blocked: 0, failed: 0 }"#]],
    );
    check(
        vec![FULL],
        &expect![[r#"
            TIME  WARN twolane::logging: 1 line dropped: the log sink failed: no storage space  dropped=1
            TIME  INFO test: line 2
            TIME  INFO test: line 3
            TIME  INFO test: line 4
            TIME  INFO test: line 5
            Dropped { blocked: 0, failed: 1 }"#]],
    );
    check(
        vec![FULL, FULL, FULL],
        &expect![[r#"
            TIME  WARN twolane::logging: 3 lines dropped: the log sink failed: no storage space  dropped=3
            TIME  INFO test: line 4
            TIME  INFO test: line 5
            Dropped { blocked: 0, failed: 3 }"#]],
    );
}

#[test]
fn a_torn_line_is_completed_before_anything_else() {
    // Torn in the middle of a line: its rest comes before anything else.
    check(
        vec![Does::Takes(30), FULL],
        &expect![[r#"
            TIME  INFO test: line 1
            TIME  INFO test: line 2
            TIME  INFO test: line 3
            TIME  INFO test: line 4
            TIME  INFO test: line 5
            Dropped { blocked: 0, failed: 0 }"#]],
    );
    check(
        vec![Does::Takes(30), FULL, FULL, Does::Takes(2), FULL],
        &expect![[r#"
            TIME  INFO test: line 1
            TIME  WARN twolane::logging: 2 lines dropped: the log sink failed: no storage space  dropped=2
            TIME  INFO test: line 4
            TIME  INFO test: line 5
            Dropped { blocked: 0, failed: 2 }"#]],
    );
    // Torn in the middle of telling.
    check(
        vec![FULL, Does::Takes(30), FULL],
        &expect![[r#"
            TIME  WARN twolane::logging: 1 line dropped: the log sink failed: no storage space  dropped=1
            TIME  WARN twolane::logging: 1 line dropped: the log sink failed: no storage space  dropped=1
            TIME  INFO test: line 3
            TIME  INFO test: line 4
            TIME  INFO test: line 5
            Dropped { blocked: 0, failed: 2 }"#]],
    );
    // Fails to the end.
    check(
        (0..9).map(|_| Does::Fails(ErrorKind::BrokenPipe)).collect(),
        &expect!["Dropped { blocked: 0, failed: 5 }"],
    );
}

#[test]
fn a_full_disk_and_a_reader_that_went_away() {
    let (reader, closed) = io::pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let outputs: [Box<dyn Write + Send>; 2] = [Box::new(closed), Box::new(full)];
    for output in outputs {
        let settings = with(Format::Text, Output::Writer(output));
        let (logging, dispatch) = scoped(settings, Clock::start()).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            for n in 1..=100 {
                tracing::info!(target: "test", n);
            }
        });
        assert!(logging.flush(LIMIT));
        let dropped = Dropped {
            blocked: 0,
            failed: 100,
        };
        assert_eq!(logging.dropped(), dropped);
    }
}

#[test]
fn a_stream_that_does_not_block_is_waited_for() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut stream = Stream(File::from(OwnedFd::from(ours)));
    let reader = thread::spawn(|| io::copy(&mut { theirs }, &mut io::sink()));
    // More than any socket takes at once.
    let much = vec![b'x'; 8 << 20];
    stream.write_all(&much).unwrap();
    drop(stream);
    assert_eq!(reader.join().unwrap().unwrap(), much.len() as u64);
}

#[test]
fn an_output_that_panics_holds_up_nobody() {
    struct Panics;
    impl Write for Panics {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("on purpose");
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let output = Output::Writer(Box::new(Panics));
    let (logging, dispatch) = scoped(with(Format::Text, output), Clock::start()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("lost"));
    assert!(!logging.flush(LIMIT) && !logging.close(LIMIT));
}

#[test]
fn after_the_end_lines_are_counted() {
    let (shared, output) = output(Vec::new());
    let (logging, dispatch) = scoped(with(Format::Text, output), Clock::start()).unwrap();
    assert!(logging.close(LIMIT));
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("too late"));
    assert_eq!(logging.dropped().total(), 1);
    assert!(logging.flush(LIMIT), "there is nothing to wait for");
    assert_eq!(shared.text(), "");
}
