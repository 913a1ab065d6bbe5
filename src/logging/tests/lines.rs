//! Each kind of line in both formats, hostile values, levels and times.

use expect_test::expect;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use super::*;

#[test]
fn each_kind_in_text() {
    let job = job("computer");
    let told = told(Format::Text, "trace", &all_kinds(&job));
    expect![[r#"
        2024-05-15 18:29:19.702689 DEBUG opened
        2024-05-15 18:29:19.702689 DEBUG configured  jobs=1 pools=1 limits=1
        2024-05-15 18:29:19.702689 DEBUG run 3 computer: accepted  lane=cpu state=queued
        2024-05-15 18:29:19.702689 DEBUG run 3 computer: accepted  lane=cpu state=blocked
        2024-05-15 18:29:19.702689 DEBUG run 3 computer: accepted  lane=cpu state=scheduled
        2024-05-15 18:29:19.702689 DEBUG run 3 computer: released  lane=cpu state=queued
        2024-05-15 18:29:19.702689 DEBUG run 3 computer: released  lane=cpu
        2024-05-15 18:29:19.702689 DEBUG run 3 computer: due  lane=cpu state=queued
        2024-05-15 18:29:19.702689  INFO run 3 computer: started  lane=cpu attempt=1
        2024-05-15 18:29:19.702690  INFO run 3 computer: progress 25%  lane=cpu attempt=1 message="250000 of 1000000"
        2024-05-15 18:29:19.702690  INFO run 3 computer: progress 100%  lane=cpu attempt=1
        2024-05-15 18:29:19.702690  INFO run 3 computer: progress  lane=cpu attempt=1 message=busy
        2024-05-15 18:29:19.702690  INFO run 3 computer: progress  lane=cpu attempt=1
        2024-05-15 18:29:19.702689  INFO run 3 computer: stopping  lane=cpu attempt=1 reason="because its timeout passed"
        2024-05-15 18:29:19.702689  WARN run 3 computer: unresponsive  lane=cpu attempt=1 reason="it was asked to stop 10.000000s ago, because its timeout passed, and something of it still runs; its place in the lane is given to another run. hint: let it look at `is_cancelled()` or wait for `cancelled()`; with `isolate = true` it can be ended"
        2024-05-15 18:29:19.702689  INFO run 3 computer: finished  lane=cpu attempt=2 duration=7.010283s cpu=7.000001s late=312µs coalesced=4 result={"sum":-12.5}
        2024-05-15 18:29:19.702689  INFO run 3 computer: finished  lane=cpu attempt=2 duration=7.010283s cpu=7.000001s late=312µs coalesced=4
        2024-05-15 18:29:19.702689  WARN run 3 computer: failed  lane=cpu attempt=2 error="exited with code 3" error_kind=exit duration=7.010283s cpu=7.000001s late=312µs coalesced=4
        2024-05-15 18:29:19.702689  WARN run 3 computer: failed  lane=cpu attempt=2 error="not done within its timeout of 2s" error_kind=timeout duration=7.010283s cpu=7.000001s late=312µs coalesced=4
        2024-05-15 18:29:19.702689  WARN run 3 computer: failed  lane=cpu attempt=2 error="the daemon or the machine went down under it" error_kind=crash
        2024-05-15 18:29:19.702689  INFO run 3 computer: cancelled  lane=cpu attempt=2 reason="because the daemon shuts down" duration=7.010283s cpu=7.000001s late=312µs coalesced=4
        2024-05-15 18:29:19.702689  INFO run 3 computer: cancelled  lane=cpu reason="on request"
        2024-05-15 18:29:19.702689  INFO run 3 computer: skipped  lane=cpu reason="run 2 of `fetch`, which it comes after, did not succeed"
        2024-05-15 18:29:19.702689 DEBUG draining
    "#]].assert_eq(&told);
}

#[test]
fn each_kind_in_json() {
    let job = job("computer");
    let told = told(Format::Json, "trace", &all_kinds(&job));
    for line in told.lines() {
        let parsed: Value = serde_json::from_str(line).expect("each line is an object");
        assert!(parsed.is_object());
    }
    expect![[r#"
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::daemon","event":"opened"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::daemon","event":"configured","jobs":1,"pools":1,"limits":1}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::run","event":"accepted","job":"computer","run":3,"lane":"cpu","state":"queued"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::run","event":"accepted","job":"computer","run":3,"lane":"cpu","state":"blocked"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::run","event":"accepted","job":"computer","run":3,"lane":"cpu","state":"scheduled"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::run","event":"released","job":"computer","run":3,"lane":"cpu","state":"queued"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::run","event":"released","job":"computer","run":3,"lane":"cpu"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::run","event":"due","job":"computer","run":3,"lane":"cpu","state":"queued"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"started","job":"computer","run":3,"lane":"cpu","attempt":1,"state":"running"}
        {"time":"2024-05-15T18:29:19.702690+08:00","level":"INFO","target":"twolane::run","event":"progress","job":"computer","run":3,"lane":"cpu","attempt":1,"state":"running","fraction":0.25,"percent":25,"message":"250000 of 1000000"}
        {"time":"2024-05-15T18:29:19.702690+08:00","level":"INFO","target":"twolane::run","event":"progress","job":"computer","run":3,"lane":"cpu","attempt":1,"state":"running","fraction":1.0,"percent":100}
        {"time":"2024-05-15T18:29:19.702690+08:00","level":"INFO","target":"twolane::run","event":"progress","job":"computer","run":3,"lane":"cpu","attempt":1,"state":"running","message":"busy"}
        {"time":"2024-05-15T18:29:19.702690+08:00","level":"INFO","target":"twolane::run","event":"progress","job":"computer","run":3,"lane":"cpu","attempt":1,"state":"running"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"stopping","job":"computer","run":3,"lane":"cpu","attempt":1,"state":"stopping","reason":"because its timeout passed"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"WARN","target":"twolane::run","event":"unresponsive","job":"computer","run":3,"lane":"cpu","attempt":1,"state":"unresponsive","reason":"it was asked to stop 10.000000s ago, because its timeout passed, and something of it still runs; its place in the lane is given to another run. hint: let it look at `is_cancelled()` or wait for `cancelled()`; with `isolate = true` it can be ended"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"finished","job":"computer","run":3,"lane":"cpu","attempt":2,"state":"succeeded","duration":7.010283,"cpu":7.000001,"late":312,"coalesced":4,"result":{"sum":-12.5}}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"finished","job":"computer","run":3,"lane":"cpu","attempt":2,"state":"succeeded","duration":7.010283,"cpu":7.000001,"late":312,"coalesced":4}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"WARN","target":"twolane::run","event":"failed","job":"computer","run":3,"lane":"cpu","attempt":2,"state":"failed","error":"exited with code 3","error_kind":"exit","duration":7.010283,"cpu":7.000001,"late":312,"coalesced":4}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"WARN","target":"twolane::run","event":"failed","job":"computer","run":3,"lane":"cpu","attempt":2,"state":"failed","error":"not done within its timeout of 2s","error_kind":"timeout","duration":7.010283,"cpu":7.000001,"late":312,"coalesced":4}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"WARN","target":"twolane::run","event":"failed","job":"computer","run":3,"lane":"cpu","attempt":2,"state":"failed","error":"the daemon or the machine went down under it","error_kind":"crash"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"cancelled","job":"computer","run":3,"lane":"cpu","attempt":2,"state":"cancelled","reason":"because the daemon shuts down","duration":7.010283,"cpu":7.000001,"late":312,"coalesced":4}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"cancelled","job":"computer","run":3,"lane":"cpu","state":"cancelled","reason":"on request"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"skipped","job":"computer","run":3,"lane":"cpu","state":"skipped","reason":"run 2 of `fetch`, which it comes after, did not succeed"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"DEBUG","target":"twolane::daemon","event":"draining"}
    "#]].assert_eq(&told);
}

