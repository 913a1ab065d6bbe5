//! The ledger that the jobs write, and the evidence for the checker: what clients were told, what the jobs wrote down,
//! and the store.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use twolane::api::wire::{Status, Submitted};
use twolane::clock::Clock;
use twolane::engine::outcome::{Failure, Interruption};
use twolane::engine::spec::CRASHES_BOUND;
use twolane::engine::time::Mono;
use twolane::{App, Context, HandlerError, Handlers};

use crate::check::facts::{Left, Run, What};
use crate::check::{Evidence, Expectations, Place, check};
use crate::clients::{Answer, Told};
use crate::daemon::Daemon;

/// Far longer than what is left takes.
const LIMIT: Duration = Duration::from_secs(120);

/// The jobs that keep the ledger: all of them.
const JOBS: [&str; 5] = ["again", "compute", "once", "short", "tick"];

/// The program with functions that write a line when they start and one when they end.
pub(crate) fn ledger_app() -> App {
    let io = |context: Context, args: Value| async move {
        mark("start", &context, &args, "");
        tokio::task::yield_now().await;
        mark("end", &context, &args, " 0");
        Ok::<_, HandlerError>(json!({ "did": args["id"] }))
    };
    let cpu = |context: &Context, args: Value| {
        mark("start", context, &args, "");
        mark("end", context, &args, " 0");
        Ok::<_, HandlerError>(json!({ "did": args["id"] }))
    };
    App::new(Handlers::new().io("io-mark", io).cpu("cpu-mark", cpu))
}

/// One line, in one write, so that no two are mixed; its form is told in the checker's `ledger.rs`.
fn mark(what: &str, context: &Context, args: &Value, rc: &str) {
    let path = std::env::var("TWOLANE_LEDGER").unwrap();
    let line = format!(
        "{what} {} {} {} {}{rc}\n",
        context.run().unwrap(),
        context.attempt().unwrap(),
        args["id"].as_str().unwrap_or("-"),
        std::process::id(),
    );
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// Waits until nothing is left to do.
pub(crate) fn settle(daemon: &Daemon) {
    let clock = Clock::start();
    while daemon.client().get::<Status>("/status").unwrap().unfinished > 0 {
        assert!(
            clock.mono().since(Mono(0)) < LIMIT,
            "runs are left unfinished"
        );
        std::thread::yield_now();
    }
}

/// Asks once more under each seventh key, which has to mean the same run still.
pub(crate) fn ask_again(daemon: &Daemon, told: &mut [Told]) {
    let client = daemon.client();
    for told in told.iter_mut().step_by(7) {
        let body = json!({ "job": told.job, "key": told.key, "args": { "id": told.key } });
        let submitted: Submitted = client.post("/runs", &body).unwrap();
        told.answers.push(Answer::Run(submitted.run));
    }
}

/// Has the checker look at everything, when the daemon has left; what there was, in words.
pub(crate) fn verdict(daemon: &Daemon, told: &[Told], cycles: u64) -> String {
    let place = Place::within(daemon.place());
    std::fs::write(&place.clients, lines(told)).unwrap();
    let evidence = Evidence::read(&place).unwrap();
    let mut expectations = Expectations {
        ledger_jobs: JOBS.map(str::to_owned).into(),
        ..Expectations::default()
    };
    for what in ["acknowledged", "starts", "ends"] {
        expectations.at_least(&format!("{what}={cycles}")).unwrap();
    }
    let report = check(&evidence, &expectations);
    assert!(report.violated().is_empty(), "{report}");
    let runs = || evidence.log.runs.values();
    for (id, run) in &evidence.log.runs {
        // Nothing here fails by itself.
        let last = run.steps.last().map(|step| &step.what);
        let is_known = matches!(
            last,
            Some(What::Left(
                _,
                Left::Succeeded | Left::Failed(Failure::Crash | Failure::Crashes(_))
            ))
        );
        assert!(is_known || run.unrun.is_some(), "run {id}: {:?}", run.steps);
    }
    let count = |is: fn(&Run) -> bool| runs().filter(|run| is(run)).count();
    let resent = told.iter().filter(|told| told.is_resent()).count();
    format!(
        "{report}; {resent} sent again, {} tried again ({} of them were announced and have no start on \
         record), {} failed because they must not be done twice, or went down {CRASHES_BOUND} times and \
         once more, {} of slots",
        count(|run| attempts(run) > 1),
        count(|run| left(run).any(|left| *left == Left::Interrupted(Interruption::Unsure))),
        count(|run| left(run)
            .any(|left| matches!(left, Left::Failed(Failure::Crash | Failure::Crashes(_))))),
        count(|run| run.slot.is_some() && run.unrun.is_none()),
    )
}

/// How the attempts of a run have left their lanes.
fn left(run: &Run) -> impl Iterator<Item = &Left> {
    run.steps.iter().filter_map(|step| match &step.what {
        What::Left(_, left) => Some(left),
        What::Accepted | What::Started(_) | What::Over(_) | What::Retried => None,
    })
}

fn attempts(run: &Run) -> usize {
    left(run).count()
}

/// What clients were told, in the form that the checker reads.
fn lines(told: &[Told]) -> String {
    let mut lines = String::new();
    for told in told {
        for answer in &told.answers {
            let mut line = json!({ "key": told.key, "job": told.job });
            match answer {
                Answer::Run(run) => line["run"] = json!(run),
                Answer::Refused(status) => line["refused"] = json!(status),
                Answer::Unknown => line["unknown"] = json!(true),
            }
            lines.push_str(&format!("{line}\n"));
        }
    }
    lines
}
