//! The API of a daemon, tied to its loop, its store and its configuration.

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, bounded};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::durable::Durable;
use super::out::complain;
use super::{Exit, place};
use crate::api::{AdHoc, AdHocSchema, Losses, Parts, Role, Roles, Server, Socket, Tcp, Token};
use crate::config::{self, ApiRole, JobContext, Loaded, Shown, Source, schema};
use crate::daemon::Observer;
use crate::engine::fact::Record;
use crate::engine::spec::{Definitions, JobSpec, Name};
use crate::inbox::{Note, REQUESTS_BOUND, Request};
use crate::lanes::Handlers;
use crate::logging::Logging;
use crate::meters::Meters;

/// The definitions that jobs which come along are read against: those in force.
pub(super) type InForce = Arc<Mutex<Arc<Definitions>>>;

/// The token's file in the state directory, and the name of whoever has it.
const TOKEN: (&str, &str) = ("token", "default");

/// The directory there of the tokens that have names.
const TOKENS: &str = "tokens";

/// What `tcp` says where there is to be none.
const OFF: &str = "off";

/// Tells the API when more is committed.
struct Announcer(watch::Sender<u64>);

impl Observer for Announcer {
    fn record(&mut self, record: &Record) {
        self.0.send_replace(record.number);
    }

    fn note(&mut self, _: &Note) {}
}

/// The API before the daemon runs.
pub(super) struct Answering {
    pub(super) server: Server,
    pub(super) requests: Receiver<Request>,
    pub(super) announcer: Box<dyn Observer>,
}

/// Begins to answer, on the socket that was passed in, if one was; requests wait until the loop turns. What
/// is wrong is told here.
pub(super) fn start(
    loaded: &Loaded,
    durable: &Durable,
    handlers: &Arc<Handlers>,
    in_force: &InForce,
    passed: Option<UnixListener>,
    (logging, meters): (&Logging, &Meters),
) -> Result<Answering, Exit> {
    let unable = |error: &dyn std::fmt::Display| {
        complain(&format!("cannot begin to answer requests: {error}"));
        Exit::System
    };
    let path = place::runtime_dir(loaded).join(place::SOCKET);
    let socket = match passed {
        Some(listener) => Socket::passed(listener),
        None => Socket::bind(path),
    };
    let socket = socket.map_err(|error| unable(&error))?;
    let wrong = |text: String| {
        complain(&mistake(loaded).map_or(text, |mistake| mistake.told()));
        Exit::Config
    };
    let tcp = tcp(loaded, &durable.directory).map_err(wrong)?;
    let roles = roles(loaded).map_err(wrong)?;
    let (ask, requests) = bounded(REQUESTS_BOUND);
    let (announce, committed) = watch::channel(0);
    let parts = Parts {
        requests: ask,
        reader: durable.reader(),
        committed,
        logs: durable.run_logs.directory().clone(),
        written: durable.run_logs.written(),
        logged: durable.run_logs.changed(),
        meters: meters.clone(),
        losses: losses(logging, durable),
        ad_hoc: ad_hoc(loaded, handlers, in_force),
        ad_hoc_schema: ad_hoc_schema(handlers, in_force),
    };
    let path = socket.path().to_owned();
    let server = Server::start(parts, socket, tcp, roles).map_err(|error| unable(&error))?;
    tracing::info!(
        target: "twolane::daemon",
        tcp = loaded.settings.api.tcp,
        "answering on {}", path.display()
    );
    Ok(Answering {
        server,
        requests,
        announcer: Box::new(Announcer(announce)),
    })
}

fn tcp(loaded: &Loaded, state: &Path) -> Result<Option<Tcp>, String> {
    let Some(address) = address(loaded)? else {
        return Ok(None);
    };
    let tokens = tokens(loaded, state)?;
    Ok(Some(Tcp { address, tokens }))
}

/// Where to listen, if anywhere.
fn address(loaded: &Loaded) -> Result<Option<SocketAddr>, String> {
    let text = loaded.settings.api.tcp.as_str();
    if text == OFF {
        return Ok(None);
    }
    let address = text.parse().ok().filter(Tcp::may_listen);
    address.map(Some).ok_or_else(|| {
        format!(
            "`api.tcp` is {text:?}, and has to be a loopback address with a port, as in \
             \"127.0.0.1:7717\", or \"off\""
        )
    })
}

/// What is wrong with a setting, and only this machine or another setting shows.
pub(super) struct Mistake {
    what: String,
    /// Where the setting is from.
    place: String,
    hint: Option<String>,
}

