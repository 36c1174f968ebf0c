//! What Nomad has told, by its list and by its servers' memory of changes: plain data, and a lock around it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use federation::usage::{self, Moment};

use crate::clock::Clock;
use crate::nomad::{Allocation, Node, Question, Whom};

/// How long one is told of after it was recalled last, in µs: until long after everybody has taken it,
/// be it by what the kernel has shown.
const TOLD_US: i64 = 600_000_000;
/// Whoever began or ended longer ago is not recalled unasked, in µs: the ledger tells of 35 days
/// whom it has written, and nobody may be written twice.
const UNASKED_US: i64 = 30 * 86_400_000_000;
/// How often one that vanished from the list is asked for.
const TRIES: u32 = 3;
/// How many are asked for at once: their IDs stand in one line.
const AT_ONCE: usize = 50;
/// How long after it was asked for one is asked for again, in µs. Soon at first: what the servers
/// remember may be gone after a second. Then each time longer, as some servers hold a stream for
/// half a minute after its listener has gone.
const PAUSES_US: [i64; 6] = [200_000, 200_000, 200_000, 1_000_000, 5_000_000, 15_000_000];

/// Which of them comes after the first vain question for all.
const PATIENT: usize = 4;

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
    /// Since when it has been heard without a failure between.
    pub heard_since: Option<Moment>,
    /// The allocations of this node.
    pub allocations: Arc<Vec<Allocation>>,
    /// Those in doubt of whom the servers' memory has told all by now.
    pub asked: Arc<BTreeSet<String>>,
    /// Why it does not answer, if it does not.
    pub problem: Option<String>,
}

/// What is known, and what is in doubt.
#[derive(Debug)]
pub struct Known {
    followed: Followed,
    listed: Vec<Allocation>,
    /// What the servers' memory said, and when.
    recalled: BTreeMap<String, (Allocation, Moment)>,
    /// Which allocations the meter is in doubt about.
    doubts: BTreeSet<String>,
    /// Which vanished from the list before they were over.
    vanished: BTreeMap<String, Vanished>,
    /// Who of them was asked for already.
    asked: BTreeMap<String, Asked>,
    /// Who was asked for last: the others come first then.
    last: String,
    /// How often the servers were asked in vain for all that the list does not have: what began and
    /// was forgotten before anybody looked. Nothing once they have told.
    all: Option<Asked>,
}

/// One that vanished: what the list last said of it, and how often it was asked for.
#[derive(Debug)]
struct Vanished {
    listed: Allocation,
    tries: u32,
}

/// How often somebody was asked for, and from when on they may be asked for again.
#[derive(Debug, Default)]
struct Asked {
    times: usize,
    next_boot_us: i64,
}

impl Asked {
    /// One question of seconds, for which whoever is in doubt waits: it is not asked again at once.
    fn patiently() -> Self {
        Self {
            times: PATIENT,
            ..Self::default()
        }
    }

    /// Takes that it was asked for now.
    fn note(&mut self, now: Moment) {
        let pause_us = PAUSES_US.get(self.times).or(PAUSES_US.last());
        self.next_boot_us = now.boot_us + pause_us.copied().unwrap_or(0);
        self.times += 1;
    }
}

impl Default for Known {
    fn default() -> Self {
        Self {
            followed: Followed::default(),
            listed: Vec::new(),
            recalled: BTreeMap::new(),
            doubts: BTreeSet::new(),
            vanished: BTreeMap::new(),
            asked: BTreeMap::new(),
            last: String::new(),
            all: Some(Asked::patiently()),
        }
    }
}

impl Known {
    /// What Nomad has told by now.
    pub fn followed(&self) -> Followed {
        self.followed.clone()
    }

    /// Takes a list. That of another node says nothing of what was: its allocations are not this one's.
    pub fn list(&mut self, node: &Node, listed: Vec<Allocation>, now: Moment) {
        if self
            .followed
            .node_id
            .as_ref()
            .is_some_and(|id| *id != node.id)
        {
            *self = Self::default();
        }
        let there: BTreeSet<&str> = listed.iter().map(|a| a.facts.id.as_str()).collect();
        let before = self.listed.iter().filter(|a| a.ended.is_none());
        let gone = before.filter(|a| !there.contains(a.facts.id.as_str()));
        let gone = gone.filter(|a| !self.is_over(&a.facts.id)).cloned();
        for listed in gone.collect::<Vec<_>>() {
            let id = listed.facts.id.clone();
            self.vanished
                .entry(id)
                .or_insert(Vanished { listed, tries: 0 });
        }
        self.listed = listed;
        self.followed.node_id = Some(node.id.clone());
        self.followed.cores = node.cores;
        self.followed.mhz = node.mhz;
        self.followed.heard = Some(now);
        self.followed.heard_since.get_or_insert(now);
        self.followed.problem = None;
        self.merge(now);
    }

