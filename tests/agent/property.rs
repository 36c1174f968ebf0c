//! Whatever happens to a node: what is written adds up to what was held and used.

use std::collections::{BTreeMap, BTreeSet};

use agent::meter::{Meter, State};
use federation::usage::{Body, Interval, Quality};
use proptest::prelude::*;

use super::timeline::{NOVEMBER, Node, S};

/// Something that happens.
#[derive(Debug, Clone)]
enum Op {
    /// A task uses CPU time; the agent looks a little later.
    Use(usize, u32),
    Look(u32),
    Start(bool),
    /// An allocation ends, having used a little more that nobody saw.
    End(usize, u32),
    /// A task's group is replaced by another one.
    Renew(usize, u32),
    /// The agent dies, with its last look not written if `.0`, and is away for some seconds.
    Crash(bool, u16),
    /// The machine boots: `.0` seconds without it, and `.1` until the agent looks.
    Reboot(u16, u16),
    Jump(i16),
    Nomad(bool),
    /// The agent watches quietly.
    Watch(u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..6_usize, 0..900_000_u32).prop_map(|(task, us)| Op::Use(task, us)),
        6 => (0..1_000_000_u32).prop_map(Op::Look),
        4 => any::<bool>().prop_map(Op::Start),
        3 => (0..6_usize, 0..90_000_u32).prop_map(|(task, us)| Op::End(task, us)),
        2 => (0..6_usize, 0..90_000_u32).prop_map(|(task, us)| Op::Renew(task, us)),
        3 => (any::<bool>(), 0..900_u16).prop_map(|(lost, away)| Op::Crash(lost, away)),
        1 => (1..900_u16, 1..60_u16).prop_map(|(away, up)| Op::Reboot(away, up)),
        1 => any::<i16>().prop_map(Op::Jump),
        1 => any::<bool>().prop_map(Op::Nomad),
        2 => (1..400_u16).prop_map(Op::Watch),
    ]
}

/// A task's truth.
#[derive(Debug, Clone, Default)]
struct Truth {
    used_us: u64,
    /// The counter of its present group.
    raw_us: u64,
    epoch: u32,
    /// Whether its present group was looked at.
    seen: bool,
}

/// An allocation's truth: real time goes on over boots.
#[derive(Debug, Clone)]
struct Held {
    tasks: Vec<&'static str>,
    start_us: i64,
    end_us: Option<i64>,
}

struct World {
    node: Node,
    real_us: i64,
    saved: (BTreeMap<String, String>, usize),
    saved_shape: u64,
    saved_us: i64,
    held: BTreeMap<String, Held>,
    truth: BTreeMap<(String, &'static str), Truth>,
    boots: usize,
    made: u32,
    dark_us: u64,
}

const BOOTS: [&str; 8] = ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"];

impl World {
    fn new(before_month_end_s: u32) -> Self {
        let mut node = Node::new();
        node.boot_id = "b0";
        node.wall_us = NOVEMBER - i64::from(before_month_end_s) * S - 123_456;
        let mut world = Self {
            real_us: 0,
            saved: (BTreeMap::new(), 0),
            saved_shape: 0,
            saved_us: i64::MIN,
            node,
            held: BTreeMap::new(),
            truth: BTreeMap::new(),
            boots: 0,
            made: 0,
            dark_us: 0,
        };
        world.look();
        world
    }

    fn pass(&mut self, micros: i64) {
        self.real_us += micros;
        self.node.pass(micros);
    }

    /// A look, and the commit that a ledger makes of it.
    fn look(&mut self) {
        self.show();
        let bodies = self.node.look();
        let state = self.node.meter.state();
        let due = self.real_us.saturating_sub(self.saved_us) >= 10 * S;
        if !bodies.is_empty() || due || state.shape() != self.saved_shape {
            self.saved = (state.rows(), self.node.bodies.len());
            self.saved_shape = state.shape();
            self.saved_us = self.real_us;
        }
        for key in self.live() {
            self.truth.get_mut(&key).unwrap().seen = true;
        }
    }

