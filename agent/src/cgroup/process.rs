//! CPU time of processes that have no counting group of their own.
//!
//! Their own time, that of children they have waited for, and what their
//! executor (Nomad's process above them) has waited for. Nothing is lost when a
//! process ends: either somebody among these waited for it, or what it showed
//! last is carried on.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cgroup::{Reading, Seen, tree};

/// One clock tick in µs: the kernel shows times to user space in hundredths of a second.
const TICK_US: u64 = 10_000;
/// How often processes are read until nobody has waited for anybody meanwhile.
const PASSES: usize = 5;
/// The most processes of one task that are followed.
const LIMIT: usize = 16_384;

/// What the kernel says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `Z`, …
    pub(super) state: char,
    pub(super) parent: i32,
    /// User and system time, in ticks.
    pub(super) own: u64,
    /// The same of all children that it has waited for.
    pub(super) waited: u64,
    /// When it started, in ticks after boot: tells it from a later one with the same number.
    pub(super) started: u64,
}

/// Reads the text of `/proc/<pid>/stat`. The name in it may hold spaces and parentheses.
pub(super) fn stat_in(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        waited: number(13)? + number(14)?,
        started: number(19)?,
    })
}

fn stat(proc: &Path, pid: i32) -> Option<Stat> {
    let path = proc.join(pid.to_string()).join("stat");
    stat_in(&std::fs::read_to_string(path).ok()?)
}

/// The parent of a process.
pub(super) fn parent(proc: &Path, pid: i32) -> Option<i32> {
    Some(stat(proc, pid)?.parent)
}

/// A process: its number and when it started.
type Who = (i32, u64);

/// What is remembered of a task between two readings.
#[derive(Debug)]
pub(super) struct Followed {
    epoch: String,
    executor: Option<Who>,
    known: BTreeMap<i32, u64>,
    carried_us: u64,
    last: Reading,
}

/// One pass over the processes of a task.
#[derive(Debug, PartialEq, Eq)]
struct Pass {
    stats: BTreeMap<i32, Stat>,
    executor: Option<Stat>,
}

impl Pass {
    fn ticks(&self) -> u64 {
        let own: u64 = self.stats.values().map(|s| s.own + s.waited).sum();
        own + self.executor.as_ref().map_or(0, |executor| executor.waited)
    }

    /// Who is there and has waited for how much: the same twice means that nothing was counted twice or not at all.
    fn shape(&self) -> (Vec<(i32, u64, u64)>, Option<u64>) {
        let each = self.stats.iter();
        let shape = each.map(|(&pid, stat)| (pid, stat.started, stat.waited));
        (
            shape.collect(),
            self.executor.as_ref().map(|executor| executor.waited),
        )
    }
}

impl Followed {
    /// Begins to follow the processes of a group; nothing while it has none.
    pub(super) fn begin(proc: &Path, folder: &Path, group: &str) -> Option<Self> {
        let pids = tasks_own(proc, &tree::processes(folder));
        let above = above(proc, &pids)?;
        // A process that lost its executor was given to the first process of the machine.
        let executor = (above > 1)
            .then(|| stat(proc, above).map(|stat| (above, stat.started)))
            .flatten();
        let named = executor.map_or_else(
            || "nobody".to_owned(),
            |(pid, started)| format!("{pid}@{started}"),
        );
        let epoch = format!("{group} below {named}");
        Some(Self {
            executor,
            known: BTreeMap::new(),
            carried_us: 0,
            last: Reading {
                used_us: 0,
                bound_us: 0,
                epoch: epoch.clone(),
            },
            epoch,
        })
    }

    /// Whether the group's processes are another start of the task: below another executor, with none of the former left.
    pub(super) fn is_over(&self, proc: &Path, folder: &Path) -> bool {
        let pids = tasks_own(proc, &tree::processes(folder));
        let old = |(pid, started): (&i32, &u64)| self.known.get(pid) == Some(started);
        let Some(above) = above(proc, &pids) else {
            return false;
        };
        let other = self.executor.is_none_or(|(pid, _)| pid != above);
        !pids.iter().any(old) && above > 1 && other
    }

