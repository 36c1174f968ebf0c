//! Whatever is run, delivered, published and interrupted: the service's sums are the integrals.

use std::collections::{BTreeMap, BTreeSet};

use accounting::apel::{Kind, Message, Outgoing, check};
use accounting::ledger::Usage;
use accounting::records::{Month, Records, Tables};
use federation::usage::Entry;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::delivery::{Deliveries, Delivery};
use crate::schedule::{DAY, HOUR, Lived, MINUTE, Ran, unsigned, usages};

/// The service, as its stored procedures sum.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Service {
    /// By VMUUID and the month of the measurement.
    cloud: BTreeMap<(String, Month), Cloud>,
    /// By VMUUID, the names that its sums are kept by. A sum under a name of before is never taken back.
    names: BTreeMap<String, BTreeSet<Vec<String>>>,
    /// By month, record and model.
    accelerators: BTreeMap<(Month, String, String), Gpus>,
}

/// What the service's sums are grouped by, but for the month and the status.
const NAMES: [&str; 8] = [
    "SiteName",
    "CloudComputeService",
    "GlobalUserName",
    "FQAN",
    "ImageId",
    "CpuCount",
    "BenchmarkType",
    "Benchmark",
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cloud {
    measured_s: i64,
    wall_s: i64,
    cpu_s: i64,
    completed: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Gpus {
    count: f64,
    active_s: i64,
    available_s: i64,
}

impl Eq for Gpus {}

impl Service {
    /// What it received last takes the place of what it had.
    fn receive(&mut self, message: &Message) {
        if message.kind == Kind::Accelerator {
            return self.receive_accelerators(&message.text);
        }
        let (_, records) = message.text.split_once('\n').unwrap();
        for record in records.split("%%") {
            let fields: BTreeMap<&str, &str> = (record.trim().lines())
                .map(|line| line.split_once(": ").unwrap())
                .collect();
            let number = |key: &str| fields[key].parse::<i64>().unwrap();
            let completed = fields["Status"] == "completed";
            let measured_s = number(if completed {
                "EndTime"
            } else {
                "RecordCreateTime"
            });
            let month = Month::of_us(measured_s * 1_000_000).unwrap();
            let row = Cloud {
                measured_s,
                wall_s: number("WallDuration"),
                cpu_s: number("CpuDuration"),
                completed,
            };
            let names = NAMES.map(|name| fields.get(name).copied().unwrap_or_default().to_owned());
            let vm = fields["VMUUID"].to_owned();
            let kept = self.names.entry(vm.clone()).or_default();
            kept.insert(names.to_vec());
            self.cloud.insert((vm, month), row);
        }
    }

    fn receive_accelerators(&mut self, text: &str) {
        let message: serde_json::Value = serde_json::from_str(text).unwrap();
        for record in message["UsageRecords"].as_array().unwrap() {
            let number = |key: &str| record[key].as_i64().unwrap();
            let text = |key: &str| record[key].as_str().unwrap().to_owned();
            let (year, month) = (number("MeasurementYear"), number("MeasurementMonth"));
            let month = format!("{year:04}-{month:02}").parse().unwrap();
            let row = Gpus {
                count: record["Count"].as_f64().unwrap(),
                active_s: number("ActiveDuration"),
                available_s: number("AvailableDuration"),
            };
            let key = (month, text("AssociatedRecord"), text("Model"));
            self.accelerators.insert(key, row);
        }
    }

    /// Each row less the one before it by time: wall and CPU seconds of a month.
    fn deltas(&self, id: &str) -> BTreeMap<Month, (i64, i64)> {
        let mut rows: Vec<_> = self.cloud.iter().filter(|((vm, _), _)| vm == id).collect();
        rows.sort_by_key(|(_, row)| row.measured_s);
        let mut before = (0, 0);
        let mut deltas = BTreeMap::new();
        for ((_, month), row) in rows {
            deltas.insert(*month, (row.wall_s - before.0, row.cpu_s - before.1));
            before = (row.wall_s, row.cpu_s);
        }
        deltas
    }
}

/// What one publication is interrupted by.
#[derive(Debug, Clone, Copy)]
struct Publication {
    /// How much of what was said has been delivered, in thousandths; never less than before.
    delivered: usize,
    /// How long after the last delivered entry.
    later_us: i64,
    /// The publisher dies after so many messages, before it notes any.
    dies_after: Option<usize>,
    /// How often each message arrives.
    times: usize,
    /// How what is new in the node's ledger comes to the service's.
    delivery: Delivery,
}

/// One of everything, and nothing goes wrong.
const WHOLE: Publication = Publication {
    delivered: 1000,
    later_us: 0,
    dies_after: None,
    times: 1,
    delivery: Delivery {
        again: 0,
        twice: false,
        crash: None,
    },
};

#[derive(Default)]
struct Publisher {
    tables: Tables,
    noted: BTreeMap<(String, String, Month), String>,
    service: Service,
    log: Vec<Message>,
}

impl Publisher {
    /// One that has published nothing.
    fn new() -> Self {
        Self {
            tables: tables(),
            ..Self::default()
        }
    }

    /// Publishes what has changed, and gives how many messages that were.
    fn publish(&mut self, usages: Vec<Usage>, now_us: i64, how: Publication) -> usize {
        let now = Timestamp::from_microsecond(now_us).unwrap();
        let mut outgoing = Outgoing::new(now);
        let mut messages = Vec::new();
        for usage in usages {
            let records = Records::of(&[usage], &self.tables, now);
            assert!(records.problems.is_empty(), "{:?}", records.problems);
            let noted = &self.noted;
            let mut published = |row: &accounting::records::Row| {
                let key = (row.kind.to_owned(), row.key.clone(), row.month);
                Ok::<_, ()>(noted.get(&key).cloned())
            };
            messages.extend(outgoing.add(&records, &mut published).unwrap());
        }
        messages.extend(outgoing.flush());
        assert!(outgoing.finish().1.is_empty());
        let sent = how.dies_after.unwrap_or(messages.len()).min(messages.len());
        for message in &messages[..sent] {
            assert_eq!(check::message(message.kind, &message.text, now), []);
            for _ in 0..how.times {
                self.service.receive(message);
                self.log.push(message.clone());
            }
        }
        if how.dies_after.is_none() {
            for row in messages.iter().flat_map(|message| &message.rows) {
                let key = (row.kind.to_owned(), row.key.clone(), row.month);
                self.noted.insert(key, row.digest.clone());
            }
        }
        messages.len()
    }
}

fn months() -> Vec<Month> {
    let mut months = vec!["2025-11".parse::<Month>().unwrap()];
    for _ in 0..15 {
        months.push(months[months.len() - 1].next());
    }
    months
}

/// One task after the other, each beginning before all before it have ended.
fn lived(at: usize) -> impl Strategy<Value = Lived> {
    let ran = (
        0..=1000_i64,
        1..=1000_i64,
        0..=4_000_000_i64,
        0..=1_000_000_i64,
        0..3_usize,
    );
    let long = prop_oneof![Just(1_i64), Just(60), Just(1000), Just(10_000)];
    // Around the end of a month, or far from it.
    let start = (
        0..6_usize,
        prop_oneof![-3 * HOUR..3 * HOUR, -20 * DAY..20 * DAY],
    );
    let tasks = prop::collection::vec(ran, 1..4);
    (start, long, tasks, 1..=5 * MINUTE, any::<bool>()).prop_map(
        move |((month, offset), long, parts, cut, on_the_end)| {
            let ends: Vec<i64> = months().into_iter().map(Month::end_us).collect();
            let start = ends[month] + offset;
            let unit = long * 7 * MINUTE / 1000;
            let mut last = start;
            let mut tasks = Vec::new();
            for (number, (after, length, cpu_ppm, busy_ppm, gpus)) in parts.into_iter().enumerate()
            {
                let begin = if number == 0 {
                    start
                } else {
                    start + (last - start) * after / 1000
                };
                let end = begin + length * unit + 1;
                last = last.max(end);
                let model = |gpu: usize| ["A", "B"][gpu % 2].to_owned();
                let gpus = (0..gpus).map(|gpu| (format!("GPU-{at}-{number}-{gpu}"), model(gpu)));
                tasks.push(Ran {
                    start_us: begin,
                    end_us: end,
                    cpu_ppm,
                    busy_ppm,
                    gpus: gpus.collect(),
                });
            }
            // Some end at the very end of a month.
            let boundary = ends.iter().copied().find(|end| *end > start);
            if let Some(boundary) = boundary.filter(|end| on_the_end && *end < last) {
                tasks.retain(|task| task.start_us < boundary);
                for task in &mut tasks {
                    task.end_us = task.end_us.min(boundary);
                }
            }
            let cut_us = cut.max(MINUTE / 2) * long;
            Lived {
                id: format!("alloc-{at}"),
                tasks,
                cut_us,
                month_ends: ends,
            }
        },
    )
}

fn world() -> impl Strategy<Value = Vec<Lived>> {
    (1..5_usize).prop_flat_map(|count| (0..count).map(lived).collect::<Vec<_>>())
}

fn publications() -> impl Strategy<Value = Vec<Publication>> {
    let later = prop_oneof![Just(0), 0..HOUR, 0..40 * DAY];
    let dies = prop::option::weighted(0.3, 0..3_usize);
    let again = prop_oneof![Just(0), 1..20_usize, Just(usize::MAX)];
    let crash = prop::option::weighted(0.3, 0..=1000_u64);
    let delivery = (again, any::<bool>(), crash).prop_map(|(again, twice, crash)| Delivery {
        again,
        twice,
        crash,
    });
    let one = (0..=1000_usize, later, dies, 1..3_usize, delivery).prop_map(
        |(delivered, later_us, dies_after, times, delivery)| Publication {
            delivered,
            later_us,
            dies_after,
            times,
            delivery,
        },
    );
    prop::collection::vec(one, 0..8)
}

/// All entries of one ledger, in the order in which an agent writes them.
fn ledger(world: &[Lived]) -> Vec<(i64, Entry)> {
    let mut said: Vec<_> = world.iter().flat_map(Lived::said).collect();
    said.sort_by_key(|(at, _)| *at);
    let numbered = said.into_iter().zip(1..);
    numbered
        .map(|((at, body), seq)| (at, Entry { seq, body }))
        .collect()
}

/// No month ever gets less, no row goes back.
fn only_grows(before: &Service, after: &Service, world: &[Lived]) -> TestCaseResult {
    for (key, row) in &before.cloud {
        let later = after.cloud.get(key);
        prop_assert!(later.is_some_and(|later| later.wall_s >= row.wall_s
            && later.cpu_s >= row.cpu_s
            && later.completed >= row.completed));
    }
    for (vm, names) in &after.names {
        prop_assert!(names.len() == 1, "{vm} is summed under {names:?}");
    }
    for lived in world {
        for (month, (wall, cpu)) in after.deltas(&lived.id) {
            prop_assert!(wall >= 0 && cpu >= 0, "{} {month}: {wall} {cpu}", lived.id);
        }
    }
    Ok(())
}

/// Every month has the integral over it.
fn is_exact(service: &Service, lived: &Lived) -> TestCaseResult {
    let deltas = service.deltas(&lived.id);
    let (start, end) = (lived.start_us(), lived.end_us());
    for month in months() {
        let seconds = |at: fn(&Lived, i64) -> i64| {
            let floor = |us| at(lived, us) / 1_000_000;
            floor(month.end_us()) - floor(month.start_us())
        };
        let wall = seconds(|lived, us| (us.min(lived.end_us()) - lived.start_us()).max(0));
        let cpu = seconds(Lived::cpu_at);
        let got = deltas.get(&month).copied().unwrap_or_default();
        prop_assert_eq!(got, (wall, cpu), "{} in {}", &lived.id, month);
        let is_in_it = start < month.end_us() && end > month.start_us();
        prop_assert!(
            !is_in_it || deltas.contains_key(&month),
            "{} in {month}",
            lived.id
        );
        gpus_are_exact(service, lived, month)?;
    }
    Ok(())
}

fn gpus_are_exact(service: &Service, lived: &Lived, month: Month) -> TestCaseResult {
    let mut models: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for task in &lived.tasks {
        let held = task.end_us.min(month.end_us()) - task.start_us.max(month.start_us());
        for (_, model) in task.gpus.iter().filter(|_| held > 0) {
            models.entry(model).or_default().push(held);
        }
    }
    for model in ["A", "B"] {
        let row = service
            .accelerators
            .get(&(month, lived.id.clone(), model.to_owned()));
        let Some(held) = models.get(model) else {
            prop_assert!(row.is_none());
            continue;
        };
        let longest = held.iter().max().unwrap();
        let all: i64 = held.iter().sum();
        let row = row.unwrap();
        prop_assert_eq!(row.available_s, longest / 1_000_000);
        prop_assert!(row.active_s <= row.available_s);
        prop_assert!(row.available_s <= (month.end_us() - month.start_us()) / 1_000_000);
        let milli = unsigned(all * 1000 / longest);
        let wanted = format!("{}.{:03}", milli / 1000, milli % 1000);
        prop_assert_eq!(format!("{:.3}", row.count), wanted);
    }
    Ok(())
}

/// What is over never changes, in this month or another; telling it all again is harmless; and
/// whatever came before, the service has what one publication of everything would have told it.
fn ends_the_same(mut publisher: Publisher, all: &[Usage], now_us: i64) -> TestCaseResult {
    let later_us = now_us + 40 * DAY;
    prop_assert_eq!(publisher.publish(all.to_vec(), later_us, WHOLE), 0);
    let mut service = publisher.service.clone();
    for message in &publisher.log {
        service.receive(message);
    }
    prop_assert_eq!(&service, &publisher.service);
    let mut anew = Publisher::new();
    anew.publish(all.to_vec(), later_us, WHOLE);
    prop_assert_eq!(anew.service, service);
    Ok(())
}

fn tables() -> Tables {
    let sites = BTreeMap::from([("example-one", "EXAMPLE-ONE")]);
    let vos = BTreeMap::from([("example", "vo.example.org")]);
    Tables::new(&sites, &vos)
}

/// Delivers and publishes as it is told, then everything; then all must be right.
///
/// Without a ledger the publisher is given the entries as they are, which is ten times as fast.
fn holds(
    world: &[Lived],
    publications: Vec<Publication>,
    mut deliveries: Option<Deliveries>,
) -> TestCaseResult {
    let (times_us, entries): (Vec<i64>, Vec<Entry>) = ledger(world).into_iter().unzip();
    let mut known = |delivered: usize, how: Publication| match &mut deliveries {
        Some(deliveries) => deliveries.deliver(&entries[..delivered], how.delivery),
        None => usages(&entries[..delivered]),
    };
    let (mut delivered, mut now_us) = (0, 0);
    let mut publisher = Publisher::new();
    for publication in publications {
        delivered = delivered.max(entries.len() * publication.delivered / 1000);
        let last = times_us[..delivered].last().copied().unwrap_or(0);
        now_us = now_us.max(last + publication.later_us);
        let before = publisher.service.clone();
        publisher.publish(known(delivered, publication), now_us, publication);
        only_grows(&before, &publisher.service, world)?;
    }
    now_us = now_us.max(times_us.last().copied().unwrap_or(0));
    let all = known(entries.len(), WHOLE);
    prop_assert_eq!(&all, &usages(&entries));
    publisher.publish(all.clone(), now_us, WHOLE);
    for lived in world {
        is_exact(&publisher.service, lived)?;
    }
    ends_the_same(publisher, &all, now_us)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn the_sums_of_the_service_are_the_integrals(world in world(), publications in publications()) {
        holds(&world, publications, None)?;
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn so_they_are_through_a_ledger_that_crashes(world in world(), publications in publications()) {
        holds(&world, publications, Some(Deliveries::new()))?;
    }
}
