//! The birth of a process, within a control group where there is one. The other way into a group, to be born
//! outside and to move in, takes a second program to do it, and a lock of the whole machine; this one costs no
//! more than any birth, and less than that of the C library, which asks for the handler of each signal.
//! Knows nothing of who wants it.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Rlimit};

/// A process as it is to be born.
pub(super) struct Birth<'a> {
    /// The file of its program.
    pub(super) program: &'a Path,
    /// Its own name, and its arguments.
    pub(super) words: &'a [OsString],
    /// Its environment, all of it.
    pub(super) environment: &'a [(OsString, OsString)],
    /// Where it begins.
    pub(super) directory: &'a Path,
    /// What it reads, what it writes, and where its errors go. None of them is 0, 1 or 2 here.
    pub(super) streams: [&'a OwnedFd; 3],
    /// The directory of its control group, if it gets one.
    pub(super) group: Option<&'a OwnedFd>,
    /// How many files it may have open, where that is not as many as this process may.
    pub(super) open_files: Option<Rlimit>,
    /// Whether it leads a process group; one that begins a session does so by that.
    pub(super) leads: bool,
}

/// Somebody who was born.
pub(super) struct Born {
    /// Its number.
    pub(super) pid: Pid,
    /// Becomes readable when it has ended.
    pub(super) pidfd: OwnedFd,
}

/// Why nobody was born.
pub(super) enum NotBorn {
    /// Nobody is born in this way here: an old kernel, or a filter of system calls, refuses it.
    Nobody(io::Error),
    /// This one cannot be: there is no room for it, or its program cannot be loaded or its directory entered.
    ThisOne(io::Error),
}

impl From<NotBorn> for io::Error {
    fn from(why: NotBorn) -> Self {
        match why {
            NotBorn::Nobody(error) | NotBorn::ThisOne(error) => error,
        }
    }
}

/// The system call was refused to a birth without a group, and will be to all others.
static REFUSED: AtomicBool = AtomicBool::new(false);

impl Birth<'_> {
    /// Makes the process; whoever calls this stands still until the program has been loaded.
    ///
    /// # Errors
    /// [`NotBorn`], and then there is no process.
    pub(super) fn bear(&self) -> Result<Born, NotBorn> {
        // Whether it is allowed within a group was tried with that.
        if self.group.is_some() {
            return self.try_to_bear();
        }
        if REFUSED.load(Ordering::Relaxed) {
            return Err(NotBorn::Nobody(io::ErrorKind::Unsupported.into()));
        }
        let born = self.try_to_bear();
        if matches!(born, Err(NotBorn::Nobody(_))) {
            REFUSED.store(true, Ordering::Relaxed);
        }
        born
    }

    fn try_to_bear(&self) -> Result<Born, NotBorn> {
        let words = self.words.iter().map(|word| text(word.as_bytes()));
        let words = words.collect::<io::Result<Vec<CString>>>();
        let words = words.map_err(NotBorn::ThisOne)?;
        let entries = self.environment.iter().map(|(name, value)| {
            let mut entry = name.as_bytes().to_vec();
            entry.push(b'=');
            entry.extend_from_slice(value.as_bytes());
            text(&entry)
        });
        let entries = entries.collect::<io::Result<Vec<CString>>>();
        let entries = entries.map_err(NotBorn::ThisOne)?;
        let path = |path: &Path| text(path.as_os_str().as_bytes()).map_err(NotBorn::ThisOne);
        let (program, directory) = (path(self.program)?, path(self.directory)?);
        let newborn = Newborn {
            program: &program,
            words: pointers(&words),
            environment: pointers(&entries),
            directory: &directory,
            streams: self.streams.map(AsRawFd::as_raw_fd),
            open_files: self.open_files.map(raw),
            leads: self.leads,
            failed: 0,
        };
        clone::bear(newborn, self.group.map(AsRawFd::as_raw_fd))
    }
}

/// A bound as the kernel takes it.
fn raw(bound: Rlimit) -> libc::rlimit {
    libc::rlimit {
        rlim_cur: bound.current.unwrap_or(libc::RLIM_INFINITY),
        rlim_max: bound.maximum.unwrap_or(libc::RLIM_INFINITY),
    }
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Texts as the kernel takes them; they end with a null.
fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    let texts = texts.iter().map(|text| text.as_ptr());
    texts.chain([std::ptr::null()]).collect()
}

