//! Where commands print. A reader that has gone away (`twolane … | head`) is no error.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use super::Exit;

/// Standard output of a command.
#[derive(Debug)]
pub(super) struct Out {
    stdout: io::Stdout,
    /// Who read it has gone away.
    gone: bool,
    /// It could not be written to, and that was told.
    failed: bool,
}

impl Out {
    pub(super) fn new() -> Self {
        Self {
            stdout: io::stdout(),
            gone: false,
            failed: false,
        }
    }

    /// Prints a line.
    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) -> Exit {
        match writeln!(self.stdout.lock(), "{line}").and_then(|()| self.stdout.flush()) {
            Ok(()) => Exit::Success,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Exit::Success
            }
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

    /// Whether nobody reads any more, so that a stream need not go on.
    pub(super) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether colours are wanted.
    pub(super) fn is_colored(&self) -> bool {
        self.is_terminal() && colors_allowed()
    }

    /// The columns of the terminal, if it is one.
    pub(super) fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(&self.stdout).ok()?;
        // A terminal that does not know its size says 0.
        (size.ws_col > 0).then_some(usize::from(size.ws_col))
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
    io::stderr().is_terminal() && colors_allowed()
}

fn colors_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
