//! Closing: what is due, tasks and allocations that ended, and what is forgotten afterwards.

use std::collections::{BTreeMap, BTreeSet};

use federation::usage::{Body, End, Moment, Quality};

use super::doubt::{MISSING_US, SILENT_US};
use super::state::{Open, Over, State};
use super::{Listing, Meter, Observation};
use crate::cgroup::TaskKey;
use crate::nomad;

/// How long an interval is at most, in µs of the boot clock.
const LONGEST_US: i64 = 300_000_000;
/// How much earlier than its answer Nomad's knowledge may be, in µs.
pub(super) const NOMAD_LATE_US: i64 = 5_000_000;
/// How long an allocation that is over is remembered after Nomad has forgotten it, in µs.
const REMEMBERED_US: i64 = 86_400_000_000;

impl Meter {
    /// Ends everything where it was last seen to live: the node is another one now.
    pub fn abandon(&mut self) -> Vec<Body> {
        let mut out = Vec::new();
        let Some(last) = self.state.time.last else {
            return out;
        };
        let ids: Vec<String> = self.state.allocations.keys().cloned().collect();
        for id in ids {
            if let Some((end, ended)) = self.end_as_seen(&id, None, last, &mut out) {
                self.finish(&id, end, ended, last, &mut out);
            }
        }
        out
    }

    fn finish(&mut self, id: &str, end: End, ended: Moment, now: Moment, out: &mut Vec<Body>) {
        self.cut(id, ended, now, out);
        self.state.allocations.remove(id);
        let ended_us = end.ended_us;
        self.state.over.insert(id.to_owned(), Over { ended_us });
        out.push(Body::End(end));
    }

    /// Cuts what is due, and ends what is over.
    pub(super) fn close(
        &mut self,
        now: Moment,
        before: Option<Moment>,
        seen: &Observation,
        out: &mut Vec<Body>,
    ) {
        let allocations = seen.listing.map_or(&[][..], |listing| listing.allocations);
        let by_id: BTreeMap<&str, &nomad::Allocation> = allocations
            .iter()
            .map(|allocation| (allocation.facts.id.as_str(), allocation))
            .collect();
        let ids: Vec<String> = self.state.allocations.keys().cloned().collect();
        for id in ids {
            let told = by_id.get(id.as_str()).copied();
            if let Some(told) = told {
                self.end_tasks(told, now, allocations, out);
            }
            // That one was alive when the servers last heard of it says nothing of now.
            let listed = told.filter(|told| told.is_certain());
            let is_there = listed.is_some() || self.lives(&id);
            let open = self.state.allocations.get_mut(&id);
            if let Some(open) = open.filter(|_| is_there) {
                open.missing_boot_us = None;
            }
            let end = match listed {
                Some(listed) => listed.ended.clone().map(|end| {
                    let ended = self.state.time.clocks.place(end.ended_us, now);
                    (end, ended)
                }),
                None => seen
                    .listing
                    .and_then(|listing| self.missing(&id, told, now, &listing, out)),
            };
            if let Some((end, ended)) = end {
                if let Some(told) = told.filter(|told| told.ended.is_none()) {
                    let lost = told.ended_as(end.clone());
                    self.end_tasks(&lost, now, allocations, out);
                }
                self.finish(&id, end, ended, now, out);
            } else if let Some(known) = self.known(&id, listed, now, seen) {
                self.cut_due(&id, known, now, before, seen.stopping, out);
            }
        }
    }

    /// Cuts an allocation where one of its tasks has ended, and takes what no counter told of it.
    fn end_tasks(
        &mut self,
        listed: &nomad::Allocation,
        now: Moment,
        all: &[nomad::Allocation],
        out: &mut Vec<Body>,
    ) {
        let id = &listed.facts.id;
        let mut ended = Vec::new();
        for (name, times) in &listed.task_times {
            let done = self.state.allocations.get(id).map(|open| &open.done);
            if times.running || done.is_none_or(|done| done.contains(name)) {
                continue;
            }
            if let Some((started_us, finished_us)) = times.started_us.zip(times.finished_us) {
                let place = |wall_us| self.state.time.clocks.place(wall_us, now);
                ended.push((place(finished_us), place(started_us), name));
            }
        }
        ended.sort_by_key(|(finished, _, _)| finished.boot_us);
        for (finished, started, name) in &ended {
            self.settle(id, name, (*started, *finished), now, all);
        }
        for (finished, _, name) in ended {
            let Some(open) = self.state.allocations.get_mut(id) else {
                return;
            };
            open.done.insert(name.clone());
            let held = open.held;
            // With the last one the allocation is over, and is cut there.
            if listed.ended.is_none() {
                self.cut(id, finished, now, out);
            }
            if let Some(open) = self.state.allocations.get_mut(id) {
                open.held = held;
            }
        }
    }

    /// The end of an allocation that Nomad does not list any more: when it was last known to live.
    ///
    /// Nomad's servers remember its true end for a while, and are asked for it first.
    fn missing(
        &mut self,
        id: &str,
        told: Option<&nomad::Allocation>,
        now: Moment,
        listing: &Listing,
        out: &mut Vec<Body>,
    ) -> Option<(End, Moment)> {
        if self.lives(id) {
            return None;
        }
        let open = self.state.allocations.get_mut(id)?;
        let since_us = *open.missing_boot_us.get_or_insert(now.boot_us);
        let since_us = since_us.max(listing.heard_since?.boot_us);
        let wait_us = if listing.asked.contains(id) {
            MISSING_US
        } else {
            SILENT_US
        };
        if listing.heard.boot_us.saturating_sub(since_us) < wait_us {
            return None;
        }
        self.end_as_seen(id, told, now, out)
    }

