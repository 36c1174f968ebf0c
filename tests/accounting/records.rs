//! Intervals into records, case by case.

use std::collections::BTreeMap;

use accounting::ledger::Usage;
use accounting::records::{Life, Month, Problem, Records, Tables, Together, believed};
use accounting::report::{By, Report, json, table};
use federation::usage::{End, Quality};
use jiff::Timestamp;

use crate::schedule::{DAY, HOUR, Lived, MINUTE, Ran, SECOND};

pub(crate) fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn tables() -> Tables {
    let sites = BTreeMap::from([("example-one", "EXAMPLE-ONE")]);
    let vos = BTreeMap::from([("example", "vo.example.org")]);
    Tables::new(&sites, &vos)
}

pub(crate) fn of(usage: &Usage, now_us: i64) -> Records {
    let now = Timestamp::from_microsecond(now_us).unwrap();
    Records::of(std::slice::from_ref(usage), &tables(), now)
}

fn gpus(names: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(id, model): &(&str, &str)| ((*id).to_owned(), (*model).to_owned());
    names.iter().map(owned).collect()
}

pub(crate) fn ran(start_us: i64, end_us: i64, names: &[(&str, &str)]) -> Ran {
    Ran {
        start_us,
        end_us,
        cpu_ppm: 1_500_000,
        busy_ppm: 250_000,
        gpus: gpus(names),
    }
}

pub(crate) fn lived(tasks: Vec<Ran>) -> Lived {
    Lived {
        id: "00000000-0000-0000-0000-000000000001".to_owned(),
        tasks,
        cut_us: 5 * MINUTE,
        month_ends: ["2026-01", "2026-02", "2026-03"]
            .map(|text| month(text).end_us())
            .to_vec(),
    }
}

/// From an hour and a half second before the end of January to two hours after it.
pub(crate) fn over_a_month() -> Lived {
    let end = month("2026-01").end_us();
    lived(vec![ran(
        end - HOUR - SECOND / 2,
        end + 2 * HOUR,
        &[("GPU-1", "A")],
    )])
}

#[test]
fn a_month_is_closed_at_its_last_second_with_all_of_it() {
    let end = month("2026-01").end_us();
    let records = of(&over_a_month().usage(), end + DAY);
    assert_eq!(records.problems, []);
    let [january, february] = &records.cloud[..] else {
        panic!("{:?}", records.cloud);
    };
    assert_eq!(january.record_create_time_s, month("2026-01").last_s());
    assert_eq!(
        (january.wall_duration_s, january.cpu_duration_s),
        (3600, 5400)
    );
    assert_eq!(january.end_time_s, None);
    assert_eq!(
        (february.wall_duration_s, february.cpu_duration_s),
        (10_800, 16_200)
    );
    let ended = end / SECOND + 7200;
    assert_eq!(february.end_time_s, Some(ended));
    assert_eq!(february.record_create_time_s, ended);
    let accelerators = |at: usize| {
        let record = &records.accelerators[at];
        (
            record.month,
            record.count_milli,
            record.available_duration_s,
            record.active_duration_s,
        )
    };
    assert_eq!(accelerators(0), (month("2026-01"), 1000, 3600, 900));
    assert_eq!(accelerators(1), (month("2026-02"), 1000, 7200, 1800));
}

#[test]
fn the_fields_are_those_of_the_contract() {
    let end = month("2026-01").end_us();
    let records = of(&over_a_month().usage(), end + DAY);
    assert_eq!(
        records.cloud[1].text(),
        "RecordCreateTime: 1769911200\n\
         VMUUID: 00000000-0000-0000-0000-000000000001\n\
         SiteName: EXAMPLE-ONE\n\
         CloudComputeService: example-one\n\
         MachineName: train.main[0]\n\
         LocalUserId: somebody@example.org\n\
         LocalGroupId: example\n\
         GlobalUserName: somebody@example.org\n\
         FQAN: vo.example.org\n\
         Status: completed\n\
         StartTime: 1769900399\n\
         EndTime: 1769911200\n\
         SuspendDuration: 0\n\
         WallDuration: 10800\n\
         CpuDuration: 16200\n\
         CpuCount: 0.2\n\
         Memory: 1024\n\
         Disk: 1\n\
         ImageId: registry.example.org/train:1.2\n\
         CloudType: atoll (Nomad)\n"
    );
    assert_eq!(
        records.accelerators[1].json().to_string(),
        "{\"MeasurementMonth\":2,\"MeasurementYear\":2026,\"AssociatedRecordType\":\"cloud\",\
         \"AssociatedRecord\":\"00000000-0000-0000-0000-000000000001\",\
         \"GlobalUserName\":\"somebody@example.org\",\"FQAN\":\"vo.example.org\",\
         \"SiteName\":\"EXAMPLE-ONE\",\"Count\":1,\"ActiveDuration\":1800,\
         \"AvailableDuration\":7200,\"Type\":\"GPU\",\"Model\":\"A\"}"
    );
}

