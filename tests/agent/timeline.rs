//! A node whose clocks, groups and Nomad are plain numbers.

use std::collections::{BTreeMap, BTreeSet};

use agent::cgroup::{Parent, Reading, Seen, Snapshot, TaskKey};
use agent::gpu::{Answer, Busy};
use agent::meter::{Listing, Meter, Observation};
use agent::nomad::{self, TaskTimes};
use federation::usage::{Allocation, Body, Device, End, Interval, Moment, Task};

pub(crate) const S: i64 = 1_000_000;
/// 2026-10-15T00:00:00Z, when the boot clock is at 1,000 s.
pub(crate) const WALL: i64 = 1_792_022_400 * S;
pub(crate) const BOOT: i64 = 1_000 * S;
/// 2026-11-01T00:00:00Z.
pub(crate) const NOVEMBER: i64 = 1_793_491_200 * S;
pub(crate) const PARENT: &str = "nomad.slice/share.slice";
pub(crate) const CORES: u64 = 4;

/// What there is at a moment.
pub(crate) struct Node {
    pub(crate) meter: Meter,
    pub(crate) boot_us: i64,
    pub(crate) wall_us: i64,
    pub(crate) boot_id: &'static str,
    pub(crate) snapshot: Snapshot,
    /// What the removed children of the parent have used.
    pub(crate) gone_us: u64,
    pub(crate) skew_us: u64,
    pub(crate) allocations: BTreeMap<String, nomad::Allocation>,
    /// Whether the parent group is there: Docker makes its own with the first container.
    pub(crate) has_parent: bool,
    pub(crate) nomad: bool,
    /// Whether the servers' memory answers.
    pub(crate) memory: bool,
    asked: BTreeSet<String>,
    heard: Option<Moment>,
    heard_since: Option<Moment>,
    pub(crate) busy: BTreeMap<String, Answer<Busy>>,
    pub(crate) bodies: Vec<Body>,
}

pub(crate) fn key(allocation: &str, task: &str) -> TaskKey {
    TaskKey {
        allocation: allocation.to_owned(),
        task: task.to_owned(),
    }
}

impl Node {
    pub(crate) fn new() -> Self {
        Self {
            meter: Meter::new(agent::meter::State::default()),
            boot_us: BOOT,
            wall_us: WALL,
            boot_id: "first",
            snapshot: Snapshot::default(),
            gone_us: 0,
            skew_us: 0,
            allocations: BTreeMap::new(),
            has_parent: true,
            nomad: true,
            memory: true,
            asked: BTreeSet::new(),
            heard: None,
            heard_since: None,
            busy: BTreeMap::new(),
            bodies: Vec::new(),
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            boot_us: self.boot_us,
            wall_us: self.wall_us,
        }
    }

    /// Lets time go by.
    pub(crate) fn pass(&mut self, micros: i64) {
        self.boot_us += micros;
        self.wall_us += micros;
    }

    /// Looks, and keeps what the meter says.
    pub(crate) fn look(&mut self) -> Vec<Body> {
        self.look_as(false)
    }

    pub(crate) fn look_as(&mut self, stopping: bool) -> Vec<Body> {
        let now = self.moment();
        if self.nomad {
            self.heard = Some(now);
            self.heard_since.get_or_insert(now);
        } else {
            self.heard_since = None;
        }
        let live: u64 = self
            .snapshot
            .tasks
            .values()
            .map(|t| t.reading.used_us)
            .sum();
        let parent = Parent {
            name: PARENT.to_owned(),
            before_us: self.gone_us + live,
            after_us: self.gone_us + live + self.skew_us,
            epoch: format!("{PARENT}/{}", self.boot_id),
        };
        if self.has_parent {
            self.snapshot.parents.insert(PARENT.to_owned(), parent);
        }
        let allocations: Vec<_> = self.allocations.values().cloned().collect();
        let bodies = self.meter.observe(
            now,
            self.boot_id,
            &Observation {
                snapshot: &self.snapshot,
                listing: self.heard.map(|heard| Listing {
                    allocations: &allocations,
                    heard,
                    heard_since: self.heard_since,
                    asked: &self.asked,
                    cores: 4,
                    mhz: 8_000,
                }),
                busy: &self.busy,
                shift_us: 0,
                stopping,
            },
        );
        // Servers answer at once, but an answer counts from the next look on.
        self.asked = BTreeSet::new();
        if self.nomad && self.memory {
            self.asked = self.meter.doubts(&allocations);
        }
        self.bodies.extend(bodies.iter().cloned());
        bodies
    }