    /// Takes an answer of the servers' memory, `whole` or what was told of it before something failed.
    ///
    /// Who was asked for by ID may be forgotten soon: what was told of them is taken as it is. Nobody
    /// whom nobody has seen is so urgent: all of them are asked for again, with their jobs.
    pub fn answer(&mut self, question: &Question, told: Vec<Allocation>, whole: bool, now: Moment) {
        match &question.whom {
            Whom::Unlisted if !whole => self.put_off_all(now),
            // Who was not even asked for has had no turn.
            Whom::Ids(_) if !whole && told.is_empty() => {}
            _ => self.recall(question, told, now),
        }
    }

    fn recall(&mut self, question: &Question, told: Vec<Allocation>, now: Moment) {
        if self.followed.node_id.as_ref() != Some(&question.node_id) {
            return;
        }
        let unasked = question.whom == Whom::Unlisted;
        for allocation in told {
            let id = allocation.facts.id.clone();
            let last_us = allocation.ended.as_ref().map(|end| end.ended_us);
            let last_us = last_us.unwrap_or(allocation.facts.started_us);
            if unasked && now.wall_us.saturating_sub(last_us) > UNASKED_US {
                continue;
            }
            let told = match self.was_listed(&id) {
                Some(listed) => with_facts_of(listed, allocation),
                None => allocation,
            };
            let told = match self.recalled.remove(&id) {
                // Another server may lag behind the one that was asked before.
                Some((known, _)) if known.modify_index > told.modify_index => known,
                // What they write of its job is no change of it.
                Some((known, _)) => Allocation {
                    ran_us: told.ran_us.map(|us| us.max(known.ran_us.unwrap_or(us))),
                    ..told
                },
                None => told,
            };
            self.recalled.insert(id, (told, now));
        }
        match &question.whom {
            Whom::Ids(ids) => self.note_asked(ids, now),
            Whom::Unlisted => self.all = None,
        }
        self.merge(now);
    }

    /// Somebody may have been missed: all that the list does not have is asked for once more.
    pub fn ask_all(&mut self) {
        self.all.get_or_insert_with(Asked::patiently);
    }

    /// All are asked for later, as who is in doubt must not wait for it.
    fn put_off_all(&mut self, now: Moment) {
        if let Some(asked) = &mut self.all {
            asked.note(now);
        }
    }

    fn note_asked(&mut self, ids: &BTreeSet<String>, now: Moment) {
        self.last = ids.last().cloned().unwrap_or_default();
        for id in ids {
            if self.is_over(id) {
                self.doubts.remove(id);
            }
            if let Some(vanished) = self.vanished.get_mut(id) {
                vanished.tries += 1;
            }
            self.asked.entry(id.clone()).or_default().note(now);
        }
        self.vanished.retain(|id, vanished| {
            let told = self.recalled.get(id);
            vanished.tries < TRIES && told.is_none_or(|(told, _)| told.ended.is_none())
        });
        self.forget_asked();
    }

    /// What the list says of an allocation, or said last.
    fn was_listed(&self, id: &str) -> Option<&Allocation> {
        let listed = self.listed.iter().find(|listed| listed.facts.id == id);
        listed.or_else(|| self.vanished.get(id).map(|vanished| &vanished.listed))
    }

    /// Who is asked for no more begins anew when it is in doubt again.
    fn forget_asked(&mut self) {
        let (vanished, doubts) = (&self.vanished, &self.doubts);
        self.asked
            .retain(|id, _| vanished.contains_key(id) || doubts.contains(id));
        if !self.asked.keys().eq(self.followed.asked.iter()) {
            self.followed.asked = Arc::new(self.asked.keys().cloned().collect());
        }
    }

    /// Nomad does not answer.
    pub fn fail(&mut self, problem: String) {
        self.followed.problem = Some(problem);
        self.followed.heard_since = None;
    }

    /// Takes which allocations the meter is in doubt about now.
    pub fn doubt(&mut self, ids: BTreeSet<String>) {
        self.doubts = ids.into_iter().filter(|id| !self.is_over(id)).collect();
        self.forget_asked();
    }

