//! What is uploaded for a wave: one tar stream, read from the artifact folder as it goes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::apply::script::{Batch, Late};
use crate::artifacts::{self, ArtifactError};

/// A tar stream which is never held in memory as a whole.
pub(super) struct Payload {
    parts: std::vec::IntoIter<Part>,
    current: Box<dyn Read + Send>,
    /// Bytes in all.
    pub(super) total: u64,
}

enum Part {
    Bytes(Vec<u8>),
    File(PathBuf, u64),
}

/// Builds the upload of a batch, after checking each artifact against the lock.
pub(super) fn payload(batch: &Batch, folder: Option<&Path>) -> Result<Payload, ArtifactError> {
    let mut parts = Vec::new();
    parts.push(Part::Bytes(member("run", batch.script.as_bytes())));
    parts.extend(texts(&batch.texts));
    for artifact in &batch.artifacts {
        let folder = folder.ok_or_else(|| ArtifactError::NoFolder {
            wanted: artifact.path.clone(),
        })?;
        let path = artifacts::verify(folder, artifact)?;
        let length = std::fs::metadata(&path)
            .map_err(|source| ArtifactError::Read {
                path: path.clone(),
                source,
            })?
            .len();
        parts.push(Part::Bytes(header(
            &format!("artifacts/{}", artifact.path),
            length,
        )));
        parts.push(Part::File(path, length));
        parts.push(Part::Bytes(vec![0; padding(length)]));
    }
    Ok(Payload::new(parts))
}

/// Builds what a wave is given with the word to go.
pub(super) fn late(late: &Late) -> Payload {
    Payload::new(texts(&late.texts).collect())
}

fn texts(texts: &BTreeMap<String, String>) -> impl Iterator<Item = Part> {
    let texts = texts.iter();
    texts.map(|(path, text)| Part::Bytes(member(path, text.as_bytes())))
}

impl Payload {
    fn new(mut parts: Vec<Part>) -> Self {
        parts.push(Part::Bytes(vec![0; 1024]));
        let total = parts.iter().map(Part::length).sum();
        Self {
            parts: parts.into_iter(),
            current: Box::new(io::empty()),
            total,
        }
    }
}

impl Part {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

impl Read for Payload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.current.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            match self.parts.next() {
                None => return Ok(0),
                Some(Part::Bytes(bytes)) => self.current = Box::new(io::Cursor::new(bytes)),
                Some(Part::File(path, length)) => {
                    self.current = Box::new(File::open(path)?.take(length));
                }
            }
        }
    }
}

fn header(path: &str, length: u64) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o600);
    header.set_size(length);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    // A path of ours always fits: the longest is a package's file name below a version.
    let mut bytes = Vec::new();
    if header.set_path(path).is_err() {
        bytes = long_name(path);
        let _ = header.set_path("long");
    }
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

/// GNU's way to carry a path that does not fit.
fn long_name(path: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    let _ = header.set_path("././@LongLink");
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_mode(0o600);
    header.set_size(path.len() as u64 + 1);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(path.as_bytes());
    bytes.push(0);
    bytes.resize(bytes.len() + padding(path.len() as u64 + 1), 0);
    bytes
}

fn member(path: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(path, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len() + padding(content.len() as u64), 0);
    bytes
}

fn padding(length: u64) -> usize {
    usize::try_from((512 - length % 512) % 512).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_a_tar_that_tar_reads() {
        let long = format!("files/{}", "d/".repeat(150));
        let mut bytes = member("run", b"#!/bin/sh\n");
        bytes.extend(member(&format!("{long}x"), &[7; 600]));
        bytes.extend([0; 1024]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.tar");
        std::fs::write(&file, bytes).unwrap();
        let tar = std::process::Command::new("tar")
            .arg("-xf")
            .arg(&file)
            .arg("-C")
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(
            tar.status.success(),
            "{}",
            String::from_utf8_lossy(&tar.stderr)
        );
        assert_eq!(
            std::fs::read(folder.path().join("run")).unwrap(),
            b"#!/bin/sh\n"
        );
        assert_eq!(
            std::fs::read(folder.path().join(format!("{long}x"))).unwrap(),
            [7; 600]
        );
    }
}
