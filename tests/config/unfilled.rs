//! What looks like a run's argument, and stands where none is filled in: told, and no mistake.

use crate::read;

#[test]
fn braces_in_which_no_argument_comes_are_warned_of() {
    let text = r#"[jobs.told]
shell = "echo {n}"
setup = "echo {n}"
teardown = "echo {n}"
directory = "/tmp/{n}"
params.n = { type = "text" }
[jobs.told_too]
shell = "echo ${n} {n}"
params.n = { type = "text" }
[jobs.not_told]
shell = "echo ${n} {other} {a,b}"
setup = ["echo", "{n}"]
params.n = { type = "text" }
"#;
    let (jobs, report) = read(&[("jobs.toml", text)]);
    assert!(
        jobs.is_some() && report.errors() == 0,
        "a warning is no error"
    );
    expect_test::expect![[r#"
        jobs.toml:2:9: `{n}` is not filled in here: it stays as it is (hint: write `"$TWOLANE_ARG_N"`, in quotation marks, or give the words of an `exec`)
        jobs.toml:3:9: `{n}` is not filled in here: it stays as it is (hint: write `"$TWOLANE_ARG_N"`, in quotation marks, or give the words of an `exec`)
        jobs.toml:4:12: `{n}` is not filled in here: it stays as it is (hint: write `"$TWOLANE_ARG_N"`, in quotation marks, or give the words of an `exec`)
        jobs.toml:5:13: `{n}` is not filled in here: it stays as it is (hint: a command's words and environment have its arguments; `exec = ["sh", "-c", …]` can go to a directory of that name)
        jobs.toml:8:9: `{n}` is not filled in here: it stays as it is (hint: write `"$TWOLANE_ARG_N"`, in quotation marks, or give the words of an `exec`)
    "#]].assert_eq(&(report.lines().join("\n") + "\n"));
}