    /// A group is gone; what it used may be known of nobody if it was never looked at.
    fn gone(&mut self, key: &(String, &'static str)) {
        let truth = self.truth.get_mut(key).unwrap();
        if !truth.seen {
            self.dark_us += truth.raw_us;
        }
        truth.seen = false;
    }

    fn show(&mut self) {
        for ((id, task), truth) in &self.truth {
            if self.held.get(id).is_some_and(|held| held.end_us.is_none()) {
                let epoch = format!("{}/{}", self.node.boot_id, truth.epoch);
                self.node.group(id, task, truth.raw_us, &epoch);
            }
        }
    }

    fn live(&self) -> Vec<(String, &'static str)> {
        let open = |key: &&(String, &'static str)| self.held[&key.0].end_us.is_none();
        self.truth.keys().filter(open).cloned().collect()
    }

    fn pick(&self, number: usize) -> Option<(String, &'static str)> {
        let live = self.live();
        live.get(number.checked_rem(live.len())?).cloned()
    }

    fn use_up(&mut self, key: &(String, &'static str), micros: u32) {
        let truth = self.truth.get_mut(key).unwrap();
        truth.used_us += u64::from(micros);
        truth.raw_us += u64::from(micros);
    }

    fn start(&mut self, two: bool) {
        if self.live().len() > 5 {
            return;
        }
        self.made += 1;
        let id = format!("{:04}", self.made);
        let tasks = if two {
            vec!["main", "side"]
        } else {
            vec!["main"]
        };
        self.node.start(&id, &tasks);
        for task in &tasks {
            self.truth.insert((id.clone(), *task), Truth::default());
        }
        let held = Held {
            tasks,
            start_us: self.real_us,
            end_us: None,
        };
        self.held.insert(id, held);
        self.pass(1_000);
    }

    fn end(&mut self, id: &str, last_us: u32) {
        self.pass(1_000 + i64::from(last_us));
        for task in self.held[id].tasks.clone() {
            let key = (id.to_owned(), task);
            self.use_up(&key, last_us);
            self.gone(&key);
            let raw_us = self.truth[&key].raw_us;
            self.node.remove(id, task, raw_us);
        }
        self.node.end(id);
        self.held.get_mut(id).unwrap().end_us = Some(self.real_us);
        self.pass(1_000);
    }

    fn crash(&mut self, lost: bool) {
        if lost {
            self.pass(300_000);
            self.show();
            self.node.look();
        }
        let (rows, bodies) = self.saved.clone();
        self.node.bodies.truncate(bodies);
        self.node.meter = Meter::new(State::from_rows(rows).unwrap());
        self.saved_us = i64::MIN;
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Use(number, micros) => {
                if let Some(key) = self.pick(number) {
                    self.use_up(&key, micros);
                }
                self.pass(250_000);
            }
            Op::Look(micros) => {
                self.pass(i64::from(micros) + 1);
                self.look();
            }
            Op::Start(two) => self.start(two),
            Op::End(number, last_us) => {
                if let Some((id, _)) = self.pick(number) {
                    self.end(&id, last_us);
                }
            }
            Op::Renew(number, last_us) => {
                if let Some(key) = self.pick(number) {
                    self.pass(i64::from(last_us));
                    self.use_up(&key, last_us);
                    self.gone(&key);
                    let truth = self.truth.get_mut(&key).unwrap();
                    self.node.gone_us += truth.raw_us;
                    truth.raw_us = 0;
                    truth.epoch += 1;
                    self.pass(1_000);
                }
            }
            Op::Crash(lost, away_s) => {
                self.crash(lost);
                self.pass(i64::from(away_s) * S);
            }
            Op::Reboot(away_s, up_s) => self.reboot(i64::from(away_s), i64::from(up_s)),
            Op::Jump(seconds) => {
                self.look();
                self.node.wall_us += i64::from(seconds) * S;
                self.pass(500_000);
                // A clock that is set while nobody looks, over a boot, is not to be known.
                self.saved_us = i64::MIN;
                self.look();
            }
            Op::Nomad(there) => self.node.nomad = there,
            Op::Watch(seconds) => {
                for _ in 0..seconds {
                    self.pass(S);
                    self.look();
                }
            }
        }
    }

    fn reboot(&mut self, away_s: i64, up_s: i64) {
        if self.boots + 1 == BOOTS.len() {
            return;
        }
        self.boots += 1;
        self.crash(false);
        self.pass((away_s + up_s) * S);
        self.node.boot(BOOTS[self.boots], up_s * S);
        for key in self.live() {
            let truth = self.truth.get_mut(&key).unwrap();
            truth.raw_us = 0;
            truth.epoch += 1;
        }
        self.look();
    }

    fn finish(&mut self) {
        self.node.nomad = true;
        let open: BTreeSet<String> = self.live().into_iter().map(|(id, _)| id).collect();
        for id in open {
            self.pass(S);
            self.look();
            self.end(&id, 77);
        }
        self.pass(S);
        self.look();
    }

    fn check(&self) {
        let mut all_used = 0;
        let mut all_true = 0;
        for (id, held) in &self.held {
            let says = |body: &&Body| matches!(body, Body::Allocation(a) if a.id == *id);
            assert_eq!(self.node.bodies.iter().filter(says).count(), 1, "{id}");
            let ends = self.node.ends();
            assert_eq!(ends.iter().filter(|end| end.allocation == *id).count(), 1);
            let first = self.node.intervals(id, held.tasks[0]);
            for task in &held.tasks {
                let intervals = self.node.intervals(id, task);
                check_held(&intervals, held);
                assert_eq!(moments(&intervals), moments(&first), "{id}");
                let truth = self.truth[&(id.clone(), *task)].used_us;
                all_used += check_used(&intervals, truth, self.dark_us == 0);
                all_true += truth;
            }
        }
        assert!(all_used <= all_true, "{all_used} of {all_true}");
        // What nobody claims for an hour makes a parent one of strangers.
        if self.boots == 0 && self.real_us < 3_600 * S {
            assert!(
                all_used + self.dark_us >= all_true,
                "{all_used} of {all_true}"
            );
        }
    }
}

fn moments(intervals: &[Interval]) -> Vec<(i64, i64)> {
    let moment = |i: &Interval| (i.start.boot_us, i.end.boot_us);
    intervals.iter().map(moment).collect()
}

fn check_held(intervals: &[Interval], held: &Held) {
    let sum: u64 = intervals.iter().map(|i| i.held_us).sum();
    let truth = u64::try_from(held.end_us.unwrap() - held.start_us).unwrap();
    assert_eq!(sum, truth, "{held:?} {intervals:#?}");
    assert_eq!(intervals.last().unwrap().held_total_us, truth);
    for pair in intervals.windows(2) {
        let [one, two] = pair else { continue };
        if one.boot_id == two.boot_id {
            assert_eq!(one.end.boot_us, two.start.boot_us);
        } else {
            assert_eq!(one.end.wall_us, two.start.wall_us);
        }
    }
    for i in intervals {
        assert_eq!(
            i.held_us,
            u64::try_from(i.end.boot_us - i.start.boot_us).unwrap()
        );
        let crosses = i.start.wall_us < NOVEMBER && NOVEMBER < i.end.wall_us;
        assert!(!crosses, "{i:?}");
        // Each look here sees a group of it live, so that each can cut.
        if i.held == Quality::Measured {
            assert!(i.held_us <= 300_000_000, "{i:?}");
        }
    }
}

/// Gives what is said to be used. What no look has seen may be said to be another's.
fn check_used(intervals: &[Interval], truth: u64, all_seen: bool) -> u64 {
    let used: u64 = intervals.iter().map(|i| i.cpu.used_us).sum();
    let bound: u64 = intervals.iter().map(|i| i.cpu.bound_us).sum();
    assert_eq!(intervals.last().unwrap().cpu.total_us, used);
    let worst = intervals.iter().map(|i| i.cpu.quality).max().unwrap();
    if !all_seen {
        return used;
    }
    if worst == Quality::Measured && bound == 0 {
        assert_eq!(used, truth, "{intervals:#?}");
    } else if intervals.iter().all(|i| i.cpu.quality != Quality::Inferred) {
        assert!(used <= truth, "{used} {truth} {intervals:#?}");
        assert!(
            truth <= used + bound,
            "{used} {bound} {truth} {intervals:#?}"
        );
    }
    used
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_adds_up(before in 0_u32..2_000, ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new(before);
        for op in &ops {
            world.apply(op);
        }
        world.finish();
        world.check();
    }
}
