//! Those of whose start Nomad never tells: what the kernel has shown of them is their life, or none.

use federation::usage::Quality;

use super::doubt::{ID, allocations, doubts, flash};
use super::timeline::{Node, S, WALL, gpu, key};

/// How long it was held, and what its task used.
fn sums(node: &Node) -> (u64, u64) {
    let intervals = node.intervals(ID, "main");
    let each = intervals.iter();
    let sums = each.map(|i| (i.held_us, i.cpu.used_us));
    sums.fold((0, 0), |(held, used), (more_held, more_used)| {
        (held + more_held, used + more_used)
    })
}

/// The servers tell of it as of one that waits for its start.
fn remember_as_pending(node: &mut Node, listed: bool) {
    node.start(ID, &["main"]);
    let told = node.allocations.get_mut(ID).unwrap();
    told.started = false;
    told.ran_us = None;
    told.task_times.clear();
    told.listed = listed;
}

/// Whoever is purged before its node has told that it runs is remembered as waiting for good: it may
/// have been over, and forgotten, since the servers were asked.
#[test]
fn one_that_is_only_remembered_as_waiting_is_metered_by_what_the_kernel_has_shown() {
    let mut node = Node::new();
    node.watch(1);
    node.pass(S);
    flash(&mut node, 5);
    remember_as_pending(&mut node, true);
    node.watch(4);
    assert!(doubts(&node).is_empty());
    remember_as_pending(&mut node, false);
    node.watch(60);
    assert_eq!(doubts(&node), [ID]);
    assert!(node.bodies.is_empty(), "its start may still be told");
    node.watch(100);
    let [facts] = allocations(&node)[..] else {
        panic!("{:?}", node.bodies)
    };
    assert_eq!(facts.job, "train");
    let intervals = node.intervals(ID, "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    assert_eq!((one.held_us, one.held), (1_000_000, Quality::Inferred));
    assert_eq!((one.cpu.used_us, one.cpu.quality), (5, Quality::Inferred));
    let ends = node.ends();
    let [end] = ends.as_slice() else {
        panic!("{ends:?}")
    };
    assert_eq!((end.status.as_str(), end.ended_us), ("lost", WALL + 2 * S));
    assert_eq!(node.meter.state().unnamed(), 0);
    assert!(doubts(&node).is_empty());
}

/// A group is made before there is a process in it: for some time there may be none.
#[test]
fn one_that_waited_until_it_was_purged_has_not_run() {
    let mut node = Node::new();
    node.watch(1);
    remember_as_pending(&mut node, true);
    node.pass(S);
    flash(&mut node, 0);
    node.used(ID, "sidecar", 0);
    let sidecar = node.snapshot.tasks.get_mut(&key(ID, "sidecar")).unwrap();
    sidecar.has_processes = false;
    node.watch(10);
    node.remove(ID, "sidecar", 0);
    node.allocations.get_mut(ID).unwrap().listed = false;
    node.watch(200);
    node.allocations.clear();
    node.watch(200);
    assert!(node.bodies.is_empty(), "{:?}", node.bodies);
}

/// What runs a task may fail before the task has started, once or again and again.
#[test]
fn what_ran_before_it_started_is_no_life_of_it() {
    for (over, starts) in [(false, false), (true, false), (false, true)] {
        let mut node = Node::new();
        node.watch(1);
        remember_as_pending(&mut node, true);
        for attempt in 1..=3 {
            node.pass(S);
            node.used(ID, "main", attempt * 10);
            node.look();
            node.remove(ID, "main", attempt * 10);
            node.watch(20);
        }
        if over {
            node.end(ID);
            node.watch(2);
        } else if starts {
            let used_us = 7;
            node.start(ID, &["main"]);
            node.group(ID, "main", used_us, "fourth");
            node.watch(2);
            node.remove(ID, "main", used_us);
            node.end(ID);
            node.watch(2);
        }
        node.allocations.get_mut(ID).unwrap().listed = false;
        node.watch(100);
        node.allocations.clear();
        node.watch(200);
        let (held, used) = sums(&node);
        let wanted = if starts { (2_000_000, 7) } else { (0, 0) };
        assert_eq!((held, used), wanted, "{over} {starts}: {:?}", node.bodies);
        assert_eq!(allocations(&node).len(), usize::from(starts));
    }
}

/// Servers that have lost its node call it over without knowing that it has started.
#[test]
fn what_lives_though_it_is_called_over_loses_nothing() {
    let mut node = Node::new();
    node.watch(1);
    remember_as_pending(&mut node, true);
    node.end(ID);
    let start_us = node.wall_us + S;
    for second in 1..=30 {
        node.pass(S);
        node.used(ID, "main", second * 10);
        node.look();
    }
    assert!(node.bodies.is_empty());
    node.start(ID, &["main"]);
    node.allocations.get_mut(ID).unwrap().facts.started_us = start_us;
    node.watch(1);
    node.look_as(true);
    assert_eq!(sums(&node).1, 300);
}

/// By whom it was used nobody saw: a burst of others came and went in the same look.
#[test]
fn use_alone_shows_that_one_has_run() {
    let mut node = Node::new();
    node.watch(1);
    node.restart();
    node.pass(S);
    node.used(ID, "main", 900);
    let main = node.snapshot.tasks.get_mut(&key(ID, "main")).unwrap();
    main.has_processes = false;
    node.look();
    node.remove(ID, "main", 900);
    node.watch(100);
    let [facts] = allocations(&node)[..] else {
        panic!("{:?}", node.bodies)
    };
    assert!(facts.is_unnamed());
    assert_eq!(sums(&node).1, 900);
}

#[test]
fn one_that_is_only_remembered_as_waiting_holds_its_gpu_for_as_long_as_its_group_lives() {
    for alive_s in [5, 200] {
        let mut node = Node::new();
        node.watch(1);
        remember_as_pending(&mut node, false);
        let told = node.allocations.get_mut(ID).unwrap();
        told.facts.tasks[0].devices.push(gpu("GPU-1"));
        for second in 0..alive_s {
            node.pass(S);
            node.used(ID, "main", second * 10);
            node.look();
        }
        node.remove(ID, "main", alive_s * 10);
        node.watch(300);
        assert_eq!(allocations(&node).len(), 1, "{:?}", node.bodies);
        let ends = node.ends();
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0].status, "lost");
        let intervals = node.intervals(ID, "main");
        let used: u64 = intervals.iter().map(|i| i.cpu.used_us).sum();
        assert_eq!(used, alive_s * 10, "{intervals:?}");
        let held: u64 = intervals.iter().map(|i| i.held_us).sum();
        let gpus = intervals.iter().flat_map(|i| &i.gpus);
        let allocated: u64 = gpus.map(|gpu| gpu.allocated_us).sum();
        // From the first look at its group to that at which its last use was seen.
        assert_eq!((held, allocated), (alive_s * 1_000_000, held));
        assert_eq!(
            intervals[0].held,
            Quality::Inferred,
            "nobody told its start"
        );
    }
}

#[test]
fn one_whose_start_is_told_within_the_minute_has_its_true_times() {
    let mut node = Node::new();
    node.watch(1);
    node.pass(S);
    flash(&mut node, 5);
    remember_as_pending(&mut node, false);
    node.watch(50);
    let told = node.allocations.get_mut(ID).unwrap();
    told.started = true;
    told.facts.started_us = WALL + 1_200_000;
    node.end_at(ID, WALL + 1_700_000);
    node.watch(100);
    let ends = node.ends();
    assert_eq!((ends.len(), ends[0].ended_us), (1, WALL + 1_700_000));
    assert_eq!(allocations(&node).len(), 1);
}
