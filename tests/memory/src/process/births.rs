//! Processes that are made and waited for: whole ones, many at once, large ones, and those of which nothing comes.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Rlimit, Signal, kill_process};

use super::birth::{Birth, Born, NotBorn};
use super::inherited::pass_nothing_on;
use super::pipe::{Reader, Writer};
use super::wait::{Ending, take};

/// A shell with a script.
struct Shell {
    program: &'static str,
    words: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: &'static str,
    open_files: Option<Rlimit>,
}

impl Shell {
    fn new(script: &str) -> Self {
        Self {
            program: "/bin/sh",
            words: ["sh", "-c", script].map(OsString::from).to_vec(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            directory: "/",
            open_files: None,
        }
    }

    fn bear(&self, streams: [&OwnedFd; 3], group: Option<&OwnedFd>) -> Result<Born, NotBorn> {
        let birth = Birth {
            program: Path::new(self.program),
            words: &self.words,
            environment: &self.environment,
            directory: Path::new(self.directory),
            streams,
            group,
            open_files: self.open_files,
            leads: true,
        };
        birth.bear()
    }

    /// What it writes when it reads `input`, and its end.
    fn run(&self, input: &[u8]) -> (Vec<u8>, Ending) {
        let (theirs_in, ours_in) = pipe();
        let (ours_out, theirs_out) = pipe();
        let nothing = nothing();
        let born = self.bear([&theirs_in, &theirs_out, &nothing], None);
        let born = born.unwrap_or_else(|why| panic!("nobody is born: {}", io::Error::from(why)));
        drop((theirs_in, theirs_out));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let said = runtime.block_on(async {
            let (writer, reader) = (
                Writer::new(ours_in).unwrap(),
                Reader::new(ours_out).unwrap(),
            );
            // One that has ended reads no more.
            let _ = writer.write_all(input).await;
            drop(writer);
            let (mut said, mut part) = (Vec::new(), [0; 4096]);
            loop {
                match reader.read(&mut part).await.unwrap() {
                    0 => return said,
                    count => said.extend_from_slice(&part[..count]),
                }
            }
        });
        (said, ending(&born))
    }

    /// Why nobody is born.
    fn refused(&self, group: Option<&OwnedFd>) -> io::Error {
        let nothing = nothing();
        match self.bear([&nothing; 3], group) {
            Err(NotBorn::ThisOne(why)) => why,
            Err(NotBorn::Nobody(why)) => panic!("nobody is born in this way here: {why}"),
            Ok(_) => panic!("somebody is born"),
        }
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

fn nothing() -> OwnedFd {
    open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

/// Waits until it has ended.
fn ending(born: &Born) -> Ending {
    poll(&mut [PollFd::new(&born.pidfd, PollFlags::IN)], None).unwrap();
    let (ending, usage) = take(born.pid, true).unwrap().expect("it has ended");
    assert!(usage.cpu < Duration::from_secs(60), "{usage:?}");
    ending
}

#[test]
fn what_is_born_has_its_words_streams_and_directory() {
    let mut shell =
        Shell::new("cat; echo $WORD; pwd; echo $$; ps -o pgid= -p $$ | tr -d ' '; exit 7");
    shell.environment.push(("WORD".into(), "a word".into()));
    let (said, ending) = shell.run(b"line\n");
    let said = String::from_utf8(said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        (&lines[..3], ending),
        (&["line", "a word", "/"][..], Ending::Exit(7))
    );
    assert!(
        lines.len() < 5 || lines[3] == lines[4],
        "it leads its group: {said}"
    );
}

#[test]
fn an_end_by_a_signal_is_told() {
    assert_eq!(Shell::new("kill -9 $$").run(b"").1, Ending::Signal(9));
    let nothing = nothing();
    let born = Shell::new("sleep 1000").bear([&nothing; 3], None);
    let born = born.unwrap_or_else(|why| panic!("{}", io::Error::from(why)));
    assert!(take(born.pid, false).unwrap().is_none(), "it runs");
    kill_process(born.pid, Signal::TERM).unwrap();
    assert_eq!(ending(&born), Ending::Signal(15));
}

#[test]
fn nobody_is_born_without_program_or_directory_or_of_a_broken_text() {
    for (program, directory, kind) in [
        ("/no/program", "/", ErrorKind::NotFound),
        ("/bin/sh", "/no/directory", ErrorKind::NotFound),
        ("/etc/passwd", "/", ErrorKind::PermissionDenied),
        ("/bin/s\0h", "/", ErrorKind::InvalidInput),
    ] {
        let shell = Shell {
            program,
            directory,
            ..Shell::new("true")
        };
        // Again and again: what one leaves behind the next one finds.
        for _ in 0..20 {
            assert_eq!(shell.refused(None).kind(), kind, "{program} in {directory}");
        }
    }
    let mut shell = Shell::new("true");
    shell.words.push("a\0b".into());
    assert_eq!(shell.refused(None).kind(), ErrorKind::InvalidInput);
    // No directory of a control group.
    let _why = Shell::new("true").refused(Some(&nothing()));
}

#[test]
fn words_and_environment_may_be_large() {
    let mut shell = Shell::new("echo $#; echo ${#LARGE}; env | grep -c ^MANY_");
    shell
        .words
        .extend((0..2_000).map(|n| OsString::from(format!("word {n} {}", "x".repeat(100)))));
    shell
        .environment
        .push(("LARGE".into(), "x".repeat(100_000).into()));
    let many = (0..2_000).map(|n| (format!("MANY_{n}").into(), "y".into()));
    shell.environment.extend(many);
    // The first word after the script is its own name.
    assert_eq!(
        shell.run(b""),
        (b"1999\n100000\n2000\n".to_vec(), Ending::Exit(0))
    );
    shell
        .environment
        .push(("LARGER".into(), "x".repeat(4 << 20).into()));
    assert_eq!(shell.refused(None).raw_os_error(), Some(libc::E2BIG));
}

#[test]
fn many_are_born_at_once_and_each_is_itself() {
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            std::thread::spawn(move || {
                for n in 0..40 {
                    let words = format!("{thread} {n}\n");
                    let (said, ending) =
                        Shell::new(&format!("echo {thread} {n}; exit {n}")).run(b"");
                    assert_eq!((said, ending), (words.into_bytes(), Ending::Exit(n)));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_bound_on_open_files_is_kept() {
    let mut shell = Shell::new("ulimit -n");
    shell.open_files = Some(Rlimit {
        current: Some(100),
        maximum: Some(200),
    });
    assert_eq!(shell.run(b"").0, b"100\n");
}

#[test]
fn nothing_else_that_is_open_is_passed_on() {
    // As a shell leaves one open.
    let left = rustix::io::dup(nothing()).unwrap();
    rustix::io::fcntl_setfd(&left, rustix::io::FdFlags::empty()).unwrap();
    let high = rustix::io::fcntl_dupfd_cloexec(&left, 50).unwrap();
    rustix::io::fcntl_setfd(&high, rustix::io::FdFlags::empty()).unwrap();
    pass_nothing_on();
    let listed = Shell::new("ls /proc/self/fd").run(b"").0;
    let open: Vec<u32> = String::from_utf8(listed)
        .unwrap()
        .lines()
        .filter_map(|number| number.parse().ok())
        .collect();
    // The fourth is the one by which it is listed.
    assert_eq!(open, [0, 1, 2, 3]);
    // What the library makes goes by its own way and is not passed anything either.
    let status = Command::new("sh")
        .args(["-c", "kill -15 $$"])
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(15));
}
