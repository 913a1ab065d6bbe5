//! The `twolane` program: parses the command line, calls the command, returns its exit code.

fn main() {}
