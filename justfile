# Short names for what is done often. `just --list` shows them; `just ci` is exactly what CI runs.

binary := env("CARGO_TARGET_DIR", "target") / "release/twolane"

# The list of recipes.
default:
    @just --list

# All that has to hold before a change lands.
ci:
    .ci/run

# Does it compile?
check:
    cargo check --all-targets --locked

# Sets the code in form.
fmt:
    cargo fmt --all

# What the compiler and clippy have to say, documentation included.
lint:
    cargo fmt --all --check
    cargo clippy --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# All tests, or those whose name contains FILTER.
test *FILTER:
    cargo test --locked {{ FILTER }}

# The rules of the house alone: a few milliseconds.
tidy:
    cargo test --locked --test tidy

# Licences, sources and versions of what we depend on.
deny:
    cargo deny --locked check bans licenses sources

# Both lanes at work: two computations and a wait of 20 s.
demo:
    cargo run --release --locked -- run config/demo.toml

# The optimised binary.
release:
    cargo build --release --locked

# What only this machine's clock, memory and scheduler can tell.
quick: release
    tests/e2e/quick {{ binary }}

# The unit file: is it right, and how much of the system does it expose?
unit:
    tests/e2e/systemd-unit

# The service on a systemd that is booted for it, as root: serve, survive, socket, journal, groups, doctor, sandbox.
service NAME="serve": release
    TWOLANE_BIN={{ binary }} tests/systemd/{{ NAME }}

# The Debian package, in target/debian.
deb:
    packaging/deb

# Inputs a second of the bare engine.
bench-engine:
    cargo bench --locked --bench engine

# Lateness of a 1 ms timer beside a busy cpu lane.
bench-isolation:
    cargo bench --locked --bench isolation

# Calls a second through the cpu lane, one after the other and a thousand at once.
bench-handoff:
    cargo bench --locked --bench handoff

# What a queue of a million runs costs: memory, commands, a restart, the rate of starts.
bench-depth:
    cargo bench --locked --bench depth

# What logging costs the thread that logs.
bench-logging:
    cargo bench --locked --bench logging
