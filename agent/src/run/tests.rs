//! The loop, with a real ledger, and plain data for everything outside.

use super::*;
use crate::cgroup::{Snapshot, TaskKey};
use crate::nomad::Node;

const NODE: &str = "11111111-0000-4000-8000-000000000001";
const OTHER: &str = "22222222-0000-4000-8000-000000000002";

fn at(second: i64) -> Moment {
    Moment {
        boot_us: second * 1_000_000,
        wall_us: second * 1_000_000,
    }
}

struct Clocks(Mutex<i64>);

impl Clock for Clocks {
    fn now(&self) -> Moment {
        at(*self.0.lock().unwrap())
    }

    fn boot_id(&self) -> &'static str {
        "first"
    }

    fn shift_us(&self) -> i64 {
        0
    }
}

struct NoGroups;

impl Groups for NoGroups {
    fn read(&mut self, _: &BTreeMap<TaskKey, String>) -> Snapshot {
        Snapshot::default()
    }

    fn wait(&mut self, _: Duration) {}
}

/// A driver that takes five seconds to say nothing.
struct Slow(Arc<Clocks>);

impl Gpus for Slow {
    fn inventory(&self) -> Answer<gpu::Inventory> {
        Answer::Late
    }

    fn busy(&self, _: &str, _: u64) -> Answer<Busy> {
        *self.0.0.lock().unwrap() += 5;
        Answer::Late
    }
}

struct NoGpus;

impl Gpus for NoGpus {
    fn inventory(&self) -> Answer<gpu::Inventory> {
        Answer::Unavailable("there is none".to_owned())
    }

    fn busy(&self, _: &str, _: u64) -> Answer<Busy> {
        Answer::Unavailable("there is none".to_owned())
    }
}

fn started(id: &str) -> nomad::Allocation {
    let task = serde_json::json!({
        "name": "main", "driver": "docker", "cpu_mhz": 1, "cores": 0, "memory_mib": 1,
        "devices": [{"id": "GPU-1", "vendor": "nvidia", "type": "gpu", "model": "Example"}],
    });
    let facts = serde_json::json!({
        "id": id, "namespace": "n", "job": "j", "group": "g", "name": "j.g[0]", "started_us": 1_000_000,
        "tasks": [task], "disk_mib": 0, "node_cores": 1, "node_mhz": 1,
    });
    nomad::Allocation {
        facts: serde_json::from_value(facts).unwrap(),
        started: true,
        ended: None,
        task_times: BTreeMap::new(),
        modify_index: 1,
        ran_us: Some(1_000_000),
        listed: true,
        is_told: true,
    }
}

/// What Nomad lists of a node from a second on.
fn list(followed: &Shared, node_id: &str, ids: &[&str], second: i64) {
    let node = Node {
        id: node_id.to_owned(),
        name: "n".to_owned(),
        datacenter: "d".to_owned(),
        status: "ready".to_owned(),
        kind: None,
        cores: 1,
        mhz: 1,
        memory_mib: 0,
        disk_mib: 0,
        devices: Vec::new(),
    };
    let listed = ids.iter().map(|id| started(id)).collect();
    followed.change(|known| known.list(&node, listed, at(second)));
}

/// Tells a story of a daemon whose ledger is in a folder of its own.
fn with_daemon(story: impl FnOnce(&mut Daemon, &Path, &dyn Fn(i64))) {
    with_gpus(false, story);
}

/// The same, with a driver that takes long, or none.
fn with_gpus(slow_gpus: bool, story: impl FnOnce(&mut Daemon, &Path, &dyn Fn(i64))) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Arc::new(Clocks(Mutex::new(1)));
    let (ledger, _) = Ledger::open(&path).unwrap();
    let slow = Slow(Arc::clone(&clock));
    let mut daemon = Daemon {
        clock: &*clock,
        groups: Box::new(NoGroups),
        gpus: if slow_gpus { &slow } else { &NoGpus },
        meter: Meter::new(ledger.committed()),
        ledger,
        followed: Arc::default(),
        bell: Arc::default(),
        standing: Arc::default(),
        trouble: None,
        unreadable: None,
        driver: None,
        told: String::new(),
    };
    let set = |second| *clock.0.lock().unwrap() = second;
    story(&mut daemon, &path, &set);
}

/// The entries of the oldest ledger, as they would be delivered.
fn written(path: &Path) -> Vec<Body> {
    let batch = Outbox::open(path).unwrap().batch(1_000, 1 << 20).unwrap();
    let lines = batch.into_iter().flat_map(|batch| batch.lines);
    lines
        .map(|line| serde_json::from_str::<Entry>(&line).unwrap().body)
        .collect()
}

