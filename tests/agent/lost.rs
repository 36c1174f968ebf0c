//! Those that the list has lost before they were over: until when each is held.

use agent::meter::{Meter, State};
use federation::usage::Quality;

use super::doubt::{ID, doubts};
use super::timeline::{CORES, Node, S, WALL, key};

/// One that runs, is used for `used_us` each second, and is purged after five seconds.
fn purged(used_us: u64) -> Node {
    let mut node = Node::new();
    node.start(ID, &["main"]);
    for second in 1..=5 {
        node.used(ID, "main", second * used_us);
        node.watch(1);
    }
    purge(&mut node);
    node
}

/// The list has lost it; the servers remember when they wrote that it is to stop, and that it ran then.
fn purge(node: &mut Node) {
    let told = node.allocations.get_mut(ID).unwrap();
    told.listed = false;
    told.ran_us = Some(node.wall_us);
}

/// Each interval: how long it was held, how that is known, and what was used.
fn held(node: &Node) -> Vec<(u64, Quality, u64)> {
    let intervals = node.intervals(ID, "main");
    let each = intervals.iter();
    each.map(|i| (i.held_us, i.held, i.cpu.used_us)).collect()
}

fn lost_at(node: &Node) -> i64 {
    let ends = node.ends();
    let [end] = ends.as_slice() else {
        panic!("{ends:?}")
    };
    assert_eq!(end.status, "lost");
    end.ended_us - WALL
}

/// Whoever is purged while it runs leaves the list at once, and is killed some seconds later. The
/// servers remember it as running for as long as nothing else happens.
#[test]
fn one_that_was_purged_while_it_ran_is_over_when_its_processes_are() {
    let mut node = Node::new();
    node.start(ID, &["main"]);
    node.used(ID, "main", 5);
    node.watch(20);
    node.allocations.get_mut(ID).unwrap().listed = false;
    node.watch(5);
    assert!(node.ends().is_empty(), "it runs");
    // Its last use is seen a second later.
    node.remove(ID, "main", 7);
    node.watch(10);
    assert_eq!(doubts(&node), [ID], "its end may still be told");
    node.watch(600);
    let ends = node.ends();
    assert_eq!(ends.len(), 1);
    assert_eq!(
        (ends[0].status.as_str(), ends[0].ended_us),
        ("lost", WALL + 26 * S)
    );
    assert_eq!(held(&node), [(26_000_000, Quality::Measured, 7)]);
    assert!(doubts(&node).is_empty());
}

/// A task may be started anew in it, and end again.
#[test]
fn one_that_is_seen_to_live_again_is_not_lost_for_having_been_missed_before() {
    let mut node = Node::new();
    node.start(ID, &["main"]);
    node.used(ID, "main", 5);
    node.watch(3);
    node.allocations.clear();
    node.remove(ID, "main", 5);
    node.watch(8);
    node.group(ID, "main", 1, "second");
    node.watch(20);
    node.remove(ID, "main", 1);
    node.watch(9);
    assert!(node.ends().is_empty(), "{:?}", node.bodies);
    node.watch(3);
    assert_eq!(node.ends()[0].status, "lost");
}

#[test]
fn nobody_is_lost_before_nomad_was_heard_for_ten_seconds() {
    for restarts in [true, false] {
        let mut node = Node::new();
        node.start(ID, &["main"]);
        node.used(ID, "main", 5);
        node.watch(3);
        node.remove(ID, "main", 7);
        node.allocations.clear();
        node.watch(5);
        if restarts {
            node.restart();
        } else {
            node.nomad = false;
            node.watch(60);
            node.nomad = true;
        }
        node.watch(10);
        assert!(node.ends().is_empty(), "{:?}", node.bodies);
        node.watch(1);
        assert_eq!(node.ends().first().unwrap().status, "lost");
    }
}

/// With or without a parent that tells of its last use: nobody saw when that was.
#[test]
fn one_that_was_killed_while_the_agent_was_away_is_held_until_the_servers_last_wrote_that_it_ran() {
    for last_us in [0, 70] {
        let mut node = purged(10);
        node.pass(100 * S);
        node.allocations.get_mut(ID).unwrap().ran_us = Some(node.wall_us);
        node.pass(500 * S);
        node.remove(ID, "main", 50 + last_us);
        node.restart();
        node.watch(100);
        assert_eq!(lost_at(&node), 105 * S);
        let seen = (5_000_000, Quality::Measured, 50);
        let unseen = (100_000_000, Quality::Inferred, last_us);
        assert_eq!(held(&node), [seen, unseen]);
    }
}

