//! Settings in layers: what overrides what, and what is said of mistakes in each layer.

use std::path::Path;

use expect_test::{expect, expect_file};
use twolane::config::{Origin, Report, Sources, load_settings};

use crate::bad::in_directory;
use crate::nowhere;

fn with(env: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
    let owned = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    Sources {
        env: owned(env),
        flags: owned(flags),
        ..nowhere()
    }
}

fn refused(sources: &Sources) -> Report {
    load_settings(sources).expect_err("it is refused")
}

#[test]
fn each_mistake_in_a_file_has_its_message() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/settings");
    for (name, _) in in_directory("settings") {
        let report = refused(&Sources {
            config: Some(directory.join(&name)),
            ..Sources::default()
        });
        let prefix = format!("{}/", directory.display());
        let expected = directory.join(Path::new(&name).with_extension("txt"));
        expect_file![expected].assert_eq(&report.render(false).replace(&prefix, ""));
    }
}

#[test]
fn mistakes_in_variables_and_flags_name_them() {
    let report = refused(&with(
        &[
            ("TWOLANE__LANES__CPU__WORKRS", "3"),
            ("TWOLANE__LANES__CPU__NICE", "very"),
            ("TWOLANE__QUEUE__AGING", "5"),
            ("TWOLANE_LOG", "debug"),
            ("HOME", "/"),
        ],
        &[
            ("lanes.cpu.policy", "fifo"),
            ("lanes.io.threads", "99"),
            ("log", "x"),
        ],
    ));
    expect![[r#"
        error: there is no setting `lanes.cpu.workrs`
        --> environment variable TWOLANE__LANES__CPU__WORKRS
         = hint: did you mean `TWOLANE__LANES__CPU__WORKERS`?

        error: "very" is no value for `nice`
        --> environment variable TWOLANE__LANES__CPU__NICE
         = hint: a good one is 5

        error: `5` has no unit: write `5s` for seconds
        --> environment variable TWOLANE__QUEUE__AGING
         = hint: write it like `aging = "1m"`

        error: `fifo` is nothing that `policy` can be
        --> --set lanes.cpu.policy=fifo
         = hint: it is one of `normal`, `batch` and `idle`

        error: `threads` is out of range: it has to be 0 to 64
        --> --set lanes.io.threads=99
         = hint: write it like `threads = 0`

        error: there is no setting `log`
        --> --set log=x

        6 mistakes in all
    "#]]
    .assert_eq(&report.render(false));
}

#[test]
fn later_layers_override_earlier_ones() {
    let loaded = load_settings(&with(
        &[
            ("TWOLANE__LANES__CPU__WORKERS", "3"),
            ("TWOLANE__LANES__CPU__NICE", "7"),
            ("TWOLANE__DAEMON__JOBS", "a.toml, b.toml"),
        ],
        &[("lanes.cpu.nice", "9"), ("daemon.drain_timeout", "1m30s")],
    ))
    .unwrap();
    assert_eq!(loaded.settings.lanes.cpu.workers, 3);
    assert_eq!(loaded.settings.lanes.cpu.nice, 9);
    assert_eq!(loaded.settings.daemon.jobs, ["a.toml", "b.toml"]);
    assert_eq!(loaded.settings.daemon.drain_timeout.as_secs(), 90);
    let origin = |key: &str| {
        let shown = loaded.shown.iter().find(|shown| shown.key == key);
        shown.map(|shown| shown.origin.clone())
    };
    let variable = |name: &str| Some(Origin::Variable(name.to_owned()));
    assert_eq!(
        origin("lanes.cpu.workers"),
        variable("TWOLANE__LANES__CPU__WORKERS")
    );
    assert_eq!(origin("lanes.cpu.nice"), Some(Origin::Flag));
    assert_eq!(origin("lanes.cpu.policy"), Some(Origin::BuiltIn));
}

#[test]
fn a_file_that_was_asked_for_has_to_be_there() {
    let report = refused(&Sources {
        config: Some("nowhere/twolane.toml".into()),
        ..Sources::default()
    });
    expect![[r#"
        error: cannot read this file: No such file or directory (os error 2)
        --> nowhere/twolane.toml

    "#]]
    .assert_eq(&report.render(false));
}

#[test]
fn files_beside_it_add_to_it_in_the_order_of_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "twolane.toml",
        "[lanes.cpu]\nnice = 1\nworkers = 4\n[daemon]\njobs = [\"a\", \"b\"]",
    );
    write("conf.d/10.toml", "[lanes.cpu]\nnice = 2");
    write(
        "conf.d/20.toml",
        "\n[lanes.cpu]\n  nice = 3\n[daemon]\njobs = [\"c\"]",
    );
    write("conf.d/readme", "none of ours");
    let loaded = load_settings(&Sources {
        config: Some(directory.path().join("twolane.toml")),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(
        (
            loaded.settings.lanes.cpu.nice,
            loaded.settings.lanes.cpu.workers
        ),
        (3, 4)
    );
    assert_eq!(
        loaded.settings.daemon.jobs,
        ["c"],
        "a list is replaced as a whole"
    );
    assert_eq!(loaded.directory, directory.path());
    let nice = loaded
        .shown
        .iter()
        .find(|shown| shown.key == "lanes.cpu.nice")
        .unwrap();
    let place = format!("{}:3:3", directory.path().join("conf.d/20.toml").display());
    assert_eq!(nice.origin, Origin::File(place));
}
