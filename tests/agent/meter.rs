//! What the meter makes of timelines, with numbers worked out by hand.

mod down;

use agent::gpu::{Answer, Busy};
use federation::usage::{Body, Interval, Quality};

use super::timeline::{BOOT, CORES, NOVEMBER, Node, S, WALL, gpu};

const DAY: i64 = 86_400 * S;

fn ends(intervals: &[Interval]) -> Vec<i64> {
    intervals.iter().map(|i| i.end.boot_us - BOOT).collect()
}

fn used(intervals: &[Interval]) -> Vec<u64> {
    intervals.iter().map(|i| i.cpu.used_us).collect()
}

fn seconds(value: i64) -> u64 {
    u64::try_from(value * S).unwrap()
}

#[test]
fn an_allocation_is_held_from_its_start_to_its_end() {
    let mut node = Node::new();
    node.look();
    node.pass(400_000);
    node.start("a", &["main"]);
    node.pass(600_000);
    node.used("a", "main", 70);
    let first = node.look();
    assert!(matches!(first.as_slice(), [Body::Allocation(a)] if a.id == "a"));
    node.pass(S);
    node.used("a", "main", 900);
    node.look();
    node.pass(250_000);
    node.remove("a", "main", 1_000);
    node.end("a");
    node.pass(750_000);
    node.look();
    let intervals = node.intervals("a", "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    assert_eq!(one.start.boot_us, BOOT + 400_000);
    assert_eq!(one.start.wall_us, WALL + 400_000);
    assert_eq!(one.held_us, 1_850_000);
    assert_eq!(one.held_total_us, 1_850_000);
    assert_eq!(one.held, Quality::Measured);
    // The last 100 µs were seen by the parent only.
    assert_eq!((one.cpu.used_us, one.cpu.bound_us), (1_000, 0));
    assert_eq!(one.cpu.quality, Quality::Measured);
    assert_eq!(node.ends().first().unwrap().ended_us, WALL + 2_250_000);
    node.watch(400);
    assert_eq!(node.intervals("a", "main").len(), 1);
}

#[test]
fn an_interval_is_five_minutes_at_most_and_all_tasks_are_cut_together() {
    let mut node = Node::new();
    node.start("a", &["main", "side"]);
    node.used("a", "main", 0);
    node.used("a", "side", 0);
    node.look();
    for second in 1..=900 {
        node.pass(S);
        node.used("a", "main", second * 10);
        node.used("a", "side", second);
        node.look();
    }
    let main = node.intervals("a", "main");
    assert_eq!(ends(&main), [300 * S, 600 * S, 900 * S]);
    assert_eq!(ends(&node.intervals("a", "side")), ends(&main));
    assert_eq!(used(&main), [3_000, 3_000, 3_000]);
    assert_eq!(main.last().unwrap().cpu.total_us, 9_000);
    assert_eq!(main.last().unwrap().cpu.raw_us, 9_000);
    assert_eq!(main.last().unwrap().held_total_us, seconds(900));
}

#[test]
fn an_interval_is_no_longer_when_a_look_comes_late() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 0);
    node.look();
    node.watch(298);
    node.used("a", "main", 40);
    node.watch(1);
    // One more second would be just in time; but it is five, and no gap yet.
    node.pass(5 * S);
    node.used("a", "main", 70);
    node.look();
    node.watch(1);
    node.look_as(true);
    let intervals = node.intervals("a", "main");
    assert_eq!(ends(&intervals), [299 * S, 305 * S]);
    assert_eq!(used(&intervals), [40, 30]);
    assert!(intervals.iter().all(|i| i.held == Quality::Measured));
}

