//! The `copy` task: a file as it is, under another name. On file systems that can, both share what
//! they have in common; elsewhere the kernel copies, a piece at a time.

use std::fs::File;
use std::io::Error as IoError;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::fs::{copy_file_range, ioctl_ficlone};
use rustix::io::Errno;
use serde_json::json;

use super::super::context::Context;
use super::atomic::{AtomicFile, cannot_write, make_directories};
use super::blocking::carry;
use super::meter::Meter;
use super::read::{next_chunk, open_regular};
use super::{Done, TaskError, TaskResult};

/// What is copied between two looks at the cancel token: a tenth of a second of a slow disk.
const PIECE_BYTES: usize = 8 << 20;

/// The same where the bytes pass through memory.
const CHUNK_BYTES: usize = 1 << 20;

/// What to copy where.
pub(super) struct Order {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) make_dirs: bool,
}

/// On the io lane: each piece is copied by one of the threads for file operations, so that a large
/// file does not keep one from all others.
pub(super) async fn run_io(context: &Context, order: Order) -> TaskResult {
    context.check()?;
    let its = context.clone();
    let mut copying = carry(context, move || Copying::begin(&its, &order)).await??;
    loop {
        context.check()?;
        let (back, more) = carry(context, move || {
            let more = copying.step();
            (copying, more)
        })
        .await?;
        copying = back;
        if !more? {
            return carry(context, move || copying.finish()).await?;
        }
    }
}

/// On the cpu lane.
pub(super) fn run_cpu(context: &Context, order: &Order) -> TaskResult {
    context.check()?;
    let mut copying = Copying::begin(context, order)?;
    while copying.step()? {
        context.check()?;
    }
    copying.finish()
}

/// A copy, as far as it has come.
struct Copying {
    source: File,
    from: PathBuf,
    target: AtomicFile,
    means: Means,
    meter: Meter,
}

/// What the bytes are moved by.
enum Means {
    /// Not at all: the new file shares those of the old one.
    Share,
    /// The kernel.
    Kernel,
    /// Reading and writing, where the kernel cannot.
    Memory(Vec<u8>),
}

impl Copying {
    fn begin(context: &Context, order: &Order) -> Result<Self, TaskError> {
        if order.from == order.to {
            return Err(TaskError::failed(format!(
                "cannot copy {} onto itself",
                order.from.display()
            )));
        }
        let (source, metadata) = open_regular(&order.from)?;
        if order.make_dirs {
            make_directories(&order.to)?;
        }
        Ok(Self {
            source,
            from: order.from.clone(),
            target: AtomicFile::create(&order.to, Some(metadata.permissions().mode()))?,
            means: Means::Share,
            meter: Meter::new(context, metadata.len()),
        })
    }

    /// Copies a piece; whether there may be more.
    fn step(&mut self) -> Result<bool, TaskError> {
        match &mut self.means {
            Means::Share => {
                if ioctl_ficlone(self.target.file(), &self.source).is_ok() {
                    let size = self.source.metadata().map_or(0, |metadata| metadata.len());
                    self.meter.add(size);
                    return Ok(false);
                }
                self.means = Means::Kernel;
            }
            Means::Kernel => {
                let source = &self.source;
                match copy_file_range(source, None, self.target.file(), None, PIECE_BYTES) {
                    // Files that the kernel makes up say that they are empty, and are not.
                    Ok(0) if self.meter.done() > 0 => return Ok(false),
                    Ok(0) => self.through_memory(),
                    Ok(bytes) => self.meter.add(bytes as u64),
                    Err(Errno::INTR) => {}
                    // Why the kernel cannot differs between kernels and file systems. What is really
                    // wrong is found by the next read or write, too, and told by that.
                    Err(_) => self.through_memory(),
                }
            }
            Means::Memory(chunk) => match next_chunk(&mut self.source, chunk, &self.from)? {
                0 => return Ok(false),
                bytes => {
                    self.target.write(&chunk[..bytes])?;
                    self.meter.add(bytes as u64);
                }
            },
        }
        Ok(true)
    }

    /// Goes on by reading and writing: both files stand where the kernel has come to.
    fn through_memory(&mut self) {
        self.means = Means::Memory(vec![0; CHUNK_BYTES]);
    }

    fn finish(self) -> TaskResult {
        let to = self.target.to().to_owned();
        let written = self.target.file().metadata();
        let bytes = written
            .map_err(|error: IoError| cannot_write(&to, &error))?
            .len();
        self.target.commit()?;
        Ok(Done::with(
            json!({ "bytes": bytes, "to": to.to_string_lossy() }),
        ))
    }
}
