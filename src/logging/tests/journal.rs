//! Entries for the journal, and a journald that takes them, is stopped, or is not there at all.

use std::io::Read;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use expect_test::expect;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use tempfile::TempDir;

use super::*;

/// Journald, as far as a program sees it.
struct Journald {
    socket: UnixDatagram,
    place: TempDir,
}

impl Journald {
    fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(place.path().join("socket")).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self { socket, place }
    }

    /// The way there, and what is told where that is none.
    fn journal(&self) -> (Journal, Shared) {
        let (otherwise, output) = output(Vec::new());
        let Output::Writer(output) = output else {
            unreachable!("it is a writer");
        };
        (Journal::at(self.path(), output), otherwise)
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("socket")
    }

    /// The next entry, and whether it came as a file.
    fn entry(&self) -> (String, bool) {
        let mut buffer = vec![0; 1 << 20];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [io::IoSliceMut::new(&mut buffer)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = rustix::net::recvmsg(&self.socket, &mut parts, &mut ancillary, flags).unwrap();
        let file = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            RecvAncillaryMessage::ScmCredentials(_) | _ => None,
        });
        let Some(file) = file else {
            buffer.truncate(got.bytes);
            return (String::from_utf8(buffer).unwrap(), false);
        };
        let seals = rustix::fs::fcntl_get_seals(&file).unwrap();
        assert!(seals.contains(rustix::fs::SealFlags::WRITE | rustix::fs::SealFlags::SEAL));
        let mut text = String::new();
        let mut file = File::from(file);
        io::Seek::rewind(&mut file).unwrap();
        file.read_to_string(&mut text).unwrap();
        (text, true)
    }
}

/// A log that goes there.
fn log_to(journal: Journal) -> (Logging, Dispatch) {
    let settings = with(Format::Journal, Output::Writer(Box::new(journal)));
    scoped(settings, Clock::start()).unwrap()
}