/// Use that an empty group tells of is of before: a sign of life only where somebody looked all the time.
#[test]
fn one_whose_group_is_left_empty_is_held_to_its_last_use_if_that_was_seen() {
    // Four cores need 7 µs for 30.
    for (restarts, ended_us) in [(false, 6 * S), (true, 5 * S + 7)] {
        let mut node = purged(10);
        let seen = node.snapshot.tasks.get_mut(&key(ID, "main")).unwrap();
        seen.has_processes = false;
        seen.reading.used_us += 30;
        if restarts {
            node.restart();
        }
        node.watch(100);
        assert_eq!(lost_at(&node), ended_us, "restarts: {restarts}");
    }
}

/// What the servers write later than it was gone is no sign of its life.
#[test]
fn one_that_was_seen_to_go_is_held_no_longer_than_to_the_look_after() {
    let mut node = purged(10);
    node.remove(ID, "main", 50);
    node.watch(5);
    node.allocations.get_mut(ID).unwrap().ran_us = Some(node.wall_us);
    node.watch(100);
    assert_eq!(lost_at(&node), 6 * S);
    let seen = (5_000_000, Quality::Measured, 50);
    assert_eq!(held(&node), [seen, (1_000_000, Quality::Inferred, 0)]);
}

#[test]
fn one_that_did_not_live_through_a_boot_is_held_until_it_at_most() {
    for (wrote_s, ended_s) in [(10, 10), (25, 20), (0, 5)] {
        let mut node = purged(10);
        node.allocations.get_mut(ID).unwrap().ran_us = Some(WALL + wrote_s * S);
        // It was off at 20 s at the latest, and looked at again at 31 s.
        node.pass(25 * S);
        node.boot("second", 10 * S);
        node.restart();
        node.watch(100);
        assert_eq!(lost_at(&node), ended_s * S, "written at {wrote_s} s");
        let all_us: u64 = held(&node).iter().map(|(held_us, ..)| held_us).sum();
        assert_eq!(all_us, u64::try_from(ended_s * S).unwrap());
    }
}

/// It began, was purged and killed, all while nobody looked. What their parent counted more may
/// be of others that have been forgotten, too.
#[test]
fn one_that_nobody_saw_is_held_until_the_servers_last_wrote_that_it_ran() {
    for parents in [Some(900_000), None] {
        let mut node = Node::new();
        node.watch(5);
        node.pass(S);
        node.start(ID, &["main"]);
        node.pass(2 * S);
        purge(&mut node);
        node.pass(60 * S);
        node.gone_us += parents.unwrap_or(0);
        node.restart();
        node.watch(100);
        assert_eq!(lost_at(&node), 8 * S);
        let intervals = node.intervals(ID, "main");
        let [one] = intervals.as_slice() else {
            panic!("{intervals:?}")
        };
        assert_eq!((one.held_us, one.held), (2_000_000, Quality::Inferred));
        let cpu = (one.cpu.used_us, one.cpu.bound_us, one.cpu.quality);
        let most_us = parents.unwrap_or(2_000_000 * CORES);
        assert_eq!(cpu, (0, most_us, Quality::Gap));
    }
}

/// Its task was still to start when it was purged.
#[test]
fn one_that_never_ran_by_the_servers_word_is_held_for_nothing_it_was_not_seen_in() {
    let mut node = purged(10);
    let told = node.allocations.get_mut(ID).unwrap();
    told.task_times.get_mut("main").unwrap().running = false;
    told.ran_us = None;
    node.pass(600 * S);
    node.remove(ID, "main", 50);
    node.restart();
    node.watch(100);
    assert_eq!(lost_at(&node), 5 * S);
}

/// Its end is a moment; the wall-clock time of that moment may name another one.
#[test]
fn a_clock_that_was_set_while_nobody_looked_moves_no_end() {
    for (set_s, told) in [(-3_600, true), (-60, true), (60, true), (-3_600, false)] {
        let mut node = purged(10);
        node.wall_us += set_s * S;
        node.pass(60 * S);
        let told_us = told.then_some(node.wall_us);
        node.allocations.get_mut(ID).unwrap().ran_us = told_us;
        node.pass(7_000 * S);
        node.remove(ID, "main", 50);
        node.restart();
        node.watch(100);
        let held_us: u64 = held(&node).iter().map(|(held_us, ..)| held_us).sum();
        let (whole_s, at_s) = if told { (65, 65 + set_s) } else { (5, 5) };
        assert_eq!(
            (held_us, lost_at(&node)),
            (whole_s * 1_000_000, at_s * S),
            "{set_s} s"
        );
    }
}

