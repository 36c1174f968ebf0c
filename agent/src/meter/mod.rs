//! Decides what was held and used: closed intervals out of looks at counters and of what Nomad says.
//!
//! A pure state machine: [`Meter::observe`] is given a moment and what was seen
//! then, and gives the entries that follow. Nothing here reads a clock, a file
//! or a socket. All it remembers is a [`State`], which a ledger keeps in one
//! transaction with the entries; after a crash it goes on from there, as
//! counters have gone on.
//!
//! Holding follows from Nomad's times. An allocation is cut only up to a moment
//! at which it is known to be held: now, while a group of it has processes, else
//! a little before Nomad last said so.

mod begin;
mod busy;
mod close;
mod counter;
mod cut;
mod doubt;
mod place;
mod state;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use federation::usage::{Body, Moment, Quality};

use crate::cgroup::{Snapshot, TaskKey};
use crate::gpu::{Answer, Busy};
use crate::nomad;
use counter::Look;
use cut::Scene;
pub use place::next_month_end;
pub use state::{RowError, State};

/// After so long without a look nobody is taken to have looked, in µs.
const GAP_US: i64 = 10_000_000;
/// Holders of a GPU that began further apart, in µs, are not asked about together.
const TURNS_US: i64 = 2_000_000;

/// What was seen at a moment.
///
/// The listing must have been taken before the snapshot: so what Nomad calls
/// over has left all its use in the counters.
#[derive(Debug, Clone)]
pub struct Observation<'a> {
    /// All counters.
    pub snapshot: &'a Snapshot,
    /// What Nomad last said; nothing before its first answer.
    pub listing: Option<Listing<'a>>,
    /// What the drivers of assigned GPUs say, by UUID: the answers to [`Meter::questions`].
    pub busy: &'a BTreeMap<String, Answer<Busy>>,
    /// How far the wall clock of moments is ahead of the machine's, by which most drivers number.
    pub shift_us: i64,
    /// The agent is about to stop.
    pub stopping: bool,
}

/// The allocations of this node, as Nomad has told.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// All that it lists.
    pub allocations: &'a [nomad::Allocation],
    /// When Nomad was last heard: up to then the list is known to be right.
    pub heard: Moment,
    /// Since when it has been heard without a failure between; nothing while it is not.
    pub heard_since: Option<Moment>,
    /// Of which of [`Meter::doubts`] the servers' memory has told all.
    pub asked: &'a BTreeSet<String>,
    /// The node's cores.
    pub cores: u32,
    /// The node's MHz.
    pub mhz: u64,
}

/// The meter of a node.
#[derive(Debug, Clone)]
pub struct Meter {
    state: State,
    resumed: bool,
    /// Since when, on the boot clock, Nomad might have told of the start of each allocation that the
    /// kernel has shown. Not kept: while nobody looked, nobody asked either.
    untold: BTreeMap<String, i64>,
}

impl Meter {
    /// A meter that goes on from a state; from an empty one at first.
    pub fn new(state: State) -> Self {
        let resumed = state.time.last.is_some();
        Self {
            state,
            resumed,
            untold: BTreeMap::new(),
        }
    }

