//! The way of lines to the thread that writes them: bounded, and small while nothing waits.

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::WAITING_BOUND;
use super::writer::Item;

/// Where items are handed in.
///
/// The channel below takes its memory as it is needed: one that is made with a bound takes it at once, more than
/// a megabyte for what waits only where the disk does not keep up. So the bound is looked at here. As many more
/// than that may get in as threads look at the same moment.
#[derive(Clone, Debug)]
pub(super) struct Port(Sender<Item>);

/// Both ends.
pub(super) fn port() -> (Port, Receiver<Item>) {
    let (sender, receiver) = unbounded();
    (Port(sender), receiver)
}

impl Port {
    /// Hands an item in without waiting.
    ///
    /// # Errors
    /// With the item, if as many wait as may, or nobody takes them any more.
    pub(super) fn offer(&self, item: Item) -> Result<(), Item> {
        if self.0.len() >= WAITING_BOUND {
            return Err(item);
        }
        self.0.send(item).map_err(|back| back.0)
    }

    /// The last item, for which there always is room.
    pub(super) fn end(&self) {
        // Who has gone already needs to be told nothing.
        let _ = self.0.send(Item::End);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::RunId;

    #[test]
    fn as_many_wait_as_may_and_the_end_finds_room() {
        let (port, items) = port();
        for run in 0..WAITING_BOUND as u64 {
            assert!(port.offer(Item::Over(RunId(run))).is_ok(), "item {run}");
        }
        assert!(matches!(
            port.offer(Item::Gone(RunId(7))),
            Err(Item::Gone(RunId(7)))
        ));
        port.end();
        assert_eq!(items.len(), WAITING_BOUND + 1);
        assert!(items.try_recv().is_ok());
        assert!(items.try_recv().is_ok());
        assert!(
            port.offer(Item::Gone(RunId(7))).is_ok(),
            "there is room again"
        );
        drop(items);
        assert!(port.offer(Item::Gone(RunId(7))).is_err(), "nobody is there");
    }
}
