//! Everything of which there is a limited number: the lanes, the pools inside them, and the limits
//! across them. Runs that need the same ones form a class and wait in the lines of that class, so
//! that a decision looks at classes, not at runs.

use std::collections::BTreeMap;
use std::fmt;

use super::id::RunId;
use super::line::{Entry, Line};
use super::spec::{Definitions, JobSpec, Lane, Name, Priority};
use super::time::Mono;

/// What a capacity is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapacityName {
    /// A lane as a whole.
    Lane(Lane),
    /// A named part of a lane.
    Pool(Name),
    /// A named semaphore.
    Limit(Name),
}

impl fmt::Display for CapacityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane(lane) => write!(f, "lane `{lane}`"),
            Self::Pool(name) => write!(f, "pool `{name}`"),
            Self::Limit(name) => write!(f, "limit `{name}`"),
        }
    }
}

/// Index of a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CapacityId(u32);

/// Index of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassId(u32);

/// A number of places, some of them taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Capacity {
    pub(super) name: CapacityName,
    pub(super) size: u32,
    pub(super) used: u32,
    /// The classes that need it.
    classes: Vec<ClassId>,
}

/// Runs that need the same capacities.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    /// Sorted.
    pub(super) needs: Box<[CapacityId]>,
    /// A line for each priority in use.
    lines: BTreeMap<Priority, Line>,
    /// Unfinished runs of this class, waiting or not.
    pub(super) runs: usize,
    /// Whether the next dispatch looks at it.
    touched: bool,
}

/// The capacities and the classes, each naming the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Capacities {
    /// `None`: free for the next new one.
    all: Vec<Option<Capacity>>,
    by_name: BTreeMap<CapacityName, CapacityId>,
    classes: Vec<Option<Class>>,
    by_needs: BTreeMap<Box<[CapacityId]>, ClassId>,
    /// The classes that are touched.
    touched: Vec<ClassId>,
}

/// What stands at the head of a class: the next to start if the class has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    /// Lower goes first: when it was queued, earlier by one aging period for each level of priority.
    rank: i64,
    ticket: u64,
    pub(super) run: RunId,
}

impl Capacities {
    /// Takes the sizes from `definitions`, and lets go of what no definition and no run needs.
    pub(super) fn configure(&mut self, definitions: &Definitions) {
        for index in 0..self.classes.len() {
            if self.classes[index]
                .as_ref()
                .is_some_and(|class| class.runs == 0)
            {
                self.retire_class(index);
            }
        }
        for lane in Lane::ALL {
            self.set(CapacityName::Lane(lane), definitions.lane_size(lane));
        }
        for (name, pool) in &definitions.pools {
            self.set(CapacityName::Pool(Name::clone(name)), pool.size);
        }
        for (name, limit) in &definitions.limits {
            self.set(CapacityName::Limit(Name::clone(name)), limit.size);
        }
        for index in 0..self.all.len() {
            let gone = self.all[index].as_ref().is_some_and(|capacity| {
                capacity.classes.is_empty()
                    && match &capacity.name {
                        CapacityName::Lane(_) => false,
                        CapacityName::Pool(name) => !definitions.pools.contains_key(name),
                        CapacityName::Limit(name) => !definitions.limits.contains_key(name),
                    }
            });
            if gone && let Some(capacity) = self.all[index].take() {
                self.by_name.remove(&capacity.name);
            }
        }
    }

    /// The class of the runs of `job`, made if there is none yet.
    pub(super) fn class_of(&mut self, job: &JobSpec) -> ClassId {
        let pool = job.pool.iter().cloned().map(CapacityName::Pool);
        let limits = job.limits.iter().cloned().map(CapacityName::Limit);
        let mut needs: Vec<CapacityId> = std::iter::once(CapacityName::Lane(job.lane))
            .chain(pool)
            .chain(limits)
            .map(|name| self.find_or_add(name))
            .collect();
        needs.sort_unstable();
        needs.dedup();
        let needs = needs.into_boxed_slice();
        if let Some(&class) = self.by_needs.get(&needs) {
            return class;
        }
        let class = Class {
            needs: needs.clone(),
            lines: BTreeMap::new(),
            runs: 0,
            touched: false,
        };
        let id = ClassId(place(&mut self.classes, class));
        for need in &needs {
            self.capacity_mut(*need).classes.push(id);
        }
        self.by_needs.insert(needs, id);
        id
    }

    pub(super) fn class(&self, id: ClassId) -> &Class {
        self.classes[id.0 as usize]
            .as_ref()
            .expect("a class lives as long as a run or the definitions name it")
    }

    pub(super) fn class_mut(&mut self, id: ClassId) -> &mut Class {
        self.classes[id.0 as usize]
            .as_mut()
            .expect("a class lives as long as a run or the definitions name it")
    }

