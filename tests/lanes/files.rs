//! The tasks on files: what they make, what they leave when they fail or are stopped, and that the
//! tools of others take it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;
use twolane::engine::files::{Compression, FileWork, HashAlgorithm};
use twolane::engine::outcome::Outcome;
use twolane::engine::spec::{Lane, TaskSpec};

use crate::desk::{Desk, append, compress, copy, decompress, hash, mode, noise, write};
use crate::support::{error, value};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn hash_gives_the_hashes_of_what_the_patterns_mean() {
    let desk = Desk::new();
    desk.put("data/a/abc.bin", "abc");
    desk.put("data/empty.bin", "");
    desk.put("data/.hidden.bin", "x");
    desk.put("data/other.txt", "x");
    desk.put("one.txt", "abc");
    let files = ["data/**/*.bin", "one.txt", "one.*"];
    let ended = desk.run(Lane::Cpu, hash(&files, HashAlgorithm::Sha256, None));
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let expected = json!({
        "algorithm": "sha256", "files": 3, "bytes": 6, "truncated": false, "manifest": null,
        "hashes": { "data/a/abc.bin": abc, "data/empty.bin": EMPTY, "one.txt": abc },
    });
    assert_eq!(value(&ended), &expected);
    let ended = desk.run(Lane::Cpu, hash(&["one.txt"], HashAlgorithm::Blake3, None));
    let abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    assert_eq!(value(&ended)["hashes"], json!({ "one.txt": abc }));
}

#[test]
fn one_large_file_has_the_hash_that_its_parts_have() {
    let desk = Desk::new();
    // Over the size from which on all threads hash it together, and no multiple of anything.
    let bytes = noise((17 << 20) + 12_345);
    desk.put("large", &bytes);
    let ended = desk.run(Lane::Cpu, hash(&["large"], HashAlgorithm::Blake3, None));
    let expected = blake3::hash(&bytes).to_hex().to_string();
    assert_eq!(value(&ended)["hashes"]["large"], expected);
    assert_eq!(value(&ended)["bytes"], bytes.len());
}

#[test]
fn the_manifest_is_what_others_check() {
    let desk = Desk::new();
    for n in 0..50 {
        desk.put(&format!("data/file {n}"), noise(n * 1_000));
    }
    desk.put("one", "x");
    desk.put("data/odd\\name\nwith all", "x");
    let work = |algorithm| hash(&["data/*", "*"], algorithm, Some("SUMS"));
    // The second time it is there itself, and is no part of itself.
    for _ in 0..2 {
        let ended = desk.run(Lane::Cpu, work(HashAlgorithm::Sha256));
        assert_eq!(value(&ended)["files"], 52);
    }
    assert_ne!(
        desk.tool("sha256sum", &["-c", "--strict", "SUMS"]),
        Some(false)
    );
    desk.put("data/file 7", "changed");
    assert_ne!(
        desk.tool("sha256sum", &["-c", "--strict", "SUMS"]),
        Some(true)
    );
    assert_eq!(desk.names(), ["SUMS", "data", "one"]);
    let ended = desk.run(Lane::Cpu, work(HashAlgorithm::Blake3));
    assert_eq!(value(&ended)["files"], 52);
    assert_ne!(desk.tool("b3sum", &["-c", "SUMS"]), Some(false));
}

#[test]
fn the_result_has_the_first_thousand_and_the_manifest_all() {
    let desk = Desk::new();
    for n in 0..1_100 {
        desk.put(&format!("f{n:04}"), "");
    }
    let work = hash(&["f*"], HashAlgorithm::Sha256, Some("SUMS"));
    let ended = desk.run(Lane::Cpu, work);
    let value = value(&ended);
    assert_eq!(value["files"], 1_100);
    assert_eq!(value["truncated"], true);
    assert_eq!(value["hashes"].as_object().unwrap().len(), 1_000);
    let lines = String::from_utf8(desk.get("SUMS")).unwrap();
    assert_eq!(lines.lines().count(), 1_100);
    assert!(lines.ends_with(&format!("{EMPTY}  f1099\n")));
}

