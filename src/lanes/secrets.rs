//! Secrets of an attempt: read from files when they are needed, and masked in all that it says, so that no
//! value stands in a log, a fact or an answer. Knows no task.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::lock;
use crate::engine::command::Secret;
use crate::engine::outcome::{Failure, Outcome};
use crate::engine::spec::Name;
use crate::inbox::Progress;

/// The shortest value that is masked. Shorter ones stand in any text by chance.
const SHORTEST: usize = 8;

/// The largest file that is a secret.
const LARGEST: u64 = 64 << 10;

/// What stands for a secret.
const MASK: &str = "***";

/// The shortest beginning of a secret that is masked where a text was cut off in it.
const SHORTEST_BEGINNING: usize = 4;

/// The secrets that an attempt has read so far.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<Arc<Mask>>);

impl Secrets {
    /// Reads secrets; from here on their values are masked.
    pub(crate) fn read(
        &self,
        wanted: &BTreeMap<Name, Secret>,
    ) -> Result<BTreeMap<Name, String>, String> {
        let mut values = BTreeMap::new();
        for (name, secret) in wanted {
            let value =
                read(secret).map_err(|why| format!("cannot read the secret `{name}`: {why}"))?;
            self.hide(&value);
            values.insert(Name::clone(name), value);
        }
        Ok(values)
    }

    /// From here on this value is masked.
    pub(crate) fn hide(&self, value: &str) {
        let mut mask = lock(&self.0);
        Arc::make_mut(&mut mask).add(value);
    }

    /// What masks the secrets that have been read by now.
    pub(crate) fn mask(&self) -> Arc<Mask> {
        Arc::clone(&lock(&self.0))
    }
}

fn read(secret: &Secret) -> Result<String, String> {
    let path = match secret {
        Secret::File(path) => path.clone(),
        Secret::Credential(name) => {
            let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                format!(
                    "the daemon was given no credentials\nhint: give its unit \
                     `LoadCredential={name}:/path/of/the/file`"
                )
            })?;
            PathBuf::from(directory).join(&**name)
        }
    };
    let text = read_file(&path)
        .map_err(|why| format!("{}: {why}{}", path.display(), hint(secret, &path)))?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() || value.contains('\0') {
        return Err(format!(
            "{}: it is empty, or has a zero byte in it",
            path.display()
        ));
    }
    Ok(value.to_owned())
}

/// What to do about a credential that is not there. Those of a whole directory bear its name before their own.
fn hint(secret: &Secret, path: &Path) -> String {
    let Secret::Credential(name) = secret else {
        return String::new();
    };
    if path.exists() {
        return String::new();
    }
    let of_directory = format!("credentials_{name}");
    if path.with_file_name(&of_directory).exists() {
        return format!("\nhint: there is one that is called `{of_directory}`");
    }
    "\nhint: credentials are taken in when the daemon starts: what was put into /etc/twolane/credentials since is \
     there after `systemctl restart twolane`, as `credentials_` and the name of the file"
        .to_owned()
}

fn read_file(path: &Path) -> Result<String, String> {
    // Opening a pipe would wait for its writer.
    let there = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !there.is_file() || there.len() > LARGEST {
        return Err("it is no file of at most 64 KiB".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    // What is wrong with the text would quote it.
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())
}

/// Finds secrets in texts, as they are and in the forms in which programs pass them on: base64, URLs, JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mask {
    /// The longest first.
    patterns: Vec<Box<[u8]>>,
    /// Whether one begins with a byte.
    begins: Vec<bool>,
}

impl Mask {
    /// Masks a value too, line by line: what is said comes in lines.
    fn add(&mut self, value: &str) {
        let lines = value.lines().map(str::trim);
        for line in lines.filter(|line| line.len() >= SHORTEST) {
            for form in forms(line) {
                if form.len() >= SHORTEST && !self.patterns.iter().any(|known| **known == *form) {
                    self.patterns.push(form.into());
                }
            }
        }
        self.patterns
            .sort_by_key(|pattern| std::cmp::Reverse(pattern.len()));
        self.begins = vec![false; 256];
        for first in self.patterns.iter().filter_map(|pattern| pattern.first()) {
            self.begins[usize::from(*first)] = true;
        }
    }

    /// Whether there is nothing to be masked.
    pub(crate) const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Masks what is in a line; also a secret that begins at its end, where the line was cut.
    pub(crate) fn line(&self, line: &mut Vec<u8>, is_cut: bool) {
        if self.is_empty() {
            return;
        }
        let mut masked: Option<Vec<u8>> = None;
        // What was copied ends here, and so does what is covered by a mask.
        let (mut copied, mut covered) = (0, 0);
        for at in 0..line.len() {
            let Some(length) = self.at(line, at, is_cut) else {
                continue;
            };
            let out = masked.get_or_insert_default();
            if at >= covered || covered == 0 {
                out.extend_from_slice(&line[copied..at]);
                out.extend_from_slice(MASK.as_bytes());
            }
            covered = covered.max(at + length);
            copied = covered;
        }
        if let Some(mut out) = masked {
            out.extend_from_slice(&line[copied..]);
            *line = out;
        }
    }

