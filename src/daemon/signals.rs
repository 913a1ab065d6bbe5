//! Signals, as messages to the loop. A thread of its own sleeps until one comes.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};

use crate::process::Orphans;

/// How long the dead that come next may wait: the ends of commands come as SIGCHLD too, and where thousands
/// run there is not to be a look for each.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What asks for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// SIGHUP, where there is no configuration to read again.
    HangUp,
}

/// Where signals arrive, each kind apart, so that many of one cannot crowd out another.
#[derive(Clone, Debug)]
pub struct SignalMail {
    /// SIGTERM and SIGINT. The first one starts the way down, the second one cuts it short; a third
    /// would say nothing new, so there is room for two.
    pub end: Receiver<EndSignal>,
    /// SIGHUP. Where one waits already, another says nothing new.
    pub reload: Receiver<()>,
    /// SIGUSR1: log a full status. The same holds.
    pub status: Receiver<()>,
}

/// The other side.
#[derive(Clone, Debug)]
pub(super) struct SignalPort {
    pub(super) end: Sender<EndSignal>,
    pub(super) reload: Sender<()>,
    pub(super) status: Sender<()>,
}

/// Both sides.
pub(super) fn signal_channels() -> (SignalPort, SignalMail) {
    let (end, end_out) = bounded(2);
    let (reload, reload_out) = bounded(1);
    let (status, status_out) = bounded(1);
    (
        SignalPort {
            end,
            reload,
            status,
        },
        SignalMail {
            end: end_out,
            reload: reload_out,
            status: status_out,
        },
    )
}

impl SignalPort {
    /// Takes what comes until nobody listens any more. Adopted processes are buried by `bury`; whoever has made
    /// one hears of its end in another way.
    fn listen(&self, mut source: Signals, mut bury: Option<impl FnMut()>) {
        while !source.is_closed() {
            for number in source.wait() {
                match &mut bury {
                    Some(bury) if number == SIGCHLD => {
                        bury();
                        // Who asks for the end has a lower number. The next one would be told before that is
                        // looked at again, and where processes end by the thousand there always is one.
                        if !bug!("end-unheard-among-the-dead") {
                            break;
                        }
                    }
                    Some(_) | None => self.pass(number),
                }
            }
        }
    }

    /// Passes a signal on; where there is no room, the same is waiting already.
    fn pass(&self, number: i32) {
        let _ = match number {
            SIGTERM => self.end.try_send(EndSignal::Terminate).is_ok(),
            SIGINT => self.end.try_send(EndSignal::Interrupt).is_ok(),
            SIGHUP => self.reload.try_send(()).is_ok(),
            _ => self.status.try_send(()).is_ok(),
        };
    }
}

/// Lets signals gather. What asks for the end waits no longer than this either.
#[expect(
    clippy::disallowed_methods,
    reason = "the condition would be a signal, and those are what is to wait"
)]
fn rest() {
    std::thread::sleep(BETWEEN_LOOKS);
}

/// The listening thread; it ends when this is dropped.
#[derive(Debug)]
pub struct SignalListener {
    /// Where signals arrive.
    pub signals: SignalMail,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalListener {
    /// Starts to listen. From here on the signals do not end the process by themselves, and processes whose
    /// parents have ended become children of this one.
    ///
    /// # Errors
    /// If the handlers cannot be installed or the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let source = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
        // Where the kernel refuses it, what a command leaves behind is the init process's.
        let orphans = Orphans::adopt().ok();
        if orphans.is_some() {
            source.add_signal(SIGCHLD)?;
        }
        let handle = source.handle();
        let (port, signals) = signal_channels();
        let thread = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let bury = orphans.map(|orphans| {
                    move || {
                        orphans.bury();
                        rest();
                    }
                });
                port.listen(source, bury);
            })?;
        Ok(Self {
            signals,
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for SignalListener {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use signal_hook::low_level::raise;

    use super::*;

    /// Far more than it takes.
    const LIMIT: Duration = Duration::from_secs(60);

    /// A process ends whenever another one is buried.
    #[test]
    fn who_asks_for_something_is_heard_before_the_dead_that_come_next() {
        const DEAD: usize = 4;
        let source = Signals::new([SIGUSR1, SIGCHLD]).expect("handlers");
        let handle = source.handle();
        let (port, mail) = signal_channels();
        let (told, tells) = channel();
        std::thread::spawn(move || {
            let mut buried = 0;
            raise(SIGCHLD).expect("a signal");
            let bury = || {
                buried += 1;
                told.send(!mail.status.is_empty()).expect("a listener");
                if buried == DEAD {
                    handle.close();
                } else {
                    // The flag is up before this returns: the signal goes to the thread that raises it.
                    raise(SIGUSR1).expect("a signal");
                    raise(SIGCHLD).expect("a signal");
                }
            };
            port.listen(source, Some(bury));
        });
        let heard: Vec<bool> = (0..DEAD)
            .map(|_| tells.recv_timeout(LIMIT).expect("one is buried"))
            .collect();
        assert_eq!(heard, [false, true, true, true]);
    }
}
