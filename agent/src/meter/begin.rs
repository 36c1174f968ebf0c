//! Beginning: allocations that Nomad says have started, and boots.

use std::collections::{BTreeMap, BTreeSet};

use federation::usage::{Body, Moment, Quality};

use super::place::Clocks;
use super::state::{Open, OpenGpu, OpenTask, State};
use super::{Meter, Observation};
use crate::cgroup::TaskKey;
use crate::nomad::{self, TaskTimes};

/// A group that is found so much later than its allocation started was not watched before, in µs.
const FOUND_US: i64 = 10_000_000;

impl Meter {
    /// Opens the allocations that have started and are not known yet.
    pub(super) fn begin(
        &mut self,
        now: Moment,
        before: Option<Moment>,
        seen: &Observation,
        out: &mut Vec<Body>,
    ) {
        let Some(listing) = seen.listing else {
            return;
        };
        for allocation in listing.allocations {
            let id = &allocation.facts.id;
            if self.state.knows(id) || !allocation.started {
                continue;
            }
            let open = self.state.open(allocation, now, before.unwrap_or(now));
            self.state.time.unnamed += u64::from(allocation.facts.is_unnamed());
            out.push(Body::Allocation(Box::new(allocation.facts.clone())));
            self.state.allocations.insert(id.clone(), open);
        }
    }

    /// What a task used that no counter was seen of: from its parent, if nobody else can have caused it.
    pub(super) fn settle(
        &mut self,
        id: &str,
        name: &str,
        span: (Moment, Moment),
        now: Moment,
        listed: &[nomad::Allocation],
    ) {
        let key = TaskKey {
            allocation: id.to_owned(),
            task: name.to_owned(),
        };
        if self.state.counters.contains_key(&key) {
            return;
        }
        let (from, to) = (span.0.boot_us, span.1.boot_us);
        let alone = self.state.never_seen(listed, (from, to), now, |_| true) <= 1;
        // What several can have caused is nobody's: the last of them must not take it all.
        let claimed = self.state.claim(from, to).filter(|_| alone);
        let listed = listed.iter().any(|a| a.facts.id == id && a.listed);
        let Some(open) = self.state.allocations.get_mut(id) else {
            return;
        };
        let task = open.tasks.entry(name.to_owned()).or_default();
        if let Some(claimed) = claimed {
            // Where one was forgotten while nobody looked, others may have been as well.
            let sure = listed || !claimed.unwatched;
            let low_us = if sure { claimed.low_us } else { 0 };
            let quality = if sure { open.held } else { Quality::Gap };
            task.unseen_us = 0;
            task.cpu.used_us += low_us;
            task.cpu.bound_us += claimed.high_us.saturating_sub(low_us);
            task.cpu.quality = task.cpu.quality.max(quality);
        } else {
            let begin_us = from.max(open.cut.boot_us);
            let span_us = u64::try_from(to.saturating_sub(begin_us)).unwrap_or(0);
            task.unseen_us = task.unseen_us.max(span_us);
        }
    }
}

impl State {
    fn open(&self, allocation: &nomad::Allocation, now: Moment, before: Moment) -> Open {
        let facts = allocation.facts.clone();
        let start = self.time.clocks.place(facts.started_us, now);
        let found = |name: &String| {
            let key = TaskKey {
                allocation: facts.id.clone(),
                task: name.clone(),
            };
            self.counters.get(&key).map(|counter| counter.first_boot_us)
        };
        let first = facts
            .tasks
            .iter()
            .filter_map(|task| found(&task.name))
            .min();
        let watched = first
            .or_else(|| allocation.ended.is_none().then_some(now.boot_us))
            .is_some_and(|found| found.saturating_sub(start.boot_us) <= FOUND_US)
            && start.boot_us >= 0
            && allocation.is_told;
        let mut tasks = BTreeMap::new();
        for task in &facts.tasks {
            let gpu = |device: &federation::usage::Device| {
                let gpu = OpenGpu {
                    model: device.model.clone(),
                    ..OpenGpu::default()
                };
                (device.id.clone(), gpu)
            };
            let mut open = OpenTask {
                gpus: task.devices.iter().map(gpu).collect(),
                ..OpenTask::default()
            };
            let times = allocation.task_times.get(&task.name);
            if let Some(started_us) = times.filter(|t| t.running).and_then(|t| t.started_us) {
                let started = self.time.clocks.place(started_us, now);
                let span_us = |to_us: i64| u64::try_from(to_us - started.boot_us).unwrap_or(0);
                if found(&task.name).is_none() {
                    open.unseen_us = span_us(before.boot_us);
                } else {
                    // What it used before this boot no counter tells.
                    open.cpu.unseen_us = span_us(0);
                }
            }
            tasks.insert(task.name.clone(), open);
        }
        Open {
            facts,
            cut: start,
            lived_boot_us: start.boot_us,
            used_boot_us: start.boot_us,
            // Nothing of before this boot has lived through it.
            gone_boot_us: (start.boot_us < 0).then_some(0),
            held: if watched {
                Quality::Measured
            } else {
                Quality::Inferred
            },
            held_total_us: 0,
            tasks,
            done: BTreeSet::new(),
            missing_boot_us: None,
        }
    }

