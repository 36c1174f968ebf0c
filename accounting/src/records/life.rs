//! What an allocation held and used, month by month, with where each number is from.

use std::collections::BTreeMap;

use federation::usage::{Gpu, Interval, Quality};

use super::month::Month;
use super::problem::Problem;
use crate::ledger::{Stored, Usage};

/// A number, and the intervals that it is the sum of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sum {
    /// In µs.
    pub amount_us: u64,
    /// The true value lies at most this far from it, in µs.
    pub bound_us: u64,
    /// The worst of its parts.
    pub quality: Quality,
    /// The numbers in the ledger of the intervals it is the sum of, ascending.
    pub seqs: Vec<u64>,
}

impl Sum {
    fn add(&mut self, seq: u64, amount_us: u64, bound_us: u64, quality: Quality) {
        self.amount_us = self.amount_us.saturating_add(amount_us);
        self.bound_us = self.bound_us.saturating_add(bound_us);
        self.quality = self.quality.max(quality);
        self.seqs.push(seq);
    }
}

/// How much of the time held is known how well: by the worst value of each moment, in µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Everything was measured.
    pub measured_us: u64,
    /// Something was inferred.
    pub inferred_us: u64,
    /// Something is not known but for its bound.
    pub gap_us: u64,
}

impl Known {
    fn add(&mut self, quality: Quality, us: u64) {
        let place = match quality {
            Quality::Measured => &mut self.measured_us,
            Quality::Inferred => &mut self.inferred_us,
            Quality::Gap => &mut self.gap_us,
        };
        *place = place.saturating_add(us);
    }

    /// Adds what is known of another time.
    pub fn add_all(&mut self, other: Self) {
        self.add(Quality::Measured, other.measured_us);
        self.add(Quality::Inferred, other.inferred_us);
        self.add(Quality::Gap, other.gap_us);
    }
}

/// What one GPU was held and busy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GpuUsed {
    /// How long it was held.
    pub held: Sum,
    /// How long at least one kernel ran.
    pub busy: Sum,
}

/// What an allocation held and used in one month.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Used {
    /// How long it was held.
    pub wall: Sum,
    /// CPU time of all its tasks.
    pub cpu: Sum,
    /// How well the time held is known.
    pub known: Known,
    /// By model and UUID.
    pub gpus: BTreeMap<String, BTreeMap<String, GpuUsed>>,
    /// When the last of its intervals ends, in µs since 1970 UTC.
    pub last_us: i64,
}

/// An allocation's life: what it held and used, by month. A month without an interval is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Life {
    /// By month.
    pub months: BTreeMap<Month, Used>,
}

impl Life {
    /// How long the allocation was held in all, in µs.
    pub fn held_us(&self) -> u64 {
        self.total(|used| used.wall.amount_us)
    }

    /// Its CPU time in all, in µs.
    pub fn cpu_us(&self) -> u64 {
        self.total(|used| used.cpu.amount_us)
    }

    fn total(&self, amount: fn(&Used) -> u64) -> u64 {
        self.months
            .values()
            .map(amount)
            .fold(0, u64::saturating_add)
    }

    /// Sums an allocation's intervals. What is not as `docs/records.md` says is told.
    pub fn of(usage: &Usage) -> (Self, Vec<Problem>) {
        let mut life = Self::default();
        let mut problems = Vec::new();
        let mut placed: Vec<(Month, &Stored)> = Vec::new();
        for stored in &usage.intervals {
            match place(stored) {
                Ok(month) => placed.push((month, stored)),
                Err(Misplaced::Nowhere) => {
                    problems.push(Problem::no_such_time(usage, stored.seq));
                }
                Err(Misplaced::Across(month)) => {
                    problems.push(Problem::across_months(usage, stored.seq));
                    placed.push((month, stored));
                }
            }
        }
        for &(month, stored) in &placed {
            life.add_use(month, stored);
        }
        life.add_held(usage, placed, &mut problems);
        (life, problems)
    }

    fn add_use(&mut self, month: Month, Stored { seq, interval }: &Stored) {
        let used = self.months.entry(month).or_default();
        let cpu = &interval.cpu;
        used.cpu.add(*seq, cpu.used_us, cpu.bound_us, cpu.quality);
        used.last_us = used.last_us.max(interval.end.wall_us);
        for gpu in &interval.gpus {
            let Gpu { id, model, .. } = gpu;
            let ids = used.gpus.entry(model.clone()).or_default();
            let of = ids.entry(id.clone()).or_default();
            of.held.add(*seq, gpu.allocated_us, 0, interval.held);
            of.busy
                .add(*seq, gpu.busy_us, gpu.busy_bound_us, gpu.quality);
        }
    }

    /// Adds the time held, which the tasks of an allocation have in common: an interval ends at
    /// `held_total_us` of it, and only what no earlier one covers counts.
    fn add_held(
        &mut self,
        usage: &Usage,
        mut placed: Vec<(Month, &Stored)>,
        problems: &mut Vec<Problem>,
    ) {
        let span = |interval: &Interval| {
            let end = interval.held_total_us;
            (end.saturating_sub(interval.held_us), end)
        };
        placed.sort_by_key(|(_, stored)| (span(&stored.interval), stored.seq));
        let mut covered_us = 0;
        for same in placed.chunk_by(|(_, a), (_, b)| span(&a.interval) == span(&b.interval)) {
            let Some(&(month, first)) = same.first() else {
                continue;
            };
            let (start_us, end_us) = span(&first.interval);
            if start_us > covered_us {
                let missing_us = start_us - covered_us;
                problems.push(Problem::not_covered(usage, first.seq, missing_us));
            }
            // `held_total_us` is what counts: also what is in no interval, which has been told.
            let held_us = end_us.saturating_sub(covered_us);
            if held_us == 0 {
                continue;
            }
            covered_us = end_us;
            let used = self.months.entry(month).or_default();
            used.wall.add(first.seq, held_us, 0, first.interval.held);
            let qualities = same.iter().map(|(_, stored)| worst(&stored.interval));
            used.known.add(qualities.max().unwrap_or_default(), held_us);
        }
        for used in self.months.values_mut() {
            used.wall.seqs.sort_unstable();
        }
    }
}

/// The worst quality of what an interval says.
fn worst(interval: &Interval) -> Quality {
    let gpus = interval.gpus.iter().map(|gpu| gpu.quality).max();
    interval
        .held
        .max(interval.cpu.quality)
        .max(gpus.unwrap_or_default())
}

enum Misplaced {
    Nowhere,
    Across(Month),
}

/// The month of an interval is that of its start.
fn place(stored: &Stored) -> Result<Month, Misplaced> {
    let start = stored.interval.start.wall_us;
    let month = Month::of_us(start).ok_or(Misplaced::Nowhere)?;
    if stored.interval.end.wall_us > month.end_us() {
        return Err(Misplaced::Across(month));
    }
    Ok(month)
}