#[test]
fn what_runs_is_told_up_to_its_last_interval() {
    let end = month("2026-01").end_us();
    let mut usage = over_a_month().usage();
    usage.end = None;
    let now = end + 30 * MINUTE;
    usage
        .intervals
        .retain(|stored| stored.interval.end.wall_us <= now);
    let records = of(&usage, now);
    let last = usage.intervals.last().unwrap().interval.end.wall_us;
    assert_eq!(records.cloud[1].record_create_time_s, last / SECOND);
    assert_eq!(records.cloud[1].end_time_s, None);
    // Before the month is over its row is of what is known, and within the month.
    usage
        .intervals
        .retain(|stored| stored.interval.end.wall_us <= end);
    let records = of(&usage, end - 1);
    assert_eq!(
        records.cloud[0].record_create_time_s,
        month("2026-01").last_s()
    );
}

#[test]
fn an_end_at_the_very_end_of_a_month_is_in_the_next() {
    let end = month("2026-01").end_us();
    let usage = lived(vec![ran(end - HOUR, end, &[])]).usage();
    let records = of(&usage, end + DAY);
    let rows: Vec<_> = (records.cloud.iter())
        .map(|record| {
            (
                record.month.to_string(),
                record.wall_duration_s,
                record.end_time_s,
            )
        })
        .collect();
    let wanted = [
        ("2026-01".to_owned(), 3600, None),
        ("2026-02".to_owned(), 3600, Some(end / SECOND)),
    ];
    assert_eq!(rows, wanted);
}

#[test]
fn a_month_without_an_interval_has_a_row_between_two_others() {
    let mut lived = over_a_month();
    lived.cut_us = 40 * DAY;
    lived.tasks[0].end_us = month("2026-03").start_us() + HOUR;
    let mut usage = lived.usage();
    let whole = of(&usage, month("2026-03").end_us());
    usage.intervals.remove(1);
    let records = of(&usage, month("2026-03").end_us());
    let walls = |records: &Records| -> Vec<u64> {
        let rows = records.cloud.iter();
        rows.map(|record| record.wall_duration_s).collect()
    };
    assert_eq!(walls(&whole), [3600, 2_422_800, 2_426_400]);
    // What is in no interval is booked to the month after it, and told.
    assert_eq!(walls(&records), [3600, 3600, 2_426_400]);
    assert!(
        matches!(records.problems[..], [Problem::NotCovered { missing_us, .. }]
        if missing_us == 28 * 86_400_000_000)
    );
}

#[test]
fn tasks_at_the_same_time_are_held_once() {
    let start = month("2026-02").start_us() + DAY;
    let tasks = vec![
        ran(start, start + HOUR, &[("GPU-1", "A")]),
        ran(
            start + 7 * MINUTE,
            start + 2 * HOUR,
            &[("GPU-2", "A"), ("GPU-3", "B")],
        ),
    ];
    let records = of(&lived(tasks).usage(), start + DAY);
    assert_eq!(records.problems, []);
    assert_eq!(records.cloud[0].wall_duration_s, 7200);
    assert_eq!(records.cloud[0].cpu_duration_s, (60 + 113) * 60 * 3 / 2);
    let [a, b] = &records.accelerators[..] else {
        panic!("{:?}", records.accelerators);
    };
    // GPU-1 for 60 minutes and GPU-2 for 113: 1.530 of them for 113 minutes.
    assert_eq!(
        (a.model.as_str(), a.count_milli, a.available_duration_s),
        ("A", 1530, 113 * 60)
    );
    assert_eq!(a.active_duration_s, 113 * 60 / 4);
    assert_eq!(
        (b.model.as_str(), b.count_milli, b.available_duration_s),
        ("B", 1000, 113 * 60)
    );
    assert_eq!(a.json()["Count"].to_string(), "1.53");
}

#[test]
fn an_interval_over_the_end_of_a_month_is_told_and_not_split() {
    let mut lived = over_a_month();
    lived.month_ends.clear();
    let records = of(&lived.usage(), month("2026-02").end_us());
    assert!(matches!(
        records.problems[..],
        [Problem::AcrossMonths { .. }]
    ));
    // The interval is of five minutes, and all of it is January's.
    assert_eq!(records.cloud[0].wall_duration_s, 3600 + 300);
    assert_eq!(records.cloud[1].wall_duration_s, 10_800);
}

