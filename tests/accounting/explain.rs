//! Each number of a record, with where it is from.

use accounting::explain::{self, Field, Record, Said, Which};
use accounting::ledger::Usage;
use serde_json::json;

use crate::records::{lived, month, of, over_a_month, ran};
use crate::schedule::{DAY, HOUR, MINUTE};

#[test]
fn every_number_is_the_sum_of_the_intervals_it_names() {
    let usage = over_a_month().usage();
    let records = of(&usage, month("2026-02").end_us());
    let which: Which = format!("{}/2026-02", usage.facts.id).parse().unwrap();
    let explained = explain::of(&usage, &records, &which);
    assert_eq!(explained.records.len(), 2);
    let cloud = &explained.records[0];
    let of = |name: &str| {
        cloud
            .fields
            .iter()
            .find(|field| field.name == name)
            .unwrap()
    };
    let (wall, cpu) = (
        &of("WallDuration").sources[0],
        &of("CpuDuration").sources[0],
    );
    assert_eq!(of("WallDuration").value, "10800");
    assert_eq!((wall.amount_us, wall.runs.len()), (10_800_500_000, 1));
    let run = wall.runs[0];
    assert_eq!((run.first, run.intervals), (2, run.last - 1));
    let epoch = &cpu.epochs[0];
    assert_eq!((epoch.raw_start_us, epoch.raw_end_us), (0, cpu.amount_us));
    assert_eq!(epoch.epoch, "cgroup-0");
    // Of the accelerator only February's: its first counter value is where January ended.
    let busy = &explained.records[1]
        .fields
        .iter()
        .find(|field| field.name == "ActiveDuration");
    let busy = &busy.unwrap().sources[0];
    assert_eq!(busy.amount_us, 1_800_000_000);
    let named = usage
        .intervals
        .iter()
        .filter(|stored| (busy.runs[0].first..=busy.runs[0].last).contains(&stored.seq));
    let sum: u64 = named.map(|stored| stored.interval.gpus[0].busy_us).sum();
    assert_eq!(sum, busy.amount_us);
    let text = explain::text(&explained);
    assert!(text.contains("WallDuration         10800\n"), "{text}");
    assert!(explain::json(&explained).contains("\"amount_us\": 10800500000"));
    let which: Which = format!("{}/2026-02/A", usage.facts.id).parse().unwrap();
    assert_eq!(explain::of(&usage, &records, &which).records.len(), 1);
    assert!("a/2026-13".parse::<Which>().is_err());
}

/// The records of a month, explained a day after it.
fn explained(usage: &Usage, text: &str) -> Vec<Record> {
    let records = of(usage, month(text).end_us() + DAY);
    let which: Which = format!("{}/{text}", usage.facts.id).parse().unwrap();
    explain::of(usage, &records, &which).records
}

fn field<'a>(record: &'a Record, name: &str) -> &'a Field {
    let mut fields = record.fields.iter();
    fields.find(|field| field.name == name).unwrap()
}

/// Entry, task, key and value of each.
fn said(field: &Field) -> Vec<(u64, Option<&str>, &str, String)> {
    let mut all = Vec::new();
    for Said {
        entry,
        task,
        key,
        value,
    } in &field.said
    {
        all.push((*entry, task.as_deref(), *key, value.to_string()));
    }
    all
}

#[test]
fn what_is_no_sum_names_its_entries_and_what_they_say() {
    let mut usage = over_a_month().usage();
    usage.facts_seq = 17;
    usage.end_seq = Some(99);
    let end = month("2026-01").end_us() + 2 * HOUR;
    let both = explained(&usage, "2026-02");
    let cloud = |name| said(field(&both[0], name));
    let ended = vec![(99, None, "ended_us", end.to_string())];
    assert_eq!(cloud("EndTime"), ended);
    assert_eq!(cloud("RecordCreateTime"), ended);
    let started = usage.facts.started_us.to_string();
    assert_eq!(cloud("StartTime"), [(17, None, "started_us", started)]);
    let task = Some("task-0");
    assert_eq!(
        cloud("Memory"),
        [(17, task, "memory_mib", "1024".to_owned())]
    );
    assert_eq!(cloud("Disk"), [(17, None, "disk_mib", "300".to_owned())]);
    assert_eq!(
        said(field(&both[1], "Count")),
        [(17, task, "devices.id", "\"GPU-1\"".to_owned())]
    );
    // Of a month that is over there is no entry: it is the calendar's.
    let january = &explained(&usage, "2026-01")[0];
    let created = field(january, "RecordCreateTime");
    assert_eq!(
        (said(created), &*created.from),
        (vec![], "the month's last second")
    );
    let told = explain::of(
        &usage,
        &of(&usage, end + DAY),
        &usage.facts.id.parse().unwrap(),
    );
    let text = explain::text(&told);
    assert!(
        text.contains("\n                         - task task-0: memory_mib 1024, in entry 17\n"),
        "{text}"
    );
    let value: serde_json::Value = serde_json::from_str(&explain::json(&told)).unwrap();
    let fields = value["records"][1]["fields"].as_array().unwrap();
    let disk = fields.iter().find(|field| field["name"] == "Disk").unwrap();
    assert_eq!(
        disk["said"],
        json!([{"entry": 17, "key": "disk_mib", "value": 300}])
    );
}

