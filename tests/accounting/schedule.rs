//! Allocations as they were, and the entries that an agent writes about them.

use accounting::ledger::{Stored, Usage};
use federation::usage::{
    Allocation, Body, Cpu, Device, End, Entry, Gpu, Interval, Moment, Quality, Task,
};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// When the node was booted, in µs since 1970.
const BOOT_US: i64 = 1_600_000_000_123_456;

/// A task as it was.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    /// CPU time, in millionths of the time.
    pub(crate) cpu_ppm: i64,
    /// Busy time of each GPU, in millionths of the time.
    pub(crate) busy_ppm: i64,
    /// UUID and model.
    pub(crate) gpus: Vec<(String, String)>,
}

/// An allocation as it was, and how often the agent cut.
#[derive(Debug, Clone)]
pub(crate) struct Lived {
    pub(crate) id: String,
    pub(crate) tasks: Vec<Ran>,
    pub(crate) cut_us: i64,
    /// Month ends, in µs since 1970.
    pub(crate) month_ends: Vec<i64>,
}

/// What part of a time, in millionths, up to a moment of it.
pub(crate) fn part(length_us: i64, ppm: i64) -> i64 {
    let part = i128::from(length_us.max(0)) * i128::from(ppm) / 1_000_000;
    i64::try_from(part).unwrap()
}

pub(crate) fn unsigned(us: i64) -> u64 {
    u64::try_from(us).unwrap()
}

impl Lived {
    pub(crate) fn start_us(&self) -> i64 {
        self.tasks.iter().map(|task| task.start_us).min().unwrap()
    }

    pub(crate) fn end_us(&self) -> i64 {
        self.tasks.iter().map(|task| task.end_us).max().unwrap()
    }

    /// CPU time used by a moment.
    pub(crate) fn cpu_at(&self, us: i64) -> i64 {
        let used = |task: &Ran| part(us.min(task.end_us) - task.start_us, task.cpu_ppm);
        self.tasks.iter().map(used).sum()
    }

    fn cuts(&self) -> Vec<i64> {
        let (start, end) = (self.start_us(), self.end_us());
        let mut cuts = vec![start, end];
        let mut cut = start + self.cut_us;
        while cut < end {
            cuts.push(cut);
            cut += self.cut_us;
        }
        let within = |us: &i64| (start..end).contains(us);
        cuts.extend(self.month_ends.iter().copied().filter(within));
        cuts.extend(self.tasks.iter().map(|task| task.end_us));
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    pub(crate) fn facts(&self) -> Allocation {
        let task = |(at, ran): (usize, &Ran)| Task {
            name: format!("task-{at}"),
            driver: "docker".to_owned(),
            image: Some("registry.example.org/train:1.2".to_owned()),
            cpu_mhz: 500,
            cores: 0,
            memory_mib: 1024,
            devices: ran
                .gpus
                .iter()
                .map(|(id, model)| Device {
                    id: id.clone(),
                    vendor: "nvidia".to_owned(),
                    kind: "gpu".to_owned(),
                    model: model.clone(),
                })
                .collect(),
        };
        Allocation {
            id: self.id.clone(),
            namespace: "example".to_owned(),
            job: "train".to_owned(),
            group: "main".to_owned(),
            name: "train.main[0]".to_owned(),
            owner: Some("somebody@example.org".to_owned()),
            started_us: self.start_us(),
            tasks: self.tasks.iter().enumerate().map(task).collect(),
            disk_mib: 300,
            node_cores: 4,
            node_mhz: 10_000,
        }
    }

    /// Everything the agent says, each with the moment from which it says it.
    pub(crate) fn said(&self) -> Vec<(i64, Body)> {
        let mut said = vec![(self.start_us(), Body::Allocation(Box::new(self.facts())))];
        let cuts = self.cuts();
        for (&from, &to) in cuts.iter().zip(cuts.iter().skip(1)) {
            for (at, task) in self.tasks.iter().enumerate() {
                let start = from.max(task.start_us);
                if start < to && to <= task.end_us {
                    let interval = self.interval(at, task, start, to);
                    said.push((to, Body::Interval(Box::new(interval))));
                }
            }
        }
        let end = End {
            allocation: self.id.clone(),
            ended_us: self.end_us(),
            status: "complete".to_owned(),
        };
        said.push((self.end_us(), Body::End(end)));
        said
    }

    fn interval(&self, at: usize, task: &Ran, start: i64, end: i64) -> Interval {
        let moment = |us| Moment {
            boot_us: us - BOOT_US,
            wall_us: us,
        };
        let by = |us: i64, ppm| part(us - task.start_us, ppm);
        let grown = |ppm| unsigned(by(end, ppm) - by(start, ppm));
        let gpu = |(id, model): &(String, String)| Gpu {
            id: id.clone(),
            model: model.clone(),
            allocated_us: unsigned(end - start),
            allocated_total_us: unsigned(end - task.start_us),
            busy_us: grown(task.busy_ppm),
            busy_total_us: unsigned(by(end, task.busy_ppm)),
            busy_bound_us: 7,
            quality: Quality::Measured,
        };
        Interval {
            allocation: self.id.clone(),
            task: format!("task-{at}"),
            boot_id: "boot".to_owned(),
            start: moment(start),
            end: moment(end),
            held_us: unsigned(end - start),
            held: Quality::Measured,
            held_total_us: unsigned(end - self.start_us()),
            cpu: Cpu {
                used_us: grown(task.cpu_ppm),
                total_us: unsigned(by(end, task.cpu_ppm)),
                bound_us: 1,
                quality: Quality::Measured,
                epoch: format!("cgroup-{at}"),
                raw_us: unsigned(by(end, task.cpu_ppm)),
            },
            gpus: task.gpus.iter().map(gpu).collect(),
        }
    }

    /// All of it, as the ledger reads it.
    pub(crate) fn usage(&self) -> Usage {
        let said = self.said().into_iter().zip(1..);
        let entries = said.map(|((_, body), seq)| Entry { seq, body });
        usages(&entries.collect::<Vec<_>>()).remove(0)
    }
}

/// The entries of one ledger as what is known of each allocation, by ID.
pub(crate) fn usages(entries: &[Entry]) -> Vec<Usage> {
    let mut usages: Vec<Usage> = Vec::new();
    let place = |usages: &[Usage], id: &str| {
        let found = usages.iter().position(|usage| usage.facts.id == id);
        found.expect("facts come first")
    };
    for Entry { seq, body } in entries {
        match body {
            Body::Allocation(facts) => usages.push(Usage {
                node: "example-one-wn-1".parse().unwrap(),
                datacenter: "example-one".parse().unwrap(),
                node_id: "node".to_owned(),
                ledger: "ledger".to_owned(),
                facts: (**facts).clone(),
                facts_seq: *seq,
                intervals: Vec::new(),
                end: None,
                end_seq: None,
                published_as: None,
            }),
            Body::Interval(interval) => {
                let at = place(&usages, &interval.allocation);
                usages[at].intervals.push(Stored {
                    seq: *seq,
                    interval: (**interval).clone(),
                });
            }
            Body::End(end) => {
                let at = place(&usages, &end.allocation);
                usages[at].end = Some(end.clone());
                usages[at].end_seq = Some(*seq);
            }
        }
    }
    usages.sort_by(|a, b| a.facts.id.cmp(&b.facts.id));
    usages
}
