//! What the kernel has shown and Nomad has told late, once, or never.

use federation::usage::{Allocation, Body, Quality};

use super::timeline::{CORES, Node, S, WALL, key};

pub(crate) const ID: &str = "0a1b2c3d-0000-4000-8000-00000000abcd";

fn facts(body: &Body) -> Option<&Allocation> {
    match body {
        Body::Allocation(facts) => Some(facts),
        _ => None,
    }
}

pub(crate) fn allocations(node: &Node) -> Vec<&Allocation> {
    node.bodies.iter().filter_map(facts).collect()
}

/// A group of the task came and went between two looks; it used so much.
pub(crate) fn flash(node: &mut Node, used_us: u64) {
    node.snapshot.glimpsed = [key(ID, "main")].into();
    node.gone_us += used_us;
    node.look();
    node.snapshot.glimpsed.clear();
}

pub(crate) fn doubts(node: &Node) -> Vec<String> {
    let listed: Vec<_> = node.allocations.values().cloned().collect();
    node.meter.doubts(&listed).into_iter().collect()
}

#[test]
fn one_that_is_told_once_as_over_is_metered_once() {
    for restarts in [false, true] {
        let mut node = Node::new();
        node.watch(2);
        node.pass(400_000);
        node.start(ID, &["main"]);
        let mut told = node.allocations.remove(ID).unwrap();
        node.pass(50_000);
        flash(&mut node, 777);
        assert_eq!(doubts(&node), [ID]);
        node.watch(3);
        if restarts {
            node.restart();
            node.watch(1);
            assert_eq!(doubts(&node), [ID], "it is remembered");
        }
        // Two seconds later its whole life is told, by the servers' memory.
        let finished_us = told.facts.started_us + 50_000;
        let times = told.task_times.get_mut("main").unwrap();
        times.running = false;
        times.finished_us = Some(finished_us);
        node.allocations.insert(ID.to_owned(), told);
        node.end_at(ID, finished_us);
        node.look();
        assert!(doubts(&node).is_empty());
        node.allocations.clear();
        node.watch(200);
        let [facts] = allocations(&node)[..] else {
            panic!("{:?}", node.bodies)
        };
        assert_eq!(facts.job, "train");
        let intervals = node.intervals(ID, "main");
        let [one] = intervals.as_slice() else {
            panic!("{intervals:?}")
        };
        assert_eq!((one.held_us, one.cpu.used_us), (50_000, 777));
        assert_eq!(one.cpu.quality, Quality::Inferred);
        assert_eq!(node.ends().len(), 1);
        assert_eq!(node.meter.state().unnamed(), 0);
    }
}

#[test]
fn one_that_is_never_named_is_marked_and_its_use_is_the_groups() {
    let mut node = Node::new();
    node.watch(1);
    node.used(ID, "main", 0);
    node.look();
    node.pass(S);
    node.used(ID, "main", 900);
    node.look();
    node.pass(S);
    node.remove(ID, "main", 1_000);
    node.look();
    assert_eq!(doubts(&node), [ID]);
    // As long as Nomad says nothing it may still name it.
    node.nomad = false;
    node.watch(300);
    assert!(node.bodies.is_empty());
    node.nomad = true;
    node.watch(1);
    node.restart();
    node.watch(100);
    let [facts] = allocations(&node)[..] else {
        panic!("{:?}", node.bodies)
    };
    assert!(facts.is_unnamed());
    assert_eq!((facts.id.as_str(), facts.tasks.len()), (ID, 1));
    assert_eq!((facts.job.as_str(), facts.owner.as_deref()), ("", None));
    assert_eq!(u64::from(facts.node_cores), CORES);
    let intervals = node.intervals(ID, "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    assert_eq!(
        (one.cpu.used_us, one.cpu.quality),
        (1_000, Quality::Measured)
    );
    // It was last seen a second after it was first seen, and its last use a second later.
    assert_eq!((one.held_us, one.held), (2_000_000, Quality::Inferred));
    let ends = node.ends();
    assert_eq!(ends.len(), 1);
    assert_eq!(ends.first().unwrap().status, "unnamed");
    assert_eq!(node.meter.state().unnamed(), 1);
    assert!(doubts(&node).is_empty());
}

