//! What a job says of commands: its task, what is run before and after it, and their surroundings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Report};
use super::job::Surroundings as Beside;
use super::names::nearest;
use super::read::{Item, Span, Table, list};
use super::secrets;
use crate::engine::command::{
    CommandSpec, Invocation, RLIMITS, ResultOf, Stdin, Step, Surroundings,
};
use crate::engine::fill::places;
use crate::engine::spec::{Name, TaskSpec};

/// Keys that say something of commands; of no use where a job has none.
pub(super) const OF_COMMANDS: [&str; 12] = [
    "directory",
    "env",
    "env_file",
    "secrets",
    "pass_env",
    "user",
    "group",
    "umask",
    "nice",
    "rlimits",
    "memory_max",
    "pids_max",
];

/// With less memory than this no program begins, and it would be killed without a word.
pub(in crate::config) const LEAST_MEMORY: u64 = 1 << 20;

/// Keys that say something of the command that is the task.
pub(super) const OF_THE_TASK: [&str; 5] = ["stdin", "stdin_from", "success_exit", "pty", "result"];

/// One job's table on its way to its commands.
pub(super) struct Commands<'a> {
    pub(super) report: &'a mut Report,
    pub(super) source: usize,
    pub(super) table: &'a Table,
    pub(super) beside: &'a Beside<'a>,
}

/// What is run around the task.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) setup: Option<Box<Step>>,
    pub(super) teardown: Option<Box<Step>>,
}

