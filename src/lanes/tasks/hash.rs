//! The `hash` task: the hashes of many files, several files at once, and a manifest of them that
//! `sha256sum -c` and `b3sum -c` take. Maps no file into memory: one that is cut short meanwhile would
//! take the daemon down.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rayon::iter::{
    IndexedParallelIterator, IntoParallelRefIterator, ParallelExtend, ParallelIterator,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::context::Context;
use super::atomic::{AtomicFile, directory_of};
use super::fill;
use super::meter::Meter;
use super::read::{next_chunk, open_regular};
use super::spread::{spread, threads};
use super::{Done, TaskError, TaskResult};
use crate::engine::files::HashAlgorithm;

/// The most files of one task: their names are held in memory, some hundred bytes each.
const FILES_BOUND: usize = 1_000_000;

/// How many hashes the result holds: enough to look into, little enough to keep in a record. The
/// manifest has all.
const SHOWN_FILES: usize = 1_000;

/// How many bytes of names the result holds. Names are short, but need not be.
const SHOWN_BYTES: usize = 128 << 10;

/// How many files that cannot be read are named.
const SHOWN_FAILURES: usize = 10;

/// What is read between two looks at the cancel token: a millisecond or two of SHA-256.
const CHUNK_BYTES: usize = 256 << 10;

/// The same of a file that all threads hash together: larger, so that there is something to share.
const WIDE_CHUNK_BYTES: usize = 1 << 20;

/// From this size on a file is hashed by all threads together, where the algorithm has a way to.
const WIDE_BYTES: u64 = 16 << 20;

/// What is gathered before it is written to the manifest.
const LINES_BYTES: usize = 256 << 10;

/// What to hash.
pub(super) struct Order<'a> {
    pub(super) directory: &'a Path,
    pub(super) files: &'a [String],
    pub(super) args: Option<&'a Value>,
    pub(super) algorithm: HashAlgorithm,
    pub(super) manifest: Option<PathBuf>,
}

/// A hash; both algorithms give as many bytes.
type Hash = [u8; 32];

/// A file to hash.
struct Subject {
    path: PathBuf,
    bytes: u64,
}

/// On the cpu lane: as many files at once as `cpus` says, or as the lane has threads to spare.
pub(super) fn run(context: &Context, order: &Order<'_>, cpus: Option<u32>) -> TaskResult {
    let subjects = find(context, order)?;
    let total = subjects.iter().map(|subject| subject.bytes).sum();
    let meter = Meter::new(context, total);
    let threads = threads(cpus);
    // One file spreads over all threads or over none, so only who has all of them may do that.
    let has_all = threads == rayon::current_num_threads();
    let together = has_all && order.algorithm == HashAlgorithm::Blake3;
    // The large ones first and one after the other: a thread that waits for its part of one would
    // take up the next, and hold both.
    let (wide, narrow): (Vec<usize>, Vec<usize>) =
        (0..subjects.len()).partition(|index| together && subjects[*index].bytes >= WIDE_BYTES);
    let mut hashes: Vec<(usize, Result<Hash, TaskError>)> = Vec::with_capacity(subjects.len());
    for index in wide {
        let hash = blake3_together(context, &subjects[index].path, &meter);
        hashes.push((index, hash));
    }
    let of = |index: &usize| {
        let path = &subjects[*index].path;
        let hash = match order.algorithm {
            HashAlgorithm::Sha256 => {
                let mut hasher = Sha256::new();
                alone(context, path, &meter, |chunk| hasher.update(chunk))
                    .map(|()| hasher.finalize().into())
            }
            HashAlgorithm::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                alone(context, path, &meter, |chunk| {
                    hasher.update(chunk);
                })
                .map(|()| hasher.finalize().into())
            }
        };
        (*index, hash)
    };
    if cpus.is_some() {
        hashes.extend(spread(threads, &narrow, || (), of).1);
    } else {
        hashes.par_extend(narrow.par_iter().with_max_len(1).map(of));
    }
    context.check()?;
    hashes.sort_unstable_by_key(|(index, _)| *index);
    let hashes: Vec<Hash> = all_or_failures(hashes.into_iter().map(|(_, hash)| hash))?;
    let base = order
        .manifest
        .as_deref()
        .map_or(order.directory, directory_of);
    if let Some(to) = &order.manifest {
        write_manifest(context, to, base, &subjects, &hashes)?;
    }
    let mut result = shown(base, &subjects, &hashes);
    result["algorithm"] = json!(order.algorithm.as_str());
    result["bytes"] = json!(meter.done());
    result["manifest"] = json!(order.manifest.as_deref().map(Path::to_string_lossy));
    Ok(Done::with(result))
}

