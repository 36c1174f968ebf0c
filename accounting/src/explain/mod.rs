//! Where each number of a published record is from, down to the counters.

mod show;
mod source;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;

pub use show::{json, text};
pub use source::{Epoch, Run, Source};

use crate::ledger::Usage;
use crate::records::{
    AcceleratorRecord, CloudRecord, Month, NoMonth, Records, Sum, Used, model_name,
};

/// What is to be explained: `ALLOCATION`, `ALLOCATION/YYYY-MM` or `ALLOCATION/YYYY-MM/MODEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Allocation ID.
    pub allocation: String,
    /// Only this month.
    pub month: Option<Month>,
    /// Only the accelerator record of this model.
    pub model: Option<String>,
}

impl FromStr for Which {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let mut parts = text.splitn(3, '/');
        Ok(Self {
            allocation: parts.next().unwrap_or_default().to_owned(),
            month: parts.next().map(str::parse).transpose()?,
            model: parts.next().map(ToOwned::to_owned),
        })
    }
}

impl Which {
    fn month(&self, month: Month) -> bool {
        self.month.is_none_or(|wanted| wanted == month)
    }
}

/// All published records of an allocation that were asked for, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Allocation ID.
    pub allocation: String,
    /// The node.
    pub node: String,
    /// Nomad's ID of the node.
    pub node_id: String,
    /// Its datacenter.
    pub datacenter: String,
    /// The agent's ledger that all of it is from.
    pub ledger: String,
    /// The records, in the order in which they are published.
    pub records: Vec<Record>,
    /// What else a person should know.
    pub problems: Vec<String>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// `cloud` or `accelerator`.
    pub kind: &'static str,
    /// `YYYY-MM`.
    pub month: String,
    /// GPU model, of an accelerator record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// SHA-256 of what is sent, in hex.
    pub digest: String,
    /// Each field, in the order of the message.
    pub fields: Vec<Field>,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// As it is written in the message.
    pub name: &'static str,
    /// As it is written in the message.
    pub value: String,
    /// Where it is from, in words.
    pub from: &'static str,
    /// The intervals that it is the sum of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// Explains records, given the usage that they were made from.
pub fn of(usage: &Usage, records: &Records, which: &Which) -> Explained {
    let mut explained = Vec::new();
    if which.model.is_none() {
        let asked = records
            .cloud
            .iter()
            .filter(|record| which.month(record.month));
        explained.extend(asked.map(|record| cloud(usage, records, record)));
    }
    let model = |record: &&AcceleratorRecord| {
        let wanted = which.model.as_ref();
        wanted.is_none_or(|wanted| model_name(wanted) == record.model)
    };
    let asked = records.accelerators.iter().filter(model);
    let asked = asked.filter(|record| which.month(record.month));
    explained.extend(asked.map(|record| accelerator(usage, records, record)));
    Explained {
        allocation: usage.facts.id.clone(),
        node: usage.node.to_string(),
        node_id: usage.node_id.clone(),
        datacenter: usage.datacenter.to_string(),
        ledger: usage.ledger.clone(),
        records: explained,
        problems: records.problems.iter().map(ToString::to_string).collect(),
    }
}

fn cloud(usage: &Usage, records: &Records, record: &CloudRecord) -> Record {
    let months = records.life.months.range(..=record.month);
    let used: Vec<&Used> = months.map(|(_, used)| used).collect();
    let field = |(name, value)| Field {
        name,
        value,
        from: cloud_from(name, record),
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

fn seqs<'a>(sums: impl Iterator<Item = &'a Sum>) -> BTreeSet<u64> {
    sums.flat_map(|sum| sum.seqs.iter().copied()).collect()
}

fn cloud_from(name: &str, record: &CloudRecord) -> &'static str {
    match name {
        "RecordCreateTime" if record.end_time_s.is_some() => "the allocation's end",
        "RecordCreateTime" => {
            "the month's last second; while the month lasts, the end of its last interval"
        }
        "VMUUID" => "the allocation's ID",
        "SiteName" => "[sites] in the settings, by the datacenter",
        "CloudComputeService" => "the datacenter",
        "MachineName" => "the allocation's name",
        "LocalUserId" | "GlobalUserName" => "the job's meta.owner",
        "LocalGroupId" => "the namespace",
        "FQAN" => "[vos] in the settings, by the namespace",
        "Status" => "completed once the allocation's end is in the ledger and in this month",
        "StartTime" => "Nomad's start of the first task",
        "EndTime" => "Nomad's end of the last task",
        "SuspendDuration" => "always this: nothing is ever suspended",
        "WallDuration" => "held since the start, in whole seconds",
        "CpuDuration" => "CPU time of all tasks since the start, in whole seconds",
        "CpuCount" => "reserved cores, or the share in MHz over the MHz of a core",
        "Memory" => "reserved by all tasks, in MiB",
        "Disk" => "reserved, in GB, upwards",
        "ImageId" => "the image of the first task that has one",
        "CloudType" => "always this",
        _ => "",
    }
}

fn accelerator(usage: &Usage, records: &Records, record: &AcceleratorRecord) -> Record {
    let used = records.life.months.get(&record.month);
    let models = used.into_iter().flat_map(|used| &used.gpus);
    let gpus: Vec<_> = models
        .filter(|(model, _)| model_name(model) == record.model)
        .flat_map(|(_, gpus)| gpus)
        .collect();
    let field = |(name, value): (&'static str, serde_json::Value)| Field {
        name,
        value: value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned),
        from: accelerator_from(name),
        sources: match name {
            "AvailableDuration" => gpus
                .iter()
                .map(|(id, gpu)| source::gpu(usage, id, &gpu.held))
                .collect(),
            "ActiveDuration" => gpus
                .iter()
                .map(|(id, gpu)| source::gpu(usage, id, &gpu.busy))
                .collect(),
            _ => Vec::new(),
        },
    };
    Record {
        kind: "accelerator",
        month: record.month.to_string(),
        model: Some(record.model.clone()),
        digest: record.row().digest,
        fields: record.fields().into_iter().map(field).collect(),
    }
}

fn accelerator_from(name: &str) -> &'static str {
    match name {
        "MeasurementMonth" | "MeasurementYear" => "the month that the intervals begin in",
        "AssociatedRecordType" | "Type" => "always this",
        "AssociatedRecord" => "the allocation's ID, as VMUUID of the cloud record",
        "GlobalUserName" => "the job's meta.owner",
        "FQAN" => "[vos] in the settings, by the namespace",
        "SiteName" => "[sites] in the settings, by the datacenter",
        "Count" => "GPUs of this model; where they changed, all their time over AvailableDuration",
        "AvailableDuration" => {
            "held in this month by the GPU that was held longest, in whole seconds"
        }
        "ActiveDuration" => "busy time in this month of all, over Count, in whole seconds",
        "Model" => "what the driver calls the GPU",
        _ => "",
    }
}
