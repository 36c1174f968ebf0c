//! The cloud record: one for each month of an allocation's life, growing from its start.

use federation::usage::{Allocation, Quality};
use jiff::Timestamp;

use super::life::{Known, Life};
use super::month::Month;
use super::problem::Problem;
use super::text;
use super::{Row, Tables, milli};
use crate::ledger::Usage;

/// What the records are of. No version is in it: that would publish every row again at an upgrade.
const CLOUD_TYPE: &str = "atoll (Nomad)";

/// A cloud record of one allocation and month, every text as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudRecord {
    /// The month whose end, or present state, it tells.
    pub month: Month,
    /// Allocation ID.
    pub vm_uuid: String,
    /// The site's name in GOCDB.
    pub site_name: String,
    /// Datacenter.
    pub cloud_compute_service: String,
    /// The allocation's name.
    pub machine_name: String,
    /// The job's `meta.owner`.
    pub owner: Option<String>,
    /// Namespace.
    pub local_group_id: String,
    /// VO.
    pub fqan: String,
    /// When it ended, in seconds since 1970 UTC; then its status is `completed`.
    pub end_time_s: Option<i64>,
    /// When its first task started, in seconds since 1970 UTC.
    pub start_time_s: i64,
    /// What the numbers are of, in seconds since 1970 UTC.
    pub record_create_time_s: i64,
    /// Held since the start, in seconds.
    pub wall_duration_s: u64,
    /// CPU time since the start, in seconds.
    pub cpu_duration_s: u64,
    /// Reserved CPU, in thousandths of a core.
    pub cpu_count_milli: u64,
    /// Reserved memory, in MiB.
    pub memory_mib: u64,
    /// Reserved disk, in GB.
    pub disk_gb: u64,
    /// The image of the first task that has one.
    pub image_id: Option<String>,
    /// How far the true CPU time can lie from the one said, in µs.
    pub cpu_bound_us: u64,
    /// The worst quality of all that was summed for the durations.
    pub quality: Quality,
    /// How well the time held is known.
    pub known: Known,
}

impl CloudRecord {
    /// Each field as it is written, in the order of writing.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let ended = if self.end_time_s.is_some() {
            "completed"
        } else {
            "started"
        };
        let fields = [
            (
                "RecordCreateTime",
                Some(self.record_create_time_s.to_string()),
            ),
            ("VMUUID", Some(self.vm_uuid.clone())),
            ("SiteName", Some(self.site_name.clone())),
            (
                "CloudComputeService",
                Some(self.cloud_compute_service.clone()),
            ),
            ("MachineName", Some(self.machine_name.clone())),
            ("LocalUserId", self.owner.clone()),
            ("LocalGroupId", Some(self.local_group_id.clone())),
            ("GlobalUserName", self.owner.clone()),
            ("FQAN", Some(self.fqan.clone())),
            ("Status", Some(ended.to_owned())),
            ("StartTime", Some(self.start_time_s.to_string())),
            ("EndTime", self.end_time_s.map(|end| end.to_string())),
            // Nothing is ever suspended: every second that is held is a second of the wall.
            ("SuspendDuration", Some("0".to_owned())),
            ("WallDuration", Some(self.wall_duration_s.to_string())),
            ("CpuDuration", Some(self.cpu_duration_s.to_string())),
            ("CpuCount", Some(milli(self.cpu_count_milli))),
            ("Memory", Some(self.memory_mib.to_string())),
            ("Disk", Some(self.disk_gb.to_string())),
            ("ImageId", self.image_id.clone()),
            ("CloudType", Some(CLOUD_TYPE.to_owned())),
        ];
        let said = |(name, value): (_, Option<String>)| value.map(|value| (name, value));
        fields.into_iter().filter_map(said).collect()
    }

    /// The record as it stands in a message, without what separates it from the next.
    pub fn text(&self) -> String {
        let line = |(name, value): &(&str, String)| format!("{name}: {value}\n");
        self.fields().iter().map(line).collect()
    }

    /// What it is known by, with its digest.
    pub fn row(&self) -> Row {
        Row::new("cloud", self.vm_uuid.clone(), self.month, &self.text())
    }
}

/// What all records of an allocation have in common.
struct Facts {
    vm_uuid: String,
    site_name: String,
    service: String,
    machine_name: String,
    owner: Option<String>,
    group: String,
    fqan: String,
    image: Option<String>,
    cpu_count_milli: u64,
}

/// The records of one allocation up to the present month, in the order of the months.
pub(super) fn records(
    usage: &Usage,
    life: &Life,
    tables: &Tables,
    now: Timestamp,
    problems: &mut Vec<Problem>,
) -> Vec<CloudRecord> {
    let Some(facts) = Facts::of(usage, tables, problems) else {
        return Vec::new();
    };
    let (Some(last), Some(present)) = (
        last_month(usage, life, problems),
        Month::of_us(now.as_microsecond()),
    ) else {
        return Vec::new();
    };
    let first = life.months.keys().next().copied().unwrap_or(last.month);
    let mut records = Vec::new();
    let mut sum = Sums::default();
    let mut month = first;
    while month <= last.month.min(present) {
        sum.add(life, month);
        let end_time_s = last.end_time_s.filter(|_| month == last.month);
        records.push(record(usage, &facts, &sum, month, end_time_s, present));
        month = month.next();
    }
    records
}

/// Sums from the start to the end of a month; seconds are made of them last.
#[derive(Default)]
struct Sums {
    wall_us: u64,
    cpu_us: u64,
    cpu_bound_us: u64,
    quality: Quality,
    known: Known,
    last_us: i64,
}

