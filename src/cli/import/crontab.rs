//! Jobs out of a crontab, read as cron itself reads it: variables hold for the lines below them, `%` ends the
//! command and begins what it reads, and in crontabs of the system a user stands before the command.

use std::collections::BTreeMap;

use nix::unistd::{Uid, User};
use toml::Value;

use super::draft::{Draft, File, pair};
use super::naming;
use crate::config;
use crate::engine::fill::escape;
use crate::engine::schedule::Cron;

/// Whom the commands run as.
pub(super) enum Owner {
    /// Whoever imports: of the job nothing is said.
    Caller,
    /// This user.
    Named(String),
    /// The one that each line names.
    EachLine,
}

/// Variables that are cron's own: with what is said of them, where that is the same always.
const CRONS_OWN: [(&str, &str); 6] = [
    (
        "MAILTO",
        "what a command prints is kept (`twolane logs`), and `on_failure` names a job that tells",
    ),
    ("MAILFROM", "nothing is mailed"),
    ("CONTENT_TYPE", "nothing is mailed"),
    ("CONTENT_TRANSFER_ENCODING", "nothing is mailed"),
    (
        "LOGNAME",
        "cron does not let it be set either: it is the user's name",
    ),
    ("CRON_TZ", ""),
];

/// The fields before the command, with the least and the greatest value of each.
const FIELDS: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];

/// A line that says when what is run.
struct Entry {
    when: When,
    user: Option<String>,
    command: String,
    notes: Vec<String>,
    only_one: bool,
}

enum When {
    Boot,
    Cron { text: String, jitter_minutes: u32 },
}

/// Makes jobs of a crontab, which is called `from`; with what no job can be made of, each with its line.
pub(super) fn import(from: &str, text: &str, owner: &Owner) -> (File, Vec<String>) {
    let from = if from == "-" { "standard input" } else { from };
    let mut file = File::new(&format!("the crontab `{from}`"));
    file.say("As with cron, a line runs also while its last run is not over (`overlap = \"allow\"`), and what");
    file.say(
        "is missed is not made up for. Unlike cron, what a command prints is kept and not mailed.",
    );
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    let mut wrong = Vec::new();
    let mut users = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() {
            above.clear();
        } else if let Some(comment) = line.strip_prefix('#') {
            above.push(comment.trim().to_owned());
        } else if let Some((name, value)) = assignment(line) {
            above.clear();
            told_of_variable(&mut file, &name, &value);
            variables.insert(name, value);
        } else {
            above.push(line.trim_end().to_owned());
            let origin = std::mem::take(&mut above);
            match entry(line, matches!(owner, Owner::EachLine)) {
                Ok(entry) => {
                    let mut job = job(&entry, owner, &variables);
                    job.origin = origin;
                    users += usize::from(begins_with_user(&entry.command));
                    file.add(job, &naming::of_command(&entry.command));
                }
                Err(why) => {
                    wrong.push(format!("line {} of {from}: {why}", index + 1));
                    file.leave_out(origin, why);
                }
            }
        }
    }
    if matches!(owner, Owner::Caller) && users > 0 && users == file.jobs().count() {
        file.note("each command begins with the name of a user, as in a crontab of the system: `--system` reads it so");
    }
    (file, wrong)
}

fn begins_with_user(command: &str) -> bool {
    User::from_name(word(command).0).is_ok_and(|found| found.is_some())
}

/// `NAME = value`, with or without quotes around either.
fn assignment(line: &str) -> Option<(String, String)> {
    let quote = line.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (name, rest) = match quote {
        Some(quote) => line[1..].split_once(quote)?,
        None => {
            let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
            line.split_at(end)
        }
    };
    let value = rest.trim_start().strip_prefix('=')?.trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    (!name.is_empty()).then(|| (name.to_owned(), unquoted.unwrap_or(value).to_owned()))
}

fn told_of_variable(file: &mut File, name: &str, value: &str) {
    let Some((_, why)) = CRONS_OWN.iter().find(|(known, _)| *known == name) else {
        if name == "TZ" {
            file.note(format!(
                "TZ={value} is given to the commands, as cron does; times go by the machine's zone, or by CRON_TZ"
            ));
        }
        return;
    };
    if !why.is_empty() && !value.is_empty() {
        file.note(format!("{name}={value} has no equal: {why}"));
    }
}

