//! The `write` task: makes a file of a text, or puts the text behind what is in one.

use std::fs::{OpenOptions, Permissions};
use std::io::{Error as IoError, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use serde_json::json;

use super::super::context::Context;
use super::atomic::{AtomicFile, cannot_write, directory_of, make_directories, sync_directory};
use super::blocking::carry;
use super::{Done, TaskError, TaskResult};

/// What to write where.
pub(super) struct Order {
    pub(super) to: PathBuf,
    pub(super) text: String,
    pub(super) append: bool,
    pub(super) mode: Option<u32>,
    pub(super) make_dirs: bool,
}

/// On the io lane.
pub(super) async fn run_io(context: &Context, order: Order) -> TaskResult {
    context.check()?;
    carry(context, move || order.carry_out()).await?
}

/// On the cpu lane.
pub(super) fn run_cpu(context: &Context, order: &Order) -> TaskResult {
    context.check()?;
    order.carry_out()
}

impl Order {
    fn carry_out(&self) -> TaskResult {
        if self.make_dirs {
            make_directories(&self.to)?;
        }
        if self.append {
            self.append()?;
        } else {
            let mut file = AtomicFile::create(&self.to, self.mode)?;
            file.write(self.text.as_bytes())?;
            file.commit()?;
        }
        Ok(Done::with(json!({
            "bytes": self.text.len(),
            "to": self.to.to_string_lossy(),
        })))
    }

    /// In one call, so that the texts of several who append never mix.
    fn append(&self) -> Result<(), TaskError> {
        let named = |error: IoError| cannot_write(&self.to, &error);
        let mut options = OpenOptions::new();
        // A pipe would have us wait for its reader.
        options.append(true).custom_flags(libc::O_NONBLOCK);
        let mut file = match options.clone().create_new(true).open(&self.to) {
            Ok(file) => {
                if let Some(mode) = self.mode {
                    file.set_permissions(Permissions::from_mode(mode))
                        .map_err(named)?;
                }
                file
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                options.open(&self.to).map_err(named)?
            }
            Err(error) => return Err(named(error)),
        };
        if !file.metadata().map_err(named)?.is_file() {
            return Err(TaskError::failed(format!(
                "cannot write {}: it is no regular file",
                self.to.display()
            )));
        }
        // Before anything is put there, so that whoever tries again after an error does not put it there twice. Where
        // names may be made and not be looked at, or the file system has no such thing, the file's own sync is all.
        match sync_directory(directory_of(&self.to)) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::InvalidInput
                ) => {}
            synced => synced.map_err(named)?,
        }
        let whole = self.text.len();
        let written = loop {
            match file.write(self.text.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.map_err(named)?,
            }
        };
        if written < whole {
            return Err(TaskError::failed(format!(
                "only {written} of {whole} bytes were put behind what is in {}: the disk is full, \
                 or the file as large as it may be",
                self.to.display()
            )));
        }
        file.sync_all().map_err(named)
    }
}
