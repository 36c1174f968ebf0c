//! The library as NVIDIA's binding for Rust sees it: life, inventory, handles, faults.

use std::{
    fs,
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::machine::{EPOCH_US, FIRST, Machine, SECOND, built, two_gpus, with_faults};
use nvml_wrapper::{
    Nvml, bitmasks::event::EventTypes, enum_wrappers::device::TemperatureSensor, error::NvmlError,
};
use serde_json::json;

/// Whatever takes longer than this hangs.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn the_inventory_is_the_scenarios() {
    let machine = Machine::new(&two_gpus(&json!([])));
    let nvml = machine.nvml();
    assert_eq!(nvml.sys_driver_version().unwrap(), "550.54.15");
    assert_eq!(nvml.sys_nvml_version().unwrap(), "12.550.54.15");
    assert_eq!(nvml.sys_cuda_driver_version().unwrap(), 12_040);
    assert_eq!(nvml.device_count().unwrap(), 2);
    let second = nvml.device_by_uuid(SECOND).unwrap();
    assert_eq!(second.index().unwrap(), 1);
    assert_eq!(second.minor_number().unwrap(), 1);
    assert_eq!(second.name().unwrap(), "NVIDIA T4");
    let pci = second.pci_info().unwrap();
    assert_eq!(pci.bus_id, "00000001:AF:1C.0");
    assert_eq!((pci.domain, pci.bus, pci.device), (1, 0xAF, 0x1C));
    let first = nvml.device_by_index(0).unwrap();
    assert_eq!(first.uuid().unwrap(), FIRST);
    assert_eq!(first.temperature(TemperatureSensor::Gpu).unwrap(), 40);
    assert!(first.is_in_persistent_mode().unwrap());
    assert_eq!(first.cuda_compute_capability().unwrap().major, 8);
    assert!(first.running_compute_processes().unwrap().is_empty());
    assert!(matches!(first.mig_mode(), Err(NvmlError::NotSupported)));
    assert!(matches!(
        nvml.device_by_index(2),
        Err(NvmlError::InvalidArg)
    ));
    assert!(matches!(
        nvml.device_by_uuid("GPU-none"),
        Err(NvmlError::NotFound)
    ));
}

#[test]
fn total_memory_is_what_is_reserved_used_and_free() {
    let machine = Machine::new(&two_gpus(&json!([])));
    let nvml = machine.nvml();
    let memory = nvml.device_by_index(0).unwrap().memory_info().unwrap();
    assert_eq!(memory.total, 40_960 << 20);
    assert_eq!(memory.reserved, 479 << 20);
    assert_eq!(memory.used, 1_024 << 20);
    assert_eq!(memory.total, memory.reserved + memory.used + memory.free);
}

#[test]
fn no_event_comes() {
    let machine = Machine::new(&two_gpus(&json!([])));
    let nvml = machine.nvml();
    let set = nvml.create_event_set().unwrap();
    let device = nvml.device_by_index(0).unwrap();
    let set = device
        .register_events(EventTypes::CRITICAL_XID_ERROR, set)
        .unwrap();
    assert!(matches!(set.wait(1), Err(NvmlError::Timeout)));
}

#[test]
fn initialisations_are_counted_and_handles_die_with_the_last() {
    let machine = Machine::new(&two_gpus(&json!([])));
    let nvml = machine.nvml();
    let again = machine.nvml();
    let before = again.device_by_index(0).unwrap();
    drop(nvml);
    assert_eq!(before.uuid().unwrap(), FIRST);
    let lib = again.lib();
    // SAFETY: the library stays open, only its count of users falls to none.
    unsafe {
        assert_eq!(lib.nvmlShutdown(), 0);
        assert_eq!(lib.nvmlShutdown(), 1);
        assert!(matches!(before.uuid(), Err(NvmlError::Uninitialized)));
        assert!(matches!(
            again.device_count(),
            Err(NvmlError::Uninitialized)
        ));
        assert_eq!(lib.nvmlInit_v2(), 0);
    }
    assert!(matches!(before.uuid(), Err(NvmlError::InvalidArg)));
    let after = again.device_by_index(0).unwrap();
    assert_eq!(after.uuid().unwrap(), FIRST);
    assert!(matches!(before.uuid(), Err(NvmlError::InvalidArg)));
}