/// The servers' memory is asked meanwhile: whoever has not had a minute may still be named.
#[test]
fn nobody_is_unnamed_before_nomad_was_heard_for_a_minute() {
    type Story = fn(&mut Node);
    let stories: [(&str, Story); 4] = [
        ("Nomad is away", |node| {
            flash(node, 0);
            node.nomad = false;
            node.watch(300);
            node.nomad = true;
        }),
        ("the agent is away", |node| {
            flash(node, 0);
            node.watch(50);
            node.restart();
        }),
        ("the machine sleeps", |node| {
            flash(node, 0);
            node.watch(50);
            node.pass(300 * S);
        }),
        ("it waits for its image", |node| {
            node.start(ID, &["main"]);
            let listed = node.allocations.get_mut(ID).unwrap();
            listed.started = false;
            listed.task_times.clear();
            node.watch(100);
            node.pass(S);
            flash(node, 0);
            node.allocations.clear();
        }),
    ];
    for (what, story) in stories {
        let mut node = Node::new();
        node.watch(1);
        node.pass(S);
        story(&mut node);
        node.watch(60);
        assert!(node.bodies.is_empty(), "{what}: {:?}", node.bodies);
        node.watch(1);
        assert_eq!(allocations(&node).len(), 1, "{what}");
    }
}

#[test]
fn the_times_of_one_that_is_never_named_are_those_of_the_clock_of_then() {
    let mut node = Node::new();
    node.watch(1);
    node.pass(S);
    flash(&mut node, 0);
    node.watch(10);
    node.wall_us += 1_000 * S;
    node.watch(100);
    let [facts] = allocations(&node)[..] else {
        panic!("{:?}", node.bodies)
    };
    assert_eq!(facts.started_us, WALL + S);
    assert_eq!(node.ends().first().unwrap().ended_us, WALL + 2 * S);
}

/// Whom the servers only remember may have shared what was used with others whom they have forgotten.
#[test]
fn what_was_used_while_nobody_looked_is_not_all_of_one_that_is_in_no_list() {
    for listed in [true, false] {
        let mut node = Node::new();
        node.watch(5);
        node.restart();
        node.pass(S);
        node.start(ID, &["main"]);
        node.pass(2 * S);
        node.gone_us += 900_000;
        node.end(ID);
        node.allocations.get_mut(ID).unwrap().listed = listed;
        node.pass(S);
        node.watch(1);
        let intervals = node.intervals(ID, "main");
        let [one] = intervals.as_slice() else {
            panic!("{intervals:?}")
        };
        assert_eq!((one.held_us, one.held), (2_000_000, Quality::Inferred));
        let cpu = (one.cpu.used_us, one.cpu.bound_us, one.cpu.quality);
        let all_of_it = (900_000, 0, Quality::Inferred);
        let none_of_it = (0, 900_000, Quality::Gap);
        assert_eq!(cpu, if listed { all_of_it } else { none_of_it });
    }
}

/// A second time in one ledger its facts would be refused, and with them all that follows.
#[test]
fn one_that_is_over_does_not_begin_again_while_its_group_is_there() {
    for set_us in [0, 25 * 3_600 * S] {
        let mut node = Node::new();
        node.start(ID, &["main"]);
        node.used(ID, "main", 5);
        node.watch(3);
        node.end(ID);
        node.watch(1);
        node.allocations.clear();
        node.wall_us += set_us;
        node.pass(25 * 3_600 * S - set_us);
        node.watch(100);
        assert_eq!(allocations(&node).len(), 1, "{:?}", node.bodies);
        assert!(doubts(&node).is_empty());
        node.remove(ID, "main", 5);
        node.watch(100);
        assert_eq!((allocations(&node).len(), node.ends().len()), (1, 1));
    }
}

