//! An explanation as lines, and as JSON.

use std::fmt::Write as _;

use federation::usage::Quality;

use super::{Explained, Field, Record, Said, Source};

/// The explanation as one JSON object.
pub fn json(explained: &Explained) -> String {
    // It is made of texts and numbers alone, which can always be written.
    let text = serde_json::to_string_pretty(explained).unwrap_or_default();
    text + "\n"
}

/// The explanation for people.
pub fn text(explained: &Explained) -> String {
    let mut text = format!(
        "allocation {}\non node {} (ID {}) of datacenter {}\nfrom ledger {}\n",
        explained.allocation,
        explained.node,
        explained.node_id,
        explained.datacenter,
        explained.ledger
    );
    for record in &explained.records {
        show_record(&mut text, record);
    }
    if explained.records.is_empty() {
        text.push_str("\nnothing of it is published\n");
    }
    for problem in &explained.problems {
        push(&mut text, &format!("\nnote: {problem}"));
    }
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn show_record(text: &mut String, record: &Record) {
    let model = record.model.as_ref();
    let model = model.map_or_else(String::new, |model| format!(", {model}"));
    let Record { kind, month, .. } = record;
    push(text, &format!("\n{kind} record of {month}{model}"));
    push(text, &format!("  sha256 {}", record.digest));
    let width = record.fields.iter().map(|field| field.name.len()).max();
    for field in &record.fields {
        show_field(text, field, width.unwrap_or_default());
    }
}

fn show_field(text: &mut String, field: &Field, width: usize) {
    let Field {
        name, value, from, ..
    } = field;
    push(text, &format!("  {name:width$}  {value}"));
    push(text, &format!("  {:width$}    {from}", ""));
    for said in &field.said {
        push(text, &format!("  {:width$}    {}", "", said_line(said)));
    }
    for source in &field.sources {
        for line in lines(source) {
            push(text, &format!("  {:width$}    {line}", ""));
        }
    }
}

fn said_line(said: &Said) -> String {
    let task = said.task.as_ref();
    let task = task.map_or_else(String::new, |task| format!("task {task}: "));
    let Said {
        entry, key, value, ..
    } = said;
    // A text without its quotes.
    let value = value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned);
    format!("- {task}{key} {value}, in entry {entry}")
}

fn lines(source: &Source) -> Vec<String> {
    let mut what = String::new();
    if let Some(gpu) = &source.gpu {
        let _ = write!(what, "GPU {gpu}, ");
    }
    if let Some(task) = &source.task {
        let _ = write!(what, "task {task}: ");
    }
    let bound = match source.bound_us {
        0 => String::new(),
        bound => format!(" (within {bound} µs)"),
    };
    let quality = match source.quality {
        Quality::Measured => "measured",
        Quality::Inferred => "inferred in part",
        Quality::Gap => "with a gap",
    };
    let amount = source.amount_us;
    let mut lines = vec![format!("- {what}{amount} µs{bound}, {quality}")];
    for run in &source.runs {
        lines.push(format!(
            "    entries {} to {}: {} intervals",
            run.first, run.last, run.intervals
        ));
    }
    for epoch in &source.epochs {
        lines.push(format!(
            "    counter {} in boot {}: from {} to {} µs in entries {} to {}",
            epoch.epoch,
            epoch.boot_id,
            epoch.raw_start_us,
            epoch.raw_end_us,
            epoch.first,
            epoch.last
        ));
    }
    lines
}
