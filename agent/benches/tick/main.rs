//! What a second of metering takes of a core: `cargo bench -p atoll-agent`.
//!
//! Drives the pieces of the agent's loop, one after another as `run` does, over a
//! node of 0, 20 and 100 allocations with 8 GPUs: groups of cgroup version 1 and 2
//! in a folder, real processes, and a real ledger. A look is a second of the clock
//! that the meter is told, so that one round of 300 has its commits and the cut of
//! five minutes. What is counted is CPU time, so that a busy machine blurs it little.
//!
//! Flags: `--looks N` and `--rounds N`; `--layout v1` or `v2`; `--allocations N`;
//! `--pause-ms N` waits as long for news as the agent does: its caches are cold then;
//! `--kernel` makes the groups in the machine's own trees (as root), since files in
//! a folder are read for less than the kernel's; `--gpu-library FILE` asks the library of
//! `tests/fake-nvml` in place of GPUs that answer at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed, and it prints"
)]

mod driver;
mod node;
mod processes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use agent::cgroup::Groups;
use agent::gpu::{Answer, Busy, Gpus};
use agent::ledger::Ledger;
use agent::meter::{Listing, Meter, Observation};
use driver::{Fake, Steady};
use federation::usage::Moment;
use node::{Layout, Node};
use rustix::time::{ClockId, clock_gettime};

const GPUS: usize = 8;
const S: i64 = 1_000_000;
/// 2026-10-15T00:00:00Z, when the boot clock is at 1,000 s.
const BEGIN: Moment = Moment {
    boot_us: 1_000 * S,
    wall_us: 1_792_022_400 * S,
};

/// What is measured, in the order of the loop.
const PARTS: [&str; 5] = ["groups", "gpus", "decide", "keep", "wait"];

struct Flags {
    layouts: Vec<Layout>,
    allocations: Vec<usize>,
    looks: usize,
    rounds: usize,
    pause: Duration,
    kernel: bool,
    gpu_library: Option<PathBuf>,
}

fn flags() -> Flags {
    let mut flags = Flags {
        layouts: vec![Layout::V1, Layout::V2],
        allocations: vec![0, 20, 100],
        looks: 300,
        rounds: 5,
        pause: Duration::from_millis(1),
        kernel: false,
        gpu_library: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("this flag needs a value");
        match word.as_str() {
            // What cargo says to every benchmark.
            "--bench" => {}
            "--kernel" => flags.kernel = true,
            "--looks" => flags.looks = value().parse().unwrap(),
            "--rounds" => flags.rounds = value().parse().unwrap(),
            "--pause-ms" => flags.pause = Duration::from_millis(value().parse().unwrap()),
            "--allocations" => flags.allocations = vec![value().parse().unwrap()],
            "--gpu-library" => flags.gpu_library = Some(value().into()),
            "--layout" if value() == "v1" => flags.layouts = vec![Layout::V1],
            "--layout" => flags.layouts = vec![Layout::V2],
            other => panic!("`{other}` is no flag of this benchmark"),
        }
    }
    flags
}

fn main() {
    let flags = flags();
    let place = if flags.kernel {
        "the kernel's groups"
    } else {
        "files"
    };
    println!(
        "CPU time a look, µs: median of {} rounds of {} looks; {place}",
        flags.rounds, flags.looks
    );
    println!(
        "layout  allocations   {}      all  % of a core",
        PARTS.map(|part| format!("{part:>7}")).join("  ")
    );
    for layout in &flags.layouts {
        let mut points = Vec::new();
        for &count in &flags.allocations {
            let parts = measure(*layout, count, &flags);
            let all: f64 = parts.iter().sum();
            let columns = parts.map(|us| format!("{us:>7.1}")).join("  ");
            println!(
                "{layout:?}      {count:>11}   {columns}  {all:>7.1}  {:>11.3}",
                all / 1e4
            );
            points.push((count, all));
        }
        if let (Some(&(few, least)), Some(&(many, most))) = (points.first(), points.last())
            && many > few
        {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a number of allocations is small"
            )]
            let each = (most - least) / (many - few) as f64;
            println!("{layout:?}: {least:.0} µs a look, and {each:.1} µs for each allocation");
        }
    }
}

