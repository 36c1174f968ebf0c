//! CPU time of processes that have no counting group of their own.
//!
//! Their own time, that of children they have waited for, and what their
//! executor (Nomad's process above them) has waited for. Nothing is lost when a
//! process ends: either somebody among these waited for it, or what it showed
//! last is carried on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cgroup::file::{Folder, Kept, Shelf};
use crate::cgroup::{Reading, Seen, tree};

/// One clock tick in µs: the kernel shows times to user space in hundredths of a second.
const TICK_US: u64 = 10_000;
/// How often processes are read in one look until nobody has waited for anybody meanwhile.
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
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let mut skip = |count| fields.nth(count)?.parse::<u64>().ok();
    Some(Stat {
        state,
        parent,
        own: skip(9)? + skip(0)?,
        waited: skip(0)? + skip(0)?,
        started: skip(4)?,
    })
}

fn stat(proc: &Path, pid: i32) -> Option<Stat> {
    let text = std::fs::read(proc.join(pid.to_string()).join("stat")).ok()?;
    stat_in(&String::from_utf8_lossy(&text))
}

/// The parent of a process.
pub(super) fn parent(proc: &Path, pid: i32) -> Option<i32> {
    Some(stat(proc, pid)?.parent)
}

/// A look at the processes of a group.
pub(super) struct Look<'a> {
    pub(super) proc: &'a Path,
    pub(super) folder: &'a Folder,
    /// What the group's own counters would belong to.
    pub(super) epoch: &'a str,
    pub(super) shelf: &'a Shelf,
}

/// A process that is read again and again.
#[derive(Debug)]
struct Process {
    started: u64,
    stat: Kept,
    children: Kept,
}

impl Process {
    fn begin(look: &Look, pid: i32, started: u64) -> Self {
        let own = pid.to_string();
        let folder = look.proc.join(&own);
        Self {
            started,
            stat: Kept::new(folder.join("stat"), look.shelf),
            children: Kept::new(folder.join("task").join(own).join("children"), look.shelf),
        }
    }

    /// What the kernel says of it, unless the number is another one's by now.
    fn stat(&self) -> Option<Stat> {
        let stat = self.stat.read(stat_in)?;
        (stat.started == self.started).then_some(stat)
    }

    fn children(&self) -> Vec<i32> {
        let text = self.children.read_all();
        let pids = text.split_ascii_whitespace();
        pids.filter_map(|pid| pid.parse().ok()).collect()
    }
}

/// What is remembered of a task between two readings.
#[derive(Debug)]
pub(super) struct Followed {
    epoch: String,
    executor: Option<(i32, Process)>,
    known: BTreeMap<i32, Process>,
    carried_us: u64,
    last: Reading,
    pass: Option<Pass>,
}

/// One pass over the processes of a task.
#[derive(Debug, PartialEq, Eq)]
struct Pass {
    /// Those in the group.
    listed: Vec<i32>,
    stats: BTreeMap<i32, Stat>,
    executor: Option<Stat>,
    /// Whom the group or a parent told of, and who was not there to be read.
    missing: BTreeSet<i32>,
}

impl Pass {
    fn ticks(&self) -> u64 {
        let own: u64 = self.stats.values().map(|s| s.own + s.waited).sum();
        own + self.executor.as_ref().map_or(0, |executor| executor.waited)
    }

    /// Whether nobody who counts was waited for since an earlier pass, however long ago that
    /// was: then nothing is counted twice or not at all.
    ///
    /// Who is waited for while this pass goes on is missing in it, or makes differ what was
    /// waited for. Who came and went before it began does the latter.
    fn is_steady(&self, earlier: &Self) -> bool {
        let shape = |pass: &Self| {
            let each = pass.stats.iter();
            let shape = each.map(|(&pid, stat)| (pid, stat.started, stat.waited));
            shape.collect::<Vec<_>>()
        };
        let waited = |pass: &Self| pass.executor.as_ref().map(|executor| executor.waited);
        shape(self) == shape(earlier)
            && waited(self) == waited(earlier)
            && self.missing == earlier.missing
    }