/// Nobody knows when it was used: all of it may lie on one side of the end.
#[test]
fn a_month_that_ends_while_nobody_looks_divides_use_by_time_with_a_bound_on_both_sides() {
    for (before_s, parts) in [(90, (900, 100)), (10, (100, 900))] {
        let mut node = Node::new();
        node.wall_us = NOVEMBER - before_s * S;
        node.start("a", &["main"]);
        node.used("a", "main", 0);
        node.look();
        node.restart();
        node.pass(100 * S);
        node.used("a", "main", 1_000);
        node.look();
        let intervals = node.intervals("a", "main");
        let [october, november] = intervals.as_slice() else {
            panic!("{intervals:?}")
        };
        assert_eq!(october.end.wall_us, NOVEMBER);
        assert_eq!((october.cpu.used_us, november.cpu.used_us), parts);
        for part in [october, november] {
            assert_eq!(
                (part.cpu.bound_us, part.cpu.quality),
                (900, Quality::Inferred)
            );
        }
    }
}

#[test]
fn a_month_ends_to_the_microsecond() {
    let mut node = Node::new();
    node.wall_us = NOVEMBER - 2 * S - 300_000;
    node.start("a", &["main"]);
    node.used("a", "main", 0);
    node.look();
    node.watch(1);
    node.pass(S);
    node.used("a", "main", 20);
    node.look();
    node.pass(S);
    node.used("a", "main", 50);
    // 0.7 s after midnight: the 30 µs since the last look count for October, and may be November's.
    node.look();
    node.watch(1);
    node.look_as(true);
    let intervals = node.intervals("a", "main");
    assert_eq!(ends(&intervals), [2_300_000, 4 * S]);
    let [october, november] = intervals.as_slice() else {
        panic!()
    };
    assert_eq!(october.end.wall_us, NOVEMBER);
    assert_eq!(november.start, october.end);
    assert_eq!((october.cpu.used_us, november.cpu.used_us), (50, 0));
    assert_eq!((october.cpu.bound_us, november.cpu.bound_us), (30, 30));
    assert_eq!(october.held_us + november.held_us, seconds(4));
}

#[test]
fn a_task_that_ends_cuts_its_allocation() {
    let mut node = Node::new();
    node.start("a", &["main", "side"]);
    node.used("a", "main", 0);
    node.used("a", "side", 0);
    node.look();
    node.pass(2_500_000);
    node.used("a", "main", 70);
    node.remove("a", "side", 30);
    node.end_task("a", "side");
    node.pass(500_000);
    node.look();
    assert_eq!(ends(&node.intervals("a", "main")), [2_500_000]);
    assert_eq!(used(&node.intervals("a", "side")), [30]);
    node.look_as(true);
    // Of the one that goes on some may have been used after the cut.
    let bounds = |task: &str| -> Vec<u64> {
        let intervals = node.intervals("a", task);
        intervals.iter().map(|i| i.cpu.bound_us).collect()
    };
    assert_eq!((bounds("main"), bounds("side")), (vec![70, 70], vec![0, 0]));
}

/// Nomad tells of an end a look or more after it was: a group goes, another one, then the word comes.
#[test]
fn what_goes_on_after_a_late_word_of_an_end_has_all_looks_since_as_bound() {
    let mut node = Node::new();
    node.start("a", &["main", "side", "third"]);
    for task in ["main", "side", "third"] {
        node.used("a", task, 0);
    }
    node.look();
    node.pass(S);
    node.used("a", "main", 1_000);
    node.look();
    node.remove("a", "side", 0);
    node.remove("a", "third", 0);
    // Both are over now, one after the other; that is told three looks later.
    node.pass(S);
    let ends = [node.wall_us, node.wall_us + S / 5];
    for used_us in [1_010, 1_020] {
        node.used("a", "main", used_us);
        node.look();
        node.pass(S / 10);
    }
    node.pass(S);
    node.used("a", "main", 1_500);
    let told = node.allocations.get_mut("a").unwrap();
    for (task, end_us) in ["side", "third"].into_iter().zip(ends) {
        let times = told.task_times.get_mut(task).unwrap();
        times.running = false;
        times.finished_us = Some(end_us);
    }
    node.look();
    node.pass(S);
    node.used("a", "main", 1_600);
    node.look_as(true);
    let intervals = node.intervals("a", "main");
    let each: Vec<_> = intervals
        .iter()
        .map(|i| (i.held_us, i.cpu.used_us, i.cpu.bound_us))
        .collect();
    // The first 1,000 were there before; 10 at the moment of the first end, 10 and 480 after it.
    assert_eq!(
        each,
        [
            (2_000_000, 1_500, 490),
            (200_000, 0, 490),
            (2_000_000, 100, 480)
        ]
    );
}

