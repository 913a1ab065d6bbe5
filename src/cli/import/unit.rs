//! Units of systemd: found as it finds them, with their drop-ins, and read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

/// Where units are, those that count more first.
pub(super) struct Directories {
    all: Vec<PathBuf>,
    /// Units are of a user's own manager.
    pub(super) of_user: bool,
}

const OF_SYSTEM: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const OF_USERS: [&str; 4] = [
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
];

impl Directories {
    /// `first`, then where systemd looks.
    pub(super) fn new(first: &[PathBuf], of_user: bool) -> Self {
        let mut all = first.to_vec();
        if of_user {
            let home = std::env::var_os("HOME")
                .map(PathBuf::from)
                .unwrap_or_default();
            let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
            all.push(
                config
                    .unwrap_or_else(|| home.join(".config"))
                    .join("systemd/user"),
            );
            all.push(home.join(".local/share/systemd/user"));
            all.extend(OF_USERS.map(PathBuf::from));
        } else {
            all.extend(OF_SYSTEM.map(PathBuf::from));
        }
        Self { all, of_user }
    }

    /// The same, but looking beside `path` before all else.
    pub(super) fn beside(&self, path: &Path) -> Self {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let mut all = vec![parent.unwrap_or_else(|| Path::new(".")).to_owned()];
        all.extend(self.all.iter().cloned());
        Self {
            all,
            of_user: self.of_user,
        }
    }
}

/// A unit: its settings in their order, those of drop-ins behind its own.
#[derive(Debug)]
pub(super) struct Unit {
    /// Its name, with its ending.
    pub(super) name: String,
    /// The files that it was read from.
    pub(super) files: Vec<PathBuf>,
    settings: Vec<Setting>,
    of_user: bool,
}

#[derive(Debug)]
struct Setting {
    section: String,
    key: String,
    value: String,
}

impl Unit {
    /// Reads the unit of this name.
    ///
    /// # Errors
    /// That it is nowhere, or what cannot be read of it.
    pub(super) fn load(name: &str, directories: &Directories) -> Result<Self, String> {
        // That of an instance is made from its template.
        let template = name
            .split_once('@')
            .and_then(|(prefix, rest)| Some(format!("{prefix}@.{}", rest.rsplit_once('.')?.1)));
        let names = || std::iter::once(name).chain(template.as_deref());
        let found = names().find_map(|name| {
            let mut paths = directories.all.iter().map(|directory| directory.join(name));
            paths.find(|path| path.exists())
        });
        let Some(path) = found else {
            let all: Vec<String> = directories
                .all
                .iter()
                .map(|d| format!("`{}`", d.display()))
                .collect();
            return Err(format!(
                "there is no unit `{name}` in {}\nhint: name it by its path, or its directory with `--directory`",
                all.join(", ")
            ));
        };
        let mut unit = Self {
            name: name.to_owned(),
            files: Vec::new(),
            settings: Vec::new(),
            of_user: directories.of_user,
        };
        unit.read(path)?;
        // Of drop-ins that are called the same, that of the first directory counts.
        let mut drop_ins: BTreeMap<_, PathBuf> = BTreeMap::new();
        for name in names() {
            for directory in &directories.all {
                let entries = fs::read_dir(directory.join(format!("{name}.d")));
                for entry in entries.into_iter().flatten().flatten() {
                    let path = entry.path();
                    if path.extension().is_some_and(|ending| ending == "conf") {
                        drop_ins.entry(entry.file_name()).or_insert(path);
                    }
                }
            }
        }
        for path in drop_ins.into_values() {
            unit.read(path)?;
        }
        Ok(unit)
    }