    /// The last moment at which it is known to have lived: by its groups, or by what the servers
    /// remember, where nobody looked when it went. What is held beyond its groups is inferred.
    ///
    /// The moment goes with the end: its wall-clock time alone may name another one, if the clock was set.
    fn end_as_seen(
        &mut self,
        id: &str,
        told: Option<&nomad::Allocation>,
        now: Moment,
        out: &mut Vec<Body>,
    ) -> Option<(End, Moment)> {
        let clocks = &self.state.time.clocks;
        let open = self.state.allocations.get(id)?;
        let at = |boot_us| Moment {
            boot_us,
            wall_us: clocks.wall_us(boot_us, now),
        };
        let seen = at(open.lived_boot_us.max(open.cut.boot_us).min(now.boot_us));
        let gone_us = open.gone_boot_us.unwrap_or(now.boot_us);
        let told = told.and_then(|told| told.ran_us);
        let told = told.map(|wall_us| clocks.place(wall_us, now));
        let ended = match told {
            Some(told) if told.boot_us <= gone_us && told.boot_us > seen.boot_us => told,
            Some(told) if told.boot_us > gone_us && gone_us > seen.boot_us => at(gone_us),
            _ => seen,
        };
        if ended.boot_us > seen.boot_us {
            // After a gap what was seen is cut already, and later use is of later.
            if open.held == Quality::Measured && seen.boot_us > open.cut.boot_us {
                self.cut(id, seen, now, out);
            }
            self.state.allocations.get_mut(id)?.held = Quality::Inferred;
        }
        let end = End {
            allocation: id.to_owned(),
            ended_us: ended.wall_us,
            status: "lost".to_owned(),
        };
        Some((end, ended))
    }

    pub(super) fn lives(&self, id: &str) -> bool {
        let first = TaskKey {
            allocation: id.to_owned(),
            task: String::new(),
        };
        self.state
            .counters
            .range(first..)
            .take_while(|(key, _)| key.allocation == id)
            .any(|(_, counter)| counter.present && counter.has_processes)
    }

    /// Up to when an allocation is known to be held.
    fn known(
        &self,
        id: &str,
        listed: Option<&nomad::Allocation>,
        now: Moment,
        seen: &Observation,
    ) -> Option<Moment> {
        if self.lives(id) {
            return Some(now);
        }
        listed?;
        let open = self.state.allocations.get(id)?;
        let heard = seen.listing?.heard;
        let known = Moment {
            boot_us: heard.boot_us.min(now.boot_us) - NOMAD_LATE_US,
            wall_us: heard.wall_us.min(now.wall_us) - NOMAD_LATE_US,
        };
        // Use is not put into an interval that ends before it.
        (known.boot_us >= open.touched_boot_us()).then_some(known)
    }

    /// Cuts at the look before what has become too long since: this look came late.
    pub(super) fn cut_overdue(&mut self, now: Moment, before: Moment, out: &mut Vec<Body>) {
        let late = |open: &Open| now.boot_us.saturating_sub(open.cut.boot_us) > LONGEST_US;
        // The counters are still those of the look before: what lived then was held then.
        let opens = self.state.allocations.iter();
        let ids: Vec<String> = opens
            .filter(|(id, open)| late(open) && self.lives(id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.cut(&id, before, before, out);
        }
    }

    fn cut_due(
        &mut self,
        id: &str,
        known: Moment,
        now: Moment,
        before: Option<Moment>,
        stopping: bool,
        out: &mut Vec<Body>,
    ) {
        let Some(open) = self.state.allocations.get(id) else {
            return;
        };
        if known.boot_us <= open.cut.boot_us {
            return;
        }
        let step_us = before.map_or(0, |before| now.boot_us.saturating_sub(before.boot_us));
        let age_us = now.boot_us - open.cut.boot_us;
        let due = age_us + step_us.clamp(0, LONGEST_US / 10) > LONGEST_US;
        if due || stopping || open.held != Quality::Measured {
            self.cut(id, known, now, out);
        } else {
            self.with_open(id, now, |open, scene, counter| {
                open.cut_months(known, scene, counter, out);
            });
        }
    }

    /// Forgets what nobody will ask for again.
    pub(super) fn forget(&mut self, now: Moment, seen: &Observation) {
        let Some(listing) = seen.listing else {
            return;
        };
        let listed: BTreeSet<&str> = listing
            .allocations
            .iter()
            .map(|allocation| allocation.facts.id.as_str())
            .collect();
        let State {
            over,
            counters,
            glimpses,
            time,
            ..
        } = &mut self.state;
        // By the boot clock: the wall clock may be set by days.
        let age_us = |over: &Over| {
            let ended = time.clocks.place(over.ended_us, now);
            now.boot_us.saturating_sub(ended.boot_us)
        };
        // A group that is still there would be taken for one that nobody has named.
        let shown = |id: &String| {
            let mut keys = counters.keys().chain(glimpses.keys());
            keys.any(|key| key.allocation == *id)
        };
        over.retain(|id, over| {
            listed.contains(id.as_str()) || age_us(over) <= REMEMBERED_US || shown(id)
        });
        self.state.forget_counters(&listed, now);
        self.forget_false_starts(now, &listing);
    }
}

impl Open {
    /// When something of it was last seen.
    pub(super) fn touched_boot_us(&self) -> i64 {
        self.lived_boot_us.max(self.used_boot_us)
    }

    /// Whether its last interval lies behind what was seen last.
    pub(super) fn is_whole(&self) -> bool {
        self.touched_boot_us() >= self.cut.boot_us
    }
}
