//! What a service of systemd executes, as the keys of a job.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::unistd::User;
use toml::Value;

use super::draft::{Draft, pair};
use super::unit::{Unit, span};
use super::words::{CommandLine, script, split};
use crate::config::write_duration;

const SECTION: &str = "Service";

/// Settings that are used or told in this file.
const KNOWN: [&str; 24] = [
    "Type",
    "ExecStart",
    "ExecStartPre",
    "ExecStartPost",
    "ExecStopPost",
    "ExecReload",
    "User",
    "Group",
    "WorkingDirectory",
    "Environment",
    "EnvironmentFile",
    "PassEnvironment",
    "UnsetEnvironment",
    "TimeoutStartSec",
    "TimeoutSec",
    "TimeoutStopSec",
    "RuntimeMaxSec",
    "Nice",
    "UMask",
    "SuccessExitStatus",
    "StandardInput",
    "StandardOutput",
    "StandardError",
    "SyslogIdentifier",
];

/// Bounds that have the same meaning here.
const LIMITS: [(&str, &str); 7] = [
    ("LimitAS", "memory"),
    ("LimitCPU", "cpu"),
    ("LimitNOFILE", "files"),
    ("LimitFSIZE", "file_size"),
    ("LimitNPROC", "processes"),
    ("LimitCORE", "core"),
    ("LimitSTACK", "stack"),
];

/// Puts all that a service says into a job.
///
/// # Errors
/// A command line that cannot be read, or none at all.
pub(super) fn fill(service: &Unit, job: &mut Draft) -> Result<(), String> {
    let kind = service
        .get(SECTION, "Type")
        .unwrap_or_else(|| "simple".to_owned());
    if !matches!(&*kind, "oneshot" | "simple" | "exec") {
        job.note(format!(
            "Type={kind} has no equal: a run is over when its process is, and what that leaves behind is ended"
        ));
    }
    let is_once = kind == "oneshot";
    let signs = commands(service, job, is_once)?;
    identity(service, job, &signs);
    environment(service, job)?;
    times(service, job, is_once);
    input_and_exit(service, job);
    bounds(service, job);
    rest(service, job);
    Ok(())
}

fn lines(service: &Unit, key: &str) -> Result<Vec<CommandLine>, String> {
    let mut commands = Vec::new();
    for line in service.list(SECTION, key) {
        let parsed =
            CommandLine::parse(&line).map_err(|why| format!("{key} of `{}`: {why}", service.name));
        commands.extend(parsed?);
    }
    Ok(commands)
}

/// The commands; gives all signs before them.
fn commands(service: &Unit, job: &mut Draft, is_once: bool) -> Result<String, String> {
    let mut start = lines(service, "ExecStart")?;
    if start.is_empty() {
        return Err(format!("`{}` starts nothing (ExecStart)", service.name));
    }
    let (before, post) = (
        lines(service, "ExecStartPre")?,
        lines(service, "ExecStartPost")?,
    );
    let after = lines(service, "ExecStopPost")?;
    let all = start.iter().chain(&before).chain(&post).chain(&after);
    let mut signs: Vec<char> = all.flat_map(|command| command.signs.chars()).collect();
    signs.sort_unstable();
    signs.dedup();
    if is_once {
        start.extend(post);
    } else if !post.is_empty() {
        job.note("ExecStartPost= runs beside the service, which has no equal: it is left out");
    }
    match &start[..] {
        [one] if one.exec().is_some() => job.set("exec", one.exec().unwrap_or_default()),
        several => job.set("shell", script(several)),
    }
    if start.iter().any(CommandLine::may_fail) {
        job.note("`-` before a command: how it ends does not count");
    }
    for (key, commands) in [("setup", &before), ("teardown", &after)] {
        if !commands.is_empty() {
            job.set(key, script(commands));
        }
    }
    if !after.is_empty() {
        job.note("`teardown` does not have $SERVICE_RESULT, $EXIT_CODE and $EXIT_STATUS as ExecStopPost= does");
    }
    Ok(signs.into_iter().collect())
}

