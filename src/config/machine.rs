//! What jobs name and this machine does not have: users, groups, directories, programs. It may come to be there
//! before they run, or be there for the daemon alone, so these are warnings. Reads nothing that a job reads.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

use super::diagnostic::{Diagnostic, Report};
use super::job::Draft;
use super::read::{Item, Span};
use crate::engine::command::{Invocation, Step, Surroundings};
use crate::engine::fill::places;
use crate::engine::spec::TaskSpec;

/// Where a daemon without a PATH looks for programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine that job files are read on.
#[derive(Clone, Debug)]
pub struct Machine {
    path: OsString,
}

impl Machine {
    /// One on which programs are looked for in this PATH, and where a service looks for them.
    #[must_use]
    pub fn new(path: Option<OsString>) -> Self {
        let mut all = path.unwrap_or_default();
        if !all.is_empty() {
            all.push(":");
        }
        all.push(PATH);
        Self { path: all }
    }

    /// Warns of what the jobs name that is not here.
    pub(super) fn look(&self, report: &mut Report, drafts: &[(String, Draft)]) {
        for (_, draft) in drafts {
            let Some(spec) = &draft.spec else { continue };
            let own = if let TaskSpec::Command(command) = &spec.task {
                Some(&command.step)
            } else {
                None
            };
            let steps = [
                ("exec", own),
                ("setup", spec.setup.as_deref()),
                ("teardown", spec.teardown.as_deref()),
            ];
            let steps = steps
                .into_iter()
                .filter_map(|(key, step)| Some((key, step?)));
            // All of them have the same surroundings.
            let Some((_, first)) = steps.clone().next() else {
                continue;
            };
            let mut look = Look {
                report,
                draft,
                around: &first.surroundings,
                machine: self,
            };
            look.people();
            let there = look.places();
            for (key, step) in steps {
                // From a directory that is not there nothing can be found.
                if there {
                    look.program(key, step);
                }
            }
        }
    }
}

struct Look<'a> {
    report: &'a mut Report,
    draft: &'a Draft,
    around: &'a Surroundings,
    machine: &'a Machine,
}

impl Look<'_> {
    fn warn(&mut self, key: &str, span: Option<Span>, message: String, hint: &str) {
        let span = span.or_else(|| Some(self.draft.table.get(key)?.value.clone()));
        let span = span.unwrap_or_else(|| self.draft.name.clone());
        let found = Diagnostic::at(self.draft.source, span, message);
        self.report.push(found.warning().hint(hint));
    }

    fn people(&mut self) {
        if let Some(name) = &self.around.user
            && !is_user(name)
        {
            let message = format!("there is no user `{name}` on this machine");
            self.warn("user", None, message, "add it (useradd), or mend its name");
        }
        if let Some(name) = &self.around.group
            && !is_group(name)
        {
            let message = format!("there is no group `{name}` on this machine");
            self.warn(
                "group",
                None,
                message,
                "add it (groupadd), or mend its name",
            );
        }
    }

    /// The directory and the file of variables; whether the directory is there.
    fn places(&mut self) -> bool {
        if let Some(file) = &self.around.env_file
            && !file.exists()
        {
            let message = format!("there is no file {}", file.display());
            self.warn("env_file", None, message, "make it before the job runs");
        }
        let directory = &self.around.directory;
        if self.draft.table.get("directory").is_none() || directory.is_dir() {
            return true;
        }
        let what = if directory.exists() {
            format!("{} is no directory", directory.display())
        } else {
            format!("there is no directory {}", directory.display())
        };
        self.warn("directory", None, what, "make it before the job runs");
        false
    }

    fn program(&mut self, key: &'static str, step: &Step) {
        let Invocation::Exec(words) = &step.run else {
            return;
        };
        let Some(word) = words.first() else { return };
        // What an argument stands in is known when the job runs.
        if places(word).next().is_some() {
            return;
        }
        let span = match self
            .draft
            .table
            .get(key)
            .and_then(|field| field.item.as_ref())
        {
            Some(Item::Texts(words)) => words.first().map(|(_, span)| span.clone()),
            _ => None,
        };
        let word = word.replace("{{", "{").replace("}}", "}");
        let directory = &self.around.directory;
        if word.contains('/') {
            let file = directory.join(&word);
            if !runs(&file) {
                let what = match file.is_file() {
                    true => format!("{} is not executable", file.display()),
                    false => format!("there is no program {}", file.display()),
                };
                let hint = "install it before the job runs, or mend its path";
                self.warn(key, span, what, hint);
            }
            return;
        }
        let own = self.around.env.get("PATH").map(|path| OsStr::new(&**path));
        if own.is_none() && self.around.env_file.is_some() {
            // It may have a PATH in it.
            return;
        }
        let path = own.unwrap_or(&self.machine.path);
        let found = |entry: PathBuf| runs(&directory.join(entry).join(&word));
        if !std::env::split_paths(path).any(found) {
            let message = format!("there is no program `{word}` in PATH");
            let hint = "install it before the job runs, or write its whole path";
            self.warn(key, span, message, hint);
        }
    }
}

fn runs(file: &Path) -> bool {
    std::fs::metadata(file)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Whether there is such a user; also where that cannot be asked.
fn is_user(name: &str) -> bool {
    let found = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    };
    !matches!(found, Ok(None))
}

/// The same of a group; numbers need no name.
fn is_group(name: &str) -> bool {
    name.parse::<u32>().map(Gid::from_raw).is_ok() || !matches!(Group::from_name(name), Ok(None))
}
