//! The Unix socket: who may come in is a matter of its directory and its mode.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The longest path of a socket, in bytes: `sun_path` has 108, and ends with a zero.
const PATH_BOUND: usize = 107;

/// A socket that is bound; open to its owner and group.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    listener: UnixListener,
    /// Whether it is somebody else's, who keeps it when the daemon leaves.
    is_lent: bool,
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
        match Self::try_bind(&path) {
            Ok(listener) => Ok(Self {
                path,
                listener,
                is_lent: false,
            }),
            Err(Refused::Named(error)) => Err(error),
            Err(Refused::Io(source)) => Err(SocketError::Io { path, source }),
        }
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
        match listener.set_nonblocking(true) {
            Ok(()) => Ok(Self {
                path,
                listener,
                is_lent: true,
            }),
            Err(source) => Err(SocketError::Io { path, source }),
        }
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

    fn try_bind(path: &Path) -> Result<UnixListener, Refused> {
        Self::fits(path).map_err(Refused::Named)?;
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
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(Refused::Named(SocketError::Taken(path.to_owned())));
            }
            Ok(_) => fs::remove_file(path)?,
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o660))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Lets anybody connect; what they may do is decided then.
    pub(super) fn open_to_all(&self) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(0o666))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Takes it away if it is our own, so that whoever comes is told at once that nobody is there.
    pub(super) fn remove(&self) {
        if self.is_lent {
            return;
        }
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
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