impl Sums {
    fn add(&mut self, life: &Life, month: Month) {
        let Some(used) = life.months.get(&month) else {
            return;
        };
        self.wall_us = self.wall_us.saturating_add(used.wall.amount_us);
        self.cpu_us = self.cpu_us.saturating_add(used.cpu.amount_us);
        self.cpu_bound_us = self.cpu_bound_us.saturating_add(used.cpu.bound_us);
        let worst = used.wall.quality.max(used.cpu.quality);
        self.quality = self.quality.max(worst);
        self.known.add_all(used.known);
        self.last_us = used.last_us;
    }
}

fn record(
    usage: &Usage,
    facts: &Facts,
    sum: &Sums,
    month: Month,
    end_time_s: Option<i64>,
    present: Month,
) -> CloudRecord {
    let allocation = &usage.facts;
    // Of an allocation that is over this is its end, in whichever month it is published: the
    // last row of an allocation never changes again.
    let create_time_s = match end_time_s {
        Some(end) => end,
        None if month < present => month.last_s(),
        None => sum
            .last_us
            .div_euclid(1_000_000)
            .clamp(month.start_s(), month.last_s()),
    };
    CloudRecord {
        month,
        vm_uuid: facts.vm_uuid.clone(),
        site_name: facts.site_name.clone(),
        cloud_compute_service: facts.service.clone(),
        machine_name: facts.machine_name.clone(),
        owner: facts.owner.clone(),
        local_group_id: facts.group.clone(),
        fqan: facts.fqan.clone(),
        end_time_s,
        start_time_s: allocation.started_us.div_euclid(1_000_000),
        record_create_time_s: create_time_s,
        wall_duration_s: sum.wall_us / 1_000_000,
        cpu_duration_s: sum.cpu_us / 1_000_000,
        cpu_count_milli: facts.cpu_count_milli,
        memory_mib: (allocation.tasks.iter())
            .fold(0, |sum, task| sum.saturating_add(task.memory_mib)),
        disk_gb: disk_gb(allocation.disk_mib),
        image_id: facts.image.clone(),
        cpu_bound_us: sum.cpu_bound_us,
        quality: sum.quality,
        known: sum.known,
    }
}

/// The month of the last record, and the end that it tells.
struct Last {
    month: Month,
    end_time_s: Option<i64>,
}

fn last_month(usage: &Usage, life: &Life, problems: &mut Vec<Problem>) -> Option<Last> {
    let held = life.months.keys().next_back().copied();
    let Some(end) = &usage.end else {
        return held.map(|month| Last {
            month,
            end_time_s: None,
        });
    };
    let ended = Month::of_us(end.ended_us)?;
    let month = held.map_or(ended, |held| held.max(ended));
    if month > ended {
        problems.push(Problem::EndedEarly {
            allocation: usage.facts.id.clone(),
            node: usage.node.to_string(),
        });
    }
    let end_s = end.ended_us.div_euclid(1_000_000).max(month.start_s());
    Some(Last {
        month,
        end_time_s: Some(end_s),
    })
}

impl Facts {
    fn of(usage: &Usage, tables: &Tables, problems: &mut Vec<Problem>) -> Option<Self> {
        let allocation = &usage.facts;
        let known = tables.of(usage, problems)?;
        let mut clean = |field, text: &str| {
            let published = text::clean(text);
            if published != text {
                problems.push(Problem::Changed {
                    allocation: allocation.id.clone(),
                    field,
                    published: published.clone(),
                });
            }
            published
        };
        let owner = allocation.owner.as_ref();
        let image = allocation.tasks.iter().find_map(|task| task.image.as_ref());
        let facts = Self {
            vm_uuid: allocation.id.clone(),
            site_name: clean("SiteName", known.site),
            service: clean("CloudComputeService", usage.datacenter.as_str()),
            machine_name: clean("MachineName", &allocation.name),
            owner: owner
                .map(|owner| clean("GlobalUserName", owner))
                .filter(|owner| !text::is_null(owner)),
            group: clean("LocalGroupId", &allocation.namespace),
            fqan: clean("FQAN", known.vo),
            image: image
                .map(|image| clean("ImageId", image))
                .filter(|image| !text::is_null(image)),
            cpu_count_milli: cpu_count_milli(allocation),
        };
        let shares = allocation.tasks.iter().any(|task| task.cores == 0);
        if shares && allocation.node_mhz == 0 {
            problems.push(Problem::NoMhz {
                allocation: allocation.id.clone(),
                node: usage.node.to_string(),
            });
        }
        Some(facts)
    }
}

/// Reserved cores, and for tasks without any their share of a core, in thousandths, downwards.
fn cpu_count_milli(allocation: &Allocation) -> u64 {
    let cores: u64 = allocation
        .tasks
        .iter()
        .map(|task| u64::from(task.cores))
        .sum();
    let shared = allocation.tasks.iter().filter(|task| task.cores == 0);
    let mhz: u128 = shared.map(|task| u128::from(task.cpu_mhz)).sum();
    let share = (mhz * u128::from(allocation.node_cores) * 1000)
        .checked_div(u128::from(allocation.node_mhz))
        .unwrap_or(0);
    (cores * 1000).saturating_add(u64::try_from(share).unwrap_or(u64::MAX))
}

/// MiB as GB, upwards.
fn disk_gb(mib: u64) -> u64 {
    let bytes = u128::from(mib) << 20;
    u64::try_from(bytes.div_ceil(1_000_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gigabytes_are_rounded_upwards() {
        for (mib, gb) in [(0, 0), (1, 1), (953, 1), (954, 2), (300, 1), (10_240, 11)] {
            assert_eq!(disk_gb(mib), gb, "{mib} MiB");
        }
    }
}
