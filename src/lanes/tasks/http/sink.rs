//! Where an answer's body goes: up to a bound into the result, or to a file that appears in its place
//! only when it is whole and on the disk.

use std::fs::OpenOptions;
use std::io::Error as IoError;
use std::path::{Path, PathBuf};

use ring::digest::{Context as Digest, SHA256};
use serde_json::{Map, Value, json};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinError;

use super::super::TaskError;
use super::super::read::{TEXT_BYTES, text};
use super::super::unfinished::{Unfinished, directory_of};
use crate::engine::http::HttpSpec;

/// Takes a body in.
pub(super) struct Sink {
    bytes: u64,
    /// `None` where nobody asks for it.
    digest: Option<Digest>,
    place: Place,
}

/// A body that was taken in as a whole.
pub(super) struct Received {
    bytes: u64,
    sha256: Option<String>,
    place: Place,
}

enum Place {
    /// The first bytes, up to [`TEXT_BYTES`].
    Result(Vec<u8>),
    /// Open until it is in its place: it would be taken for one that was left.
    File(File, Saved),
}

impl Sink {
    pub(super) async fn open(spec: &HttpSpec) -> Result<Self, TaskError> {
        let place = match &spec.save_to {
            None => Place::Result(Vec::new()),
            Some(path) => {
                let (file, saved) = Saved::beside(path).await?;
                Place::File(file, saved)
            }
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
            Place::File(file, at) => {
                let written = file.write_all(chunk).await;
                written.map_err(|error| at.cannot("write", &error))
            }
        }
    }

    /// All has come: what is in a file is made durable, still under its other name.
    pub(super) async fn close(self) -> Result<Received, TaskError> {
        let place = match self.place {
            Place::Result(head) => Place::Result(head),
            Place::File(mut file, at) => {
                // The first says what of the writing failed, which goes on behind `write_all`.
                let flushed = file.flush().await;
                flushed.map_err(|error| at.cannot("write", &error))?;
                let synced = file.sync_all().await;
                synced.map_err(|error| at.cannot("write", &error))?;
                Place::File(file, at)
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
            Place::File(_open, saved) => {
                put("saved_to", json!(saved.path.to_string_lossy()));
                saved.publish().await?;
            }
        }
        Ok(())
    }
}

/// A file that is to stand at `path`.
struct Saved {
    unfinished: Unfinished,
    path: PathBuf,
}

impl Saved {
    async fn beside(path: &Path) -> Result<(File, Self), TaskError> {
        let path = path.to_owned();
        // What comes of it when nobody waits any more is dropped there, and takes the file away.
        let opened = tokio::task::spawn_blocking(move || Self::beside_blocking(path));
        let opened = opened.await.unwrap_or_else(|error| Err(gave_up(&error)));
        opened.map(|(file, at)| (File::from_std(file), at))
    }

    fn beside_blocking(path: PathBuf) -> Result<(std::fs::File, Self), TaskError> {
        let there = std::fs::metadata(&path).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let what = "it is no regular file, and one would take its place";
            return Err(cannot("create", &path, &IoError::other(what)));
        }
        match Unfinished::begin(&mut OpenOptions::new(), directory_of(&path)) {
            Ok((file, unfinished)) => Ok((file, Self { unfinished, path })),
            Err(error) => Err(cannot("create", &path, &error)),
        }
    }

    /// Gives the file its name, whole as it is.
    async fn publish(self) -> Result<(), TaskError> {
        let published = tokio::task::spawn_blocking(move || {
            let put = self.unfinished.put(&self.path);
            put.map_err(|error| cannot("create", &self.path, &error))
        });
        published.await.unwrap_or_else(|error| Err(gave_up(&error)))
    }

    fn cannot(&self, what: &str, error: &IoError) -> TaskError {
        cannot(what, &self.path, error)
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
