//! Mistakes that can be switched on, to test the tests: built with `--features bugs`, the program is wrong in
//! the way that the environment names, and a named test has to find it (`tests/zoo`). Without that feature
//! `bug!` is `false` before anything is compiled. Knows nothing of what it spoils.

/// All of them. Each stands in the code once, as `bug!("NAME")`, and in the table of `tests/zoo`.
#[cfg(feature = "bugs")]
const ALL: &[&str] = &[
    "acknowledged-before-the-commit",
    "attempt-too-many",
    "backfill-unbounded",
    "backlog-all-at-once",
    "batch-half-answered",
    "begun-unmarked",
    "buried-group",
    "cancel-between-two-looks",
    "cancelled-before-it-began",
    "damage-overlooked",
    "dependent-of-a-failure",
    "due-forgotten",
    "end-unheard-among-the-dead",
    "epoch-commit-unheard",
    "epoch-lost",
    "fence-unchecked",
    "fold-fires-twice",
    "gap-fires-never",
    "gap-in-the-chain",
    "goes-on-after-a-cancel",
    "group-kill-only",
    "half-made-given-up",
    "hash-unchecked",
    "idle-told-too-early",
    "key-forgotten",
    "key-of-what-was-joined",
    "last-words-lost",
    "limit-kept-after-a-stop",
    "lock-taken-away",
    "losses-uncounted",
    "lost-end-overlooked",
    "lost-end-told-early",
    "lost-store-made-anew",
    "made-and-not-synced",
    "newer-format-opened",
    "not-synchronous",
    "old-part-counts",
    "overlap-ignored",
    "panic-keeps-its-place",
    "pause-forgotten",
    "released-before-the-commit",
    "renamed-and-not-synced",
    "roles-ignored",
    "second-daemon",
    "secret-in-two-pieces",
    "slot-forgotten",
    "stale-end-counts",
    "stop-without-teardown",
    "strays-forgotten",
    "sync-tried-again",
    "timeout-by-the-wall-clock",
    "too-deep-is-kept",
    "torn-down-by-leaving",
    "unbegun-counts",
    "unbegun-times-out",
    "unfair",
    "unique-forgotten",
    "unseen-part-succeeds",
    "weights-are-one",
    "woken-at-the-first-step",
];

/// Whether the program is to be wrong in this way.
#[cfg(not(feature = "bugs"))]
macro_rules! bug {
    ($name:literal) => {
        false
    };
}
#[cfg(feature = "bugs")]
macro_rules! bug {
    ($name:literal) => {
        crate::bugs::is_on($name)
    };
}

/// Whether `TWOLANE_BUG` names this one. A name that is none would test nothing, and ends the program.
#[cfg(feature = "bugs")]
pub(crate) fn is_on(name: &str) -> bool {
    static ON: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| {
        let on = std::env::var("TWOLANE_BUG").ok()?;
        assert!(ALL.contains(&&*on), "there is no bug `{on}`");
        Some(on)
    });
    assert!(ALL.contains(&name), "`{name}` is in no list");
    ON.as_deref() == Some(name)
}
