//! The command line: what can be asked, one file a command, and one flat match.

mod answer;
mod check;
mod durable;
mod exit;
mod init;
mod load;
mod out;
mod place;
mod run;
mod schema;
mod serve;
mod start;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

pub use exit::Exit;
use out::Out;

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
        }
    }
}

/// Two lanes for the jobs of one machine: those that wait run on tokio, those that compute on rayon
#[derive(Parser, Debug)]
#[command(name = "twolane", version, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
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
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Schema),
    /// Write a commented configuration to start from
    Init(init::Init),
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
