//! What the servers remember of allocations that are in no list any more.

use std::collections::{BTreeMap, BTreeSet};

use federation::nomad::{Evaluated, Events, Placed, PlacedJob, Topic};

use super::words::{allocation_of, ended, is_over, runs};
use super::{Allocation, Question, Whom};

/// What was told of some allocations, and of the jobs that they are of.
#[derive(Debug, Clone)]
pub struct Recall {
    question: Question,
    placed: BTreeMap<String, Placed>,
    jobs: Vec<PlacedJob>,
    /// When jobs were stopped or purged.
    stops: Vec<Evaluated>,
    /// Everything up to this Raft index has been told of the jobs.
    jobs_index: u64,
}

impl Recall {
    /// Nothing yet of what is asked for.
    pub fn of(question: &Question) -> Self {
        Self {
            question: question.clone(),
            placed: BTreeMap::new(),
            jobs: Vec::new(),
            stops: Vec::new(),
            jobs_index: 0,
        }
    }

    /// Takes a line of which allocations were asked for. Another node's are not ours, though their groups may be here.
    pub fn take(&mut self, line: Events) {
        let placed = line.events.into_iter().filter_map(|e| e.payload.allocation);
        for placed in placed {
            if !self.is_ours(&placed) {
                continue;
            }
            let known = self.placed.get(&placed.id);
            if known.is_none_or(|known| known.modify_index <= placed.modify_index) {
                self.placed.insert(placed.id.clone(), placed);
            }
        }
    }

    fn is_ours(&self, placed: &Placed) -> bool {
        let here = placed.node_id == self.question.node_id;
        match &self.question.whom {
            Whom::Ids(_) => here || placed.node_id.is_empty(),
            Whom::Unlisted => here && !self.is_listed(placed),
        }
    }

    /// Whether the list has it: it knows the job.
    fn is_listed(&self, placed: &Placed) -> bool {
        self.question.listed.contains(&placed.id)
    }

    /// Whether all whose IDs were asked for are known to be over, with all that ran in them.
    pub fn is_enough(&self) -> bool {
        let over = |id: &String| self.placed.get(id).is_some_and(|p| ended(p, 0).is_some());
        match &self.question.whom {
            Whom::Ids(ids) => ids.iter().all(over),
            Whom::Unlisted => false,
        }
    }

    /// What else is needed, and can be asked for of the stream: jobs that are not known, and whether
    /// those of allocations that the list does not have were stopped while they ran.
    pub fn missing(&self) -> BTreeSet<Topic> {
        let jobs = self.jobless().map(|p| Topic::Job(p.job_id.clone()));
        let ran = self.ran().map(|p| Topic::Evaluations(p.job_id.clone()));
        let all = jobs.chain(ran);
        all.filter(Topic::can_be_asked_for).collect()
    }

    /// Those that run by the servers' word, though the list does not have them: it is the last that
    /// was written of one that is purged.
    fn ran(&self) -> impl Iterator<Item = &Placed> {
        let unlisted = self.placed.values().filter(|p| !self.is_listed(p));
        unlisted.filter(|placed| runs(placed))
    }

    /// When the job of an allocation was stopped or purged since it was last written of, in ns since 1970
    /// UTC: the first time, as whoever is only stopped is written of.
    fn stopped(&self, placed: &Placed) -> Option<i64> {
        let same = |stop: &&Evaluated| {
            stop.job_id == placed.job_id
                && stop.namespace == placed.namespace
                && stop.create_index > placed.modify_index
        };
        let stops = self.stops.iter().filter(same);
        stops.map(|stop| stop.create_time).min()
    }

    fn jobless(&self) -> impl Iterator<Item = &Placed> {
        let all = self.placed.values();
        all.filter(|placed| {
            placed.job.is_none() && !self.is_listed(placed) && self.job_of(placed).is_none()
        })
    }

    /// The job as it was when an allocation was placed: what was asked for later is not its job.
    fn job_of(&self, placed: &Placed) -> Option<&PlacedJob> {
        let same = |job: &&PlacedJob| {
            job.id == placed.job_id
                && job.namespace == placed.namespace
                && job.job_modify_index <= placed.create_index
        };
        let jobs = self.jobs.iter().filter(same);
        jobs.max_by_key(|job| job.job_modify_index)
    }

    /// Takes a line of what was [missing](Recall::missing); true once nothing can come that fits better.
    pub fn take_of_jobs(&mut self, line: Events) -> bool {
        self.jobs_index = self.jobs_index.max(line.index);
        for event in line.events {
            self.jobs.extend(event.payload.job);
            let stop = event.payload.evaluation.filter(Evaluated::is_of_a_stop);
            self.stops.extend(stop);
        }
        if self.ran().next().is_some() {
            return false;
        }
        let placed_last = self.placed.values().map(|placed| placed.create_index).max();
        self.jobless().next().is_none() && Some(self.jobs_index) >= placed_last
    }

    /// Takes a job as it is now.
    pub fn take_job(&mut self, job: PlacedJob) {
        self.jobs.push(job);
    }

    /// Whose job is not known: with its namespace.
    pub fn without_job(&self) -> BTreeSet<(String, String)> {
        let jobless = self.jobless();
        jobless
            .map(|p| (p.job_id.clone(), p.namespace.clone()))
            .collect()
    }

    /// The allocations, on a node of so many cores and MHz, their times moved by `shift_us`.
    ///
    /// One without its job waits until it is over: facts are frozen when it begins. One that is
    /// listed need not wait, as its facts are there already.
    pub fn allocations(&self, cores: u32, mhz: u64, shift_us: i64) -> Vec<Allocation> {
        let whole = self.placed.values().filter_map(|placed| {
            let mut placed = placed.clone();
            placed.job = placed.job.take().or_else(|| self.job_of(&placed).cloned());
            let known = placed.job.is_some() || self.is_listed(&placed);
            (known || is_over(&placed)).then_some(placed)
        });
        let told = whole.map(|placed| {
            let told = allocation_of(&placed, cores, mhz, shift_us);
            let stopped = self.stopped(&placed).map(|ns| ns / 1_000 + shift_us);
            Allocation {
                listed: false,
                ran_us: told.ran_us.map(|us| us.max(stopped.unwrap_or(us))),
                ..told
            }
        });
        told.collect()
    }
}
