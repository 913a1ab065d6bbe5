//! How many lines of a batch have been sent: as many answers there have to be.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What has been read to be sent, counted while another thread reads it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Lines that are not blank, up to the last end of a line, or of all.
    lines: AtomicU64,
    is_whole: AtomicBool,
}

impl Sent {
    /// How many lines there are in all; `None` while more may come.
    pub(super) fn lines(&self) -> Option<u64> {
        let is_whole = self.is_whole.load(Ordering::Acquire);
        is_whole.then(|| self.lines.load(Ordering::Acquire))
    }
}

/// Reads on, and counts.
pub(super) struct Counted {
    from: Box<dyn Read + Send>,
    sent: Arc<Sent>,
    /// The line that goes on has something in it.
    has_begun: bool,
}

impl Counted {
    pub(super) fn new(from: Box<dyn Read + Send>) -> (Self, Arc<Sent>) {
        let sent = Arc::<Sent>::default();
        let counted = Self {
            from,
            sent: Arc::clone(&sent),
            has_begun: false,
        };
        (counted, sent)
    }

    fn end_line(&mut self) {
        if self.has_begun {
            self.sent.lines.fetch_add(1, Ordering::Release);
        }
        self.has_begun = false;
    }
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(into)?;
        for byte in into.iter().take(length) {
            match byte {
                b'\n' => self.end_line(),
                byte => self.has_begun |= !byte.is_ascii_whitespace(),
            }
        }
        if length == 0 {
            self.end_line();
            self.sent.is_whole.store(true, Ordering::Release);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn lines_are_counted_as_a_daemon_answers_them() {
        let cases = [
            ("", 0),
            ("\n \t\r\n\n", 0),
            ("{}", 1),
            ("{}\n", 1),
            ("{}\r\n\n{}\n  ", 2),
            (" {}\n{}\n{}", 3),
        ];
        for (text, lines) in cases {
            for step in 1..=3 {
                let (mut counted, sent) = Counted::new(Box::new(Cursor::new(text)));
                let mut buffer = vec![0; step];
                while counted.read(&mut buffer).unwrap() > 0 {
                    assert_eq!(sent.lines(), None, "{text:?}");
                }
                assert_eq!(sent.lines(), Some(lines), "{text:?} by {step}");
            }
        }
    }
}
