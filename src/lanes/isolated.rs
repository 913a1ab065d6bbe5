//! A task in a process of its own, seen from inside: this very program, started once more, has lanes for one
//! attempt, which it is told of over the socket that is its standard input, and over which it tells what
//! the attempt says and how it ends. Ends with the process that started it.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::select;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

use super::attempts::{AttemptLanes, LaneSettings};
use super::handlers::Handlers;
use super::place::Outside;
use super::priority::inherited;
use super::{cores, lock};
use crate::clock::Clock;
use crate::engine::action::StartOrder;
use crate::engine::id::{AttemptId, RunId};
use crate::engine::outcome::Outcome;
use crate::engine::spec::JobSpec;
use crate::inbox::{Ended, Note, Progress, Refused};

/// The first argument of a process for a task.
pub(super) const TASK_WORD: &str = "__task";

/// What the process is told first.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) run: u64,
    pub(super) epoch: u32,
    pub(super) job: Arc<JobSpec>,
    pub(super) args: Option<Arc<Value>>,
}

/// Something that was sent to the run; with no value, that nothing more comes.
#[derive(Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) value: Option<Value>,
}

/// What the process tells, a line each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// How far the task is.
    Progress {
        fraction: Option<f64>,
        message: Option<Arc<str>>,
    },
    /// What became of something that was sent.
    Answered { number: u64, told: Told },
    /// The attempt has ended.
    Ended {
        outcome: Outcome,
        late: Option<Duration>,
    },
}

/// What became of something that was sent.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Taken,
    Ended,
    TakesNothing,
    ReadsNoMore,
    Full,
}

impl Told {
    pub(super) const fn result(self) -> Result<(), Refused> {
        match self {
            Self::Taken => Ok(()),
            Self::Ended => Err(Refused::Ended),
            Self::TakesNothing => Err(Refused::TakesNothing),
            Self::ReadsNoMore => Err(Refused::ReadsNoMore),
            Self::Full => Err(Refused::Full),
        }
    }

    const fn of(told: Result<(), Refused>) -> Self {
        match told {
            Ok(()) => Self::Taken,
            Err(Refused::TakesNothing) => Self::TakesNothing,
            Err(Refused::ReadsNoMore) => Self::ReadsNoMore,
            Err(Refused::Full) => Self::Full,
            Err(Refused::Ended | Refused::NotThere | Refused::NotRunning(_) | Refused::Unknown) => {
                Self::Ended
            }
        }
    }
}

/// What is told, as a line.
pub(super) fn line(what: &impl Serialize) -> Vec<u8> {
    // What is told is made of plain values, which always have a form; an empty line says nothing.
    let mut line = serde_json::to_vec(what).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Whether these arguments of the program ask it to carry out a task.
#[must_use]
pub fn is_task(mut words: impl Iterator<Item = OsString>) -> bool {
    words.nth(1).is_some_and(|word| word == TASK_WORD)
}

/// Carries out the task that this process was started for, and ends with it.
///
/// # Errors
/// Why the task could not be begun.
pub fn carry_out_task(handlers: Handlers) -> io::Result<()> {
    // Listened to from the beginning, so that whoever asks to stop early is heard.
    let mut signals = Signals::new([SIGTERM])?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // What the task starts by itself reads nothing, and does not keep the socket open.
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut text = String::new();
    reader.read_line(&mut text)?;
    let Order {
        run,
        epoch,
        job,
        args,
    } = serde_json::from_str(&text)?;
    let settings = LaneSettings {
        io_threads: cores().min(2),
        io_concurrency: 1,
        // The process was made by a thread of the lane, and has its weight.
        nice: 0,
        policy: inherited(),
        ..LaneSettings::default()
    };
    let lanes = AttemptLanes::start(
        settings,
        Arc::new(handlers),
        Clock::start(),
        Outside::default(),
    );
    let (lanes, mail) = lanes.map_err(io::Error::other)?;
    let lanes = Arc::new(lanes);
    let run = RunId(run);
    let attempt = AttemptId { run, epoch };
    let order = StartOrder {
        attempt,
        job,
        args,
        number: 0,
        announced: None,
    };
    let mouth = Arc::new(Mouth(Mutex::new(socket)));
    lanes.submit(order).map_err(io::Error::other)?;
    let stopped = Arc::clone(&lanes);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                stopped.stop(attempt);
            }
        })?;
    let ear = (Arc::clone(&lanes), Arc::clone(&mouth));
    std::thread::Builder::new()
        .name("socket".to_owned())
        .spawn(move || listen(reader, attempt, &ear.0, &ear.1))?;
    loop {
        select! {
            recv(mail.notes) -> source => for note in source.iter().flat_map(|source| source.take()) {
                mouth.progress(note);
            },
            recv(mail.ends) -> ended => {
                let ended = ended.map_err(io::Error::other)?;
                mouth.ended(*ended);
                return Ok(());
            }
        }
    }
}

/// Passes on what is sent; and ends this process with the one that started it, whatever the task does.
#[expect(
    clippy::disallowed_methods,
    reason = "the task may never return, and nobody is left to whom anything could be told"
)]
fn listen(
    mut reader: BufReader<UnixStream>,
    attempt: AttemptId,
    lanes: &AttemptLanes,
    mouth: &Arc<Mouth>,
) {
    let mut text = String::new();
    while let Ok(1..) = reader.read_line(&mut text) {
        if let Ok(Sent { number, value }) = serde_json::from_str(&text) {
            let mouth = Arc::clone(mouth);
            let answer = move |told| {
                let told = Told::of(told);
                mouth.say(&Said::Answered { number, told });
            };
            lanes.send(attempt, value, Box::new(answer));
        }
        text.clear();
    }
    std::process::exit(1);
}

/// Where what is said goes out.
struct Mouth(Mutex<UnixStream>);

impl Mouth {
    fn say(&self, what: &Said) {
        // Where nobody hears, the process is about to end: see `listen`.
        let _ = lock(&self.0).write_all(&line(what));
    }

    fn progress(&self, note: Note) {
        let Progress { fraction, message } = note.progress;
        self.say(&Said::Progress { fraction, message });
    }

    fn ended(&self, ended: Ended) {
        for note in ended.notes {
            self.progress(note);
        }
        self.say(&Said::Ended {
            outcome: ended.end.outcome,
            late: ended.end.measures.late,
        });
    }
}
