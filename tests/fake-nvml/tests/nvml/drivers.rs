//! What other drivers and other moments do to a caller: exports that an old one lacks, lists that
//! grow while they are asked for; and the trace of what was called.

use std::{fs, process::Command};

use crate::machine::{EPOCH_US, FIRST, Machine, SECOND, two_gpus, with_faults};
use nvml_wrapper::{
    Device, Nvml, enum_wrappers::device::Sampling, enums::device::UsedGpuMemory, error::NvmlError,
};
use serde_json::{Value, json};

/// A GPU with that many processes, all of them busy.
fn with_processes(count: u32) -> Value {
    let process = |pid| {
        json!({"pid": pid, "from_us": 0, "until_us": 60_000_000,
               "busy": [{"from_us": 0, "until_us": 60_000_000}]})
    };
    let mut scenario = two_gpus(&json!([]));
    scenario["gpus"][0]["processes"] = (1..=count).map(process).collect();
    scenario
}

fn growing(function: &str, by: u32, count: u32) -> Machine {
    let faults =
        json!([{"function": function, "grows_by": by}, {"function": "nvml*", "grows_by": 1}]);
    let machine = Machine::new(&with_faults(&with_processes(count), faults));
    machine.at(5_000_000);
    machine
}

fn first(nvml: &Nvml) -> Device<'_> {
    nvml.device_by_index(0).unwrap()
}

#[test]
fn an_old_driver_lacks_what_came_later_and_has_the_rest() {
    let machine = Machine::old(&with_processes(2));
    machine.at(5_000_000);
    let nvml = machine.nvml();
    let device = first(&nvml);
    assert_eq!(device.uuid().unwrap(), FIRST);
    for missing in [
        device.memory_info().err(),
        device.running_compute_processes().err(),
    ] {
        assert!(
            matches!(missing, Some(NvmlError::FailedToLoadSymbol(_))),
            "{missing:?}"
        );
    }
    assert_eq!(device.process_utilization_stats(0).unwrap().len(), 2);
    // SAFETY: the library is open, and the struct is of the type that the binding says.
    let memory = unsafe {
        let mut memory = std::mem::zeroed();
        assert_eq!(
            nvml.lib()
                .nvmlDeviceGetMemoryInfo(device.handle(), &raw mut memory),
            0
        );
        memory
    };
    assert_eq!(memory.total, 40_960 << 20);
    assert_eq!(memory.used, (479 + 1_024) << 20);
    assert_eq!(memory.total, memory.used + memory.free);
    assert_eq!(processes_by_the_old_name(&machine), "0 7 2");
}