    /// What to keep.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Which GPUs to ask, and since when: the driver's own number of the last answer.
    ///
    /// A task that has had no answer yet is asked about since its start, in µs of the
    /// machine's wall clock, which most drivers number their samples by; so too for tasks
    /// that are in `listed` and were not seen before, though they may be over by now: they
    /// are not asked about a second time. 0 is a device that begins anew.
    ///
    /// `shift_us` is that of [`Observation`].
    pub fn questions(&self, listed: &[nomad::Allocation], shift_us: i64) -> Vec<(String, u64)> {
        let mut starts: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        let new = |one: &&nomad::Allocation| one.started && !self.state.knows(&one.facts.id);
        for new in listed.iter().filter(new) {
            for device in new.facts.tasks.iter().flat_map(|task| &task.devices) {
                let starts = starts.entry(&device.id).or_default();
                starts.push(new.facts.started_us - shift_us);
            }
        }
        let last = self.state.time.last;
        let machine_us = last.map_or(0, |last| last.wall_us - last.boot_us - shift_us);
        for open in self.state.allocations.values() {
            let gpus = open.tasks.values().flat_map(|task| &task.gpus);
            for (id, gpu) in gpus.filter(|(_, gpu)| !gpu.answered) {
                let starts = starts.entry(id).or_default();
                starts.push(gpu.begin_boot_us(open.cut.boot_us) + machine_us);
            }
        }
        let since = |(id, starts): (&str, Vec<i64>)| (id.to_owned(), since_us(&starts));
        let mut since: BTreeMap<String, u64> = starts.into_iter().map(since).collect();
        // Who has been answered goes on, whoever else holds the device already.
        for open in self.state.allocations.values() {
            let gpus = open.tasks.values().flat_map(|task| &task.gpus);
            for (id, _) in gpus.filter(|(_, gpu)| gpu.answered) {
                let device = self.state.devices.get(id);
                since.insert(id.clone(), device.map_or(0, |device| device.last_seen_us));
            }
        }
        since.into_iter().collect()
    }

    /// The driver of each task that is metered, and of those in `listed` that are not over.
    pub fn drivers(&self, listed: &[nomad::Allocation]) -> BTreeMap<TaskKey, String> {
        let metered = self.state.allocations.values().map(|open| &open.facts);
        let listed = listed.iter().filter(|listed| listed.ended.is_none());
        let all = metered.chain(listed.map(|listed| &listed.facts));
        all.flat_map(|facts| facts.tasks.iter().map(move |task| (facts, task)))
            // Of one that Nomad never named nobody knows it.
            .filter(|(_, task)| !task.driver.is_empty())
            .map(|(facts, task)| {
                let key = TaskKey {
                    allocation: facts.id.clone(),
                    task: task.name.clone(),
                };
                (key, task.driver.clone())
            })
            .collect()
    }

    /// Takes what was seen, and gives the entries that follow.
    pub fn observe(&mut self, now: Moment, boot_id: &str, seen: &Observation) -> Vec<Body> {
        let mut out = Vec::new();
        let after_gap = self.resume(now, boot_id, &mut out);
        let before = self.state.time.last;
        self.state.time.clocks.see(now);
        if let Some(before) = before.filter(|_| !after_gap) {
            self.cut_overdue(now, before, &mut out);
        }
        let look = Look {
            now,
            before_boot_us: before.map(|before| before.boot_us),
            snapshot: seen.snapshot,
            unsure: before.is_none() || after_gap || self.may_have_missed(now, before, seen),
        };
        let gone = self.state.take_gone(&look);
        self.absorb(now);
        if let Some(before) = before.filter(|_| !after_gap) {
            self.cut_renewed(&gone, before, seen.snapshot, &mut out);
        }
        self.state.take_present(&look);
        self.take_glimpses(now, before, seen.snapshot);
        if after_gap {
            self.untold.clear();
        }
        self.note_untold(now, seen.listing.as_ref());
        let all = self.all(now, seen.listing);
        let listing = all
            .as_deref()
            .zip(seen.listing)
            .map(|(all, listing)| Listing {
                allocations: all,
                ..listing
            });
        let seen = &Observation {
            listing,
            ..seen.clone()
        };
        self.begin(now, before, seen, &mut out);
        self.absorb(now);
        self.count_unseen(now, before, seen);
        self.take_busy(now, seen);
        self.close(now, before, seen, &mut out);
        self.state.time.last = Some(now);
        self.forget(now, seen);
        out
    }

