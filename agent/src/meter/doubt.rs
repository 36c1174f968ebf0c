//! What the kernel has shown and Nomad has not told: who is in doubt, and who was never named.

use std::collections::{BTreeMap, BTreeSet};

use federation::usage::{self, End, Moment};

use super::state::{Glimpse, Over, State};
use super::{Listing, Meter};
use crate::cgroup::{Snapshot, TaskKey};
use crate::nomad::{self, TaskTimes};

/// How long Nomad must be heard, without a failure, without naming what the kernel has shown, in µs.
const UNNAMED_US: i64 = 60_000_000;
/// For how long after its last sign of life an allocation is in doubt while Nomad lists it as alive, in µs.
const ENDING_US: i64 = 30_000_000;
/// How long Nomad must be heard without one that it had not called over, before that is lost, in µs.
pub(super) const MISSING_US: i64 = 10_000_000;
/// And where the servers' memory has not been heard of it, in µs.
pub(super) const SILENT_US: i64 = 60_000_000;

/// What the kernel has shown of a task: from when to when, and whether it still runs.
type Shown<'a> = (&'a TaskKey, i64, i64, bool);

impl Meter {
    /// Allocations of which the kernel has shown something that Nomad's list may never tell of.
    ///
    /// Those that it has not named, those that it does not list any more, and those that
    /// have ended here a moment ago.
    pub fn doubts(&self, listed: &[nomad::Allocation]) -> BTreeSet<String> {
        let Some(now) = self.state.time.last else {
            return BTreeSet::new();
        };
        let shown = self.state.shown();
        let open = self.state.allocations.iter();
        let quiet: Vec<_> = open.filter(|(id, _)| !self.lives(id)).collect();
        if shown.is_empty() && quiet.is_empty() {
            return BTreeSet::new();
        }
        let listed = listed.iter().filter(|listed| listed.is_certain());
        let listed: BTreeMap<&str, bool> = listed
            .map(|a| (a.facts.id.as_str(), a.ended.is_some()))
            .collect();
        let strangers = shown.keys().filter(|id| !listed.contains_key(*id));
        let mut doubts: BTreeSet<String> = strangers.map(|&id| id.to_owned()).collect();
        for (id, open) in quiet {
            let quiet_us = now.boot_us.saturating_sub(open.touched_boot_us());
            let asks = match listed.get(id.as_str()) {
                Some(over) => !over && quiet_us <= ENDING_US,
                None => !open.facts.is_unnamed(),
            };
            if asks {
                doubts.insert(id.clone());
            }
        }
        doubts
    }

    /// Allocations that would begin soon, by what Nomad lists and what the kernel has shown.
    ///
    /// The state remembers for a day who is over. Of whom it has forgotten the ledger still tells.
    pub fn beginning(&self, listed: &[nomad::Allocation]) -> BTreeSet<String> {
        let started = listed.iter().filter(|listed| listed.started);
        let listed = started.map(|listed| listed.facts.id.as_str());
        let listed = listed.filter(|id| !self.state.knows(id));
        let all = listed.chain(self.state.shown().into_keys());
        all.map(str::to_owned).collect()
    }

    /// Takes that an allocation is over, and all written of it: it does not begin again.
    pub fn remember(&mut self, id: &str) {
        let over = Over { ended_us: 0 };
        self.state.over.insert(id.to_owned(), over);
    }

    /// Takes note of groups that have appeared.
    pub(super) fn take_glimpses(&mut self, now: Moment, before: Option<Moment>, seen: &Snapshot) {
        let state = &mut self.state;
        for key in &seen.glimpsed {
            let glimpse = state.glimpses.entry(key.clone()).or_insert(Glimpse {
                from_boot_us: before.unwrap_or(now).boot_us,
                to_boot_us: now.boot_us,
            });
            glimpse.to_boot_us = now.boot_us;
        }
        let (open, over, counters) = (&state.allocations, &state.over, &state.counters);
        state.glimpses.retain(|key, _| {
            let id = &key.allocation;
            !open.contains_key(id) && !over.contains_key(id) && !counters.contains_key(key)
        });
    }

    /// Forgets groups of allocations that are over without a start.
    pub(super) fn forget_glimpses(&mut self, listed: &[nomad::Allocation]) {
        let never = listed.iter().filter(|a| a.ended.is_some() && !a.started);
        let never: BTreeSet<&str> = never.map(|a| a.facts.id.as_str()).collect();
        let glimpses = &mut self.state.glimpses;
        glimpses.retain(|key, _| !never.contains(key.allocation.as_str()));
    }

    /// Takes note since when Nomad might name what the kernel has shown: from when it was shown
    /// and not listed, and from when Nomad was heard again.
    pub(super) fn note_nameless(&mut self, now: Moment, listing: Option<&Listing>) {
        let since = listing.and_then(|listing| Some((listing, listing.heard_since?)));
        let Some((listing, heard_since)) = since else {
            self.nameless.clear();
            return;
        };
        let shown = self.state.shown();
        if shown.is_empty() {
            self.nameless.clear();
            return;
        }
        // Also whom the servers only remember has a name.
        let listed = listing.allocations.iter().map(|a| a.facts.id.as_str());
        let listed: BTreeSet<&str> = listed.collect();
        let nameless = shown.keys().filter(|id| !listed.contains(*id));
        let nameless = nameless.map(|&id| {
            let since_us = self.nameless.get(id).copied().unwrap_or(now.boot_us);
            (id.to_owned(), since_us.max(heard_since.boot_us))
        });
        self.nameless = nameless.collect();
    }

