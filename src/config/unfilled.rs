//! Warns of `{name}` where it looks like a run's argument and is none: a shell's text is never filled in, since an
//! argument could be a command, nor is a directory.

use super::diagnostic::{Diagnostic, Report};
use super::job::Draft;
use crate::engine::command::variable;
use crate::engine::fill::places;

/// The texts of a job in which nothing is filled in, unless they are lists of words.
const UNFILLED: [&str; 4] = ["shell", "setup", "teardown", "directory"];

pub(super) fn look(report: &mut Report, drafts: &[(String, Draft)]) {
    for (_, draft) in drafts {
        let Some(spec) = &draft.spec else { continue };
        for key in UNFILLED {
            let Some((text, field)) = draft.table.text(key).zip(draft.table.get(key)) else {
                continue;
            };
            // `${name}` is a shell's own.
            let own = |name: &str| {
                let brace = name.as_ptr().addr() - text.as_ptr().addr() - 1;
                text[..brace].ends_with('$')
            };
            let meant = places(text).find(|name| spec.params.contains_key(*name) && !own(name));
            let Some(name) = meant else { continue };
            let message = format!("`{{{name}}}` is not filled in here: it stays as it is");
            let hint = match key {
                "directory" => "a command's words and environment have its arguments; `exec = [\"sh\", \"-c\", …]` can go \
                                to a directory of that name"
                    .to_owned(),
                _ => format!(
                    "write `\"${}\"`, in quotation marks, or give the words of an `exec`",
                    variable(name)
                ),
            };
            let found = Diagnostic::at(draft.source, field.value.clone(), message);
            report.push(found.warning().hint(hint));
        }
    }
}
