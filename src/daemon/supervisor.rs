//! What the daemon tells the service manager that has started it: that it is ready, reads its
//! configuration again, leaves; how it stands, in a line; and, with each watchdog's time, that its loop
//! still turns. Told by the loop itself, without ever waiting: what the service manager does not take is
//! told again later.

use std::env;
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::engine::time::Mono;

/// Between two lines of status at least, and before what was not taken is told again.
const EVERY: Duration = Duration::from_secs(1);

/// On the way down, how often more time is asked for, and how much: enough that a loop that turns never
/// runs out of it, and little enough that one that does not is seen.
const EXTEND_EVERY: Duration = Duration::from_secs(10);
const EXTEND_BY: Duration = Duration::from_secs(30);

/// The most of a status that is told, in bytes: a line that fits a screen.
const STATUS_BOUND: usize = 300;

/// Where the daemon is, as far as the service manager cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not ready yet.
    #[default]
    Starting,
    /// At work.
    Ready,
    /// Reading its configuration again, and at work meanwhile.
    Reloading,
    /// On the way down.
    Leaving,
}

/// Whoever has started the daemon and wants to know how it is; nobody at all in most cases.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
    /// What was told last.
    phase: Phase,
    status: String,
    fed: Option<Mono>,
    extended: Option<Mono>,
    /// When something may be told again that is not urgent.
    quiet_until: Mono,
    /// Whether the status may be another one since it was told.
    stirred: bool,
    /// Whether something was not taken.
    owed: bool,
}

impl Supervisor {
    /// The service manager that the environment names, if there is one.
    ///
    /// # Errors
    /// If it is named and cannot be reached.
    pub fn from_environment() -> io::Result<Self> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        Self::on(socket, sd_notify::watchdog_enabled())
    }

    /// Tells this socket; with a watchdog, often enough for that.
    pub(super) fn on(socket: UnixDatagram, watchdog: Option<Duration>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Some(socket),
            // Half the time, as is usual: one turn may be late by as much again.
            watchdog: watchdog.map(|limit| limit / 2),
            ..Self::default()
        })
    }

    /// Something has happened after which the status may be another one.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
    }

    /// Tells what there is to be told at this time. `status` is called only when it is.
    pub(super) fn look(&mut self, now: Mono, phase: Phase, status: impl FnOnce() -> String) {
        let Some(socket) = &self.socket else { return };
        let changed = phase != self.phase;
        let due = now >= self.quiet_until && (self.stirred || self.owed);
        let feeds = self.watchdog_due().is_some_and(|at| at <= now);
        let extends = phase == Phase::Leaving && self.extension_due().is_none_or(|at| at <= now);
        if !(changed || due || feeds || extends) {
            return;
        }
        let mut message = String::new();
        if changed {
            push_phase(&mut message, phase);
        }
        if feeds {
            push(&mut message, NotifyState::Watchdog);
        }
        if extends {
            let micros = u32::try_from(EXTEND_BY.as_micros()).unwrap_or(u32::MAX);
            push(&mut message, NotifyState::ExtendTimeoutUsec(micros));
        }
        let mut text = None;
        if changed || due {
            let line = one_line(&status());
            self.stirred = false;
            if line != self.status {
                push(&mut message, NotifyState::Status(&line));
                text = Some(line);
            }
        }
        self.quiet_until = now.plus(EVERY);
        if message.is_empty() {
            return;
        }
        self.owed = socket.send(message.as_bytes()).is_err();
        if self.owed {
            // What has changed still differs from what was told, and is looked at again.
            return;
        }
        self.phase = phase;
        self.status = text.unwrap_or_else(|| std::mem::take(&mut self.status));
        if feeds {
            self.fed = Some(now);
        }
        if extends {
            self.extended = Some(now);
        }
    }

    /// When to look again, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.socket.as_ref()?;
        let status = (self.stirred || self.owed).then_some(self.quiet_until);
        let rest = (!self.owed).then(|| [self.watchdog_due(), self.extension_again()]);
        rest.into_iter().flatten().chain([status]).flatten().min()
    }

    fn watchdog_due(&self) -> Option<Mono> {
        let every = self.watchdog?;
        Some(self.fed.map_or(Mono(0), |fed| fed.plus(every)))
    }

    fn extension_due(&self) -> Option<Mono> {
        Some(self.extended?.plus(EXTEND_EVERY))
    }

    fn extension_again(&self) -> Option<Mono> {
        (self.phase == Phase::Leaving)
            .then(|| self.extension_due())
            .flatten()
    }
}

fn push_phase(message: &mut String, phase: Phase) {
    match phase {
        Phase::Starting => {}
        Phase::Ready => push(message, NotifyState::Ready),
        Phase::Reloading => {
            push(message, NotifyState::Reloading);
            // systemd refuses a word about reloading without its time.
            if let Ok(time) = NotifyState::monotonic_usec_now() {
                push(message, time);
            }
        }
        Phase::Leaving => push(message, NotifyState::Stopping),
    }
}

