//! CPU time out of counters that may begin anew, vanish, or have been seen by their parent only.
//!
//! A parent group goes on counting what its removed children used. So what it
//! counts more than its living children is the use of all that are gone; as the
//! parent is read before and after its children, it is known as a range, and
//! every look narrows the range until a child goes.

use std::collections::{BTreeMap, BTreeSet};

use federation::usage::{Moment, Quality};

use super::state::{Counter, Gone, Pending, State, Window};
use crate::cgroup::{Seen, Snapshot, TaskKey};

/// For how long unexplained use waits for an allocation that caused it.
const UNEXPLAINED_US: i64 = 3_600_000_000;
/// What a kernel may book late of a group that is gone.
const NOISE_US: u64 = 100_000;
/// With more than this that may have been another group's a counter's use is not called measured.
const MISSED_US: u64 = 20_000;
/// How much later than a counter the clock of a look may be read, in µs: a busy node lets it wait.
const LATE_LOOK_US: i64 = 1_000_000;
/// How many cores a node has at most, before Nomad has told.
const MOST_CORES: u64 = 1_024;
/// How many stretches of unexplained use wait, a parent.
const WINDOWS: usize = 64;

/// A look at all counters.
pub(crate) struct Look<'a> {
    pub(crate) now: Moment,
    /// The look before, if it was in this boot.
    pub(crate) before_boot_us: Option<i64>,
    pub(crate) snapshot: &'a Snapshot,
    /// Nobody looked for a while, or tasks ran since the last look that were never seen:
    /// what a parent counted more need not be of those that it had.
    pub(crate) unsure: bool,
}

impl State {
    /// Takes the last use of counters that are gone, and gives their tasks.
    pub(crate) fn take_gone(&mut self, look: &Look) -> Vec<TaskKey> {
        let vanished = self.vanished(look.snapshot);
        let mut lost: BTreeMap<Option<String>, Vec<TaskKey>> = BTreeMap::new();
        for key in &vanished {
            let Some(counter) = self.counters.get_mut(key) else {
                continue;
            };
            counter.present = false;
            let parent = counter.parent.clone();
            if counter.has_processes {
                lost.entry(parent).or_default().push(key.clone());
            } else {
                // A group without processes had said its last.
                let (raw_us, bound_us) = (counter.raw_us, counter.bound_us);
                self.account_for(parent.as_deref(), raw_us, bound_us);
            }
        }
        for (parent, keys) in &lost {
            let known = parent.as_ref().is_some_and(|name| {
                let now = look.snapshot.parents.get(name);
                let before = self.parents.get(name);
                now.zip(before)
                    .is_some_and(|(now, before)| now.epoch == before.epoch)
            });
            if !known {
                self.lose(keys, look);
            }
        }
        for name in look.snapshot.parents.keys() {
            let keys = lost.get(&Some(name.clone())).map_or(&[][..], Vec::as_slice);
            self.reconcile(name, keys, look);
        }
        vanished
    }

    /// Takes what the counters that are there say.
    pub(crate) fn take_present(&mut self, look: &Look) {
        for (key, seen) in &look.snapshot.tasks {
            self.advance(key, seen, look);
        }
    }