#[test]
fn without_site_or_vo_nothing_is_published_and_both_are_told() {
    let mut usage = over_a_month().usage();
    usage.datacenter = "example-two".parse().unwrap();
    "other".clone_into(&mut usage.facts.namespace);
    let records = of(&usage, month("2026-02").end_us());
    assert!(records.withheld());
    assert!(records.cloud.is_empty() && records.accelerators.is_empty());
    assert_eq!(
        records.problems,
        [
            Problem::NoSite("example-two".parse().unwrap()),
            Problem::NoVo("other".to_owned())
        ]
    );
}

#[test]
fn what_nomad_never_named_is_told_and_not_published() {
    let mut usage = over_a_month().usage();
    usage.facts.namespace.clear();
    let records = of(&usage, month("2026-02").end_us());
    assert!(records.withheld());
    assert!(records.cloud.is_empty() && records.accelerators.is_empty());
    let [problem] = records.problems.as_slice() else {
        panic!("{:?}", records.problems)
    };
    let said = problem.to_string();
    assert!(said.contains(&usage.facts.id) && said.contains(usage.node.as_str()));
    assert!(!problem.is_fault(), "nobody can put it right");
}

#[test]
fn a_clock_that_is_wrong_withholds_the_allocation() {
    let good = over_a_month().usage();
    let now = month("2026-02").end_us();
    for wrong in [0, i64::MIN, i64::MAX, now + 2 * DAY] {
        let mut usage = good.clone();
        usage.intervals.last_mut().unwrap().interval.start.wall_us = wrong;
        assert!(of(&usage, now).withheld(), "interval at {wrong}");
        let mut usage = good.clone();
        usage.end = Some(End {
            ended_us: wrong,
            ..good.end.clone().unwrap()
        });
        assert!(of(&usage, now).withheld(), "end at {wrong}");
    }
    assert!(!of(&good, now).withheld());
}

#[test]
fn an_end_in_an_earlier_month_does_not_take_the_place_of_that_month() {
    let mut usage = over_a_month().usage();
    let before = month("2026-01").end_us() - SECOND;
    usage.end.as_mut().unwrap().ended_us = before;
    let records = of(&usage, month("2026-02").end_us());
    assert!(matches!(records.problems[..], [Problem::EndedEarly { .. }]));
    assert_eq!(records.cloud[0].end_time_s, None);
    assert_eq!(
        records.cloud[1].end_time_s,
        Some(month("2026-02").start_s())
    );
}

#[test]
fn a_month_that_has_not_begun_here_waits() {
    let usage = over_a_month().usage();
    let records = of(&usage, month("2026-01").end_us() - 1);
    assert_eq!(records.problems, []);
    assert_eq!((records.cloud.len(), records.accelerators.len()), (1, 1));
}

#[test]
fn no_gpu_is_busy_or_held_for_longer_than_the_allocation() {
    let mut usage = over_a_month().usage();
    usage.intervals[0].interval.gpus[0].busy_us = u64::MAX;
    let last = usage.intervals.last_mut().unwrap();
    last.interval.gpus[0].allocated_us = u64::MAX;
    let records = of(&usage, month("2026-02").end_us());
    assert_eq!(records.accelerators[0].active_duration_s, 3600);
    assert_eq!(records.accelerators[1].available_duration_s, 7200);
    assert_eq!(records.accelerators[1].count_milli, 1000);
    assert!(matches!(
        records.problems[..],
        [Problem::TooMuch {
            published: 7200,
            ..
        }]
    ));
}

#[test]
fn texts_are_made_acceptable_and_that_is_told() {
    let mut usage = over_a_month().usage();
    "tr%%ain\n\u{e9}".clone_into(&mut usage.facts.name);
    usage.facts.owner = Some("None".to_owned());
    let image = "a.example.org/application/x-pkcs7-mime:2";
    usage.facts.tasks[0].image = Some(image.to_owned());
    usage.intervals.iter_mut().for_each(|stored| {
        "application/pkcs7-mime".clone_into(&mut stored.interval.gpus[0].model);
    });
    let records = of(&usage, month("2026-02").end_us());
    assert_eq!(records.cloud[0].machine_name, "tr%_ain__");
    assert_eq!(records.cloud[0].owner, None);
    assert!(
        records.cloud[0]
            .text()
            .contains("/application_x-pkcs7-mime:2\n")
    );
    assert_eq!(records.accelerators[0].model, "application_pkcs7-mime");
    let told: String = records.problems.iter().map(ToString::to_string).collect();
    assert!(told.contains("ImageId is published") && told.contains("Model is published"));
    assert!(
        told.contains("MachineName is published as `tr%_ain__`"),
        "{told}"
    );
    usage.facts.id.push('\u{e9}');
    assert!(of(&usage, month("2026-02").end_us()).withheld());
}