#[test]
fn hash_names_what_it_cannot_read_and_leaves_the_manifest_as_it_was() {
    let desk = Desk::new();
    desk.put("a", "x");
    desk.put("SUMS", "old");
    fs::create_dir(desk.path("d")).unwrap();
    let here = desk.dir.path().display();
    let check = |files: &[&str], expected: &str| {
        let work = hash(files, HashAlgorithm::Sha256, Some("SUMS"));
        let ended = desk.run(Lane::Cpu, work);
        assert_eq!(error(&ended), expected);
        assert_eq!(desk.get("SUMS"), b"old");
    };
    check(
        &["a", "d", "missing"],
        &format!(
            "2 of 3 files cannot be hashed: cannot read {here}/d: it is a directory, not a regular \
             file; cannot read {here}/missing: No such file or directory (os error 2)"
        ),
    );
    check(&["x*"], &format!("no file is meant by `{here}/x*`"));
    assert_eq!(desk.names(), ["SUMS", "a", "d"]);
}

#[test]
fn what_computes_is_refused_on_the_io_lane() {
    let desk = Desk::new();
    let ended = desk.run(Lane::Io, hash(&["a"], HashAlgorithm::Sha256, None));
    assert!(error(&ended).starts_with("`hash` computes"), "{ended:?}");
}

#[test]
fn what_is_compressed_comes_back_as_it_was() {
    let desk = Desk::new();
    // Nothing, a byte, a block of gzip's to the byte, and several of both formats' with a rest.
    let contents = [0, 1, 1 << 20, (9 << 20) + 77];
    for (n, bytes) in contents.into_iter().map(noise).enumerate() {
        let name = format!("in{n}");
        desk.put(&name, &bytes);
        fs::set_permissions(desk.path(&name), fs::Permissions::from_mode(0o640)).unwrap();
        for format in Compression::ALL {
            let small = format!("{name}{}", format.suffix());
            let ended = desk.run(Lane::Cpu, compress(&name, &small, format));
            assert_eq!(value(&ended)["bytes_in"], bytes.len());
            assert_eq!(value(&ended)["bytes_out"], desk.get(&small).len());
            assert_eq!(mode(&desk.path(&small)), 0o640);
            assert_ne!(desk.tool(format.as_str(), &["-t", &small]), Some(false));
            let ended = desk.run(Lane::Cpu, decompress(&small, "back", format));
            assert_eq!(value(&ended)["bytes_in"], desk.get(&small).len());
            assert_eq!(value(&ended)["bytes_out"], bytes.len());
            assert!(desk.get("back") == bytes, "{name} {format:?}");
        }
    }
    let ratio = |work| value(&desk.run(Lane::Cpu, work))["ratio"].as_f64().unwrap();
    // Six bits of eight are noise.
    let there = ratio(compress("in3", "in3.zst", Compression::Zstd));
    assert!((1.25..1.34).contains(&there), "{there}");
    let back = ratio(decompress("in3.zst", "back", Compression::Zstd));
    assert!((there - back).abs() < 0.002, "{there} {back}");
}

#[test]
fn levels_trade_time_for_size() {
    let desk = Desk::new();
    let text: String = (0..60_000)
        .map(|n| format!("line {} of it\n", n * 7))
        .collect();
    desk.put("in", text);
    for (format, most) in [(Compression::Zstd, 19), (Compression::Gzip, 9)] {
        let size = |level| {
            let work = FileWork::Compress {
                from: "in".to_owned(),
                to: "out".to_owned(),
                format,
                level: Some(level),
                keep: true,
            };
            value(&desk.run(Lane::Cpu, work))["bytes_out"]
                .as_u64()
                .unwrap()
        };
        assert!(size(most) < size(1), "{format:?}");
    }
}

#[test]
fn what_is_not_to_stay_goes_when_the_other_is_there() {
    let desk = Desk::new();
    desk.put("a", "text");
    let there = FileWork::Compress {
        from: "a".to_owned(),
        to: "a.gz".to_owned(),
        format: Compression::Gzip,
        level: Some(9),
        keep: false,
    };
    value(&desk.run(Lane::Cpu, there));
    assert_eq!(desk.names(), ["a.gz"]);
    let back = FileWork::Decompress {
        from: "a.gz".to_owned(),
        to: "a".to_owned(),
        format: Compression::Gzip,
        keep: false,
        max_bytes: 4,
    };
    value(&desk.run(Lane::Cpu, back));
    assert_eq!(desk.names(), ["a"]);
    assert_eq!(desk.get("a"), b"text");
}

