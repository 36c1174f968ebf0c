//! The loader's rules for accelerator records: JSON by a schema, and then by its fields.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::check::Finding;
use super::{ACCELERATOR_TYPE, ACCELERATOR_VERSION};
use crate::records::{LONGEST, is_null};

/// What a field's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Text,
    TextOrNull,
    Integer,
    IntegerOrNull,
    Number,
    NumberOrNull,
    Any,
}

/// Key, value, and whether it must be there.
const FIELDS: &[(&str, Is, bool)] = &[
    ("MeasurementMonth", Is::Integer, true),
    ("MeasurementYear", Is::Integer, true),
    ("AssociatedRecordType", Is::Text, true),
    ("AssociatedRecord", Is::Text, true),
    ("GlobalUserName", Is::TextOrNull, false),
    ("FQAN", Is::Text, true),
    ("SiteName", Is::Text, true),
    ("Count", Is::Number, true),
    ("Cores", Is::IntegerOrNull, false),
    ("ActiveDuration", Is::IntegerOrNull, false),
    ("AvailableDuration", Is::Integer, true),
    ("BenchmarkType", Is::TextOrNull, false),
    ("Benchmark", Is::NumberOrNull, false),
    ("Type", Is::Text, true),
    ("Model", Is::Text, false),
    // Read over by one version of the loader, and refused by another.
    ("CloudType", Is::Any, false),
    ("CloudComputeService", Is::Any, false),
];

/// Judges the text; how many records there are, unless it cannot be told.
pub(super) fn judge(text: &str, now: Timestamp, findings: &mut Vec<Finding>) -> Option<usize> {
    let text = text.trim();
    let envelope = if text.starts_with('{') {
        serde_json::from_str::<Map<String, Value>>(text).ok()
    } else {
        None
    };
    let Some(envelope) = envelope else {
        findings.push(Finding::refused("it is no JSON object"));
        return None;
    };
    for (key, wanted) in [("Type", ACCELERATOR_TYPE), ("Version", ACCELERATOR_VERSION)] {
        if envelope.get(key).and_then(Value::as_str) != Some(wanted) {
            findings.push(Finding::refused(format!("`{key}` is not `{wanted}`")));
        }
    }
    for key in envelope.keys() {
        if !["Type", "Version", "UsageRecords"].contains(&key.as_str()) {
            findings.push(Finding::refused(format!("there is no field `{key}`")));
        }
    }
    let Some(Value::Array(records)) = envelope.get("UsageRecords") else {
        findings.push(Finding::refused("`UsageRecords` is no list"));
        return None;
    };
    let mut keys = BTreeSet::new();
    for (at, record) in records.iter().enumerate() {
        let mut found = Vec::new();
        match record {
            Value::Object(record) => {
                judge_record(record, now, &mut found);
                let key = [
                    "MeasurementMonth",
                    "MeasurementYear",
                    "AssociatedRecord",
                    "Model",
                ]
                .map(|key| record.get(key).map(ToString::to_string));
                if !keys.insert(key) {
                    found.push(Finding::harmful("it takes the place of one before it"));
                }
            }
            _ => found.push(Finding::refused("it is no object")),
        }
        findings.extend(found.into_iter().map(|finding| Finding {
            what: format!("record {at}: {}", finding.what),
            ..finding
        }));
    }
    Some(records.len())
}

fn judge_record(record: &Map<String, Value>, now: Timestamp, findings: &mut Vec<Finding>) {
    for &(key, is, required) in FIELDS {
        match record.get(key) {
            None if required => findings.push(Finding::refused(format!("`{key}` must be there"))),
            None => {}
            Some(_) if is == Is::Any => findings.push(Finding::refused(format!(
                "`{key}` is a field for some versions of the loader only"
            ))),
            Some(value) if !fits(value, is) => {
                findings.push(Finding::refused(format!("`{key}` cannot be `{value}`")));
            }
            Some(value) => judge_value(key, value, required, findings),
        }
    }
    for key in record.keys() {
        if !FIELDS.iter().any(|(name, _, _)| name == key) {
            findings.push(Finding::refused(format!("there is no field `{key}`")));
        }
    }
    judge_rules(record, now, findings);
}

fn fits(value: &Value, is: Is) -> bool {
    match is {
        Is::Text => value.is_string(),
        Is::TextOrNull => value.is_string() || value.is_null(),
        Is::Integer => whole(value).is_some(),
        Is::IntegerOrNull => whole(value).is_some() || value.is_null(),
        Is::Number => value.is_number(),
        Is::NumberOrNull => value.is_number() || value.is_null(),
        Is::Any => true,
    }
}

/// A whole number, also one that is written with a point: `2.0`.
fn whole(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.fract() == 0.0)
}

fn judge_value(key: &str, value: &Value, required: bool, findings: &mut Vec<Finding>) {
    if let Some(text) = value.as_str() {
        if required && is_null(text) {
            findings.push(Finding::refused(format!("`{key}` says nothing: `{text}`")));
        }
        if text.chars().count() > LONGEST {
            findings.push(Finding::refused(format!(
                "`{key}` is longer than {LONGEST} characters"
            )));
        }
    }
    let Some(number) = value.as_f64() else {
        return;
    };
    let most = if key == "Count" { 1e7 } else { 2_147_483_648.0 };
    if number >= most {
        findings.push(Finding::refused(format!("`{key}` is too large: {value}")));
    }
    if number < 0.0 {
        findings.push(Finding::harmful(format!("`{key}` is negative: {value}")));
    }
}

fn judge_rules(record: &Map<String, Value>, now: Timestamp, findings: &mut Vec<Finding>) {
    let number = |key: &str| record.get(key).and_then(whole);
    let this_year = f64::from(now.to_zoned(TimeZone::UTC).year());
    if number("MeasurementMonth").is_some_and(|month| !(1.0..=12.0).contains(&month)) {
        findings.push(Finding::refused("`MeasurementMonth` is no month"));
    }
    if number("MeasurementYear").is_some_and(|year| !(2000.0..=this_year).contains(&year)) {
        findings.push(Finding::refused(
            "`MeasurementYear` is before 2000 or not yet begun",
        ));
    }
    for (key, good) in [
        ("AssociatedRecordType", &["cloud", "job"][..]),
        ("Type", &["GPU", "FPGA", "Other"][..]),
    ] {
        let text = record.get(key).and_then(Value::as_str);
        if text.is_some_and(|text| !good.contains(&text)) {
            findings.push(Finding::refused(format!(
                "`{key}` is none of {}",
                good.join(", ")
            )));
        }
    }
    if let (Some(active), Some(available)) = (number("ActiveDuration"), number("AvailableDuration"))
        && active > available
    {
        findings.push(Finding::harmful("it was active for longer than available"));
    }
}
