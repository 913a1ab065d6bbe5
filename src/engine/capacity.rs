//! Everything of which there is a limited number: the lanes, the pools inside them, and the limits
//! across them. Runs that need the same ones form a class and wait in the lines of that class, so
//! that a decision looks at classes, not at runs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::RunId;
use super::line::{Entry, Line};
use super::spec::{Definitions, JobSpec, Lane, Name, Priority};
use super::time::Mono;
use super::waiting::{Head, Waiting};

/// What a capacity is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityName {
    /// A lane as a whole.
    Lane(Lane),
    /// A named part of a lane.
    Pool(Name),
    /// A named semaphore.
    Limit(Name),
    /// All runs of one job: there is no end of places, but it can be paused.
    Job(Name),
}

impl fmt::Display for CapacityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane(lane) => write!(f, "lane `{lane}`"),
            Self::Pool(name) => write!(f, "pool `{name}`"),
            Self::Limit(name) => write!(f, "limit `{name}`"),
            Self::Job(name) => write!(f, "job `{name}`"),
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
    /// Nothing starts that needs it.
    pub(super) paused: bool,
    /// How many classes need it.
    classes: u32,
}

impl Capacity {
    pub(super) const fn is_full(&self) -> bool {
        self.paused || self.used >= self.size
    }
}

/// Runs that need the same capacities; as a job is one, they are of one job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    /// Sorted, so the lane comes first.
    pub(super) needs: Box<[CapacityId]>,
    /// A line for each priority in use.
    lines: BTreeMap<Priority, Line>,
    /// Unfinished runs of this class, waiting or not.
    pub(super) runs: usize,
}

/// The capacities and the classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Capacities {
    all: Slots<Capacity>,
    by_name: BTreeMap<CapacityName, CapacityId>,
    classes: Slots<Class>,
    by_needs: BTreeMap<Box<[CapacityId]>, ClassId>,
    waiting: Waiting,
    aging_nanos: i64,
}

