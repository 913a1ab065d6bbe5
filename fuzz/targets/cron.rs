//! Any text as an expression of cron: a mistake has its place in the text; and of one that is read, each time
//! comes after the one before, and nothing comes between.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twolane::engine::schedule::Cron;

fuzz_target!(|input: (i64, &str)| {
    let (from, text) = input;
    match Cron::parse(text) {
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{:?}", error.span);
            assert!(!error.to_string().is_empty());
        }
        Ok(cron) => {
            assert_eq!(Cron::parse(cron.text()).as_ref(), Ok(&cron));
            // A few centuries around today, where there is always another time.
            let mut at = from % 10_000_000_000;
            for _ in 0..8 {
                let Some(next) = cron.next(at) else {
                    break;
                };
                assert!(next > at);
                let middle = at + (next - at) / 2;
                assert_eq!(cron.next(middle.min(next - 1)), Some(next));
                at = next;
            }
        }
    }
});
