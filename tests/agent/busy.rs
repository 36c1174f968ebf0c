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
struct Driver {
    busy_until_us: i64,
}

impl Driver {
    fn answer(&self, since_us: u64, now_us: i64) -> Busy {
        let newest = micros(now_us / SAMPLE_US * SAMPLE_US).max(since_us);
        let seen_us = newest - since_us;
        Busy {
            busy_us: micros(self.busy_until_us)
                .min(newest)
                .saturating_sub(since_us),
            seen_us,
            hole_us: 0,
            end_us: 2 * micros(SAMPLE_US),
            guessed_us: 0,
            last_seen_us: newest,
        }
    }
}

/// Asks what the meter wants to know, and looks.
fn look(node: &mut Node, driver: &Driver) {
    let listed: Vec<_> = node.allocations.values().cloned().collect();
    for (id, since_us) in node.meter.questions(&listed) {
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
    let driver = Driver { busy_until_us: 0 };
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
    let mut driver = Driver {
        busy_until_us: i64::MAX,
    };
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
        node.meter.questions(&listed)
    };
    assert_eq!(asked(&node), [("GPU-1".to_owned(), micros(WALL))]);
    assert_eq!(node.meter.questions(&[]), []);
    node.pass(S);
    look(&mut node, &Driver { busy_until_us: 0 });
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

/// All of its life lies between two looks, and the driver has told of it by then.
#[test]
fn a_task_that_came_and_went_between_two_looks_is_asked_about_once() {
    let mut node = Node::new();
    let driver = Driver {
        busy_until_us: WALL + 500_000,
    };
    look(&mut node, &driver);
    node.pass(200_000);
    start(&mut node, "a");
    node.pass(400_000);
    node.end("a");
    node.pass(400_000);
    look(&mut node, &driver);
    let [one] = &node.intervals("a", "main")[..] else {
        panic!("it is over")
    };
    let gpu = one.gpus.first().unwrap();
    assert_eq!((gpu.allocated_us, gpu.busy_us), (400_000, 300_000));
    assert_eq!(gpu.quality, Quality::Measured);
    // Where in the answer its busy time lies is not told: some may be of after its end.
    assert!(gpu.busy_bound_us <= 300_000, "{gpu:?}");
    let listed: Vec<_> = node.allocations.values().cloned().collect();
    assert_eq!(node.meter.questions(&listed), []);
}

/// One answer tells of two that held a device in turn, each within its bound.
#[test]
fn two_that_held_a_device_between_two_looks_are_asked_about_since_the_first() {
    let mut node = Node::new();
    look(&mut node, &Driver { busy_until_us: 0 });
    for (id, other) in [("b", "a"), ("a", "b")] {
        let start_us = node.wall_us;
        let driver = Driver {
            busy_until_us: start_us + 500_000,
        };
        let (first, second) = (format!("{id}1"), format!("{other}2"));
        node.pass(100_000);
        start(&mut node, &first);
        node.pass(300_000);
        node.end(&first);
        start(&mut node, &second);
        node.pass(400_000);
        node.end(&second);
        node.pass(200_000);
        let listed: Vec<_> = node.allocations.values().cloned().collect();
        let since_us = micros(start_us + 100_000);
        assert_eq!(
            node.meter.questions(&listed),
            [("GPU-1".to_owned(), since_us)]
        );
        look(&mut node, &driver);
        for (id, worked_us) in [(first, 300_000), (second, 100_000_u64)] {
            let intervals = node.intervals(&id, "main");
            let gpu = intervals.first().unwrap().gpus.first().unwrap();
            let off_us = gpu.busy_us.abs_diff(worked_us);
            assert!(off_us <= gpu.busy_bound_us, "{id} {gpu:?}");
        }
    }
}