    fn read(&mut self, path: PathBuf) -> Result<(), String> {
        let text = fs::read_to_string(&path);
        let text = text.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let mut section = String::new();
        let mut whole = String::new();
        for (index, line) in text.lines().enumerate() {
            let begins = line.trim_start();
            // A comment may stand within a line that goes on.
            if begins.is_empty() && whole.is_empty() || begins.starts_with(['#', ';']) {
                continue;
            }
            if let Some(part) = line.strip_suffix('\\') {
                whole.push_str(part);
                whole.push(' ');
                continue;
            }
            whole.push_str(line);
            let line = std::mem::take(&mut whole);
            let line = line.trim();
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                self.settings.push(Setting {
                    section: section.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                });
            } else {
                return Err(format!(
                    "line {} of `{}` is neither a section nor a setting: `{line}`",
                    index + 1,
                    path.display()
                ));
            }
        }
        self.files.push(path);
        Ok(())
    }

    /// The values of a setting that adds up; an empty one takes back those before it.
    pub(super) fn list(&self, section: &str, key: &str) -> Vec<String> {
        let mut values = Vec::new();
        for setting in self
            .settings
            .iter()
            .filter(|s| s.section == section && s.key == key)
        {
            if setting.value.is_empty() {
                values.clear();
            } else {
                values.push(self.filled(&setting.value));
            }
        }
        values
    }

    /// The value of a setting: the last one.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<String> {
        self.list(section, key).pop()
    }

    /// Whether a setting says yes.
    pub(super) fn is_set(&self, section: &str, key: &str) -> bool {
        let value = self
            .get(section, key)
            .unwrap_or_default()
            .to_ascii_lowercase();
        matches!(&*value, "1" | "yes" | "y" | "true" | "t" | "on")
    }

    /// The keys of a section that are set to something, each once, in their order.
    pub(super) fn keys(&self, section: &str) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for setting in self.settings.iter().filter(|s| s.section == section) {
            if !keys.contains(&&*setting.key) && !self.list(section, &setting.key).is_empty() {
                keys.push(&setting.key);
            }
        }
        keys
    }

    /// Its name without its ending.
    pub(super) fn stem(&self) -> &str {
        self.name
            .rsplit_once('.')
            .map_or(&*self.name, |(stem, _)| stem)
    }

    /// A value with its specifiers (`%i`) filled in; those that only a running system can tell stay.
    fn filled(&self, value: &str) -> String {
        let mut filled = String::new();
        for part in parts(value) {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Specifier(letter) => match self.specifier(letter) {
                    Some(text) => filled.push_str(&text),
                    None => filled.extend(['%', letter]),
                },
            }
        }
        filled
    }

    /// The specifiers of a section that stay.
    pub(super) fn unfilled(&self, section: &str) -> BTreeSet<char> {
        let settings = self.settings.iter().filter(|s| s.section == section);
        let parts = settings.flat_map(|setting| parts(&setting.value));
        parts
            .filter_map(|part| match part {
                Part::Specifier(letter) if self.specifier(letter).is_none() => Some(letter),
                Part::Specifier(_) | Part::Text(_) => None,
            })
            .collect()
    }

    /// What `%` and this letter stand for.
    fn specifier(&self, letter: char) -> Option<String> {
        let (prefix, instance) = self.stem().split_once('@').unwrap_or((self.stem(), ""));
        let home = || std::env::var("HOME").unwrap_or_default();
        let of_user = |user: &dyn Fn() -> String, system: &str| match self.of_user {
            true => user(),
            false => system.to_owned(),
        };
        Some(match letter {
            '%' => "%".to_owned(),
            'n' => self.name.clone(),
            'N' => self.stem().to_owned(),
            'p' => prefix.to_owned(),
            'P' => unescaped(prefix),
            'j' => prefix.rsplit('-').next().unwrap_or(prefix).to_owned(),
            'i' => instance.to_owned(),
            'I' => unescaped(instance),
            'h' => of_user(&home, &roots_home()),
            'u' if !self.of_user => "root".to_owned(),
            'U' if !self.of_user => "0".to_owned(),
            't' if !self.of_user => "/run".to_owned(),
            'S' => of_user(&|| format!("{}/.local/state", home()), "/var/lib"),
            'C' => of_user(&|| format!("{}/.cache", home()), "/var/cache"),
            'L' if !self.of_user => "/var/log".to_owned(),
            'E' => of_user(&|| format!("{}/.config", home()), "/etc"),
            'T' => "/tmp".to_owned(),
            'V' => "/var/tmp".to_owned(),
            _ => return None,
        })
    }
}

/// A part of a value.
enum Part<'a> {
    Text(&'a str),
    /// `%` and this letter.
    Specifier(char),
}

/// The parts of a value; a `%` at its end is text.
fn parts(mut value: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    while let Some((before, after)) = value.split_once('%') {
        parts.push(Part::Text(before));
        let mut letters = after.chars();
        match letters.next() {
            Some(letter) => parts.push(Part::Specifier(letter)),
            None => parts.push(Part::Text("%")),
        }
        value = letters.as_str();
    }
    parts.push(Part::Text(value));
    parts
}

/// The home of root, as the machine has it.
fn roots_home() -> String {
    let found = User::from_uid(Uid::from_raw(0)).ok().flatten();
    found
        .map(|root| root.dir.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A part of a unit's name as the path or text that it stands for.
fn unescaped(name: &str) -> String {
    let text = name.replace('-', "/");
    let mut parts = text.split("\\x");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                whole.push(char::from(code));
                whole.push_str(&part[2..]);
            }
            None => {
                whole.push_str("\\x");
                whole.push_str(part);
            }
        }
    }
    whole
}

/// A time span of systemd in microseconds: `1h 30min`, or a number of seconds.
pub(super) fn span(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        let micros = match &rest[..letters] {
            "us" | "usec" | "µs" | "μs" => 1.0,
            "ms" | "msec" => 1e3,
            "" | "s" | "sec" | "second" | "seconds" => 1e6,
            "m" | "min" | "minute" | "minutes" => 60e6,
            "h" | "hr" | "hour" | "hours" => 3600e6,
            "d" | "day" | "days" => 86_400e6,
            "w" | "week" | "weeks" => 7.0 * 86_400e6,
            "M" | "month" | "months" => 30.44 * 86_400e6,
            "y" | "year" | "years" => 365.25 * 86_400e6,
            _ => return None,
        };
        rest = rest[letters..].trim_start();
        sum += number * micros;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive, and what is beyond the largest number becomes that"
    )]
    Some(sum.round() as u64)
}
