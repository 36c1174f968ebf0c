//! Version 1, as Nomad 1.11 and Docker lay it out.

use agent::cgroup::Snapshot;

use super::tree::{Tree, allocation, container, key};

fn group(tree: &Tree, path: &str, usage_ns: u64, procs: &str) {
    tree.write(
        &format!("cgroup/{path}/cpuacct.usage"),
        &format!("{usage_ns}\n"),
    );
    tree.write(&format!("cgroup/{path}/cgroup.procs"), procs);
}

fn used(snapshot: &Snapshot, number: u32, task: &str) -> u64 {
    snapshot
        .tasks
        .get(&key(number, task))
        .unwrap()
        .reading
        .used_us
}

/// exec with one task that runs, one that is over, one that has not begun; a task of Docker and a stranger.
fn recorded() -> Tree {
    let tree = Tree::new();
    group(&tree, "cpuacct/nomad", 9_000_000_000, "");
    let exec = |number, task: &str| format!("cpuacct/nomad/{}.{task}", allocation(number));
    group(&tree, &exec(1, "main"), 3_000_000_999, "100\n101\n");
    group(&tree, &exec(2, "main"), 1_000_000_000, "");
    group(&tree, &exec(3, "main"), 0, "");
    group(&tree, "cpuacct/docker", 8_000_000_000, "");
    group(
        &tree,
        &format!("cpuacct/docker/{}", container(1)),
        5_000_000_000,
        "200\n",
    );
    group(
        &tree,
        &format!("cpuacct/docker/{}", container(2)),
        2_000_000_000,
        "300\n",
    );
    let label = format!(r#""com.hashicorp.nomad.alloc_id":"{}""#, allocation(4));
    tree.container(&container(1), &format!("side-{}", allocation(4)), &label);
    tree.container(&container(2), "postgres", "");
    // Nomad makes these for docker tasks, too.
    tree.write(
        &format!("cgroup/freezer/nomad/{}.side/cgroup.procs", allocation(4)),
        "",
    );
    tree
}

#[test]
fn each_task_has_its_own_counter_and_a_parent() {
    let tree = recorded();
    let snapshot = tree.open().read(&tree.drivers);
    assert_eq!(snapshot.tasks.len(), 3, "{snapshot:?}");
    assert_eq!(used(&snapshot, 1, "main"), 3_000_000);
    assert_eq!(used(&snapshot, 2, "main"), 1_000_000);
    assert_eq!(used(&snapshot, 4, "side"), 5_000_000);
    let one = &snapshot.tasks[&key(1, "main")];
    assert!(one.has_processes && !snapshot.tasks[&key(2, "main")].has_processes);
    assert_eq!(one.reading.bound_us, 1);
    assert!(
        one.reading.epoch.starts_with("cpuacct/nomad/0a1b2c3d"),
        "{}",
        one.reading.epoch
    );
    assert_eq!(snapshot.parent_of[&key(1, "main")], "nomad");
    assert_eq!(snapshot.parent_of[&key(4, "side")], "docker");
    let nomad = &snapshot.parents["nomad"];
    assert_eq!((nomad.before_us, nomad.after_us), (9_000_000, 9_000_000));
    let docker = &snapshot.parents["docker"];
    assert_eq!(docker.after_us, 6_000_000, "without the stranger");
}

#[test]
fn a_group_made_anew_is_another_epoch() {
    let tree = recorded();
    let mut groups = tree.open();
    let before = groups.read(&tree.drivers);
    let path = format!("cpuacct/nomad/{}.main", allocation(1));
    // Made while the old one is still there, so that the inode cannot be the same.
    group(&tree, "cpuacct/other", 7_000, "100\n");
    tree.remove(&format!("cgroup/{path}"));
    let root = tree.folder.path().join("cgroup");
    std::fs::rename(root.join("cpuacct/other"), root.join(path)).unwrap();
    let after = groups.read(&tree.drivers);
    let epoch = |snapshot: &Snapshot| snapshot.tasks[&key(1, "main")].reading.epoch.clone();
    assert_ne!(epoch(&before), epoch(&after));
    assert_eq!(used(&after, 1, "main"), 7);
}

#[test]
fn a_restarted_container_is_the_one_that_runs() {
    let tree = recorded();
    let label = format!(r#""com.hashicorp.nomad.alloc_id":"{}""#, allocation(4));
    for number in [0, 9] {
        group(
            &tree,
            &format!("cpuacct/docker/{}", container(number)),
            4_000,
            "",
        );
        tree.container(
            &container(number),
            &format!("side-{}", allocation(4)),
            &label,
        );
    }
    let snapshot = tree.open().read(&tree.drivers);
    assert_eq!(used(&snapshot, 4, "side"), 5_000_000);
}

/// The executor 50, its task 60, and a child 61 of that.
fn raw() -> Tree {
    let tree = Tree::new();
    let group = format!("cgroup/freezer/nomad/{}.main/cgroup.procs", allocation(1));
    tree.write(&group, "60\n61\n");
    tree.process(50, 'S', 40, 900, 7);
    tree.process(60, 'S', 50, 100, 20);
    tree.process(61, 'R', 60, 11, 0);
    tree
}

#[test]
fn raw_exec_is_its_processes_and_what_was_waited_for() {
    let tree = raw();
    let snapshot = tree.open().read(&tree.drivers);
    let seen = &snapshot.tasks[&key(1, "main")];
    assert_eq!(seen.reading.used_us, (100 + 20 + 11 + 7) * 10_000);
    assert_eq!(seen.reading.bound_us, 60_000);
    assert!(seen.has_processes);
    assert!(
        seen.reading.epoch.ends_with("below 50@1050"),
        "{}",
        seen.reading.epoch
    );
    assert_eq!(snapshot.parent_of.get(&key(1, "main")), None);
}

#[test]
fn nothing_is_lost_or_counted_twice_when_processes_end() {
    let mut tree = raw();
    tree.drivers.insert(key(1, "main"), "raw_exec".to_owned());
    let mut groups = tree.open();
    let mut used_ms = || {
        let snapshot = groups.read(&tree.drivers);
        let seen = &snapshot.tasks[&key(1, "main")];
        (seen.reading.used_us / 1_000, seen.has_processes)
    };
    let group = format!("cgroup/freezer/nomad/{}.main/cgroup.procs", allocation(1));
    assert_eq!(used_ms(), (1_380, true));
    // The child ends: its parent has waited for it.
    tree.write(&group, "60\n");
    tree.process(60, 'S', 50, 100, 31);
    tree.remove("proc/61");
    assert_eq!(used_ms(), (1_380, true));
    // The main process ends, but its executor has not looked: no group lists it, and it is still there.
    tree.write(&group, "");
    tree.process(60, 'Z', 50, 105, 31);
    assert_eq!(used_ms(), (1_430, false));
    // The executor has waited.
    tree.process(50, 'S', 40, 900, 7 + 136);
    tree.remove("proc/60");
    assert_eq!(used_ms(), (1_430, false));
    // And has ended.
    tree.remove("proc/50");
    assert_eq!(used_ms(), (1_430, false));
}

#[test]
fn a_process_that_nobody_waited_for_is_carried_on() {
    let tree = raw();
    let mut groups = tree.open();
    let mut used = || {
        groups.read(&tree.drivers).tasks[&key(1, "main")]
            .reading
            .used_us
    };
    assert_eq!(used(), 1_380_000);
    // Given to the first process of the machine, and ended there.
    tree.remove("proc/61");
    assert_eq!(used(), 1_380_000);
    tree.process(60, 'S', 50, 103, 20);
    assert_eq!(used(), 1_410_000);
}

#[test]
fn another_start_below_another_executor_is_another_epoch() {
    let tree = raw();
    let mut groups = tree.open();
    let first = groups.read(&tree.drivers).tasks[&key(1, "main")]
        .reading
        .clone();
    for gone in ["proc/50", "proc/60", "proc/61"] {
        tree.remove(gone);
    }
    tree.process(70, 'S', 40, 0, 0);
    tree.process(71, 'R', 70, 4, 0);
    let group = format!("cgroup/freezer/nomad/{}.main/cgroup.procs", allocation(1));
    tree.write(&group, "71\n");
    let second = groups.read(&tree.drivers).tasks[&key(1, "main")]
        .reading
        .clone();
    assert_ne!(first.epoch, second.epoch);
    assert_eq!(second.used_us, 40_000);
}

#[test]
fn a_number_that_was_given_again_is_another_process() {
    let tree = raw();
    let mut groups = tree.open();
    groups.read(&tree.drivers);
    let group = format!("cgroup/freezer/nomad/{}.main/cgroup.procs", allocation(1));
    tree.write(&group, "60\n");
    // 61 is now somebody else's, and began later.
    let other = "61 (x) R 1 61 61 0 -1 0 0 0 0 0 5000 0 0 0 20 0 1 0 999999 1 1\n";
    tree.write("proc/61/stat", other);
    tree.process(60, 'S', 50, 100, 31);
    let snapshot = groups.read(&tree.drivers);
    assert_eq!(snapshot.tasks[&key(1, "main")].reading.used_us, 1_380_000);
}

#[test]
fn groups_of_other_drivers_are_not_taken_for_raw_exec() {
    let mut tree = raw();
    tree.drivers.insert(key(1, "main"), "docker".to_owned());
    assert!(tree.open().read(&tree.drivers).tasks.is_empty());
    // The executor before it has started the task: by its first word, and that of its parent.
    let tree = raw();
    let group = format!("cgroup/freezer/nomad/{}.main/cgroup.procs", allocation(1));
    tree.write(&group, "50\n");
    tree.process(40, 'S', 1, 1, 4_000_000);
    tree.write("proc/40/cmdline", "/usr/bin/nomad\0agent\0");
    tree.write("proc/50/cmdline", "/usr/bin/nomad\0executor\0{}\0");
    assert!(tree.open().read(&tree.drivers).tasks.is_empty());
    // A task that calls itself so is below an executor, and is counted.
    tree.write("proc/40/cmdline", "/usr/bin/nomad\0executor\0{}\0");
    assert_eq!(tree.open().read(&tree.drivers).tasks.len(), 1);
}
