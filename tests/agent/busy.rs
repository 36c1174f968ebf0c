//! How much of a task's time its GPU's driver tells of, from the first look to the last.

use agent::gpu::{Answer, Busy};
use federation::usage::{Gpu, Quality};

use super::timeline::{Node, S, WALL, gpu};

/// A driver's sample, in µs.
const SAMPLE_US: i64 = 166_667;

fn micros(value: i64) -> u64 {
    u64::try_from(value).unwrap()
}

/// A driver that numbers its samples by the wall clock and was busy until a moment, at every sample.
#[expect(clippy::struct_field_names, reason = "a name carries its unit")]
struct Driver {
    busy_until_us: i64,
    /// How much it is behind with its samples, and how long it keeps them.
    late_us: i64,
    kept_us: u64,
    /// How far its clock is behind the wall clock.
    behind_us: i64,
}

impl Driver {
    fn busy_until(busy_until_us: i64) -> Self {
        Self {
            busy_until_us,
            late_us: 0,
            kept_us: u64::MAX,
            behind_us: 0,
        }
    }

    fn answer(&self, since_us: u64, wall_us: i64) -> Busy {
        let now_us = wall_us - self.behind_us;
        let newest = micros((now_us - self.late_us) / SAMPLE_US * SAMPLE_US);
        let newest = newest.max(since_us);
        if since_us > micros(now_us) {
            return Busy {
                last_seen_us: micros(now_us),
                ..Busy::default()
            };
        }
        let oldest = since_us.max(newest.saturating_sub(self.kept_us));
        Busy {
            busy_us: micros(self.busy_until_us - self.behind_us)
                .min(newest)
                .saturating_sub(oldest),
            seen_us: newest - oldest,
            hole_us: oldest - since_us,
            end_us: 2 * micros(SAMPLE_US),
            guessed_us: 0,
            last_seen_us: newest,
            from_us: Some(since_us),
        }
    }
}

/// Asks what the meter wants to know, and looks.
fn look(node: &mut Node, driver: &Driver) {
    let listed: Vec<_> = node.allocations.values().cloned().collect();
    for (id, since_us) in node.meter.questions(&listed, 0) {
        let busy = driver.answer(since_us, node.wall_us);
        node.busy.insert(id, Answer::Ok(busy));
    }
    node.look();
    node.busy.clear();
}

fn start(node: &mut Node, id: &str) {
    node.start(id, &["main"]);
    let facts = &mut node.allocations.get_mut(id).unwrap().facts;
    facts.tasks.first_mut().unwrap().devices.push(gpu("GPU-1"));
}

