//! Where an answer's body goes: up to a bound into the result, or to a file that appears in its place
//! only when it is whole and on the disk.

use std::ffi::OsString;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest::{Context as Digest, SHA256};
use serde_json::{Map, Value, json};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinError;

use super::super::TaskError;
use super::super::read::{TEXT_BYTES, text};
use crate::engine::http::HttpSpec;

/// Takes a body in.
pub(super) struct Sink {
    bytes: u64,
    /// `None` where nobody asks for it.
    digest: Option<Digest>,
    place: Place<(File, Unfinished)>,
}

/// A body that was taken in as a whole.
pub(super) struct Received {
    bytes: u64,
    sha256: Option<String>,
    place: Place<Unfinished>,
}

enum Place<F> {
    /// The first bytes, up to [`TEXT_BYTES`].
    Result(Vec<u8>),
    File(F),
}

impl Sink {
    pub(super) async fn open(spec: &HttpSpec) -> Result<Self, TaskError> {
        let place = match &spec.save_to {
            None => Place::Result(Vec::new()),
            Some(path) => Place::File(Unfinished::beside(path).await?),
        };
        let wanted = spec.sha256.is_some() || spec.save_to.is_some();
        Ok(Self {
            bytes: 0,
            digest: wanted.then(|| Digest::new(&SHA256)),
            place,
        })
    }

    pub(super) async fn take(&mut self, chunk: &[u8]) -> Result<(), TaskError> {
        self.bytes += chunk.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(chunk);
        }
        match &mut self.place {
            Place::Result(head) => {
                let room = TEXT_BYTES - head.len();
                head.extend_from_slice(&chunk[..room.min(chunk.len())]);
                Ok(())
            }
            Place::File((file, at)) => {
                let written = file.write_all(chunk).await;
                written.map_err(|error| at.cannot("write", &error))
            }
        }
    }

    /// All has come: what is in a file is made durable, still under its other name.
    pub(super) async fn close(self) -> Result<Received, TaskError> {
        let place = match self.place {
            Place::Result(head) => Place::Result(head),
            Place::File((mut file, at)) => {
                // The first says what of the writing failed, which goes on behind `write_all`.
                let flushed = file.flush().await;
                flushed.map_err(|error| at.cannot("write", &error))?;
                let synced = file.sync_all().await;
                synced.map_err(|error| at.cannot("write", &error))?;
                Place::File(at)
            }
        };
        Ok(Received {
            bytes: self.bytes,
            sha256: self.digest.map(|digest| hex(digest.finish().as_ref())),
            place,
        })
    }
}

impl Received {
    /// Its SHA-256, if that is not the expected one.
    pub(super) fn other_than(&self, expected: &str) -> Option<String> {
        self.sha256.clone().filter(|found| found != expected)
    }

    /// Puts a file in its place, and says what is where.
    pub(super) async fn finish(self, fields: &mut Map<String, Value>) -> Result<(), TaskError> {
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("bytes", json!(self.bytes));
        if let Some(sha256) = self.sha256 {
            put("sha256", json!(sha256));
        }
        match self.place {
            Place::Result(head) => {
                let cut = self.bytes > head.len() as u64;
                let head = text(&head, cut);
                put("text", json!(head.text));
                put("truncated", json!(cut || head.cut));
                put("lossless", json!(head.lossless));
            }
            Place::File(unfinished) => {
                put("saved_to", json!(unfinished.path.to_string_lossy()));
                unfinished.publish().await?;
            }
        }
        Ok(())
    }
}

/// A file under another name than its own, which goes when this is dropped.
struct Unfinished {
    temporary: PathBuf,
    path: PathBuf,
}

impl Unfinished {
    /// A file beside `path`, since only there a rename is one step.
    async fn beside(path: &Path) -> Result<(File, Self), TaskError> {
        let path = path.to_owned();
        // What comes of it when nobody waits any more is dropped there, and takes the file away.
        let opened = tokio::task::spawn_blocking(move || Self::beside_blocking(path));
        let opened = opened.await.unwrap_or_else(|error| Err(gave_up(&error)));
        opened.map(|(file, at)| (File::from_std(file), at))
    }

    fn beside_blocking(path: PathBuf) -> Result<(std::fs::File, Self), TaskError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let there = std::fs::metadata(&path).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let what = "it is no regular file, and one would take its place";
            return Err(cannot("create", &path, &IoError::other(what)));
        }
        loop {
            let mut name = OsString::from(".");
            name.push(path.file_name().unwrap_or_default());
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            name.push(format!(".{}-{number}.part", std::process::id()));
            let temporary = path.with_file_name(name);
            match std::fs::File::create_new(&temporary) {
                Ok(file) => return Ok((file, Self { temporary, path })),
                // One that a daemon left which was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot("create", &path, &error)),
            }
        }
    }

    /// Leaves the file alone.
    fn keep(mut self) {
        self.temporary = PathBuf::new();
    }

    /// Gives the file its name, whole as it is.
    async fn publish(self) -> Result<(), TaskError> {
        let published = tokio::task::spawn_blocking(move || {
            if let Err(error) = std::fs::rename(&self.temporary, &self.path) {
                return Err(self.cannot("create", &error));
            }
            let directory = match self.path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
            let synced = synced.map_err(|error| self.cannot("write", &error));
            self.keep();
            synced
        });
        published.await.unwrap_or_else(|error| Err(gave_up(&error)))
    }

    fn cannot(&self, what: &str, error: &IoError) -> TaskError {
        cannot(what, &self.path, error)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            // Where it cannot be taken away, it has gone with its directory.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

fn cannot(what: &str, path: &Path, error: &IoError) -> TaskError {
    TaskError::failed(format!("cannot {what} {}: {error}", path.display()))
}

/// The lane is shut down, so nobody hears this.
fn gave_up(error: &JoinError) -> TaskError {
    TaskError::failed(format!("cannot save the answer: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
