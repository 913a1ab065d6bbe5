//! What this process was given by who started it and has not opened itself.

#![expect(
    unsafe_code,
    reason = "no crate has a safe call for close_range, and descriptors of others are known by their numbers alone"
)]

/// Keeps whatever descriptors beyond the first three are open from all programs that are started from here on: what a
/// shell, a `flock` or a pipe of a script has left open is no business of a command, and would stay open for as
/// long as that runs. Kernels before 5.11 do not know how, and pass them on.
pub fn pass_nothing_on() {
    let (first, last) = (3_u32, u32::MAX);
    // SAFETY: closes nothing: it only marks each descriptor to be closed where another program takes a process over.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            last,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}
