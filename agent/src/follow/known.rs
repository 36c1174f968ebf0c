//! What Nomad has told, by its list and by its servers' memory of changes: plain data, and a lock around it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use federation::usage::{self, Moment};

use crate::nomad::{Allocation, Node};

/// How long one that is over is told of after it was recalled, in µs: until long after everybody has taken it.
const OVER_US: i64 = 600_000_000;
/// How long one that was not over is told of without a newer word, in µs.
const NOT_OVER_US: i64 = 60_000_000;
/// How often one that vanished from the list is asked for.
const TRIES: u32 = 3;
/// How many are asked for at once: their IDs stand in one line.
const AT_ONCE: usize = 50;

/// What Nomad has told.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    /// Nomad's ID of this node.
    pub node_id: Option<String>,
    /// The node's cores.
    pub cores: u32,
    /// The node's MHz.
    pub mhz: u64,
    /// When its list was last heard; before that it said nothing.
    pub heard: Option<Moment>,
    /// The allocations of this node.
    pub allocations: Arc<Vec<Allocation>>,
    /// Why it does not answer, if it does not.
    pub problem: Option<String>,
}

/// What is known, and what is in doubt.
#[derive(Debug, Default)]
pub struct Known {
    followed: Followed,
    listed: Vec<Allocation>,
    /// What the servers' memory said, and when.
    recalled: BTreeMap<String, (Allocation, Moment)>,
    /// Which allocations the meter is in doubt about.
    doubts: BTreeSet<String>,
    /// Which vanished from the list before they were over, and how often they were asked for.
    vanished: BTreeMap<String, u32>,
    /// Who was asked for last: the others come first then.
    last: String,
}

impl Known {
    /// What Nomad has told by now.
    pub fn followed(&self) -> Followed {
        self.followed.clone()
    }

    /// Takes a list.
    pub fn list(&mut self, node: &Node, listed: Vec<Allocation>, now: Moment) {
        let there: BTreeSet<&str> = listed.iter().map(|a| a.facts.id.as_str()).collect();
        let before = self.listed.iter().filter(|a| a.ended.is_none());
        let gone = before.filter(|a| !there.contains(a.facts.id.as_str()));
        let gone = gone.map(|a| a.facts.id.clone());
        let gone: Vec<String> = gone.filter(|id| !self.is_over(id)).collect();
        for id in gone {
            self.vanished.entry(id).or_insert(0);
        }
        self.listed = listed;
        self.followed.node_id = Some(node.id.clone());
        self.followed.cores = node.cores;
        self.followed.mhz = node.mhz;
        self.followed.heard = Some(now);
        self.followed.problem = None;
        self.merge(now);
    }

    /// Takes what the servers remember of those that were asked for.
    pub fn recall(&mut self, asked: &BTreeSet<String>, told: Vec<Allocation>, now: Moment) {
        for allocation in told {
            let id = allocation.facts.id.clone();
            self.recalled.insert(id, (allocation, now));
        }
        self.last = asked.last().cloned().unwrap_or_default();
        for id in asked {
            if self.is_over(id) {
                self.doubts.remove(id);
            }
            if let Some(tries) = self.vanished.get_mut(id) {
                *tries += 1;
            }
        }
        self.vanished.retain(|id, tries| {
            let told = self.recalled.get(id);
            *tries < TRIES && told.is_none_or(|(told, _)| told.ended.is_none())
        });
        self.merge(now);
    }

    /// Nomad does not answer.
    pub fn fail(&mut self, problem: String) {
        self.followed.problem = Some(problem);
    }

    /// Takes which allocations the meter is in doubt about now.
    pub fn doubt(&mut self, ids: BTreeSet<String>) {
        self.doubts = ids.into_iter().filter(|id| !self.is_over(id)).collect();
    }

    /// Whom to ask the servers for now, if Nomad has said which node this is.
    pub fn question(&self) -> Option<(String, BTreeSet<String>)> {
        let node_id = self.followed.node_id.clone()?;
        let all: BTreeSet<&String> = self.vanished.keys().chain(&self.doubts).collect();
        let (before, after): (Vec<_>, Vec<_>) = all.into_iter().partition(|id| **id <= self.last);
        let turn = after.into_iter().chain(before).take(AT_ONCE);
        let ids: BTreeSet<String> = turn.cloned().collect();
        (!ids.is_empty()).then_some((node_id, ids))
    }

    fn is_over(&self, id: &str) -> bool {
        let told = self.recalled.get(id);
        told.is_some_and(|(told, _)| told.ended.is_some())
    }

    /// The list, with what was told later, and those that are only remembered.
    fn merge(&mut self, now: Moment) {
        self.recalled.retain(|_, (told, when)| {
            let age_us = now.boot_us.saturating_sub(when.boot_us);
            age_us
                <= if told.ended.is_some() {
                    OVER_US
                } else {
                    NOT_OVER_US
                }
        });
        let mut rest = self.recalled.clone();
        let mut all = Vec::with_capacity(self.listed.len());
        for listed in &self.listed {
            let told = rest.remove(&listed.facts.id).map(|(told, _)| told);
            let newer = told.filter(|told| told.modify_index > listed.modify_index);
            all.push(newer.map_or_else(
                || listed.clone(),
                // The list knows the job for certain.
                |newer| Allocation {
                    facts: usage::Allocation {
                        started_us: newer.facts.started_us,
                        ..listed.facts.clone()
                    },
                    ..newer
                },
            ));
        }
        all.extend(rest.into_values().map(|(told, _)| told));
        self.followed.allocations = Arc::new(all);
    }
}

/// What is known, for all threads.
#[derive(Debug, Default)]
pub struct Shared {
    known: Mutex<Known>,
    changed: Condvar,
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What Nomad has told by now.
    pub fn followed(&self) -> Followed {
        self.known().followed()
    }

    /// Which allocations are in doubt now.
    pub fn doubt(&self, ids: BTreeSet<String>) {
        self.change(|known| known.doubt(ids));
    }

    pub(super) fn fail(&self, problem: String) {
        self.change(|known| known.fail(problem));
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known();
        change(&mut known);
        let asks = known.question().is_some();
        drop(known);
        if asks {
            self.changed.notify_all();
        }
    }

    /// Waits until somebody is in doubt: gives the node, and whom to ask for.
    pub(super) fn wait_for_doubt(&self) -> (String, BTreeSet<String>) {
        let mut known = self.known();
        loop {
            if let Some(question) = known.question() {
                return question;
            }
            let waited = self.changed.wait(known);
            known = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
