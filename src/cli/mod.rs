//! The command line: what can be asked, one file a command, and one flat match.

mod activation;
mod answer;
mod ask;
mod backfill;
mod cancel;
mod check;
mod complete;
mod completions;
mod count;
mod doctor;
mod drain;
mod durable;
mod events;
mod exit;
mod explain;
mod gantt;
mod groups;
mod history;
mod import;
mod init;
mod jobs;
mod list;
mod load;
mod logs;
mod man;
mod moments;
mod next;
mod out;
mod past;
mod pause;
mod place;
mod printed;
mod readable;
mod reload;
mod resume;
mod retry;
mod run;
mod schema;
mod send;
mod serve;
mod show;
mod socket;
mod start;
mod status;
mod stop;
mod store;
mod submit;
mod summary;
mod table;
mod timeline;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

#[cfg(any(fuzzing, test))]
pub(crate) use answer::fuzz;
pub use exit::Exit;
use out::Out;
use socket::SocketArgs;

use crate::api::client::Client;
use crate::lanes::{Handlers, carry_out_task, is_task};
use crate::process::carry_out;

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
        // Started in this way it is no scheduler, but on its way to becoming a command.
        if let Some(code) = carry_out(std::env::args_os()) {
            return code.into();
        }
        if is_task(std::env::args_os()) {
            return match carry_out_task(self.handlers) {
                Ok(()) => Exit::Success.into(),
                Err(error) => {
                    out::complain(&format!("cannot carry out a task: {error}"));
                    Exit::System.into()
                }
            };
        }
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
            Command::Next(args) => next::run(args, &cli.settings, &handlers, &mut out),
            Command::Backfill(args) => {
                let own = (&cli.settings, &handlers);
                match cli.socket.client(&cli.settings) {
                    Ok(client) => backfill::run(args, &client, own, &mut out),
                    Err(exit) => exit,
                }
            }
            Command::Schema(args) => schema::run(args, &mut out),
            Command::Init(args) => init::run(args, &mut out),
            Command::Import(args) => import::run(args, &mut out),
            Command::Doctor(args) => {
                let named = cli.socket.named();
                doctor::run(args, (&cli.settings, named), &handlers, &mut out)
            }
            Command::Store(args) => store::run(args, &cli.settings, &mut out),
            Command::Completions(args) => completions::run(args, &mut out),
            Command::Man(args) => man::run(args, &mut out),
            Command::Asking(asking) => match cli.socket.client(&cli.settings) {
                Ok(client) => ask::told(asking.run(&client, &cli.settings, &mut out)),
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
    socket: SocketArgs,
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
enum Command {
    /// Run jobs of job files once, to the end, in the foreground
    Run(run::Run),
    /// Be the daemon: run what the configuration says until a signal ends it
    Serve(serve::Serve),
    /// Read the configuration and job files, and tell every mistake
    Check(check::Check),
    /// Show when jobs run next by their schedules, from the files
    Next(next::Next),
    /// Run slots of a schedule that are in the past, or list them
    Backfill(Box<backfill::Backfill>),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Schema),
    /// Write a commented configuration to start from
    Init(init::Init),
    /// Make job files of crontabs and of timers of systemd
    Import(import::Import),
    #[command(flatten)]
    Asking(Asking),
    /// Check, copy or describe the store
    Store(store::Store),
    /// Look at the machine as the daemon needs it, and say what to change
    Doctor(doctor::Doctor),
    /// Print a script that lets a shell complete commands
    Completions(completions::Completions),
    /// Print the manual page, or write those of all commands
    Man(man::Man),
}

/// What asks a daemon that runs already.
#[derive(Subcommand, Debug)]
enum Asking {
    /// Ask the daemon for a run of a job
    Submit(Box<submit::Submit>),
    /// List runs, newest first
    List(list::List),
    /// Show everything about a run
    Show(show::Show),
    /// Print what a run has said, or search the logs of many
    Logs(logs::Logs),
    /// Tell how the newest runs of each job went
    History(history::History),
    /// Draw which attempt ran when, in which lane
    Timeline(timeline::Timeline),
    /// Wait until runs are over
    Wait(wait::Wait),
    /// Stop runs, or keep them from starting
    Cancel(cancel::Cancel),
    /// Try runs that are over once more
    Retry(retry::Retry),
    /// Let nothing start that needs a lane, pool, limit or job
    Pause(pause::Pause),
    /// Let start again what was paused
    Resume(pause::Pause),
    /// Say how a run of the task `future` ends
    Complete(complete::Complete),
    /// Send something to a running command or handler
    Send(send::Send),
    /// Tell why a run stands where it stands
    Explain(explain::Explain),
    /// Print what was decided
    Events(events::Events),
    /// Show the daemon as a whole, in numbers
    Status(status::Status),
    /// List the jobs that are defined
    Jobs(jobs::Jobs),
    /// Have the configuration read again
    Reload(reload::Reload),
    /// Let nothing start any more; the daemon leaves when nothing runs
    Drain(drain::Drain),
    /// Have the daemon leave, as on SIGTERM
    Stop(stop::Stop),
}

impl Asking {
    fn run(&self, client: &Client, settings: &SettingsArgs, out: &mut Out) -> ask::Asked {
        let past = past::Past { client, settings };
        match self {
            Self::Submit(args) => submit::run(args, client, out),
            Self::List(args) => list::run(args, client, out),
            Self::Show(args) => show::run(args, client, out),
            Self::Logs(args) => logs::run(args, &past, out),
            Self::History(args) => history::run(args, &past, out),
            Self::Timeline(args) => timeline::run(args, &past, out),
            Self::Wait(args) => wait::run(args, client, out),
            Self::Cancel(args) => cancel::run(args, client, out),
            Self::Retry(args) => retry::run(args, client, out),
            Self::Pause(args) => pause::run(args, client, out),
            Self::Resume(args) => resume::run(args, client, out),
            Self::Complete(args) => complete::run(args, client, out),
            Self::Send(args) => send::run(args, client, out),
            Self::Explain(args) => explain::run(args, client, out),
            Self::Events(args) => events::run(args, client, out),
            Self::Status(args) => status::run(args, client, out),
            Self::Jobs(args) => jobs::run(args, client, out),
            Self::Reload(args) => reload::run(args, client, out),
            Self::Drain(args) => drain::run(args, client, out),
            Self::Stop(args) => stop::run(args, client, out),
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
