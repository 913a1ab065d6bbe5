//! Turns of the loop, one by one, with a log that commits when the test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use serde_json::Value;

use super::*;
use crate::daemon::outbox::UNCOMMITTED_BOUND;
use crate::daemon::signals::{SignalPort, signal_channels};
use crate::daemon::supervisor::Phase;
use crate::engine::StateKind;
use crate::engine::id::{AttemptId, RunId};
use crate::engine::input::{Submission, SubmitItem};
use crate::engine::spec::{Definitions, JobSpec, Lane, Name, TaskSpec};
use crate::inbox::{Ask, Note, Reply, Request, Told, Unable};
use crate::lanes::{Handlers, LaneSettings, Outside, Stopped};

/// A log that commits nothing by itself.
struct HeldLog {
    commits: (Sender<u64>, Receiver<u64>),
}

impl FactLog for HeldLog {
    fn append(&mut self, _: u64, _: &Arc<[Record]>, _: Haste) {}

    fn commits(&self) -> Receiver<u64> {
        self.commits.1.clone()
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// Counts the facts that are published.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u64>>>);

impl Observer for Seen {
    fn record(&mut self, record: &Record) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(record.number);
    }

    fn note(&mut self, _: &Note) {}
}

struct Rig {
    turn: Turn,
    commit: Sender<u64>,
    signal: SignalPort,
    seen: Seen,
}

fn rig(patience: Patience) -> Rig {
    let clock = Clock::start();
    let handlers = Handlers::new().io("gone", |context, _| async move {
        context.cancelled().await;
        Err::<Value, _>(Stopped)
    });
    let settings = LaneSettings {
        io_threads: 1,
        io_concurrency: 2,
        cpu_workers: 1,
        ..LaneSettings::default()
    };
    let lanes = AttemptLanes::start(settings, Arc::new(handlers), clock, Outside::default())
        .expect("lanes start");
    let (commit, commits) = unbounded();
    let (signal, signals) = signal_channels();
    let seen = Seen::default();
    let definitions = Arc::new(definitions());
    let turn = Turn::new(Parts {
        unbegun: BTreeSet::new(),
        engine: Engine::new(Arc::clone(&definitions)),
        definitions,
        requests: never(),
        lanes,
        log: Box::new(HeldLog {
            commits: (commit.clone(), commits),
        }),
        clock,
        signals,
        supervisor: Supervisor::default(),
        observers: vec![Box::new(seen.clone())],
        reader: None,
        patience,
        until_done: true,
        meters: Meters::new(),
    });
    Rig {
        turn,
        commit,
        signal,
        seen,
    }
}

/// Two jobs on an io lane of two: one that waits an hour, one that waits to be stopped.
fn definitions() -> Definitions {
    let job = |name: &str, task| {
        let name = Name::from(name);
        let job = JobSpec::new(Name::clone(&name), Lane::Io, task);
        (name, Arc::new(job))
    };
    let duration = Duration::from_secs(3600);
    Definitions {
        io_concurrency: 2,
        jobs: BTreeMap::from([
            job("wait", TaskSpec::Sleep { duration }),
            job(
                "gone",
                TaskSpec::Call {
                    handler: "gone".into(),
                    args: Value::Null,
                },
            ),
        ]),
        ..Definitions::empty(1)
    }
}

fn submit(job: &str) -> Input {
    Input::Submit(Submission {
        key: None,
        items: vec![SubmitItem::of(&job.into())],
        caller: None,
    })
}

impl Rig {
    fn seen(&self) -> Vec<u64> {
        self.seen
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn input(&mut self, input: Input) {
        self.turn.apply(input);
        self.turn.commit();
    }

    fn turn(&mut self) {
        self.turn.wait();
        self.turn.commit();
    }
}

#[test]
fn promise_1_nothing_happens_before_its_fact_is_committed() {
    let mut rig = rig(Patience::Stop(Duration::ZERO));
    rig.input(submit("wait"));
    rig.input(submit("wait"));
    assert_eq!(
        (rig.turn.lanes.live(), rig.seen()),
        (0, vec![]),
        "nothing is committed"
    );
    rig.commit.send(1).expect("the loop listens");
    rig.turn();
    assert_eq!(
        (rig.turn.lanes.live(), rig.seen()),
        (1, vec![1, 2]),
        "the first batch is"
    );
    rig.commit.send(2).expect("the loop listens");
    rig.turn();
    assert_eq!(
        (rig.turn.lanes.live(), rig.seen()),
        (2, vec![1, 2, 3, 4]),
        "both are"
    );
}

#[test]
fn a_log_that_hangs_lets_nothing_in_but_the_end() {
    let mut rig = rig(Patience::Stop(Duration::ZERO));
    rig.input(submit("wait"));
    rig.commit.send(1).expect("the loop listens");
    rig.turn();
    assert_eq!(rig.turn.lanes.live(), 1);
    for _ in 1..=UNCOMMITTED_BOUND {
        rig.input(submit("wait"));
    }
    rig.turn.lanes.stop(AttemptId {
        run: RunId(1),
        epoch: 1,
    });
    rig.signal
        .end
        .send(EndSignal::Terminate)
        .expect("there is room");
    while !rig.turn.is_over() {
        rig.turn();
    }
    assert_eq!(rig.turn.engine.active_count(), 2, "no end was taken in");
    assert!(
        rig.turn.outbox.len() <= UNCOMMITTED_BOUND + 3,
        "{}",
        rig.turn.outbox.len()
    );
    let seen = rig.seen.clone();
    let farewell = rig.turn.leave();
    assert_eq!(farewell.asked, Some(EndSignal::Terminate));
    let seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner).len();
    assert_eq!(
        seen, 2,
        "what is not committed is told to nobody, not even at the end"
    );
}

#[test]
fn on_a_full_disk_whoever_asks_is_answered_also_where_much_waits() {
    let mut rig = rig(Patience::Stop(Duration::ZERO));
    let (requests, asked) = unbounded();
    rig.turn.requests = asked;
    for _ in 0..=UNCOMMITTED_BOUND {
        rig.input(submit("wait"));
    }
    rig.turn.troubled(Trouble::Full {
        why: "full".to_owned(),
    });
    let held = rig.turn.outbox.len();
    for (ask, is_told) in [
        (Ask::Status, true),
        (Ask::Jobs, false),
        (Ask::Drain, false),
        (Ask::Reload, false),
        (Ask::Cancel(RunId(1), false), false),
        (Ask::Submit(Vec::new()), false),
    ] {
        let (sender, answers) = unbounded();
        let words = format!("{ask:?}");
        let reply: Reply = Box::new(move |told| sender.send(told).expect("somebody listens"));
        let by = None;
        requests
            .send(Request { ask, by, reply })
            .expect("the loop listens");
        rig.turn();
        let told = answers.try_recv().expect(&words);
        let refused = matches!(told, Told::Unable(Unable::StoreFull));
        assert_eq!(refused, !is_told, "{words}");
    }
    assert_eq!(rig.turn.outbox.len(), held, "nothing more waits");
}

#[test]
fn the_way_down_asks_what_runs_to_stop_and_cancels_what_waits() {
    let mut rig = rig(Patience::Stop(Duration::from_secs(3600)));
    for _ in 0..3 {
        rig.input(submit("gone"));
    }
    rig.commit.send(3).expect("the loop listens");
    rig.turn();
    assert_eq!(rig.turn.lanes.live(), 2);
    rig.signal
        .end
        .send(EndSignal::Interrupt)
        .expect("there is room");
    let mut batches = 3;
    while !rig.turn.is_over() {
        // Everything is committed as soon as it is handed over.
        rig.turn();
        batches += 1;
        rig.commit.send(batches).expect("the loop listens");
    }
    let status = rig.turn.engine.status();
    let count = |kind| {
        status
            .counts
            .iter()
            .find(|(k, _)| *k == kind)
            .map(|(_, n)| *n)
    };
    assert_eq!(
        count(StateKind::Cancelled),
        Some(3),
        "two that ran and one that waited"
    );
    let farewell = rig.turn.leave();
    assert_eq!(farewell.asked, Some(EndSignal::Interrupt));
    assert_eq!(farewell.late, []);
}

#[test]
fn leaving_at_once_still_asks_what_runs_to_stop() {
    let mut rig = rig(Patience::Drain(Duration::from_secs(3600)));
    rig.input(submit("wait"));
    rig.commit.send(1).expect("the loop listens");
    rig.turn();
    for _ in 0..2 {
        rig.signal
            .end
            .send(EndSignal::Terminate)
            .expect("there is room");
    }
    while !rig.turn.is_over() {
        rig.turn();
    }
    assert_eq!(rig.turn.asked, Some(EndSignal::Terminate));
    let farewell = rig.turn.leave();
    assert_eq!(
        farewell.late,
        [],
        "it stopped when it was asked to, at the last moment"
    );
}

/// Nothing else may happen for hours, and the status line would say it all that time.
#[test]
fn the_service_manager_is_told_when_trouble_comes_and_when_it_goes() {
    let (ours, _theirs) = std::os::unix::net::UnixDatagram::pair().expect("a pair of sockets");
    let mut rig = rig(Patience::Stop(Duration::ZERO));
    rig.turn.supervisor = Supervisor::on(ours, None).expect("it tells");
    let troubles = [
        Trouble::Full {
            why: "full".to_owned(),
        },
        Trouble::Recovered,
    ];
    for (hour, trouble) in (1..).zip(troubles) {
        // What came before was told long ago.
        let now = Mono(hour * 3_600_000_000_000);
        rig.turn.supervisor.look(now, Phase::Ready, String::new);
        assert_eq!(
            rig.turn.supervisor.deadline(),
            None,
            "nothing is left to tell"
        );
        rig.turn.troubled(trouble);
        assert!(rig.turn.supervisor.deadline().is_some(), "it is to be told");
    }
}