fn push(message: &mut String, state: NotifyState<'_>) {
    _ = writeln!(message, "{state}");
}

/// The beginning of the text, in one line.
fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(STATUS_BOUND);
    let mark = if end < text.len() { "…" } else { "" };
    let line = text[..end].replace(char::is_control, " ");
    line + mark
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono(millis * 1_000_000)
    }

    /// A supervisor and the side that hears it.
    fn heard(watchdog: Option<Duration>) -> (Supervisor, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair of sockets");
        theirs.set_nonblocking(true).expect("it can be had so");
        (Supervisor::on(ours, watchdog).expect("it tells"), theirs)
    }

    /// What was heard since the last time, the time of a reload left out.
    fn words(side: &UnixDatagram) -> Vec<String> {
        let mut words = Vec::new();
        let mut buffer = [0; 2048];
        while let Ok(length) = side.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            words.extend(text.lines().map(|line| match line.split_once('=') {
                Some(("MONOTONIC_USEC", time)) if time.parse::<u64>().is_ok() => {
                    "MONOTONIC_USEC".to_owned()
                }
                _ => line.to_owned(),
            }));
        }
        words
    }

    #[test]
    fn each_phase_is_told_once_with_the_status_of_its_time() {
        let (mut supervisor, side) = heard(None);
        let mut look = |millis, phase, status: &str| {
            supervisor.look(at(millis), phase, || status.to_owned());
            words(&side)
        };
        assert_eq!(look(0, Phase::Ready, "idle"), ["READY=1", "STATUS=idle"]);
        assert_eq!(look(5000, Phase::Ready, "never asked"), [""; 0]);
        let reloading = ["RELOADING=1", "MONOTONIC_USEC", "STATUS=reading"];
        assert_eq!(look(5001, Phase::Reloading, "reading"), reloading);
        assert_eq!(look(5002, Phase::Ready, "a\nb"), ["READY=1", "STATUS=a b"]);
        let leaving = look(5003, Phase::Leaving, "a b");
        assert_eq!(leaving, ["STOPPING=1", "EXTEND_TIMEOUT_USEC=30000000"]);
    }

    #[test]
    fn a_status_that_changes_often_is_told_once_a_second() {
        let (mut supervisor, side) = heard(None);
        let mut told = Vec::new();
        for millis in 0..=3500 {
            supervisor.stir();
            supervisor.look(at(millis), Phase::Ready, || format!("{millis}"));
            told.extend(words(&side));
        }
        let expected = [
            "READY=1",
            "STATUS=0",
            "STATUS=1000",
            "STATUS=2000",
            "STATUS=3000",
        ];
        assert_eq!(told, expected);
        assert_eq!(
            supervisor.deadline(),
            Some(at(4000)),
            "the last one follows"
        );
        supervisor.look(at(4000), Phase::Ready, || "3500".to_owned());
        assert_eq!(words(&side), ["STATUS=3500"]);
        assert_eq!(
            supervisor.deadline(),
            None,
            "then there is nothing to wake for"
        );
    }

    #[test]
    fn the_watchdog_is_fed_in_half_its_time_and_the_way_down_asks_for_more() {
        let (mut supervisor, side) = heard(Some(Duration::from_secs(8)));
        let mut fed = Vec::new();
        for second in 0..20 {
            supervisor.look(at(second * 1000), Phase::Ready, String::new);
            fed.extend(
                words(&side)
                    .iter()
                    .any(|w| w == "WATCHDOG=1")
                    .then_some(second),
            );
        }
        assert_eq!(fed, [0, 4, 8, 12, 16]);
        let mut extended = Vec::new();
        for second in 20..45 {
            supervisor.look(at(second * 1000), Phase::Leaving, String::new);
            let more = words(&side).iter().any(|w| w.starts_with("EXTEND"));
            extended.extend(more.then_some(second));
        }
        assert_eq!(extended, [20, 30, 40]);
    }

    #[test]
    fn what_is_not_taken_is_told_again() {
        let (mut supervisor, side) = heard(None);
        let socket = supervisor.socket.as_ref().expect("there is one");
        let mut filled = 0;
        while socket.send(b"FILL=1").is_ok() {
            filled += 1;
        }
        assert!(filled > 0);
        supervisor.look(at(0), Phase::Ready, || "idle".to_owned());
        assert_eq!(words(&side).len(), filled, "nothing but what was there");
        let again = supervisor.deadline().expect("it is looked at again");
        assert_eq!(again, at(1000));
        supervisor.look(again, Phase::Ready, || "idle".to_owned());
        assert_eq!(words(&side), ["READY=1", "STATUS=idle"]);
    }

    #[test]
    fn where_nobody_asks_nothing_is_worked_out() {
        let mut supervisor = Supervisor::default();
        supervisor.stir();
        supervisor.look(at(0), Phase::Ready, || unreachable!("nobody asks"));
        assert_eq!(supervisor.deadline(), None);
    }
}