#[test]
fn own_texts_stand_alone_in_text() {
    let mut job = job("computer");
    job.messages = Messages {
        started: Some("普通计算密集型任务".into()),
        progress: Some("普通计算密集型任务正在执行".into()),
        finished: Some("普通计算密集型任务完成".into()),
        failed: None,
        cancelled: None,
    };
    let told = told(
        Format::Text,
        "info",
        &[
            started(&job),
            note(&job, Some(0.25), None),
            succeeded(&job, json!(1)),
        ],
    );
    expect![[r#"
        普通计算密集型任务: 2024-05-15 18:29:19.702689
        普通计算密集型任务正在执行: 2024-05-15 18:29:19.702690
        普通计算密集型任务完成: 2024-05-15 18:29:19.702689
    "#]]
    .assert_eq(&told);
}

#[test]
fn own_texts_with_placeholders() {
    let mut job = job("scan");
    let all = "{job} {run}.{attempt} {lane} {percent}% <{message}> <{result}> <{error}> {duration}";
    job.messages = Messages {
        started: Some(all.into()),
        progress: Some(all.into()),
        finished: Some(all.into()),
        failed: Some("{{{error}}} {unknown} {job".into()),
        cancelled: Some(all.into()),
    };
    let said = [
        started(&job),
        note(&job, Some(0.29), Some("{job}")),
        succeeded(&job, json!("a \"word\"")),
        succeeded(&job, json!({"sum": 1})),
        succeeded(&job, Value::Null),
        failed(&job, Failure::Exit(3)),
        stopped(&job, StopReason::Request),
        cancelled(&job),
    ];
    expect![[r#"
        scan 3.1 cpu % <> <> <> : 2024-05-15 18:29:19.702689
        scan 3.1 cpu 29% <{job}> <> <> : 2024-05-15 18:29:19.702690
        scan 3.2 cpu % <> <a "word"> <> 7.010283s: 2024-05-15 18:29:19.702689
        scan 3.2 cpu % <> <{"sum":1}> <> 7.010283s: 2024-05-15 18:29:19.702689
        scan 3.2 cpu % <> <> <> 7.010283s: 2024-05-15 18:29:19.702689
        {exited with code 3} {unknown} {job: 2024-05-15 18:29:19.702689
        scan 3.2 cpu % <> <> <> 7.010283s: 2024-05-15 18:29:19.702689
        scan 3. cpu % <> <> <> : 2024-05-15 18:29:19.702689
    "#]]
    .assert_eq(&told(Format::Text, "info", &said));
    let json = told(Format::Json, "info", &said[..2]);
    expect![[r#"
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"started","text":"scan 3.1 cpu % <> <> <> ","job":"scan","run":3,"lane":"cpu","attempt":1,"state":"running"}
        {"time":"2024-05-15T18:29:19.702690+08:00","level":"INFO","target":"twolane::run","event":"progress","text":"scan 3.1 cpu 29% <{job}> <> <> ","job":"scan","run":3,"lane":"cpu","attempt":1,"state":"running","fraction":0.29,"percent":29,"message":"{job}"}
    "#]].assert_eq(&json);
}

#[test]
fn hostile_values_stay_on_their_line() {
    let mut job = job("näme 作业");
    let hostile = "one\ntwo\r\t\x1b[2J\u{9b}31m \u{202e}left\u{2028} \"q\" back\\slash é 文";
    let own = |text: &str| Some(text.into());
    let said = [
        note(&job, None, Some(hostile)),
        failed(&job, Failure::Panic(hostile.into())),
        succeeded(&job, json!({ "a\nb": hostile })),
    ];
    expect![[r#"
        2024-05-15 18:29:19.702690  INFO run 3 näme 作业: progress  lane=cpu attempt=1 message="one\ntwo\r\t\u{1b}[2J\u{9b}31m \u{202e}left\u{2028} \"q\" back\\slash é 文"
        2024-05-15 18:29:19.702689  WARN run 3 näme 作业: failed  lane=cpu attempt=2 error="panicked: one\ntwo\r\t\u{1b}[2J\u{9b}31m \u{202e}left\u{2028} \"q\" back\\slash é 文" error_kind=panic duration=7.010283s cpu=7.000001s late=312µs coalesced=4
        2024-05-15 18:29:19.702689  INFO run 3 näme 作业: finished  lane=cpu attempt=2 duration=7.010283s cpu=7.000001s late=312µs coalesced=4 result={"a\nb":"one\ntwo\r\t\u001b[2J\u009b31m \u202eleft\u2028 \"q\" back\\slash é 文"}
    "#]].assert_eq(&told(Format::Text, "info", &said));
    let in_json = told(Format::Json, "info", &said);
    for line in in_json.lines() {
        let parsed: Value = serde_json::from_str(line).expect("each line is an object");
        let said = [
            &parsed["message"],
            &parsed["error"],
            &parsed["result"]["a\nb"],
        ];
        assert!(said.iter().any(|value| {
            value
                .as_str()
                .is_some_and(|value| value.trim_start_matches("panicked: ") == hostile)
        }));
    }
    expect![[r#"
        {"time":"2024-05-15T18:29:19.702690+08:00","level":"INFO","target":"twolane::run","event":"progress","job":"näme 作业","run":3,"lane":"cpu","attempt":1,"state":"running","message":"one\ntwo\r\t\u001b[2J\u009b31m \u202eleft\u2028 \"q\" back\\slash é 文"}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"WARN","target":"twolane::run","event":"failed","job":"näme 作业","run":3,"lane":"cpu","attempt":2,"state":"failed","error":"panicked: one\ntwo\r\t\u001b[2J\u009b31m \u202eleft\u2028 \"q\" back\\slash é 文","error_kind":"panic","duration":7.010283,"cpu":7.000001,"late":312,"coalesced":4}
        {"time":"2024-05-15T18:29:19.702689+08:00","level":"INFO","target":"twolane::run","event":"finished","job":"näme 作业","run":3,"lane":"cpu","attempt":2,"state":"succeeded","duration":7.010283,"cpu":7.000001,"late":312,"coalesced":4,"result":{"a\nb":"one\ntwo\r\t\u001b[2J\u009b31m \u202eleft\u2028 \"q\" back\\slash é 文"}}
    "#]].assert_eq(&in_json);

    job.messages.progress = own("a\n{message}");
    let said = [note(&job, None, Some("b\x1b]0;title\x07"))];
    expect![[r#"
        a\nb\u{1b}]0;title\u{7}: 2024-05-15 18:29:19.702690
    "#]]
    .assert_eq(&told(Format::Text, "info", &said));
}

#[test]
fn long_values_are_cut_and_counted() {
    let job = job("long");
    let long = "é".repeat(3000);
    let result = json!({ "text": long });
    let said = [note(&job, None, Some(&long)), succeeded(&job, result)];
    let text = told(Format::Text, "info", &said);
    assert!(text.lines().all(|line| line.len() < 5000));
    assert!(text.contains("é… (+1904 bytes)\""));
    let json = told(Format::Json, "info", &said);
    let last: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    let result = last["result"].as_str().expect("a string of its beginning");
    assert!(result.starts_with("{\"text\":\"éé") && result.ends_with("é…"));
    assert!(result.len() <= line::RESULT_BOUND + 3);
}

#[test]
fn diagnostics_of_other_targets() {
    let say = || {
        tracing::error!(target: "twolane::store", file = "a b", "cannot write {}", 7);
        tracing::warn!(target: "twolane::daemon", jobs = 3, "reloaded");
        tracing::info!(target: "elsewhere", at = 5_i64, event = "x", time = 1.5, level = true, "");
        tracing::info!(target: "elsewhere", nan = f64::NAN, debug = ?Some("x"), minus = -1);
    };
    expect![[r#"
        TIME ERROR twolane::store: cannot write 7  file="a b"
        TIME  WARN twolane::daemon: reloaded  jobs=3
        TIME  INFO elsewhere  at=5 event=x time=1.5 level=true
        TIME  INFO elsewhere  nan=NaN debug="Some(\"x\")" minus=-1
    "#]]
    .assert_eq(&without_time(&logged(
        settings(Format::Text, "info"),
        |_| say(),
    )));
    expect![[r#"
        {"time":"TIME","level":"ERROR","target":"twolane::store","message":"cannot write 7","file":"a b"}
        {"time":"TIME","level":"WARN","target":"twolane::daemon","message":"reloaded","jobs":3}
        {"time":"TIME","level":"INFO","target":"elsewhere","message":"","at":5,"event":"x","time_":1.5,"level_":true}
        {"time":"TIME","level":"INFO","target":"elsewhere","nan":null,"debug":"Some(\"x\")","minus":-1}
    "#]].assert_eq(&without_time(&logged(
        settings(Format::Json, "info"),
        |_| say(),
    )));
}

#[test]
fn levels_are_coloured_when_asked_for() {
    let painted = LogSettings {
        color: Color::Always,
        ..settings(Format::Text, "trace")
    };
    let told = logged(painted, |narrator| {
        let job = job("computer");
        for said in [accepted(&job, &[], None), started(&job), crashed(&job, 2)] {
            said.tell(narrator);
        }
    });
    expect![[r#"
        2024-05-15 18:29:19.702689 ESC[34mDEBUGESC[0m run 3 computer: accepted  lane=cpu state=queued
        2024-05-15 18:29:19.702689 ESC[32m INFOESC[0m run 3 computer: started  lane=cpu attempt=1
        2024-05-15 18:29:19.702689 ESC[33m WARNESC[0m run 3 computer: failed  lane=cpu attempt=2 error="the daemon or the machine went down under it" error_kind=crash
    "#]].assert_eq(&told.replace('\x1b', "ESC"));
}

#[test]
fn a_filter_decides_by_target_and_level() {
    let words = |filter: &str| {
        let told = told(Format::Json, filter, &all_kinds(&job("computer")));
        let words = told.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["event"].as_str().unwrap().to_owned()
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let all = words("trace");
    assert_eq!(all, words("debug"));
    expect!["opened configured accepted accepted accepted released released due started progress progress progress progress stopping unresponsive finished finished failed failed failed cancelled cancelled skipped draining"].assert_eq(&all);
    expect!["started progress progress progress progress stopping unresponsive finished finished failed failed failed cancelled cancelled skipped"].assert_eq(&words("info"));
    expect!["started progress progress progress progress stopping unresponsive finished finished failed failed failed cancelled cancelled skipped"].assert_eq(&words(""));
    expect!["unresponsive failed failed failed"].assert_eq(&words("warn"));
    expect!["started progress progress progress progress stopping unresponsive finished finished failed failed failed cancelled cancelled skipped"].assert_eq(&words("twolane::daemon=off,twolane::run=info,warn"));
    expect![[r#""#]].assert_eq(&words("error"));
    let bad = settings(Format::Text, "inof");
    let error = scoped(bad, Clock::start()).expect_err("no such level");
    expect!["`inof` is wrong in the log filter `inof`: a level is one of off, error, warn, info, debug, trace; write for example `info,twolane::lanes=debug`"].assert_eq(&error.to_string());
}

#[test]
fn times_before_and_beyond_the_calendar() {
    let stamp = |zone: TimeZone, at| {
        let stamps = Stamps::of(zone);
        let mut out = String::new();
        stamps.text(&mut out, Wall(at));
        out.push(' ');
        stamps.rfc3339(&mut out, Wall(at));
        out
    };
    let zone = |seconds| TimeZone::fixed(Offset::from_seconds(seconds).unwrap());
    expect!["1970-01-01 00:00:00.000000 1970-01-01T00:00:00.000000+00:00"]
        .assert_eq(&stamp(TimeZone::UTC, 0));
    expect!["1969-12-31 21:29:59.999999 1969-12-31T21:29:59.999999-02:30"]
        .assert_eq(&stamp(zone(-9000), -1));
    expect!["1970-01-01 00:19:32.000000 1970-01-01T00:00:00.000000+00:00"]
        .assert_eq(&stamp(zone(1172), 0));
    expect!["-9999-01-02 01:59:59.000000 -9999-01-02T01:59:59.000000+00:00"]
        .assert_eq(&stamp(TimeZone::UTC, i64::MIN));
    expect!["9999-12-30 22:00:00.999999 9999-12-30T22:00:00.999999+00:00"]
        .assert_eq(&stamp(TimeZone::UTC, i64::MAX));
}
