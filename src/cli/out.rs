//! Where commands print. A reader that has gone away (`twolane … | head`) is no error.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use super::Exit;

/// Standard output of a command.
#[derive(Debug)]
pub(super) struct Out {
    stdout: io::Stdout,
    /// It could not be written to, and that was told.
    failed: bool,
}

impl Out {
    pub(super) fn new() -> Self {
        Self {
            stdout: io::stdout(),
            failed: false,
        }
    }

    /// Prints a line.
    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) -> Exit {
        match writeln!(self.stdout.lock(), "{line}").and_then(|()| self.stdout.flush()) {
            Ok(()) => Exit::Success,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    complain(&format!("cannot write to standard output: {error}"));
                }
                Exit::System
            }
        }
    }

    /// Whether a person may be looking.
    pub(super) fn is_terminal(&self) -> bool {
        self.stdout.is_terminal()
    }
}

/// Prints an error for people: one line, then perhaps more.
pub(super) fn complain(message: &str) {
    // Where nobody can be told, the exit code still says it.
    let _ = writeln!(io::stderr(), "error: {message}");
}

/// Prints text to standard error as it is.
pub(super) fn tell(text: &str) {
    let _ = write!(io::stderr(), "{text}");
}

/// Whether colours are wanted on standard error.
pub(super) fn color_on_stderr() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
