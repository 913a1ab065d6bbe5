//! Reading a run's log back, whole, in order, with a mark where lines are missing.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::line::{RunLine, Stream};
use super::segments::{PARTS, compressed, path};
use crate::engine::id::RunId;

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}, a part of the log of run {run}: {source}")]
pub struct ReadError {
    run: RunId,
    path: String,
    source: io::Error,
}

/// The lines of a run with numbers above `after`, `limit` at most. Where lines are missing, a mark says
/// how many.
///
/// # Errors
/// If a file is there and cannot be read.
pub fn lines(
    directory: &Path,
    run: RunId,
    after: u64,
    limit: usize,
) -> Result<Vec<RunLine>, ReadError> {
    let mut marked = Vec::new();
    let mut last = 0;
    for line in all(directory, run)? {
        let missing = line.number.saturating_sub(last + 1);
        // A line that is a mark itself says so already.
        if missing > 0 && line.stream != Stream::Dropped {
            marked.push(RunLine {
                number: line.number - 1,
                at: line.at,
                attempt: 0,
                stream: Stream::Dropped,
                text: format!("{missing} lines dropped: the log had grown too large").into(),
                fraction: None,
            });
        }
        last = line.number;
        marked.push(line);
    }
    marked.retain(|line| line.number > after);
    marked.truncate(limit);
    Ok(marked)
}

/// All lines that there are, in order.
pub(super) fn all(directory: &Path, run: RunId) -> Result<Vec<RunLine>, ReadError> {
    let mut lines = Vec::new();
    for part in PARTS {
        let plain = path(directory, run, part);
        for (path, is_compressed) in [(compressed(&plain), true), (plain, false)] {
            let unable = |source| ReadError {
                run,
                path: path.display().to_string(),
                source,
            };
            let mut text = Vec::new();
            match File::open(&path) {
                Ok(mut file) if !is_compressed => file.read_to_end(&mut text).map_err(unable)?,
                Ok(file) => MultiGzDecoder::new(file)
                    .read_to_end(&mut text)
                    .map_err(unable)?,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(unable(error)),
            };
            lines.extend(text.split(|byte| *byte == b'\n').filter_map(parse));
        }
    }
    lines.sort_by_key(|line| line.number);
    lines.dedup_by_key(|line| line.number);
    Ok(lines)
}

/// A line of a file. What is none was being written when the daemon or the machine went down, and is
/// shown as it is, if it has a number.
fn parse(text: &[u8]) -> Option<RunLine> {
    let mut line: RunLine = serde_json::from_slice(text).ok()?;
    if line.text.contains('\0') {
        line.text = Arc::from(line.text.replace('\0', "\u{fffd}"));
    }
    Some(line)
}

/// Reads any bytes as a part of a log; what are lines comes back as it is when it is written again.
#[cfg(any(fuzzing, test))]
pub fn fuzz(file: &[u8]) {
    for line in file.split(|byte| *byte == b'\n').filter_map(parse) {
        let mut written = Vec::new();
        line.write(&mut written);
        let again = parse(written.trim_ascii_end());
        assert!(again.as_ref() == Some(&line), "{again:?} is not {line:?}");
    }
}
