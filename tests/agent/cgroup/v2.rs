//! Version 2, with either way in which Docker makes its groups.

use agent::cgroup::TaskKey;

use super::tree::{Tree, allocation, container, key};

/// What stood in the groups of a Nomad 1.11.3 on Linux 6.1 that ran a task of exec, one of `raw_exec`,
/// and one of exec with a core of its own: each file after a line with its path.
const RECORDED: &str = include_str!("../fixtures/cgroup-v2-of-nomad.txt");

/// The same with Docker 20.10.24, and its files of its containers: a task of docker, one with a core
/// of its own, one of `raw_exec`, and a container that is no task. Another task of docker was over.
/// Docker has systemd make the groups here, as it does of itself on version 2.
const DOCKER_BY_SYSTEMD: &str = include_str!("../fixtures/cgroup-v2-of-docker-systemd.txt");
/// And here Docker makes them.
const DOCKER_BY_ITSELF: &str = include_str!("../fixtures/cgroup-v2-of-docker-cgroupfs.txt");

fn recorded(text: &str) -> Tree {
    let tree = Tree::new();
    for file in text.split("=== ").skip(1) {
        let (path, text) = file.split_once('\n').unwrap();
        tree.write(path, text);
    }
    tree
}

fn main_of(allocation: &str) -> TaskKey {
    TaskKey {
        allocation: allocation.to_owned(),
        task: "main".to_owned(),
    }
}

/// An allocation, the CPU time that its task has used, and the parent of its group.
type Task = (String, u64, Option<String>);
/// A parent, and what it has counted of tasks.
type Counted = (String, u64);

/// The tasks and the parents of a tree.
fn seen(tree: &Tree) -> (Vec<Task>, Vec<Counted>) {
    let snapshot = tree.open().read(&tree.drivers);
    let tasks = snapshot.tasks.iter().map(|(key, seen)| {
        assert_eq!(key, &main_of(&key.allocation));
        assert!(seen.has_processes, "{key:?}");
        let parent = snapshot.parent_of.get(key).cloned();
        (key.allocation.clone(), seen.reading.used_us, parent)
    });
    let parents = snapshot.parents.iter();
    let counted = parents.map(|(name, parent)| (name.clone(), parent.after_us));
    (tasks.collect(), counted.collect())
}

fn group(tree: &Tree, path: &str, usage_us: u64, populated: u8) {
    let stat = format!("usage_usec {usage_us}\nuser_usec 1\nsystem_usec 2\n");
    tree.write(&format!("cgroup/{path}/cpu.stat"), &stat);
    let events = format!("populated {populated}\nfrozen 0\n");
    tree.write(&format!("cgroup/{path}/cgroup.events"), &events);
}

