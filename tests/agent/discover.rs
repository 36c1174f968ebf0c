//! What a node is said to have, and what is said to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent::discover::{Capacity, Known, Machine, capacity};
use agent::gpu::{Answer, Found, Inventory};
use agent::nomad::{Devices, Node, NomadError};

pub(crate) fn machine() -> Machine {
    Machine {
        cores: 8,
        memory_mib: 32_000,
        disk_mib: 100_000,
        kernel: "6.1.0-1".to_owned(),
        arch: "x86_64".to_owned(),
        cgroup: 1,
        nvidia: BTreeSet::new(),
    }
}

fn node(gpus: &[(&str, bool)]) -> Node {
    Node {
        id: "n-1".to_owned(),
        name: "example-one-wn-1".to_owned(),
        datacenter: "example-one".to_owned(),
        status: "ready".to_owned(),
        kind: Some("compute".to_owned()),
        cores: 16,
        mhz: 41_600,
        memory_mib: 64_000,
        disk_mib: 0,
        devices: vec![Devices {
            vendor: "nvidia".to_owned(),
            kind: "gpu".to_owned(),
            model: "Example GPU".to_owned(),
            ids: gpus
                .iter()
                .map(|(id, healthy)| ((*id).to_owned(), *healthy))
                .collect(),
        }],
    }
}

fn driver(gpus: &[&str]) -> Answer<Inventory> {
    let found = |id: &&str| Found {
        id: (*id).to_owned(),
        model: "Example GPU".to_owned(),
        memory_mib: 40_960,
        pci: "00000000:3b:00.0".to_owned(),
    };
    Answer::Ok(Inventory {
        driver: Some("550.54".to_owned()),
        gpus: gpus.iter().map(found).collect(),
        problem: None,
    })
}

fn none() -> Answer<Inventory> {
    Answer::Unavailable("the NVIDIA library cannot be loaded".to_owned())
}

fn of(node: &Node, gpus: &Answer<Inventory>) -> Capacity {
    capacity("example-one", &machine(), Some(node), gpus)
}

#[test]
fn a_node_that_nomad_starts_nothing_on_is_not_ready() {
    assert_eq!(of(&node(&[]), &none()).not_ready, None);
    let down = Node {
        status: "down".to_owned(),
        ..node(&[])
    };
    let why = of(&down, &none()).not_ready.unwrap();
    assert_eq!(why, "Nomad's servers call this node down");
    let silent = || Err(NomadError::Unheard(Duration::from_secs(3)));
    let mut known = Known::default();
    let not_ready = |known: &Known| known.seen("d", &machine(), &none()).not_ready;
    assert!(known.is_due(0));
    // Once may be while servers elect a leader.
    known.take(0, silent());
    assert_eq!(not_ready(&known), None);
    assert!(!known.is_due(9_000_000) && known.is_due(10_000_000));
    known.take(10_000_000, silent());
    let why = "Nomad on this node does not answer";
    assert_eq!(not_ready(&known).as_deref(), Some(why));
    known.take(20_000_000, Ok(node(&[])));
    assert_eq!(not_ready(&known), None);
    assert!(!known.is_due(79_000_000) && known.is_due(80_000_000));
    // What it said stays when it is gone.
    known.take(80_000_000, silent());
    known.take(90_000_000, silent());
    let seen = known.seen("d", &machine(), &none());
    assert_eq!((seen.not_ready.as_deref(), seen.cores), (Some(why), 16));
}

#[test]
fn nomad_knows_better_than_the_kernel_where_it_knows() {
    let known = of(&node(&[]), &none());
    assert_eq!(
        (known.cores, known.memory_mib, known.disk_mib),
        (16, 64_000, 100_000)
    );
    let alone = capacity("example-one", &machine(), None, &none());
    assert_eq!(
        (alone.cores, alone.memory_mib, alone.node_id),
        (8, 32_000, None)
    );
    assert_eq!(
        known.problems,
        Vec::<String>::new(),
        "a node without GPUs is well"
    );
}

