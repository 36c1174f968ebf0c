//! A real process that works, in a group that only says so.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::tree::{Tree, allocation, key};

/// Waits until a group's reading is at least this much, and gives it back.
fn reading(groups: &mut dyn agent::cgroup::Groups, tree: &Tree, at_least_us: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let snapshot = groups.read(&tree.drivers);
        let used = snapshot
            .tasks
            .get(&key(1, "main"))
            .map(|seen| seen.reading.used_us);
        if let Some(used) = used.filter(|&used| used >= at_least_us) {
            return used;
        }
        assert!(Instant::now() < deadline, "it shows {used:?}");
        groups.wait(Duration::from_millis(20));
    }
}

#[test]
fn what_a_process_used_is_what_the_kernel_tells_its_executor() {
    let tree = Tree::new();
    // The outer shell is the executor: it starts the task, waits for it, says what the kernel says, and stays.
    let script = "sh -c 'echo $$; i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; read x' <&3 & \
                  wait; cat /proc/$$/stat; read x";
    let mut executor = Command::new("sh")
        .args(["-c", &format!("exec 3<&0; {script}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = executor.stdin.take().unwrap();
    let mut output = BufReader::new(executor.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let group = format!("cgroup/freezer/nomad/{}.main/cgroup.procs", allocation(1));
    tree.write(&group, &line);

    let mut groups = tree.open_real();
    let running = reading(&mut *groups, &tree, 50_000);
    // The task ends when it has worked and reads a line.
    input.write_all(b"go\n").unwrap();
    line.clear();
    output.read_line(&mut line).unwrap();
    tree.write(&group, "");
    let (_, rest) = line.rsplit_once(')').unwrap();
    let fields: Vec<u64> = rest
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let waited_us = (fields[13] + fields[14]) * 10_000;

    let snapshot = groups.read(&tree.drivers);
    let seen = &snapshot.tasks[&key(1, "main")];
    assert!(
        running <= waited_us,
        "{running} while it ran, {waited_us} in the end"
    );
    assert!(
        seen.reading.used_us.abs_diff(waited_us) <= seen.reading.bound_us,
        "{seen:?}, {waited_us}"
    );
    assert!(seen.reading.used_us >= 50_000 && !seen.has_processes);
    input.write_all(b"go\n").unwrap();
    executor.wait().unwrap();
}

#[test]
fn nothing_is_counted_twice_while_children_come_and_go() {
    let tree = Tree::new();
    // The task's children work some ticks each, and are in no group: only their parent tells of them.
    let child = "sh -c 'j=0; while [ $j -lt 20000 ]; do j=$((j+1)); done'";
    let task = format!("echo $$; i=0; while [ $i -lt 40 ]; do {child}; i=$((i+1)); done; read x");
    let script = "sh -c \"$TASK\" <&3 & wait; cat /proc/$$/stat; read x";
    let mut executor = Command::new("sh")
        .args(["-c", &format!("exec 3<&0; {script}")])
        .env("TASK", task)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = executor.stdin.take().unwrap();
    let mut output = BufReader::new(executor.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let group = format!("cgroup/freezer/nomad/{}.main/cgroup.procs", allocation(1));
    tree.write(&group, &line);
    input.write_all(b"go\n").unwrap();

    let mut groups = tree.open_real();
    let ended = std::thread::spawn(move || {
        line.clear();
        output.read_line(&mut line).unwrap();
        line
    });
    while !ended.is_finished() {
        groups.read(&tree.drivers);
    }
    let line = ended.join().unwrap();
    tree.write(&group, "");
    let (_, rest) = line.rsplit_once(')').unwrap();
    let fields = rest.split_whitespace().skip(13).take(2);
    let waited_us: u64 = fields
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum::<u64>()
        * 10_000;
    let seen = groups.read(&tree.drivers).tasks[&key(1, "main")].clone();
    assert!(waited_us >= 100_000, "{waited_us}");
    assert!(
        seen.reading.used_us.abs_diff(waited_us) <= seen.reading.bound_us,
        "{seen:?}, {waited_us}"
    );
    input.write_all(b"go\n").unwrap();
    executor.wait().unwrap();
}
