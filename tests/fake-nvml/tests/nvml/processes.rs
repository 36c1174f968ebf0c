//! Processes: who is listed when, and how busy each, its allocation and its GPU were.

use std::process::Command;

use crate::{
    machine::{EPOCH_US, FIRST, Machine, SECOND, two_gpus},
    metering::{bound_us, metered_us, truth_us},
};
use nvml_wrapper::{Device, enums::device::UsedGpuMemory, error::NvmlError};
use serde_json::{Value, json};

/// Two processes of two allocations that overlap on the first GPU, beside work of nobody; the
/// first one's allocation has another on the second GPU.
fn shared() -> Value {
    let mut scenario = two_gpus(&json!([{"from_us": 50_000_000, "until_us": 52_000_000}]));
    scenario["gpus"][0]["processes"] = json!([
        {"pid": 101, "allocation": "a", "memory_mib": 3, "from_us": 1_000_000, "until_us": 40_000_000,
         "busy": [{"from_us": -300, "until_us": 60_000_000, "period_us": 10_000, "busy_us": 4_000}]},
        {"pid": 102, "allocation": "b", "from_us": 20_000_000, "until_us": 51_000_000,
         "busy": [{"from_us": 21_000_003, "until_us": 60_000_000, "period_us": 20_000, "busy_us": 9_000}]},
    ]);
    scenario["gpus"][1]["processes"] = json!([
        {"pid": 103, "allocation": "a", "from_us": 0, "until_us": 9_000_000,
         "busy": [{"from_us": 0, "until_us": 90_000_000, "period_us": 2_000, "busy_us": 500}]},
    ]);
    scenario
}

