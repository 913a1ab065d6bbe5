//! Command lines of systemd: cut into words as it cuts them, and written for a shell where they have variables
//! in them or are several.

use toml::Value;

use crate::engine::fill::escape;

/// A command line with what stands before it.
#[derive(Debug)]
pub(super) struct CommandLine {
    /// The signs before it, of `-`, `@`, `:`, `+`, `!` and `|`.
    pub(super) signs: String,
    words: Vec<Vec<Piece>>,
}

/// A part of a word.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    /// `${NAME}`: its value as it is.
    Variable(String),
    /// `$NAME`, alone: its value, cut into words.
    Words(String),
}

/// The words of a line, without their quotes and escapes.
///
/// # Errors
/// A quote that is not closed.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', _) => {
                let text = word.get_or_insert_default();
                match letters.next() {
                    Some(letter) => text.push_str(&escaped(letter, &mut letters)),
                    None => text.push('\\'),
                }
            }
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(format!("`{line}` has a quote that is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// What stands behind a backslash.
fn escaped(letter: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut digits = |first: Option<char>, count: usize, radix: u32| {
        let mut text: String = first.into_iter().collect();
        while text.len() < count
            && let Some(digit) = rest.next_if(|letter| letter.is_digit(radix))
        {
            text.push(digit);
        }
        let code = u32::from_str_radix(&text, radix).ok();
        code.and_then(char::from_u32)
            .map(String::from)
            .unwrap_or_default()
    };
    match letter {
        'a' => "\u{7}".to_owned(),
        'b' => "\u{8}".to_owned(),
        'f' => "\u{c}".to_owned(),
        'n' => "\n".to_owned(),
        'r' => "\r".to_owned(),
        't' => "\t".to_owned(),
        'v' => "\u{b}".to_owned(),
        's' => " ".to_owned(),
        'x' => digits(None, 2, 16),
        'u' => digits(None, 4, 16),
        'U' => digits(None, 8, 16),
        '0'..='7' => digits(Some(letter), 3, 8),
        other => other.to_string(),
    }
}

impl CommandLine {
    /// The command lines of one setting; `;` stands between several.
    ///
    /// # Errors
    /// A quote that is not closed, or a line without a program.
    pub(super) fn parse(line: &str) -> Result<Vec<Self>, String> {
        let trimmed = line.trim_start();
        let rest = trimmed.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        let mut signs = trimmed[..trimmed.len() - rest.len()].to_owned();
        let mut commands = Vec::new();
        for words in split(rest)?.split(|word| word == ";") {
            let Some((first, others)) = words.split_first() else {
                continue;
            };
            let mut first = first.as_str();
            if !commands.is_empty() {
                let program = first.trim_start_matches(['-', '@', ':', '+', '!', '|']);
                signs = first[..first.len() - program.len()].to_owned();
                first = program;
            }
            // Behind `@` the second word is what the program is told that it is called.
            let others = &others[usize::from(signs.contains('@') && !others.is_empty())..];
            let literal = signs.contains(':');
            let words = std::iter::once(first).chain(others.iter().map(String::as_str));
            commands.push(Self {
                words: words.map(|word| pieces(word, literal)).collect(),
                signs: signs.clone(),
            });
        }
        if commands.is_empty() {
            return Err(format!("`{line}` names no program"));
        }
        Ok(commands)
    }

    /// The words for `exec`; `None` where it needs a shell.
    pub(super) fn exec(&self) -> Option<Vec<Value>> {
        let plain = |word: &Vec<Piece>| match &word[..] {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        };
        if self.may_fail() {
            return None;
        }
        let words: Option<Vec<String>> = self.words.iter().map(plain).collect();
        Some(
            words?
                .iter()
                .map(|word| Value::from(escape(word)))
                .collect(),
        )
    }

    /// Whether it does not matter how it ends.
    pub(super) fn may_fail(&self) -> bool {
        self.signs.contains('-')
    }

    /// As a shell has it.
    fn for_shell(&self) -> String {
        let words = self.words.iter().map(|word| {
            let parts = word.iter().map(|piece| match piece {
                Piece::Text(text) => quoted(text),
                Piece::Variable(name) => format!("\"${{{name}}}\""),
                Piece::Words(name) => format!("${name}"),
            });
            match word.is_empty() {
                true => "''".to_owned(),
                false => parts.collect(),
            }
        });
        let mut line = words.collect::<Vec<_>>().join(" ");
        if self.may_fail() {
            line.push_str(" || :");
        }
        line
    }
}

/// The script that carries out one after the other until one fails.
pub(super) fn script(commands: &[CommandLine]) -> String {
    let lines: Vec<String> = commands.iter().map(CommandLine::for_shell).collect();
    match &lines[..] {
        [one] => one.clone(),
        several => format!("set -e\n{}", several.join("\n")),
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The parts of a word; where it is `literal`, no variable is one.
fn pieces(word: &str, literal: bool) -> Vec<Piece> {
    if literal || !word.contains('$') {
        return match word {
            "" => Vec::new(),
            word => vec![Piece::Text(word.to_owned())],
        };
    }
    let is_name = |name: &str| {
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
        return vec![Piece::Words(name.to_owned())];
    }
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let braced = rest
            .strip_prefix("${")
            .and_then(|rest| rest.split_once('}'));
        if let Some(after) = rest.strip_prefix("$$") {
            text.push('$');
            rest = after;
        } else if let Some((name, after)) = braced.filter(|(name, _)| is_name(name)) {
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Variable(name.to_owned()));
            rest = after;
        } else {
            text.push('$');
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_cut_as_systemd_cuts_them() {
        for (line, expected) in [
            ("/bin/a b  c", "/bin/a b c"),
            (
                "/bin/a 'b c' \"d\\te\" f\\x20g",
                "/bin/a 'b c' 'd\te' 'f g'",
            ),
            ("/bin/a ${B}c $D $$E x$F", "/bin/a \"${B}\"c $D '$E' 'x$F'"),
            (":/bin/a ${B}", "/bin/a '${B}'"),
            ("@/bin/a called b", "/bin/a b"),
            ("-/bin/a", "/bin/a || :"),
            ("/bin/a ''", "/bin/a ''"),
            ("/bin/a ; -/bin/b c", "set -e\n/bin/a\n/bin/b c || :"),
            ("/bin/a it\\'s", "/bin/a 'it'\\''s'"),
        ] {
            assert_eq!(
                script(&CommandLine::parse(line).unwrap()),
                expected,
                "{line}"
            );
        }
        for line in ["", "-", "/bin/a 'b"] {
            assert!(CommandLine::parse(line).is_err(), "{line}");
        }
    }
}