fn entry(line: &str, has_user: bool) -> Result<Entry, String> {
    let mut notes = Vec::new();
    let mut rest = line;
    if let Some(after) = rest.strip_prefix('-') {
        notes.push(
            "`-` before the line, which keeps it out of the log of cron, has no equal".to_owned(),
        );
        rest = after;
    }
    let when = match rest.strip_prefix('@') {
        Some(_) => {
            let (word, after) = word(rest);
            rest = after;
            named(word, &mut notes)?
        }
        None => {
            let mut fields = Vec::new();
            for _ in FIELDS {
                let (field, after) = word(rest);
                fields.push(field);
                rest = after;
            }
            expression(&fields, &mut notes)?
        }
    };
    let user = if has_user {
        let (user, after) = word(rest);
        rest = after;
        Some(user.to_owned()).filter(|user| !user.is_empty())
    } else {
        None
    };
    let mut only_one = false;
    while let Some(flag @ ("-n" | "-q" | "-s")) = Some(word(rest).0) {
        match flag {
            "-s" => only_one = true,
            "-n" => {
                notes.push("`-n`, no mail on success, has no equal: nothing is mailed".to_owned())
            }
            _ => notes.push("`-q`, no line in the log of cron, has no equal".to_owned()),
        }
        rest = word(rest).1;
    }
    if rest.trim().is_empty() {
        return Err(format!(
            "`{}` names no command\nhint: {}",
            line.trim_end(),
            if has_user {
                "after the time there are a user and a command; a crontab of a user is read without `--system`"
            } else {
                "after five fields, or a word such as `@daily`, there is a command"
            }
        ));
    }
    Ok(Entry {
        when,
        user,
        command: rest.to_owned(),
        notes,
        only_one,
    })
}

/// The first word, and what comes after it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn named(word: &str, notes: &mut Vec<String>) -> Result<When, String> {
    let text = match &*word.to_ascii_lowercase() {
        "@reboot" => {
            notes.push(
                "`@reboot` is once after the machine starts; this is each time the daemon starts"
                    .to_owned(),
            );
            return Ok(When::Boot);
        }
        "@every_minute" => "* * * * *".to_owned(),
        _ => word.to_owned(),
    };
    checked(text, 0)
}

fn checked(text: String, jitter_minutes: u32) -> Result<When, String> {
    match Cron::parse(&text) {
        Ok(_) => Ok(When::Cron {
            text,
            jitter_minutes,
        }),
        Err(error) => Err(match &error.hint {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        }),
    }
}

/// The five fields, with what crons know beyond our own.
fn expression(fields: &[&str], notes: &mut Vec<String>) -> Result<When, String> {
    let mut jitter_minutes = 0;
    let mut written = Vec::new();
    for (place, field) in fields.iter().enumerate() {
        let (min, max) = FIELDS[place];
        let elements: Vec<String> = field
            .split(',')
            .map(|element| {
                if let Some((from, to)) = element.split_once('~') {
                    // Beyond the field's values there is nothing to be drawn.
                    let from = from.parse().unwrap_or(min).clamp(min, max);
                    let to = to.parse().unwrap_or(max).clamp(from, max);
                    if place == 0 && element == *field {
                        jitter_minutes = to - from + 1;
                        notes.push(format!(
                            "`{element}` is a minute that cron draws by lot; here it is always the same one (`jitter`)"
                        ));
                    } else {
                        notes.push(format!("`{element}`, which cron draws by lot, has no equal: it is {from}"));
                    }
                    return from.to_string();
                }
                stepped(element, (min, max), notes)
            })
            .collect();
        written.push(elements.join(","));
    }
    checked(written.join(" "), jitter_minutes)
}

/// An element whose step cron takes otherwise than our expressions do: one from a single number on, or one
/// that is beyond the last value and so comes once.
fn stepped(element: &str, (min, max): (u32, u32), notes: &mut Vec<String>) -> String {
    let Some((body, step)) = element.split_once('/') else {
        return element.to_owned();
    };
    let is_number = !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        notes.push(format!(
            "`{element}` is read as `{body}-{max}/{step}`, which crons disagree on"
        ));
        return format!("{body}-{max}/{step}");
    }
    match step.parse::<u32>() {
        Ok(step) if step > max => {
            // A field of days that begins with a star keeps it: cron then wants the other one to match, too.
            let first = match max {
                31 => "*/31".to_owned(),
                6 => "*/7".to_owned(),
                _ => min.to_string(),
            };
            let only = if body == "*" {
                first
            } else {
                body.split('-').next().unwrap_or(body).to_owned()
            };
            notes.push(format!(
                "`{element}` steps beyond the last value: it is `{only}`"
            ));
            only
        }
        _ => element.to_owned(),
    }
}

