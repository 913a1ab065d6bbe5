//! Names: which are allowed, and which known one somebody may have meant.

/// The most characters that a name may have.
pub(super) const LONGEST: usize = 100;

/// The known name that is nearest to `name`, if one is near enough to have been meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()),
                candidate,
            )
        })
        // A third of the letters may differ, at least one, and not all of them.
        .filter(|(distance, candidate)| {
            let letters = candidate.chars().count().max(name.chars().count());
            *distance <= (letters / 3).max(1) && *distance < letters
        })
        .min()
        .map(|(_, candidate)| candidate)
}

const fn is_sign(c: char) -> bool {
    matches!(c, '_' | '-' | '.')
}

/// A name that resembles `name` and is allowed.
pub(super) fn usable(name: &str) -> String {
    let allowed = |c: char| {
        if c.is_alphanumeric() || is_sign(c) {
            c
        } else {
            '_'
        }
    };
    let usable: String = name.chars().take(LONGEST / 2).map(allowed).collect();
    if usable.is_empty() {
        "nameless".to_owned()
    } else {
        usable
    }
}

/// Why `name` cannot be a name; `None` if it can.
pub(super) fn complaint(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a name cannot be empty".to_owned());
    }
    if name.chars().count() > LONGEST {
        return Some(format!("a name has at most {LONGEST} characters"));
    }
    let allowed = |c: char| c.is_alphanumeric() || is_sign(c);
    let wrong = name.chars().find(|c| !allowed(*c))?;
    Some(format!(
        "a name is made of letters, digits, `_`, `-` and `.`, and cannot have {wrong:?} in it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_could_have_been_meant() {
        let known = ["sleep", "read", "compute", "call", "after", "a"];
        for (name, expected) in [
            ("slep", Some("sleep")),
            ("Sleep", Some("sleep")),
            ("cmpute", Some("compute")),
            ("aftre", Some("after")),
            ("b", None),
            ("schedule", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }

    #[test]
    fn names_are_letters_digits_and_three_signs() {
        for good in ["a", "Nightly-2.x_y", "下载", "é", "1"] {
            assert_eq!(complaint(good), None, "{good}");
        }
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", "a b", "a/b", "..\u{7}", "a\nb", &long] {
            assert!(complaint(bad).is_some(), "{bad:?}");
        }
    }
}
