//! Which class goes next. Classes with runs in line stand either in the open, or parked at a capacity
//! that lacked what they need when they were looked at; what comes free there brings the first of those
//! back that it is enough for. So an input costs the same however many classes there are.
//!
//! Who needs more than there is lets others pass at first. Once it has waited for one aging period, it
//! claims what it lacks: nothing that goes after it takes from there what it needs, until it has
//! started. So each class comes to its turn: the first of those with claims is hindered by nobody but
//! by what goes before it, and by what runs already.

mod loose;
mod shelves;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::capacity::{Capacity, CapacityId, Class, ClassId, Need};
use super::id::RunId;
use super::slots::Slots;
use super::time::Mono;
use loose::Loose;
use shelves::Shelves;

/// What stands at the head of a class: the next to start if the class has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    /// Lower goes first: when it was queued, earlier by one aging period for each level of priority.
    pub(super) rank: i64,
    pub(super) ticket: u64,
    pub(super) run: RunId,
    pub(super) since: Mono,
}

/// Where a class stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Open,
    /// At a capacity, among those that need as much of it.
    Parked(Need),
}

type Order = BTreeSet<(Head, ClassId)>;

/// All classes with runs in line, each in one place, ordered by their heads.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    /// By the index of the class.
    places: Vec<Option<(Head, Place)>>,
    open: Order,
    parked: Shelves,
    loose: Loose,
    /// When the heads of parked classes that others could pass for ever have waited for long enough.
    ageing: BTreeSet<(Mono, ClassId)>,
    aging: Duration,
    claims: Claims,
    wakes: Wakes,
    /// When it was last found that all that could start has started.
    settled: Option<Mono>,
}

/// It only orders what other tables say, and where it stands in that depends on what has been looked
/// at: two states are not different because of it. After a recovery claims are made anew.
impl PartialEq for Waiting {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What decisions are made from.
#[derive(Clone, Copy)]
pub(super) struct Stock<'a> {
    pub(super) all: &'a Slots<Capacity>,
    pub(super) classes: &'a Slots<Class>,
    pub(super) now: Mono,
}

/// What a class lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// It does not come by itself: the capacity is paused, or smaller than what is needed.
    Shut(Need),
    /// It comes with the time, or when others leave.
    Short(Need),
}

impl Waiting {
    /// Everything is to be looked at anew; who has waited for this long may claim.
    pub(super) fn reopen(&mut self, aging: Duration) {
        self.aging = aging;
        self.loose.clear();
        self.ageing.clear();
        self.claims = Claims::default();
        self.wakes.clear();
        self.settled = None;
        for (head, class) in std::mem::take(&mut self.parked).into_entries() {
            self.put(class, head, Place::Open);
        }
    }

    /// The head of a class is another one now, or there is none any more. Whether others may pass it for
    /// ever unless it claims, says `fragile`.
    pub(super) fn set_head(&mut self, class: ClassId, head: Option<Head>, fragile: bool) {
        let place = match self.place(class) {
            Some((old, _)) if Some(old) == head => return,
            Some((old, place)) => {
                self.unclaim(class, old);
                self.take(class, old, place);
                // The next one may have waited for long enough to claim, too.
                if fragile { Place::Open } else { place }
            }
            None => Place::Open,
        };
        if let Some(head) = head {
            self.put(class, head, place);
            // It may go before what is kept there, as the head before it did not.
            if let Place::Parked(need) = place
                && self.claims.are_at(need.capacity)
            {
                self.loose.add(need.capacity);
            }
        }
    }

    /// Something of this capacity came free.
    pub(super) fn freed(&mut self, capacity: CapacityId) {
        if !self.parked.at(capacity).is_empty() {
            self.loose.add(capacity);
        }
    }

    /// Something of this capacity was taken.
    pub(super) fn taken(&mut self, capacity: CapacityId) {
        self.changed(capacity);
    }

    /// The capacity has a rate, or has none any more.
    pub(super) fn set_rated(&mut self, capacity: CapacityId, rated: bool) {
        self.wakes.set_rated(capacity, rated);
    }

