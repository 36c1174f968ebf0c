//! What the node has, and what is wrong with it.
//!
//! [`Machine::read`] looks, [`capacity`] decides: a pure function of what the
//! kernel, Nomad and the GPUs' driver say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::gpu::{Answer, Inventory};
use crate::nomad::{Node, NomadError};

/// Version of [`Capacity::meta`].
const SCHEMA: &str = "1";

/// How often Nomad is asked what it knows of the node, in µs; and how soon again, while it is not ready.
const ASK_US: i64 = 60_000_000;
const AGAIN_US: i64 = 10_000_000;
/// After so many failures in turn it is not one of those seconds in which servers elect a leader.
const FAILURES: u32 = 2;

/// What Nomad said of the node last: it is not asked each time, and what it said stays when it is gone.
#[derive(Debug, Default)]
pub struct Known {
    node: Option<Node>,
    asked_us: Option<i64>,
    failures: u32,
    /// Why it did not answer, in a sentence that does not change with time.
    why: Option<&'static str>,
}

impl Known {
    /// Whether Nomad is to be asked, at a time in µs of the boot clock.
    pub fn is_due(&self, now_us: i64) -> bool {
        let is_ready = self.node.as_ref().is_some_and(Node::is_ready) && self.failures == 0;
        let pause_us = if is_ready { ASK_US } else { AGAIN_US };
        self.asked_us.is_none_or(|at| now_us - at >= pause_us)
    }

    /// Takes what Nomad said, or why it did not.
    pub fn take(&mut self, now_us: i64, answer: Result<Node, NomadError>) {
        self.asked_us = Some(now_us);
        match answer {
            Ok(node) => {
                self.node = Some(node);
                (self.failures, self.why) = (0, None);
            }
            Err(error) => {
                self.failures += 1;
                self.why = Some(error.in_short());
            }
        }
    }

    /// What the node has, by what Nomad said last and the others say now.
    pub fn seen(&self, datacenter: &str, machine: &Machine, gpus: &Answer<Inventory>) -> Capacity {
        let seen = capacity(datacenter, machine, self.node.as_ref(), gpus);
        Capacity {
            not_ready: match self.why {
                Some(why) if self.failures >= FAILURES => Some(why.to_owned()),
                _ => seen.not_ready,
            },
            ..seen
        }
    }
}

/// What the kernel says of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// Processors.
    pub cores: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The file system of the root, in MiB.
    pub disk_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// 1 or 2.
    pub cgroup: u8,
    /// Where NVIDIA's GPUs are on the PCI bus.
    pub nvidia: BTreeSet<String>,
}

/// What the node has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Capacity {
    /// Nomad's ID of the node, once it is known.
    pub node_id: Option<String>,
    /// Its datacenter.
    pub datacenter: String,
    /// What kind of node it is, by its metadata in Nomad.
    pub kind: Option<String>,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// The kernel's release.
    pub kernel: String,
    /// Version of the group tree: 1 or 2.
    pub cgroup: u8,
    /// Cores.
    pub cores: u32,
    /// MHz in all; 0 when Nomad does not tell.
    pub mhz: u64,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Disk, in MiB.
    pub disk_mib: u64,
    /// The version of the GPUs' driver.
    pub gpu_driver: Option<String>,
    /// The GPUs.
    pub gpus: Vec<Gpu>,
    /// Why Nomad starts nothing on it, if it is so.
    pub not_ready: Option<String>,
    /// What else is wrong, each in a sentence.
    pub problems: Vec<String>,
}

/// A GPU of the node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Gpu {
    /// UUID.
    pub id: String,
    /// Model.
    pub model: String,
    /// Memory, in MiB; 0 when the driver does not say.
    pub memory_mib: u64,
    /// Whether the driver answers for it and Nomad places allocations on it.
    pub healthy: bool,
}