#[test]
fn a_counter_that_begins_anew_begins_an_interval() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.group("a", "main", 0, "one");
    node.look();
    node.pass(S);
    node.group("a", "main", 500, "one");
    node.look();
    node.pass(S);
    node.remove("a", "main", 600);
    node.group("a", "main", 40, "two");
    node.look();
    node.look_as(true);
    let intervals = node.intervals("a", "main");
    assert_eq!(ends(&intervals), [S, 2 * S]);
    assert_eq!(used(&intervals), [600, 40]);
    let epochs: Vec<_> = intervals.iter().map(|i| i.cpu.epoch.as_str()).collect();
    assert_eq!(epochs, ["one", "two"]);
    assert_eq!(intervals.last().unwrap().cpu.total_us, 640);
}

#[test]
fn several_that_end_at_once_share_what_their_parent_counted() {
    let mut node = Node::new();
    node.skew_us = 4;
    for id in ["a", "b"] {
        node.start(id, &["main"]);
        node.used(id, "main", 100);
    }
    node.look();
    node.pass(S);
    node.remove("a", "main", 180);
    node.remove("b", "main", 131);
    node.end("a");
    node.end("b");
    node.look();
    let a = node.intervals("a", "main").pop().unwrap().cpu;
    let b = node.intervals("b", "main").pop().unwrap().cpu;
    // 111 µs more than was seen, known to -4 and +4: 107 at least, 115 at most.
    assert_eq!((a.used_us, b.used_us), (100 + 54, 100 + 53));
    assert_eq!((a.bound_us, b.bound_us), (115 - 54, 115 - 53));
    assert_eq!(a.quality, Quality::Inferred);
}

#[test]
fn a_task_without_a_group_is_held_and_its_use_is_a_gap() {
    let mut node = Node::new();
    node.look();
    node.start("a", &["main"]);
    node.watch(400);
    node.end("a");
    node.watch(1);
    let intervals = node.intervals("a", "main");
    let held: u64 = intervals.iter().map(|i| i.held_us).sum();
    let bound: u64 = intervals.iter().map(|i| i.cpu.bound_us).sum();
    assert_eq!(held, seconds(400));
    assert_eq!(bound, seconds(400) * CORES);
    assert!(intervals.iter().all(|i| i.cpu.quality == Quality::Gap));
    assert!(intervals.iter().all(|i| i.held_us <= seconds(300)));
}

#[test]
fn a_gpu_is_busy_for_who_holds_it() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    let facts = &mut node.allocations.get_mut("a").unwrap().facts;
    facts.tasks.first_mut().unwrap().devices.push(gpu("GPU-1"));
    node.used("a", "main", 0);
    node.look();
    let start_us = u64::try_from(WALL).unwrap();
    assert_eq!(
        node.meter.questions(&[], 0),
        [("GPU-1".to_owned(), start_us)]
    );
    for second in 1..=10 {
        node.pass(S);
        let answer = Busy {
            busy_us: 250_000,
            seen_us: 1_000_000,
            hole_us: 0,
            end_us: 20_000,
            guessed_us: 0,
            last_seen_us: second,
            from_us: Some(start_us + (second - 1) * 1_000_000),
        };
        node.busy.insert("GPU-1".to_owned(), Answer::Ok(answer));
        node.look();
    }
    assert_eq!(node.meter.questions(&[], 0), [("GPU-1".to_owned(), 10)]);
    node.busy.insert("GPU-1".to_owned(), Answer::Late);
    node.watch(5);
    node.look_as(true);
    let one = node.intervals("a", "main").pop().unwrap();
    let gpu = one.gpus.first().unwrap();
    assert_eq!((gpu.allocated_us, gpu.busy_us), (seconds(15), 2_500_000));
    // Half a percent of 10 s, one sample of 20 ms, and 5 s of which the driver said nothing.
    assert_eq!(gpu.busy_bound_us, 50_000 + 20_000 + 5_000_000);
    assert_eq!(gpu.quality, Quality::Gap);
}

