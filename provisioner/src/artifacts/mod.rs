//! Programs, packages and images that hosts are given: pinned, local, verified.
//!
//! An artifact folder holds `<product>/<version>/<product>` (of CNI, a file for
//! each plugin), the packages of `<set>/<version>/*.deb`, and Docker images as `images/<name>.tar` (the form
//! of `docker save`). `artifacts.lock`, in the inventory, pins each file by its
//! SHA-256 in the format of `sha256sum`, so that any machine can check it:
//! `cd <artifact folder> && sha256sum -c <inventory>/artifacts.lock`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The lock's name in the inventory folder.
pub const LOCK: &str = "artifacts.lock";

/// What is pinned: SHA-256 by path within the artifact folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    digests: BTreeMap<String, String>,
}

/// A pinned file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Path within the artifact folder.
    pub path: String,
    /// SHA-256 in hexadecimal digits.
    pub digest: String,
}

/// Why an artifact cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A host needs an artifact, and nobody said where they are.
    #[error(
        "{wanted} must be sent to a host, but no artifact folder was given (--artifacts FOLDER, or ATOLL_ARTIFACTS)"
    )]
    NoFolder {
        /// What is wanted.
        wanted: String,
    },
    /// A line of the lock has another form.
    #[error("{}:{line}: cannot read the line; it should be a SHA-256, two spaces and a path", path.display())]
    Line {
        /// The lock.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
    },
    /// The lock does not pin what is wanted.
    #[error(
        "{wanted} is not in {LOCK}; put it into the artifact folder and run `atoll artifacts lock`"
    )]
    NotPinned {
        /// What is wanted.
        wanted: String,
    },
    /// A file is not what the lock says.
    #[error(
        "{} has SHA-256 {found}, but {LOCK} says {pinned}: fetch it again, or, if it was changed on purpose, \
         run `atoll artifacts lock`", path.display()
    )]
    Differs {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// The pinned one.
        pinned: String,
    },
    /// A tar is no Docker image.
    #[error("{} is not an image as `docker save` writes it: {reason}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
}

impl ArtifactError {
    fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}

impl Lock {
    /// Reads the lock of an inventory folder; an absent one pins nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(inventory: &Path) -> Result<Self, ArtifactError> {
        let path = inventory.join(LOCK);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ArtifactError::Read { path, source }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ArtifactError> {
        let mut lock = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (digest, artifact) = line
                .split_once("  ")
                .filter(|(digest, _)| {
                    digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())
                })
                .ok_or_else(|| ArtifactError::Line {
                    path: path.to_owned(),
                    line: index + 1,
                })?;
            lock.digests
                .insert(artifact.to_owned(), digest.to_ascii_lowercase());
        }
        Ok(lock)
    }

    /// Pins every file of an artifact folder.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of(folder: &Path) -> Result<Self, ArtifactError> {
        let mut lock = Self::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(&next).map_err(ArtifactError::read(&next))? {
                let path = entry.map_err(ArtifactError::read(&next))?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(name) = path.strip_prefix(folder) {
                    lock.digests
                        .insert(name.display().to_string(), digest(&path)?);
                }
            }
        }
        Ok(lock)
    }

    /// A program: `<product>/<version>/<file>`.
    ///
    /// # Errors
    /// When it is not pinned.
    pub fn program(
        &self,
        product: &str,
        version: &str,
        file: &str,
    ) -> Result<Artifact, ArtifactError> {
        self.artifact(format!("{product}/{version}/{file}"))
    }

    /// The packages of a set: `<set>/<version>/*.deb`.
    ///
    /// # Errors
    /// When none is pinned.
    pub fn packages(&self, set: &str, version: &str) -> Result<Vec<Artifact>, ArtifactError> {
        let prefix = format!("{set}/{version}/");
        let packages: Vec<Artifact> = self
            .digests
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix) && path.rsplit('.').next() == Some("deb"))
            .map(|(path, digest)| Artifact {
                path: path.clone(),
                digest: digest.clone(),
            })
            .collect();
        if packages.is_empty() {
            return Err(ArtifactError::NotPinned {
                wanted: format!("{prefix}*.deb"),
            });
        }
        Ok(packages)
    }

    /// A Docker image: `images/<reference>.tar`, with `-` for `/` and `:`.
    ///
    /// # Errors
    /// When it is not pinned.
    pub fn image(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        self.artifact(format!("images/{}.tar", reference.replace(['/', ':'], "-")))
    }

    fn artifact(&self, path: String) -> Result<Artifact, ArtifactError> {
        match self.digests.get(&path) {
            Some(digest) => Ok(Artifact {
                digest: digest.clone(),
                path,
            }),
            None => Err(ArtifactError::NotPinned { wanted: path }),
        }
    }
}

impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.digests
            .iter()
            .try_for_each(|(path, digest)| writeln!(f, "{digest}  {path}"))
    }
}

/// SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path) -> Result<String, ArtifactError> {
    let mut file = File::open(path).map_err(ArtifactError::read(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 18];
    loop {
        let length = file.read(&mut buffer).map_err(ArtifactError::read(path))?;
        if length == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(buffer.get(..length).unwrap_or_default());
    }
}

/// SHA-256 of bytes, in hexadecimal digits.
pub fn digest_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Checks that a file of the artifact folder is the pinned one, and says where it is.
///
/// # Errors
/// When it cannot be read or differs.
pub fn verify(folder: &Path, artifact: &Artifact) -> Result<PathBuf, ArtifactError> {
    let path = folder.join(&artifact.path);
    let found = digest(&path)?;
    if found != artifact.digest {
        return Err(ArtifactError::Differs {
            path,
            found,
            pinned: artifact.digest.clone(),
        });
    }
    Ok(path)
}

/// The ID of the image in a tar of `docker save`, without `sha256:`.
///
/// # Errors
/// When the tar holds no such image.
pub fn image_id(path: &Path) -> Result<String, ArtifactError> {
    let not_an_image = |reason: &str| ArtifactError::Image {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let file = File::open(path).map_err(ArtifactError::read(path))?;
    let mut archive = tar::Archive::new(file);
    for entry in archive
        .entries_with_seek()
        .map_err(ArtifactError::read(path))?
    {
        let mut entry = entry.map_err(ArtifactError::read(path))?;
        if entry.path().map_err(ArtifactError::read(path))?.as_ref() != Path::new("manifest.json") {
            continue;
        }
        let mut text = String::new();
        entry
            .read_to_string(&mut text)
            .map_err(ArtifactError::read(path))?;
        let manifest: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| not_an_image("manifest.json is not JSON"))?;
        let config = manifest
            .pointer("/0/Config")
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| not_an_image("manifest.json names no configuration"))?;
        let id = config
            .trim_end_matches(".json")
            .rsplit('/')
            .next()
            .unwrap_or_default();
        return Ok(id.to_owned());
    }
    Err(not_an_image("there is no manifest.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_what_sha256sum_reads() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("consul/1.22.3")).unwrap();
        std::fs::write(folder.path().join("consul/1.22.3/consul"), "program").unwrap();
        let lock = Lock::of(folder.path()).unwrap();
        let text = lock.to_string();
        assert_eq!(Lock::parse(Path::new("lock"), &text).unwrap(), lock);
        std::fs::write(folder.path().join("sums"), &text).unwrap();
        let judge = std::process::Command::new("sha256sum")
            .args(["-c", "sums"])
            .current_dir(folder.path())
            .status()
            .unwrap();
        assert!(judge.success());
    }

    #[test]
    fn a_file_that_differs_is_named_with_both_digests() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), "x").unwrap();
        let pinned = Artifact {
            path: "x".to_owned(),
            digest: "0".repeat(64),
        };
        let error = verify(folder.path(), &pinned).unwrap_err().to_string();
        assert!(
            error.contains("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
            "{error}"
        );
        assert!(error.contains(&"0".repeat(64)), "{error}");
    }

    #[test]
    fn what_is_not_pinned_is_said_with_its_place() {
        let error = Lock::default()
            .image("atoll/probe:1.35")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("images/atoll-probe-1.35.tar is not in artifacts.lock"),
            "{error}"
        );
    }

    #[test]
    fn a_line_of_another_form_is_named() {
        let error = Lock::parse(Path::new("artifacts.lock"), "# ours\nnonsense\n").unwrap_err();
        assert!(error.to_string().starts_with("artifacts.lock:2: "));
    }
}
