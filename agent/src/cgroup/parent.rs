//! Reading a parent and its children, and the parent's counter without what belongs to no task.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cgroup::file::{Folder, Kept, Shelf};
use crate::cgroup::watch::Watch;
use crate::cgroup::{Parent, Reading, Seen, Snapshot, TaskKey, tree};

/// How a version of the tree shows a group.
pub(super) struct Counter {
    /// The file in which CPU time of a group and all below it stands.
    pub(super) usage: &'static str,
    /// That time, in µs, from the text of the file.
    pub(super) used_us: fn(&str) -> Option<u64>,
    /// Whether a process is in a group.
    pub(super) has_processes: fn(&Group, &mut Watch) -> bool,
    /// How far the counter may be ahead of what it shows, in µs.
    pub(super) bound_us: u64,
}

/// What a child of a parent is.
pub(super) enum Child {
    Task(TaskKey),
    Stranger,
    /// Not to be read at all.
    Passed,
}

/// A group that is read each time, for as long as it is there.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) folder: Folder,
    /// What version 2 tells of the group's processes.
    pub(super) events: Kept,
    usage: Kept,
    inode: u64,
    epoch: String,
}

/// A parent group and its children.
pub(super) struct Family {
    counter: &'static Counter,
    root: PathBuf,
    folder: PathBuf,
    name: &'static str,
    /// None where the parent counts too much besides to say anything.
    account: Option<Account>,
    shelf: Shelf,
    own: Option<Group>,
    /// By name.
    groups: BTreeMap<String, Group>,
}

impl Family {
    /// The family of the group `path`; its files stand on a shelf.
    pub(super) fn new(
        counter: &'static Counter,
        root: &Path,
        path: &str,
        name: &'static str,
        shelf: &Shelf,
    ) -> Self {
        Self {
            counter,
            root: root.to_owned(),
            folder: root.join(path),
            name,
            account: Some(Account::default()),
            shelf: shelf.clone(),
            own: None,
            groups: BTreeMap::new(),
        }
    }

    /// The same, of a parent that counts too much besides to say anything.
    pub(super) fn without_account(self) -> Self {
        Self {
            account: None,
            ..self
        }
    }

    /// Reads the parent, its children, and the parent again.
    pub(super) fn read(
        &mut self,
        snapshot: &mut Snapshot,
        watch: &mut Watch,
        mut whose: impl FnMut(&str) -> Child,
    ) {
        let mut before = std::mem::take(&mut self.groups);
        let Some(own) = self.own() else {
            return;
        };
        let Some(before_us) = own.used_us(self.counter) else {
            return;
        };
        let mut strangers = BTreeMap::new();
        let mut tasks = Vec::new();
        for tree::Listed { name, inode } in tree::children(own.folder.path()) {
            let child = whose(&name);
            if matches!(child, Child::Passed) {
                continue;
            }
            let known = before.remove(&name).filter(|group| group.inode == inode);
            let group = known.unwrap_or_else(|| self.group(self.folder.join(&name), inode));
            if let Some(seen) = group.seen(self.counter, watch) {
                if let Child::Task(key) = child {
                    tasks.push(seen.reading.epoch.clone());
                    self.add(snapshot, key, seen);
                } else {
                    strangers.insert(seen.reading.epoch, seen.reading.used_us);
                }
            }
            self.groups.insert(name, group);
        }
        let after_us = own.used_us(self.counter).unwrap_or(before_us);
        if let Some(account) = &mut self.account {
            let (epoch, counts) = (own.epoch.clone(), (before_us, after_us));
            let parent = account.parent(self.name, epoch, counts, strangers, &tasks);
            snapshot.parents.insert(self.name.to_owned(), parent);
        }
        self.own = Some(own);
    }

    /// The parent, if it is there: to be put back.
    fn own(&mut self) -> Option<Group> {
        let known = self.own.take();
        let inode = tree::inode(&self.folder)?;
        known
            .filter(|group| group.inode == inode)
            .or_else(|| Some(self.group(self.folder.clone(), inode)))
    }

