//! What commands write and read, and what is sent to them.

use super::*;

#[test]
fn promise_9_lines_are_whole_and_what_is_not_kept_is_counted() {
    let shop = Shop::open();
    shop.run(shell(
        "printf 'one\\ntwo'; printf 'err\\n' >&2; printf '\\n\\377\\0x'",
    ));
    assert_eq!(shop.out(), "one\ntwo\n\u{fffd}\0x\n");
    assert_eq!(shop.said(OutStream::Err).0, "err\n");

    // One line of 300,000 bytes: its beginning, and how much is missing of it.
    let shop = Shop::open();
    shop.run(shell(
        "head -c 300000 /dev/zero | tr '\\0' x; echo; echo next",
    ));
    let out = shop.out();
    let (long, next) = out.split_once('\n').unwrap();
    assert_eq!(next, "next\n");
    let kept = long.bytes().take_while(|byte| *byte == b'x').count();
    let dropped = 300_000 - kept;
    assert!(kept >= 1000 && long.ends_with(&format!(" [{dropped} bytes of this line dropped]")));

    // Far more than is kept: the beginning, the end, and the count of all in between.
    let shop = Shop::open();
    let lines: u64 = 8_000_000;
    shop.run(shell(&format!(
        "echo first; yes | head -n {lines}; echo last"
    )));
    let (out, missing) = shop.said(OutStream::Out);
    assert!(out.starts_with("first\ny\n") && out.ends_with("y\nlast\n"));
    assert!(
        missing.bytes > 0 && out.len() < 8 << 20,
        "{} bytes kept",
        out.len()
    );
    assert_eq!(
        out.len() as u64 + missing.bytes,
        2 * lines + "first\nlast\n".len() as u64
    );
    assert_eq!(out.lines().count() as u64 + missing.lines, lines + 2);
}

#[test]
fn what_comes_in_small_pieces_goes_no_faster_than_what_comes_in_large_ones() {
    let shop = Shop::open();
    let began = shop.bench.clock.mono();
    let job = shell("yes | head -c 30000000 | dd ibs=512 obs=512 2>/dev/null");
    assert_eq!(shop.run(job).end.outcome, done(0));
    let seconds = shop.bench.clock.mono().since(began).as_secs_f64();
    let (out, missing) = shop.said(OutStream::Out);
    assert_eq!(out.len() as u64 + missing.bytes, 30_000_000);
    // The beginning at any speed, so much a second, and the end.
    let most = f64::from(1 << 20) + seconds * f64::from(256 << 10) + f64::from(64 << 10);
    assert!(
        out.len() as f64 <= most,
        "{} bytes in {seconds} s, of {most} at most",
        out.len()
    );
}

#[test]
fn that_the_last_words_found_no_room_is_told() {
    let shop = Shop::open();
    shop.run(shell("echo no room for this"));
    let (out, missing) = shop.said(OutStream::Out);
    assert_eq!((out.as_str(), missing.lines, missing.bytes), ("", 1, 17));
}

#[test]
fn a_command_reads_what_it_is_given() {
    let shop = Shop::open();
    let long = "0123456789\n".repeat(50_000);
    shop.run(but(shell("wc -c"), |c| {
        c.stdin = Stdin::Text(long.as_str().into())
    }));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("in");
    fs::write(&file, "from a file\n").unwrap();
    shop.run(but(exec(&["cat"]), |c| c.stdin = Stdin::File(file)));
    shop.run(exec(&["cat"]));
    // Not all that is given need be read.
    let ended = shop.run(but(shell("exit 0"), |c| {
        c.stdin = Stdin::Text(long.as_str().into())
    }));
    assert_eq!(ended.end.outcome, done(0));
    assert_eq!(shop.out(), format!("{}\nfrom a file\n", long.len()));
}

#[test]
fn what_is_sent_is_delivered_or_it_is_said_why_not() {
    let shop = Shop::with(
        Handlers::new()
            .io("adds", |context, _| async move {
                let mut sum = 0;
                while let Some(value) = context.receive().await? {
                    sum += value.as_i64().ok_or("no number")?;
                }
                Ok::<_, HandlerError>(json!(sum))
            })
            .cpu("echoes", |context, _| {
                let first = context.receive_blocking()?;
                Ok::<_, Stopped>(json!(first))
            }),
    );
    let send = |attempt: AttemptId, value: Option<Value>| {
        let (answer, told) = channel();
        shop.bench.lanes.send(
            attempt,
            value,
            Box::new(move |result| answer.send(result).unwrap()),
        );
        told.recv_timeout(LIMIT).unwrap()
    };
    let open = |script: &str| but(shell(script), |c| c.stdin = Stdin::Open);
    let attempt = shop.begin(
        open("while read -r line; do echo \"<$line>\"; done; echo end"),
        None,
    );
    assert_eq!(send(attempt, Some(json!("hello"))), Ok(()));
    shop.wait_for("<hello>");
    assert_eq!(send(attempt, Some(json!({ "n": 1 }))), Ok(()));
    assert_eq!(send(attempt, None), Ok(()));
    assert_eq!(shop.bench.end().end.outcome, done(0));
    assert_eq!(shop.out(), "<hello>\n<{\"n\":1}>\nend\n");
    // Its end is told a moment before it is taken from the list.
    let late = send(attempt, Some(json!("late")));
    assert!(
        matches!(late, Err(Refused::NotThere | Refused::Ended)),
        "{late:?}"
    );

    let attempt = shop.begin(shell("sleep 1000"), None);
    assert_eq!(send(attempt, Some(json!("x"))), Err(Refused::TakesNothing));
    shop.bench.lanes.stop(attempt);
    shop.bench.end();

    let call = |name: &str, lane| JobSpec::new("job".into(), lane, crate::support::call(name));
    let attempt = shop.begin(call("adds", Lane::Io), None);
    for n in 1..=100 {
        assert_eq!(send(attempt, Some(json!(n))), Ok(()));
    }
    assert_eq!(send(attempt, None), Ok(()));
    assert_eq!(crate::support::value(&shop.bench.end()), &json!(5050));
    let attempt = shop.begin(call("echoes", Lane::Cpu), None);
    assert_eq!(send(attempt, Some(json!(["x"]))), Ok(()));
    assert_eq!(crate::support::value(&shop.bench.end()), &json!(["x"]));
}

#[test]
fn a_question_without_an_end_of_line_is_heard_before_it_is_answered() {
    let shop = Shop::open();
    let ask = "printf 'name? '; read name; echo; echo \"hello $name\"; printf 'rest'";
    let job = but(shell(ask), |command| command.stdin = Stdin::Open);
    let attempt = shop.begin(job, None);
    shop.wait_for("name? ");
    let (sender, answers) = channel();
    let answer = Box::new(move |told| sender.send(told).unwrap());
    shop.bench.lanes.send(attempt, Some("you".into()), answer);
    assert_eq!(answers.recv_timeout(LIMIT), Ok(Ok(())));
    assert_eq!(shop.bench.end().end.outcome, done(0));
    // The end of its line, which comes later, is no line of its own.
    assert_eq!(shop.out(), "name? \nhello you\nrest\n");
}
