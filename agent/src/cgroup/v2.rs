//! Version 2: one tree, CPU time in every group's `cpu.stat`.
//!
//! Nomad's own drivers have scopes in two slices, docker has its container's
//! scope. Nomad makes an empty scope for docker tasks too, which is passed over.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::cgroup::container::Containers;
use crate::cgroup::parent::{Account, Child, Counter, Family};
use crate::cgroup::watch::{Place, Watch};
use crate::cgroup::{Groups, Roots, Snapshot, tree};

const COUNTER: Counter = Counter {
    used_us,
    has_processes,
    bound_us: 0,
};

const SHARE: &str = "nomad.slice/share.slice";
const RESERVE: &str = "nomad.slice/reserve.slice";
/// Docker's parent when it makes groups itself.
const DOCKER: &str = "docker";
/// And when systemd makes them, among all other services: what is left of its counter says nothing.
const SYSTEM: &str = "system.slice";

pub(super) struct Tree {
    roots: Roots,
    containers: Containers,
    accounts: BTreeMap<&'static str, Account>,
    watch: Watch,
}

impl Tree {
    pub(super) fn new(roots: Roots) -> Self {
        let place = |path: &str, is_group| Place {
            folder: roots.cgroup.join(path),
            is_group,
        };
        let watch = Watch::new(
            &roots.proc,
            vec![
                place(SHARE, is_scope),
                place(RESERVE, is_scope),
                place(DOCKER, is_container),
                place(SYSTEM, is_container),
            ],
        );
        Self {
            containers: Containers::new(&roots.docker),
            accounts: BTreeMap::new(),
            watch,
            roots,
        }
    }

    fn nomad(&mut self, name: &'static str, snapshot: &mut Snapshot) {
        let family = Family {
            counter: &COUNTER,
            root: &self.roots.cgroup,
            folder: self.roots.cgroup.join(name),
            name,
            account: Some(self.accounts.entry(name).or_default()),
        };
        family.read(snapshot, |name| {
            let scope = name.strip_suffix(".scope");
            let task = scope.and_then(tree::task_of);
            task.map_or(Child::Stranger, Child::Task)
        });
    }

    fn docker(&mut self, name: &'static str, snapshot: &mut Snapshot) {
        let counts = name != SYSTEM;
        let family = Family {
            counter: &COUNTER,
            root: &self.roots.cgroup,
            folder: self.roots.cgroup.join(name),
            name,
            account: counts.then(|| self.accounts.entry(name).or_default()),
        };
        let containers = &mut self.containers;
        family.read(snapshot, |name| {
            let id = tree::container_of(name);
            match id.and_then(|id| containers.task(id)) {
                Some(key) => Child::Task(key),
                None if counts => Child::Stranger,
                None => Child::Passed,
            }
        });
    }

    fn forget_containers(&mut self) {
        let mut there = Vec::new();
        for parent in [DOCKER, SYSTEM] {
            let names = tree::children(&self.roots.cgroup.join(parent));
            let ids = names.iter().filter_map(|name| tree::container_of(name));
            there.extend(ids.map(str::to_owned));
        }
        self.containers.keep(&there);
    }
}

impl Groups for Tree {
    fn read(&mut self, _: &BTreeMap<crate::cgroup::TaskKey, String>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.nomad(SHARE, &mut snapshot);
        self.nomad(RESERVE, &mut snapshot);
        self.forget_containers();
        self.docker(DOCKER, &mut snapshot);
        self.docker(SYSTEM, &mut snapshot);
        snapshot
    }

    fn wait(&mut self, limit: Duration) {
        self.watch.wait(limit);
    }
}

fn is_scope(name: &str) -> bool {
    name.strip_suffix(".scope")
        .and_then(tree::task_of)
        .is_some()
}

fn is_container(name: &str) -> bool {
    tree::container_of(name).is_some()
}

fn used_us(folder: &Path) -> Option<u64> {
    tree::keyed(&folder.join("cpu.stat"), "usage_usec")
}

fn has_processes(folder: &Path) -> bool {
    tree::keyed(&folder.join("cgroup.events"), "populated") == Some(1)
}
