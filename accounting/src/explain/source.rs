//! The intervals behind a number, and the counters behind the intervals.

use std::collections::BTreeSet;

use federation::usage::Quality;
use serde::Serialize;

use crate::ledger::{Stored, Usage};
use crate::records::{Life, Sum, Used};

/// Intervals that a number is the sum of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Of which task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Of which GPU, by UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Their sum, in µs.
    pub amount_us: u64,
    /// The true value lies at most this far from it, in µs.
    pub bound_us: u64,
    /// The worst of them.
    pub quality: Quality,
    /// Which ones.
    pub runs: Vec<Run>,
    /// The counter that was read, each time that it began anew.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<Epoch>,
}

/// Intervals that follow each other: all that there are of this kind from one entry of the ledger
/// to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The first entry.
    pub first: u64,
    /// The last entry.
    pub last: u64,
    /// How many intervals.
    pub intervals: u64,
}

/// A counter from one of its beginnings on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Epoch {
    /// What it belongs to.
    pub epoch: String,
    /// The boot it was read in.
    pub boot_id: String,
    /// The first entry that read it.
    pub first: u64,
    /// The last entry that read it.
    pub last: u64,
    /// What it showed before the first entry, in µs; 0 where it began then.
    pub raw_start_us: u64,
    /// What it showed at the end of the last entry, in µs.
    pub raw_end_us: u64,
}

/// The time held, over all months given.
pub(super) fn wall(usage: &Usage, life: &Life, used: &[&Used]) -> Source {
    let chosen: BTreeSet<u64> = super::seqs(used.iter().map(|used| &used.wall));
    let all = super::seqs(life.months.values().map(|used| &used.wall));
    let sums = || used.iter().map(|used| &used.wall);
    Source {
        task: None,
        gpu: None,
        amount_us: sums().fold(0, |sum, wall| sum.saturating_add(wall.amount_us)),
        bound_us: sums().fold(0, |sum, wall| sum.saturating_add(wall.bound_us)),
        quality: sums().map(|wall| wall.quality).max().unwrap_or_default(),
        runs: runs(all.iter().copied(), &chosen),
        epochs: boots(usage, &chosen),
    }
}

/// The boots that the time was measured in: the boot clock is a counter too.
fn boots(usage: &Usage, chosen: &BTreeSet<u64>) -> Vec<Epoch> {
    let mut boots: Vec<Epoch> = Vec::new();
    for Stored { seq, interval } in of_seqs(usage, chosen) {
        let at = |us: i64| u64::try_from(us).unwrap_or(0);
        match boots.last_mut() {
            Some(boot) if boot.boot_id == interval.boot_id => {
                boot.last = *seq;
                boot.raw_end_us = at(interval.end.boot_us);
            }
            _ => boots.push(Epoch {
                epoch: "CLOCK_BOOTTIME".to_owned(),
                boot_id: interval.boot_id.clone(),
                first: *seq,
                last: *seq,
                raw_start_us: at(interval.start.boot_us),
                raw_end_us: at(interval.end.boot_us),
            }),
        }
    }
    boots
}

fn of_seqs<'a>(
    usage: &'a Usage,
    chosen: &'a BTreeSet<u64>,
) -> impl Iterator<Item = &'a Stored> + 'a {
    let intervals = usage.intervals.iter();
    intervals.filter(|stored| chosen.contains(&stored.seq))
}

/// CPU time, task by task.
pub(super) fn cpu(usage: &Usage, chosen: &BTreeSet<u64>) -> Vec<Source> {
    let tasks: BTreeSet<&str> = of_seqs(usage, chosen)
        .map(|stored| stored.interval.task.as_str())
        .collect();
    tasks
        .into_iter()
        .map(|task| cpu_of(usage, chosen, task))
        .collect()
}

fn cpu_of(usage: &Usage, chosen: &BTreeSet<u64>, task: &str) -> Source {
    let of_task = || {
        usage
            .intervals
            .iter()
            .filter(|stored| stored.interval.task == task)
    };
    let mut source = Source {
        task: Some(task.to_owned()),
        gpu: None,
        amount_us: 0,
        bound_us: 0,
        quality: Quality::default(),
        runs: runs(of_task().map(|stored| stored.seq), chosen),
        epochs: Vec::new(),
    };
    let mut before: Option<&Stored> = None;
    for stored in of_task() {
        let cpu = &stored.interval.cpu;
        if chosen.contains(&stored.seq) {
            source.amount_us = source.amount_us.saturating_add(cpu.used_us);
            source.bound_us = source.bound_us.saturating_add(cpu.bound_us);
            source.quality = source.quality.max(cpu.quality);
            let same = before.filter(|before| before.interval.cpu.epoch == cpu.epoch);
            extend(&mut source.epochs, stored, same);
        }
        before = Some(stored);
    }
    source
}

/// Goes on with the counter, or begins with it where there is another one.
fn extend(epochs: &mut Vec<Epoch>, stored: &Stored, same: Option<&Stored>) {
    let cpu = &stored.interval.cpu;
    if let Some(epoch) = epochs.last_mut()
        && same.is_some()
        && epoch.epoch == cpu.epoch
    {
        epoch.last = stored.seq;
        epoch.raw_end_us = cpu.raw_us;
        return;
    }
    epochs.push(Epoch {
        epoch: cpu.epoch.clone(),
        boot_id: stored.interval.boot_id.clone(),
        first: stored.seq,
        last: stored.seq,
        raw_start_us: same.map_or(0, |before| before.interval.cpu.raw_us),
        raw_end_us: cpu.raw_us,
    });
}

/// What one GPU was held or busy.
pub(super) fn gpu(usage: &Usage, id: &str, sum: &Sum) -> Source {
    let has = |stored: &&Stored| stored.interval.gpus.iter().any(|gpu| gpu.id == id);
    let all = usage.intervals.iter().filter(has);
    let tasks: BTreeSet<&str> = all
        .clone()
        .map(|stored| stored.interval.task.as_str())
        .collect();
    Source {
        task: Some(tasks.into_iter().collect::<Vec<_>>().join(", ")),
        gpu: Some(id.to_owned()),
        amount_us: sum.amount_us,
        bound_us: sum.bound_us,
        quality: sum.quality,
        runs: runs(
            all.map(|stored| stored.seq),
            &sum.seqs.iter().copied().collect(),
        ),
        epochs: Vec::new(),
    }
}

/// The chosen ones as runs among all, which come in their order.
fn runs(all: impl Iterator<Item = u64>, chosen: &BTreeSet<u64>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = false;
    for seq in all {
        let is_chosen = chosen.contains(&seq);
        match runs.last_mut() {
            Some(run) if open && is_chosen => {
                run.last = seq;
                run.intervals += 1;
            }
            _ if is_chosen => runs.push(Run {
                first: seq,
                last: seq,
                intervals: 1,
            }),
            _ => {}
        }
        open = is_chosen;
    }
    runs
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs_are_what_follows_each_other_among_all() {
        let runs = |all: &[u64], chosen: &[u64]| {
            let chosen = chosen.iter().copied().collect();
            let runs = super::runs(all.iter().copied(), &chosen);
            runs.iter()
                .map(|run| (run.first, run.last, run.intervals))
                .collect::<Vec<_>>()
        };
        assert_eq!(runs(&[2, 5, 9], &[2, 5, 9]), [(2, 9, 3)]);
        assert_eq!(runs(&[2, 5, 9], &[2, 9]), [(2, 2, 1), (9, 9, 1)]);
        assert_eq!(runs(&[2, 5, 9], &[]), []);
    }
}
