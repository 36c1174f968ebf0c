//! Version 1: a tree for each controller, CPU time in `cpuacct`.
//!
//! exec has a group in it, docker has its container's, `raw_exec` has only one
//! in `freezer`, which tells its processes. Nomad makes empty groups for docker
//! tasks and for tasks that have not started, which are passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::container::Containers;
use crate::cgroup::parent::{Account, Child, Counter, Family};
use crate::cgroup::process::Followed;
use crate::cgroup::watch::{Place, Watch};
use crate::cgroup::{Groups, Roots, Seen, Snapshot, TaskKey, tree};

const COUNTER: Counter = Counter {
    used_us,
    has_processes,
    // It counts in ns.
    bound_us: 1,
};

const RAW_EXEC: &str = "raw_exec";

pub(super) struct Tree {
    roots: Roots,
    containers: Containers,
    nomad: Account,
    docker: Account,
    followed: BTreeMap<TaskKey, Followed>,
    watch: Watch,
}

impl Tree {
    pub(super) fn new(roots: Roots) -> Self {
        let places = ["freezer/nomad", "cpuacct/nomad", "cpuacct/docker"];
        let places = places.map(|path| Place {
            folder: roots.cgroup.join(path),
            is_group: |_| true,
        });
        Self {
            containers: Containers::new(&roots.docker),
            nomad: Account::default(),
            docker: Account::default(),
            followed: BTreeMap::new(),
            watch: Watch::new(&roots.proc, places.into()),
            roots,
        }
    }

    fn folder(&self, controller: &str, parent: &str) -> PathBuf {
        self.roots.cgroup.join(controller).join(parent)
    }

    fn exec(&mut self, snapshot: &mut Snapshot) {
        let family = Family {
            counter: &COUNTER,
            root: &self.roots.cgroup,
            folder: self.folder("cpuacct", "nomad"),
            name: "nomad",
            account: Some(&mut self.nomad),
        };
        family.read(snapshot, |name| {
            tree::task_of(name).map_or(Child::Stranger, Child::Task)
        });
    }

    fn docker(&mut self, snapshot: &mut Snapshot) {
        let folder = self.folder("cpuacct", "docker");
        self.containers.keep(&tree::children(&folder));
        let family = Family {
            counter: &COUNTER,
            root: &self.roots.cgroup,
            folder,
            name: "docker",
            account: Some(&mut self.docker),
        };
        let containers = &mut self.containers;
        family.read(snapshot, |name| {
            let id = tree::container_of(name);
            let task = id.and_then(|id| containers.task(id));
            task.map_or(Child::Stranger, Child::Task)
        });
    }

    fn raw_exec(&mut self, drivers: &BTreeMap<TaskKey, String>, snapshot: &mut Snapshot) {
        let folder = self.folder("freezer", "nomad");
        let counted = self.folder("cpuacct", "nomad");
        let mut there = BTreeSet::new();
        for child in tree::children(&folder) {
            let Some(key) = tree::task_of(&child) else {
                continue;
            };
            let raw = match drivers.get(&key) {
                Some(driver) => driver == RAW_EXEC,
                // Nomad has not told yet; docker's groups here are empty, exec's are counted.
                None => !snapshot.tasks.contains_key(&key) && !counted.join(&child).exists(),
            };
            if !raw {
                continue;
            }
            if let Some(seen) = self.follow(&key, &folder.join(&child)) {
                snapshot.tasks.insert(key.clone(), seen);
            }
            there.insert(key);
        }
        self.followed.retain(|key, _| there.contains(key));
    }

    fn follow(&mut self, key: &TaskKey, folder: &Path) -> Option<Seen> {
        let proc = &self.roots.proc;
        let group = tree::epoch(&self.roots.cgroup, folder)?;
        let known = self.followed.get(key);
        if known.is_none_or(|followed| followed.is_over(proc, folder))
            && let Some(followed) = Followed::begin(proc, folder, &group)
        {
            self.followed.insert(key.clone(), followed);
        }
        let followed = self.followed.get_mut(key)?;
        Some(followed.read(proc, folder))
    }
}

impl Groups for Tree {
    fn read(&mut self, drivers: &BTreeMap<TaskKey, String>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.exec(&mut snapshot);
        self.docker(&mut snapshot);
        self.raw_exec(drivers, &mut snapshot);
        snapshot
    }

    fn wait(&mut self, limit: Duration) {
        self.watch.wait(limit);
    }
}

fn used_us(folder: &Path) -> Option<u64> {
    tree::number(&folder.join("cpuacct.usage")).map(|ns| ns / 1_000)
}

/// Whether a group or one right below it has a process: a container with its own init makes some.
fn has_processes(folder: &Path) -> bool {
    let below = || {
        let children = tree::children(folder).into_iter().take(64);
        children
            .map(|child| folder.join(child))
            .any(|child| !tree::processes(&child).is_empty())
    };
    !tree::processes(folder).is_empty() || below()
}