    /// How many tasks ran between two moments of which no counter was ever seen.
    pub(super) fn never_seen(
        &self,
        listed: &[nomad::Allocation],
        (from, to): (i64, i64),
        now: Moment,
        wanted: impl Fn(&TaskKey) -> bool,
    ) -> usize {
        let ran = |times: &TaskTimes| {
            let boot_us = |wall_us| self.time.clocks.place(wall_us, now).boot_us;
            let end_us = times.finished_us.map_or(now.boot_us, boot_us);
            times
                .started_us
                .is_some_and(|start_us| boot_us(start_us) <= to && end_us >= from)
        };
        let mut count = 0;
        for allocation in listed {
            let id = &allocation.facts.id;
            let done = self.allocations.get(id).map(|open| &open.done);
            for (name, times) in &allocation.task_times {
                let key = TaskKey {
                    allocation: id.clone(),
                    task: name.clone(),
                };
                let past =
                    self.over.contains_key(id) || done.is_some_and(|done| done.contains(name));
                let unknown = !past && !self.counters.contains_key(&key) && wanted(&key);
                count += usize::from(unknown && ran(times));
            }
        }
        count
    }

    /// A boot: all counters begin anew, and what they had counted since the last look is not known.
    ///
    /// The start of what is open is told by the new boot clock, before its zero:
    /// so the wall clock says how long the machine was away.
    pub(super) fn boot(&mut self, now: Moment, last: Moment, boot_id: &str) {
        let away_us = now.wall_us.saturating_sub(last.wall_us).max(0);
        let last_boot_us = now.boot_us.saturating_sub(away_us);
        let moved_us = last_boot_us.saturating_sub(last.boot_us);
        // What the new counters have not seen: up to the boot.
        let dark_us = u64::try_from(away_us.saturating_sub(now.boot_us)).unwrap_or(0);
        for (id, open) in &mut self.allocations {
            open.missing_boot_us = None;
            open.cut.boot_us = open.cut.boot_us.saturating_add(moved_us);
            open.lived_boot_us = open.lived_boot_us.saturating_add(moved_us);
            open.used_boot_us = open.used_boot_us.saturating_add(moved_us);
            // What ran before this boot was gone when it began.
            open.gone_boot_us = Some(0);
            for (name, task) in &mut open.tasks {
                let key = TaskKey {
                    allocation: id.clone(),
                    task: name.clone(),
                };
                let ran = self
                    .counters
                    .get(&key)
                    .is_none_or(|c| c.present && c.has_processes);
                if ran && !open.done.contains(name) {
                    task.unseen_us = task.unseen_us.saturating_add(dark_us);
                }
            }
        }
        for (key, counter) in &mut self.counters {
            if counter.present && !self.allocations.contains_key(&key.allocation) {
                counter.pending.unseen_us += dark_us;
            }
            counter.present = false;
            counter.epoch = String::new();
            counter.raw_us = 0;
            counter.first_boot_us = counter.first_boot_us.saturating_add(moved_us);
            if let Some(shown_us) = &mut counter.shown_boot_us {
                *shown_us = shown_us.saturating_add(moved_us);
            }
            counter.last_boot_us = counter.last_boot_us.saturating_add(moved_us);
            counter.lived_boot_us = counter.lived_boot_us.saturating_add(moved_us);
        }
        for glimpse in self.glimpses.values_mut() {
            glimpse.from_boot_us = glimpse.from_boot_us.saturating_add(moved_us);
            glimpse.to_boot_us = glimpse.to_boot_us.saturating_add(moved_us);
        }
        self.parents.clear();
        self.devices.clear();
        self.time.clocks = Clocks::default();
        self.time.last = Some(Moment {
            boot_us: last_boot_us,
            wall_us: last.wall_us,
        });
        boot_id.clone_into(&mut self.time.boot_id);
    }
}
