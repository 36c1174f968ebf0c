//! The loader's rules for cloud records: key and value on a line, `%%` between records.

use std::collections::{BTreeMap, BTreeSet};

use super::CLOUD_HEADER;
use super::check::Finding;
use crate::records::{Month, is_null};

/// What a field's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Text(usize),
    /// A whole number that a column of so many bits holds.
    Integer(u32),
    /// Seven digits before the point, three after it, no sign.
    Decimal,
    /// Seconds since 1970, or a date with time.
    Time,
    /// Read over.
    Ignored,
}

const FIELDS: &[(&str, Is)] = &[
    ("RecordCreateTime", Is::Time),
    ("VMUUID", Is::Text(255)),
    ("SiteName", Is::Text(255)),
    ("CloudComputeService", Is::Text(255)),
    ("MachineName", Is::Text(255)),
    ("LocalUserId", Is::Text(255)),
    ("LocalGroupId", Is::Text(255)),
    ("GlobalUserName", Is::Text(255)),
    ("FQAN", Is::Text(255)),
    ("Status", Is::Text(255)),
    ("StartTime", Is::Time),
    ("EndTime", Is::Time),
    ("SuspendDuration", Is::Integer(64)),
    ("WallDuration", Is::Integer(64)),
    ("CpuDuration", Is::Integer(64)),
    ("CpuCount", Is::Decimal),
    ("NetworkType", Is::Text(255)),
    ("NetworkInbound", Is::Integer(64)),
    ("NetworkOutbound", Is::Integer(64)),
    ("PublicIPCount", Is::Integer(32)),
    ("Memory", Is::Integer(64)),
    ("Disk", Is::Integer(64)),
    ("BenchmarkType", Is::Text(50)),
    ("Benchmark", Is::Decimal),
    ("StorageRecordId", Is::Text(255)),
    ("ImageId", Is::Text(255)),
    ("CloudType", Is::Text(255)),
    ("UpdateTime", Is::Ignored),
    ("MeasurementTime", Is::Ignored),
    ("MeasurementMonth", Is::Ignored),
    ("MeasurementYear", Is::Ignored),
];

/// Judges the text; how many records there are, unless it cannot be told.
pub(super) fn judge(text: &str, findings: &mut Vec<Finding>) -> Option<usize> {
    let text = text.trim();
    let (header, rest) = text.split_once('\n').unwrap_or((text, ""));
    if header.trim_end() != CLOUD_HEADER {
        findings.push(Finding::refused(format!(
            "the first line is not `{CLOUD_HEADER}`"
        )));
        return None;
    }
    let chunks = rest.split("%%").map(str::trim);
    let mut records = 0;
    let mut keys = BTreeSet::new();
    for chunk in chunks.filter(|chunk| !chunk.is_empty()) {
        let mut found = Vec::new();
        if let Some(fields) = parse(chunk, &mut found) {
            judge_fields(&fields, &mut found);
            if !keys.insert((fields.get("VMUUID").copied(), month(&fields))) {
                found.push(Finding::harmful("it takes the place of one before it"));
            }
        }
        findings.extend(found.into_iter().map(|finding| Finding {
            what: format!("record {records}: {}", finding.what),
            ..finding
        }));
        records += 1;
    }
    Some(records)
}

/// The month that a record falls into, if it is told in seconds: what the loader takes for its time.
fn month(fields: &BTreeMap<&str, &str>) -> Option<Month> {
    let said = |key: &str| {
        let value = fields.get(key).filter(|value| !is_null(value))?;
        i64::try_from(integer(value)?).ok()
    };
    let time_s = if is_completed(fields) {
        said("EndTime")
    } else {
        said("RecordCreateTime").or_else(|| said("StartTime"))
    };
    Month::of_us(time_s?.checked_mul(1_000_000)?)
}