    /// The tasks whose last counter is no longer there.
    pub(crate) fn vanished(&self, snapshot: &Snapshot) -> Vec<TaskKey> {
        let gone = |key: &TaskKey, counter: &Counter| {
            counter.present
                && snapshot
                    .tasks
                    .get(key)
                    .is_none_or(|seen| seen.reading.epoch != counter.epoch)
        };
        let counters = self.counters.iter();
        counters
            .filter(|(key, counter)| gone(key, counter))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// A child whose use is known is gone: its parent's rest grows by that.
    fn account_for(&mut self, parent: Option<&str>, raw_us: u64, bound_us: u64) {
        if let Some(gone) = parent.and_then(|name| self.parents.get_mut(name)) {
            gone.low_us = gone.low_us.saturating_add_unsigned(raw_us);
            gone.high_us = gone.high_us.saturating_add_unsigned(raw_us + bound_us);
        }
    }

    /// Counters are gone, and nothing says what they counted at last.
    fn lose(&mut self, keys: &[TaskKey], look: &Look) {
        for key in keys {
            if let Some(counter) = self.counters.get_mut(key) {
                let unseen_us = look.now.boot_us.saturating_sub(counter.last_boot_us);
                counter.pending.unseen_us += u64::try_from(unseen_us).unwrap_or(0);
                counter.pending.quality = Quality::Gap;
            }
        }
    }

    /// Compares a parent with its children.
    fn reconcile(&mut self, name: &str, vanished: &[TaskKey], look: &Look) {
        let Some((low_us, high_us)) = rest(name, look.snapshot) else {
            return;
        };
        let Some(parent) = look.snapshot.parents.get(name) else {
            return;
        };
        let fresh = Gone {
            epoch: parent.epoch.clone(),
            low_us,
            high_us,
            strangers: false,
            unexplained: Vec::new(),
        };
        let known = self.parents.entry(name.to_owned());
        let gone = known.or_insert_with(|| Gone {
            epoch: String::new(),
            ..fresh.clone()
        });
        if gone.epoch != fresh.epoch {
            *gone = fresh;
            // After a gap others may have caused what it counts, whom nobody will ever name.
            if look.before_boot_us.is_none() || look.unsure {
                return;
            }
            // It was not there at the look before: all that it counts is of since then.
            (gone.low_us, gone.high_us) = (0, 0);
        }
        let least_us = u64::try_from(low_us - gone.high_us).unwrap_or(0);
        let most_us = u64::try_from(high_us - gone.low_us).unwrap_or(0);
        if !vanished.is_empty() {
            (gone.low_us, gone.high_us) = (low_us, high_us);
            let strangers = gone.strangers;
            self.share(vanished, (least_us, most_us), strangers, look);
        } else if least_us > 0 {
            (gone.low_us, gone.high_us) = (low_us, high_us);
            gone.wait(Window {
                from_boot_us: look.before_boot_us.unwrap_or(look.now.boot_us),
                to_boot_us: look.now.boot_us,
                low_us: least_us,
                high_us: most_us,
                unwatched: look.unsure,
            });
        } else if high_us < gone.low_us {
            // A child is there again that could not be read for a moment.
            (gone.low_us, gone.high_us) = (low_us, high_us);
        } else {
            gone.low_us = gone.low_us.max(low_us);
            gone.high_us = gone.high_us.min(high_us);
        }
        if let Some(gone) = self.parents.get_mut(name) {
            gone.give_up(look.now.boot_us);
        }
    }

    /// Divides what a parent counted among the children that went.
    fn share(&mut self, keys: &[TaskKey], (least, most): (u64, u64), strangers: bool, look: &Look) {
        let told_us = |key: &TaskKey| self.counters.get(key).map_or(0, |counter| counter.raw_us);
        let before: u64 = keys.iter().map(told_us).sum();
        let least = least.saturating_sub(before);
        let most = most.saturating_sub(before);
        let since_us = |key: &TaskKey| self.counters.get(key).map(|c| c.last_boot_us);
        let since_us = keys.iter().filter_map(since_us).min();
        let can_us = self.can_use(since_us.unwrap_or(look.now.boot_us), look.now.boot_us);
        // More than all cores can do was not done by these: a group of somebody else went too.
        let strangers = strangers || least > can_us;
        let most = most.min(can_us.max(least));
        let (count, cores) = (keys.len() as u64, self.cores());
        for (place, key) in (0_u64..).zip(keys) {
            let Some(counter) = self.counters.get_mut(key) else {
                continue;
            };
            let extra = u64::from(place < least % count);
            let used = if strangers { 0 } else { least / count + extra };
            let quality = match (strangers, count) {
                (true, _) => Quality::Gap,
                (false, 1) if !look.unsure => Quality::Measured,
                (false, _) => Quality::Inferred,
            };
            let most = if strangers { most.min(can_us) } else { most };
            counter.raw_us += used;
            counter.pending.used_us += used;
            counter.show_life(used, cores, look);
            counter.pending.bound_us += most.saturating_sub(used);
            counter.pending.quality = counter.pending.quality.max(quality);
        }
    }

    /// How much CPU time there is between two moments, on all cores.
    fn can_use(&self, from_boot_us: i64, to_boot_us: i64) -> u64 {
        let span_us = u64::try_from(to_boot_us.saturating_sub(from_boot_us)).unwrap_or(0);
        span_us.saturating_mul(self.cores())
    }

    /// How much a counter can have moved between two looks: 1.05 of what all cores can do.
    fn can_count(&self, from_boot_us: i64, now: Moment) -> u64 {
        let can_us = self.can_use(from_boot_us, now.boot_us.saturating_add(LATE_LOOK_US));
        can_us.saturating_add(can_us / 20)
    }

    fn cores(&self) -> u64 {
        let cores = self.allocations.values().map(|open| open.facts.node_cores);
        cores.max().map_or(MOST_CORES, u64::from).max(1)
    }

    /// Takes what a counter says now.
    fn advance(&mut self, key: &TaskKey, seen: &Seen, look: &Look) {
        let reading = &seen.reading;
        let parent = look.snapshot.parent_of.get(key).cloned();
        let missed_us = self.missed(parent.as_deref(), look.now);
        let cores = self.cores();
        let since_us = self.counters.get(key).map(|counter| counter.last_boot_us);
        let can_us = self.can_count(since_us.unwrap_or(look.now.boot_us), look.now);
        let counter = self.counters.entry(key.clone()).or_insert_with(|| Counter {
            raw_us: 0,
            back_us: 0,
            bound_us: 0,
            epoch: String::new(),
            parent: None,
            present: true,
            has_processes: true,
            first_boot_us: look.now.boot_us,
            last_boot_us: look.now.boot_us,
            shown_boot_us: None,
            lived_boot_us: i64::MIN,
            pending: Pending::default(),
        });
        if counter.epoch != reading.epoch {
            // A group before this one may have come and gone between two looks.
            counter.pending.bound_us += missed_us;
            if missed_us > MISSED_US {
                counter.pending.quality = counter.pending.quality.max(Quality::Inferred);
            }
            // What a new counter shows was used in it. One that is there again goes on.
            (counter.raw_us, counter.back_us) = (0, 0);
            counter.epoch.clone_from(&reading.epoch);
        } else if !reading.is_sum {
            counter.doubt(reading.used_us, can_us);
        }
        // A sum over processes can become less when one goes; what was used stays used.
        let used_us = reading.used_us.saturating_sub(counter.raw_us);
        counter.raw_us += used_us;
        counter.bound_us = reading.bound_us;
        counter.pending.used_us += used_us;
        counter.pending.counter_bound_us = counter.pending.counter_bound_us.max(reading.bound_us);
        counter.parent = parent;
        counter.present = true;
        counter.has_processes = seen.has_processes;
        if seen.has_processes {
            counter.lived_boot_us = look.now.boot_us;
        } else {
            counter.show_life(used_us, cores, look);
        }
        counter.last_boot_us = look.now.boot_us;
    }

    /// What groups used at most that came and went since the last look.
    fn missed(&self, parent: Option<&str>, now: Moment) -> u64 {
        let windows = parent.and_then(|name| self.parents.get(name));
        windows
            .and_then(|gone| gone.unexplained.last())
            .filter(|window| window.to_boot_us == now.boot_us)
            .map_or(0, |window| {
                let can_us = self.can_use(window.from_boot_us, window.to_boot_us);
                window.high_us.min(can_us)
            })
    }

    /// What was used between two moments by no task that was seen, and forgets it.
    ///
    /// Gives the least and the most that it was, in µs, as one window.
    pub(crate) fn claim(&mut self, from_boot_us: i64, to_boot_us: i64) -> Option<Window> {
        let mut claimed: Option<Window> = None;
        let can_us = self.can_use(from_boot_us, to_boot_us);
        for gone in self.parents.values_mut() {
            if gone.strangers {
                continue;
            }
            gone.unexplained.retain(|window| {
                let meets = window.from_boot_us <= to_boot_us && window.to_boot_us >= from_boot_us;
                if meets {
                    match &mut claimed {
                        Some(claimed) => claimed.join(window),
                        None => claimed = Some(window.clone()),
                    }
                }
                !meets
            });
        }
        // More than all cores can do was not done by one task.
        let claimed = claimed.filter(|claimed| claimed.low_us <= can_us)?;
        Some(Window {
            high_us: claimed.high_us.min(can_us),
            ..claimed
        })
    }

    /// Forgets counters that nobody asks for: gone, of allocations that are not metered.
    pub(crate) fn forget_counters(&mut self, listed: &BTreeSet<&str>, now: Moment) {
        let open = &self.allocations;
        let over = &self.over;
        self.counters.retain(|key, counter| {
            let id = key.allocation.as_str();
            let old = now.boot_us.saturating_sub(counter.last_boot_us) > UNEXPLAINED_US;
            counter.present
                || open.contains_key(id)
                || !(over.contains_key(id) || (old && !listed.contains(id)))
        });
    }
}

impl Counter {
    /// What it has shown until now was of no task that had started.
    pub(super) fn begin_anew(&mut self, now: Moment) {
        self.pending = Pending::default();
        self.first_boot_us = now.boot_us;
        self.shown_boot_us = None;
        self.lived_boot_us = i64::MIN;
    }