    pub(super) fn capacity(&self, id: CapacityId) -> &Capacity {
        self.all[id.0 as usize]
            .as_ref()
            .expect("a capacity lives as long as a class needs it")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Capacity> {
        self.by_name.values().map(|id| self.capacity(*id))
    }

    pub(super) fn iter_classes(&self) -> impl Iterator<Item = (ClassId, &Class)> {
        self.by_needs.values().map(|id| (*id, self.class(*id)))
    }

    /// Puts a run into its line.
    pub(super) fn enqueue(&mut self, id: ClassId, entry: (Priority, u64, Mono, RunId)) {
        let (priority, ticket, since, run) = entry;
        self.class_mut(id)
            .lines
            .entry(priority)
            .or_default()
            .push(ticket, since, run);
        self.touch(id);
    }

    /// Takes a run out of its line; whether it stood there.
    pub(super) fn dequeue(&mut self, id: ClassId, priority: Priority, ticket: u64) -> bool {
        let lines = &mut self.class_mut(id).lines;
        let Some(line) = lines.get_mut(&priority) else {
            return false;
        };
        line.remove(ticket)
    }

    /// Takes a place of each capacity that the class needs.
    pub(super) fn acquire(&mut self, id: ClassId) {
        for index in 0..self.class(id).needs.len() {
            let need = self.class(id).needs[index];
            self.capacity_mut(need).used += 1;
        }
    }

    /// Gives them back; the next dispatch looks at all classes that may profit.
    pub(super) fn release(&mut self, id: ClassId) {
        for index in 0..self.class(id).needs.len() {
            let need = self.class(id).needs[index];
            let capacity = self.capacity_mut(need);
            capacity.used -= 1;
            for which in 0..self.capacity(need).classes.len() {
                let class = self.capacity(need).classes[which];
                self.touch(class);
            }
        }
    }

    /// The next dispatch looks at every class.
    pub(super) fn touch_all(&mut self) {
        for index in 0..self.classes.len() {
            if let (Some(_), Ok(index)) = (&self.classes[index], u32::try_from(index)) {
                self.touch(ClassId(index));
            }
        }
    }

    /// The next dispatch looks at none.
    pub(super) fn untouch_all(&mut self) {
        while let Some(id) = self.touched.pop() {
            self.class_mut(id).touched = false;
        }
    }

    /// The run that starts next among the touched classes: of those with room, the head that ranks
    /// first.
    pub(super) fn next(&self, aging_nanos: i64) -> Option<Head> {
        self.touched
            .iter()
            .filter(|id| self.has_room(**id))
            .filter_map(|id| self.class(*id).head(aging_nanos))
            .min()
    }

    pub(super) fn has_room(&self, id: ClassId) -> bool {
        self.class(id).needs.iter().all(|need| {
            let capacity = self.capacity(*need);
            capacity.used < capacity.size
        })
    }

    fn touch(&mut self, id: ClassId) {
        let class = self.class_mut(id);
        if !class.touched {
            class.touched = true;
            self.touched.push(id);
        }
    }

    fn set(&mut self, name: CapacityName, size: u32) {
        let id = self.find_or_add(name);
        self.capacity_mut(id).size = size;
    }

    /// A capacity that no definition names (any more) has the size 1: runs that were accepted with
    /// it can still start, one at a time.
    fn find_or_add(&mut self, name: CapacityName) -> CapacityId {
        if let Some(&id) = self.by_name.get(&name) {
            return id;
        }
        let capacity = Capacity {
            name: name.clone(),
            size: 1,
            used: 0,
            classes: Vec::new(),
        };
        let id = CapacityId(place(&mut self.all, capacity));
        self.by_name.insert(name, id);
        id
    }

    fn capacity_mut(&mut self, id: CapacityId) -> &mut Capacity {
        self.all[id.0 as usize]
            .as_mut()
            .expect("a capacity lives as long as a class needs it")
    }

    fn retire_class(&mut self, index: usize) {
        let Some(class) = self.classes[index].take() else {
            return;
        };
        let is_it = |id: &ClassId| id.0 as usize == index;
        for need in &class.needs {
            self.capacity_mut(*need).classes.retain(|id| !is_it(id));
        }
        self.touched.retain(|id| !is_it(id));
        self.by_needs.remove(&class.needs);
    }
}

impl Class {
    pub(super) fn waiting(&self) -> usize {
        self.lines.values().map(Line::len).sum()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (Priority, Entry, RunId)> {
        self.lines
            .iter()
            .flat_map(|(priority, line)| line.iter().map(|(entry, run)| (*priority, entry, run)))
    }

    /// About how many wait in this class before a run of this priority that waits since `since`.
    pub(super) fn ahead(&self, aging_nanos: i64, priority: Priority, since: Mono) -> usize {
        let own = rank(aging_nanos, priority, since);
        self.lines
            .iter()
            .map(|(p, line)| line.ahead(|entry| rank(aging_nanos, *p, entry.since) >= own))
            .sum()
    }

    fn head(&self, aging_nanos: i64) -> Option<Head> {
        self.lines
            .iter()
            .filter_map(|(priority, line)| {
                let (entry, run) = line.front()?;
                Some(Head {
                    rank: rank(aging_nanos, *priority, entry.since),
                    ticket: entry.ticket,
                    run,
                })
            })
            .min()
    }
}

/// All waiting runs age alike, so the order between two of them never changes while they wait: it
/// is as if each level of priority had let a run queue one aging period earlier.
fn rank(aging_nanos: i64, priority: Priority, since: Mono) -> i64 {
    i64::try_from(since.0)
        .unwrap_or(i64::MAX)
        .saturating_sub(i64::from(priority.level()).saturating_mul(aging_nanos))
}

/// Puts `item` into the first free place; its index.
fn place<T>(items: &mut Vec<Option<T>>, item: T) -> u32 {
    let index = match items.iter().position(Option::is_none) {
        Some(index) => {
            items[index] = Some(item);
            index
        }
        None => {
            items.push(Some(item));
            items.len() - 1
        }
    };
    u32::try_from(index).expect("fewer than four billion capacities and classes")
}
