//! One line of a run's log, and its form in the file: one JSON object a line, with short keys.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::time::Wall;
use crate::inbox::{Note, OutStream, Output};

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunLine<Text = Arc<str>> {
    /// Counts from 1 within the run; a number that is missing was dropped.
    #[serde(rename = "n")]
    pub number: u64,
    /// When it was said.
    #[serde(rename = "t")]
    pub at: Wall,
    /// The attempt that said it; 0 for a mark.
    #[serde(rename = "a")]
    pub attempt: u32,
    /// What it is.
    #[serde(rename = "s")]
    pub stream: Stream,
    /// What it says.
    #[serde(rename = "x", default)]
    pub text: Text,
    /// The part of the work that was done, 0 to 1, of progress.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// The task says how far it has come.
    Progress,
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// The mark of lines that are missing.
    Dropped,
}

impl Stream {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Out => "out",
            Self::Err => "err",
            Self::Dropped => "dropped",
        }
    }
}

impl<'a> RunLine<Cow<'a, str>> {
    pub(super) fn of(note: &'a Note, number: u64) -> Self {
        let progress = &note.progress;
        Self {
            number,
            at: note.at.wall,
            attempt: note.attempt.epoch,
            stream: Stream::Progress,
            text: progress.message.as_deref().unwrap_or_default().into(),
            fraction: progress.fraction,
        }
    }

    /// A line of a command, with or without its end; what is not UTF-8 is replaced.
    pub(super) fn of_output(output: &Output, line: &'a [u8], number: u64) -> Self {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self {
            number,
            at: output.at.wall,
            attempt: output.attempt.epoch,
            stream: match output.stream {
                OutStream::Out => Stream::Out,
                OutStream::Err => Stream::Err,
            },
            text: String::from_utf8_lossy(line),
            fraction: None,
        }
    }
}

impl<Text: Serialize> RunLine<Text> {
    /// Appends it as it stands in the file.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Numbers and texts are all that it holds, and a fraction that is no number is written as null.
        if serde_json::to_writer(&mut *out, self).is_ok() {
            out.push(b'\n');
        }
    }
}
