//! A node with groups, processes, and what Nomad says of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use agent::cgroup::Roots;
use agent::nomad::{self, TaskTimes};
use federation::usage::{Allocation, Device, Task};
use tempfile::TempDir;

use crate::BEGIN;
use crate::driver::uuid;
use crate::processes::Processes;

/// The version of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    V1,
    V2,
}

/// Of ten allocations four are of docker, three of exec, three of `raw_exec`.
const DRIVERS: [&str; 10] = [
    "docker", "exec", "raw_exec", "docker", "exec", "raw_exec", "docker", "exec", "raw_exec",
    "docker",
];

pub(crate) struct Node {
    pub(crate) allocations: Vec<nomad::Allocation>,
    folder: TempDir,
    layout: Layout,
    kernel: bool,
    processes: Vec<Processes>,
    /// Files in which counters stand.
    counters: Vec<PathBuf>,
    /// Groups, each after those that it is in.
    made: Vec<PathBuf>,
    used_us: u64,
}

impl Node {
    pub(crate) fn new(layout: Layout, count: usize, gpus: usize, kernel: bool) -> Self {
        let mut node = Self {
            allocations: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            layout,
            kernel,
            processes: Vec::new(),
            counters: Vec::new(),
            made: Vec::new(),
            used_us: 0,
        };
        node.parents();
        let mut left = gpus;
        for number in 0..count {
            let driver = DRIVERS[number % DRIVERS.len()];
            let id = format!("0a1b2c3d-0000-4000-8000-{number:012}");
            let with_gpu = driver == "docker" && left > 0;
            left -= usize::from(with_gpu);
            let devices = with_gpu.then(|| gpu(left)).into_iter().collect();
            node.allocations.push(allocation(&id, driver, devices));
            node.task(&id, driver, number);
        }
        node.work();
        node
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots {
            cgroup: self.folder.path().join("cgroup"),
            proc: PathBuf::from("/proc"),
            docker: self.folder.path().join("docker"),
        }
    }

    /// Each counter that this node writes itself shows more.
    pub(crate) fn work(&mut self) {
        self.used_us += 100_000;
        let text = match self.layout {
            Layout::V1 => format!("{}\n", self.used_us * 1_000),
            Layout::V2 => format!("usage_usec {}\nuser_usec 1\nsystem_usec 1\n", self.used_us),
        };
        for counter in &self.counters {
            fs::write(counter, &text).unwrap();
        }
    }

    fn parents(&mut self) {
        let root = self.folder.path().join("cgroup");
        fs::create_dir(&root).unwrap();
        let name = format!("atoll-bench-{}", std::process::id());
        let own = Path::new("/sys/fs/cgroup");
        let (trees, parents): (&[&str], &[&str]) = match self.layout {
            Layout::V1 => (
                &["cpuacct", "freezer"],
                &["cpuacct/nomad", "freezer/nomad", "cpuacct/docker"],
            ),
            Layout::V2 => (
                &["unified"],
                &[
                    "nomad.slice",
                    "nomad.slice/share.slice",
                    "nomad.slice/reserve.slice",
                    "system.slice",
                ],
            ),
        };
        if self.kernel {
            for tree in trees {
                let group = own.join(tree).join(&name);
                fs::create_dir(&group).unwrap();
                let link = if self.layout == Layout::V1 {
                    root.join(tree)
                } else {
                    root.clone()
                };
                if self.layout == Layout::V2 {
                    fs::remove_dir(&root).unwrap();
                }
                std::os::unix::fs::symlink(&group, link).unwrap();
                self.made.push(group);
            }
        } else if self.layout == Layout::V2 {
            fs::write(root.join("cgroup.controllers"), "cpu memory\n").unwrap();
        }
        for parent in parents {
            self.group(parent, None, true);
        }
        if self.layout == Layout::V2 {
            for number in 0..30 {
                self.group(&format!("system.slice/other-{number}.service"), None, true);
            }
        }
    }

