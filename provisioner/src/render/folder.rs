//! A tree of texts in a folder on disk, kept beside nothing but itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What a folder is filled with. A folder of one is never taken for that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The files of hosts.
    Rendering,
    /// An inventory in the words of another tool.
    Export,
}

impl Work {
    /// Lists what was written before, one path a line; by it a folder is known as ours.
    fn list(self) -> &'static str {
        match self {
            Self::Rendering => ".atoll-rendered",
            Self::Export => ".atoll-exported",
        }
    }
}

/// What is done: `cannot render into …`.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rendering => "render",
            Self::Export => "export",
        })
    }
}

/// Who may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the system lets.
    All,
    /// Nobody but its owner: secrets are in it. It must not lie where it could be committed.
    Owner,
}

/// Why a tree cannot be written to a folder.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody else's files are there.
    #[error(
        "cannot {work} into {}: it is not empty, and `atoll {work}` wrote nothing there before", folder.display()
    )]
    Foreign {
        /// What was to be done.
        work: Work,
        /// The folder.
        folder: PathBuf,
    },
    /// Secrets would come to lie in a work tree of git.
    #[error(
        "cannot render secrets into {}: {} is a work tree of git, and what lies there is soon committed; \
         choose a folder outside", folder.display(), tree.display()
    )]
    Committable {
        /// The folder.
        folder: PathBuf,
        /// The work tree's root.
        tree: PathBuf,
    },
    /// The list of what was written there before names a file that is not in the folder.
    #[error("cannot {work} into {}: its list {} names `{path}`", folder.display(), work.list())]
    List {
        /// What was to be done.
        work: Work,
        /// The folder.
        folder: PathBuf,
        /// The path in the list.
        path: String,
    },
    /// A link would lead out of the folder.
    #[error("cannot {work} into {}: it is a link, and may lead elsewhere; remove it", path.display())]
    Link {
        /// What was to be done.
        work: Work,
        /// The link.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot write {}", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

/// Makes a folder hold exactly a tree, beside files which are not ours.
///
/// Each file is replaced as a whole, and only where it differs. Files of the same work before that
/// the tree lacks are removed. The list of what is ours is written first, so that an interrupted
/// run is taken up by the next one.
///
/// # Errors
/// When the folder holds files and nothing of that work, when secrets would lie in a work tree of
/// git, or when the system refuses.
pub fn write(
    tree: &BTreeMap<PathBuf, Arc<str>>,
    folder: &Path,
    work: Work,
    readers: Readers,
) -> Result<(), WriteError> {
    if readers == Readers::Owner {
        outside_of_git(folder)?;
    }
    without_links(folder, work, std::iter::empty())?;
    let before = former(folder, work)?;
    let after: BTreeSet<PathBuf> = tree.keys().cloned().collect();
    without_links(folder, work, before.union(&after))?;
    readers.make(folder)?;
    let list = folder.join(work.list());
    readers.replace(&list, &listed(before.union(&after)))?;
    for (path, text) in tree {
        readers.close(folder, path)?;
        readers.replace(&folder.join(path), text)?;
    }
    for path in before.difference(&after) {
        remove(folder, path)?;
    }
    readers.replace(&list, &listed(after.iter()))
}

/// Refuses links below a folder, on the way to files and in their places: somebody else may have
/// put them there.
fn without_links<'a>(
    folder: &Path,
    work: Work,
    paths: impl Iterator<Item = &'a PathBuf>,
) -> Result<(), WriteError> {
    let mut ways: BTreeSet<&Path> = [Path::new(work.list())].into();
    for path in paths {
        ways.extend(parents(path));
        ways.insert(path);
    }
    let is_link = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink());
    match ways.iter().map(|way| folder.join(way)).find(is_link) {
        Some(path) => Err(WriteError::Link { work, path }),
        None => Ok(()),
    }
}

