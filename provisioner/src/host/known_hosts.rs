//! The inventory's `known_hosts`: which key each host must show.
//!
//! libssh2 reads plain and hashed lines. It knows no markers, so they are read
//! here: `@revoked` is honoured, `@cert-authority` is refused rather than
//! silently ignored.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A `known_hosts` file, read once for all hosts.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    /// Where it was read from.
    pub file: PathBuf,
    /// Its lines without markers, for libssh2.
    pub lines: Vec<String>,
    revoked: Vec<Vec<u8>>,
}

/// Why a `known_hosts` file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnownHostsError {
    /// It could not be read.
    #[error(
        "cannot read {}: {source}; it must hold the key of every host: \
         ssh-keyscan HOST... > {0}, after checking the keys on the hosts' consoles", file.display()
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// It says that a CA signs host keys.
    #[error(
        "{}:{line}: @cert-authority is not supported (libssh2 cannot check certificates of hosts); \
         write the hosts' own keys instead", file.display()
    )]
    CertAuthority {
        /// The file.
        file: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
}

impl KnownHosts {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or holds a `@cert-authority` line.
    pub fn read(file: &Path) -> Result<Self, KnownHostsError> {
        let text = std::fs::read_to_string(file).map_err(|source| KnownHostsError::Read {
            file: file.to_owned(),
            source,
        })?;
        Self::parse(file, &text)
    }

    fn parse(file: &Path, text: &str) -> Result<Self, KnownHostsError> {
        let mut known = Self {
            file: file.to_owned(),
            lines: Vec::new(),
            revoked: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("@cert-authority") {
                return Err(KnownHostsError::CertAuthority {
                    file: file.to_owned(),
                    line: index + 1,
                });
            }
            match line.strip_prefix("@revoked") {
                Some(rest) => known.revoked.extend(key_of(rest)),
                None => known.lines.push(line.to_owned()),
            }
        }
        Ok(known)
    }

    /// Whether a key (its wire form) is marked `@revoked`, for whatever host.
    pub fn is_revoked(&self, key: &[u8]) -> bool {
        self.revoked.iter().any(|revoked| revoked == key)
    }

    /// The key types in the file that may be meant for a host, so that the host is
    /// asked for a key which we can check. A hashed line may be meant for any.
    pub fn key_types(&self, host: &str, port: u16) -> Vec<String> {
        let with_port = format!("[{host}]:{port}");
        let meant = |names: &str| {
            names.starts_with('|')
                || names.split(',').any(|name| {
                    name == with_port || (port == 22 && name == host) || name.contains('*')
                })
        };
        let mut types: Vec<String> = Vec::new();
        for line in &self.lines {
            let mut words = line.split_whitespace();
            if let (Some(names), Some(kind)) = (words.next(), words.next())
                && meant(names)
                && !types.iter().any(|known| known == kind)
            {
                types.push(kind.to_owned());
            }
        }
        types
    }
}

/// The key of a line `hosts type base64 comment`.
fn key_of(line: &str) -> Option<Vec<u8>> {
    STANDARD.decode(line.split_whitespace().nth(2)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_never_ignored() {
        let file = Path::new("known_hosts");
        let text = "# ours\n192.0.2.1 ssh-ed25519 AAAA\n@revoked * ssh-ed25519 Zm9v\n";
        let known = KnownHosts::parse(file, text).unwrap();
        assert_eq!(known.lines, ["192.0.2.1 ssh-ed25519 AAAA"]);
        assert!(known.is_revoked(b"foo") && !known.is_revoked(b"bar"));
        let refused =
            KnownHosts::parse(file, "\n@cert-authority *.example ssh-ed25519 AAAA").unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("known_hosts:2: @cert-authority is not supported")
        );
    }

    #[test]
    fn a_host_is_asked_for_a_key_that_the_file_has() {
        let text = "192.0.2.1,alias ssh-ed25519 A\n[192.0.2.1]:2222 ecdsa-sha2-nistp256 B\n192.0.2.2 ssh-rsa C";
        let known = KnownHosts::parse(Path::new("k"), text).unwrap();
        assert_eq!(known.key_types("192.0.2.1", 22), ["ssh-ed25519"]);
        assert_eq!(known.key_types("192.0.2.1", 2222), ["ecdsa-sha2-nistp256"]);
        assert!(known.key_types("192.0.2.9", 22).is_empty());
    }
}
