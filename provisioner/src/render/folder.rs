//! A tree of texts in a folder on disk, kept beside nothing but itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Lists what a former rendering wrote, one path a line; by it a folder is known as ours.
const LIST: &str = ".atoll-rendered";

/// Why a tree cannot be written to a folder.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody else's files are there.
    #[error("cannot render into {}: it is not empty, and no rendering was written there before", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// The list of what was written there before names a file that is not in the folder.
    #[error("cannot render into {}: its list {LIST} names `{path}`", folder.display())]
    List {
        /// The folder.
        folder: PathBuf,
        /// The path in the list.
        path: String,
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
/// Each file is replaced as a whole, and only where it differs. Files of a former rendering that
/// the tree lacks are removed. The list of what is ours is written first, so that an interrupted
/// run is taken up by the next one.
///
/// # Errors
/// When the folder holds files and no former rendering, or the system refuses.
pub fn write(tree: &BTreeMap<PathBuf, Arc<str>>, folder: &Path) -> Result<(), WriteError> {
    let before = former(folder)?;
    let after: BTreeSet<PathBuf> = tree.keys().cloned().collect();
    fs::create_dir_all(folder).map_err(at(folder))?;
    replace(&folder.join(LIST), &listed(before.union(&after)))?;
    for (path, text) in tree {
        replace(&folder.join(path), text)?;
    }
    for path in before.difference(&after) {
        remove(folder, path)?;
    }
    replace(&folder.join(LIST), &listed(after.iter()))
}

/// What a former rendering wrote to the folder; nothing when there is no folder or it is empty.
fn former(folder: &Path) -> Result<BTreeSet<PathBuf>, WriteError> {
    let list = folder.join(LIST);
    match fs::read_to_string(&list) {
        Ok(text) => text.lines().map(|line| own(folder, line)).collect(),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&list)(error)),
        Err(_) => match fs::read_dir(folder).map(|mut entries| entries.next()) {
            Ok(None) => Ok(BTreeSet::new()),
            Ok(Some(_)) => Err(WriteError::Foreign {
                folder: folder.to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(at(folder)(error)),
        },
    }
}

/// A path of the list, which nothing but its own folder can be meant by.
fn own(folder: &Path, line: &str) -> Result<PathBuf, WriteError> {
    let path = PathBuf::from(line);
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if inside && !line.is_empty() {
        Ok(path)
    } else {
        Err(WriteError::List {
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

fn replace(path: &Path, text: &str) -> Result<(), WriteError> {
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".atoll-new");
    let staged = PathBuf::from(name);
    fs::write(&staged, text).map_err(at(&staged))?;
    fs::rename(&staged, path).map_err(at(path))
}

/// Removes a file, and the folders which it leaves empty.
fn remove(folder: &Path, path: &Path) -> Result<(), WriteError> {
    let file = folder.join(path);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&file)(error)),
        _ => {}
    }
    for parent in path
        .ancestors()
        .skip(1)
        .filter(|parent| !parent.as_os_str().is_empty())
    {
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
