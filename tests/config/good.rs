//! What is good is taken as it is meant.

use std::time::Duration;

use serde_json::json;
use twolane::config::Jobs;
use twolane::engine::files::{Compression, FileWork, HashAlgorithm};
use twolane::engine::schedule::{Fold, Gap, MissedPolicy, Overlap};
use twolane::engine::spec::{JobSpec, Lane, Start, TaskSpec};

use crate::read;

fn good(text: &str) -> Jobs {
    let (jobs, report) = read(&[("jobs.toml", text)]);
    jobs.unwrap_or_else(|| panic!("{}", report.render(false)))
}

fn job(text: &str) -> JobSpec {
    let jobs = good(text);
    let last = jobs.order.last().unwrap();
    jobs.definitions.jobs[last].as_ref().clone()
}

#[test]
fn every_key_of_a_job_arrives() {
    let job = job(
        "[pools.p]\nlane = \"cpu\"\nsize = 2\n[limits.m]\nsize = 1\n[limits.n]\nsize = 3\n\
         [jobs.first]\nsleep = \"1s\"\n\
         [jobs.all]\ncompute = { outer = 1_000, inner = 0x10, report_every = 100 }\nlane = \"cpu\"\n\
         pool = \"p\"\nlimits = [\"n\", \"m\", \"n\"]\npriority = -3\ndelay = \"1m\"\n\
         timeout = \"1h30m\"\nafter = \"first\"\nstart = \"boot\"\n\
         messages = { started = \"{job} {{\", cancelled = \"no\" }\n",
    );
    assert_eq!(
        job.task,
        TaskSpec::Compute {
            outer: 1_000,
            inner: 16,
            report_every: Some(100)
        }
    );
    assert_eq!((job.lane, job.pool.as_deref()), (Lane::Cpu, Some("p")));
    assert_eq!(
        job.limits
            .iter()
            .map(|(name, n)| (&**name, n))
            .collect::<Vec<_>>(),
        [("m", 1), ("n", 1)]
    );
    assert_eq!(job.priority.level(), -3);
    assert_eq!(job.delay, Duration::from_secs(60));
    assert_eq!(job.timeout, Some(Duration::from_secs(5400)));
    assert_eq!(&*job.after[0], "first");
    assert_eq!(job.start, Start::Boot);
    assert_eq!(job.messages.started.as_deref(), Some("{job} {{"));
    assert_eq!(job.messages.cancelled.as_deref(), Some("no"));
}

#[test]
fn the_lane_is_what_the_task_is_for_unless_said_otherwise() {
    for (text, lane) in [
        ("[jobs.a]\nsleep = \"1s\"", Lane::Io),
        ("[jobs.a]\nsleep = \"1s\"\nlane = \"cpu\"", Lane::Cpu),
        ("[jobs.a]\nread = \"x\"", Lane::Io),
        ("[jobs.a]\ncompute = { outer = 1, inner = 1 }", Lane::Cpu),
        ("[jobs.a]\nhash = \"x\"", Lane::Cpu),
        ("[jobs.a]\ncompress = \"x\"", Lane::Cpu),
        ("[jobs.a]\nwrite = \"x\"", Lane::Io),
        (
            "[jobs.a]\ncopy = { from = \"x\", to = \"y\" }\nlane = \"cpu\"",
            Lane::Cpu,
        ),
        ("[jobs.a]\ncall = \"resize\"", Lane::Cpu),
        ("[jobs.a]\ncall = \"fetch\"\nlane = \"io\"", Lane::Io),
        (
            "[pools.p]\nlane = \"cpu\"\nsize = 1\n[jobs.a]\nread = \"x\"\npool = \"p\"",
            Lane::Cpu,
        ),
    ] {
        assert_eq!(job(text).lane, lane, "{text}");
    }
}