#[test]
fn a_handle_of_nobody_and_a_buffer_too_small_are_refused() {
    let machine = Machine::new(&two_gpus(&json!([])));
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    let mut text = [0x55_i8; 8];
    // SAFETY: the library must not follow handles, nor write past the lengths given here.
    unsafe {
        let lib = nvml.lib();
        let real = device.handle();
        for number in [
            0_usize,
            1,
            8,
            usize::MAX,
            real.addr() ^ 0x10,
            real.addr() + (1 << 20),
        ] {
            let handle = std::ptr::without_provenance_mut(number);
            assert_eq!(
                lib.nvmlDeviceGetUUID(handle, text.as_mut_ptr(), 8),
                2,
                "{number:#x}"
            );
        }
        assert_eq!(lib.nvmlDeviceGetUUID(real, text.as_mut_ptr(), 8), 7);
        assert_eq!(lib.nvmlDeviceGetUUID(real, std::ptr::null_mut(), 96), 2);
        assert_eq!(
            lib.nvmlDeviceGetMemoryInfo_v2(real, &mut std::mem::zeroed()),
            25
        );
    }
    assert_eq!(text, [0x55; 8]);
}

#[test]
fn without_a_scenario_the_driver_is_not_loaded() {
    let scenario = two_gpus(&json!([]));
    let machine = Machine::new(&scenario);
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    fs::remove_file(machine.scenario()).unwrap();
    assert!(matches!(device.name(), Err(NvmlError::DriverNotLoaded)));
    assert!(matches!(
        machine.try_nvml(),
        Err(NvmlError::DriverNotLoaded)
    ));
    machine.play(&scenario);
    assert_eq!(device.uuid().unwrap(), FIRST);
}

#[test]
fn a_file_that_is_no_scenario_is_said_and_does_not_replace_a_good_one() {
    let machine = Machine::new(&json!({"epoch_us": 0, "gpus": [], "gpu": 1}));
    assert!(matches!(machine.try_nvml(), Err(NvmlError::Unknown)));
    assert!(!machine.truth(&["--check"]).status.success());
    machine.play(&two_gpus(&json!([])));
    assert!(machine.truth(&["--check"]).status.success());
    let nvml = machine.nvml();
    machine.play(&json!({"epoch_us": 0, "gpus": "all"}));
    assert_eq!(nvml.device_count().unwrap(), 2);
    // SAFETY: a text that the library never takes back.
    let said = unsafe { std::ffi::CStr::from_ptr(nvml.lib().nvmlErrorString(999)) };
    assert!(said.to_str().unwrap().contains("invalid type"), "{said:?}");
}

#[test]
fn a_gpu_that_the_scenario_drops_is_lost() {
    let mut scenario = two_gpus(&json!([]));
    let machine = Machine::new(&scenario);
    let nvml = machine.nvml();
    let second = nvml.device_by_index(1).unwrap();
    scenario["gpus"].as_array_mut().unwrap().truncate(1);
    machine.play(&scenario);
    assert!(matches!(second.name(), Err(NvmlError::GpuLost)));
    assert_eq!(nvml.device_count().unwrap(), 1);
}

#[test]
fn a_fault_strikes_its_gpu_in_its_time() {
    let faults = json!([{"function": "nvmlDevice*", "gpu": SECOND, "from_us": 10, "until_us": 20, "code": 15}]);
    let machine = Machine::new(&with_faults(&two_gpus(&json!([])), faults));
    let nvml = machine.nvml();
    let (first, second) = (
        nvml.device_by_index(0).unwrap(),
        nvml.device_by_index(1).unwrap(),
    );
    assert!(second.name().is_ok());
    machine.at(10);
    assert!(matches!(second.name(), Err(NvmlError::GpuLost)));
    assert!(matches!(nvml.device_by_index(1), Err(NvmlError::GpuLost)));
    assert!(first.name().is_ok());
    assert_eq!(nvml.device_count().unwrap(), 2);
    machine.at(20);
    assert!(second.name().is_ok());
}

