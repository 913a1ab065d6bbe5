//! What tells the processes of one scheduler from those of any other, also when it is started anew.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of chance in a name: enough that no two are ever the same.
const BYTES: usize = 8;

/// A name for a scheduler that nothing outlives.
///
/// # Errors
/// If the system gives no chance.
pub fn fresh_instance() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut name = String::with_capacity(2 * BYTES);
    for byte in bytes {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

/// The name that is kept in this file, which is made if there is none.
///
/// # Errors
/// If it cannot be read or made, or holds something else.
pub fn instance_in(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let name = text.trim();
            let good = name.len() == 2 * BYTES && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            good.then(|| name.to_owned()).ok_or_else(|| {
                io::Error::new(ErrorKind::InvalidData, "it is not what was written there; if no command of an earlier daemon runs any more, remove it")
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let name = fresh_instance()?;
            let new = path.with_extension("new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            writeln!(file, "{name}")?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            if let Some(parent) = path.parent() {
                File::open(parent)?.sync_all()?;
            }
            Ok(name)
        }
        Err(error) => Err(error),
    }
}