impl Mistake {
    /// `key` is the setting, or the table in which the setting is that has what the text names first.
    fn new(loaded: &Loaded, key: &str, text: &str) -> Self {
        let (what, hint) = match text.split_once("\nhint: ") {
            Some((what, hint)) => (what, Some(hint.to_owned())),
            None => (text, None),
        };
        let named = format!("{:?}", what.split('`').nth(1).unwrap_or_default());
        let within = |shown: &Shown| {
            let rest = shown.key.strip_prefix(key);
            rest.is_some_and(|rest| rest.starts_with('.')) && shown.value.contains(&named)
        };
        let mut all = loaded.shown.iter();
        let shown = all.rfind(|shown| shown.key == key || within(shown));
        Self {
            what: what.to_owned(),
            place: shown.map_or_else(|| key.to_owned(), |shown| shown.origin.to_string()),
            hint,
        }
    }

    /// For people, in lines.
    pub(super) fn told(&self) -> String {
        let hint = self.hint.as_ref();
        let hint = hint.map_or(String::new(), |hint| format!("\n = hint: {hint}"));
        format!("{}\n--> {}{hint}", self.what, self.place)
    }

    /// In one line, as other mistakes stand in the log.
    pub(super) fn line(&self) -> String {
        let hint = self.hint.as_ref();
        let hint = hint.map_or(String::new(), |hint| format!(" (hint: {hint})"));
        format!("{}: {}{hint}", self.place, self.what)
    }
}

/// What is wrong with who may come in by these settings, and how: a daemon would not start with it.
pub(super) fn mistake(loaded: &Loaded) -> Option<Mistake> {
    let wrong = |key| move |text: String| Mistake::new(loaded, key, &text);
    let roles = roles(loaded).err().map(wrong("api.roles"));
    roles
        .or_else(|| tokens(loaded, Path::new("")).err().map(wrong("api.tokens")))
        .or_else(|| address(loaded).err().map(wrong("api.tcp")))
}

/// Whether there can be a socket by these settings, for a daemon that is not given one; if not, that is told here.
pub(super) fn can_have_socket(loaded: &Loaded) -> Result<(), Exit> {
    let path = place::runtime_dir(loaded).join(place::SOCKET);
    Socket::fits(&path).map_err(|error| {
        let mistake = Mistake::new(loaded, "daemon.runtime_dir", &error.to_string());
        complain(&mistake.told());
        Exit::Config
    })
}

/// Who comes in over TCP, and what each may do.
fn tokens(loaded: &Loaded, state: &Path) -> Result<Vec<Token>, String> {
    let api = &loaded.settings.api;
    let (file, name) = TOKEN;
    let mut tokens = vec![Token {
        name: name.into(),
        role: match api.roles.token {
            ApiRole::Read => Role::Read,
            ApiRole::Submit => Role::Submit,
            ApiRole::Control => Role::Control,
        },
        file: state.join(file),
    }];
    for text in &api.tokens {
        let token = token(text, state).filter(|new| tokens.iter().all(|old| old.name != new.name));
        let Some(token) = token else {
            return Err(format!(
                "`api.tokens` has {text:?}, and needs names of their own with a role each, as in \
                 \"grafana:read\"\nhint: a name has letters, digits, `-` and `_`, and is not `{name}`; a \
                 role is `read`, `submit` or `control`"
            ));
        };
        tokens.push(token);
    }
    Ok(tokens)
}

/// A token as the settings have it, `NAME:ROLE`.
fn token(text: &str, state: &Path) -> Option<Token> {
    let (name, role) = text.split_once(':')?;
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let role = Role::ALL.into_iter().find(|known| known.as_str() == role)?;
    let good = !name.is_empty() && name.len() <= 64 && name.chars().all(letter);
    good.then(|| Token {
        name: name.into(),
        role,
        file: state.join(TOKENS).join(name),
    })
}

/// Who may do what.
fn roles(loaded: &Loaded) -> Result<Roles, String> {
    let roles = &loaded.settings.api.roles;
    Roles::new([&roles.read, &roles.submit, &roles.control]).map_err(|nobody| nobody.to_string())
}