    /// Who started the processes of the group: the parent of the first one whose parent is not among them.
    fn above(&self) -> Option<i32> {
        let stats = self.listed.iter().filter_map(|pid| self.stats.get(pid));
        let mut parents = stats.map(|stat| stat.parent);
        parents.find(|parent| !self.listed.contains(parent))
    }
}

impl Look<'_> {
    /// Reads a task now, as it is followed, or as another start of it; nothing while it has no processes.
    pub(super) fn follow(&self, known: Option<Followed>) -> Option<(Followed, Seen)> {
        let Some(mut followed) = known else {
            return self.begin();
        };
        let before: BTreeMap<i32, u64> = followed
            .known
            .iter()
            .map(|(&pid, process)| (pid, process.started))
            .collect();
        let seen = followed.read(self);
        let over = followed.is_over(&before);
        over.then(|| self.begin())
            .flatten()
            .or(Some((followed, seen)))
    }

    fn begin(&self) -> Option<(Followed, Seen)> {
        let mut followed = Followed {
            epoch: String::new(),
            executor: None,
            known: BTreeMap::new(),
            carried_us: 0,
            last: Reading {
                used_us: 0,
                bound_us: 0,
                epoch: String::new(),
                is_sum: true,
            },
            pass: None,
        };
        let above = followed.pass(self).above()?;
        // A process that lost its executor was given to the first process of the machine.
        followed.executor = (above > 1)
            .then(|| self.process(above).map(|process| (above, process)))
            .flatten();
        let named = followed.executor.as_ref().map_or_else(
            || "nobody".to_owned(),
            |(pid, process)| format!("{pid}@{}", process.started),
        );
        followed.epoch = format!("{} below {named}", self.epoch);
        let seen = followed.read(self);
        Some((followed, seen))
    }

    fn process(&self, pid: i32) -> Option<Process> {
        let stat = stat(self.proc, pid)?;
        Some(Process::begin(self, pid, stat.started))
    }

    /// A process that the group lists, unless it is Nomad's executor, which is in it for a moment before it starts the task.
    fn member(&self, pid: i32, listed: &[i32]) -> Member {
        let Some(stat) = stat(self.proc, pid) else {
            return Member::Gone;
        };
        let is_executor = !listed.contains(&stat.parent)
            && is_called(self.proc, pid, b"executor")
            && is_called(self.proc, stat.parent, b"agent");
        if is_executor {
            Member::Executor
        } else {
            Member::Own(Process::begin(self, pid, stat.started))
        }
    }
}

/// What a process in a task's group is.
enum Member {
    Own(Process),
    Executor,
    Gone,
}

impl Followed {
    /// Whether the group's processes are another start of the task: below another executor, with none of the former left.
    fn is_over(&self, before: &BTreeMap<i32, u64>) -> bool {
        let Some((pass, above)) = self.pass.as_ref().and_then(|p| Some((p, p.above()?))) else {
            return false;
        };
        let old = |pid: &i32| {
            let stat = pass.stats.get(pid);
            stat.is_some_and(|stat| before.get(pid) == Some(&stat.started))
        };
        let other = self.executor.as_ref().is_none_or(|(pid, _)| *pid != above);
        !pass.listed.iter().any(old) && above > 1 && other
    }

    /// Reads the task now: once, if nothing has moved since the last look.
    fn read(&mut self, look: &Look) -> Seen {
        let mut least = u64::MAX;
        for _ in 0..PASSES {
            let pass = self.pass(look);
            let ticks = pass.ticks();
            least = least.min(ticks);
            let earlier = self.pass.replace(pass);
            if earlier.is_some_and(|earlier| self.is_steady_since(&earlier)) {
                return self.seen(ticks, true);
            }
        }
        self.seen(least, false)
    }

    fn is_steady_since(&self, earlier: &Pass) -> bool {
        let pass = self.pass.as_ref();
        pass.is_some_and(|pass| pass.is_steady(earlier))
    }

    fn seen(&mut self, ticks: u64, steady: bool) -> Seen {
        let stats = self.pass.as_ref().map(|pass| &pass.stats);
        let processes = stats.map_or(0, BTreeMap::len) as u64;
        let lives = |stat: &Stat| !matches!(stat.state, 'Z' | 'X');
        let has_processes = stats.is_some_and(|stats| stats.values().any(lives));
        self.last = self.reading(ticks, steady, processes);
        Seen {
            reading: self.last.clone(),
            has_processes,
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
            is_sum: true,
        }
    }

