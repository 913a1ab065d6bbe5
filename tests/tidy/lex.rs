//! Just enough of Rust's lexical rules to tell code from comments and strings.

/// A text of the same lines with parts of it made blank.
pub(crate) struct Masked {
    /// Without the insides of strings and characters.
    pub(crate) prose: String,
    /// Without these and without comments.
    pub(crate) code: String,
}

/// A word or a sign of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, keyword or number.
    Word(String),
    /// `::`
    PathSep,
    /// Any other sign.
    Sign(char),
}

impl Token {
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::PathSep | Kind::Sign(_) => None,
        }
    }

    pub(crate) fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// Finds comments, strings and characters in `text`.
pub(crate) fn mask(text: &str) -> Masked {
    let chars: Vec<char> = text.chars().collect();
    let (mut prose, mut code) = (String::new(), String::new());
    let mut at = 0;
    while at < chars.len() {
        let (part, length) = next_part(&chars, at);
        for &c in &chars[at..at + length] {
            let keep = |kept: bool| if kept || c == '\n' { c } else { ' ' };
            prose.push(keep(part != Part::Literal));
            code.push(keep(part == Part::Code));
        }
        at += length;
    }
    Masked { prose, code }
}

/// What begins at `at`, and how many characters it has (one or more).
fn next_part(chars: &[char], at: usize) -> (Part, usize) {
    let rest = &chars[at..];
    let after_word = at > 0 && is_word(chars[at - 1]);
    match rest {
        ['/', '/', ..] => (Part::Comment, length_until(rest, |c| c == '\n')),
        ['/', '*', ..] => (Part::Comment, block_comment(rest)),
        ['"', ..] => (Part::Literal, quoted(rest, '"')),
        ['\'', ..] => match character(rest) {
            Some(length) => (Part::Literal, length),
            None => (Part::Code, 1), // a lifetime
        },
        [c, ..] if is_word(*c) && !after_word => {
            let word = length_until(rest, |c| !is_word(c));
            let prefix: String = rest[..word].iter().collect();
            match prefix.as_str() {
                "r" | "br" | "cr" => match raw_string(&rest[word..]) {
                    Some(length) => (Part::Literal, word + length),
                    None => (Part::Code, word),
                },
                _ => (Part::Code, word),
            }
        }
        _ => (Part::Code, 1),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn length_until(chars: &[char], end: impl Fn(char) -> bool) -> usize {
    chars
        .iter()
        .position(|&c| end(c))
        .unwrap_or(chars.len())
        .max(1)
}

fn block_comment(chars: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < chars.len() {
        match &chars[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn quoted(chars: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The length of the character literal that `chars` begins with, if it is not a lifetime.
fn character(chars: &[char]) -> Option<usize> {
    match chars {
        ['\'', '\\', ..] => Some(quoted(chars, '\'')),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

/// The length of `#"…"#` with any number of `#`, if that is what `chars` begins with.
fn raw_string(chars: &[char]) -> Option<usize> {
    let hashes = chars.iter().take_while(|&&c| c == '#').count();
    if chars.get(hashes) != Some(&'"') {
        return None;
    }
    let mut at = hashes + 1;
    while at < chars.len() {
        let closed = chars[at] == '"'
            && chars.len() > at + hashes
            && chars[at + 1..=at + hashes].iter().all(|&c| c == '#');
        if closed {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(chars.len())
}

/// The words and signs of `code`, which has no comments and no insides of strings.
pub(crate) fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let chars: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let rest = &chars[at..];
            let (kind, length) = match rest {
                [c, ..] if is_word(*c) => {
                    let length = length_until(rest, |c| !is_word(c));
                    (Some(Kind::Word(rest[..length].iter().collect())), length)
                }
                [':', ':', ..] => (Some(Kind::PathSep), 2),
                [c, ..] if c.is_whitespace() => (None, 1),
                [c, ..] => (Some(Kind::Sign(*c)), 1),
                [] => (None, 1),
            };
            if let Some(kind) = kind {
                let line = number + 1;
                tokens.push(Token { line, kind });
            }
            at += length;
        }
    }
    tokens
}

#[test]
fn comments_and_strings_are_told_from_code() {
    #[track_caller]
    fn check(text: &str, prose: &str, code: &str) {
        let masked = mask(text);
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&masked.prose), prose, "prose of {text}");
        assert_eq!(squeeze(&masked.code), code, "code of {text}");
        assert_eq!(
            masked.code.chars().count(),
            text.chars().count(),
            "shifted: {text}"
        );
    }
    check("a // b \"c", "a // b \"c", "a");
    check("a /* b /* c */ d */ e", "a /* b /* c */ d */ e", "a e");
    check(r#"f("x // y \" z") // g"#, "f( ) // g", "f( )");
    check(r##"f(r#"x " y"#, br"\", z)"##, "f( , , z)", "f( , , z)");
    check(
        "fn f<'a>(x: &'a u8)",
        "fn f<'a>(x: &'a u8)",
        "fn f<'a>(x: &'a u8)",
    );
    check(
        r#"('"', '\'', b'x', "é" , y)"#,
        "( , , b , , y)",
        "( , , b , , y)",
    );
    check("r#type x", "r#type x", "r#type x");
    check("a \"one\ntwo\" b", "a b", "a b");
}

#[test]
fn tokens_have_their_lines() {
    let words: Vec<(usize, String)> = tokens("use a::b;\n\nfn c() {}")
        .iter()
        .filter_map(|token| Some((token.line, token.word()?.to_owned())))
        .collect();
    let expected = [(1, "use"), (1, "a"), (1, "b"), (3, "fn"), (3, "c")];
    assert_eq!(words, expected.map(|(line, word)| (line, word.to_owned())));
}
