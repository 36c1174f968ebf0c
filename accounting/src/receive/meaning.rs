//! What an entry must mean so that it can be summed: amounts that are possible and add up.

use std::collections::BTreeSet;

use federation::usage::{Allocation, Body, End, Gpu, Interval, Quality};

use super::judge::{ID_RULE, is_id};

/// The last moment of the year 9999, in µs since 1970 UTC: no calendar goes further.
const LAST_US: i64 = 253_402_300_799_999_999;

/// Everything that is wrong in an entry, in a few words each.
pub(super) fn problems(body: &Body) -> Vec<String> {
    let mut found = Found(Vec::new());
    match body {
        Body::Allocation(facts) => found.facts(facts),
        Body::Interval(interval) => found.interval(interval),
        Body::End(end) => found.end(end),
    }
    found.0
}

struct Found(Vec<String>);

impl Found {
    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }

    fn id(&mut self, text: &str) {
        self.must(is_id(text), || {
            format!("an allocation ID must be {ID_RULE}")
        });
    }

    fn time(&mut self, name: &str, wall_us: i64) {
        self.must((0..=LAST_US).contains(&wall_us), || {
            format!("`{name}` must lie between the years 1970 and 9999")
        });
    }

    fn amounts(&mut self, amounts: &[(&str, u64)]) {
        for (name, amount) in amounts {
            self.must(i64::try_from(*amount).is_ok(), || {
                format!("`{name}` must be less than 2^63")
            });
        }
    }

    /// A part, and the total up to the end of it.
    fn total(&mut self, name: &str, part: u64, total: u64) {
        self.must(part <= total, || {
            format!("`{name}` is {part}, and its total only {total}")
        });
    }

    fn facts(&mut self, facts: &Allocation) {
        self.id(&facts.id);
        self.time("started_us", facts.started_us);
        self.amounts(&[("disk_mib", facts.disk_mib), ("node_mhz", facts.node_mhz)]);
        let mut names = BTreeSet::new();
        for task in &facts.tasks {
            self.must(names.insert(&task.name), || {
                format!("task {} is there twice", task.name)
            });
            self.amounts(&[("cpu_mhz", task.cpu_mhz), ("memory_mib", task.memory_mib)]);
        }
    }

    fn interval(&mut self, interval: &Interval) {
        self.id(&interval.allocation);
        self.must(!interval.task.is_empty(), || "`task` is empty".to_owned());
        self.time("start.wall_us", interval.start.wall_us);
        self.time("end.wall_us", interval.end.wall_us);
        self.length(interval);
        let cpu = &interval.cpu;
        self.amounts(&[
            ("held_us", interval.held_us),
            ("held_total_us", interval.held_total_us),
            ("cpu.used_us", cpu.used_us),
            ("cpu.total_us", cpu.total_us),
            ("cpu.bound_us", cpu.bound_us),
            ("cpu.raw_us", cpu.raw_us),
        ]);
        self.total("held_us", interval.held_us, interval.held_total_us);
        self.total("cpu.used_us", cpu.used_us, cpu.total_us);
        let mut ids = BTreeSet::new();
        for gpu in &interval.gpus {
            self.must(ids.insert(&gpu.id), || {
                format!("GPU {} is there twice", gpu.id)
            });
            self.gpu(gpu, interval.held_us);
        }
    }

    /// Within one boot the boot clock measures. Over a reboot it began anew, and the wall
    /// clock is what there is; then the holding is not measured.
    fn length(&mut self, interval: &Interval) {
        let (start, end) = (interval.start, interval.end);
        let by_boot = between(start.boot_us, end.boot_us);
        let by_wall = between(start.wall_us, end.wall_us);
        let held = Some(interval.held_us);
        let seen = interval.held == Quality::Measured;
        if seen && by_boot.is_none() {
            self.0.push("it ends before it starts".to_owned());
        } else if by_boot.is_none() && by_wall.is_none() {
            self.0
                .push("it ends before it starts, by both clocks".to_owned());
        } else if held != by_boot && (seen || held != by_wall) {
            let length = by_boot.or(by_wall).unwrap_or(0);
            self.0.push(format!(
                "`held_us` is {}, and from start to end it is {length}",
                interval.held_us
            ));
        }
    }

    fn gpu(&mut self, gpu: &Gpu, held_us: u64) {
        self.amounts(&[
            ("allocated_us", gpu.allocated_us),
            ("allocated_total_us", gpu.allocated_total_us),
            ("busy_us", gpu.busy_us),
            ("busy_total_us", gpu.busy_total_us),
            ("busy_bound_us", gpu.busy_bound_us),
        ]);
        self.must(gpu.allocated_us <= held_us, || {
            format!("GPU {} was held longer than its task", gpu.id)
        });
        self.must(gpu.busy_us <= gpu.allocated_us, || {
            format!("GPU {} was busy longer than held", gpu.id)
        });
        self.total("allocated_us", gpu.allocated_us, gpu.allocated_total_us);
        self.total("busy_us", gpu.busy_us, gpu.busy_total_us);
    }

    fn end(&mut self, end: &End) {
        self.id(&end.allocation);
        self.time("ended_us", end.ended_us);
    }
}

/// How long it is from one reading of a clock to another, when it went forward.
fn between(start_us: i64, end_us: i64) -> Option<u64> {
    u64::try_from(end_us.checked_sub(start_us)?).ok()
}
