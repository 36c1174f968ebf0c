//! The accelerator record: one for each GPU model and month, beginning at 0 each month.

use std::collections::BTreeMap;

use federation::usage::Quality;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::life::{GpuUsed, Life, Used};
use super::month::Month;
use super::problem::Problem;
use super::text;
use super::{Row, Tables};
use crate::ledger::Usage;

/// An accelerator record of one allocation, model and month, every text as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceleratorRecord {
    /// The month that the usage is of.
    pub month: Month,
    /// Allocation ID, which is the VMUUID of its cloud record.
    pub associated_record: String,
    /// The job's `meta.owner`.
    pub owner: Option<String>,
    /// VO.
    pub fqan: String,
    /// The site's name in GOCDB.
    pub site_name: String,
    /// GPUs, in thousandths: a mean over the time held where they changed.
    pub count_milli: u64,
    /// How long one of them was held in the month, in seconds.
    pub available_duration_s: u64,
    /// How long one of them was busy in the month, in seconds.
    pub active_duration_s: u64,
    /// GPU model.
    pub model: String,
    /// The UUIDs of the GPUs.
    pub gpus: Vec<String>,
    /// How long all of them were held in the month, in µs: each no longer than `available_us`.
    pub held_us: u64,
    /// How long the one of them that was held longest was held in the month, in µs.
    pub available_us: u64,
    /// How long all of them were busy in the month, in µs.
    pub busy_us: u64,
    /// How far the true sum of busy times can lie from the one known, in µs.
    pub busy_bound_us: u64,
    /// The worst quality of all that was summed for the durations.
    pub quality: Quality,
}

impl AcceleratorRecord {
    /// Each field as it is written, in the order of writing.
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        let fields = [
            ("MeasurementMonth", Some(json!(self.month.number()))),
            ("MeasurementYear", Some(json!(self.month.year()))),
            ("AssociatedRecordType", Some(json!("cloud"))),
            ("AssociatedRecord", Some(json!(self.associated_record))),
            (
                "GlobalUserName",
                self.owner.as_ref().map(|owner| json!(owner)),
            ),
            ("FQAN", Some(json!(self.fqan))),
            ("SiteName", Some(json!(self.site_name))),
            ("Count", Some(count(self.count_milli))),
            ("ActiveDuration", Some(json!(self.active_duration_s))),
            ("AvailableDuration", Some(json!(self.available_duration_s))),
            ("Type", Some(json!("GPU"))),
            ("Model", Some(json!(self.model))),
        ];
        let said = |(name, value): (_, Option<Value>)| value.map(|value| (name, value));
        fields.into_iter().filter_map(said).collect()
    }

    /// The record as it stands in a message.
    pub fn json(&self) -> Value {
        let field = |(name, value): (&str, Value)| (name.to_owned(), value);
        Value::Object(self.fields().into_iter().map(field).collect::<Map<_, _>>())
    }

    /// What it is known by, with its digest.
    pub fn row(&self) -> Row {
        let key = format!("{}/{}", self.associated_record, self.model);
        Row::new("accelerator", key, self.month, &self.json().to_string())
    }
}

/// Thousandths as a JSON number: whole where it is.
fn count(milli: u64) -> Value {
    if milli.is_multiple_of(1000) {
        return json!(milli / 1000);
    }
    // The shortest decimal of the nearest float is the thousandths again, below 2^43 of them.
    let thousandths = super::milli(milli);
    json!(thousandths.parse::<f64>().unwrap_or_default())
}

/// The records of one allocation up to the present month, by month and model.
pub(super) fn records(
    usage: &Usage,
    life: &Life,
    tables: &Tables,
    now: Timestamp,
    problems: &mut Vec<Problem>,
) -> Vec<AcceleratorRecord> {
    let mut known = Vec::new();
    let Some(names) = tables.of(usage, &mut known) else {
        return Vec::new();
    };
    let Some(present) = Month::of_us(now.as_microsecond()) else {
        return Vec::new();
    };
    let owner = usage.facts.owner.as_ref().map(|owner| text::clean(owner));
    let owner = owner.filter(|owner| !text::is_null(owner));
    let mut records = Vec::new();
    for (&month, used) in life.months.range(..=present) {
        for (model, gpus) in by_model(usage, used, problems) {
            let Some(shares) = shares(usage, month, used, &gpus, problems) else {
                continue;
            };
            records.push(AcceleratorRecord {
                month,
                associated_record: usage.facts.id.clone(),
                owner: owner.clone(),
                fqan: text::clean(names.vo),
                site_name: text::clean(names.site),
                count_milli: shares.count_milli,
                available_duration_s: shares.available_us / 1_000_000,
                active_duration_s: shares.active_us / 1_000_000,
                model,
                gpus: gpus.keys().map(|id| (*id).clone()).collect(),
                held_us: shares.held_us,
                available_us: shares.available_us,
                busy_us: shares.busy_us,
                busy_bound_us: (gpus.values())
                    .fold(0, |sum, gpu| sum.saturating_add(gpu.busy.bound_us)),
                quality: gpus.values().copied().map(worst).max().unwrap_or_default(),
            });
        }
    }
    records
}

/// The model's name as it is published.
pub fn model_name(model: &str) -> String {
    let published = text::clean(model);
    if text::is_null(&published) {
        return "unknown".to_owned();
    }
    published
}

fn worst(gpu: &GpuUsed) -> Quality {
    gpu.held.quality.max(gpu.busy.quality)
}

type Gpus<'a> = BTreeMap<&'a String, &'a GpuUsed>;

/// The GPUs of a month by the model's name as it is published.
fn by_model<'a>(
    usage: &Usage,
    used: &'a Used,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Gpus<'a>> {
    let mut models: BTreeMap<String, Gpus<'a>> = BTreeMap::new();
    for (model, gpus) in &used.gpus {
        let published = model_name(model);
        if published != *model {
            problems.push(Problem::Changed {
                allocation: usage.facts.id.clone(),
                field: "Model",
                published: published.clone(),
            });
        }
        models.entry(published).or_default().extend(gpus);
    }
    models
}

/// What the record says of several GPUs, in µs.
struct Shares {
    count_milli: u64,
    held_us: u64,
    available_us: u64,
    busy_us: u64,
    active_us: u64,
}

/// The longest time that one was held; their number as a mean over that time, so that number
/// times time is what was held in all; and the busy time over the same number.
fn shares(
    usage: &Usage,
    month: Month,
    used: &Used,
    gpus: &Gpus<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Shares> {
    let wall_us = used.wall.amount_us;
    let longest_us = gpus.values().map(|gpu| gpu.held.amount_us).max()?;
    if longest_us > wall_us {
        problems.push(Problem::TooMuch {
            allocation: usage.facts.id.clone(),
            field: "AvailableDuration",
            month: month.to_string(),
            published: wall_us / 1_000_000,
        });
    }
    let available_us = longest_us.min(wall_us);
    let held_us: u128 = gpus
        .values()
        .map(|gpu| u128::from(gpu.held.amount_us.min(available_us)))
        .sum();
    let busy_us: u128 = gpus
        .values()
        .map(|gpu| u128::from(gpu.busy.amount_us))
        .sum();
    let count_milli = (held_us * 1000).checked_div(u128::from(available_us))?;
    let active_us = (busy_us * u128::from(available_us)).checked_div(held_us)?;
    let narrow = |amount: u128| u64::try_from(amount).unwrap_or(u64::MAX);
    Some(Shares {
        count_milli: narrow(count_milli),
        held_us: narrow(held_us),
        available_us,
        busy_us: narrow(busy_us),
        active_us: narrow(active_us).min(available_us),
    })
}