impl Machine {
    /// Reads the machine below a root, `/` outside of tests.
    pub fn read(root: &Path) -> Self {
        let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        let processors = text("proc/cpuinfo");
        let processors = processors
            .lines()
            .filter(|line| line.starts_with("processor"));
        let memory = text("proc/meminfo");
        let mut memory = memory
            .lines()
            .filter_map(|line| line.strip_prefix("MemTotal:"));
        let memory_kib = memory
            .next()
            .and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
        let disk = rustix::fs::statvfs(root).ok();
        let v2 = root.join("sys/fs/cgroup/cgroup.controllers").exists();
        Self {
            cores: u32::try_from(processors.count()).unwrap_or(u32::MAX),
            memory_mib: memory_kib.unwrap_or(0) >> 10,
            disk_mib: disk.map_or(0, |disk| (disk.f_blocks * disk.f_frsize) >> 20),
            kernel: text("proc/sys/kernel/osrelease").trim().to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cgroup: if v2 { 2 } else { 1 },
            nvidia: nvidia(&root.join("sys/bus/pci/devices")),
        }
    }
}

/// NVIDIA's devices that are display or 3D controllers.
fn nvidia(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| {
        let file = |name| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let class = file("class");
        file("vendor").trim() == "0x10de"
            && (class.starts_with("0x0300") || class.starts_with("0x0302"))
    });
    ours.filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// What the node has, from what the kernel, Nomad and the driver say.
pub fn capacity(
    datacenter: &str,
    machine: &Machine,
    node: Option<&Node>,
    gpus: &Answer<Inventory>,
) -> Capacity {
    let mut problems = Vec::new();
    let devices = node.map(devices);
    let nothing = Inventory::default();
    let inventory = match gpus {
        Answer::Ok(inventory) => inventory,
        Answer::Unavailable(why) => {
            let bus = machine.nvidia.len();
            let known = devices.as_ref().map_or(0, BTreeMap::len);
            if bus > 0 || known > 0 {
                problems.push(format!(
                    "there are {bus} NVIDIA GPUs on the PCI bus and {known} in Nomad, but {why}; is the driver installed?"
                ));
            }
            &nothing
        }
        Answer::Late => {
            problems.push("the GPUs' driver does not answer; see the kernel's log".to_owned());
            &nothing
        }
    };
    if matches!(gpus, Answer::Ok(_)) {
        problems.extend(inventory.problem.clone());
        problems.extend(fewer(machine, inventory));
        problems.extend(
            devices
                .iter()
                .flat_map(|devices| differ(devices, inventory)),
        );
    }
    let known = |from: fn(&Node) -> u64| node.map(from).filter(|&value| value > 0);
    let cores = known(|node| u64::from(node.cores)).and_then(|cores| u32::try_from(cores).ok());
    Capacity {
        node_id: node.map(|node| node.id.clone()),
        datacenter: datacenter.to_owned(),
        kind: node.and_then(|node| node.kind.clone()),
        arch: machine.arch.clone(),
        kernel: machine.kernel.clone(),
        cgroup: machine.cgroup,
        cores: cores.unwrap_or(machine.cores),
        mhz: known(|node| node.mhz).unwrap_or(0),
        memory_mib: known(|node| node.memory_mib).unwrap_or(machine.memory_mib),
        disk_mib: known(|node| node.disk_mib).unwrap_or(machine.disk_mib),
        gpu_driver: inventory.driver.clone(),
        gpus: all(inventory, devices.as_ref()),
        not_ready: node
            .filter(|node| !node.is_ready())
            .map(|node| format!("Nomad's servers call this node {}", node.status)),
        problems,
    }
}

/// Nomad's GPUs: model and health by ID.
fn devices(node: &Node) -> BTreeMap<String, (String, bool)> {
    let gpus = node.devices.iter().filter(|devices| devices.kind == "gpu");
    let each = gpus.flat_map(|devices| {
        let ids = devices.ids.iter();
        ids.map(|(id, healthy)| (id.clone(), (devices.model.clone(), *healthy)))
    });
    each.collect()
}

