//! The ledger: what it holds after a crash, and who may open it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use agent::ledger::{Ledger, LedgerError, Outbox};
use agent::meter::{Meter, State};
use federation::usage::{Body, End, Entry, Moment};

use super::timeline::{Node, S};

const CHILD: &str = "ATOLL_TEST_LEDGER";

fn at(boot_us: i64) -> Moment {
    Moment {
        boot_us,
        wall_us: boot_us + 1_000_000 * S,
    }
}

/// A state that has metered something, with the entries that belong to it.
fn sample() -> (Vec<Body>, State, Moment) {
    let mut node = Node::new();
    node.start("a", &["main"]);
    node.used("a", "main", 5);
    node.look();
    node.watch(3);
    node.look_as(true);
    let state = node.meter.state().clone();
    (node.bodies.clone(), state, node.moment())
}

fn lines(outbox: &Outbox) -> Vec<Entry> {
    let batch = outbox.batch(1_000_000, usize::MAX).unwrap();
    let lines = batch.map(|batch| batch.lines).unwrap_or_default();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn entries_and_state_are_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/ledger.db");
    let (bodies, state, now) = sample();
    let (mut ledger, aside) = Ledger::open(&path).unwrap();
    assert_eq!(aside, None);
    assert!(!ledger.belong("node-1").unwrap());
    let entries = ledger.commit(bodies.clone(), &state, now).unwrap();
    let uuid = ledger.uuid().to_owned();
    drop(ledger);

    let (ledger, _) = Ledger::open(&path).unwrap();
    assert_eq!(
        (ledger.uuid(), ledger.node_id()),
        (uuid.as_str(), Some("node-1"))
    );
    assert_eq!(ledger.committed(), state);
    let outbox = Outbox::open(&path).unwrap();
    let read = lines(&outbox);
    assert_eq!(read, entries);
    let seqs: Vec<u64> = read.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=bodies.len() as u64).collect::<Vec<_>>());
}

#[test]
fn it_tells_whose_facts_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (bodies, state, now) = sample();
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    ledger.belong("node-1").unwrap();
    assert!(!ledger.has("a").unwrap());
    // Its intervals alone say nothing of it.
    let intervals = bodies.iter().filter(|b| matches!(b, Body::Interval(_)));
    ledger
        .commit(intervals.cloned().collect(), &state, now)
        .unwrap();
    assert!(!ledger.has("a").unwrap());
    ledger.commit(bodies, &state, now).unwrap();
    drop(ledger);
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    assert!(ledger.has("a").unwrap() && !ledger.has("b").unwrap());
    // The facts of one that lived for months may be gone when it is over.
    let end = Body::End(End {
        allocation: "b".to_owned(),
        ended_us: 1,
        status: "complete".to_owned(),
    });
    ledger.commit(vec![end], &State::default(), now).unwrap();
    assert!(ledger.has("b").unwrap());
    // To the accounting service another ledger is another one's.
    assert!(ledger.belong("node-2").unwrap());
    assert!(!ledger.has("a").unwrap());
}

#[test]
fn a_second_agent_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (_ledger, _) = Ledger::open(&path).unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(matches!(error, LedgerError::InUse(_)));
    assert!(error.to_string().contains("another atoll-agent"));
}

#[test]
fn what_is_damaged_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(
        &path,
        "this is no database, but it is long enough to look like one\n".repeat(99),
    )
    .unwrap();
    let (ledger, aside) = Ledger::open(&path).unwrap();
    let aside = aside.unwrap();
    assert!(
        std::fs::read_to_string(aside)
            .unwrap()
            .starts_with("this is")
    );
    assert_eq!(ledger.committed(), State::default());
    assert!(path.exists());
}

#[test]
fn without_news_the_state_is_written_every_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    let mut node = Node::new();
    node.start("a", &["main"]);
    let mut written = Vec::new();
    for second in 0..25 {
        node.used("a", "main", second * 100);
        let bodies = node.look();
        ledger
            .commit(bodies, node.meter.state(), node.moment())
            .unwrap();
        if ledger.committed() == *node.meter.state() {
            written.push(second);
        }
        node.pass(S);
    }
    assert_eq!(written, [0, 10, 20]);
}

