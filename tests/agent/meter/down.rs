//! An agent that was down, a host that was, and a Nomad that does not answer.

use federation::usage::Quality;

use super::super::timeline::{CORES, Node, S};
use super::{ends, seconds, used};

#[test]
fn an_agent_that_was_down_goes_on_from_the_counter() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 10);
    node.look();
    node.watch(5);
    node.restart();
    node.pass(100 * S);
    node.used("a", "main", 5_000);
    node.nomad = false;
    node.look();
    node.watch(10);
    node.look_as(true);
    let intervals = node.intervals("a", "main");
    assert_eq!(ends(&intervals), [5 * S, 105 * S, 115 * S]);
    assert_eq!(used(&intervals), [10, 4_990, 0]);
    let held: Vec<_> = intervals.iter().map(|i| i.held).collect();
    assert_eq!(
        held,
        [Quality::Measured, Quality::Inferred, Quality::Measured]
    );
    assert!(intervals.iter().all(|i| i.cpu.quality == Quality::Measured));
}

#[test]
fn an_allocation_that_ended_while_the_agent_was_down_is_held_to_its_end() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 10);
    node.look();
    node.watch(5);
    node.restart();
    node.pass(60 * S);
    node.remove("a", "main", 999);
    node.end("a");
    node.pass(600 * S);
    node.nomad = false;
    node.look();
    node.watch(400);
    // Nobody knows yet: nothing is written beyond what was seen.
    assert_eq!(ends(&node.intervals("a", "main")), [5 * S]);
    node.nomad = true;
    node.watch(1);
    let intervals = node.intervals("a", "main");
    assert_eq!(ends(&intervals), [5 * S, 65 * S]);
    assert_eq!(used(&intervals), [10, 989]);
    assert_eq!(intervals.last().unwrap().held, Quality::Inferred);
    assert_eq!(intervals.last().unwrap().cpu.quality, Quality::Inferred);
}

/// What an ended task used is told by its parent at a look after its end. A process that is
/// killed right after that look must not make of it that the task still lived then.
#[test]
fn an_agent_killed_again_before_nomad_told_the_end_holds_nothing_longer() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 10);
    node.look();
    node.watch(5);
    node.restart();
    node.remove("a", "main", 999);
    node.pass(S / 2);
    node.end("a");
    node.nomad = false;
    node.pass(S / 2);
    node.look();
    node.restart();
    node.pass(S);
    node.look();
    node.nomad = true;
    node.watch(1);
    let intervals = node.intervals("a", "main");
    let end = 5 * S + S / 2;
    assert_eq!(ends(&intervals), [5 * S, end]);
    assert_eq!(used(&intervals), [10, 989]);
    let held_us = intervals.last().unwrap().held_total_us;
    assert_eq!(held_us, u64::try_from(end).unwrap());
}

#[test]
fn over_a_reboot_the_wall_clock_measures() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 10);
    node.look();
    node.watch(7);
    node.restart();
    // Down for 60 s, and looked at again 20 s after the boot.
    node.wall_us += 80 * S;
    node.boot("second", 20 * S);
    node.used("a", "main", 300);
    node.look();
    node.look_as(true);
    let intervals = node.intervals("a", "main");
    let [before, over] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    assert_eq!(
        (before.held_us, before.boot_id.as_str()),
        (seconds(7), "first")
    );
    assert_eq!(
        (over.held_us, over.boot_id.as_str()),
        (seconds(80), "second")
    );
    assert_eq!(over.held, Quality::Inferred);
    assert_eq!(over.start.wall_us, before.end.wall_us);
    assert_eq!((over.start.boot_us, over.end.boot_us), (-60 * S, 20 * S));
    assert_eq!((over.cpu.used_us, over.cpu.total_us), (300, 310));
    assert_eq!(over.cpu.quality, Quality::Gap);
    assert_eq!(over.cpu.bound_us, seconds(60) * CORES);
}

#[test]
fn what_ran_while_the_agent_was_down_is_told_by_nomad_and_the_parent() {
    let mut node = Node::new();
    node.look();
    node.watch(2);
    node.restart();
    node.pass(30 * S);
    node.start("a", &["main"]);
    node.pass(10 * S);
    node.gone_us += 777;
    node.end("a");
    node.pass(30 * S);
    node.look();
    let intervals = node.intervals("a", "main");
    assert_eq!(used(&intervals), [777]);
    let one = intervals.first().unwrap();
    assert_eq!((one.held_us, one.held), (seconds(10), Quality::Inferred));
    assert_eq!(one.cpu.quality, Quality::Inferred);
    assert_eq!(node.ends().len(), 1);

    // Of two, nobody knows which used it.
    node.restart();
    node.start("b", &["main"]);
    node.start("c", &["main"]);
    node.pass(10 * S);
    node.gone_us += 50;
    node.end("b");
    node.end("c");
    node.pass(10 * S);
    node.look();
    for id in ["b", "c"] {
        let one = node.intervals(id, "main").pop().unwrap();
        assert_eq!((one.cpu.used_us, one.cpu.quality), (0, Quality::Gap));
        assert_eq!(one.cpu.bound_us, seconds(10) * CORES);
    }
}

#[test]
fn without_nomad_counters_wait_for_their_facts() {
    let mut node = Node::new();
    node.nomad = false;
    node.look();
    node.pass(S);
    node.start("a", &["main"]);
    node.used("a", "main", 5);
    node.look();
    node.watch(20);
    node.used("a", "main", 25);
    node.watch(20);
    assert!(node.bodies.is_empty());
    node.remove("a", "main", 30);
    node.watch(1);
    node.end("a");
    node.watch(30);
    node.nomad = true;
    node.watch(1);
    let intervals = node.intervals("a", "main");
    assert_eq!(used(&intervals), [30]);
    let one = intervals.first().unwrap();
    assert_eq!((one.held_us, one.held), (seconds(41), Quality::Measured));
}

#[test]
fn what_waits_for_its_facts_while_the_agent_is_down_is_inferred() {
    let mut node = Node::new();
    node.nomad = false;
    node.look();
    node.start("a", &["main"]);
    node.used("a", "main", 5);
    node.watch(5);
    node.restart();
    node.pass(100 * S);
    node.used("a", "main", 25);
    node.watch(5);
    node.nomad = true;
    node.watch(1);
    node.look_as(true);
    let intervals = node.intervals("a", "main");
    let one = intervals.first().unwrap();
    assert_eq!((one.held_us, one.held), (seconds(111), Quality::Inferred));
    assert_eq!((one.cpu.used_us, one.cpu.quality), (25, Quality::Measured));
}
