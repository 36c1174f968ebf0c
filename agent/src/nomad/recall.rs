//! What the servers remember of allocations that are in no list any more.

use std::collections::{BTreeMap, BTreeSet};

use federation::nomad::{Events, Placed, PlacedJob, Topic};

use super::{Allocation, allocation_of, is_over};

/// What was told of some allocations, and of the jobs that they are of.
#[derive(Debug, Clone, Default)]
pub struct Recall {
    placed: BTreeMap<String, Placed>,
    jobs: Vec<PlacedJob>,
    /// Everything up to this Raft index has been told of the jobs.
    jobs_index: u64,
}

impl Recall {
    /// Takes a line of which allocations were asked for.
    pub fn take(&mut self, line: Events) {
        for placed in line.events.into_iter().filter_map(|e| e.payload.allocation) {
            let known = self.placed.get(&placed.id);
            if known.is_none_or(|known| known.modify_index <= placed.modify_index) {
                self.placed.insert(placed.id.clone(), placed);
            }
        }
    }

    /// Whether all of these are known to be over.
    pub fn are_over(&self, ids: &BTreeSet<String>) -> bool {
        let over = |id: &String| self.placed.get(id).is_some_and(is_over);
        ids.iter().all(over)
    }

    /// The jobs that are needed and not known.
    pub fn missing_jobs(&self) -> BTreeSet<Topic> {
        let jobless = self.jobless();
        jobless.map(|p| Topic::Job(p.job_id.clone())).collect()
    }

    fn jobless(&self) -> impl Iterator<Item = &Placed> {
        let all = self.placed.values();
        all.filter(|placed| placed.job.is_none() && self.job_of(placed).is_none())
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

    /// Takes a line of which jobs were asked for; true once none can come that fits better.
    pub fn take_jobs(&mut self, line: Events) -> bool {
        self.jobs_index = self.jobs_index.max(line.index);
        let jobs = line.events.into_iter().filter_map(|e| e.payload.job);
        self.jobs.extend(jobs);
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
    /// One without its job waits until it is over: facts are frozen when it begins.
    pub fn allocations(&self, cores: u32, mhz: u64, shift_us: i64) -> Vec<Allocation> {
        let whole = self.placed.values().filter_map(|placed| {
            let mut placed = placed.clone();
            placed.job = placed.job.take().or_else(|| self.job_of(&placed).cloned());
            (placed.job.is_some() || is_over(&placed)).then_some(placed)
        });
        whole
            .map(|placed| allocation_of(&placed, cores, mhz, shift_us))
            .collect()
    }
}
