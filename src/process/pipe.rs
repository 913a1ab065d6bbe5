//! The ends of a child's pipes, and of its terminal, for tasks that must not wait on a thread.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::{Errno, ioctl_fionbio, read, write};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;

/// Has the runtime that was entered watch a descriptor.
///
/// # Errors
/// If the runtime takes no further descriptors.
#[expect(
    unsafe_code,
    reason = "tokio has no safe call for a descriptor of one's own"
)]
pub fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is valid and the same until it is dropped, and the `AsyncFd` owns it.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    watched.map_err(io::Error::from)
}

/// What a child writes comes out here.
#[derive(Debug)]
pub struct Reader(Source);

/// Whose writing it is.
#[derive(Debug)]
enum Source {
    /// More may come.
    Child(AsyncFd<OwnedFd>),
    /// It has ended: what is there is all. With how often that was read.
    Ended(OwnedFd, AtomicUsize),
}

/// How often what an ended child has left is read in a row.
const AT_ONCE: usize = 4;

impl Reader {
    /// The reading end of a pipe, or our end of a terminal.
    ///
    /// # Errors
    /// As for [`watch`].
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&end, true)?;
        watch(end, Interest::READABLE).map(|end| Self(Source::Child(end)))
    }

    /// The same of a child that has ended: nothing is waited for.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_ended(end: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&end, true)?;
        Ok(Self(Source::Ended(end, AtomicUsize::new(0))))
    }

    /// Reads what is there; 0 bytes at the end, and where nothing is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = match &self.0 {
            Source::Child(end) => end.get_ref(),
            Source::Ended(end, _) => end,
        };
        loop {
            match read(end, &mut *buffer) {
                Err(Errno::AGAIN | Errno::IO) => return Ok(0),
                Err(Errno::INTR) => {}
                done => return done.map_err(io::Error::from),
            }
        }
    }

    /// Reads what is there, or waits until something is; 0 bytes at the end.
    ///
    /// # Errors
    /// What the system says.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = match &self.0 {
            Source::Child(end) => end,
            Source::Ended(_, reads) => {
                // Somebody else may write on, who is not found.
                if reads.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
                    yield_now().await;
                }
                return self.read_now(buffer);
            }
        };
        loop {
            let mut ready = end.readable().await?;
            match ready.try_io(|end| read(end, &mut *buffer).map_err(io::Error::from)) {
                // So a terminal says that nobody has its other end any more.
                Ok(Err(error)) if Errno::from_io_error(&error) == Some(Errno::IO) => return Ok(0),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(done) => return done,
                Err(_not_ready) => {}
            }
        }
    }
}

/// What is written here a child reads.
#[derive(Debug)]
pub struct Writer(AsyncFd<OwnedFd>);

impl Writer {
    /// The writing end of a pipe, or our end of a terminal.
    ///
    /// # Errors
    /// As for [`watch`].
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&end, true)?;
        watch(end, Interest::WRITABLE).map(Self)
    }

    /// Writes all of it, as fast as the child reads. What a pipe holds counts as written.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] if the child reads no more.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|end| write(end, bytes).map_err(io::Error::from)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => bytes = &bytes[written?..],
                Err(_not_ready) => {}
            }
        }
        Ok(())
    }
}
