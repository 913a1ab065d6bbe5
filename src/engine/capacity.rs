//! Everything of which there is a limited number: the lanes, the pools inside them, and the limits and
//! resources across them. Runs that need the same form a class and wait in the lines of that class, so
//! that a decision looks at classes, not at runs.

mod name;

use std::collections::BTreeMap;
use std::time::Duration;

use super::amounts::Rate;
use super::bucket::Bucket;
use super::id::RunId;
use super::line::{Entry, Line};
use super::slots::Slots;
use super::spec::{Definitions, JobSpec, Lane, Name, Priority};
use super::time::Mono;
use super::waiting::{Head, Lack, Stock, Waiting};

pub use name::CapacityName;

/// Index of a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CapacityId(pub(super) u32);

/// Index of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassId(pub(super) u32);

/// So much of a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) capacity: CapacityId,
    /// Never zero.
    pub(super) amount: u32,
}

/// A number of places, some of them taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Capacity {
    pub(super) name: CapacityName,
    pub(super) size: u32,
    pub(super) used: u32,
    /// How many of those that hold a place are unresponsive; of a lane only.
    pub(super) unresponsive: u32,
    /// Nothing starts that needs it.
    pub(super) paused: bool,
    /// How many classes need it.
    classes: u32,
    /// Who needs more than there is takes all there is, instead of waiting for ever. So it is with lanes,
    /// which differ from machine to machine, and with what no definition names any more.
    capped: bool,
    /// What may be taken in a time, whatever is given back.
    pub(super) bucket: Option<Bucket>,
}

impl Capacity {
    /// How many places a run that needs so many takes.
    pub(super) fn takes(&self, amount: u32) -> u32 {
        if bug!("weights-are-one") {
            1
        } else if self.capped {
            amount.min(self.size)
        } else {
            amount
        }
    }

    /// Whether so much cannot be had however long one waits.
    pub(super) fn is_shut(&self, amount: u32) -> bool {
        self.paused || self.is_too_small(amount)
    }

    /// Whether there is never as much as this.
    pub(super) fn is_too_small(&self, amount: u32) -> bool {
        self.takes(amount) > self.most()
    }

    /// The most that can be had of it at a time.
    pub(super) fn most(&self) -> u32 {
        let burst = self.bucket.as_ref().map(|bucket| bucket.rate().burst);
        burst.map_or(self.size, |burst| burst.min(self.size))
    }

    /// Whether it has the places, and whether it has the tokens, for so much beside what is kept for others.
    pub(super) fn has(&self, amount: u32, kept: u32, now: Mono) -> (bool, bool) {
        let wanted = u64::from(self.takes(amount)) + u64::from(kept);
        let room = u64::from(self.taken()) + wanted <= u64::from(self.size);
        let tokens = self.bucket.as_ref().is_none_or(|bucket| {
            u32::try_from(wanted).is_ok_and(|wanted| bucket.holds(wanted, now))
        });
        (room, tokens)
    }

    /// When it has the tokens for so much beside what is kept for others, if it has the places; `None` if
    /// it has not, or if it will never have the tokens.
    pub(super) fn ready_at(&self, amount: u32, kept: u32, now: Mono) -> Option<Mono> {
        let (room, _) = self.has(amount, kept, now);
        let wanted = self.takes(amount).checked_add(kept)?;
        let bucket = self.bucket.as_ref().filter(|_| room)?;
        bucket.ready_at(wanted, now)
    }

    /// The places that nobody has.
    pub(super) fn free(&self) -> u32 {
        self.size.saturating_sub(self.taken())
    }

    /// Places of unresponsive attempts that are given to others: as many as there are places, so that a
    /// lane never carries more than twice what it is made for.
    pub(super) fn replaced(&self) -> u32 {
        self.unresponsive.min(self.size)
    }

    /// Places that nobody else can have.
    pub(super) fn taken(&self) -> u32 {
        self.used - self.replaced()
    }
}

/// Runs that need as much of the same capacities; as a job is one, they are of one job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    /// Sorted, so the lane comes first.
    pub(super) needs: Box<[Need]>,
    /// Whether others could take what it needs again and again before there is enough for it.
    fragile: bool,
    /// A line for each priority in use.
    pub(super) lines: BTreeMap<Priority, Line>,
    /// Unfinished runs of this class, waiting or not.
    pub(super) runs: usize,
}