/// A task of 4.4 s that is found up to a second after its start, as is its end.
fn run(node: &mut Node, id: &str, driver: &Driver) -> Gpu {
    node.pass(400_000);
    start(node, id);
    node.pass(600_000);
    node.used(id, "main", 0);
    look(node, driver);
    for _ in 0..3 {
        node.pass(S);
        look(node, driver);
    }
    node.pass(800_000);
    node.remove(id, "main", 0);
    node.end(id);
    node.pass(200_000);
    look(node, driver);
    let intervals = node.intervals(id, "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    assert_eq!(one.held_us, 4_400_000);
    one.gpus.first().unwrap().clone()
}

/// What is promised: half a percent of the time seen, and a sample at each end.
fn promised_us() -> u64 {
    4_600_000 / 200 + 2 * micros(SAMPLE_US) + 5
}

#[test]
fn a_driver_is_asked_for_all_since_the_start() {
    let mut node = Node::new();
    let driver = Driver::busy_until(0);
    look(&mut node, &driver);
    for id in ["a", "b"] {
        let gpu = run(&mut node, id, &driver);
        assert_eq!((gpu.busy_us, gpu.quality), (0, Quality::Measured));
        assert!(gpu.busy_bound_us <= promised_us(), "{gpu:?}");
    }
}

#[test]
fn what_a_gpu_did_before_is_not_the_next_holders() {
    let mut node = Node::new();
    let mut driver = Driver::busy_until(i64::MAX);
    look(&mut node, &driver);
    let busy = run(&mut node, "a", &driver);
    assert_eq!(busy.busy_us, 4_400_000);
    // It goes on until the next one starts.
    driver.busy_until_us = node.wall_us + 400_000;
    let idle = run(&mut node, "b", &driver);
    assert_eq!(idle.busy_us, 0);
    assert!(idle.busy_bound_us <= promised_us(), "{idle:?}");
}

#[test]
fn a_task_that_just_started_is_asked_about_at_its_first_look() {
    let mut node = Node::new();
    node.look();
    start(&mut node, "a");
    let asked = |node: &Node| {
        let listed: Vec<_> = node.allocations.values().cloned().collect();
        node.meter.questions(&listed, 0)
    };
    assert_eq!(asked(&node), [("GPU-1".to_owned(), micros(WALL))]);
    assert_eq!(node.meter.questions(&[], 0), []);
    node.pass(S);
    look(&mut node, &Driver::busy_until(0));
    // Who has been answered goes on, even when the next holder is there already.
    let newest = micros((WALL + S) / SAMPLE_US * SAMPLE_US);
    start(&mut node, "b");
    assert_eq!(asked(&node), [("GPU-1".to_owned(), newest)]);
    // One that is over asks nothing.
    node.allocations.remove("a");
    node.end("b");
    node.watch(60);
    assert_eq!(asked(&node), []);
}

/// What its only GPU did, of a task whose use is in one interval.
fn gpu_of(node: &Node, id: &str) -> Gpu {
    let intervals = node.intervals(id, "main");
    let [one] = intervals.as_slice() else {
        panic!("{intervals:?}")
    };
    one.gpus.first().unwrap().clone()
}

fn begin(node: &mut Node, id: &str, after_us: i64) {
    node.pass(after_us);
    start(node, id);
}

fn end(node: &mut Node, id: &str, after_us: i64) {
    node.pass(after_us);
    node.end(id);
}

/// All of its life lies between two looks, and the driver has told of it by then.
#[test]
fn a_task_that_came_and_went_between_two_looks_is_asked_about_once() {
    let mut node = Node::new();
    let driver = Driver::busy_until(WALL + 3 * S);
    look(&mut node, &driver);
    begin(&mut node, "a", S);
    end(&mut node, "a", 5 * S);
    node.pass(2 * S);
    look(&mut node, &driver);
    let gpu = gpu_of(&node, "a");
    assert_eq!((gpu.allocated_us, gpu.busy_us), (5_000_000, 2_000_000));
    assert_eq!(gpu.quality, Quality::Measured);
    // Where in the answer its busy time lies is not told: it may be of the two seconds after its end.
    let most_us = 2_000_000 + 7_000_000 / 200 + 2 * micros(SAMPLE_US);
    assert!(gpu.busy_bound_us <= most_us, "{gpu:?}");
    let listed: Vec<_> = node.allocations.values().cloned().collect();
    assert_eq!(node.meter.questions(&listed, 0), []);
}

/// One answer tells of two that held a device in turn, each within its bound.
#[test]
fn two_that_held_a_device_between_two_looks_are_asked_about_since_the_first() {
    let mut node = Node::new();
    look(&mut node, &Driver::busy_until(0));
    for (id, other) in [("b", "a"), ("a", "b")] {
        let start_us = node.wall_us + S;
        let driver = Driver::busy_until(start_us + 1_500_000);
        let (first, second) = (format!("{id}1"), format!("{other}2"));
        begin(&mut node, &first, S);
        end(&mut node, &first, 1_500_000);
        begin(&mut node, &second, 100_000);
        end(&mut node, &second, 4 * S);
        node.pass(S);
        let listed: Vec<_> = node.allocations.values().cloned().collect();
        let wanted = [("GPU-1".to_owned(), micros(start_us))];
        assert_eq!(node.meter.questions(&listed, 0), wanted);
        look(&mut node, &driver);
        for (id, worked_us) in [(first, 1_500_000), (second, 0_u64)] {
            let gpu = gpu_of(&node, &id);
            let off_us = gpu.busy_us.abs_diff(worked_us);
            assert!(off_us <= gpu.busy_bound_us, "{id} {gpu:?}");
            assert!(gpu.busy_bound_us <= 2 * S as u64, "{id} {gpu:?}");
        }
    }
}

/// A driver that is a second behind tells at the next one's first look of the last one only.
#[test]
fn what_a_driver_tells_late_of_one_is_not_the_next_ones() {
    for late_us in [0, 300_000, S, 1_900_000] {
        let mut node = Node::new();
        let driver = Driver {
            late_us,
            ..Driver::busy_until(WALL + 10 * S)
        };
        start(&mut node, "a");
        for _ in 0..10 {
            node.pass(S);
            look(&mut node, &driver);
        }
        node.end("a");
        start(&mut node, "b");
        for _ in 0..5 {
            node.pass(S);
            look(&mut node, &driver);
        }
        node.end("b");
        look(&mut node, &driver);
        let idle = gpu_of(&node, "b");
        assert_eq!(
            (idle.busy_us, idle.quality),
            (0, Quality::Measured),
            "{late_us}"
        );
        let most_us = 2 * micros(late_us) + 5_000_000 / 200 + 4 * micros(SAMPLE_US);
        // As late at its end, and what the answer told of both may be of either.
        assert!(idle.busy_bound_us <= most_us, "{late_us} {idle:?}");
        let busy = gpu_of(&node, "a");
        assert!(
            busy.busy_us.abs_diff(10_000_000) <= busy.busy_bound_us,
            "{busy:?}"
        );
    }
}

/// What no driver keeps for so long costs the one that runs now nothing.
#[test]
fn one_that_was_over_long_ago_takes_nothing_from_one_that_runs() {
    let mut node = Node::new();
    let driver = Driver {
        kept_us: 20_000_000,
        ..Driver::busy_until(WALL + 10_002 * S)
    };
    start(&mut node, "old");
    end(&mut node, "old", 1_500_000);
    node.pass(9_998_500_000);
    start(&mut node, "new");
    node.pass(4 * S);
    look(&mut node, &driver);
    node.pass(S);
    end(&mut node, "new", 0);
    look(&mut node, &driver);
    let new = gpu_of(&node, "new");
    assert_eq!((new.busy_us, new.quality), (2_000_000, Quality::Measured));
    assert!(new.busy_bound_us <= 500_000, "{new:?}");
    let old = gpu_of(&node, "old");
    assert_eq!((old.busy_us, old.quality), (0, Quality::Gap));
    assert_eq!(old.busy_bound_us, 1_500_000);
}

/// Another's answers reach further than its start, of which nobody told before; and further than its end.
#[test]
fn what_was_told_to_another_already_is_a_gap() {
    for lives_on in [true, false] {
        let mut node = Node::new();
        let driver = Driver::busy_until(WALL + 10_900_000);
        start(&mut node, "a");
        for _ in 0..11 {
            node.pass(S);
            look(&mut node, &driver);
        }
        // Nomad tells late that one was over and the other began, and was busy for 0.8 s.
        node.end_at("a", WALL + 10 * S);
        start(&mut node, "b");
        let facts = &mut node.allocations.get_mut("b").unwrap().facts;
        facts.started_us = WALL + 10_100_000;
        if !lives_on {
            node.end_at("b", WALL + 10_900_000);
        }
        for _ in 0..3 {
            node.pass(S);
            look(&mut node, &driver);
        }
        if lives_on {
            node.end("b");
            look(&mut node, &driver);
        }
        let gpu = gpu_of(&node, "b");
        assert!(
            gpu.busy_us.abs_diff(800_000) <= gpu.busy_bound_us,
            "{gpu:?}"
        );
        assert!(gpu.busy_bound_us <= 1_600_000, "{gpu:?}");
    }
}

/// Of before its first look a driver that numbers by another clock tells nothing, as one that knows rates only.
#[test]
fn what_a_driver_of_another_clock_did_before_is_not_called_idle() {
    let mut node = Node::new();
    start(&mut node, "a");
    node.pass(400_000);
    node.end("a");
    node.busy
        .insert("GPU-1".to_owned(), Answer::Ok(Busy::default()));
    node.look();
    let gpu = gpu_of(&node, "a");
    assert_eq!((gpu.busy_us, gpu.busy_bound_us), (0, 400_000));
    assert_eq!(gpu.quality, Quality::Gap);
}

/// Nor does it hold for the next one that its numbers are no times of the wall clock.
#[test]
fn a_driver_of_another_clock_tells_of_the_next_one_as_well() {
    let mut node = Node::new();
    let driver = Driver {
        behind_us: WALL - 5_000 * S,
        ..Driver::busy_until(WALL + 100 * S)
    };
    for id in ["a", "b"] {
        start(&mut node, id);
        for _ in 0..10 {
            node.pass(S);
            look(&mut node, &driver);
        }
        node.end(id);
    }
    look(&mut node, &driver);
    for id in ["a", "b"] {
        let gpu = gpu_of(&node, id);
        assert!(
            gpu.busy_us.abs_diff(10_000_000) <= gpu.busy_bound_us,
            "{gpu:?}"
        );
        // Two seconds, as nobody knows how late it is, and those of the first look.
        assert!(gpu.busy_bound_us <= 4_000_000, "{gpu:?}");
    }
}