#[test]
fn what_is_broken_is_named_with_its_place_and_leaves_nothing() {
    let desk = Desk::new();
    let bytes = noise(3 << 20);
    desk.put("in", &bytes);
    for format in Compression::ALL {
        value(&desk.run(Lane::Cpu, compress("in", "good", format)));
        let good = desk.get("good");
        let why = |bytes: &[u8]| {
            desk.put("bad", bytes);
            let ended = desk.run(Lane::Cpu, decompress("bad", "out", format));
            assert_eq!(desk.names(), ["bad", "good", "in"]);
            error(&ended).to_owned()
        };
        let name = format.as_str();
        let bad = format!("cannot decompress {}", desk.path("bad").display());
        let cut = good.len() - 5;
        assert_eq!(
            why(&good[..cut]),
            format!("{bad}: it ends at byte {cut}, in the middle of its {name} data")
        );
        assert_eq!(why(b""), format!("{bad}: it is empty"));
        let no_good = format!("{bad}: it is no good {name} data after byte ");
        assert!(why(b"this is something else").starts_with(&no_good));
        let middle = good.len() / 2;
        let mut changed = good.clone();
        changed[middle..middle + 64].fill(0xff);
        let why = why(&changed);
        let at = why
            .strip_prefix(&no_good)
            .unwrap_or_else(|| panic!("{why}"));
        let at: usize = at.split(':').next().unwrap().parse().unwrap();
        // A format finds out by the end of what it checks as one.
        assert!(at > middle / 2, "{why}");
    }
}

#[test]
fn a_bomb_is_let_out_only_so_far() {
    let desk = Desk::new();
    desk.put("in", vec![0; 50 << 20]);
    for format in Compression::ALL {
        value(&desk.run(Lane::Cpu, compress("in", "bomb", format)));
        let work = FileWork::Decompress {
            from: "bomb".to_owned(),
            to: "out".to_owned(),
            format,
            keep: false,
            max_bytes: 1_000_000,
        };
        let ended = desk.run(Lane::Cpu, work);
        let begin = format!(
            "more than 1000000 bytes come out of {}, which is as many as `max_bytes` allows; ",
            desk.path("bomb").display()
        );
        assert!(error(&ended).starts_with(&begin), "{}", error(&ended));
        assert_eq!(desk.names(), ["bomb", "in"]);
    }
}

#[test]
fn write_makes_a_file_in_either_lane() {
    let desk = Desk::new();
    for lane in Lane::ALL {
        let ended = desk.run(lane, write("a", "zwei\n"));
        let to = desk.path("a");
        assert_eq!(value(&ended), &json!({ "bytes": 5, "to": to.to_str() }));
        assert_eq!(desk.get("a"), b"zwei\n");
        let there = FileWork::Write {
            to: "d/e/f".to_owned(),
            text: String::new(),
            append: false,
            mode: Some(0o751),
            make_dirs: true,
        };
        value(&desk.run(lane, there));
        assert_eq!(mode(&desk.path("d/e/f")), 0o751);
        // The one that is there keeps its bits.
        value(&desk.run(lane, write("d/e/f", "x")));
        assert_eq!(mode(&desk.path("d/e/f")), 0o751);
        let ended = desk.run(lane, write("no/a", ""));
        let here = desk.dir.path().display();
        let expected = format!("cannot write {here}/no/a: there is no directory {here}/no");
        assert_eq!(error(&ended), expected);
        let ended = desk.run(lane, write("d", ""));
        assert_eq!(
            error(&ended),
            format!("cannot write {here}/d: it is a directory")
        );
        fs::remove_dir_all(desk.path("d")).unwrap();
        assert_eq!(desk.names(), ["a"]);
    }
}

