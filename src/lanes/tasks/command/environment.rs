//! The environment that a command begins with: little more than what a login gives, what its job says,
//! and what its run is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use serde_json::Value;

use super::super::super::place::{MARK, Place};
use super::super::TaskError;
use crate::engine::command::{Surroundings, variable};
use crate::engine::schedule::SCHEDULED;
use crate::process::Identity;

/// What commands get as the daemon has it.
const BASE: [&str; 9] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR",
];

/// Where programs are looked for if the daemon itself has no PATH.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The largest file of variables that is read.
const LARGEST: u64 = 1 << 20;

/// Whom a command runs as, where that is not the daemon's own user.
pub(super) struct As {
    pub(super) identity: Identity,
    home: OsString,
    name: String,
    shell: OsString,
}

/// All variables; who is to run is known before.
pub(super) fn environment(
    place: &Place,
    around: &Surroundings,
    user: Option<&As>,
    arguments: Vec<(OsString, OsString)>,
) -> Result<BTreeMap<OsString, OsString>, TaskError> {
    let mut all: BTreeMap<OsString, OsString> = BTreeMap::new();
    all.insert("PATH".into(), PATH.into());
    let passed = around.pass_env.iter().map(|name| &**name);
    for name in BASE.into_iter().chain(passed) {
        if let Some(value) = std::env::var_os(name) {
            all.insert(name.into(), value);
        }
    }
    if let Some(user) = user {
        all.insert("HOME".into(), user.home.clone());
        all.insert("SHELL".into(), user.shell.clone());
        for name in ["USER", "LOGNAME"] {
            all.insert(name.into(), user.name.as_str().into());
        }
    }
    if let Some(file) = &around.env_file {
        let variables = from_file(file)?;
        for value in variables.iter().filter_map(|(_, value)| value.to_str()) {
            place.secrets.hide(value);
        }
        all.extend(variables);
    }
    let secrets = place.secrets.read(&around.secrets);
    let secrets = secrets.map_err(TaskError::failed)?.into_iter();
    all.extend(secrets.map(|(name, value)| (OsString::from(&*name), OsString::from(value))));
    let own = around.env.iter();
    all.extend(own.map(|(name, value)| (OsString::from(&**name), OsString::from(&**value))));
    let of_slot = variable(SCHEDULED);
    if let Some((_, slot)) = arguments.iter().find(|(name, _)| *name == *of_slot)
        && !place.job.schedules.is_empty()
    {
        all.insert("TWOLANE_SCHEDULED".into(), slot.clone());
    }
    all.extend(arguments);
    let id = place.attempt;
    for (name, value) in [
        ("TWOLANE_RUN", id.run.to_string()),
        ("TWOLANE_ATTEMPT", id.epoch.to_string()),
        ("TWOLANE_JOB", place.job.name.to_string()),
        (MARK, key(place)),
    ] {
        all.insert(name.into(), value.into());
    }
    Ok(all)
}

/// The variables that the arguments of a run become.
pub(super) fn arguments(args: Option<&Value>) -> Vec<(OsString, OsString)> {
    let named = args.and_then(Value::as_object).into_iter().flatten();
    named
        .map(|(name, value)| (variable(name).into(), text(value).as_ref().into()))
        .collect()
}

/// What is the same in all attempts of a run and in no other run.
pub(super) fn key(place: &Place) -> String {
    format!("{}-{}", place.world.instance, place.attempt.run)
}

/// An argument as a text: texts as they are, all else as JSON.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    value
        .as_str()
        .map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}

/// The variables of a file, `NAME=VALUE` a line, as systemd and Docker have them: empty lines and those
/// that begin with `#` say nothing, and a value may stand in quotes.
fn from_file(path: &Path) -> Result<Vec<(OsString, OsString)>, TaskError> {
    let failed = |why: String| {
        TaskError::failed(format!(
            "cannot take variables from {}: {why}",
            path.display()
        ))
    };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !size.is_file() || size.len() > LARGEST {
        return Err(failed("it is no file of at most 1 MiB".to_owned()));
    }
    let all = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let mut variables = Vec::new();
    for (number, line) in (1..).zip(all.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line
            .split_once('=')
            .filter(|(name, _)| !name.trim().is_empty())
        else {
            return Err(failed(format!("line {number} is not NAME=VALUE")));
        };
        let value = value.trim();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        variables.push((name.trim().into(), quoted.unwrap_or(value).into()));
    }
    Ok(variables)
}

/// Whom the surroundings name.
pub(super) fn identity(around: &Surroundings) -> Result<Option<As>, TaskError> {
    if around.user.is_none() && around.group.is_none() {
        return Ok(None);
    }
    let user = match &around.user {
        Some(name) => user(name)?,
        None => User::from_uid(Uid::current())
            .ok()
            .flatten()
            .ok_or_else(|| TaskError::failed("the daemon's own user has no entry in passwd"))?,
    };
    let group = match &around.group {
        Some(name) => group(name)?,
        None => user.gid,
    };
    let groups = CString::new(user.name.as_str())
        .ok()
        .and_then(|name| getgrouplist(&name, group).ok())
        .unwrap_or_else(|| vec![group]);
    Ok(Some(As {
        identity: Identity {
            user: user.uid.as_raw(),
            group: group.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        },
        home: user.dir.into(),
        shell: user.shell.into(),
        name: user.name,
    }))
}

fn user(name: &str) -> Result<User, TaskError> {
    let found = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    };
    match found {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(TaskError::failed(format!(
            "there is no user `{name}` on this machine"
        ))),
        Err(error) => Err(TaskError::failed(format!(
            "cannot look up the user `{name}`: {error}"
        ))),
    }
}

fn group(name: &str) -> Result<Gid, TaskError> {
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(TaskError::failed(format!(
            "there is no group `{name}` on this machine"
        ))),
        Err(error) => Err(TaskError::failed(format!(
            "cannot look up the group `{name}`: {error}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_as_systemd_reads_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.env");
        std::fs::write(&path, "# c\n\nA=1\nexport B = \"two words\"\nC='x=y'\n").expect("written");
        let read = from_file(&path).expect("good");
        let expected = [("A", "1"), ("B", "two words"), ("C", "x=y")];
        assert_eq!(
            read,
            expected.map(|(name, value)| (name.into(), value.into()))
        );
        std::fs::write(&path, "A=1\nnonsense\n").expect("written");
        let error = from_file(&path).expect_err("line 2 is wrong").to_string();
        assert!(error.ends_with("line 2 is not NAME=VALUE"), "{error}");
    }
}