impl Capacities {
    /// Takes the sizes from `definitions`, and lets go of what no definition and no run needs. What
    /// only runs still need keeps its size.
    pub(super) fn configure(&mut self, definitions: &Definitions) {
        self.aging_nanos = i64::try_from(definitions.aging.as_nanos()).unwrap_or(i64::MAX);
        let idle: Vec<ClassId> = self
            .iter_classes()
            .filter(|(_, class)| class.runs == 0)
            .map(|(id, _)| id)
            .collect();
        for id in idle {
            self.retire_class(id);
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
        let all = &mut self.all;
        self.by_name.retain(|name, id| {
            let defined = match name {
                CapacityName::Lane(_) => true,
                CapacityName::Pool(name) => definitions.pools.contains_key(name),
                CapacityName::Limit(name) => definitions.limits.contains_key(name),
                CapacityName::Job(name) => definitions.jobs.contains_key(name),
            };
            let capacity = all.get(id.0);
            let kept = defined || capacity.paused || capacity.classes > 0;
            if !kept {
                all.remove(id.0);
            }
            kept
        });
        // Ranks depend on the aging period, and room on the sizes.
        let ids: Vec<ClassId> = self.by_needs.values().copied().collect();
        for id in ids {
            self.order(id);
        }
        self.waiting.reopen();
    }

    /// The class of the runs of `job`, made if there is none yet.
    pub(super) fn class_of(&mut self, job: &JobSpec) -> ClassId {
        let pool = job.pool.iter().cloned().map(CapacityName::Pool);
        let limits = job.limits.iter().cloned().map(CapacityName::Limit);
        let own = CapacityName::Job(Name::clone(&job.name));
        let mut needs: Vec<CapacityId> = std::iter::once(CapacityName::Lane(job.lane))
            .chain(pool)
            .chain(limits)
            .chain([own])
            .map(|name| self.find_or_add(name))
            .collect();
        needs.sort_unstable();
        needs.dedup();
        let needs = needs.into_boxed_slice();
        if let Some(&class) = self.by_needs.get(&needs) {
            return class;
        }
        for need in &needs {
            self.all.get_mut(need.0).classes += 1;
        }
        let id = ClassId(self.classes.insert(Class {
            needs: needs.clone(),
            lines: BTreeMap::new(),
            runs: 0,
        }));
        self.by_needs.insert(needs, id);
        id
    }

    pub(super) fn class(&self, id: ClassId) -> &Class {
        self.classes.get(id.0)
    }

    pub(super) fn class_mut(&mut self, id: ClassId) -> &mut Class {
        self.classes.get_mut(id.0)
    }

    pub(super) fn capacity(&self, id: CapacityId) -> &Capacity {
        self.all.get(id.0)
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
        self.order(id);
    }

    /// Takes a run out of its line.
    pub(super) fn dequeue(&mut self, id: ClassId, priority: Priority, ticket: u64) {
        let lines = &mut self.class_mut(id).lines;
        if let Some(line) = lines.get_mut(&priority) {
            line.remove(ticket);
            if line.len() == 0 {
                lines.remove(&priority);
            }
        }
        self.order(id);
    }

    /// Takes a place of each capacity that the class needs.
    pub(super) fn acquire(&mut self, id: ClassId) {
        for need in &self.classes.get(id.0).needs {
            self.all.get_mut(need.0).used += 1;
        }
    }

    /// Gives them back.
    pub(super) fn release(&mut self, id: ClassId) {
        for need in &self.classes.get(id.0).needs {
            self.all.get_mut(need.0).used -= 1;
            self.waiting.freed(*need);
        }
    }

    /// Every class is to be looked at anew.
    pub(super) fn reopen(&mut self) {
        self.waiting.reopen();
    }

    /// The run that starts next: of the classes with room, the head that ranks first.
    pub(super) fn next(&mut self) -> Option<RunId> {
        let (all, classes) = (&self.all, &self.classes);
        let is_full = |id: CapacityId| all.get(id.0).is_full();
        // The lane last: whoever waits for a limit need not be looked at each time the lane moves.
        let full = |id: ClassId| {
            let needs = classes.get(id.0).needs.iter().rev();
            needs.copied().find(|need| is_full(*need))
        };
        self.waiting.next(full, is_full)
    }

    pub(super) fn has_room(&self, id: ClassId) -> bool {
        let needs = &self.class(id).needs;
        needs.iter().all(|need| !self.capacity(*need).is_full())
    }

    /// About how many that need the same, whatever their job, wait before the run with this entry:
    /// runs that were cancelled in the middle of a line may count.
    pub(super) fn ahead(&self, id: ClassId, priority: Priority, since: Mono, ticket: u64) -> usize {
        let own = (self.rank(priority, since), ticket);
        self.iter_classes()
            .filter(|(_, class)| self.shared(class).eq(self.shared(self.class(id))))
            .flat_map(|(_, class)| &class.lines)
            .map(|(p, line)| line.ahead(|entry| (self.rank(*p, entry.since), entry.ticket) >= own))
            .sum()
    }

    /// What a class needs beside its job.
    fn shared<'a>(&'a self, class: &'a Class) -> impl Iterator<Item = CapacityId> + 'a {
        let is_job = |id: &CapacityId| matches!(self.capacity(*id).name, CapacityName::Job(_));
        class.needs.iter().copied().filter(move |id| !is_job(id))
    }

    /// Whether there is something of this name.
    pub(super) fn find(&self, name: &CapacityName) -> Option<&Capacity> {
        self.by_name.get(name).map(|id| self.capacity(*id))
    }

    /// From here on nothing starts that needs it, or what needs it starts again.
    pub(super) fn set_paused(&mut self, name: &CapacityName, paused: bool) {
        let id = self.find_or_add(name.clone());
        self.all.get_mut(id.0).paused = paused;
        if !paused {
            self.waiting.freed(id);
        }
    }

    /// Lets go of a class without runs, and of its job, if no definition needs them.
    pub(super) fn retire_idle(&mut self, id: ClassId) {
        let class = self.class(id);
        if class.runs > 0 {
            return;
        }
        let job = class.needs.iter().copied().find(|need| {
            let name = &self.capacity(*need).name;
            matches!(name, CapacityName::Job(_))
        });
        self.retire_class(id);
        if let Some(job) = job
            && self.capacity(job).classes == 0
            && !self.capacity(job).paused
        {
            let capacity = self.all.remove(job.0);
            self.by_name.remove(&capacity.name);
        }
    }

    /// Tells the order of classes what the head of this one is.
    fn order(&mut self, id: ClassId) {
        let heads = self.class(id).lines.iter().filter_map(|(priority, line)| {
            let (entry, run) = line.front()?;
            Some(Head {
                rank: self.rank(*priority, entry.since),
                ticket: entry.ticket,
                run,
            })
        });
        let head = heads.min();
        self.waiting.set_head(id, head);
    }

    /// All waiting runs age alike, so the order between two of them never changes while they wait:
    /// it is as if each level of priority had let a run queue one aging period earlier.
    fn rank(&self, priority: Priority, since: Mono) -> i64 {
        i64::try_from(since.0)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::from(priority.level()).saturating_mul(self.aging_nanos))
    }

    fn set(&mut self, name: CapacityName, size: u32) {
        let id = self.find_or_add(name);
        self.all.get_mut(id.0).size = size;
    }

    /// One that no definition names has the size 1: runs that were accepted with it can start, one
    /// at a time. Of a job there may be any number.
    fn find_or_add(&mut self, name: CapacityName) -> CapacityId {
        if let Some(&id) = self.by_name.get(&name) {
            return id;
        }
        let size = match name {
            CapacityName::Job(_) => u32::MAX,
            CapacityName::Lane(_) | CapacityName::Pool(_) | CapacityName::Limit(_) => 1,
        };
        let id = CapacityId(self.all.insert(Capacity {
            name: name.clone(),
            size,
            used: 0,
            paused: false,
            classes: 0,
        }));
        self.by_name.insert(name, id);
        id
    }

    fn retire_class(&mut self, id: ClassId) {
        let class = self.classes.remove(id.0);
        for need in &class.needs {
            self.all.get_mut(need.0).classes -= 1;
        }
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
}

/// Things by index; an index that came free is used again.
#[derive(Clone, Debug, PartialEq)]
struct Slots<T> {
    things: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            things: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    fn insert(&mut self, thing: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.things[index as usize] = Some(thing);
            return index;
        }
        self.things.push(Some(thing));
        u32::try_from(self.things.len() - 1).expect("fewer than four billion of them")
    }

    fn remove(&mut self, index: u32) -> T {
        self.free.push(index);
        self.things[index as usize]
            .take()
            .expect("an index is held only while the thing is there")
    }

    fn get(&self, index: u32) -> &T {
        self.things[index as usize]
            .as_ref()
            .expect("an index is held only while the thing is there")
    }

    fn get_mut(&mut self, index: u32) -> &mut T {
        self.things[index as usize]
            .as_mut()
            .expect("an index is held only while the thing is there")
    }
}