/// What a call under the name of before R510 says, which the binding has no word for: initialised,
/// the list's result without room, its length.
fn processes_by_the_old_name(machine: &Machine) -> String {
    let output = Command::new("python3")
        .arg("-c")
        .arg(
            "import ctypes, sys\n\
             nvml, count, device = ctypes.CDLL(sys.argv[1]), ctypes.c_uint(0), ctypes.c_void_p()\n\
             print(nvml.nvmlInit_v2(), nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device))\n\
                   or nvml.nvmlDeviceGetComputeRunningProcesses_v2(device, ctypes.byref(count), None), count.value)",
        )
        .arg(machine.library())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The other way to lack a function: it is exported, and says that the driver does not know it.
#[test]
fn a_function_that_the_driver_does_not_know_is_told_by_its_code() {
    let fault = json!([{"function": "nvmlDeviceGetMemoryInfo_v2", "code": 13}]);
    let machine = Machine::new(&with_faults(&two_gpus(&json!([])), fault));
    let nvml = machine.nvml();
    let missing = first(&nvml).memory_info();
    assert!(matches!(missing, Err(NvmlError::FunctionNotFound)));
}

/// The binding leaves room for five more.
#[test]
fn a_list_of_processes_grows_between_two_calls() {
    let function = "nvmlDeviceGetComputeRunningProcesses_v3";
    for (by, wanted) in [(5, Some(8)), (6, None)] {
        let machine = growing(function, by, 8);
        let nvml = machine.nvml();
        match (first(&nvml).running_compute_processes(), wanted) {
            (Ok(all), Some(wanted)) => {
                assert_eq!(all.len(), wanted);
                // Nothing said how much memory they have.
                assert_eq!(all[0].used_gpu_memory, UsedGpuMemory::Unavailable);
            }
            (Err(NvmlError::InsufficientSize(_)), None) => {}
            (other, _) => panic!("grown by {by}: {other:?}"),
        }
    }
    // All of them have come since: the first call saw none, and that is no error.
    let older = "nvmlDeviceGetComputeRunningProcesses_v2";
    for (by, wanted) in [(7, "0 7 1"), (8, "0 0 0"), (9, "0 0 0")] {
        let machine = growing(older, by, 8);
        assert_eq!(processes_by_the_old_name(&machine), wanted);
    }
}

/// The binding asks for as many as it was told, so that one more is one too many.
#[test]
fn samples_of_processes_grow_between_two_calls() {
    let machine = growing("nvmlDeviceGetProcessUtilization", 1, 3);
    let nvml = machine.nvml();
    let answer = first(&nvml).process_utilization_stats(0);
    assert!(matches!(answer, Err(NvmlError::InsufficientSize(_))));
    // All of them have come since: there was nothing to tell.
    let machine = growing("nvmlDeviceGetProcessUtilization", 3, 3);
    let nvml = machine.nvml();
    let answer = first(&nvml).process_utilization_stats(0);
    assert!(matches!(answer, Err(NvmlError::NotFound)), "{answer:?}");
}

#[test]
fn samples_that_come_between_two_calls_are_given_with_the_next() {
    let machine = growing("nvmlDeviceGetSamples", 4, 1);
    let nvml = machine.nvml();
    let device = first(&nvml);
    let mut times = Vec::new();
    for tenths in 50..=70 {
        machine.at(tenths * 100_000);
        let seen = times.last().copied().unwrap_or(0);
        match device.samples(Sampling::GpuUtilization, seen) {
            Ok(samples) => times.extend(samples.iter().map(|sample| sample.timestamp)),
            Err(NvmlError::NotFound) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let period = |number: usize| EPOCH_US.cast_unsigned() + number as u64 * 166_667;
    let all: Vec<u64> = (1..=times.len()).map(period).collect();
    assert_eq!(times, all);
    // 41 periods are over by 7 s, of which the last four are still to come.
    assert_eq!(times.len(), 37);
    let machine = growing("nvmlDeviceGetSamples", 99, 1);
    let nvml = machine.nvml();
    let none = first(&nvml).samples(Sampling::GpuUtilization, 0);
    assert!(matches!(none, Err(NvmlError::NotFound)), "{none:?}");
}

#[test]
fn a_trace_has_a_line_for_each_call() {
    let mut scenario = two_gpus(&json!([]));
    scenario["faults"] = json!([{"function": "nvmlDeviceGetName", "gpu": SECOND, "code": 15}]);
    let machine = Machine::new(&scenario);
    scenario["trace"] = json!(machine.path("trace"));
    machine.play(&scenario);
    let nvml = machine.nvml();
    machine.at(7);
    let _ = nvml.device_by_index(1).unwrap().name();
    drop(nvml);
    let trace = fs::read_to_string(machine.path("trace")).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let at = EPOCH_US + 7;
    assert_eq!(
        lines[lines.len() - 3..],
        [
            format!("{at} nvmlDeviceGetHandleByIndex_v2 {SECOND} 0"),
            format!("{at} nvmlDeviceGetName {SECOND} 15"),
            format!("{at} nvmlShutdown - 0"),
        ]
    );
    assert_eq!(lines[0], format!("{EPOCH_US} nvmlInit_v2 - 0"));
}
