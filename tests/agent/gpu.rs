//! The GPUs of a machine: of one that has none, and of those that `tests/fake-nvml` plays.

use std::path::PathBuf;

use agent::gpu::{Answer, Busy, Found, Gpus, Inventory, start};
use serde_json::json;

use crate::machine::{EPOCH_US, FIRST, Machine, SECOND, two_gpus, with_faults};

const MEMORY_V2: &str = "nvmlDeviceGetMemoryInfo_v2";

fn of(machine: &Machine) -> impl Gpus {
    start(Some(machine.library()))
}

fn inventory(machine: &Machine) -> Inventory {
    match of(machine).inventory() {
        Answer::Ok(inventory) => inventory,
        other => panic!("{other:?}"),
    }
}

fn busy(gpus: &impl Gpus, since_us: u64) -> Busy {
    match gpus.busy(FIRST, since_us) {
        Answer::Ok(busy) => busy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_library_is_told_and_blocks_nobody() {
    let gpus = start(Some(PathBuf::from("/nowhere/libnvidia-ml.so.1")));
    let Answer::Unavailable(why) = gpus.inventory() else {
        panic!("there is no such library");
    };
    assert!(why.contains("/nowhere/libnvidia-ml.so.1"), "{why}");
    assert!(matches!(gpus.busy("GPU-1", 0), Answer::Unavailable(_)));
}

#[test]
fn the_inventory_is_what_the_driver_tells() {
    let found = |id: &str, model: &str, memory_mib, pci: &str| Found {
        id: id.to_owned(),
        model: model.to_owned(),
        memory_mib,
        pci: pci.to_owned(),
    };
    let all = Inventory {
        driver: Some("550.54.15".to_owned()),
        gpus: vec![
            found(FIRST, "NVIDIA A100-SXM4-40GB", 40_960, "00000000:3b:00.0"),
            found(SECOND, "NVIDIA T4", 15_360, "00000001:af:1c.0"),
        ],
        problem: None,
    };
    let scenario = two_gpus(&json!([]));
    assert_eq!(inventory(&Machine::new(&scenario)), all);
    // Drivers before R510 have no second form of the call for memory, or say so by a code.
    assert_eq!(inventory(&Machine::old(&scenario)), all);
    for code in [13, 25] {
        let fault = json!([{"function": MEMORY_V2, "code": code}]);
        let machine = Machine::new(&with_faults(&scenario, fault));
        assert_eq!(inventory(&machine), all, "{code}");
    }
}

#[test]
fn what_one_gpu_does_not_tell_takes_nothing_from_the_other() {
    let faults = json!([
        {"function": MEMORY_V2, "gpu": FIRST, "code": 3},
        {"function": "nvmlDeviceGetName", "gpu": SECOND, "code": 15},
    ]);
    let machine = Machine::new(&with_faults(&two_gpus(&json!([])), faults));
    let inventory = inventory(&machine);
    let [first] = &inventory.gpus[..] else {
        panic!("{inventory:?}")
    };
    assert_eq!((first.id.as_str(), first.memory_mib), (FIRST, 0));
    let problem = inventory.problem.unwrap();
    assert!(problem.starts_with("GPU 1 does not answer"), "{problem}");
}

/// Samples that come while they are asked for, more than there was room for, are told with the next answer.
#[test]
fn samples_that_come_between_two_calls_are_not_lost() {
    let pattern = json!([{"from_us": 2_000_000, "until_us": 7_500_000}]);
    let fault = json!([{"function": "nvmlDeviceGetSamples", "grows_by": 2}]);
    let machine = Machine::new(&with_faults(&two_gpus(&pattern), fault));
    let gpus = of(&machine);
    machine.at(1_000_000);
    let begin_us = EPOCH_US.unsigned_abs() + 1_000_000;
    let mut all = busy(&gpus, begin_us);
    for second in 2..=10 {
        machine.at(second * 1_000_000);
        all = all.then(busy(&gpus, all.last_seen_us.max(begin_us)));
    }
    // Two of six samples a second are still to come.
    assert_eq!(all.hole_us, 0);
    assert_eq!(all.last_seen_us, EPOCH_US.unsigned_abs() + 57 * 166_667);
    assert_eq!(all.seen_us, all.last_seen_us - begin_us);
    assert!(
        all.busy_us.abs_diff(5_500_000) <= all.rounded_us(),
        "{all:?}"
    );
}

/// One that leaves a line of each call.
fn traced() -> Machine {
    let mut scenario = two_gpus(&json!([]));
    let machine = Machine::new(&scenario);
    scenario["trace"] = json!(machine.path("trace"));
    machine.play(&scenario);
    machine
}

/// What a look costs the driver: the GPU where it was, whether it still is that one, how many samples, and these.
#[test]
fn a_look_at_a_gpu_is_four_calls() {
    let machine = traced();
    let gpus = of(&machine);
    machine.at(1_000_000);
    let before = busy(&gpus, EPOCH_US.unsigned_abs());
    std::fs::remove_file(machine.path("trace")).unwrap();
    machine.at(2_000_000);
    busy(&gpus, before.last_seen_us);
    let trace = std::fs::read_to_string(machine.path("trace")).unwrap();
    let calls: Vec<&str> = trace
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    let samples = "nvmlDeviceGetSamples";
    assert_eq!(
        calls,
        [
            "nvmlDeviceGetHandleByIndex_v2",
            "nvmlDeviceGetUUID",
            samples,
            samples
        ]
    );
}

#[test]
fn the_driver_is_let_go_before_the_agent_ends() {
    let machine = traced();
    let gpus = of(&machine);
    assert!(matches!(gpus.inventory(), Answer::Ok(_)));
    gpus.close();
    let trace = std::fs::read_to_string(machine.path("trace")).unwrap();
    let last = trace.lines().last().unwrap();
    assert_eq!(last, format!("{EPOCH_US} nvmlShutdown - 0"));
    assert!(matches!(gpus.inventory(), Answer::Unavailable(_)));
}