    fn group(&self, folder: PathBuf, inode: u64) -> Group {
        Group {
            events: Kept::new(folder.join("cgroup.events"), &self.shelf),
            usage: Kept::new(folder.join(self.counter.usage), &self.shelf),
            epoch: tree::epoch(&self.root, &folder, inode),
            inode,
            folder: Folder::new(folder, &self.shelf),
        }
    }

    /// Adds a task that has run, unless another group of it runs: a restarted container is there twice for a moment.
    fn add(&self, snapshot: &mut Snapshot, key: TaskKey, seen: Seen) {
        let there = snapshot.tasks.get(&key);
        let never = seen.reading.used_us == 0;
        if !seen.has_processes && (never || there.is_some_and(|there| there.has_processes)) {
            return;
        }
        if self.account.is_some() {
            snapshot.parent_of.insert(key.clone(), self.name.to_owned());
        } else {
            snapshot.parent_of.remove(&key);
        }
        snapshot.tasks.insert(key, seen);
    }
}

impl Group {
    fn used_us(&self, counter: &Counter) -> Option<u64> {
        self.usage.read(counter.used_us)
    }

    fn seen(&self, counter: &Counter, watch: &mut Watch) -> Option<Seen> {
        // Processes first: what has none by now has used all it ever will.
        let has_processes = (counter.has_processes)(self, watch);
        Some(Seen {
            reading: Reading {
                used_us: self.used_us(counter)?,
                bound_us: counter.bound_us,
                epoch: self.epoch.clone(),
                is_sum: false,
            },
            has_processes,
        })
    }
}

/// The parent groups as they were read, and the strangers among their children.
///
/// A stranger's use stays in the parent's counter after its end, so its last
/// reading stays taken off for as long as the parent lives.
#[derive(Debug, Default)]
pub(super) struct Account {
    epoch: String,
    strangers: BTreeMap<String, u64>,
    gone_us: u64,
    last_us: u64,
}

impl Account {
    /// What the parent counted for tasks. `strangers` are the other children by epoch, in µs.
    pub(super) fn parent(
        &mut self,
        name: &str,
        epoch: String,
        (before_us, after_us): (u64, u64),
        strangers: BTreeMap<String, u64>,
        tasks: &[String],
    ) -> Parent {
        if self.epoch != epoch {
            *self = Self {
                epoch: epoch.clone(),
                ..Self::default()
            };
        }
        for (child, used_us) in std::mem::take(&mut self.strangers) {
            // One that turned out to be a task's is no stranger any more.
            if !strangers.contains_key(&child) && !tasks.contains(&child) {
                self.gone_us += used_us;
            }
        }
        self.strangers = strangers;
        let strange_us = self.gone_us + self.strangers.values().sum::<u64>();
        // Strangers were read after `before`, so that they may have used a little more by then.
        let before_us = before_us.saturating_sub(strange_us).max(self.last_us);
        let after_us = after_us.saturating_sub(strange_us).max(before_us);
        self.last_us = after_us;
        Parent {
            name: name.to_owned(),
            before_us,
            after_us,
            epoch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strangers(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        let each = of.iter().map(|(name, used)| ((*name).to_owned(), *used));
        each.collect()
    }

    #[test]
    fn strangers_are_taken_off_also_after_their_end() {
        let mut account = Account::default();
        let mut read = |counts, of: &[(&str, u64)], tasks: &[&str]| {
            let tasks: Vec<String> = tasks.iter().map(|task| (*task).to_owned()).collect();
            let parent = account.parent("docker", "e".to_owned(), counts, strangers(of), &tasks);
            (parent.before_us, parent.after_us)
        };
        assert_eq!(read((100, 110), &[("s", 40)], &[]), (60, 70));
        assert_eq!(read((200, 200), &[], &[]), (160, 160));
        assert_eq!(read((300, 300), &[("t", 100)], &[]), (160, 160));
        // It is a task after all, and what it used is again the parent's.
        assert_eq!(read((310, 310), &[], &["t"]), (270, 270));
    }

    #[test]
    fn a_new_parent_begins_anew() {
        let mut account = Account::default();
        account.parent("p", "1".to_owned(), (50, 50), strangers(&[("s", 50)]), &[]);
        let parent = account.parent("p", "2".to_owned(), (7, 8), BTreeMap::new(), &[]);
        assert_eq!((parent.before_us, parent.after_us), (7, 8));
    }
}