/// Reads a job that comes along as if it stood in a job file beside the settings.
fn ad_hoc(loaded: &Loaded, handlers: &Arc<Handlers>, in_force: &InForce) -> AdHoc {
    let settings = loaded.settings.clone();
    let directory = loaded.directory.clone();
    let handlers = handlers.lanes();
    let in_force = Arc::clone(in_force);
    Arc::new(move |name, task| {
        let definitions = in_force
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let text = as_file(name, task, &definitions)?;
        let path: PathBuf = directory.join("submitted.toml");
        let context = JobContext {
            settings: &settings,
            handlers: &handlers,
            cpu_workers: definitions.cpu_workers,
            machine: None,
        };
        let (jobs, report) = config::read_jobs(vec![Source { path, text }], &context);
        let job = jobs.and_then(|jobs| jobs.definitions.jobs.get(name).cloned());
        match job {
            Some(job) if !job.schedules.is_empty() => Err(vec![
                "a job that comes along with a request runs when it is asked for; `schedule` is for \
                 job files"
                    .to_owned(),
            ]),
            Some(job) => Ok(JobSpec::clone(&job)),
            None => Err(report.lines()),
        }
    })
}

/// What says how much has found no room so far.
fn losses(logging: &Logging, durable: &Durable) -> Arc<dyn Fn() -> Losses + Send + Sync> {
    let (log, run_logs) = (logging.dropping(), durable.run_logs.dropping());
    Arc::new(move || {
        let dropped = log();
        Losses {
            log_lines: dropped.blocked + dropped.failed,
            run_log_lines: run_logs.load(Ordering::Relaxed),
        }
    })
}

/// Says what a job that comes along looks like, with the names in force.
fn ad_hoc_schema(
    handlers: &Arc<Handlers>,
    in_force: &InForce,
) -> Arc<dyn Fn() -> AdHocSchema + Send + Sync> {
    let handlers = handlers.lanes();
    let in_force = Arc::clone(in_force);
    Arc::new(move || {
        let definitions = in_force
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        AdHocSchema {
            name: schema::name(),
            task: schema::submitted(AdHocSchema::ROOT, &handlers, &definitions),
        }
    })
}

/// The same value with its numbers as TOML tells them apart. To JSON `3.0` is a whole number, too, and one
/// that is too large for 64 bits with a sign is still a number.
fn numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let digits = |number: f64| format!("{number:.0}").parse::<i64>().ok();
            let float = number.as_f64().unwrap_or_default();
            let whole = (float.fract() == 0.0).then(|| digits(float)).flatten();
            let number = number.as_i64().or(whole).map(Value::from);
            number.unwrap_or_else(|| Value::from(float))
        }
        Value::Array(values) => values.into_iter().map(numbers).collect(),
        Value::Object(map) => {
            let pairs = map.into_iter();
            pairs.map(|(name, value)| (name, numbers(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// A job file with this job, and the pools, limits and resources that it may name.
fn as_file(name: &str, task: &Value, definitions: &Definitions) -> Result<String, Vec<String>> {
    let named = |name: &Name, table: Value| (name.to_string(), table);
    let pools: Map<String, Value> = definitions
        .pools
        .iter()
        .map(|(name, pool)| {
            let table = serde_json::json!({ "lane": pool.lane.as_str(), "size": pool.size });
            named(name, table)
        })
        .collect();
    let limits: Map<String, Value> = definitions
        .limits
        .iter()
        .map(|(name, limit)| {
            let mut table = Map::new();
            if let Some(size) = limit.size {
                table.insert("size".to_owned(), size.into());
            }
            if let Some(rate) = limit.rate {
                table.insert("rate".to_owned(), rate.to_string().into());
                table.insert("burst".to_owned(), rate.burst.into());
            }
            named(name, table.into())
        })
        .collect();
    let resources: Map<String, Value> = definitions
        .resources
        .iter()
        .map(|(name, total)| named(name, (*total).into()))
        .collect();
    let task = numbers(task.clone());
    let file = serde_json::json!({
        "pools": pools,
        "limits": limits,
        "resources": resources,
        "jobs": { name: task },
    });
    toml::to_string(&file).map_err(|error| vec![format!("this cannot be a job: {error}")])
}

/// Reads a job that comes along with a request where nothing is configured.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz(name: &str, task: &Value, settings: &config::Settings) {
    let definitions = Definitions::empty(4);
    let Ok(text) = as_file(name, task, &definitions) else {
        return;
    };
    let handlers = std::collections::BTreeMap::new();
    let context = JobContext {
        settings,
        handlers: &handlers,
        cpu_workers: definitions.cpu_workers,
        machine: None,
    };
    let path = PathBuf::from("submitted.toml");
    let (jobs, report) = config::read_jobs(vec![Source { path, text }], &context);
    assert_eq!(jobs.is_none(), report.errors() > 0, "{:?}", report.lines());
}
