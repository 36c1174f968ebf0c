//! Where each field of a cloud record is from.

use federation::usage::{Allocation, Task};

use super::said::{self, Said};
use super::{Field, Record, seqs, source};
use crate::ledger::Usage;
use crate::records::{CloudRecord, Records, Used};

pub(super) fn record(usage: &Usage, records: &Records, record: &CloudRecord) -> Record {
    let months = records.life.months.range(..=record.month);
    let used: Vec<&Used> = months.map(|(_, used)| used).collect();
    let field = |(name, value)| Field {
        name,
        value,
        from: from(name, usage, record).to_owned(),
        said: said(name, usage, record, &used),
        sources: match name {
            "WallDuration" => vec![source::wall(usage, &records.life, &used)],
            "CpuDuration" => source::cpu(usage, &seqs(used.iter().map(|used| &used.cpu))),
            _ => Vec::new(),
        },
    };
    Record {
        kind: "cloud",
        month: record.month.to_string(),
        model: None,
        digest: record.row().digest,
        fields: record.fields().into_iter().map(field).collect(),
    }
}

fn from(name: &str, usage: &Usage, record: &CloudRecord) -> &'static str {
    match name {
        "RecordCreateTime" => create_time(record),
        "VMUUID" => "the allocation's ID",
        "SiteName" => "[sites] in the settings, by the datacenter",
        "CloudComputeService" => "the datacenter",
        "MachineName" => "the allocation's name",
        "LocalUserId" | "GlobalUserName" => "the job's meta.owner",
        "LocalGroupId" => "the namespace",
        "FQAN" => "[vos] in the settings, by the namespace",
        "Status" => "completed once the allocation's end is in the ledger and in this month",
        "StartTime" => "Nomad's start of the first task, in whole seconds, downwards",
        "EndTime" => end_time(usage, record),
        "SuspendDuration" => "always this: nothing is ever suspended",
        "WallDuration" => "held since the start, in whole seconds",
        "CpuDuration" => "CPU time of all tasks since the start, in whole seconds",
        "CpuCount" => cpu_count(&usage.facts),
        "Memory" => "reserved by all tasks, in MiB",
        "Disk" => "reserved, in GB, upwards",
        "ImageId" => "the image of the first task that has one",
        "CloudType" => "always this",
        _ => "",
    }
}

/// Whether it is of a month that goes on, so that it tells the last interval's end.
fn goes_on(record: &CloudRecord) -> bool {
    record.end_time_s.is_none() && record.record_create_time_s != record.month.last_s()
}

fn create_time(record: &CloudRecord) -> &'static str {
    if record.end_time_s.is_some() {
        "the allocation's end, as in EndTime"
    } else if goes_on(record) {
        "the end of the month's last interval, as the month goes on"
    } else {
        "the month's last second"
    }
}

fn end_time(usage: &Usage, record: &CloudRecord) -> &'static str {
    let ended_us = usage.end.as_ref().map(|end| end.ended_us);
    if ended_us.map(|us| us.div_euclid(1_000_000)) == record.end_time_s {
        "Nomad's end of the last task, in whole seconds, downwards"
    } else {
        "the first second of the last interval's month, as Nomad's end lies before it"
    }
}

/// The rule that made the number, in the words of the keys that went into it.
fn cpu_count(facts: &Allocation) -> &'static str {
    let shares = facts.tasks.iter().any(|task| task.cores == 0);
    let cores = facts.tasks.iter().any(|task| task.cores > 0);
    match (cores, shares) {
        (_, true) if facts.node_mhz == 0 => {
            "reserved cores; the node says no MHz, so that a share in MHz counts as none"
        }
        (false, true) => "cpu_mhz over the MHz of a core, which is node_mhz over node_cores",
        (true, true) => {
            "reserved cores, and for tasks without any cpu_mhz over the MHz of a core, which is \
             node_mhz over node_cores"
        }
        (_, false) => "reserved cores",
    }
}

/// What single entries say of it; of a sum of intervals nothing.
fn said(name: &str, usage: &Usage, record: &CloudRecord, used: &[&Used]) -> Vec<Said> {
    let facts = &usage.facts;
    match name {
        "StartTime" => vec![said::fact(usage, "started_us", facts.started_us)],
        "EndTime" => said::end(usage).into_iter().collect(),
        "RecordCreateTime" if record.end_time_s.is_some() => said::end(usage).into_iter().collect(),
        "RecordCreateTime" if goes_on(record) => last_interval(usage, used).into_iter().collect(),
        "CpuCount" => cpus(usage),
        "Memory" => (facts.tasks.iter())
            .map(|task| said::of_task(usage, task, "memory_mib", task.memory_mib))
            .collect(),
        "Disk" => vec![said::fact(usage, "disk_mib", facts.disk_mib)],
        _ => Vec::new(),
    }
}

fn cpus(usage: &Usage) -> Vec<Said> {
    let facts = &usage.facts;
    let of = |task: &Task| match task.cores {
        0 => said::of_task(usage, task, "cpu_mhz", task.cpu_mhz),
        cores => said::of_task(usage, task, "cores", cores),
    };
    let mut said: Vec<Said> = facts.tasks.iter().map(of).collect();
    if facts.tasks.iter().any(|task| task.cores == 0) {
        said.push(said::fact(usage, "node_mhz", facts.node_mhz));
        said.push(said::fact(usage, "node_cores", facts.node_cores));
    }
    said
}

/// The one that ended last, of the last month that has any.
fn last_interval(usage: &Usage, used: &[&Used]) -> Option<Said> {
    let last_us = used.last()?.last_us;
    let mut intervals = usage.intervals.iter();
    let stored = intervals.rfind(|stored| stored.interval.end.wall_us == last_us);
    stored.map(said::interval_end)
}
