//! Whoever has asked for something and is not answered yet. An answer goes out only when what it
//! rests on is committed.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::action::Answer;
use crate::engine::id::CallerId;
use crate::inbox::{Reply, Told};

/// Callers by number, and answers that wait for a commit.
#[derive(Default)]
pub(super) struct Callers {
    last: u64,
    open: BTreeMap<CallerId, Open>,
    /// Answers that are known, each with the number of the batch that it waits for; in order.
    held: VecDeque<(u64, Reply, Told)>,
}

struct Open {
    reply: Reply,
    answers: Vec<Answer>,
    expected: usize,
}

impl Callers {
    /// A number that nobody had before.
    pub(super) fn number(&mut self) -> CallerId {
        self.last += 1;
        CallerId(self.last)
    }

    /// Takes in somebody who gets so many answers from the engine, 1 or more, in one go.
    pub(super) fn open(&mut self, expected: usize, reply: Reply) -> CallerId {
        let caller = self.number();
        let answers = Vec::with_capacity(expected);
        self.open.insert(
            caller,
            Open {
                reply,
                answers,
                expected,
            },
        );
        caller
    }

    /// An answer of the engine whose facts are committed.
    pub(super) fn answer(&mut self, caller: CallerId, answer: Answer) {
        let Some(open) = self.open.get_mut(&caller) else {
            return;
        };
        open.answers.push(answer);
        if open.answers.len() == open.expected
            && let Some(open) = self.open.remove(&caller)
        {
            (open.reply)(Told::Answers(open.answers));
        }
    }

    /// Answers when the batch of this number is committed.
    pub(super) fn hold(&mut self, batch: u64, reply: Reply, told: Told) {
        self.held.push_back((batch, reply, told));
    }

    /// All batches up to this one are committed.
    pub(super) fn committed(&mut self, number: u64) {
        while self.held.front().is_some_and(|(at, ..)| *at <= number)
            && let Some((_, reply, told)) = self.held.pop_front()
        {
            reply(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::engine::id::RunId;

    #[test]
    fn each_caller_gets_all_answers_at_once_and_none_of_another() {
        let mut callers = Callers::default();
        let (told, hear) = mpsc::channel();
        let reply = |name: &'static str| -> Reply {
            let told = told.clone();
            Box::new(move |answer| _ = told.send((name, answer)))
        };
        let two = callers.open(2, reply("two"));
        let one = callers.open(1, reply("one"));
        callers.answer(two, Answer::Cancelled(RunId(1)));
        callers.answer(one, Answer::Cancelled(RunId(2)));
        assert_eq!(hear.try_recv().map(|(name, _)| name), Ok("one"));
        assert!(hear.try_recv().is_err(), "one answer of two is none");
        callers.answer(two, Answer::Cancelled(RunId(3)));
        let (name, told) = hear.try_recv().expect("both answers are there");
        assert_eq!(name, "two");
        assert!(matches!(told, Told::Answers(answers) if answers.len() == 2));
    }

    #[test]
    fn what_is_held_waits_for_its_batch() {
        let mut callers = Callers::default();
        let (told, hear) = mpsc::channel();
        for batch in [3, 5] {
            let told = told.clone();
            callers.hold(batch, Box::new(move |_| _ = told.send(batch)), Told::Done);
        }
        callers.committed(2);
        assert!(hear.try_recv().is_err());
        callers.committed(4);
        assert_eq!(hear.try_iter().collect::<Vec<_>>(), [3]);
        callers.committed(9);
        assert_eq!(hear.try_iter().collect::<Vec<_>>(), [5]);
    }
}
