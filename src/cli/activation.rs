//! Sockets that the service manager has bound before the daemon was there, and hands over.

#![expect(
    unsafe_code,
    reason = "a descriptor that is known by its number alone has no safe owner"
)]

use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

use super::Exit;
use super::out::complain;

/// What the unit of a socket calls it (`FileDescriptorName=`), and what systemd does where it does not.
const NAMES: [&str; 2] = ["api", "twolane.socket"];

/// The socket that others ask the daemon on, if the service manager has bound it. To be called once. What
/// is wrong with it is told here.
pub(super) fn socket() -> Result<Option<UnixListener>, Exit> {
    let passed = sd_notify::listen_fds_with_names().map_err(|error| {
        wrong(&format!(
            "what it says of them cannot be understood: {error}"
        ))
    })?;
    let mut found = None;
    for (number, name) in passed {
        // SAFETY: by protocol this number is a descriptor that was open before the program began and that
        // is there for it alone; it is looked at once in the life of the program, here.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        if !NAMES.contains(&name.as_str()) {
            return Err(wrong(&format!(
                "it names one `{name}`, which is not known: `FileDescriptorName=api` is"
            )));
        }
        let listener = UnixListener::from(descriptor);
        let is_path = |address: std::os::unix::net::SocketAddr| address.as_pathname().is_some();
        if !listener.local_addr().is_ok_and(is_path) {
            return Err(wrong(&format!(
                "`{name}` is no Unix socket with a path, as `ListenStream=/run/twolane/twolane.sock` makes one"
            )));
        }
        if found.replace(listener).is_some() {
            return Err(wrong("there is more than one"));
        }
    }
    Ok(found)
}

fn wrong(what: &str) -> Exit {
    complain(&format!(
        "cannot take over the sockets that the service manager has bound: {what}\n\
         hint: see `systemctl cat twolane.socket`"
    ));
    Exit::System
}
