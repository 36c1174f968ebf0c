//! What the kernel has shown and Nomad has not told: who is in doubt, and whose start is never told.

use std::collections::{BTreeMap, BTreeSet};

use federation::usage::{self, Allocation as Facts, End, Moment};

use super::close::NOMAD_LATE_US;
use super::state::{Glimpse, Over, State};
use super::{Listing, Meter};
use crate::cgroup::{Snapshot, TaskKey};
use crate::nomad::{self, TaskTimes};

/// How long Nomad must be heard, without a failure, without telling that what the kernel has shown
/// has started, in µs.
const UNTOLD_US: i64 = 60_000_000;
/// For how long after its last sign of life an allocation is in doubt while Nomad lists it as alive, in µs.
const ENDING_US: i64 = 30_000_000;
/// How long Nomad must be heard without one that it had not called over, before that is lost, in µs.
pub(super) const MISSING_US: i64 = 10_000_000;
/// And where the servers' memory has not been heard of it, in µs.
pub(super) const SILENT_US: i64 = 60_000_000;

/// What the kernel has shown of a task.
struct Shown<'a> {
    key: &'a TaskKey,
    /// From when to when something of it is known, on the boot clock.
    from_us: i64,
    to_us: i64,
    /// Whether it may have run at all: a group is made before there is a process in it.
    lived: bool,
    /// Whether it still runs.
    runs: bool,
}

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

    /// Forgets what is no life of an allocation: Nomad says that it is over without a start, or said some
    /// seconds after its groups were seen that it still waits.
    pub(super) fn forget_false_starts(&mut self, now: Moment, listing: &Listing) {
        let told = listing.allocations.iter();
        let told = told.filter(|told| told.is_certain() && !told.started);
        let told: BTreeMap<&str, bool> = told
            .map(|told| (told.facts.id.as_str(), told.ended.is_some()))
            .collect();
        let known_us = listing.heard.boot_us - NOMAD_LATE_US;
        let state = &mut self.state;
        let glimpses = &mut state.glimpses;
        glimpses.retain(|key, glimpse| match told.get(key.allocation.as_str()) {
            Some(over) => !over && glimpse.to_boot_us >= known_us,
            None => true,
        });
        for (key, counter) in &mut state.counters {
            let at_us = counter.lived_boot_us.max(counter.first_boot_us);
            let is_known = state.allocations.contains_key(&key.allocation)
                || state.over.contains_key(&key.allocation);
            // One that lives may be over for servers that have lost its node.
            if !is_known && at_us < known_us && told.contains_key(key.allocation.as_str()) {
                counter.begin_anew(now);
            }
        }
    }

    /// Takes note since when Nomad might tell of the start of what the kernel has shown: from when it
    /// was shown and not listed, and from when Nomad was heard again.
    pub(super) fn note_untold(&mut self, now: Moment, listing: Option<&Listing>) {
        let since = listing.and_then(|listing| Some((listing, listing.heard_since?)));
        let Some((listing, heard_since)) = since else {
            self.untold.clear();
            return;
        };
        let shown = self.state.shown();
        if shown.is_empty() {
            self.untold.clear();
            return;
        }
        // Whom the servers only remember as waiting may have started, and been forgotten, since.
        let told = listing.allocations.iter().filter(|a| tells(a));
        let told: BTreeSet<&str> = told.map(|a| a.facts.id.as_str()).collect();
        let untold = shown.keys().filter(|id| !told.contains(*id));
        let untold = untold.map(|&id| {
            let since_us = self.untold.get(id).copied().unwrap_or(now.boot_us);
            (id.to_owned(), since_us.max(heard_since.boot_us))
        });
        self.untold = untold.collect();
    }

    /// Allocations of whose start Nomad did not tell though it was heard for long enough, as if it had:
    /// what the kernel has shown of them, with what the servers remember of them, if they do.
    pub(super) fn untold(&self, now: Moment, listing: &Listing) -> Vec<nomad::Allocation> {
        let heard_us = listing.heard.boot_us.min(now.boot_us);
        let due = |id: &str| {
            let since_us = self.untold.get(id);
            since_us.is_some_and(|since_us| heard_us.saturating_sub(*since_us) >= UNTOLD_US)
        };
        let mut all = BTreeMap::new();
        if self.untold.keys().any(|id| due(id)) {
            all = self.state.shown();
            all.retain(|id, _| due(id));
        }
        all.append(&mut self.state.shown_unnamed());
        // Seldom are there any, so that the list is looked through the other way round.
        let told = |id: &str| listing.allocations.iter().find(|a| a.facts.id == id);
        let is_open = |id: &str| self.state.allocations.contains_key(id);
        all.into_iter()
            .map(|(id, shown)| (id, shown, told(id)))
            .filter(|(_, shown, told)| {
                shown.iter().any(|task| task.lived) && !told.is_some_and(tells)
            })
            .map(|(id, shown, told)| {
                // Whoever has begun without a name gets none any more.
                let told = told.filter(|_| !is_open(id));
                let facts = told.map_or_else(|| nameless(id, &shown, listing), |a| a.facts.clone());
                self.state.shown_as(facts, &shown, now)
            })
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
        let glimpses = self.glimpses.iter().map(|(key, seen)| Shown {
            key,
            from_us: seen.from_boot_us,
            to_us: seen.to_boot_us,
            lived: true,
            runs: false,
        });
        let mut shown: BTreeMap<&str, Vec<Shown>> = BTreeMap::new();
        for task in self.counted().chain(glimpses) {
            let id = task.key.allocation.as_str();
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
                let own = self.counted().filter(|task| task.key.allocation == *id);
                (id.as_str(), own.collect())
            })
            .collect()
    }

    fn counted(&self) -> impl Iterator<Item = Shown<'_>> {
        self.counters.iter().map(|(key, counter)| {
            let from_us = counter.shown_boot_us.unwrap_or(counter.first_boot_us);
            Shown {
                key,
                from_us,
                to_us: counter.lived_boot_us.max(from_us),
                // Use alone says so where nobody can say when.
                lived: counter.lived_boot_us >= from_us || counter.pending.used_us > 0,
                runs: counter.present && counter.has_processes,
            }
        })
    }

    /// An allocation by what the kernel has shown of it: its times are those of the clock of then.
    fn shown_as(&self, facts: Facts, shown: &[Shown], now: Moment) -> nomad::Allocation {
        let wall_us = |boot_us: i64| self.time.clocks.wall_us(boot_us, now);
        let lived: Vec<_> = shown.iter().filter(|task| task.lived).collect();
        let runs = lived.iter().any(|task| task.runs);
        let from_us = lived.iter().map(|task| task.from_us).min();
        let to_us = lived.iter().map(|task| task.to_us).max();
        let times = lived.iter().map(|task| {
            let times = TaskTimes {
                started_us: Some(wall_us(task.from_us)),
                finished_us: (!task.runs).then(|| wall_us(task.to_us)),
                running: task.runs,
            };
            (task.key.task.clone(), times)
        });
        let is_unnamed = facts.is_unnamed();
        let status = if is_unnamed { "unnamed" } else { "lost" };
        nomad::Allocation {
            started: true,
            ended: (!runs).then(|| End {
                allocation: facts.id.clone(),
                ended_us: wall_us(to_us.unwrap_or(now.boot_us)),
                status: status.to_owned(),
            }),
            task_times: times.collect(),
            modify_index: 0,
            ran_us: None,
            // Nobody but the kernel tells of one without a name: it is there as long as that says so.
            listed: is_unnamed,
            is_told: false,
            facts: Facts {
                started_us: wall_us(from_us.unwrap_or(now.boot_us)),
                ..facts
            },
        }
    }
}

/// Whether Nomad tells of an allocation as it is, or that it has started.
fn tells(told: &nomad::Allocation) -> bool {
    told.is_certain() || told.started
}

/// The facts of one that nobody named: its tasks by their groups.
fn nameless(id: &str, shown: &[Shown], listing: &Listing) -> Facts {
    let tasks = shown.iter().map(|task| usage::Task {
        name: task.key.task.clone(),
        driver: String::new(),
        image: None,
        cpu_mhz: 0,
        cores: 0,
        memory_mib: 0,
        devices: Vec::new(),
    });
    Facts {
        id: id.to_owned(),
        namespace: String::new(),
        job: String::new(),
        group: String::new(),
        name: String::new(),
        owner: None,
        started_us: 0,
        tasks: tasks.collect(),
        disk_mib: 0,
        node_cores: listing.cores,
        node_mhz: listing.mhz,
    }
}

/// Whether an ID is one that Nomad makes: whoever may start containers may write anything into a label.
fn is_nomads(id: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok() && id.len() == 36
}
