//! The way into the journal of systemd. Sends an entry a datagram, a large one as a sealed file in memory.
//! Waits only on the thread that writes the log; where no journal is to be had, whole lines go to standard
//! error.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::writer::Stream;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// What an entry ends with.
const END: &[u8] = b"\n\n";

/// Takes whole entries of [`super::Format::Journal`].
pub struct Journal {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    otherwise: Box<dyn Write + Send>,
}

impl Journal {
    /// The journal of this machine; standard error, where that cannot be reached.
    ///
    /// # Errors
    /// If there is no standard error.
    pub fn system() -> io::Result<Self> {
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        let otherwise = Box::new(Stream(File::from(stderr)));
        Ok(Self::at(SOCKET.into(), otherwise))
    }

    /// A journal that listens there, and what gets the lines where none does.
    pub(super) fn at(path: PathBuf, otherwise: Box<dyn Write + Send>) -> Self {
        Self {
            path,
            socket: None,
            otherwise,
        }
    }

    /// Whether standard error ends in the journal, as systemd says it of a service's.
    #[must_use]
    pub fn is_stderr() -> bool {
        let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
            return false;
        };
        let stderr = io::stderr().as_fd().try_clone_to_owned();
        let there = stderr.map(File::from).and_then(|file| file.metadata());
        there.is_ok_and(|there| stream == *format!("{}:{}", there.dev(), there.ino()))
    }

    fn send(&mut self, entry: &[u8]) -> io::Result<()> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                socket.connect(&self.path)?;
                self.socket.insert(socket)
            }
        };
        let sent = deliver(socket, entry);
        if sent.is_err() {
            self.socket = None;
        }
        sent
    }

    /// The same for somebody who reads lines.
    fn tell_otherwise(&mut self, entry: &[u8]) -> io::Result<()> {
        let entry = String::from_utf8_lossy(entry);
        let value = |name| {
            let mut values = entry.lines().filter_map(|line| line.strip_prefix(name));
            values.next().unwrap_or_default()
        };
        let line = format!("{} {}\n", value("TWOLANE_TIME="), value("MESSAGE="));
        self.otherwise.write_all(line.as_bytes())
    }
}

impl Write for Journal {
    /// Deals with the first of the entries.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = bytes.windows(END.len()).position(|two| two == END);
        let length = end.map_or(bytes.len(), |end| end + END.len());
        let entry = &bytes[..end.map_or(bytes.len(), |end| end + 1)];
        // A journald that has been started anew is met on a new connection.
        let sent = self.send(entry).or_else(|_| self.send(entry));
        if sent.is_err() {
            self.tell_otherwise(entry)?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends an entry; waits where journald is behind. Whoever logs is kept waiting by the queue alone, that is:
/// not at all.
fn deliver(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    loop {
        match socket.send(entry) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(socket.as_fd())?,
            Err(error) if is_too_large(&error) => return deliver_file(socket, entry),
            Err(error) => return Err(error),
        }
    }
}

fn is_too_large(error: &io::Error) -> bool {
    let code = rustix::io::Errno::from_io_error(error);
    matches!(
        code,
        Some(rustix::io::Errno::MSGSIZE | rustix::io::Errno::NOBUFS)
    )
}

fn wait(socket: BorrowedFd<'_>) -> io::Result<()> {
    let mut waits = [PollFd::from_borrowed_fd(socket, PollFlags::OUT)];
    match poll(&mut waits, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sends the entry as a file in memory that nobody can change any more.
fn deliver_file(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("twolane-journal", flags)?);
    file.write_all(entry)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    let files = [file.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    loop {
        let nothing = [IoSlice::new(&[])];
        match rustix::net::sendmsg(socket, &nothing, &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => wait(socket.as_fd())?,
            Err(error) => return Err(error.into()),
        }
    }
}