#[test]
fn a_call_takes_any_toml_as_arguments() {
    let job = job("[jobs.a.call]\nhandler = \"resize\"\n\
         args = { n = -1, x = 0.5, yes = true, list = [1, \"a\", { b = 2 }], day = 2026-11-21 }\n");
    let TaskSpec::Call { handler, args } = job.task else {
        panic!("a call");
    };
    assert_eq!(&*handler, "resize");
    let list = json!([1, "a", { "b": 2 }]);
    assert_eq!(
        args,
        json!({ "n": -1, "x": 0.5, "yes": true, "list": list, "day": "2026-11-21" })
    );
}

#[test]
fn work_on_files_says_what_is_not_said() {
    let check = |text: &str, expected: FileWork| {
        let task = job(&format!(
            "[jobs.a]\nparams.p = {{ type = \"any\" }}\n{text}"
        ))
        .task;
        let TaskSpec::File(task) = task else {
            panic!("work on files: {text}");
        };
        assert!(task.directory.is_absolute());
        assert_eq!(task.work, expected, "{text}");
    };
    let name = |text: &str| text.to_owned();
    let hash = |file: &str, algorithm, manifest: Option<&str>| FileWork::Hash {
        files: vec![name(file)],
        algorithm,
        manifest: manifest.map(name),
    };
    check("hash = 'a{p}'", hash("a{p}", HashAlgorithm::Sha256, None));
    check(
        "hash = { files = ['a'], algorithm = 'blake3', manifest = 'm' }",
        hash("a", HashAlgorithm::Blake3, Some("m")),
    );
    let compress = |to: &str, format, level, keep| FileWork::Compress {
        from: name("a"),
        to: name(to),
        format,
        level,
        keep,
    };
    let (zstd, gzip) = (Compression::Zstd, Compression::Gzip);
    check("compress = 'a'", compress("a.zst", zstd, None, true));
    check(
        "compress = { from = 'a', to = 'b.gz', level = 9, keep = false }",
        compress("b.gz", gzip, Some(9), false),
    );
    check(
        "compress = { from = 'a', format = 'gzip' }",
        compress("a.gz", gzip, None, true),
    );
    let decompress = |from: &str, to: &str, format, max_bytes| FileWork::Decompress {
        from: name(from),
        to: name(to),
        format,
        keep: true,
        max_bytes,
    };
    check(
        "decompress = 'a.gz'",
        decompress("a.gz", "a", gzip, 1 << 40),
    );
    check(
        "decompress = { from = 'a', to = 'b', format = 'zstd', max_bytes = 7 }",
        decompress("a", "b", zstd, 7),
    );
    let write = |text: &str, append, mode, make_dirs| FileWork::Write {
        to: name("a"),
        text: name(text),
        append,
        mode,
        make_dirs,
    };
    check("write = 'a'", write("", false, None, false));
    check(
        "write = { to = 'a', text = 't', append = true, mode = '0640', make_dirs = true }",
        write("t", true, Some(0o640), true),
    );
}

#[test]
fn paths_are_taken_from_the_directory_of_their_file() {
    let (jobs, _) = read(&[(
        "/etc/twolane/jobs.d/a.toml",
        "[jobs.a]\nread = \"in/x.txt\"",
    )]);
    let TaskSpec::Read { path } = &jobs.unwrap().definitions.jobs["a"].task else {
        panic!("a read");
    };
    assert_eq!(path.to_str(), Some("/etc/twolane/jobs.d/in/x.txt"));
}

#[test]
fn jobs_are_known_in_the_order_of_the_files() {
    let (jobs, _) = read(&[
        (
            "z.toml",
            "[jobs.z]\nsleep = \"1s\"\nafter = \"m\"\n[jobs.b]\nsleep = \"1s\"",
        ),
        (
            "a.toml",
            "[jobs.m]\nsleep = \"1s\"\n[jobs.a]\nsleep = \"1s\"",
        ),
    ]);
    let order: Vec<String> = jobs
        .unwrap()
        .order
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(order, ["z", "b", "m", "a"]);
}