    /// What Nomad tells, and those of whose start it never told.
    fn all<'a>(
        &self,
        now: Moment,
        listing: Option<Listing<'a>>,
    ) -> Option<Cow<'a, [nomad::Allocation]>> {
        let listing = listing?;
        let mut all = Cow::Borrowed(listing.allocations);
        let untold = self.untold(now, &listing);
        if !untold.is_empty() {
            let all = all.to_mut();
            all.retain(|told| untold.iter().all(|one| one.facts.id != told.facts.id));
            all.extend(untold);
        }
        Some(all)
    }

    /// Whether tasks ran since the last look that no look has seen, so far as Nomad has told.
    fn may_have_missed(&self, now: Moment, before: Option<Moment>, seen: &Observation) -> bool {
        let Some((listing, before)) = seen.listing.zip(before) else {
            return false;
        };
        let ran = || {
            let new = |key: &TaskKey| !seen.snapshot.tasks.contains_key(key);
            let span = (before.boot_us, now.boot_us);
            self.state.never_seen(listing.allocations, span, now, new)
        };
        !self.state.vanished(seen.snapshot).is_empty() && ran() > 0
    }

    /// Takes note of a boot, and of a time in which nobody looked. Says whether there was one.
    fn resume(&mut self, now: Moment, boot_id: &str, out: &mut Vec<Body>) -> bool {
        let resumed = std::mem::take(&mut self.resumed);
        let Some(last) = self.state.time.last else {
            boot_id.clone_into(&mut self.state.time.boot_id);
            return false;
        };
        let booted = self.state.time.boot_id != boot_id;
        let apart_us = now.boot_us.saturating_sub(last.boot_us);
        if !booted && !resumed && apart_us <= GAP_US {
            return false;
        }
        // What lived at the last look is closed there. One that had ended by then is not,
        // though its use was told then: only Nomad knows when it ended.
        let ids: Vec<String> = self.state.allocations.keys().cloned().collect();
        for id in ids {
            let seen_last =
                |open: &state::Open| open.lived_boot_us == last.boot_us && open.is_whole();
            let is_whole = self.state.allocations.get(&id).is_some_and(seen_last);
            if is_whole && self.lives(&id) {
                self.cut(&id, last, last, out);
            }
        }
        for open in self.state.allocations.values_mut() {
            open.held = Quality::Inferred;
            // It may have lived again. Nor did anybody ask for it meanwhile.
            open.gone_boot_us = None;
            open.missing_boot_us = None;
        }
        if booted {
            self.state.boot(now, last, boot_id);
        }
        // Whose facts still wait is watched anew from here on, too.
        for (key, counter) in &mut self.state.counters {
            if !self.state.allocations.contains_key(&key.allocation) {
                counter.shown_boot_us.get_or_insert(counter.first_boot_us);
                counter.first_boot_us = now.boot_us;
            }
        }
        true
    }

    /// Gives open allocations what counters have told of their tasks.
    fn absorb(&mut self, now: Moment) {
        for (key, counter) in &mut self.state.counters {
            let Some(open) = self.state.allocations.get_mut(&key.allocation) else {
                continue;
            };
            open.lived_boot_us = open.lived_boot_us.max(counter.lived_boot_us);
            if let Some(task) = open.tasks.get_mut(&key.task) {
                let told = std::mem::take(&mut counter.pending);
                if told.used_us > 0 {
                    open.used_boot_us = now.boot_us;
                }
                task.take(&told, now.boot_us);
            }
        }
        self.note_gone(now);
    }

    /// Takes note of who was shown by a group and does not live any more.
    fn note_gone(&mut self, now: Moment) {
        let counters = &self.state.counters;
        for (id, open) in &mut self.state.allocations {
            if open.lived_boot_us >= now.boot_us {
                open.gone_boot_us = None;
            } else if open.gone_boot_us.is_none() && counter::has_some(counters, id) {
                open.gone_boot_us = Some(now.boot_us);
            }
        }
    }

    /// Cuts where a counter ended and another began, at the last look before.
    fn cut_renewed(
        &mut self,
        gone: &[TaskKey],
        before: Moment,
        snapshot: &Snapshot,
        out: &mut Vec<Body>,
    ) {
        for key in gone.iter().filter(|key| snapshot.tasks.contains_key(key)) {
            let open = self.state.allocations.get(&key.allocation);
            if open.is_some_and(|open| open.cut.boot_us < before.boot_us) {
                self.cut(&key.allocation, before, before, out);
            }
        }
    }

    /// Counts the time of tasks that run and have no counter at all.
    fn count_unseen(&mut self, now: Moment, before: Option<Moment>, seen: &Observation) {
        let Some((listing, before)) = seen.listing.zip(before) else {
            return;
        };
        for allocation in listing.allocations {
            let Some(open) = self.state.allocations.get_mut(&allocation.facts.id) else {
                continue;
            };
            let since_us = before.boot_us.max(open.cut.boot_us);
            let span_us = u64::try_from(now.boot_us.saturating_sub(since_us)).unwrap_or(0);
            for (name, task) in &mut open.tasks {
                let key = TaskKey {
                    allocation: allocation.facts.id.clone(),
                    task: name.clone(),
                };
                let runs = allocation.task_times.get(name).is_some_and(|t| t.running);
                match self.state.counters.get(&key) {
                    // It tells of all that was used before it was found.
                    Some(counter) if counter.first_boot_us == now.boot_us => task.unseen_us = 0,
                    None if runs => task.unseen_us += span_us,
                    _ => {}
                }
            }
        }
    }

    fn take_busy(&mut self, now: Moment, seen: &Observation) {
        let machine_us = now.wall_us - now.boot_us - seen.shift_us;
        for open in self.state.allocations.values_mut() {
            let held_us = now.boot_us.saturating_sub(open.cut.boot_us);
            let held_us = u64::try_from(held_us).unwrap_or(0);
            for task in open.tasks.values_mut() {
                for (id, gpu) in &mut task.gpus {
                    let Some(Answer::Ok(busy)) = seen.busy.get(id) else {
                        continue;
                    };
                    if gpu.answered {
                        gpu.take(busy, held_us);
                    } else {
                        let begin_us = gpu.begin_boot_us(open.cut.boot_us) + machine_us;
                        let from_us = busy.from_us.and_then(|us| i64::try_from(us).ok());
                        let lead_us = from_us.map(|from_us| begin_us.saturating_sub(from_us));
                        gpu.take_first(busy, held_us, lead_us);
                    }
                    let device = self.state.devices.entry(id.clone()).or_default();
                    device.told(busy, now);
                }
            }
        }
    }

    /// Cuts an allocation at a moment.
    fn cut(&mut self, id: &str, to: Moment, now: Moment, out: &mut Vec<Body>) {
        self.with_open(id, now, |open, scene, counter| {
            open.cut(to, scene, counter, out);
        });
    }

    /// Lends an open allocation, together with what a cut needs of the rest.
    fn with_open(
        &mut self,
        id: &str,
        now: Moment,
        act: impl FnOnce(&mut state::Open, &Scene, &dyn Fn(&str) -> Option<state::Counter>),
    ) {
        let State {
            time,
            allocations,
            counters,
            ..
        } = &mut self.state;
        let Some(open) = allocations.get_mut(id) else {
            return;
        };
        let scene = Scene {
            boot_id: &time.boot_id,
            now,
            clocks: &time.clocks,
        };
        let counter = |task: &str| {
            let key = TaskKey {
                allocation: id.to_owned(),
                task: task.to_owned(),
            };
            counters.get(&key).cloned()
        };
        act(open, &scene, &counter);
    }
}

/// Since when a device is asked about that several have held in turn since the last look: the
/// first, if that is not long before the last one. One answer does not tell them apart.
fn since_us(starts: &[i64]) -> u64 {
    let last = starts.iter().copied().max().unwrap_or(0);
    let near = |start: &&i64| last.saturating_sub(**start) <= TURNS_US;
    let first = starts.iter().filter(near).min();
    first.map_or(0, |&first| u64::try_from(first).unwrap_or(0))
}