    /// The capacity was paused or resumed: all that wait there, or claim something while they need it,
    /// are looked at anew.
    pub(super) fn turned(&mut self, capacity: CapacityId, classes: &Slots<Class>) {
        let parked = self.parked.at(capacity).iter();
        let parked = parked.flat_map(|(_, order)| order);
        let mut all: Vec<ClassId> = parked.map(|(_, class)| *class).collect();
        let needs_it = |class: &ClassId| classes.get(class.0).needs_of(capacity).is_some();
        all.extend(self.claims.claimants().filter(needs_it));
        for class in all {
            self.look_anew(class);
        }
    }

    /// The next run to start: of the classes that may have what they need the first one that has it.
    /// Those that have not are parked where they lack something.
    pub(super) fn next(&mut self, stock: Stock<'_>) -> Option<RunId> {
        while let Some((at, class)) = self.ageing.first().copied()
            && at <= stock.now
        {
            self.ageing.pop_first();
            self.look_anew(class);
        }
        loop {
            let Some((head, class)) = self.first(stock) else {
                self.set_wakes(stock);
                self.settled = Some(stock.now);
                return None;
            };
            match self.lack(stock, class, &head) {
                None => return Some(head.run),
                Some(lack) => self.park(class, head, lack, stock),
            }
        }
    }

    /// What a run of this class that stands in the order like this lacks: first what does not come by
    /// itself, then tokens, which others need not be kept waiting for; the lane last, since whoever waits
    /// for a limit need not be looked at each time the lane moves.
    pub(super) fn lack(&self, stock: Stock<'_>, class: ClassId, head: &Head) -> Option<Lack> {
        let mut lack: Option<(bool, Need)> = None;
        for need in stock.classes.get(class.0).needs.iter().rev() {
            let capacity = stock.all.get(need.capacity.0);
            if capacity.is_shut(need.amount) {
                return Some(Lack::Shut(*need));
            }
            let (room, tokens) = self.claims.leave(capacity, *need, (head, class), stock.now);
            if !(room && tokens) && lack.is_none_or(|(first, _)| !first && !tokens) {
                lack = Some((!tokens, *need));
            }
        }
        lack.map(|(_, need)| Lack::Short(need))
    }

    /// Whose claim on this capacity goes before a run that stands in the order like this, and its amount.
    pub(super) fn claim_ahead(
        &self,
        capacity: CapacityId,
        head: &Head,
        class: ClassId,
    ) -> Option<(RunId, u32)> {
        self.claims.ahead(capacity, head, class)
    }

    /// When somebody who waits for tokens has them.
    pub(super) fn next_wake(&self) -> Option<Mono> {
        self.wakes.first()
    }

    /// Tokens have come that somebody waits for.
    pub(super) fn wake(&mut self, now: Mono) {
        while let Some(capacity) = self.wakes.pop(now) {
            self.loose.add(capacity);
        }
    }

    /// When it was last found that all that could start has started.
    pub(super) const fn settled(&self) -> Option<Mono> {
        self.settled
    }

    /// What a class is parked at, and how much of that is kept for others.
    pub(super) fn parked(&self, class: ClassId) -> Option<(Need, u32)> {
        let (head, place) = self.place(class)?;
        let Place::Parked(need) = place else {
            return None;
        };
        let ahead = self.claims.ahead(need.capacity, &head, class);
        Some((need, ahead.map_or(0, |(_, amount)| amount)))
    }

    /// The claims that are not made by the heads of parked classes: there are none.
    pub(super) fn strange_claim(&self) -> Option<(CapacityId, ClassId)> {
        let mut claims = self.claims.iter();
        claims
            .find(|(_, head, class)| {
                let place = self.place(*class);
                !matches!(place, Some((other, Place::Parked(_))) if other == **head)
            })
            .map(|(capacity, _, class)| (capacity, class))
    }