#[test]
fn a_node_installed_anew_has_a_new_ledger_and_the_old_one_is_still_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (bodies, state, now) = sample();
    let count = bodies.len() as u64;
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    ledger.belong("node-1").unwrap();
    ledger.commit(bodies.clone(), &state, now).unwrap();
    let old = ledger.uuid().to_owned();
    assert!(ledger.belong("node-2").unwrap());
    assert_ne!(ledger.uuid(), old);
    assert_eq!(ledger.committed(), State::default());
    ledger.commit(bodies, &state, now).unwrap();

    let outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.lag().unwrap(), 2 * count);
    let first = outbox.batch(1_000, usize::MAX).unwrap().unwrap();
    assert_eq!(
        (first.ledger.as_str(), first.node_id.as_str()),
        (old.as_str(), "node-1")
    );
    outbox.acknowledge(&old, count).unwrap();
    let second = outbox.batch(1_000, usize::MAX).unwrap().unwrap();
    assert_eq!((second.ledger.as_str(), second.first), (ledger.uuid(), 1));
    assert_eq!(second.node_id, "node-2");
}

#[test]
fn delivered_entries_go_after_35_days_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (bodies, state, _) = sample();
    let count = bodies.len() as u64;
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    ledger.belong("node-1").unwrap();
    ledger.commit(bodies, &state, at(0)).unwrap();
    let outbox = Outbox::open(&path).unwrap();
    outbox.acknowledge(ledger.uuid(), count - 1).unwrap();
    let later = at(36 * 86_400 * S);
    ledger.commit(Vec::new(), &state, later).unwrap();
    outbox.acknowledge(ledger.uuid(), 0).unwrap();
    let left = outbox.batch(1_000, usize::MAX).unwrap().unwrap();
    assert_eq!((left.first, left.lines.len()), (count, 1));
}

#[test]
fn a_disk_that_is_full_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (bodies, state, now) = sample();
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    ledger.belong("node-1").unwrap();
    // A limit of SQLite's own answers as a full disk does.
    ledger.limit_pages(1).unwrap();
    let mut refused = 0;
    for (second, body) in (0..).zip(bodies.clone()) {
        let body = vec![body; 100];
        let result = ledger.commit(body, &state, at(now.boot_us + second));
        refused += usize::from(result.is_err());
    }
    assert_eq!(refused, bodies.len());
    assert_eq!(ledger.waiting(), bodies.len() * 100);
    ledger.limit_pages(1_000_000).unwrap();
    let entries = ledger.commit(Vec::new(), &state, now).unwrap();
    assert_eq!(entries.len(), bodies.len() * 100);
    assert_eq!(ledger.waiting(), 0);
}

/// The meter of a task whose counter grows, one commit after another, until it is killed.
fn write_until_killed(path: &Path) {
    let (mut ledger, _) = Ledger::open(path).unwrap();
    ledger.belong("node-1").unwrap();
    let mut node = Node::new();
    node.meter = Meter::new(ledger.committed());
    let mut out = std::io::stdout();
    for round in 0_u32.. {
        let id = format!("a{}", round % 3);
        if round == 0 {
            for number in 0..3 {
                node.start(&format!("a{number}"), &["main"]);
            }
        }
        node.used(&id, "main", u64::from(round) * 1_000);
        node.pass(7 * S);
        // Each look closes an interval of every allocation.
        let bodies = node.look_as(true);
        let entries = ledger
            .commit(bodies, node.meter.state(), node.moment())
            .unwrap();
        let last = entries.last().map_or(0, |entry| entry.seq);
        writeln!(out, "{last}").unwrap();
    }
}

#[test]
fn killed_at_any_moment_it_holds_entries_that_fit_its_state() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&path));
        return;
    }
    for rounds in [1, 2, 5, 11, 30, 53] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg("ledger::killed_at_any_moment_it_holds_entries_that_fit_its_state")
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let numbers = out.lines().map_while(Result::ok);
        let seen: Vec<u64> = numbers
            .filter_map(|l| l.parse().ok())
            .take(rounds)
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();

        let (ledger, aside) = Ledger::open(&path).unwrap();
        assert_eq!(aside, None);
        let entries = lines(&Outbox::open(&path).unwrap());
        let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
        // What was told to be committed is there.
        assert!(seqs.last() >= seen.last());
        // Going on from the state repeats nothing and leaves out nothing.
        let mut node = Node::new();
        node.meter = Meter::new(ledger.committed());
        node.bodies = entries.into_iter().map(|entry| entry.body).collect();
        for number in 0..3 {
            let id = format!("a{number}");
            node.start(&id, &["main"]);
            node.used(&id, "main", 9_000_000);
        }
        node.pass(100_000 * S);
        node.look_as(true);
        for number in 0..3 {
            let intervals = node.intervals(&format!("a{number}"), "main");
            let used: u64 = intervals.iter().map(|i| i.cpu.used_us).sum();
            assert_eq!(used, 9_000_000);
            let held: u64 = intervals.iter().map(|i| i.held_us).sum();
            assert_eq!(held, 100_000_000_000);
        }
    }
}