/// The state forgets after a day; whoever keeps the ledger tells of it.
#[test]
fn one_that_was_written_long_ago_does_not_begin_again() {
    type Story = fn(&mut Node);
    let stories: [(&str, Story); 2] = [
        ("its group", |node| {
            node.used(ID, "main", 5);
            node.watch(1);
        }),
        ("its name", |node| {
            node.start(ID, &["main"]);
            node.end(ID);
        }),
    ];
    for (what_is_there, story) in stories {
        for written in [true, false] {
            let mut node = Node::new();
            node.watch(1);
            story(&mut node);
            let listed: Vec<_> = node.allocations.values().cloned().collect();
            let beginning: Vec<_> = node.meter.beginning(&listed).into_iter().collect();
            assert_eq!(beginning, [ID], "{what_is_there}");
            if written {
                node.meter.remember(ID);
            }
            assert_eq!(node.meter.beginning(&listed).is_empty(), written);
            node.watch(100);
            assert_eq!(node.bodies.is_empty(), written, "{what_is_there}");
        }
    }
}

#[test]
fn one_of_which_only_its_name_was_seen_is_a_gap_of_a_look() {
    let mut node = Node::new();
    node.watch(5);
    // Nobody knows what it used: the groups of others went, too.
    node.pass(S);
    flash(&mut node, 0);
    node.watch(100);
    let intervals = node.intervals(ID, "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    assert_eq!((one.held_us, one.held), (1_000_000, Quality::Inferred));
    assert_eq!((one.cpu.used_us, one.cpu.quality), (0, Quality::Gap));
    assert_eq!(one.cpu.bound_us, 1_000_000 * CORES);
    assert_eq!(allocations(&node).len(), 1);
    assert_eq!(node.ends().len(), 1);
}

#[test]
fn one_that_is_never_named_is_held_for_as_long_as_its_group_lives() {
    let mut node = Node::new();
    node.watch(1);
    node.used(ID, "main", 0);
    node.watch(500);
    assert_eq!(allocations(&node).len(), 1);
    assert!(node.ends().is_empty());
    // Whoever has begun is not in doubt, and named too late it does not begin again.
    assert!(doubts(&node).is_empty());
    node.start(ID, &["main"]);
    node.watch(10);
    node.remove(ID, "main", 70);
    node.pass(S / 2);
    node.end(ID);
    node.look();
    let intervals = node.intervals(ID, "main");
    let held: u64 = intervals.iter().map(|i| i.held_us).sum();
    assert_eq!(held, 509_500_000);
    assert_eq!(intervals.iter().map(|i| i.cpu.used_us).sum::<u64>(), 70);
    assert_eq!(allocations(&node).len(), 1);
    assert_eq!(node.ends().first().unwrap().status, "complete");
}

#[test]
fn one_that_never_started_is_nothing_to_meter() {
    let mut node = Node::new();
    node.watch(1);
    flash(&mut node, 0);
    node.start(ID, &["main"]);
    let listed = node.allocations.get_mut(ID).unwrap();
    listed.started = false;
    listed.task_times.clear();
    node.end(ID);
    node.watch(2);
    node.allocations.clear();
    node.watch(100);
    assert!(node.bodies.is_empty(), "{:?}", node.bodies);
    assert!(doubts(&node).is_empty());
}

/// Whoever may start containers may write anything into a label.
#[test]
fn what_only_calls_itself_an_allocation_is_none() {
    let mut node = Node::new();
    node.watch(1);
    node.used("postgres", "main", 5);
    node.watch(100);
    node.remove("postgres", "main", 9);
    node.watch(100);
    assert!(node.bodies.is_empty(), "{:?}", node.bodies);
    assert!(doubts(&node).is_empty());
}

#[test]
fn whose_processes_have_ended_is_in_doubt_until_nomad_says_so() {
    let mut node = Node::new();
    node.start(ID, &["main"]);
    node.used(ID, "main", 5);
    node.watch(3);
    assert!(doubts(&node).is_empty());
    node.remove(ID, "main", 7);
    node.watch(1);
    assert_eq!(doubts(&node), [ID]);
    // Nomad may start it again after a while, and lists it all the time.
    node.watch(30);
    assert_eq!(doubts(&node), [ID]);
    node.watch(1);
    assert!(doubts(&node).is_empty());
    node.allocations.clear();
    node.look();
    assert_eq!(doubts(&node), [ID]);
}
