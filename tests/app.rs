//! The program with functions of one's own. Alone in its binary, since it is a whole program: it sets
//! up the log and takes the signals of its process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use twolane::cli::Exit;
use twolane::{App, Context, HandlerError, Handlers};

#[test]
fn jobs_call_registered_functions_with_their_arguments() {
    let sum = Arc::new(AtomicU64::new(0));
    let add = {
        let sum = Arc::clone(&sum);
        move |_: &Context, args: Value| {
            let n = args["n"].as_u64().ok_or("`n` is no number")?;
            sum.fetch_add(n, Ordering::SeqCst);
            Ok::<_, HandlerError>(json!(n))
        }
    };
    let fail = |_: Context, _: Value| async { Err::<Value, HandlerError>("as agreed".into()) };
    let handlers = Handlers::new().cpu("add", add).io("fail", fail);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jobs.toml");
    let jobs = "[jobs.a]\ncall = { handler = \"add\", args = { n = 40 } }\n\
                [jobs.b]\ncall = { handler = \"add\", args = { n = 2 } }\nafter = \"a\"\n\
                [jobs.c]\ncall = \"fail\"\n[jobs.d]\ncall = \"add\"\nafter = \"c\"\n";
    std::fs::write(&file, jobs).unwrap();
    let exit = App::new(handlers).with_args(["twolane", "run", file.to_str().unwrap()]);
    assert_eq!(exit, Exit::RunFailed, "c fails, and so d is skipped");
    assert_eq!(sum.load(Ordering::SeqCst), 42);
}
