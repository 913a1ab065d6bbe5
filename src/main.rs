//! The `twolane` program: what the library's command line does, without handlers of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    twolane::App::new(twolane::Handlers::new()).main()
}