#[test]
fn of_a_month_that_goes_on_the_last_interval_says_when() {
    let mut usage = over_a_month().usage();
    let now = month("2026-01").end_us() + 30 * MINUTE;
    usage.end = None;
    usage
        .intervals
        .retain(|stored| stored.interval.end.wall_us <= now);
    let records = of(&usage, now);
    let which = format!("{}/2026-02", usage.facts.id).parse().unwrap();
    let cloud = &explain::of(&usage, &records, &which).records[0];
    let last = usage.intervals.last().unwrap();
    let at = last.interval.end.wall_us.to_string();
    assert_eq!(
        said(field(cloud, "RecordCreateTime")),
        [(last.seq, Some("task-0"), "end.wall_us", at)]
    );
}

#[test]
fn an_end_before_the_last_interval_is_explained_as_published() {
    let mut usage = over_a_month().usage();
    let right = "Nomad's end of the last task, in whole seconds, downwards";
    assert_eq!(
        field(&explained(&usage, "2026-02")[0], "EndTime").from,
        right
    );
    usage.end.as_mut().unwrap().ended_us = month("2026-01").end_us() - HOUR;
    let cloud = &explained(&usage, "2026-02")[0];
    let from = &field(cloud, "EndTime").from;
    assert!(from.starts_with("the first second of"), "{from}");
}

#[test]
fn the_cpu_count_says_its_rule_and_what_went_in() {
    let whole = over_a_month();
    let mut usage = lived(vec![whole.tasks[0].clone(), whole.tasks[0].clone()]).usage();
    let told = |usage: &Usage| {
        let cloud = explained(usage, "2026-02").remove(0);
        let count = field(&cloud, "CpuCount");
        let keys = count.said.iter();
        let keys = keys.map(|said| format!("{} {}", said.key, said.value));
        (
            count.value.clone(),
            count.from.clone(),
            keys.collect::<Vec<_>>(),
        )
    };
    let share = "cpu_mhz over the MHz of a core, which is node_mhz over node_cores";
    let node = ["node_mhz 10000", "node_cores 4"];
    let (value, from, keys) = told(&usage);
    assert_eq!((&*value, &*from), ("0.4", share));
    assert_eq!(keys, ["cpu_mhz 500", "cpu_mhz 500", node[0], node[1]]);
    usage.facts.tasks[0].cores = 2;
    let (value, from, keys) = told(&usage);
    let both = format!("reserved cores, and for tasks without any {share}");
    assert_eq!((&*value, from), ("2.2", both));
    assert_eq!(keys, ["cores 2", "cpu_mhz 500", node[0], node[1]]);
    usage.facts.node_mhz = 0;
    let (value, from, _) = told(&usage);
    assert_eq!(value, "2");
    assert!(from.contains("says no MHz"), "{from}");
    usage.facts.tasks[1].cores = 1;
    let (value, from, keys) = told(&usage);
    assert_eq!((&*value, &*from), ("3", "reserved cores"));
    assert_eq!(keys, ["cores 2", "cores 1"]);
}

#[test]
fn a_count_says_the_time_held_and_use_says_its_bound() {
    let start = month("2026-02").start_us() + DAY;
    let tasks = vec![
        ran(start, start + HOUR, &[("GPU-1", "A")]),
        ran(start, start + 2 * HOUR, &[("GPU-2", "A"), ("GPU-3", "B")]),
    ];
    let mut usage = lived(tasks).usage();
    let told = |usage: &Usage| {
        let a = explained(usage, "2026-02").remove(1);
        let (count, active) = (field(&a, "Count"), field(&a, "ActiveDuration"));
        (count.clone(), active.clone())
    };
    let (count, active) = told(&usage);
    assert_eq!(count.value, "1.5");
    assert!(
        count.from.ends_with(
            "held in this month for 10800000000 µs in all, over 7200000000 µs, the longest of them"
        ),
        "{}",
        count.from
    );
    let devices: Vec<_> = count.said.iter().map(|said| said.value.clone()).collect();
    assert_eq!(devices, ["GPU-1", "GPU-2"]);
    let held: Vec<u64> = count
        .sources
        .iter()
        .map(|source| source.amount_us)
        .collect();
    assert_eq!(held, [3_600_000_000, 7_200_000_000]);
    let bound: u64 = active.sources.iter().map(|source| source.bound_us).sum();
    let words = format!("by the driver's samples, all of them 2700000000 µs (within {bound} µs)");
    assert!(bound > 0 && active.from.contains(&words), "{}", active.from);
    assert!(active.sources.iter().all(|source| !source.runs.is_empty()));
    assert!(!active.from.contains("no more than"));
    for stored in &mut usage.intervals {
        for gpu in &mut stored.interval.gpus {
            gpu.busy_us = 2 * gpu.allocated_us;
        }
    }
    let (_, active) = told(&usage);
    assert_eq!(active.value, "7200");
    assert!(active.from.ends_with(", no more than AvailableDuration"));
}