    fn task(&mut self, id: &str, driver: &str, number: usize) {
        let list = Processes::start();
        let container = format!("{number:064x}");
        match (self.layout, driver) {
            (Layout::V1, "docker") => {
                // Nomad makes these for docker tasks, too.
                self.group(&format!("cpuacct/nomad/{id}.main"), None, false);
                self.group(&format!("freezer/nomad/{id}.main"), None, false);
                self.group(&format!("cpuacct/docker/{container}"), Some(&list), true);
            }
            (Layout::V1, "exec") => {
                self.group(&format!("cpuacct/nomad/{id}.main"), Some(&list), true);
                self.group(&format!("freezer/nomad/{id}.main"), Some(&list), false);
            }
            (Layout::V1, _) => self.group(&format!("freezer/nomad/{id}.main"), Some(&list), false),
            (Layout::V2, "docker") => {
                self.group(
                    &format!("nomad.slice/share.slice/{id}.main.scope"),
                    None,
                    false,
                );
                self.group(
                    &format!("system.slice/docker-{container}.scope"),
                    Some(&list),
                    true,
                );
            }
            (Layout::V2, _) => {
                self.group(
                    &format!("nomad.slice/share.slice/{id}.main.scope"),
                    Some(&list),
                    true,
                );
            }
        }
        if driver == "docker" {
            let folder = self
                .folder
                .path()
                .join("docker/containers")
                .join(&container);
            fs::create_dir_all(&folder).unwrap();
            let labels = format!(
                r#""com.hashicorp.nomad.alloc_id":"{id}","com.hashicorp.nomad.task_name":"main""#
            );
            let text = format!(r#"{{"Name":"/main-{id}","Config":{{"Labels":{{{labels}}}}}}}"#);
            fs::write(folder.join("config.v2.json"), text).unwrap();
        }
        self.processes.push(list);
    }

    /// Makes a group, with a task's processes in it; one that `counts` shows their use.
    fn group(&mut self, path: &str, list: Option<&Processes>, counts: bool) {
        let group = self.folder.path().join("cgroup").join(path);
        fs::create_dir(&group)
            .or_else(|_| fs::create_dir_all(&group))
            .unwrap();
        if self.kernel {
            for pid in list.iter().flat_map(|list| &list.own) {
                fs::write(group.join("cgroup.procs"), pid.to_string()).unwrap();
            }
            self.made.push(group);
            return;
        }
        let listed = list.map(Processes::list).unwrap_or_default();
        fs::write(group.join("cgroup.procs"), listed).unwrap();
        let (counter, never) = match self.layout {
            Layout::V1 => (group.join("cpuacct.usage"), "0\n"),
            Layout::V2 => {
                let populated = u8::from(list.is_some());
                fs::write(
                    group.join("cgroup.events"),
                    format!("populated {populated}\nfrozen 0\n"),
                )
                .unwrap();
                (group.join("cpu.stat"), "usage_usec 0\n")
            }
        };
        fs::write(&counter, never).unwrap();
        if counts {
            self.counters.push(counter);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.processes.clear();
        for group in self.made.iter().rev() {
            let _ = fs::remove_dir(group);
        }
    }
}

fn gpu(number: usize) -> Device {
    Device {
        id: uuid(number),
        vendor: "nvidia".to_owned(),
        kind: "gpu".to_owned(),
        model: "NVIDIA A100-PCIE-40GB".to_owned(),
    }
}

fn allocation(id: &str, driver: &str, devices: Vec<Device>) -> nomad::Allocation {
    let started_us = BEGIN.wall_us;
    let times = TaskTimes {
        started_us: Some(started_us),
        finished_us: None,
        running: true,
    };
    nomad::Allocation {
        facts: Allocation {
            id: id.to_owned(),
            namespace: "example".to_owned(),
            job: "train".to_owned(),
            group: "workers".to_owned(),
            name: "train.workers[0]".to_owned(),
            owner: Some("alice@example.org".to_owned()),
            started_us,
            tasks: vec![Task {
                name: "main".to_owned(),
                driver: driver.to_owned(),
                image: (driver == "docker").then(|| "registry.example.org/train:1".to_owned()),
                cpu_mhz: 500,
                cores: 0,
                memory_mib: 256,
                devices,
            }],
            disk_mib: 300,
            node_cores: 64,
            node_mhz: 192_000,
        },
        started: true,
        ended: None,
        task_times: BTreeMap::from([("main".to_owned(), times)]),
        modify_index: 1,
        ran_us: Some(started_us),
        listed: true,
        is_told: true,
    }
}
