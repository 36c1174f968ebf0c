//! Files of an inventory come to their places together, and others stay out of them.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::command::Error;

/// The folders of an inventory, where each file has a meaning.
const OWN: &[&str] = &["secrets", "sites", "templates"];

/// Refuses a folder for what is made of an inventory where it would become a part of it: the
/// inventory itself, one above it, or one of its own.
pub(super) fn apart(inventory: &Path, out: &Path) -> Result<(), Error> {
    let told = |error: io::Error| format!("cannot write into {}: {error}", out.display());
    let (whole, own) = (
        resolved(out).map_err(told)?,
        resolved(inventory).map_err(told)?,
    );
    let is_own = |name: &&&str| whole.starts_with(own.join(name));
    let why = if own == whole {
        "it is the inventory".to_owned()
    } else if own.starts_with(&whole) {
        format!("the inventory {} lies in it", inventory.display())
    } else if let Some(name) = OWN.iter().find(is_own) {
        format!("it belongs to {name}/ of the inventory")
    } else {
        return Ok(());
    };
    let hint = "choose a folder outside of the inventory";
    Err(format!("cannot write into {}: {why}; {hint}", out.display()).into())
}

/// The path as the system would take it: what is there may be a link, and the rest is not there
/// yet.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let whole = std::path::absolute(path)?;
    let there = whole.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("/"));
    let rest = whole.strip_prefix(there).unwrap_or(Path::new(""));
    let mut resolved = there.canonicalize()?;
    for part in rest.components() {
        match part {
            Component::ParentDir => _ = resolved.pop(),
            part => resolved.push::<&OsStr>(part.as_ref()),
        }
    }
    Ok(resolved)
}

/// Writes files into a folder. All are written beside their places first, so that a full disk
/// leaves everything as it was; then each takes its place in one step, in the order given.
///
/// # Errors
/// The path that could not be written, and what the system answered.
pub(super) fn place(folder: &Path, files: &[(&Path, &str)]) -> Result<(), (PathBuf, io::Error)> {
    let paths: Vec<(PathBuf, PathBuf)> = files
        .iter()
        .map(|(name, _)| (beside(&folder.join(name)), folder.join(name)))
        .collect();
    let staged = files
        .iter()
        .zip(&paths)
        .try_for_each(|((_, text), (new, path))| {
            stage(new, text).map_err(|error| (path.clone(), error))
        });
    if staged.is_err() {
        for (new, _) in &paths {
            let _ = fs::remove_file(new);
        }
    }
    staged?;
    paths
        .iter()
        .try_for_each(|(new, path)| fs::rename(new, path).map_err(|error| (path.clone(), error)))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".atoll-new");
    PathBuf::from(name)
}

fn stage(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_an_inventory_stays_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let inventory = folder.path().join("inventory");
        fs::create_dir_all(inventory.join("sites")).unwrap();
        std::os::unix::fs::symlink(&inventory, folder.path().join("link")).unwrap();
        for (out, expected) in [
            ("out", None),
            ("inventory-2", None),
            ("inventory/rendered", None),
            ("inventory/../out", None),
            ("inventory", Some("it is the inventory")),
            ("inventory/sites/..", Some("it is the inventory")),
            ("link/.", Some("it is the inventory")),
            ("", Some("lies in it")),
            (
                "inventory/sites",
                Some("it belongs to sites/ of the inventory"),
            ),
            (
                "inventory/templates/new/one",
                Some("it belongs to templates/"),
            ),
            (
                "new/../inventory/templates",
                Some("it belongs to templates/"),
            ),
            ("link/secrets", Some("it belongs to secrets/")),
        ] {
            let told = apart(&inventory, &folder.path().join(out));
            let told = told.err().map(|error| error.to_string());
            match (&told, expected) {
                (None, None) => {}
                (Some(told), Some(expected)) => assert!(told.contains(expected), "{out}: {told}"),
                _ => panic!("{out}: {told:?}"),
            }
        }
    }

    #[test]
    fn all_files_take_their_places_or_none_does() {
        let folder = tempfile::tempdir().unwrap();
        let sound = [(Path::new("a"), "1"), (Path::new("sub/b"), "2")];
        place(folder.path(), &sound).unwrap();
        // A file stands where a folder is needed, which is seen when the second is staged.
        let broken = [(Path::new("a"), "3"), (Path::new("a/c"), "4")];
        let (path, _) = place(folder.path(), &broken).unwrap_err();
        assert_eq!(path, folder.path().join("a/c"));
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((text("a"), text("sub/b")), ("1".to_owned(), "2".to_owned()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
