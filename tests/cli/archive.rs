//! The example of work on files, as people run it, and what others' tools say to what it makes.

use std::process::{Command, Stdio};

use crate::support::{Place, shipped};

#[test]
fn the_archive_is_what_others_take() {
    let text = std::fs::read_to_string(shipped("config/examples/archive.toml")).unwrap();
    let place = Place::with(&[("archive.toml", &text)]);
    let finished = place.twolane(&["run", "archive.toml"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let archive = place.path().join("archive");
    let read = |name: &str| std::fs::read_to_string(archive.join(name)).unwrap();
    assert_eq!(read("safe/note.txt"), "what is worth keeping\n");
    let sums = read("SUMS");
    let names: Vec<&str> = sums.lines().map(|line| &line[66..]).collect();
    let packed = ["safe/note.txt", "safe/note.txt.gz", "safe/note.txt.zst"];
    assert_eq!(names, [&["note.txt"][..], &packed].concat());
    for (tool, args) in [
        ("sha256sum", ["-c", "SUMS"]),
        ("gzip", ["-t", "safe/note.txt.gz"]),
        ("zstd", ["-t", "safe/note.txt.zst"]),
    ] {
        let mut command = Command::new(tool);
        command.args(args).current_dir(&archive);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // Where there is no such tool, the tests of the lanes have to do.
        if let Ok(status) = command.status() {
            assert!(status.success(), "{tool}");
        }
    }
}