/// All that the process needs before it has its program. It shares the memory of its maker until then, so
/// this is made ready by the maker: the process itself asks for no memory and takes no lock.
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    expect(dead_code, reason = "nobody is born in this way there")
)]
struct Newborn<'a> {
    program: &'a CStr,
    words: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    directory: &'a CStr,
    streams: [i32; 3],
    open_files: Option<libc::rlimit>,
    leads: bool,
    /// The number of the error for which it has no program.
    failed: i32,
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod clone {
    use super::{Born, Newborn, NotBorn, io};

    pub(super) fn bear(_: Newborn<'_>, _: Option<i32>) -> Result<Born, NotBorn> {
        Err(NotBorn::Nobody(io::ErrorKind::Unsupported.into()))
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[expect(
    unsafe_code,
    reason = "no crate can make a process in its maker's memory, with a descriptor and within a control group"
)]
mod clone {
    use std::arch::asm;
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::os::fd::{FromRawFd, OwnedFd};

    use rustix::process::WaitOptions;

    use super::{Born, Newborn, NotBorn, Pid, io};

    /// What the process has for a stack until it has its program; it calls a handful of functions.
    const STACK_BYTES: usize = 64 << 10;

    /// The flags of the kernel's `sched.h`: in the maker's memory, which stands still meanwhile; with a
    /// descriptor; and with no handlers of signals, which are the maker's own.
    const FLAGS: u64 = 0x100 | 0x4000 | 0x1000 | 0x1_0000_0000;

    /// And in a control group.
    const INTO_GROUP: u64 = 0x2_0000_0000;

    #[repr(C, align(16))]
    struct Stack([MaybeUninit<u8>; STACK_BYTES]);

    /// The first version of the kernel's `clone_args` that knows control groups.
    #[repr(C)]
    #[derive(Default)]
    struct CloneArguments {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }

    pub(super) fn bear(mut newborn: Newborn<'_>, group: Option<i32>) -> Result<Born, NotBorn> {
        let mut stack = Box::<Stack>::new_uninit();
        let mut pidfd: i32 = -1;
        let arguments = CloneArguments {
            flags: FLAGS | group.map_or(0, |_| INTO_GROUP),
            pidfd: (&raw mut pidfd) as u64,
            exit_signal: libc::SIGCHLD as u64,
            stack: stack.as_mut_ptr() as u64,
            stack_size: STACK_BYTES as u64,
            // A descriptor is not negative.
            cgroup: group.map_or(0, i32::cast_unsigned).into(),
            ..CloneArguments::default()
        };
        let place: *mut Newborn<'_> = &raw mut newborn;
        // SAFETY: `grow_up` begins on a stack of its own and never returns. `newborn`, `stack`, `pidfd` and
        // `arguments` outlive it: the kernel lets this thread go on only when the process has a program, and
        // with that a memory of its own, or has ended.
        let made = unsafe { clone(&arguments, grow_up, place.cast()) };
        // SAFETY: as above, nobody else has this place by now; the process may have written to it.
        let failed = unsafe { (&raw const (*place).failed).read_volatile() };
        if made <= 0 {
            return Err(refused(i32::try_from(-made).unwrap_or(0)));
        }
        let pid = i32::try_from(made).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| NotBorn::ThisOne(io::ErrorKind::InvalidData.into()))?;
        // SAFETY: the kernel has put a descriptor there that is this process's, and nobody else knows of.
        let pidfd = unsafe { OwnedFd::from_raw_fd((&raw const pidfd).read_volatile()) };
        if failed == 0 {
            return Ok(Born { pid, pidfd });
        }
        // It has ended, and nobody else knows of it.
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
        Err(NotBorn::ThisOne(io::Error::from_raw_os_error(failed)))
    }

    /// What it means that the call was refused.
    fn refused(number: i32) -> NotBorn {
        let error = io::Error::from_raw_os_error(number);
        match number {
            // A kernel that does not know the call or the flags, or a filter of system calls.
            libc::ENOSYS | libc::EINVAL | libc::EPERM => NotBorn::Nobody(error),
            _ => NotBorn::ThisOne(error),
        }
    }

    /// The system call; in the new process it calls `entry`. A C library has no call for it: this one begins
    /// on another stack, where it could not return to its caller.
    unsafe fn clone(
        arguments: &CloneArguments,
        entry: unsafe extern "C" fn(*mut c_void) -> !,
        data: *mut c_void,
    ) -> isize {
        let made: isize;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the kernel keeps all registers but rax, rcx and r11, in both processes; what else the new
        // one changes is its own.
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                // The outermost frame, as debuggers know it.
                "xor ebp, ebp",
                "mov rdi, r8",
                "call r9",
                "ud2",
                "2:",
                inlateout("rax") libc::SYS_clone3 as isize => made,
                in("rdi") arguments,
                in("rsi") size_of::<CloneArguments>(),
                in("r8") data,
                in("r9") entry,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the kernel keeps all registers but x0, in both processes; what else the new one changes is
        // its own.
        unsafe {
            asm!(
                "svc #0",
                "cbnz x0, 2f",
                // The outermost frame, as debuggers know it.
                "mov x29, xzr",
                "mov x0, x9",
                "blr x10",
                "brk #1",
                "2:",
                inlateout("x0") arguments => made,
                in("x1") size_of::<CloneArguments>(),
                in("x8") libc::SYS_clone3,
                in("x9") data,
                in("x10") entry,
            );
        }
        made
    }

    /// What the new process does: all by calls that are also allowed in a handler of a signal. Ends by having
    /// become its program, or with the reason why not in its [`Newborn`].
    unsafe extern "C" fn grow_up(data: *mut c_void) -> ! {
        let newborn = data.cast::<Newborn<'_>>();
        // SAFETY: `bear` gives it one that outlives this, and stands still meanwhile. The pointers in it
        // are to texts and lists that end as the calls expect, and the places for sets and actions are valid.
        unsafe {
            let failed = become_program(&*newborn);
            (&raw mut (*newborn).failed).write_volatile(failed);
            libc::_exit(127)
        }
    }

    /// The number of the error that came in the way.
    ///
    /// # Safety
    /// As for [`grow_up`].
    unsafe fn become_program(newborn: &Newborn<'_>) -> i32 {
        // SAFETY: as the caller says.
        unsafe {
            for (ours, stream) in newborn.streams.iter().zip(0..) {
                if libc::dup2(*ours, stream) < 0 {
                    return error();
                }
            }
            if newborn.leads && libc::setpgid(0, 0) < 0 {
                return error();
            }
            if libc::chdir(newborn.directory.as_ptr()) < 0 {
                return error();
            }
            if let Some(bound) = &newborn.open_files {
                // Refused, it may have as many open as its maker.
                libc::setrlimit(libc::RLIMIT_NOFILE, bound);
            }
            take_usual_turns();
            // What the daemon ignores a program would ignore too, and what it has put off would stay so.
            let mut none = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            if libc::signal(libc::SIGPIPE, libc::SIG_DFL) == libc::SIG_ERR
                || libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) < 0
            {
                return error();
            }
            libc::execve(
                newborn.program.as_ptr(),
                newborn.words.as_ptr(),
                newborn.environment.as_ptr(),
            );
            error()
        }
    }

    /// Whoever bears it may have turns as short as the kernel takes, which come soon. So has the process until here.
    /// As a program it would be interrupted more often than others, and interrupt them: it has the usual ones.
    ///
    /// # Safety
    /// None is needed; both calls are allowed where [`grow_up`] is.
    unsafe fn take_usual_turns() {
        /// In nanoseconds, as `sched_setattr(2)` has it.
        const SHORTEST: u64 = 100_000;
        /// The first form of `sched_attr`.
        const SIZE: u32 = 48;
        let mut turns = MaybeUninit::<libc::sched_attr>::zeroed();
        let place = turns.as_mut_ptr();
        // SAFETY: the place is one for a `sched_attr`, of which the kernel writes and reads SIZE bytes; all of its
        // bytes were set to 0, which is a valid one.
        unsafe {
            let read = libc::syscall(libc::SYS_sched_getattr, 0, place, SIZE, 0);
            if read == 0 && (*place).sched_runtime == SHORTEST {
                (*place).sched_runtime = 0;
                (*place).sched_flags = 0;
                // Refused, they stay short.
                libc::syscall(libc::SYS_sched_setattr, 0, place, 0);
            }
        }
    }

    /// The number of the last error of this thread, of whose memory that is a part.
    ///
    /// # Safety
    /// None is needed; the place is always there.
    unsafe fn error() -> i32 {
        // SAFETY: the C library gives the place of this thread's number.
        unsafe { *libc::__errno_location() }
    }
}