#[test]
fn of_two_ledgers_the_one_that_knows_more_is_believed() {
    let whole = over_a_month().usage();
    let mut part = whole.clone();
    "before".clone_into(&mut part.ledger);
    part.end = None;
    part.intervals.truncate(3);
    let mut other = whole.clone();
    "z".clone_into(&mut other.facts.id);
    let mut together = Together::default();
    assert!(together.push(part.clone()).is_empty());
    assert!(together.push(whole.clone()).is_empty());
    let both = together.push(other);
    assert_eq!(both.len(), 2);
    assert_eq!(together.finish().len(), 1);
    let now = Timestamp::from_microsecond(month("2026-02").end_us()).unwrap();
    let records = Records::of(&both, &tables(), now);
    assert_eq!(records.cloud, of(&whole, month("2026-02").end_us()).cloud);
    assert!(
        matches!(&records.problems[..], [Problem::ManyLedgers { ledgers: 2, chosen, .. }]
        if chosen == "ledger")
    );
    assert_eq!(believed(&both).unwrap().ledger, "ledger");
}

/// A ledger that was made after the end has all of the time, a microsecond more by its placing, and
/// nothing of the use.
#[test]
fn of_two_ledgers_that_know_as_long_the_surer_one_is_believed() {
    let measured = over_a_month().usage();
    let mut told = measured.clone();
    "z".clone_into(&mut told.ledger);
    for stored in &mut told.intervals {
        stored.interval.cpu.used_us = 0;
        stored.interval.cpu.bound_us = stored.interval.held_us;
        stored.interval.cpu.quality = Quality::Gap;
    }
    let last = told.intervals.last_mut().unwrap();
    last.interval.held_us += 1;
    last.interval.held_total_us += 1;
    let both = [measured, told];
    assert_eq!(believed(&both).unwrap().ledger, "ledger");
}

#[test]
fn the_worst_quality_and_all_bounds_are_kept() {
    let mut usage = over_a_month().usage();
    let interval = &mut usage.intervals[2].interval;
    interval.cpu.quality = Quality::Gap;
    interval.cpu.bound_us = 1_000_000;
    usage.intervals[1].interval.held = Quality::Inferred;
    let records = of(&usage, month("2026-02").end_us());
    assert_eq!(records.cloud[0].quality, Quality::Gap);
    let before: u64 = records.life.months[&month("2026-01")].cpu.bound_us;
    assert_eq!(before, 1_000_012);
    let known = records.cloud[0].known;
    assert_eq!(
        (known.inferred_us, known.gap_us),
        (300_000_000, 300_000_000)
    );
    assert_eq!(records.accelerators[0].quality, Quality::Inferred);
    assert_eq!(records.accelerators[1].quality, Quality::Measured);
}

#[test]
fn a_report_sums_what_was_asked_for() {
    let usage = over_a_month().usage();
    let mut other = usage.clone();
    "without".clone_into(&mut other.facts.namespace);
    for stored in &mut other.intervals {
        stored.interval.gpus.clear();
    }
    let mut report = Report::new(None, vec![By::Vo, By::Month, By::Vo]);
    for usage in [&usage, &other] {
        report.add(usage, &Life::of(usage).0, &tables());
    }
    assert_eq!(
        table(&report),
        " vo              month    allocations  wall hours  CPU hours  GPU hours held  GPU hours busy  measured/inferred/gap %\n"
            .to_owned()
            + " (without)       2026-01            1      1.0001     1.5002          0.0000          0.0000            100.0/0.0/0.0\n"
            + " (without)       2026-02            1      2.0000     3.0000          0.0000          0.0000            100.0/0.0/0.0\n"
            + " vo.example.org  2026-01            1      1.0001     1.5002          1.0001          0.2500            100.0/0.0/0.0\n"
            + " vo.example.org  2026-02            1      2.0000     3.0000          2.0000          0.5000            100.0/0.0/0.0\n"
            + " total                              2      6.0002     9.0004          3.0001          0.7500            100.0/0.0/0.0\n"
    );
    assert!("models".parse::<By>().is_err());
    let mut report = Report::new(Some(month("2026-02")), vec!["model".parse().unwrap()]);
    report.add(&usage, &Life::of(&usage).0, &tables());
    let value: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(value["rows"][0]["model"], "A");
    assert_eq!(value["rows"][0]["gpu_busy_seconds"], 1800);
    assert_eq!(value["total"]["allocations"], 1);
    let mut other = Report::new(Some(month("2026-03")), vec![]);
    other.add(&usage, &Life::of(&usage).0, &tables());
    assert_eq!(other.total.allocations, 0);
}
