//! Whatever begins is known as begun before anybody else sees anything of it.

use std::path::Path;
use std::sync::OnceLock;

use twolane::lanes::{Begun, Life};

use super::*;

/// Has the job's number in the daemon's file, with all the zeros before it, when it looks itself.
fn looks(file: &Path, number: u64) -> Invocation {
    let script = format!("grep -q {number:020} {}", file.display());
    Invocation::Shell(script.into())
}

fn order(job: &JobSpec, number: u64) -> StartOrder {
    StartOrder {
        attempt: id(number),
        job: Arc::new(job.clone()),
        args: Some(Arc::new(json!({ "number": number }))),
        number,
        announced: None,
    }
}

#[test]
fn whatever_begins_is_known_as_begun_before_anybody_sees_it() {
    let Ok(place) = tempfile::tempdir_in("/dev/shm") else {
        return println!("not tested: there is no /dev/shm (mount -t tmpfs tmpfs /dev/shm)");
    };
    let file = place.path().join("me.begun");
    let life = Life {
        name: "me",
        epoch: 1,
        newest: 0,
    };
    let begun = Arc::new(Begun::open(place.path(), life).unwrap());
    // What is begun, for the functions, which are given their numbers.
    let job_now = Arc::new(OnceLock::<[JobSpec; 2]>::new());
    let (theirs, jobs) = (Arc::clone(&begun), Arc::clone(&job_now));
    let look = move |lane: usize, args: &Value| {
        let number = args["number"].as_u64().unwrap();
        let is_known = theirs.may_have(&jobs.get().unwrap()[lane], number);
        Ok::<_, HandlerError>(json!({ "exit": i32::from(!is_known) }))
    };
    let on_cpu = look.clone();
    let handlers = Handlers::new()
        .io("io-look", move |_, args| std::future::ready(look(0, &args)))
        .cpu("cpu-look", move |_, args| on_cpu(1, &args));
    let outside = Outside {
        begun: Some(Arc::clone(&begun)),
        helper: env!("CARGO_BIN_EXE_twolane").into(),
        ..Outside::default()
    };
    let call =
        |name: &str, lane| JobSpec::new("job".into(), lane, super::super::support::call(name));
    let called = [call("io-look", Lane::Io), call("cpu-look", Lane::Cpu)];
    job_now.set(called.clone()).unwrap();
    let bench = Bench::inside(LaneSettings::default(), handlers, outside);
    let script = |number| Some(Box::new(step(looks(&file, number))));
    let duration = Duration::ZERO;
    let sleeps = || JobSpec::new("job".into(), Lane::Io, TaskSpec::Sleep { duration });
    let [on_io, on_cpu] = called;
    let rows: [&dyn Fn(u64) -> JobSpec; 7] = [
        &|number| job_of(looks(&file, number), Lane::Io),
        &|number| job_of(looks(&file, number), Lane::Cpu),
        &|_| on_io.clone(),
        &|_| on_cpu.clone(),
        &|_| sleeps(),
        &|number| JobSpec {
            setup: script(number),
            ..sleeps()
        },
        &|number| JobSpec {
            teardown: script(number),
            ..sleeps()
        },
    ];
    for (number, row) in (1..).zip(rows) {
        let job = row(number);
        assert!(!begun.may_have(&job, number), "{job:?}");
        bench.lanes.submit(order(&job, number)).unwrap();
        let end = bench.end().end;
        assert!(begun.may_have(&job, number), "{job:?}");
        let Outcome::Succeeded(result) = &end.outcome else {
            panic!("{job:?}: {:?}", end.outcome);
        };
        assert_eq!(
            result.get("exit").unwrap_or(&json!(0)),
            &json!(0),
            "{job:?}"
        );
        assert_eq!(end.teardown, None, "{job:?}");
    }
}
