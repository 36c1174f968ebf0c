//! What ends a wait.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agent::cgroup::Groups;

use super::tree::{Tree, allocation, key};

/// Much longer than any of these tests takes.
const LONG: Duration = Duration::from_mins(1);

/// A process that lives until its input is closed.
fn living() -> Child {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::null());
    cat.spawn().unwrap()
}

fn group(number: u32) -> String {
    format!("cgroup/freezer/nomad/{}.main", allocation(number))
}

fn with_parents() -> Tree {
    let tree = Tree::new();
    for parent in ["freezer/nomad", "cpuacct/nomad", "cpuacct/docker"] {
        let path = tree.folder.path().join("cgroup").join(parent);
        std::fs::create_dir_all(path).unwrap();
    }
    tree
}

#[test]
fn the_end_of_a_main_process_ends_it() {
    let tree = with_parents();
    let mut child = living();
    tree.write(
        &format!("{}/cgroup.procs", group(1)),
        &format!("{}\n", child.id()),
    );
    let mut groups = tree.open_real();
    groups.wait(Duration::ZERO);
    let began = Instant::now();
    drop(child.stdin.take());
    groups.wait(LONG);
    assert!(
        began.elapsed() < LONG / 2,
        "it slept on: {:?}",
        began.elapsed()
    );
    child.wait().unwrap();
}

#[test]
fn when_a_main_process_has_ended_another_one_is_waited_for() {
    let tree = with_parents();
    let mut children = [living(), living(), living()];
    let lines = children.iter().map(|child| child.id().to_string() + "\n");
    let list = format!("{}/cgroup.procs", group(1));
    tree.write(&list, &lines.collect::<String>());
    let mut groups = tree.open_real();
    // Where a task begins two are waited for, the second one is found a little later.
    for _ in 0..3 {
        groups.wait(Duration::from_millis(250));
    }
    let began = Instant::now();
    for child in &mut children {
        drop(child.stdin.take());
        groups.wait(LONG);
        child.wait().unwrap();
        // Nobody writes to the group: that there is another one must be seen.
        groups.wait(Duration::ZERO);
    }
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
}

#[test]
fn a_group_that_appears_or_vanishes_ends_it() {
    let tree = with_parents();
    let mut groups = tree.open_real();
    groups.wait(Duration::ZERO);
    let began = Instant::now();
    tree.write(&format!("{}/cgroup.procs", group(1)), "");
    groups.wait(LONG);
    tree.remove(&group(1));
    groups.wait(LONG);
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
}

#[test]
fn a_group_that_came_and_went_before_anybody_looked_is_told_of_once() {
    let tree = with_parents();
    let mut groups = tree.open_real();
    groups.wait(Duration::ZERO);
    let folder = tree.folder.path().join(group(1));
    std::fs::create_dir(&folder).unwrap();
    std::fs::remove_dir(&folder).unwrap();
    let began = Instant::now();
    groups.wait(LONG);
    let mut glimpsed = groups.read(&BTreeMap::new()).glimpsed.into_iter();
    let one = glimpsed.next().unwrap();
    assert_eq!((one.allocation, one.task.as_str()), (allocation(1), "main"));
    assert_eq!(glimpsed.next(), None);
    // What is no task's is nobody's business.
    std::fs::create_dir(folder.with_file_name("reserve")).unwrap();
    groups.wait(LONG);
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    assert!(groups.read(&BTreeMap::new()).glimpsed.is_empty());
}

/// Does something as soon as this thread sleeps, from another one.
fn once_asleep(does: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    let me = std::fs::read_link("/proc/thread-self").unwrap();
    let stat = std::path::Path::new("/proc").join(me).join("stat");
    std::thread::spawn(move || {
        let deadline = Instant::now() + LONG;
        while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
            assert!(Instant::now() < deadline, "it does not wait");
            std::thread::yield_now();
        }
        does();
    })
}

#[test]
fn a_process_in_a_group_that_was_empty_is_found_and_its_end_too() {
    let tree = with_parents();
    tree.write(&format!("{}/cgroup.procs", group(1)), "");
    let mut groups = tree.open_real();
    groups.wait(Duration::ZERO);
    let began = Instant::now();
    let mut child = living();
    // As Nomad's executor writes it.
    let list = tree.folder.path().join(group(1)).join("cgroup.procs");
    let pid = format!("{}\n", child.id());
    let wrote = once_asleep(move || std::fs::write(list, pid).unwrap());
    groups.wait(LONG);
    wrote.join().unwrap();
    let input = child.stdin.take();
    let closed = once_asleep(move || drop(input));
    groups.wait(LONG);
    closed.join().unwrap();
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    child.wait().unwrap();
}

#[test]
fn parents_that_come_later_are_found() {
    let tree = Tree::new();
    let mut groups = tree.open_real();
    groups.wait(Duration::ZERO);
    let began = Instant::now();
    tree.write(&format!("{}/cgroup.procs", group(1)), "");
    groups.wait(LONG);
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
}

#[test]
fn with_no_news_it_takes_as_long_as_it_may() {
    let tree = with_parents();
    let mut groups = tree.open_real();
    groups.wait(Duration::ZERO);
    let began = Instant::now();
    groups.wait(Duration::from_millis(50));
    assert!(began.elapsed() >= Duration::from_millis(50));
}

/// A group of exec, which counts and in which these processes are.
fn counted(tree: &Tree, listed: &[&Child]) {
    let group = format!("cgroup/cpuacct/nomad/{}.main", allocation(1));
    let lines = listed.iter().map(|child| child.id().to_string() + "\n");
    for group in ["cgroup/cpuacct/nomad", &group] {
        tree.write(&format!("{group}/cpuacct.usage"), "1000\n");
    }
    tree.write(&format!("{group}/cgroup.procs"), &lines.collect::<String>());
}

fn lives(groups: &mut dyn Groups) -> bool {
    let snapshot = groups.read(&BTreeMap::new());
    snapshot.tasks[&key(1, "main")].has_processes
}

/// Watches for longer than a start takes.
fn settle(groups: &mut dyn Groups) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(250) {
        groups.wait(Duration::from_millis(50));
    }
    assert!(lives(groups));
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// To list processes costs the kernel much, and their main one's descriptor tells it for nothing.
#[test]
fn a_group_lives_until_its_main_process_has_ended_and_nobody_is_listed() {
    let tree = with_parents();
    let (main, other) = (living(), living());
    counted(&tree, &[&main]);
    let mut groups = tree.open_real();
    settle(&mut *groups);
    counted(&tree, &[]);
    assert!(lives(&mut *groups), "it was not listed again");
    counted(&tree, &[&other]);
    end(main);
    groups.wait(LONG);
    assert!(lives(&mut *groups));
    counted(&tree, &[]);
    assert!(!lives(&mut *groups));
    end(other);
}

/// Nomad's executor goes into a group first, starts the task, and leaves: it is not who lives there.
#[test]
fn whoever_has_left_a_group_at_its_start_does_not_keep_it_alive() {
    let tree = with_parents();
    let (earlier, executor) = (living(), living());
    counted(&tree, &[&earlier]);
    let mut groups = tree.open_real();
    settle(&mut *groups);
    counted(&tree, &[]);
    end(earlier);
    groups.wait(LONG);
    assert!(!lives(&mut *groups));
    counted(&tree, &[&executor]);
    let began = Instant::now();
    groups.wait(LONG);
    assert!(lives(&mut *groups));
    counted(&tree, &[]);
    while began.elapsed() < Duration::from_millis(500) {
        assert!(!lives(&mut *groups));
    }
    end(executor);
}
