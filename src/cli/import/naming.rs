//! Names for jobs out of commands and units.

/// What stands before the program that a command is about; its options and numbers are skipped with it.
const BEFORE: [&str; 14] = [
    "sudo",
    "env",
    "nice",
    "ionice",
    "chrt",
    "timeout",
    "flock",
    "exec",
    "nohup",
    "time",
    "setsid",
    "command",
    "chronic",
    "systemd-cat",
];

/// What runs the program that a command is about.
const INTERPRETERS: [&str; 12] = [
    "sh",
    "bash",
    "dash",
    "zsh",
    "python",
    "python3",
    "perl",
    "php",
    "ruby",
    "node",
    "java",
    "run-parts",
];

/// What a shell does itself, or what only looks whether something is there.
const ASIDE: [&str; 14] = [
    "cd", "test", "[", "[[", "if", "then", "while", "for", "set", "export", "umask", "sleep",
    "true", ".",
];

/// A name for what a command does.
pub(super) fn of_command(command: &str) -> String {
    let parts = command.split(['&', '|', ';', '(', ')', '{', '}', '\n']);
    let found = parts.filter_map(of_part).next();
    usable(&found.unwrap_or_else(|| "job".to_owned()))
}

fn of_part(part: &str) -> Option<String> {
    let mut words = part.split_whitespace();
    let is_assignment = |word: &str| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.contains('/'))
    };
    let is_option = |word: &str| {
        word.starts_with('-')
            || word
                .chars()
                .all(|c| c.is_ascii_digit() || ".smhd".contains(c))
    };
    let mut passed = false;
    let program = loop {
        let word = words.next()?;
        let base = base(word);
        if ASIDE.contains(&base) {
            return None;
        }
        if BEFORE.contains(&base) {
            passed = true;
        } else if !(is_assignment(word) || passed && is_option(word)) {
            break word;
        }
    };
    if INTERPRETERS.contains(&base(program))
        && let Some(script) = words.find(|word| !word.starts_with('-'))
    {
        return Some(without_ending(base(script)).to_owned());
    }
    Some(without_ending(base(program)).to_owned())
}

fn base(word: &str) -> &str {
    let word = word.trim_matches(['"', '\'']).trim_end_matches('/');
    word.rsplit('/').next().unwrap_or(word)
}

fn without_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, "sh" | "bash" | "py" | "pl" | "php" | "rb" | "js" | "jar")) => stem,
        _ => name,
    }
}

/// A name that is allowed, and like this one.
pub(super) fn usable(name: &str) -> String {
    let allowed = |c: char| {
        let is_allowed = c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if is_allowed { c } else { '_' }
    };
    let usable: String = name.chars().take(80).map(allowed).collect();
    let usable = usable.trim_matches(['_', '-', '.']);
    if usable.is_empty() {
        "job".to_owned()
    } else {
        usable.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_after_what_its_command_is_about() {
        for (command, name) in [
            ("/usr/local/bin/backup.sh --all", "backup"),
            ("cd / && run-parts --report /etc/cron.hourly", "cron.hourly"),
            (
                "test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )",
                "cron.daily",
            ),
            ("LANG=C nice -n 10 /opt/x/report 2>&1", "report"),
            ("[ -x /usr/bin/certbot ] && certbot -q renew", "certbot"),
            ("python3 -u /srv/poll.py", "poll"),
            ("timeout 5m rsync -a a b", "rsync"),
            ("", "job"),
            ("''", "job"),
        ] {
            assert_eq!(of_command(command), name, "{command}");
        }
    }
}
