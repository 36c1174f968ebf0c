//! Version 2, with either way in which Docker makes its groups.

use agent::cgroup::TaskKey;

use super::tree::{Tree, allocation, container, key};

/// What stood in the groups of a Nomad 1.11.3 on Linux 6.1 that ran a task of exec, one of `raw_exec`,
/// and one of exec with a core of its own: each file after a line with its path.
const RECORDED: &str = include_str!("../fixtures/cgroup-v2-of-nomad.txt");

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

#[test]
fn the_groups_of_a_real_nomad_are_read() {
    let tree = Tree::new();
    for file in RECORDED.split("=== ").skip(1) {
        let (path, text) = file.split_once('\n').unwrap();
        tree.write(&format!("cgroup/{path}"), text);
    }
    let snapshot = tree.open().read(&tree.drivers);
    let raw = "c3b6bf59-91c9-fb02-b2e2-45458add1fe1";
    let exec = "26a9cc46-f29d-b028-3349-f85ffee0ea51";
    let with_core = "44e72e09-7018-fd07-e335-ab2f7b32a504";
    let (share, reserve) = ("nomad.slice/share.slice", "nomad.slice/reserve.slice");
    for (id, used_us, parent) in [
        (raw, 881_496, share),
        (exec, 4_521_187, share),
        (with_core, 4_134_833, reserve),
    ] {
        let key = TaskKey {
            allocation: id.to_owned(),
            task: "main".to_owned(),
        };
        let seen = &snapshot.tasks[&key];
        assert_eq!((seen.reading.used_us, seen.has_processes), (used_us, true));
        assert_eq!(snapshot.parent_of[&key], parent);
    }
    assert_eq!(snapshot.tasks.len(), 3);
    // Nothing but these has run below the slices.
    let parents = snapshot.parents.iter();
    let counted: Vec<_> = parents
        .map(|(name, p)| (name.as_str(), p.after_us))
        .collect();
    assert_eq!(
        counted,
        [(reserve, 4_134_833), (share, 881_496 + 4_521_187)]
    );
}
