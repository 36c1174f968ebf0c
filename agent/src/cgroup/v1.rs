//! Version 1: a tree for each controller, CPU time in `cpuacct`.
//!
//! exec has a group in it, docker has its container's, `raw_exec` has only one
//! in `freezer`, which tells its processes. Nomad makes empty groups for docker
//! tasks and for tasks that have not started, which are passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::container::Containers;
use crate::cgroup::file::{Folder, Shelf};
use crate::cgroup::parent::{Child, Counter, Family, Group};
use crate::cgroup::process::{Followed, Look};
use crate::cgroup::tree::{self, Listed};
use crate::cgroup::watch::{Place, Watch};
use crate::cgroup::{Groups, Roots, Seen, Snapshot, TaskKey};

const COUNTER: Counter = Counter {
    usage: "cpuacct.usage",
    used_us: |text| text.trim().parse::<u64>().ok().map(|ns| ns / 1_000),
    has_processes,
    // It counts in ns.
    bound_us: 1,
};

const RAW_EXEC: &str = "raw_exec";
const DOCKER: &str = "docker";

pub(super) struct Tree {
    roots: Roots,
    containers: Containers,
    nomad: Family,
    docker: Family,
    raw_exec: BTreeMap<TaskKey, Raw>,
    shelf: Shelf,
    watch: Watch,
}

/// A task of `raw_exec`.
#[derive(Default)]
struct Raw {
    group: Option<Freezer>,
    followed: Option<Followed>,
}

/// Its group, as it was opened.
struct Freezer {
    inode: u64,
    folder: Folder,
    epoch: String,
}

impl Tree {
    pub(super) fn new(roots: &Roots) -> Self {
        let places = ["freezer/nomad", "cpuacct/nomad", "cpuacct/docker"];
        let places = places.map(|path| Place {
            folder: roots.cgroup.join(path),
            is_group: |_| true,
        });
        let shelf = Shelf::default();
        let family = |path, name| Family::new(&COUNTER, &roots.cgroup, path, name, &shelf);
        Self {
            containers: Containers::new(&roots.docker),
            nomad: family("cpuacct/nomad", "nomad"),
            docker: family("cpuacct/docker", "docker"),
            raw_exec: BTreeMap::new(),
            watch: Watch::new(&roots.proc, places.into()),
            shelf,
            roots: roots.clone(),
        }
    }

    fn exec(&mut self, drivers: &BTreeMap<TaskKey, String>, snapshot: &mut Snapshot) {
        self.nomad.read(snapshot, &mut self.watch, |name| {
            let Some(key) = tree::task_of(name) else {
                return Child::Stranger;
            };
            // Empty for ever: what docker runs is in its container's group.
            if drivers.get(&key).is_some_and(|driver| driver == DOCKER) {
                return Child::Passed;
            }
            Child::Task(key)
        });
    }

    fn docker(&mut self, snapshot: &mut Snapshot) {
        let containers = &mut self.containers;
        self.docker.read(snapshot, &mut self.watch, |name| {
            let id = tree::container_of(name);
            let task = id.and_then(|id| containers.task(id));
            task.map_or(Child::Stranger, Child::Task)
        });
        self.containers.forget();
    }

    fn raw_exec(&mut self, drivers: &BTreeMap<TaskKey, String>, snapshot: &mut Snapshot) {
        let folder = self.folder("freezer");
        let counted = self.folder("cpuacct");
        let mut before = std::mem::take(&mut self.raw_exec);
        for child in tree::children(&folder) {
            let Some(key) = tree::task_of(&child.name) else {
                continue;
            };
            let raw = match drivers.get(&key) {
                Some(driver) => driver == RAW_EXEC,
                // Nomad has not told yet; docker's groups here are empty, exec's are counted.
                None => !snapshot.tasks.contains_key(&key) && !counted.join(&child.name).exists(),
            };
            if !raw {
                continue;
            }
            let mut raw = before.remove(&key).unwrap_or_default();
            if let Some(seen) = raw.read(&child, &folder, &self.roots, &self.shelf) {
                snapshot.tasks.insert(key.clone(), seen);
            }
            self.raw_exec.insert(key, raw);
        }
    }

    fn folder(&self, controller: &str) -> PathBuf {
        self.roots.cgroup.join(controller).join("nomad")
    }
}

impl Raw {
    fn read(
        &mut self,
        child: &Listed,
        parent: &Path,
        roots: &Roots,
        places: &Shelf,
    ) -> Option<Seen> {
        let known = self.group.take().filter(|group| group.inode == child.inode);
        let group = self.group.insert(known.unwrap_or_else(|| {
            let path = parent.join(&child.name);
            Freezer {
                inode: child.inode,
                epoch: tree::epoch(&roots.cgroup, &path, child.inode),
                folder: Folder::new(path, places),
            }
        }));
        let look = Look {
            proc: &roots.proc,
            folder: &group.folder,
            epoch: &group.epoch,
            shelf: places,
        };
        let (followed, seen) = look.follow(self.followed.take())?;
        self.followed = Some(followed);
        Some(seen)
    }
}

impl Groups for Tree {
    fn read(&mut self, drivers: &BTreeMap<TaskKey, String>) -> Snapshot {
        let mut snapshot = Snapshot {
            glimpsed: self.watch.glimpsed(),
            ..Snapshot::default()
        };
        self.exec(drivers, &mut snapshot);
        self.docker(&mut snapshot);
        self.raw_exec(drivers, &mut snapshot);
        snapshot
    }

    fn wait(&mut self, limit: Duration) {
        self.watch.wait(limit);
    }
}

/// Whether a group or one right below it has a process: a container with its own init makes some.
fn has_processes(group: &Group, watch: &mut Watch) -> bool {
    let folder = group.folder.path();
    let below = || {
        let children = tree::children(folder).into_iter().take(64);
        children
            .map(|child| folder.join(child.name))
            .any(|child| !tree::processes(&child).is_empty())
    };
    watch.lives(folder, || tree::processes_of(&group.folder))
        || (tree::has_children(folder) && below())
}
