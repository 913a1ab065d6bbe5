//! The `read` task: reads a file to its end; its result is the size, the number of lines and the
//! beginning of the text. Holds one chunk and that beginning in memory, however large the file is.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{Error as IoError, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::super::context::Context;
use super::{Done, TaskError, TaskResult};

/// How much of the text the result holds: enough to look into, little enough to keep in a record.
pub(super) const TEXT_BYTES: usize = 64 << 10;

/// What is read between two looks at the cancel token. Large beside the cost of a read call.
const CHUNK_BYTES: usize = 256 << 10;

/// On the io lane: each read is carried out by one of tokio's threads for file operations.
pub(super) async fn run_io(context: &Context, path: &Path) -> TaskResult {
    let named = |error: IoError| cannot_read(path, &error);
    let before = tokio::fs::metadata(path).await.map_err(named)?;
    require_regular(path, &before)?;
    let mut file = tokio::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .await
        .map_err(named)?;
    require_regular(path, &file.metadata().await.map_err(named)?)?;
    file.set_max_buf_size(CHUNK_BYTES);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut seen = Seen::default();
    loop {
        context.check()?;
        match file.read(&mut chunk).await.map_err(named)? {
            0 => return Ok(Done::with(seen.result())),
            n => seen.add(&chunk[..n]),
        }
    }
}

/// On the cpu lane.
pub(super) fn run_cpu(context: &Context, path: &Path) -> TaskResult {
    let (mut file, _) = open_regular(path)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut seen = Seen::default();
    loop {
        context.check()?;
        match next_chunk(&mut file, &mut chunk, path)? {
            0 => return Ok(Done::with(seen.result())),
            n => seen.add(&chunk[..n]),
        }
    }
}

/// Opens a file for reading, without waiting for anybody.
pub(super) fn open_regular(path: &Path) -> Result<(File, Metadata), TaskError> {
    let named = |error: IoError| cannot_read(path, &error);
    require_regular(path, &std::fs::metadata(path).map_err(named)?)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    require_regular(path, &metadata)?;
    Ok((file, metadata))
}

/// Reads what comes next of a file into `chunk`; how many bytes, none at its end.
pub(super) fn next_chunk(
    file: &mut File,
    chunk: &mut [u8],
    path: &Path,
) -> Result<usize, TaskError> {
    loop {
        match file.read(chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read.map_err(|error| cannot_read(path, &error)),
        }
    }
}

/// Anything else may never come to an end, or block the one who opens it: a pipe waits for its
/// writer. Looked at before opening, because opening a pipe or a device already does something, and
/// after, because the file may have been replaced in between (which is why it is opened in a way
/// that does not wait).
fn require_regular(path: &Path, metadata: &Metadata) -> Result<(), TaskError> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(TaskError::failed(format!(
        "cannot read {}: it is {}, not a regular file",
        path.display(),
        describe(kind)
    )))
}

fn describe(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

pub(super) fn cannot_read(path: &Path, error: &IoError) -> TaskError {
    TaskError::failed(format!("cannot read {}: {error}", path.display()))
}

/// What has been read.
#[derive(Default)]
struct Seen {
    bytes: u64,
    /// Line ends.
    ends: u64,
    /// The last byte is no line end.
    open: bool,
    /// The first bytes, up to [`TEXT_BYTES`].
    head: Vec<u8>,
}

impl Seen {
    fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.ends += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Some(last) = chunk.last() {
            self.open = *last != b'\n';
        }
        let room = TEXT_BYTES - self.head.len();
        self.head.extend_from_slice(&chunk[..room.min(chunk.len())]);
    }

    fn result(self) -> Value {
        // A last line counts also without a line end.
        let lines = self.ends + u64::from(self.open);
        let cut = self.bytes > self.head.len() as u64;
        let head = text(&self.head, cut);
        json!({
            "bytes": self.bytes,
            "lines": lines,
            "text": head.text,
            "truncated": cut || head.cut,
            "lossless": head.lossless,
        })
    }
}

/// The beginning of a file as text.
pub(super) struct Head {
    pub(super) text: String,
    /// There was no room for all of the bytes.
    pub(super) cut: bool,
    /// All that the text shows is what the file holds: nothing was put in place of bytes that are
    /// not UTF-8.
    pub(super) lossless: bool,
}

/// Makes text of `bytes`, with U+FFFD in place of what is not UTF-8, and no longer than
/// [`TEXT_BYTES`]. A character that the end of the bytes cuts in two is left out if `more` follow.
pub(super) fn text(bytes: &[u8], more: bool) -> Head {
    let mut head = Head {
        text: String::new(),
        cut: false,
        lossless: true,
    };
    let mut left = bytes.len();
    for chunk in bytes.utf8_chunks() {
        left -= chunk.valid().len() + chunk.invalid().len();
        let room = TEXT_BYTES - head.text.len();
        if chunk.valid().len() > room {
            let end = chunk.valid().floor_char_boundary(room);
            head.text.push_str(&chunk.valid()[..end]);
            head.cut = true;
            return head;
        }
        head.text.push_str(chunk.valid());
        if chunk.invalid().is_empty() || (more && left == 0 && is_begun(chunk.invalid())) {
            continue;
        }
        if TEXT_BYTES - head.text.len() < char::REPLACEMENT_CHARACTER.len_utf8() {
            head.cut = true;
            return head;
        }
        head.text.push(char::REPLACEMENT_CHARACTER);
        head.lossless = false;
    }
    head
}

/// Whether the bytes are the beginning of a character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(chunks: &[&[u8]]) -> Value {
        let mut seen = Seen::default();
        for chunk in chunks {
            seen.add(chunk);
        }
        seen.result()
    }

    #[test]
    fn lines_are_counted_as_people_count_them() {
        let lines = |text: &str| seen(&[text.as_bytes()])["lines"].clone();
        assert_eq!(lines(""), 0);
        assert_eq!(lines("one"), 1);
        assert_eq!(lines("one\n"), 1);
        assert_eq!(lines("one\n\nthree"), 3);
        assert_eq!(seen(&[b"a\nb", b"c\n", b"d"])["lines"], 3);
    }

    #[test]
    fn small_files_are_shown_whole() {
        assert_eq!(
            seen(&["äö\n".as_bytes()]),
            json!({"bytes": 5, "lines": 1, "text": "äö\n", "truncated": false, "lossless": true})
        );
    }

    #[test]
    fn a_character_cut_in_two_is_left_out() {
        // One byte, then characters of two: the limit falls into the middle of one.
        let long = format!("x{}", "ä".repeat(TEXT_BYTES));
        let result = seen(&[long.as_bytes()]);
        assert_eq!(result["text"].as_str().unwrap().len(), TEXT_BYTES - 1);
        assert_eq!(result["truncated"], true);
        assert_eq!(result["lossless"], true);
    }

    #[test]
    fn what_is_not_text_is_marked_and_bounded() {
        let result = seen(&[b"a\xffb"]);
        assert_eq!(result["text"], "a\u{fffd}b");
        assert_eq!(result["lossless"], false);
        assert_eq!(result["truncated"], false);
        // A character begun at the very end of the file is not text either.
        assert_eq!(seen(&[b"a\xc3"])["lossless"], false);

        let result = seen(&[&vec![0xff; TEXT_BYTES]]);
        assert!(result["text"].as_str().unwrap().len() <= TEXT_BYTES);
        assert_eq!(result["truncated"], true);
        assert_eq!(result["bytes"], TEXT_BYTES);
    }
}