#[test]
fn a_pool_larger_than_its_lane_is_a_warning() {
    let (jobs, report) = read(&[("a.toml", "[pools.p]\nlane = \"cpu\"\nsize = 3")]);
    assert!(jobs.is_some());
    assert_eq!(
        report.lines(),
        [
            "a.toml:3:8: pool `p` has 3 places, and the cpu lane only 2 \
          (hint: the setting `lanes.cpu.workers` makes the lane larger)"
        ]
    );
}

#[test]
fn a_time_that_the_clocks_do_not_show_once_is_a_warning() {
    let told = |at: &str| {
        let text =
            format!("[jobs.a]\nsleep = '1s'\nschedule = {{ at = {at}, tz = 'Europe/Berlin' }}");
        let (jobs, report) = read(&[("a.toml", &text)]);
        assert!(jobs.is_some() && report.errors() == 0, "{at}");
        report.lines()
    };
    assert_eq!(
        told("2027-03-28T02:30:00"),
        [
            "a.toml:3:19: the clocks of Europe/Berlin skip 2027-03-28T02:30:00: it is taken for 2027-03-28T01:30:00Z \
             (hint: write the one that is meant, as in `at = 2027-03-28T01:30:00Z`)"
        ]
    );
    assert_eq!(
        told("2027-10-31T02:30:00"),
        [
            "a.toml:3:19: the clocks of Europe/Berlin show 2027-10-31T02:30:00 twice: it is taken for \
             2027-10-31T00:30:00Z (hint: write the one that is meant, as in `at = 2027-10-31T00:30:00Z`)"
        ]
    );
    for at in [
        "2027-03-28T01:30:00",
        "2027-03-28T02:30:00Z",
        "2027-10-31T02:30:00+01:00",
        "2027-03-28",
    ] {
        assert!(told(at).is_empty(), "{at}");
    }
}

#[test]
fn a_schedule_is_a_text_a_table_or_several() {
    let schedules = |text: &str| job(&format!("[jobs.a]\nsleep = '1s'\n{text}")).schedules;
    let shown = |text: &str| {
        let all = schedules(text);
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let berlin = "tz = 'Europe/Berlin'";
    assert_eq!(shown(""), [""; 0]);
    assert_eq!(
        shown(&format!("schedule = {{ cron = '@daily', {berlin} }}")),
        ["@daily Europe/Berlin"]
    );
    assert_eq!(
        shown("schedule = [{ every = '90s' }, { at = 2026-12-24T18:00:00Z }]"),
        ["every 1m 30s", "at 2026-12-24T18:00:00Z"]
    );
    let all = schedules(&format!(
        "schedule = {{ cron = '*/5 * * * *', {berlin}, dst = {{ gap = 'at-transition', fold = 'first' }}, \
         missed = {{ policy = 'all', window = '12h', max = 7 }}, overlap = 'queue', jitter = '10m', \
         blackout = ['22:00-06:00', 'Sun'], from = 2026-12-01, until = 2027-01-01T12:00:00+03:00 }}"
    ));
    let [schedule] = &all[..] else {
        panic!("one: {all:?}");
    };
    assert_eq!(
        (schedule.gap, schedule.fold),
        (Gap::AtTransition, Fold::First)
    );
    assert_eq!(schedule.missed.policy, MissedPolicy::All);
    assert_eq!(schedule.missed.window, Some(Duration::from_secs(43_200)));
    assert_eq!(schedule.missed.max, 7);
    assert_eq!(schedule.overlap, Overlap::Queue);
    assert_eq!(schedule.jitter, Duration::from_secs(600));
    assert_eq!(schedule.blackout.len(), 2);
    let micros = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    // A date is the midnight with which it begins, in the zone.
    assert_eq!(schedule.from.unwrap().0, micros("2026-11-30T23:00:00Z"));
    assert_eq!(schedule.until.unwrap().0, micros("2027-01-01T09:00:00Z"));
}