impl Commands<'_> {
    fn error(&mut self, span: &Span, message: impl Into<String>, hint: &str) {
        let found = Diagnostic::at(self.source, span.clone(), message);
        self.report.push(found.hint(hint));
    }

    /// The command that is the task; `None`, reported, if it is none.
    pub(super) fn task(&mut self, key: &'static str) -> Option<CommandSpec> {
        let run = self.invocation(key)?;
        let surroundings = self.surroundings()?;
        if let (Some(from), Some(_)) = (self.table.get("stdin_from"), self.table.get("stdin")) {
            let (span, hint) = (from.key.clone(), "leave one of them out");
            self.error(
                &span,
                "the command reads from two places, `stdin` and `stdin_from`",
                hint,
            );
            return None;
        }
        let stdin = self.stdin()?;
        let pty = self.table.boolean("pty").unwrap_or(false);
        if pty && let Some(field) = self.table.get("stdin").filter(|_| stdin != Stdin::Open) {
            let span = field.key.clone();
            let hint = "write `stdin = { open = true }`, and send it";
            self.error(
                &span,
                "a command with a terminal reads what is sent to it, and nothing else",
                hint,
            );
            return None;
        }
        Some(CommandSpec {
            stdin,
            success_exit: self
                .table
                .integers("success_exit")
                .iter()
                .filter_map(|code| i32::try_from(*code).ok())
                .collect(),
            pty,
            result: self
                .table
                .text("result")
                .and_then(ResultOf::of)
                .unwrap_or_default(),
            ..CommandSpec::of(Step { run, surroundings })
        })
    }

    /// What is run before and after the task; and whether keys stand there that mean nothing.
    pub(super) fn around(&mut self, task: &TaskSpec) -> Option<Around> {
        let is_command = matches!(task, TaskSpec::Command(_));
        let is_future = task.is_future();
        let has = |key: &&str| self.table.get(key).is_some();
        let around = ["setup", "teardown"].iter().any(has);
        let idle: Vec<&str> = OF_COMMANDS
            .into_iter()
            .filter(|key| !is_command && !around && has(key))
            .filter(|key| *key != "secrets" || !matches!(task, TaskSpec::Http(_)))
            .chain(
                OF_THE_TASK
                    .into_iter()
                    .filter(|key| !is_command && has(key)),
            )
            .collect();
        for key in &idle {
            let span = self.table.get(key).map(|field| field.key.clone());
            let message = format!("`{key}` is for commands, and this job has none");
            let hint = "take it out, or give the job `exec` or `shell`";
            self.error(&span.unwrap_or_default(), message, hint);
        }
        if !idle.is_empty() {
            return None;
        }
        if is_future && around {
            let field = self.table.get("setup").or(self.table.get("teardown"));
            let span = field.map(|field| field.key.clone()).unwrap_or_default();
            let message =
                "nothing of a `future` executes, so there is nothing to be before or after";
            self.error(&span, message, "make it a job of its own, with `after`");
            return None;
        }
        let mut step = |key: &'static str| match self.table.get(key) {
            None => Some(None),
            Some(_) => {
                let run = self.invocation(key)?;
                let surroundings = self.surroundings()?;
                Some(Some(Box::new(Step { run, surroundings })))
            }
        };
        let setup = step("setup");
        let teardown = step("teardown");
        Some(Around {
            setup: setup?,
            teardown: teardown?,
        })
    }

    /// A program with its arguments, or a text for a shell.
    fn invocation(&mut self, key: &'static str) -> Option<Invocation> {
        let field = self.table.get(key)?;
        if let Item::Text(text) = field.item.as_ref()? {
            self.no_nul(key, text, &field.value)?;
            return Some(Invocation::Shell(text.as_str().into()));
        }
        let words = self.table.texts(key);
        if words.is_empty() {
            let message = format!("`{key}` names no program");
            let hint = "write the program and its arguments, as in `[\"sort\", \"in.txt\"]`";
            self.error(&field.value, message, hint);
            return None;
        }
        let good = words
            .iter()
            .all(|(word, span)| self.no_nul(key, word, span).is_some() && self.known(word, span));
        let words = words.iter().map(|(word, _)| Arc::from(word.as_str()));
        good.then(|| Invocation::Exec(words.collect()))
    }

    fn no_nul(&mut self, key: &str, text: &str, span: &Span) -> Option<()> {
        if !text.contains('\0') {
            return Some(());
        }
        let message = format!("`{key}` has a NUL in it, which no program can be given");
        self.error(span, message, "take it out");
        None
    }

    /// Whether all places in a word are parameters of the job.
    fn known(&mut self, word: &str, span: &Span) -> bool {
        let params: Vec<&str> = self
            .table
            .named("params")
            .map(|(name, _)| name.as_str())
            .collect();
        let Some(unknown) = places(word).find(|name| !params.contains(name)) else {
            return true;
        };
        let hint = match nearest(unknown, params.iter().copied()) {
            Some(nearest) => format!("did you mean `{{{nearest}}}`?"),
            None if params.is_empty() => format!(
                "declare it, as in `params.{unknown} = {{ type = \"text\" }}`, or write \
                 `{{{{{unknown}}}}}` where the braces themselves are meant"
            ),
            None => format!(
                "the job has {}; write `{{{{{unknown}}}}}` where the braces themselves are meant",
                list(params.iter().copied())
            ),
        };
        self.error(span, format!("the job has no parameter `{unknown}`"), &hint);
        false
    }

    fn stdin(&mut self) -> Option<Stdin> {
        let Some(field) = self.table.get("stdin") else {
            return Some(Stdin::Nothing);
        };
        let table = self.table.table("stdin")?;
        let said: Vec<&str> = ["text", "file", "open"]
            .into_iter()
            .filter(|key| table.get(key).is_some())
            .collect();
        match said[..] {
            ["text"] => Some(Stdin::Text(table.text("text")?.into())),
            ["file"] => Some(Stdin::File(self.beside.directory.join(table.text("file")?))),
            ["open"] => Some(match table.boolean("open").unwrap_or(false) {
                true => Stdin::Open,
                false => Stdin::Nothing,
            }),
            [] if table.strange => None,
            _ => {
                let message = "`stdin` is one of a `text`, a `file`, or `open`";
                let hint = "write it like `stdin = { file = \"in.txt\" }`";
                self.error(&field.value, message, hint);
                None
            }
        }
    }

    fn surroundings(&mut self) -> Option<Arc<Surroundings>> {
        let table = self.table;
        let join = |key: &str| table.text(key).map(|path| self.beside.directory.join(path));
        let directory = join("directory").unwrap_or_else(|| self.beside.directory.to_owned());
        let env_file = join("env_file");
        let umask = self.umask()?;
        let memory_max = self.memory_max()?;
        let secrets = secrets::secrets(self.report, self.source, table, self.beside.directory)?;
        let name = |key: &str| table.text(key).map(Name::from);
        let pass_env = match table.text("pass_env") {
            Some(one) => vec![Name::from(one)],
            None => {
                let texts = table.texts("pass_env").iter();
                texts.map(|(name, _)| Name::from(name.as_str())).collect()
            }
        };
        Some(Arc::new(Surroundings {
            directory,
            env: table
                .variables("env")
                .map(|(name, text)| (Name::from(name.as_str()), Arc::from(text.as_str())))
                .collect(),
            env_file,
            secrets,
            pass_env,
            user: name("user"),
            group: name("group"),
            umask,
            nice: table
                .integer("nice")
                .and_then(|nice| i32::try_from(nice).ok()),
            rlimits: self.rlimits(),
            memory_max,
            pids_max: table.natural("pids_max"),
        }))
    }

    fn umask(&mut self) -> Option<Option<u32>> {
        let Some(text) = self.table.text("umask") else {
            return Some(None);
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match u32::from_str_radix(text, 8) {
            Ok(bits) if digits && bits <= 0o777 => Some(Some(bits)),
            _ => {
                let span = self.table.get("umask").map(|field| field.value.clone());
                let message =
                    format!("`{text}` is no umask: it has to be an octal number up to 777");
                self.error(
                    &span.unwrap_or_default(),
                    message,
                    "write it like `umask = \"022\"`",
                );
                None
            }
        }
    }

    fn memory_max(&mut self) -> Option<Option<u64>> {
        let bytes = self.table.natural("memory_max");
        if bytes.is_none_or(|bytes| bytes >= LEAST_MEMORY) {
            return Some(bytes);
        }
        let span = self
            .table
            .get("memory_max")
            .map(|field| field.value.clone());
        self.error(
            &span.unwrap_or_default(),
            "`memory_max` is less than any program needs to begin",
            "give it 1 MiB or more, as in `memory_max = \"512MiB\"`",
        );
        None
    }

    fn rlimits(&self) -> BTreeMap<Name, u64> {
        let Some(table) = self.table.table("rlimits") else {
            return BTreeMap::new();
        };
        let bound = |key: &&str| match table.duration(key) {
            Some(time) => Some(time.as_secs()),
            None => table.natural(key),
        };
        RLIMITS
            .iter()
            .filter_map(|key| Some((Name::from(*key), bound(key)?)))
            .collect()
    }
}
