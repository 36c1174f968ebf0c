//! Where each field of an accelerator record is from.

use serde_json::Value;

use super::said::{self, Said};
use super::{Field, Record, Source, source};
use crate::ledger::Usage;
use crate::records::{AcceleratorRecord, GpuUsed, Records, Sum, model_name};

pub(super) fn record(usage: &Usage, records: &Records, record: &AcceleratorRecord) -> Record {
    let used = records.life.months.get(&record.month);
    let models = used.into_iter().flat_map(|used| &used.gpus);
    let gpus: Vec<_> = models
        .filter(|(model, _)| model_name(model) == record.model)
        .flat_map(|(_, gpus)| gpus)
        .collect();
    let sources = |sum: fn(&GpuUsed) -> &Sum| -> Vec<Source> {
        let one = |&(id, gpu): &(&String, &GpuUsed)| source::gpu(usage, id, sum(gpu));
        gpus.iter().map(one).collect()
    };
    let field = |(name, value): (&'static str, Value)| Field {
        name,
        value: value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned),
        from: from(name, record),
        said: match name {
            "Count" => devices(usage, record),
            _ => Vec::new(),
        },
        sources: match name {
            "Count" | "AvailableDuration" => sources(|gpu| &gpu.held),
            "ActiveDuration" => sources(|gpu| &gpu.busy),
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

fn from(name: &str, record: &AcceleratorRecord) -> String {
    let words = match name {
        "MeasurementMonth" | "MeasurementYear" => "the month that the intervals begin in",
        "AssociatedRecordType" | "Type" => "always this",
        "AssociatedRecord" => "the allocation's ID, as VMUUID of the cloud record",
        "GlobalUserName" => "the job's meta.owner",
        "FQAN" => "[vos] in the settings, by the namespace",
        "SiteName" => "[sites] in the settings, by the datacenter",
        "Count" => return count(record),
        "AvailableDuration" => {
            "held in this month by the GPU that was held longest, in whole seconds"
        }
        "ActiveDuration" => return active(record),
        "Model" => "what the driver calls the GPU",
        _ => "",
    };
    words.to_owned()
}

fn count(record: &AcceleratorRecord) -> String {
    format!(
        "GPUs of this model: held in this month for {} µs in all, over {} µs, the longest of them",
        record.held_us, record.available_us
    )
}

fn active(record: &AcceleratorRecord) -> String {
    let most = if record.busy_us > record.held_us {
        ", no more than AvailableDuration"
    } else {
        ""
    };
    format!(
        "busy in this month by the driver's samples, all of them {} µs (within {} µs), over Count, in whole seconds{most}",
        record.busy_us, record.busy_bound_us
    )
}

/// Those GPUs that the record counts, as they were given to tasks.
fn devices(usage: &Usage, record: &AcceleratorRecord) -> Vec<Said> {
    let mut said = Vec::new();
    for task in &usage.facts.tasks {
        let ids = task.devices.iter().map(|device| &device.id);
        let counted = ids.filter(|id| record.gpus.contains(id));
        said.extend(counted.map(|id| said::of_task(usage, task, "devices.id", id.as_str())));
    }
    said
}