/// The files that the patterns mean, each once, sorted by path, without the manifest itself.
fn find(context: &Context, order: &Order<'_>) -> Result<Vec<Subject>, TaskError> {
    let mut paths = BTreeSet::new();
    for template in order.files {
        if template.contains(['*', '?', '[']) {
            expand(context, order, template, &mut paths)?;
        } else {
            paths.insert(fill::path(order.directory, template, order.args)?);
        }
    }
    if let Some(manifest) = &order.manifest {
        paths.remove(manifest);
    }
    // One that is not there is told when it is to be read.
    let subject = |path: PathBuf| Subject {
        bytes: fs::metadata(&path).map_or(0, |metadata| metadata.len()),
        path,
    };
    Ok(paths.into_iter().map(subject).collect())
}

fn expand(
    context: &Context,
    order: &Order<'_>,
    template: &str,
    paths: &mut BTreeSet<PathBuf>,
) -> Result<(), TaskError> {
    let pattern = fill::pattern(order.directory, template, order.args)?;
    // As shells do it, so that what begins with a dot is not meant by a star.
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let found = glob::glob_with(&pattern, options).map_err(|error| {
        TaskError::failed(format!(
            "cannot understand the pattern `{pattern}`: {}",
            error.msg
        ))
    })?;
    let mut any = false;
    for path in found {
        context.check()?;
        let path = path.map_err(|error| {
            let place = error.path().display();
            TaskError::failed(format!("cannot look into {place}: {}", error.error()))
        })?;
        if path.is_dir() {
            continue;
        }
        any = true;
        paths.insert(path);
        if paths.len() > FILES_BOUND {
            return Err(TaskError::failed(format!(
                "`{template}` means more than {FILES_BOUND} files, which is the most that one job \
                 hashes: make it several jobs"
            )));
        }
    }
    if any {
        return Ok(());
    }
    // An empty manifest would say that everything is in order.
    Err(TaskError::failed(format!(
        "no file is meant by `{pattern}`"
    )))
}

/// Reads a file to its end, a chunk at a time, on this thread alone.
fn alone(
    context: &Context,
    path: &Path,
    meter: &Meter,
    mut update: impl FnMut(&[u8]),
) -> Result<(), TaskError> {
    context.check()?;
    let (mut file, metadata) = open_regular(path)?;
    let small = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let mut chunk = vec![0; small.saturating_add(1).min(CHUNK_BYTES)];
    loop {
        context.check()?;
        match next_chunk(&mut file, &mut chunk, path)? {
            0 => return Ok(()),
            n => {
                update(&chunk[..n]);
                meter.add(n as u64);
            }
        }
    }
}

/// The same on all threads of the lane that have nothing else to do.
fn blake3_together(context: &Context, path: &Path, meter: &Meter) -> Result<Hash, TaskError> {
    let (mut file, _) = open_regular(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; WIDE_CHUNK_BYTES];
    loop {
        context.check()?;
        match next_chunk(&mut file, &mut chunk, path)? {
            0 => return Ok(hasher.finalize().into()),
            n => {
                hasher.update_rayon(&chunk[..n]);
                meter.add(n as u64);
            }
        }
    }
}