    /// Looks once a second, `seconds` times.
    pub(crate) fn watch(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.pass(S);
            self.look();
        }
    }

    /// A new process with what the old one kept.
    pub(crate) fn restart(&mut self) {
        let rows = self.meter.state().rows();
        self.meter = Meter::new(agent::meter::State::from_rows(rows).unwrap());
        self.heard = None;
        self.heard_since = None;
    }

    pub(crate) fn boot(&mut self, boot_id: &'static str, boot_us: i64) {
        self.boot_id = boot_id;
        self.boot_us = boot_us;
        self.snapshot = Snapshot::default();
        self.gone_us = 0;
    }

    /// Nomad tells of an allocation whose tasks started now.
    pub(crate) fn start(&mut self, id: &str, tasks: &[&str]) {
        let facts = facts(id, tasks, self.wall_us);
        let times = TaskTimes {
            started_us: Some(self.wall_us),
            finished_us: None,
            running: true,
        };
        let allocation = nomad::Allocation {
            facts,
            started: true,
            ended: None,
            task_times: tasks
                .iter()
                .map(|t| ((*t).to_owned(), times.clone()))
                .collect(),
            modify_index: 1,
            ran_us: Some(self.wall_us),
            listed: true,
            is_told: true,
        };
        self.allocations.insert(id.to_owned(), allocation);
    }

    /// Nomad tells that a task ended now.
    pub(crate) fn end_task(&mut self, id: &str, task: &str) {
        let wall_us = self.wall_us;
        let times = self
            .allocations
            .get_mut(id)
            .unwrap()
            .task_times
            .get_mut(task)
            .unwrap();
        times.running = false;
        times.finished_us = Some(wall_us);
    }

    /// Nomad tells that an allocation ended now.
    pub(crate) fn end(&mut self, id: &str) {
        let wall_us = self.wall_us;
        let allocation = self.allocations.get_mut(id).unwrap();
        for times in allocation.task_times.values_mut().filter(|t| t.running) {
            times.running = false;
            times.finished_us = Some(wall_us);
        }
        allocation.ended = Some(End {
            allocation: id.to_owned(),
            ended_us: wall_us,
            status: "complete".to_owned(),
        });
    }

    /// Nomad tells that an allocation, whose tasks have ended, did so then.
    pub(crate) fn end_at(&mut self, id: &str, ended_us: i64) {
        self.end(id);
        let allocation = self.allocations.get_mut(id).unwrap();
        allocation.ended.as_mut().unwrap().ended_us = ended_us;
    }

    /// A group is there, or has used more.
    pub(crate) fn used(&mut self, id: &str, task: &str, used_us: u64) {
        let epoch = format!("{}/{id}.{task}", self.boot_id);
        self.group(id, task, used_us, &epoch);
    }

    pub(crate) fn group(&mut self, id: &str, task: &str, used_us: u64, epoch: &str) {
        let reading = Reading {
            used_us,
            bound_us: 0,
            epoch: epoch.to_owned(),
            is_sum: false,
        };
        let seen = Seen {
            reading,
            has_processes: true,
        };
        self.snapshot.tasks.insert(key(id, task), seen);
        self.snapshot
            .parent_of
            .insert(key(id, task), PARENT.to_owned());
    }

    /// A group is removed, having used `last_us` in all.
    pub(crate) fn remove(&mut self, id: &str, task: &str, last_us: u64) {
        self.snapshot.tasks.remove(&key(id, task));
        self.snapshot.parent_of.remove(&key(id, task));
        self.gone_us += last_us;
    }

    pub(crate) fn intervals(&self, id: &str, task: &str) -> Vec<Interval> {
        let mut found = Vec::new();
        for body in &self.bodies {
            if let Body::Interval(interval) = body
                && interval.allocation == id
                && interval.task == task
            {
                found.push((**interval).clone());
            }
        }
        found
    }

    pub(crate) fn ends(&self) -> Vec<End> {
        let end = |body: &Body| match body {
            Body::End(end) => Some(end.clone()),
            _ => None,
        };
        self.bodies.iter().filter_map(end).collect()
    }
}

pub(crate) fn facts(id: &str, tasks: &[&str], started_us: i64) -> Allocation {
    let task = |name: &&str| Task {
        name: (*name).to_owned(),
        driver: "exec".to_owned(),
        image: None,
        cpu_mhz: 500,
        cores: 0,
        memory_mib: 256,
        devices: Vec::new(),
    };
    Allocation {
        id: id.to_owned(),
        namespace: "example".to_owned(),
        job: "train".to_owned(),
        group: "g".to_owned(),
        name: "train.g[0]".to_owned(),
        owner: None,
        started_us,
        tasks: tasks.iter().map(task).collect(),
        disk_mib: 300,
        node_cores: u32::try_from(CORES).unwrap(),
        node_mhz: 8_000,
    }
}

pub(crate) fn gpu(id: &str) -> Device {
    Device {
        id: id.to_owned(),
        vendor: "nvidia".to_owned(),
        kind: "gpu".to_owned(),
        model: "Example".to_owned(),
    }
}