    /// A counter of the kernel's that shows less than it did, or moved by more than all cores can do,
    /// is wrong, and nobody knows by how much of that: it is taken, and not called measured.
    fn doubt(&mut self, shown_us: u64, can_us: u64) {
        let back_us = self.raw_us.saturating_sub(shown_us);
        let moved_us = shown_us.saturating_sub(self.raw_us);
        let wrong_us = if moved_us > can_us { moved_us } else { 0 };
        // It may stay behind for long, but that is one error. What it has caught up was used since.
        let behind_us = back_us.max(self.back_us);
        self.back_us = back_us;
        if behind_us > 0 || wrong_us > 0 {
            let pending = &mut self.pending;
            pending.quality = pending.quality.max(Quality::Inferred);
            pending.counter_bound_us = pending.counter_bound_us.max(behind_us);
            pending.bound_us += wrong_us;
        }
    }

    /// Use without a process is a sign of life: until now where somebody looked all the time, else
    /// for as long as all cores need for it.
    fn show_life(&mut self, used_us: u64, cores: u64, look: &Look) {
        if used_us == 0 {
            return;
        }
        let least_us = i64::try_from(used_us / cores).unwrap_or(i64::MAX);
        let lived_us = if look.unsure {
            self.lived_boot_us.saturating_add(least_us)
        } else {
            look.now.boot_us
        };
        self.lived_boot_us = self.lived_boot_us.max(lived_us.min(look.now.boot_us));
    }
}

/// Whether an allocation was ever shown by a group.
pub(super) fn has_some(counters: &BTreeMap<TaskKey, Counter>, id: &str) -> bool {
    let first = TaskKey {
        allocation: id.to_owned(),
        task: String::new(),
    };
    let next = counters.range(first..).next();
    next.is_some_and(|(key, _)| key.allocation == id)
}

impl Window {
    /// Takes another one in.
    fn join(&mut self, other: &Self) {
        self.from_boot_us = self.from_boot_us.min(other.from_boot_us);
        self.to_boot_us = self.to_boot_us.max(other.to_boot_us);
        self.low_us += other.low_us;
        self.high_us += other.high_us;
        self.unwatched |= other.unwatched;
    }
}

impl Gone {
    fn wait(&mut self, window: Window) {
        if self.unexplained.len() >= WINDOWS {
            let oldest = self.unexplained.remove(0);
            if let Some(first) = self.unexplained.first_mut() {
                first.join(&oldest);
            }
        }
        self.unexplained.push(window);
    }