fn begun(path: &Path) -> Vec<String> {
    let facts = |body: Body| match body {
        Body::Allocation(facts) => Some(facts.id),
        _ => None,
    };
    written(path).into_iter().filter_map(facts).collect()
}

/// Of whom the meter has forgotten the ledger still tells.
#[test]
fn who_was_written_long_ago_is_not_written_again() {
    with_daemon(|daemon, path, set| {
        list(&daemon.followed, NODE, &["a"], 1);
        daemon.tick(false).unwrap();
        assert_eq!(begun(path), ["a"]);
        daemon.meter = Meter::new(crate::meter::State::default());
        set(2);
        list(&daemon.followed, NODE, &["a", "b"], 2);
        daemon.tick(false).unwrap();
        assert_eq!(begun(path), ["a", "b"]);
    });
}

/// Nobody knows then who was written: nothing begins, and it is said.
#[test]
fn nothing_begins_while_the_ledger_cannot_be_read() {
    with_daemon(|daemon, path, set| {
        daemon.tick(false).unwrap();
        daemon.ledger.rename_entries("entries", "elsewhere");
        set(2);
        list(&daemon.followed, NODE, &["a"], 2);
        daemon.tick(false).unwrap();
        assert_eq!(daemon.meter.state().metered(), 0);
        assert!(
            daemon.told.contains("cannot read the ledger"),
            "{}",
            daemon.told
        );
        daemon.ledger.rename_entries("elsewhere", "entries");
        set(3);
        daemon.tick(false).unwrap();
        assert_eq!(begun(path), ["a"]);
        assert!(!daemon.told.contains("ledger"), "{}", daemon.told);
    });
}

/// What a full disk did not take is gone; who began and was over meanwhile is in no list.
#[test]
fn after_a_disk_was_full_for_too_long_all_are_asked_for_again() {
    with_daemon(|daemon, path, _| {
        list(&daemon.followed, NODE, &["a"], 1);
        daemon.tick(false).unwrap();
        let asks = |followed: &Shared| {
            let mut question = None;
            followed.change(|known| question = known.question(at(9)));
            question
        };
        // Its group is not there to be seen.
        daemon.followed.doubt(std::collections::BTreeSet::new());
        let question = asks(&daemon.followed).unwrap();
        daemon
            .followed
            .change(|known| known.answer(&question, Vec::new(), true, at(1)));
        assert_eq!(asks(&daemon.followed), None);
        daemon.meter = Meter::new(crate::meter::State::default());
        let full = LedgerError::Waiting(path.to_owned());
        daemon.complain(&full).unwrap();
        assert_eq!(asks(&daemon.followed), Some(question));
        assert_eq!(daemon.meter.state().metered(), 1, "as the ledger has it");
    });
}

/// What counters say is of the moment at which they were read.
#[test]
fn a_driver_that_takes_long_moves_no_time() {
    with_gpus(true, |daemon, _, set| {
        list(&daemon.followed, NODE, &["a"], 1);
        daemon.tick(false).unwrap();
        set(2);
        daemon.tick(false).unwrap();
        assert_eq!(daemon.clock.now(), at(7), "it was asked");
        assert_eq!(daemon.meter.state().time.last, Some(at(2)));
    });
}

#[test]
fn what_the_old_node_held_is_over_when_nomad_calls_this_one_another() {
    with_daemon(|daemon, path, set| {
        list(&daemon.followed, NODE, &["a"], 1);
        daemon.tick(false).unwrap();
        let old = daemon.ledger.uuid().to_owned();
        set(2);
        list(&daemon.followed, OTHER, &["b"], 2);
        daemon.tick(false).unwrap();
        let ends = |body: &Body| matches!(body, Body::End(end) if end.allocation == "a");
        assert!(written(path).iter().any(ends));
        let outbox = Outbox::open(path).unwrap();
        outbox.acknowledge(&old, 1_000).unwrap();
        assert_eq!(begun(path), ["b"], "in a ledger of its own");
    });
}

#[test]
fn the_next_look_is_at_the_end_of_the_month() {
    let at = |wall_us| Moment {
        boot_us: 5,
        wall_us,
    };
    let second = Duration::from_secs(1);
    assert_eq!(pause(at(1_793_491_200_000_000), second), second);
    assert_eq!(
        pause(at(1_793_491_199_999_600), second),
        Duration::from_micros(401)
    );
}