/// So much use takes all cores that long, whenever it was.
#[test]
fn one_of_which_only_its_use_tells_is_held_for_as_long_as_that_took_at_least() {
    let mut node = purged(10);
    node.allocations.get_mut(ID).unwrap().ran_us = None;
    node.pass(600 * S);
    node.remove(ID, "main", 50 + 40_000_000);
    node.restart();
    node.watch(100);
    let seen = (5_000_000, Quality::Measured, 50);
    assert_eq!(
        held(&node),
        [seen, (10_000_000, Quality::Inferred, 40_000_000)]
    );
}

/// As docker's are among the machine's services: no parent tells of its last use.
#[test]
fn what_nobody_told_of_one_that_was_lost_is_marked() {
    let mut node = purged(10);
    node.allocations.get_mut(ID).unwrap().ran_us = None;
    node.snapshot.parent_of.clear();
    node.watch(1);
    node.pass(600 * S);
    node.snapshot.tasks.clear();
    node.restart();
    node.watch(100);
    let last = node.intervals(ID, "main").pop().unwrap();
    assert_eq!((last.held_us, last.cpu.quality), (0, Quality::Gap));
    assert_eq!(last.cpu.bound_us, 601_000_000 * CORES);
}

/// It was between two starts when somebody last looked.
#[test]
fn one_that_was_gone_for_a_moment_may_have_lived_again() {
    let mut node = Node::new();
    node.start(ID, &["main"]);
    node.used(ID, "main", 5);
    node.watch(3);
    node.remove(ID, "main", 5);
    node.watch(2);
    node.pass(3_600 * S);
    purge(&mut node);
    node.pass(60 * S);
    node.restart();
    node.watch(100);
    assert_eq!(lost_at(&node), 3_605 * S);
}

#[test]
fn one_without_a_counter_is_held_until_the_servers_last_wrote_that_it_ran() {
    let mut node = Node::new();
    node.start(ID, &["main"]);
    node.watch(20);
    purge(&mut node);
    node.watch(100);
    assert_eq!(lost_at(&node), 20 * S);
}

#[test]
fn an_empty_group_that_is_found_late_is_no_sign_of_life() {
    for watched_s in [0, 5] {
        let mut node = Node::new();
        node.watch(watched_s);
        node.restart();
        node.pass(S);
        node.start(ID, &["main"]);
        node.pass(2 * S);
        purge(&mut node);
        node.pass(60 * S);
        node.used(ID, "main", 30);
        let seen = node.snapshot.tasks.get_mut(&key(ID, "main")).unwrap();
        seen.has_processes = false;
        node.watch(100);
        assert_eq!(lost_at(&node), (watched_s + 3) * S);
    }
}

#[test]
fn one_that_began_and_was_purged_unseen_in_another_boot_did_not_live_through_it() {
    let mut node = Node::new();
    node.watch(5);
    node.pass(S);
    node.start(ID, &["main"]);
    node.allocations.get_mut(ID).unwrap().ran_us = Some(WALL + 25 * S);
    node.allocations.get_mut(ID).unwrap().listed = false;
    // It was off at 20 s at the latest.
    node.pass(24 * S);
    node.boot("second", 10 * S);
    node.restart();
    node.watch(100);
    assert_eq!(lost_at(&node), 20 * S);
}

/// Rows of a version that did not keep when a counter was last alive.
#[test]
fn what_older_rows_do_not_say_is_no_sign_of_life() {
    let mut node = purged(10);
    node.allocations.clear();
    node.pass(25 * S);
    node.boot("second", 10 * S);
    node.restart();
    node.watch(3);
    let older = node.meter.state().rows().into_iter().map(|(key, json)| {
        let mut row: serde_json::Value = serde_json::from_str(&json).unwrap();
        if key.starts_with("counter/") {
            row["counter"]
                .as_object_mut()
                .unwrap()
                .remove("lived_boot_us")
                .unwrap();
        }
        (key, row.to_string())
    });
    let older = State::from_rows(older.collect::<Vec<_>>()).unwrap();
    node.meter = Meter::new(older);
    node.watch(100);
    assert_eq!(lost_at(&node), 5 * S);
}

/// Its true end may still be told, when they are heard again.
#[test]
fn nobody_is_lost_before_the_servers_memory_was_asked_for_it_or_a_minute_has_passed() {
    let mut node = purged(10);
    node.remove(ID, "main", 50);
    node.memory = false;
    node.watch(59);
    assert!(node.ends().is_empty(), "{:?}", node.bodies);
    let mut patient = purged(10);
    patient.remove(ID, "main", 50);
    patient.memory = false;
    patient.watch(30);
    patient.memory = true;
    patient.watch(2);
    assert_eq!(patient.ends()[0].status, "lost");
    node.watch(2);
    assert_eq!(node.ends()[0].status, "lost");
}
