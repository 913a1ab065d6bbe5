//! Why a file cannot be run, where the kernel's word for it says something else: what is not there may be its
//! interpreter.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::io::Errno;

/// The longest first line that the kernel looks at, in bytes.
const FIRST_LINE: u64 = 256;

/// Any of the bits by which somebody may run a file.
const RUNNABLE: u32 = 0o111;

/// The kernel's words for an error of running `program`, and what is to be done about it as far as the file tells.
pub(super) fn why(program: &Path, error: &io::Error) -> String {
    match hint(program, error) {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    }
}

fn hint(program: &Path, error: &io::Error) -> Option<String> {
    let there = std::fs::metadata(program).ok()?;
    if there.is_dir() {
        return Some("it is a directory".to_owned());
    }
    let errno = Errno::from_io_error(error)?;
    if errno == Errno::NOEXEC {
        let words = "it is no program of this machine and does not begin with `#!` and an interpreter; \
             `exec = [\"sh\", \"FILE\"]` has a shell read it";
        return Some(words.to_owned());
    }
    if errno == Errno::NOENT {
        return Some(match first_line(program) {
            Some(line) if line.ends_with('\r') => {
                "its first line ends with a carriage return, which the kernel takes for a part of the interpreter's name"
                    .to_owned()
            }
            Some(line) => {
                let interpreter = line.split_ascii_whitespace().next().unwrap_or_default();
                format!("its first line asks for `{interpreter}`, which is not there")
            }
            None => "the file is there, but not the loader that it asks for; was it built for another system?".to_owned(),
        });
    }
    let is_denied = errno == Errno::ACCESS && there.permissions().mode() & RUNNABLE == 0;
    is_denied.then(|| {
        format!(
            "nobody may run it; `chmod +x {}` lets them",
            program.display()
        )
    })
}

/// What stands behind `#!` in the first line of a file.
fn first_line(program: &Path) -> Option<String> {
    let mut line = Vec::new();
    let file = File::open(program).ok()?.take(FIRST_LINE);
    BufReader::new(file).read_until(b'\n', &mut line).ok()?;
    let named = line.strip_prefix(b"#!")?;
    let named = named.strip_suffix(b"\n").unwrap_or(named);
    Some(String::from_utf8_lossy(named).into_owned())
}
