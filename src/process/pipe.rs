//! The ends of a child's pipes, and of its terminal, for tasks that must not wait on a thread.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::{Errno, ioctl_fionbio, read, write};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

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
pub struct Reader(AsyncFd<OwnedFd>);

impl Reader {
    /// The reading end of a pipe, or our end of a terminal.
    ///
    /// # Errors
    /// As for [`watch`].
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&end, true)?;
        watch(end, Interest::READABLE).map(Self)
    }

    /// Reads what is there; 0 bytes at the end, and where nothing is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match read(self.0.get_ref(), &mut *buffer) {
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
        loop {
            let mut ready = self.0.readable().await?;
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
