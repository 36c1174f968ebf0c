//! Files of an inventory come to their places together.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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
