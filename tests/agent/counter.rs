//! Counters that show what cannot be: the use is kept, nothing is counted twice, and it is marked.

use federation::usage::{Cpu, Quality};

use super::timeline::{CORES, Node, S};

/// A node with a task that has used a second.
fn running() -> Node {
    let mut node = Node::new();
    node.look();
    node.start("a", &["main"]);
    node.used("a", "main", 0);
    shows(&mut node, 1_000_000);
    node
}

fn shows(node: &mut Node, used_us: u64) {
    node.pass(S);
    node.used("a", "main", used_us);
    node.look();
}

/// The task's use, after an end at which its counter showed that.
fn over(node: &mut Node, last_us: u64) -> Cpu {
    node.remove("a", "main", last_us);
    node.end("a");
    node.pass(S);
    node.look();
    let intervals = node.intervals("a", "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    one.cpu.clone()
}

#[test]
fn a_counter_that_goes_on_is_measured() {
    let mut node = running();
    shows(&mut node, 1_900_000);
    let cpu = over(&mut node, 1_900_000);
    assert_eq!((cpu.used_us, cpu.quality), (1_900_000, Quality::Measured));
}

#[test]
fn a_counter_that_went_back_is_marked_and_its_error_counted_once() {
    let mut node = running();
    for used_us in [700_000, 700_000, 800_000, 1_200_000] {
        shows(&mut node, used_us);
    }
    let cpu = over(&mut node, 1_200_000);
    assert_eq!((cpu.used_us, cpu.quality), (1_200_000, Quality::Inferred));
    assert!((300_000..=400_000).contains(&cpu.bound_us), "{cpu:?}");
}

#[test]
fn a_counter_that_moved_by_more_than_all_cores_can_do_is_marked() {
    let mut node = running();
    // A clock that is read late lets a whole second of all cores pass.
    shows(&mut node, 1_000_000 + 2 * CORES * 1_000_000);
    shows(&mut node, 1_000_000_000);
    let cpu = over(&mut node, 1_000_000_000);
    assert_eq!(
        (cpu.used_us, cpu.quality),
        (1_000_000_000, Quality::Inferred)
    );
    // All of that step may be none.
    let step_us = 1_000_000_000 - 9_000_000;
    assert!(cpu.bound_us.abs_diff(step_us) <= 1, "{cpu:?}");
}

/// It is behind when an interval ends: what it catches up in the next one was used there.
#[test]
fn what_a_counter_catches_up_is_marked_where_it_does() {
    let mut node = running();
    shows(&mut node, 600_000);
    node.look_as(true);
    shows(&mut node, 1_500_000);
    node.remove("a", "main", 1_500_000);
    node.end("a");
    node.pass(S);
    node.look();
    let cpu = node.intervals("a", "main").pop().unwrap().cpu;
    assert_eq!((cpu.used_us, cpu.quality), (500_000, Quality::Inferred));
    assert!((400_000..=500_000).contains(&cpu.bound_us), "{cpu:?}");
}

/// Processes that went while nobody looked are in no sum any more: that is no fault of a counter.
#[test]
fn a_sum_over_processes_may_be_less() {
    let mut node = running();
    node.pass(S);
    for seen in node.snapshot.tasks.values_mut() {
        seen.reading.is_sum = true;
        seen.reading.used_us = 400_000;
    }
    node.look();
    let cpu = over(&mut node, 1_000_000);
    assert_eq!((cpu.used_us, cpu.quality), (1_000_000, Quality::Measured));
}