/// The µs that each part takes of a look: the median of all rounds.
fn measure(layout: Layout, count: usize, flags: &Flags) -> [f64; 5] {
    let mut node = Node::new(layout, count, GPUS, flags.kernel);
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, _) = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    ledger.belong("node-1").unwrap();
    let fake = flags.gpu_library.as_deref();
    let fake = fake.map(|library| Fake::new(library, GPUS));
    let gpus: Box<dyn Gpus> = match &fake {
        Some(fake) => Box::new(agent::gpu::start(Some(fake.library()))),
        None => Box::new(Steady),
    };
    let mut daemon = Daemon {
        groups: agent::cgroup::open_at(&node.roots()),
        gpus,
        fake,
        meter: Meter::new(ledger.committed()),
        ledger,
        spent: [0.0; 5],
    };
    let mut now = BEGIN;
    // What begins is written at once, and then no more.
    for _ in 0..3 {
        daemon.look(&mut node, &mut now, flags.pause);
    }
    let mut rounds = Vec::new();
    for _ in 0..flags.rounds {
        daemon.spent = [0.0; 5];
        for _ in 0..flags.looks {
            daemon.look(&mut node, &mut now, flags.pause);
        }
        rounds.push(daemon.spent);
    }
    assert_eq!(daemon.meter.state().metered(), count, "not all are metered");
    #[expect(clippy::cast_precision_loss, reason = "a number of looks is small")]
    let looks = flags.looks as f64;
    std::array::from_fn(|part| {
        let mut all: Vec<f64> = rounds.iter().map(|spent| spent[part] / looks).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    })
}

struct Daemon {
    groups: Box<dyn Groups>,
    gpus: Box<dyn Gpus>,
    fake: Option<Fake>,
    meter: Meter,
    ledger: Ledger,
    /// µs of each part.
    spent: [f64; 5],
}

impl Daemon {
    /// One second of the agent's loop.
    fn look(&mut self, node: &mut Node, now: &mut Moment, pause: Duration) {
        now.boot_us += S;
        now.wall_us += S;
        node.work();
        if let Some(fake) = &self.fake {
            fake.at(*now);
        }
        let mut from = cpu_us();
        let mut spent = [0.0; 5];
        let mut part = 0;
        let mut next = || {
            let to = cpu_us();
            spent[part] = to - std::mem::replace(&mut from, to);
            part += 1;
        };
        let drivers = self.meter.drivers(&node.allocations);
        let snapshot = self.groups.read(&drivers);
        next();
        let questions = self.meter.questions(&node.allocations, 0).into_iter();
        let busy: BTreeMap<String, Answer<Busy>> = questions
            .map(|(id, since_us)| (id.clone(), self.gpus.busy(&id, since_us)))
            .collect();
        next();
        let seen = Observation {
            snapshot: &snapshot,
            listing: Some(Listing {
                allocations: &node.allocations,
                heard: *now,
                heard_since: Some(*now),
                asked: &std::collections::BTreeSet::new(),
                cores: 4,
                mhz: 8_000,
            }),
            busy: &busy,
            shift_us: 0,
            stopping: false,
        };
        let bodies = self.meter.observe(*now, "boot", &seen);
        let doubts = self.meter.doubts(&node.allocations);
        assert!(doubts.is_empty(), "all of them live: {doubts:?}");
        next();
        self.ledger
            .commit(bodies, self.meter.state(), *now)
            .unwrap();
        next();
        self.groups.wait(pause);
        next();
        for (sum, us) in self.spent.iter_mut().zip(spent) {
            *sum += us;
        }
    }
}

/// CPU time of all threads, in µs: one that asks the GPUs is one of them.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "a run takes some seconds")]
    let us = time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3;
    us
}