/// Refuses a folder that is, or would be, part of a work tree.
fn outside_of_git(folder: &Path) -> Result<(), WriteError> {
    let whole = std::path::absolute(folder).map_err(at(folder))?;
    // What is there already may be a link to elsewhere.
    let there = whole.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(&whole).canonicalize().map_err(at(folder))?;
    match there.ancestors().find(|path| path.join(".git").exists()) {
        None => Ok(()),
        Some(tree) => Err(WriteError::Committable {
            folder: folder.to_owned(),
            tree: tree.to_owned(),
        }),
    }
}

/// The folders of a path below its root, the outermost first.
fn parents(path: &Path) -> Vec<&Path> {
    let mut parents: Vec<&Path> = path
        .ancestors()
        .skip(1)
        .filter(|parent| !parent.as_os_str().is_empty())
        .collect();
    parents.reverse();
    parents
}

impl Readers {
    /// Makes a folder, and those above it that are missing.
    fn make(self, folder: &Path) -> Result<(), WriteError> {
        let mode = match self {
            Self::All => 0o777,
            Self::Owner => 0o700,
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(mode);
        builder.create(folder).map_err(at(folder))
    }

    /// Closes the folders on the way to a file, which may be those of a rendering for all.
    fn close(self, folder: &Path, path: &Path) -> Result<(), WriteError> {
        if self == Self::All {
            return Ok(());
        }
        for parent in std::iter::once(Path::new("")).chain(parents(path)) {
            let open = folder.join(parent);
            self.make(&open)?;
            fs::set_permissions(&open, Permissions::from_mode(0o700)).map_err(at(&open))?;
        }
        Ok(())
    }

    /// Gives a file its text, in one step. It is never open to more readers than these.
    fn replace(self, path: &Path, text: &str) -> Result<(), WriteError> {
        let mode = match self {
            Self::All => 0o666,
            Self::Owner => 0o600,
        };
        if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
            return match self {
                Self::All => Ok(()),
                Self::Owner => {
                    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(at(path))
                }
            };
        }
        if let Some(parent) = path.parent() {
            self.make(parent)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".atoll-new");
        let staged = PathBuf::from(name);
        // What an interrupted run left may be open to others.
        let _ = fs::remove_file(&staged);
        let mut options = fs::OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&staged);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(at(&staged))?;
        fs::rename(&staged, path).map_err(at(path))
    }
}

/// What the same work wrote to the folder before; nothing when there is no folder or it is empty.
fn former(folder: &Path, work: Work) -> Result<BTreeSet<PathBuf>, WriteError> {
    let list = folder.join(work.list());
    match fs::read_to_string(&list) {
        Ok(text) => text.lines().map(|line| own(folder, work, line)).collect(),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&list)(error)),
        Err(_) => match fs::read_dir(folder).map(|mut entries| entries.next()) {
            Ok(None) => Ok(BTreeSet::new()),
            Ok(Some(_)) => Err(WriteError::Foreign {
                work,
                folder: folder.to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(at(folder)(error)),
        },
    }
}

/// A path of the list, which nothing but its own folder can be meant by.
fn own(folder: &Path, work: Work, line: &str) -> Result<PathBuf, WriteError> {
    let path = PathBuf::from(line);
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if inside && !line.is_empty() {
        Ok(path)
    } else {
        Err(WriteError::List {
            work,
            folder: folder.to_owned(),
            path: line.to_owned(),
        })
    }
}

fn listed<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> String {
    paths.fold(String::new(), |text, path| {
        text + &path.display().to_string() + "\n"
    })
}

/// Removes a file, and the folders which it leaves empty.
fn remove(folder: &Path, path: &Path) -> Result<(), WriteError> {
    let file = folder.join(path);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&file)(error)),
        _ => {}
    }
    for parent in parents(path).into_iter().rev() {
        if fs::remove_dir(folder.join(parent)).is_err() {
            break;
        }
    }
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError::System { path, source }
}