fn identity(service: &Unit, job: &mut Draft, signs: &str) {
    let user = service.get(SECTION, "User");
    if signs.contains('@') {
        job.note(
            "`@` before a command, another name for the program to be called by, has no equal",
        );
    }
    if signs.contains('|') {
        job.note("`|` before a command, the user's shell around it, has no equal");
    }
    let more = signs.chars().find(|sign| matches!(sign, '+' | '!'));
    if let (Some(sign), Some(_)) = (more, &user) {
        job.note(format!(
            "`{sign}` before a command gives it more rights than `User` has, which has no equal: all run as the same user"
        ));
    }
    if let Some(user) = &user {
        job.set("user", user.as_str());
    }
    if let Some(group) = service.get(SECTION, "Group") {
        job.set("group", group);
    }
    let said = service
        .get(SECTION, "WorkingDirectory")
        .unwrap_or_else(|| "/".to_owned());
    let directory = said.strip_prefix('-').unwrap_or(&said);
    if directory.len() < said.len() {
        job.note(format!(
            "WorkingDirectory={said} may be missing; `directory` has to be there"
        ));
    }
    if directory != "~" {
        job.set("directory", directory);
        return;
    }
    let found = User::from_name(user.as_deref().unwrap_or("root"));
    match found.ok().flatten() {
        Some(found) => job.set("directory", found.dir.to_string_lossy().into_owned()),
        None => job.note("WorkingDirectory=~ is the user's home, and there is no such user here: set `directory` to it"),
    }
}