/// All hashes, or one failure that names what went wrong with which files.
fn all_or_failures(
    hashes: impl ExactSizeIterator<Item = Result<Hash, TaskError>>,
) -> Result<Vec<Hash>, TaskError> {
    let files = hashes.len();
    let mut good = Vec::with_capacity(files);
    let mut named: Vec<String> = Vec::new();
    for hash in hashes {
        match hash {
            Ok(hash) => good.push(hash),
            Err(TaskError::Stopped) => return Err(TaskError::Stopped),
            Err(why @ (TaskError::Failed(_) | TaskError::Ended(_) | TaskError::NoRoom(_))) => {
                if named.len() < SHOWN_FAILURES {
                    named.push(why.to_string());
                }
            }
        }
    }
    let failures = files - good.len();
    match (failures, named.len()) {
        (0, _) => Ok(good),
        (1, _) if files == 1 => Err(TaskError::failed(named.concat())),
        (_, shown) => {
            let more = match failures - shown {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            Err(TaskError::failed(format!(
                "{failures} of {files} files cannot be hashed: {}{more}",
                named.join("; ")
            )))
        }
    }
}

/// What a file is called from `base`.
fn name<'a>(base: &Path, path: &'a Path) -> &'a OsStr {
    path.strip_prefix(base).unwrap_or(path).as_os_str()
}

/// A line for each file, which `sha256sum -c` takes in the directory of the manifest.
fn write_manifest(
    context: &Context,
    to: &Path,
    base: &Path,
    subjects: &[Subject],
    hashes: &[Hash],
) -> Result<(), TaskError> {
    let mut manifest = AtomicFile::create(to, None)?;
    let mut lines = Vec::with_capacity(LINES_BYTES);
    for (subject, hash) in subjects.iter().zip(hashes) {
        push_line(&mut lines, hash, name(base, &subject.path).as_bytes());
        if lines.len() >= LINES_BYTES {
            context.check()?;
            manifest.write(&lines)?;
            lines.clear();
        }
    }
    manifest.write(&lines)?;
    manifest.commit()
}

fn push_line(lines: &mut Vec<u8>, hash: &Hash, name: &[u8]) {
    // A line that begins with a backslash says that the name is written with them.
    if name.iter().any(|byte| b"\\\n\r".contains(byte)) {
        lines.push(b'\\');
    }
    lines.extend_from_slice(hex(hash).as_bytes());
    lines.extend_from_slice(b"  ");
    for byte in name {
        match byte {
            b'\\' => lines.extend_from_slice(b"\\\\"),
            b'\n' => lines.extend_from_slice(b"\\n"),
            b'\r' => lines.extend_from_slice(b"\\r"),
            byte => lines.push(*byte),
        }
    }
    lines.push(b'\n');
}

fn hex(hash: &Hash) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// How many files, and the hashes of the first of them.
fn shown(base: &Path, subjects: &[Subject], hashes: &[Hash]) -> Value {
    let mut map = Map::new();
    let mut room = SHOWN_BYTES;
    for (subject, hash) in subjects.iter().zip(hashes).take(SHOWN_FILES) {
        let name = name(base, &subject.path).to_string_lossy().into_owned();
        match room.checked_sub(name.len()) {
            Some(left) => room = left,
            None => break,
        }
        map.insert(name, json!(hex(hash)));
    }
    json!({
        "files": subjects.len(),
        "truncated": map.len() < subjects.len(),
        "hashes": map,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_a_line_are_written_with_backslashes() {
        let check = |name: &str, expected: &str| {
            let mut lines = Vec::new();
            push_line(&mut lines, &[0xab; 32], name.as_bytes());
            let expected = expected.replace('#', &"ab".repeat(32));
            assert_eq!(String::from_utf8(lines).unwrap(), expected);
        };
        check("a b", "#  a b\n");
        check("a\\b\nc\rd", "\\#  a\\\\b\\nc\\rd\n");
    }

    #[test]
    fn failures_are_named_up_to_ten_and_counted() {
        let check = |bad: usize, good: usize, expected: &str| {
            let bad = (0..bad).map(|n| Err(TaskError::failed(format!("no {n}"))));
            let hashes: Vec<_> = bad.chain((0..good).map(|_| Ok([0; 32]))).collect();
            let error = all_or_failures(hashes.into_iter()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(1, 0, "no 0");
        check(1, 1, "1 of 2 files cannot be hashed: no 0");
        check(
            12,
            3,
            "12 of 15 files cannot be hashed: no 0; no 1; no 2; no 3; no 4; no 5; no 6; no 7; no 8; \
             no 9; and 2 more",
        );
    }
}