    /// Of the classes to be looked at the first one.
    fn first(&mut self, stock: Stock<'_>) -> Option<(Head, ClassId)> {
        let mut first = self.open.first().copied();
        let (parked, claims, wakes) = (&self.parked, &self.claims, &mut self.wakes);
        self.loose.retain(|capacity, known| {
            let look = || {
                let place = stock.all.get(capacity.0);
                let heads = parked.heads(capacity).filter(|(need, (head, class))| {
                    !place.is_shut(need.amount)
                        && claims.leave(place, *need, (head, *class), stock.now) == (true, true)
                });
                heads.map(|(_, entry)| entry).min()
            };
            let found = known.or_else(look);
            match (found, first) {
                (Some(found), Some(best)) => first = Some(best.min(found)),
                (Some(found), None) => first = Some(found),
                (None, _) => wakes.touch(capacity),
            }
            found
        });
        first
    }

    /// Parks a class where it lacks something. If it has waited for long enough it claims that.
    fn park(&mut self, class: ClassId, head: Head, lack: Lack, stock: Stock<'_>) {
        let Some((_, place)) = self.place(class) else {
            return;
        };
        self.take(class, head, place);
        let (Lack::Shut(need) | Lack::Short(need)) = lack;
        self.put(class, head, Place::Parked(need));
        if !stock.classes.get(class.0).is_fragile() {
            return;
        }
        let aged_at = head.since.plus(self.aging);
        match lack {
            // What it could not use for who knows how long is not kept from others.
            Lack::Shut(_) => self.unclaim(class, head),
            Lack::Short(need) if aged_at <= stock.now => {
                let amount = stock.all.get(need.capacity.0).takes(need.amount);
                self.claims.add(need.capacity, head, class, amount);
                self.changed(need.capacity);
            }
            Lack::Short(_) => {
                self.ageing.insert((aged_at, class));
            }
        }
    }

    /// Brings a class back into the open, without its claims.
    fn look_anew(&mut self, class: ClassId) {
        let Some((head, place)) = self.place(class) else {
            return;
        };
        self.unclaim(class, head);
        self.take(class, head, place);
        self.put(class, head, Place::Open);
    }

    fn unclaim(&mut self, class: ClassId, head: Head) {
        for capacity in self.claims.remove(head, class) {
            self.freed(capacity);
            self.wakes.touch(capacity);
        }
    }

    /// Finds out anew when the capacities whose tokens or lines have changed have what the first in one of
    /// their lines needs.
    fn set_wakes(&mut self, stock: Stock<'_>) {
        while let Some(capacity) = self.wakes.touched() {
            let place = stock.all.get(capacity.0);
            let heads = self.parked.heads(capacity);
            let ready = heads
                .filter_map(|(need, (head, class))| {
                    let ahead = self.claims.ahead(capacity, &head, class);
                    let ahead = ahead.map_or(0, |(_, amount)| amount);
                    let ready = place.ready_at(need.amount, ahead, stock.now)?;
                    (!place.paused && ready > stock.now).then_some(ready)
                })
                .min();
            self.wakes.set(capacity, ready);
        }
    }

    fn put(&mut self, class: ClassId, head: Head, place: Place) {
        let index = class.0 as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, None);
        }
        self.places[index] = Some((head, place));
        match place {
            Place::Open => {
                self.open.insert((head, class));
            }
            Place::Parked(need) => {
                self.parked.put(need, (head, class));
                self.changed(need.capacity);
            }
        }
    }

    fn take(&mut self, class: ClassId, head: Head, place: Place) {
        self.places[class.0 as usize] = None;
        match place {
            Place::Open => {
                self.open.remove(&(head, class));
            }
            Place::Parked(need) => {
                self.ageing.remove(&(head.since.plus(self.aging), class));
                self.parked.take(need, &(head, class));
                self.changed(need.capacity);
            }
        }
    }

    /// What is free of this capacity, or who waits for it, is not what it was.
    fn changed(&mut self, capacity: CapacityId) {
        self.loose.forget(capacity);
        self.wakes.touch(capacity);
    }

    fn place(&self, class: ClassId) -> Option<(Head, Place)> {
        *self.places.get(class.0 as usize)?
    }
}

/// Who is to have how much before all that go after it.
#[derive(Clone, Debug, Default)]
struct Claims {
    /// By the index of the capacity.
    at: Vec<BTreeMap<(Head, ClassId), u32>>,
    by: BTreeMap<ClassId, Vec<CapacityId>>,
}

