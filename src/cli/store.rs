//! `twolane store`: looks after the store without a daemon, or beside one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::out::{Out, complain};
use super::{Exit, SettingsArgs, load, place};
use crate::store::{self, StorePlace};

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Store {
    #[command(subcommand)]
    what: What,
    /// The state directory, instead of what the settings say
    #[arg(long, global = true, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Check every record, and all tables against them; changes nothing
    Verify,
    /// Copy the store as it is at this moment into a new file
    Backup {
        /// The file
        to: PathBuf,
    },
    /// Say how large and how old it is
    Info,
}

pub(super) fn run(args: &Store, settings: &SettingsArgs, out: &mut Out) -> Exit {
    let directory = match &args.state_dir {
        Some(directory) => directory.clone(),
        None => match load::settings(settings) {
            Ok(loaded) => place::state_dir(&loaded),
            Err(exit) => return exit,
        },
    };
    let db = StorePlace::new(directory).db();
    let done = match &args.what {
        What::Verify => verify(&db, args.json, out),
        What::Backup { to } => store::backup(&db, to)
            .map(|()| out.line(format_args!("copied {} to {}", db.display(), to.display()))),
        What::Info => store::info(&db).map(|info| {
            if args.json {
                print_json(out, &described(&info))
            } else {
                tell(&described(&info), out)
            }
        }),
    };
    done.unwrap_or_else(|error| {
        complain(&error.to_string());
        Exit::of_store(&error)
    })
}

/// What there is to know of a store.
fn described(info: &store::Info) -> Value {
    json!({
        "file": info.db, "format": info.format, "sqlite": info.sqlite, "epoch": info.epoch,
        "bytes": info.bytes, "wal_bytes": info.wal_bytes, "free_bytes": info.free_bytes,
        "oldest_record": info.oldest, "newest_record": info.newest, "runs": info.runs,
        "unfinished_runs": info.live, "keys": info.keys, "jobs_on_record": info.specs,
    })
}

/// Prints each of them on a line.
fn tell(described: &Value, out: &mut Out) -> Exit {
    let all = described.as_object().into_iter().flatten();
    let printed = all.map(|(name, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        out.line(format_args!("{:<16} {value}", name.replace('_', " ")))
    });
    printed.last().unwrap_or(Exit::Success)
}

fn print_json(out: &mut Out, value: &Value) -> Exit {
    out.line(format_args!("{value}"))
}

fn verify(db: &std::path::Path, as_json: bool, out: &mut Out) -> Result<Exit, store::StoreError> {
    let verified = store::verify(db)?;
    let damage: Vec<String> = verified.damage.iter().map(ToString::to_string).collect();
    let sound = verified.is_sound();
    if as_json {
        let told = json!({
            "sound": sound, "records": verified.records, "runs": verified.runs, "damage": damage,
        });
        print_json(out, &told);
    } else {
        for what in &damage {
            complain(what);
        }
        let word = if sound {
            "is sound"
        } else {
            "is damaged: restore a backup"
        };
        out.line(format_args!(
            "{} {word}: {} records, {} runs",
            db.display(),
            verified.records,
            verified.runs
        ));
    }
    Ok(if sound { Exit::Success } else { Exit::Store })
}
