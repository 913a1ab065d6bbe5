//! Functions that misbehave, and some that do not.

use std::hint::black_box;
use std::time::Duration;

use serde_json::{Value, json};
use twolane::clock::Clock;
use twolane::engine::time::Mono;
use twolane::{App, Context, HandlerError, Handlers};

/// The program with these functions.
pub(crate) fn app() -> App {
    let handlers = Handlers::new()
        .cpu("overflow", |_, _| done(deeper(1)))
        .cpu("abort", |_, _| -> Result<Value, HandlerError> {
            std::process::abort()
        })
        .cpu("quit", |_, _| -> Result<Value, HandlerError> { quit(3) })
        .cpu("leave", |_, _| -> Result<Value, HandlerError> { quit(0) })
        .cpu("panic", |_, _| -> Result<Value, HandlerError> {
            panic!("as agreed")
        })
        .cpu("deaf", deaf)
        .cpu("good", |_, args| done(args))
        .cpu("stops", |context, _| {
            std::fs::write(pid_file(), std::process::id().to_string())?;
            context.sleep_blocking(Duration::from_secs(86_400))?;
            done(Value::Null)
        })
        .cpu("talk", talk)
        .io("waits", |context, _| async move {
            context.sleep(Duration::from_millis(20)).await?;
            done(json!("waited"))
        })
        // As somebody's code may do, where it should wait with `.await`.
        .io("blocks", |context, _| async move {
            while !context.is_cancelled() {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            context.check()?;
            done(Value::Null)
        })
        .io("naps", |_, _| async move {
            until_passed(Duration::from_millis(1_200));
            done(Value::Null)
        })
        .io("echo", |context: Context, _| async move {
            let mut all = Vec::new();
            while let Some(value) = context.receive().await? {
                all.push(value);
            }
            done(Value::Array(all))
        });
    App::new(handlers)
}

#[expect(clippy::unnecessary_wraps, reason = "what a handler gives back")]
fn done(value: impl Into<Value>) -> Result<Value, HandlerError> {
    Ok(value.into())
}

/// Where a function writes the number of its process.
fn pid_file() -> String {
    std::env::var("TWOLANE_PID_FILE").unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what somebody's code may do is what is tested"
)]
fn quit(code: i32) -> ! {
    std::process::exit(code)
}

/// Needs more stack than there is.
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 1024]);
    if depth == u64::MAX {
        return room[0];
    }
    deeper(depth + 1) + black_box(room)[1023]
}

/// Blocks the thread for so long.
fn until_passed(duration: Duration) {
    let clock = Clock::start();
    while clock.mono().since(Mono(0)) < duration {
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Looks at no cancel token, ever.
fn deaf(_: &Context, _: Value) -> Result<Value, HandlerError> {
    std::fs::write(pid_file(), std::process::id().to_string())?;
    loop {
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

fn talk(context: &Context, args: Value) -> Result<Value, HandlerError> {
    context.progress(0.25, "a quarter");
    context.progress(None, "only \"words\"\nin two lines");
    context.progress(1.0, "");
    Ok(json!({ "given": args, "n": -0.1, "text": "缩略图" }))
}
