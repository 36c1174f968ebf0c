//! Small files of the kernel that are read each second.
//!
//! To open one costs the kernel ten times as much as to read it, so it is kept
//! open. Its text is made anew for each read from the start. Of a group or a
//! process that is gone, an open file tells an error: never what it said last,
//! and never what a namesake has to say.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open, openat};

/// The most files that are kept open; the unit allows 4096 in all, half of them for processes.
const KEPT: usize = 1536;
/// Longer than any of these files whose text is one piece: `stat` of a process, `cpu.stat` of a group.
const PIECE: usize = 2048;

/// Where open files stand. What is full is read by opening, as before.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelf(Arc<()>);

impl Shelf {
    /// A place, until it is dropped.
    fn place(&self) -> Option<Self> {
        // Whoever holds the shelf counts: its maker, who is no place, and each family of groups, which
        // takes a place as a file does.
        (Arc::strong_count(&self.0) <= KEPT).then(|| self.clone())
    }
}

/// A file that is read from its start, again and again.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    open: Option<(File, Shelf)>,
}

impl Kept {
    /// Opens a file, if it is there and the shelf has a place.
    pub(super) fn new(path: PathBuf, shelf: &Shelf) -> Self {
        let open = shelf
            .place()
            .and_then(|place| Some((File::open(&path).ok()?, place)));
        Self { path, open }
    }

    /// What the file says now, if its text is one piece, and can be read.
    pub(super) fn read<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let mut buffer = [0; PIECE];
        let size = match &self.open {
            Some((file, _)) => file.read_at(&mut buffer, 0),
            None => File::open(&self.path).and_then(|mut file| file.read(&mut buffer)),
        };
        let text = buffer.get(..size.ok()?)?;
        // The name of a process may be anything.
        parse(&String::from_utf8_lossy(text))
    }

    /// All that the file says now, however long; nothing if it cannot be read.
    pub(super) fn read_all(&self) -> String {
        let text = match &self.open {
            Some((file, _)) => all(file),
            None => File::open(&self.path).and_then(|file| all(&file)),
        };
        text.unwrap_or_default()
    }
}

/// A folder that is kept open: a file in it is found without the way to it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    open: Option<(OwnedFd, Shelf)>,
}

impl Folder {
    /// Opens a folder, if it is there and the shelf has a place.
    pub(super) fn new(path: PathBuf, shelf: &Shelf) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = shelf
            .place()
            .and_then(|place| Some((open(&path, flags, Mode::empty()).ok()?, place)));
        Self { path, open }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file in it.
    pub(super) fn file(&self, name: &str) -> io::Result<File> {
        match &self.open {
            Some((folder, _)) => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                Ok(openat(folder, name, flags, Mode::empty())?.into())
            }
            None => File::open(self.path.join(name)),
        }
    }
}

/// All that a file says now. The kernel does not know beforehand how much that will be, so it is not asked:
/// it fills what it is given as long as there is more to say.
pub(super) fn all(file: &File) -> io::Result<String> {
    let mut text = Vec::new();
    let mut buffer = [0; PIECE];
    loop {
        let size = file.read_at(&mut buffer, text.len() as u64)?;
        text.extend_from_slice(buffer.get(..size).unwrap_or_default());
        if size < PIECE {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_later_is_read_whether_it_is_kept_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage");
        let number = |text: &str| text.trim().parse::<u64>().ok();
        std::fs::write(&path, "1\n").unwrap();
        let shelf = Shelf::default();
        let kept = Kept::new(path.clone(), &shelf);
        let places: Vec<Shelf> = (1..KEPT).map(|_| shelf.place().unwrap()).collect();
        let other = Kept::new(path.clone(), &shelf);
        assert!(kept.open.is_some() && other.open.is_none());
        for text in ["7\n", "800000\n", "9\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(kept.read(number), number(text));
            assert_eq!(other.read(number), number(text));
        }
        let long = "12345 ".repeat(PIECE);
        std::fs::write(&path, &long).unwrap();
        assert_eq!((kept.read_all(), other.read_all()), (long.clone(), long));
        drop(places);
        assert!(Kept::new(path, &shelf).open.is_some());
    }

    #[test]
    fn a_process_that_is_gone_says_nothing_more() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let path = format!("/proc/{}/stat", child.id());
        let kept = Kept::new(PathBuf::from(path), &Shelf::default());
        let says = |text: &str| Some(text.contains("(cat)"));
        assert_eq!(kept.read(says), Some(true));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(kept.read(says), None);
    }
}