#[test]
fn an_allocation_that_nomad_forgot_ends_when_it_was_last_seen() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 0);
    node.look();
    node.watch(5);
    node.remove("a", "main", 9);
    node.allocations.clear();
    node.nomad = false;
    node.restart();
    node.pass(1_000 * S);
    node.look();
    node.nomad = true;
    // Its true end may still be told by the servers' memory.
    node.watch(10);
    assert!(node.ends().is_empty() && node.meter.doubts(&[]).contains("a"));
    node.watch(1);
    assert_eq!(used(&node.intervals("a", "main")).iter().sum::<u64>(), 9);
    assert_eq!(node.ends().first().unwrap().status, "lost");
}

#[test]
fn a_clock_that_is_set_moves_no_duration() {
    let mut node = Node::new();
    node.look();
    node.pass(300_000);
    node.start("a", &["main"]);
    node.pass(300_000);
    node.wall_us += 3_600 * S;
    node.pass(400_000);
    node.used("a", "main", 1);
    node.look();
    node.watch(9);
    node.wall_us -= 7_200 * S;
    node.watch(10);
    node.look_as(true);
    let held: u64 = node.intervals("a", "main").iter().map(|i| i.held_us).sum();
    assert_eq!(held, 19_700_000);
}

#[test]
fn more_than_all_cores_can_do_is_not_given_to_a_task() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 100);
    node.look();
    node.pass(S);
    node.remove("a", "main", 150);
    // A service that ran for hours has ended in the same second.
    node.gone_us += seconds(7_200);
    node.end("a");
    node.look();
    let cpu = node.intervals("a", "main").pop().unwrap().cpu;
    assert_eq!((cpu.used_us, cpu.quality), (100, Quality::Gap));
    assert_eq!(cpu.bound_us, seconds(1) * CORES);
}

#[test]
fn a_group_that_cannot_be_read_for_a_moment_is_not_counted_twice() {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 100);
    node.look();
    node.pass(S);
    // Its parent counts it all the same.
    node.remove("a", "main", 160);
    node.look();
    node.pass(S);
    node.gone_us -= 160;
    node.used("a", "main", 200);
    node.look();
    node.pass(S);
    node.remove("a", "main", 230);
    node.end("a");
    node.look();
    assert_eq!(used(&node.intervals("a", "main")).iter().sum::<u64>(), 230);
}

/// An absence may be long, and February is among the months.
#[test]
fn an_absence_over_several_months_is_cut_at_the_end_of_each() {
    let mut node = Node::new();
    node.wall_us = NOVEMBER - 10 * S;
    node.start("a", &["main"]);
    node.used("a", "main", 0);
    node.look();
    node.restart();
    // To 2027-03-01T00:00:05Z.
    node.pass((30 + 31 + 31 + 28) * DAY + 15 * S);
    node.look();
    let day = |interval: &Interval| (interval.end.wall_us - NOVEMBER) / DAY;
    let intervals = node.intervals("a", "main");
    let ends: Vec<_> = intervals.iter().map(day).collect();
    assert_eq!(ends, [0, 30, 61, 92, 120, 120]);
    let (last, months) = intervals.split_last().unwrap();
    assert!(months.iter().all(|i| (i.end.wall_us - NOVEMBER) % DAY == 0));
    assert_eq!((last.held_us, last.held), (5_000_000, Quality::Inferred));
}

/// The first container of a node, and with it the group that is the parent of all: it came and went
/// between two looks.
#[test]
fn what_a_parent_counts_that_was_not_there_before_is_of_whoever_ran_since() {
    let mut node = Node::new();
    node.has_parent = false;
    node.watch(2);
    node.pass(S / 2);
    node.start("a", &["main"]);
    node.pass(S / 10);
    node.has_parent = true;
    node.gone_us += 4_321;
    node.end("a");
    node.pass(S / 2);
    node.look();
    let intervals = node.intervals("a", "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    let cpu = (one.cpu.used_us, one.cpu.bound_us, one.cpu.quality);
    assert_eq!(cpu, (4_321, 0, Quality::Inferred));
}