#[test]
fn texts_that_many_append_stand_one_behind_the_other() {
    let desk = Desk::new();
    for run in 0..200 {
        let lane = Lane::ALL[usize::try_from(run % 2).unwrap()];
        let line = format!("{}\n", run.to_string().repeat(50));
        let task = desk.task(append("log", &line, Some(0o600)));
        desk.bench.submit(run, lane, task);
        if run % 2 == 1 {
            value(&desk.bench.end());
            value(&desk.bench.end());
        }
    }
    let text = String::from_utf8(desk.get("log")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let mut expected: Vec<String> = (0..200).map(|run| run.to_string().repeat(50)).collect();
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(mode(&desk.path("log")), 0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, desk.path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let ended = desk.run(Lane::Cpu, append("pipe", "x", None));
    let begin = format!("cannot write {}: ", desk.path("pipe").display());
    assert!(error(&ended).starts_with(&begin));
}

#[test]
fn copy_gives_the_same_bytes_and_bits_in_either_lane() {
    let desk = Desk::new();
    let bytes = noise((20 << 20) + 3);
    desk.put("a", &bytes);
    fs::set_permissions(desk.path("a"), fs::Permissions::from_mode(0o4750)).unwrap();
    desk.put("b", "old");
    for lane in Lane::ALL {
        let ended = desk.run(lane, copy("a", "d/b", true));
        let to = desk.path("d/b");
        let expected = json!({ "bytes": bytes.len(), "to": to.to_str() });
        assert_eq!(value(&ended), &expected);
        assert!(desk.get("d/b") == bytes);
        // Not the bit that would let everybody be the one who copied it.
        assert_eq!(mode(&to), 0o750);
        value(&desk.run(lane, copy("a", "b", false)));
        assert!(desk.get("b") == bytes);
        // The kernel says of it that it is empty.
        let ended = desk.run(lane, copy("/proc/self/limits", "c", false));
        assert!(value(&ended)["bytes"].as_u64().unwrap() > 0);
        assert!(desk.get("c").starts_with(b"Limit"));
        let ended = desk.run(lane, copy("missing", "x", false));
        let expected = format!(
            "cannot read {}: No such file or directory (os error 2)",
            desk.path("missing").display()
        );
        assert_eq!(error(&ended), expected);
        let ended = desk.run(lane, copy("a", "a", false));
        assert!(error(&ended).ends_with("onto itself"), "{ended:?}");
        fs::remove_dir_all(desk.path("d")).unwrap();
        fs::remove_file(desk.path("c")).unwrap();
        assert_eq!(desk.names(), ["a", "b"]);
    }
}

#[test]
fn progress_is_told_by_bytes() {
    let desk = Desk::new();
    let size = 40_u64 << 20;
    fs::File::create(desk.path("a"))
        .unwrap()
        .set_len(size)
        .unwrap();
    value(&desk.run(Lane::Cpu, compress("a", "a.zst", Compression::Zstd)));
    for work in [
        hash(&["a"], HashAlgorithm::Sha256, None),
        hash(&["a"], HashAlgorithm::Blake3, None),
        compress("a", "b", Compression::Zstd),
        compress("a", "b", Compression::Gzip),
    ] {
        let _earlier = desk.bench.mail.notes.try_iter().count();
        let ended = desk.run(Lane::Cpu, work.clone());
        let sources: Vec<_> = desk.bench.mail.notes.try_iter().collect();
        let notes = sources.iter().flat_map(|source| source.take());
        let fractions: Vec<f64> = notes
            .chain(ended.notes.clone())
            .filter_map(|note| note.progress.fraction)
            .collect();
        assert!(!fractions.is_empty(), "{work:?}");
        assert!(
            fractions.iter().all(|f| (0.0..1.0).contains(f)) && fractions.is_sorted(),
            "{work:?}: {fractions:?}"
        );
    }
}

#[test]
fn what_is_stopped_stops_soon_and_leaves_nothing() {
    let desk = Desk::new();
    // Holes: endless for a test, and nothing on the disk.
    let hole = |name: &str, size| {
        fs::File::create(desk.path(name))
            .unwrap()
            .set_len(size)
            .unwrap();
    };
    hole("hole", 1 << 42);
    hole("much", 1 << 30);
    value(&desk.run(Lane::Cpu, compress("much", "bomb.zst", Compression::Zstd)));
    let level = |level| FileWork::Compress {
        from: "hole".to_owned(),
        to: "out".to_owned(),
        format: Compression::Zstd,
        level: Some(level),
        keep: false,
    };
    let before = desk.names();
    let works = [
        hash(&["hole"], HashAlgorithm::Sha256, Some("SUMS")),
        hash(&["hole"], HashAlgorithm::Blake3, Some("SUMS")),
        compress("hole", "out", Compression::Gzip),
        level(1),
        level(22),
    ];
    for (n, work) in (10..).step_by(10).zip(works) {
        // The machine may be busy with anything at one moment, but not each time.
        let soonest = (0..3)
            .map(|again| {
                let task = desk.task(work.clone());
                let attempt = desk.bench.submit(n + again, Lane::Cpu, task);
                let over = desk.bench.mail.ends.recv_timeout(Duration::from_millis(30));
                assert!(over.is_err(), "{work:?}: {over:?}");
                let asked = desk.bench.clock.mono();
                desk.bench.lanes.stop(attempt);
                let ended = desk.bench.end();
                assert_eq!(ended.end.outcome, Outcome::Stopped, "{work:?}");
                assert_eq!(desk.names(), before);
                ended.end.measures.ended.mono.since(asked)
            })
            .min();
        assert!(
            soonest < Some(Duration::from_millis(100)),
            "{work:?}: {soonest:?}"
        );
    }
    for lane in Lane::ALL {
        let task = desk.task(copy("much", "out", false));
        let attempt = desk.bench.submit(900, lane, task);
        desk.bench.lanes.stop(attempt);
        let ended = desk.bench.end();
        assert_eq!(ended.end.outcome, Outcome::Stopped);
        assert_eq!(desk.names(), before);
    }
}

#[test]
fn arguments_stand_in_paths_and_texts() {
    let desk = Desk::new();
    desk.put("in/a*.txt", "abc");
    desk.put("in/ab.txt", "no");
    let args = json!({ "name": "a*", "n": 7 });
    let ended = desk.run_with(write("{name}.{n}", "{{{name}: {n}}}"), args.clone());
    value(&ended);
    assert_eq!(desk.get("a*.7"), b"{a*: 7}");
    // What an argument says is no pattern.
    let ended = desk.run_with(
        hash(&["in/{name}.*"], HashAlgorithm::Sha256, None),
        args.clone(),
    );
    assert_eq!(value(&ended)["files"], 1);
    value(&desk.run_with(copy("in/{name}.txt", "b", false), args.clone()));
    assert_eq!(desk.get("b"), b"abc");
    let ended = desk.run_with(write("{nmae}", ""), args);
    let expected = "the run has no argument `nmae`, which `{nmae}` needs";
    assert_eq!(error(&ended), expected);
    let ended = desk.run_with(write("in/{x}", ""), json!({ "x": "../../up" }));
    assert!(
        error(&ended).ends_with("leads out through `..`"),
        "{ended:?}"
    );
}

#[test]
fn what_reads_unpacks_and_copies_stops_soon_in_the_middle_of_it() {
    let desk = Desk::new();
    fs::File::create(desk.path("hole"))
        .unwrap()
        .set_len(1 << 42)
        .unwrap();
    // Each frame is a few bytes, and sixteen megabytes when it is unpacked.
    let frame = zstd::bulk::compress(&vec![0; 16 << 20], 1).unwrap();
    desk.put("bomb.zst", frame.repeat(4096));
    let before = desk.names();
    let read = TaskSpec::Read {
        path: desk.path("hole"),
    };
    let works = [
        (Lane::Io, read.clone()),
        (Lane::Cpu, read),
        (
            Lane::Cpu,
            desk.task(decompress("bomb.zst", "out", Compression::Zstd)),
        ),
        (Lane::Io, desk.task(copy("hole", "out", false))),
        (Lane::Cpu, desk.task(copy("hole", "out", false))),
    ];
    for (n, (lane, task)) in (10..).step_by(10).zip(works) {
        // The machine may be busy with anything at one moment, but not each time.
        let soonest = (0..5)
            .map(|again| {
                let attempt = desk.bench.submit(n + again, lane, task.clone());
                let over = desk.bench.mail.ends.recv_timeout(Duration::from_millis(30));
                assert!(over.is_err(), "{task:?}: {over:?}");
                let asked = desk.bench.clock.mono();
                desk.bench.lanes.stop(attempt);
                let ended = desk.bench.end();
                assert_eq!(ended.end.outcome, Outcome::Stopped, "{task:?}");
                ended.end.measures.ended.mono.since(asked)
            })
            .min();
        assert!(
            soonest < Some(Duration::from_millis(100)),
            "{task:?}: {soonest:?}"
        );
    }
    // What was in the making when the stop came goes a moment later.
    while desk.names() != before {
        std::thread::yield_now();
    }
}
