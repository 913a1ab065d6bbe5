//! The helper between the birth of a process and its program: this very program, started once more,
//! which arranges what is wanted and then becomes the program. So the daemon never forks itself, which
//! is dear when it is large.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Gid, Resource, Rlimit, Uid};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::cgroup::PROCESSES;
use super::order::{Bounds, Identity, Manners, Order};
use super::unrunnable::{Hint, hinted};

/// The program that is started: this one, provided that it calls [`carry_out`] first of all.
pub const SHIM: &str = "/proc/self/exe";

/// Its first argument; what follows is what to arrange as JSON, the program's file, and its words.
pub const SHIM_WORD: &str = "__process";

/// The exit code that says that something could not be arranged; why is the last line of its errors.
pub const SHIM_FAILED: u8 = 125;

/// This program has called [`carry_out`].
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Whether this program, started once more, does what it is started for: whether its `main` is one that
/// looks at what that may be.
#[must_use]
pub fn is_entered() -> bool {
    ENTERED.load(Ordering::Relaxed)
}

/// The words with which the helper is started: its own name, what to arrange, and the order's program with
/// its words.
pub(super) fn words(order: &Order) -> Vec<OsString> {
    let mut words = vec![order.helper.clone().into_os_string()];
    words.extend(to_arrange(&order.manners).map(OsString::from));
    words.push(order.program.clone().into_os_string());
    words.extend_from_slice(&order.words);
    words
}

/// What the helper is told before the program's file.
pub(super) fn to_arrange(manners: &Manners) -> [String; 2] {
    let manners = serde_json::to_string(manners).unwrap_or_default();
    [SHIM_WORD.to_owned(), manners]
}

/// How large a terminal is: without that it says 0 by 0, which some programs divide by.
const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// Both ends of a new terminal, ours first.
pub(super) fn terminal() -> io::Result<(File, File)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags)?;
    rustix::termios::tcsetwinsize(&ours, SIZE)?;
    Ok((ours.into(), theirs.into()))
}

/// Does the helper's work if that is what these arguments of the program ask for, and becomes the program
/// that they name. Gives back an exit code if that cannot be.
pub fn carry_out(mut words: impl Iterator<Item = OsString>) -> Option<u8> {
    ENTERED.store(true, Ordering::Relaxed);
    if words.nth(1)? != SHIM_WORD {
        return None;
    }
    let arranged = words
        .next()
        .and_then(|manners| serde_json::from_slice::<Manners>(&manners.into_vec()).ok())
        .ok_or_else(|| "understand what to arrange for a process".to_owned())
        .and_then(|manners| arrange(&manners));
    let why = match (arranged, words.next()) {
        (Err(why), _) => why,
        (Ok(()), None) => "run nothing".to_owned(),
        (Ok(()), Some(program)) => {
            let error = become_program(&program, words);
            let hint = Hint::about(Path::new(&program), &error);
            let hint = hinted(hint.as_ref());
            format!("run {}: {error}{hint}", program.to_string_lossy())
        }
    };
    // Where nobody takes it, the exit code still says that something was wrong.
    let _ = writeln!(io::stderr(), "twolane: cannot {why}");
    Some(SHIM_FAILED)
}

/// Becomes the program, which finds these words; or why not. As the daemon does it, so that none is read by a shell
/// because it is no program.
fn become_program(program: &OsStr, words: impl Iterator<Item = OsString>) -> io::Error {
    let text = |word: &OsStr| CString::new(word.as_bytes());
    let words: Result<Vec<CString>, _> = words.map(|word| text(&word)).collect();
    match (text(program), words) {
        (Ok(program), Ok(words)) => match nix::unistd::execv(&program, &words) {
            Err(errno) => errno.into(),
        },
        (Err(error), _) | (_, Err(error)) => error.into(),
    }
}

/// Arranges everything; or what could not be, and why.
fn arrange(manners: &Manners) -> Result<(), String> {
    let named = |what: &str| {
        let what = what.to_owned();
        move |error: Errno| format!("{what}: {error}")
    };
    // Before it becomes somebody who may not.
    if let Some(group) = &manners.group {
        std::fs::write(group.join(PROCESSES), "0")
            .map_err(|error| format!("enter the control group {}: {error}", group.display()))?;
    }
    if manners.terminal {
        rustix::process::setsid().map_err(named("begin a session"))?;
        rustix::process::ioctl_tiocsctty(io::stdin()).map_err(named("take the terminal"))?;
    }
    if let Some(umask) = manners.umask {
        rustix::process::umask(Mode::from_raw_mode(umask));
    }
    for (bound, value) in &manners.bounds {
        limit(*bound, *value).map_err(named(&format!("set rlimits.{}", bound.as_str())))?;
    }
    if let Some(nice) = manners.nice {
        rustix::process::nice(nice).map_err(named("set nice"))?;
    }
    if let Some(identity) = &manners.identity {
        become_user(identity)?;
    }
    Ok(())
}

/// Sets the soft bound, and the hard one.
fn limit(bound: Bounds, value: u64) -> Result<(), Errno> {
    let resource = match bound {
        Bounds::Memory => Resource::As,
        Bounds::Cpu => Resource::Cpu,
        Bounds::Files => Resource::Nofile,
        Bounds::FileSize => Resource::Fsize,
        Bounds::Processes => Resource::Nproc,
        Bounds::Core => Resource::Core,
        Bounds::Stack => Resource::Stack,
    };
    // Who has used up its CPU time is told so by a signal of its own (SIGXCPU), and ended by force a second later; with
    // one bound for both it is ended without a word.
    let ample = value.saturating_add(u64::from(matches!(bound, Bounds::Cpu)));
    let most = rustix::process::getrlimit(resource).maximum;
    let both = Rlimit {
        current: Some(value),
        maximum: Some(most.map_or(ample, |most| ample.min(most.max(value)))),
    };
    rustix::process::setrlimit(resource, both)
}

/// Groups first, since a user without rights may not change them; and last, nothing that is run later may
/// give rights back.
fn become_user(identity: &Identity) -> Result<(), String> {
    let Identity {
        user,
        group,
        groups,
    } = identity;
    let named = |error: Errno| format!("become user {user}, group {group}: {error}");
    let all: Vec<Gid> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let (user, group) = (Uid::from_raw(*user), Gid::from_raw(*group));
    // This process has one thread, so what is set of a thread is set of it.
    rustix::thread::set_thread_groups(&all).map_err(named)?;
    rustix::thread::set_thread_res_gid(group, group, group).map_err(named)?;
    rustix::thread::set_thread_res_uid(user, user, user).map_err(named)?;
    rustix::thread::set_no_new_privs(true).map_err(named)
}