#[test]
fn a_delay_takes_real_time() {
    let faults = json!([{"function": "nvmlDeviceGetName", "delay_us": 50_000, "code": 0}]);
    let machine = Machine::new(&with_faults(&two_gpus(&json!([])), faults));
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    let started = Instant::now();
    assert!(device.name().is_ok());
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_panic_within_is_an_unknown_error() {
    let faults = json!([{"function": "nvmlDeviceGetName", "panic": true}]);
    let machine = Machine::new(&with_faults(&two_gpus(&json!([])), faults));
    let nvml = machine.nvml();
    let device = nvml.device_by_index(0).unwrap();
    assert!(matches!(device.name(), Err(NvmlError::Unknown)));
    assert!(device.uuid().is_ok());
}

#[test]
fn a_call_that_hangs_stops_no_other_and_ends_with_its_fault() {
    let scenario = two_gpus(&json!([]));
    let hang = json!([{"function": "nvmlDeviceGetName", "hang": true}]);
    let machine = Machine::new(&with_faults(&scenario, hang));
    let nvml: &'static Nvml = Box::leak(Box::new(machine.nvml()));
    let (send, receive) = mpsc::channel();
    let (entered, hangs) = mpsc::channel();
    std::thread::spawn(move || {
        let device = nvml.device_by_index(0).unwrap();
        entered.send(()).unwrap();
        send.send(device.name().is_ok()).unwrap();
    });
    hangs.recv_timeout(DEADLINE).unwrap();
    let (done, others) = mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..100 {
            assert_eq!(nvml.device_by_index(0).unwrap().uuid().unwrap(), FIRST);
        }
        done.send(()).unwrap();
    });
    others
        .recv_timeout(DEADLINE)
        .expect("another thread's calls wait for the one that hangs");
    assert!(receive.try_recv().is_err());
    machine.play(&scenario);
    assert!(
        receive
            .recv_timeout(DEADLINE)
            .expect("the hang does not end with its fault")
    );
}

#[test]
fn the_environment_names_the_scenario_first() {
    let machine = Machine::new(&two_gpus(&json!([])));
    let named = machine.path("named.json");
    fs::write(
        &named,
        json!({"epoch_us": EPOCH_US, "gpus": []}).to_string(),
    )
    .unwrap();
    let count = |scenario: Option<&std::path::Path>| {
        let mut child = Command::new("python3");
        child.env_remove("FAKE_NVML_SCENARIO").arg("-c").arg(
            "import ctypes, sys\n\
             nvml, count = ctypes.CDLL(sys.argv[1]), ctypes.c_uint(99)\n\
             print(nvml.nvmlInit_v2(), nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)), count.value)",
        );
        if let Some(path) = scenario {
            child.env("FAKE_NVML_SCENARIO", path);
        }
        let output = child.arg(machine.library()).output().unwrap();
        assert!(
            output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(count(None), "0 0 2");
    assert_eq!(count(Some(&named)), "0 0 0");
    assert_eq!(count(Some(&machine.path("absent.json"))), "9 1 99");
}

#[test]
fn all_functions_that_the_binding_needs_at_its_end_are_there() {
    for library in ["nvidia_ml", "nvidia_ml_r470"] {
        let symbols = fs::read(built(library)).unwrap();
        for name in [
            "nvmlShutdown\0",
            "nvmlEventSetFree\0",
            "nvmlGpmSampleFree\0",
        ] {
            let mut windows = symbols.windows(name.len());
            let found = windows.any(|bytes| bytes == name.as_bytes());
            assert!(found, "{library} {name}");
        }
    }
}