#[test]
fn entries_have_their_fields() {
    let job = job("computer");
    let mut own = job.clone();
    own.messages.started = Some("作业 begins\nhere".into());
    let said = [started(&job), failed(&job, Failure::Exit(3)), started(&own)];
    let told = told(Format::Journal, "trace", &said);
    expect![[r#"
        MESSAGE=run 3 computer: started  lane=cpu attempt=1
        PRIORITY=6
        SYSLOG_IDENTIFIER=twolane
        TWOLANE_TIME=2024-05-15T18:29:19.702689+08:00
        TWOLANE_TARGET=twolane::run
        MESSAGE_ID=b85402f73e6a4c07b7fd2556573e835e
        TWOLANE_EVENT=started
        TWOLANE_JOB=computer
        TWOLANE_RUN=3
        TWOLANE_LANE=cpu
        TWOLANE_ATTEMPT=1
        TWOLANE_STATE=running

        MESSAGE=run 3 computer: failed  lane=cpu attempt=2 error="exited with code 3" error_kind=exit duration=7.010283s cpu=7.000001s late=312µs coalesced=4
        PRIORITY=4
        SYSLOG_IDENTIFIER=twolane
        TWOLANE_TIME=2024-05-15T18:29:19.702689+08:00
        TWOLANE_TARGET=twolane::run
        MESSAGE_ID=7856b51564e14b3e9aa19ba01469ed3c
        TWOLANE_EVENT=failed
        TWOLANE_JOB=computer
        TWOLANE_RUN=3
        TWOLANE_LANE=cpu
        TWOLANE_ATTEMPT=2
        TWOLANE_STATE=failed
        TWOLANE_ERROR=exited with code 3
        TWOLANE_ERROR_KIND=exit
        TWOLANE_DURATION=7.010283
        TWOLANE_CPU=7.000001
        TWOLANE_LATE=312
        TWOLANE_COALESCED=4

        MESSAGE=作业 begins\nhere: 2024-05-15 18:29:19.702689
        PRIORITY=6
        SYSLOG_IDENTIFIER=twolane
        TWOLANE_TIME=2024-05-15T18:29:19.702689+08:00
        TWOLANE_TARGET=twolane::run
        MESSAGE_ID=b85402f73e6a4c07b7fd2556573e835e
        TWOLANE_EVENT=started
        TWOLANE_TEXT=作业 begins\nhere
        TWOLANE_JOB=computer
        TWOLANE_RUN=3
        TWOLANE_LANE=cpu
        TWOLANE_ATTEMPT=1
        TWOLANE_STATE=running

    "#]].assert_eq(&told);
}

#[test]
fn nothing_that_is_said_makes_a_field_of_its_own() {
    let told = logged(settings(Format::Journal, "info"), |_| {
        tracing::warn!(target: "test", { a.name = "one\nPRIORITY=0" }, "two\n\nMESSAGE=three");
    });
    let fields: Vec<&str> = told
        .lines()
        .map(|line| line.split_once('=').map_or(line, |(name, _)| name))
        .collect();
    let expected = [
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_IDENTIFIER",
        "TWOLANE_TIME",
        "TWOLANE_TARGET",
        "TWOLANE_A_NAME",
        "",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn each_kind_has_a_number_and_the_catalog_explains_it() {
    let last = Event::ALL[Event::ALL.len() - 1];
    assert_eq!(
        Event::ALL.len(),
        last as usize + 1,
        "all of them are listed"
    );
    let catalog = include_str!("../../../systemd/twolane.catalog");
    let listed: Vec<&str> = catalog
        .lines()
        .filter_map(|line| line.strip_prefix("-- "))
        .collect();
    let known: Vec<String> = Event::ALL
        .iter()
        .map(|event| format!("{:032x}", event.message_id()))
        .collect();
    assert_eq!(listed, known, "in the order of `Event`");
    for event in Event::ALL {
        assert_eq!(Event::of_word(event.as_str()), Some(event));
    }
}

#[test]
fn entries_come_whole_and_in_order_and_a_large_one_as_a_file() {
    let journald = Journald::start();
    let (mut journal, otherwise) = journald.journal();
    let large = format!("MESSAGE={}\n\n", "x".repeat(3 << 20));
    let all = format!("MESSAGE=one\nPRIORITY=6\n\n{large}MESSAGE=three\n\n");
    journal.write_all(all.as_bytes()).unwrap();
    assert_eq!(
        journald.entry(),
        ("MESSAGE=one\nPRIORITY=6\n".to_owned(), false)
    );
    let (text, is_file) = journald.entry();
    assert!(is_file && text.len() == large.len() - 1, "{}", text.len());
    assert_eq!(journald.entry(), ("MESSAGE=three\n".to_owned(), false));
    assert_eq!(otherwise.text(), "");
}

#[test]
fn a_journald_that_is_started_anew_is_met_again_and_one_that_is_gone_is_done_without() {
    let journald = Journald::start();
    let (mut journal, otherwise) = journald.journal();
    let entry = |word| format!("MESSAGE={word}\nTWOLANE_TIME=TIME\n\n");
    journal.write_all(entry("one").as_bytes()).unwrap();
    std::fs::remove_file(journald.path()).unwrap();
    let again = UnixDatagram::bind(journald.path()).unwrap();
    again.set_read_timeout(Some(LIMIT)).unwrap();
    journald.entry();
    drop(journald.socket);
    journal.write_all(entry("two").as_bytes()).unwrap();
    let mut buffer = [0; 100];
    let length = again.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"MESSAGE=two\nTWOLANE_TIME=TIME\n");
    drop(again);
    journal.write_all(entry("three").as_bytes()).unwrap();
    assert_eq!(otherwise.text(), "TIME three\n");
}

#[test]
fn a_journald_that_does_not_read_keeps_nobody_waiting_and_losses_are_counted() {
    const LINES: u64 = 2 * LINES_BOUND as u64;
    let journald = Journald::start();
    let (logging, dispatch) = log_to(journald.journal().0);
    tracing::dispatcher::with_default(&dispatch, || {
        for n in 0..LINES {
            // Were logging to wait for anybody, the test would end here.
            tracing::info!(target: "test", n);
        }
    });
    let lost = logging.dropped().blocked;
    assert!(lost > 0);
    let reader = thread::spawn(move || {
        let (mut come, mut told) = (0, 0);
        while come + told < LINES {
            let (entry, _) = journald.entry();
            let field = |name| entry.lines().find_map(|line| line.strip_prefix(name));
            match field("TWOLANE_DROPPED=") {
                Some(dropped) => told += dropped.parse::<u64>().unwrap(),
                None => come += 1,
            }
        }
        told
    });
    assert!(logging.flush(LIMIT));
    assert!(logging.close(LIMIT));
    assert_eq!(
        reader.join().unwrap(),
        lost,
        "the journal says what it has not got"
    );
}
