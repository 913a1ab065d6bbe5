//! What a job names that this machine does not have: told, and no mistake.

use std::fs;

use twolane::config::Machine;

use crate::{read, read_on};

#[test]
fn what_is_not_on_the_machine_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    fs::write(dir.path().join("plain"), "no program").unwrap();
    let text = format!(
        r#"[jobs.people]
exec = ["true"]
user = "no-such-user"
group = "no-such-group"
[jobs.places]
exec = ["no-such-program"]
directory = "{at}/gone"
[jobs.programs]
exec = ["no-such-program", "x"]
setup = ["{at}/gone"]
teardown = ["{at}/plain"]
directory = "{at}"
[jobs.file]
shell = "no-such-program"
env_file = "{at}/gone.env"
[jobs.own_path]
exec = ["plain"]
env.PATH = "{at}"
[jobs.fine]
exec = ["sh", "-c", "true"]
setup = "true"
user = "root"
group = "0"
directory = "{at}"
[jobs.unknown]
exec = ["{{tool}}"]
params.tool = {{ type = "text" }}
[jobs.file_may_have_a_path]
exec = ["no-such-program"]
env_file = "{at}/plain"
[jobs.request]
http = {{ url = "http://127.0.0.1:1" }}
"#
    );
    let machine = Machine::new(None);
    let (jobs, report) = read_on(Some(&machine), &[("jobs.toml", &text)]);
    assert!(
        jobs.is_some() && report.errors() == 0,
        "a warning is no error"
    );
    let told: Vec<String> = report.lines();
    let told: Vec<String> = told
        .iter()
        .map(|line| line.replace(&at.to_string(), "DIR"))
        .collect();
    expect_test::expect![[r#"
        jobs.toml:3:8: there is no user `no-such-user` on this machine (hint: add it (useradd), or mend its name)
        jobs.toml:4:9: there is no group `no-such-group` on this machine (hint: add it (groupadd), or mend its name)
        jobs.toml:7:13: there is no directory DIR/gone (hint: make it before the job runs)
        jobs.toml:9:9: there is no program `no-such-program` in PATH (hint: install it before the job runs, or write its whole path)
        jobs.toml:10:10: there is no program DIR/gone (hint: install it before the job runs, or mend its path)
        jobs.toml:11:13: DIR/plain is not executable (hint: install it before the job runs, or mend its path)
        jobs.toml:15:12: there is no file DIR/gone.env (hint: make it before the job runs)
        jobs.toml:17:9: there is no program `plain` in PATH (hint: install it before the job runs, or write its whole path)
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
    // Whoever does not ask is not told.
    let (_, report) = read(&[("jobs.toml", &text)]);
    assert_eq!(report.lines(), Vec::<String>::new());
}