    /// Zombies are in no list of a group, so that those once seen are asked for until somebody has waited for them.
    ///
    /// All lists come before all times: who has gone by then has been waited for.
    fn pass(&mut self, look: &Look) -> Pass {
        let (listed, mut missing) = self.gather(look);
        let stats = self.known.iter();
        let stats: BTreeMap<i32, Stat> = stats
            .filter_map(|(&pid, process)| Some((pid, process.stat()?)))
            .collect();
        self.known.retain(|pid, _| stats.contains_key(pid));
        missing.retain(|pid| !stats.contains_key(pid));
        let executor = self.executor.as_ref();
        Pass {
            executor: executor.and_then(|(_, process)| process.stat()),
            listed,
            stats,
            missing,
        }
    }

    /// Gets to know everybody: gives who is in the group, and all who were told of by it or by a parent.
    fn gather(&mut self, look: &Look) -> (Vec<i32>, BTreeSet<i32>) {
        let mut listed = tree::processes_of(look.folder);
        let mut told: BTreeSet<i32> = listed.iter().copied().collect();
        for &pid in &listed {
            if self.known.contains_key(&pid) {
                continue;
            }
            match look.member(pid, &listed) {
                Member::Own(process) => {
                    self.known.insert(pid, process);
                }
                Member::Executor => {
                    told.remove(&pid);
                }
                Member::Gone => {}
            }
        }
        listed.retain(|pid| self.known.contains_key(pid));
        // Descendants may have left the group.
        let mut open = listed.clone();
        while let Some(pid) = open.pop() {
            let children = self.known.get(&pid).map(Process::children);
            for child in children.unwrap_or_default() {
                if told.len() >= LIMIT || !told.insert(child) {
                    continue;
                }
                open.push(child);
                if !self.known.contains_key(&child)
                    && let Some(process) = look.process(child)
                {
                    self.known.insert(child, process);
                }
            }
        }
        (listed, told)
    }
}

/// Whether a process was started with this first word. Nomad's agent starts executors, so
/// that a task which calls itself one is below an executor, and not below an agent; which
/// program a process of root runs is nothing that the agent may see.
fn is_called(proc: &Path, pid: i32, word: &[u8]) -> bool {
    let line = std::fs::read(proc.join(pid.to_string()).join("cmdline")).unwrap_or_default();
    line.split(|&byte| byte == 0).nth(1) == Some(word)
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

    fn stat(parent: i32, own: u64, waited: u64) -> Stat {
        Stat {
            state: 'S',
            parent,
            own,
            waited,
            started: 1,
        }
    }

    /// The executor 50, its task 60, and a child 61 of that.
    fn pass() -> Pass {
        Pass {
            listed: vec![60, 61],
            stats: BTreeMap::from([(60, stat(50, 100, 20)), (61, stat(60, 11, 0))]),
            executor: Some(stat(1, 900, 7)),
            missing: BTreeSet::new(),
        }
    }

    #[test]
    fn a_pass_is_steady_while_nobody_was_waited_for() {
        let earlier = pass();
        let changed = |change: &dyn Fn(&mut Pass)| {
            let mut later = pass();
            change(&mut later);
            later.is_steady(&earlier)
        };
        let task = |pass: &mut Pass, change: &dyn Fn(&mut Stat)| {
            change(pass.stats.get_mut(&60).unwrap());
        };
        // Whoever only works moves nothing between two counters.
        assert!(changed(&|pass| task(pass, &|stat| stat.own += 400)));
        assert!(!changed(&|pass| task(pass, &|stat| stat.waited += 1)));
        assert!(!changed(&|pass| task(pass, &|stat| stat.started += 1)));
        assert!(!changed(&|pass| pass.stats.retain(|pid, _| *pid != 61)));
        assert!(!changed(&|pass| pass.executor = Some(stat(1, 900, 8))));
        assert!(!changed(&|pass| pass.executor = None));
        // One that was told of and went before it could be read: neither it nor whoever waits for it has its use.
        assert!(!changed(&|pass| pass.missing.extend([62])));
    }
}
