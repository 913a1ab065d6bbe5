//! The whole `twolane` program with functions of one's own for the task `call`:
//! `cargo run --release --example handlers -- run examples/handlers.toml`.

use std::process::ExitCode;

use serde_json::{Value, json};
use twolane::{App, Context, HandlerError, Handlers};

fn main() -> ExitCode {
    App::new(handlers()).main()
}

fn handlers() -> Handlers {
    Handlers::new().cpu("primes", primes).io("pause", pause)
}

/// Counts primes on the cpu lane; says how far it is, and stops when it is asked to.
fn primes(context: &Context, args: Value) -> Result<Value, HandlerError> {
    let below = args["below"]
        .as_u64()
        .ok_or("`below` has to be a whole number")?;
    let mut found = 0_u64;
    for n in 2..below {
        if n % 10_000 == 0 {
            context.check()?;
            context.progress(n as f64 / below as f64, format!("{found} so far"));
        }
        let is_prime = (2..).take_while(|d| d * d <= n).all(|d| n % d != 0);
        found += u64::from(is_prime);
    }
    Ok(json!({ "below": below, "primes": found }))
}

/// Waits on the io lane, where thousands of these cost nothing.
async fn pause(context: Context, args: Value) -> Result<Value, HandlerError> {
    let millis = args["millis"].as_u64().unwrap_or(100);
    context
        .sleep(std::time::Duration::from_millis(millis))
        .await?;
    Ok(Value::Null)
}