impl Claims {
    fn add(&mut self, capacity: CapacityId, head: Head, class: ClassId, amount: u32) {
        let index = capacity.0 as usize;
        if index >= self.at.len() {
            self.at.resize_with(index + 1, BTreeMap::new);
        }
        if self.at[index].insert((head, class), amount).is_none() {
            self.by.entry(class).or_default().push(capacity);
        }
    }

    /// Takes all claims of a class away; where they were.
    fn remove(&mut self, head: Head, class: ClassId) -> Vec<CapacityId> {
        let capacities = self.by.remove(&class).unwrap_or_default();
        for capacity in &capacities {
            self.at[capacity.0 as usize].remove(&(head, class));
        }
        capacities
    }

    fn ahead(&self, capacity: CapacityId, head: &Head, class: ClassId) -> Option<(RunId, u32)> {
        let ((first, of), amount) = self.at.get(capacity.0 as usize)?.first_key_value()?;
        ((first, of) < (head, &class)).then_some((first.run, *amount))
    }

    fn are_at(&self, capacity: CapacityId) -> bool {
        let at = self.at.get(capacity.0 as usize);
        at.is_some_and(|at| !at.is_empty())
    }

    /// Whether a capacity has the places, and whether it has the tokens, for who stands in the order like
    /// this, beside what is kept for those before it.
    fn leave(
        &self,
        capacity: &Capacity,
        need: Need,
        who: (&Head, ClassId),
        now: Mono,
    ) -> (bool, bool) {
        let without = capacity.has(need.amount, 0, now);
        if without != (true, true) {
            return without;
        }
        match self.ahead(need.capacity, who.0, who.1) {
            Some((_, kept)) => capacity.has(need.amount, kept, now),
            None => without,
        }
    }

    fn claimants(&self) -> impl Iterator<Item = ClassId> {
        self.by.keys().copied()
    }

    fn iter(&self) -> impl Iterator<Item = (CapacityId, &Head, ClassId)> {
        let at = (0..).map(CapacityId).zip(&self.at);
        at.flat_map(|(capacity, at)| at.keys().map(move |(head, class)| (capacity, head, *class)))
    }
}

/// When capacities with a rate have the tokens that somebody waits for.
#[derive(Clone, Debug, Default)]
struct Wakes {
    /// By the index of the capacity.
    rated: Vec<bool>,
    /// Those that have changed since it was last looked.
    touched: BTreeSet<CapacityId>,
    ordered: BTreeSet<(Mono, CapacityId)>,
    of: BTreeMap<CapacityId, Mono>,
}

impl Wakes {
    fn clear(&mut self) {
        self.touched.clear();
        self.ordered.clear();
        self.of.clear();
    }

    fn set_rated(&mut self, capacity: CapacityId, rated: bool) {
        let index = capacity.0 as usize;
        if index >= self.rated.len() {
            self.rated.resize(index + 1, false);
        }
        let before = std::mem::replace(&mut self.rated[index], rated);
        if before && !rated {
            self.touched.remove(&capacity);
            self.set(capacity, None);
        }
    }

    fn touch(&mut self, capacity: CapacityId) {
        if self.rated.get(capacity.0 as usize) == Some(&true) {
            self.touched.insert(capacity);
        }
    }

    fn touched(&mut self) -> Option<CapacityId> {
        self.touched.pop_first()
    }

    fn set(&mut self, capacity: CapacityId, at: Option<Mono>) {
        if let Some(before) = self.of.remove(&capacity) {
            self.ordered.remove(&(before, capacity));
        }
        if let Some(at) = at {
            self.of.insert(capacity, at);
            self.ordered.insert((at, capacity));
        }
    }

    fn first(&self) -> Option<Mono> {
        self.ordered.first().map(|(at, _)| *at)
    }

    fn pop(&mut self, now: Mono) -> Option<CapacityId> {
        let (at, capacity) = *self.ordered.first()?;
        if at > now {
            return None;
        }
        self.set(capacity, None);
        self.touched.insert(capacity);
        Some(capacity)
    }
}
