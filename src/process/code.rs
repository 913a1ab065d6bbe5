//! What a program that has started has no more need of in its memory.

use std::ffi::c_void;
use std::fs;
use std::ptr::with_exposed_provenance_mut;

/// Takes the code that this process has run so far out of its memory. It stays in the system's cache of files, and what
/// runs again is mapped from there again, a few pages at a time. Starting runs most parts of a program once, and around
/// each place that runs the kernel maps as much as it has at hand: together more than serving needs.
pub fn forget_code() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let Ok(program) = fs::read_link("/proc/self/exe") else {
        return;
    };
    let program = program.to_string_lossy();
    for (from, bytes) in maps.lines().filter_map(|line| code(line, &program)) {
        forget(from, bytes);
    }
}

#[expect(
    unsafe_code,
    reason = "no safe call can say that a mapping is only read"
)]
fn forget(from: usize, bytes: usize) {
    // SAFETY: these are pages of a file that are mapped for running and not for writing, and were never written to: what
    // is filled in when a program is loaded stands in other mappings. So each comes back as it was when it is touched.
    let forgotten = unsafe {
        libc::madvise(
            with_exposed_provenance_mut::<c_void>(from),
            bytes,
            libc::MADV_DONTNEED,
        )
    };
    debug_assert_eq!(forgotten, 0, "{from:x}, {bytes} bytes");
}

/// Where the code of a program is mapped and how long that is, if this line of `/proc/self/maps` says so.
fn code(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut words = line.splitn(6, ' ');
    let (range, rights) = (words.next()?, words.next()?);
    let path = words.nth(3)?.trim_start();
    if rights != "r-xp" || path != program {
        return None;
    }
    let (from, to) = range.split_once('-')?;
    let from = usize::from_str_radix(from, 16).ok()?;
    let to = usize::from_str_radix(to, 16).ok()?;
    Some((from, to.checked_sub(from)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_is_run_of_the_program_and_not_written() {
        let check = |line: &str, expected: Option<(usize, usize)>| {
            assert_eq!(code(line, "/usr/bin/two lane"), expected, "{line}");
        };
        let path = "fe:00 1234                       /usr/bin/two lane";
        check(
            &format!("5600-5800 r-xp 00001000 {path}"),
            Some((0x5600, 0x200)),
        );
        check(&format!("5600-5800 r--p 00001000 {path}"), None);
        check(&format!("5600-5800 rwxp 00001000 {path}"), None);
        check(&format!("5600-5800 r-xp 00001000 {path} (deleted)"), None);
        check("7000-8000 r-xp 00000000 00:00 0    [vdso]", None);
        check("7000-8000 r-xp 00000000 00:00 0 ", None);
        check("", None);
    }

    #[test]
    fn what_is_forgotten_runs_all_the_same() {
        forget_code();
        let maps = fs::read_to_string("/proc/self/maps").expect("it can be read");
        let program = fs::read_link("/proc/self/exe").expect("it can be read");
        let program = program.to_string_lossy();
        assert!(maps.lines().any(|line| code(line, &program).is_some()));
    }
}