/// The capacities and the classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Capacities {
    all: Slots<Capacity>,
    by_name: BTreeMap<CapacityName, CapacityId>,
    classes: Slots<Class>,
    by_needs: BTreeMap<Box<[Need]>, ClassId>,
    waiting: Waiting,
    aging: Duration,
}

impl Capacities {
    /// Takes the sizes from `definitions`, and lets go of what no definition and no run needs. What
    /// only runs still need keeps its size.
    pub(super) fn configure(&mut self, definitions: &Definitions, now: Mono) {
        self.aging = definitions.aging;
        let idle: Vec<ClassId> = self
            .iter_classes()
            .filter(|(_, class)| class.runs == 0)
            .map(|(id, _)| id)
            .collect();
        for id in idle {
            self.retire_class(id);
        }
        self.set_sizes(definitions, now);
        let (all, waiting) = (&mut self.all, &mut self.waiting);
        self.by_name.retain(|name, id| {
            let defined = match name {
                CapacityName::Lane(_) => true,
                CapacityName::Pool(name) => definitions.pools.contains_key(name),
                CapacityName::Limit(name) => definitions.limits.contains_key(name),
                CapacityName::Resource(name) => definitions.resources.contains_key(name),
                CapacityName::Schedule(_) => false,
                CapacityName::Job(name) => definitions.jobs.contains_key(name),
            };
            let capacity = all.get_mut(id.0);
            capacity.capped |= !defined;
            let kept = defined || capacity.paused || capacity.classes > 0;
            if !kept {
                waiting.set_rated(*id, false);
                all.remove(id.0);
            }
            kept
        });
        // Ranks depend on the aging period, and room on the sizes.
        let ids: Vec<ClassId> = self.by_needs.values().copied().collect();
        for id in ids {
            self.order(id);
        }
        self.reopen();
    }

    fn set_sizes(&mut self, definitions: &Definitions, now: Mono) {
        for lane in Lane::ALL {
            let size = definitions.lane_size(lane);
            self.set(CapacityName::Lane(lane), size, None, now);
        }
        for (name, pool) in &definitions.pools {
            self.set(CapacityName::Pool(Name::clone(name)), pool.size, None, now);
        }
        for (name, limit) in &definitions.limits {
            let size = limit.size.unwrap_or(u32::MAX);
            self.set(
                CapacityName::Limit(Name::clone(name)),
                size,
                limit.rate,
                now,
            );
        }
        for (name, total) in &definitions.resources {
            self.set(CapacityName::Resource(Name::clone(name)), *total, None, now);
        }
    }

    /// Counts anew what the attempts of these classes hold: it may have changed with the sizes. Of each it is
    /// said whether it is unresponsive.
    pub(super) fn recount(&mut self, active: impl Iterator<Item = (ClassId, bool)>) {
        let ids: Vec<CapacityId> = self.by_name.values().copied().collect();
        for id in ids {
            let capacity = self.all.get_mut(id.0);
            (capacity.used, capacity.unresponsive) = (0, 0);
        }
        for (class, unresponsive) in active {
            for need in &self.classes.get(class.0).needs {
                let capacity = self.all.get_mut(need.capacity.0);
                let places = capacity.takes(need.amount);
                capacity.used += places;
                if unresponsive && matches!(capacity.name, CapacityName::Lane(_)) {
                    capacity.unresponsive += places;
                }
            }
        }
    }

    /// What was taken of rates is not known: the worst is supposed, so that a rate is not exceeded.
    pub(super) fn empty_buckets(&mut self, now: Mono) {
        for id in self.by_name.values() {
            if let Some(bucket) = &mut self.all.get_mut(id.0).bucket {
                bucket.empty(now);
            }
        }
    }