    /// What to ask the servers for now, if Nomad has said which node this is.
    ///
    /// Who is in doubt comes first; then once, for what nobody could see, all that the list does not have.
    pub fn question(&self, now: Moment) -> Option<Question> {
        let node_id = self.followed.node_id.clone()?;
        let ids = self.due(now);
        let listed = self.listed.iter().map(|listed| &listed.facts.id).cloned();
        if !ids.is_empty() {
            return Some(Question {
                node_id,
                listed: listed.filter(|id| ids.contains(id)).collect(),
                whom: Whom::Ids(ids),
            });
        }
        let all = self.all.as_ref()?;
        (all.next_boot_us <= now.boot_us).then(|| Question {
            node_id,
            whom: Whom::Unlisted,
            listed: listed.collect(),
        })
    }

    fn due(&self, now: Moment) -> BTreeSet<String> {
        let due = |id: &&String| self.due_us(id) <= now.boot_us;
        let all: BTreeSet<&String> = self.in_doubt().filter(due).collect();
        let (before, after): (Vec<_>, Vec<_>) = all.into_iter().partition(|id| **id <= self.last);
        let turn = after.into_iter().chain(before).take(AT_ONCE);
        turn.cloned().collect()
    }

    /// When something is to be asked for, on the boot clock; none while nobody is in doubt.
    pub fn next_question_us(&self) -> Option<i64> {
        self.followed.node_id.as_ref()?;
        let all = self.all.iter().map(|asked| asked.next_boot_us);
        let doubts = self.in_doubt().map(|id| self.due_us(id));
        all.chain(doubts).min()
    }

    fn in_doubt(&self) -> impl Iterator<Item = &String> {
        self.vanished.keys().chain(&self.doubts)
    }

    fn due_us(&self, id: &str) -> i64 {
        let asked = self.asked.get(id);
        asked.map_or(i64::MIN, |asked| asked.next_boot_us)
    }

    fn is_over(&self, id: &str) -> bool {
        let told = self.recalled.get(id);
        told.is_some_and(|(told, _)| told.ended.is_some())
    }

    /// The list, with what was told later, and those that are only remembered.
    fn merge(&mut self, now: Moment) {
        let recent = |when: &Moment| now.boot_us.saturating_sub(when.boot_us) <= TOLD_US;
        self.recalled.retain(|_, (_, when)| recent(when));
        let mut rest = self.recalled.clone();
        let mut all = Vec::with_capacity(self.listed.len());
        for listed in &self.listed {
            let told = rest.remove(&listed.facts.id).map(|(told, _)| told);
            let newer = told.filter(|told| told.modify_index > listed.modify_index);
            all.push(newer.map_or_else(
                || listed.clone(),
                |newer| Allocation {
                    listed: true,
                    ..with_facts_of(listed, newer)
                },
            ));
        }
        all.extend(rest.into_values().map(|(told, _)| told));
        self.followed.allocations = Arc::new(all);
    }
}

/// What was told later of one that was listed: the list knows the job for certain.
fn with_facts_of(listed: &Allocation, told: Allocation) -> Allocation {
    Allocation {
        facts: usage::Allocation {
            started_us: told.facts.started_us,
            ..listed.facts.clone()
        },
        ..told
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

    /// Asks once more for all that the list does not have.
    pub fn ask_all(&self) {
        self.change(Known::ask_all);
    }

    pub(super) fn fail(&self, problem: String) {
        self.change(|known| known.fail(problem));
    }

    /// Changes what is known, and wakes who asks the servers.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known();
        change(&mut known);
        let asks = known.next_question_us().is_some();
        drop(known);
        if asks {
            self.changed.notify_all();
        }
    }

    /// Waits until somebody is to be asked for.
    pub(super) fn wait_for_doubt(&self, clock: &dyn Clock) -> Question {
        let mut known = self.known();
        loop {
            let now = clock.now();
            if let Some(question) = known.question(now) {
                return question;
            }
            known = if let Some(next_us) = known.next_question_us() {
                let left_us = next_us.saturating_sub(now.boot_us).max(1);
                let left = Duration::from_micros(left_us.unsigned_abs());
                let waited = self.changed.wait_timeout(known, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let waited = self.changed.wait(known);
                waited.unwrap_or_else(PoisonError::into_inner)
            };
        }
    }
}