    /// How many bytes at the end of a text may be the beginning of a secret of which more is to come.
    pub(crate) fn beginning(&self, text: &[u8]) -> usize {
        let longest = self.patterns.first().map_or(0, |pattern| pattern.len());
        let from = text.len().saturating_sub(longest);
        let begins = |at: &usize| {
            let rest = &text[*at..];
            let mut patterns = self.patterns.iter();
            patterns.any(|pattern| pattern.len() > rest.len() && pattern.starts_with(rest))
        };
        (from..text.len())
            .find(begins)
            .map_or(0, |at| text.len() - at)
    }

    /// How long the longest secret is that begins at a place of a line.
    fn at(&self, line: &[u8], at: usize, is_cut: bool) -> Option<usize> {
        let rest = &line[at..];
        if !self.begins[usize::from(*rest.first()?)] {
            return None;
        }
        let here = |pattern: &&[u8]| {
            rest.starts_with(pattern)
                || (is_cut && rest.len() >= SHORTEST_BEGINNING && pattern.starts_with(rest))
        };
        let mut patterns = self.patterns.iter().map(|pattern| &**pattern);
        patterns
            .find(here)
            .map(|pattern| pattern.len().min(rest.len()))
    }

    /// The same text without secrets. Where it may have been cut, at its end or before `…`, the beginning of
    /// one is none either.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let (body, dots) = match text.strip_suffix('…') {
            Some(body) => (body, "…"),
            None => (text, ""),
        };
        let mut bytes = body.as_bytes().to_vec();
        self.line(&mut bytes, true);
        let masked = String::from_utf8_lossy(&bytes).into_owned() + dots;
        (masked != text).then_some(masked)
    }

    fn shared(&self, text: &mut Arc<str>) {
        if let Some(masked) = self.text(text) {
            *text = masked.into();
        }
    }

    /// Masks what a task says on its way.
    pub(crate) fn progress(&self, progress: &mut Progress) {
        if let Some(message) = &mut progress.message {
            self.shared(message);
        }
    }

    /// Masks what came of an attempt.
    pub(crate) fn outcome(&self, outcome: &mut Outcome) {
        if self.is_empty() {
            return;
        }
        match outcome {
            Outcome::Succeeded(value) => self.value(Arc::make_mut(value)),
            Outcome::Failed(failure) => self.failure(failure),
            Outcome::NoRoom(why) => self.shared(why),
            Outcome::Stopped => {}
        }
    }

    /// Masks why something failed.
    pub(crate) fn failure(&self, failure: &mut Failure) {
        match failure {
            Failure::Panic(why) | Failure::Error(why) => self.shared(why),
            Failure::Exit(_)
            | Failure::Signal(_)
            | Failure::OutOfMemory { .. }
            | Failure::Timeout(_)
            | Failure::RunTimeout(_)
            | Failure::Crash
            | Failure::Crashes(_) => {}
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(masked) = self.text(text) {
                    *text = masked;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(map) => {
                for (mut name, mut value) in std::mem::take(map) {
                    if let Some(masked) = self.text(&name) {
                        name = masked;
                    }
                    self.value(&mut value);
                    map.insert(name, value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A value as it is, and as programs pass it on.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let mut forms = vec![bytes.to_vec()];
    let json = Value::from(value).to_string();
    forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
    for (space, upper) in [("%20", true), ("%20", false), ("+", true), ("+", false)] {
        forms.push(in_url(bytes, space, upper).into_bytes());
    }
    for alphabet in [STANDARD, IN_URLS] {
        // A group of base64 is three bytes, and the value may begin at any of them.
        for before in 0..3 {
            let whole = in_base64(&[&vec![0; before], bytes].concat(), alphabet);
            // What other bytes have a part in is not the value's own.
            let from = [0, 2, 3][before];
            let own = (before + bytes.len()) * 4 / 3;
            forms.push(whole.as_bytes()[from..own].to_vec());
            // Some programs cut it into lines, as mail wants it.
            if before == 0 {
                let lines = whole.as_bytes()[..own].chunks(MAIL_LINE);
                forms.extend(lines.map(<[u8]>::to_vec));
            }
        }
    }
    forms
}

/// Characters of base64 in a line of mail.
const MAIL_LINE: usize = 76;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const IN_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 without the filling at the end.
fn in_base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..=group.len() {
            let six = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(alphabet[six as usize]));
        }
    }
    text
}

/// As in a URL: all but letters, digits and `-._~` as `%` and two digits.
fn in_url(bytes: &[u8], space: &str, upper: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' ' => text.push_str(space),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => {
                text.push(char::from(*byte));
            }
            byte if upper => text.push_str(&format!("%{byte:02X}")),
            byte => text.push_str(&format!("%{byte:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_is_not_there_says_what_to_do() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("db");
        let told = |secret: &Secret| hint(secret, &path);
        let credential = Secret::Credential("db".into());
        assert!(told(&credential).contains("systemctl restart twolane"));
        std::fs::write(place.path().join("credentials_db"), "x").expect("it is made");
        assert!(told(&credential).contains("called `credentials_db`"));
        assert_eq!(told(&Secret::File(path.clone())), "");
        std::fs::write(&path, [0xff]).expect("it is made");
        assert_eq!(told(&credential), "", "another thing is wrong with it");
    }

    fn mask(values: &[&str]) -> Mask {
        let mut mask = Mask::default();
        for value in values {
            mask.add(value);
        }
        mask
    }

    #[test]
    fn a_secret_is_masked_in_each_form_and_wherever_it_stands() {
        let mask = mask(&["s3cret/pa\"ss?", "second-one", "cond-one-longer", "short"]);
        let cases = [
            ("nothing here", "nothing here"),
            ("s3cret/pa\"ss?", "***"),
            ("<s3cret/pa\"ss?><s3cret/pa\"ss?>", "<***><***>"),
            (r#"{"a":"s3cret/pa\"ss?"}"#, r#"{"a":"***"}"#),
            ("q=s3cret%2Fpa%22ss%3F&x", "q=***&x"),
            ("q=s3cret%2fpa%22ss%3f", "q=***"),
            // Two that overlap are one.
            ("a second-one-longer b", "a *** b"),
            ("short stays", "short stays"),
            ("s3cret/pa is half", "s3cret/pa is half"),
        ];
        for (text, expected) in cases {
            let mut line = text.as_bytes().to_vec();
            mask.line(&mut line, false);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn in_base64_hardly_a_character_of_it_is_left_wherever_it_begins() {
        let value =
            "correct-horse-battery-staple, and more of it than a line of mail can have in base64";
        let mask = mask(&[value]);
        for alphabet in [STANDARD, IN_URLS] {
            for before in ["", "x", "xy", "user:"] {
                let whole = in_base64(format!("{before}{value}~~~").as_bytes(), alphabet);
                let mut line = whole.clone().into_bytes();
                mask.line(&mut line, false);
                let left = String::from_utf8(line).unwrap();
                assert!(left.len() <= before.len() * 2 + 3 + 8, "{left}");
            }
        }
        let whole = in_base64(value.as_bytes(), STANDARD);
        for line in whole.as_bytes().chunks(MAIL_LINE) {
            let mut line = line.to_vec();
            mask.line(&mut line, false);
            assert!(line.len() <= 4, "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn where_a_text_was_cut_the_beginning_of_a_secret_is_masked_too() {
        let mask = mask(&["correct-horse"]);
        let text = |text: &str| mask.text(text).unwrap_or_else(|| text.to_owned());
        assert_eq!(text("it says correct-ho"), "it says ***");
        assert_eq!(text("it says correct-ho…"), "it says ***…");
        assert_eq!(text("it says cor"), "it says cor");
        assert_eq!(text("correct-ho is no end"), "correct-ho is no end");
    }

    #[test]
    fn what_may_be_the_beginning_of_a_secret_is_known_at_any_length() {
        let mask = mask(&["correct-horse", "rect-angle"]);
        for (text, expected) in [
            ("", 0),
            ("it says", 0),
            ("it says c", 1),
            ("it says correct-hors", 12),
            ("it says correct-horse", 0),
            ("correct-a", 6),
        ] {
            assert_eq!(mask.beginning(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(Mask::default().beginning(b"correct"), 0);
    }

    #[test]
    fn a_secret_of_many_lines_is_masked_line_by_line() {
        let mask = mask(&["first-line-of-it\n\nend\nlast-line-of-it"]);
        let mut value = serde_json::json!({"first-line-of-it": ["last-line-of-it\nend", 1]});
        mask.value(&mut value);
        assert_eq!(value, serde_json::json!({"***": ["***\nend", 1]}));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_quoted() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secret");
        let read = || read(&Secret::File(path.clone()));
        assert!(read().unwrap_err().contains("No such file"));
        for (text, said) in [
            (&b"caf\xe9-password"[..], "no UTF-8"),
            (b"\n", "is empty"),
            (b"a\0b", "zero byte"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read().unwrap_err();
            assert!(error.contains(said) && !error.contains("caf"), "{error}");
        }
        std::fs::write(&path, "two words\r\n").unwrap();
        assert_eq!(read().unwrap(), "two words");
    }
}