    /// Use that nobody claims is of groups that are no tasks.
    fn give_up(&mut self, now_boot_us: i64) {
        let old = |window: &Window| now_boot_us.saturating_sub(window.to_boot_us) > UNEXPLAINED_US;
        let nobodys_us: u64 = self
            .unexplained
            .iter()
            .filter(|window| old(window))
            .map(|window| window.low_us)
            .sum();
        self.unexplained.retain(|window| !old(window));
        self.strangers |= nobodys_us > NOISE_US;
    }
}

/// What a parent counts more than its living children: at least, and at most.
fn rest(name: &str, snapshot: &Snapshot) -> Option<(i64, i64)> {
    let parent = snapshot.parents.get(name)?;
    let children = snapshot.parent_of.iter();
    let (mut sum_us, mut bound_us) = (0_u64, 0_u64);
    for (key, _) in children.filter(|(_, parent)| parent.as_str() == name) {
        if let Some(seen) = snapshot.tasks.get(key) {
            sum_us = sum_us.saturating_add(seen.reading.used_us);
            bound_us = bound_us.saturating_add(seen.reading.bound_us);
        }
    }
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let slack_us = signed(bound_us);
    Some((
        signed(parent.before_us) - signed(sum_us) - slack_us,
        signed(parent.after_us) - signed(sum_us) + slack_us.min(1),
    ))
}