fn environment(service: &Unit, job: &mut Draft) -> Result<(), String> {
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for line in service.list(SECTION, "Environment") {
        for word in
            split(&line).map_err(|why| format!("Environment of `{}`: {why}", service.name))?
        {
            if let Some((name, value)) = word.split_once('=') {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    for name in service.list(SECTION, "UnsetEnvironment") {
        job.note(format!(
            "UnsetEnvironment={name} has no equal: what is not in `env` or `pass_env` is not there"
        ));
    }
    if !variables.is_empty() {
        let pairs: Vec<(String, Value)> = variables
            .iter()
            .map(|(name, value)| pair(name, value.as_str()))
            .collect();
        job.set_table("env", &pairs);
    }
    let files = service.list(SECTION, "EnvironmentFile");
    for (index, said) in files.iter().enumerate() {
        let path = said.strip_prefix('-').unwrap_or(said);
        if index > 0 || path.contains(['*', '?', '[']) {
            job.note(format!("EnvironmentFile={said} is left out: a job has one file of variables, and no pattern"));
            continue;
        }
        job.set("env_file", path);
        if path.len() < said.len() {
            job.note(format!(
                "EnvironmentFile={said} may be missing; `env_file` has to be there"
            ));
        }
        if !variables.is_empty() {
            job.note("what stands in `env` counts more than `env_file`; in systemd it is the other way round");
        }
    }
    let passed = service.list(SECTION, "PassEnvironment");
    let passed: Vec<Value> = passed
        .iter()
        .flat_map(|line| line.split_whitespace())
        .map(Value::from)
        .collect();
    if !passed.is_empty() {
        job.set("pass_env", passed);
    }
    Ok(())
}

fn times(service: &Unit, job: &mut Draft, is_once: bool) {
    let bounded = |key: &str| service.get(SECTION, key).filter(|text| text != "infinity");
    // Of a service that stays, the first two bound its coming up only.
    let keys: &[&str] = match is_once {
        true => &["TimeoutStartSec", "TimeoutSec", "RuntimeMaxSec"],
        false => &["RuntimeMaxSec"],
    };
    let timeout = keys
        .iter()
        .find_map(|key| bounded(key))
        .and_then(|text| span(&text));
    if let Some(micros) = timeout.filter(|micros| *micros > 0) {
        job.set("timeout", write_duration(Duration::from_micros(micros)));
    }
    let grace = bounded("TimeoutStopSec").or_else(|| bounded("TimeoutSec"));
    if let Some(micros) = grace.and_then(|text| span(&text)) {
        job.set("grace", write_duration(Duration::from_micros(micros)));
    }
}

fn input_and_exit(service: &Unit, job: &mut Draft) {
    match service.get(SECTION, "StandardInput").as_deref() {
        None | Some("null") => {}
        Some(said) => match said.strip_prefix("file:") {
            Some(path) => job.set_table("stdin", &[pair("file", path)]),
            None => job.note(format!("StandardInput={said} has no equal")),
        },
    }
    for key in ["StandardOutput", "StandardError"] {
        if let Some(said) = service
            .get(SECTION, key)
            .filter(|said| said != "journal" && said != "inherit")
        {
            job.note(format!(
                "{key}={said} has no equal: what a command prints is kept (`twolane logs`)"
            ));
        }
    }
    let said = service.list(SECTION, "SuccessExitStatus").join(" ");
    let (codes, others): (Vec<&str>, Vec<&str>) = said
        .split_whitespace()
        .partition(|word| word.parse::<u8>().is_ok());
    if !codes.is_empty() {
        let codes = codes.iter().filter_map(|code| code.parse::<i64>().ok());
        let mut codes: Vec<i64> = std::iter::once(0).chain(codes).collect();
        codes.sort_unstable();
        codes.dedup();
        job.set(
            "success_exit",
            codes.into_iter().map(Value::from).collect::<Vec<_>>(),
        );
    }
    if !others.is_empty() {
        job.note(format!(
            "SuccessExitStatus={}: `success_exit` has numbers only",
            others.join(" ")
        ));
    }
}

fn bounds(service: &Unit, job: &mut Draft) {
    if let Some(nice) = service
        .get(SECTION, "Nice")
        .and_then(|nice| nice.parse::<i64>().ok())
    {
        job.set("nice", nice);
    }
    if let Some(umask) = service.get(SECTION, "UMask") {
        job.set("umask", umask);
    }
    let mut limits = Vec::new();
    for (key, name) in LIMITS {
        let Some(said) = service.get(SECTION, key).filter(|said| said != "infinity") else {
            continue;
        };
        // Of a soft and a hard bound, the soft one is what a program meets first.
        let soft = said.split(':').next().unwrap_or(&said);
        let value = match name {
            "cpu" => {
                span(soft).map(|micros| Value::from(format!("{}s", micros.div_ceil(1_000_000))))
            }
            "files" | "processes" => soft.parse::<i64>().ok().map(Value::from),
            _ => bytes(soft).map(Value::from),
        };
        match value {
            Some(value) => limits.push(pair(name, value)),
            None => job.note(format!("{key}={said} has no equal")),
        }
    }
    if !limits.is_empty() {
        job.set_table("rlimits", &limits);
    }
}

/// A number of bytes, by 1024.
fn bytes(text: &str) -> Option<i64> {
    let (digits, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_alphabetic()).len());
    let factor = match unit {
        "" | "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1_i64 << 40,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

/// What has no equal.
fn rest(service: &Unit, job: &mut Draft) {
    let is_known =
        |key: &str| KNOWN.contains(&key) || LIMITS.iter().any(|(known, _)| *known == key);
    for key in service.keys(SECTION) {
        if is_known(key) {
            continue;
        }
        let value = service.list(SECTION, key).join(" ");
        job.note(match key {
            "MemoryMax" | "TasksMax" => {
                let ours = match key {
                    "MemoryMax" => "memory_max",
                    _ => "pids_max",
                };
                format!("{key}={value}: `{ours}` is the same, where the daemon has control groups (`daemon.cgroup`)")
            }
            "Restart" if value == "no" => continue,
            "Restart" => format!("Restart={value}: `retry` tries a run again that has failed"),
            _ => format!("{key}={value} has no equal"),
        });
    }
    for key in service.keys("Unit") {
        let value = service.list("Unit", key).join(" ");
        job.note(match key {
            "Description" | "Documentation" => continue,
            "OnFailure" | "OnSuccess" => {
                format!("{key}={value}: `on_failure` and `on_success` name a job that is run then")
            }
            _ => format!("{key}={value} has no equal"),
        });
    }
}