fn is_completed(fields: &BTreeMap<&str, &str>) -> bool {
    let status = fields.get("Status");
    status.is_some_and(|status| status.eq_ignore_ascii_case("completed"))
}

/// The fields of a record; a key that comes again stands for the one before.
fn parse<'a>(chunk: &'a str, findings: &mut Vec<Finding>) -> Option<BTreeMap<&'a str, &'a str>> {
    let mut fields = BTreeMap::new();
    for line in chunk.lines() {
        let Some((key, value)) = line.split_once(':') else {
            findings.push(Finding::refused(format!("no colon in line `{line}`")));
            return None;
        };
        if fields.insert(key.trim(), value.trim()).is_some() {
            let again = format!("`{}` comes twice, and only the last counts", key.trim());
            findings.push(Finding::harmful(again));
        }
    }
    Some(fields)
}

fn judge_fields(fields: &BTreeMap<&str, &str>, findings: &mut Vec<Finding>) {
    for (&key, &value) in fields {
        let Some((_, is)) = FIELDS.iter().find(|(name, _)| *name == key) else {
            findings.push(Finding::refused(format!("there is no field `{key}`")));
            continue;
        };
        if !is_null(value) {
            findings.extend(judge_value(key, value, *is));
        }
    }
    let said = |key: &str| fields.get(key).is_some_and(|value| !is_null(value));
    for key in ["VMUUID", "SiteName"] {
        if !said(key) {
            findings.push(Finding::refused(format!("`{key}` must be there")));
        }
    }
    let completed = is_completed(fields);
    if completed && !said("EndTime") {
        findings.push(Finding::harmful(
            "it is completed without an `EndTime`, and falls into no month",
        ));
    }
    if !completed && !said("RecordCreateTime") && !said("StartTime") {
        findings.push(Finding::harmful(
            "without `RecordCreateTime` or `StartTime` it falls into no month",
        ));
    }
}

fn judge_value(key: &str, value: &str, is: Is) -> Option<Finding> {
    match is {
        Is::Ignored => None,
        Is::Text(longest) => (value.chars().count() > longest)
            .then(|| Finding::refused(format!("`{key}` is longer than {longest} characters"))),
        Is::Time => {
            (!is_time(value)).then(|| Finding::refused(format!("`{key}` is no time: `{value}`")))
        }
        Is::Integer(bits) => match integer(value) {
            None => Some(Finding::refused(format!(
                "`{key}` is no whole number: `{value}`"
            ))),
            Some(number) if number < -(1 << (bits - 1)) || number >= 1 << (bits - 1) => {
                Some(Finding::refused(format!("`{key}` is too large: `{value}`")))
            }
            Some(number) if number < 0 => {
                Some(Finding::harmful(format!("`{key}` is negative: `{value}`")))
            }
            Some(_) => None,
        },
        Is::Decimal => match digits(value).parse::<f64>() {
            Err(_) => Some(Finding::refused(format!("`{key}` is no number: `{value}`"))),
            Ok(number) if !(0.0..1e7).contains(&number) => Some(Finding::refused(format!(
                "`{key}` is out of range: `{value}`"
            ))),
            Ok(_) => None,
        },
    }
}

/// Python takes single underscores between digits.
fn digits(value: &str) -> String {
    let bytes = value.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let kept = |&(at, c): &(usize, char)| {
        let between = at > 0 && digit(at - 1) && digit(at + 1);
        c != '_' || !between
    };
    value.char_indices().filter(kept).map(|(_, c)| c).collect()
}

/// A whole number as Python reads it; one of more than 38 digits is as wrong as none.
fn integer(value: &str) -> Option<i128> {
    digits(value).parse().ok()
}

/// Seconds since 1970 within the years that a date can have, or a date with time in ISO form.
fn is_time(value: &str) -> bool {
    match integer(value) {
        Some(seconds) => (-62_135_596_800..253_402_300_800).contains(&seconds),
        None => value.parse::<jiff::Timestamp>().is_ok(),
    }
}
