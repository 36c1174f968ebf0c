//! The door to the kernel's account of tasks: what each has used, and when something begins or ends.
//!
//! The two versions of the group tree lie behind one trait. Whatever cannot be
//! read is left out of a [`Snapshot`]; nothing is ever guessed to be 0.

mod container;
mod file;
mod parent;
mod process;
mod tree;
mod v1;
mod v2;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A task as its group knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// Allocation ID.
    pub allocation: String,
    /// Task name.
    pub task: String,
}

/// What a counter showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// CPU time used since the epoch began, in µs.
    pub used_us: u64,
    /// The true value is at most this much more, in µs.
    pub bound_us: u64,
    /// What the counter belongs to, within a boot: a new one begins at 0.
    pub epoch: String,
    /// Whether it is a sum over the processes that live, which is less when one goes while nobody
    /// looks. A counter of the kernel's never is.
    pub is_sum: bool,
}

/// What is seen of one task now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its counter.
    pub reading: Reading,
    /// Whether anything of it still runs.
    pub has_processes: bool,
}

/// A parent group which goes on counting what its removed children used.
///
/// What is known to belong to no task (other containers) is already taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The same name as in [`Snapshot::parents`].
    pub name: String,
    /// Its counter before its children were read, in µs.
    pub before_us: u64,
    /// And after them.
    pub after_us: u64,
    /// What the counter belongs to, within a boot.
    pub epoch: String,
}

/// All tasks and parents at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Each task that has run and whose group is still there.
    pub tasks: BTreeMap<TaskKey, Seen>,
    /// The parents, by name.
    pub parents: BTreeMap<String, Parent>,
    /// The parent of each task that has one.
    pub parent_of: BTreeMap<TaskKey, String>,
    /// The tasks whose groups have appeared since the last look, though they may be gone again.
    pub glimpsed: BTreeSet<TaskKey>,
}

/// The tree of groups.
pub trait Groups: Send {
    /// Reads all tasks and parents now.
    ///
    /// `drivers` says which driver each known task has, since `raw_exec` and docker look alike to the tree.
    fn read(&mut self, drivers: &BTreeMap<TaskKey, String>) -> Snapshot;

    /// Waits until something begins or ends (a group appears or vanishes, a main process exits), at most `limit`.
    fn wait(&mut self, limit: Duration);
}

/// The folders that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// `/sys/fs/cgroup`.
    pub cgroup: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
    /// The folder of Docker's daemon: `/var/lib/docker`, or what the settings say.
    pub docker: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            cgroup: PathBuf::from("/sys/fs/cgroup"),
            proc: PathBuf::from("/proc"),
            docker: PathBuf::from("/var/lib/docker"),
        }
    }
}

/// The version of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A tree for each controller.
    V1,
    /// One tree.
    V2,
}

impl Roots {
    /// Which version the tree is.
    pub fn version(&self) -> Version {
        if self.cgroup.join("cgroup.controllers").exists() {
            Version::V2
        } else {
            Version::V1
        }
    }

    /// Which of the groups that hold tasks are there, by path: Nomad's and Docker's.
    pub fn parents(&self) -> Vec<(PathBuf, bool)> {
        let paths: &[&str] = match self.version() {
            Version::V1 => &["cpuacct/nomad", "freezer/nomad", "cpuacct/docker"],
            Version::V2 => &["nomad.slice", "system.slice"],
        };
        let paths = paths.iter().map(|path| self.cgroup.join(path));
        paths.map(|path| (path.clone(), path.is_dir())).collect()
    }
}

/// The machine's tree, of whichever version it is. Which container belongs to which task stands
/// in the folder of Docker's daemon.
pub fn open(docker: &Path) -> Box<dyn Groups> {
    open_at(&Roots {
        docker: docker.to_owned(),
        ..Roots::default()
    })
}

/// A tree below other folders, such as a recorded one.
pub fn open_at(roots: &Roots) -> Box<dyn Groups> {
    match roots.version() {
        Version::V1 => Box::new(v1::Tree::new(roots)),
        Version::V2 => Box::new(v2::Tree::new(roots)),
    }
}