#[test]
fn every_disagreement_is_a_problem() {
    let agreed = of(&node(&[("a", true), ("b", true)]), &driver(&["a", "b"]));
    assert_eq!(agreed.problems, Vec::<String>::new());
    assert!(agreed.gpus.iter().all(|gpu| gpu.healthy));

    let apart = of(
        &node(&[("a", false), ("gone", true)]),
        &driver(&["a", "new"]),
    );
    let told = apart.problems.join("\n");
    for part in [
        "GPU a unhealthy",
        "GPU gone, which the driver",
        "GPU new, which Nomad",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    assert_eq!(apart.gpus.len(), 3);
    assert!(!apart.gpus.iter().any(|gpu| gpu.healthy));
}

#[test]
fn hardware_without_a_driver_is_a_problem() {
    let mut machine = machine();
    machine.nvidia.insert("0000:3b:00.0".to_owned());
    let bare = capacity("d", &machine, None, &none());
    assert!(
        bare.problems[0].contains("1 NVIDIA GPUs on the PCI bus"),
        "{:?}",
        bare.problems
    );
    let known = of(&node(&[("a", true)]), &none());
    assert!(
        known.problems[0].contains("1 in Nomad"),
        "{:?}",
        known.problems
    );
    let fewer = capacity("d", &machine, None, &driver(&[]));
    assert!(
        fewer.problems[0].contains("of 1 NVIDIA GPUs"),
        "{:?}",
        fewer.problems
    );
    let late = capacity("d", &machine, None, &Answer::Late);
    assert!(
        late.problems[0].contains("does not answer"),
        "{:?}",
        late.problems
    );
}

#[test]
fn the_meta_names_what_is_known_and_its_digest_changes_with_it() {
    let known = of(&node(&[("a", true)]), &driver(&["a"])).meta();
    let keys: Vec<&str> = known.keys().map(String::as_str).collect();
    let wanted = [
        "arch",
        "cpu_cores",
        "digest",
        "disk_mib",
        "gpu_count",
        "gpu_driver",
        "gpu_healthy",
        "gpu_mem_mib",
        "gpu_model",
        "kernel",
        "mem_mib",
        "nomad_dc",
        "nomad_node_id",
        "schema",
        "type",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(known["gpu_mem_mib"], "40960");
    assert_eq!(known, of(&node(&[("a", true)]), &driver(&["a"])).meta());
    let sick = of(&node(&[("a", false)]), &driver(&["a"])).meta();
    assert_ne!(known["digest"], sick["digest"]);
    let without: BTreeMap<_, _> = capacity("d", &machine(), None, &none()).meta();
    assert!(!without.contains_key("gpu_driver") && !without.contains_key("nomad_node_id"));
}

#[test]
fn the_machine_is_read_below_a_root() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "proc/cpuinfo",
        "processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n",
    );
    write(
        "proc/meminfo",
        "MemTotal:       4194304 kB\nMemFree: 1 kB\n",
    );
    write("proc/sys/kernel/osrelease", "6.1.0\n");
    for (place, vendor, class) in [
        ("0000:01:00.0", "0x10de", "0x030200"),
        ("0000:01:00.1", "0x10de", "0x040300"),
        ("0000:02:00.0", "0x1002", "0x030000"),
    ] {
        write(
            &format!("sys/bus/pci/devices/{place}/vendor"),
            &format!("{vendor}\n"),
        );
        write(
            &format!("sys/bus/pci/devices/{place}/class"),
            &format!("{class}\n"),
        );
    }
    let machine = Machine::read(root.path());
    assert_eq!(
        (machine.cores, machine.memory_mib, machine.cgroup),
        (2, 4096, 1)
    );
    assert_eq!(machine.nvidia.iter().collect::<Vec<_>>(), ["0000:01:00.0"]);
    assert!(machine.disk_mib > 0);
}
