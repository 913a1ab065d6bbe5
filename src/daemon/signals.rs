//! Signals, as messages to the loop. A thread of its own sleeps until one comes.

use std::io;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};

/// Signals that may wait for the loop. Further ones of the same kind would say nothing new.
const BOUND: usize = 16;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: shut down.
    Terminate,
    /// SIGINT: shut down.
    Interrupt,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR1: log a full status.
    Status,
}

/// The listening thread; it ends when this is dropped.
#[derive(Debug)]
pub struct SignalListener {
    /// Where signals arrive.
    pub signals: Receiver<Signal>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalListener {
    /// Starts to listen. From here on the signals do not end the process by themselves.
    ///
    /// # Errors
    /// If the handlers cannot be installed or the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let mut source = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
        let handle = source.handle();
        let (sender, signals) = bounded(BOUND);
        let thread = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for number in source.forever() {
                    let signal = match number {
                        SIGTERM => Signal::Terminate,
                        SIGINT => Signal::Interrupt,
                        SIGHUP => Signal::Reload,
                        _ => Signal::Status,
                    };
                    // Full: as many wait already, and the loop will see those.
                    let _ = sender.try_send(signal);
                }
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