fn made() -> Tree {
    let tree = Tree::new();
    tree.write("cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    group(&tree, "nomad.slice/share.slice", 500, 1);
    group(&tree, "nomad.slice/reserve.slice", 900, 1);
    let scope = |slice: &str, number| {
        format!(
            "nomad.slice/{slice}.slice/{}.main.scope",
            allocation(number)
        )
    };
    group(&tree, &scope("share", 1), 123, 1);
    group(&tree, &scope("reserve", 2), 456, 0);
    group(&tree, &scope("share", 3), 0, 0);
    // Its container is still to come.
    group(&tree, &scope("share", 5), 0, 0);
    group(&tree, "system.slice", 1_000_000, 1);
    group(&tree, "system.slice/ssh.service", 999, 1);
    group(
        &tree,
        &format!("system.slice/docker-{}.scope", container(1)),
        77,
        1,
    );
    group(&tree, "docker", 300, 1);
    group(&tree, &format!("docker/{}", container(2)), 88, 1);
    group(&tree, &format!("docker/{}", container(3)), 12, 1);
    for (number, id) in [(3, 1), (4, 2)] {
        let label = format!(
            r#""com.hashicorp.nomad.alloc_id":"{}","com.hashicorp.nomad.task_name":"main""#,
            allocation(number)
        );
        tree.container(&container(id), "whatever", &label);
    }
    tree
}

#[test]
fn scopes_and_containers_are_read_and_empty_scopes_passed_over() {
    let tree = made();
    let snapshot = tree.open().read(&tree.drivers);
    let used = |number| snapshot.tasks[&key(number, "main")].reading.used_us;
    assert_eq!([used(1), used(2), used(3), used(4)], [123, 456, 77, 88]);
    assert_eq!(snapshot.tasks.len(), 4);
    assert!(!snapshot.tasks[&key(2, "main")].has_processes);
    assert_eq!(snapshot.tasks[&key(1, "main")].reading.bound_us, 0);
}

#[test]
fn the_slices_are_parents_and_the_slice_of_all_services_is_none() {
    let tree = made();
    let snapshot = tree.open().read(&tree.drivers);
    let parents: Vec<_> = snapshot
        .parents
        .iter()
        .map(|(name, p)| (name.as_str(), p.after_us))
        .collect();
    let wanted = [
        ("docker", 300 - 12),
        ("nomad.slice/reserve.slice", 900),
        ("nomad.slice/share.slice", 500),
    ];
    assert_eq!(parents, wanted);
    assert_eq!(
        snapshot.parent_of[&key(2, "main")],
        "nomad.slice/reserve.slice"
    );
    assert_eq!(snapshot.parent_of.get(&key(3, "main")), None);
    assert_eq!(snapshot.parent_of[&key(4, "main")], "docker");
}

const SHARE: &str = "nomad.slice/share.slice";
const RESERVE: &str = "nomad.slice/reserve.slice";

fn task(id: &str, used_us: u64, parent: Option<&str>) -> Task {
    (id.to_owned(), used_us, parent.map(str::to_owned))
}

fn counted(parents: &[(&str, u64)]) -> Vec<Counted> {
    let parents = parents.iter();
    parents.map(|&(name, us)| (name.to_owned(), us)).collect()
}

#[test]
fn the_groups_of_a_real_nomad_are_read() {
    let (tasks, parents) = seen(&recorded(RECORDED));
    let (exec_us, core_us, raw_us) = (4_521_187, 4_134_833, 881_496);
    let wanted = [
        task("26a9cc46-f29d-b028-3349-f85ffee0ea51", exec_us, Some(SHARE)),
        task(
            "44e72e09-7018-fd07-e335-ab2f7b32a504",
            core_us,
            Some(RESERVE),
        ),
        task("c3b6bf59-91c9-fb02-b2e2-45458add1fe1", raw_us, Some(SHARE)),
    ];
    assert_eq!(tasks, wanted);
    // Nothing but these has run below the slices.
    let wanted = counted(&[(RESERVE, core_us), (SHARE, raw_us + exec_us)]);
    assert_eq!(parents, wanted);
}

#[test]
fn the_groups_that_systemd_made_for_a_real_docker_are_read() {
    let (tasks, parents) = seen(&recorded(DOCKER_BY_SYSTEMD));
    let raw_us = 12_662_100;
    // Both have an empty group of Nomad's besides, in a slice each.
    let wanted = [
        task("0848b19d-bb9b-d2d5-5480-2794ee62b9ac", 5_643_479, None),
        task("8c72dadd-2b26-8219-2ba8-296be486cc17", 4_321_540, None),
        task("ce80a5c6-acad-3ba7-a5f6-2eb29c405a0f", raw_us, Some(SHARE)),
    ];
    assert_eq!(tasks, wanted);
    assert_eq!(parents, counted(&[(RESERVE, 0), (SHARE, raw_us)]));
}

#[test]
fn the_groups_that_a_real_docker_made_itself_are_read() {
    let (tasks, parents) = seen(&recorded(DOCKER_BY_ITSELF));
    let (plain_us, core_us, raw_us) = (4_136_052, 4_750_848, 10_412_593);
    let wanted = [
        task(
            "397344ab-80c5-c0b5-4bb2-f5b598123826",
            plain_us,
            Some("docker"),
        ),
        task("6dc67d68-e6be-e83f-48e4-4ad4d22278ea", raw_us, Some(SHARE)),
        task(
            "b6dd1384-edf2-5e7c-e0cc-422fcee3161e",
            core_us,
            Some("docker"),
        ),
    ];
    assert_eq!(tasks, wanted);
    // What the one that is over has used is still counted; the stranger's use is not.
    let (docker_us, stranger_us) = (11_116_690, 547_650);
    let wanted = counted(&[
        ("docker", docker_us - stranger_us),
        (RESERVE, 0),
        (SHARE, raw_us),
    ]);
    assert_eq!(parents, wanted);
    // Its own group had shown 1,682,138 µs the last time that it could be read.
    assert_eq!(docker_us - stranger_us - plain_us - core_us, 1_682_140);
}
