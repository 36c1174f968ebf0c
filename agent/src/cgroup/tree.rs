//! Reading a group's folder: names, counters, processes.

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::Path;

use crate::cgroup::TaskKey;
use crate::cgroup::file::{self, Folder};

/// More groups or processes than this are not looked at: no node has as many.
const LIMIT: usize = 16_384;

const PROCESSES: &str = "cgroup.procs";

/// The task that a group's name tells: `<allocation>.<task>`, with Nomad's UUID.
pub(super) fn task_of(name: &str) -> Option<TaskKey> {
    let (allocation, rest) = name.split_at_checked(36)?;
    let task = rest.strip_prefix('.')?;
    let places = allocation.bytes().enumerate();
    let uuid = places.into_iter().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (uuid && !task.is_empty()).then(|| TaskKey {
        allocation: allocation.to_owned(),
        task: task.to_owned(),
    })
}

/// The container that a group's name tells: 64 hexadecimal digits.
pub(super) fn container_of(name: &str) -> Option<&str> {
    let scope = name
        .strip_prefix("docker-")
        .and_then(|rest| rest.strip_suffix(".scope"));
    let id = scope.unwrap_or(name);
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// A group in a group.
pub(super) struct Listed {
    pub(super) name: String,
    /// The kernel gives none twice within a boot.
    pub(super) inode: u64,
}

/// The groups in a group, in the order of their names.
pub(super) fn children(folder: &Path) -> Vec<Listed> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let listed = folders.filter_map(|entry| {
        let inode = entry.ino();
        let name = entry.file_name().into_string().ok()?;
        Some(Listed { name, inode })
    });
    let mut listed: Vec<Listed> = listed.take(LIMIT).collect();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    listed
}

/// The processes of a group itself.
pub(super) fn processes(folder: &Path) -> Vec<i32> {
    processes_in(File::open(folder.join(PROCESSES)))
}

/// The processes of a group that is read each second.
///
/// The list is opened anew each time, unlike other files: the kernel of version 1
/// goes on showing the list that it made for whoever keeps it open, for a second.
pub(super) fn processes_of(folder: &Folder) -> Vec<i32> {
    processes_in(folder.file(PROCESSES))
}

fn processes_in(list: io::Result<File>) -> Vec<i32> {
    let text = list.and_then(|list| file::all(&list)).unwrap_or_default();
    let pids = text.lines().filter_map(|line| line.trim().parse().ok());
    pids.filter(|&pid| pid > 0).take(LIMIT).collect()
}

/// A number in a text of lines `<key> <number>`.
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let mut values = lines.filter(|(name, _)| *name == key);
    values.next()?.1.trim().parse().ok()
}

/// A group's inode, if it is there.
pub(super) fn inode(folder: &Path) -> Option<u64> {
    Some(std::fs::metadata(folder).ok()?.ino())
}

/// Whether a group holds other groups, without a look at them.
pub(super) fn has_children(folder: &Path) -> bool {
    // A folder has a name in the one above it and one in itself; each folder in it adds one.
    std::fs::metadata(folder).is_ok_and(|folder| folder.nlink() != 2)
}

/// What makes a group's counters begin anew: its path below the root, and its inode.
pub(super) fn epoch(root: &Path, folder: &Path, inode: u64) -> String {
    let path = folder.strip_prefix(root).unwrap_or(folder);
    format!("{}#{inode}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_task_a_container_or_neither() {
        let key = task_of("0a1b2c3d-0000-4000-8000-00000000abcd.side.car").unwrap();
        assert_eq!(key.allocation, "0a1b2c3d-0000-4000-8000-00000000abcd");
        assert_eq!(key.task, "side.car");
        for name in [
            "reserve",
            "0a1b2c3d-0000-4000-8000-00000000abcd.",
            "0a1b2c3d-0000-4000-8000-00000000abcd",
            "0a1b2c3dx0000-4000-8000-00000000abcd.main",
            "ä0a1b2c3d-0000-4000-8000-00000000abc.main",
        ] {
            assert_eq!(task_of(name), None, "{name}");
        }
        let id = "ab".repeat(32);
        assert_eq!(container_of(&id), Some(id.as_str()));
        assert_eq!(
            container_of(&format!("docker-{id}.scope")),
            Some(id.as_str())
        );
        assert_eq!(container_of("ssh.service"), None);
    }
}
