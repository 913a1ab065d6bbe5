//! `twolane import`: job files out of what people have. What has no equal here is said in a comment where it
//! stood, and so is what no job can be made of, which the exit code tells; where none can be made, nothing is
//! written.

mod calendar;
mod crontab;
mod draft;
mod naming;
mod service;
mod timer;
mod unit;
mod words;

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use self::draft::File;
use super::Exit;
use super::count::count;
use super::out::{Out, complain, tell};

const EXAMPLES: &str = "\
Examples:
  crontab -l | twolane import crontab - -o jobs.d/crontab.toml
  twolane import crontab /etc/crontab -o jobs.d/system.toml
  twolane import systemd-timer fstrim.timer backup@home.timer
  twolane import systemd-timer ./report.timer | less

Then:
  twolane check jobs.d/crontab.toml && twolane next --file jobs.d/crontab.toml

What no job can be made of stands in the file behind `# left out:`, with the reason, and the exit code is 3.";

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    #[command(subcommand)]
    what: What,
    /// Write to this file, which must not be there yet, instead of standard output
    #[arg(short, long, global = true, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Make jobs of the lines of a crontab
    Crontab(CrontabArgs),
    /// Make jobs of timers of systemd and the services that they start
    SystemdTimer(TimerArgs),
}

#[derive(Args, Debug)]
struct CrontabArgs {
    /// The crontab; `-` is standard input
    file: PathBuf,
    /// Its lines name a user before the command, as those of /etc/crontab and /etc/cron.d do
    #[arg(long)]
    system: bool,
    /// Whose crontab it is: jobs run as this user, which only a daemon that is root can do
    #[arg(long, value_name = "NAME", conflicts_with = "system")]
    user: Option<String>,
}

#[derive(Args, Debug)]
struct TimerArgs {
    /// Timers: names such as `fstrim.timer`, looked for where systemd looks, or paths
    #[arg(required = true, value_name = "UNIT")]
    units: Vec<String>,
    /// Look where the user's own systemd looks
    #[arg(long)]
    user: bool,
    /// Look here before all others; can be repeated
    #[arg(long = "directory", value_name = "DIRECTORY")]
    directories: Vec<PathBuf>,
}

pub(super) fn run(args: &Import, out: &mut Out) -> Exit {
    let made = match &args.what {
        What::Crontab(args) => of_crontab(args),
        What::SystemdTimer(args) => of_timers(args),
    };
    let file = match made {
        Ok(file) => file,
        Err(exit) => return exit,
    };
    let text = file.text();
    let exit = match &args.output {
        None => out.line(format_args!("{}", text.trim_end())),
        Some(path) => match write_new(path, &text) {
            Ok(()) => out.line(format_args!("wrote {}", path.display())),
            Err(error) => {
                complain(&format!(
                    "cannot write `{}`: {error}\nhint: name a file that is not there yet",
                    path.display()
                ));
                Exit::System
            }
        },
    };
    if exit != Exit::Success {
        return exit;
    }
    if file.notes() > 0 {
        tell(&format!(
            "{} to look at: each stands in the file behind `# note:`\n",
            count(file.notes(), "thing")
        ));
    }
    if file.left_out() > 0 {
        let count = file.left_out();
        tell(&format!(
            "{count} left out: each stands in the file behind `# left out:`\n"
        ));
        return Exit::Config;
    }
    exit
}

fn of_crontab(args: &CrontabArgs) -> Result<File, Exit> {
    let text = read(&args.file).map_err(|error| {
        complain(&format!("cannot read `{}`: {error}", args.file.display()));
        Exit::System
    })?;
    let is_system = args.system
        || args.file == Path::new("/etc/crontab")
        || args.file.parent() == Some(Path::new("/etc/cron.d"));
    let owner = match (&args.user, is_system) {
        (Some(user), _) => crontab::Owner::Named(user.clone()),
        (None, true) => crontab::Owner::EachLine,
        (None, false) => crontab::Owner::Caller,
    };
    let shown = args.file.display().to_string();
    let (file, wrong) = crontab::import(&shown, &text, &owner);
    for line in wrong {
        complain(&line);
    }
    unless_void(file)
}

fn of_timers(args: &TimerArgs) -> Result<File, Exit> {
    let directories = unit::Directories::new(&args.directories, args.user);
    let mut file = File::new("timers of systemd");
    if !args.user {
        file.say("A job without `user` runs as the daemon does, where systemd runs a service as root; only a daemon that");
        file.say("is root can run jobs as other users.");
    }
    for name in &args.units {
        if let Err(wrong) = timer::import(name, &directories, &mut file) {
            complain(&wrong);
            file.leave_out(vec![name.clone()], wrong);
        }
    }
    unless_void(file)
}

fn unless_void(file: File) -> Result<File, Exit> {
    if file.is_void() {
        return Err(Exit::Config);
    }
    Ok(file)
}

fn read(path: &Path) -> io::Result<String> {
    if path != Path::new("-") {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}