    /// The class of the runs of `job`, made if there is none yet.
    pub(super) fn class_of(&mut self, job: &JobSpec) -> ClassId {
        let pool = job.pool.iter().cloned().map(CapacityName::Pool);
        let limits = job.limits.iter();
        let limits = limits.map(|(name, n)| (CapacityName::Limit(Name::clone(name)), n));
        let resources = job.resources.iter();
        let resources = resources.map(|(name, n)| (CapacityName::Resource(Name::clone(name)), n));
        let own = CapacityName::Job(Name::clone(&job.name));
        let mut needs: Vec<Need> = std::iter::once((CapacityName::Lane(job.lane), job.weight()))
            .chain(pool.map(|name| (name, 1)))
            .chain(limits)
            .chain(resources)
            .chain([(own, 1)])
            .map(|(name, amount)| Need {
                capacity: self.find_or_add(name),
                amount,
            })
            .collect();
        needs.sort_unstable();
        let needs = needs.into_boxed_slice();
        if let Some(&class) = self.by_needs.get(&needs) {
            return class;
        }
        for need in &needs {
            self.all.get_mut(need.capacity.0).classes += 1;
        }
        // All need their job, of which there is no end, and a lane.
        let fragile = needs.len() > 2 || needs.iter().any(|need| need.amount > 1);
        let id = ClassId(self.classes.insert(Class {
            needs: needs.clone(),
            fragile,
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

    /// The line of the class that is served now, if at least so many wait there, and nothing has to come with
    /// the time before they start.
    pub(super) fn steady_line(&self, id: ClassId, least: usize) -> Option<&Line> {
        let class = self.class(id);
        let rank = |(priority, line): &(&Priority, &Line)| {
            let front = line.front().map(|(entry, _)| entry);
            front.map(|entry| (self.rank(**priority, entry.since), entry.ticket))
        };
        let (_, line) = class.lines.iter().min_by_key(rank)?;
        let rated = |need: &Need| self.capacity(need.capacity).bucket.is_some();
        (line.len() >= least && !class.needs.iter().any(rated)).then_some(line)
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

    /// Takes what the class needs, at this time.
    pub(super) fn acquire(&mut self, id: ClassId, now: Mono) {
        for need in &self.classes.get(id.0).needs {
            let capacity = self.all.get_mut(need.capacity.0);
            let amount = capacity.takes(need.amount);
            capacity.used += amount;
            if let Some(bucket) = &mut capacity.bucket {
                bucket.take(amount, now);
            }
            self.waiting.taken(need.capacity);
        }
    }

    /// Gives it back.
    pub(super) fn release(&mut self, id: ClassId) {
        for need in &self.classes.get(id.0).needs {
            let capacity = self.all.get_mut(need.capacity.0);
            capacity.used -= capacity.takes(need.amount);
            self.waiting.freed(need.capacity);
        }
    }

    /// An attempt that holds a place of the lane of this class is unresponsive, or leaves at last. Only the
    /// lane has a place for another one: what a pool or a limit guards may still be in use.
    pub(super) fn set_unresponsive(&mut self, id: ClassId, unresponsive: bool) {
        let is_lane =
            |need: &&Need| matches!(self.all.get(need.capacity.0).name, CapacityName::Lane(_));
        let Some(lane) = self.classes.get(id.0).needs.iter().find(is_lane).copied() else {
            return;
        };
        let capacity = self.all.get_mut(lane.capacity.0);
        let places = capacity.takes(lane.amount);
        if unresponsive {
            capacity.unresponsive += places;
            self.waiting.freed(lane.capacity);
        } else {
            capacity.unresponsive -= places;
        }
    }

    /// Whether the lane gives the place of one more unresponsive attempt of this class to others.
    pub(super) fn replaces(&self, id: ClassId) -> bool {
        self.classes.get(id.0).needs.iter().any(|need| {
            let capacity = self.all.get(need.capacity.0);
            matches!(capacity.name, CapacityName::Lane(_))
                && capacity.unresponsive + capacity.takes(need.amount) <= capacity.size
        })
    }

    /// Every class is to be looked at anew.
    pub(super) fn reopen(&mut self) {
        self.waiting.reopen(self.aging);
    }

    /// The run that starts next: of the classes that have what they need, the head that ranks first.
    pub(super) fn next(&mut self, now: Mono) -> Option<RunId> {
        let stock = Stock {
            all: &self.all,
            classes: &self.classes,
            now,
        };
        self.waiting.next(stock)
    }

    /// When somebody who waits for tokens has them.
    pub(super) fn next_wake(&self) -> Option<Mono> {
        self.waiting.next_wake()
    }

    /// Tokens that somebody waits for have come.
    pub(super) fn wake(&mut self, now: Mono) {
        self.waiting.wake(now);
    }

    /// What the head of a class lacks; `None` if it could start, or there is none.
    pub(super) fn lack(&self, id: ClassId, now: Mono) -> Option<Lack> {
        let head = self.head(id)?;
        let stock = Stock {
            all: &self.all,
            classes: &self.classes,
            now,
        };
        self.waiting.lack(stock, id, &head)
    }

    /// Who is to have something of this capacity before this run has, and how much.
    pub(super) fn claim_ahead(
        &self,
        capacity: CapacityId,
        id: ClassId,
        entry: (Priority, u64, Mono, RunId),
    ) -> Option<(RunId, u32)> {
        let (priority, ticket, since, run) = entry;
        let head = Head {
            rank: self.rank(priority, since),
            ticket,
            run,
            since,
        };
        self.waiting.claim_ahead(capacity, &head, id)
    }

    /// The order of classes, for checks.
    pub(super) const fn waiting(&self) -> &Waiting {
        &self.waiting
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
    fn shared<'a>(&'a self, class: &'a Class) -> impl Iterator<Item = Need> + 'a {
        let is_job =
            |need: &Need| matches!(self.capacity(need.capacity).name, CapacityName::Job(_));
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
        self.waiting.turned(id, &self.classes);
    }

    /// Lets go of a class without runs, and of its job, if no definition needs them.
    pub(super) fn retire_idle(&mut self, id: ClassId) {
        let class = self.class(id);
        if class.runs > 0 {
            return;
        }
        let needs = class.needs.iter().map(|need| need.capacity);
        let job = needs.into_iter().find(|need| {
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
    pub(super) fn order(&mut self, id: ClassId) {
        let head = self.head(id);
        let fragile = self.class(id).fragile;
        self.waiting.set_head(id, head, fragile);
    }

    fn head(&self, id: ClassId) -> Option<Head> {
        let heads = self.class(id).lines.iter().filter_map(|(priority, line)| {
            let (entry, run) = line.front()?;
            Some(Head {
                rank: self.rank(*priority, entry.since),
                ticket: entry.ticket,
                run,
                since: entry.since,
            })
        });
        heads.min()
    }

    /// All waiting runs age alike, so the order between two of them never changes while they wait:
    /// it is as if each level of priority had let a run queue one aging period earlier.
    fn rank(&self, priority: Priority, since: Mono) -> i64 {
        let never = i64::MAX / 1_000 * i64::from(bug!("unfair"));
        let aging = i64::try_from(self.aging.as_nanos()).unwrap_or(i64::MAX);
        let aging = aging.max(never);
        i64::try_from(since.0)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::from(priority.level()).saturating_mul(aging))
    }

    fn set(&mut self, name: CapacityName, size: u32, rate: Option<Rate>, now: Mono) {
        let capped = matches!(name, CapacityName::Lane(_));
        let id = self.find_or_add(name);
        let capacity = self.all.get_mut(id.0);
        capacity.size = size;
        capacity.capped = capped;
        match (&mut capacity.bucket, rate) {
            (Some(bucket), Some(rate)) if bucket.rate() == rate => {}
            (Some(bucket), Some(rate)) => bucket.change(rate, now),
            (bucket, rate) => *bucket = rate.map(Bucket::new),
        }
        self.waiting.set_rated(id, rate.is_some());
    }

    /// One that no definition names has the size 1: runs that were accepted with it can start, one
    /// at a time. Of a job there may be any number.
    fn find_or_add(&mut self, name: CapacityName) -> CapacityId {
        if let Some(&id) = self.by_name.get(&name) {
            return id;
        }
        let size = match name {
            CapacityName::Job(_) => u32::MAX,
            CapacityName::Lane(_)
            | CapacityName::Pool(_)
            | CapacityName::Limit(_)
            | CapacityName::Resource(_)
            | CapacityName::Schedule(_) => 1,
        };
        let id = CapacityId(self.all.insert(Capacity {
            name: name.clone(),
            size,
            used: 0,
            unresponsive: 0,
            paused: false,
            classes: 0,
            capped: true,
            bucket: None,
        }));
        self.by_name.insert(name, id);
        id
    }

    fn retire_class(&mut self, id: ClassId) {
        let class = self.classes.remove(id.0);
        for need in &class.needs {
            self.all.get_mut(need.capacity.0).classes -= 1;
        }
        self.by_needs.remove(&class.needs);
    }
}

impl Class {
    /// How much it needs of this, if any.
    pub(super) fn needs_of(&self, capacity: CapacityId) -> Option<u32> {
        let need = self.needs.iter().find(|need| need.capacity == capacity)?;
        Some(need.amount)
    }

    /// Whether others could take what it needs again and again before there is enough for it.
    pub(super) const fn is_fragile(&self) -> bool {
        self.fragile
    }

    pub(super) fn waiting(&self) -> usize {
        self.lines.values().map(Line::len).sum()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (Priority, Entry, RunId)> {
        self.lines
            .iter()
            .flat_map(|(priority, line)| line.iter().map(|(entry, run)| (*priority, entry, run)))
    }
}
