//! A job file that is being made: jobs with their keys in the order in which people write them, and comments.

use std::collections::BTreeSet;
use std::fmt::Write;

use toml::Value;

/// Columns of a comment.
const WIDTH: usize = 110;

/// A job file.
#[derive(Debug)]
pub(super) struct File {
    head: Vec<String>,
    notes: Vec<String>,
    items: Vec<Item>,
    names: BTreeSet<String>,
}

/// What is made of a line or a unit.
#[derive(Debug)]
enum Item {
    Job(Draft),
    /// No job can be made of this, as it stood there, and why.
    LeftOut {
        origin: Vec<String>,
        why: String,
    },
}

/// A job.
#[derive(Debug, Default)]
pub(super) struct Draft {
    name: String,
    /// As it stood where it comes from.
    pub(super) origin: Vec<String>,
    notes: Vec<String>,
    keys: Vec<(&'static str, String)>,
    schedules: Vec<String>,
}

impl File {
    /// One that says where it comes from.
    pub(super) fn new(from: &str) -> Self {
        Self {
            head: vec![format!("Made from {from} by `twolane import`.")],
            notes: Vec::new(),
            items: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    /// A line at its head.
    pub(super) fn say(&mut self, line: impl Into<String>) {
        self.head.push(line.into());
    }

    /// Something at its head that somebody should look at.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a job, under a name that no other has.
    pub(super) fn add(&mut self, mut job: Draft, wanted: &str) {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}-{number}");
        }
        job.name = name;
        self.items.push(Item::Job(job));
    }

    /// Says in the place of a job why there is none.
    pub(super) fn leave_out(&mut self, origin: Vec<String>, why: impl Into<String>) {
        let why = why.into();
        self.items.push(Item::LeftOut { origin, why });
    }

    /// How many jobs there would be besides.
    pub(super) fn left_out(&self) -> usize {
        self.items.len() - self.jobs().count()
    }

    /// That nothing was made of anything, and something was to be.
    pub(super) fn is_void(&self) -> bool {
        self.left_out() > 0 && self.jobs().next().is_none()
    }

    /// The jobs, in their order.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Draft> {
        self.items.iter().filter_map(|item| match item {
            Item::Job(job) => Some(job),
            Item::LeftOut { .. } => None,
        })
    }

    /// How many things somebody should look at.
    pub(super) fn notes(&self) -> usize {
        self.notes.len() + self.jobs().map(|job| job.notes.len()).sum::<usize>()
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.head {
            comment(&mut text, "", line);
        }
        for note in &self.notes {
            comment(&mut text, "note: ", note);
        }
        for item in &self.items {
            text.push('\n');
            match item {
                Item::Job(job) => job.write(&mut text),
                Item::LeftOut { origin, why } => {
                    for line in origin {
                        comment(&mut text, "", line);
                    }
                    let why = why.replace("\nhint: ", "\n");
                    for (index, line) in why.lines().enumerate() {
                        let mark = if index == 0 { "left out: " } else { "  " };
                        comment(&mut text, mark, line);
                    }
                }
            }
        }
        text
    }
}

impl Draft {
    /// Something that somebody should look at.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A key with its value.
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.keys.push((key, value.into().to_string()));
    }

    /// A key with a table of one line.
    pub(super) fn set_table(&mut self, key: &'static str, pairs: &[(String, Value)]) {
        self.keys.push((key, inline(pairs)));
    }

    /// One more schedule; the same is not taken twice.
    pub(super) fn schedule(&mut self, pairs: &[(String, Value)]) {
        let written = inline(pairs);
        if !self.schedules.contains(&written) {
            self.schedules.push(written);
        }
    }

    /// Whether it has a schedule.
    pub(super) fn has_schedule(&self) -> bool {
        !self.schedules.is_empty()
    }

    fn write(&self, text: &mut String) {
        for line in &self.origin {
            comment(text, "", line);
        }
        for note in &self.notes {
            comment(text, "note: ", note);
        }
        // A `String` takes whatever is written to it.
        let _ = writeln!(text, "[jobs.{}]", key(&self.name));
        for (key, value) in &self.keys {
            let _ = writeln!(text, "{key} = {value}");
        }
        match &self.schedules[..] {
            [] => {}
            [one] => {
                let _ = writeln!(text, "schedule = {one}");
            }
            several => {
                text.push_str("schedule = [\n");
                for one in several {
                    let _ = writeln!(text, "  {one},");
                }
                text.push_str("]\n");
            }
        }
    }
}

/// A pair for a table of one line.
pub(super) fn pair(key: &str, value: impl Into<Value>) -> (String, Value) {
    (key.to_owned(), value.into())
}

fn inline(pairs: &[(String, Value)]) -> String {
    let pairs = pairs.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{} = {value}", key(name)))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A key as TOML has it.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    Value::from(name).to_string()
}

/// A comment, broken between words; each of its lines is a line of the text. No control character gets into it.
fn comment(text: &mut String, mark: &str, says: &str) {
    for line in says.lines() {
        let mut width = 0;
        let mut mark = mark;
        for word in line.split([' ', '\t']) {
            let word: String = word.chars().filter(|c| !c.is_control()).collect();
            if width > 0 && width + 1 + word.chars().count() > WIDTH {
                text.push('\n');
                width = 0;
                mark = "  ";
            }
            let before = if width == 0 {
                format!("# {mark}")
            } else {
                " ".to_owned()
            };
            text.push_str(&before);
            text.push_str(&word);
            width += before.chars().count() + word.chars().count();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}