fn sums(machine: &Machine, from_us: i64, until_us: i64) -> Value {
    let window = [EPOCH_US + from_us, EPOCH_US + until_us].map(|at| at.to_string());
    let output = machine.truth(&["--sums", &window[0], &window[1]]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn pids(device: &Device<'_>) -> Vec<u32> {
    let running = device.running_compute_processes().unwrap();
    running.iter().map(|process| process.pid).collect()
}

#[test]
fn a_gpu_is_metered_as_the_union_of_its_processes() {
    let machine = Machine::new(&shared());
    let nvml = machine.nvml();
    for (index, uuid) in [(0, FIRST), (1, SECOND)] {
        let device = nvml.device_by_index(index).unwrap();
        for (from, until) in [(0, 60_000_000), (19_000_000, 41_000_000)] {
            let truth = truth_us(&machine, uuid, from, until);
            assert_eq!(sums(&machine, from, until)["devices"][uuid], truth);
            let metered = metered_us(&machine, &device, from, until, 4_999_000);
            assert!(
                (metered - truth).abs() <= bound_us(until - from),
                "{uuid} from {from} until {until} metered {metered}, true {truth}"
            );
        }
    }
}

/// Samples are rounded, energy is not: through it, the union is compared to the microsecond.
#[test]
fn the_union_is_exactly_the_truth() {
    let mut scenario = shared();
    scenario["gpus"][0]["power_idle_mw"] = json!(0);
    scenario["gpus"][0]["power_busy_mw"] = json!(1_000_000);
    let machine = Machine::new(&scenario);
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    for tenths in [9, 11, 200, 211, 300, 400, 401, 511, 600] {
        machine.at(tenths * 100_000);
        let energy = device.total_energy_consumption().unwrap().cast_signed();
        let truth = truth_us(&machine, FIRST, 0, tenths * 100_000);
        assert_eq!(energy, truth, "{tenths}");
    }
}

#[test]
fn a_process_is_listed_while_it_lives_busy_or_not() {
    let machine = Machine::new(&shared());
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    let expected: [(i64, &[u32]); 6] = [
        (999_999, &[]),
        (1_000_000, &[101]),
        (20_000_000, &[101, 102]),
        (39_999_999, &[101, 102]),
        (40_000_000, &[102]),
        (51_000_000, &[]),
    ];
    for (at, listed) in expected {
        machine.at(at);
        assert_eq!(pids(&device), listed, "{at}");
    }
    machine.at(1_000_000);
    let first = &device.running_compute_processes().unwrap()[0];
    assert_eq!(first.used_gpu_memory, UsedGpuMemory::Used(3 << 20));
    assert_eq!(first.gpu_instance_id, None);
    assert_eq!(first.compute_instance_id, None);
    assert_eq!(pids(&nvml.device_by_index(1).unwrap()), [103]);
}

/// The binding for Rust asks for `_v3` only, and always with room for all.
#[test]
fn a_list_without_room_says_how_much_it_needs() {
    let machine = Machine::new(&shared());
    machine.at(30_000_000);
    let program = "
import ctypes, struct, sys
nvml, gpu = ctypes.CDLL(sys.argv[1]), ctypes.c_void_p()
nvml.nvmlInit_v2()
nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(gpu))
for version in ('v2', 'v3'):
    call = getattr(nvml, 'nvmlDeviceGetComputeRunningProcesses_' + version)
    for room in (0, 1, 2, 3):
        count, buffer = ctypes.c_uint(room), ctypes.create_string_buffer(24 * room)
        code = call(gpu, ctypes.byref(count), buffer if room else None)
        print(code, count.value, [entry[0] for entry in struct.iter_unpack('IxxxxQII', buffer.raw)])
    print(call(gpu, ctypes.byref(ctypes.c_uint(2)), None), call(gpu, None, None))
";
    let mut child = Command::new("python3");
    child.env_remove("FAKE_NVML_SCENARIO").args(["-c", program]);
    let output = child.arg(machine.library()).output().unwrap();
    let each = "7 2 []\n7 2 [0]\n0 2 [101, 102]\n0 2 [101, 102, 0]\n2 2\n";
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        each.repeat(2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn each_process_has_its_share_of_the_time_since_it_was_last_seen() {
    let machine = Machine::new(&shared());
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    let shares = |at_us: i64, seen_us: Option<i64>| {
        machine.at(at_us);
        let seen = seen_us.map(|seen| (EPOCH_US + seen).cast_unsigned());
        let samples = device.process_utilization_stats(seen);
        let samples = samples.map(|samples| {
            samples
                .iter()
                .inspect(|sample| assert_eq!(sample.timestamp.cast_signed(), EPOCH_US + at_us))
                .map(|sample| (sample.pid, sample.sm_util))
                .collect::<Vec<_>>()
        });
        match samples {
            Err(NvmlError::NotFound) => Vec::new(),
            samples => samples.unwrap(),
        }
    };
    assert_eq!(shares(1_000_000, None), []);
    // Busy for 4 000 of 10 000 µs, in 9 of 10 s since the epoch.
    assert_eq!(shares(10_000_000, None), [(101, 36)]);
    assert_eq!(shares(10_000_000, Some(10_000_000)), []);
    assert_eq!(shares(10_000_000, Some(11_000_000)), []);
    assert_eq!(shares(10_000_000, Some(9_000_000)), [(101, 40)]);
    // The one is gone for half of the time, the other is there for all of it.
    let both = [(101, 20), (102, 45)];
    assert_eq!(shares(41_000_003, Some(39_000_003)), both);
    assert_eq!(shares(50_000_003, Some(49_000_003)), [(102, 45)]);
    assert_eq!(shares(60_000_000, Some(51_000_000)), []);
}

/// Counted by hand. On the first GPU, from 100 until 1 100: its own work is 100..150; the first
/// process's 200..400 and 600..700, as it ends in the turn 600..800; the second's 300..500; the
/// third, of the first one's allocation, 350..450. On the second GPU, the first PID again.
#[test]
fn sums_are_what_a_hand_counts() {
    let mut scenario = two_gpus(&json!([{"from_us": 0, "until_us": 150}]));
    scenario["gpus"][0]["processes"] = json!([
        {"pid": 1, "allocation": "a", "from_us": 100, "until_us": 700,
         "busy": [{"from_us": 200, "until_us": 2_000, "period_us": 400, "busy_us": 200}]},
        {"pid": 2, "allocation": "b", "from_us": 300, "until_us": 2_000,
         "busy": [{"from_us": 0, "until_us": 500}]},
        {"pid": 3, "allocation": "a", "from_us": 0, "until_us": 2_000,
         "busy": [{"from_us": 350, "until_us": 450}, {"from_us": 1_100, "until_us": 1_200}]},
        {"pid": 4, "from_us": 0, "until_us": 2_000},
    ]);
    scenario["gpus"][1]["processes"] = json!([
        {"pid": 1, "allocation": "a", "from_us": 0, "until_us": 2_000,
         "busy": [{"from_us": 380, "until_us": 390}]},
    ]);
    let machine = Machine::new(&scenario);
    let expected = json!({
        // 50 + (200..500) + 100; and 10.
        "devices": {FIRST: 450, SECOND: 10},
        "processes": {"1": 310, "2": 200, "3": 100, "4": 0},
        // (200..450) + 100 on the first GPU, 10 on the second.
        "allocations": {"a": 360, "b": 200},
    });
    assert_eq!(sums(&machine, 100, 1_100), expected);
    assert_eq!(truth_us(&machine, FIRST, 100, 1_100), 450);
}

#[test]
fn library_and_truth_refuse_the_same_processes() {
    let good = json!({"pid": 1, "allocation": "a", "from_us": 0, "until_us": 10});
    let other = |key: &str, value: Value| {
        let mut process = good.clone();
        process[key] = value;
        process
    };
    let mut endless = good.clone();
    endless.as_object_mut().unwrap().remove("until_us");
    let wrong = [
        json!([endless]),
        json!([other("name", json!("x"))]),
        json!([other("pid", json!(0))]),
        json!([other("pid", json!("1"))]),
        json!([other("allocation", json!(""))]),
        json!([other("memory_mib", json!(-1))]),
        json!([other("from_us", json!(10))]),
        json!([other("busy", json!([{"from_us": 1, "until_us": 1}]))]),
        json!([good, other("from_us", json!(9))]),
        json!({"1": good}),
    ];
    let mut scenario = two_gpus(&json!([]));
    scenario["gpus"][1]["processes"] = json!([good, other("pid", json!(2))]);
    let machine = Machine::new(&scenario);
    assert!(machine.try_nvml().is_ok());
    assert!(machine.truth(&["--check"]).status.success());
    for processes in wrong {
        scenario["gpus"][1]["processes"] = processes.clone();
        let machine = Machine::new(&scenario);
        let opened = machine.try_nvml().err();
        assert!(matches!(opened, Some(NvmlError::Unknown)), "{processes}");
        let output = machine.truth(&["--check"]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains("gpus[1].processes"), "{complaint}");
    }
}
