//! Version 2: one tree, CPU time in every group's `cpu.stat`.
//!
//! Nomad's own drivers have scopes in two slices, docker has its container's
//! scope. Nomad makes an empty scope for docker tasks too, which is passed over.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cgroup::container::Containers;
use crate::cgroup::file::Shelf;
use crate::cgroup::parent::{Child, Counter, Family, Group};
use crate::cgroup::watch::{Place, Watch};
use crate::cgroup::{Groups, Roots, Snapshot, tree};

const COUNTER: Counter = Counter {
    usage: "cpu.stat",
    used_us: |text| tree::keyed(text, "usage_usec"),
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
    containers: Containers,
    nomad: [Family; 2],
    docker: Family,
    system: Family,
    watch: Watch,
}

impl Tree {
    pub(super) fn new(roots: &Roots) -> Self {
        let place = |path: &str, is_group| Place {
            folder: roots.cgroup.join(path),
            is_group,
        };
        let places = vec![
            place(SHARE, is_scope),
            place(RESERVE, is_scope),
            place(DOCKER, is_container),
            place(SYSTEM, is_container),
        ];
        let shelf = Shelf::default();
        let family = |name| Family::new(&COUNTER, &roots.cgroup, name, name, &shelf);
        Self {
            containers: Containers::new(&roots.docker),
            nomad: [family(SHARE), family(RESERVE)],
            docker: family(DOCKER),
            system: family(SYSTEM).without_account(),
            watch: Watch::new(&roots.proc, places),
        }
    }
}

impl Groups for Tree {
    fn read(&mut self, _: &BTreeMap<crate::cgroup::TaskKey, String>) -> Snapshot {
        let mut snapshot = Snapshot {
            glimpsed: self.watch.glimpsed(),
            ..Snapshot::default()
        };
        for family in &mut self.nomad {
            family.read(&mut snapshot, &mut self.watch, |name| {
                let scope = name.strip_suffix(".scope");
                let task = scope.and_then(tree::task_of);
                task.map_or(Child::Stranger, Child::Task)
            });
        }
        let containers = &mut self.containers;
        let mut task = |name: &str| containers.task(tree::container_of(name)?);
        self.docker.read(&mut snapshot, &mut self.watch, |name| {
            task(name).map_or(Child::Stranger, Child::Task)
        });
        // What else is there is a service of the machine, and nobody counts it.
        self.system.read(&mut snapshot, &mut self.watch, |name| {
            task(name).map_or(Child::Passed, Child::Task)
        });
        self.containers.forget();
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

fn has_processes(group: &Group, _: &mut Watch) -> bool {
    group.events.read(|text| tree::keyed(text, "populated")) == Some(1)
}
