//! What a reader of the library's samples sums up, against what `truth` says was so.

use crate::machine::{EPOCH_US, FIRST, Machine, SECOND, two_gpus};
use nvml_wrapper::{
    Device, enum_wrappers::device::Sampling, enums::device::SampleValue, error::NvmlError,
};
use serde_json::{Value, json};

const PERIOD_US: i64 = 166_667;

/// A sample's end in µs from the epoch, and its percentage.
fn samples(device: &Device<'_>, seen_us: i64) -> Vec<(i64, i64)> {
    let found = match device.samples(
        Sampling::GpuUtilization,
        Some((EPOCH_US + seen_us).cast_unsigned()),
    ) {
        Ok(found) => found,
        Err(NvmlError::NotFound) => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let plain = |sample: &nvml_wrapper::struct_wrappers::device::Sample| {
        let SampleValue::U32(percent) = sample.value else {
            panic!("{:?}", sample.value)
        };
        (sample.timestamp.cast_signed() - EPOCH_US, percent.into())
    };
    found.iter().map(plain).collect()
}

#[test]
fn samples_are_given_once_and_none_is_not_found() {
    let machine = Machine::new(&two_gpus(&json!([{"from_us": 0, "until_us": 250_000}])));
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    let nothing = device.samples(Sampling::GpuUtilization, None);
    assert!(matches!(nothing, Err(NvmlError::NotFound)), "{nothing:?}");
    machine.at(2 * PERIOD_US);
    assert_eq!(
        samples(&device, -EPOCH_US),
        [(PERIOD_US, 100), (2 * PERIOD_US, 50)]
    );
    assert_eq!(samples(&device, PERIOD_US), [(2 * PERIOD_US, 50)]);
    assert!(samples(&device, 2 * PERIOD_US).is_empty());
    assert_eq!(device.utilization_rates().unwrap().gpu, 50);
    assert!(matches!(
        device.samples(Sampling::Power, None),
        Err(NvmlError::NotSupported)
    ));
}

#[test]
fn a_ring_keeps_only_its_length() {
    let machine = Machine::new(&two_gpus(&json!([])));
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    machine.at(1_000 * PERIOD_US);
    let kept = samples(&device, 0);
    assert_eq!(kept.len(), 120);
    assert_eq!(
        (kept[0].0, kept[119].0),
        (881 * PERIOD_US, 1_000 * PERIOD_US)
    );
}

#[test]
fn the_same_time_gives_the_same_answers() {
    let machine = Machine::new(&two_gpus(&json!([{"from_us": 0, "until_us": 5_000_000}])));
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    let answers = || {
        (
            samples(&device, 0),
            device.total_energy_consumption().unwrap(),
            device.power_usage().unwrap(),
        )
    };
    machine.at(7_000_000);
    let then = answers();
    assert_eq!(then.1, 5 * 300_000 + 2 * 50_000);
    machine.at(3_000_000);
    assert_eq!(answers().2, 300_000);
    assert_ne!(answers(), then);
    machine.at(7_000_000);
    assert_eq!(answers(), then);
}

/// Reads as a meter does, each so many µs, and counts of each sample the part of its period
/// that lies in the window.
pub(crate) fn metered_us(
    machine: &Machine,
    device: &Device<'_>,
    from_us: i64,
    until_us: i64,
    each_us: i64,
) -> i64 {
    let (mut seen, mut sum_percent_us, mut now) = (from_us, 0, from_us);
    while now < until_us + PERIOD_US {
        now += each_us;
        machine.at(now);
        for (end, percent) in samples(device, seen) {
            seen = end;
            let part = end.min(until_us) - (end - PERIOD_US).max(from_us);
            sum_percent_us += percent * part.max(0);
        }
    }
    sum_percent_us / 100
}

pub(crate) fn truth_us(machine: &Machine, gpu: &str, from_us: i64, until_us: i64) -> i64 {
    let (from, until) = (
        (EPOCH_US + from_us).to_string(),
        (EPOCH_US + until_us).to_string(),
    );
    let output = machine.truth(&["--gpu", gpu, &from, &until]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// Half a percent of the time, and one sample at each end.
pub(crate) fn bound_us(length_us: i64) -> i64 {
    length_us / 200 + 2 * PERIOD_US
}

fn agree(busy: &Value, windows: &[(i64, i64)]) {
    let machine = Machine::new(&two_gpus(busy));
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    for &(from, until) in windows {
        let truth = truth_us(&machine, FIRST, from, until);
        let metered = metered_us(&machine, &device, from, until, 4_999_000);
        assert!(
            (metered - truth).abs() <= bound_us(until - from),
            "{busy}: from {from} until {until} metered {metered}, true {truth}"
        );
    }
}

#[test]
fn steady_work_is_metered_within_the_bound() {
    let busy = json!([{"from_us": 1_000_000, "until_us": 61_234_567}]);
    agree(
        &busy,
        &[
            (0, 70_000_000),
            (999_999, 30_000_001),
            (61_000_000, 62_000_000),
        ],
    );
}

#[test]
fn duty_cycles_are_metered_within_the_bound() {
    let busy = json!([
        {"from_us": 0, "until_us": 90_000_000, "period_us": 1_000, "busy_us": 370},
        {"from_us": 100_000_000, "until_us": 200_000_000, "period_us": 333_334, "busy_us": 1_000},
    ]);
    agree(
        &busy,
        &[
            (0, 90_000_000),
            (90_000_000, 200_000_000),
            (12_345, 123_456_789),
        ],
    );
}

#[test]
fn work_that_overlaps_counts_once() {
    let busy = json!([
        {"from_us": 0, "until_us": 60_000_000, "period_us": 10_000, "busy_us": 2_500},
        {"from_us": 1_234, "until_us": 50_000_000, "period_us": 4_000, "busy_us": 1_700},
        {"from_us": 20_000_000, "until_us": 30_000_000},
        {"from_us": 25_000_000, "until_us": 35_000_000},
    ]);
    agree(
        &busy,
        &[
            (0, 60_000_000),
            (19_000_000, 36_000_000),
            (40_000_001, 59_999_999),
        ],
    );
}

/// Samples are rounded, energy is not: through it, the library's own integral is compared.
#[test]
fn the_integral_is_exactly_the_truth() {
    let mut scenario = two_gpus(&json!([
        {"from_us": -500, "until_us": 40_000_000, "period_us": 9_973, "busy_us": 4_999},
        {"from_us": 77, "until_us": 30_000_000, "period_us": 1_511, "busy_us": 130},
        {"from_us": 70, "until_us": 20_000_000, "period_us": 1_511, "busy_us": 3},
        {"from_us": 12_345_678, "until_us": 15_000_001},
    ]));
    scenario["gpus"][0]["power_idle_mw"] = json!(0);
    scenario["gpus"][0]["power_busy_mw"] = json!(1_000_000);
    let machine = Machine::new(&scenario);
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    for tenths in [1, 123, 130, 151, 200, 307, 400, 500] {
        machine.at(tenths * 100_000);
        let energy = device.total_energy_consumption().unwrap();
        assert_eq!(
            energy.cast_signed(),
            truth_us(&machine, FIRST, 0, tenths * 100_000),
            "{tenths}"
        );
    }
}

#[test]
fn a_file_of_windows_is_answered_by_name() {
    let machine = Machine::new(&two_gpus(&json!([{"from_us": 5, "until_us": 105}])));
    let file = machine.path("windows.json");
    let windows = json!([
        {"name": "b", "gpu": SECOND, "from_us": EPOCH_US, "until_us": EPOCH_US + 100},
        {"name": "a", "gpu": FIRST, "from_us": EPOCH_US + 10, "until_us": EPOCH_US + 110},
    ]);
    std::fs::write(&file, windows.to_string()).unwrap();
    let output = machine.truth(&["--windows", file.to_str().unwrap()]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said, json!({"b": 0, "a": 95}));
}
