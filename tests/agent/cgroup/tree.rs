//! A tree of groups as files in a folder of its own.

use std::collections::BTreeMap;
use std::path::Path;

use agent::cgroup::{Groups, Roots, TaskKey, open_at};
use tempfile::TempDir;

/// An allocation ID that ends in a number.
pub(super) fn allocation(number: u32) -> String {
    format!("0a1b2c3d-0000-4000-8000-{number:012}")
}

pub(super) fn key(number: u32, task: &str) -> TaskKey {
    TaskKey {
        allocation: allocation(number),
        task: task.to_owned(),
    }
}

pub(super) fn container(number: u32) -> String {
    format!("{number:064x}")
}

pub(super) struct Tree {
    pub(super) folder: TempDir,
    pub(super) drivers: BTreeMap<TaskKey, String>,
}

impl Tree {
    pub(super) fn new() -> Self {
        let tree = Self {
            folder: tempfile::tempdir().unwrap(),
            drivers: BTreeMap::new(),
        };
        std::fs::create_dir(tree.folder.path().join("cgroup")).unwrap();
        tree
    }

    pub(super) fn open(&self) -> Box<dyn Groups> {
        open_at(&self.roots(&self.folder.path().join("proc")))
    }

    /// With the machine's own processes.
    pub(super) fn open_real(&self) -> Box<dyn Groups> {
        open_at(&self.roots(Path::new("/proc")))
    }

    fn roots(&self, proc: &Path) -> Roots {
        Roots {
            cgroup: self.folder.path().join("cgroup"),
            proc: proc.to_owned(),
            docker: self.folder.path().join("docker"),
        }
    }

    /// Writes a file below the folder, and the folders above it.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Whoever keeps a file open of what is gone reads nothing more, as with the kernel's.
    pub(super) fn remove(&self, path: &str) {
        let path = self.folder.path().join(path);
        empty(&path);
        std::fs::remove_dir_all(path).unwrap();
    }

    /// What Docker writes of a container of a task, without the label that names the task.
    pub(super) fn container(&self, id: &str, name: &str, labels: &str) {
        let text =
            format!(r#"{{"ID":"{id}","Name":"/{name}","Config":{{"Labels":{{{labels}}}}}}}"#);
        self.write(&format!("docker/containers/{id}/config.v2.json"), &text);
    }

    /// A process by its parent and its times in ticks: own, and waited for.
    pub(super) fn process(&self, pid: i32, state: char, parent: i32, own: u64, waited: u64) {
        let half = own / 2;
        let rest = own - half;
        let text = format!(
            "{pid} (a (b) c) {state} {parent} {pid} {pid} 0 -1 4194304 1 2 0 0 {half} {rest} {waited} 0 20 0 1 0 {} 1 1\n",
            1000 + pid
        );
        self.write(&format!("proc/{pid}/stat"), &text);
    }
}

fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            empty(&path);
        } else {
            std::fs::write(path, "").unwrap();
        }
    }
}
