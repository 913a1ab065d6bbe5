//! What the program says where something does not go as somebody wanted.

use rustix::process::Signal;

use crate::commands::{SERVE, daemon};

const ASK: [&str; 2] = ["--socket", "run/twolane.sock"];

#[test]
fn who_waits_is_told_that_a_run_is_kept_when_the_daemon_is_gone() {
    let place = daemon("[jobs.long]\nsleep = \"1000s\"\n");
    let mut serving = place.start(&SERVE);
    serving.wait_for("answering on");
    let [socket, path] = ASK;
    let mut waiting = place.start(&[socket, path, "submit", "--wait", "long"]);
    waiting.wait_for("1");
    // It looks at the run, is about to or has: it hears of the end of the talk, or finds nobody.
    serving.signal(Signal::KILL);
    serving.finish();
    let told = waiting.finish();
    assert_eq!(told.code, Some(5), "{told:?}");
    assert!(told.stdout.starts_with('1'), "{told:?}");
    assert!(
        told.stderr.contains("`twolane wait 1` goes on waiting"),
        "{told:?}"
    );
}

#[test]
fn who_gives_a_number_for_a_text_is_told_how_it_is_one() {
    let hint = "hint: `--arg name=2024` is no text, but `--arg 'name=\"2024\"'` is one";
    let jobs = "[jobs.say]\nexec = [\"echo\", \"{name}\"]\nparams.name = { type = \"text\" }\n";
    let place = daemon(jobs);
    let said = place.twolane(&["run", "--arg", "name=2024", "jobs.toml"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains(hint), "{said:?}");
    let mut serving = place.start(&SERVE);
    serving.wait_for("answering on");
    let [socket, path] = ASK;
    let submit = |arg| place.twolane(&[socket, path, "submit", "say", "--arg", arg]);
    let said = submit("name=2024");
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.stderr.contains(hint), "{said:?}");
    assert_eq!(submit("name=\"2024\"").code, Some(0));
    let said = submit("other=x");
    assert!(!said.stderr.contains("is no text"), "{said:?}");
}