fn all(inventory: &Inventory, devices: Option<&BTreeMap<String, (String, bool)>>) -> Vec<Gpu> {
    let placed = |id: &str| devices?.get(id).map(|(_, healthy)| *healthy);
    let mut gpus: Vec<Gpu> = inventory
        .gpus
        .iter()
        .map(|found| Gpu {
            id: found.id.clone(),
            model: found.model.clone(),
            memory_mib: found.memory_mib,
            healthy: placed(&found.id).unwrap_or(devices.is_none()),
        })
        .collect();
    let missing = devices.into_iter().flatten();
    let missing = missing.filter(|(id, _)| !inventory.gpus.iter().any(|found| found.id == **id));
    gpus.extend(missing.map(|(id, (model, _))| Gpu {
        id: id.clone(),
        model: model.clone(),
        memory_mib: 0,
        healthy: false,
    }));
    gpus.sort_by(|a, b| a.id.cmp(&b.id));
    gpus
}

fn fewer(machine: &Machine, inventory: &Inventory) -> Option<String> {
    let (bus, driver) = (machine.nvidia.len(), inventory.gpus.len());
    // A driver that stands in for one shows GPUs which no bus has.
    (bus > driver).then(|| format!("of {bus} NVIDIA GPUs on the PCI bus the driver shows {driver}"))
}

fn differ(devices: &BTreeMap<String, (String, bool)>, inventory: &Inventory) -> Vec<String> {
    let shown: BTreeSet<&str> = inventory.gpus.iter().map(|gpu| gpu.id.as_str()).collect();
    let mut problems = Vec::new();
    for (id, (_, healthy)) in devices {
        if !shown.contains(id.as_str()) {
            problems.push(format!(
                "Nomad knows GPU {id}, which the driver does not show"
            ));
        } else if !healthy {
            problems.push(format!("Nomad calls GPU {id} unhealthy"));
        }
    }
    let unknown = shown.iter().filter(|id| !devices.contains_key(**id));
    problems.extend(unknown.map(|id| {
        format!("the driver shows GPU {id}, which Nomad does not know; has it the device plugin?")
    }));
    problems
}

impl Capacity {
    /// The facts as Consul keeps them: what is not known has no key.
    pub fn meta(&self) -> BTreeMap<String, String> {
        let mut meta = BTreeMap::new();
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                // Consul takes no longer ones.
                meta.insert(key.to_owned(), value.chars().take(128).collect::<String>());
            }
        };
        put("schema", Some(SCHEMA.to_owned()));
        put("nomad_dc", Some(self.datacenter.clone()));
        put("nomad_node_id", self.node_id.clone());
        put("type", self.kind.clone());
        put("arch", Some(self.arch.clone()));
        put("kernel", Some(self.kernel.clone()));
        put("cpu_cores", Some(self.cores.to_string()));
        put("mem_mib", Some(self.memory_mib.to_string()));
        put("disk_mib", Some(self.disk_mib.to_string()));
        put("gpu_count", Some(self.gpus.len().to_string()));
        let healthy = self.gpus.iter().filter(|gpu| gpu.healthy).count();
        put("gpu_healthy", Some(healthy.to_string()));
        put("gpu_driver", self.gpu_driver.clone());
        let models: BTreeSet<&str> = self.gpus.iter().map(|gpu| gpu.model.as_str()).collect();
        let models: Vec<&str> = models.into_iter().collect();
        put("gpu_model", Some(models.join(",")));
        let memory = self.gpus.iter().map(|gpu| gpu.memory_mib);
        let memory = memory.filter(|&mib| mib > 0).min();
        put("gpu_mem_mib", memory.map(|mib| mib.to_string()));
        let digest = digest(&meta);
        meta.insert("digest".to_owned(), digest);
        meta
    }
}

/// Of the facts, in their order.
fn digest(meta: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (key, value) in meta {
        hash.update(format!("{key}={value}\n"));
    }
    let bytes = hash.finalize();
    bytes.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
