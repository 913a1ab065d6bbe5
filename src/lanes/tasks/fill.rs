//! The arguments of a run in the texts and paths of its job: `out/{name}.txt`. Knows no task.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::TaskError;
use crate::engine::braces::{Part, parts};

/// `template` with each `{name}` replaced by the argument of that name: a string as it is, anything
/// else as JSON. `{{` and `}}` are the braces themselves.
pub(super) fn fill(template: &str, args: Option<&Value>) -> Result<String, TaskError> {
    fill_with(template, args, |text| text)
}

/// A path, relative ones being taken from `directory`. Arguments lead nowhere but below what the
/// job's own text says, unless that text is nothing but one argument.
pub(super) fn path(
    directory: &Path,
    template: &str,
    args: Option<&Value>,
) -> Result<PathBuf, TaskError> {
    let filled = fill(template, args)?;
    admit(template, &filled)?;
    Ok(directory.join(filled))
}

/// A pattern of paths. What an argument says is no pattern.
pub(super) fn pattern(
    directory: &Path,
    template: &str,
    args: Option<&Value>,
) -> Result<String, TaskError> {
    let filled = fill_with(template, args, |text| {
        Cow::Owned(glob::Pattern::escape(&text))
    })?;
    admit(template, &filled)?;
    if Path::new(&filled).is_absolute() {
        return Ok(filled);
    }
    // Nor is what the directory is called.
    let directory = glob::Pattern::escape(&directory.to_string_lossy());
    let whole = Path::new(&directory).join(filled);
    Ok(whole.to_string_lossy().into_owned())
}

fn fill_with<'a>(
    template: &str,
    args: Option<&'a Value>,
    put: impl Fn(Cow<'a, str>) -> Cow<'a, str>,
) -> Result<String, TaskError> {
    let parts = parts(template)
        .map_err(|error| TaskError::failed(format!("cannot fill in `{template}`: {error}")))?;
    let mut filled = String::with_capacity(template.len());
    for part in parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Name(name) => match args.and_then(|args| args.get(name)) {
                Some(Value::String(text)) => filled.push_str(&put(Cow::Borrowed(text))),
                Some(other) => filled.push_str(&put(Cow::Owned(other.to_string()))),
                None => {
                    return Err(TaskError::failed(format!(
                        "the run has no argument `{name}`, which `{template}` needs"
                    )));
                }
            },
        }
    }
    Ok(filled)
}

/// Whether what was made of a path's template may be gone to. Who may start a run with arguments is
/// not always somebody who may read and write any file that the daemon can.
fn admit(template: &str, filled: &str) -> Result<(), TaskError> {
    let refuse = |why: &str| {
        let message = format!("the arguments make `{template}` the path `{filled}`, which {why}");
        Err(TaskError::failed(message))
    };
    if filled.is_empty() {
        return refuse("is empty");
    }
    if filled.contains('\0') {
        return refuse("has a zero byte in it");
    }
    if matches!(parts(template).as_deref(), Ok([Part::Name(_)])) {
        return Ok(());
    }
    if filled.starts_with('/') && !template.starts_with('/') {
        return refuse("is absolute");
    }
    let ups = |path: &str| {
        let components = Path::new(path).components();
        components
            .filter(|part| *part == Component::ParentDir)
            .count()
    };
    if ups(filled) > ups(template) {
        return refuse("leads out through `..`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_are_filled_in_as_they_are_and_other_values_as_json() {
        let args = json!({"s": "a b", "n": 7, "l": [1, "x"], "z": null});
        let check = |template: &str, expected: &str| {
            assert_eq!(fill(template, Some(&args)).unwrap(), expected);
        };
        check("plain", "plain");
        check("<{s}> {n} {l} {z}", "<a b> 7 [1,\"x\"] null");
        check("{{s}} {{{s}}}", "{s} {a b}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = "the run has no argument `x`, which `a{x}` needs";
        for args in [None, Some(json!({"y": 1})), Some(json!(3))] {
            let error = fill("a{x}", args.as_ref()).unwrap_err();
            assert_eq!(error.to_string(), missing);
        }
        let error = fill("a{x", None).unwrap_err().to_string();
        assert_eq!(error, "cannot fill in `a{x`: a `{` has no `}`");
    }

    #[test]
    fn arguments_do_not_lead_out_of_what_the_job_says() {
        let there = Path::new("/jobs");
        let at = |template: &str, value: &str| {
            let args = json!({ "x": value });
            path(there, template, Some(&args)).map_err(|error| error.to_string())
        };
        assert_eq!(at("out/{x}.txt", "a"), Ok("/jobs/out/a.txt".into()));
        assert_eq!(at("out/{x}", "/etc/x"), Ok("/jobs/out//etc/x".into()));
        assert_eq!(at("../{x}", "a"), Ok("/jobs/../a".into()));
        // Nothing but the argument: that is what the job asks for.
        assert_eq!(at("{x}", "/srv/../a"), Ok("/srv/../a".into()));
        for (template, value, why) in [
            ("{x}.txt", "/etc/a", "is absolute"),
            ("out/{x}", "../a", "leads out through `..`"),
            ("out/{x}{x}/a", ".", "leads out through `..`"),
            ("{x}", "", "is empty"),
            ("a{x}", "\0", "has a zero byte in it"),
        ] {
            let error = at(template, value).unwrap_err();
            assert!(error.ends_with(why), "{error}");
        }
    }

    #[test]
    fn what_an_argument_or_a_directory_is_called_is_no_pattern() {
        let args = json!({"x": "a*"});
        let found = pattern(Path::new("/j[1]"), "{x}/*.txt", Some(&args)).unwrap();
        assert_eq!(found, "/j[[]1[]]/a[*]/*.txt");
    }
}
