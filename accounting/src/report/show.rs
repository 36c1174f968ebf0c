//! A report as a table in hours, and as JSON in seconds.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

use super::{Report, Totals};

const COLUMNS: [&str; 6] = [
    "allocations",
    "wall hours",
    "CPU hours",
    "GPU hours held",
    "GPU hours busy",
    "measured/inferred/gap %",
];

/// The report as a table: hours with four decimals, downwards, and a line for all.
pub fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    let names = report.by.iter().map(|by| by.name());
    table.set_header(names.chain(COLUMNS));
    for (key, totals) in &report.rows {
        table.add_row(key.iter().cloned().chain(cells(totals)));
    }
    if !report.by.is_empty() {
        let rest = report.by.len() - 1;
        let names = std::iter::once("total").chain(std::iter::repeat_n("", rest));
        table.add_row(names.map(ToOwned::to_owned).chain(cells(&report.total)));
    }
    for column in table.column_iter_mut().skip(report.by.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text = table.to_string();
    let lines = text.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

fn cells(totals: &Totals) -> [String; 6] {
    [
        totals.allocations.to_string(),
        hours(totals.wall_us),
        hours(totals.cpu_us),
        hours(totals.gpu_held_us),
        hours(totals.gpu_busy_us),
        shares(totals),
    ]
}

/// Hours with four decimals, downwards: a job of a second is not nothing.
fn hours(us: u64) -> String {
    let parts = us / 360_000;
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

/// Percent with one decimal; what is rounded away counts for the first.
fn shares(totals: &Totals) -> String {
    let known = totals.known;
    let all =
        u128::from(known.measured_us) + u128::from(known.inferred_us) + u128::from(known.gap_us);
    // Upwards, so that what is not measured never disappears.
    let share = |us: u64| (u128::from(us) * 1000).div_ceil(all.max(1));
    let (inferred, gap) = (share(known.inferred_us), share(known.gap_us));
    let measured = match all {
        0 => 0,
        _ => 1000_u128.saturating_sub(inferred + gap),
    };
    let percent = |share: u128| format!("{}.{}", share / 10, share % 10);
    [measured, inferred, gap].map(percent).join("/")
}

/// The report as one JSON object: whole seconds, downwards.
pub fn json(report: &Report) -> String {
    let row = |(key, totals): (&Vec<String>, &Totals)| {
        let mut row = Map::new();
        for (by, value) in report.by.iter().zip(key) {
            row.insert(by.name().to_owned(), json!(value));
        }
        row.extend(seconds(totals));
        Value::Object(row)
    };
    let value = json!({
        "month": report.month.map(|month| month.to_string()),
        "by": report.by.iter().map(|by| by.name()).collect::<Vec<_>>(),
        "rows": report.rows.iter().map(row).collect::<Vec<_>>(),
        "total": Value::Object(seconds(&report.total)),
    });
    format!("{value:#}\n")
}

fn seconds(totals: &Totals) -> Map<String, Value> {
    let known = totals.known;
    let amounts = [
        ("allocations", totals.allocations),
        ("wall_seconds", totals.wall_us / 1_000_000),
        ("cpu_seconds", totals.cpu_us / 1_000_000),
        ("gpu_held_seconds", totals.gpu_held_us / 1_000_000),
        ("gpu_busy_seconds", totals.gpu_busy_us / 1_000_000),
        ("measured_seconds", known.measured_us / 1_000_000),
        ("inferred_seconds", known.inferred_us / 1_000_000),
        ("gap_seconds", known.gap_us / 1_000_000),
    ];
    let entry = |(name, amount): (&str, u64)| (name.to_owned(), json!(amount));
    amounts.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Known;

    #[test]
    fn what_is_not_measured_never_disappears() {
        let shares = |measured_us, inferred_us, gap_us| {
            let known = Known {
                measured_us,
                inferred_us,
                gap_us,
            };
            super::shares(&Totals {
                known,
                ..Totals::default()
            })
        };
        assert_eq!(shares(0, 0, 0), "0.0/0.0/0.0");
        assert_eq!(shares(7, 0, 0), "100.0/0.0/0.0");
        assert_eq!(shares(1_000_000, 0, 1), "99.9/0.0/0.1");
        assert_eq!(shares(1, 1, 0), "50.0/50.0/0.0");
        assert_eq!(hours(3_600_000_000 * 3 / 2 - 1), "1.4999");
        assert_eq!(hours(1_000_000), "0.0002");
    }
}
