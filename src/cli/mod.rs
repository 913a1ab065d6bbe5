//! The command line: what can be asked, one file a command, and one flat match.

mod answer;
mod cancel;
mod check;
mod complete;
mod down;
mod durable;
mod events;
mod exit;
mod explain;
mod init;
mod jobs;
mod list;
mod load;
mod logs;
mod manual;
mod out;
mod pause;
mod people;
mod place;
mod reload;
mod remote;
mod retry;
mod run;
mod schema;
mod serve;
mod show;
mod start;
mod status;
mod store;
mod submit;
mod summary;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

pub use exit::Exit;
use out::Out;
use remote::{Remote, RemoteArgs};

use crate::lanes::Handlers;

/// The whole program, with Rust functions of one's own for the task `call`.
///
/// ```no_run
/// use serde_json::json;
/// use twolane::{App, Context, Handlers};
///
/// fn main() -> std::process::ExitCode {
///     let handlers = Handlers::new().cpu("square", |_: &Context, args| {
///         let n = args["n"].as_i64().ok_or("`n` is not a whole number")?;
///         Ok::<_, twolane::HandlerError>(json!(n * n))
///     });
///     App::new(handlers).main()
/// }
/// ```
pub struct App {
    handlers: Handlers,
}

impl App {
    /// The program with these functions.
    #[must_use]
    pub const fn new(handlers: Handlers) -> Self {
        Self { handlers }
    }

    /// Does what the command line asks for; the exit code is for the caller of the program.
    #[must_use]
    pub fn main(self) -> ExitCode {
        self.with_args(std::env::args_os()).into()
    }

    /// Does what `args` ask for, the first of which is the program's name.
    pub fn with_args<I, T>(self, args: I) -> Exit
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let cli = match Cli::try_parse_from(args) {
            Ok(cli) => cli,
            Err(error) => return misunderstood(&error),
        };
        let handlers = Arc::new(self.handlers);
        let mut out = Out::new();
        match &cli.command {
            Command::Run(args) => run::run(args, &cli.settings, &handlers, &mut out),
            Command::Serve(args) => serve::run(args, &cli.settings, &handlers),
            Command::Check(args) => check::run(args, &cli.settings, &handlers, &mut out),
            Command::Schema(args) => schema::run(args, &mut out),
            Command::Init(args) => init::run(args, &mut out),
            Command::Store(args) => store::run(args, &cli.settings, &mut out),
            Command::Completions(args) => manual::completions(args, &mut out),
            Command::Man(args) => manual::man(args, &mut out),
            Command::Remote(command) => match Remote::of(&cli.remote, &cli.settings) {
                Ok(remote) => command.run(&remote, &mut out),
                Err(exit) => exit,
            },
        }
    }
}

/// Two lanes for the jobs of one machine: those that wait run on tokio, those that compute on rayon
#[derive(Parser, Debug)]
#[command(name = "twolane", version, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: Command,
}

/// Where settings come from; of all commands alike.
#[derive(Args, Debug)]
struct SettingsArgs {
    /// Read this instead of /etc/twolane/twolane.toml (and conf.d beside it)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override a setting, as in `--set lanes.cpu.workers=3`; can be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

#[derive(Subcommand, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it in the life of a process"
)]
enum Command {
    /// Run jobs of job files once, to the end, in the foreground
    Run(run::Run),
    /// Be the daemon: run what the configuration says until a signal ends it
    Serve(serve::Serve),
    /// Read the configuration and job files, and tell every mistake
    Check(check::Check),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Schema),
    /// Write a commented configuration to start from
    Init(init::Init),
    /// Check, copy or describe the store
    Store(store::Store),
    /// Print completions for a shell
    Completions(manual::Completions),
    /// Print the manual, or write its pages
    Man(manual::Man),
    #[command(flatten)]
    Remote(RemoteCommand),
}

/// What a daemon is asked.
#[derive(Subcommand, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it in the life of a process"
)]
enum RemoteCommand {
    /// Ask for a run of a job; prints its number
    Submit(submit::Submit),
    /// List runs, newest first
    List(list::List),
    /// Show all about a run
    Show(show::Show),
    /// Print what a run said
    Logs(logs::Logs),
    /// Wait until runs are over
    Wait(wait::Wait),
    /// Cancel runs; what executes is asked to stop
    Cancel(cancel::Cancel),
    /// Try runs that are over once more
    Retry(retry::Retry),
    /// Let nothing start that needs a lane, pool, limit or job
    Pause(pause::Pause),
    /// Let it start again
    Resume(pause::Pause),
    /// Bring what a run of a `future` job waits for
    Complete(complete::Complete),
    /// Say what exactly a run waits for
    Explain(explain::Explain),
    /// Print what is decided, as it is committed
    Events(events::Events),
    /// Show the daemon as a whole
    Status(status::Status),
    /// List the jobs that are defined
    Jobs(jobs::JobsArgs),
    /// Have the daemon read its configuration again
    Reload(reload::Reload),
    /// Have the daemon leave when nothing runs any more
    Drain,
    /// Have the daemon leave as on SIGTERM
    Stop,
}

impl RemoteCommand {
    fn run(&self, remote: &Remote, out: &mut Out) -> Exit {
        match self {
            Self::Submit(args) => submit::run(args, remote, out),
            Self::List(args) => list::run(args, remote, out),
            Self::Show(args) => show::run(args, remote, out),
            Self::Logs(args) => logs::run(args, remote, out),
            Self::Wait(args) => wait::run(args, remote, out),
            Self::Cancel(args) => cancel::run(args, remote, out),
            Self::Retry(args) => retry::run(args, remote, out),
            Self::Pause(args) => pause::run(args, "/pause", remote, out),
            Self::Resume(args) => pause::run(args, "/resume", remote, out),
            Self::Complete(args) => complete::run(args, remote, out),
            Self::Explain(args) => explain::run(args, remote, out),
            Self::Events(args) => events::run(args, remote, out),
            Self::Status(args) => status::run(args, remote, out),
            Self::Jobs(args) => jobs::run(args, remote, out),
            Self::Reload(args) => reload::run(args, remote, out),
            Self::Drain => down::drain(remote, out),
            Self::Stop => down::stop(remote, out),
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected KEY=VALUE, as in `lanes.cpu.workers=3`"),
    }
}

fn misunderstood(error: &clap::Error) -> Exit {
    // Help and version are answers, not mistakes.
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let exit = if is_answer {
        Exit::Success
    } else {
        Exit::Usage
    };
    // Where that cannot be printed, the exit code still says it.
    let _ = error.print();
    exit
}
