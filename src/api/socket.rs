//! The Unix socket: who may come in is a matter of its directory and its mode.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

/// The longest path of a socket, in bytes: `sun_path` has 108, and ends with a zero.
const PATH_BOUND: usize = 107;

/// Who may connect: its owner and group; anybody, where roles decide.
const OWN: u32 = 0o660;
const OPEN: u32 = 0o666;

/// How many may wait to be accepted: as many as the system lets (`net.core.somaxconn`).
const BACKLOG: i32 = i32::MAX;

/// A socket that is bound; open to its owner and group.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    bound: Mutex<Bound>,
    mode: u32,
    /// Whether it is somebody else's, who keeps it when the daemon leaves.
    is_lent: bool,
}

/// What is listened on.
#[derive(Debug)]
pub(super) struct Bound {
    listener: UnixListener,
    /// Its file, by device and number. Nobody else's has these as long as it is listened on, also when it is gone.
    file: (u64, u64),
}

impl Bound {
    /// Nobody can connect before it is known which file is ours, and it has its mode: who puts another in its place
    /// keeps theirs.
    fn at(path: &Path, mode: u32) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        let file = file(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        listen(&socket, BACKLOG)?;
        let listener = socket.into();
        Ok(Self { listener, file })
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

fn file(path: &Path) -> io::Result<(u64, u64)> {
    let file = path.symlink_metadata()?;
    Ok((file.dev(), file.ino()))
}

/// A socket that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody answers there.
    #[error(
        "another daemon answers on {0}: stop it first, or give this one another `daemon.runtime_dir`"
    )]
    Taken(PathBuf),
    /// Something else is in the way.
    #[error("{0} is there and is no socket: move it away")]
    InTheWay(PathBuf),
    /// The kernel takes no path as long as this.
    #[error(
        "the path of the socket, {}, has {} bytes, and the kernel takes at most {PATH_BOUND}\nhint: give \
         `daemon.runtime_dir` a shorter path, such as one in /run",
        .0.display(), .0.as_os_str().len()
    )]
    TooLong(PathBuf),
    /// The system refuses.
    #[error("cannot listen on {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Socket {
    /// Binds the socket; its directory is made if it is not there. A socket that nobody answers on was
    /// left behind, and is replaced.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn bind(path: PathBuf) -> Result<Self, SocketError> {
        let bound = Mutex::new(Self::try_bind(&path, OWN)?);
        Ok(Self {
            path,
            bound,
            mode: OWN,
            is_lent: false,
        })
    }

    /// Binds it once more where it is gone; whoever cleans a directory up may take it away. It is in its place only
    /// when it is [kept](Self::keep).
    ///
    /// # Errors
    /// [`SocketError`], also if another daemon has its place.
    pub(super) fn bind_again(&self) -> Result<Bound, SocketError> {
        Self::try_bind(&self.path, self.mode)
    }

    /// From here on it is this one.
    pub(super) fn keep(&self, bound: Bound) {
        *self.bound() = bound;
    }

    pub(super) fn failed(&self, source: io::Error) -> SocketError {
        let path = self.path.clone();
        SocketError::Io { path, source }
    }

    /// Whether whoever connects to its path reaches this daemon, or somebody else sees to that.
    pub(super) fn is_in_place(&self) -> bool {
        self.is_lent || file(&self.path).is_ok_and(|there| there == self.bound().file)
    }

    /// The directory in which it has to stay, if that is ours to see to.
    pub(super) fn directory(&self) -> Option<&Path> {
        let directory = self.path.parent()?;
        (!self.is_lent).then_some(directory)
    }

    fn bound(&self) -> MutexGuard<'_, Bound> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket that somebody else has bound to a path and keeps: whoever comes while no daemon is there
    /// waits for the next one.
    ///
    /// # Errors
    /// [`SocketError::Io`].
    pub fn passed(listener: UnixListener) -> Result<Self, SocketError> {
        let address = listener.local_addr();
        let path = address
            .ok()
            .and_then(|a| a.as_pathname().map(Path::to_owned));
        let path = path.unwrap_or_default();
        if let Err(source) = listener.set_nonblocking(true) {
            return Err(SocketError::Io { path, source });
        }
        // Whoever lends it sees to its file.
        let bound = Mutex::new(Bound {
            listener,
            file: (0, 0),
        });
        Ok(Self {
            path,
            bound,
            mode: OWN,
            is_lent: true,
        })
    }

    /// Whether a socket can have this path.
    ///
    /// # Errors
    /// [`SocketError::TooLong`].
    pub fn fits(path: &Path) -> Result<(), SocketError> {
        if path.as_os_str().len() > PATH_BOUND {
            return Err(SocketError::TooLong(path.to_owned()));
        }
        Ok(())
    }

    fn try_bind(path: &Path, mode: u32) -> Result<Bound, SocketError> {
        Self::fits(path)?;
        Self::clear(path)
            .and_then(|()| Ok(Bound::at(path, mode)?))
            .map_err(|refused| match refused {
                Refused::Named(error) => error,
                Refused::Io(source) => SocketError::Io {
                    path: path.to_owned(),
                    source,
                },
            })
    }

    /// Makes the directory, and takes away what nobody answers on.
    fn clear(path: &Path) -> Result<(), Refused> {
        if let Some(directory) = path.parent()
            && !directory.exists()
        {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(directory)?;
            // The process may keep more to itself than others need here: who may connect is said by the socket.
            fs::set_permissions(directory, Permissions::from_mode(0o755))?;
        }
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(there) if !there.file_type().is_socket() => {
                return Err(Refused::Named(SocketError::InTheWay(path.to_owned())));
            }
            Ok(_) if is_answered(path)? => {
                return Err(Refused::Named(SocketError::Taken(path.to_owned())));
            }
            Ok(_) => fs::remove_file(path)?,
        }
        Ok(())
    }

    /// Lets anybody connect; what they may do is decided then.
    pub(super) fn open_to_all(&mut self) -> io::Result<()> {
        self.mode = OPEN;
        fs::set_permissions(&self.path, Permissions::from_mode(OPEN))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.bound().listener()
    }

    /// Takes it away if it is our own, so that whoever comes is told at once that nobody is there.
    pub(super) fn remove(&self) {
        if self.is_lent || !self.is_in_place() {
            return;
        }
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether somebody listens there. Never waits: who has no room for one who connects listens, too.
fn is_answered(path: &Path) -> io::Result<bool> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let connected = connect(&socket, &SocketAddrUnix::new(path)?);
    Ok(matches!(connected, Ok(()) | Err(Errno::AGAIN)))
}

enum Refused {
    Named(SocketError),
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests;