    /// Reads the task now.
    pub(super) fn read(&mut self, proc: &Path, folder: &Path) -> Seen {
        let mut pass = self.pass(proc, folder);
        let mut least = pass.ticks();
        let mut steady = false;
        for _ in 1..PASSES {
            let next = self.pass(proc, folder);
            steady = next.shape() == pass.shape();
            least = least.min(next.ticks());
            pass = next;
            if steady {
                break;
            }
        }
        let ticks = if steady { pass.ticks() } else { least };
        self.last = self.reading(ticks, steady, pass.stats.len() as u64);
        self.known = pass
            .stats
            .iter()
            .map(|(&pid, s)| (pid, s.started))
            .collect();
        Seen {
            reading: self.last.clone(),
            has_processes: pass
                .stats
                .values()
                .any(|stat| !matches!(stat.state, 'Z' | 'X')),
        }
    }

    fn reading(&mut self, ticks: u64, steady: bool, processes: u64) -> Reading {
        let shown_us = ticks * TICK_US + self.carried_us;
        if steady && shown_us < self.last.used_us {
            // Somebody ended whom nobody here waited for.
            self.carried_us += self.last.used_us - shown_us;
        }
        Reading {
            used_us: shown_us.max(self.last.used_us),
            bound_us: 2 * TICK_US * (processes + 1),
            epoch: self.epoch.clone(),
        }
    }

    /// Zombies are in no list of a group, so that those once seen are asked for until somebody has waited for them.
    fn pass(&self, proc: &Path, folder: &Path) -> Pass {
        let mut pids = tasks_own(proc, &tree::processes(folder));
        descend(proc, &mut pids);
        let known = self.known.iter().map(|(&pid, &started)| (pid, started));
        pids.extend(known);
        let stats = pids.into_iter().filter_map(|(pid, started)| {
            let stat = stat(proc, pid).filter(|stat| stat.started == started)?;
            Some((pid, stat))
        });
        let stats: BTreeMap<i32, Stat> = stats.collect();
        let executor = self
            .executor
            .and_then(|(pid, started)| stat(proc, pid).filter(|stat| stat.started == started));
        Pass { stats, executor }
    }
}

/// The processes of a group without Nomad's executor, which is in it for a moment before it starts the task.
fn tasks_own(proc: &Path, pids: &[i32]) -> BTreeMap<i32, u64> {
    let own = pids.iter().filter_map(|&pid| {
        let stat = stat(proc, pid)?;
        let is_executor = !pids.contains(&stat.parent)
            && is_called(proc, pid, b"executor")
            && is_called(proc, stat.parent, b"agent");
        (!is_executor).then_some((pid, stat.started))
    });
    own.collect()
}

/// Who started the processes of a group: the parent of the first one whose parent is not among them.
fn above(proc: &Path, pids: &BTreeMap<i32, u64>) -> Option<i32> {
    let mut parents = pids.keys().filter_map(|&pid| Some(stat(proc, pid)?.parent));
    parents.find(|parent| !pids.contains_key(parent))
}

/// Whether a process was started with this first word. Nomad's agent starts executors, so
/// that a task which calls itself one is below an executor, and not below an agent; which
/// program a process of root runs is nothing that the agent may see.
fn is_called(proc: &Path, pid: i32, word: &[u8]) -> bool {
    let line = std::fs::read(proc.join(pid.to_string()).join("cmdline")).unwrap_or_default();
    line.split(|&byte| byte == 0).nth(1) == Some(word)
}

/// Adds descendants that have left the group.
fn descend(proc: &Path, pids: &mut BTreeMap<i32, u64>) {
    let mut open: Vec<i32> = pids.keys().copied().collect();
    while let Some(pid) = open.pop() {
        let own = pid.to_string();
        let path = proc.join(&own).join("task").join(&own).join("children");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for child in text
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
        {
            if pids.len() >= LIMIT || pids.contains_key(&child) {
                continue;
            }
            if let Some(stat) = stat(proc, child) {
                pids.insert(child, stat.started);
                open.push(child);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_spaces_and_parentheses() {
        let text = "4217 (a) b (c)) S 77 4217 4217 0 -1 4194560 100 200 0 0 \
                    11 22 33 44 20 0 3 0 987654 1000 50 18446744073709551615\n";
        let stat = stat_in(text).unwrap();
        assert_eq!(stat.state, 'S');
        assert_eq!((stat.parent, stat.started), (77, 987_654));
        assert_eq!((stat.own, stat.waited), (33, 77));
        assert_eq!(stat_in("4217 (sh) S 77"), None);
        assert_eq!(stat_in(""), None);
    }
}