fn job(entry: &Entry, owner: &Owner, variables: &BTreeMap<String, String>) -> Draft {
    let mut job = Draft::default();
    for note in &entry.notes {
        job.note(note.as_str());
    }
    let (command, stdin) = split_at_percent(&entry.command);
    match variables.get("SHELL").map(String::as_str) {
        None | Some("/bin/sh" | "") => job.set("shell", command),
        Some(shell) => {
            let words = [escape(shell), "-c".to_owned(), escape(&command)];
            job.set("exec", words.map(Value::from).to_vec());
        }
    }
    if let Some(text) = stdin {
        job.set_table("stdin", &[pair("text", text)]);
    }
    as_user(&mut job, entry, owner, variables);
    let own = |name: &str| {
        name == "SHELL" || name == "RANDOM_DELAY" || CRONS_OWN.iter().any(|(own, _)| *own == name)
    };
    let env: Vec<(String, Value)> = variables
        .iter()
        .filter(|(name, _)| !own(name))
        .map(|(name, value)| pair(name, value.as_str()))
        .collect();
    if !env.is_empty() {
        job.set_table("env", &env);
    }
    let When::Cron {
        text,
        jitter_minutes,
    } = &entry.when
    else {
        job.set("start", "boot");
        return job;
    };
    let mut schedule = vec![pair("cron", text.as_str())];
    if let Some(tz) = variables.get("CRON_TZ") {
        if config::zone(tz).is_some() {
            schedule.push(pair("tz", tz.as_str()));
        } else {
            job.note(format!(
                "there is no time zone `{tz}` (CRON_TZ) here: times go by the machine's own"
            ));
        }
    }
    let overlap = if entry.only_one { "skip" } else { "allow" };
    schedule.push(pair("overlap", overlap));
    let random = variables.get("RANDOM_DELAY");
    let random = random
        .and_then(|delay| delay.parse::<u32>().ok())
        .unwrap_or(0);
    if random > 0 {
        job.note("RANDOM_DELAY draws another delay each time; here each job always has the same one (`jitter`)");
    }
    match random.saturating_add(*jitter_minutes).min(24 * 60 - 1) {
        0 => {}
        minutes => schedule.push(pair("jitter", format!("{minutes}m"))),
    }
    job.schedule(&schedule);
    job
}

/// Whom it runs as and where: cron begins commands in the home of their user.
fn as_user(job: &mut Draft, entry: &Entry, owner: &Owner, variables: &BTreeMap<String, String>) {
    let named = match owner {
        Owner::Caller => None,
        Owner::Named(user) => Some(user.as_str()),
        Owner::EachLine => entry.user.as_deref(),
    };
    // Some crons take `user:group`, and a login class after it.
    let (user, group) = match named.map(|named| named.split_once(':').unwrap_or((named, ""))) {
        Some((user, group)) => (
            Some(user),
            group.split('/').next().filter(|group| !group.is_empty()),
        ),
        None => (None, None),
    };
    if let Some(user) = user {
        job.set("user", user);
    }
    if let Some(group) = group {
        job.set("group", group);
    }
    let found = match user {
        Some(user) => User::from_name(user),
        None => User::from_uid(Uid::current()),
    };
    let home = match (variables.get("HOME"), found.ok().flatten()) {
        (Some(home), _) => Some(home.clone()),
        (None, Some(found)) => Some(found.dir.to_string_lossy().into_owned()),
        (None, None) => None,
    };
    match home {
        Some(home) => job.set("directory", home),
        None => {
            job.note("cron begins in the user's home, and there is no such user here: set `directory` to it");
        }
    }
}

/// The command, and what it reads: `%` ends the one and is a new line in the other, but for `\%`.
fn split_at_percent(text: &str) -> (String, Option<String>) {
    let mut parts = vec![String::new()];
    let mut is_escaped = false;
    for letter in text.trim_end_matches(['\n', '\r']).chars() {
        let last = parts.len() - 1;
        match (letter, is_escaped) {
            ('%', true) => {
                parts[last].pop();
                parts[last].push('%');
            }
            ('%', false) => parts.push(String::new()),
            _ => parts[last].push(letter),
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    let command = parts.remove(0).trim_end().to_owned();
    let text = parts.join("\n");
    let text = match text.ends_with('\n') {
        true => text,
        false => format!("{text}\n"),
    };
    (command, (!parts.is_empty() && text != "\n").then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_ends_the_command_and_begins_what_it_reads() {
        for (line, command, stdin) in [
            ("date", "date", None),
            ("date +\\%F", "date +%F", None),
            ("mail joe%Hi%%there", "mail joe", Some("Hi\n\nthere\n")),
            ("cat%50\\% off", "cat", Some("50% off\n")),
            ("cat%", "cat", None),
            ("cat%a%", "cat", Some("a\n")),
        ] {
            let expected = (command.to_owned(), stdin.map(str::to_owned));
            assert_eq!(split_at_percent(line), expected, "{line}");
        }
    }

    #[test]
    fn a_variable_is_told_from_a_line_that_runs_something() {
        for (line, expected) in [
            ("A=b", Some(("A", "b"))),
            ("A = \"b c\" ", Some(("A", "b c"))),
            ("'A' = 'b'", Some(("A", "b"))),
            ("MAILTO=\"\"", Some(("MAILTO", ""))),
            ("* * * * * A=b true", None),
            ("@daily A=b", None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(assignment(line), expected, "{line}");
        }
    }
}