    /// Allocations that Nomad did not name though it was heard for long enough, as if it had:
    /// with what the kernel has shown of them, and nothing else.
    pub(super) fn unnamed(&self, now: Moment, listing: &Listing) -> Vec<nomad::Allocation> {
        let heard_us = listing.heard.boot_us.min(now.boot_us);
        let due = |id: &str| {
            let since_us = self.nameless.get(id);
            since_us.is_some_and(|since_us| heard_us.saturating_sub(*since_us) >= UNNAMED_US)
        };
        let mut all = BTreeMap::new();
        if self.nameless.keys().any(|id| due(id)) {
            all = self.state.shown();
            all.retain(|id, _| due(id));
        }
        all.append(&mut self.state.shown_unnamed());
        // Seldom are there any, so that the list is looked through the other way round.
        let is_listed = |id: &str| listing.allocations.iter().any(|a| a.facts.id == id);
        all.into_iter()
            .filter(|(id, _)| !is_listed(id))
            .map(|(id, shown)| self.state.allocation(id, &shown, now, listing))
            .collect()
    }
}

impl State {
    /// Whether an allocation is metered, or was.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.allocations.contains_key(id) || self.over.contains_key(id)
    }

    /// What is known by its tasks' groups alone, by allocation.
    fn shown(&self) -> BTreeMap<&str, Vec<Shown<'_>>> {
        let glimpses = self.glimpses.iter();
        let glimpses = glimpses.map(|(key, seen)| (key, seen.from_boot_us, seen.to_boot_us, false));
        let mut shown: BTreeMap<&str, Vec<Shown>> = BTreeMap::new();
        for task in self.counted().chain(glimpses) {
            let id = task.0.allocation.as_str();
            if !self.knows(id) && is_nomads(id) {
                shown.entry(id).or_default().push(task);
            }
        }
        shown
    }

    /// What is shown of those that have begun though nobody named them.
    fn shown_unnamed(&self) -> BTreeMap<&str, Vec<Shown<'_>>> {
        let open = self.allocations.iter();
        let unnamed = open.filter(|(_, open)| open.facts.is_unnamed());
        unnamed
            .map(|(id, _)| {
                let own = self.counted().filter(|(key, ..)| key.allocation == *id);
                (id.as_str(), own.collect())
            })
            .collect()
    }

    fn counted(&self) -> impl Iterator<Item = Shown<'_>> {
        self.counters.iter().map(|(key, counter)| {
            let runs = counter.present && counter.has_processes;
            let from_us = counter.shown_boot_us.unwrap_or(counter.first_boot_us);
            (key, from_us, counter.last_boot_us, runs)
        })
    }

    /// One by what the kernel has shown of it: its times are those of the clock of then.
    fn allocation(
        &self,
        id: &str,
        shown: &[Shown],
        now: Moment,
        listing: &Listing,
    ) -> nomad::Allocation {
        let wall_us = |boot_us: i64| self.time.clocks.wall_us(boot_us, now);
        let runs = shown.iter().any(|(.., runs)| *runs);
        let from_us = shown.iter().map(|(_, from_us, ..)| *from_us).min();
        let to_us = shown.iter().map(|(_, _, to_us, _)| *to_us).max();
        let times = shown.iter().map(|(key, from_us, to_us, runs)| {
            let times = TaskTimes {
                started_us: Some(wall_us(*from_us)),
                finished_us: (!runs).then(|| wall_us(*to_us)),
                running: *runs,
            };
            (key.task.clone(), times)
        });
        let tasks = shown.iter().map(|(key, ..)| usage::Task {
            name: key.task.clone(),
            driver: String::new(),
            image: None,
            cpu_mhz: 0,
            cores: 0,
            memory_mib: 0,
            devices: Vec::new(),
        });
        nomad::Allocation {
            facts: usage::Allocation {
                id: id.to_owned(),
                namespace: String::new(),
                job: String::new(),
                group: String::new(),
                name: String::new(),
                owner: None,
                started_us: wall_us(from_us.unwrap_or(now.boot_us)),
                tasks: tasks.collect(),
                disk_mib: 0,
                node_cores: listing.cores,
                node_mhz: listing.mhz,
            },
            started: true,
            ended: (!runs).then(|| End {
                allocation: id.to_owned(),
                ended_us: wall_us(to_us.unwrap_or(now.boot_us)),
                status: "unnamed".to_owned(),
            }),
            task_times: times.collect(),
            modify_index: 0,
            ran_us: None,
            listed: true,
        }
    }
}

/// Whether an ID is one that Nomad makes: whoever may start containers may write anything into a label.
fn is_nomads(id: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok() && id.len() == 36
}
