//! Files that are there as a whole or not at all, and their owner's only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::SecretsError;

/// A file as it was when it was read.
#[derive(Debug)]
pub(super) struct Seen {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it held; nothing when there was none.
    pub(super) bytes: Option<Vec<u8>>,
}

impl Seen {
    pub(super) fn read(path: PathBuf) -> Result<Self, SecretsError> {
        let bytes = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(SecretsError::Read { path, source }),
        };
        Ok(Self { path, bytes })
    }

    /// Fails when somebody else changed the file since.
    pub(super) fn must_be_unchanged(&self) -> Result<(), SecretsError> {
        let now = Self::read(self.path.clone())?;
        if now.bytes == self.bytes {
            Ok(())
        } else {
            Err(SecretsError::Changed { path: now.path })
        }
    }

    /// Replaces the file.
    pub(super) fn replace(&mut self, bytes: Vec<u8>) -> Result<(), SecretsError> {
        replace(&self.path, &bytes).map_err(|source| SecretsError::Write {
            path: self.path.clone(),
            source,
        })?;
        self.bytes = Some(bytes);
        Ok(())
    }
}

/// Replaces a file: a reader finds the old bytes or the new ones, also after a power cut.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |temporary, path| fs::rename(temporary, path))
}

/// Makes a file which must not exist yet.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |temporary, path| {
        fs::hard_link(temporary, path)?;
        fs::remove_file(temporary)
    })
}

/// Makes a folder, and those above it, for their owner only. An existing one stays as it is.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Waits until no other writer of ours is in the folder; over when the result is dropped.
///
/// Some network file systems cannot lock a folder. There, two operators who save
/// within the same millisecond are not told apart; git still has both.
pub(super) fn lock(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

fn put(
    path: &Path,
    bytes: &[u8],
    finish: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder_of(path);
    let temporary = folder.join(format!(".{}.new", uuid::Uuid::new_v4()));
    let written = write_new(&temporary, bytes).and_then(|()| finish(&temporary, path));
    if written.is_err() {
        // What failed is what the operator should hear of, not a left-over.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The folder of a file; a bare name is in the current one.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
